"""Learns the path rules for `plexsync init` from scenes that both servers have."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from plexsync.app.parts import opened
from plexsync.cli.checks.paths import PathLookup, looked_up, sample
from plexsync.cli.terminal.discovery import FoundPaths, FoundPlex, FoundStash, Given, why_not
from plexsync.cli.terminal.mapping import Rule
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import LiveLine, table
from plexsync.reports.format import many
from validation import path_rules
from validation.config import PlexSyncConfig
from validation.sources import STAND_INS, ConfigError, Loaded, load


def learn_paths(person: Person, options: Given, here: Loaded, plex: FoundPlex, stash: FoundStash) -> FoundPaths:
    """The rules that map Stash's files to Plex: those given or set, else rules learned from pairs of files.

    Both servers are read through a temporary database.
    """
    if problem := options.rules and why_not("path_map", list(options.rules)):
        raise ConfigError([f"--path-map {problem}"])
    config = _config(
        plex_url=plex.url,
        plex_token=plex.token,
        plex_libraries=list(plex.libraries),
        stash_url=stash.url,
        stash_api_key=stash.key,
        tls_ca_file=here.config.tls_ca_file,
        path_map=list(options.rules or here.config.path_map),
    )
    with tempfile.TemporaryDirectory(prefix="plexsync-init-") as place, opened(config, Path(place)) as parts:
        with LiveLine(person.console) as line:
            line.show("comparing file names: reading the libraries of Plex")
            parts.indexer.freshen()
            line.show("comparing file names: looking at some scenes of Stash")
            scenes = sample(parts.stash)
        if not scenes:
            person.tell(
                "Paths: Stash has no scene with a file yet, so no path rules can be learnt. doctor learns them later."
            )
            return FoundPaths(path_rules.pairs(config.path_map))

        def look(rules: Sequence[Rule]) -> PathLookup:
            with parts.store.reading() as db:
                return looked_up(db, scenes, rules)

        return _agreed(person, look, path_rules.pairs(config.path_map), fixed=bool(options.rules))


def _config(**settings: object) -> PlexSyncConfig:
    """Settings without any other source; raises ConfigError."""
    return load(environ={}, toml_path=None, overrides=settings).config


def _agreed(
    person: Person, look: Callable[[Sequence[Rule]], PathLookup], rules: tuple[Rule, ...], *, fixed: bool
) -> FoundPaths:
    """The rules that you agree to."""
    lookup = look(rules)
    person.tell(f"Paths: {_lookup_words(lookup)}", style="bold")
    if fixed or (not lookup.suggestions and lookup.by_path):
        return _result(rules, lookup)
    if lookup.suggestions:
        better = (*rules, *(suggestion.rule for suggestion in lookup.suggestions))
        rows = [
            (*suggestion.rule, f"{suggestion.right:,} of {suggestion.right + suggestion.wrong:,}")
            for suggestion in lookup.suggestions
        ]
        person.console.print(table("", ("folder in Stash", "folder in Plex", "files agree"), rows))
        after = look(better)
        these = "this rule" if len(rows) == 1 else "these rules"
        person.tell(f"With {these}: {_lookup_words(after)}")
        if not person.present or person.agrees(f"Use {these}?"):
            return _result(better, after)
    elif not person.present:
        return _result(rules, lookup)
    else:
        person.tell("Do the libraries hold these files? If their folders have other names in Plex, say how.")
    return _typed_rules(person, look, rules)


def _typed_rules(person: Person, look: Callable[[Sequence[Rule]], PathLookup], rules: tuple[Rule, ...]) -> FoundPaths:
    """Rules that you type, one per line."""
    person.tell("Type rules as: folder in Stash => folder in Plex. An empty line ends.")
    lines = [" => ".join(rule) for rule in rules]
    while typed := person.line(
        "Rule", option="--path-map RULE", wrong=lambda text: why_not("path_map", [*lines, text]) if text else ""
    ):
        lines.append(typed)
    new_rules = path_rules.pairs(_config(**STAND_INS, path_map=lines).path_map)
    lookup = look(new_rules)
    person.tell(f"With these rules: {_lookup_words(lookup)}")
    return _result(new_rules, lookup)


def _lookup_words(lookup: PathLookup) -> str:
    """The result of a lookup in words."""
    text = f"of {many(lookup.scenes, 'scene')} looked at, {lookup.by_path} are found in Plex by their full path"
    text += f", {lookup.by_name} by name and size alone" if lookup.by_name else ""
    return text + (f", {lookup.missing} not at all" if lookup.missing else "")


def _result(rules: Sequence[Rule], lookup: PathLookup) -> FoundPaths:
    return FoundPaths(tuple(rules), lookup.scenes, lookup.by_path, lookup.by_name)
