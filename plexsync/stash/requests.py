"""The requests to one Stash: GraphQL.

An answer that carries an error, lacks a requested field or has null for a required value raises
Unavailable, and nothing of it is used: a partial answer would blank fields in Plex.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import ParamSpec, Protocol, TypeVar, Unpack

import msgspec

from plexsync.http.client import LISTING_CAP, MEGABYTE, Wire, json_words, messages, unheard
from plexsync.http.connections import Answer, Timeouts, Transport
from plexsync.rules.clock import Clock
from plexsync.rules.servers.errors import Barred, Neighbour, NeighbourError, Unavailable, Unusable
from plexsync.rules.servers.http_answers import PLEX_MARK, Server
from plexsync.stash import answers, queries

STASH = Server(Neighbour.STASH, "Stash", "stash_url", "stash_api_key")
EVERYTHING = -1
# Space for one scene with a very long text, and for the usual size of each of the others.
SCENES_CAP, SCENE_CAP = 8 * MEGABYTE, MEGABYTE // 4
# A GraphQL server's statuses for a query that does not fit its schema: the body tells it from a rejection.
SCHEMA_STATUSES = (400, 422)
# The health page, which needs no key.
HEALTHY = b"."

D = TypeVar("D")
A = TypeVar("A")
P = ParamSpec("P")
S = TypeVar("S", bound="Identified")
T = TypeVar("T")


class Identified(Protocol):
    """An answer with an id."""

    id: answers.Id


class Envelope(msgspec.Struct):
    """The frame of every GraphQL answer; `data` is decoded once it is known that there are no errors."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[msgspec.Raw] | None = None


ENVELOPE = msgspec.json.Decoder(Envelope)


def key_header(api_key: str) -> dict[str, str]:
    """The header with the key. An empty key is not sent, since Stash rejects any key if none is configured."""
    return {"ApiKey": api_key} if api_key else {}


class StashOptions(queries.SceneExtras, total=False):
    """How a Stash is asked, see `StashRequests`; and for what of its scenes."""

    connect_timeout: float
    read_timeout: float
    clock: Clock | None
    transport: Transport | None
    ca_file: str
    alive: Callable[[], None]


class StashRequests:
    """The requests to one Stash server. Thread-safe; after construction it raises only `NeighbourError`.

    Raises Unusable for an address or key that can't be sent. See `plexsync.http.client.Wire` for `clock`, `transport`,
    `ca_file` and `alive`, and `plexsync.stash.queries.SceneExtras` for what is requested of scenes.
    """

    def __init__(
        self,
        url: str,
        api_key: str = "",
        *,
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        clock: Clock | None = None,
        transport: Transport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
        **more: Unpack[queries.SceneExtras],
    ) -> None:
        self.more = more
        self._wire = Wire(
            STASH,
            url,
            headers=key_header(api_key),
            timeouts=Timeouts(connect_timeout, read_timeout),
            clock=clock,
            transport=transport,
            ca_file=ca_file,
            alive=alive,
        )

    @property
    def server_name(self) -> str:
        """The display name of the server: "Stash at nas:9999"."""
        return self._wire.server.name

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self._wire.date

    def ask(
        self,
        decoder: "msgspec.json.Decoder[D]",
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        cap: int = LISTING_CAP,
    ) -> D:
        """The data of one GraphQL request; raises Unavailable unless the data is complete."""
        content = msgspec.json.encode({"query": query, "variables": dict(variables or {})})
        headers = {"Content-Type": "application/json"}
        answer = self._wire.send("POST", "/graphql", content=content, headers=headers, cap=cap)
        if answer.status == 404:
            raise self._wire.foreign("that it has no API: is something else at this address?")
        if answer.status == 401 and PLEX_MARK in answer.headers:
            raise Barred(Neighbour.STASH, f"{self.server_name} answered as Plex does (401)", setting="stash_url")
        if answer.status in SCHEMA_STATUSES and self._has_errors(answer):
            asked = self._about(query, json_words(answer.body))
            raise self._wire.foreign(f"that it does not know the question: is it older than 0.28?{asked}")
        envelope = self._wire.decode(ENVELOPE, self._wire.check_status(answer).body)
        if envelope.errors:
            raise self._wire.foreign(f"with an error of its own{self._about(query, messages(envelope.errors))}")
        return self.decoded(decoder, envelope.data)

    def ask_one(
        self,
        decoder: "msgspec.json.Decoder[dict[str, D]]",
        name: str,
        query: str,
        variables: Mapping[str, object] | None = None,
        *,
        cap: int = LISTING_CAP,
    ) -> D:
        """The answer to the only question of a request, which has this name there."""
        data = self.ask(decoder, query, variables, cap=cap)
        if data.keys() != {name}:
            raise self._wire.foreign("not with what was asked for")
        return data[name]

    def _about(self, query: str, message: str) -> str:
        """The name of the query, and what Stash says about it."""
        words = self._wire.scrub(message)
        return f" ({query_name(query)}{f': {words}' if words else ''})"

    def _has_errors(self, answer: Answer) -> bool:
        try:
            return self._wire.decode(ENVELOPE, answer.body).errors is not None
        except Unavailable:
            # GraphQL errors can be longer than the part of the body that is read.
            return answer.body.lstrip().startswith(b"{")

    def checked(self, parse: Callable[P, A], *read: P.args, **more: P.kwargs) -> A:
        """The parsed data; raises Unavailable if it contradicts itself."""
        try:
            return parse(*read, **more)
        except ValueError:
            failure = self._wire.foreign("with something that contradicts itself")
        raise failure

    def walk(
        self, after: int, ask: Callable[[int], tuple[int, list[T]]], id_of: Callable[[T], int]
    ) -> Iterator[list[T]]:
        """Yield pages until nothing is left; `ask` returns the count and the first page of the objects above an id."""
        while True:
            total, rows = ask(after)
            ids = [id_of(row) for row in rows]
            self.checked(answers.check_rising, ids, after)
            if rows:
                yield rows
                after = ids[-1]
            if len(rows) >= total:
                return
            if not rows:
                raise self._wire.foreign("with a part of its scenes")

    def scenes(
        self,
        ids: Sequence[int],
        decoder: "msgspec.json.Decoder[dict[str, S | None]]",
        query: Callable[[Sequence[int]], str],
        parse: Callable[[S], T],
    ) -> dict[int, T]:
        """What is parsed of each of these scenes, in one request; missing ones are left out."""
        wanted = list(dict.fromkeys(ids))
        if not wanted:
            return {}
        data = self.ask(decoder, query(wanted), cap=scenes_cap(wanted))
        rows = self.checked(partial(by_id, data, wanted))
        return dict(zip(rows, self.checked(list, map(parse, rows.values())), strict=True))

    def get(self, path: str, headers: Mapping[str, str], cap: int) -> Answer:
        """The answer to a request for a file; it may be 304."""
        answer = self._wire.send("GET", path, headers=headers, cap=cap)
        return answer if answer.status == 304 else self._wire.check_status(answer)

    def decoded(self, decoder: "msgspec.json.Decoder[D]", part: msgspec.Raw) -> D:
        """A part of an answer that was not decoded with it."""
        return self._wire.decode(decoder, memoryview(part))

    def foreign(self, answer: str) -> Unavailable:
        """The error for an answer from another kind of server, see `plexsync.http.client.Wire`."""
        return self._wire.foreign(answer)


def query_name(query: str) -> str:
    """The name of a query or mutation."""
    matched = re.search(r"\b(?:query|mutation)\s+(\w+)", query)
    return matched[1] if matched else "a query"


def scenes_cap(ids: Sequence[int]) -> int:
    """The largest answer about these scenes that is read, in bytes."""
    return min(LISTING_CAP, SCENES_CAP + SCENE_CAP * len(ids))


def by_id(data: Mapping[str, S | None], ids: Sequence[int]) -> dict[int, S]:
    """The answer about each of these scenes that exists. Raises ValueError for another answer than to this query."""
    if data.keys() != {f"s{id}" for id in ids}:
        raise ValueError("not what was asked for")
    scenes = {id: answer for id in ids if (answer := data[f"s{id}"]) is not None}
    if any(answers.number(answer.id) != id for id, answer in scenes.items()):
        raise ValueError("another scene than was asked for")
    return scenes


def walking(scenes: Mapping[str, object], size: int) -> dict[str, object]:
    """The variables for a page of scenes by id."""
    return {"scenes": scenes, "page": queries.page(size, sort="id")}


def is_stash(url: str, ca_file: str, connect: float, read: float) -> bool:
    """Whether Stash answers at an address; sends no key."""
    with suppress(NeighbourError, Unusable):
        with closing(Wire(STASH, url, headers={}, timeouts=Timeouts(connect, read), ca_file=ca_file)) as wire:
            return bytes(wire.ask("GET", "/healthz").body) == HEALTHY
    return False
