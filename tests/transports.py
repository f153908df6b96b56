"""A transport without a network: each request is answered by a function, as a server of the simulator answers it."""

from collections.abc import Callable
from urllib.parse import parse_qsl, urlsplit

import h11

from plexsync.http.connections import Answer, TooMuch
from plexsync.simulator import http
from plexsync.simulator.http import Request


class Answering:
    """A transport whose requests a function answers, or makes fail by raising what `Transport` may raise."""

    def __init__(self, answer: Callable[[Request], http.Answer]) -> None:
        self._answer = answer

    def exchange(self, request: h11.Request, content: bytes, cap: int) -> Answer:
        """The answer of the function."""
        answer = carried(self._answer(read(request, content)))
        if 200 <= answer.status < 300 and len(answer.body) > cap:
            raise TooMuch
        return answer

    def close(self) -> None:
        """Nothing is open."""


def saying(body: bytes, status: int = 200, **headers: str) -> Answering:
    """A transport that answers every request with this body."""
    return Answering(lambda _: http.Answer(status, body, headers=headers))


def read(request: h11.Request, content: bytes) -> Request:
    """The request as the simulator sees it."""
    target = request.target.decode("ascii")
    parts = urlsplit(target)
    query = parse_qsl(parts.query, keep_blank_values=True)
    headers = {name.decode("ascii"): value.decode("latin-1") for name, value in request.headers}
    method = request.method.decode("ascii")
    return Request(method, parts.path, dict(query), target=target, query=query, headers=headers, body=content)


def carried(answer: http.Answer) -> Answer:
    """An answer of the simulator as it arrives."""
    headers = {"content-type": answer.content_type}
    return Answer(answer.status, answer.body, headers | {name.lower(): value for name, value in answer.headers.items()})
