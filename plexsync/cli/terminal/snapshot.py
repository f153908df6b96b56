"""The data of `plexsync top` at one moment, read from the database alone, and the rates between two moments."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from plexsync.app.stored import Stored
from plexsync.cli.terminal.rows import change_words
from plexsync.reports.format import parse_note, stamp
from plexsync.reports.rows import row_key, short, title
from plexsync.reports.shapes.status import StatusFacts, VerdictFacts
from plexsync.reports.shapes.top import ServerFacts, TopFacts
from plexsync.reports.shapes.workers import WorkerFacts
from plexsync.reports.status import facts as facts_of, server_words
from plexsync.rules.match.paths import base_name
from plexsync.rules.queue.gate_names import caption
from plexsync.rules.queue.job import Kind, Lane, State
from plexsync.rules.queue.note_keys import HEARTBEAT, LAST_POLL, LAST_RECONCILE
from plexsync.rules.record_class import record
from plexsync.rules.records import JobRow, Lately, PushRow
from plexsync.rules.words.status_words import BY_MARK, ON_HOLD, SceneStatus, job_word
from plexsync.store.database import Reader

MINUTE, HOUR = 60_000, 3_600_000
# The maximum number of running jobs and past events to read: more than a screen holds.
MOST = 60


@record
class RunningJob:
    """A running job."""

    key: str
    title: str
    doing: str
    since: int


@record
class Event:
    """A result of the work."""

    at: int
    key: str
    title: str
    summary: str
    well: bool


@record
class Coming:
    """A scheduled event."""

    at: int
    text: str


@record
class Glance:
    """One moment. `servers` are the facts of breakers, with `stands` as text and `hold` if there is one.

    `resting` has the numbers of jobs of scenes that rest by a cause of their own.
    """

    now: int
    jobs: Mapping[State, int]
    due: int
    done: int
    changed: int
    spooled: int
    worker: WorkerFacts
    verdict: VerdictFacts
    beat: int | None
    servers: Mapping[str, ServerFacts]
    work: tuple[RunningJob, ...] = ()
    events: tuple[Event, ...] = ()
    coming: tuple[Coming, ...] = ()
    resting: Mapping[str, int] = field(default_factory=dict)


def glance(parts: Stored) -> Glance:
    """Read the current status, from one snapshot; raises LocalFault."""
    now = parts.clock.now()
    status = facts_of(parts)
    with parts.store.reading() as db:
        return Glance(
            now=now,
            jobs={state: status["jobs"][state.value] for state in State},
            resting={
                SceneStatus.NOT_SHOWN.value: status["scenes"][SceneStatus.NOT_SHOWN]["count"],
                **{BY_MARK[mark].value: count for mark, count in db.memories.count_undone().items()},
            },
            due=status["due"],
            done=status["books"]["done"],
            changed=db.pushes.count_since(now - MINUTE),
            spooled=status["events"]["waiting"],
            worker=status["worker"],
            verdict=status["verdict"],
            beat=parse_note(db.notes.text(HEARTBEAT)),
            servers={gate: _server(status, gate) for gate in status["breakers"]},
            work=tuple(_work(db, row) for row in db.jobs.running(MOST)),
            events=tuple(_event(db, latest) for latest in db.latest_work(MOST)),
            coming=tuple(_coming(parts, db, status, now)),
        )


def _server(status: StatusFacts, server: str) -> ServerFacts:
    facts, held, pace = status["breakers"][server], status["holds"].get(server), status["paces"][server]
    return {
        **facts,
        "stands": server_words(facts, held=held is not None, patience=pace["not_before"] is not None),
        "hold": held,
        "asked_for_patience_until": pace["not_before"],
        "jobs_per_claim": pace["jobs_per_claim"],
    }


def _work(db: Reader, row: JobRow) -> RunningJob:
    sending = db.pushings.of([row.id]) if row.kind == Kind.SCENE else {}
    keys = [key for _, key in sending]
    doing = f"writing to item {', '.join(keys)}" if keys else "reading and comparing"
    if row.kind != Kind.SCENE:
        doing = "finding its scenes"
    elif row.attempts:
        doing += f", after {row.attempts} that went wrong"
    elif not sending and row.lane == Lane.SWEEP:
        doing += ", as one of many"
    # Before its first push, a scene's only known name is that of its file in Plex.
    files = [base_name(part.path) for entry in db.index.entries(keys) for part in entry.parts[:1]] if keys else []
    name = title(db, row.kind, row.id) or next(iter(files), "")
    return RunningJob(row_key(row.kind, row.id), name, doing, row.since)


def _event(db: Reader, latest: Lately) -> Event:
    if isinstance(latest.outcome, PushRow):
        moved = latest.outcome.moved
        summary = "; ".join(change_words(name, change) for name, change in moved.items())
        if len(moved) > 1:
            summary = f"{', '.join(map(short, moved))} changed"
        summary, well = f"{summary} (taken back)" if latest.outcome.undone else summary, True
    else:
        summary, well = f"{latest.outcome.error} ({latest.outcome.cls}), then {job_word(latest.outcome.state)}", False
    return Event(latest.at, row_key(latest.kind, latest.id), title(db, latest.kind, latest.id), summary, well)


def _coming(parts: Stored, db: Reader, status: StatusFacts, now: int) -> list[Coming]:
    """The next scheduled events, the soonest first."""
    coming: list[Coming] = []
    for server, facts in status["breakers"].items():
        row = db.breakers.find(server)
        if held := db.holds.find(server):
            coming.append(Coming(held.retest_at, f"{caption(server)} is tested again, {ON_HOLD}"))
        elif facts["next_probe_at"] and row.opened_at is not None:
            coming.append(Coming(round(row.opened_at * 1000 + row.wait * 1000), f"{caption(server)} is probed"))
    waiting = status["jobs"]["ready"] + status["jobs"]["absent"]
    due = db.jobs.next_due(now)
    if due is not None and waiting and due > now:
        coming.append(Coming(due, "the next scene is due"))
    hours, compared = parts.config.reconcile_interval_hours, parse_note(db.notes.text(LAST_RECONCILE))
    if hours and compared:
        coming.append(Coming(compared + round(hours * HOUR), "full comparison"))
    if polled := parse_note(db.notes.text(LAST_POLL)):
        coming.append(Coming(polled + round(parts.config.stash_poll_interval * 1000), "poll of Stash"))
    return sorted((event for event in coming if event.at >= now), key=lambda event: event.at)


@dataclass
class Rates:
    """The rates from the snapshots of the last minute."""

    counts: deque[tuple[int, int]] = field(default_factory=deque)

    def take(self, snapshot: Glance) -> None:
        """Add a snapshot; after a backward step of the clock, earlier ones are discarded."""
        if self.counts and self.counts[-1][0] > snapshot.now:
            self.counts.clear()
        self.counts.append((snapshot.now, snapshot.done))
        while snapshot.now - self.counts[0][0] > MINUTE:
            self.counts.popleft()

    def per_minute(self) -> float | None:
        """Scenes done per minute; None before there are two snapshots."""
        (first, done), (last, done_now) = self.counts[0], self.counts[-1]
        return max(0, done_now - done) * MINUTE / (last - first) if last > first else None


def facts(snapshot: Glance, rate: float | None) -> TopFacts:
    """A snapshot for JSON."""
    return {
        "verdict": snapshot.verdict,
        "at": stamp(snapshot.now),
        "worker": snapshot.worker,
        "servers": dict(snapshot.servers),
        "jobs": {state.value: snapshot.jobs.get(state, 0) for state in State},
        "undone": {"undone": snapshot.resting.get("undone", 0), "released": snapshot.resting.get("released", 0)},
        "due": snapshot.due,
        "events_waiting": snapshot.spooled,
        "done_per_minute": None if rate is None else round(rate, 1),
        "changed_last_minute": snapshot.changed,
        "in_work": [
            {"scene": row.key, "title": row.title or None, "doing": row.doing, "since": stamp(row.since)}
            for row in snapshot.work
        ],
        "latest": [
            {
                "at": stamp(event.at),
                "scene": event.key,
                "title": event.title or None,
                "well": event.well,
                "told": event.summary,
            }
            for event in snapshot.events
        ],
        "next": [{"at": stamp(coming.at), "what": coming.text} for coming in snapshot.coming],
    }
