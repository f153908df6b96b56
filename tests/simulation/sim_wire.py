"""A neighbour without a network: the client's requests become calls of the simulator, and what can go wrong goes wrong.

Nothing here sleeps: a request that takes long moves the virtual clock. What the real transport would raise is raised.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random
from typing import Protocol

import h11

from plexsync.http.connections import Answer as Arrived, NotConnected
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import FOREIGN_PAGE, GARBAGE, Answer, HttpServer, Request, html_page
from tests.engine.clocks import Clock
from tests.transports import carried, read

CONNECT, READ = 5.0, 10.0
DEADLINE = 2 * READ

# What a period of bad weather can be. In the second half the request is carried out, or may be later.
LOST = ("refused", "no route", "hangs", "500", "502", "503", "503 patience", "429", "garbage", "foreign page")
DONE = ("unheard", "reset", "cut", "502 done", "late")
BARRED = ("401", "403")
PICTURES = re.compile(r"/library/metadata/\d+/(?:posters|poster|thumb)")
PATIENCE = ("0", "3", "45", "7200", "-5", "soon", "", "Thu, 01 Jan 1970 00:00:00 GMT")


@dataclass
class Weather:
    """How one neighbour fares: what every request meets until a moment (steady seconds), and writes still on their way."""

    kind: str = ""
    until: float = 0.0
    late: list[tuple[float, Request]] = field(default_factory=list)


class Watching(Protocol):
    """What a wire tells the world; any of these may raise."""

    def before_request(self, who: Neighbour, asked: Request) -> None: ...

    def carried_out(self, who: Neighbour, asked: Request, answer: Answer) -> None: ...

    def before_answer(self, who: Neighbour, asked: Request) -> None: ...


class SimWire:
    """The way to one simulated neighbour. `fate` says what a request meets that the weather lets through."""

    def __init__(
        self,
        who: Neighbour,
        sim: HttpServer,
        clock: Clock,
        rng: Random,
        weather: Weather,
        world: Watching,
        fate: Callable[[Neighbour, Request], str],
    ) -> None:
        self._who = who
        self._sim = sim
        self._clock = clock
        self._rng = rng
        self._weather = weather
        self._world = world
        self._fate = fate

    def exchange(self, request: h11.Request, content: bytes, _cap: int) -> Arrived:
        """The answer, or what the network would have raised."""
        asked = read(request, content)
        self._world.before_request(self._who, asked)
        fate = self._fate(self._who, asked)
        if fate == "slow":
            self._clock.move(self._rng.random() * READ)
        answer = self._meets(fate, asked)
        self._world.before_answer(self._who, asked)
        return answer

    def close(self) -> None:
        """Nothing is open."""

    def _meets(self, fate: str, asked: Request) -> Arrived:
        match fate:
            case "" | "slow":
                return carried(self.carry_out(asked))
            case "refused":
                raise NotConnected(ConnectionRefusedError())
            case "no route":
                self._clock.move(CONNECT)
                raise NotConnected(TimeoutError())
            case "late" if self._can_be_late(asked):
                at = self._clock.steady + self._rng.random() * DEADLINE
                self._weather.late.append((at, asked))
                self._hang()
            case "hangs" | "late":
                self._hang()
            case "unheard":
                self.carry_out(asked)
                self._hang()
            case "reset":
                self.carry_out(asked)
                raise ConnectionResetError
            case "cut":
                return cut(carried(self.carry_out(asked)))
            case "502 done":
                self.carry_out(asked)
                return status(502)
            case "garbage":
                return carried(Answer(200, GARBAGE, "application/json"))
            case "foreign page":
                return carried(Answer(200, FOREIGN_PAGE))
            case "429" | "503 patience":
                return status(int(fate[:3]), self._rng.choice(PATIENCE))
        return status(int(fate))

    def _can_be_late(self, asked: Request) -> bool:
        """Whether a request that is given up may arrive all the same."""
        return asked.method == "PUT" or bool(PICTURES.fullmatch(asked.path))

    def carry_out(self, asked: Request) -> Answer:
        """The request arrives."""
        answer = self._sim.answer(asked)
        self._world.carried_out(self._who, asked, answer)
        return answer

    def _hang(self) -> None:
        self._clock.move(READ)
        raise TimeoutError


def cut(answer: Arrived) -> Arrived:
    """An answer that ends half way: for a failure, the beginning of its body is enough."""
    if 200 <= answer.status < 300:
        raise h11.RemoteProtocolError("the peer closed the connection before the body was complete")
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def status(code: int, retry_after: str | None = None) -> Arrived:
    """A bare status."""
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return carried(Answer(code, html_page(code), headers=headers))


def told(asked: Request) -> str:
    """A request in a few words for the history."""
    if asked.path == "/graphql":
        found = re.search(rb"(?:query|mutation)\s*\w*|find\w+|systemStatus", asked.body)
        return f"graphql {found[0].decode() if found else '?'}"
    return f"{asked.method} {asked.path}{'?id=' + asked.params['id'] if 'id' in asked.params else ''}"
