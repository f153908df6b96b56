"""Binds items to scenes by hand. A binding goes before every other match."""

from collections.abc import Callable, Mapping, Sequence

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH, READS
from plexsync.engine.watching import pages_of
from plexsync.flows.scenes.ambiguity import DURATION_ONLY
from plexsync.flows.scenes.dead_letter_cures import bindings_changed
from plexsync.flows.scenes.inspection import BATCH, Inspector
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.item import Item, Part
from plexsync.rules.match.match_records import Binding, Candidate
from plexsync.rules.match.origin import scene_origin
from plexsync.rules.match.paths import lies_in, telling_folders
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Dead, Kind, Why
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.causes import Cause
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Clock, Plex, Stash
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.database import Database, Reader, Writer


class CantBind(Exception):
    """Nothing was bound. The message is one line for display."""


@record
class Bound:
    """The result of binding.

    `items` holds the bound items, each with the title of its library. `forgotten` holds the keys of earlier bindings
    that were removed: Plex no longer has the item, or it was bound to another scene, which had this id then.
    `looked_again` holds the other scenes pushed to these items before; they are queued. `undone` tells how the scene was
    undone: it rests until its next edit, although it is bound.
    """

    items: tuple[tuple[Item, str], ...]
    forgotten: tuple[str, ...]
    looked_again: tuple[int, ...]
    undone: TakenBack = TakenBack.NO


@record
class Pair:
    """An ambiguous scene, and the one item that you may bind to it: `path` is the item's file, `doubt` why it is unclear."""

    scene: int
    title: str
    file: str
    key: str
    path: str
    doubt: str


def bind(
    store: Database, stash: Stash, plex: Plex, gates: Gates, clock: Clock, scene: int, keys: Sequence[str]
) -> Bound:
    """Bind these items to the scene for good, in addition to earlier bindings, and queue the scene; all of them or none.

    The want of a running job is renewed, so that the scene is inspected again. Raises CantBind, and NeighbourError if a
    server can't be asked.
    """
    gates.enter(*READS)
    present = gates.ask(READ_STASH, lambda: stash.scenes([scene])).get(scene)
    if present is None:
        raise CantBind(f"Stash has no scene {scene}")
    with store.reading() as db:
        earlier = [binding for binding in db.bindings.all() if binding.scene == scene]
    before = [binding.key for binding in earlier]
    of_others = {binding.key for binding in earlier if not binding.origin.agrees(scene_origin(present))} - set(keys)
    titles = {section.key: section.title for section in gates.ask(READ_PLEX, plex.sections, of_all=True)}
    answers = gates.ask(READ_PLEX, lambda: plex.items(list(dict.fromkeys([*keys, *before]))))
    items = [_bindable(key, answers.get(key), titles) for key in dict.fromkeys(keys)]
    gone = tuple(key for key in before if key not in answers or key in of_others)
    now = clock.now()
    with store.writing() as tx:
        others = {binding.key: binding.scene for binding in tx.bindings.all() if binding.scene != scene}
        for item in items:
            if item.key in others:
                other = others[item.key]
                raise CantBind(
                    f"item {item.key} is bound to scene {other}: plexsync unbind {other} {item.key} takes it off"
                )
        for key in gone:
            tx.bindings.unbind(scene, key)
        pushed = _bind(tx, present, items, now)
        bindings_changed(tx)
        # How it was undone, if it was: then it rests. What was taken back for a missing scene does not rest.
        marks = map(undo_mode, tx.memories.of([scene]).values())
        undo_mark = next((mark for mark in marks if mark in (TakenBack.UNDO, TakenBack.RELEASE)), TakenBack.NO)
    return Bound(tuple((item, titles[item.section]) for item in items), gone, pushed, undo_mark)


def _bind(tx: Writer, scene: Scene, items: Sequence[Item], now: int) -> tuple[int, ...]:
    """Bind these items to the scene and queue it. Returns the other scenes pushed to them before; they are queued too."""
    for item in items:
        files = tuple(part.path for part in item.parts)
        tx.bindings.bind(Binding(scene.id, item.key, files, now, scene_origin(scene)), item.library)
    owners = tx.memories.owners([item.key for item in items])
    pushed = sorted({id for ids in owners.values() for id in ids} - {scene.id})
    for id in (scene.id, *pushed):
        tx.jobs.want(Kind.SCENE, id, Why.USER, now)
    return tuple(pushed)


Pairing = Callable[[Inspection], Pair | None]
"""A rule that says which candidate of an ambiguous scene is its item; None if it can't tell."""


def by_duration(inspection: Inspection) -> Pair | None:
    """The pair of a scene whose only candidate fits by name and duration only."""
    is_meant = isinstance(inspection.outcome, Dead) and inspection.outcome.error.startswith(DURATION_ONLY)
    return _pair(inspection, inspection.candidates) if is_meant else None


def in_folder(folder: str) -> Pairing:
    """The pair of a scene that several items fit, if just one has its file in this folder of Plex, or below it."""

    def pairing(inspection: Inspection) -> Pair | None:
        is_meant = isinstance(inspection.outcome, Dead) and inspection.outcome.cls == Cause.AMBIGUOUS
        if not is_meant or len(inspection.candidates) < 2:
            return None
        return _pair(inspection, [candidate for candidate in inspection.candidates if lies_in(candidate.path, folder)])

    return pairing


def same_choice(inspection: Inspection, key: str) -> Pairing | None:
    """The rule that binding this candidate follows: its folder tells it from the others, or it alone fits by duration."""
    paths = {candidate.key: candidate.path for candidate in inspection.candidates}
    folders = telling_folders(list(paths.values())) if key in paths else []
    folder = next((folder for folder in folders if lies_in(paths[key], folder)), "")
    if folder:
        return in_folder(folder)
    return by_duration if key in paths and by_duration(inspection) else None


def pairs_by(
    pairing: Pairing,
    inspector: Inspector,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    *,
    limit: int | None = None,
) -> list[Pair]:
    """The pairs of all ambiguous scenes by this rule, as both servers have them now.

    Writes nothing. `limit`: stop when that many are known. Raises NeighbourError if a server can't be asked.
    """
    pages = pages_of(
        inspector.store, lambda db, after: db.standings.scenes(SceneStatus.AMBIGUOUS, limit=BATCH, after=after), 0
    )
    ids = [id for page in pages for id in page]
    pairs: list[Pair] = []
    for number, inspections in enumerate(inspector.look_at_each(ids), start=1):
        pairs += [pair for inspection in inspections if (pair := pairing(inspection))]
        progress(min(number * BATCH, len(ids)), len(ids))
        if limit is not None and len(pairs) >= limit:
            break
    return pairs[:limit]


def pairs_among(pairing: Pairing, inspector: Inspector, ids: Sequence[int]) -> list[Pair]:
    """Like `pairs_by`, for these scenes."""
    return [
        pair
        for inspections in inspector.look_at_each(ids)
        for inspection in inspections
        if (pair := pairing(inspection))
    ]


def bind_pairs(
    pairing: Pairing,
    inspector: Inspector,
    pairs: Sequence[Pair],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> list[Pair]:
    """Bind the scenes of these pairs to their items, and queue them. Returns the pairs that were bound.

    Each pair is inspected again first; one that is no longer the same is left out. Raises NeighbourError if a server can't
    be asked; what was bound by then stays bound.
    """
    bound: list[Pair] = []
    for number, inspections in enumerate(inspector.look_at_each([pair.scene for pair in pairs])):
        batch = pairs[number * BATCH : (number + 1) * BATCH]
        scenes = {
            pair: inspection.scene for inspection in inspections if (pair := pairing(inspection)) and inspection.scene
        }
        items = inspector.matcher.items([pair.key for pair in batch if pair in scenes])
        with inspector.store.writing() as tx:
            bound_keys = {binding.key for binding in tx.bindings.all()}
            for pair in batch:
                item, scene = items.get(pair.key), scenes.get(pair)
                if (
                    scene is not None
                    and isinstance(item, Item)
                    and pair.key not in bound_keys
                    and any(part.path == pair.path for part in item.parts)
                ):
                    _bind(tx, scene, [item], inspector.clock.now())
                    bound.append(pair)
            bindings_changed(tx)
        progress(min((number + 1) * BATCH, len(pairs)), len(pairs))
    return bound


def _pair(inspection: Inspection, candidates: Sequence[Candidate]) -> Pair | None:
    """The scene with its only candidate, if there is just one."""
    if inspection.scene is None or len(candidates) != 1:
        return None
    files = ", ".join(file.path for file in inspection.scene.files)
    (candidate,) = candidates
    return Pair(inspection.id, inspection.scene.title, files, candidate.key, candidate.path, candidate.reason)


def unbind(store: Database, clock: Clock, scene: int, key: str = "") -> int:
    """Unbind one item (all of them: '') from a scene and queue it, so that its files decide again. Returns how many.

    Scenes that were pushed to these items before are queued too.
    """
    with store.writing() as tx:
        bindings = tx.bindings.all()
        keys = [binding.key for binding in bindings if binding.scene == scene and key in ("", binding.key)]
        count = tx.bindings.unbind(scene, key)
        if count:
            others = {id for ids in tx.memories.owners(keys).values() for id in ids} - {scene}
            for id in (scene, *sorted(others)):
                tx.jobs.want(Kind.SCENE, id, Why.USER, clock.now())
            bindings_changed(tx)
    return count


def _bindable(key: str, item: Item | None, titles: dict[str, str]) -> Item:
    if item is None:
        raise CantBind(f"Plex has no item {key}")
    if item.section not in titles:
        raise CantBind(f"item {key} is in none of the synced libraries ({', '.join(titles.values())})")
    if not item.parts:
        raise CantBind(f"item {key} has no file: is it a collection?")
    return item


@record
class CandidateItem:
    """A candidate with the file that fits; `title` is '' if Plex could not be asked, `reason` why it was rejected.

    `rival`: the scene that it may belong to; 0: none. `is_taken`: you bound it to that scene.
    """

    key: str
    section: str
    file: Part
    title: str = ""
    reason: str = ""
    rival: int = 0
    is_taken: bool = False


@record
class SceneCandidates:
    """A scene and its candidates; `scene` is None if Stash does not have it, or could not be asked.

    `error`: why it is ambiguous now; '' if it is not, or if the servers could not be asked.
    """

    scene: Scene | None
    items: tuple[CandidateItem, ...]
    error: str = ""


def candidates_now(inspector: Inspector, ids: Sequence[int]) -> dict[int, SceneCandidates]:
    """The candidates of these scenes, in one request to each server for all of them. Raises NeighbourError."""
    if not ids:
        return {}
    inspector.gates.enter(*READS)
    inspections = inspector.look(ids)
    items = inspector.matcher.items(
        {candidate.key for inspection in inspections for candidate in inspection.candidates}
    )
    return {
        inspection.id: SceneCandidates(
            inspection.scene,
            tuple(_item(candidate, items.get(candidate.key)) for candidate in inspection.candidates),
            inspection.outcome.error if isinstance(inspection.outcome, Dead) else "",
        )
        for inspection in inspections
    }


def _item(candidate: Candidate, answer: Item | NeighbourError | None) -> CandidateItem:
    item = answer if isinstance(answer, Item) else None
    parts = item.parts if item else ()
    file = next((part for part in parts if part.path == candidate.path), Part(candidate.path))
    title = item.scalars.get("title", "") if item else ""
    doubt = (candidate.reason, candidate.rival, candidate.is_taken)
    return CandidateItem(candidate.key, candidate.section, file, title, *doubt)


def candidates_known(db: Reader, desired: Mapping[int, str]) -> dict[int, SceneCandidates]:
    """The candidates of dead letters as the index has them: without titles and reasons. `desired` is that of each job."""
    keys = {id: [key for key in text.split(",") if key.isascii() and key.isdecimal()] for id, text in desired.items()}
    entries = {entry.key: entry for entry in db.index.entries(sorted({key for some in keys.values() for key in some}))}
    return {
        id: SceneCandidates(
            None,
            tuple(
                CandidateItem(entry.key, entry.section, entry.parts[0])
                for key in some
                if (entry := entries.get(key)) and entry.parts
            ),
        )
        for id, some in keys.items()
    }
