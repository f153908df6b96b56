"""Writes to playlists: to create and delete one, and to change its texts, its members and their order.

One write makes at most `MOVES` requests about members; the next one goes on.
"""

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from plexsync.flows.collections.playlists import PlaylistTarget
from plexsync.rules.collections.collection_order import MOVES, ORDER, members_in, moves
from plexsync.rules.collections.collection_servers import MOST_AT_ONCE, PlexPlaylists
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.collections.playlists import MEMBERS
from plexsync.rules.merge.memory import undo_mode
from plexsync.rules.queue.job import COLLECTION, Why
from plexsync.rules.servers.errors import Missing
from plexsync.store.database import Writer

if TYPE_CHECKING:
    from plexsync.flows.collections.push import CollectionWrite


def create_playlist(plex: PlexPlaylists, machine: str, write: "CollectionWrite") -> None:
    """Create a playlist of its first members."""
    edit = write.target.plan.edit
    write.begun = True
    write.key = plex.create(machine, str(edit["title"].value), tuple(edit[MEMBERS].value or ()))


def delete_playlist(plex: PlexPlaylists, write: "CollectionWrite", target: PlaylistTarget) -> bool:
    """Delete a playlist, unless somebody has put anything into it since it was inspected."""
    if not {entry.item for entry in plex.entries(write.key)} <= set(target.members):
        return False
    write.begun = True
    plex.delete(write.key)
    write.is_deleted = True
    return True


def send_members(plex: PlexPlaylists, machine: str, write: "CollectionWrite", target: PlaylistTarget) -> None:
    """Send texts, members that go, members that come, and moves."""
    edit = target.plan.edit
    if texts := {name: edit[name] for name in ("title", "summary") if name in edit}:
        plex.edit(write.key, texts)
        write.begun = True
    budget = MOVES
    if change := edit.get(MEMBERS):
        going = [entry for entry in target.entries if entry.item in change.removes]
        for entry in going[:budget]:
            write.begun = True
            with suppress(Missing):
                plex.remove(write.key, entry.key)
        budget -= len(going)
        for start in range(0, min(len(change.adds), max(budget, 0) * MOST_AT_ONCE), MOST_AT_ONCE):
            write.begun = True
            plex.add(machine, write.key, change.adds[start : start + MOST_AT_ONCE])
        budget -= -(-len(change.adds) // MOST_AT_ONCE)
    if budget < 0:
        write.unfinished = True
    elif (order := edit.get(ORDER)) and order.value is not None:
        _send_order(plex, write, members_in(order.value), budget)


def _send_order(plex: PlexPlaylists, write: "CollectionWrite", wanted: tuple[str, ...], budget: int) -> None:
    places: dict[str, str] = {}
    for entry in plex.entries(write.key):
        places.setdefault(entry.item, entry.key)
    steps = moves([*places], wanted)
    for step in steps[:budget]:
        write.begun = True
        plex.move(write.key, places[step.item], after=places.get(step.after, ""))
    write.unfinished = len(steps) > budget


def after_write(tx: Writer, row: CollectionRow, write: "CollectionWrite", *, now: int) -> CollectionRow:
    """The row after a write that was read back. One that was created is inspected again, since only a part is there."""
    if write.is_deleted:
        memory = row.memory if undo_mode(row.memory) else {}
        return replace(row, item="", owner="", memory=memory, desired="")
    if isinstance(write.target, PlaylistTarget) and write.target.creates:
        tx.jobs.want(COLLECTION, row.id, Why.EDIT, now)
    return replace(row, item=write.key, name=write.title)
