"""One neighbour over HTTP: a pool of kept connections, three deadlines, a cap on every body, and errors of ours alone.

A `Wire` is used from several threads at once. Secrets travel in headers only, redirects are never followed, certificates
are always verified, and nothing of the environment (proxies, netrc) has a say. What it raises is `NeighbourError`; the
foreign exception, which would carry the request and its headers along, is left behind.
"""

import codecs
import logging
import ssl
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import TypeVar

import httpcore2
import httpx2
import msgspec

from plexsync.http.streams import Deadline, Transport
from plexsync.rules.errors import NeighbourError, Refused, TooLong, Unavailable, Unusable
from plexsync.rules.http_answers import Server, judge, unreachable, whole_request
from plexsync.rules.neighbours import Clock

MEGABYTE = 1_000_000
ORDINARY_CAP = 10 * MEGABYTE
LISTING_CAP = 32 * MEGABYTE
ERROR_CAP = 64_000
STEP = 64_000

# Plex drops idle connections after 20 s; giving them up earlier avoids writing into one that is being closed.
IDLE_SECONDS = 15.0
CONNECTIONS = 10

# The libraries below log addresses with their query (names of files, whole edits); that is nobody's to read.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

_BLANKS = bytes(max(32, code) for code in range(256))

T = TypeVar("T")


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect and between two bytes."""

    connect: float
    read: float


@dataclass(frozen=True)
class Answer:
    """A complete answer: the body is unpacked; for errors it is what could be had of its first 64 kB."""

    status: int
    body: bytes | bytearray = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def unheard() -> None:
    """Nobody has to know."""


class Wire:
    """The way to one server.

    `headers` go with every request. `transport` replaces the network (its exceptions are those of `httpcore2`); `clock`
    serves a Retry-After that names a moment in an answer without a Date. `ca_file` holds certificates to trust beside
    those of the system; `alive` hears of every request. Raises Unusable for an address, a header or a file that can't be
    used.
    """

    def __init__(
        self,
        server: Server,
        url: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        clock: Clock | None = None,
        transport: httpx2.BaseTransport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
    ) -> None:
        base = address(url, server.url_setting)
        check_headers(headers, server.key_setting)
        self.server = Server(
            server.neighbour, f"{server.name} at {host_of(base)}", server.url_setting, server.key_setting
        )
        self._base = base
        self._prefix = base.raw_path.split(b"?")[0].rstrip(b"/").decode("ascii")
        self._clock = clock
        self._alive = alive
        self.date = ""
        """The Date of the last answer that had one."""
        self._whole = whole_request(timeouts.read)
        self._deadline = Deadline()
        self._client = httpx2.Client(
            transport=transport or _transport(self._deadline, base, ca_file),
            headers={"User-Agent": "PlexSync", "Accept": "application/json", "Accept-Encoding": "gzip", **headers},
            timeout=httpx2.Timeout(timeouts.read, connect=timeouts.connect),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def ask(
        self,
        method: str,
        target: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        cap: int = ORDINARY_CAP,
    ) -> Answer:
        """The good answer (2xx) to one request; `target` is a path below the server's address with its encoded query."""
        return self.accepted(self.send(method, target, content=content, headers=headers, cap=cap))

    def send(
        self,
        method: str,
        target: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        cap: int = ORDINARY_CAP,
    ) -> Answer:
        """The answer to one request whatever its status; raises only when there is none that is complete."""
        self._alive()
        try:
            url = self._base.copy_with(raw_path=f"{self._prefix}{target}".encode("ascii"))
            request = self._client.build_request(method, url, content=content or None, headers=headers)
            with self._deadline.due_in(self._whole):
                return self._exchange(request, cap)
        except NeighbourError:
            raise
        except (*_NETWORK, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
            failure = self._translated(error)
        raise failure

    def accepted(self, answer: Answer) -> Answer:
        """The answer itself if its status is good; raises what the status stands for."""
        error = judge(
            answer.status,
            self.server,
            retry_after=answer.headers.get("retry-after", ""),
            date=answer.headers.get("date", ""),
            now=self._clock.now() / 1000 if self._clock else None,
        )
        if error is not None:
            raise error
        return answer

    def decoded(self, decoder: "msgspec.json.Decoder[T]", body: bytes | bytearray | memoryview) -> T:
        """The body as what it has to be; raises Unavailable for anything else, however deep or broken.

        Inside texts the other side may be careless: what is no UTF-8 (a text that was cut inside a character) reads as
        U+FFFD, a bare control character as a blank.
        """
        try:
            try:
                return decoder.decode(body)
            except (msgspec.DecodeError, UnicodeError) as error:
                if isinstance(error, msgspec.ValidationError):
                    raise
                return decoder.decode(_mended(body))
        except msgspec.ValidationError:
            failure = self.foreign("in a form that is not known")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            failure = self.foreign(_looks_like(bytes(body[:200])))
        raise failure

    def foreign(self, answer: str) -> Unavailable:
        """The error for an answer that can't be from this kind of server: "Plex at nas:32400 answered <what>"."""
        return Unavailable(self.server.neighbour, f"{self.server.name} answered {answer}")

    def _exchange(self, request: httpx2.Request, cap: int) -> Answer:
        response = self._client.send(request, stream=True)
        try:
            body = self._body(response, cap) if response.is_success else self._error_body(response)
        finally:
            response.close()
        self.date = response.headers.get("date", self.date)
        return Answer(response.status_code, body, response.headers)

    def _body(self, response: httpx2.Response, cap: int) -> bytearray:
        too_much = self.foreign(f"with more than {cap // MEGABYTE} MB")
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > cap):
            raise too_much
        body = bytearray()
        for piece in self._pieces(response):
            body += piece
            if len(body) > cap:
                raise too_much
        # As it is: a copy would double what a large answer takes.
        return body

    def _error_body(self, response: httpx2.Response) -> bytearray:
        """The beginning of what an error says, as far as it can be had: the status alone is an answer."""
        body = bytearray()
        with suppress(NeighbourError, *_NETWORK, OSError):
            for piece in self._pieces(response):
                body += piece
                if len(body) >= ERROR_CAP:
                    break
        return body[:ERROR_CAP]

    def _pieces(self, response: httpx2.Response) -> Iterator[bytes]:
        coding = response.headers.get("content-encoding", "").strip().lower()
        if coding in ("", "identity"):
            return response.iter_raw()
        if coding in ("gzip", "x-gzip"):
            return self._unpacked(response.iter_raw())
        raise self.foreign("in a packing that was not asked for")

    def _unpacked(self, packed: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes inside a gzip stream, a little at a time, so that a small body can't grow large in memory."""
        unpacker = zlib.decompressobj(wbits=31)
        empty = True
        try:
            for chunk in packed:
                empty = False
                if unpacker.eof:
                    raise self.foreign("with something behind its end")
                room = chunk
                while room and not unpacker.eof:
                    yield unpacker.decompress(room, STEP)
                    room = unpacker.unconsumed_tail
            yield unpacker.flush()
        except zlib.error:
            raise self.foreign("with a broken body") from None
        if not (empty or unpacker.eof):
            raise self.foreign("with half a body")

    def _translated(self, error: Exception) -> NeighbourError:
        """Our error for what the network raised."""
        neighbour, name = self.server.neighbour, self.server.name
        match error:
            case httpcore2.PoolTimeout():
                return Unavailable(neighbour, f"every connection to {name} is busy", sent=False)
            case httpcore2.ConnectTimeout():
                return unreachable(self.server, TimeoutError())
            case httpcore2.ConnectError():
                return unreachable(self.server, _cause(error))
            case UnicodeError():
                return unreachable(self.server, error)
            case httpx2.InvalidURL():
                return TooLong(neighbour, f"the request was too long for {name}")
            case httpcore2.LocalProtocolError():
                return Refused(neighbour, f"the request to {name} could not be put into HTTP")
            case httpcore2.TimeoutException():
                return Unavailable(neighbour, f"{name} did not answer in time")
            case httpcore2.ProtocolError() | httpx2.HTTPError():
                return Unavailable(neighbour, f"{name} broke off its answer, or does not speak HTTP")
            case _:
                return Unavailable(neighbour, f"{name} dropped the connection")


_NETWORK = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


def _cause(error: Exception) -> BaseException | None:
    """What the system raised: `httpcore2` hands it on as the argument of its own error, and cuts the chain of causes."""
    return next((arg for arg in error.args if isinstance(arg, BaseException)), error.__cause__)


def _transport(deadline: Deadline, base: httpx2.URL, ca_file: str) -> Transport:
    tls = trusting(ca_file) if base.scheme == "https" else None
    return Transport(deadline, tls, connections=CONNECTIONS, idle_seconds=IDLE_SECONDS)


def trusting(ca_file: str) -> ssl.SSLContext:
    """Verifies certificates and names, by what the system trusts and by what the file holds."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file:
        # So that the file may hold the server's own certificate instead of the authority behind it.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise Unusable("tls_ca_file can't be read, or holds no certificates in PEM form") from error
    return context


def address(url: str, setting: str) -> httpx2.URL:
    """The parts of an address; raises Unusable for one that can't be used."""
    try:
        base = httpx2.URL(url.strip())
    except httpx2.InvalidURL:
        base = httpx2.URL("")
    if base.scheme not in ("http", "https") or not base.host:
        raise Unusable(f"{setting} must be an address like http://host:port")
    if base.userinfo or base.query or base.fragment:
        raise Unusable(f"{setting} must be an address alone, without a user, a query or a fragment")
    return base


def check_headers(headers: Mapping[str, str], setting: str) -> None:
    """Raises Unusable for a header that can't be sent."""
    for value in headers.values():
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise Unusable(f"{setting} is empty, or has characters that can't be sent")


def host_of(base: httpx2.URL) -> str:
    """Host and port as a person reads them."""
    host = f"[{base.host}]" if ":" in base.host else base.host
    return f"{host}:{base.port}" if base.port else host


def _mended(body: bytes | bytearray | memoryview) -> bytes:
    """The body in UTF-8 and without control characters, made piece by piece to keep it small in memory."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    pieces = (decode(bytes(body[at : at + STEP])).encode() for at in range(0, len(body), STEP))
    return (b"".join(pieces) + decode(b"", final=True).encode()).translate(_BLANKS)


def _looks_like(beginning: bytes) -> str:
    """How a body that is no JSON strikes a person."""
    start = beginning.lstrip()[:15].lower()
    if not start:
        return "with nothing"
    if start.startswith((b"<!doctype html", b"<html")):
        return "with a web page: is something else at this address?"
    return "with something that can't be read"
