"""The output of `plexsync status` as text."""

from rich.console import Console

from plexsync.cli.terminal.paper import say, table
from plexsync.reports.format import format_moment, lasting, many, parse_stamp, safe
from plexsync.reports.needs import WELL, needs
from plexsync.reports.status import (
    OWED,
    counted_collections,
    edit_words,
    machine_words,
    play_counts,
    server_words,
    verified_words,
)
from plexsync.reports.verdict import is_stopped, verdict_line, word_for_worker
from plexsync.rules.queue.choices import hold_cause, hold_line
from plexsync.rules.queue.gate_names import SERVERS, caption
from plexsync.rules.servers.causes import cure_of
from plexsync.rules.words.status_words import (
    DOWN,
    HANGS,
    NOT_RUNNING,
    ON_HOLD,
    SWITCHED_OFF,
    UP,
    SceneStatus,
    buckets,
    count_words,
    in_sync_words,
    job_counts,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.reports.shapes.outages import OutageFacts
    from plexsync.reports.shapes.status import AskingFacts, EventFacts, QueueFacts, StatusFacts, UndoneFacts

WORKER_HINTS = {NOT_RUNNING: " (plexsync serve)", HANGS: " (restart plexsync serve)"}


def show_page(out: Console, facts: "StatusFacts", plex: str = "") -> None:
    """Print `plexsync status` as text. With several Plex servers, it begins with the name `plex` of this one."""
    scenes = facts["scenes"]
    name = f"{plex}: " if plex else ""
    say(out, safe(f"{name}{verdict_line(facts['verdict'], _now(facts), plex)}"), style="bold")
    for need in needs(facts):
        if need.tone != WELL:
            say(out, safe(f"{need.title}: {need.text} {need.next}".rstrip(), 600))
    for change in facts["news"]:
        say(out, safe(f"New in {change['version']}: {change['text']}", 600))
    stopped = is_stopped(facts)
    in_sync, statuses = in_sync_words(facts["kept_fields"], stopped=stopped), []
    for bucket in buckets():
        if count := sum(scenes[status]["count"] for status in bucket):
            since = min(filter(None, (scenes[status]["since"] for status in bucket)), default="")
            word = in_sync if bucket[0] is SceneStatus.IN_SYNC else bucket[0].word
            statuses.append((word, f"{count:,}", _when(since, facts) if since else ""))
    if statuses:
        out.print(table("Scenes", ("status", "count", "the oldest"), statuses, right=(1,)))
    resting = {"not_shown": scenes.get("not_shown", {"count": 0})["count"]}
    resting |= {"undone": facts["undone"]["undone"], "released": facts["undone"]["released"]}
    counts = job_counts(facts["jobs"], resting, kept_fields=facts["kept_fields"], stopped=stopped)
    rows = [(row.word, f"{row.count:,}", row.meaning) for row in counts]
    out.print(table("Queue", ("state", "count", ""), rows, right=(1,)))
    out.print(table("Servers", ("server", "state", "failures", "next try", "why"), _servers(facts)))
    if facts["dead"]:
        dead = [(cause, f"{count:,}", cure_of(cause).meaning) for cause, count in sorted(facts["dead"].items())]
        out.print(table("Dead letters", ("cause", "count", ""), dead, right=(1,)))
    out.print(table("", ("", ""), _rest(facts)))


def _now(facts: "StatusFacts") -> int:
    return parse_stamp(facts["at"] or "1970-01-01T00:00:00Z")


def _when(moment: "str | None", facts: "StatusFacts") -> str:
    return format_moment(moment, _now(facts))


def _servers(facts: "StatusFacts") -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for server, breaker in facts["breakers"].items():
        held, pace = facts["holds"].get(server), facts["paces"].get(server)
        patience = pace["not_before"] if pace else None
        state = server_words(breaker, held=held is not None, patience=patience is not None)
        again, reason = breaker["next_probe_at"] or patience, breaker["error"]
        if held:
            again, reason = held["retest_at"], hold_line(held["setting"], held["message"], held["choice"])
        if state == UP and not _has_answered(facts, server):
            state = "no sync yet"
        rows.append((caption(server), state, f"{breaker['failures']}", _when(again, facts) if again else "", reason))
    return rows


def _has_answered(facts: "StatusFacts", server: str) -> bool:
    """Whether this server was ever heard from. A gate that is none of a server is shown only then."""
    if server not in SERVERS:
        return True
    if any(facts["jobs"][name] for name in ("idle", "absent", "gone")) or facts["last_reconcile"]:
        return True
    return bool(facts["index"]["libraries"]) if server == "plex" else bool(facts["last_poll"])


def _rest(facts: "StatusFacts") -> list[tuple[str, str]]:
    worker, index, books, verified = facts["worker"], facts["index"], facts["books"], facts["verified"]
    runs = word_for_worker({**worker, "enabled": True})
    runs += WORKER_HINTS.get(runs, "")
    off = "" if worker["enabled"] else f", {SWITCHED_OFF} (enabled = false)"
    names = ", ".join(library["title"] for library in index["libraries"])
    sums = " + ".join(f"{books[name]:,} {name}" for name in ("coalesced", "done", "pruned", "open"))
    verdict = "" if books["balanced"] else ": THEY DO NOT BALANCE, please report this"
    collections = (count_words(status.word, count) for status, count in counted_collections(facts["collections"]))
    rows = [
        ("due now", f"{facts['due']:,}"),
        ("oldest queued", _when(facts["oldest_due"], facts) if facts["oldest_due"] else "nothing is due"),
        ("worker", f"{runs}{safe(machine_words(worker))}{off}; last heartbeat {_when(worker['heartbeat'], facts)}"),
        ("dashboard", safe(facts["dashboard"]["url"]) if facts["dashboard"] else ""),
        ("events", _events(facts["events"])),
        *_outages(facts),
        ("undone", _undone_lines(facts["undone"])),
        ("index", f"{many(index['items'], 'item')} of {names}" if names else "empty: no library was read yet"),
        ("dead letters", _dead_letters(facts["dlq"])),
        ("edits in Stash", safe(edit_words(facts["edits"], _now(facts)))),
        ("last poll of Stash", _when(facts["last_poll"], facts)),
        ("last full comparison", _when(facts["last_reconcile"], facts)),
        ("verified", verified_words(verified) + (f", {_when(verified['at'], facts)}" if verified else "")),
        ("plays", _plays(facts)),
        ("collections", ", ".join(collections)),
        *(("asks PlexSync", f"{safe(row['library'])}: {_asked(row, facts)}") for row in facts["asking"]),
        ("to do", OWED if facts["comparison_due"] and not facts["setting_change"] else ""),
        ("books", f"{books['accepted']:,} accepted = {sums}{verdict}"),
    ]
    return [(name, words) for name, words in rows if words]


def _asked(row: "AskingFacts", facts: "StatusFacts") -> str:
    """When Plex last asked for a library, or that its change is not done."""
    if row["state"] != "on":
        return f"{row['state']} (plexsync provider status)"
    return (
        f"last asked {_when(row['called_at'], facts)}" if row["called_at"] else "never yet (plexsync provider status)"
    )


def _plays(facts: "StatusFacts") -> str:
    """The plays that came to Stash, those on their way, and why they are not there yet; '' if there are none."""
    plays = facts["plays"]
    words = [f"{count:,} {word}" for count, word in play_counts(plays)]
    if plays["waiting"]:
        error = f": {plays['error']}" if plays["error"] else ""
        since = _when(plays["since"], facts)
        words.append(f"those of {many(plays['waiting'], 'scene')} not settled yet, since {since}{error}")
    return ", ".join(words)


def _dead_letters(facts: "QueueFacts") -> str:
    """How many dead letters were added and removed, by reason."""
    counts = (
        (facts["retried"], "retried"),
        (facts["cured"], "retried after a cure"),
        (facts["renewed"], "queued again"),
        (facts["dropped"], "dropped"),
        (facts["ignored"], "ignored"),
        (facts["pruned"], "older than dlq_retention_days"),
    )
    resolved = [f"{count:,} {word}" for count, word in counts if count]
    return f"{facts['died']:,} in all" + (f": {', '.join(resolved)}" if resolved else "")


def _events(facts: "EventFacts") -> str:
    """How many events were left as files; '' if none were."""
    counts = [f"{facts['waiting']:,} left as files, for the worker"] if facts["waiting"] else []
    counts += [f"{facts['unread']:,} set aside, since they can't be read (plexsync doctor)"] if facts["unread"] else []
    return "; ".join(counts)


def _undone_lines(facts: "UndoneFacts") -> str:
    """How many scenes were undone, with what ends that; '' if none were."""
    by_name = (("undone", facts["undone"]), ("released", facts["released"]))
    counts = [f"{many(count, 'scene')} {name}" for name, count in by_name if count]
    return f"{', '.join(counts)}: left alone until you edit them in Stash, or plexsync redo" if counts else ""


def _outages(facts: "StatusFacts") -> list[tuple[str, str]]:
    """A line for each outage under way, and one for the last that ended."""
    rows = [("outage", f"{_outage(outage)} for {_length(outage)} so far") for outage in facts["outages"]["current"]]
    if outage := facts["outages"]["last"]:
        ended = _when(outage["until"], facts)
        rows.append(("last outage", f"{_outage(outage)} for {_length(outage)}, ended {ended} (plexsync outages)"))
    return rows


def _outage(outage: "OutageFacts") -> str:
    state = f"{ON_HOLD} ({hold_cause(outage['cause'])})" if outage["kind"] == "hold" else DOWN
    return f"{caption(outage['server'])} {state}"


def _length(outage: "OutageFacts") -> str:
    return lasting(outage["seconds"] * 1000)
