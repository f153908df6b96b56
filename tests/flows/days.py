"""Random days of the objects that one flow keeps in Plex: what happens to them whatever they are, and a worker that dies."""

import random
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import CollectionUndo, redone, want_collections
from plexsync.rules.collections.collections import CollectionRow
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.http import Fault, Request
from tests.engine.house import House
from tests.engine.test_engine_crashes import Killed

Act = Callable[[], None]


class Death:
    """Kills the worker before its request number `at` of these methods of clients; `requests` counts them."""

    def __init__(self, methods: Mapping[object, Iterable[str]], at: int) -> None:
        self.requests, self.at = 0, at
        for client, names in methods.items():
            for name in names:
                setattr(client, name, self._lethal(getattr(client, name)))

    def _lethal(self, real: Callable) -> Callable:
        def request(*args: object, **kwargs: object) -> object:
            self.requests += 1
            if self.requests == self.at:
                raise Killed
            return real(*args, **kwargs)

        return request


class Days:
    """What happens to objects of Plex: edits, undos, kills and rest."""

    def __init__(self, house: House, seed: int, *, most: int) -> None:
        self.house, self.rng, self.serial, self.most = house, random.Random(seed), 0, most

    def acts(self) -> tuple[Act, ...]:
        """What can happen, each as often as it is likely."""
        raise NotImplementedError

    def live(self, steps: int) -> None:
        acts = self.acts()
        for _ in range(steps):
            self.rng.choice(acts)()

    def new(self, word: str) -> str:
        self.serial += 1
        return f"{word} {self.serial}"

    def rows(self) -> list[CollectionRow]:
        with self.house.store.reading() as db:
            return list(db.collections.every())

    def some(self) -> list[int]:
        ids = sorted(row.id for row in self.rows())
        return self.rng.sample(ids, min(len(ids), self.rng.randint(1, self.most)))

    def undo(self, ids: list[int] | None = None) -> None:
        chosen = self.some() if ids is None else ids
        undoing = CollectionUndo(self.house.worker.dressing.inspector)
        wish_undone(self.house.store, undoing, self.house.clock, chosen, "undo")

    def redo(self, ids: list[int] | None = None) -> None:
        want_collections(self.house.store, self.house.clock, self.some() if ids is None else ids, redone)

    def redo_all(self) -> None:
        self.redo([row.id for row in self.rows()])

    def compare(self) -> None:
        with suppress(NeighbourError):
            self.house.worker.dressing.comparison.compare()

    def work(self) -> None:
        self.house.clock.move(3)
        self.house.work()

    def time(self) -> None:
        self.house.clock.move(self.rng.choice((1, 60, 700)))

    def die(self, death: Death) -> None:
        """Work until then, and go on with another worker."""
        self.house.clock.move(3)
        with suppress(Killed):
            self.house.work()
        death.at = 0
        self.house.replace_worker(holder=self.new("next"))
        self.house.worker.engine.reclaim()

    def at_once(self, *acts: Act) -> None:
        """One of these happens while Plex has a write that it has not answered."""
        happens = [self.rng.choice(acts)]

        def write(request: Request) -> bool:
            if request.method != "GET" and happens:
                happens.pop()()
            return False

        self.work_with(Fault("status", status=500, when=write))

    def work_with(self, fault: Fault) -> None:
        self.house.plex_sim.faults.set(fault)
        self.work()
        self.house.plex_sim.faults.clear()
