"""The edits of one batch before and after they are sent, and their saved entries.

Each edit is saved as an entry of `pushing` before it is sent. The entry stays while the outcome is unknown, so that the
next look can tell whose value is in Plex (`plexsync.rules.plan`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import Errand
from plexsync.flows.scenes.choice_records import end_giving, save_given, save_giving
from plexsync.flows.scenes.gallery_choices import SentChoices
from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.flows.scenes.rules import names_of_pictures
from plexsync.rules.causes import Cause
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.job import Kind, State, Why
from plexsync.rules.pictures import left_out_text
from plexsync.rules.plan_records import Memory, Pushing, Sending
from plexsync.rules.records import Moved
from plexsync.rules.scene import CHOICE
from plexsync.rules.values import held
from plexsync.store.database import Writer


@dataclass(eq=False, kw_only=True)
class SceneErrand(Errand):
    """One edit of one item of a scene.

    `number` is its saved entry, `entry_number` its number in the journal of writes. `memory` is what is remembered after the
    read-back. `moved` holds its changes, for display. `left_out` holds the fields that Plex failed to accept but may have
    applied. `refused` holds the error for each picture that was left out. `uploaded` holds the pictures that their upload
    has selected. `sent_choices` is the result of giving it pictures to choose from.
    """

    sight: Inspection
    target: Target
    number: int = 0
    entry_number: int = 0
    memory: Memory | None = None
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    left_out: dict[str, Sending] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    uploaded: set[str] = field(default_factory=set)
    sent_choices: SentChoices | None = None

    def leave_out(self, name: str, error: str, *, unknown: bool) -> None:
        """Leave out a picture that Plex does not accept. The rest is still sent, and the next look finds its result."""
        plan = self.target.plan
        self.refused[name] = error
        if unknown:
            self.left_out[name] = plan.sending[name]
        edit = {field: change for field, change in plan.edit.items() if field != name}
        sending = {field: sent for field, sent in plan.sending.items() if field != name}
        self.target = replace(self.target, plan=replace(plan, edit=edit, sending=sending))

    def saw(self, item: Item) -> None:
        """Save the state in Plex after the edit. Fields with their earlier value have not moved."""
        before = {name: sent.before for name, sent in self.target.plan.sending.items()}
        self.stamp = item.stamp
        self.moved = {name: Moved(old, new) for name, old in before.items() if (new := held(item, name)) != old}

    def pictures_to_put_back(self) -> list[tuple[str, str]]:
        """The (name, key) pairs of the pictures to restore."""
        return [(name, key) for name, key, back in self._pictures() if back]

    def pictures_to_send(self) -> list[tuple[str, str]]:
        """The (name, key) pairs of the pictures to send."""
        return [(name, key) for name, key, back in self._pictures() if not back]

    def _pictures(self) -> list[tuple[str, str, bool]]:
        """(name, key, whether it is restored) for each picture that the edit changes.

        A picture that Stash no longer has is restored like an undone one, since it may not be from Stash at all.
        """
        plan = self.target.plan
        return [
            (name, str(value), bool(self.sight.undone) or plan.sending[name].said is None)
            for name in PICTURES
            if name in plan.edit and (value := plan.edit[name].value) is not None
        ]


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


def _close_choices(tx: Writer, errand: SceneErrand, now: int) -> None:
    """Remember what the item was given. After its first pictures, it is inspected once more, to be given the others."""
    target, scene = errand.target, errand.sight.scene
    if target.choices and errand.sent_choices and errand.sent_choices.is_complete:
        save_given(tx, errand.sight.id, errand.key, target.choices.version)
    is_first = not target.memory and not errand.sight.undone and any(name in target.plan.sending for name in PICTURES)
    if is_first and scene and any(image.source == CHOICE for image in scene.images):
        tx.jobs.want(Kind.SCENE, errand.sight.id, Why.EDIT, now, behind=True)


class SceneJournal:
    """The `plexsync.engine.flow.Journal` of scene edits: the tables of unfinished, remembered and past pushes."""

    def prolong(self, tx: Writer, errands: Sequence[SceneErrand], until: int) -> None:
        """Extend the saved entries until `until`."""
        tx.pushings.prolong([errand.number for errand in errands], until)
        for errand in errands:
            if errand.target.choices:
                save_giving(tx, errand.sight.id, errand.target.item, errand.target.choices, until)

    def withdraw(self, tx: Writer, errands: Sequence[SceneErrand]) -> None:
        """Remove the entries. Nothing of these errands can be in Plex."""
        for errand in errands:
            if errand.target.choices:
                end_giving(tx, errand.sight.id, errand.key, errand.target.choices)
        tx.pushings.drop_all([(errand.sight.id, errand.key, errand.number) for errand in errands])

    def distrust(self, tx: Writer, errand: SceneErrand) -> None:
        """Forget the scene's pictures, so that the next look reads them from Stash again."""
        tx.pictures.forget(errand.sight.id)
        if not errand.begun:
            self.withdraw(tx, [errand])

    def reopen(self, tx: Writer, errand: SceneErrand, until: int) -> None:
        """Start the entry anew, as a push with unknown outcome."""
        self.withdraw(tx, [errand])
        tx.pushings.add(errand.sight.id, errand.key, errand.target.entry(until))
        if errand.target.choices:
            save_giving(tx, errand.sight.id, errand.target.item, errand.target.choices, until)

    def close(self, tx: Writer, errands: Sequence[SceneErrand], *, now: int, until: int) -> None:
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
            for name, error in errand.refused.items():
                kept = names_of_pictures(errand.target.profile).get(name, ())
                tx.pictures.refuse(errand.sight.id, {*kept, name}, error)
                record_left_out(tx, errand.sight.id, name, error, now=now)
        tx.pushes.add_all([(errand.sight.id, errand.key, errand.moved, errand.sight.undone) for errand in done], at=now)
        # PlexSync moved these items itself, so the new stamps are no news.
        tx.index.stamp({errand.key: errand.stamp for errand in done})
