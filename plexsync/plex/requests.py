"""The requests to one Plex, and the walk through its lists.

Every answer is validated; one that is cut, foreign or contradictory raises Unavailable and never reads as "nothing
there". Plex silently ignores unknown filters, so who filters checks the results again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import ParamSpec, Protocol, TypedDict, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from plexsync.http.client import LISTING_CAP, ORDINARY_CAP, Wire, unheard
from plexsync.http.connections import Answer, Timeouts, Transport
from plexsync.plex import answers, edits
from plexsync.plex.answers import Body, FullPage, Page
from plexsync.rules.item import Entry
from plexsync.rules.records import Section
from plexsync.rules.servers.errors import (
    Barred,
    Conflict,
    ForeignNotFound,
    Missing,
    Neighbour,
    NeighbourError,
    Refused,
    TooLong,
    Unavailable,
    Unusable,
)
from plexsync.rules.servers.http_answers import PLEX_MARK, Server
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.words.text import fold

PLEX = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
# Fields that no list uses. The names are hints: a server may send them all the same.
UNWANTED = "Image,Genre,Country,Guid,Rating,Collection,Director,Writer,Role,Producer,Similar,Style,Mood,Format"
UNWANTED_FIELDS = "summary,tagline"
WITHOUT_FILES = {"excludeElements": f"{UNWANTED},Media", "excludeFields": UNWANTED_FIELDS}
# The page of Plex's own 404, as opposed to a proxy's, in case a proxy drops the header.
NOT_FOUND = b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
# The number of listed items that are read to prove that Plex is up.
PROOF = 20
# The header with the number of all rows of a list.
TOTAL = "x-plex-container-total-size"

SECTIONS = msgspec.json.Decoder(Body[answers.LibraryList])
ENTRIES = msgspec.json.Decoder(Body[Page[answers.EntryAnswer]])
ITEMS = msgspec.json.Decoder(Body[FullPage[answers.ItemAnswer]])
IDENTITY = msgspec.json.Decoder(Body[answers.Identity])

# The version of Plex's interface by whose description requests are made. An older server takes no notice.
SPOKEN = {"X-Plex-Pms-Api-Version": "1.2.2"}

C = TypeVar("C")
R = TypeVar("R")
T = TypeVar("T")
P = ParamSpec("P")
# The times that a walk may step back.
STEPS_BACK = 100


class Keyed(Protocol):
    """An entry of a list, told apart by its key."""

    @property
    def key(self) -> str:
        """Its rating key."""


K = TypeVar("K", bound=Keyed)


def check_number(text: str) -> None:
    """Raise ValueError for a key that is no number: it would go into a path."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a library or item is named by a number")


def slice_of(start: int, size: int) -> dict[str, str]:
    """The parameters for a page of a list."""
    return {"X-Plex-Container-Start": str(start), "X-Plex-Container-Size": str(size)}


def query(parameters: Mapping[str, str | int]) -> str:
    """The parameters as they stand in an address."""
    return urlencode(parameters, errors="replace", quote_via=quote)


def plex_headers(token: str, client_id: str) -> dict[str, str]:
    """The headers of every request to Plex."""
    return {"X-Plex-Token": token, "X-Plex-Client-Identifier": client_id, "X-Plex-Product": "PlexSync", **SPOKEN}


class PlexOptions(TypedDict, total=False):
    """How a Plex is asked; see `PlexRequests`."""

    libraries: Sequence[str]
    connect_timeout: float
    read_timeout: float
    client_id: str
    clock: Clock | None
    transport: Transport | None
    ca_file: str
    alive: Callable[[], None]


class PlexRequests:
    """The requests to one Plex Media Server. Thread-safe; after construction it raises only `NeighbourError`.

    `libraries` are the names of the movie libraries to use, none for all. `client_id` identifies the installation: Plex
    requires a stable one from each. Raises Unusable for an address or token that can't be sent. See
    `plexsync.http.client.Wire` for `clock`, `transport`, `ca_file` and `alive`.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        libraries: Sequence[str] = (),
        connect_timeout: float = 5.0,
        read_timeout: float = 30.0,
        client_id: str = "plexsync",
        clock: Clock | None = None,
        transport: Transport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
    ) -> None:
        self.libraries = tuple(libraries)
        self._token = token
        self._wire = Wire(
            PLEX,
            url,
            headers=plex_headers(token, client_id),
            timeouts=Timeouts(connect_timeout, read_timeout),
            clock=clock,
            transport=transport,
            ca_file=ca_file,
            alive=alive,
        )

    @property
    def server_name(self) -> str:
        """The display name of the server: "Plex at nas:32400"."""
        return self._wire.server.name

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port of the server."""
        return self._wire.place

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self._wire.date

    def redacted(self, text: str) -> str:
        """A text of the server without the token."""
        return text.replace(self._token, "***") if self._token else text

    def with_token(self, target: str) -> str:
        """The target with the token as a parameter, for routes that take it there alone."""
        return f"{target}{'&' if '?' in target else '?'}{query({'X-Plex-Token': self._token})}"

    def sections(self) -> list[Section]:
        """The movie libraries to use, at least one.

        Raises Barred if a configured name does not exist (setting plex_libraries), and if there is no library at all
        (setting plex_token): for a token without access, a Plex server looks empty.
        """
        sections = self.read("/library/sections", SECTIONS, answers.sections_of)
        if not self.libraries and not sections:
            message = (
                f"{self.server_name} shows no movie library to this plex_token: add one there, or sign in as its owner"
            )
            raise Barred(Neighbour.PLEX, message, setting="plex_token")
        wanted, existing = {fold(name): name for name in self.libraries}, {fold(section.title) for section in sections}
        if missing := [name for folded, name in wanted.items() if folded not in existing]:
            titles = self.redacted(", ".join(section.title for section in sections) or "none")
            message = f"Plex has no movie library named {', '.join(missing)}; it has: {titles}"
            raise Barred(Neighbour.PLEX, "".join(filter(str.isprintable, message)), setting="plex_libraries")
        return [section for section in sections if not wanted or fold(section.title) in wanted]

    def existing(
        self, keys: Sequence[str], decoder: "msgspec.json.Decoder[Body[C]]", parse: Callable[[C], dict[str, T]]
    ) -> dict[str, T]:
        """What is parsed in the answers about these keys, see `PlexClient.items`."""
        for key in keys:
            check_number(key)
        read = partial(self.parsed, decoder=decoder, parse=parse)
        try:
            return self._read_present(keys, read, (Missing,))
        except ForeignNotFound:
            if not self._is_readable():
                raise
            return self._read_present(keys, read, (Missing, ForeignNotFound))

    def _read_present(
        self,
        keys: Sequence[str],
        read: Callable[[Answer], dict[str, T]],
        absent: tuple[type[NeighbourError], ...],
    ) -> dict[str, T]:
        """What exists; an error of the types `absent` for a single key means that there is no such item."""
        if not keys:
            return {}
        try:
            answer = self.ask("GET", f"/library/metadata/{','.join(keys)}?skipRefresh=1", cap=LISTING_CAP)
            items = read(answer)
            if not items and not self._wire.decode(answers.NOTHING, answer.body).MediaContainer.get("Metadata"):
                raise self._not_found("with nothing, where Plex says 404")
        except absent:
            middle = len(keys) // 2
            halves = (keys[:middle], keys[middle:]) if middle else ()
            return {key: item for half in halves for key, item in self._read_present(half, read, absent).items()}
        wanted = set(keys)
        return {key: item for key, item in items.items() if key in wanted}

    def _is_readable(self) -> bool:
        """Whether Plex lists its libraries and their items now, and returns one of these; True if it has none."""
        try:
            pages = [self.entries(section.key, {}, 0, PROOF)[0] for section in self.sections()]
        except NeighbourError:
            return False
        listed = [[entry.key for entry in page] for page in pages if page]
        read = partial(self.parsed, decoder=ITEMS, parse=answers.items_of)
        for keys in listed:
            with suppress(NeighbourError):
                if self._read_present(keys, read, (Missing,)):
                    return True
        return not listed

    def send_edit(self, targets: Callable[..., list[str]]) -> None:
        """Send the requests of one edit, which `targets` returns for a `limit` of their length.

        What Plex refuses is sent in its parts, so that one value keeps back no other; a Plex that refuses the first two is
        asked no more. The error names the first refused field and its value.
        """
        limit = edits.LINE_LIMIT
        waiting = targets(limit=limit)
        sent: list[str] = []
        refused: dict[str, NeighbourError] = {}
        while waiting and (sent or sum(not isinstance(error, TooLong) for error in refused.values()) < 2):
            target = waiting.pop(0)
            try:
                self.write("PUT", target)
            except Refused as error:
                if isinstance(error, Conflict):
                    error.applied = bool(sent)
                    raise
                # Plex has no status of its own for a request that is too long: it answers 400.
                is_long = isinstance(error, TooLong) or len(target) > edits.LINE_LIMIT
                smaller = targets(limit=min(limit, len(target)) // 2 if is_long else 1)
                if target in smaller:
                    refused[target] = TooLong(error.neighbour, str(error)) if is_long else error
                else:
                    limit = min(limit, len(target)) // 2 if is_long else 1
                    waiting = [other for other in smaller if other not in refused and other not in sent]
            except NeighbourError as error:
                if isinstance(error, Unavailable) and error.is_over:
                    refused[target] = error
                    break
                error.applied = bool(sent)
                raise
            else:
                sent.append(target)
        for target, failure in refused.items():
            failure.args = (f"{failure}; sent was {edits.words_of(target)}",)
            failure.applied = bool(sent)
            raise failure

    def write(self, method: str, target: str, *, cap: int = ORDINARY_CAP) -> None:
        """Send a write without a body; raises Unavailable if another kind of server answers."""
        body = self.ask(method, target, cap=cap).body
        if body.strip():
            self._wire.decode(answers.NOTHING, body)

    def write_picture(self, method: str, target: str, content: bytes = b"") -> None:
        """Send a write about a picture, which Plex answers with nothing or with an address as text.

        Raises Unavailable if another kind of server answers.
        """
        answer = self.ask(method, target, content=content)
        if PLEX_MARK not in answer.headers and (body := bytes(answer.body).strip()) and not body.startswith(b"/"):
            self._wire.decode(answers.NOTHING, body)

    def ask(self, method: str, target: str, *, content: bytes = b"", cap: int = ORDINARY_CAP) -> Answer:
        """The answer to one request; a 404 that is not Plex's own says nothing about the requested item."""
        answer = self._wire.send(method, target, content=content, cap=cap)
        if answer.status == 404 and PLEX_MARK not in answer.headers and bytes(answer.body).strip() != NOT_FOUND:
            raise self._not_found("404, and not as Plex does: is it running, and is this its address?")
        if answer.status == 401 and PLEX_MARK not in answer.headers and not answer.body:
            # So does Stash.
            message = f"{self.server_name} answered 401, and not as Plex does: is this its address?"
            raise Barred(Neighbour.PLEX, message, setting="plex_url")
        return self._wire.check_status(answer)

    def foreign(self, answer: str) -> Unavailable:
        """The error for an answer from another kind of server, see `plexsync.http.client.Wire`."""
        return self._wire.foreign(answer)

    def _not_found(self, answer: str) -> ForeignNotFound:
        failure = self.foreign(answer)
        return ForeignNotFound(failure.neighbour, str(failure))

    def entries(self, section: str, filters: Mapping[str, str], start: int, size: int) -> tuple[list[Entry], int]:
        """One page of the items that match a filter."""
        check_number(section)
        unwanted = {"excludeElements": UNWANTED, "excludeFields": UNWANTED_FIELDS}
        asked = {"type": edits.MOVIE, **filters, "sort": "id", **unwanted, **slice_of(start, size)}
        answer = self.ask("GET", f"/library/sections/{section}/all?{query(asked)}", cap=LISTING_CAP)
        page, header = self._wire.decode(ENTRIES, answer.body).MediaContainer, answer.headers.get(TOTAL, "")
        entries = self._checked(answers.entries_of, page, section)
        if filters and page.totalSize is None and not header:
            # A short filtered listing may come without a total.
            return entries, start + len(entries)
        return entries, self._checked(answers.total_of, page.totalSize, header)

    def page(
        self,
        answer: Answer,
        decoder: "msgspec.json.Decoder[Body[Page[R]]]",
        parse: Callable[[R], T],
        start: int,
        size: int,
    ) -> tuple[list[T], int]:
        """The rows of a page of a list, and the number of all. Without a total, a full page may have another behind it."""
        page, header = self._wire.decode(decoder, answer.body).MediaContainer, answer.headers.get(TOTAL, "")
        rows = self._checked(list, map(parse, self._checked(answers.rows_of, page)))
        if page.totalSize is None and not header:
            return rows, start + len(rows) + (len(rows) == size)
        return rows, self._checked(answers.total_of, page.totalSize, header)

    def walk(self, read: Callable[[int, int], tuple[list[K], int]], page: int) -> Iterator[list[K]]:
        """The entries that `read` lists from a start on, at most so many, of a total: in pages without repeats.

        Each page begins with the last entry of the one before. If it does not, entries were removed meanwhile and the
        rest moved up, so the walk steps back until pages overlap again. So nothing is missed that stays in the list.
        """
        known_keys: set[str] = set()
        start = steps_back = 0
        while True:
            # At least two entries, since pages overlap by one.
            entries, total = read(start, max(page + 1 if start else page, 2))
            if start and (not entries or entries[0].key not in known_keys):
                steps_back += 1
                if steps_back > STEPS_BACK:
                    raise self.foreign("with a library that does not hold still")
                start = max(0, start - page)
                continue
            fresh = [entry for entry in entries if entry.key not in known_keys]
            known_keys.update(entry.key for entry in fresh)
            if fresh:
                yield fresh
            if start + len(entries) >= total:
                return
            if len(entries) < 2:
                raise self.foreign("with an incomplete library")
            start += len(entries) - 1

    def read(
        self,
        target: str,
        decoder: "msgspec.json.Decoder[Body[C]]",
        parse: Callable[[C], T],
        *,
        cap: int = ORDINARY_CAP,
    ) -> T:
        """What is parsed in the answer to one request."""
        return self.parsed(self.ask("GET", target, cap=cap), decoder, parse)

    def parsed(self, answer: Answer, decoder: "msgspec.json.Decoder[Body[C]]", parse: Callable[[C], T]) -> T:
        """What is parsed in the container of an answer; raises Unavailable if it contradicts itself."""
        return self._checked(parse, self._wire.decode(decoder, answer.body).MediaContainer)

    def _checked(self, parse: Callable[P, T], *read: P.args, **more: P.kwargs) -> T:
        try:
            return parse(*read, **more)
        except ValueError:
            failure = self.foreign("with something that contradicts itself")
        raise failure


def plex_machine(url: str, ca_file: str, connect: float, read: float) -> str:
    """The identifier of the Plex server at an address; sends no token.

    Raises NeighbourError if there is none, Unusable for an address that can't be used.
    """
    with closing(Wire(PLEX, url, headers=SPOKEN, timeouts=Timeouts(connect, read), ca_file=ca_file)) as wire:
        answer = wire.send("GET", "/identity")
        if 400 <= answer.status < 500:
            # Plex tells everyone who it is.
            message = f"{wire.server.name} answered {answer.status}, and not as Plex does: is this its address?"
            raise Barred(Neighbour.PLEX, message, setting="plex_url")
        machine = wire.decode(IDENTITY, wire.check_status(answer).body).MediaContainer.machineIdentifier
        if not machine:
            raise wire.foreign("without its identifier")
        return machine


def is_plex(url: str, ca_file: str, connect: float, read: float) -> bool:
    """Whether Plex answers at an address; sends no token."""
    with suppress(NeighbourError, Unusable):
        return bool(plex_machine(url, ca_file, connect, read))
    return False
