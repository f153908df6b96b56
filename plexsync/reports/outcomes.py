"""The outcomes of scenes after they were worked, in words and as counts."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from plexsync.app.parts import Parts
from plexsync.reports.rows import rows_in
from plexsync.reports.verdict import COMMAND
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.words.status_words import (
    BY_ENDING,
    STATUSES,
    SceneStatus,
    count_words,
    in_sync_line,
    kept_in,
    status_of,
)


@dataclass
class Outcomes:
    """The outcomes of scenes: counts by their JSON names, the causes of dead letters, and the fields that Plex keeps."""

    standing: Counter[str] = field(default_factory=Counter)
    causes: Counter[str] = field(default_factory=Counter)
    kept_fields: int = 0

    @property
    def well(self) -> bool:
        """Whether no scene is dead or unfinished."""
        return not (self.standing["dead"] or self.standing["ambiguous"] or self.standing["waiting"])

    def line(self, words: Mapping[str, str] = MappingProxyType({})) -> str:
        """`12 in sync, 1 needs you (refused 1) → plexsync fix`.

        `words` replaces the words of some outcomes, which then come first.
        """
        causes = ", ".join(f"{cause} {count}" for cause, count in sorted(self.causes.items()))
        sums: Counter[str] = Counter()
        words = {SceneStatus.IN_SYNC.outcome: in_sync_line(self.kept_fields), **words}
        for status in sorted(STATUSES, key=lambda status: status.outcome not in words):
            sums[words.get(status.outcome, status.word)] += self.standing[status.outcome]
        counts = [count_words(word, count) for word, count in sums.items() if count]
        summary = ", ".join(counts) + (f" ({causes})" if causes else "") if counts else "nothing to do"
        return summary + COMMAND if self.standing["dead"] or self.standing["ambiguous"] else summary


def outcomes(parts: Parts, ids: Iterable[int]) -> Outcomes:
    """The current outcomes of these scenes; each counts once, whatever happens to it meanwhile."""
    result, wanted = Outcomes(), set(ids)
    with parts.store.reading() as db:
        states = {id: state for id, state in db.jobs.ids(Kind.SCENE) if id in wanted}
        marks, standings = db.memories.marks(), db.standings.of_all(states)
    dead = (row for row in rows_in(parts, State.DEAD) if row.kind == Kind.SCENE)
    causes = {row.id: row.cls for row in dead if states.get(row.id) is State.DEAD}
    result.causes.update(causes.values())
    if State.DROPPED in states.values():
        dropped = (row for row in rows_in(parts, State.DROPPED) if row.kind == Kind.SCENE)
        causes |= {row.id: row.cls for row in dropped if states.get(row.id) is State.DROPPED}
    for id, state in states.items():
        # No longer dead: it was retried just now.
        revived = state is State.DEAD and id not in causes
        status = SceneStatus.QUEUED if revived else status_of(state, causes.get(id, ""), "", marks.get(id, ""))
        result.standing[status.outcome] += 1
        if status is SceneStatus.IN_SYNC and id in standings:
            result.kept_fields += kept_in(standings[id].word)
    return result


def kept_in_all(stored: Counter[str]) -> int:
    """The number of fields that Plex keeps, from what a comparison would store of the scenes of batches."""
    return sum(kept_in(word) * count for word, count in stored.items())


def outcome_words(counts: Counter[str], kept_fields: int, *, nothing: str = "nothing was due") -> str:
    """`48 in sync, 2 need you` from the outcomes of batches; an outcome without a word is counted by its name."""
    sums: Counter[str] = Counter()
    for name, count in counts.items():
        word = BY_ENDING[name].word if name in BY_ENDING else name
        sums[in_sync_line(kept_fields) if word == SceneStatus.IN_SYNC.word else word] += count
    return ", ".join(count_words(word, count) for word, count in sums.items()) or nothing
