"""Everything that needs you, by cause, each with the buttons that mend it."""

from collections.abc import Sequence
from contextlib import nullcontext
from urllib.parse import urlencode

from starlette.responses import Response

from plexsync.app.fixes import ASKING, FixAction, carry_out
from plexsync.flows.scenes.bindings import candidates_now
from plexsync.reports.fix_steps import order_of, result_words
from plexsync.reports.fixes import CAUSES, FixPage, Looked, fix_report, page_after
from plexsync.reports.shapes.fixes import FixReport
from plexsync.rules.errors import NeighbourError
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import BUSY, asked_now

HERE = "/fix"
# How many problems are shown of each cause, and of one cause alone.
FEW, MANY = 5, 20
# After these the worker asks a server for the scene, so that a closed one is probed at once.
QUEUEING = (FixAction.RETRY, FixAction.RETRY_ALL, FixAction.UNBIND, FixAction.UNIGNORE)


def fix(ask: Ask) -> Response:
    """The problems by cause, or those of one cause, page by page."""
    cause = ask.query.get("cause", "")
    shown = report(ask, MANY if cause else FEW)
    ask.desk.count_as(shown["count"])
    return ask.show(
        "fix.html",
        report=shown,
        cause=cause,
        after=ask.query.get("after", "") if cause else "",
        buttons=set(FixAction),
    )


def report(ask: Ask, limit: int) -> FixReport:
    """The report for the cause and the place in the address."""
    cause = ask.query.get("cause", "")
    if cause and cause not in CAUSES:
        raise Wrong("There is no such cause.")
    after = page_after(cause, ask.query.get("after", ""))
    if after is None:
        raise Wrong("after is the key of a problem: 7 is scene 7, tag:12 is tag 12.")
    return fix_report(ask.desk.parts, ask.desk.facts(), FixPage(cause, after, limit), lambda ids: _look(ask, ids))


def _look(ask: Ask, ids: Sequence[int]) -> Looked:
    """The candidates of these scenes; an open page that updates itself does not ask both servers again and again."""
    if ask.live:
        return Looked()
    try:
        with ask.desk.looking() as parts:
            return Looked(candidates_now(parts.looker, ids))
    except NeighbourError as error:
        return Looked(away=str(error))
    except Busy:
        return Looked(away=BUSY)


def mend(ask: Ask) -> Response:
    """Carry out one step, and show the rest."""
    order = order_of(ask.form.get("action", ""), ask.form.get("target", ""), ask.form.get("item", ""))
    if order is None:
        raise Wrong("There is no such step.")
    desk = ask.desk
    try:
        with desk.looking() if order.action in ASKING else nullcontext(desk.parts) as parts:
            result = carry_out(parts, order)
    except Busy:
        return ask.to(_back(ask), BUSY, well=False)
    closed = desk.ask_servers() if result.done and order.action in QUEUEING else ""
    more = f" {asked_now(closed)}." if closed else ""
    return ask.to(_back(ask), f"{result_words(result)}{more}", well=bool(result.done))


def _back(ask: Ask) -> str:
    """The page that the button is on."""
    cause, after = ask.form.get("shown", ""), ask.form.get("after", "")
    if cause not in CAUSES:
        return HERE
    return f"{HERE}?{urlencode({'cause': cause} | ({'after': after} if page_after(cause, after) else {}))}"


routes = [page(HERE, fix), action(HERE, mend)]
