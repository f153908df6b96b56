"""The list of scenes, with search and buttons for ticked ones; and a scene's page: why, what would change, its buttons."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress

from starlette.responses import Response

from plexsync.app.fixes import ASKING, FixAction, carry_out
from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.app.parts import named_scenes
from plexsync.app.ping import CantPing, ping
from plexsync.app.rules import watch_rules
from plexsync.flows.scenes.verbs import explain, learn_names, want_scenes
from plexsync.reports.explanation import explain_facts, known_facts
from plexsync.reports.fixes import order_of, result_words
from plexsync.reports.format import many, sentences
from plexsync.reports.named_scenes import missing_words, name_scenes, unchecked_words
from plexsync.reports.ping import ping_line
from plexsync.reports.rows import past_facts, past_of, row_facts
from plexsync.reports.scenes import COLUMNS, facts_of, sorted_scenes
from plexsync.reports.shapes.scenes import SceneFacts
from plexsync.reports.undo import not_queued
from plexsync.rules.collections.collection_status import named_status
from plexsync.rules.item import PICTURES
from plexsync.rules.queue.job import Gone, Kind, Why
from plexsync.rules.servers.errors import LocalFault
from plexsync.rules.words.sorting import COMPARED, ScenePlace, Sort
from plexsync.rules.words.status_words import MAIN, SceneStatus, buckets, in_bucket
from plexsync.web.context import AWAY
from plexsync.web.pages import (
    PageCall,
    PageNotFound,
    Tab,
    Wrong,
    action,
    address,
    page,
    scene_number,
    sort_links,
    sort_named,
)

MOST_LISTED = 50
LONGEST_SEARCH = 200
NONE_PICKED = "Tick the rows first."


def scenes(call: PageCall) -> Response:
    """A page of scenes, by status or by name."""
    text = call.query.get("q", "").strip()[:LONGEST_SEARCH]
    name = "" if text else call.query.get("stands", "")
    statuses = in_bucket(name) if name else ()
    if name and not statuses:
        raise Wrong("A scene has no such status.")
    asked = sort_named(call.query.get("sort", ""), COLUMNS)
    last = scene_number(call.query.get("after", "0"))
    after = ScenePlace(call.query.get("value", "")[:COMPARED], last) if last else None
    with call.reading() as db:
        found = sorted_scenes(db, text, statuses, asked, after=after, limit=MOST_LISTED)
        rows = facts_of(db, found.ids, call.parts.picture_names)
    if not call.live and any(not row["named"] for row in rows):
        rows = _add_titles(call, [row["id"] for row in rows if not row["named"]], found.ids)
    counts = {name: one["count"] for name, one in call.desk.facts()["scenes"].items()}
    here = {"q": text} if text else {"stands": name} if name else {}
    more = {**here, "after": str(found.after.id)} if found.after else {}
    if found.after and found.after.value:
        more["value"] = found.after.value
    return call.show(
        "scenes.html",
        rows=rows,
        tabs=_tabs(counts, name, statuses, text, asked),
        stands=name,
        word=statuses[0].word if statuses else "",
        text=text,
        after=after,
        asked=asked,
        sort=found.sort,
        heads=sort_links("/scenes", here, found.sort, found.columns, part="list"),
        clear=address("/scenes", {}, asked),
        first=address("/scenes", here, asked),
        next=address("/scenes", more, asked) if more else "",
    )


def _add_titles(call: PageCall, ids: Sequence[int], listed: Sequence[int]) -> list[SceneFacts]:
    """The listed rows with the missing titles read from Stash; while it is down, they stay without titles."""
    with suppress(*AWAY, LocalFault), call.desk.looking() as parts:
        learn_names(parts.store, parts.stash, parts.gates, ids)
    with call.reading() as db:
        return facts_of(db, listed, call.parts.picture_names)


def _tabs(counts: Mapping[str, int], name: str, statuses: Sequence[SceneStatus], text: str, sort: Sort) -> list[Tab]:
    """A tab for each word; an empty one only if it is always shown, or open."""
    tabs = [Tab("all", sum(counts.values()), address("/scenes", {}, sort), not (text or name))]
    for same in buckets():
        status, count, here = same[0], sum(counts[name] for name in same), set(same) >= set(statuses) > set()
        if count or status in MAIN or here:
            tabs.append(Tab(status.word, count, address("/scenes", {"stands": status.bucket}, sort), here))
    return tabs


def picked(call: PageCall) -> Response:
    """Sync, ignore or stop ignoring the ticked scenes, and show the list again."""
    name = call.form.get("shown", "")
    sort = sort_named(call.form.get("sort", ""), COLUMNS)
    back = address("/scenes", {"stands": name} if in_bucket(name) else {}, sort)
    do = STEPS.get(call.form.get("do", ""))
    if do is None:
        raise Wrong("There is no such step.")
    ids = list(dict.fromkeys(map(scene_number, call.picked)))
    return call.to(back, do(call, ids)) if ids else call.to(back, NONE_PICKED, well=False)


def _sync_all(call: PageCall, ids: Sequence[int]) -> str:
    named = named_scenes(call.parts, ids)
    count = want_scenes(call.parts.store, named.syncable, Why.USER, call.parts.clock)
    return sentences(
        f"{many(count, 'scene')} queued",
        f"{name_scenes(named.ignored)} {_are(named.ignored)} ignored" if named.ignored else "",
        f"{name_scenes(list(named.undone))} {_are(list(named.undone))} undone: redo ends that" if named.undone else "",
        missing_words(named),
        unchecked_words(named),
        call.desk.ask_servers() if count else "",
    )


def _are(ids: Sequence[int]) -> str:
    return "is" if len(ids) == 1 else "are"


def ignore_all(call: PageCall, ids: Sequence[int]) -> str:
    """Ignore these scenes; what came of it, in sentences."""
    named = named_scenes(call.parts, ids)
    count = len(ignore_scenes(call.parts.store, named.existing, call.parts.clock))
    return sentences(f"{many(count, 'scene')} ignored", missing_words(named), unchecked_words(named))


def _unignore_all(call: PageCall, ids: Sequence[int]) -> str:
    count = len(unignore_scenes(call.parts.store, ids, call.parts.clock))
    return sentences(f"{many(count, 'scene')} synced again", call.desk.ask_servers() if count else "")


# What is done with the ticked scenes.
STEPS: Mapping[str, Callable[[PageCall, Sequence[int]], str]] = {
    "sync": _sync_all,
    "ignore": ignore_all,
    "unignore": _unignore_all,
}


def scene(call: PageCall) -> Response:
    """A scene's stored facts, and its current state in Stash and Plex."""
    id = call.number("id")
    # An open page that updates itself does not query both servers again and again: only after the scene has changed.
    explanation, away = (None, "") if call.live else call.look(lambda parts: explain(parts.inspector, id))
    with call.reading() as db:
        (stands,) = facts_of(db, [id], call.parts.picture_names)
        row, past = db.jobs.find(Kind.SCENE, id), past_of(db, Kind.SCENE, id)
        bound = [binding for binding in db.bindings.all() if binding.scene == id]
        stored = known_facts(db, id, watch_rules(call.parts.config))
        held_ignore = bool(db.notes.held_ignores([id]))
    # How the scene stands, since when, and when it was last written: after a change, what would be done is read anew.
    mark = f"{stands['stands']} {stands['since']} {past[0].at if past else 0}"
    if call.live and call.shown not in ("", mark) and stands["stands"] != SceneStatus.QUEUED:
        explanation, _ = call.look(lambda parts: explain(parts.inspector, id))
    facts = explain_facts(call.parts, explanation) if explanation else None
    gone = explanation is not None and isinstance(explanation.inspection.outcome or explanation.inspection.ends, Gone)
    if gone and stands["stands"] == SceneStatus.UNKNOWN:
        raise PageNotFound
    return call.show(
        "scene.html",
        scene=stands,
        title=(facts and facts["title"]) or stands["title"],
        # Its items now, else those that were pushed to.
        items=[target["key"] for target in facts["targets"]]
        if facts
        else sorted({entry["key"] for entry in stored["remembered"]}, key=int),
        seen=facts or {},
        pictures=PICTURES,
        collection_word=collection_word,
        away=away,
        gone=gone,
        mark=mark,
        queue=row_facts(row),
        past=[past_facts(entry) for entry in past],
        bound=bound,
        held_ignore=held_ignore,
        known=stored["remembered"],
        plays=(facts or stored)["plays"],
    )


def collection_word(name: str) -> str:
    """The word for how a collection of the scene stands."""
    status = named_status(name)
    return status.word if status else name


def _at(id: int) -> str:
    return f"/scenes/{id}"


def sync(call: PageCall) -> Response:
    """Queue the scene, in the fast lane."""
    id = call.number("id")
    named = named_scenes(call.parts, [id])
    if named.ignored:
        return call.to(_at(id), f"Nothing was queued: scene {id} is ignored. Stop ignoring it first.", well=False)
    if named.undone:
        return call.to(_at(id), f"{not_queued(id, named.undone[id])}.", well=False)
    if not named.syncable:
        return call.to("/scenes", f"Nothing was queued: {missing_words(named)}.", well=False)
    want_scenes(call.parts.store, [id], Why.USER, call.parts.clock)
    works, closed = call.parts.someone_works(), call.desk.ask_servers()
    hint = "the worker syncs it next" if works else "no worker is running: start plexsync serve"
    return call.to(
        _at(id), sentences(f"Scene {id} is queued; {closed if closed and works else hint}", unchecked_words(named))
    )


def test_way(call: PageCall) -> Response:
    """Send a change that changes nothing the whole way, as `plexsync ping`."""
    id = call.number("id")
    try:
        with call.desk.looking() as parts:
            way = ping(parts, id)
    except CantPing as error:
        return call.to(_at(id), f"Nothing was sent: {error}.", well=False)
    return call.to(_at(id), f"{ping_line(way)}.", well=not way.error)


def change(call: PageCall) -> Response:
    """Ignore or bind the scene, or end that."""
    id, action, item = call.number("id"), str(call.path["action"]), call.form.get("item", "").strip()
    if action not in (FixAction.IGNORE, FixAction.UNIGNORE, FixAction.BIND, FixAction.UNBIND):
        raise PageNotFound
    order = order_of(action, str(id), item)
    if order is None and action == FixAction.BIND:
        return call.to(_at(id), "Give the rating key of the item: a number, as the candidates show it.", well=False)
    if order is None:
        raise Wrong("That is no rating key of an item.")
    with call.desk.looking() if order.action in ASKING else nullcontext(call.parts) as parts:
        result = carry_out(parts, order)
    if order.action is FixAction.UNIGNORE:
        call.desk.ask_servers()
    is_missing = result.named is not None and bool(result.named.missing)
    return call.to("/scenes" if is_missing else _at(id), result_words(result), well=bool(result.done))


routes = [
    page("/scenes", scenes),
    action("/scenes/picked", picked),
    page("/scenes/{id}", scene),
    action("/scenes/{id}/sync", sync),
    action("/scenes/{id}/ping", test_way),
    action("/scenes/{id}/{action}", change),
]
