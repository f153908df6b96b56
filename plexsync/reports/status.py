"""The overall status: the store's overview as plain facts, with moments as text; the worker and the last edit in words."""

import json
from typing import NamedTuple

from plexsync.app.breaker import breaker_rules, state_at
from plexsync.reports.format import ago, parse_note, parse_stamp, stamp
from plexsync.reports.verdict import verdict
from plexsync.rules.collections.collection_status import CollectionStatus, collection_status, members_to_move
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.first_plays import read_counted
from plexsync.rules.plays.missing_plays import MISSING_FOR, missing_plays
from plexsync.rules.queue.gate_names import GateName, gates_to_show
from plexsync.rules.queue.note_keys import CHANGED, HEARS
from plexsync.rules.queue.outages import Outage, Transition, last_ended, lasting, outages
from plexsync.rules.queue.setting_question import read as read_question
from plexsync.rules.queue.stalls import read_stalls
from plexsync.rules.queue.worker_ends import read as read_ends
from plexsync.rules.servers.dashboard_place import read as read_place
from plexsync.rules.words.status_words import DOWN, FAILING, ON_HOLD, PROBING, STATUSES, THROTTLED, UP, in_sync_words
from plexsync.rules.words.verified import read as read_verified
from plexsync.store.files.folder import count_spooled
from plexsync.store.files.lock import has_dashboard
from plexsync.store.files.storage import NO_SPACE, free_in, read_pause

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import SimpleNamespace

    from plexsync.app.database_files import Summary
    from plexsync.app.status_settings import StatusSettings
    from plexsync.app.stored import Stored
    from plexsync.reports.shapes.outages import OutageFacts, OutagesNow
    from plexsync.reports.shapes.status import (
        AskingFacts,
        BareFacts,
        BookFacts,
        BreakerFacts,
        DashboardFacts,
        EditFacts,
        FirstPlaysFacts,
        HoldFacts,
        LibraryFacts,
        MissingPlaysFacts,
        MovingFacts,
        PaceFacts,
        PlaysFacts,
        QueuedPlays,
        QueueFacts,
        SettingChangeFacts,
        StallFacts,
        StandingFacts,
        StatusFacts,
        StorageFacts,
        UndoneFacts,
        VerifiedFacts,
    )
    from plexsync.reports.shapes.workers import WorkerEndFacts, WorkerFacts
    from plexsync.rules.plays.first_plays import FirstPlays
    from plexsync.rules.queue.notices import Pause as PauseFacts
    from plexsync.rules.records import BreakerRow, HoldRow, StandbyRow, WorkerRow
    from plexsync.store.database import Reader
    from validation.config import PlexSyncConfig

    Settings = PlexSyncConfig | StatusSettings


# A worker without a heartbeat for this many milliseconds hangs (it sends one every few seconds, also when idle).
FRESH = 120_000


class Machines(NamedTuple):
    """The machine that works, or worked last, and those that stand by, where several use one database.

    `commit_wait`: for how many seconds a commit has been waiting for a standby server of the database.
    """

    worker: "WorkerRow | None"
    standbys: "Sequence[StandbyRow]"
    commit_wait: float = 0.0


class StatusFolder(NamedTuple):
    """This machine's data folder, and why nothing can be stored there; None if everything can."""

    path: "Path | str"
    storage: "StorageFacts | None" = None


ALONE = Machines(None, ())


def facts(parts: "Stored", pause: "PauseFacts | None" = None) -> "StatusFacts":
    """All facts of `status`, from one snapshot; times are RFC 3339 or None. `pause` is that of a worker in this process."""
    return facts_of(
        parts.summary(),
        parts.config,
        spooled=count_spooled(parts.folder),
        running=parts.someone_works(),
        began=parts.locks.worker_since(),
        has_dashboard=has_dashboard(parts.folder),
        machines=Machines(parts.locks.worker(), parts.locks.standbys(), parts.locks.commit_wait()),
        data=StatusFolder(parts.folder, storage_facts(parts.folder, pause, is_postgres=parts.address.is_postgres)),
    )


def facts_of(
    summary: "Summary",
    config: "Settings",
    *,
    spooled: tuple[int, int],
    running: bool,
    began: int | None,
    has_dashboard: bool,
    data: StatusFolder,
    machines: Machines = ALONE,
) -> "StatusFacts":
    """All facts of `status`; `spooled` counts the waiting and the unreadable events, `began`: when the lock was taken."""
    gates = gates_to_show({*summary.breakers, *summary.holds, *summary.paces})
    bare: BareFacts = {
        "at": stamp(summary.now),
        "jobs": summary.jobs,
        "undone": _undone(summary),
        "scenes": _scenes(summary),
        "kept_fields": summary.kept_fields,
        "due": summary.due,
        "oldest_due": stamp(summary.oldest_due),
        "dead": summary.dead,
        "dlq": dlq(sum(summary.dead.values()), config.dlq_max, summary.tallies),
        "breakers": {name: breaker(config, summary.breakers.get(name), summary.now) for name in gates},
        "holds": {name: hold(row) for name, row in summary.holds.items()},
        "outages": _outages(summary),
        "paces": {name: _pace(summary.paces.get(name), summary.now) for name in gates},
        "worker": worker(summary, machines, running=running, began=began, enabled=config.enabled),
        "dashboard": _dashboard(summary) if has_dashboard else None,
        "events": {"waiting": spooled[0], "unread": spooled[1]},
        "edits": edit_facts(summary.edits, summary.lines, running=running),
        "index": {"items": summary.items, "libraries": _libraries(summary)},
        "last_poll": stamp(parse_note(summary.last_poll)),
        "last_reconcile": stamp(parse_note(summary.last_reconcile)),
        "verified": _last_verify(summary),
        "plays": _plays(summary),
        "collections": _collections(summary),
        "moving": _moving(summary),
        "asking": _asking(summary, config, data.path),
        "storage": data.storage,
        "stalled": _stalls(summary),
        "missing_plays": missing_plays_facts(summary),
        "playlists_problem": summary.playlists_problem,
        "comparison_due": summary.anew or summary.wishes == CHANGED,
        "setting_change": None if config.approve_bulk else _setting_change(summary),
        "repaired_at": stamp(summary.repaired_at),
        "bulk_approved": config.approve_bulk or summary.approved,
        "news": json.loads(summary.news) if summary.news else [],
        "books": _books(summary.books, sum(count for state, count in summary.jobs.items() if state != "idle")),
    }
    return {"verdict": verdict(bare, config.stash_poll_interval), **bare}


def _undone(summary: "Summary") -> "UndoneFacts":
    counts = summary.undone
    return {"undone": counts.get(TakenBack.UNDO, 0), "released": counts.get(TakenBack.RELEASE, 0)}


def _asking(summary: "Summary", config: "Settings", folder: "Path | str") -> "list[AskingFacts]":
    if not summary.asking:
        return []
    from plexsync.reports.asking import asking_facts

    return asking_facts(summary.asking, summary.synced, folder, is_on=bool(config.provider_on))


def _scenes(summary: "Summary") -> "dict[str, StandingFacts]":
    counts = ((status, summary.standings.get(status, (0, None))) for status in STATUSES)
    return {status.value: {"count": count, "since": stamp(since)} for status, (count, since) in counts}


def _stalls(summary: "Summary") -> "list[StallFacts]":
    return [
        {"subject": subject, "since": stamp(stall.since), "seconds": stall.seconds, "reason": stall.reason}
        for subject, stall in read_stalls(summary.stalled).items()
    ]


def missing_plays_facts(summary: "Summary") -> "MissingPlaysFacts | None":
    """The plays that were found missing lately, and still count as deleted."""
    missing = missing_plays(summary.missing_plays)
    if missing is None or not 0 <= summary.now - missing.at < MISSING_FOR:
        return None
    count = min(missing.count, summary.still_missing)
    return {"count": count, "at": stamp(missing.at), "command": missing.command} if count else None


def storage_facts(
    folder: "Path | str", pause: "PauseFacts | None" = None, *, is_postgres: bool = False
) -> "StorageFacts | None":
    """Why nothing can be stored; None if everything can. `pause` counts instead of what the worker that runs has noted."""
    found = (pause.since, pause.full, pause.message) if pause else read_pause(folder)
    free, fault = free_in(folder)
    if found is None and not fault:
        return None
    since, is_full, error = found or (None, fault == NO_SPACE, fault)
    where = "" if is_postgres else str(folder)
    return {"since": stamp(since), "folder": where, "free": free, "full": is_full, "error": error or fault}


def _libraries(summary: "Summary") -> "list[LibraryFacts]":
    return [
        {"key": key, "title": title, "walked_at": stamp(walked_at) if walked_at else None}
        for key, title, walked_at in summary.sections
    ]


def _dashboard(summary: "Summary") -> "DashboardFacts | None":
    """Where the dashboard of a worker that has one is, if that is noted."""
    if not (place := read_place(summary.dashboard)):
        return None
    url, reach, names = place
    return {"url": url, "reach": reach, "names": list(names)}


def _last_verify(summary: "Summary") -> "VerifiedFacts | None":
    """What `verify` found last."""
    if not (counts := read_verified(summary.verified)):
        return None
    at, in_sync, differ, sample, held_count = counts
    return {"at": stamp(at), "in_sync": in_sync, "differ": differ, "sample": sample, "kept_fields": held_count}


def _setting_change(summary: "Summary") -> "SettingChangeFacts | None":
    """The question of a changed setting that waits for an answer."""
    if not (change := read_question(summary.asked_settings)):
        return None
    return {
        "text": change.text,
        "stops": change.stops,
        "scenes": change.scenes,
        "collections": change.collections,
    }


def queued_plays(waiting: int, since: int | None, error: str | None) -> "QueuedPlays":
    """The scenes whose plays are on their way to Stash."""
    return {"waiting": waiting, "since": stamp(since), "error": error or ""}


def _plays(summary: "Summary") -> "PlaysFacts":
    """The plays: what is on its way to Stash, and what is remembered. The names are those of `PlayState`."""
    counts = remembered_plays(summary)
    return {
        **queued_plays(*summary.plays),
        "in_plex": summary.listed_plays,
        "sent": counts["sent"],
        "unfinished": counts["adding"] + counts["undoing"],
        "present": counts["present"],
        "undone": counts["undone"],
        "deleted": counts["deleted"],
        "first": first_plays_facts(summary.first_plays, summary.listed_plays),
    }


def remembered_plays(summary: "Summary") -> "dict[str, int]":
    """What became of the plays that are remembered, in numbers: the names are those of `PlayState`."""
    counts = dict.fromkeys(("adding", "sent", "present", "deleted", "undoing", "undone"), 0)
    for state, undo, count in summary.remembered_plays:
        # A row too many, or one that is kept after all, is being removed: the play itself is PlexSync's.
        word = "sent" if state == "removing" else state if state in counts else "present"
        counts["undoing" if undo and word in ("adding", "sent") else word] += count
    return counts


def _collections(summary: "Summary") -> "dict[str, int]":
    """The number of collections by status word. Every word is there."""
    counts = {status.value: 0 for status in CollectionStatus}
    for standing, state, count in summary.collections:
        counts[collection_status(standing, state)] += count
    return counts


def _moving(summary: "Summary") -> "MovingFacts":
    remaining, members = members_to_move(summary.collections)
    return {"remaining": remaining, "members": members}


def counted_collections(facts: "Mapping[str, int]") -> "list[tuple[CollectionStatus, int]]":
    """The numbers of collections by status; those that are 0 are left out."""
    return [(status, count) for status in CollectionStatus if (count := facts.get(status, 0))]


def play_counts(plays: "PlaysFacts") -> "list[tuple[int, str]]":
    """The numbers of plays, each with its words; those that are 0 are left out."""
    counts = [
        (plays["in_plex"], "in Plex"),
        (plays["first"]["missing"] if plays["first"] else 0, "wait for your yes"),
        (plays["sent"], "added to Stash"),
        (plays["present"], "in Stash already"),
        (plays["unfinished"], "under way"),
        (plays["undone"], "taken back"),
        (plays["deleted"], "deleted by you"),
    ]
    return [(count, words) for count, words in counts if count]


def first_plays_facts(text: str, in_plex: int) -> "FirstPlaysFacts | None":
    """What the first write of plays would do, by its note; None if nothing waits for your approval.

    `in_plex`: how many plays are in Plex now.
    """
    counted = read_counted(text)
    return None if counted is None else counted_facts(counted, in_plex)


def counted_facts(counted: "FirstPlays", in_plex: int) -> "FirstPlaysFacts":
    """What the first write of plays would do, for JSON."""
    unknown = counted.in_plex - counted.missing - counted.present if counted.unmatched or counted.unread else 0
    return {
        "at": stamp(counted.at),
        "account": counted.account,
        "in_plex": in_plex,
        "uncompared": 0 if counted.in_force else max(unknown, 0) + max(in_plex - counted.in_plex, 0),
        "missing": counted.missing,
        "scenes": counted.scenes,
        "present": counted.present,
        "unmatched": counted.unmatched,
        "unread": counted.unread,
        "oldest": stamp(counted.oldest * 1000) if counted.missing else None,
        "newest": stamp(counted.newest * 1000) if counted.missing else None,
        "minimum": counted.minimum,
        "percent": counted.percent,
        "in_force": counted.in_force,
    }


def verified_words(facts: "VerifiedFacts | None") -> str:
    """What the last comparison found, in words without its time."""
    if facts is None:
        return "never"
    compared = facts["in_sync"] + facts["differ"]
    sample = ", a sample" if facts["sample"] else ""
    if facts["differ"]:
        # It is the state before the comparison wrote, so it stands beside a library that is in sync since.
        return f"{facts['differ']:,} of {compared:,} differed then{sample}"
    return f"{facts['in_sync']:,} of {compared:,} were {in_sync_words(facts['kept_fields'])}{sample}"


def _outages(summary: "Summary") -> "OutagesNow":
    """The outages under way, and the last one that ended."""
    if not summary.transitions:
        return {"current": [], "last": None}
    plays = summary.plays[0]
    scenes = summary.jobs["ready"] + summary.jobs["running"] - plays
    past = outages(Transition(GateName(name), *rest) for name, *rest in summary.transitions)
    last = last_ended(past)
    return {
        "current": [
            outage_facts(outage, summary.now, waiting=plays if outage.server is GateName.STASH_WRITES else scenes)
            for outage in lasting(past)
        ],
        "last": outage_facts(last, summary.now) if last else None,
    }


def _pace(row: "SimpleNamespace | None", now: int) -> "PaceFacts":
    if row is None:
        return {"not_before": None, "jobs_per_claim": 0}
    return {"not_before": stamp(row.not_before) if row.not_before > now else None, "jobs_per_claim": row.ramp}


def breaker(config: "Settings", row: "BreakerRow | SimpleNamespace | None", now: int) -> "BreakerFacts":
    """A breaker at the time of reading; one that was never stored is closed."""
    state, probe = "closed", None
    if row is not None and row.state != "closed":
        state, probe = state_at(row, breaker_rules(config), now)
    return {
        "state": state,
        "failures": row.failures if row else 0,
        "failures_allowed": config.breaker_failure_threshold,
        "opened_at": None if row is None or row.opened_at is None else stamp(row.opened_at * 1000),
        "next_probe_at": stamp(probe),
        "cause": row.cause if row else "",
        "error": row.error if row else "",
    }


def server_words(breaker: "BreakerFacts", *, held: bool, patience: bool = False) -> str:
    """A server's status word, from the facts of its breaker; `status` and the line of `serve` show it."""
    if held:
        return ON_HOLD
    if breaker["state"] != "closed":
        return DOWN if breaker["state"] == "open" else PROBING
    if breaker["error"]:
        return f"{FAILING} ({breaker['failures']} of {breaker['failures_allowed']})"
    return THROTTLED if patience else UP


def hold(row: "HoldRow | SimpleNamespace") -> "HoldFacts":
    """A hold, with the setting to correct, or the change that you may accept."""
    return {
        "setting": row.setting,
        "choice": row.choice,
        "message": row.message,
        "since": stamp(row.since),
        "retest_at": stamp(row.retest_at),
    }


def outage_facts(outage: "Outage", now: int, *, waiting: int = 0) -> "OutageFacts":
    """An outage; `until` is None while it is under way; the facts hold the largest number of waiting scenes.

    `waiting` scenes wait now for this gate: they count for an outage that is under way.
    """
    return {
        "server": outage.server.value,
        "kind": outage.gate.value,
        "since": stamp(outage.start),
        "until": stamp(outage.end),
        "seconds": outage.duration(now) / 1000,
        "cause": outage.cause,
        "error": outage.error,
        "waiting_at_start": outage.waiting,
        "waiting": max(outage.most, waiting) if outage.end is None else outage.most,
    }


OWED = (
    "a full comparison is due, since the database was rebuilt or restored, settings have changed, or you accepted a "
    "change: plexsync reconcile runs it"
)


def dlq(count: int, most: int, tallies: "Mapping[str, int]") -> "QueueFacts":
    """The dead-letter queue: its size, whether that is too many, and the lifetime counts of letters added and removed.

    `renewed` letters left by a new want: died = count + retried + cured + dropped + ignored + pruned + renewed.
    """
    died, retried, cured = (tallies.get(name, 0) for name in ("died", "retried", "cured"))
    dropped, ignored, pruned = (tallies.get(name, 0) for name in ("dropped", "ignored", "pruned"))
    return {
        "count": count,
        "max": most,
        "over": count > most,
        "died": died,
        "retried": retried,
        "cured": cured,
        "dropped": dropped,
        "ignored": ignored,
        "pruned": pruned,
        "renewed": died - count - retried - cured - dropped - ignored - pruned,
        "forgotten": {"attempts": tallies.get("attempts_pruned", 0), "pushes": tallies.get("pushes_pruned", 0)},
    }


def too_many(count: int, most: int) -> str:
    """The banner above a dead-letter queue over its limit, or ''."""
    if count <= most:
        return ""
    return f"{count:,} dead letters, more than dlq_max ({most:,}). None is deleted: fix the causes below."


def books(db: "Reader") -> "BookFacts":
    """The four counters, the open jobs, and whether accepted = coalesced + done + pruned + open."""
    return _books(
        tuple(db.books.read().values()),
        sum(count for state, count in db.jobs.count_states().items() if state != "idle"),
    )


def _books(counters: tuple[int, ...], still_open: int) -> "BookFacts":
    accepted, coalesced, done, pruned = counters
    return {
        "accepted": accepted,
        "coalesced": coalesced,
        "done": done,
        "pruned": pruned,
        "open": still_open,
        "balanced": accepted == coalesced + done + pruned + still_open,
    }


# --- the worker --------------------------------------------------------------------------------------------------------


def worker(summary: "Summary", machines: Machines, *, running: bool, began: int | None, enabled: bool) -> "WorkerFacts":
    """The worker: `running` if it holds the lock, `alive` if it also sends heartbeats."""
    beat = parse_note(summary.heartbeat)
    alive, young = (moment is not None and abs(summary.now - moment) < FRESH for moment in (beat, began))
    return {
        "running": running,
        "alive": running and alive,
        "starting": running and young and not alive,
        "inside": bool(summary.inside),
        "heartbeat": stamp(beat),
        "enabled": enabled,
        "host": machines.worker.host if machines.worker else "",
        "standbys": [
            {"host": row.host, "since": stamp(row.since), "differing": list(row.differing)} for row in machines.standbys
        ],
        "ended": ends_by_note(summary.ended),
        "commit_wait": machines.commit_wait,
        "thread_ended": ends_by_note(summary.thread_ended),
    }


def ends_by_note(text: str) -> "WorkerEndFacts | None":
    """How often in a row a worker ended by itself, or one of its threads, by the note of it."""
    ends = read_ends(text)
    if ends is None:
        return None
    count, since, last, error = ends
    return {"count": count, "since": stamp(since), "last": stamp(last), "error": error}


def machine_words(worker: "WorkerFacts") -> str:
    """Where the worker runs and who stands by, to follow its word; '' with SQLite."""
    if not worker["host"]:
        return ""
    words = f" on {worker['host']}" if worker["running"] else f", last on {worker['host']}"
    for row in worker["standbys"]:
        names = ", ".join(row["differing"])
        unlike = f" and does not take over, since its settings differ ({names})" if names else ""
        words += f"; {row['host']} stands by{unlike}"
    return words


# --- edits in Stash -----------------------------------------------------------------------------------------------------


WAYS = {"line": "by a line of Stash's log", "hook": "by the hook", "poll": "by a poll"}


def edit_facts(notes: "Mapping[str, str]", lines: str, *, running: bool) -> "EditFacts":
    """The facts from the notes of the last edit by each way, and of the state of Stash's log."""
    times = {way: parse_note(notes[way]) for way in WAYS}
    # An edit arrives by a line up to a second after the hook has stored it.
    by = max(WAYS, key=lambda way: times[way] or 0) if any(times.values()) else "poll"
    heard = running and lines == HEARS
    return {
        "by": by,
        "last_at": stamp(times[by]),
        "line_at": stamp(times["line"]),
        "hook_at": stamp(times["hook"]),
        "poll_at": stamp(times["poll"]),
        "log_heard": heard,
        "log_error": lines if running and not heard else "",
    }


def edit_words(edits: "EditFacts", now: int) -> str:
    """The same in one sentence, with the time since the last edit."""
    last = edits["last_at"]
    words = (
        f"the last one arrived {WAYS[edits['by']]}, {ago(parse_stamp(last), now)}" if last else "none has arrived yet"
    )
    if edits["log_error"]:
        return f"{words}; polls find them, since Stash's log is not heard: {edits['log_error']}"
    return f"{words}; Stash's log is heard" if edits["log_heard"] else words
