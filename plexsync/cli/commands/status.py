"""`plexsync status`: how everything stands."""

from collections.abc import Iterable
from typing import Any

import click
from rich.console import Console

from plexsync.app.parts import Parts
from plexsync.app.switches import UNAPPROVED
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.start import opened
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.reports.cures import cure
from plexsync.reports.format import ago, lasting, many, noted, safe, stamp
from plexsync.reports.rows import row_facts, title
from plexsync.reports.status import OWED, facts, server_words, too_many
from plexsync.reports.unpaired import lone_items, lone_scenes
from plexsync.rules.errors import Neighbour
from plexsync.rules.job import Kind
from plexsync.rules.note_keys import LAST_RUN
from plexsync.rules.scene_status import standing
from plexsync.rules.status_words import (
    DOWN,
    JOB_STATES,
    MAIN_STATES,
    ON_HOLD,
    UP,
    SceneStatus,
    buckets,
    job_meaning,
    job_word,
)


@command("status")
@click.argument("scene", type=SceneNumber(), required=False)
@click.option("--without-scene", is_flag=True, help="List the items of Plex that no scene shows, with their files.")
@click.option("--without-item", is_flag=True, help="List the scenes that have no item in Plex.")
@click.pass_obj
def status(call: Call, scene: int | None, without_scene: bool, without_item: bool) -> int:
    """Show the status of the scenes, the queue, both servers and the worker; or of one scene.

    A scene is in sync, queued, not in Plex yet, ignored, out of scope or undone, or it needs you. The command reads the
    database only and asks neither Stash nor Plex, so it answers at once and also during an outage. Scenes without an item
    and items without a scene are known from the last full comparison (plexsync reconcile). Exits with 0 if the database
    can be read, and with 1 for a scene that is unknown.

    \b
    Examples:
      plexsync status
      plexsync status 7
      plexsync status --without-scene
      plexsync status --json
    """
    if (scene is not None) + without_scene + without_item > 1:
        raise click.UsageError("one thing at a time: a scene, --without-scene or --without-item")
    with opened(call) as parts:
        if scene is not None:
            return _tell_scene(call, parts, scene)
        if without_scene or without_item:
            return _tell_alone(call, parts, scenes=without_item)
        found = facts(parts)
    call.answer(found, lambda: _tell(found, paper()))
    return FINE


def _tell_scene(call: Call, parts: Parts, id: int) -> int:
    """How one scene stands; 1 for one that nothing is known of."""
    now = parts.clock.now()
    with parts.store.reading() as db:
        row, pushes = db.jobs.find(Kind.SCENE, id), db.pushes.of(Kind.SCENE, id)
        stands = standing(row, db.standings.find(id), pushed=pushes[0].at if pushes else None)
        called = title(db, Kind.SCENE, id)
    since = stamp(stands.since)
    facts = {"id": id, "title": called or None, "stands": stands.status.value, "since": since}
    lasts = f" since {since} ({ago(stands.since, now)})" if since else ""
    name = f"scene {id} ({safe(called, 80)})" if called else f"scene {id}"
    why = f": {safe(stands.why)}" if stands.why else ""
    told = f"{name} {_is(stands.status)}{lasts}{why}"
    if stands.status is SceneStatus.UNKNOWN:
        told = f"scene {id} is unknown: plexsync explain {id} reads it from both servers"
    call.answer({**facts, "why": stands.why, "job": row_facts(row)}, lambda: say(paper(), told))
    return FAILED if stands.status is SceneStatus.UNKNOWN else FINE


def _is(status: SceneStatus) -> str:
    return status.word if status.word.startswith("needs") else f"is {status.word}"


def _tell_alone(call: Call, parts: Parts, *, scenes: bool) -> int:
    """The list of those that stand alone."""
    with parts.store.reading() as db:
        run = noted(db.notes.text(LAST_RUN))
    if scenes:
        ids = list(lone_scenes(parts))
        call.answer({"compared": stamp(run), "scenes": ids}, lambda: _tell_list(run, (str(id) for id in ids), "scene"))
        return FINE
    if call.json:
        call.answer({"compared": stamp(run), "items": list(lone_items(parts))}, lambda: None)
        return FINE
    lines = (f"{one['item']}  {file}" for one in lone_items(parts) for file in one["files"] or ["(no file)"])
    _tell_list(run, lines, "item")
    return FINE


def _tell_list(run: int | None, lines: Iterable[str], what: str) -> None:
    """Line by line, however many there are."""
    if run is None:
        click.echo("Nothing is known yet: plexsync reconcile runs a full comparison.")
        return
    none = True
    for line in lines:
        none = False
        click.echo(safe(line, 4_200))
    if none:
        click.echo(f"No {what} stands alone.")


def _tell(found: dict[str, Any], out: Console) -> None:
    jobs = found["jobs"]
    if banner := too_many(found["dlq"]["count"], found["dlq"]["max"]):
        say(out, banner, style="bold")
    scenes = found["scenes"]
    stand = []
    for statuses in buckets():
        if count := sum(scenes[status]["count"] for status in statuses):
            since = min(scenes[status]["since"] or "" for status in statuses if scenes[status]["count"])
            stand.append((statuses[0].word, f"{count:,}", since))
    if stand:
        out.print(table("Scenes", ("status", "count", "the oldest since"), stand, right=(1,)))
    rows = [
        (job_word(state), f"{jobs[state]:,}", job_meaning(state))
        for state in JOB_STATES
        if jobs[state] or state in MAIN_STATES
    ]
    out.print(table("Queue", ("state", "count", ""), rows, right=(1,)))
    out.print(table("Servers", ("server", "state", "failures", "next try", "why"), _servers(found)))
    if found["dead"]:
        dead = [(cause, f"{count:,}", cure(cause).meaning) for cause, count in sorted(found["dead"].items())]
        out.print(table("Dead letters", ("cause", "count", ""), dead, right=(1,)))
    out.print(table("", ("", ""), _rest(found)))


def _servers(found: dict[str, Any]) -> list[tuple[str, ...]]:
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


def _answered(found: dict[str, Any], who: str) -> bool:
    """Whether there is any trace of an answer of this server."""
    if any(found["jobs"][name] for name in ("idle", "absent", "gone")) or found["last_reconcile"]:
        return True
    return bool(found["index"]["libraries"]) if who == Neighbour.PLEX else bool(found["last_poll"])


def _rest(found: dict[str, Any]) -> list[tuple[str, str]]:
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


def _dead_letters(found: dict[str, Any]) -> str:
    """How those that were given up came and went."""
    names = {
        "retried": "retried",
        "cured": "retried after a cure",
        "renewed": "queued again",
        "dropped": "dropped",
        "ignored": "ignored",
        "pruned": "older than dlq_retention_days",
    }
    left = [f"{found[name]:,} {word}" for name, word in names.items() if found[name]]
    return f"{found['died']:,} in all" + (f": {', '.join(left)}" if left else "")


def _events(found: dict[str, int]) -> list[tuple[str, str]]:
    """A line when events were left as files."""
    told = [f"{found['waiting']:,} left as files, for the worker"] if found["waiting"] else []
    told += [f"{found['unread']:,} set aside, since they can't be read (plexsync doctor)"] if found["unread"] else []
    return [("events", "; ".join(told))] if told else []


def _undone(found: dict[str, int]) -> list[tuple[str, str]]:
    """A line when scenes were undone, which count as in sync."""
    told = [f"{many(count, 'scene')} {name}" for name, count in found.items() if count]
    return [("undone", f"{', '.join(told)}: left alone until they are edited in Stash")] if told else []


def _outages(found: dict[str, Any]) -> list[tuple[str, str]]:
    """A line for each outage that lasts, and one for the last that is over."""
    rows = [("outage", f"{_outage(one)} since {one['since']}, {_length(one)} so far") for one in found["current"]]
    if one := found["last"]:
        rows.append(("last outage", f"{_outage(one)} for {_length(one)}, until {one['until']} (plexsync outages)"))
    return rows


def _outage(one: dict[str, Any]) -> str:
    what = f"{ON_HOLD} ({one['cause']})" if one["kind"] == "hold" else DOWN
    return f"{one['server'].title()} {what}"


def _length(one: dict[str, Any]) -> str:
    return lasting(one["seconds"] * 1000)
