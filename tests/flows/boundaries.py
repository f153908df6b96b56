"""A worker that dies at its n-th boundary: before and after each request of some kinds, and after each commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.engine.house import House
from tests.engine.test_engine_crashes import Killed

__all__ = ["Boundaries", "Killed"]


class Boundaries:
    """Kills the worker at its n-th boundary. `requests`: a client, and the names of its methods that count."""

    def __init__(self, house: House, number: int, *requests: tuple[object, tuple[str, ...]]) -> None:
        self.left = number
        self._store = house.store
        for client, names in requests:
            for name in names:
                setattr(client, name, self._counted(getattr(client, name)))
        self._writing = self._store.writing
        self._store.writing = self._committed

    def pass_one(self) -> None:
        """A boundary is passed."""
        self.left -= 1
        if self.left == 0:
            raise Killed

    def _counted(self, request: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **given: Any) -> Any:
            self.pass_one()
            answer = request(*args, **given)
            self.pass_one()
            return answer

        return counted

    @contextmanager
    def _committed(self) -> Iterator[Any]:
        with self._writing() as tx:
            yield tx
        self.pass_one()

    def end(self) -> None:
        """Nobody dies any more."""
        self._store.writing = self._writing


def of_plays(house: House, number: int) -> Boundaries:
    """Those of the way of plays."""
    plays = (
        "watched_scenes",
        "only_plays",
        "add_plays",
        "take_plays",
        "save_activity",
        "restore_activity",
        "player_rules",
    )
    worker = house.worker
    return Boundaries(house, number, (worker.stash.watching, plays), (worker.plex.history, ("plays", "sessions")))
