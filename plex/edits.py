"""Turns a plan's edit into the requests that carry it out.

A request without an item id would edit every item of its library, so none can be built without one. Whatever the edit,
one request is enough as long as its line stays below 8,000 bytes. Above that, or once a server has found it too long, it
becomes several, each complete in itself: a list always travels whole, since some servers add what is named and others
replace the list by it, and only a whole list is right for both. Names to take away are safe in any grouping and follow
their list. So what can't be made shorter is one text, or one list, that is too long by itself; the rest is sent without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from sync.item import FIELDS, LISTS, PICTURES, SCALARS
from sync.plan import Change, Edit, Value

LINE_LIMIT = 8_000


def targets(
    section: str, key: str, edit: Edit, *, roles: Mapping[str, str] | None = None, limit: int = LINE_LIMIT
) -> list[str]:
    """Paths with their query, to be sent as PUT one after another; none for an edit that changes nothing.

    `limit` is the longest request line wanted, in bytes: a text or a list that is longer by itself still travels alone.
    Raises ValueError for a section or item that is not a number, and for a field or value that Plex does not take.
    """
    head = _head(section, key)
    pieces = [piece for name in _in_order(edit) for piece in _pieces(name, edit[name], roles or {})]
    if not pieces:
        return []
    whole = _target(head, pieces)
    if _fits(whole, limit):
        return [whole]
    return list(_packed(head, [small for piece in pieces for small in _smaller(head, piece, limit)], limit))


@dataclass(frozen=True)
class _Piece:
    """Parameters that belong in one request. `names` are to be taken away from the list `field`, and can be parted."""

    pairs: tuple[tuple[str, str], ...]
    field: str = ""
    names: tuple[str, ...] = ()

    def all_pairs(self) -> Iterator[tuple[str, str]]:
        if self.names:
            # Encoded once here and once more with everything else: so a comma in a name is not one between names.
            yield f"{self.field}[].tag.tag-", ",".join(map(_quoted, self.names))
        yield from self.pairs


def _head(section: str, key: str) -> str:
    for what, text in (("library", section), ("item", key)):
        if not (text.isascii() and text.isdigit()):
            raise ValueError(f"an edit needs the number of its {what}")
    return f"/library/sections/{section}/all?type=1&id={key}"


def _in_order(edit: Edit) -> list[str]:
    known = FIELDS + PICTURES
    if not edit.keys() <= set(known):
        raise ValueError("an edit has fields that Plex does not take")
    return [name for name in known if name in edit]


def _pieces(name: str, change: Change, roles: Mapping[str, str]) -> Iterator[_Piece]:
    """One field; of a picture its lock alone. A lock goes with each of its pieces, since Plex locks a list that is touched
    unless told otherwise."""
    lock = () if change.lock is None else ((f"{name}.locked", str(int(change.lock))),)
    setting = () if name in PICTURES else tuple(_setting(name, change.value, roles))
    removes = change.removes if name in LISTS else ()
    if setting or (lock and not removes):
        yield _Piece(setting + lock)
    if removes:
        yield _Piece(lock, name, removes)


def _setting(name: str, value: Value | None, roles: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if value is None:
        return
    if isinstance(value, str) != (name in SCALARS):
        raise ValueError(f"{name} takes {'a text' if name in SCALARS else 'a list of names'}")
    if isinstance(value, str):
        yield f"{name}.value", value
        return
    for number, member in enumerate(value):
        yield f"{name}[{number}].tag.tag", member
        if name == "actor" and roles.get(member):
            yield f"{name}[{number}].tagging.text", roles[member]


def _smaller(head: str, piece: _Piece, limit: int) -> Iterator[_Piece]:
    """The piece, or halves of it (and of those) while it is too long and only takes names away."""
    if _fits(_target(head, [piece]), limit) or len(piece.names) < 2:
        yield piece
        return
    middle = len(piece.names) // 2
    for half in (piece.names[:middle], piece.names[middle:]):
        yield from _smaller(head, replace(piece, names=half), limit)


def _packed(head: str, pieces: list[_Piece], limit: int) -> Iterator[str]:
    """The pieces in as few requests as their order allows."""
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
        pairs += piece.all_pairs()
    # The same lock may stand in two pieces of one request.
    return head + "".join(f"&{_quoted(name)}={_quoted(value)}" for name, value in dict.fromkeys(pairs))


def _fits(target: str, limit: int) -> bool:
    return len(f"PUT {target} HTTP/1.1\r\n") <= limit


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
