"""The setting `path_map`: rules that lead from a path in Stash to a path in Plex.

The functions raise ValueError with a message that follows the setting's name, as in `validation.values`.
"""

import re
from collections.abc import Callable, Iterable, Sequence

from validation.redact import is_safe

LONGEST_PATH = 4_096
_MOST_RULES = 200
FULL_PATH = r"/|[A-Za-z]:[\\/]|\\\\[^\\/]+[\\/][^\\/]+"


def entries(
    value: object, shape: str, split: Callable[[str], Iterable[str]] = re.compile(r"[;\r\n]+").split
) -> Sequence[object]:
    """The entries of a list, or of one text with semicolons or line ends between them; `shape` says what they must be."""
    if isinstance(value, str):
        value = [entry for entry in split(value) if entry.strip()] if value.strip() or not value else [value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"must be {shape}")
    return value


def rules(value: object) -> tuple[str, ...]:
    """Path rules, each as the text `stash folder => plex folder`, from one text, a list of texts or a list of pairs."""
    value = entries(value, "a list of rules, each of the form stash folder => plex folder")
    if len(value) > _MOST_RULES:
        raise ValueError(f"must have at most {_MOST_RULES} rules")
    checked: list[str] = []
    names: dict[tuple[str, ...], int] = {}
    for number, rule in enumerate(value, start=1):
        sides = _rule(number, rule)
        # Windows paths are equal in any case and with either slash.
        key = tuple(path if path.startswith("/") else path.replace("/", "\\").casefold() for path in sides)
        if key in names:
            raise ValueError(f"must name each rule once; rules {names[key]} and {number} are the same")
        names[key] = number
        checked.append(" => ".join(sides))
    return tuple(checked)


def pairs(rules: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The checked rules as (Stash prefix, Plex prefix), without a trailing separator unless it is a root."""
    return tuple((stash, plex) for stash, _, plex in (rule.partition(" => ") for rule in rules))


def _rule(number: int, rule: object) -> tuple[str, str]:
    sides = rule.split("=>") if isinstance(rule, str) else rule
    if not isinstance(sides, list | tuple) or len(sides) != 2 or not all(isinstance(side, str) for side in sides):
        raise ValueError(f"must have the form stash folder => plex folder; rule {number} has not")
    if sides[0].strip().startswith("re:"):
        raise ValueError(
            f"must hold folders, and rule {number} is a regular expression: write a rule of the form stash folder => "
            "plex folder for each folder, such as /data/films => /media/films"
        )
    return one_side(number, "Stash", sides[0].strip()), one_side(number, "Plex", sides[1].strip())


def one_side(number: int, side: str, path: str) -> str:
    """One side of a rule without trailing separators (a root keeps its own)."""
    place = f"the {side} side of rule {number}"
    if not re.match(FULL_PATH, path):
        raise ValueError(rf"must hold full paths (/…, X:\… or \\server\share…); {place} is none")
    if len(path) > LONGEST_PATH or not is_safe(path) or "=>" in path:
        raise ValueError(
            f"must hold paths of at most {LONGEST_PATH} characters without control characters; see {place}"
        )
    if {".", ".."} & set(re.split("/" if path.startswith("/") else r"[\\/]", path)):
        raise ValueError(f"must hold paths without . or .. in them; see {place}")
    if path.startswith("/"):
        return path.rstrip("/") or "/"
    return path[:3] + path[3:].rstrip("\\/")
