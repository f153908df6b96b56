"""Texts built from a scene's values: `[{studio} - ]{title}`.

A name in braces is replaced by a value. Text in square brackets is left out if a value in it is empty. To show a brace
or bracket, write it twice.
"""

import re
from collections.abc import Mapping

from plexsync.rules.record_class import record

_TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{([a-z_]*)\}|[\[\]{}]|[^\[\]{}]+")
LONGEST = 500
# The names that a template of a scene can use.
NAMES = frozenset({"title", "file", "studio", "parent", "date", "year", "code", "director", "performers", "group"})
# The names that the name, the role text and the picture address of a cast member can use.
ROLE_NAMES = frozenset({"name", "disambiguation", "alias", "aliases", "gender"})
FACE_NAMES = frozenset({"id", "name", "disambiguation"})


@record
class Piece:
    """Plain text, or the name of a value."""

    text: str = ""
    name: str = ""


@record
class Template:
    """Groups of pieces; an optional group is left out if a value in it is empty."""

    groups: tuple[tuple[bool, tuple[Piece, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.groups)

    @property
    def names(self) -> frozenset[str]:
        """The names of the values in it."""
        return frozenset(piece.name for _, pieces in self.groups for piece in pieces if piece.name)

    def fill(self, values: Mapping[str, str]) -> str:
        """The text for these values, by name."""
        return "".join(
            "".join(values[piece.name] if piece.name else piece.text for piece in pieces)
            for optional, pieces in self.groups
            if not optional or all(values[piece.name] for piece in pieces if piece.name)
        )


def parse_template(text: str, names: frozenset[str]) -> Template:
    """The template for a text. Raises ValueError with a message that continues the text's name if it is invalid."""
    if len(text) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} characters")
    groups: list[tuple[bool, tuple[Piece, ...]]] = []
    pieces: list[Piece] = []
    inside = False
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in "[]":
            if (sign == "[") == inside:
                raise ValueError("must pair every [ with a ], none inside another; write [[ or ]] for the sign itself")
            _end(groups, pieces, optional=inside)
            inside = sign == "["
        elif sign in "{}":
            raise ValueError("must have a name between { and }; write {{ or }} for the sign itself")
        elif token[1] is not None:
            if token[1] not in names:
                raise ValueError(f"must name known values between {{ and }}: {', '.join(sorted(names))}")
            pieces.append(Piece(name=token[1]))
        else:
            pieces.append(Piece(text=sign[0] if sign in ("{{", "}}", "[[", "]]") else sign))
    if inside:
        raise ValueError("must pair every [ with a ]; write [[ for the sign itself")
    _end(groups, pieces, optional=False)
    return Template(tuple(groups))


def _end(groups: list[tuple[bool, tuple[Piece, ...]]], pieces: list[Piece], *, optional: bool) -> None:
    if pieces:
        groups.append((optional, tuple(pieces)))
        pieces.clear()
