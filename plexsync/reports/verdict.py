"""The verdict: one line that says how everything stands. It is the first line of every screen.

What needs you comes first, then servers that are down, then a worker that does not work, then the scenes. It is good
only if nothing needs you and nothing waits. Each screen adds the way to what needs you, and when the next check is.
Imports little, because `plexsync status` has to start fast.
"""

from typing import NamedTuple

from plexsync.reports.format import ago, capitalize, many, parse_stamp, stamp
from plexsync.reports.needs import (
    BAD,
    NEEDS,
    WAIT,
    WELL,
    closed_gates,
    needs,
    plays_wait,
    worker_fails,
    worker_hangs,
    worker_is_missed,
)
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.queue.gate_names import GateName
from plexsync.rules.words.status_words import (
    HANGS,
    NOT_RUNNING,
    RESTS,
    RUNNING,
    STARTING,
    STATUSES,
    SWITCHED_OFF,
    SceneStatus,
    buckets,
    count_words,
    in_sync_line,
    in_sync_words,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from plexsync.reports.shapes.status import BareFacts, VerdictFacts, VerdictPart
    from plexsync.reports.shapes.workers import WorkerFacts

    # How bad it is, and the words for it.
    Part = tuple[str, str]

BETWEEN = " · "
# What stands beside what needs you, in a terminal and on a page.
COMMAND, LINK = " → plexsync fix", " → fix"


def verdict(facts: "BareFacts", poll_seconds: float = 0.0) -> "VerdictFacts":
    """The verdict over these facts; `poll_seconds` is the time between two polls, 0 if it is not known."""
    parts = verdict_parts(facts)
    tones = {tone for tone, _ in parts}
    text = BETWEEN.join(words for _, words in parts)
    return {
        "tone": BAD if BAD in tones else WAIT if {WAIT, NEEDS} & tones else WELL,
        "text": text,
        "parts": [
            {"tone": WAIT if tone == NEEDS else tone, "text": words, "yours": tone in (BAD, NEEDS)}
            for tone, words in parts
        ],
        "next_check": stamp(_next_check(facts, poll_seconds)),
    }


def urgency(facts: "VerdictFacts") -> "tuple[int, int, int]":
    """A key that sorts verdicts of several servers: the worst one first, by what stops it, needs you and waits."""
    tones = [part["tone"] for part in facts["parts"]]
    return -tones.count(BAD), -sum(part["yours"] for part in facts["parts"]), -tones.count(WAIT)


def verdict_line(facts: "VerdictFacts", now: int, plex: str = "") -> str:
    """The verdict as a terminal shows it: with the command for what needs you, and the time until the next check.

    `plex` is the name of one of several Plex servers.
    """
    way = f"{COMMAND} --plex {plex}" if plex else COMMAND
    words = [part["text"] for part in with_way(facts["parts"], way)]
    if facts["next_check"]:
        at = parse_stamp(facts["next_check"])
        words.append(f"next check {ago(at, now) if at > now else 'now'}")
    return BETWEEN.join(words)


def with_way(parts: "Sequence[VerdictPart]", way: str) -> "list[VerdictPart]":
    """The parts, with the `way` to mend them behind the last one that needs you."""
    last = max((at for at, part in enumerate(parts) if part["yours"]), default=None)
    return [{**part, "text": part["text"] + way} if at == last else part for at, part in enumerate(parts)]


def verdict_parts(facts: "BareFacts") -> "list[Part]":
    """The parts of the verdict. What needs you is `BAD` if nothing is written meanwhile, else `NEEDS`."""
    parts = [
        *((need.tone, need.short) for need in needs(facts)),
        *_scenes(facts),
        *_collections(facts),
        *_pending(facts),
    ]
    (tone, words), *others = parts
    return [(tone, capitalize(words)), *others]


class Sentence(NamedTuple):
    """A sentence of the overview, and the page of the dashboard on which you can act; '' if there is none."""

    text: str
    page: str = ""


def calm_sentences(facts: "BareFacts") -> "list[Sentence]":
    """The verdict as the overview says it: what stops everything, the share in sync, and how many decisions are yours.

    Scenes, collections and dead letters that need you are one number: they can wait.
    """
    in_sync, others = _scene_counts(facts)
    going_on = [count_words(status.word, count) for status, count in others.items() if count and status.tone != WAIT]
    total, yours = in_sync + sum(others.values()), _decisions(facts, others)
    # Without a full comparison there may be more scenes than are known.
    are_all = in_sync == total and facts["last_reconcile"]
    words = in_sync_words(facts["kept_fields"], stopped=is_stopped(facts))
    share = f"{'All' if are_all else f'{in_sync:,} of {total:,}'} {words}"
    return [
        *(Sentence(capitalize(need.short), "/fix" if need.is_yours else "/state") for need in needs(facts)),
        Sentence(", ".join([share, *going_on]), "/drift" if facts["kept_fields"] else "")
        if total
        else Sentence("No scene is known yet"),
        *([Sentence(f"{many(yours, 'small decision')} when you have time", "/fix")] if yours else []),
        *(Sentence(capitalize(words)) for tone, words in _pending(facts) if tone != NEEDS),
    ]


def is_stopped(facts: "BareFacts") -> bool:
    """Whether nothing is compared and written now, so that scenes are in sync only as far as was known before."""
    return not {GateName.STASH, GateName.PLEX}.isdisjoint(closed_gates(facts)) or any(
        need.tone == BAD for need in needs(facts)
    )


def _decisions(facts: "BareFacts", counts: "Mapping[SceneStatus, int]") -> int:
    """How many scenes and collections need you; without any, how many dead letters of another kind."""
    needing = sum(count for status, count in counts.items() if status.tone == WAIT)
    return needing + facts["collections"].get(CollectionStatus.FAILED, 0) or facts["dlq"]["count"]


def word_for_worker(worker: "WorkerFacts") -> str:
    """The display word for the worker. One inside Stash that could not go on does not rest."""
    if not worker["enabled"]:
        return SWITCHED_OFF
    if worker["running"]:
        return RUNNING if worker["alive"] else STARTING if worker["starting"] else HANGS
    return RESTS if worker["inside"] and not worker_fails(worker) else NOT_RUNNING


def worker_tone(worker: "WorkerFacts") -> str:
    """The CSS class of its colour: one that rests inside Stash is neither good nor bad."""
    if not worker["enabled"] or worker_hangs(worker) or worker_is_missed(worker) or worker_fails(worker):
        return BAD
    return WELL if worker["alive"] else WAIT if worker["starting"] else "plain"


def _scenes(facts: "BareFacts") -> "Iterator[Part]":
    """The share in sync, and the number of all others."""
    in_sync, counts = _scene_counts(facts)
    total = sum(counts.values())
    if not in_sync + total:
        yield WELL, "no scene is known yet"
        return
    words = in_sync_line(facts["kept_fields"], stopped=is_stopped(facts))
    yield WELL, f"{in_sync:,} of {in_sync + total:,} {words}"
    for status, count in sorted(counts.items(), key=lambda entry: entry[0].tone != WAIT):
        if count:
            yield NEEDS if status.tone == WAIT else WELL, count_words(status.word, count)


def _scene_counts(facts: "BareFacts") -> "tuple[int, dict[SceneStatus, int]]":
    """The number of scenes in sync, and of those in each other status; one that is gone from Stash is none of them."""
    counts = {same[0]: sum(facts["scenes"][status]["count"] for status in same) for same in buckets()}
    counts.pop(SceneStatus.GONE)
    return counts.pop(SceneStatus.IN_SYNC), counts


def _collections(facts: "BareFacts") -> "Iterator[Part]":
    """The collections that need you; how the others stand is for their own list."""
    if count := facts["collections"].get(CollectionStatus.FAILED, 0):
        yield NEEDS, f"{many(count, 'collection')} {'needs' if count == 1 else 'need'} you"


def _next_check(facts: "BareFacts", poll_seconds: float) -> int | None:
    """When a server that is waited for is tested again, or else the next poll if scenes are not in Plex yet.

    None if nothing waits for that, or if no worker does it.
    """
    if not (facts["worker"]["enabled"] and facts["worker"]["alive"]):
        return None
    moments = [held["retest_at"] for held in facts["holds"].values()]
    moments += [breaker["next_probe_at"] for breaker in facts["breakers"].values()]
    moments += [pace["not_before"] for pace in facts["paces"].values()]
    if tests := [parse_stamp(moment) for moment in moments if moment]:
        return min(tests)
    if not (facts["scenes"][SceneStatus.NOT_IN_PLEX.value]["count"] and facts["last_poll"] and poll_seconds):
        return None
    at = parse_stamp(facts["last_poll"]) + round(poll_seconds * 1000)
    return at if at > parse_stamp(facts["at"] or facts["last_poll"]) else None


def _pending(facts: "BareFacts") -> "Iterator[Part]":
    """What waits and is no scene yet."""
    needing = sum(facts["scenes"][status]["count"] for status in STATUSES if status.tone == WAIT)
    needing += facts["collections"].get(CollectionStatus.FAILED, 0)
    if facts["dlq"]["count"] and not needing:
        yield NEEDS, many(facts["dlq"]["count"], "dead letter")
    if waiting := facts["events"]["waiting"]:
        yield WELL, f"{many(waiting, 'event')} left as files"
    if waiting := facts["plays"]["waiting"]:
        way = "wait for Stash" if plays_wait(facts) else "on their way to Stash"
        yield WAIT if plays_wait(facts) else WELL, f"plays of {many(waiting, 'scene')} {way}"
    if facts["comparison_due"] and not facts["setting_change"]:
        yield WELL, "a full comparison is due"
    elif not facts["last_reconcile"]:
        yield WELL, "no full comparison yet: other scenes are not counted"
