"""Records of the three-way difference: what is remembered of a field, what a push sends, and what a plan says.

`Remembered`, `Sending` and `Pushing` are stored as JSON documents, so their field names stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from plexsync.rules.values import Held, Value

# How our hand was taken off an item: its values put back ("undo"), left there ("release"), or put back since Stash has no
# such scene any more ("gone"). '' while it is kept in step.
Undone = Literal["", "undo", "release", "gone"]


@dataclass(frozen=True)
class Remembered:
    """What we know of one field of one item: what we said, what was read back, what was there before us.

    `ours` (lists only) maps each name we added to the name Plex read back for it. `adopted` (lists only) are names that
    were there before us and were taken over since: they are in `ours` as long as they are there, and come back by an undo.
    While `undone`, nothing is written but what puts `found` back; once that is done, or somebody else's value stands
    there, `left` and `found` are what Plex had. `before` is what was said before it was undone, if Stash said something else
    by then, which nobody has written.
    """

    said: Value
    left: Held
    found: Held
    ours: Mapping[str, str] = field(default_factory=dict)
    undone: Undone = ""
    adopted: tuple[str, ...] = ()
    before: Value | None = None

    def undo(self, desired: Value, mode: Undone) -> "Remembered":
        """The same, undone while Stash says this."""
        before = self.said if self.before is None else self.before
        return replace(self, said=desired, undone=mode, before=None if before == desired else before)


Memory = Mapping[str, Remembered]  # by field name of plexsync.rules.item.FIELDS


@dataclass(frozen=True)
class Sending:
    """What one push is about to do to one field. `said` None: we take our hand off (restore or forget after it).

    `sent` is the value and lock that go out (for a lock-only edit: the value already there); `before` is what Plex had
    when the plan was made; `adds` and `removes` are the names a list edit adds and takes away; `was` is what was
    remembered of the field then; `undone` if the push takes something back; `adopts` are the names in Plex that are ours
    from this push on, although they were there before us.
    """

    said: Value | None
    sent: Held
    found: Held
    before: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    was: Remembered | None = None
    undone: Undone = ""
    adopts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pushing:
    """A push whose end may be unknown: it may still take effect until `until` (UTC ms), the end of its total deadline."""

    fields: Mapping[str, Sending]
    until: int


@dataclass(frozen=True)
class Change:
    """One field of an edit. `value` None leaves the value alone (lock only). `lock` None leaves the lock alone.

    For lists `value` is the complete wanted list (right under a Plex that adds and one that replaces) and `removes` the
    names to take away explicitly; `adds` are the names that are new.
    """

    value: Value | None
    lock: bool | None = None
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


Edit = Mapping[str, Change]


@dataclass(frozen=True)
class Note:
    """Something a person may want to know about one field: what was kept, cut, dropped, and why."""

    field: str
    reason: Literal["kept", "cut", "dropped", "person", "reverted"]
    text: str


@dataclass(frozen=True)
class Plan:
    """What to do with one item for one scene.

    `edit` empty: nothing to send. `memory` is what to remember now whatever becomes of the push (resolved pushes, fields
    that were already right, forgotten fields). `sending` is saved before the edit goes out and turned into memory by
    `learn` once the item was read back.
    """

    edit: Edit
    memory: Memory
    sending: Mapping[str, Sending]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Policy:
    """Who wins where both sides have spoken.

    `conflict`: Stash changed a field that a person had edited in Plex. `first_push`: Plex has a locked value of its own
    in a field that we never wrote. `take_over`: this once Stash gets such fields, and the members of lists that were there
    before us are ours from now on.
    """

    conflict: Literal["stash", "plex"] = "stash"
    first_push: Literal["keep", "stash"] = "keep"
    take_over: bool = False


@dataclass(frozen=True)
class Learnt:
    """What a push that was read back has taught.

    `again` holds the removals that did not take, to be sent alone; afterwards `learn` may be asked once more, with this
    memory, the same sending and the item as it is then.
    """

    memory: Memory
    again: Edit
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What is decided for one field: what to remember at once, and what to send."""

    memory: Remembered | None
    change: Change | None = None
    sending: Sending | None = None
    note: Note | None = None
