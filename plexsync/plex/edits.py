"""Translates a plan's edit into requests.

A request without an item id would edit every item of its library, so none can be built without one. One request is
enough for any edit as long as its line stays below 8,000 bytes. Above that, or once a server has rejected it as too
long, it becomes several, each complete in itself: a list always travels whole, since some servers add the named members
and others replace the list by them, and only a whole list is right for both. Removals are safe in any grouping and
follow their list. So only a single text or list can be too long for a request; the rest is sent without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache, partial
from typing import Literal
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from plexsync.rules.item import FACE, FIELDS, LISTS, PICTURES, ROLE, SCALARS, Cast, beside_whom
from plexsync.rules.merge.added_dates import FIELD as ADDED, moment_seconds
from plexsync.rules.merge.plan_records import Change, Edit
from plexsync.rules.merge.traits import CollectionForm
from plexsync.rules.merge.values import Value
from plexsync.rules.record_class import record
from plexsync.rules.words.text import NAME_LIMIT, RECENT_NAMES, cut, fold

LINE_LIMIT = 8_000
# The types of items in a request, the order of fields in it, and the fields that the edit of a collection can have.
MOVIE, COLLECTION = "1", "18"
# Where a scene of Stash has what a field shows, if it is a field of the scene itself; and how much of a value errors show.
IN_STASH = {
    **{name: name for name in ("title", "studio", "director")},
    "summary": "details",
    "originallyAvailableAt": "date",
    "userRating": "rating",
    "actor": "performers",
    "genre": "tags",
    "label": "tags",
}
LONGEST_QUOTE = 80
RANK = {name: place for place, name in enumerate(FIELDS + PICTURES)}
OF_COLLECTIONS = frozenset({"title", "titleSort", "summary", *PICTURES})


def targets(
    section: str,
    key: str,
    edit: Edit,
    *,
    cast: Cast | None = None,
    form: CollectionForm | Literal["playlist"] | None = None,
    limit: int = LINE_LIMIT,
) -> list[str]:
    """The paths with query to send as PUT, in order; none for an empty edit.

    `form`: the key is that of a collection or a playlist, which take fewer fields and are edited by this form. `limit` is
    the longest request line in bytes; a single text or list above it still travels alone.
    Raises ValueError for a section or item that is not a number, and for a field or value that Plex does not accept.
    """
    for role, text in (("library", section), ("item", key)):
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"an edit needs the number of its {role}")
    if form in ("item", "playlist"):
        head = f"/{'playlists' if form == 'playlist' else 'library/metadata'}/{key}?"
    else:
        head = f"/library/sections/{section}/all?type={COLLECTION if form else MOVIE}&id={key}&"
    if form and not edit.keys() <= OF_COLLECTIONS:
        raise ValueError("an edit has fields that a collection does not have")
    beside: Beside = {}
    if any(name == "actor" or beside_whom(name) for name in edit):
        edit, beside = _with_cast(edit, cast or Cast())
    if not edit.keys() <= RANK.keys():
        raise ValueError("an edit has fields that Plex does not take")
    pieces = [piece for name in sorted(edit, key=RANK.__getitem__) for piece in _pieces(name, edit[name], beside)]
    if not pieces:
        return []
    whole = _target(head, pieces)
    if _fits(whole, limit):
        return [whole]
    return list(_pack(head, [small for piece in pieces for small in _smaller(head, piece, limit)], limit))


# For each member of the cast: the parameters that belong to it, by the end of their names.
Beside = Mapping[str, Mapping[str, str]]
PARAMETERS = {ROLE: "tagging.text", FACE: "tag.thumb"}


def _with_cast(edit: Edit, cast: Cast) -> tuple[Edit, Beside]:
    """The edit with lists and single values only, and the parameters sent beside members of the cast.

    A change beside a member travels with the whole list; the list keeps its current value unless it changes too.
    """
    sent: dict[str, dict[str, str]] = {fold(name): {PARAMETERS[ROLE]: text} for name, text in cast.roles.items()}
    for member, face in cast.faces.items():
        sent.setdefault(fold(member), {})[PARAMETERS[FACE]] = face
    changed = {name: about for name in edit if (about := beside_whom(name))}
    for name, (role, member) in changed.items():
        value = edit[name].value
        if isinstance(value, tuple):
            raise ValueError("what is shown beside the cast is a text")
        if value is not None:
            sent.setdefault(fold(member), {})[PARAMETERS[role]] = value
    rest = {name: change for name, change in edit.items() if name not in changed}
    if changed:
        change = rest.get("actor") or Change(None, cast.locked)
        rest["actor"] = change if change.value is not None else replace(change, value=cast.names)
    return rest, sent


@record
class _Piece:
    """Parameters that belong in one request. `names` are removed from the list `field`; they can be split over requests."""

    pairs: tuple[tuple[str, str], ...]
    field: str = ""
    names: tuple[str, ...] = ()


def _pieces(name: str, change: Change, beside: Beside) -> Iterator[_Piece]:
    """The pieces of one field; of a picture only its lock.

    The lock goes with each piece, since Plex locks every list that is edited unless told otherwise.
    """
    # Plex may lock an edited rating unless told not to: nothing would remove that lock again.
    locked = False if name == "userRating" and change.value is not None else change.lock
    lock = () if locked is None else ((f"{name}.locked", str(int(locked))),)
    setting = () if name in PICTURES else tuple(_setting(name, change.value, beside))
    removes = change.removes if name in LISTS else ()
    if setting or (lock and not removes):
        yield _Piece(setting + lock)
    if removes:
        yield _Piece(lock, name, removes)


def _setting(name: str, value: Value | None, beside: Beside) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, str) != (name in SCALARS):
        raise ValueError(f"{name} takes {'a text' if name in SCALARS else 'a list of names'}")
    if isinstance(value, str):
        yield f"{name}.value", str(moment_seconds(value)) if name == ADDED else value
        return
    for number, member in enumerate(value):
        yield f"{name}[{number}].tag.tag", member
        if name == "actor":
            for parameter, text in beside.get(fold(member), {}).items():
                yield f"{name}[{number}].{parameter}", text


def words_of(target: str) -> str:
    """The first field of a request and its value, and where a scene of Stash has it, for the error of a refused one."""
    pairs = parse_qsl(urlsplit(target).query, keep_blank_values=True)
    valued = [(name, value) for name, value in pairs if not name.endswith(".locked") and "." in name]
    name, value = valued[0] if valued else next((pair for pair in pairs if "." in pair[0]), ("", ""))
    field = name.partition(".")[0].partition("[")[0]
    if not valued:
        return f"the lock of {field}"
    text = unquote(value) if name.endswith("-") else value
    quoted = f'{field} "{text if len(text) <= LONGEST_QUOTE else f"{cut(text, LONGEST_QUOTE)}…"}"'
    origin = IN_STASH.get(field, "") if f"type={MOVIE}&" in target else ""
    return f"{quoted} (in Stash: the scene's {origin})" if origin else quoted


def _smaller(head: str, piece: _Piece, limit: int) -> Iterator[_Piece]:
    """The piece, or its halves (recursively) while it is too long and only removes names."""
    if _fits(_target(head, [piece]), limit) or len(piece.names) < 2:
        yield piece
        return
    middle = len(piece.names) // 2
    for half in (piece.names[:middle], piece.names[middle:]):
        yield from _smaller(head, replace(piece, names=half), limit)


def _pack(head: str, pieces: list[_Piece], limit: int) -> Iterator[str]:
    """Pack the pieces into as few requests as their order allows."""
    together: list[_Piece] = []
    for piece in pieces:
        if together and not _fits(_target(head, [*together, piece]), limit):
            yield _target(head, together)
            together = []
        together.append(piece)
    yield _target(head, together)


def _target(head: str, pieces: list[_Piece]) -> str:
    pairs: list[tuple[str, str]] = []
    for piece in pieces:
        if piece.names:
            # Encoded here and once more with the whole query, so that a comma in a name does not separate names.
            pairs.append((f"{piece.field}[].tag.tag-", ",".join(map(_quote, piece.names))))
        pairs += piece.pairs
    # Two pieces of one request may hold the same lock.
    return head + "&".join(f"{_quote(name)}={_quote(value)}" for name, value in dict.fromkeys(pairs))


def _fits(target: str, limit: int) -> bool:
    return len(f"PUT {target} HTTP/1.1\r\n") <= limit


def _quote(text: str) -> str:
    return _quote_name(text) if len(text) <= NAME_LIMIT else _quote_any(text)


_quote_any = partial(quote, safe="", errors="replace")
# The parameters are the same in every edit, and names come again and again.
_quote_name = lru_cache(maxsize=RECENT_NAMES)(_quote_any)
