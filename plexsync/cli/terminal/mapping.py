"""Derives path rules from pairs of paths of the same file in Stash and in Plex."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plexsync.rules.paths import PathRules, base_name, is_mapped, map_path, name_key, parted, path_key
from plexsync.rules.text import caseless, composed

Rule = tuple[str, str]  # (folder in Stash, folder in Plex)
Pair = tuple[str, str]  # a file in Stash, and the same file in Plex

MOST = 10
# A single pair proves nothing: its file was moved, or is a copy.
LEAST = 2
# For this many files that a rule maps correctly, one may be elsewhere: it was moved.
STRAY = 10


@dataclass(frozen=True)
class Suggestion:
    """A rule, and how many pairs agree with it and how many do not."""

    rule: Rule
    right: int
    wrong: int


def suggested(pairs: Sequence[Pair], rules: PathRules = (), *, mapped: Sequence[Pair] = ()) -> list[Suggestion]:
    """Rules that map the first path of several pairs to the second, those with the most matches first.

    They are added to `rules`, which already found the `mapped` pairs. A folder whose files are in
    several places gets no rule, nor does one whose rule would map other files to the wrong place.
    """
    refused: set[Rule] = set(rules)
    while True:
        # Each pair counts for the widest valid rule, so that one rule covers a whole tree of folders.
        counted = Counter(
            next((rule for rule in rules_of(stash_path, plex_path) if rule not in refused), None)
            for stash_path, plex_path in pairs
        )
        chosen = [rule for rule, count in counted.most_common() if rule and count >= LEAST]
        suggestions = [_judged(rule, [*rules, *chosen], [*pairs, *mapped]) for rule in chosen]
        doubtful = [
            suggestion
            for suggestion in suggestions
            if suggestion.right < LEAST or suggestion.wrong * STRAY > suggestion.right
        ]
        if not doubtful:
            return sorted(suggestions, key=lambda suggestion: -suggestion.right)[:MOST]
        # Without the worst rule, others may decide its pairs: they are evaluated again.
        refused.add(max(doubtful, key=lambda suggestion: (suggestion.wrong - suggestion.right, suggestion.rule)).rule)


def rules_of(stash_path: str, plex_path: str) -> list[Rule]:
    """The rules that map the first path to the second, the widest first; none if both are the same."""
    (stash_root, stash_names), (plex_root, plex_names) = parted(stash_path), parted(plex_path)
    stash_folders, plex_folders = list(stash_names), list(plex_names)
    same = caseless if plex_root not in ("/", "") else composed
    if (
        not stash_root
        or not plex_root
        or not stash_folders
        or not plex_folders
        or name_key(stash_folders.pop()) != name_key(plex_folders.pop())
    ):
        return []
    rules = [(_folder(stash_root, stash_folders), _folder(plex_root, plex_folders))]
    while stash_folders and plex_folders and same(stash_folders[-1]) == same(plex_folders[-1]):
        stash_folders.pop()
        plex_folders.pop()
        rules.insert(0, (_folder(stash_root, stash_folders), _folder(plex_root, plex_folders)))
    return [] if path_key(rules[0][0]) == path_key(rules[0][1]) else rules


def _judged(rule: Rule, rules: PathRules, pairs: Iterable[Pair]) -> Suggestion:
    """Count the pairs that agree with a rule among others; pairs that another rule decides don't count."""
    right = wrong = 0
    for stash_path, plex_path in pairs:
        # A rule does not depend on the case of names.
        named = _named_as(stash_path, plex_path)
        target = map_path(named, [rule])
        if is_mapped(named, [rule]) and set(target) & set(map_path(named, rules)):
            agrees = path_key(plex_path) in map(path_key, target)
            right, wrong = right + agrees, wrong + (not agrees)
    return Suggestion(rule, right, wrong)


def _named_as(stash_path: str, plex_path: str) -> str:
    return stash_path[: len(stash_path) - len(base_name(stash_path))] + base_name(plex_path)


def _folder(root: str, names: Sequence[str]) -> str:
    """The folder with its side's separators."""
    separator = "/" if root == "/" else "\\"
    return root.replace("/", separator) + separator.join(names)
