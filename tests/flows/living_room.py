"""A living room: what is watched on the simulated Plex, with reports as players send them, and what PlexSync hears of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from plexsync.plex.events import events_of
from plexsync.rules.queue.events import Event, SessionChanged
from plexsync.simulator.plex_playing import PLAYER
from tests.engine.house import House

# Seconds between two reports of a player that plays.
EVERY = 10


class LivingRoom:
    """The players of a house, and the line from Plex to PlexSync, which can be down."""

    def __init__(self, house: House) -> None:
        self.house = house
        # The clocks of both servers agree.
        house.clock.wall = house.plex_sim.now() * 1000
        self.is_heard = True
        self.places: dict[tuple[str, str], int] = {}

    def hear(self) -> None:
        """Hand on what Plex has told, and let PlexSync take it down; nothing while the line is down."""
        self.tell()
        if self.is_heard:
            self.house.worker.back.recorder.record()

    def tell(self) -> None:
        """Hand on what Plex has told; nothing while the line is down."""
        frames = list(self.house.plex_sim.told)
        self.house.plex_sim.told.clear()
        if not self.is_heard:
            return
        events: list[Event] = [event for frame in frames for event in events_of(json.dumps(frame).encode())]
        self.house.worker.back.listener.take([event for event in events if isinstance(event, SessionChanged)])

    def wait(self, seconds: float) -> None:
        """Let time pass, during which Plex says something now and then."""
        end = self.house.clock.now() + round(seconds * 1000)
        while (left := end - self.house.clock.now()) > 0:
            self.house.clock.move(min(left / 1000, 2))
            self.hear()

    def play(
        self, key: str, seconds: float, *, player: str = PLAYER, account: int = 1, offset: int | None = None
    ) -> None:
        """Play so long from there on, or go on: a report at the beginning, and every ten seconds."""
        at = self.places.get((key, player), 0) if offset is None else offset
        sessions, left = self.house.plex_sim.sessions, seconds
        sessions.start(key, at, player=player, account=account)
        self.hear()
        while left > 0:
            step = min(left, EVERY)
            self.wait(step)
            at, left = at + round(step * 1000), left - step
            if left > 0 or step == EVERY:
                sessions.start(key, at, player=player, account=account)
                self.hear()
        self.places[key, player] = at

    def pause(self, key: str, *, player: str = PLAYER, account: int = 1) -> None:
        """Pause where it is."""
        self.house.plex_sim.sessions.pause(key, self.places[key, player], player=player, account=account)
        self.hear()

    def stop(self, key: str, *, player: str = PLAYER, account: int = 1) -> None:
        """Stop where it is; near the end that is a play for Plex too."""
        self.house.plex_sim.sessions.stop(key, self.places.pop((key, player)), player=player, account=account)
        self.hear()

    def watch(self, key: str, seconds: float, **who: object) -> None:
        """Play so long and stop, and let PlexSync do what follows."""
        self.play(key, seconds, **who)
        self.stop(key, **{name: value for name, value in who.items() if name != "offset"})
        self.settle()

    def settle(self) -> None:
        """Let PlexSync read the history, as its polls do, and work."""
        for _ in range(3):
            self.wait(30)
            assert self.house.worker.back.poll() == ""
            assert self.house.worker.back.recorder.record() == ""
            self.house.work()

    @contextmanager
    def line_down(self) -> Iterator[None]:
        """PlexSync hears nothing of Plex meanwhile."""
        self.is_heard = False
        yield
        self.hear()
        self.is_heard = True
