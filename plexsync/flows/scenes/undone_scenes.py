"""Undone scenes: which of them stay undone, and what to restore on their items."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.engine.gates import Gates
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.batch_reads import may_be_its_own, read_each
from plexsync.flows.scenes.inspection_records import Inspection, Past, StashValues, Target, past_of
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.scene_matching import SceneMatcher, Verdict
from plexsync.rules.item import FIELDS, Item
from plexsync.rules.match import match
from plexsync.rules.match.match_records import Matched
from plexsync.rules.match.paths import base_name
from plexsync.rules.merge.desired import Profile, Wanted, desired_values
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.undo import is_taken_back, is_undone, ours_in, shows_our_hand, undo, undo_again
from plexsync.rules.merge.values import Value
from plexsync.rules.queue.job import Done, Gone, Waiting
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.servers.neighbours import Stash
from plexsync.rules.words.status_words import BY_MARK
from plexsync.store.database import Database


@record
class UndoneScenes:
    """Inspects scenes whose pushes are undone."""

    _store: Database
    _stash: Stash
    _matcher: SceneMatcher
    _gates: Gates
    _rules: LookRules
    _pictures: Artwork | None

    def marked_among(self, ids: Collection[int]) -> set[int]:
        """The scenes among these whose undo is still in effect."""
        if not ids:
            return set()
        with self._store.reading() as db:
            return {id for (id, _), memory in db.memories.of(sorted(ids)).items() if undo_mode(memory)}

    def undone_among(
        self, scenes: Sequence[Scene], verdicts: Mapping[int, Verdict], past: Past, undoing: TakenBack
    ) -> list[Inspection]:
        """The scenes that stay undone, or (`undoing`) would be. Their targets are not inspected yet."""
        inspections = []
        with self._store.reading() as db:
            ignored = db.notes.ignored_once_undone(scene.id for scene in scenes)
        for scene in scenes:
            verdict = verdicts[scene.id]
            keys = past.keys(scene.id)
            undo_mark = undoing or past.mark(scene.id)
            if not undo_mark or isinstance(verdict, NeighbourError | Waiting):
                continue
            mark, desired = past.take_overs.get(scene.id, ""), desired_values(scene, self._rules.profile)
            ends = Done(BY_MARK[undo_mark].finding if undo_mark in BY_MARK else "")
            base = Inspection(
                scene.id, scene, desired, steps=verdict.steps, undone=undo_mark, ends=ends, take_over=mark
            )
            try:
                if undoing or scene.id in ignored or self._stays_undone(scene, keys, past):
                    inspections.append(base)
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                inspections.append(replace(base, error=error))
        return inspections

    def inspect_removed(self, ids: Sequence[int], undoing: TakenBack, lost: Collection[int]) -> list[Inspection]:
        """Scenes that Stash does not have. There is nothing to do unless their pushes are to be undone.

        `lost` are those that it had when they were last seen.
        """
        with self._store.reading() as db:
            past = past_of(db, ids)
        usual = TakenBack.GONE if self._rules.undo_gone else TakenBack.NO
        back = []
        for id in ids:
            if past.keys(id) and (undo_mark := undoing or past.mark(id) or usual):
                back.append(Inspection(id, undone=undo_mark, ends=Gone(lost=id in lost)))
        inspections = self.with_targets(back, {}, {}, past, afresh=bool(undoing))
        remembered = {*lost, *(id for id in ids if past.keys(id))}
        return [
            inspections.get(id) or Inspection(id, outcome=Gone(lost=id in lost, unknown=id not in remembered))
            for id in ids
        ]

    def with_targets(
        self,
        back: Sequence[Inspection],
        verdicts: Mapping[int, Verdict],
        items: Mapping[str, Item | NeighbourError],
        past: Past,
        *,
        afresh: bool,
    ) -> dict[int, Inspection]:
        """Add what to restore for scenes that are undone, or (`afresh`) would be."""
        if not back:
            return {}
        matched = {id: {*verdict.keys} for id, verdict in verdicts.items() if isinstance(verdict, Matched)}
        keys = {
            inspection.id: {*past.keys(inspection.id), *matched.get(inspection.id, ())}
            for inspection in back
            if not inspection.error
        }
        keys = self._without_others_items(keys, past)
        all_items = {**items, **self._matcher.items({key for some in keys.values() for key in some} - items.keys())}
        past = past.without_strangers(all_items)
        # Items to which no file leads any more, and which certainly are those that PlexSync wrote to. PlexSync's values on
        # them and the current scenes of their files tell whose they are.
        stray = {}
        for id, some in keys.items():
            for key in some - matched.get(id, set()):
                item, (memory, pushing) = all_items.get(key), past.of(id, key)
                if isinstance(item, Item) and not is_taken_back(memory) and shows_our_hand(item, memory, pushing):
                    stray[key] = item.parts

        def rivals(asked: list[str]) -> dict[str, Sequence[Scene]]:
            names = {base_name(part.path) for key in asked for part in stray[key]}
            return dict.fromkeys(asked, self._stash.rivals(sorted(names)))

        rival_scenes = self._without_undone(read_each(self._gates, Neighbour.STASH, rivals, stray))
        inspections = {inspection.id: inspection for inspection in back}
        for id, some in keys.items():
            mine = {key: () if key in matched.get(id, set()) else rival_scenes.get(key) for key in sorted(some)}
            inspections[id] = self._with_own_targets(inspections[id], mine, all_items, past, afresh=afresh)
        return inspections

    def _without_others_items(self, keys: Mapping[int, set[str]], past: Past) -> dict[int, set[str]]:
        """The items of each scene without those that are another scene's by now.

        That is an item that is bound to another scene, or that another scene has written to since this one was undone.
        """
        with self._store.reading() as db:
            bound = {binding.key: binding.scene for binding in db.bindings.all()}
            writers = db.memories.writers(sorted({key for some in keys.values() for key in some}))

        def is_others(id: int, key: str) -> bool:
            undone_before = bool(undo_mode(past.memories.get((id, key), {})))
            return bound.get(key, id) != id or (undone_before and bool(writers.get(key, {}).keys() - {id}))

        return {id: {key for key in some if not is_others(id, key)} for id, some in keys.items()}

    def _without_undone(
        self, rivals: Mapping[str, Sequence[Scene] | NeighbourError]
    ) -> dict[str, Sequence[Scene] | NeighbourError]:
        """The rivals without the scenes whose mark says that they were undone on that item: they write nothing to it."""
        ids = {rival.id for some in rivals.values() if not isinstance(some, NeighbourError) for rival in some}
        if not ids:
            return dict(rivals)
        with self._store.reading() as db:
            memories = db.memories.of(sorted(ids))
        marked = {pair for pair, memory in memories.items() if undo_mode(memory) in (TakenBack.UNDO, TakenBack.RELEASE)}
        return {
            key: some
            if isinstance(some, NeighbourError)
            else [rival for rival in some if (rival.id, key) not in marked]
            for key, some in rivals.items()
        }

    def stash_values(self, ids: Sequence[int], own: Mapping[str, Profile]) -> dict[int, StashValues | NeighbourError]:
        """What Stash says about these scenes now, in every field. `own` holds the profiles of libraries that have their own.

        Scenes that Stash does not have are left out.
        """
        answers = read_each(self._gates, Neighbour.STASH, self._stash.scenes, ids)
        values_by_id: dict[int, StashValues | NeighbourError] = {}
        for id, answer in answers.items():
            if isinstance(answer, NeighbourError):
                values_by_id[id] = answer
                continue
            profiles = {"": self._rules.profile, **own}
            try:
                values = {section: self._values(answer, profile) for section, profile in profiles.items()}
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                values_by_id[id] = error
                continue
            on = {section: frozenset((*profile.fields, *profile.pictures)) for section, profile in profiles.items()}
            values_by_id[id] = StashValues(values, on)
        return values_by_id

    def _stays_undone(self, scene: Scene, keys: Iterable[str], past: Past) -> bool:
        """Whether Stash says about every undone item what it said when it was undone.

        A value that can't be read now may have changed, so the read is retried.
        """
        marked = [(key, memory) for key in keys if undo_mode(memory := past.memories.get((scene.id, key), {}))]
        own = past.profiles
        with self._store.reading() as db:
            entries = db.index.entries([key for key, _ in marked]) if own else ()
        # The default profile for items that are not in the index.
        profiles = {entry.key: own[entry.section] for entry in entries if entry.section in own}
        return all(
            is_undone(memory, self._desired_values(scene, profiles.get(key, self._rules.profile), patient=True).values)
            for key, memory in marked
        )

    def _with_own_targets(
        self,
        inspection: Inspection,
        keys: Mapping[str, Sequence[Scene] | NeighbourError | None],
        items: Mapping[str, Item | NeighbourError],
        past: Past,
        *,
        afresh: bool,
    ) -> Inspection:
        """Add one scene's targets. `keys` maps an item to its rival scenes, or to None if it shows no value of PlexSync."""
        targets = []
        for key, rivals in keys.items():
            item = items.get(key)
            for error in (item, rivals):
                if isinstance(error, NeighbourError):
                    return replace(inspection, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
            if not isinstance(item, Item) or isinstance(rivals, NeighbourError) or rivals is None:
                continue
            if any(
                rival.id != inspection.id and match.has_file_of(rival, item.parts, self._rules.paths)
                for rival in rivals
            ):
                # The pushed values are remembered for that scene.
                continue
            try:
                targets.append(self._target(inspection, item, past, afresh=afresh))
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                return replace(inspection, error=error, key=key if error.neighbour is Neighbour.PLEX else "")
        return replace(inspection, targets=tuple(targets))

    def _target(self, inspection: Inspection, item: Item, past: Past, *, afresh: bool) -> Target:
        profile = past.profiles.get(item.section, self._rules.profile)
        desired = self._desired_values(inspection.scene, profile) if inspection.scene else Wanted({})
        memory, pushing = past.of(inspection.id, item.key)
        if afresh or not is_undone(memory, desired.values):
            stash_values = self._values(inspection.scene, profile) if inspection.scene else {}
            again = undo if afresh else undo_again
            memory = again(memory, pushing, stash_values, desired.values.keys(), inspection.undone)
        if self._pictures:
            unknown = {name for name in desired.values if name not in memory}
            asked = dict.fromkeys((*unknown, *ours_in(memory)), True)
            looked = self._pictures.pictures_in_plex(
                item, asked, past.of_pictures(inspection.id, item.key, memory, pushing)
            )
            item, memory, pushing = looked.item, looked.past.memory, looked.past.pushing
        policy = self._rules.policy
        if profile.fixed_labels:
            policy = replace(policy, fixed_labels=profile.fixed_labels)
        steps = plan(desired.values, item, memory, pushing, policy, past.provenances.get(item.key))
        return past.target(inspection.id, item, steps, desired, profile)

    def _values(self, scene: Scene, profile: Profile) -> Mapping[str, Value]:
        """What Stash says about a scene, including disabled fields."""
        return {
            **self._desired_values(scene, profile).values,
            **desired_values(scene, replace(profile, fields=frozenset(FIELDS))).values,
        }

    def _desired_values(self, scene: Scene, profile: Profile, *, patient: bool = False) -> Wanted:
        """The desired values by this profile. An unreadable picture is left out; if `patient`, it is retried first."""
        desired = desired_values(scene, profile)
        return self._pictures.with_pictures(scene, desired, profile, patient=patient) if self._pictures else desired
