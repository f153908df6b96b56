"""How everything stands: the store's overview as plain facts, with the moments as texts, for `status` and `serve`."""

from collections.abc import Mapping
from typing import Any

from plexsync.app.database_files import spooled
from plexsync.app.parts import Parts
from plexsync.app.switches import bulk_approved, comparison_owed
from plexsync.engine.gates import breaker_probe_at, breaker_state
from plexsync.reports.format import noted, stamp
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import State
from plexsync.rules.note_keys import HEARTBEAT, LAST_POLL, LAST_RECONCILE
from plexsync.rules.outages import Outage, Summary, last_ended, lasting, outages
from plexsync.rules.records import BreakerRow, HoldRow, Overview
from plexsync.rules.status_words import STATUSES, server_word


def facts(parts: Parts) -> dict[str, Any]:
    """Everything `status` tells, from one snapshot; times are RFC 3339 or None."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        seen = db.overview(now)
        past = outages(db.transitions.all())
        tallies, waiting, undone = db.tallies.all(), db.jobs.count_unsettled(), db.memories.count_undone()
        standings = db.standings.counts()
        beat, polled, reconciled = (noted(db.notes.text(name)) for name in (HEARTBEAT, LAST_POLL, LAST_RECONCILE))
    return {
        "at": stamp(now),
        "jobs": {state.value: seen.jobs.get(state, 0) for state in State},
        "undone": {"undone": undone.get("undo", 0), "released": undone.get("release", 0)},
        "scenes": {
            status.value: {"count": count, "since": stamp(since)}
            for status, (count, since) in ((status, standings.get(status, (0, None))) for status in STATUSES)
        },
        "due": seen.due,
        "oldest_due": stamp(seen.oldest_due),
        "dead": dict(seen.dead),
        "dlq": dlq(sum(seen.dead.values()), parts.config.dlq_max, tallies),
        "breakers": {who.value: breaker(parts, seen.breakers.get(who, BreakerRow()), now) for who in Neighbour},
        "holds": {who.value: hold(row) for who, row in seen.holds.items()},
        "outages": {
            "current": [outage_facts(one, now, waiting=waiting) for one in lasting(past)],
            "last": outage_facts(last, now) if (last := last_ended(past)) else None,
        },
        "paces": {
            who.value: {
                "not_before": stamp(row.not_before) if row.not_before > now else None,
                "jobs_per_claim": row.ramp,
            }
            for who, row in seen.paces.items()
        },
        "worker": {"running": parts.someone_works(), "heartbeat": stamp(beat), "enabled": parts.config.enabled},
        "events": events(parts),
        "index": {"items": seen.indexed, "libraries": libraries(seen)},
        "last_poll": stamp(polled),
        "last_reconcile": stamp(reconciled),
        "comparison_due": comparison_owed(parts),
        "bulk_approved": bulk_approved(parts),
        "books": books(seen),
    }


def events(parts: Parts) -> dict[str, Any]:
    """Events that hooks had to leave as files: those that wait for a worker, and those that can't be read."""
    waiting, unread = spooled(parts.folder)
    return {"waiting": waiting, "unread": unread}


def breaker(parts: Parts, row: BreakerRow, now: int) -> dict[str, Any]:
    """A breaker as a reader finds it now."""
    return {
        "state": breaker_state(row, parts.breaker_rules, now),
        "failures": row.failures,
        "failures_allowed": parts.breaker_rules.failure_threshold,
        "opened_at": None if row.opened_at is None else stamp(row.opened_at * 1000),
        "next_probe_at": stamp(breaker_probe_at(row, parts.breaker_rules)),
        "cause": row.cause,
        "error": row.error,
    }


def server_words(seen: Mapping[str, Any], *, held: bool, patience: bool = False) -> str:
    """How a server stands, by the facts of its breaker: what `status` and the line of `serve` call it."""
    return server_word(
        seen["state"],
        failures=seen["failures"],
        failures_allowed=seen["failures_allowed"],
        error=seen["error"],
        held=held,
        throttled=patience,
    )


def hold(row: HoldRow) -> dict[str, Any]:
    """A hold, with the setting to put right."""
    return {
        "setting": row.setting,
        "message": row.message,
        "since": stamp(row.since),
        "retest_at": stamp(row.retest_at),
    }


def outage_facts(one: Outage, now: int, *, waiting: int = 0) -> dict[str, Any]:
    """An outage; `until` is None while it lasts, `waiting` the largest number of scenes that was seen to wait.

    `waiting` are those that wait now: they wait for an outage that lasts.
    """
    return {
        "server": one.who.value,
        "kind": one.gate.value,
        "since": stamp(one.start),
        "until": stamp(one.end),
        "seconds": one.lasted(now) / 1000,
        "cause": one.cause,
        "error": one.error,
        "waiting_at_start": one.waiting,
        "waiting": max(one.most, waiting) if one.end is None else one.most,
    }


def figure_facts(seen: Summary) -> dict[str, Any]:
    """The figures for JSON; lengths in seconds."""
    return {
        "since": stamp(seen.start),
        "interruptions": seen.interruptions,
        "down_seconds": seen.down / 1000,
        "mttr_seconds": None if seen.mttr is None else seen.mttr / 1000,
        "mtbf_seconds": None if seen.mtbf is None else seen.mtbf / 1000,
        "availability": seen.availability,
    }


OWED = (
    "a full comparison is due, since the database was rebuilt or restored, or settings have changed: "
    "plexsync reconcile runs it"
)


def dlq(count: int, most: int, tallies: Mapping[str, int]) -> dict[str, Any]:
    """The dead-letter queue: how many, whether that is too many, and how they came and went since there is a database.

    `renewed` came back by a new wish: died = count + retried + cured + dropped + ignored + pruned + renewed.
    """
    ways = {name: tallies.get(name, 0) for name in ("died", "retried", "cured", "dropped", "ignored", "pruned")}
    left = sum(ways.values()) - ways["died"]
    forgotten = {name: tallies.get(f"{name}_pruned", 0) for name in ("attempts", "pushes")}
    return {
        "count": count,
        "max": most,
        "over": count > most,
        **ways,
        "renewed": ways["died"] - count - left,
        "forgotten": forgotten,
    }


def too_many(count: int, most: int) -> str:
    """The banner over a queue that is longer than it should be, or ''."""
    if count <= most:
        return ""
    return f"{count:,} dead letters, more than dlq_max ({most:,}). None is deleted: fix the causes below."


def libraries(seen: Overview) -> list[dict[str, Any]]:
    """The libraries in the index."""
    return [
        {"key": row.key, "title": row.title, "walked_at": stamp(row.walked_at) if row.walked_at else None}
        for row in seen.sections
    ]


def books(seen: Overview) -> dict[str, Any]:
    """The four counters, what is open, and whether accepted = coalesced + done + pruned + open."""
    kept: Mapping[str, int] = {name: seen.books.get(name, 0) for name in ("accepted", "coalesced", "done", "pruned")}
    still_open = sum(count for state, count in seen.jobs.items() if state is not State.IDLE)
    settled = kept["coalesced"] + kept["done"] + kept["pruned"]
    return {**kept, "open": still_open, "balanced": kept["accepted"] == settled + still_open}
