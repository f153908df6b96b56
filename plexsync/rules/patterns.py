r"""Path rules that are reversible regular expressions: `re:^/data/(\w+)/(.*)$ => /media/\1/\2`.

Variable parts are groups in parentheses, all else is fixed text, and the Plex side uses each group once. The end of a
group is always certain: by the next character, which the group can't contain, by its length, or by the end of the path.
So a path has at most one reading, in either direction, and reading it takes time in proportion to its length, without
backtracking. A rule for which this does not hold is rejected when it is read.

Folders are separated by / on both sides, also on Windows. Imports nothing of PlexSync, because `validation` uses it
too.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from unicodedata import normalize

MARK = "re:"
LONGEST = 500
MOST_GROUPS = 9

# A full path: `/...`, `X:/...` or `//server/share/...`.
FULL = re.compile(r"//[^/]+/[^/]+/|/(?!/)|[A-Za-z]:/")
SPECIAL = frozenset(".*+?[]{}()|^$")
CLASSES = {"d": r"\d", "w": r"\w"}
TIMES = re.compile(r"[*+?]|\{(\d{1,3})(?:(,)(\d{0,3}))?\}")


class BadPattern(ValueError):
    """Why a rule is invalid. The message quotes at most single characters of it."""


@dataclass(frozen=True)
class _Group:
    """The content of a group: as a regular expression, its length (-1 if it varies), and `each` of its characters."""

    source: str
    length: int
    each: str

    def can_hold(self, character: str) -> bool:
        """Whether the group may contain the character, in any case."""
        return any(re.fullmatch(self.each, character, re.DOTALL | flag) for flag in (re.NOFLAG, re.IGNORECASE))


Piece = str | int  # a fixed text, or the number of a group


@dataclass(frozen=True)
class Pattern:
    """A rule that leads from a Stash path to a Plex path, and back. Paths are `root/name/name` on every system."""

    stash_side: tuple[Piece, ...]
    plex_side: tuple[Piece, ...]
    groups: Mapping[int, _Group]

    def there(self, path: str, *, caseless: bool) -> str | None:
        """The Plex path for a Stash path; None if the rule does not fit, '' if no file can have the result."""
        return self._led(path, self.stash_side, self.plex_side, caseless=caseless)

    def back(self, path: str, *, caseless: bool) -> str | None:
        """The Stash path for a Plex path; None and '' as in `there`."""
        return self._led(path, self.plex_side, self.stash_side, caseless=caseless)

    def _led(self, path: str, side: tuple[Piece, ...], other: tuple[Piece, ...], *, caseless: bool) -> str | None:
        reads = _compiled(side, tuple(self.groups.items()), caseless)
        matched = reads.fullmatch(path) or reads.fullmatch(normalize("NFC", path))
        if matched is None:
            return None
        result = "".join(piece if isinstance(piece, str) else matched[f"g{piece}"] for piece in other)
        root = FULL.match(result)
        names = result[root.end() :].split("/") if root else [""]
        return "" if {"", ".", ".."} & set(names) else result


@lru_cache(maxsize=1024)
def _compiled(side: tuple[Piece, ...], groups: tuple[tuple[int, _Group], ...], caseless: bool) -> re.Pattern[str]:
    cached = dict(groups)
    source = "".join(
        re.escape(piece) if isinstance(piece, str) else f"(?P<g{piece}>{cached[piece].source})" for piece in side
    )
    return re.compile(source, re.DOTALL | (re.IGNORECASE if caseless else 0))


def is_pattern(source: str) -> bool:
    """Whether the Stash side of a rule is a regular expression."""
    return source.startswith(MARK)


@lru_cache(maxsize=256)
def pattern(source: str, target: str) -> Pattern:
    """The rule of these two sides. Raises BadPattern."""
    if len(source) + len(target) > LONGEST:
        raise BadPattern(f"it has more than {LONGEST} characters")
    pieces, groups = _read(normalize("NFC", source.removeprefix(MARK)))
    result = _template(normalize("NFC", target), len(groups))
    for owner, side in (("Stash", pieces), ("Plex", result)):
        _check_root(owner, side)
        _check_folders(owner, side, groups)
        _check_ends(owner, side, groups)
    return Pattern(pieces, result, groups)


# --- reading the Stash side ------------------------------------------------------------------------------------------


def _read(text: str) -> tuple[tuple[Piece, ...], dict[int, _Group]]:
    text = text.removeprefix("^")
    if text.endswith("$") and not text.endswith("\\$"):
        text = text[:-1]
    pieces: list[Piece] = []
    groups: dict[int, _Group] = {}
    at = 0
    while at < len(text):
        if text[at] == "(":
            end = _end_of_group(text, at)
            groups[len(groups) + 1] = _group(text[at + 1 : end], len(groups) + 1)
            pieces.append(len(groups))
            at = end + 1
            if TIMES.match(text, at):
                raise BadPattern(f"group {len(groups)} is repeated as a whole: only what stands in it may be")
        else:
            letter, at = _letter(text, at)
            pieces.append(letter)
    if not groups:
        raise BadPattern("nothing in it stands in brackets, so it fits a single path: (.*) is the rest of a path")
    if len(groups) > MOST_GROUPS:
        raise BadPattern(f"it has more than {MOST_GROUPS} pairs of brackets")
    return _joined(pieces), groups


def _letter(text: str, at: int) -> tuple[str, int]:
    """A character of fixed text, and the position of the next one."""
    if text[at] == "\\":
        escaped = text[at + 1 : at + 2]
        if not escaped or escaped.isalnum() or escaped == "\\":
            raise BadPattern(
                "a \\ outside brackets must stand before a sign such as . or ( to take it as it is; what varies, as \\d "
                "does, stands in brackets, and folders are separated by /"
            )
        return escaped, at + 2
    if text[at] in SPECIAL:
        raise BadPattern(f"{text[at]} stands outside brackets: put what varies in brackets, or write \\{text[at]}")
    return text[at], at + 1


def _end_of_group(text: str, start: int) -> int:
    at, in_class = start + 1, False
    while at < len(text):
        character = text[at]
        if character == "\\":
            at += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            # A ] at the start, or after ^, is one of the characters.
            at += 2 if text[at + 1 : at + 3] == "^]" else text[at + 1 : at + 2] == "]"
        elif character == "(":
            raise BadPattern("brackets stand in brackets, so that what is repeated could be repeated again")
        elif character == ")":
            return at
        at += 1
    raise BadPattern("a bracket is not closed")


def _group(body: str, number: int) -> _Group:
    if body.startswith("?"):
        raise BadPattern(f"group {number} begins with ?: only plain brackets are known")
    kind, end = _kind(body, number)
    if kind:
        times = TIMES.fullmatch(body, end)
        if end < len(body) and times is None:
            raise BadPattern(
                f"group {number} must hold one kind of character, repeated or not, such as (.*), ([^/]+) or (\\d{{4}}), or "
                "fixed texts, such as (a|b)"
            )
        return _Group(kind + body[end:], _length(times), kind)
    texts = tuple(_fixed(body))
    if not any(texts):
        raise BadPattern(f"group {number} is empty")
    lengths = {len(text) for text in texts}
    source = "|".join(map(re.escape, texts))
    return _Group(source, lengths.pop() if len(lengths) == 1 else -1, f"[{re.escape(''.join(texts))}]")


def _length(times: re.Match[str] | None) -> int:
    if times is None:
        return 1
    fixed = times[1] is not None and (times[2] is None or times[1] == times[3])
    if times[1] and times[3] and int(times[3]) < int(times[1]):
        raise BadPattern("{m,n} has its larger number first")
    return int(times[1]) if fixed else -1


def _kind(body: str, number: int) -> tuple[str, int]:
    """The kind of character that a group begins with, and the position of its end; ('', 0) for fixed text."""
    if body.startswith("."):
        return ".", 1
    if body[:1] == "\\" and body[1:2] in CLASSES:
        return CLASSES[body[1]], 2
    if body.startswith("["):
        return _class(body, number)
    return "", 0


def _class(body: str, number: int) -> tuple[str, int]:
    """A character class [...], rewritten so that no character in it has a second meaning."""
    at = 2 if body.startswith("[^") else 1
    members: list[str] = []
    first = at
    while at < len(body) and (body[at] != "]" or at == first):
        low, at, is_kind = _member(body, at, number)
        if not is_kind and body[at : at + 1] == "-" and body[at + 1 : at + 2] not in ("]", ""):
            high, at, is_kind = _member(body, at + 1, number)
            if is_kind or high < low:
                raise BadPattern(f"group {number} has a range that is none")
            members.append(f"{re.escape(low)}-{re.escape(high)}")
        else:
            members.append(low if is_kind else re.escape(low))
    if at >= len(body):
        raise BadPattern(f"group {number} has a [ that is not closed")
    return f"[{'^' if first == 2 else ''}{''.join(members)}]", at + 1


def _member(body: str, at: int, number: int) -> tuple[str, int, bool]:
    if body[at] != "\\":
        return body[at], at + 1, False
    escaped = body[at + 1 : at + 2]
    if escaped in CLASSES:
        return CLASSES[escaped], at + 2, True
    if not escaped or escaped.isalnum():
        raise BadPattern(f"group {number} has a \\ before a letter or digit: only \\d and \\w are known")
    return escaped, at + 2, False


def _fixed(body: str) -> Iterator[str]:
    """The alternatives between the bars."""
    text, at = "", 0
    while at < len(body):
        if body[at] == "|":
            yield text
            text, at = "", at + 1
        else:
            letter, at = _letter(body, at)
            text += letter
    yield text


# --- reading the Plex side, and checks of both -----------------------------------------------------------------------


def _template(text: str, count: int) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    at = 0
    while at < len(text):
        if text[at] == "\\":
            if not text[at + 1 : at + 2].isdecimal():
                raise BadPattern(
                    "a \\ on the Plex side must stand before the number of a group; folders are separated by /"
                )
            pieces.append(int(text[at + 1]))
            at += 2
        else:
            pieces.append(text[at])
            at += 1
    used = [piece for piece in pieces if isinstance(piece, int)]
    for number in sorted({*used, *range(1, count + 1)}):
        if not 1 <= number <= count:
            raise BadPattern(f"the Plex side uses group {number}, which the Stash side has not")
        if used.count(number) != 1:
            times = "never" if number not in used else "twice"
            raise BadPattern(f"group {number} stands {times} on the Plex side, and once is what leads back")
    return _joined(pieces)


def _joined(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    """The pieces with adjacent characters joined to one text."""
    joined: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def _check_root(owner: str, side: Sequence[Piece]) -> None:
    head = side[0] if side and isinstance(side[0], str) else ""
    if not FULL.match(head):
        raise BadPattern(
            f"the {owner} side must begin with a fixed root (/, X:/ or //server/share/): it could lead out of it"
        )
    fixed = "".join(piece if isinstance(piece, str) else "*" for piece in side)
    if {".", ".."} & set(fixed.split("/")):
        raise BadPattern(f"the {owner} side has . or .. in it, which leads out of its folder")
    if any("\\" in piece for piece in side if isinstance(piece, str)):
        raise BadPattern(f"the {owner} side has a \\ in it: folders are separated by /")


def _check_folders(owner: str, side: Sequence[Piece], groups: Mapping[int, _Group]) -> None:
    """A group that can hold several folders must follow a /. Otherwise /data(.*) would lead out of /data, to /data2."""
    for before, piece in pairwise(side):
        if isinstance(piece, int) and groups[piece].can_hold("/") and not str(before).endswith("/"):
            raise BadPattern(
                f"on the {owner} side group {piece} can hold a / and does not stand behind one, so it leads out of the "
                "folder before it: write /(.*), or [^/] for a part of a name"
            )


def _check_ends(owner: str, side: Sequence[Piece], groups: Mapping[int, _Group]) -> None:
    """The end of each group is certain, or only fixed text follows it."""
    for at, piece in enumerate(side):
        if not isinstance(piece, int) or groups[piece].length >= 0:
            continue
        after = side[at + 1 :]
        if not any(isinstance(end, int) for end in after):
            continue
        if not isinstance(after[0], str):
            raise BadPattern(
                f"on the {owner} side groups {piece} and {after[0]} touch, so where one ends can't be told"
            )
        if groups[piece].can_hold(after[0][0]):
            raise BadPattern(
                f"on the {owner} side group {piece} can hold the {after[0][0]} that comes after it, so where it ends can't "
                f"be told: leave it out, as [^{after[0][0]}] does"
            )
