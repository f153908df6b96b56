"""Checks of the path rules: whether Stash and Plex use the same file paths, and which rules would map them."""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from plexsync.app.parts import Parts
from plexsync.cli.checks.check import Check, problem
from plexsync.reports.format import many
from plexsync.rules.match.paths import (
    PathRules,
    base_name,
    is_mapped,
    lies_in,
    map_path,
    name_key,
    path_key,
    split_path,
)
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.servers.neighbours import Stash
from plexsync.rules.words.text import caseless, compose
from plexsync.store.database import Reader
from validation import path_rules

# The number of scenes to look up for the path rules, and of places in Stash that they come from.
SAMPLE, PLACES = 50, 5
# A rule that this many of their files confirm is suggested even if most files are found by path.
MANY = 5

Rule = tuple[str, str]  # (folder in Stash, folder in Plex)
Pair = tuple[str, str]  # a file in Stash, and the same file in Plex

MOST = 10
# A single pair proves nothing: its file was moved, or is a copy.
LEAST = 2
# For this many files that a rule maps correctly, one may be elsewhere: it was moved.
STRAY = 10


@record
class Suggestion:
    """A rule, and how many pairs agree with it and how many do not."""

    rule: Rule
    right: int
    wrong: int


@dataclass
class PathLookup:
    """The result of looking up the files of some scenes in the index."""

    scenes: int = 0
    by_path: int = 0
    by_name: int = 0
    pairs: tuple[Pair, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def missing(self) -> int:
        return self.scenes - self.by_path - self.by_name


def mapping(parts: Parts) -> Iterator[Check]:
    """How many sampled scenes are found by their full paths, and what to set if too few are."""
    name = "path mapping"
    try:
        scenes = sample(parts.stash)
        if parts.indexer.empty():
            parts.indexer.freshen()
    except NeighbourError as error:
        yield problem(name, str(error), "run doctor again when both servers answer")
        return
    if not scenes:
        yield Check(name, "Stash has no scene with a file yet")
        return
    rules = path_rules.pairs(parts.config.path_map)
    with parts.store.reading() as db:
        lookup = looked_up(db, scenes, rules)
    yield _judge_lookup(name, lookup, rules)
    yield from idle_rules(parts, scenes, rules)


def idle_rules(parts: Parts, scenes: Sequence[Scene], rules: Sequence[Rule]) -> Iterator[Check]:
    """The rules that lead into no library of Plex, or that fit no file of these scenes."""
    try:
        folders = [folder for section in parts.plex.sections() for folder in section.locations]
    except NeighbourError:
        return
    files = [file.path for scene in scenes for file in scene.files]
    for rule in rules:
        _, plex_folder = rule
        written = json.dumps(" => ".join(rule), ensure_ascii=False)
        if not any(lies_in(plex_folder, folder) or lies_in(folder, plex_folder) for folder in folders):
            message = f"the rule {written} of path_map leads into no library: Plex has {', '.join(folders)}"
            yield Check("path rules", message, "correct the rule, or take it out")
        elif not any(is_mapped(path, [rule]) for path in files):
            message = f"the rule {written} of path_map fits none of {many(len(files), 'file')} of Stash"
            sampled = "" if len(scenes) < SAMPLE else " that were looked at"
            yield Check("path rules", f"{message}{sampled}", "correct the rule, or take it out if it is not needed")


def sample(stash: Stash) -> list[Scene]:
    """Sample scenes with files from all over Stash, since those of one folder were often added together."""
    count = stash.newest()[Kind.SCENE].count
    places = [count * n // PLACES for n in range(PLACES)] if count > SAMPLE else [0]
    pages = (next(stash.walk(after=after, page=SAMPLE // len(places)), []) for after in places)
    return list({scene.id: scene for page in pages for scene in page if scene.files}.values())


def looked_up(db: Reader, scenes: Sequence[Scene], rules: Sequence[Rule]) -> PathLookup:
    """Look up these scenes in the index by these rules, and derive rules that would find more of them."""
    lookup = PathLookup(len(scenes))
    unmapped: list[Pair] = []
    mapped: list[Pair] = []
    for scene in scenes:
        # The files that Plex has at their mapped path.
        places = {path_key(path): file.path for file in scene.files for path in map_path(file.path, tuple(rules))}
        parts = [part for entry in db.index.entries(path_keys=sorted(places)) for part in entry.parts]
        if at_path := [(places[path_key(part.path)], part.path) for part in parts if path_key(part.path) in places]:
            lookup.by_path += 1
            mapped += at_path
        elif alike := _alike(db, scene):
            lookup.by_name += 1
            unmapped += alike
    lookup.pairs = tuple(unmapped)
    lookup.suggestions = tuple(suggest_rules(unmapped, tuple(rules), mapped=mapped))
    return lookup


def _alike(db: Reader, scene: Scene) -> list[tuple[str, str]]:
    """(path in Stash, path in Plex) of the scene's files with exactly one match in Plex by name and size."""
    pairs = []
    for file in scene.files:
        key = name_key(file.path)
        parts = [part for entry in db.index.entries(name_keys=[key]) for part in entry.parts]
        same = [part.path for part in parts if name_key(part.path) == key and part.size == file.size > 0]
        if len(same) == 1:
            pairs.append((file.path, same[0]))
    return pairs


def _rules_to_set(lookup: PathLookup, present: Sequence[Rule]) -> str:
    """The path rules to set, since most files were found by name and size only."""
    rules = [" => ".join(suggestion.rule) for suggestion in lookup.suggestions]
    right, wrong = (sum(getattr(suggestion, name) for suggestion in lookup.suggestions) for name in ("right", "wrong"))
    agree = f"{right} of {many(right + wrong, 'file')} agree"
    if rules and os.environ.get("PLEXSYNC_PROGRESS") == "stash":
        deed = f"{'add to' if present else 'enter in'} the field Plex: path mapping in the settings of the plugin"
        return f"{deed}, with ; between rules: {'; '.join(rules)} ({agree})"
    rules = [json.dumps(rule, ensure_ascii=False) for rule in rules]
    if rules and present:
        return f"add to path_map, where it is set: {', '.join(rules)} ({agree})"
    if rules:
        where = "put that line into plexsync.toml, or the rules into path_map among the plugin's settings in Stash"
        return f"path_map = [{', '.join(rules)}] would find them by full path ({agree}): {where}"
    # No rule would find most of these files: one leads away, or a pair is an example.
    pairs = lookup.pairs
    misled = [path for path, in_plex in pairs if path_key(path) == path_key(in_plex) and is_mapped(path, present)]
    if misled:
        led = next(iter(map_path(misled[0], tuple(present))), "nowhere")
        return f"correct path_map: it leads {misled[0]} to {led}, and Plex has the file at the same path as Stash"
    advice = "set path_map: by name and size alone, look-alikes can't be told apart"
    differs = next(((path, in_plex) for path, in_plex in pairs if path_key(path) != path_key(in_plex)), None)
    return f"{advice}. {differs[0]} in Stash is {differs[1]} in Plex" if differs else advice


def _judge_lookup(name: str, lookup: PathLookup, rules: Sequence[Rule]) -> Check:
    summary = f"of {many(lookup.scenes, 'scene')}, {lookup.by_path} found by full path"
    summary += f", {lookup.by_name} by name and size, {lookup.missing} not at all"
    if not lookup.by_path and not lookup.by_name:
        return problem(
            name, summary, "do the libraries hold these files? If their folders have other names: set path_map"
        )
    if lookup.by_name > lookup.by_path or any(suggestion.right >= MANY for suggestion in lookup.suggestions):
        return Check(name, summary, _rules_to_set(lookup, rules))
    if lookup.missing * 2 > lookup.scenes:
        return Check(name, summary, "has Plex scanned these files, and do the libraries above hold them?")
    return Check(name, summary)


def suggest_rules(pairs: Sequence[Pair], rules: PathRules = (), *, mapped: Sequence[Pair] = ()) -> list[Suggestion]:
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
        suggestions = [_count_pairs(rule, [*rules, *chosen], [*pairs, *mapped]) for rule in chosen]
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
    (stash_root, stash_names), (plex_root, plex_names) = split_path(stash_path), split_path(plex_path)
    stash_folders, plex_folders = list(stash_names), list(plex_names)
    same = caseless if plex_root not in ("/", "") else compose
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


def _count_pairs(rule: Rule, rules: PathRules, pairs: Iterable[Pair]) -> Suggestion:
    """Count the pairs that agree with a rule among others; pairs that another rule decides don't count."""
    right = wrong = 0
    for stash_path, plex_path in pairs:
        # A rule does not depend on the case of names.
        named = stash_path[: len(stash_path) - len(base_name(stash_path))] + base_name(plex_path)
        target = map_path(named, [rule])
        if is_mapped(named, [rule]) and set(target) & set(map_path(named, rules)):
            agrees = path_key(plex_path) in map(path_key, target)
            right, wrong = right + agrees, wrong + (not agrees)
    return Suggestion(rule, right, wrong)


def _folder(root: str, names: Sequence[str]) -> str:
    """The folder with its side's separators."""
    separator = "/" if root == "/" else "\\"
    return root.replace("/", separator) + separator.join(names)
