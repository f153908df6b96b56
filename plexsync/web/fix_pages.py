"""Everything that needs you, one at a time or as a list, with its buttons; what you are asked; and pages that bind many.

You are asked about changes of a server that only you can judge. Ambiguous scenes are bound together if they fit by
duration, or if they have one candidate in a folder of Plex.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace

from starlette.responses import Response

from plexsync.app.fixes import ALIKE, ASKING, FixAction, FixOrder, carry_out
from plexsync.flows.scenes.bindings import (
    Pairing,
    bind_pairs,
    by_duration,
    candidates_now,
    in_folder,
    pairs_among,
    pairs_by,
)
from plexsync.reports.fixes import (
    CAUSES,
    FixPage,
    FixReport,
    Looked,
    fix_card,
    fix_report,
    order_of,
    page_after,
    result_words,
    with_alike,
)
from plexsync.reports.format import many, sentences
from plexsync.reports.questions import questions
from plexsync.rules.queue.choices import Choice
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError
from plexsync.web.context import Busy
from plexsync.web.pages import PageCall, Wrong, action, address, page, whole_number

HERE, ACCEPT = "/fix", "/accept"
DURATION, FOLDER = "/dead/by-duration", "/dead/in-folder"
LIST = "list"
ALL = f"{HERE}?view={LIST}"
AMBIGUOUS = f"{ALL}&cause=ambiguous"
IGNORE = "i"
MOST_COUNTED = 1_000_000
# How many problems are shown of each cause, and of one cause alone.
FEW, MANY = 5, 20
# The number of pairs of a scene and an item that are shown.
PAIRS = 50
# After these the worker asks a server for the scene, so that a closed one is probed at once.
QUEUEING = (FixAction.RETRY, FixAction.RETRY_ALL, FixAction.UNBIND, FixAction.UNIGNORE)


def fix(call: PageCall) -> Response:
    """One problem with its choices; or, as a list, all problems by cause, or those of one cause page by page."""
    cause, after = call.query.get("cause", ""), call.query.get("after", "")
    if call.query.get("view") == LIST:
        fixes = report(call, MANY if cause else FEW)
        call.desk.count_as(fixes["count"])
        after = after if cause else ""
        return call.show("fix.html", report=fixes, cause=cause, after=after, buttons=set(FixAction))
    card = fix_card(call.parts, call.desk.facts(), cause, after, lambda ids: _look(call, ids))
    call.desk.count_as(card.count)
    walk = DeckPlace.read(call.query)
    entry = card.entry
    steps = [*(choice["step"] for choice in entry["candidates"]), *entry["steps"]] if entry else []
    taken = [step for step in steps if step["action"] in set(FixAction)]
    numbered = [step for step in taken if step["action"] != FixAction.IGNORE]
    keys = {id(step): str(number) for number, step in enumerate(numbered[:9], start=1)}
    keys |= {id(step): IGNORE for step in taken if step["action"] == FixAction.IGNORE}
    skip = (
        replace(walk, cause=card.group["cause"], after=entry["key"], skipped=walk.skipped + 1)
        if card.group and entry
        else walk
    )
    return call.show(
        "deck.html",
        card=card,
        walk=walk,
        total=max(card.count + walk.mended, walk.number),
        key_of=lambda step: keys.get(id(step), ""),
        is_button=lambda step: step["action"] in set(FixAction),
        has_alike=bool(entry and entry["alike"] and any(step["action"] in ALIKE for step in taken)),
        skip=skip.address,
    )


@record
class DeckPlace:
    """How far you are in the deck: behind which problem, and how many you have mended and skipped."""

    cause: str = ""
    after: str = ""
    mended: int = 0
    skipped: int = 0

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "DeckPlace":
        """The walk in an address or a form; numbers that are none count as 0."""
        counts = [whole_number(values.get(name, ""), most=MOST_COUNTED) or 0 for name in ("mended", "skipped")]
        cause = values.get("cause", "")
        return cls(cause, values.get("after", "") if cause else "", *counts)

    @property
    def number(self) -> int:
        """The number of the problem that is shown, from 1 on."""
        return self.mended + self.skipped + 1

    @property
    def address(self) -> str:
        """The address of the deck there."""
        return address(HERE, {name: str(value) for name, value in vars(self).items() if value})


def report(call: PageCall, limit: int) -> FixReport:
    """The report for the cause and the place in the address."""
    cause = call.query.get("cause", "")
    if cause and cause not in CAUSES:
        raise Wrong("There is no such cause.")
    after = page_after(cause, call.query.get("after", ""))
    if after is None:
        raise Wrong("after is the key of a problem: 7 is scene 7, tag:12 is tag 12.")
    return fix_report(call.parts, call.desk.facts(), FixPage(cause, after, limit), lambda ids: _look(call, ids))


def _look(call: PageCall, ids: Sequence[int]) -> Looked:
    """The candidates of these scenes; an open page that updates itself does not ask both servers again and again."""
    if call.live:
        return Looked()
    candidates, away = call.look(lambda parts: candidates_now(parts.inspector, ids))
    return Looked(candidates or {}, away)


def mend(call: PageCall) -> Response:
    """Carry out one step, for this problem or for all of its kind; a deck then shows the next, or why it was not done."""
    chosen = call.form.get("step", "").split(" ") if call.form.get("step") else []
    names = ("action", "target", "item")
    values = dict(zip(names, chosen, strict=False)) if chosen else {name: call.form.get(name, "") for name in names}
    order = order_of(values.get("action", ""), values.get("target", ""), values.get("item", ""))
    if order is None or len(chosen) > len(names):
        raise Wrong("There is no such step.")
    if call.form.get("same"):
        order = with_alike(call.parts, order, call.form.get("problem", ""))
    desk = call.desk
    try:
        with desk.looking() if order.action in ASKING else nullcontext(desk.parts) as parts:
            result = carry_out(parts, order)
    except Busy as busy:
        return call.to(_back(call), str(busy), well=False)
    closed = desk.ask_servers() if result.done and order.action in QUEUEING else ""
    is_alone = bool(call.form.get("same") and result.done and not order.alike)
    more = sentences(
        "Nothing was done for the others: that is a choice about this one alone" if is_alone else "", closed
    )
    count = max(result.done, 1) + len(result.others) if result.done else 0
    return call.to(_back(call, count), f"{result_words(result)} {more}".rstrip(), well=bool(result.done))


def _back(call: PageCall, mended: int = 0) -> str:
    """The page that the button is on."""
    if call.form.get("deck"):
        walk = DeckPlace.read(call.form)
        return replace(walk, mended=walk.mended + mended).address
    cause, after = call.form.get("shown", ""), call.form.get("after", "")
    if cause not in CAUSES:
        return ALL
    return address(HERE, {"view": LIST, "cause": cause} | ({"after": after} if page_after(cause, after) else {}))


def questions_page(call: PageCall) -> Response:
    """Show every open question, what accepting does, and the button."""
    return call.show("accept.html", asked=questions(call.parts))


def accept(call: PageCall) -> Response:
    """Accept a change, and test at once whether work can go on."""
    choice = choice_named(call.form.get("choice", ""))
    try:
        with call.desk.looking() as parts:
            result = carry_out(parts, FixOrder(FixAction.ACCEPT, name=choice))
    except Busy as busy:
        return call.to(ACCEPT, str(busy), well=False)
    return call.to("/" if result.done else ACCEPT, result_words(result), well=bool(result.done))


def choice_named(text: str) -> Choice:
    """The choice of this name."""
    if text not in set(Choice):
        raise Wrong(f"choice must be one of {', '.join(Choice)}")
    return Choice(text)


@record
class Rule:
    """How the scenes of a page are paired with items, and the words for it."""

    pairing: Pairing
    path: str
    title: str
    lead: str
    none: str
    folder: str = ""


def rule_of(path: str, folder: str) -> Rule:
    """By name and duration, or by the one item that has its file in the folder ('' asks for a folder)."""
    if path == FOLDER:
        return Rule(
            pairing=in_folder(folder),
            path=FOLDER,
            title="Bind the items in a folder",
            lead=f"Several items in Plex fit each of these scenes, and just one of them has its file in {folder}. Each "
            "scene is bound to that one.",
            none=f"No ambiguous scene has just one candidate in {folder}.",
            folder=folder,
        )
    return Rule(
        pairing=by_duration,
        path=DURATION,
        title="Bind by duration",
        lead="For each of these scenes, one item in Plex has a file of the same name and duration, but no size confirms "
        "that it is the same file. Different files can share a name and a duration: look at the list before you bind them.",
        none="No scene has a candidate by name and duration only.",
    )


def pairs_page(call: PageCall) -> Response:
    """Show the pairs, and the button that binds them."""
    rule = rule_of(call.here, call.query.get("folder", ""))
    asks = call.here == FOLDER and not rule.folder
    listed, away = call.look(lambda parts: [] if asks else pairs_by(rule.pairing, parts.inspector, limit=PAIRS + 1))
    pairs = listed or []
    few, more = pairs[:PAIRS], len(pairs) > PAIRS
    fields = " ".join(f"{pair.scene}:{pair.key}" for pair in few)
    return call.show("pairs.html", rule=rule, asks=asks, pairs=few, more=more, fields=fields, away=away, back=AMBIGUOUS)


def bind(call: PageCall) -> Response:
    """Bind the pairs that the page has shown."""
    rule = rule_of(call.here, call.form.get("folder", ""))
    if call.here == FOLDER and not rule.folder:
        raise Wrong("Say which folder of Plex.")
    agreed = dict(map(_pair_of, call.form.get("pairs", "").split()))
    here = address(rule.path, {"folder": rule.folder} if rule.folder else {})
    try:
        with call.desk.looking(at_once=True) as parts:
            now = pairs_among(rule.pairing, parts.inspector, list(agreed))
            pairs = [pair for pair in now if agreed[pair.scene] == pair.key]
            bound = bind_pairs(rule.pairing, parts.inspector, pairs)
    except NeighbourError as error:
        return call.to(here, f"Not all were bound: {error}", well=False)
    changed = len(agreed) - len(bound)
    more = f" {many(changed, 'scene')} not bound, because something has changed meanwhile." if changed else ""
    # More than a page of them: the next ones are shown.
    back = here if len(agreed) == PAIRS and not changed else AMBIGUOUS
    return call.to(back, f"{many(len(bound), 'scene')} bound and queued.{more}", well=bool(bound))


def _pair_of(text: str) -> tuple[int, str]:
    """A scene and an item, as `7:1234`."""
    if not re.fullmatch(r"[0-9]{1,18}:[0-9]{1,18}", text):
        raise Wrong("That is no scene with its item.")
    scene, _, key = text.partition(":")
    return int(scene), key


routes = [
    page(HERE, fix),
    action(HERE, mend),
    page(ACCEPT, questions_page),
    action(ACCEPT, accept),
    *(route for path in (DURATION, FOLDER) for route in (page(path, pairs_page), action(path, bind))),
]
