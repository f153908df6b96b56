"""What a server said about its own failure, in words that may be shown: one short line without secrets and paths."""

import re
from collections.abc import Callable
from http import HTTPStatus

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


def scrubbed(text: str, redact: Callable[[str], str] = str) -> str:
    """The text as it may be shown: one line of at most `LONGEST` characters, without paths and what `redact` takes out."""
    words = redact(" ".join("".join(sign if sign.isprintable() else " " for sign in redact(text)).split()))
    words = _SECRET.sub(r"\1\2***", words)
    words = _FILE.sub("(a path)", _PATH.sub("(a path)", _QUERY.sub(r"\1", words)))
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def page_words(page: str) -> str:
    """What an error in XML or HTML says besides the phrase of its status: Plex's title and reason; '' for nothing."""
    if matched := _ATTRIBUTES.search(page):
        return _joined(_plain(matched[1]), _plain(matched[2] or ""))
    if not _TAG.search(page):
        return ""
    title = _TITLE.search(page)
    return _joined(_plain(title[1]) if title else "", _plain(_HEAD.sub(" ", page)))


def _joined(title: str, reason: str) -> str:
    title = "" if title.casefold() in PHRASES else title
    return f"{title}: {reason}" if title and reason and reason != title else title or reason


def _plain(text: str) -> str:
    plain = _TAG.sub(" ", text)
    for name, sign in (("lt", "<"), ("gt", ">"), ("quot", '"'), ("#39", "'"), ("apos", "'"), ("amp", "&")):
        plain = plain.replace(f"&{name};", sign)
    return " ".join(plain.split())
