"""Sends the edits of scenes: one PUT per changed item, after its pictures. Then reads the items back.

Each edit is saved as an entry of `pushing` before it is sent. The entry stays while the outcome is unknown, so that the
next look can tell whose value is in Plex (`plexsync.rules.merge.plan`).
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from plexsync.engine.flow import Flow, Journal, Observation, Write
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, Gate
from plexsync.flows.scenes.artwork import Artwork
from plexsync.flows.scenes.inspection import Inspector
from plexsync.flows.scenes.inspection_records import Inspection, PlannedObject, Target
from plexsync.flows.scenes.plex_pictures import LAGS
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.rules.collections.renamed_members import cast_to_send
from plexsync.rules.item import PICTURES, Cast, Item
from plexsync.rules.match.origin import Origin
from plexsync.rules.merge.memory import is_untaken, learn, with_addresses
from plexsync.rules.merge.pictures import left_out_text
from plexsync.rules.merge.plan_records import Edit, Memory, Pushing, Sending
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.trait_effects import edits_of, rating_in
from plexsync.rules.merge.traits import UNKNOWN, ServerTraits
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.queue.job import Done, Kind, State, Waiting, Why
from plexsync.rules.records import Moved
from plexsync.rules.scene import Scene
from plexsync.rules.servers.causes import Cause
from plexsync.rules.servers.errors import Missing, Neighbour, NeighbourError, Refused, Unavailable
from plexsync.store.database import Writer

log = logging.getLogger("PlexSync.push")

# The number of failures of a job after which a picture that Plex fails to accept is left out.
PATIENCE = 3
# The maximum number of requests for both pictures and the edit, each of which may take the full deadline: per picture its
# bytes, the list before and after the upload, the upload and the selection. One more stands for all pauses.
PICTURE_REQUESTS = 2 * (5 + len(LAGS)) + 2
ASKED = "Plex was asked for a refresh, and does not show the new values yet"
# The outcome while Plex may be about to ask for an item: inspected again soon, and without blame.
BEING_ASKED = Waiting("Plex has found its item, and is about to ask for it", "released", after=10.0, backoff=False)


class Asks(Protocol):
    """Tells Plex to ask PlexSync for values (`plexsync.flows.provider.asks`)."""

    def tell(self, scene: int, item: Item, values: Mapping[str, Value]) -> bool:
        """Tell Plex to ask for these values of a scene's item; False if they are to be written."""
        ...

    def wait(self, key: str) -> float:
        """Seconds before the item is looked at again."""
        ...

    def end(self, key: str) -> None:
        """The item shows its values, or they were written."""
        ...

    def awaits_match(self, item: Item) -> bool:
        """Whether Plex may still ask for an item that nobody has written."""
        ...


@dataclass(eq=False, kw_only=True)
class ObjectWrite(Write):
    """A write to an object of Plex.

    `pictured` is the object of Stash, as its pictures are read. `undone` tells how its job was undone. `memory`, `stamp` and
    `moved` (the changes, for display) are what was read back. `refused` holds the error for each picture that was left out,
    `left_out` those of them that may have arrived, and `uploaded` those that their upload has selected.
    """

    target: PlannedObject
    pictured: Scene
    undone: TakenBack = TakenBack.NO
    memory: Memory | None = None
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    left_out: dict[str, Sending] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)

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

    def learn(self, item: Item, *, last: bool = True) -> Edit:
        """Save the object as it was read back. Returns the part of the edit that did not apply, to be sent once more.

        If this was the `last` try, what Plex has not taken stays saved as a push of unknown end, and the job is tried again.
        """
        plan = self.target.plan
        learnt = learn(plan.memory, plan.sending, item)
        if learnt.untaken and (last or not learnt.again):
            self.outcome = not_taken(learnt.untaken)
            return {}
        self.memory, self.stamp = with_addresses(learnt.memory, item), item.stamp
        moves = {name: Moved(sent.before, learnt.read[name]) for name, sent in plan.sending.items()}
        # Fields with their earlier value have not moved.
        self.moved = {name: moved for name, moved in moves.items() if moved.old != moved.new}
        return {} if last else learnt.again

    def save_refused(self, tx: Writer) -> None:
        """Save which pictures Plex did not take."""
        for name, error in self.refused.items():
            names = names_of_pictures(self.target.profile).get(name, ())
            tx.pictures.of_flow(self.job.kind).refuse(self.job.id, {*names, name}, error)


def not_taken(fields: Sequence[str]) -> Waiting:
    """The outcome of a write that Plex answered well, and of which these fields are still exactly as before."""
    names = dict.fromkeys(name.partition(":")[0] for name in fields)
    text = f"Plex answered well, but did not take {', '.join(names)}: it still has what it had before"
    return Waiting(text, Cause.UNTAKEN, counted=True)


F = TypeVar("F", bound=Observation)
W = TypeVar("W", bound=ObjectWrite)


class ObjectJournal(Journal[W]):
    """What the journals of objects share."""

    def distrust(self, tx: Writer, write: W) -> None:
        """Forget the pictures, so that the next look reads them from Stash again."""
        tx.pictures.of_flow(write.job.kind).forget(write.job.id)
        if not write.begun:
            self.withdraw(tx, [write])


@dataclass(eq=False, kw_only=True)
class SceneWrite(ObjectWrite):
    """One edit of one item of a scene.

    `number` is its saved entry, `entry_number` its number in the journal of writes. `asked` are the fields that Plex was
    told to ask for, instead of writing them.
    """

    inspection: Inspection
    target: Target
    number: int = 0
    entry_number: int = 0
    asked: Collection[str] = ()

    def lacks_asked(self, item: Item) -> bool:
        """Whether the item, as it was read back, does not show what Plex was told to ask for."""
        sending = self.target.plan.sending
        return any(is_untaken(name, sending[name], held_field(item, name)) for name in self.asked)


def left_alone(asks: Asks, inspection: Inspection) -> Inspection:
    """The inspection, in which a scene waits if Plex is about to ask for an item of it that was never written."""
    new = [target.item for target in inspection.targets if target.asked and not target.memory]
    if inspection.undone or not any(asks.awaits_match(item) for item in new):
        return inspection
    return Inspection(inspection.id, inspection.scene, inspection.wanted, outcome=BEING_ASKED)


def without_asked(asks: Asks, write: SceneWrite, edit: Edit) -> Edit:
    """The part of an edit that is written, after Plex was told to ask for the rest."""
    item, names = write.target.item, () if write.undone else write.target.asked_fields
    if not names:
        return edit
    write.begun = True
    if not asks.tell(write.inspection.id, item, {name: write.target.plan.sending[name].sent.value for name in names}):
        return edit
    write.asked = names
    return {name: change for name, change in edit.items() if name not in names}


def record_left_out(tx: Writer, id: int, name: str, reason: str, *, now: int) -> None:
    """Record in the history that a picture could not be written; the same text only once."""
    text = left_out_text(name, reason)
    if all(attempt.error != text for attempt in tx.attempts.of(Kind.SCENE, id)):
        tx.attempts.add(Kind.SCENE, id, at=now, error_class=Cause.REFUSED, error=text, attempts=0, state=State.IDLE)


class SceneJournal(ObjectJournal[SceneWrite]):
    """The `plexsync.engine.flow.Journal` of scene edits: the tables of unfinished, remembered and past pushes."""

    def prolong(self, tx: Writer, writes: Sequence[SceneWrite], until: int) -> None:
        """Extend the saved entries until `until`."""
        tx.pushings.prolong([write.number for write in writes], until)

    def withdraw(self, tx: Writer, writes: Sequence[SceneWrite]) -> None:
        """Remove the entries. Nothing of these writes can be in Plex."""
        tx.pushings.drop_all([(write.inspection.id, write.key, write.number) for write in writes])

    def reopen(self, tx: Writer, write: SceneWrite, until: int) -> None:
        """Start the entry anew, as a push with unknown outcome."""
        self.withdraw(tx, [write])
        plan, item = write.target.plan, write.target.item
        tx.pushings.add(write.inspection.id, write.key, Pushing(plan.sending, until, stamp=item.stamp))

    def close(self, tx: Writer, writes: Sequence[SceneWrite], *, now: int, until: int) -> None:
        """Save what was read back, and record its changes."""
        learnt = [(write, write.memory) for write in writes if write.memory is not None]
        tx.memories.save_all([(write.inspection.id, write.key, memory) for write, memory in learnt], now=now)
        done = [write for write, _ in learnt]
        self.withdraw(tx, done)
        for write in done:
            if write.left_out:
                tx.pushings.add(write.inspection.id, write.key, Pushing(write.left_out, until))
            if write.refused:
                write.save_refused(tx)
            for name, error in write.refused.items():
                record_left_out(tx, write.inspection.id, name, error, now=now)
        tx.pushes.add_all(
            [(write.job.id, write.key, write.moved, write.undone, write.job.reason) for write in done], at=now
        )
        # PlexSync moved these items itself, so the new stamps are no news.
        tx.index.stamp({write.key: write.stamp for write in done})


class ObjectFlow(Flow[F, W]):
    """Keeps objects of Plex in step: what scenes and collections share as flows.

    From `_patience` failures of a job on, a picture that Plex fails to accept is left out.
    """

    gates: Collection[Gate] = (READ_PLEX, WRITE_PLEX, READ_STASH)
    write_gate: Gate = WRITE_PLEX
    _pictures: Artwork | None
    _patience: int

    def requires(self, write: W) -> Collection[Gate]:
        """The write gate of Plex, and the read gate of Stash if a picture must be read again."""
        return (WRITE_PLEX, READ_STASH) if self.lacks_picture(write) else (WRITE_PLEX,)

    def lacks_picture(self, write: W) -> bool:
        """Whether one of its pictures must be read from Stash again before it is sent."""
        pictures = self._pictures
        return pictures is not None and any(not back and not pictures.has(key) for _, key, back in write.pictures())

    def send_pictures(self, pictures: Artwork, write: W) -> None:
        """Send the pictures, before everything else: selecting one locks it, which the edit may have to change."""
        for name, key, is_back in write.pictures():
            if is_back:
                write.begun = True
                pictures.put_back(write.target.item, name, key)
            else:
                self._show(pictures, write, name, key)

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

    @staticmethod
    def with_pictures(pictures: Artwork, write: W, item: Item) -> Item:
        """The object as it was read back, with the keys of its pictures (`plexsync.flows.scenes.artwork`)."""
        before, plan, traits = write.target.item, write.target.plan, write.target.traits
        return pictures.read_back(item, before, plan, write.uploaded, traits)


class ScenePushFlow(ObjectFlow[Inspection, SceneWrite]):
    """The part of the flow of scenes that sends edits, and reads items back."""

    _inspector: Inspector
    _gates: Gates
    _asks: Asks | None

    def send(self, write: SceneWrite) -> None:
        """Send the pictures, then the edit."""
        if self._pictures and any(name in write.target.plan.edit for name in PICTURES):
            self.send_pictures(self._pictures, write)
        item, edit = write.target.item, write.target.plan.edit
        if self._asks is not None:
            edit = without_asked(self._asks, write, edit)
        if edit:
            renamed = write.target.plan.renamed
            cast = cast_to_send(item, renamed) if renamed else item.cast
            self._edit(item, edit, cast, write.target.traits)

    def _edit(self, item: Item, edit: Edit, cast: Cast, traits: ServerTraits) -> None:
        """Send an edit as the server takes it. If a later request fails, the error is `applied`."""
        if traits == UNKNOWN:
            self._inspector.plex.edit(item.section, item.key, edit, cast=cast)
            return
        rating = rating_in(edit, traits)
        whole = edit if rating is None else {name: change for name, change in edit.items() if name != "userRating"}
        requests = [
            partial(self._inspector.plex.edit, item.section, item.key, some, cast=cast)
            for some in edits_of(whole, traits)
        ]
        if rating is not None:
            requests.append(partial(self._inspector.plex.rate, item.key, float(rating) if rating else None))
        for number, request in enumerate(requests):
            try:
                request()
            except NeighbourError as error:
                error.applied = error.applied or number > 0
                raise

    # --- read-back ---------------------------------------------------------------------------------------------------

    def read_back(self, writes: Sequence[SceneWrite]) -> None:
        """Read all items back in one GET; the result is what is remembered. A removal that failed is sent again alone."""
        for write, again in self._read_back(writes):
            item = write.target.item
            try:
                self._gates.ask(WRITE_PLEX, partial(self._edit, item, again, item.cast, write.target.traits))
            except Refused as error:
                # Plex keeps the member. What is read back now is remembered.
                log.info("a removal was refused: %s", error)
            except NeighbourError as error:
                write.outcome = Waiting(str(error), "unavailable")
        self._read_back([write for write in writes if write.outcome is None], last=True)

    def _read_back(self, writes: Sequence[SceneWrite], *, last: bool = False) -> list[tuple[SceneWrite, Edit]]:
        """Set the outcome of writes that were read back correctly. Returns what must be sent again (nothing if `last`)."""
        if not writes:
            return []
        try:
            items = self._inspector.matcher.items([write.key for write in writes])
        except NeighbourError as error:
            # Sent and answered, but not read back: the saved entries tell the next look what may be in Plex.
            for write in writes:
                write.outcome = Waiting(str(error), "unavailable")
            return []
        unresolved: list[tuple[SceneWrite, Edit]] = []
        for write in writes:
            item = items.get(write.key)
            if item is None:
                write.outcome = Waiting("the item vanished while it was edited", "missing", counted=True)
            elif isinstance(item, NeighbourError):
                write.outcome = Waiting(str(item), "unavailable")
            elif not Origin(write.target.item.library, write.target.item.parts).agrees(item.library, item.parts):
                self._mend(write, item)
            elif self._asks is not None and write.lacks_asked(item):
                write.outcome = Waiting(ASKED, "released", after=self._asks.wait(write.key), backoff=False)
            elif again := self._learn(write, item, last=last):
                unresolved.append((write, again))
            elif write.outcome is None:
                write.outcome = Done()
                if self._asks is not None:
                    self._asks.end(write.key)
        return unresolved

    def _mend(self, write: SceneWrite, item: Item) -> None:
        """The item got other files between the plan and the read-back, so it is another scene's, and has got these values.

        The saved entry tells the next look that what was sent is PlexSync's own. This scene and those that may have the
        files now are queued.
        """
        log.warning("item %s got other files while it was edited: its scenes are inspected again", item.key)
        write.outcome = Waiting("its item got other files while it was edited", "released", backoff=False)
        ids = self._inspector.matcher.correct(write.target.item, item)
        with self._inspector.store.writing() as tx:
            for id in sorted(ids - {write.inspection.id}):
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP, self._inspector.clock.now())

    def _learn(self, write: SceneWrite, item: Item, *, last: bool) -> Edit:
        """Save the item as it was read back. Returns the part of the edit that is sent once more, none after the `last`."""
        plan = write.target.plan
        if self._pictures and any(name in plan.sending or name in plan.memory for name in PICTURES):
            try:
                item = self.with_pictures(self._pictures, write, item)
            except NeighbourError as error:
                write.outcome = Waiting(str(error), "unavailable")
                return {}
        return write.learn(item, last=last)
