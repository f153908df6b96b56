"""One server over HTTP: a connection pool, three timeouts, a size limit on every body, and translated errors only.

A `Wire` is used from several threads at once. Secrets travel in headers only, redirects are never followed,
certificates are always verified, and the environment (proxies, netrc) is ignored. It raises `NeighbourError`, without
the original exception as its cause, because that one holds the request and its headers.
"""

import codecs
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import TypeVar

import httpcore2
import httpx2
import msgspec

from plexsync.http.streams import Deadline, Transport
from plexsync.rules.clock import Clock
from plexsync.rules.servers.errors import NeighbourError, Refused, TooLong, Unavailable, Unusable
from plexsync.rules.servers.http_answers import Server, judge, page_words, scrub, unreachable, whole_request
from plexsync.rules.servers.redaction import Redactor

MEGABYTE = 1_000_000
ORDINARY_CAP = 10 * MEGABYTE
LISTING_CAP = 32 * MEGABYTE
ERROR_CAP = 64_000
STEP = 64_000

# Plex drops idle connections after 20 s; closing them earlier avoids writing to one that is being closed.
IDLE_SECONDS = 15.0
CONNECTIONS = 10

# The libraries below log URLs with their query (file names, whole edits), which must not be logged.
for _name in ("httpx2", "httpcore2"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)

# The headers that hold a secret.
KEYS = ("X-Plex-Token", "ApiKey")
_BLANKS = bytes(max(32, code) for code in range(256))

T = TypeVar("T")


@dataclass(frozen=True)
class Timeouts:
    """Seconds to connect and between two bytes."""

    connect: float
    read: float


@dataclass(frozen=True)
class Answer:
    """A complete answer, its body unpacked; for an error status, the part that could be read of the body's first 64 kB."""

    status: int
    body: bytes | bytearray = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


def unheard() -> None:
    """Do nothing: the default for `alive`."""


class Wire:
    """The connection to one server.

    `headers` go with every request. `transport` replaces the network (its exceptions are those of `httpcore2`); `clock`
    resolves a Retry-After date in an answer without a Date header. `ca_file` holds certificates to trust in addition to
    the system's; `alive` is called on every request. Raises Unusable for an invalid address, header or file.
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
        self.server = replace(server, name=f"{server.name} at {host_of(base)}", host=named_host(base))
        self._base = base
        self._prefix = base.raw_path.split(b"?")[0].rstrip(b"/").decode("ascii")
        self._clock = clock
        self._alive = alive
        self._redact = Redactor(value for name, value in headers.items() if name in KEYS).redact
        self._dates = threading.local()
        self._whole = whole_request(timeouts.read)
        self._deadline = Deadline()
        # Without a client of `httpx2`, nothing handles cookies, redirects or the environment.
        self._transport = transport or _transport(self._deadline, base, ca_file)
        own = {"User-Agent": "PlexSync", "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._headers = httpx2.Headers({"Connection": "keep-alive", **own, **headers})
        self._timeout = httpx2.Timeout(timeouts.read, connect=timeouts.connect).as_dict()
        self._closed = False

    @property
    def place(self) -> tuple[str, int]:
        """The host and the port of the server."""
        return self._base.host, self._base.port or (443 if self._base.scheme == "https" else 80)

    def close(self) -> None:
        """Close every connection. A later request raises RuntimeError."""
        self._closed = True
        self._transport.close()

    def ask(
        self,
        method: str,
        target: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        cap: int = ORDINARY_CAP,
    ) -> Answer:
        """Send one request and return its answer (2xx); `target` is a path below the server's address with its encoded
        query.
        """
        return self.check_status(self.send(method, target, content=content, headers=headers, cap=cap))

    def send(
        self,
        method: str,
        target: str,
        *,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
        cap: int = ORDINARY_CAP,
    ) -> Answer:
        """Send one request and return its answer whatever its status; raises only if there is no complete answer."""
        self._alive()
        try:
            url = self._base.copy_with(raw_path=f"{self._prefix}{target}".encode("ascii"))
            request = self._request(method, url, content, headers)
            with self._deadline.due_in(self._whole):
                return self._exchange(request, cap)
        except NeighbourError:
            raise
        except (*_NETWORK, httpx2.HTTPError, httpx2.InvalidURL, UnicodeError, OSError) as error:
            failure = self._translate(error)
        raise failure

    def check_status(self, answer: Answer) -> Answer:
        """Return the answer if its status is good; else raise the error that the status stands for."""
        if 200 <= answer.status < 300:
            return answer
        error = judge(
            answer.status,
            self.server,
            retry_after=answer.headers.get("retry-after", ""),
            date=answer.headers.get("date", ""),
            now=self._clock.now() / 1000 if self._clock else None,
            reason=self.reason(answer),
        )
        if error is not None:
            raise error
        return answer

    def reason(self, answer: Answer) -> str:
        """What the body of a failed request says about it, to show; '' if it says nothing of its own."""
        if 200 <= answer.status < 300:
            return ""
        # A secret with signs of HTML in it would no longer be recognized once the page is taken apart.
        text = self._redact(bytes(answer.body[:ERROR_CAP]).decode("utf-8", "replace"))
        return self.scrub(json_words(text.encode()) if text.lstrip().startswith("{") else page_words(text))

    def scrub(self, words: str) -> str:
        """Words of the server as they may be shown."""
        return scrub(words, self._redact)

    def decode(self, decoder: "msgspec.json.Decoder[T]", body: bytes | bytearray | memoryview) -> T:
        """Decode the body into the expected type; raises Unavailable if that fails, however deeply nested or broken it
        is.

        Errors inside texts are tolerated: invalid UTF-8 (a text that was cut inside a character) reads as
        U+FFFD, a bare control character as a blank.
        """
        try:
            try:
                return decoder.decode(body)
            except (msgspec.DecodeError, UnicodeError) as error:
                if isinstance(error, msgspec.ValidationError):
                    raise
                return decoder.decode(_to_valid_utf8(body))
        except msgspec.ValidationError:
            failure = self.foreign("in a form that is not known")
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            failure = self.foreign(_looks_like(bytes(body[:200])))
        raise failure

    @property
    def date(self) -> str:
        """The Date header of the last answer to this thread that had one; '' before."""
        return getattr(self._dates, "last", "")

    def foreign(self, answer: str) -> Unavailable:
        """The error for an answer from another kind of server: "Plex at nas:32400 answered <answer>"."""
        return Unavailable(self.server.neighbour, f"{self.server.name} answered {answer}")

    def _request(
        self, method: str, url: httpx2.URL, content: bytes, headers: Mapping[str, str] | None
    ) -> httpx2.Request:
        if self._closed:
            raise RuntimeError("a request after the connections were closed")
        sent, timeout = self._headers | headers if headers else self._headers, {"timeout": self._timeout}
        return httpx2.Request(method, url, headers=sent, content=content or None, extensions=timeout)

    def _exchange(self, request: httpx2.Request, cap: int) -> Answer:
        response = self._transport.handle_request(request)
        try:
            body = self._body(response, cap) if response.is_success else self._error_body(response)
        finally:
            response.close()
        if date := response.headers.get("date", ""):
            self._dates.last = date
        return Answer(response.status_code, body, response.headers)

    def _body(self, response: httpx2.Response, cap: int) -> bytearray:
        length = response.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > cap):
            raise self.foreign(_too_much(cap))
        body = bytearray()
        for piece in self._pieces(response):
            body += piece
            if len(body) > cap:
                raise self.foreign(_too_much(cap))
        # Not copied: a copy would double the memory of a large answer.
        return body

    def _error_body(self, response: httpx2.Response) -> bytearray:
        """Read the beginning of an error's body, as far as possible: the status alone is an answer."""
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
            return self._unpack(response.iter_raw())
        raise self.foreign("in a packing that was not asked for")

    def _unpack(self, packed: Iterator[bytes]) -> Iterator[bytes]:
        """Decompress a gzip stream in small pieces, so that a small body can't grow large in memory."""
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

    def _translate(self, error: Exception) -> NeighbourError:
        """Translate an exception of the network."""
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


def _too_much(cap: int) -> str:
    return f"with more than {cap // MEGABYTE} MB"


_NETWORK = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.UnsupportedProtocol,
)


def _cause(error: Exception) -> BaseException | None:
    """The system's exception: `httpcore2` passes it as the argument of its own error, and cuts the chain of causes."""
    return next((arg for arg in error.args if isinstance(arg, BaseException)), error.__cause__)


def _transport(deadline: Deadline, base: httpx2.URL, ca_file: str) -> Transport:
    tls = trusting(ca_file) if base.scheme == "https" else None
    return Transport(deadline, tls, connections=CONNECTIONS, idle_seconds=IDLE_SECONDS)


def trusting(ca_file: str) -> ssl.SSLContext:
    """A context that verifies certificates and host names, by the system's certificates and those in the file."""
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file:
        # With this flag the file may hold the server's own certificate instead of its authority's.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise Unusable("tls_ca_file can't be read, or holds no certificates in PEM form") from error
    return context


def address(url: str, setting: str) -> httpx2.URL:
    """Parse an address; raises Unusable if it is invalid."""
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
    """Raise Unusable for a header that can't be sent."""
    for value in headers.values():
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise Unusable(f"{setting} is empty, or has characters that can't be sent")


def host_of(base: httpx2.URL) -> str:
    """Host and port for display."""
    host = f"[{base.host}]" if ":" in base.host else base.host
    return f"{host}:{base.port}" if base.port else host


def named_host(base: httpx2.URL) -> str:
    """The host name of an address; '' for an IP address, and for this machine, which every server knows."""
    try:
        ip_address(base.host)
    except ValueError:
        return "" if base.host == "localhost" else base.host
    return ""


def by_address(url: str) -> list[str]:
    """The same address with the IP addresses of its host in place of its name; none if it has no name or is not `http`.

    Blocks until the name is resolved. (A certificate names the host, so `https` needs the name.)
    """
    base = httpx2.URL(url.strip())
    host = named_host(base)
    if not host or base.scheme != "http":
        return []
    try:
        resolved = socket.getaddrinfo(host, base.port or 80, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(base.copy_with(host=str(place[0]))) for *_, place in resolved))


def _to_valid_utf8(body: bytes | bytearray | memoryview) -> bytes:
    """The body as valid UTF-8 without control characters, converted in pieces to save memory."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    pieces = (decode(bytes(body[at : at + STEP])).encode() for at in range(0, len(body), STEP))
    return (b"".join(pieces) + decode(b"", final=True).encode()).translate(_BLANKS)


def _looks_like(beginning: bytes) -> str:
    """A short description of a body that is not JSON."""
    start = beginning.lstrip()[:15].lower()
    if not start:
        return "with nothing"
    if start.startswith((b"<!doctype html", b"<html")):
        return "with a web page: is something else at this address?"
    return "with something that can't be read"


# --- errors in JSON, as Plex and GraphQL write them -------------------------------------------------------------------


class ErrorWords(msgspec.Struct):
    """An error as Plex and GraphQL write it in JSON."""

    message: str = ""
    status: str | int = ""
    title: str = ""


class ErrorBody(msgspec.Struct):
    """The body of an error in JSON."""

    errors: list[ErrorWords] = []
    error: str = ""
    message: str = ""


ERRORS = msgspec.json.Decoder(ErrorBody, strict=False)


def json_words(body: bytes | bytearray) -> str:
    """What an error in JSON says; '' for nothing, or for another form."""
    try:
        answer = ERRORS.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return ""
    texts = (error.message or error.title or str(error.status) for error in answer.errors)
    return "; ".join(filter(None, dict.fromkeys((answer.message, answer.error, *texts))))


def messages(errors: Sequence[msgspec.Raw]) -> str:
    """What the errors of a GraphQL answer say."""
    return json_words(b'{"errors":[%s]}' % b",".join(map(bytes, errors)))
