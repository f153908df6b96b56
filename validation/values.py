"""The format of single settings: each function returns the value to use, or raises if it is invalid.

It raises ValueError with a message that follows the setting's name ("plex_url must ...") and never quotes the value.
"""

import csv
import io
import ipaddress
import re
import shlex
from datetime import UTC, date, datetime
from pathlib import PurePath
from urllib.parse import urlsplit

from plexsync.rules.collections.collections import COLLECTIONS
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.template import FACE_NAMES, NAMES, ROLE_NAMES
from validation.path_rules import LONGEST_PATH
from validation.redact import is_safe

_LONGEST_SECRET = 4_096
_LONGEST_ADDRESS = 2_048
_LONGEST_LIST = 8_192
_LONGEST_TEXT = 65_536  # of a list as one text; the CSV reader fails beyond 131,072
_MOST_MESSENGERS = 20
_MOST_WORDS = 100
_MOST_PATTERNS = 1_000
_MOST_HOSTS = 100
_MOST_LABELS = 20
_SHORTEST_PASSWORD = 15
LONGEST_LINE = 255
_LONGEST_ACCOUNT = 100
_LARGEST_NUMBER = 10**15
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# The largest number before each sign of a rule of plays: the seconds of a day, and the whole.
_MOST_OF = {"s": 86_400, "%": 100}


def address(value: str) -> str:
    """An http(s) URL without a trailing slash, ready for a path."""
    if len(value) > _LONGEST_ADDRESS:
        raise ValueError(f"must have at most {_LONGEST_ADDRESS} characters")
    if not value.isprintable() or re.search(r"[\s\\]", value):
        raise ValueError("must not contain blanks, backslashes or control characters")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError("must name a host and, if at all, a port from 1 to 65535") from error
    if parts.scheme not in ("http", "https"):
        raise ValueError("must start with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or password")
    if "?" in value or "#" in value:
        raise ValueError("must end before any ? or #")
    host = parts.hostname or ""
    if port == 0 or not _is_host(host) or ("[" in parts.netloc and ":" not in host):
        raise ValueError("must name a host and, if at all, a port from 1 to 65535")
    return f"{parts.scheme}://{parts.netloc.rstrip(':')}{parts.path.rstrip('/')}"


def address_if_any(value: str) -> str:
    """As `address`, or empty."""
    return address(value) if value else ""


def _is_host(host: str) -> bool:
    if ":" not in host:
        return re.fullmatch(r"\w[\w-]*(\.\w[\w-]*)*\.?", host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def is_address(text: str) -> bool:
    """Whether a text is the address of a server, or its name or number, which no token or key looks like."""
    name = r"localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[0-9a-f:]+\]|[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}"
    return bool(re.fullmatch(rf"[A-Za-z][A-Za-z0-9+.-]*://.*|[A-Za-z0-9.-]+:[0-9]{{1,5}}/?|({name})/?", text.strip()))


def secret(value: str) -> str:
    """A key or token for an HTTP header: ASCII, no spaces."""
    if is_address(value):
        raise ValueError("looks like an address, and a token or a key is needed here")
    if value != value.strip():
        raise ValueError("must not begin or end with blanks or line ends: copy it again, without them")
    if not re.fullmatch(r"[!-~]*", value):
        raise ValueError("must be plain ASCII letters, digits and signs, without blanks or control characters")
    if len(value) > _LONGEST_SECRET:
        raise ValueError(f"must have at most {_LONGEST_SECRET} characters")
    return value


def token(value: str) -> str:
    """As `secret`, but never empty."""
    if not value.strip():
        raise ValueError("must not be empty")
    return secret(value)


def passphrase(value: str) -> str:
    """The password of the dashboard; '' for none."""
    if value != value.strip():
        raise ValueError("must not begin or end with blanks or line ends")
    if value and not _SHORTEST_PASSWORD <= len(value) <= _LONGEST_SECRET:
        raise ValueError(f"must have at least {_SHORTEST_PASSWORD} characters: four or five words do")
    if not re.fullmatch(r"[ -~]*", value):
        raise ValueError("must be plain ASCII letters, digits, signs and blanks")
    return value


def place(value: str) -> str:
    """An address and a port to listen on, or `none`."""
    if value.strip().lower() == "none":
        return "none"
    host, _, port = value.strip().rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if (
        not re.fullmatch(r"[0-9]{1,5}", port)
        or int(port) > 65535
        or not _is_host(bare)
        or (":" in bare) != (bare != host)
    ):
        raise ValueError("must be an address and a port such as 127.0.0.1:9797 or [::1]:9797, or none")
    return f"{host}:{int(port)}"


def host_and_port(place: str) -> tuple[str, int] | None:
    """The host and the port of a checked `place`; None if it is `none`."""
    host, _, port = place.rpartition(":")
    return (host.strip("[]"), int(port)) if host else None


def hosts(value: object) -> tuple[str, ...]:
    """Host names, from one text separated by commas or a list of texts."""
    names = tuple(name.lower() for name in texts(value, "host names"))
    if len(names) > _MOST_HOSTS or not all(len(name) < 254 and _is_host(name) for name in names):
        raise ValueError(
            f"must be at most {_MOST_HOSTS} host names such as nas.local, without http:// and without a port"
        )
    return names


def split_names(line: str) -> list[str]:
    """The names in a comma-separated line; a name with a comma is in double quotes."""
    cells = next(csv.reader([line], skipinitialspace=True), [])
    return list(dict.fromkeys(name for name in (cell.strip() for cell in cells) if name))


def join_names(names: object) -> object:
    """A list of names as the line that `split_names` reads; any other value unchanged."""
    if not isinstance(names, list | tuple):
        return names
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError("must be library names: one text with commas between them, or a list of texts")
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([name.strip() for name in names])
    return line.getvalue() if names else ""


def names(line: str) -> str:
    """Names separated by commas, as one line."""
    if len(line) > _LONGEST_LIST:
        raise ValueError(f"must have at most {_LONGEST_LIST} characters")
    if not is_safe(line):
        raise ValueError("must not contain control characters")
    if line and not split_names(line):
        raise ValueError("must be empty (all movie libraries) or name libraries, with commas between them")
    return line


def folder(value: str) -> str:
    """The full path of a folder; '' for none."""
    return _path(value, "must be empty (the usual place) or the full path of a folder")


def file(value: str) -> str:
    """The full path of a file; '' for none."""
    return _path(value, "must be empty (the authorities of this system alone) or the full path of a file")


def _path(value: str, else_wrong: str) -> str:
    if len(value) > LONGEST_PATH:
        raise ValueError(f"must have at most {LONGEST_PATH} characters")
    if not is_safe(value):
        raise ValueError("must not contain control characters")
    if value and not PurePath(value).is_absolute():
        raise ValueError(else_wrong)
    return value


def messengers(value: object) -> tuple[str, ...]:
    """URLs in the format of the package apprise, from one text separated by spaces or a list of texts."""
    if isinstance(value, str):
        value = value.split() if value.strip() or not value else [value]
    if not isinstance(value, list | tuple) or not all(isinstance(url, str) for url in value):
        raise ValueError("must be addresses such as json://host/path, as a list or as one text with blanks between")
    if len(value) > _MOST_MESSENGERS:
        raise ValueError(f"must have at most {_MOST_MESSENGERS} addresses")
    for number, url in enumerate(value, start=1):
        if len(url) > _LONGEST_ADDRESS or not is_safe(url) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
            raise ValueError(
                f"must be addresses such as json://host/path of at most {_LONGEST_ADDRESS} characters, without blanks; "
                f"address {number} is none"
            )
    return tuple(value)


def command(value: object) -> tuple[str, ...]:
    """A program and its arguments, from a list of words or from one text that is split into words as by a shell."""
    if isinstance(value, str):
        try:
            value = shlex.split(value) if value.strip() or not value else [value]
        except ValueError:
            raise ValueError("must be a list of words, or one text whose quotation marks are closed") from None
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise ValueError("must be a list of words: a program and its arguments")
    if len(value) > _MOST_WORDS or any(len(word) > LONGEST_PATH or not is_safe(word) for word in value):
        raise ValueError(
            f"must have at most {_MOST_WORDS} words of at most {LONGEST_PATH} characters, without control characters"
        )
    if value and not value[0].strip():
        raise ValueError("must begin with the name or the full path of a program")
    return tuple(value)


def template_text(value: str) -> str:
    """A template with names of a scene's values in braces; '' for none."""
    return _in_braces(value, NAMES)


def whole_template(value: str) -> str:
    """As `template_text`, but never empty."""
    if not value.strip():
        raise ValueError("must not be empty: {title} is the title alone")
    return template_text(value)


def performer_name(value: str) -> str:
    """As `role_text`, but with at least one value in it."""
    if not template.parse_template(role_text(value), ROLE_NAMES).names:
        raise ValueError("must have a value of the performer in braces: {name} is the name alone")
    return value


def role_text(value: str) -> str:
    """A template with names of a performer's values in braces; '' for none."""
    return _in_braces(value, ROLE_NAMES)


def _in_braces(value: str, names: frozenset[str]) -> str:
    if not is_safe(value) or (value and not value.strip()):
        raise ValueError("must not be blank or contain control characters")
    template.parse_template(value, names)
    return value


def picture_address(value: str) -> str:
    """An http(s) URL with names of values in braces after its host; '' for none."""
    if not value:
        return ""
    host = re.match(r"https?://([^/?#]*)/", value)
    if not host or not re.fullmatch(r"[^{}\[\]@\s]+", host[1]):
        raise ValueError("must be an http:// or https:// address of a host without a user name, and a path behind it")
    if not value.isprintable() or re.search(r"[\s\\]", value):
        raise ValueError("must not contain blanks, backslashes or control characters")
    if "apikey" in value.lower():
        raise ValueError("must not contain an API key: Plex and whoever watches would get it")
    address(f"{value[: host.end() - 1]}")
    template.parse_template(value[host.end() :], FACE_NAMES)
    return value


def shown_line(value: str) -> str:
    """A line of text for display; '' for none."""
    if len(value) > LONGEST_LINE or not is_safe(value) or (value and not value.strip()):
        raise ValueError(f"must have at most {LONGEST_LINE} characters, not all blank, without control characters")
    return value


def number_or_name(value: object) -> str:
    """A Plex account, by its number or its name; '' for the owner of the server."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _LARGEST_NUMBER:
        return str(value)
    if isinstance(value, str) and len(value) <= _LONGEST_ACCOUNT and is_safe(value) and (value.strip() or not value):
        return value.strip()
    raise ValueError(
        f"must be the number or the name of a Plex account: one line of at most {_LONGEST_ACCOUNT} characters, not all "
        "blank, without control characters"
    )


def day(value: object) -> str:
    """A date as YYYY-MM-DD, also from a date of TOML; '' for none."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    try:
        if value == "" or (isinstance(value, str) and _DAY.fullmatch(value) and midnight(value) >= 0):
            return value
    except ValueError:
        pass  # such as February 30
    raise ValueError("must be empty (all plays) or a date such as 2026-01-31, not before 1970")


def midnight(text: str) -> int:
    """The moment at which a day such as 2026-01-31 begins, in UTC seconds; 0 for no day."""
    if not text:
        return 0
    return round(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC).timestamp())


def play_rule(rule: object) -> str:
    """When something that was watched is a play: `stash`, `plex`, or a number of seconds (`30s`) or percent (`10%`)."""
    if isinstance(rule, str):
        number, sign = rule[:-1], rule[-1:]
        if rule in ("stash", "plex") or (
            re.fullmatch(r"[1-9][0-9]{0,4}", number) and int(number) <= _MOST_OF.get(sign, 0)
        ):
            return rule
    raise ValueError("must be stash, plex, a number of seconds from 1s to 86400s, or a percentage from 1% to 100%")


def tags(value: object) -> tuple[str, ...]:
    """Patterns of tag names, from one text separated by commas or a list of texts."""
    names = texts(value, "names of tags")
    if len(names) > _MOST_PATTERNS or sum(map(len, names)) > _LONGEST_LIST or not all(map(is_safe, names)):
        raise ValueError(
            f"must hold at most {_MOST_PATTERNS} names of {_LONGEST_LIST} characters in all, without control characters"
        )
    choice.parse_patterns(names)
    return names


def labels(value: object) -> tuple[str, ...]:
    """Labels for every item, from one text separated by commas or a list of texts."""
    names = texts(value, "labels")
    if len(names) > _MOST_LABELS or not all(0 < len(name) <= LONGEST_LINE and is_safe(name) for name in names):
        raise ValueError(
            f"must hold at most {_MOST_LABELS} labels of 1 to {LONGEST_LINE} characters, without control characters"
        )
    return names


def collections(value: object) -> tuple[str, ...]:
    """The sources of collections: any of `COLLECTIONS`."""
    names = tuple(name.lower() for name in texts(value, "words"))
    if not set(names) <= set(COLLECTIONS):
        raise ValueError(f"must be some of {', '.join(COLLECTIONS)}, with commas between them, or none")
    return names


PICTURE_SOURCES = ("cover", "gallery", "studio", "group")


def picture_sources(value: object) -> str:
    """The sources of a picture, the preferred one first: some of `PICTURE_SOURCES` with ", " between them, or none."""
    names = tuple(dict.fromkeys(name.lower() for name in texts(value, "words")))
    if not names or not (set(names) <= set(PICTURE_SOURCES) or names == ("none",)):
        raise ValueError(f"must be none, or some of {', '.join(PICTURE_SOURCES)}, with commas between them")
    return ", ".join(names)


def texts(value: object, setting: str) -> tuple[str, ...]:
    """Texts from one text with commas between them, or from a list; `setting` says what they are."""
    if isinstance(value, str):
        if len(value) > _LONGEST_TEXT:
            raise ValueError(f"must have at most {_LONGEST_TEXT} characters")
        names = split_names(value) if is_safe(value) else []
        if value and not names:
            raise ValueError(f"must be {setting} with commas between them, without control characters")
        return tuple(names)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"must be {setting}: one text with commas between them, or a list of texts")
    return tuple(dict.fromkeys(item.strip() for item in value))
