"""Inspects playlists, and finds those that may have changed: the children of one tag in Stash, and what Plex has of them.

A playlist is the third kind of object, beside items and collections: it has a source (the direct children of a tag), a match
(the remembered key, or a playlist that PlexSync was about to create), and one step more (its members, which PlexSync adds
and removes itself).
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.watching import asked_pages
from plexsync.flows.collections.findings import (
    BY_MARK,
    NO_SCENES,
    CollectionFinding,
    CollectionSight,
    as_taken_back,
    pictures_of,
    plan_object,
    values_of,
)
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.batch_reads import may_be_its_own
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.plex.collections import PlaylistClient
from plexsync.rules.collections.collection_order import ORDER, as_text, members_in
from plexsync.rules.collections.collection_servers import (
    MOST_AT_ONCE,
    PLAYLIST,
    CollectionSource,
    PlaylistEntry,
    PlaylistRules,
    PlexCollection,
    playlist_item,
)
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.collections.collections import CollectionObject, CollectionRow, Dressing, KnownCollection
from plexsync.rules.collections.playlists import (
    MEMBERS,
    UnclearTag,
    added_twice,
    children_of,
    choose_items,
    creations,
    given_up,
    has_deleted,
    is_same,
    last_arrival,
    sort_members,
    sort_scenes,
    with_arrived,
    with_members_set_back,
    without_first_order,
)
from plexsync.rules.item import Item
from plexsync.rules.match.losses import is_large
from plexsync.rules.merge.desired import Profile, Wanted
from plexsync.rules.merge.memory import is_older, undo_mode
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Edit, Memory, Policy
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.traits import ServerTraits
from plexsync.rules.merge.undo import begun_anew, is_undone, undo
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import COLLECTION, Done, Waiting, Why
from plexsync.rules.queue.note_keys import PLAYLISTS_COMPARED, PLAYLISTS_PROBLEM, WISHES
from plexsync.rules.servers.errors import Missing, NeighbourError
from plexsync.rules.words.text import fold
from plexsync.stash.collecting import StashCollecting
from plexsync.store.database import Database, Reader, Writer

# What a playlist shows of its tag.
SHOWN = Profile(frozenset(), dressing=Dressing(frozenset({"name", "summary", "poster"})))
PICTURED = pictures_of(SHOWN)
ARRIVING = "looked at once more when a request without an answer can add nothing more"
UNLISTED = Waiting("Plex does not list the playlist, but still has it", "missing", 60.0)
ReadEntries = Callable[[str], tuple[PlaylistEntry, ...]]
NOT_OURS = CollectionStatus.NOT_OURS.stored
# The fields of a scene's item that can change its place.
PLACING = frozenset({"title", "originallyAvailableAt", "addedAt"})


@dataclass(frozen=True)
class PlaylistFacts:
    """What is known of a batch of playlists: the tags' children and their scenes, the items of these, and all of Plex.

    `bound` are the keys that any row has. `is_restored`: Plex is from an older moment. `machine` names the server: rows have
    it as their section. `undoing`, `redoing`: it shows what that would do.
    """

    children: Mapping[int, CollectionSource]
    scenes: Mapping[int, Sequence[int]]
    items: Mapping[int, Sequence[str]]
    listed: Mapping[str, PlexCollection]
    bound: Collection[str]
    machine: str
    traits: ServerTraits
    undoing: TakenBack = TakenBack.NO
    redoing: bool = False
    is_on: bool = True
    is_restored: bool = False


@dataclass(frozen=True)
class PlaylistInspector:
    """Inspects the current state of playlists. Without `rules` they are off, and only what you take back is inspected.

    `wishes` represents the settings that decide what Plex shows: a changed one may wait for your yes.
    """

    store: Database
    stash: StashCollecting
    plex: PlaylistClient
    gates: Gates
    rules: PlaylistRules | None
    policy: Policy
    expiry: Expiry
    pictures: Artwork | None
    wishes: str = ""

    # --- reads ---------------------------------------------------------------------------------------------------------

    def children(self) -> dict[int, CollectionSource]:
        """The tags that are playlists, by id, in one request. Raises UnclearTag, its message is '' if a change waits.

        As many as are a loss (`plexsync.rules.match.losses`) do not leave one tag at once.
        """
        with self.store.reading() as db:
            if self.rules is None or self._waits(db):
                raise UnclearTag
        children = self._children_of(self.rules)
        with self.store.reading() as db:
            (parent, _, agreed), tags = _last_comparison(db), _tags_in_plex(db)
        lost = tags - children.keys() - agreed
        if parent == self.rules.parent and is_large(len(lost), len(tags)):
            raise UnclearTag(
                f"playlists: {len(lost)} of {len(tags)} tags are no children of {parent!r} any more: bring them back, or"
                " take their playlists back"
            )
        return children

    def _children_of(self, rules: PlaylistRules) -> dict[int, CollectionSource]:
        tags = self.gates.ask(READ_STASH, partial(self.stash.tags_named, rules.parent), of_all=True)
        return children_of(rules.parent, tags)

    def _waits(self, db: Reader) -> bool:
        """Whether the changed settings name another tag than the playlists in Plex are of, and wait for your yes."""
        is_other = self.rules is not None and _last_comparison(db)[0] != self.rules.parent
        return is_other and db.notes.text(WISHES) not in ("", self.wishes) and bool(_tags_in_plex(db))

    def changes(self, rules: PlaylistRules) -> tuple[list[str], dict[str, int]]:
        """The names of the playlists that these rules would delete, and create, with their scenes. Raises UnclearTag."""
        children = self._children_of(rules)
        with self.store.reading() as db:
            lost, rows = _tags_in_plex(db) - children.keys(), db.collections.playlists()
        tagged = self.tagged_scenes(children.keys() - rows.keys())
        created = {children[tag].name: len(scenes) for tag, scenes in tagged.items() if scenes}
        return [row.name for tag, row in rows.items() if tag in lost], created

    def with_other_order(self) -> list[str]:
        """The names of the playlists in Plex whose items the order of the settings puts in other places."""
        with self.store.reading() as db:
            in_plex = _tags_in_plex(db)
            rows = {tag: row for tag, row in db.collections.playlists().items() if tag in in_plex}
        scenes = self.tagged_scenes(rows)
        with self.store.reading() as db:
            items = _items_of_scenes(db, {id for some in scenes.values() for id in some})
        return [row.name for tag, row in rows.items() if _is_moved(row, scenes.get(tag, ()), items)]

    def tagged_scenes(self, tags: Collection[int]) -> dict[int, list[int]]:
        """The scenes that have each of these tags itself, in the order of their playlist."""
        if self.rules is None or not tags:
            return {}
        tagged = self.gates.ask(READ_STASH, partial(self.stash.tagged_scenes, sorted(tags)), of_all=True)
        return {tag: sort_scenes(scenes, self.rules.order) for tag, scenes in tagged.items()}

    def listed(self) -> dict[str, PlexCollection]:
        """All playlists of the account by key: one request for 500."""
        pages = asked_pages(self.gates, READ_PLEX, self.plex.list_playlists(), of_all=True)
        return {playlist.key: playlist for page in pages for playlist in page}

    def entries(self, key: str) -> tuple[PlaylistEntry, ...]:
        """The items of a playlist in its order; none if it is gone."""
        try:
            return tuple(self.gates.ask(READ_PLEX, partial(self.plex.entries, key)))
        except Missing:
            return ()

    def read(self, children: Mapping[int, CollectionSource], tags: Collection[int]) -> PlaylistFacts:
        """What is known of these tags' playlists."""
        scenes, listed = self.tagged_scenes(children.keys() & set(tags)), self.listed()
        with self.store.reading() as db:
            items = _items_of_scenes(db, {id for some in scenes.values() for id in some})
            rows = db.collections.playlists().values()
            traits, server = db.probes.present_traits(), db.servers.find()
        bound = {row.item for row in rows}
        is_restored = any(row.item in listed and is_older(listed[row.item].item, row.memory) for row in rows)
        machine = server.machine if server else ""
        return PlaylistFacts(children, scenes, items, listed, bound, machine, traits, is_restored=is_restored)

    # --- findings ------------------------------------------------------------------------------------------------------

    def look(
        self, rows: Mapping[int, CollectionRow], *, undoing: TakenBack, redoing: bool
    ) -> dict[int, CollectionFinding]:
        """Inspect these playlists. While their tag is unclear, or waits for your yes, only what you take back."""
        findings, is_on, children = dict[int, CollectionFinding](), True, dict[int, CollectionSource]()
        try:
            children = self.children()
        except UnclearTag as unclear:
            is_on, standing = False, CollectionStatus.NO_TAG.stored if str(unclear) else ""
            resting = {id for id, row in rows.items() if redoing or not (row.undone or undoing)}
            findings = {id: _rest(rows[id], standing or rows[id].standing) for id in resting}
            rows = {id: row for id, row in rows.items() if id not in resting}
        if not rows:
            return findings
        facts = self.read(children, {row.object.id for row in rows.values()})
        facts = replace(facts, undoing=undoing, redoing=redoing, is_on=is_on)
        if facts.is_restored and not (undoing or redoing):
            _forget_lost(self.store, facts, self.entries, but=rows)
        return findings | {id: self._finding(row, facts) for id, row in rows.items()}

    def _finding(self, row: CollectionRow, facts: PlaylistFacts) -> CollectionFinding:
        child = facts.children.get(row.object.id)
        if row.section not in ("", facts.machine):
            # Another server was accepted: nothing of what was written to the first one is there.
            row = replace(row, item="", owner="", memory=given_up(row.memory) if row.undone else {}, pushing=())
        base = replace(
            _rest(row, ""),
            outcome=None,
            section=facts.machine,
            source=child,
            leaves=facts.is_on and child is None,
        )
        try:
            wanted = values_of(self.pictures, row, child, SHOWN) if child else Wanted({})
            base = replace(base, scenes=len(facts.scenes.get(row.object.id, ())) if child else row.scenes)
            return self._of(base, row, wanted, facts)
        except NeighbourError as error:
            if not may_be_its_own(error):
                raise
            return replace(base, error=error)

    def _of(
        self, base: CollectionFinding, row: CollectionRow, wanted: Wanted, facts: PlaylistFacts
    ) -> CollectionFinding:
        """The finding about a playlist: the remembered one if Plex still has it, or else another one of the name."""
        name, held = str(wanted.values.get("title", row.name)), facts.listed.get(row.item)
        entries = self.entries(held.key) if held and not held.smart else ()
        if held and row.owner == "foreign":
            held = held if fold(held.item.value("title")) == fold(name) else None
        elif held and not is_same(held.item, _items(entries), row.name, row.memory):
            held = None
        elif held is None and row.item and self.entries(row.item):
            # Only an answer that it is gone says that somebody has deleted it.
            return replace(base, name=name, outcome=UNLISTED)
        if held is None:
            if row.item:
                lasted = () if facts.is_restored else _members(row, (), facts)
                row = _lost(row, wanted, lasted)
            return self._without(replace(base, name=name), row, wanted, facts)
        if held.smart or row.owner == "foreign":
            return _not_ours(replace(base, name=name), held)
        return self._planned(base, row, held, entries, wanted, facts)

    def _without(
        self, base: CollectionFinding, row: CollectionRow, wanted: Wanted, facts: PlaylistFacts
    ) -> CollectionFinding:
        """The finding about a playlist that Plex does not have, as far as is known: it is created, unless it rests."""
        for playlist, entries in _created(row, facts, self.entries):
            row = replace(row, item=playlist.key, owner="ours")
            return self._planned(replace(base, row=row), row, playlist, entries, wanted, facts)
        ended = self.expiry.certain_end()
        base, mode = replace(base, row=row, item="", owner="", stamp=0), undo_mode(row.memory)
        base = replace(base, ends=_ends(row, Done(), ended))
        if base.leaves:
            return base
        if mode and not facts.redoing and is_undone(row.memory, wanted.values):
            return replace(base, outcome=_ends(row, Done(BY_MARK[mode]), ended))
        if not facts.is_on:
            return replace(base, outcome=_ends(row, Done(row.standing), ended))
        if namesakes := _namesakes(base.name, facts):
            return _not_ours(base, namesakes[0])
        members = _members(row, (), facts)[:MOST_AT_ONCE]
        if not members:
            return replace(base, outcome=_ends(row, Done(NO_SCENES), ended))
        values: dict[str, Value] = {"title": base.name, MEMBERS: members, ORDER: as_text(members)}
        item = playlist_item("", {}, {}, 0)
        target = CollectionSight(
            item=item, plan=plan(values, item, {}, ()), wanted=Wanted(values), profile=PICTURED, creates=True
        )
        return replace(base, row=replace(row, memory={}), owner="ours", inspection=target)

    def _planned(
        self,
        base: CollectionFinding,
        row: CollectionRow,
        held: PlexCollection,
        entries: tuple[PlaylistEntry, ...],
        wanted: Wanted,
        facts: PlaylistFacts,
    ) -> CollectionFinding:
        """The finding with its plan."""
        present = _items(entries)
        base = replace(base, name=held.item.value("title"), item=held.key, owner=row.owner, stamp=held.item.stamp)
        row = replace(row, memory=_as_read(row, held.item, present))
        memory = as_taken_back(row, wanted, leaves=base.leaves, undoing=facts.undoing, redoing=facts.redoing)
        item = with_members(held, entries)
        rests = bool(undo_mode(memory)) and is_undone(memory, wanted.values)
        members = () if rests else _members(row, present, facts)
        if not rests:
            memory = begun_anew(memory)
            wanted = _with_order(wanted, members, present, plan({MEMBERS: members}, item, memory, row.pushing).edit)
        own, pushing = members or None, row.pushing
        item, steps, absent = plan_object(self.pictures, item, wanted, memory, pushing, self.policy, own)
        after = steps.edit[MEMBERS].value if MEMBERS in steps.edit else None
        remaining = present if after is None else after
        deletes = row.owner == "ours" and not members and not remaining
        target = CollectionSight(
            *(item, steps, wanted, PICTURED, absent, facts.traits),
            members=present,
            entries=entries,
            deletes=deletes and undo_mode(steps.memory) != TakenBack.RELEASE,
            doubles=added_twice(entries, row.pushing),
            twins=_twins(row, facts, self.entries),
        )
        return replace(base, inspection=target, ends=_ends(row, target.ends, self.expiry.certain_end()))

    # --- what may have changed -------------------------------------------------------------------------------------------

    def differ(self, db: Reader) -> bool:
        """Whether the playlists were not compared yet under these settings, and need not wait for your yes."""
        rules = self.rules
        return rules is not None and _last_comparison(db)[:2] != (rules.parent, rules.order) and not self._waits(db)

    def note_children(self) -> tuple[dict[int, CollectionSource], set[int]]:
        """Save which tags are playlists. Returns these, and the rows that are new, ended, or of a tag that was unclear."""
        children, problem, is_clear = dict[int, CollectionSource](), "", True
        try:
            children = self.children()
        except UnclearTag as unclear:
            problem, is_clear = str(unclear), False
        with self.store.writing() as tx:
            before = tx.notes.text(PLAYLISTS_PROBLEM)
            if problem != before:
                tx.notes.save(PLAYLISTS_PROBLEM, problem)
            rows = tx.collections.playlists()
            new = {CollectionObject(PLAYLIST, id): child.name for id, child in children.items() if id not in rows}
            ensured = tx.collections.ensure(KnownCollection(0, object, "", "", name) for object, name in new.items())
            added = {row.id for some in ensured.values() for row in some}
            leaving = rows.keys() - children.keys() if is_clear else set[int]()
            if is_clear and self.rules and _last_comparison(tx)[0] != self.rules.parent:
                _save_comparison(tx, self.rules.parent, "", leaving)
        return children, added.union(rows[tag].id for tag in (leaving if problem == before else rows))

    def affected_ids(self, tag: int) -> set[int]:
        """The playlists that a change of a tag may concern."""
        if self.rules is None:
            return set()
        _, changed = self.note_children()
        with self.store.reading() as db:
            return changed | {row.id for id, row in db.collections.playlists().items() if id == tag}

    def changed_rows(self) -> set[int]:
        """The playlists that have changed on either side since they were in step."""
        if self.rules is None:
            return set()
        children, changed = self.note_children()
        if not children:
            return changed
        facts = self.read(children, set(children))
        with self.store.reading() as db:
            differ, rows = self.differ(db), db.collections.playlists()
        present = [row for tag, row in rows.items() if tag in children]
        return changed | {row.id for row in present if differ or self._has_changed(row, facts)}

    def save_compared(self, tx: Writer) -> None:
        """Save that all playlists were compared under these settings."""
        if self.rules is not None and self.differ(tx):
            _save_comparison(tx, self.rules.parent, self.rules.order, _last_comparison(tx)[2])

    def _has_changed(self, row: CollectionRow, facts: PlaylistFacts) -> bool:
        held, child = facts.listed.get(row.item), facts.children[row.object.id]
        if held is None or held.item.stamp != row.stamp or child.updated_at != row.object_at:
            return True
        if row.undone or row.owner == "foreign":
            return False
        last = _last_members(row)
        members = _members(row, last, facts)
        return set(members) != set(last) or tuple(key for key in _last_order(row) if key in members) != members

    def observe(self, tx: Writer, inspections: Sequence[Inspection], now: int) -> None:
        """Queue the playlists that inspected scenes have come into, have left, or may have another place in."""
        if not (playlists := tx.collections.playlists()):
            return
        keys = _items_of_scenes(tx, {inspection.id for inspection in inspections})
        for row in [row for row in playlists.values() if not row.undone]:
            last = set(_last_members(row))
            if any(_concerns(row, inspection, last, keys.get(inspection.id, ())) for inspection in inspections):
                tx.jobs.want(COLLECTION, row.id, Why.SWEEP, now)


def _namesakes(title: str, facts: PlaylistFacts) -> list[PlexCollection]:
    """The playlists of this name that no tag has."""
    named = (playlist for playlist in facts.listed.values() if fold(playlist.item.value("title")) == fold(title))
    return [playlist for playlist in named if playlist.key not in facts.bound]


def _members(row: CollectionRow, present: Collection[str], facts: PlaylistFacts) -> tuple[str, ...]:
    return choose_items(facts.scenes.get(row.object.id, ()), facts.items, present)


def _created(
    row: CollectionRow, facts: PlaylistFacts, read: ReadEntries
) -> Iterator[tuple[PlexCollection, tuple[PlaylistEntry, ...]]]:
    """The playlists that requests of unknown end may have created, with their entries."""
    for title, items in creations(row.pushing):
        for playlist in _namesakes(title, facts):
            entries = () if playlist.smart or playlist.key == row.item else read(playlist.key)
            if items.intersection(_items(entries)):
                yield playlist, entries


def _ends(row: CollectionRow, rests: Done, ended: int) -> Done | Waiting:
    """How a playlist ends that `rests` so: it is looked at once more if a request of unknown end may still add to it."""
    wait = last_arrival(row.pushing) - ended
    return Waiting(ARRIVING, "released", wait / 1000, backoff=False) if wait > 0 else rests


def _as_read(row: CollectionRow, item: Item, present: tuple[str, ...]) -> Memory:
    """The memory of a playlist after what became of requests of unknown end, and after a restore of Plex."""
    memory = with_members_set_back(with_arrived(row.memory, row.pushing, present), item, present)
    return without_first_order(memory, present)


def _twins(row: CollectionRow, facts: PlaylistFacts, read: ReadEntries) -> dict[str, frozenset[str]]:
    """The playlists that were created once more by requests of unknown end, with what they were created with."""
    every = frozenset(key for _, items in creations(row.pushing) for key in items)
    return {held.key: every for held, entries in _created(row, facts, read) if every.issuperset(_items(entries))}


def _forget_lost(store: Database, facts: PlaylistFacts, read: ReadEntries, *, but: Collection[int]) -> None:
    """Forget which playlists of other rows a restore of Plex has taken away: they are made again at their next look.

    What shows the restore may be written over before that.
    """
    with store.reading() as db:
        rows = [row for row in db.collections.playlists().values() if row.id not in but and not row.undone]
    missing = {row.id for row in rows if row.item and row.item not in facts.listed and not read(row.item)}
    with store.writing() as tx:
        for row in tx.collections.of(missing).values():
            tx.collections.save(replace(row, item="", owner="", memory={}, pushing=(), stamp=0))


def _last_comparison(db: Reader) -> tuple[str, str, frozenset[int]]:
    """The tag and the order under which the playlists were last compared, and the tags that it replaced."""
    try:
        parent, order, agreed = json.loads(db.notes.text(PLAYLISTS_COMPARED))
    except ValueError:
        # Nothing was compared yet, or by a version that noted it otherwise.
        return "", "", frozenset()
    return str(parent), str(order), frozenset(agreed)


def _save_comparison(tx: Writer, parent: str, order: str, agreed: Collection[int]) -> None:
    tx.notes.save(PLAYLISTS_COMPARED, json.dumps([parent, order, sorted(agreed)]))


def _last_members(row: CollectionRow) -> tuple[str, ...]:
    return tuple(row.memory[MEMBERS].said) if MEMBERS in row.memory else ()


def _last_order(row: CollectionRow) -> tuple[str, ...]:
    return tuple(members_in(row.memory[ORDER].said)) if ORDER in row.memory else _last_members(row)


def _is_moved(row: CollectionRow, scenes: Sequence[int], items: Mapping[int, Sequence[str]]) -> bool:
    """Whether the members of a playlist that stay in it come into another order."""
    members, order = choose_items(scenes, items, _last_members(row)), _last_order(row)
    return [key for key in order if key in members] != [key for key in members if key in order]


def _tags_in_plex(db: Reader) -> set[int]:
    """The tags that have a playlist in Plex which is PlexSync's."""
    rows = db.collections.playlists().items()
    return {tag for tag, row in rows if row.item and row.owner != "foreign" and not row.undone}


def _concerns(row: CollectionRow, inspection: Inspection, last: set[str], remembered: Sequence[str]) -> bool:
    scene = inspection.scene
    own = {*remembered, *(target.item.key for target in inspection.targets)}
    has_tag = scene is not None and row.object.id in scene.tag_ids
    if not own or has_tag != bool(own & last):
        return bool(own)
    return has_tag and any(PLACING & target.plan.edit.keys() for target in inspection.targets)


def _items_of_scenes(db: Reader, scenes: Collection[int]) -> dict[int, list[str]]:
    """The items in the index that these scenes were pushed to. Scenes without one are left out."""
    pairs = {*db.memories.traces(list(scenes)), *db.pushings.of(list(scenes))}
    keys = {entry.key for entry in db.index.entries({key for _, key in pairs})}
    items: dict[int, list[str]] = {}
    for scene, key in sorted(pairs):
        if key in keys:
            items.setdefault(scene, []).append(key)
    return items


def _rest(row: CollectionRow, standing: str) -> CollectionFinding:
    """The finding that leaves a playlist as it is."""
    return CollectionFinding(
        row.id,
        row,
        outcome=Done(standing),
        name=row.name,
        item=row.item,
        section=row.section,
        owner=row.owner,
        scenes=row.scenes,
        stamp=row.stamp,
    )


def _not_ours(base: CollectionFinding, held: PlexCollection) -> CollectionFinding:
    """The finding about a playlist of the name that somebody else has made: nothing is written, and none is created."""
    named = replace(base, item=held.key, owner="foreign", stamp=held.item.stamp)
    return named if base.leaves else replace(named, outcome=Done(NOT_OURS))


def _lost(row: CollectionRow, wanted: Wanted, members: Sequence[str]) -> CollectionRow:
    """The row of a playlist that Plex does not have any more. If you deleted it with `members`, it is taken back."""
    if row.undone:
        memory = given_up(row.memory)
    elif row.owner == "foreign" or has_deleted(row.pushing) or not members:
        memory = {}
    else:
        memory = given_up(undo(row.memory, (), wanted.values, tuple(wanted.values), TakenBack.UNDO))
    return replace(row, item="", owner="", memory=memory, pushing=(), stamp=0)


def _items(entries: Sequence[PlaylistEntry]) -> tuple[str, ...]:
    """The items of these places, each once."""
    return tuple(dict.fromkeys(entry.item for entry in entries))


def with_members(held: PlexCollection, entries: Sequence[PlaylistEntry]) -> Item:
    """A playlist as an item, with its members and their order as values."""
    members = _items(entries)
    scalars = {**held.item.scalars, ORDER: as_text(members)}
    return replace(held.item, scalars=scalars, lists={MEMBERS: members})


def _with_order(wanted: Wanted, members: tuple[str, ...], present: tuple[str, ...], edit: Edit) -> Wanted:
    """The desired values with the members, and with the order of all that the playlist will have after this edit."""
    after = edit[MEMBERS].value if MEMBERS in edit else None
    future, places = present if after is None else tuple(after), {key: place for place, key in enumerate(members)}
    values: dict[str, Value] = {**wanted.values, MEMBERS: members}
    if future and places:
        values[ORDER] = as_text(sort_members(future, places))
    return replace(wanted, values=values)
