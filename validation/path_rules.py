"""The setting `path_map`: rules that lead from a path in Stash to a path in Plex.

The functions raise ValueError with a message that follows the setting's name, as in `validation.values`.
"""

import re
from collections.abc import Iterable

from plexsync.rules.patterns import BadPattern, is_pattern, pattern
from validation.redact import is_safe

LONGEST_PATH = 4_096
_MOST_RULES = 200
FULL_PATH = r"/|[A-Za-z]:[\\/]|\\\\[^\\/]+[\\/][^\\/]+"


def rules(value: object) -> tuple[str, ...]:
    """Path rules, each as the text `stash folder => plex folder`, from one text, a list of texts or a list of pairs."""
    if isinstance(value, str):
        value = (
            [rule for rule in re.split(r"[;\r\n]+", value) if rule.strip()] if value.strip() or not value else [value]
        )
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list of rules, each of the form stash folder => plex folder")
    if len(value) > _MOST_RULES:
        raise ValueError(f"must have at most {_MOST_RULES} rules")
    rules = [_rule(number, rule) for number, rule in enumerate(value, start=1)]
    _refuse_repeats(rules)
    return tuple(f"{stash} => {plex}" for stash, plex in rules)


def pairs(rules: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The checked rules as (Stash prefix, Plex prefix) or (pattern, replacement).

    A prefix has no trailing separator unless it is a root.
    """
    return tuple((stash, plex) for stash, _, plex in (rule.partition(" => ") for rule in rules))


def _rule(number: int, rule: object) -> tuple[str, str]:
    sides = rule.split("=>") if isinstance(rule, str) else rule
    if not isinstance(sides, list | tuple) or len(sides) != 2 or not all(isinstance(side, str) for side in sides):
        raise ValueError(f"must have the form stash folder => plex folder; rule {number} has not")
    if is_pattern(sides[0].strip()):
        return _pattern(number, sides[0].strip(), sides[1].strip())
    return one_side(number, "Stash", sides[0].strip()), one_side(number, "Plex", sides[1].strip())


def _pattern(number: int, source: str, target: str) -> tuple[str, str]:
    """A rule that is a regular expression, checked to lead there and back."""
    if not is_safe(source) or not is_safe(target) or "=>" in source + target:
        raise ValueError(f"must hold patterns without control characters; see rule {number}")
    try:
        pattern(source, target)
    except BadPattern as error:
        raise ValueError(f"must hold patterns that lead there and back; in rule {number} {error}") from None
    return source, target


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


def _refuse_repeats(rules: Iterable[tuple[str, str]]) -> None:
    """Raise if a rule is repeated. One Stash folder may be in two rules, because two libraries can show it."""
    names: dict[tuple[str, str], int] = {}
    for number, rule in enumerate(rules, start=1):
        stash, plex = (_comparable(path) for path in rule)
        if (stash, plex) in names:
            raise ValueError(f"must name each rule once; rules {names[stash, plex]} and {number} are the same")
        names[stash, plex] = number


def _comparable(path: str) -> str:
    """The form for comparison: Windows paths are equal in any case and with either slash."""
    return path if path.startswith("/") or is_pattern(path) else path.replace("/", "\\").casefold()
