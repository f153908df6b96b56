"""Collections for programs: the decisions of their pages, in the shapes of `plexsync collections ... --json`."""

from collections.abc import Mapping, Sequence

from plexsync.app.dressing import collection_viewer
from plexsync.app.rules import is_dressing_on
from plexsync.flows.collections.decisions import hand_over, want_collections
from plexsync.flows.collections.undo import mark_collections_undone, redo_collections
from plexsync.flows.scenes.drift import DriftAnswer
from plexsync.reports.collection_words import decision_facts
from plexsync.reports.collections import PART_WORDS, part_name
from plexsync.reports.shapes.collections import CollectionDecision, CollectionsAnswer
from plexsync.web.collection_pages import decided
from plexsync.web.pages import LARGEST_ID, MOST, Ask, PageNotFound, Wrong

Body = Mapping[str, object]


def sync(ask: Ask, body: Body) -> CollectionsAnswer:
    """As `plexsync collections sync NUMBER... --json`."""
    ids, parts = _numbers(ask, body), ask.desk.parts
    if not is_dressing_on(parts.settings.looks):
        raise Wrong("no part of collections is dressed: see collection_parts")
    want_collections(parts.store, parts.clock, ids)
    return _answer(ask, ids, ids)


def take(ask: Ask, body: Body) -> CollectionsAnswer:
    """As `plexsync collections take NUMBER... --json`."""
    ids, parts = _numbers(ask, body), ask.desk.parts
    return _answer(ask, ids, hand_over(parts.store, parts.clock, ids))


def redo(ask: Ask, body: Body) -> CollectionsAnswer:
    """As `plexsync collections redo NUMBER... --json`."""
    ids, parts = _numbers(ask, body), ask.desk.parts
    return _answer(ask, ids, redo_collections(parts.store, parts.clock, ids))


def undo(ask: Ask, body: Body) -> CollectionsAnswer:
    """As `plexsync collections undo NUMBER... --yes --json`. It asks Stash."""
    ids = _numbers(ask, body)
    with ask.desk.looking(at_once=True) as parts:
        viewer = collection_viewer(parts)
        marked = mark_collections_undone(parts.store, viewer, parts.gates, parts.clock, ids, "undo")
    answer = _answer(ask, [id for id in ids if id not in marked.failed], marked.jobs)
    if marked.failed:
        answer["failed"] = {str(id): problem for id, problem in marked.failed.items()}
    return answer


def parts(ask: Ask, body: Body) -> CollectionDecision:
    """As `plexsync collections keep NUMBER... --json`, `use-stash` and `unkeep`. It asks both servers."""
    answer, words = body.get("decision"), body.get("parts", [])
    if answer not in list(DriftAnswer):
        raise Wrong(f"decision must be one of {', '.join(DriftAnswer)}")
    if not isinstance(words, list):
        raise Wrong("parts must be a list of names of parts, such as summary")
    names = [part_name(str(word)) for word in words]
    if None in names:
        raise Wrong(f"the parts are {', '.join(PART_WORDS.values())}")
    choice = DriftAnswer(str(answer))
    ids = _numbers(ask, body, "decision", "parts")
    return decision_facts(choice, decided(ask, ids, choice, [name for name in names if name]))


def _answer(ask: Ask, ids: Sequence[int], queued: Sequence[int]) -> CollectionsAnswer:
    if queued:
        ask.desk.ask_servers()
    answer: CollectionsAnswer = {"collections": list(queued)}
    if untouched := [id for id in ids if id not in queued]:
        answer["untouched"] = untouched
    return answer


def _numbers(ask: Ask, body: Body, *others: str) -> list[int]:
    """The collections that the body names, each once; raises Wrong, and PageNotFound if one is unknown."""
    if body.keys() - {"collections", *others}:
        raise Wrong(f"what can be said here: {', '.join(('collections', *others))}")
    numbers = body.get("collections")
    if (
        not isinstance(numbers, list)
        or not 0 < len(numbers) <= MOST
        or not all(type(number) is int and 1 <= number <= LARGEST_ID for number in numbers)
    ):
        raise Wrong(f"collections must be a list of 1 to {MOST} numbers of collections")
    ids = list(dict.fromkeys(numbers))
    with ask.desk.parts.store.reading() as db:
        if len(db.collections.of(ids)) < len(ids):
            raise PageNotFound
    return ids
