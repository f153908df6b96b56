"""What pairs of the same file, as Stash and Plex name it, say about a path rule."""

from collections import Counter
from collections.abc import Iterable

from sync.paths import name_key

Rule = tuple[str, str]  # (folder in Stash, folder in Plex)

MOST = 3


def suggested(pairs: Iterable[tuple[str, str]]) -> list[Rule]:
    """The rules that turn the first path of several pairs into the second, the commonest first; not more than a few.

    A single pair says nothing: its file was moved, or is a copy.
    """
    rules = Counter(rule for ours, theirs in pairs if (rule := rule_of(ours, theirs)))
    return [rule for rule, count in rules.most_common(MOST) if count > 1]


def rule_of(ours: str, theirs: str) -> Rule | None:
    """What is left of two paths when the folders and the name they share at their end are taken away; None if nothing."""
    left, right = _cut(ours), _cut(theirs)
    while left and right and name_key(left[-1]) == name_key(right[-1]):
        left.pop()
        right.pop()
    ours_is, theirs_is = _joined(ours, left), _joined(theirs, right)
    return (ours_is, theirs_is) if ours_is and theirs_is and ours_is != theirs_is else None


def _separator(path: str) -> str:
    return "/" if path.startswith("/") or "\\" not in path else "\\"


def _cut(path: str) -> list[str]:
    return path.split(_separator(path))


def _joined(path: str, parts: list[str]) -> str:
    """The folder that is left: '/' when that is the root, '' when the path was relative."""
    separator = _separator(path)
    if len(parts) <= 1:
        root = "".join(parts)
        return f"{root}{separator}" if path.startswith("/") or root.endswith(":") else root
    return separator.join(parts)
