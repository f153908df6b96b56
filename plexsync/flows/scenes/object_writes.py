"""A write to an object of Plex, an item or a collection: what is planned, what is sent, and what was read back."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from plexsync.engine.flow import Errand, Flow, Journal, Observation
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, Gate
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.inspection_records import PlannedObject
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.rules.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.memory import learn, placed
from plexsync.rules.plan_records import Edit, Memory, Sending, Undone
from plexsync.rules.records import Moved
from plexsync.rules.scene import Scene
from plexsync.rules.values import held
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.push")

# The number of failures of a job after which a picture that Plex fails to accept is left out.
PATIENCE = 3


@dataclass(eq=False, kw_only=True)
class ObjectWrite(Errand):
    """A write to an object of Plex.

    `undone` tells how its job was undone. `memory`, `stamp` and `moved` (the changes, for display) are what was read back.
    `refused` holds the error for each picture that was left out, and `left_out` those of them that may have arrived.
    `uploaded` holds the pictures that their upload has selected.
    """

    target: PlannedObject
    undone: Undone = ""
    memory: Memory | None = None
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    left_out: dict[str, Sending] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)

    @property
    def pictured(self) -> Scene:
        """The object of Stash, as its pictures are read."""
        raise NotImplementedError

    def pictures(self) -> list[tuple[str, str, bool]]:
        """(name, key, whether it is restored) for each picture that the plan changes; those that are restored come first.

        A picture that Stash no longer has is restored like an undone one, since it may not be from Stash at all.
        """
        plan = self.target.plan
        pictures = [
            (name, str(value), bool(self.undone or plan.sending[name].undone) or plan.sending[name].said is None)
            for name in PICTURES
            if name in plan.edit and (value := plan.edit[name].value) is not None
        ]
        return sorted(pictures, key=lambda picture: not picture[2])

    def leave_out(self, name: str, error: NeighbourError) -> None:
        """Leave out a picture that Plex does not accept. The rest is still sent, and the next look finds its result."""
        plan = self.target.plan
        self.refused[name] = str(error)
        if isinstance(error, Unavailable) or error.applied:
            self.left_out[name] = plan.sending[name]
        edit = {field: change for field, change in plan.edit.items() if field != name}
        sending = {field: sent for field, sent in plan.sending.items() if field != name}
        self.target = replace(self.target, plan=replace(plan, edit=edit, sending=sending))

    def learn(self, item: Item) -> Edit:
        """Save the object as it was read back. Returns the part of the edit that did not apply."""
        plan = self.target.plan
        learnt = learn(plan.memory, plan.sending, item)
        self.memory, self.stamp = placed(learnt.memory, item), item.stamp
        before = {name: sent.before for name, sent in plan.sending.items()}
        # Fields with their earlier value have not moved.
        self.moved = {name: Moved(old, new) for name, old in before.items() if (new := held(item, name)) != old}
        return learnt.again

    def save_refused(self, tx: Writer) -> None:
        """Save which pictures Plex did not take."""
        for name, error in self.refused.items():
            kept = names_of_pictures(self.target.profile).get(name, ())
            tx.pictures.of_flow(self.job.kind).refuse(self.job.id, {*kept, name}, error)


F = TypeVar("F", bound=Observation)
W = TypeVar("W", bound=ObjectWrite)


class ObjectJournal(Journal[W]):
    """What the journals of objects share."""

    def distrust(self, tx: Writer, errand: W) -> None:
        """Forget the pictures, so that the next look reads them from Stash again."""
        tx.pictures.of_flow(errand.job.kind).forget(errand.job.id)
        if not errand.begun:
            self.withdraw(tx, [errand])


class ObjectPusher(ABC, Generic[W]):
    """Sends the pictures of writes to one Plex, and reads them back. `max_retries` is the number of attempts of a job."""

    def __init__(self, pictures: Artwork | None, *, max_retries: int) -> None:
        self._pictures = pictures
        self._patience = min(PATIENCE, max_retries)

    @abstractmethod
    def send(self, errand: W) -> None:
        """Send a write. If a later request of it fails, the error is `applied`."""

    @abstractmethod
    def read_back(self, errands: Sequence[W]) -> None:
        """Read the objects back, and set the outcomes of their writes."""

    def lacks_picture(self, write: W) -> bool:
        """Whether one of its pictures must be read from Stash again before it is sent."""
        pictures = self._pictures
        return pictures is not None and any(not back and not pictures.has(key) for _, key, back in write.pictures())

    def send_pictures(self, write: W) -> None:
        """Send the pictures, before everything else: selecting one locks it, which the edit may have to change."""
        if self._pictures and any(name in write.target.plan.edit for name in PICTURES):
            for name, key, is_back in write.pictures():
                if is_back:
                    write.begun = True
                    self._pictures.put_back(write.target.item, name, key)
                else:
                    self._show(self._pictures, write, name, key)

    def _show(self, pictures: Artwork, write: W, name: str, key: str) -> None:
        """Select a picture. Leave it out if Plex rejects it, or has failed to accept it several times.

        What is sent next then shows whether Plex is up at all. Raises PictureChanged before anything of the picture is
        sent, and every NeighbourError that says nothing about the picture.
        """
        target, is_patient = write.target, write.job.failures < self._patience
        try:
            is_new = name in target.absent
            content = pictures.to_send(write.pictured, target.item, name, key, target.profile, is_new=is_new)
            write.begun = True
            if pictures.send(target.item, name, key, content, target.traits):
                write.uploaded.add(name)
        except (Refused, Missing, Unavailable) as error:
            if isinstance(error, Unavailable) and (is_patient or error.neighbour is Neighbour.STASH or not error.sent):
                raise
            text = "a picture of %s %d was not taken, all else goes on without it: %s"
            log.warning(text, write.job.kind, write.job.id, error)
            write.leave_out(name, error)

    def with_pictures(self, write: W, item: Item, unreadable: Sequence[str] = ()) -> Item:
        """The object as it was read back, with the keys of its pictures (`plexsync.flows.scenes.artwork`)."""
        plan = write.target.plan
        if not self._pictures or not any(name in plan.sending or name in plan.memory for name in PICTURES):
            return item
        return self._pictures.read_back(item, write.target.item, plan, write.uploaded, write.target.traits, unreadable)


class ObjectFlow(Flow[F, W]):
    """Keeps objects of Plex in step: what scenes and collections share as flows."""

    gates: Collection[Gate] = (READ_PLEX, WRITE_PLEX, READ_STASH)
    writes: Gate = WRITE_PLEX
    _pusher: ObjectPusher[W]

    def requires(self, errand: W) -> Collection[Gate]:
        """The write gate of Plex, and the read gate of Stash if a picture must be read again."""
        return (WRITE_PLEX, READ_STASH) if self._pusher.lacks_picture(errand) else (WRITE_PLEX,)

    def send(self, errand: W) -> None:
        """Send the pictures, then the edit."""
        self._pusher.send(errand)

    def read_back(self, errands: Sequence[W]) -> None:
        """Read the objects as they are now."""
        self._pusher.read_back(errands)
