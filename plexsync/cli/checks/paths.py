"""Checks of the path rules: do Stash and Plex name the same files alike? And what rules would make it so."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from plexsync.app.parts import Parts
from plexsync.cli.checks.check import Check, problem, warning
from plexsync.cli.terminal.mapping import Pair, Rule, Suggestion, suggested
from plexsync.reports.format import many
from plexsync.rules.errors import NeighbourError
from plexsync.rules.job import Kind
from plexsync.rules.neighbours import Stash
from plexsync.rules.paths import map_path, name_key, path_key
from plexsync.rules.scene import Scene
from plexsync.store.database import Reader

# Scenes that are looked up for the path rules, from so many places of Stash.
SAMPLE, PLACES = 50, 5
# A rule that so many of their files agree with is worth telling also where most files are found by path.
MANY = 5


@dataclass
class Found:
    """How the files of some scenes were found in the index."""

    scenes: int = 0
    by_path: int = 0
    by_name: int = 0
    pairs: tuple[Pair, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    @property
    def missing(self) -> int:
        return self.scenes - self.by_path - self.by_name


def mapping(parts: Parts) -> Iterator[Check]:
    """How many of some scenes are found by their full paths, and what to set where that are too few."""
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
    with parts.store.reading() as db:
        found = looked_up(db, scenes, parts.config.path_rules)
    yield _judged(name, found, given=bool(parts.config.path_map))


def sample(stash: Stash) -> list[Scene]:
    """Some scenes with files from all over Stash, since those of one folder have often come together."""
    count = stash.newest()[Kind.SCENE].count
    places = [count * n // PLACES for n in range(PLACES)] if count > SAMPLE else [0]
    pages = (next(stash.walk(after=after, page=SAMPLE // len(places)), []) for after in places)
    return list({scene.id: scene for page in pages for scene in page if scene.files}.values())


def looked_up(db: Reader, scenes: Sequence[Scene], rules: Sequence[Rule]) -> Found:
    """How these scenes are found in the index by these rules, and which rules would find more of them."""
    found = Found(len(scenes))
    pairs: list[Pair] = []
    known: list[Pair] = []
    for scene in scenes:
        if at_path := _at_path(db, scene, rules):
            found.by_path += 1
            known += at_path
        elif alike := _alike(db, scene):
            found.by_name += 1
            pairs += alike
    found.pairs = tuple(pairs)
    found.suggestions = tuple(suggested(pairs, tuple(rules), mapped=known))
    return found


def _at_path(db: Reader, scene: Scene, rules: Sequence[Rule]) -> list[Pair]:
    """The scene's files that are in Plex where the path rules lead."""
    places = {path_key(path): file.path for file in scene.files for path in map_path(file.path, tuple(rules))}
    parts = [part for entry in db.index.entries_at(sorted(places)) for part in entry.parts]
    return [(places[path_key(part.path)], part.path) for part in parts if path_key(part.path) in places]


def _alike(db: Reader, scene: Scene) -> list[tuple[str, str]]:
    """(path in Stash, path in Plex) of the scene's files that exactly one file in Plex is like, by name and size."""
    pairs = []
    for file in scene.files:
        key = name_key(file.path)
        parts = [part for entry in db.index.entries_named([key]) for part in entry.parts]
        same = [part.path for part in parts if name_key(part.path) == key and part.size == file.size > 0]
        if len(same) == 1:
            pairs.append((file.path, same[0]))
    return pairs


def _rules_to_set(found: Found, *, given: bool) -> str:
    """What to set so that full paths decide, since most files were found by name and size alone."""
    rules = [json.dumps(" => ".join(one.rule), ensure_ascii=False) for one in found.suggestions]
    right, wrong = (sum(getattr(one, name) for one in found.suggestions) for name in ("right", "wrong"))
    agree = f"{right} of {many(right + wrong, 'file')} agree"
    if rules and given:
        return f"add to path_map, where it is set: {', '.join(rules)} ({agree})"
    if rules:
        where = "put that line into plexsync.toml, or the rules into path_map among the plugin's settings in Stash"
        return f"path_map = [{', '.join(rules)}] would find them by full path ({agree}): {where}"
    why = "set path_map: by name and size alone, look-alikes can't be told apart"
    return f"{why}. {found.pairs[0][0]} in Stash is {found.pairs[0][1]} in Plex" if found.pairs else why


def _judged(name: str, found: Found, *, given: bool) -> Check:
    told = f"of {many(found.scenes, 'scene')}, {found.by_path} found by full path"
    told += f", {found.by_name} by name and size, {found.missing} not at all"
    if not found.by_path and not found.by_name:
        return problem(name, told, "do the libraries hold these files? If their folders have other names: set path_map")
    if found.by_name > found.by_path:
        return warning(name, told, _rules_to_set(found, given=given))
    if any(one.right >= MANY for one in found.suggestions):
        return warning(name, told, _rules_to_set(found, given=given))
    if found.missing * 2 > found.scenes:
        return warning(name, told, "has Plex scanned these files, and do the libraries above hold them?")
    return Check(name, told)
