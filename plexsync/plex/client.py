"""Plex over HTTP: implements `plexsync.rules.neighbours.Plex`, and identifies the server.

Every answer is validated; one that is cut, foreign or contradictory raises Unavailable and never reads as "nothing
there". Plex silently ignores unknown filters, so filtered results are checked again here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import TypeVar
from unicodedata import normalize

import httpx2
import msgspec

from plexsync.http.client import LISTING_CAP, ORDINARY_CAP, Answer, Timeouts, Wire, unheard
from plexsync.http.client import by_address as by_address
from plexsync.plex import answers, artwork, edits
from plexsync.plex.answers import Body, FullPage, Page
from plexsync.plex.collections import CollectionClient
from plexsync.plex.history import PlexHistory
from plexsync.plex.paging import UNWANTED, UNWANTED_FIELDS, check_number, overlapping, query, slice_of
from plexsync.rules.errors import (
    Barred,
    ForeignNotFound,
    Missing,
    Neighbour,
    NeighbourError,
    Refused,
    TooLong,
    Unavailable,
    Unusable,
)
from plexsync.rules.http_answers import PLEX_MARK, Server
from plexsync.rules.item import Cast, Entry, Item
from plexsync.rules.neighbours import Clock
from plexsync.rules.paths import base_name
from plexsync.rules.pictures import LARGEST
from plexsync.rules.plan_records import Edit
from plexsync.rules.records import Section, ServerInfo
from plexsync.rules.text import composed, fold

PLEX = Server(Neighbour.PLEX, "Plex", "plex_url", "plex_token")
FOUND_PAGE = 200
# The page of Plex's own 404, as opposed to a proxy's, in case a proxy drops the header.
NOT_FOUND = b"<html><head><title>Not Found</title></head><body><h1>404 Not Found</h1></body></html>"
# The number of listed items that are read to prove that Plex is up.
PROOF = 20
# The header with the number of all rows of a list.
TOTAL = "x-plex-container-total-size"

SECTIONS = msgspec.json.Decoder(Body[answers.LibraryList])
ENTRIES = msgspec.json.Decoder(Body[Page[answers.EntryAnswer]])
PICTURES = msgspec.json.Decoder(Body[answers.OfferedPictures])
ITEMS = msgspec.json.Decoder(Body[FullPage[answers.ItemAnswer]])
IDENTITY = msgspec.json.Decoder(Body[answers.Identity])
# Any body with a container, such as that of a write, in the rare case that it has one.
NOTHING = msgspec.json.Decoder(Body[dict[str, object]])

C = TypeVar("C")
R = TypeVar("R")
T = TypeVar("T")


class PlexClient:
    """One Plex Media Server. Thread-safe; after construction it raises only `NeighbourError`.

    `libraries` are the names of the movie libraries to use, none for all. `client_id` identifies the installation: Plex
    requires a stable one from each. Raises Unusable for an address or token that can't be sent. See
    `plexsync.http.client.Wire` for `clock`, `transport`, `ca_file` and `alive`. `history` and `collections` share its
    connections.
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
        transport: httpx2.BaseTransport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
    ) -> None:
        self.libraries = tuple(libraries)
        self._token = token
        self._wire = Wire(
            PLEX,
            url,
            headers={"X-Plex-Token": token, "X-Plex-Client-Identifier": client_id, "X-Plex-Product": "PlexSync"},
            timeouts=Timeouts(connect_timeout, read_timeout),
            clock=clock,
            transport=transport,
            ca_file=ca_file,
            alive=alive,
        )
        self.history = PlexHistory(self)
        self.collections = CollectionClient(self)

    def close(self) -> None:
        """Close every connection."""
        self._wire.close()

    @property
    def date(self) -> str:
        """The server's time at the last answer to this thread, as an HTTP date; '' if it sent none."""
        return self._wire.date

    def identity(self) -> tuple[str, str]:
        """The server's (name, version), in one authenticated request."""
        server = self.server()
        return server.name, server.version

    def server(self) -> ServerInfo:
        """The server's identifier, version and name, in one authenticated request."""
        container = self._wire.decoded(IDENTITY, self.ask("GET", "/").body).MediaContainer
        # A server may be named like its token.
        return ServerInfo(*map(self.redacted, (container.machineIdentifier, container.version, container.friendlyName)))

    def redacted(self, text: str) -> str:
        """A text of the server without the token."""
        return text.replace(self._token, "***") if self._token else text

    def sections(self) -> list[Section]:
        """The movie libraries to use, at least one.

        Raises Barred if a configured name does not exist (setting plex_libraries), and if there is no library at all
        (setting plex_token): for a token without access, a Plex server looks empty.
        """
        sections = self.read("/library/sections", SECTIONS, answers.sections_of)
        return _chosen(sections, self.libraries, server=self._wire.server.name, token=self._token)

    def entries(self, section: str, *, page: int = 1000) -> Iterator[list[Entry]]:
        """Every item of a library, in pages without repeats; an incomplete listing raises Unavailable."""
        return self._pages(section, {}, page)

    def changed(self, section: str, *, since: int, page: int = 1000) -> Iterator[list[Entry]]:
        """The items of a library whose stamp is greater than `since`, in pages."""
        return self._pages(section, {"updatedAt>>": str(since)}, page)

    def count(self, section: str) -> int:
        """The number of items in a library, in one small request."""
        page, header = self._listing(section, {}, start=0, size=0)
        return self._checked(lambda: answers.total_of(page.totalSize, header))

    def _pages(self, section: str, filters: Mapping[str, str], page: int) -> Iterator[list[Entry]]:
        """The items that match a filter, in pages without repeats."""
        return overlapping(partial(self._page, section, filters), page, self.foreign)

    def find(self, section: str, name: str) -> list[Entry]:
        """The library's items that have a file of exactly this base name, as given, composed or decomposed.

        Plex compares code point by code point, so each form is a request of its own.
        """
        entries: dict[str, Entry] = {}
        for form in dict.fromkeys((name, normalize("NFC", name), normalize("NFD", name))):
            for page in self._pages(section, {"file": form}, FOUND_PAGE):
                named = [
                    entry
                    for entry in page
                    if any(composed(base_name(part.path)) == composed(name) for part in entry.parts)
                ]
                entries |= {entry.key: entry for entry in named}
                if not named:
                    # A Plex server that does not know the filter lists everything.
                    break
        return list(entries.values())

    def scan(self, section: str, folder: str) -> None:
        """Request a scan of one folder of a library, by its path in Plex; returns before the scan ends.

        All servers accept GET for this; Plex's documentation names only POST.
        """
        check_number(section)
        target = f"/library/sections/{section}/refresh?{query({'path': folder})}"
        try:
            self.ask("GET", target)
        except (Missing, Refused):
            self.ask("POST", target)

    def items(self, keys: Sequence[str]) -> dict[str, Item]:
        """Full items by rating key, in one request; missing ones are left out.

        A 404 for several can mean that only one is missing, or in the trash: they are then requested in halves. A 404
        that is not Plex's own, and an answer with nothing in it, count only if Plex proves meanwhile that it is up: it
        lists items, and one of them can be read (docs/decisions/0005-whose-404.md).
        """
        return self.existing(keys, ITEMS, answers.items_of)

    def existing(
        self, keys: Sequence[str], decoder: "msgspec.json.Decoder[Body[C]]", parse: Callable[[C], dict[str, T]]
    ) -> dict[str, T]:
        """What is parsed in the answers about these keys, see `items`."""
        for key in keys:
            check_number(key)
        read = partial(self.parsed, decoder=decoder, parse=parse)
        try:
            return self._found(keys, read, (Missing,))
        except ForeignNotFound:
            if not self._is_readable():
                raise
            return self._found(keys, read, (Missing, ForeignNotFound))

    def _found(
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
            if not items and not self._wire.decoded(NOTHING, answer.body).MediaContainer.get("Metadata"):
                raise self._not_found("with nothing, where Plex says 404")
        except absent:
            middle = len(keys) // 2
            halves = (keys[:middle], keys[middle:]) if middle else ()
            return {key: item for half in halves for key, item in self._found(half, read, absent).items()}
        wanted = set(keys)
        return {key: item for key, item in items.items() if key in wanted}

    def _is_readable(self) -> bool:
        """Whether Plex lists its libraries and their items now, and returns one of these; True if it has none."""
        try:
            pages = [self._page(section.key, {}, 0, PROOF)[0] for section in self.sections()]
        except NeighbourError:
            return False
        listed = [[entry.key for entry in page] for page in pages if page]
        read = partial(self.parsed, decoder=ITEMS, parse=answers.items_of)
        for keys in listed:
            with suppress(NeighbourError):
                if self._found(keys, read, (Missing,)):
                    return True
        return not listed

    def edit(self, section: str, key: str, edit: Edit, *, cast: Cast | None = None) -> None:
        """One PUT that applies all of `edit` to one item; several if it is too long (see `plexsync.plex.edits`).

        Raises ValueError for an invalid edit, Missing if the item is gone, TooLong if a single text or list is too
        long, once everything else was sent. The error says whether anything was applied.
        """
        self.send_edit(partial(edits.targets, section, key, edit, cast=cast))

    def send_edit(self, targets: Callable[..., list[str]]) -> None:
        """Send the requests of one edit, which `targets` returns for a `limit` of their length."""
        limit = edits.LINE_LIMIT
        waiting = targets(limit=limit)
        sent: list[str] = []
        too_long: dict[str, Refused] = {}
        while waiting:
            target = waiting.pop(0)
            try:
                self.put(target)
            except Refused as error:
                if not _is_too_long(error, target):
                    error.applied = bool(sent)
                    raise
                smaller = targets(limit=min(limit, len(target)) // 2)
                if target in smaller:
                    too_long[target] = error
                else:
                    limit = min(limit, len(target)) // 2
                    waiting = [other for other in smaller if other not in too_long and other not in sent]
            except NeighbourError as error:
                error.applied = bool(sent)
                raise
            else:
                sent.append(target)
        for unsent in too_long.values():
            raise _too_long(unsent, applied=bool(sent))

    def pictures(self, key: str, name: str) -> dict[str, bool]:
        """The item's pictures (`thumb` or `art`) by key, and whether each is the selected one; Missing if the item is
        gone.
        """
        check_number(key)
        return self.read(artwork.shelf(key, name), PICTURES, answers.pictures_of, cap=LISTING_CAP)

    def picture(self, place: str) -> bytes:
        """The bytes of a picture at an address from an item's `pictures`."""
        return bytes(self.ask("GET", place, cap=LARGEST).body)

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Upload a picture to the item; Plex selects and locks it. Raises Refused if Plex rejects it."""
        check_number(key)
        self.ask("POST", artwork.shelf(key, name), content=content)

    def show(self, key: str, name: str, picture: str) -> None:
        """Select one of the item's pictures. Raises Missing if the item has no such picture, or is gone itself.

        Plex answers with the new address of the selected picture, as plain text.
        """
        check_number(key)
        self.ask("PUT", artwork.choice(key, name, picture))

    def hide(self, key: str, name: str) -> None:
        """Deselect the item's picture. Raises Refused or Missing if Plex is too old for it (before 1.43)."""
        check_number(key)
        self.ask("DELETE", artwork.shown(key, name))

    def rate(self, key: str, rating: float | None) -> None:
        """Set the rating that the account gives an item, on a scale of 10; None clears it."""
        check_number(key)
        value = -1 if rating is None else rating
        self.put(f"/:/rate?identifier=com.plexapp.plugins.library&key={key}&rating={value:g}")

    def put(self, target: str) -> None:
        """Send a write without a body; raises Unavailable if another kind of server answers."""
        body = self.ask("PUT", target).body
        if body.strip():
            self._wire.decoded(NOTHING, body)

    def ask(self, method: str, target: str, *, content: bytes = b"", cap: int = ORDINARY_CAP) -> Answer:
        """The answer to one request; a 404 that is not Plex's own says nothing about the requested item."""
        answer = self._wire.send(method, target, content=content, cap=cap)
        if answer.status == 404 and PLEX_MARK not in answer.headers and bytes(answer.body).strip() != NOT_FOUND:
            raise self._not_found("404, and not as Plex does: is it running, and is this its address?")
        if answer.status == 401 and PLEX_MARK not in answer.headers and not answer.body:
            # So does Stash.
            message = f"{self._wire.server.name} answered 401, and not as Plex does: is this its address?"
            raise Barred(Neighbour.PLEX, message, setting="plex_url")
        return self._wire.accepted(answer)

    def foreign(self, answer: str) -> Unavailable:
        """The error for an answer from another kind of server, see `plexsync.http.client.Wire`."""
        return self._wire.foreign(answer)

    def _not_found(self, answer: str) -> ForeignNotFound:
        failure = self.foreign(answer)
        return ForeignNotFound(failure.neighbour, str(failure))

    def _page(self, section: str, filters: Mapping[str, str], start: int, size: int) -> tuple[list[Entry], int]:
        """One page of the items that match a filter."""
        page, header = self._listing(section, {**filters, "sort": "id"}, start=start, size=size)
        entries = self._checked(lambda: answers.entries_of(page, section))
        if filters and page.totalSize is None and not header:
            # A short filtered listing may come without a total.
            return entries, start + len(entries)
        return entries, self._checked(lambda: answers.total_of(page.totalSize, header))

    def _listing(
        self, section: str, filters: Mapping[str, str], *, start: int, size: int
    ) -> tuple[Page[answers.EntryAnswer], str]:
        check_number(section)
        unwanted = {"excludeElements": UNWANTED, "excludeFields": UNWANTED_FIELDS}
        asked = {"type": edits.MOVIE, **filters, **unwanted, **slice_of(start, size)}
        answer = self.ask("GET", f"/library/sections/{section}/all?{query(asked)}", cap=LISTING_CAP)
        return self._wire.decoded(ENTRIES, answer.body).MediaContainer, answer.headers.get(TOTAL, "")

    def page(
        self,
        answer: Answer,
        decoder: "msgspec.json.Decoder[Body[Page[R]]]",
        parse: Callable[[R], T],
        start: int,
        size: int,
    ) -> tuple[list[T], int]:
        """The rows of a page of a list, and the number of all. Without a total, a full page may have another behind it."""
        page, header = self._wire.decoded(decoder, answer.body).MediaContainer, answer.headers.get(TOTAL, "")
        rows = self._checked(lambda: [parse(row) for row in answers.rows_of(page)])
        if page.totalSize is None and not header:
            return rows, start + len(rows) + (len(rows) == size)
        return rows, self._checked(lambda: answers.total_of(page.totalSize, header))

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
        container = self._wire.decoded(decoder, answer.body).MediaContainer
        return self._checked(lambda: parse(container))

    def _checked(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except ValueError:
            failure = self.foreign("with something that contradicts itself")
        raise failure


def _is_too_long(error: Refused, target: str) -> bool:
    """Whether a request was rejected for its length. Plex has no status of its own for that: it answers 400."""
    return isinstance(error, TooLong) or len(target) > edits.LINE_LIMIT


def _too_long(error: Refused, *, applied: bool) -> TooLong:
    parameter = TooLong(error.neighbour, str(error))
    parameter.applied = applied
    return parameter


def _chosen(sections: list[Section], libraries: Sequence[str], *, server: str, token: str) -> list[Section]:
    """Return the sections with these names, or all. Raises Barred if there are none, or if a name does not exist."""
    if not libraries and not sections:
        raise Barred(Neighbour.PLEX, f"{server} shows no movie library to this plex_token", setting="plex_token")
    if not libraries:
        return sections
    wanted = {fold(name): name for name in libraries}
    existing = {fold(section.title) for section in sections}
    missing = [name for folded, name in wanted.items() if folded not in existing]
    if missing:
        titles = (", ".join(section.title for section in sections) or "none").replace(token, "***")
        message = f"Plex has no movie library named {', '.join(missing)}; it has: {titles}"
        raise Barred(Neighbour.PLEX, "".join(filter(str.isprintable, message)), setting="plex_libraries")
    return [section for section in sections if fold(section.title) in wanted]


def is_plex(url: str, ca_file: str, connect: float, read: float) -> bool:
    """Whether Plex answers at an address; sends no token."""
    with suppress(NeighbourError, Unusable):
        with closing(Wire(PLEX, url, headers={}, timeouts=Timeouts(connect, read), ca_file=ca_file)) as wire:
            return bool(wire.decoded(IDENTITY, wire.ask("GET", "/identity").body).MediaContainer.machineIdentifier)
    return False
