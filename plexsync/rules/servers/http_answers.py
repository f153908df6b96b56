"""The meaning of an HTTP answer, or a missing one, for an attempt: status codes, Retry-After, and connection failures.

The table is the same for Plex and Stash. Every message names the server and says what happened. No message contains a
URL with a query, a secret or a media path. What the server says about its failure follows, as `scrubbed` cleans it.
"""

import re
import socket
import ssl
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import (
    Barred,
    Conflict,
    Missing,
    Neighbour,
    NeighbourError,
    Refused,
    Throttled,
    TooLong,
    Unavailable,
)

LONGEST_PATIENCE = 3600.0
USUAL_PATIENCE = 60.0
# The header of each answer of Plex, which a proxy may drop.
PLEX_MARK = "x-plex-protocol"

_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")


@record
class Server:
    """The server that was asked: its display `name` ("Plex at nas:32400"), and the settings that you may have to change.

    `host` is the host name of its address, '' if that is an IP address.
    """

    neighbour: Neighbour
    name: str
    url_setting: str
    key_setting: str
    host: str = ""


def whole_request(silence: float) -> float:
    """Seconds that one request may take in total, if an answer may pause for at most `silence` seconds."""
    return 2 * silence


def patience(header: str, *, date: str = "", now: float | None = None, default: float = USUAL_PATIENCE) -> float:
    """The seconds that a Retry-After asks for, clamped to 0..3600.

    A date in it is measured against `date`, the Date header of the same answer, so that clocks that disagree don't
    matter; without one, against `now`, the local clock (UTC seconds). Returns `default` if the header can't be
    understood.
    """
    text = header.strip()
    if _SECONDS.fullmatch(text):
        return _clamp(float(text))
    until = _moment(text)
    start = _moment(date)
    start = now if start is None else start
    if until is None or start is None:
        return default
    return _clamp(until - start)


def judge(
    status: int, server: Server, *, retry_after: str = "", date: str = "", now: float | None = None, reason: str = ""
) -> NeighbourError | None:
    """The error for a status code; None for success (2xx). `reason`: what the server says about it, scrubbed."""
    neighbour, name = server.neighbour, server.name
    says = f": {reason}" if reason else ""
    if 200 <= status < 300:
        return None
    if status == 401:
        # A Plex server that nobody has claimed answers 401 to every request under a host name that it does not know.
        other = f", or does not know the host name {server.host}" if server.host and neighbour is Neighbour.PLEX else ""
        message = f"{name} does not accept {server.key_setting} (401){other}{says}"
        return Barred(neighbour, message, setting=server.key_setting)
    if status == 498 and neighbour is Neighbour.PLEX:
        message = f"{name} says that {server.key_setting} has ended (498): sign in again{says}"
        return Barred(neighbour, message, setting=server.key_setting)
    if status == 403:
        return Barred(
            neighbour, f"{name} does not allow this with {server.key_setting} (403){says}", setting=server.key_setting
        )
    if status == 404:
        return Missing(neighbour, f"{name} has no such thing (404){says}")
    if status == 429:
        wait = patience(retry_after, date=date, now=now)
        return Throttled(neighbour, f"{name} asks to wait {wait:.0f} s (429){says}", retry_after=wait)
    if status in (413, 414, 431):
        return TooLong(neighbour, f"the request was too long for {name} ({status}){says}")
    if status == 408 or 500 <= status < 600:
        wait_or_none = patience(retry_after, date=date, now=now) if status == 503 and retry_after else None
        text = f"{name} {_trouble(status)} ({status}){says}"
        # Any other may be of a proxy, behind which the request goes on. Stash tells failures of its own with another status.
        is_over = status == 500 and neighbour is Neighbour.PLEX
        return Unavailable(neighbour, text, retry_after=wait_or_none, is_over=is_over)
    if 400 <= status < 500:
        refusal = Conflict if status == 409 else Refused
        return refusal(neighbour, f"{name} refuses the request ({status}){says}")
    if 300 <= status < 400:
        return Unavailable(
            neighbour, f"{name} points elsewhere ({status}): {server.url_setting} must be its final address"
        )
    return Unavailable(neighbour, f"{name} gave an answer that makes no sense ({status})")


def unreachable(server: Server, cause: BaseException | None) -> NeighbourError:
    """The error for a failed connection, by its cause in the operating system. Nothing was sent."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        reason = cause.verify_message or "not trusted"
        message = f"the certificate of {server.name} could not be verified: {reason}; check {server.url_setting}"
        return Barred(server.neighbour, " ".join(message.split()), setting=server.url_setting)
    return Unavailable(server.neighbour, f"{server.name} {_obstacle(cause)}", sent=False)


def _obstacle(cause: BaseException | None) -> str:
    if isinstance(cause, ConnectionRefusedError):
        return "refuses connections: is it running?"
    if isinstance(cause, socket.gaierror | UnicodeError):
        return "can't be found: its name does not resolve"
    if isinstance(cause, TimeoutError):
        return "did not take the connection in time"
    if isinstance(cause, ssl.SSLError):
        return "could not agree on an encrypted connection"
    return "can't be reached"


def _trouble(status: int) -> str:
    if status == 503:
        return "is not ready"
    return "timed out" if status in (408, 504) else "failed inside"


def _clamp(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_PATIENCE)


def _moment(text: str) -> float | None:
    """UTC seconds of an HTTP date; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


# --- what a server said about its own failure -------------------------------------------------------------------------


LONGEST = 240
# From the first slash of a path with two parts or more to the end of the phrase.
_PATH = re.compile(r"(?<![\w:/\\])(?:[A-Za-z]:)?[\\/][^:\"'\n<>|]*[\\/][^:\"'\n<>|]*[^:\"'\n<>|\s.,;)]")
# A relative path to a file.
_FILE = re.compile(r"[^\s:\"'<>|]*[\\/][^\s:\"'<>|]*\.[A-Za-z0-9]{2,5}\b")
_SECRET = re.compile(r"(?i)(token|api_?key|password|secret)(\W{1,3})[^\s&\"',;]+")
_QUERY = re.compile(r"(https?://[^\s?\"']+)\?[^\s\"']*")
_ATTRIBUTES = re.compile(r'(?is)<Response\b[^>]*?\btitle="([^"]*)"(?:[^>]*?\bstatus="([^"]*)")?')
_TITLE = re.compile(r"(?is)<title[^>]*>(.*?)</title>")
_HEAD = re.compile(r"(?is)<(head|title|script|style|h1|h2)\b.*?</\1>")
_TAG = re.compile(r"(?s)<[^>]*>")
# What stands on the error pages of web servers for a status.
PHRASES = frozenset(status.phrase.casefold() for status in HTTPStatus)


def scrub(text: str, redact: Callable[[str], str] = str) -> str:
    """The text as it may be shown: one line of at most `LONGEST` characters, without paths and what `redact` takes out."""
    words = redact(" ".join("".join(sign if sign.isprintable() else " " for sign in redact(text)).split()))
    words = _SECRET.sub(r"\1\2***", words)
    words = _FILE.sub("(a path)", _PATH.sub("(a path)", _QUERY.sub(r"\1", words)))
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def page_words(page: str) -> str:
    """What an error in XML or HTML says besides the phrase of its status: Plex's title and reason; '' for nothing."""
    if matched := _ATTRIBUTES.search(page):
        return _join_words(_plain(matched[1]), _plain(matched[2] or ""))
    if not _TAG.search(page):
        return ""
    title = _TITLE.search(page)
    return _join_words(_plain(title[1]) if title else "", _plain(_HEAD.sub(" ", page)))


def _join_words(title: str, reason: str) -> str:
    title = "" if title.casefold() in PHRASES else title
    return f"{title}: {reason}" if title and reason and reason != title else title or reason


def _plain(text: str) -> str:
    plain = _TAG.sub(" ", text)
    for name, sign in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("#39", "'"), ("apos", "'"), ("amp", "&")):
        plain = plain.replace(f"&{name};", sign)
    return " ".join(plain.split())
