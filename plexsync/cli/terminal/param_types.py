"""Parameters of commands: moments, items, and scenes (`7`, `#7` and the address of its page are scene 7)."""

import re
from datetime import UTC, datetime, timedelta

import click

from plexsync.rules.words.moments import moment_typed
from plexsync.store.intake import LAST_ID

# Where a person who knows the title finds the number.
WHERE = "Stash shows it in the address of the scene's page (/scenes/7), and the dashboard finds scenes by title"


# `#7` as screens show it, and the address of a scene's page in Stash or on the dashboard.
_SHOWN = re.compile(r"#([0-9]+)|(?:https?://[^/?#\s]+)?(?:/[^?#\s]*)?/scenes/([0-9]+)/?(?:[?#]\S*)?")


def typed_form(text: str) -> str:
    """The number of a scene in one of the forms that screens show; any other text as it is."""
    match = _SHOWN.fullmatch(text)
    return match[1] or match[2] if match else text


class SceneNumber(click.ParamType[int]):
    """The number of a scene in Stash."""

    name = "scene"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number; an invalid one is quoted in the error."""
        if isinstance(value, int):
            return value
        number = typed_form(value)
        if not re.fullmatch(r"[0-9]{1,19}", number) or not 1 <= int(number) <= LAST_ID:
            self.fail(f"{value!r} is not the number of a scene: {WHERE}", param, ctx)
        return int(number)


class ItemKey(click.ParamType[str]):
    """The rating key of an item in Plex."""

    name = "item"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The key without leading zeros."""
        if not re.fullmatch(r"[0-9]{1,18}", value) or not int(value):
            self.fail(f"{value!r} is not the rating key of an item: a number, as plexsync explain shows it", param, ctx)
        return str(int(value))


class When(click.ParamType[datetime | timedelta]):
    """A date, a date with time, or a span back from now."""

    name = "when"

    def convert(
        self, value: str | datetime | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime | timedelta:
        """The moment (without an offset: in local time) or the span."""
        if not isinstance(value, str):
            return value
        try:
            return moment_typed(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def moment(since: datetime | timedelta | None, now: int) -> datetime | None:
    """The start of the period; warns if it is in the future. `now` is in UTC milliseconds."""
    if isinstance(since, timedelta):
        return datetime.fromtimestamp(now / 1000, UTC) - since
    if since is not None and since.timestamp() * 1000 > now:
        click.echo("plexsync: warning: --since is still to come, so nothing can have changed since", err=True)
    return since
