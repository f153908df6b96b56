"""The edits of one batch before and after they are sent, and their saved entries.

Each edit is saved as an entry of `pushing` before it is sent. The entry stays while the outcome is unknown, so that the
next look can tell whose value is in Plex (`plexsync.rules.plan`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plexsync.flows.scenes.choice_records import end_giving, save_given, save_giving
from plexsync.flows.scenes.gallery_choices import SentChoices
from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.object_writes import ObjectJournal, ObjectWrite
from plexsync.rules.causes import Cause
from plexsync.rules.item import PICTURES
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.pictures import left_out_text
from plexsync.rules.plan_records import Pushing
from plexsync.rules.scene import CHOICE, Scene
from plexsync.store.database import Writer


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

    @property
    def pictured(self) -> Scene:
        """The scene, or what is known of one that is gone."""
        return self.sight.scene or Scene(self.sight.id)


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
        tx.pushings.add(errand.sight.id, errand.key, errand.target.entry(until))
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
            errand.save_refused(tx)
            for name, error in errand.refused.items():
                record_left_out(tx, errand.sight.id, name, error, now=now)
        tx.pushes.add_all([(errand.sight.id, errand.key, errand.moved, errand.undone) for errand in done], at=now)
        # PlexSync moved these items itself, so the new stamps are no news.
        tx.index.stamp({errand.key: errand.stamp for errand in done})
