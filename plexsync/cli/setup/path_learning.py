"""Learns the path rules of a set-up from scenes that both servers have, and shows them with examples."""

from collections.abc import Sequence

from plexsync.app.parts import Parts
from plexsync.cli.checks.paths import PathLookup, looked_up, sample
from plexsync.cli.setup.longer_step import StepFile
from plexsync.cli.terminal.discovery import why_not
from plexsync.cli.terminal.mapping import Rule
from plexsync.rules.errors import Unusable
from plexsync.rules.paths import map_path
from plexsync.rules.scene import Scene
from validation import path_rules

EXAMPLES = 5
LONGEST = 20_000  # characters of typed rules


def learn(parts: Parts, step: StepFile) -> dict[str, object]:
    """The rules in use and those that are suggested, with what they find."""
    step.progress("reading the libraries of Plex")
    parts.indexer.freshen(force=parts.indexer.empty())
    step.progress("looking at some scenes of Stash")
    scenes = sample(parts.stash)
    rules = path_rules.pairs(parts.config.path_map)
    with parts.store.reading() as db:
        lookup = looked_up(db, scenes, rules)
        better = (*rules, *(suggestion.rule for suggestion in lookup.suggestions))
        after = looked_up(db, scenes, better) if lookup.suggestions else lookup
    suggestions = [
        {"rule": " => ".join(suggestion.rule), "right": suggestion.right, "wrong": suggestion.wrong}
        for suggestion in lookup.suggestions
    ]
    return {
        "rules": [" => ".join(rule) for rule in rules],
        "suggestions": suggestions,
        "now": _counts(lookup),
        "after": _counts(after),
        "examples": _examples(lookup, scenes, better),
    }


def _counts(lookup: PathLookup) -> dict[str, int]:
    return {
        "scenes": lookup.scenes,
        "by_path": lookup.by_path,
        "by_name": lookup.by_name,
        "missing": lookup.missing,
    }


def _examples(lookup: PathLookup, scenes: Sequence[Scene], rules: Sequence[Rule]) -> list[dict[str, str]]:
    """Files in Stash with the path where PlexSync looks for them in Plex: first those that only the rules find."""
    paths = [stash for stash, _ in lookup.pairs] + [file.path for scene in scenes for file in scene.files]
    return [
        {"stash": path, "plex": next(iter(map_path(path, tuple(rules))), path)}
        for path in list(dict.fromkeys(paths))[:EXAMPLES]
    ]


def typed_rules(text: str) -> list[str]:
    """The rules in a text, one on each line; raises Unusable for one that is none."""
    rules = [line.strip() for line in text.splitlines() if line.strip()]
    if len(text) > LONGEST:
        raise Unusable(f"the path rules must have at most {LONGEST:,} characters")
    if problem := why_not("path_map", rules):
        raise Unusable(f"the path rules {problem}")
    return rules
