"""The edits of one batch before and after they are sent, and their saved entries.

Each edit is saved as an entry of `pushing` before it is sent. The entry stays while the outcome is unknown, so that the
next look can tell whose value is in Plex (`plexsync.rules.plan`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from plexsync.engine.flow import Errand, Journal
from plexsync.flows.scenes.choice_records import end_giving, save_given, save_giving
from plexsync.flows.scenes.gallery_choices import SentChoices
from plexsync.flows.scenes.inspection_records import Inspection, PlannedObject, Target
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.rules.causes import Cause
from plexsync.rules.errors import NeighbourError, Unavailable
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.memory import learn, placed
from plexsync.rules.pictures import left_out_text
from plexsync.rules.plan_records import Edit, Memory, Pushing, Sending
from plexsync.rules.records import Moved
from plexsync.rules.scene import CHOICE, Scene
from plexsync.rules.taken_back import TakenBack
from plexsync.rules.values import held
from plexsync.store.database import Writer


@dataclass(eq=False, kw_only=True)
class ObjectWrite(Errand):
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


W = TypeVar("W", bound=ObjectWrite)


class ObjectJournal(Journal[W]):
    """What the journals of objects share."""

    def distrust(self, tx: Writer, errand: W) -> None:
        """Forget the pictures, so that the next look reads them from Stash again."""
        tx.pictures.of_flow(errand.job.kind).forget(errand.job.id)
        if not errand.begun:
            self.withdraw(tx, [errand])


@dataclass(eq=False, kw_only=True)
class SceneWrite(ObjectWrite):
    """One edit of one item of a scene.

    `number` is its saved entry, `entry_number` its number in the journal of writes. `sent_choices` is the result of giving
    it pictures to choose from.
    """

    sight: Inspection
    target: Target
    number: int = 0
    entry_number: int = 0
    sent_choices: SentChoices | None = None


def record_left_out(tx: Writer, id: int, name: str, reason: str, *, now: int) -> None:
    """Record in the history that a picture could not be written; the same text only once."""
    text = left_out_text(name, reason)
    if all(attempt.error != text for attempt in tx.attempts.of(Kind.SCENE, id)):
        tx.attempts.add(Kind.SCENE, id, at=now, error_class=Cause.REFUSED, error=text, attempts=0, state=State.IDLE)


def save_choices(tx: Writer, id: int, targets: Iterable[Target], until: int) -> None:
    """Save what the items of a scene show before pictures are given to them, or that they have these pictures already."""
    for target in targets:
        if target.choices and target.choices.shelves:
            save_giving(tx, id, target.item, target.choices, until)
        elif target.choices:
            save_given(tx, id, target.item.key, target.choices.version)


def _close_choices(tx: Writer, errand: SceneWrite, now: int) -> None:
    """Remember what the item was given. After its first pictures, it is inspected once more, to be given the others."""
    target, scene = errand.target, errand.sight.scene
    if target.choices and errand.sent_choices and errand.sent_choices.is_complete:
        save_given(tx, errand.sight.id, errand.key, target.choices.version)
    is_first = not target.memory and not errand.undone and any(name in target.plan.sending for name in PICTURES)
    if is_first and scene and any(image.source == CHOICE for image in scene.images):
        tx.jobs.want(Kind.SCENE, errand.sight.id, Why.EDIT, now, behind=True)


class SceneJournal(ObjectJournal[SceneWrite]):
    """The `plexsync.engine.flow.Journal` of scene edits: the tables of unfinished, remembered and past pushes."""

    def prolong(self, tx: Writer, errands: Sequence[SceneWrite], until: int) -> None:
        """Extend the saved entries until `until`."""
        tx.pushings.prolong([errand.number for errand in errands], until)
        for errand in errands:
            if errand.target.choices:
                save_giving(tx, errand.sight.id, errand.target.item, errand.target.choices, until)

    def withdraw(self, tx: Writer, errands: Sequence[SceneWrite]) -> None:
        """Remove the entries. Nothing of these errands can be in Plex."""
        for errand in errands:
            if errand.target.choices:
                end_giving(tx, errand.sight.id, errand.key, errand.target.choices)
        tx.pushings.drop_all([(errand.sight.id, errand.key, errand.number) for errand in errands])

    def reopen(self, tx: Writer, errand: SceneWrite, until: int) -> None:
        """Start the entry anew, as a push with unknown outcome."""
        self.withdraw(tx, [errand])
        plan, item = errand.target.plan, errand.target.item
        tx.pushings.add(errand.sight.id, errand.key, Pushing(plan.sending, until, stamp=item.stamp))
        if errand.target.choices:
            save_giving(tx, errand.sight.id, errand.target.item, errand.target.choices, until)

    def close(self, tx: Writer, errands: Sequence[SceneWrite], *, now: int, until: int) -> None:
        """Save what was read back, and record its changes."""
        learnt = [(errand, errand.memory) for errand in errands if errand.memory is not None]
        tx.memories.save_all([(errand.sight.id, errand.key, memory) for errand, memory in learnt], now=now)
        done = [errand for errand, _ in learnt]
        self.withdraw(tx, done)
        for errand in done:
            if errand.target.choices or not errand.target.memory:
                _close_choices(tx, errand, now)
            if errand.left_out:
                tx.pushings.add(errand.sight.id, errand.key, Pushing(errand.left_out, until))
            if errand.refused:
                errand.save_refused(tx)
            for name, error in errand.refused.items():
                record_left_out(tx, errand.sight.id, name, error, now=now)
        tx.pushes.add_all([(errand.sight.id, errand.key, errand.moved, errand.undone) for errand in done], at=now)
        # PlexSync moved these items itself, so the new stamps are no news.
        tx.index.stamp({errand.key: errand.stamp for errand in done})
