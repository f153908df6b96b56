"""Detects that ids in Stash mean other scenes than before: single scenes made anew, or another Stash.

What is remembered under an id is then not this scene's. A few such scenes are handled one by one. With many of them at
once nothing is written until the old Stash is back or you accept the new one.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.match.match import renew
from plexsync.rules.match.origin import KnownScene, is_another_stash, scene_origin
from plexsync.rules.queue.choices import ACCEPTED, Choice, remedy
from plexsync.rules.queue.job import Dead, Kind
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE, STASH_TAKEN
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Barred, Neighbour
from plexsync.rules.servers.neighbours import Clock, Stash
from plexsync.store.database import Database, Reader, Writer

log = logging.getLogger("PlexSync.identity")

NOTE = ACCEPTED + Choice.STASH
# The number of known scenes that are read again to tell another Stash from a few scenes that were made anew.
SAMPLE = 20


@record
class StashIdentity:
    """The identity of the Stash of one database: the origins of the scenes that it has shown.

    `looks_only`: save nothing.
    """

    _store: Database
    _stash: Stash
    _clock: Clock
    looks_only: bool = False

    def ensure(self, gates: Gates, scenes: Sequence[Scene]) -> frozenset[int]:
        """Return which of these scenes have the id of another one that was known. Raises NeighbourError.

        If there are any, some of all known scenes are read again, in one request.
        """
        with self._store.reading() as db:
            remembered = db.scene_names.known_scenes(scene.id for scene in scenes)
        others = _differing(scenes, remembered)
        if any(not remembered[id].ignored for id in others):
            self.check_again(gates)
        return others

    def check_again(self, gates: Gates) -> None:
        """Check now. Raises NeighbourError."""
        gates.ask(READ_STASH, self.check, of_all=True)

    def check(self) -> None:
        """Read some of the known scenes again. Raises Barred if most are others now and you have not accepted that."""
        with self._store.reading() as db:
            accepted, is_taken = db.notes.text(NOTE), bool(db.notes.text(STASH_TAKEN))
            remembered = {} if is_taken else db.scene_names.sample(SAMPLE)
        scenes = self._stash.scenes(list(remembered))
        present = [id for id in remembered if id in scenes]
        others = [id for id in present if not remembered[id].agrees(scene_origin(scenes[id]))]
        if not is_another_stash(others, present):
            if accepted and not self.looks_only:
                # The old one is back.
                with self._store.writing() as tx:
                    tx.notes.save(NOTE, "")
            return
        if not accepted:
            raise Barred(
                Neighbour.STASH,
                "this is another Stash than before, or it was rebuilt: its ids mean other scenes. Nothing is written until"
                f" the old one is back, or until you accept this one ({remedy(Choice.STASH)})",
                setting="stash_url",
                choice=Choice.STASH,
            )
        if not self.looks_only:
            self._take()

    def _take(self) -> None:
        """Take the scenes as they are now. The full comparison that this requests sees them all."""
        with self._store.writing() as tx:
            tx.notes.save(NOTE, "")
            tx.notes.save(STASH_TAKEN, str(self._clock.now()))
            tx.notes.save(CURSOR, "")
            tx.notes.save(LAST_RECONCILE, "")
        log.warning("another Stash was accepted: what was remembered about scenes of the old one is not used")


def others_among(db: Reader, scenes: Iterable[Scene]) -> frozenset[int]:
    """The scenes whose id meant another scene when it was last seen."""
    present = list(scenes)
    return _differing(present, db.scene_names.known_scenes(scene.id for scene in present))


def remember_scenes(tx: Writer, scenes: Iterable[Scene], *, now: int) -> frozenset[int]:
    """Save the names and origins of these scenes. Returns those whose id meant another scene until now.

    What was undone, or was to be taken over, was the other scene. If the other scene was ignored, the present one needs
    you.
    """
    present = list(scenes)
    others = _differing(present, tx.scene_names.known_scenes(scene.id for scene in present))
    if others:
        tx.memories.begin_anew(sorted(others))
        # The memory stays with the items, so that the scenes that show them now know whose values are there.
        tx.bindings.withdraw(tx.memories.of(sorted(others)), at=now)
        ignored = tx.notes.ignored_once_undone(others)
        for id in others:
            tx.notes.end_take_over(id)
            tx.pictures.forget(id)
            if tx.jobs.unignore(Kind.SCENE, id, now=now) or id in ignored:
                tx.notes.hold_ignore(id, now=now)
        log.info("%d ids in Stash mean other scenes than before", len(others))
    tx.scene_names.save(present)
    return others


def renew_bindings(tx: Writer, inspections: Iterable[Inspection]) -> None:
    """Save the present origins of the scenes that were led to their items by a binding, and the files of moved items."""
    applied = [
        (
            binding,
            renew(
                binding, scene_origin(inspection.scene), {target.item.key: target.item for target in inspection.targets}
            ),
        )
        for inspection in inspections
        if inspection.scene
        for binding in inspection.bound
    ]
    tx.bindings.renew((old, new) for old, new in applied if old != new)


def ignored_another(id: int) -> Dead:
    """The dead letter of a scene whose id meant another one when it was ignored."""
    summary = (
        f"another scene was ignored, which had the id {id} then: nothing is written"
        f" (plexsync unignore {id}, or plexsync ignore {id})"
    )
    return Dead("ambiguous", summary, "ignored another")


def _differing(scenes: Iterable[Scene], remembered: Mapping[int, KnownScene]) -> frozenset[int]:
    return frozenset(
        scene.id
        for scene in scenes
        if scene.id in remembered and not remembered[scene.id].origin.agrees(scene_origin(scene))
    )
