"""The steps of a set-up: what `plexsync init` asks for in a terminal, and the page in Stash by `plexsync setup`.

A step tries what it is given, and says what it found or why that can't be used. It asks nobody, and keeps nothing.
"""

from collections.abc import Callable, Iterable, Sequence

from plexsync.app.parts import Parts
from plexsync.app.setting_change import FoundPlex
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.paths import PathLookup, Rule, looked_up, sample
from plexsync.cli.checks.servers import LEAST_PLEX, LEAST_STASH, version_check
from plexsync.cli.terminal.preview_output import FIRST_FEW, PreviewTotals
from plexsync.cli.terminal.screen import ProgressBar
from plexsync.flows.scenes.preview import WOULD_CHANGE, preview_scenes
from plexsync.reports.comparisons import PreviewFacts, scene_facts
from plexsync.reports.format import many
from plexsync.rules.match.paths import map_path
from plexsync.rules.words.status_words import PREVIEWED, finding_counts
from plexsync.store.database import Database
from validation import path_rules

NOT_OWNER = "the token seems not to belong to the owner of the server, and only the owner can edit"
EXAMPLES = 5

Progress = Callable[..., None]


# --- servers ---------------------------------------------------------------------------------------------------------


def plex_doubts(plex: FoundPlex) -> list[str]:
    """What speaks against this server."""
    foreign = [] if all(section.owned for section in plex.sections) else [NOT_OWNER]
    return [*_version_doubts("Plex", plex.version, LEAST_PLEX), *foreign]


def stash_doubts(version: str) -> list[str]:
    """What speaks against a Stash of this version."""
    return _version_doubts("Stash", version, LEAST_STASH)


def _version_doubts(name: str, version: str, least: tuple[int, ...]) -> list[str]:
    check = version_check(name, version, least, "it answers")
    return [f"{check.message}: {check.mend}"] if check.state == PROBLEM else []


# --- paths -----------------------------------------------------------------------------------------------------------


class PathLesson:
    """Some scenes of Stash, looked up in Plex by the path rules in use, and by those that are suggested beside them."""

    def __init__(self, parts: Parts, progress: Progress) -> None:
        progress("reading the libraries of Plex")
        parts.indexer.freshen(force=parts.indexer.empty())
        progress("looking at some scenes of Stash")
        self._store: Database = parts.store
        self.scenes = sample(parts.stash)
        self.rules = path_rules.pairs(parts.config.path_map)
        self.now = self.look_up(self.rules)
        self.suggestions = self.now.suggestions
        self.better: tuple[Rule, ...] = (*self.rules, *(suggestion.rule for suggestion in self.suggestions))
        self.after = self.look_up(self.better) if self.suggestions else self.now

    def look_up(self, rules: Sequence[Rule]) -> PathLookup:
        """What these rules find."""
        with self._store.reading() as db:
            return looked_up(db, self.scenes, rules)

    def facts(self) -> dict[str, object]:
        """The rules, with what they find, and examples: first the files that only the rules find."""
        paths = [stash for stash, _ in self.now.pairs] + [file.path for scene in self.scenes for file in scene.files]
        return {
            "rules": written_rules(self.rules),
            "suggestions": [
                {"rule": written_rules([suggestion.rule])[0], "right": suggestion.right, "wrong": suggestion.wrong}
                for suggestion in self.suggestions
            ],
            "now": _counts(self.now),
            "after": _counts(self.after),
            "examples": [
                {"stash": path, "plex": next(iter(map_path(path, self.better)), path)}
                for path in list(dict.fromkeys(paths))[:EXAMPLES]
            ],
        }


def _counts(lookup: PathLookup) -> dict[str, int]:
    return {name: getattr(lookup, name) for name in ("scenes", "by_path", "by_name", "missing")}


def written_rules(rules: Iterable[Rule]) -> list[str]:
    """The rules as `path_map` holds them."""
    return [" => ".join(rule) for rule in rules]


# --- preview ---------------------------------------------------------------------------------------------------------


def preview_facts(parts: Parts, progress: Progress, bar: ProgressBar | None = None) -> dict[str, object]:
    """Compare every scene, and write nothing: the counts of all, and before them some that would change in full.

    `bar`: shows how far it is too. Raises NeighbourError if a server goes down.
    """
    totals, first = PreviewTotals(), list[PreviewFacts]()

    def compared(count: int, total: int) -> None:
        words = f"{count:,} of {many(total, 'scene')} compared"
        progress(words, count / total if total else None, first)
        if bar is not None:
            bar.at(count, total)

    progress("reading the libraries of Plex")
    for scene in preview_scenes(parts.inspector, progress=compared):
        totals.count(scene)
        if scene.standing == WOULD_CHANGE and len(first) < FIRST_FEW:
            first.append(scene_facts(scene))
    counts = finding_counts(totals.counts, PREVIEWED, kept_fields=totals.kept_fields)
    return {
        "total": totals.counts.total(),
        "counts": [[str(word), count] for word, count in counts if count],
        "posters": totals.posters,
        "change": totals.counts[WOULD_CHANGE],
        "scenes": first,
    }
