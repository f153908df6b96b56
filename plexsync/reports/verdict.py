"""The verdict: one line that says how everything stands. It is the first line of every screen.

What needs you comes first, then servers that are down, then a worker that does not work, then the scenes. It is good
only if nothing needs you and nothing waits. Imports little, because `plexsync status` has to start fast.
"""

from plexsync.reports.format import DAY, many, unstamped
from plexsync.rules.status_words import DOWN, STATUSES, SceneStatus, buckets, counted, worker_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from plexsync.reports.shapes.status import BareFacts, HoldFacts, VerdictFacts, WorkerFacts

    # How bad it is, and the words for it.
    Part = tuple[str, str]

BAD, WAIT, WELL = "bad", "wait", "well"
BETWEEN = " · "


def verdict(facts: "BareFacts") -> "VerdictFacts":
    """The verdict over these facts."""
    parts = verdict_parts(facts)
    tones = {tone for tone, _ in parts}
    text = BETWEEN.join(words for _, words in parts)
    return {"tone": BAD if BAD in tones else WAIT if WAIT in tones else WELL, "text": text}


def verdict_parts(facts: "BareFacts") -> "list[Part]":
    """The parts of the verdict. What needs you is `BAD`."""
    parts = [*_yours(facts), *_servers(facts), *_worker(facts["worker"]), *_scenes(facts), *_pending(facts)]
    (tone, words), *others = parts
    return [(tone, f"{words[0].upper()}{words[1:]}"), *others]


def hold_words(server: str, held: "HoldFacts") -> str:
    """A hold in a few words: what has changed, or that the server refuses PlexSync."""
    # Imported on use, to start fast.
    from plexsync.rules.choices import hold_cause

    return hold_cause(held["choice"]) if held["choice"] else f"{server.title()} does not let PlexSync in"


def worker_is_missed(worker: "WorkerFacts") -> bool:
    """Whether no worker runs, and none starts by itself inside Stash."""
    return worker["enabled"] and not (worker["running"] or worker["inside"])


def worker_hangs(worker: "WorkerFacts") -> bool:
    """Whether a worker runs that does nothing any more."""
    return worker["enabled"] and worker["running"] and not (worker["alive"] or worker["starting"])


def word_for_worker(worker: "WorkerFacts") -> str:
    """The display word for the worker."""
    return worker_word(
        enabled=worker["enabled"],
        running=worker["running"],
        alive=worker["alive"],
        starting=worker["starting"],
        inside=worker["inside"],
    )


def worker_tone(worker: "WorkerFacts") -> str:
    """The CSS class of its colour: one that rests inside Stash is neither good nor bad."""
    if not worker["enabled"] or worker_hangs(worker) or worker_is_missed(worker):
        return BAD
    return WELL if worker["alive"] else WAIT if worker["starting"] else "plain"


def _yours(facts: "BareFacts") -> "Iterator[Part]":
    """What needs you, apart from scenes."""
    for server, held in facts["holds"].items():
        yield BAD, hold_words(server, held)
    if not facts["bulk_approved"]:
        yield BAD, "the first write needs your approval"
    if not facts["worker"]["enabled"]:
        yield BAD, "PlexSync is switched off"
    if unread := facts["events"]["unread"]:
        yield BAD, f"{many(unread, 'event')} can't be read"
    if not facts["books"]["balanced"]:
        yield BAD, "the books do not balance"
    if facts["repaired_at"] and abs(unstamped(facts["at"] or "") - unstamped(facts["repaired_at"])) < DAY:
        yield BAD, "the database was rebuilt"


def _servers(facts: "BareFacts") -> "Iterator[Part]":
    for server, breaker in facts["breakers"].items():
        if breaker["state"] != "closed" and server not in facts["holds"]:
            yield WAIT, f"{server.title()} is {DOWN}"


def _worker(worker: "WorkerFacts") -> "Iterator[Part]":
    if worker_hangs(worker):
        yield BAD, "the worker hangs"
    elif worker_is_missed(worker):
        yield BAD, "no worker runs"
    elif worker["enabled"] and worker["starting"]:
        yield WAIT, "the worker is starting"


def _scenes(facts: "BareFacts") -> "Iterator[Part]":
    """The share in sync, and the number of all others; a scene that is gone from Stash is none of them."""
    counts = {same[0]: sum(facts["scenes"][status]["count"] for status in same) for same in buckets()}
    counts.pop(SceneStatus.GONE)
    in_sync, total = counts.pop(SceneStatus.IN_SYNC), sum(counts.values())
    if not in_sync + total:
        yield WAIT, "no scene is known yet"
        return
    yield WELL, f"{in_sync:,} of {in_sync + total:,} {SceneStatus.IN_SYNC.word}"
    for status, count in sorted(counts.items(), key=lambda entry: entry[0].tone != BAD):
        if count:
            yield status.tone if status.tone in (BAD, WAIT) else WELL, counted(status.word, count)


def _pending(facts: "BareFacts") -> "Iterator[Part]":
    """What waits and is no scene yet."""
    needing = sum(facts["scenes"][status]["count"] for status in STATUSES if status.tone == BAD)
    if facts["dlq"]["count"] and not needing:
        yield BAD, many(facts["dlq"]["count"], "dead letter")
    if waiting := facts["events"]["waiting"]:
        yield WAIT, f"{many(waiting, 'event')} left as files"
    if facts["comparison_due"]:
        yield WAIT, "a full comparison is due"
    elif not facts["last_reconcile"]:
        yield WAIT, "no full comparison yet"
