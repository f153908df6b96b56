"""Scenes that you name by their numbers: Stash is asked first whether it has them, so that no number stands for nothing."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial

from plexsync.app.clients import asking_stash
from plexsync.app.parts import Parts
from plexsync.engine.tickets import READ_STASH, Closed
from plexsync.flows.scenes.undo_marks import resting
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import Kind, State
from plexsync.rules.plan_records import Undone

PAGE = 500


@dataclass(frozen=True)
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
    undone: Mapping[int, Undone] = field(default_factory=dict)
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


def named_scenes(parts: Parts, ids: Iterable[int]) -> NamedScenes:
    """Look these scenes up in Stash, with a short timeout, and in the database."""
    named = tuple(dict.fromkeys(ids))
    existing, away = _existing(parts, named) if named else (None, "")
    with parts.store.reading() as db:
        states = {id: row.state for id in named if (row := db.jobs.find(Kind.SCENE, id))}
        undone = resting(db, named)
    missing = () if existing is None else tuple(id for id in named if id not in existing)
    return NamedScenes(
        ids=named,
        missing=missing,
        ignored=tuple(id for id in named if states.get(id) is State.IGNORED and id not in missing),
        unchecked=tuple(id for id in named if id not in states) if existing is None else (),
        stale=tuple(id for id in missing if id in states and states[id] not in (State.GONE, State.IGNORED)),
        undone=undone,
        away=away,
    )


def _existing(parts: Parts, ids: Sequence[int]) -> tuple[frozenset[int] | None, str]:
    """Those of the scenes that Stash has; None and the reason if it can't be asked."""
    answer = parts.gates.admit(READ_STASH)
    if isinstance(answer, Closed):
        return None, answer.reason
    existing: frozenset[int] = frozenset()
    try:
        with closing(asking_stash(parts.config)) as stash:
            for start in range(0, len(ids), PAGE):
                page = ids[start : start + PAGE]
                existing |= parts.gates.ask(READ_STASH, partial(stash.existing, page), of_all=True)[0]
    except NeighbourError as error:
        return None, str(error)
    return existing, ""
