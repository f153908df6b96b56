"""The plays that would be added to Stash, and the button that approves the first write of them."""

from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.way_back import way_back_of
from plexsync.flows.plays.first_run import PlaysPage
from plexsync.flows.plays.history_poll import UnknownAccount, approve_plays
from plexsync.reports.first_plays import first_plays_lines, listed, scene_plays_words
from plexsync.reports.status import counted_facts
from plexsync.rules.first_plays import read_counted
from plexsync.rules.note_keys import PLAYS_APPROVED, PLAYS_COUNTED
from plexsync.web.context import AWAY
from plexsync.web.pages import Ask, action, page

HERE = "/plays"
LONGEST_KEY = 100


def plays(ask: Ask) -> Response:
    """What waits for your approval: the numbers as the worker has counted them, and the scenes as they are now."""
    with ask.reading() as db:
        counted, is_approved = read_counted(db.notes.text(PLAYS_COUNTED)), bool(db.notes.text(PLAYS_APPROVED))
    first, after = counted_facts(counted) if counted else None, ask.query.get("after", "")[:LONGEST_KEY]
    # An open page asks for its changed parts again and again, and the list is none of them.
    shown, away = _page(ask, after) if first and not ask.live else (None, "")
    return ask.show(
        "plays.html",
        is_off=ask.parts.config.watch_back == "off",
        is_approved=is_approved,
        first=first,
        lines=first_plays_lines(first) if first else [],
        at=counted.at if counted else 0,
        scenes=listed(shown) if shown else [],
        words=scene_plays_words,
        away=away,
        after=after,
        next=f"{HERE}?{urlencode({'after': shown.last})}" if shown and not shown.is_last else "",
    )


def _page(ask: Ask, after: str) -> tuple[PlaysPage | None, str]:
    """A page of the list, and why it can't be read now."""
    try:
        with ask.desk.looking() as parts:
            back = way_back_of(parts)
            pages = back.first_run.pages(since=back.history.rules.since, after=after) if back else iter(())
            return next(pages, None), ""
    except (*AWAY, UnknownAccount) as error:
        return None, str(error)


def approve(ask: Ask) -> Response:
    """Approve the plays that the page has shown; the worker begins at once."""
    parts = ask.parts
    with parts.store.writing() as tx:
        counted = read_counted(tx.notes.text(PLAYS_COUNTED))
        is_shown = counted is not None and ask.form.get("at", "") == str(counted.at)
        if counted is not None and is_shown:
            since = counted.since
            approve_plays(tx, counted.number, watch_since=since, since=since, now=parts.clock.now())
    if counted is None:
        return ask.to(HERE, "No plays wait for your approval.", well=False)
    if not is_shown:
        return ask.to(HERE, "The plays were counted anew meanwhile: look at them, then approve them.", well=False)
    return ask.to("/", "Approved: the worker adds these plays to Stash, and new ones from now on.")


routes = [page(HERE, plays), action(HERE, approve)]
