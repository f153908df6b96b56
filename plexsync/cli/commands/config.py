"""`plexsync config`: look at the settings, and change them in plexsync.toml."""

import difflib
import json
import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from plexsync.app.fingerprints import previewed_settings, prints_of_settings
from plexsync.app.setting_change import check_libraries, check_values, in_the_file, problems, why_unguarded, write_into
from plexsync.app.settings import NotSetUp, SettingsNeed
from plexsync.cli.call import FINE, WRONG, Call, Sharing, family
from plexsync.cli.settings import here_of, hide, settings, sources, toml_of
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.cli.terminal.setting_preview import show_settings
from plexsync.reports.format import safe
from plexsync.reports.settings import TELLING, setting_facts
from plexsync.reports.shapes.status import SettingFacts
from plexsync.rules.queue.setting_question import FEW
from validation.config import SECRETS, describe
from validation.picture_settings import EARLIER, earlier_name_line, present_names
from validation.redact import MASK
from validation.removed import REMOVED, removed_words
from validation.sources import STAND_INS, TOML, ConfigError, SettingSources, load_here
from validation.writing import new_file, save

NAMES = tuple(setting.name for setting in describe())
# A table of tables, which one value can't say.
TABLES = "libraries"
# The settings that decide who reaches the dashboard.
DASHBOARD = ("web_bind", "web_password")
RESTART = "a worker that runs takes it within seconds"
ASKS = f"; before it changes more than {FEW} items for it, it asks you"


@family("config")
def config() -> None:
    """Show the settings, and change them in plexsync.toml.

    Each setting comes from the command line, the environment, plexsync.toml, the plugin settings in Stash, the look or
    its default, in this order.

    \b
    Examples:
      plexsync config list
      plexsync config set dlq_retention_days 30
      plexsync config edit
    """


@config.command("list", cls=Sharing, short_help="List all settings, with their sources.")
@click.option(
    "--changed", "only_changed", is_flag=True, help="Only the settings that are given somewhere or set by the look."
)
@click.pass_obj
def list_all(call: Call, only_changed: bool) -> int:
    """List all settings, each with its value, its default and where the value comes from.

    \b
    Examples:
      plexsync config list
      plexsync config list --changed
    """
    facts = [fact for fact in _facts(call) if not only_changed or fact["source"] != "default"]
    file = str(toml_of(call).absolute())
    call.answer({"file": file, "settings": facts}, lambda: _tell(facts, file, paper()))
    return FINE


@config.command("get", cls=Sharing)
@click.argument("name")
@click.pass_obj
def get(call: Call, name: str) -> int:
    """Print one setting. A secret is shown as *** if it is set.

    \b
    Example:
      plexsync config get dlq_retention_days
    """
    name, _ = present_setting(name)
    fact = next(fact for fact in _facts(call) if fact["name"] == name)
    call.answer({**fact}, lambda: click.echo(safe(fact["value"])))
    return FINE


@config.command("set", cls=Sharing, short_help="Change one setting in plexsync.toml.")
@click.argument("name")
@click.argument("value", required=False)
@click.option("--dry-run", "dry", is_flag=True, help="Save nothing: show what it changes in Plex.")
@click.option("--scene", type=SceneNumber(), help="The scene to show, by its number.")
@click.pass_obj
def set_one(call: Call, name: str, value: str | None, dry: bool, scene: int | None) -> int:
    """Change one setting in plexsync.toml; the rest of the file stays as you wrote it.

    The value is checked first. A secret is never taken from the command line: leave its value out, and type it when
    you are asked, or pipe it in.

    \b
    Examples:
      plexsync config set dlq_retention_days 30
      plexsync config set title_template "{studio}: {title}" --dry-run
      plexsync config set plex_token
    """
    name, value = present_setting(name, value)
    if name == TABLES:
        tables = "plexsync config edit opens the file, and with --dry-run shows what a change of it does"
        raise click.UsageError(f"{TABLES} is a table of tables: {tables}")
    if name in SECRETS and value is not None:
        raise click.UsageError(f"{name} is a secret: leave its value out, and type it when you are asked")
    _check_shared(call)
    text = _read_value(name) if value is None else value
    config = check_values(sources(call), {name: text}, hide=partial(hide, call))
    if name == "plex_libraries" and text.strip():
        _check_libraries(call, config.plex_libraries)
    if dry:
        # Of an address, a preview would send the secret in use there.
        if name not in previewed_settings(config):
            raise click.UsageError(f"{name} has no preview: leave --dry-run out")
        with begin_call(call, need=SettingsNeed.WORK) as start:
            call.answer(show_settings(call, start, {name: in_the_file(config, name)}, scene))
        return FINE
    write_into(toml_of(call), {name: in_the_file(config, name)})
    return _report_change(call, name, f"{name} is {MASK if name in TELLING else safe(text)} now")


@config.command("unset", cls=Sharing, short_help="Remove one setting from plexsync.toml.")
@click.argument("name")
@click.pass_obj
def unset(call: Call, name: str) -> int:
    """Remove one setting from plexsync.toml, so that the look or its default applies again.

    \b
    Example:
      plexsync config unset dlq_retention_days
    """
    if name not in REMOVED:
        name, _ = present_setting(name)
    _check_shared(call)
    write_into(toml_of(call), {name: None})
    return _report_change(call, name, f"{name} is not in {toml_of(call).name} any more")


@config.command("edit", cls=Sharing, short_help="Open plexsync.toml in your editor.")
@click.option("--dry-run", "dry", is_flag=True, help="Save nothing: edit a copy, and show what it changes in Plex.")
@click.pass_obj
def edit(call: Call, dry: bool) -> int:
    """Open plexsync.toml in your editor, and check it afterwards.

    VISUAL or EDITOR names the editor. A new file holds every common option, commented. Exits with 2 if something in the
    file is wrong.

    \b
    Example:
      plexsync config edit
      plexsync config edit --dry-run
    """
    file = toml_of(call)
    if dry:
        return _show_edit(call, file)
    with suppress(FileExistsError):
        save(file, new_file({}), new=True)
    click.edit(filename=str(file))
    if wrong := problems(sources(call), hide=partial(hide, call)):
        raise ConfigError(wrong)
    call.answer({"file": str(file), "valid": True}, lambda: say(paper(), f"{file.name} is valid; {RESTART}"))
    return FINE


def _show_edit(call: Call, file: Path) -> int:
    """Open a copy of the file in the editor, and show what the settings that differ then change in Plex."""
    before = here_of(call, new_file=True).config
    with TemporaryDirectory() as folder:
        copy = Path(folder) / file.name
        save(copy, file.read_text("utf-8") if file.exists() else new_file({}), new=True)
        click.edit(filename=str(copy))
        where: SettingSources = {**sources(call), "toml_path": copy}
        if wrong := problems(where, hide=partial(hide, call)):
            raise ConfigError(wrong)
        loaded = load_here(**where)
    hide(call, loaded)
    names = [name for name in NAMES if getattr(loaded.config, name) != getattr(before, name)]
    shown = previewed_settings(loaded.config) | {TABLES}
    if others := [name for name in names if name not in shown]:
        _warn([f"no preview shows what these change: {', '.join(others)}"])
    values = {name: in_the_file(loaded.config, name) for name in names if name in shown}
    if not values:
        call.answer({"settings": []}, lambda: say(paper(), "no setting changes that decides what Plex shows"))
        return FINE
    with begin_call(call, need=SettingsNeed.WORK) as start:
        call.answer(show_settings(call, start, values))
    return FINE


def present_setting(name: str, value: str | None = None) -> tuple[str, str | None]:
    """The present name of a setting, and a value for it in its words. Raises UsageError if there is no such setting."""
    if name in EARLIER:
        click.echo(f"plexsync: {earlier_name_line(name)}", err=True)
        ((name, present),) = present_names({name: value}).items()
        value = None if present is None else str(present)
    if name in REMOVED:
        raise click.UsageError(removed_words(name))
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean {near[0]}?" if near else "plexsync config list shows them"
        raise click.UsageError(f"there is no setting {safe(name)!r}: {hint}")
    return name, value


def _check_shared(call: Call) -> None:
    """Raise UsageError if one of several Plex servers is chosen: what is changed here is above the entries."""
    if plex := call.chosen_plex:
        raise click.UsageError(
            f"this changes what all Plex servers share: plexsync config edit opens the entry of {plex}"
        )


def _check_libraries(call: Call, text: str) -> None:
    """Raise ConfigError if Plex does not have these libraries; warn if it can't be asked."""
    try:
        config = settings(call, SettingsNeed.LOOK).loaded.config
    except ConfigError:
        return  # nothing is set up yet: set-up asks Plex
    unsure = check_libraries(config, text)
    _warn([unsure] if unsure else [])


def _facts(call: Call) -> list[SettingFacts]:
    """Every setting. While a required one is missing, those of this machine, with a warning."""
    try:
        with begin_call(call) as start:
            _warn(start.settings.loaded.warnings)
            return setting_facts(start.config, start.settings.loaded.origin)
    except NotSetUp:
        raise
    except ConfigError as error:
        loaded = here_of(call)
        _warn([*error.lines, *loaded.warnings])
        unset_ones = {name for name, value in STAND_INS.items() if getattr(loaded.config, name) == value}
        facts = setting_facts(loaded.config, loaded.origin)
        return [
            {**fact, "value": "", "set": False, "source": "default"} if fact["name"] in unset_ones else fact
            for fact in facts
        ]


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"plexsync: warning: {line}", err=True)


def _tell(facts: list[SettingFacts], file: str, out: Console) -> None:
    rows = [
        (fact["name"], safe(fact["value"]), "" if fact["source"] == "default" else fact["default"], fact["source"])
        for fact in facts
    ]
    out.print(table("Settings", ("setting", "value", "default", "from"), rows))
    say(out, f"the file is {file}")


def _read_value(name: str) -> str:
    """The value, typed without echo if it is a secret, or the first line of what is piped in."""
    if sys.stdin.isatty():
        return str(click.prompt(name, default="", hide_input=name in SECRETS, err=True, show_default=False))
    line = sys.stdin.readline()
    if not line:
        raise click.UsageError(f"no value is given: plexsync config set {name} VALUE")
    return line.rstrip("\r\n")


def _report_change(call: Call, name: str, done: str) -> int:
    """Say what was done, what wins over it, and what is still wrong with the settings; returns the exit code."""
    file = toml_of(call)
    wrong = problems(sources(call), hide=partial(hide, call))
    here = None if wrong else here_of(call)
    origin = here.origin.get(name, "") if here else ""
    winner = f"; the value from the {origin} wins over it" if origin not in ("", TOML, "default", "Stash") else ""
    decides = here is not None and name in json.loads(prints_of_settings(here.config))
    asks = ASKS if decides else ""
    facts = {"file": str(file), "name": name, "overruled": bool(winner), "problems": wrong}
    call.answer(facts, lambda: say(paper(), f"{done}{winner or f'; {RESTART}{asks}'}"))
    if here and name in DASHBOARD and (reason := why_unguarded(here.config)):
        click.echo(f"plexsync: warning: {reason}: until then there is no dashboard", err=True)
    for line in wrong:
        click.echo(f"plexsync: {line}", err=True)
    return WRONG if wrong else FINE
