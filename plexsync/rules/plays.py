"""Plays: the moments at which something was watched."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, init=False)
class Moments:
    """At least one moment, in whole seconds UTC, each once and in order. Raises ValueError if there is none.

    It can't be empty, because Stash takes an empty list of times for "now" or for "the newest play".
    """

    seconds: tuple[int, ...]

    def __init__(self, seconds: Iterable[int]) -> None:
        object.__setattr__(self, "seconds", tuple(sorted(set(seconds))))
        if not self.seconds:
            raise ValueError("no moment")

    def __iter__(self) -> Iterator[int]:
        return iter(self.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def texts(self) -> list[str]:
        """The moments as Stash reads them: `2026-01-02T03:04:05Z`."""
        return [datetime.fromtimestamp(second, UTC).isoformat().replace("+00:00", "Z") for second in self.seconds]
