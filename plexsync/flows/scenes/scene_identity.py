"""Detects that ids in Stash mean other scenes than before: single scenes made anew, or another Stash.

What is remembered under an id is then not this scene's. A few such scenes are handled one by one. With many of them at
once nothing is written until the old Stash is back or you accept the new one.

Also detects an older copy of the same Stash: scenes whose last change is an earlier one than when they were last seen. Up
to `FEW` are followed like an edit. More are a question, before anything of them is written.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence

from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.scenes.inspection_records import Inspection
from plexsync.rules.match.match import renew
from plexsync.rules.match.origin import KnownScene, instant, is_another_stash, is_earlier, scene_origin
from plexsync.rules.queue.choices import ACCEPTED, Choice, remedy
from plexsync.rules.queue.job import Dead, Kind, Why
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE, STASH_TAKEN
from plexsync.rules.queue.setting_question import FEW
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Barred, Neighbour
from plexsync.rules.servers.neighbours import Clock, Stash
from plexsync.store.database import Database, Reader, Writer

log = logging.getLogger("PlexSync.identity")

NOTE, OLDER_NOTE = ACCEPTED + Choice.STASH, ACCEPTED + Choice.SCENES_OLDER
# The number of known scenes that are read again to tell another Stash from a few scenes that were made anew.
SAMPLE = 20


@record
class StashIdentity:
    """The identity of the Stash of one database: the origins of the scenes that it has shown, and their last changes.

    `looks_only`: save nothing.
    """

    _store: Database
    _stash: Stash
    _clock: Clock
    looks_only: bool = False

    def ensure(self, gates: Gates, scenes: Sequence[Scene]) -> frozenset[int]:
        """Return which of these scenes have the id of another one that was known. Raises NeighbourError.

        If there are any, some of all known scenes are read again, in one request. If one is older than it was, the times
        of all are read.
        """
        with self._store.reading() as db:
            remembered = db.scene_names.known_scenes(scene.id for scene in scenes)
        others = _differing(scenes, remembered)
        if any(not remembered[id].ignored for id in others):
            self.check_again(gates)
        same = [(scene, remembered[scene.id]) for scene in scenes if scene.id in remembered.keys() - others]
        if any(is_earlier(scene.updated_at, before.updated_at) for scene, before in same):
            self.older(gates)
        return others

    def older(self, gates: Gates) -> list[int]:
        """The scenes that are older than when they were last seen, if they are few. Raises NeighbourError."""
        return gates.ask(READ_STASH, self.check_age, of_all=True)

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

    def check_held_age(self) -> None:
        """As `check_age`, while a hold waits for an answer. A hold of any other cause costs no request."""
        with self._store.reading() as db:
            hold = db.holds.find(Neighbour.STASH)
        if hold is not None and hold.choice == Choice.SCENES_OLDER:
            self.check_age()

    def check_age(self) -> list[int]:
        """Read when all scenes were last changed. Returns those that are older than when they were last seen.

        Raises Barred if these are more than `FEW` and you have not accepted that.
        """
        older: dict[int, str] = {}
        latest = latest_before = ""
        for page in self._stash.walk_ids():
            with self._store.reading() as db:
                before = db.scene_names.times([id for id, _ in page])
            older |= {id: text for id, text in page if is_earlier(text, before.get(id, ""))}
            latest = _latest([latest, *dict(page).values()])
            latest_before = _latest([latest_before, *before.values()])
        with self._store.reading() as db:
            accepted = db.notes.text(OLDER_NOTE)
        if len(older) > FEW and not accepted:
            raise Barred(
                Neighbour.STASH,
                f"{len(older):,} scenes in Stash are older than PlexSync has seen them: the last change in Stash is of "
                f"{_minute(latest)}, and was of {_minute(latest_before)}. Nothing is written until you accept that"
                f" ({remedy(Choice.SCENES_OLDER)}), or until the newer database is back",
                setting="stash_url",
                choice=Choice.SCENES_OLDER,
            )
        if accepted and not self.looks_only:
            self._follow(older)
        return sorted(older)

    def _follow(self, older: Mapping[int, str]) -> None:
        """Take these scenes as they are now. They are no longer in sync until they were looked at."""
        with self._store.writing() as tx:
            tx.notes.save(OLDER_NOTE, "")
            tx.scene_names.save_times(older)
            tx.jobs.want_all(Kind.SCENE, sorted(older), Why.EDIT, self._clock.now(), behind=True)

    def _take(self) -> None:
        """Take the scenes as they are now. The full comparison that this requests sees them all."""
        with self._store.writing() as tx:
            tx.notes.save(NOTE, "")
            tx.notes.save(STASH_TAKEN, str(self._clock.now()))
            tx.notes.save(CURSOR, "")
            tx.notes.save(LAST_RECONCILE, "")
        log.warning("another Stash was accepted: what was remembered about scenes of the old one is not used")


def _latest(times: Sequence[str]) -> str:
    """The latest of these times of Stash, which may have several offsets."""
    return max(times, key=lambda text: moment.timestamp() if (moment := instant(text)) else 0.0)


def _minute(text: str) -> str:
    """A time of Stash, in its own offset, for display."""
    return text[:16].replace("T", " ")


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
