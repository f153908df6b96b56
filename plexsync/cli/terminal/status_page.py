"""The answer of `plexsync status` in words. Standard library only, since a shell waits for it."""

from plexsync.app.advice import UNAPPROVED
from plexsync.cli.terminal.plain import Look
from plexsync.reports.format import lasting, many
from plexsync.reports.status import OWED, server_words, too_many
from plexsync.rules.causes import cure_of
from plexsync.rules.status_words import (
    DOWN,
    JOB_STATES,
    MAIN_STATES,
    ON_HOLD,
    UP,
    buckets,
    job_meaning,
    job_word,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.reports.shapes import EventFacts, OutageFacts, OutagesNow, QueueFacts, StatusFacts, UndoneFacts


def page(found: "StatusFacts", look: Look) -> str:
    """The answer of `plexsync status` in words."""
    jobs, parts = found["jobs"], []
    if banner := too_many(found["dlq"]["count"], found["dlq"]["max"]):
        parts.append(look.sentence(banner))
    scenes, stand = found["scenes"], []
    for statuses in buckets():
        if count := sum(scenes[status]["count"] for status in statuses):
            since = min(scenes[status]["since"] or "" for status in statuses if scenes[status]["count"])
            stand.append((statuses[0].word, f"{count:,}", since))
    if stand:
        parts.append(look.table("Scenes", ("status", "count", "the oldest since"), stand, right=(1,)))
    rows = [
        (job_word(state), f"{jobs[state]:,}", job_meaning(state))
        for state in JOB_STATES
        if jobs[state] or state in MAIN_STATES
    ]
    parts.append(look.table("Queue", ("state", "count", ""), rows, right=(1,)))
    parts.append(look.table("Servers", ("server", "state", "failures", "next try", "why"), _servers(found)))
    if found["dead"]:
        dead = [(cause, f"{count:,}", cure_of(cause).meaning) for cause, count in sorted(found["dead"].items())]
        parts.append(look.table("Dead letters", ("cause", "count", ""), dead, right=(1,)))
    parts.append(look.table("", ("", ""), _rest(found)))
    return "".join(parts)


def _servers(found: "StatusFacts") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for who, seen in found["breakers"].items():
        held, pace = found["holds"].get(who), found["paces"].get(who)
        patience = pace["not_before"] if pace else None
        state = server_words(seen, held=held is not None, patience=patience is not None)
        again, why = seen["next_probe_at"] or patience, seen["error"]
        if held:
            again, why = held["retest_at"], f"{held['message']}: change {held['setting']}"
        if state == UP and not _answered(found, who):
            state = "nothing known yet"
        rows.append((who.title(), state, f"{seen['failures']}", again or "", why))
    return rows


def _answered(found: "StatusFacts", who: str) -> bool:
    """Whether there is any trace of an answer of this server."""
    if any(found["jobs"][name] for name in ("idle", "absent", "gone")) or found["last_reconcile"]:
        return True
    return bool(found["index"]["libraries"]) if who == "plex" else bool(found["last_poll"])


def _rest(found: "StatusFacts") -> list[tuple[str, str]]:
    worker, index, kept = found["worker"], found["index"], found["books"]
    runs = "running" if worker["running"] else "not running (plexsync serve)"
    off = "" if worker["enabled"] else ", switched off (enabled = false)"
    names = ", ".join(one["title"] for one in index["libraries"])
    sums = (
        f"{kept['coalesced']:,} coalesced + {kept['done']:,} done + {kept['pruned']:,} pruned + {kept['open']:,} open"
    )
    verdict = "" if kept["balanced"] else ": THEY DO NOT BALANCE, please report this"
    return [
        ("due now", f"{found['due']:,}"),
        ("oldest queued since", found["oldest_due"] or "-"),
        ("worker", f"{runs}{off}; last heartbeat {found['worker']['heartbeat'] or 'never'}"),
        *_events(found["events"]),
        *_outages(found["outages"]),
        *_undone(found["undone"]),
        ("index", f"{many(index['items'], 'item')} of {names}" if names else "empty: no library was read yet"),
        ("dead letters", _dead_letters(found["dlq"])),
        ("last poll of Stash", found["last_poll"] or "never"),
        ("last full comparison", found["last_reconcile"] or "never"),
        *([("to do", OWED)] if found["comparison_due"] else []),
        *([] if found["bulk_approved"] else [("to do", UNAPPROVED)]),
        ("books", f"{kept['accepted']:,} accepted = {sums}{verdict}"),
    ]


def _dead_letters(found: "QueueFacts") -> str:
    """How dead letters came and went."""
    counts = (
        (found["retried"], "retried"),
        (found["cured"], "retried after a cure"),
        (found["renewed"], "queued again"),
        (found["dropped"], "dropped"),
        (found["ignored"], "ignored"),
        (found["pruned"], "older than dlq_retention_days"),
    )
    left = [f"{count:,} {word}" for count, word in counts if count]
    return f"{found['died']:,} in all" + (f": {', '.join(left)}" if left else "")


def _events(found: "EventFacts") -> list[tuple[str, str]]:
    """A line when events were left as files."""
    told = [f"{found['waiting']:,} left as files, for the worker"] if found["waiting"] else []
    told += [f"{found['unread']:,} set aside, since they can't be read (plexsync doctor)"] if found["unread"] else []
    return [("events", "; ".join(told))] if told else []


def _undone(found: "UndoneFacts") -> list[tuple[str, str]]:
    """A line when scenes were undone, which count as in sync."""
    counts = (("undone", found["undone"]), ("released", found["released"]))
    told = [f"{many(count, 'scene')} {name}" for name, count in counts if count]
    return [("undone", f"{', '.join(told)}: left alone until they are edited in Stash")] if told else []


def _outages(found: "OutagesNow") -> list[tuple[str, str]]:
    """A line for each outage that lasts, and one for the last that is over."""
    rows = [("outage", f"{_outage(one)} since {one['since']}, {_length(one)} so far") for one in found["current"]]
    if one := found["last"]:
        rows.append(("last outage", f"{_outage(one)} for {_length(one)}, until {one['until']} (plexsync outages)"))
    return rows


def _outage(one: "OutageFacts") -> str:
    what = f"{ON_HOLD} ({one['cause']})" if one["kind"] == "hold" else DOWN
    return f"{one['server'].title()} {what}"


def _length(one: "OutageFacts") -> str:
    return lasting(one["seconds"] * 1000)
