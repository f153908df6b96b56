"""Records of the three-way difference: the memory of a field, the fields that a push sends, and the plan.

`Remembered`, `Sending` and `Pushing` are stored as JSON documents, so their field names stay.
"""

from collections.abc import Mapping
from dataclasses import field, replace
from typing import Literal

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held, Value
from plexsync.rules.record_class import record


@record
class DriftChoice:
    """Your decision, of this time (UTC ms), about a field that you edited in Plex (`plexsync.rules.merge.drift`).

    `replaced` None: the field follows Plex until you take that back. Else Stash's value replaces this one, once.
    """

    at: int
    replaced: Held | None = None


@record
class Remembered:
    """The memory of one field of one item: what Stash said at the last push, what was read back, and the original value.

    `ours` (lists only) maps each name that PlexSync added to the name that Plex returned for it. `adopted` (lists only)
    are names that were there before PlexSync and were taken over since: they are in `ours` while they are in Plex, and
    an undo restores them. `away` (lists only) are names of the settings that someone removed in Plex: they stay away, also
    after an undo or a restore. While `undone`, the only write is the one that restores `found`; once it is done, or someone
    else's value is there, `left` and `found` are what Plex had. `before` is the value that was pushed before the undo,
    if Stash had another value by then, which was never written; or the older value to which a restore of Plex set the
    field while Stash's was not known. `stamp` is the item's stamp when `left` was read, `item_stamp` a later one at
    which another field was (0: none). `drift` is your decision about an edit in Plex. `back`: what an undo of one run
    restores instead of `found`, and what is there where that run wrote nothing. `outlived` (single values only): marks
    (`value_marks`) of what PlexSync had sent when a restore of Plex brought back an edit of yours. While your edit is there,
    none of it is news if Stash says it again.
    """

    said: Value
    left: Held
    found: Held
    ours: Mapping[str, str] = field(default_factory=dict)
    undone: TakenBack = TakenBack.NO
    adopted: tuple[str, ...] = ()
    before: Value | None = None
    stamp: int = 0
    item_stamp: int = 0
    drift: DriftChoice | None = None
    away: tuple[str, ...] = ()
    back: Held | None = None
    outlived: tuple[str, ...] = ()

    def undo(self, desired: Value, mode: TakenBack) -> "Remembered":
        """The same field, undone while Stash has this value. A field that you keep stays so; taking Stash's value ends."""
        before = self.said if self.before is None else self.before
        drift = self.drift if self.drift and self.drift.replaced is None else None
        previous = None if before == desired else before
        return replace(self, said=desired, undone=mode, before=previous, drift=drift, back=None)


Memory = Mapping[str, Remembered]  # by field name of plexsync.rules.item.FIELDS


@record
class Sending:
    """The part of one push for one field. `said` None: PlexSync gives the field up (restores or forgets it).

    `sent` is the value and lock that are sent (for a lock-only edit, the present value); `before` is what Plex had when
    the plan was made; `adds` and `removes` are the names that a list edit adds and removes; `was` is the memory of the
    field at that time; `undone` if the push takes something back; `adopts` are names in Plex that belong to PlexSync
    from this push on, although they were there before it.
    """

    said: Value | None
    sent: Held
    found: Held
    before: Held
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()
    was: Remembered | None = None
    undone: TakenBack = TakenBack.NO
    adopts: tuple[str, ...] = ()


@record
class Pushing:
    """A push whose end may be unknown: it may still take effect until `until` (UTC ms), the end of its total deadline.

    `stamp` is the item's stamp when the push was planned (0: unknown).
    """

    fields: Mapping[str, Sending]
    until: int
    stamp: int = 0


@record
class Change:
    """One field of an edit. `value` None leaves the value alone (lock only). `lock` None leaves the lock alone.

    For lists, `value` is the complete desired list (right for a Plex that adds and for one that replaces), `removes`
    are the names to remove explicitly, and `adds` the new names.
    """

    value: Value | None
    lock: bool | None = None
    adds: tuple[str, ...] = ()
    removes: tuple[str, ...] = ()


Edit = Mapping[str, Change]


@record
class Note:
    """A remark on one field for the user: what was kept, cut or dropped, and why."""

    field: str
    reason: Literal["kept", "cut", "dropped", "person", "reverted", "refused", "decided", "left"]
    text: str


@record
class RestoreDecisions:
    """The fields whose value was decided by evidence of a restore: PlexSync's own again, or left as a person's.

    `recalled` is the memory before the plan, as the journal completed it.
    """

    own: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    recalled: Memory = field(default_factory=dict)


@record
class Plan:
    """The work on one item for one scene.

    `edit` empty: nothing to send. `memory` is what to remember at once, whatever the result of the push (resolved
    pushes, fields that were already right, forgotten fields). `sending` is saved before the edit is sent, and `learn`
    turns it into memory once the item was read back. `recovery` says what was decided by evidence of a restore.
    `renamed`: the earlier name of each cast member that the edit renames, by the new one.
    """

    edit: Edit
    memory: Memory
    sending: Mapping[str, Sending]
    notes: tuple[Note, ...] = ()
    recovery: RestoreDecisions = field(default_factory=RestoreDecisions)
    renamed: Mapping[str, str] = field(default_factory=dict)


@record
class Policy:
    """Which side wins if both sides have a value.

    `conflict`: Stash changed a field that you edited in Plex. `first_push`: Plex has a locked value of its own in a
    field that PlexSync never wrote. `take_over`: this once, Stash wins such fields, and list members that were there
    before PlexSync belong to it from now on. `asked`: the item is in a library that asks PlexSync, so fields that it asks
    for get no lock; `born`: it has asked since the item is there, which is new to PlexSync, so what it has as Stash says is
    PlexSync's.
    `fixed_labels` are the labels that come from the settings.
    """

    conflict: Literal["stash", "plex"] = "stash"
    first_push: Literal["keep", "stash"] = "keep"
    take_over: bool = False
    asked: bool = False
    born: bool = False
    fixed_labels: tuple[str, ...] = ()


@record
class Learnt:
    """The result of a push that was read back.

    `again` holds the removals that had no effect, to be sent alone. After that, `learn` may be called once more, with
    this memory, the same sending and the item as it is then. `untaken` are the fields that Plex did not take: then this is
    no memory to keep. `read` has the fields of the push as they are in the item.
    """

    memory: Memory
    again: Edit
    untaken: tuple[str, ...] = ()
    read: Mapping[str, Held] = field(default_factory=dict)


@record
class Decision:
    """The decision for one field: what to remember at once, and what to send."""

    memory: Remembered | None
    change: Change | None = None
    sending: Sending | None = None
    note: Note | None = None
