"""Inspects scenes: their values in Stash, their items in Plex, and what would have to change. Writes to neither server.

Engine, reconcile and explain share this code, so one reports what the other would do.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Literal

from plexsync.engine.expiry import Expiry
from plexsync.engine.gates import Gates
from plexsync.engine.server_identity import ServerIdentity
from plexsync.engine.tickets import READS
from plexsync.flows.scenes.ambiguity import dead_binding, unclear
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.batch_reads import may_be_its_own, read_each
from plexsync.flows.scenes.collection_names import CollectionNames, NamingPlex, NamingStash
from plexsync.flows.scenes.inspection_records import (
    Inspection,
    Past,
    StashValues,
    Target,
    mark_kept,
    past_of,
    save_names,
)
from plexsync.flows.scenes.losses import SceneLosses
from plexsync.flows.scenes.plex_index import Indexer
from plexsync.flows.scenes.recovery import Recovery
from plexsync.flows.scenes.rules import LookRules
from plexsync.flows.scenes.scene_identity import StashIdentity, ignored_another
from plexsync.flows.scenes.scene_matching import BEING_LISTED, SceneMatcher, Verdict, items_of
from plexsync.flows.scenes.undone_scenes import UndoneScenes
from plexsync.rules.item import Item
from plexsync.rules.match.match import untenable
from plexsync.rules.match.match_records import Matched, NotThere, Unclear
from plexsync.rules.match.scope import outside
from plexsync.rules.merge.desired import Profile, Wanted, desired_values, digest, plain_names
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.merge.pictures import shown_strays
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.run_values import arrived_moves
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.trait_effects import takeable
from plexsync.rules.merge.traits import UNKNOWN
from plexsync.rules.queue.job import Absent, Dead, Done, Outcome, OutOfScope, Waiting
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.words.status_words import SceneStatus, kept_word
from plexsync.rules.words.text import fold
from plexsync.store.database import Database, Writer
from plexsync.store.queue.notes import TAKE_OVER

log = logging.getLogger("PlexSync.look")

# The number of scenes inspected together for a caller without a claim, as when they are synced.
BATCH = 50
# The outcome while an item has scratch names: inspected again soon, and without blame.
BEING_PROBED = Waiting("plexsync probe has not restored its item yet", "released", after=10.0, backoff=False)
# How scenes are inspected: as they are (`TakenBack.NO`), or as if you undid, took over or redid all of them now.
AsIf = TakenBack | Literal["take over", "redo"]
TAKING_OVER: AsIf = "take over"
REDOING: AsIf = "redo"
# The mark of a take-over in a preview.
ASKED = "asked"


class Inspector:
    """Inspects the current state of scenes, with the index as the map of Plex.

    `patient`: wait while another thread walks the libraries. A worker does not, since it has other work and a watchdog.
    """

    def __init__(
        self,
        store: Database,
        stash: NamingStash,
        plex: NamingPlex,
        indexer: Indexer,
        gates: Gates,
        rules: LookRules,
        identity: ServerIdentity,
        stash_identity: StashIdentity,
        losses: SceneLosses,
        recovery: Recovery,
        expiry: Expiry,
        pictures: Artwork | None = None,
        *,
        patient: bool = True,
    ) -> None:
        self.pictures = pictures
        self.pictured = pictures is not None and rules.pictured
        self.store, self.stash, self.plex, self.gates, self.clock = store, stash, plex, gates, indexer.clock
        self.indexer = indexer
        self._rules = rules
        self.identity = identity
        self._stash_identity = stash_identity
        self.losses = losses
        self.recovery = recovery
        self.expiry = expiry
        self._names = CollectionNames(store, stash.collections, plex.collections, gates, rules)
        self.matcher = SceneMatcher(store, stash, plex, indexer, gates, rules, patient=patient)
        self._undone_scenes = UndoneScenes(store, stash, self.matcher, gates, rules, pictures)

    def look(self, ids: Sequence[int], as_if: AsIf = TakenBack.NO) -> list[Inspection]:
        """Inspect the scenes with these ids, as if you undid, took over or redid all of them now.

        Those that Stash does not have (any more) are Gone.
        """
        answers = read_each(self.gates, Neighbour.STASH, self.stash.scenes, ids)
        scenes = [answer for answer in answers.values() if isinstance(answer, Scene)]
        failed = [Inspection(id, error=answer) for id, answer in answers.items() if isinstance(answer, NeighbourError)]
        gone = [id for id in ids if id not in answers]
        if gone and self._rules.undo_gone:
            self._stash_identity.check_again(self.gates)
        if gone:
            self.losses.ensure(gone)
        inspections = self.look_at(scenes, as_if) + failed
        if not gone:
            return inspections
        undoing = as_if if isinstance(as_if, TakenBack) else TakenBack.NO
        removed = self._undone_scenes.inspect_removed(gone, undoing, self.losses.known_among(gone))
        return inspections + self._beside_probe(removed)

    def look_at_each(self, ids: Sequence[int], as_if: AsIf = TakenBack.NO) -> Iterator[list[Inspection]]:
        """Inspect many scenes for a caller without a claim, a batch at a time. Otherwise as `look`."""
        for start in range(0, len(ids), BATCH):
            self.gates.enter(*READS)
            yield self.look(ids[start : start + BATCH], as_if)

    def look_at(self, scenes: Sequence[Scene], as_if: AsIf = TakenBack.NO) -> list[Inspection]:
        """Inspect scenes that were just read from Stash. Otherwise as `look`.

        Scenes out of scope cost no request to Plex, unless they are being undone. Nor do those that may be ignored.
        """
        others = self._stash_identity.ensure(self.gates, scenes)
        settled: dict[int, Outcome] = {}
        if self._rules.scope.terms:
            reasons = {scene.id: outside(scene, self._rules.scope) for scene in scenes}
            settled = {id: OutOfScope(reason) for id, reason in reasons.items() if reason}
        undoing = as_if if isinstance(as_if, TakenBack) else TakenBack.NO
        back = set(settled) if undoing else set[int]()
        if settled and not undoing and as_if != REDOING:
            back = self._undone_scenes.marked_among(settled) - others
        with self.store.reading() as db:
            held_ignores = db.notes.held_ignores(scene.id for scene in scenes)
            held_ignores |= db.notes.ignored_once_undone(others) if others else frozenset()
        settled |= {id: ignored_another(id) for id in held_ignores}
        back -= held_ignores
        inside = [scene for scene in scenes if scene.id not in settled or scene.id in back]
        with self.pictures.batch(inside) if self.pictures and self.pictured else nullcontext():
            inspections = self._look_in_plex(inside, others, as_if) if inside or not settled else []
        by_id = {inspection.id: inspection for inspection in self._beside_probe(inspections)}
        for scene in scenes:
            if scene.id in settled and not (scene.id in by_id and by_id[scene.id].undone):
                by_id[scene.id] = Inspection(scene.id, scene, outcome=settled[scene.id])
        return [by_id[scene.id] for scene in scenes]

    def _look_in_plex(self, scenes: Sequence[Scene], others: Collection[int], as_if: AsIf) -> list[Inspection]:
        self.identity.ensure(self.gates)
        if not self.recovery.is_checked:
            self.recovery.check()
        paired = self.matcher.find(scenes, others)
        if paired.is_foreign:
            return self._on_another_server(scenes)
        verdicts, items = paired.verdicts, paired.items
        past = self._past(verdicts)
        past = past.as_redone(verdicts) if as_if == REDOING else past
        past = (past.without(others) if others else past).without_strangers(items)
        keys = {id: verdict.keys for id, verdict in verdicts.items() if isinstance(verdict, Matched)}
        past, names = self._names.apply(scenes, keys, items, past) if self._names.is_on else (past, None)
        past = replace(past, provenances=self.recovery.provenances(items, past.memories))
        if as_if == TAKING_OVER:
            past = replace(past, take_overs={scene.id: ASKED for scene in scenes})
        undone_scenes: Mapping[int, Inspection] = {}
        undoing = as_if if isinstance(as_if, TakenBack) else TakenBack.NO
        if undoing or any(map(undo_mode, past.memories.values())):
            back = self._undone_scenes.undone_among(scenes, verdicts, past, undoing)
            undone_scenes = self._undone_scenes.with_targets(back, verdicts, items, past, afresh=bool(undoing))
        plain = [scene for scene in scenes if scene.id not in undone_scenes]
        # The pictures of scenes that are certain to be planned are read ahead.
        certain = _certain(plain, verdicts, items, past.profiles, self._rules.profile) if self.pictured else []
        with self.pictures.reading_ahead(certain) if self.pictures and certain else nullcontext():
            inspections = [
                undone_scenes.get(scene.id) or self._inspection(scene, verdicts[scene.id], items, past)
                for scene in scenes
            ]
        inspections = [replace(inspection, names=names) for inspection in inspections] if names else inspections
        # Plex names the library's uuid only in an answer with items of one library.
        edited = [target.item for inspection in inspections for target in inspection.targets if target.plan.edit]
        is_unnamed = any(not item.library for item in edited) and self.indexer.libraries.are_unnamed(edited)
        if is_unnamed and self.indexer.libraries.have_changed():
            return self._on_another_server(scenes)
        return inspections

    def _on_another_server(self, scenes: Sequence[Scene]) -> list[Inspection]:
        """Check the server, and let the scenes wait: it is another one, or a library was made anew since it was listed."""
        self.identity.check_again(self.gates)
        self.indexer.freshen(soon=True, wait=False)
        return [self._inspection(scene, BEING_LISTED, {}, Past({}, {}, {}, {}, frozenset())) for scene in scenes]

    def _beside_probe(self, inspections: Sequence[Inspection]) -> list[Inspection]:
        """The inspections, in which a scene waits whose item `plexsync probe` is changing or has not restored yet."""
        if not any(inspection.targets for inspection in inspections):
            return list(inspections)
        with self.store.reading() as db:
            probed = db.probes.open_original()
        if probed is None:
            return list(inspections)
        return [
            Inspection(inspection.id, inspection.scene, inspection.wanted, outcome=BEING_PROBED)
            if any(target.item.key == probed.key for target in inspection.targets)
            else inspection
            for inspection in inspections
        ]

    def save(self, tx: Writer, inspections: Iterable[Inspection], *, now: int) -> None:
        """Save the findings: resolved pushes, fields found correct, fields forgotten."""
        inspections = list(inspections)
        if any(inspection.names for inspection in inspections):
            save_names(tx, inspections, now=now)
        targets = [
            (inspection.id, target.item.key, target) for inspection in inspections for target in inspection.targets
        ]
        learnt = [(id, key, target.plan.memory) for id, key, target in targets if target.plan.memory != target.memory]
        tx.memories.save_all(learnt, now=now)
        if learnt:
            mark_kept(tx, learnt, now=now)
            pushings = tx.pushings.of([id for id, *_ in learnt])
            before = {(id, key): target.memory for id, key, target in targets}
            # The history has what a push has changed, also if its answer was lost.
            arrived = [
                (id, key, moved, mode.value, "")
                for id, key, memory in learnt
                for mode, moved in arrived_moves(before[id, key], memory, pushings.get((id, key), ())).items()
            ]
            tx.pushes.add_all(arrived, at=now)
        if moved := [(id, key) for id, key, target in targets if target.has_other_files]:
            tx.memories.renew_files(moved)
        if known_again := [key for _, key, target in targets if target.was_lost]:
            tx.notes.end_losses(known_again)
        tx.pushings.drop_ended([(id, key) for id, key, _ in targets], ended=self.expiry.certain_end())

    def read_stash(self, ids: Sequence[int]) -> dict[int, StashValues | NeighbourError]:
        """What Stash says about these scenes now, in every field. Missing ones are left out."""
        return self._undone_scenes.stash_values(ids, self._past({}).profiles)

    def _past(self, verdicts: Mapping[int, Verdict]) -> Past:
        keys = {key for verdict in verdicts.values() if isinstance(verdict, Matched) for key in verdict.keys}
        with self.store.reading() as db:
            owners = {key: frozenset(scenes) for key, scenes in db.memories.pushers(sorted(keys)).items()}
            ids = sorted({*verdicts, *(id for scenes in owners.values() for id in scenes)})
            rows = db.sections.all()
            titles = {row.key: fold(row.title) for row in rows} if self._rules.libraries else {}
            own = {key: self._rules.libraries[title] for key, title in titles.items() if title in self._rules.libraries}
            marks = db.notes.of_scenes(TAKE_OVER, sorted(verdicts))
            past = replace(past_of(db, ids), owners=owners, profiles=own, sections=frozenset(row.key for row in rows))
            bare = verdicts.keys() - {id for id, _ in past.memories} if self.pictures else ()
            pushed = db.pushes.last_at(sorted(bare)) if bare else ()
            past = replace(past, take_overs=marks, pushed=frozenset(pushed))
            if not self._rules.provider:
                return past
            from plexsync.flows.provider.asked_past import as_asked

            return as_asked(past, db, keys)

    def _inspection(
        self,
        scene: Scene,
        verdict: Verdict,
        items: Mapping[str, Item | NeighbourError],
        past: Past,
    ) -> Inspection:
        desired = desired_values(scene, self._rules.profile)
        if isinstance(verdict, NeighbourError):
            return Inspection(scene.id, scene, desired, error=verdict)
        if isinstance(verdict, Waiting):
            return Inspection(scene.id, scene, desired, outcome=verdict)
        mark = past.take_overs.get(scene.id, "")
        about = partial(
            Inspection, scene.id, scene, desired, steps=verdict.steps, keys=items_of(verdict), take_over=mark
        )
        if isinstance(verdict, NotThere):
            return about(outcome=Absent(absence(scene)))
        if isinstance(verdict, Unclear):
            return about(outcome=unclear(verdict), candidates=verdict.candidates)
        for binding in verdict.bound:
            item = items.get(binding.key)
            obstacle = "" if isinstance(item, NeighbourError) else untenable(binding, scene, item, past.sections)
            if obstacle:
                return about(outcome=dead_binding(binding, obstacle))
        targets = []
        for key in verdict.keys:
            item = items.get(key)
            if item is None:
                return about(outcome=Absent("Plex no longer has the item"))
            if isinstance(item, NeighbourError):
                return about(error=item, key=key)
            try:
                target = self._target(scene, desired, item, past, mark)
            except NeighbourError as error:
                if not may_be_its_own(error):
                    raise
                return about(error=error, key=key if error.neighbour is Neighbour.PLEX else "")
            if self._rules.strict and (
                cut := [note for note in target.wanted.notes if note.reason in ("cut", "dropped")]
            ):
                return about(outcome=Dead("strict", cut[0].text, desired=digest(target.wanted)))
            targets.append(target)
        held_count = sum(target.kept_fields for target in targets)
        ends = Done(found=kept_word(held_count) if held_count else SceneStatus.IN_SYNC.finding)
        return about(targets=tuple(targets), bound=verdict.bound, ends=ends)

    def _target(self, scene: Scene, desired: Wanted, item: Item, past: Past, take_over: str) -> Target:
        """Plan one item of a scene. Raises NeighbourError if one of its pictures can't be read."""
        profile = past.profiles.get(item.section, self._rules.profile)
        carrying = past.carrying.get(item.section, profile)
        wanted = desired if carrying is self._rules.profile else desired_values(scene, carrying)
        if past.traits != UNKNOWN:
            wanted = takeable(wanted, item, past.traits)
        memory, pushing = past.to_sync(scene.id, item.key)
        absent: Collection[str] = ()
        if self.pictures and (profile.pictures or past.has_pictures(scene.id, item.key, memory, pushing)):
            wanted = self.pictures.with_pictures(scene, wanted, profile)
            looked = self.pictures.pictures_in_plex(
                item, wanted.values, past.of_pictures(scene.id, item.key, memory, pushing)
            )
            item, memory, pushing, absent = looked.item, looked.past.memory, looked.past.pushing, looked.absent
            pushing = (*shown_strays(item, looked.past), *pushing)
        if item.key in past.unwritten and not (memory or pushing):
            memory = past.unwritten[item.key](item)
        is_known = bool(memory or pushing)
        policy = past.policy(item, self._rules.policy, profile, take_over=bool(take_over), is_known=is_known)
        names = plain_names(scene.people, profile.performer_name) if scene.people else {}
        steps = plan(wanted.values, item, memory, pushing, policy, past.provenances.get(item.key), names)
        return past.target(scene.id, item, steps, wanted, profile, frozenset(absent), renews_files=True)


def _certain(
    scenes: Sequence[Scene],
    verdicts: Mapping[int, Verdict],
    items: Mapping[str, Item | NeighbourError],
    profiles: Mapping[str, Profile],
    default: Profile,
) -> list[tuple[Scene, Profile]]:
    """The scenes among these that are certain to be planned, each with the profile of its library."""
    certain = []
    for scene in scenes:
        verdict = verdicts[scene.id]
        if not isinstance(verdict, Matched) or verdict.bound:
            continue
        matches = [item for key in verdict.keys if isinstance(item := items.get(key), Item)]
        if len(matches) == len(verdict.keys):
            certain.append((scene, profiles.get(matches[0].section, default)))
    return certain


def absence(scene: Scene) -> str:
    """One line that says why a scene is not in Plex."""
    if not scene.files:
        return "the scene has no file"
    return "no item in Plex has this file (yet)"
