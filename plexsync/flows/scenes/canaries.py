"""Harmless requests for items with locks of PlexSync: they show whether Plex takes writes and answers reads."""

from collections.abc import Mapping, Sequence
from functools import partial

from plexsync.engine.flow import Canary
from plexsync.engine.gates import Gates
from plexsync.engine.tickets import READ, Ticket
from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Plex
from plexsync.store.database import Database


@record
class LockCanaries:
    """The known locks of PlexSync in one Plex."""

    _store: Database
    _plex: Plex
    _gates: Gates

    def locks_again(self, limit: int, *, ticket: Ticket, but: int | None, key: str) -> list[Canary]:
        """Locks that PlexSync holds, to be sent again to healthy items. A lock that you removed is not restored."""
        locks = self._own_locks(limit, but=but, key=key)
        if not locks:
            return []
        items = self._gates.ask(ticket.to(READ), partial(self._plex.items, [item for item, _ in locks]), of_all=True)
        return [partial(self._lock_again, item, name) for item, name in _still_locked(locks, items)]

    def _lock_again(self, item: Item, name: str) -> bool:
        self._plex.edit(item.section, item.key, {name: Change(None, lock=True)})
        return True

    def locked_items_again(self, limit: int, *, but: int | None, key: str = "") -> list[Canary]:
        """One request that reads items with locks of PlexSync: True if one of them still has its lock."""
        locks = self._own_locks(limit, but=but, key=key)
        keys = [item for item, _ in locks]
        return [lambda: bool(_still_locked(locks, self._plex.items(keys)))] if locks else []

    def _own_locks(self, limit: int, *, but: int | None, key: str) -> list[tuple[str, str]]:
        """(item, field) of known locks of PlexSync, except those that `but` and `key` name."""
        with self._store.reading() as db:
            own = db.memories.of([but]) if but is not None else {}
            locks = db.memories.healthy_locks(limit, but=frozenset({key, *(item for _, item in own)}))
        return [(item, name) for _, item, name in locks]


def _still_locked(locks: Sequence[tuple[str, str]], items: Mapping[str, Item]) -> list[tuple[Item, str]]:
    """The locks among these that the items still have in Plex."""
    return [(items[item], name) for item, name in locks if item in items and items[item].is_locked(name)]
