"""The edits of one batch before and after they are sent: what each knows, and what is written down of it.

What is about to be sent is saved before as an entry of `pushing`, and stays while its end is unknown: by it the next look
tells whose value stands in Plex (`plexsync.rules.plan`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plexsync.engine.flow import Errand
from plexsync.flows.scenes.inspection_records import Inspection, Target
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.plan_records import Memory, Pushing, Sending
from plexsync.rules.records import Moved
from plexsync.rules.values import held
from plexsync.store.database import Writer


@dataclass(eq=False, kw_only=True)
class SceneErrand(Errand):
    """One edit of one item of a scene. `number` is its saved entry; `memory` is what is remembered once it was read back.

    `moved` is what it has changed, for people to read; `left_out` are the fields that Plex failed to take, and may have
    taken all the same.
    """

    sight: Inspection
    target: Target
    number: int = 0
    memory: Memory | None = None
    stamp: int = 0
    moved: dict[str, Moved] = field(default_factory=dict)
    left_out: dict[str, Sending] = field(default_factory=dict)

    def leave_out(self, name: str, *, unknown: bool) -> None:
        """Plex does not take this field: all else goes on without it, and the next look finds what became of it."""
        plan = self.target.plan
        if unknown:
            self.left_out[name] = plan.sending[name]
        edit = {field: change for field, change in plan.edit.items() if field != name}
        sending = {field: sent for field, sent in plan.sending.items() if field != name}
        self.target = replace(self.target, plan=replace(plan, edit=edit, sending=sending))

    def saw(self, item: Item) -> None:
        """Take note of what stands in Plex after the edit: fields that are as they were before have not moved."""
        before = {name: sent.before for name, sent in self.target.plan.sending.items()}
        self.stamp = item.stamp
        self.moved = {name: Moved(old, new) for name, old in before.items() if (new := held(item, name)) != old}

    def pictures_to_put_back(self) -> list[tuple[str, str]]:
        """(name, key) of the pictures that are put back."""
        return [(name, key) for name, key, back in self._pictures() if back]

    def pictures_to_send(self) -> list[tuple[str, str]]:
        """(name, key) of the pictures that are sent."""
        return [(name, key) for name, key, back in self._pictures() if not back]

    def _pictures(self) -> list[tuple[str, str, bool]]:
        """(name, key, whether it is to be put back) of the pictures that its edit changes.

        What Stash has nothing for any more is put back as what is undone is: it may not be Stash's at all.
        """
        plan = self.target.plan
        return [
            (name, str(value), bool(self.sight.undone) or plan.sending[name].said is None)
            for name in PICTURES
            if name in plan.edit and (value := plan.edit[name].value) is not None
        ]


class SceneJournal:
    """`plexsync.engine.flow.Journal` of the edits of scenes: the tables of what is on its way, remembered and past."""

    def prolong(self, tx: Writer, errands: Sequence[SceneErrand], until: int) -> None:
        """Their saved entries hold until then."""
        tx.pushings.prolong([errand.number for errand in errands], until)

    def withdraw(self, tx: Writer, errands: Sequence[SceneErrand]) -> None:
        """Nothing of them can be in Plex: their entries go."""
        tx.pushings.drop_all([(errand.sight.id, errand.key, errand.number) for errand in errands])

    def distrust(self, tx: Writer, errand: SceneErrand) -> None:
        """What is known of the scene's pictures does not help to send them: the next look reads them from Stash again."""
        tx.pictures.forget(errand.sight.id)
        if not errand.begun:
            self.withdraw(tx, [errand])

    def reopen(self, tx: Writer, errand: SceneErrand, until: int) -> None:
        """Its entry begins anew, as that of a push whose end is unknown."""
        self.withdraw(tx, [errand])
        tx.pushings.add(errand.sight.id, errand.key, errand.target.entry(until))

    def close(self, tx: Writer, errands: Sequence[SceneErrand], *, now: int, until: int) -> None:
        """Remember what was read back, and write down what it has changed."""
        learnt = [(errand, errand.memory) for errand in errands if errand.memory is not None]
        tx.memories.save_all([(errand.sight.id, errand.key, memory) for errand, memory in learnt], now=now)
        done = [errand for errand, _ in learnt]
        self.withdraw(tx, done)
        for errand in done:
            if errand.left_out:
                tx.pushings.add(errand.sight.id, errand.key, Pushing(errand.left_out, until))
        tx.pushes.add_all([(errand.sight.id, errand.key, errand.moved, errand.sight.undone) for errand in done], at=now)
        # What moved them was ours, and is nobody's news.
        tx.index.stamp({errand.key: errand.stamp for errand in done})
