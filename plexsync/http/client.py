"""One server over HTTP: a connection pool, three timeouts, a size limit on every body, and translated errors only.

A `Wire` is used from several threads at once. Secrets travel in headers only, redirects are never followed,
certificates are always verified, and the environment (proxies, netrc) is ignored. It raises `NeighbourError`, without
the original exception as its cause, because that one holds the request and its headers.
"""

import codecs
import threading
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import h11
import msgspec

from plexsync.http.address import address, trusting
from plexsync.http.connections import (
    ERROR_CAP,
    AllInUse,
    Answer,
    ExchangeError,
    NotConnected,
    Pool,
    Timeouts,
    TooMuch,
    Transport,
)
from plexsync.rules.clock import Clock
from plexsync.rules.servers.errors import NeighbourError, Refused, TooLong, Unavailable, Unusable
from plexsync.rules.servers.http_answers import Server, judge, page_words, scrub, unreachable
from plexsync.rules.servers.redaction import Redactor

MEGABYTE = 1_000_000
ORDINARY_CAP = 10 * MEGABYTE
LISTING_CAP = 32 * MEGABYTE
STEP = 64_000
LONGEST_TARGET = 65_536

# The headers that hold a secret.
KEYS = ("X-Plex-Token", "ApiKey")
_BLANKS = bytes(max(32, code) for code in range(256))

T = TypeVar("T")


def unheard() -> None:
    """Do nothing: the default for `alive`."""


class Wire:
    """The connection to one server.

    `headers` go with every request. `transport` replaces the network; `clock` resolves a Retry-After date in an answer
    without a Date header. `ca_file` holds certificates to trust in addition to the system's; `alive` is called on every
    request. Raises Unusable for an invalid address, header or file.
    """

    def __init__(
        self,
        server: Server,
        url: str,
        *,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        clock: Clock | None = None,
        transport: Transport | None = None,
        ca_file: str = "",
        alive: Callable[[], None] = unheard,
    ) -> None:
        base = address(url, server.url_setting)
        check_headers(headers, server.key_setting)
        self.server = replace(server, name=f"{server.name} at {base.shown_place}", host=base.name)
        self.place = base.host, base.port
        self._prefix = base.path
        self._clock = clock
        self._alive = alive
        self._redact = Redactor(value for name, value in headers.items() if name in KEYS).redact
        self._dates = threading.local()
        self._transport = transport or Pool(self.place, trusting(ca_file) if base.scheme == "https" else None, timeouts)
        own = {"User-Agent": "PlexSync", "Accept": "application/json", "Accept-Encoding": "gzip"}
        self._headers = {"Host": base.place, "Connection": "keep-alive", **own, **headers}
        # Most requests have no other headers: these are checked once.
        self._checked = [
            h11.Request(method="GET", target="/", headers=_encode({**self._headers, **length})).headers
            for length in ({}, {"Content-Length": "0"})
        ]

    def close(self) -> None:
        """Close every connection. A later request raises RuntimeError."""
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
        """Send one request and return its unpacked answer whatever its status; raises only if there is no complete
        answer.
        """
        self._alive()
        try:
            # The request holds a secret: no frame of an error has it.
            packed = self._transport.exchange(self._request(method, target, len(content), headers), content, cap)
            answer = self._unpack(packed, cap)
        except (ExchangeError, h11.ProtocolError, OSError, UnicodeError) as error:
            failure = self._translate(error, cap)
        else:
            if date := answer.headers.get("date", ""):
                self._dates.last = date
            return answer
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

    def _request(self, method: str, target: str, length: int, headers: Mapping[str, str] | None) -> h11.Request:
        if len(target) > LONGEST_TARGET:
            raise TooLong(self.server.neighbour, f"the request was too long for {self.server.name}")
        target, has_length = self._prefix + target, method in ("PUT", "POST")
        if not (length or headers):
            return h11.Request(method=method, target=target, headers=self._checked[has_length])
        size = {"Content-Length": str(length)} if has_length else {}
        return h11.Request(method=method, target=target, headers=_encode({**self._headers, **(headers or {}), **size}))

    def _unpack(self, answer: Answer, cap: int) -> Answer:
        coding = answer.headers.get("content-encoding", "").strip().lower()
        if coding in ("", "identity"):
            return answer
        body = bytearray()
        if 200 <= answer.status < 300:
            self._decompress(coding, answer.body, body, cap)
        else:
            # The status alone is an answer.
            with suppress(NeighbourError, TooMuch):
                self._decompress(coding, answer.body, body, ERROR_CAP)
            del body[ERROR_CAP:]
        return replace(answer, body=body)

    def _decompress(self, coding: str, packed: bytes | bytearray, body: bytearray, cap: int) -> None:
        """Decompress in small pieces, so that a small body can't grow large in memory."""
        if coding not in ("gzip", "x-gzip"):
            raise self.foreign("in a packing that was not asked for")
        unpacker = zlib.decompressobj(wbits=31)
        try:
            for start in range(0, len(packed), STEP):
                rest = bytes(packed[start : start + STEP])
                while rest and not unpacker.eof:
                    body += unpacker.decompress(rest, STEP)
                    rest = unpacker.unconsumed_tail
                    if len(body) > cap:
                        raise TooMuch
                if rest or unpacker.unused_data:
                    raise self.foreign("with something behind its end")
            body += unpacker.flush()
        except zlib.error:
            raise self.foreign("with a broken body") from None
        if packed and not unpacker.eof:
            raise self.foreign("with half a body")

    def _translate(self, error: Exception, cap: int) -> NeighbourError:
        """Translate an exception of the transport."""
        neighbour, name = self.server.neighbour, self.server.name
        match error:
            case AllInUse():
                return Unavailable(neighbour, f"every connection to {name} is busy", sent=False)
            case NotConnected():
                return unreachable(self.server, error.args[0])
            case TooMuch():
                return self.foreign(f"with more than {cap // MEGABYTE} MB")
            case h11.LocalProtocolError() | UnicodeError():
                return Refused(neighbour, f"the request to {name} could not be put into HTTP")
            case TimeoutError():
                return Unavailable(neighbour, f"{name} did not answer in time")
            case h11.RemoteProtocolError():
                return Unavailable(neighbour, f"{name} broke off its answer, or does not speak HTTP")
            case _:
                return Unavailable(neighbour, f"{name} dropped the connection")


def _encode(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]


def check_headers(headers: Mapping[str, str], setting: str) -> None:
    """Raise Unusable for a header that can't be sent."""
    for value in headers.values():
        if not value or not value.isascii() or not value.isprintable() or value != value.strip():
            raise Unusable(f"{setting} is empty, or has characters that can't be sent")


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
