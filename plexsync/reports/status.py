"""How everything stands: the store's overview as plain facts, with the moments as texts, for `status` and `serve`."""

from plexsync.reports.format import noted, stamp
from plexsync.rules.note_keys import CHANGED
from plexsync.rules.status_words import STATUSES, server_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import SimpleNamespace

    from plexsync.app.database_files import Summary
    from plexsync.app.parts import Parts
    from plexsync.app.status_settings import StatusSettings
    from plexsync.reports.shapes import (
        BookFacts,
        BreakerFacts,
        FigureFacts,
        HoldFacts,
        LibraryFacts,
        OutageFacts,
        OutagesNow,
        PaceFacts,
        QueueFacts,
        StatusFacts,
    )
    from plexsync.rules.outages import Outage
    from plexsync.rules.outages import OutageTotals as Figures
    from plexsync.rules.records import BreakerRow, HoldRow, Overview
    from validation.config import PlexSyncConfig

    Settings = PlexSyncConfig | StatusSettings

NEIGHBOURS = ("plex", "stash")


def facts(parts: "Parts") -> "StatusFacts":
    """Everything `status` tells, from one snapshot; times are RFC 3339 or None."""
    return facts_of(parts.summary(), parts.config, spooled=parts.spooled(), running=parts.someone_works())


def facts_of(seen: "Summary", config: "Settings", *, spooled: tuple[int, int], running: bool) -> "StatusFacts":
    """Everything `status` tells; `spooled` are the events that wait and those that can't be read."""
    waiting = seen.jobs["ready"] + seen.jobs["running"]
    return {
        "at": stamp(seen.now),
        "jobs": seen.jobs,
        "undone": {"undone": seen.undone.get("undo", 0), "released": seen.undone.get("release", 0)},
        "scenes": {
            status.value: {"count": count, "since": stamp(since)}
            for status, (count, since) in ((status, seen.standings.get(status, (0, None))) for status in STATUSES)
        },
        "due": seen.due,
        "oldest_due": stamp(seen.oldest_due),
        "dead": seen.dead,
        "dlq": dlq(sum(seen.dead.values()), config.dlq_max, seen.tallies),
        "breakers": {who: breaker(config, seen.breakers.get(who), seen.now) for who in NEIGHBOURS},
        "holds": {who: hold(row) for who, row in seen.holds.items()},
        "outages": _outages(seen, waiting),
        "paces": {who: _pace(seen.paces.get(who), seen.now) for who in NEIGHBOURS},
        "worker": {"running": running, "heartbeat": stamp(noted(seen.heartbeat)), "enabled": config.enabled},
        "events": {"waiting": spooled[0], "unread": spooled[1]},
        "index": {"items": seen.items, "libraries": [_library(*row) for row in seen.sections]},
        "last_poll": stamp(noted(seen.last_poll)),
        "last_reconcile": stamp(noted(seen.last_reconcile)),
        "comparison_due": seen.anew or seen.wishes == CHANGED,
        "bulk_approved": config.approve_bulk or seen.approved,
        "books": _books(seen.books, sum(count for state, count in seen.jobs.items() if state != "idle")),
    }


def _outages(seen: "Summary", waiting: int) -> "OutagesNow":
    """The outages that last, and the last one that is over."""
    if not seen.transitions:
        return {"current": [], "last": None}
    # Most who wait for this process have never had an outage.
    from plexsync.rules.errors import Neighbour
    from plexsync.rules.outages import Transition, last_ended, lasting, outages

    past = outages(Transition(Neighbour(who), *rest) for who, *rest in seen.transitions)
    last = last_ended(past)
    return {
        "current": [outage_facts(outage, seen.now, waiting=waiting) for outage in lasting(past)],
        "last": outage_facts(last, seen.now) if last else None,
    }


def _pace(row: "SimpleNamespace | None", now: int) -> "PaceFacts":
    if row is None:
        return {"not_before": None, "jobs_per_claim": 0}
    return {"not_before": stamp(row.not_before) if row.not_before > now else None, "jobs_per_claim": row.ramp}


def breaker(config: "Settings", row: "BreakerRow | SimpleNamespace | None", now: int) -> "BreakerFacts":
    """A breaker as a reader finds it now; one that was never stored is closed."""
    state, probe = "closed", None
    if row is not None and row.state != "closed":
        from plexsync.app.breaker import breaker_rules, state_at

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


def server_words(seen: "BreakerFacts", *, held: bool, patience: bool = False) -> str:
    """How a server stands, by the facts of its breaker: what `status` and the line of `serve` call it."""
    return server_word(
        seen["state"],
        failures=seen["failures"],
        failures_allowed=seen["failures_allowed"],
        error=seen["error"],
        held=held,
        throttled=patience,
    )


def hold(row: "HoldRow | SimpleNamespace") -> "HoldFacts":
    """A hold, with the setting to put right."""
    return {
        "setting": row.setting,
        "message": row.message,
        "since": stamp(row.since),
        "retest_at": stamp(row.retest_at),
    }


def outage_facts(one: "Outage", now: int, *, waiting: int = 0) -> "OutageFacts":
    """An outage; `until` is None while it lasts, `waiting` the largest number of scenes that was seen to wait.

    `waiting` are those that wait now: they wait for an outage that lasts.
    """
    return {
        "server": one.server.value,
        "kind": one.gate.value,
        "since": stamp(one.start),
        "until": stamp(one.end),
        "seconds": one.lasted(now) / 1000,
        "cause": one.cause,
        "error": one.error,
        "waiting_at_start": one.waiting,
        "waiting": max(one.most, waiting) if one.end is None else one.most,
    }


def figure_facts(seen: "Figures") -> "FigureFacts":
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


def dlq(count: int, most: int, tallies: "Mapping[str, int]") -> "QueueFacts":
    """The dead-letter queue: how many, whether that is too many, and how they came and went since there is a database.

    `renewed` came back by a new wish: died = count + retried + cured + dropped + ignored + pruned + renewed.
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
    """The banner over a queue that is longer than it should be, or ''."""
    if count <= most:
        return ""
    return f"{count:,} dead letters, more than dlq_max ({most:,}). None is deleted: fix the causes below."


def _library(key: str, title: str, walked_at: int) -> "LibraryFacts":
    return {"key": key, "title": title, "walked_at": stamp(walked_at) if walked_at else None}


def books(seen: "Overview") -> "BookFacts":
    """The four counters, what is open, and whether accepted = coalesced + done + pruned + open."""
    counters = tuple(seen.books.get(name, 0) for name in ("accepted", "coalesced", "done", "pruned"))
    return _books(counters, sum(count for state, count in seen.jobs.items() if state != "idle"))


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
