"""The verdict: one line that says how everything stands. It is the first line of every screen.

What needs you comes first, then servers that are down, then a worker that does not work, then the scenes. It is good
only if nothing needs you and nothing waits. Each screen adds the way to what needs you, and when the next check is.
Imports little, because `plexsync status` has to start fast.
"""

from typing import NamedTuple

from plexsync.reports.format import DAY, ago, capitalize, many, parse_stamp, stamp
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.rules.plays.first_plays import rule_words
from plexsync.rules.queue.choices import hold_cause
from plexsync.rules.queue.gate_names import REFUSES, GateName, closed_words, is_covered
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

    from plexsync.reports.shapes.status import (
        BareFacts,
        FirstPlaysFacts,
        HoldFacts,
        VerdictFacts,
        VerdictPart,
    )
    from plexsync.reports.shapes.workers import WorkerEndFacts, WorkerFacts

    # How bad it is, and the words for it.
    Part = tuple[str, str]

# Red where nothing is written, amber where somebody is needed soon, green for the rest. `NEEDS` is amber and needs you.
BAD, WAIT, WELL, NEEDS = "bad", "wait", "well", "needs"
BETWEEN = " · "
NEVER = "1970-01-01T00:00:00Z"
# A worker that ended by itself so often in a row, and runs again, is told.
AGAIN = 2
# Seconds that a commit may wait for a standby server of PostgreSQL.
LONG_COMMIT = 5.0
FIRST_PLAYS = "plexsync plays sync"
# A Stash that refuses writes stops plays on their way back, and nothing else.
SCENES_GO_ON, PLAYS_WAIT = "scenes go on, plays wait", "plays wait"
ADVICE = "plexsync log, plexsync doctor"
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
        *_yours(facts),
        *_servers(facts),
        *_worker(facts["worker"], parse_stamp(facts["at"] or NEVER)),
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
    share = f"{'All' if are_all else f'{in_sync:,} of {total:,}'} {in_sync_words(facts['kept_fields'])}"
    return [
        *(Sentence(capitalize(words), "/fix") for _, words in _yours(facts)),
        *(
            Sentence(capitalize(words), "/fix" if tone in (BAD, NEEDS) else "/state")
            for tone, words in (*_servers(facts), *_worker(facts["worker"], parse_stamp(facts["at"] or NEVER)))
        ),
        Sentence(", ".join([share, *going_on]), "/drift" if facts["kept_fields"] else "")
        if total
        else Sentence("No scene is known yet"),
        *([Sentence(f"{many(yours, 'small decision')} when you have time", "/fix")] if yours else []),
        *(Sentence(capitalize(words)) for tone, words in _pending(facts) if tone != NEEDS),
    ]


def _decisions(facts: "BareFacts", counts: "Mapping[SceneStatus, int]") -> int:
    """How many scenes and collections need you; without any, how many dead letters of another kind."""
    needing = sum(count for status, count in counts.items() if status.tone == WAIT)
    return needing + facts["collections"].get(CollectionStatus.FAILED, 0) or facts["dlq"]["count"]


def hold_words(server: str, held: "HoldFacts") -> str:
    """A hold in a few words: what has changed, what Plex lacks, or that the server refuses PlexSync."""
    if held["choice"]:
        return hold_cause(held["choice"])
    if held["setting"] == "plex_libraries":
        return "Plex lacks a library that plex_libraries names"
    return REFUSES if server == GateName.STASH_WRITES else f"{server.title()} does not let PlexSync in"


def first_plays_words(first: "FirstPlaysFacts") -> str:
    """How many plays the first write of plays would add, and of how many; and for how many that is not known yet."""
    if first["in_force"]:
        by = rule_words(first["minimum"], first["percent"])
        is_not = "is not" if first["missing"] == 1 else "are not"
        return f"{many(first['missing'], 'play')} of {first['account']} by {by} {is_not} in Stash"
    oldest = f", oldest {first['oldest'][:10]}" if first["oldest"] else ""
    plays = f"{many(first['in_plex'], 'play')} of {first['account']} in Plex"
    unknown = first["in_plex"] - first["missing"] - first["present"] if first["unmatched"] or first["unread"] else 0
    if unknown >= first["in_plex"] > 0:
        return f"{plays}, not compared with Stash yet"
    if not first["missing"] and unknown <= 0:
        return f"{plays}, all of them in Stash" if first["in_plex"] else plays
    more = f", {unknown:,} not compared yet" if unknown > 0 else ""
    return f"{plays}, {first['missing']:,} of them not in Stash{oldest}{more}"


def worker_is_missed(worker: "WorkerFacts") -> bool:
    """Whether no worker runs, and none starts by itself inside Stash."""
    return worker["enabled"] and not (worker["running"] or worker["inside"])


def worker_hangs(worker: "WorkerFacts") -> bool:
    """Whether a worker runs that does nothing any more."""
    return worker["enabled"] and worker["running"] and not (worker["alive"] or worker["starting"])


def commits_wait(worker: "WorkerFacts") -> bool:
    """Whether nothing is stored, since commits wait for a standby server of the database."""
    return worker["commit_wait"] > LONG_COMMIT


def worker_fails(worker: "WorkerFacts") -> bool:
    """Whether the worker has ended by itself and does not run, or does so again and again."""
    ended = worker["ended"]
    return worker["enabled"] and ended is not None and (not worker["running"] or ended["count"] >= AGAIN)


def ended_words(ended: "WorkerEndFacts", now: int) -> str:
    """How often the worker ended by itself, since when, and with which error."""
    return f"the worker ended by itself {_times(ended, now)}: {ended['error'] or 'worker.log may tell why'}"


def thread_words(ended: "WorkerEndFacts", now: int) -> str:
    """How often a thread of the worker ended, since when, and which one."""
    return f"a thread of the worker ended by a fault {_times(ended, now)} and was started again: {ended['error']}"


def _times(ended: "WorkerEndFacts", now: int) -> str:
    since = ago(parse_stamp(ended["since"]), now) if ended["since"] else ""
    return since if ended["count"] == 1 else f"{many(ended['count'], 'time')} since {since}"


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


def _yours(facts: "BareFacts") -> "Iterator[Part]":
    """What needs you, apart from scenes."""
    for server, held in facts["holds"].items():
        if server != GateName.STASH_WRITES:
            yield BAD, hold_words(server, held)
        elif not is_covered(server, closed_gates(facts)):
            yield NEEDS, f"{hold_words(server, held)}: {_goes_on(facts)}"
    if not facts["bulk_approved"]:
        yield NEEDS, "the first write needs your approval"
    if change := facts["setting_change"]:
        yield NEEDS, f"{change['text']}: look, write, or set it back"
    if first := facts["plays"]["first"]:
        later = "" if first["missing"] or first["unmatched"] or first["unread"] else "later ones "
        goes_on = f"; PlexSync goes on by {rule_words(first['in_force'])}" if first["in_force"] else ""
        yield NEEDS, f"{first_plays_words(first)}: {later}wait for your yes ({FIRST_PLAYS}){goes_on}"
    if not facts["worker"]["enabled"]:
        yield BAD, "PlexSync is switched off"
    if unread := facts["events"]["unread"]:
        yield NEEDS, f"{many(unread, 'event')} can't be read"
    if not facts["books"]["balanced"]:
        yield NEEDS, "the books do not balance"
    if facts["repaired_at"] and abs(parse_stamp(facts["at"] or "") - parse_stamp(facts["repaired_at"])) < DAY:
        yield NEEDS, "the database was rebuilt"


def _servers(facts: "BareFacts") -> "Iterator[Part]":
    closed = closed_gates(facts)
    for name in closed:
        if name in facts["holds"] or is_covered(name, closed):
            continue
        yield WAIT, closed_words(name) + (f": {_goes_on(facts)}" if name == GateName.STASH_WRITES else "")


def closed_gates(facts: "BareFacts") -> "list[str]":
    """The gates that are closed by their breaker or on hold."""
    return [
        name for name, breaker in facts["breakers"].items() if breaker["state"] != "closed" or name in facts["holds"]
    ]


def plays_wait(facts: "BareFacts") -> bool:
    """Whether plays on their way wait, since one has failed or Stash refuses writes."""
    return bool(facts["plays"]["error"]) or GateName.STASH_WRITES in closed_gates(facts)


def _goes_on(facts: "BareFacts") -> str:
    """What a Stash that refuses writes means: scenes go on, if nothing else stops them."""
    works = facts["worker"]["enabled"] and facts["worker"]["alive"]
    return SCENES_GO_ON if works and closed_gates(facts) == [GateName.STASH_WRITES] else PLAYS_WAIT


def _worker(worker: "WorkerFacts", now: int) -> "Iterator[Part]":
    if commits_wait(worker):
        # What else is wrong with the worker follows from that.
        yield BAD, "the database waits for a standby server, and stores nothing (plexsync doctor)"
        return
    if worker["ended"] and worker_fails(worker):
        yield NEEDS if worker["alive"] else BAD, f"{ended_words(worker['ended'], now)} ({ADVICE})"
    if worker_hangs(worker):
        yield BAD, "the worker hangs"
    elif worker_fails(worker) and not worker["running"]:
        return
    elif worker_is_missed(worker):
        yield BAD, "no worker runs"
    elif worker["enabled"] and worker["starting"]:
        yield WELL, "the worker is starting"
    if worker["thread_ended"] and worker["running"]:
        yield WAIT, thread_words(worker["thread_ended"], now)
    if unlike := [row["host"] for row in worker["standbys"] if row["differing"]]:
        yield WAIT, f"a standby would not take over, since its settings differ: {', '.join(unlike)}"


def _scenes(facts: "BareFacts") -> "Iterator[Part]":
    """The share in sync, and the number of all others."""
    in_sync, counts = _scene_counts(facts)
    total = sum(counts.values())
    if not in_sync + total:
        yield WELL, "no scene is known yet"
        return
    yield WELL, f"{in_sync:,} of {in_sync + total:,} {in_sync_line(facts['kept_fields'])}"
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
