"""Finding changes without any hook: what is newer in Stash than the newest that was seen.

One request tells for every kind how many there are and how new the newest is; only when that moved are the newest listed.
Stash writes whole seconds with its own offset and sorts them as text, so instants are compared, a second is not over until
it was seen once more, and a listing goes on past the cursor by a day where offsets differ. A count that does not add up
(a deletion, a merge, a clock set back) is settled by comparing all ids. What even that can't see, reconcile finds.
"""

import json
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from sync.errors import Neighbour, NeighbourError
from sync.job import Kind, State, Why
from sync.ports import Clock, Newest, Seen, Stash, Store
from worker.gates import READ, Gates
from worker.indexing import Indexer

T = TypeVar("T")

log = logging.getLogger("PlexSync.poll")

PAGE = 200
CROWD = 20
CHUNK = 500
MIXED_OFFSETS_MARGIN = timedelta(hours=26)
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LAST_POLL = "poll:last"


@dataclass(frozen=True)
class Polled:
    """What one poll wanted, by kind, and whether it was complete. `why` says what stopped it."""

    wanted: dict[Kind, int]
    why: str = ""


class Poller:
    """Watches one Stash, and on the way whether Plex has finished a scan."""

    def __init__(self, store: Store, stash: Stash, indexer: Indexer, gates: Gates, clock: Clock) -> None:
        self._store = store
        self._stash = stash
        self._indexer = indexer
        self._gates = gates
        self._clock = clock

    def poll(self) -> Polled:
        """Want what changed since the last poll. The first poll only notes where it starts: reconcile does the rest."""
        wanted: dict[Kind, int] = {}
        try:
            if not self._gates.enter(Neighbour.STASH):
                return Polled(wanted, "Stash is away")
            newest = self._ask(self._stash.newest)
            for kind, now in newest.items():
                wanted[kind] = self._poll(kind, now)
            if self._gates.enter(Neighbour.PLEX):
                self._indexer.freshen()
        except NeighbourError as error:
            return Polled(wanted, str(error))
        with self._store.writing() as tx:
            tx.save_note(LAST_POLL, str(self._clock.now()))
        return Polled(wanted)

    def _ask(self, request: Callable[[], T]) -> T:
        return self._gates.ask(Neighbour.STASH, READ, request)

    def _poll(self, kind: Kind, newest: Newest) -> int:
        cursor = self._cursor(kind)
        if cursor is None:
            start = self._newest_second(newest, self._list(kind, newest), None)
            # What is no scene may show on thousands, which the first comparison looks at: it is nobody's edit before that.
            self._save_cursor(kind, newest, [replace(one, sure=one.sure or kind is not Kind.SCENE) for one in start])
            return 0
        with self._store.reading() as db:
            unsure = db.unsure(kind)
        if newest == cursor and not unsure:
            return 0
        listed = self._list(kind, cursor)
        fresh = self._fresh(kind, listed, cursor)
        changed = {id for id, _ in fresh} | {seen.id for seen in unsure}
        created = self._unknown(kind, changed)
        self._want(kind, changed)
        if kind is Kind.SCENE and newest.count != cursor.count + created:
            self._want_gone()
        self._save_cursor(kind, newest, self._newest_second(newest, listed, cursor))
        return len(changed)

    def _newest_second(self, newest: Newest, listed: list[tuple[int, str]], cursor: Newest | None) -> list[Seen]:
        """What was seen in the newest second may change once more within it: it is wanted again at the next poll."""
        last = _instant(newest.updated_at)
        second = [(id, text) for id, text in listed if _instant(text) == last]
        # People edit a few things in a second; a crowd was imported, and is not wanted again one by one.
        sure = len(second) > CROWD if cursor is None else newest.updated_at == cursor.updated_at
        return [Seen(id, text, sure=sure) for id, text in second]

    def _list(self, kind: Kind, cursor: Newest) -> list[tuple[int, str]]:
        """The newest, down to the cursor's second."""
        since, offset = _instant(cursor.updated_at), cursor.updated_at[19:]
        listed: list[tuple[int, str]] = []
        page = 1
        while rows := self._ask(partial(self._stash.recent, kind, page=page, size=PAGE)):
            listed += rows
            mixed = any(text[19:] != offset for _, text in rows)
            until = since - MIXED_OFFSETS_MARGIN if mixed else since
            if len(rows) < PAGE or all(_instant(text) < until for _, text in rows):
                break
            page += 1
        return [(id, text) for id, text in listed if _instant(text) >= since]

    def _fresh(self, kind: Kind, listed: list[tuple[int, str]], cursor: Newest) -> list[tuple[int, str]]:
        since = _instant(cursor.updated_at)
        with self._store.reading() as db:
            seen = db.seen(kind, [id for id, _ in listed])
        return [
            (id, text) for id, text in listed if _instant(text) > since or id not in seen or seen[id].updated_at != text
        ]

    def _want(self, kind: Kind, ids: Iterable[int]) -> None:
        ordered = sorted(ids)
        for start in range(0, len(ordered), CHUNK):
            with self._store.writing() as tx:
                for id in ordered[start : start + CHUNK]:
                    tx.want(kind, id, Why.EDIT, self._clock.now(), behind=len(ordered) > CROWD)
        if ordered:
            log.info("poll: %d changed (%s)", len(ordered), kind)

    def _unknown(self, kind: Kind, ids: set[int]) -> int:
        with self._store.reading() as db:
            return sum(db.job(kind, id) is None for id in ids)

    def _want_gone(self) -> None:
        """Rows whose scene is no more: deleted or merged without a hook."""
        there: set[int] = set()
        pages = self._stash.walk_ids()
        while (page := self._ask(lambda: next(pages, None))) is not None:
            there |= {id for id, _ in page}
        with self._store.reading() as db:
            known = list(db.job_ids(Kind.SCENE))
        self._want(Kind.SCENE, {id for id, state in known if id not in there and state is not State.GONE})

    def _cursor(self, kind: Kind) -> Newest | None:
        with self._store.reading() as db:
            text = db.note(f"poll:{kind}")
        return Newest(**json.loads(text)) if text else None

    def _save_cursor(self, kind: Kind, newest: Newest, seen: list[Seen]) -> None:
        with self._store.writing() as tx:
            tx.forget_seen(kind)
            tx.save_seen(kind, seen)
            tx.save_note(f"poll:{kind}", json.dumps({"count": newest.count, "updated_at": newest.updated_at}))


def _instant(text: str) -> datetime:
    """The moment a Stash timestamp names; the earliest one for an empty or unreadable text, or Go's zero time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return EARLIEST
    return max(moment if moment.tzinfo else moment.replace(tzinfo=UTC), EARLIEST)
