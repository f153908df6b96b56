"""What pairs of the same file, as Stash and Plex name it, say about path rules."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from plexsync.rules.paths import PathRules, base_name, is_mapped, map_path, name_key, parted, path_key
from plexsync.rules.text import caseless, composed

Rule = tuple[str, str]  # (folder in Stash, folder in Plex)
Pair = tuple[str, str]  # a file in Stash, and the same in Plex

MOST = 10
# A single pair says nothing: its file was moved, or is a copy.
LEAST = 2
# Of so many files that a rule leads to the right place, one may be elsewhere: it was moved.
STRAY = 10


@dataclass(frozen=True)
class Suggestion:
    """A rule, and how many pairs agree with it and how many do not."""

    rule: Rule
    right: int
    wrong: int


def suggested(pairs: Sequence[Pair], rules: PathRules = (), *, known: Sequence[Pair] = ()) -> list[Suggestion]:
    """Rules that turn the first path of several pairs into the second, those that most agree with first.

    They are to stand beside `rules`, by which the pairs that are `known` were found already. A folder whose files are in
    several places gets none, nor does one in which a rule would lead other files astray.
    """
    refused: set[Rule] = set(rules)
    while True:
        # Each pair is for the widest rule that holds, so that one rule stands for a whole tree of folders.
        counted = Counter(
            next((rule for rule in rules_of(ours, theirs) if rule not in refused), None) for ours, theirs in pairs
        )
        chosen = [rule for rule, count in counted.most_common() if rule and count >= LEAST]
        found = [_judged(rule, [*rules, *chosen], [*pairs, *known]) for rule in chosen]
        doubtful = [one for one in found if one.right < LEAST or one.wrong * STRAY > one.right]
        if not doubtful:
            return sorted(found, key=lambda one: -one.right)[:MOST]
        # Without the worst, the others may decide what it has decided: they are judged anew.
        refused.add(max(doubtful, key=lambda one: (one.wrong - one.right, one.rule)).rule)


def rules_of(ours: str, theirs: str) -> list[Rule]:
    """The rules that make the second path of the first, the widest first; none where both are the same."""
    (our_root, our_names), (their_root, their_names) = parted(ours), parted(theirs)
    left, right = list(our_names), list(their_names)
    same = caseless if their_root not in ("/", "") else composed
    if not our_root or not their_root or not left or not right or name_key(left.pop()) != name_key(right.pop()):
        return []
    rules = [(_folder(our_root, left), _folder(their_root, right))]
    while left and right and same(left[-1]) == same(right[-1]):
        left.pop()
        right.pop()
        rules.insert(0, (_folder(our_root, left), _folder(their_root, right)))
    return [] if path_key(rules[0][0]) == path_key(rules[0][1]) else rules


def _judged(rule: Rule, rules: PathRules, pairs: Iterable[Pair]) -> Suggestion:
    """How the pairs agree with a rule that stands among others; those that another one decides don't matter."""
    right = wrong = 0
    for ours, theirs in pairs:
        # In what case a name is written is not the rule's affair.
        named = _named_as(ours, theirs)
        target = map_path(named, [rule])
        if is_mapped(named, [rule]) and set(target) & set(map_path(named, rules)):
            agrees = path_key(theirs) in map(path_key, target)
            right, wrong = right + agrees, wrong + (not agrees)
    return Suggestion(rule, right, wrong)


def _named_as(ours: str, theirs: str) -> str:
    return ours[: len(ours) - len(base_name(ours))] + base_name(theirs)


def _folder(root: str, names: Sequence[str]) -> str:
    """The folder in the style of its side."""
    separator = "/" if root == "/" else "\\"
    return root.replace("/", separator) + separator.join(names)
