"""Matches scenes with items in Plex: first by the index, then with answers from Plex and Stash."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from plexsync.engine.gates import Gates
from plexsync.flows.scenes.batch_reads import read_each
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.scene_identity import others_among
from plexsync.rules.item import Entry, Item
from plexsync.rules.match import match
from plexsync.rules.match.grades import places
from plexsync.rules.match.match import is_where_bound
from plexsync.rules.match.match_records import AskRivals, Binding, Matched, NotThere, Offer, Step, Unclear
from plexsync.rules.match.paths import base_name, name_key, path_key
from plexsync.rules.queue.job import Waiting
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError, Unavailable
from plexsync.rules.servers.neighbours import Plex, Stash
from plexsync.store.connection import clean
from plexsync.store.database import Database, Reader

Decided = Matched | NotThere | Unclear
# The result for one scene: decided, or a failure of its own, or what the index lacks.
Verdict = Decided | NeighbourError | Waiting

# Plex is asked for missing files by name only up to this number. With more, the libraries are walked.
FIND_AT_MOST = 5
# How many times the index is corrected before an item that keeps changing is left alone.
LOOKED_AGAIN = 2
# The outcome while another thread walks the libraries: inspected again soon, and without blame.
BEING_LISTED = Waiting("the libraries of Plex are being listed", "released", after=10.0, backoff=False)


@record
class Paired:
    """The verdict on each scene, and the items that any of them has or may have, in full, by rating key.

    `is_foreign`: the items are of a library that was made anew, or of another server. Then nothing of it holds.
    """

    verdicts: dict[int, Verdict]
    items: dict[str, Item | NeighbourError]
    is_foreign: bool


@record
class SceneMatcher:
    """Finds the items of scenes, with the index as the map of Plex.

    `patient`: it waits while another thread walks the libraries. A worker does not: it has other work, and a watchdog.
    """

    _store: Database
    _stash: Stash
    _plex: Plex
    _indexer: Indexer
    _gates: Gates
    _rules: LookRules
    patient: bool

    def find(self, scenes: Sequence[Scene], others: Collection[int]) -> Paired:
        """Find the items of these scenes, as they are now. Raises NeighbourError if a server can't be asked at all.

        `others`: those whose id meant another scene when it was last seen. What is remembered is not of these.
        """
        news = False if self._indexer.is_walked or not self._indexer.empty() else self.freshen()
        verdicts = self.decide(scenes, others)
        missing = _missing(scenes, verdicts)
        if missing and news is not None and (news := self.freshen()):
            # Also what was found: where a library is another one now, the keys that were found name other items.
            lacking = {scene.id for scene in missing}
            found = [scene for scene in scenes if scene.id in lacking or isinstance(verdicts[scene.id], Matched)]
            verdicts |= self.decide(found, others)
            missing = _missing(scenes, verdicts)
        if missing:
            # An unlisted library may hold what they lack, or the item for which a look-alike would be taken.
            gap = "" if news is None else self._indexer.gap()
            if lacks := BEING_LISTED if news is None else Waiting(gap, "unavailable") if gap else None:
                verdicts |= dict.fromkeys((scene.id for scene in missing), lacks)
        items = self.items(claims(verdicts))
        if not (is_foreign := self._is_foreign(items)):
            count = len(items)
            self.decide_again(scenes, others, verdicts, items)
            # Also an item that was found just now, in the place of one that is gone.
            is_foreign = len(items) > count and self._is_foreign(items)
        return Paired(verdicts, items, is_foreign)

    def _is_foreign(self, items: Mapping[str, Item | NeighbourError]) -> bool:
        """Whether one of these items, just read, is in another library than the one that the index knows by its key."""
        with self._store.reading() as db:
            uuids = {row.key: row.uuid for row in db.sections.all()}
        return any(
            isinstance(item, Item) and bool(item.library) and uuids.get(item.section, "") not in ("", item.library)
            for item in items.values()
        )

    def freshen(self, *, force: bool = False) -> bool | None:
        """Bring the index up to date; see `Indexer.freshen`."""
        return self._indexer.freshen(force=force, wait=self.patient)

    def may_be_in(self, scenes: Sequence[Scene], sections: Collection[str]) -> list[Scene]:
        """The scenes that the index leads to an item of these libraries, by path, by name or by memory."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes, others_among(db, scenes))
            bound = {binding.key for offer in offers.values() for binding in offer.bound}
            entries = {entry.key: entry for entry in db.index.entries(sorted(bound))}
        led = {
            id: (*offer.entries, *(entries[binding.key] for binding in offer.bound if binding.key in entries))
            for id, offer in offers.items()
        }
        return [scene for scene in scenes if any(entry.section in sections for entry in led[scene.id])]

    def led_to(self, scenes: Sequence[Scene]) -> dict[int, tuple[str, ...]]:
        """The items to which the index alone leads for each scene. Sends no request, so it is no proof."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes, others_among(db, scenes))
        verdicts = {id: match.match(replace(offer, rivals=())) for id, offer in offers.items()}
        return {id: () if isinstance(verdict, AskRivals) else items_of(verdict) for id, verdict in verdicts.items()}

    def decide(self, scenes: Sequence[Scene], others: Collection[int]) -> dict[int, Verdict]:
        """Match in at most two rounds: if Plex alone does not decide, Stash lists the other scenes with such a file."""
        with self._store.reading() as db:
            offers = self._offers(db, scenes, others)
        verdicts = {id: match.match(offer) for id, offer in offers.items()}
        asking = {id: verdict.names for id, verdict in verdicts.items() if isinstance(verdict, AskRivals)}

        def rivals(ids: Sequence[int]) -> dict[int, Sequence[Scene]]:
            return dict.fromkeys(ids, self._stash.rivals(sorted({name for id in ids for name in asking[id]})))

        rival_scenes = read_each(self._gates, Neighbour.STASH, rivals, asking)
        decided: dict[int, Verdict] = {}
        for id, verdict in verdicts.items():
            answer = rival_scenes.get(id, ())
            if isinstance(answer, NeighbourError):
                decided[id] = answer
                continue
            final = match.match(replace(offers[id], rivals=answer)) if isinstance(verdict, AskRivals) else verdict
            if isinstance(final, Matched | Unclear):
                keys = set(items_of(final))
                final = replace(final, entries=tuple(entry for entry in offers[id].entries if entry.key in keys))
            if not isinstance(final, AskRivals):
                decided[id] = final
        return decided

    def _offers(self, db: Reader, scenes: Sequence[Scene], others: Collection[int]) -> dict[int, Offer]:
        """What the index and the memory offer for each of these scenes, read for all of them together."""
        bindings, unbound = db.bindings.present([scene.id for scene in scenes]), db.bindings.withdrawn()
        own = {scene.id: places(scene, self._rules.paths) for scene in scenes}
        names = {scene.id: match.names(scene) for scene in scenes}
        remembered: dict[int, set[str]] = {scene.id: set() for scene in scenes}
        written: dict[int, set[str]] = {scene.id: set() for scene in scenes}
        traces = db.memories.traces(list(remembered))
        entries = db.index.entries(
            sorted({key for _, key in traces}),
            path_keys=sorted(set().union(*own.values())),
            name_keys=sorted(set().union(*names.values())),
        )
        past = {entry.key: entry for entry in entries}
        at, named = by_part(entries, path_key), by_part(entries, name_key)
        for (id, key), (is_written, origin) in traces.items():
            # An item that is not in the index can't be matched. What another scene had under this id is not remembered.
            if (
                (id, key) not in unbound
                and id not in others
                and (key not in past or origin.agrees(origin.library, past[key].parts))
            ):
                remembered[id].add(key)
                if is_written:
                    written[id].add(key)
        offered = {
            id: {
                **_union(at, own[id]),
                **_union(named, names[id]),
                **{key: past[key] for key in sorted(keys) if key in past},
                **(_bound_entries(db, [binding for binding in bindings if binding.scene == id]) if bindings else {}),
            }
            for id, keys in remembered.items()
        }
        owners = _owners(db, {key: entry for some in offered.values() for key, entry in some.items()})
        contested = _items_of_several(at, own.values())
        return {
            scene.id: Offer(
                scene=scene,
                entries=tuple(offered[scene.id].values()),
                remembered=frozenset(remembered[scene.id]),
                written=frozenset(written[scene.id]),
                owners={key: owners[key] for key in offered[scene.id] if owners.get(key)},
                contested=contested,
                rules=self._rules.paths,
                bindings=bindings,
                by_duration=self._rules.by_duration,
            )
            for scene in scenes
        }

    def decide_again(
        self,
        scenes: Sequence[Scene],
        others: Collection[int],
        verdicts: dict[int, Verdict],
        items: dict[str, Item | NeighbourError],
    ) -> None:
        """Match again the scenes whose index entries are outdated: an item is gone, or has other files now.

        Plex is asked by file name, the index is corrected, and the scenes are matched once more. An item that keeps
        changing matches no scene.
        """
        for _ in range(LOOKED_AGAIN):
            again = [scene for scene in scenes if _is_misled(verdicts.get(scene.id), items)]
            lasting = self._of_index(items) if again else items
            again = [scene for scene in again if _is_misled(verdicts[scene.id], lasting)]
            if not again:
                return
            keys = claims({scene.id: verdicts[scene.id] for scene in again})
            # Asked before anything is forgotten: if Plex did not answer now, a look-alike would be the only match.
            try:
                asked = self._ask_for(again, verdicts)
            except Unavailable as error:
                # Other items were read a moment ago, so the failure may concern these alone.
                verdicts |= dict.fromkeys((scene.id for scene in again), error)
                return
            if not asked:
                verdicts |= dict.fromkeys((scene.id for scene in again), BEING_LISTED)
                return
            moved = [entry_of(item) for key, item in lasting.items() if key in keys and isinstance(item, Item)]
            self._indexer.correct(moved, gone=sorted(keys - lasting.keys()))
            verdicts |= self.decide(again, others)
            items |= self.items(claims(verdicts) - items.keys())
        lasting = self._of_index(items)
        for scene in (scene for scene in scenes if _is_misled(verdicts.get(scene.id), lasting)):
            verdicts[scene.id] = NotThere((Step("files", "Its item in Plex got other files while it was looked at."),))

    def _of_index(self, items: Mapping[str, Item | NeighbourError]) -> dict[str, Item | NeighbourError]:
        """The items without those that a binding leads to alone: collections, and items of libraries that are not synced."""
        with self._store.reading() as db:
            synced = {row.key for row in db.sections.all()}
        read = [item for item in items.values() if isinstance(item, Item)]
        strays = {item.key for item in read if not item.parts or item.section not in synced}
        return {key: item for key, item in items.items() if key not in strays}

    def _ask_for(self, scenes: Sequence[Scene], verdicts: Mapping[int, Verdict]) -> bool:
        """Ask Plex for the files of these scenes, and for those that their bound items had when they were bound.

        False if that has to wait for the walk of another thread.
        """
        if len(scenes) > FIND_AT_MOST:
            return self.freshen(force=True) is not None
        found = [verdicts[scene.id] for scene in scenes]
        bound = [binding for verdict in found if isinstance(verdict, Matched) for binding in verdict.bound]
        paths = [path for binding in bound for path in binding.files]
        return self._find(
            {base_name(path) for path in (*paths, *(file.path for scene in scenes for file in scene.files))}
        )

    def _find(self, names: Collection[str]) -> bool:
        """Ask Plex for files with these names. False if that has to wait for the walk of another thread."""
        try:
            self._indexer.find(sorted(names))
        except Missing:
            # A library was deleted since it was listed. It may have been made anew under another id.
            return self.freshen(force=True) is not None
        return True

    def correct(self, planned: Item, item: Item) -> set[int]:
        """Correct the index by an item that has other files than planned, and look for those in Plex.

        Returns the scenes that may have its files now; none if Stash can't be asked: then the next comparison finds
        them. So does the next walk find the planned files if Plex can't be asked.
        """
        self._indexer.correct([entry_of(item)], gone=[])
        with suppress(NeighbourError):
            self._find({base_name(part.path) for part in planned.parts})
        names = sorted({base_name(part.path) for part in item.parts})
        try:
            answer = read_each(
                self._gates, Neighbour.STASH, lambda _: {item.key: self._stash.rivals(names)}, [item.key]
            )
        except NeighbourError:
            return set()
        rivals = answer[item.key]
        return set() if isinstance(rivals, NeighbourError) else {rival.id for rival in rivals}

    def items(self, keys: Iterable[str]) -> dict[str, Item | NeighbourError]:
        """The full items in one request, halved as described in `read_each`. Missing ones are left out."""
        return read_each(self._gates, Neighbour.PLEX, self._plex.items, keys)


def by_part(entries: Iterable[Entry], key_of: Callable[[str], str]) -> dict[str, list[Entry]]:
    """The entries by the key of their files, in the order of the entries."""
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        for part in dict.fromkeys(key_of(part.path) for part in entry.parts):
            by_key.setdefault(part, []).append(entry)
    return by_key


def _union(by_key: Mapping[str, Sequence[Entry]], keys: Iterable[str]) -> dict[str, Entry]:
    """The entries under any of these keys, by rating key and in its order."""
    entries = {entry.key: entry for key in keys for entry in by_key.get(clean(key), ())}
    return dict(sorted(entries.items()))


def _items_of_several(at: Mapping[str, Sequence[Entry]], places_of: Iterable[Iterable[str]]) -> frozenset[str]:
    """The items to which the paths of several scenes lead, by the places of each."""
    led = Counter(key for keys in places_of for key in _union(at, keys))
    return frozenset(key for key, count in led.items() if count > 1)


def _owners(db: Reader, entries: Mapping[str, Entry]) -> dict[str, frozenset[int]]:
    """The scenes that remember these items of the index, or have a push to one under way, by rating key."""
    return {
        key: frozenset(id for id, origin in scenes.items() if origin.agrees(origin.library, entries[key].parts))
        for key, scenes in db.memories.pushers(sorted(entries)).items()
    }


def _bound_entries(db: Reader, bound: Sequence[Binding]) -> dict[str, Entry]:
    """The items that are bound to a scene, and those that have files now where these had theirs then."""
    if not bound:
        return {}
    then = sorted({clean(path_key(path)) for binding in bound for path in binding.files})
    return {entry.key: entry for entry in db.index.entries([binding.key for binding in bound], path_keys=then)}


def files_of(item: Entry | Item) -> frozenset[tuple[str, int]]:
    """The files that identify an item. Durations are left out, since Plex adds them only after it has analysed a file."""
    return frozenset((part.path, part.size) for part in item.parts)


def items_of(verdict: Verdict) -> tuple[str, ...]:
    """The items that a scene has, or may have."""
    match verdict:
        case Matched(keys=keys):
            return keys
        case Unclear(candidates=candidates):
            return tuple(candidate.key for candidate in candidates)
        case _:
            return ()


def claims(verdicts: Mapping[int, Verdict]) -> set[str]:
    """The items that any of these scenes has, or may have."""
    return {key for verdict in verdicts.values() for key in items_of(verdict)}


def entry_of(item: Item) -> Entry:
    """The index entry of an item."""
    return Entry(item.key, item.section, item.parts, item.stamp)


def _is_misled(verdict: Verdict | None, items: Mapping[str, Item | NeighbourError]) -> bool:
    """Whether Plex does not have an item of the verdict, or has it with other files than those matched.

    Compared with what was matched, not with the index as it is now: another process may have corrected it since. Of the
    bound items, only those count that have been moved since they were bound.
    """
    if not isinstance(verdict, Matched | Unclear):
        return False
    matched = {entry.key: files_of(entry) for entry in verdict.entries}
    if isinstance(verdict, Matched) and verdict.bound:
        bound = ((binding, items.get(binding.key)) for binding in verdict.bound)
        moved = [item for at, item in bound if isinstance(item, Item) and not is_where_bound(at, item.parts)]
        return any(files_of(item) != matched.get(item.key) for item in moved)
    return any(
        key not in items or (isinstance(item := items[key], Item) and files_of(item) != matched.get(key))
        for key in items_of(verdict)
    )


def _missing(scenes: Sequence[Scene], verdicts: Mapping[int, Verdict]) -> list[Scene]:
    """The scenes whose verdict holds only if the index is complete: no match, or one item by its file name.

    Also a candidate by its duration or its name alone: the item at the full path may be new.
    """
    missing = []
    for scene in scenes:
        match verdicts[scene.id]:
            case Matched(steps=steps):
                needs_all = steps[-1].rung in ("name and size", "name and duration")
            case Unclear(reason=reason, steps=steps):
                needs_all = reason == "duration only" or steps[-1].rung == "name"
            case verdict:
                needs_all = isinstance(verdict, NotThere)
        if scene.files and needs_all:
            missing.append(scene)
    return missing
