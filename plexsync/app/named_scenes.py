"""Scenes that you name by their numbers, so that no number stands for nothing: whether Stash has them; ignoring them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import field, replace

from plexsync.app.asking import asking_stash
from plexsync.app.stored import Stored
from plexsync.rules.clock import Clock
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.database import Database, Reader

PAGE = 500
# Sends a request to Stash; raises NeighbourError.
Asks = Callable[[Callable[[], tuple[frozenset[int], int]]], tuple[frozenset[int], int]]


@record
class NamedScenes:
    """What Stash and the database know of scenes that you named; each number once.

    `missing`: Stash has none of these. `unchecked`: Stash could not be asked, and the database does not know them
    either; `away` is the reason. `stale`: those of `missing` for which the database still has a job. `undone`: those that
    are undone or released, by how.
    """

    ids: tuple[int, ...]
    missing: tuple[int, ...] = ()
    ignored: tuple[int, ...] = ()
    unchecked: tuple[int, ...] = ()
    stale: tuple[int, ...] = ()
    undone: Mapping[int, TakenBack] = field(default_factory=dict)
    away: str = ""

    def without(self, gone: Iterable[int]) -> "NamedScenes":
        """The same, after the sync found that Stash does not have these."""
        return replace(self, missing=tuple(id for id in self.ids if id in {*self.missing, *gone}))

    @property
    def existing(self) -> list[int]:
        """The scenes that Stash has, or may have."""
        return [id for id in self.ids if id not in self.missing]

    @property
    def syncable(self) -> list[int]:
        """The scenes that a sync can reach. A scene that Stash lost is one of them: its job then ends as gone."""
        return [id for id in self.reachable if id not in self.undone]

    @property
    def reachable(self) -> list[int]:
        """The same, with the undone ones: an edit in Stash of which nobody has heard yet may have ended their undo."""
        return [id for id in self.ids if id not in self.ignored and (id not in self.missing or id in self.stale)]


def known_scenes(stored: Stored, ids: Iterable[int]) -> NamedScenes:
    """Look these scenes up in the database and in Stash, with a short timeout; a Stash on hold may be another one."""
    named = tuple(dict.fromkeys(ids))
    with stored.store.reading() as db:
        held = db.holds.find(GateName.STASH)
        rests = db.paces.find(GateName.STASH).not_before > stored.clock.now()
    if held:
        existing, away = None, f"Stash is on hold: {held.message}"
    elif rests:
        existing, away = None, "Stash has asked to be left alone for a while"
    else:
        existing, away = existing_scenes(stored, named, lambda request: request())
    with stored.store.reading() as db:
        return known_in(db, named, existing, away)


def existing_scenes(stored: Stored, ids: Sequence[int], ask: Asks) -> tuple[frozenset[int] | None, str]:
    """Those of the scenes that Stash has; None and the reason if it can't be asked."""
    existing: frozenset[int] = frozenset()
    try:
        with closing(asking_stash(stored.config)) as stash:
            for start in range(0, len(ids), PAGE):
                page = ids[start : start + PAGE]
                existing |= ask(lambda: stash.existing(page))[0]  # noqa: B023 - called at once
    except NeighbourError as error:
        return None, str(error)
    return existing, ""


def known_in(db: Reader, named: tuple[int, ...], existing: frozenset[int] | None, away: str) -> NamedScenes:
    """What the database knows of these scenes, of which Stash has the `existing` ones."""
    states = {id: row.state for id in named if (row := db.jobs.find(Kind.SCENE, id))}
    missing = () if existing is None else tuple(id for id in named if id not in existing)
    return NamedScenes(
        ids=named,
        missing=missing,
        ignored=tuple(id for id in named if states.get(id) is State.IGNORED and id not in missing),
        unchecked=tuple(id for id in named if id not in states) if existing is None else (),
        stale=tuple(id for id in missing if id in states and states[id] not in (State.GONE, State.IGNORED)),
        away=away,
    )


def ignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Ignore these scenes from now on. Returns those that were not ignored already."""
    now, wanted, ignored = clock.now(), list(dict.fromkeys(ids)), list[int]()
    for start in range(0, len(wanted), PAGE):
        with store.writing() as tx:
            fresh = [id for id in wanted[start : start + PAGE] if tx.jobs.ignore(Kind.SCENE, id, now=now)]
            for id in fresh:
                tx.notes.end_held_ignore(id)
        ignored += fresh
    return ignored


def unignore_scenes(store: Database, ids: Iterable[int], clock: Clock) -> list[int]:
    """Stop ignoring these scenes. Returns those that were ignored, or may have been (`ignored_another`)."""
    now = clock.now()
    unignored: list[int] = []
    with store.writing() as tx:
        for id in dict.fromkeys(ids):
            if tx.notes.end_held_ignore(id):
                tx.jobs.want(Kind.SCENE, id, Why.USER, now)
                unignored.append(id)
            elif tx.jobs.unignore(Kind.SCENE, id, now=now):
                unignored.append(id)
    return unignored
