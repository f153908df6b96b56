"""The plays that would be added to Stash, and the button that approves the first write of them."""

from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.way_back import way_back_of
from plexsync.flows.plays.first_run import PlaysPage
from plexsync.flows.plays.history_poll import UnknownAccount, approve_plays
from plexsync.reports.first_plays import first_plays_lines, list_scenes, scene_plays_words
from plexsync.reports.format import stamp
from plexsync.reports.needs import plays_wait
from plexsync.reports.shapes.status import StatusFacts
from plexsync.reports.status import play_counts
from plexsync.rules.plays.first_plays import read_counted
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_COUNTED
from plexsync.web.context import AWAY
from plexsync.web.pages import PageCall, action, page
from validation.values import midnight

HERE = "/plays"
LONGEST_KEY = 100


def plays(call: PageCall) -> Response:
    """What waits for your approval: the numbers as the worker has counted them, and the scenes as they are now."""
    with call.reading() as db:
        counted, is_approved = read_counted(db.notes.text(PLAYS_COUNTED)), bool(db.notes.text(PLAYS_APPROVED))
    facts, after = call.desk.facts(), call.query.get("after", "")[:LONGEST_KEY]
    first = facts["plays"]["first"] if counted else None
    config = call.parts.config
    # An open page asks for its changed parts again and again, and the list is none of them.
    page, away = _page(call, counted.since, after) if counted and not call.live else (None, "")
    return call.show(
        "plays.html",
        config=config,
        ways=(
            ("plays", "watch_back", config.watch_back != "off"),
            ("resume points", "watch_back", config.watch_back == "plays+resume"),
            ("ratings", "rating_direction", config.rating_direction == "both"),
        ),
        is_approved=is_approved,
        first=first,
        lines=first_plays_lines(first) if first else [],
        at=first["at"] if first else "",
        scenes=list_scenes(page) if page else [],
        words=scene_plays_words,
        away=away,
        after=after,
        found=facts,
        card=play_card(call, facts),
        next=f"{HERE}?{urlencode({'after': page.last})}" if page and not page.is_last else "",
    )


def play_card(call: PageCall, facts: StatusFacts) -> dict[str, object] | None:
    """The card of plays: words, figures, and the CSS class of its colour; None while the way back is off."""
    if call.parts.config.watch_back == "off":
        return None
    words = "up to date"
    if facts["plays"]["first"]:
        words = "wait for your yes"
    elif facts["plays"]["waiting"]:
        words = "wait for Stash" if plays_wait(facts) else "on their way"
    return {"words": words, "kind": "well" if words == "up to date" else "wait", "counts": play_counts(facts["plays"])}


def _page(call: PageCall, since: int, after: str) -> tuple[PlaysPage | None, str]:
    """A page of the list, and why it can't be read now."""
    try:
        with call.desk.looking() as parts:
            back = way_back_of(parts)
            pages = back.first_run.pages(since=since, after=after) if back else iter(())
            return next(pages, None), ""
    except (*AWAY, UnknownAccount) as error:
        return None, str(error)


def approve(call: PageCall) -> Response:
    """Approve the plays that the page has shown; the worker begins at once."""
    parts = call.parts
    with parts.store.writing() as tx:
        counted = read_counted(tx.notes.text(PLAYS_COUNTED))
        is_shown = counted is not None and call.form.get("at", "") == stamp(counted.at)
        if counted is not None and is_shown:
            since, minimum = counted.since, counted.minimum
            earliest = midnight(parts.config.watch_since) if counted.in_force else since
            approve_plays(tx, counted.number, watch_since=earliest, since=since, minimum=minimum, now=parts.clock.now())
    if counted is None:
        return call.to(HERE, "No plays wait for your approval.", well=False)
    if not is_shown:
        return call.to(HERE, "The plays were counted anew meanwhile: look at them, then approve them.", well=False)
    return call.to("/", "Approved: the worker adds these plays to Stash, and new ones from now on.")


routes = [page(HERE, plays), action(HERE, approve)]
