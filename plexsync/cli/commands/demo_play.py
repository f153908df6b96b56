"""The demo's acts, the progress shown during them, and the summary of what was read back at the end."""

import subprocess
import time
from collections.abc import Callable
from typing import TypedDict

from rich.console import Console

from plexsync.cli.commands.demo_asking import NewFile, NewFileFacts, bring_new_file, new_file_words
from plexsync.cli.commands.demo_stage import ASKING, Stage
from plexsync.cli.daemon.child import command_of, environ
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import say, table
from plexsync.extras import is_installed
from plexsync.reports.format import many
from plexsync.reports.shapes.status import BreakerFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.rules.words.status_words import SceneStatus, buckets, count_words
from plexsync.simulator.demo import check, seconds_now
from plexsync.simulator.plex_server import ItemSnapshot

OUTAGE = 10.0
LONGEST_ACT = LONGEST_TAKEOVER = 90.0
LOOK, TAKEOVER_LOOK = 0.25, 0.05
# Seconds after which nothing that the killed process had sent is on its way any more.
SETTLED = 0.1
# Of the statuses in a line of progress: the width of each number. Any other status is shown only if a scene has it.
WIDTHS = {SceneStatus.IN_SYNC: 5, SceneStatus.QUEUED: 5, SceneStatus.NOT_IN_PLEX: 3, SceneStatus.AMBIGUOUS: 3}
REASONS = {
    "absent": "Plex has no such file",
    "ambiguous": "several items fit, left alone",
    "shared": "their movie is another scene's",
}


def progress_line(now: StatusFacts, rate: float, *, attempts: int) -> str:
    """How all scenes stand, each counted once; then the breaker, and how fast the work goes or what the outage costs."""
    breaker = now["breakers"]["plex"]
    counts = {same[0]: sum(now["scenes"][status]["count"] for status in same) for same in buckets()}
    words = [
        f"{counts[status]:{WIDTHS.get(status, 3)},} {count_words(status.word, counts[status]).partition(' ')[2]}"
        for status in sorted(counts, key=lambda status: status not in WIDTHS)
        if status in WIDTHS or counts[status]
    ]
    words.append(f"breaker {breaker['state'].replace('_', '-'):9}")
    if breaker["state"] != "closed":
        words.append(f"{many(attempts, 'attempt')} used up")
    elif now["paces"]["plex"]["jobs_per_claim"]:
        words.append(f"ramping up: {now['paces']['plex']['jobs_per_claim']} at a time")
    elif rate:
        words.append(f"{rate:,.0f}/s")
    return " | ".join(words)


def waiting(now: StatusFacts) -> int:
    """The jobs that are not done."""
    return int(now["jobs"]["ready"] + now["jobs"]["running"])


class TakeoverFacts(TypedDict):
    """Who did what. Process ids of `plexsync serve`; edits are requests to Plex; seconds count from the kill.

    `taken_over_after` and `first_edit_after` are null if the standby did not take over, or wrote nothing.
    """

    worker: int
    standby: int
    edits_by_worker: int
    edits_by_standby: int
    taken_over_after: float | None
    first_edit_after: float | None


@record
class Takeover:
    """A kill and what followed: process ids, the edits until then, and moments on the monotonic clock."""

    worker: int
    standby: int
    edits: int
    killed_at: float
    taken_at: float | None

    def facts(self, stage: Stage) -> TakeoverFacts:
        """Who did what until now."""
        later = [request.at_monotonic for request in list(stage.plex.log) if request.method == "PUT"][self.edits :]
        return {
            "worker": self.worker,
            "standby": self.standby,
            "edits_by_worker": self.edits,
            "edits_by_standby": len(later),
            "taken_over_after": None if self.taken_at is None else round(self.taken_at - self.killed_at, 2),
            "first_edit_after": round(later[0] - self.killed_at, 2) if later else None,
        }


def take_over(stage: Stage, screen: Console) -> Takeover:
    """Kill the worker, and wait until the standby works and has made an edit in Plex."""
    worker, standby = stage.machines
    pids = worker.pid, standby.pid
    worker.kill()
    killed_at = time.monotonic()
    time.sleep(SETTLED)
    edits = stage.plex.count("PUT")
    taken_at = None
    while taken_at is None and time.monotonic() - killed_at < LONGEST_TAKEOVER and standby.pid:
        if stage.working_pid() == standby.pid:
            taken_at = time.monotonic()
        else:
            time.sleep(TAKEOVER_LOOK)
    while (
        taken_at and standby.pid and stage.plex.count("PUT") == edits and time.monotonic() - taken_at < LONGEST_TAKEOVER
    ):
        time.sleep(TAKEOVER_LOOK)
    follows = "has not taken over" if taken_at is None else f"works since {taken_at - killed_at:.1f} s later"
    followed = f"process {pids[1]}, the standby, {follows}"
    say(screen, f"   process {pids[0]} is gone, after {edits:,} edits in Plex; {followed}")
    return Takeover(*pids, edits, killed_at, taken_at)


def takeover_rows(facts: TakeoverFacts) -> list[tuple[str, str]]:
    """The rows of the summary."""
    after, first = facts["taken_over_after"], facts["first_edit_after"]
    by_worker = f"{facts['edits_by_worker']:,} by process {facts['worker']}"
    by_standby = f"{facts['edits_by_standby']:,} by process {facts['standby']}"
    return [
        ("edits in Plex by the worker, until it was killed", by_worker),
        ("edits in Plex by the standby, which finished", by_standby),
        ("from the kill until the standby worked", "never" if after is None else f"{after:.1f} s"),
        ("from the kill until its first edit", "never" if first is None else f"{first:.1f} s"),
    ]


class DemoSummary(TypedDict):
    """The result of the demo, for JSON. `well`: everything is as it should be.

    `takeover` is null on one machine, `new_file` if nothing answers Plex.
    """

    well: bool
    store: str
    scenes: int
    in_step: int
    not_written: dict[str, int]
    kept_for_a_person: int
    wrong: list[str]
    bystanders_written: list[str]
    attempts_used: int
    collections: dict[str, int]
    requests: dict[str, int]
    seconds: float
    dead: dict[str, int]
    takeover: TakeoverFacts | None
    new_file: NewFileFacts | None


@record
class PlayEnd:
    """What the acts leave for the summary.

    `seconds` they took; movies that are nobody's as they were `untouched`; titles edited `by_hand`, by movie; the scene
    that was `watched` in Plex; the file that came to a library that asks.
    """

    seconds: float
    untouched: dict[str, ItemSnapshot]
    by_hand: dict[str, str]
    watched: int
    takeover: Takeover | None
    new_file: NewFile | None = None


def count_attempts(stage: Stage) -> int:
    """The attempts that failures used up."""
    with stage.parts.store.reading() as db:
        return db.attempts.count_used()


def count_plays(stage: Stage, id: int) -> int:
    """The number of plays that Stash has of a scene."""
    return len(stage.stash.plays.of(id))


def sum_up(stage: Stage, screen: Console, ending: PlayEnd) -> DemoSummary:
    """Read everything back, print it, and return it."""
    asked = {"plex": stage.plex.count(), "edits": stage.plex.count("PUT"), "stash": stage.stash.count()}
    takeover = ending.takeover.facts(stage) if ending.takeover else None
    checked = check(stage, ending.untouched, ending.by_hand)
    plays = count_plays(stage, ending.watched)
    if plays != 1:
        checked.wrong.append(f"scene {ending.watched}: was played once, has {many(plays, 'play')} in Stash")
    if takeover and (takeover["taken_over_after"] is None or not takeover["edits_by_standby"]):
        checked.wrong.append(f"the standby, process {takeover['standby']}, has not finished the work")
    if ending.new_file:
        checked.wrong += ending.new_file.faults(stage)
    now = facts(stage.parts)
    unexplained = now["dead"].keys() - {"ambiguous"}
    summary: DemoSummary = {
        "well": not checked.wrong and not checked.touched and not unexplained and now["books"]["balanced"],
        "store": "postgres" if stage.parts.config.database_url else "sqlite",
        "scenes": len(stage.library.scenes),
        "in_step": checked.in_step,
        "not_written": checked.reasons,
        "kept_for_a_person": checked.kept,
        "wrong": checked.wrong,
        "bystanders_written": checked.touched,
        "attempts_used": count_attempts(stage),
        "collections": stage.wall.counts(),
        "requests": asked,
        "seconds": round(ending.seconds, 1),
        "dead": now["dead"],
        "takeover": takeover,
        "new_file": ending.new_file.facts(stage) if ending.new_file else None,
    }
    screen.print()
    say(screen, "Read back from Plex by plexapi, and compared with what the library was made of", style="bold")
    screen.print(table("", ("", ""), _rows(summary, plays, len(ending.untouched)), right=(1,)))
    for line in checked.wrong[:10]:
        say(screen, f"   {line}")
    return summary


def _rows(summary: DemoSummary, plays: int, bystanders: int) -> list[tuple[str, str]]:
    reasons, requests = summary["not_written"], summary["requests"]
    return [
        ("in sync, every field of every item", f"{summary['in_step']:,} of {summary['scenes']:,} scenes"),
        *((f"{reason}: {explanation}", f"{reasons.get(reason, 0):,}") for reason, explanation in REASONS.items()),
        ("a title that a person had locked in Plex, kept", f"{summary['kept_for_a_person']:,}"),
        ("not as it should be", f"{len(summary['wrong']):,}"),
        ("movies that are nobody's, written to", f"{len(summary['bystanders_written']):,} of {bystanders:,}"),
        ("plays in Plex, in Stash", f"{plays:,} of 1"),
        ("attempts used up by the outage", f"{summary['attempts_used']:,}"),
        ("requests to Plex", f"{requests['plex']:,} ({requests['edits']:,} edits)"),
        *(takeover_rows(summary["takeover"]) if summary["takeover"] else ()),
        *(
            (("a new file, in a library that asks", new_file_words(summary["new_file"])),)
            if summary["new_file"]
            else ()
        ),
        ("requests to Stash", f"{requests['stash']:,}"),
        ("time", f"{summary['seconds']:.0f} s, {OUTAGE:.0f} s of them without Plex"),
    ]


class Play:
    """The acts, and their display."""

    def __init__(self, stage: Stage, screen: Console) -> None:
        self._stage = stage
        self._screen = screen
        self._told_why = False
        self._acts = 0
        # Titles edited by hand during the demo, by movie.
        self._by_hand: dict[str, str] = {}
        self._takeover: Takeover | None = None
        # The movies of each scene.
        self._movies = {
            stage.handles.scenes[handle]: tuple(truth.movies) for handle, truth in stage.library.truth.items()
        }
        self._untouched = {
            handle: stage.plex.item(stage.handles.movies[handle]) for handle in sorted(stage.library.bystanders)
        }

    def perform(self) -> DemoSummary:
        """Perform all acts in order; returns the summary."""
        stage = self._stage
        began = time.monotonic()
        scenes, movies = len(stage.library.scenes), len(stage.library.movies)
        self._act(f"{scenes:,} scenes in Stash, {movies:,} movies in Plex, nothing in sync", number=False)
        with stage.serving():
            hindrance, address = hindrance_of(stage.parts.config), stage.address
            pages = f"Watch it in a browser: {address} (and take Plex down yourself: {address}/demo)"
            self._say(f"no dashboard: {hindrance}" if hindrance else pages)
            programs = "plexsync serve"
            if len(stage.machines) > 1:
                worker, standby = (machine.pid for machine in stage.machines)
                programs += f", twice on one PostgreSQL (process {worker} works, {standby} stands by)"
            self._act(f"{programs}: compares both servers, and syncs what differs")
            self._until(lambda now: bool(now["last_reconcile"]) and not waiting(now))

            stage.install_wake_up()
            self._act("people edit 150 scenes in Stash: each wakes PlexSync by a line of Stash's log")
            edited = self._edit(range(150), "edited")
            self._until(lambda _now: self._count_pushed(edited) >= 20, quiet=True)
            if len(stage.machines) > 1:
                self._act("the worker is killed (kill -9), in the middle of it: the standby takes over")
                self._takeover = take_over(stage, self._screen)

            self._act(f"Plex goes down for {OUTAGE:.0f} seconds, in the middle of it; people go on editing")
            stage.switch.away = True
            gone = time.monotonic()
            more = self._edit(range(150, 200), "edited while Plex was down")
            self._until(lambda _now: time.monotonic() - gone >= OUTAGE, stalls=True)

            self._act("Plex is back")
            stage.switch.away = False
            self._until(lambda now: not waiting(now) and self._count_pushed(more) == len(more))

            watched, by_hand, undone = self._list_matched()[-3:]
            self._edit_by_hand(by_hand)
            self._take_back(undone)
            self._watch(watched)
            new_file = self._let_ask() if is_installed("web") else None
            self._act("what people see in Plex: its collections, before PlexSync worked and now")
            counts = stage.wall.counts()
            self._say(f"before: {many(counts['before'], 'collection')}; now: {many(counts['now'], 'collection')}")
            ending = PlayEnd(
                time.monotonic() - began, self._untouched, self._by_hand, watched, self._takeover, new_file
            )
        with stage.switch.rest():
            return sum_up(stage, self._screen, ending)

    def _edit_by_hand(self, id: int) -> None:
        """Show that an edit in Plex stays while Stash goes on changing other fields."""
        stage = self._stage
        self._act("somebody edits a title in Plex by hand, and its scene gets another summary in Stash")
        for movie in self._movies[id]:
            self._by_hand[movie] = f"Scene {id}, as a person likes it"
            stage.plex.hand_edit(stage.handles.movies[movie], title=self._by_hand[movie])
        details = "Written in Stash after that."
        stage.stash.edit_scene(id, details=details)
        self._until(lambda _now: self._values_in_plex(id, "summary") == {details}, quiet=True)
        self._say(
            f"scene {id} has in Plex: {', '.join(self._values_in_plex(id, 'summary') | self._values_in_plex(id, 'title'))}"
        )

    def _take_back(self, id: int) -> None:
        """Show a dry run, the push and its undo; the next edit in Stash ends the undo."""
        self._act("what a sync would do is shown before it is done, and what was done is taken back")
        stash = self._stage.stash
        # With yesterday's time, as from a restored backup: else the next poll could come before the dry run.
        stash.now = lambda: seconds_now() - 86_400
        stash.quiet_edit(id, title=f"Scene {id}, edited while nobody was told")
        stash.now = seconds_now
        self._run("sync", "--dry-run", str(id))
        self._run("undo", str(id), "--wait")
        self._say(
            f"scene {id} is called in Plex: {', '.join(self._values_in_plex(id, 'title'))}; the next edit ends that"
        )
        self._stage.stash.edit_scene(id, title=f"Scene {id}, edited again")
        self._until(lambda now: self._count_pushed([id]) == 1 and not waiting(now), quiet=True)

    def _watch(self, id: int) -> None:
        """Show that a play in Plex arrives in Stash, and that it can be taken back and sent again."""
        stage = self._stage
        self._act("somebody watches a movie in Plex: Stash gets the play, it is taken back, and sent again")
        self._run("plays", "sync", "--yes")
        stage.plex.sessions.finish(stage.handles.movies[self._movies[id][0]])
        self._until(lambda _now: count_plays(stage, id) == 1, quiet=True)
        self._tell_plays(id)
        for command in ("undo", "redo"):
            self._run("plays", command, str(id), "--yes", "--wait")
            self._tell_plays(id)

    def _let_ask(self) -> NewFile:
        """Let a library ask PlexSync, and show that the item of a new file is right when the scan has ended."""
        self._act("a library asks PlexSync: the item of a new file is right at the first scan")
        self._run("provider", "add", ASKING, "--yes")
        new_file = bring_new_file(self._stage)
        self._say(f"a new file: {new_file_words(new_file.facts(self._stage))}")
        return new_file

    def _tell_plays(self, id: int) -> None:
        self._say(f"scene {id} has in Stash: {many(count_plays(self._stage, id), 'play')}")

    def _run(self, *words: str) -> None:
        """Run a command as you would type it, and print its output."""
        self._say(f"$ plexsync {' '.join(words)}")
        done = subprocess.run(
            command_of("plexsync", "--config", str(self._stage.working.settings), *words),
            cwd=self._stage.folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_ACT,
            check=False,
        )
        for line in (done.stdout + done.stderr).splitlines():
            self._say(line)

    def _values_in_plex(self, id: int, field: str) -> set[str]:
        """The values that the movies of a scene show in one field."""
        stage = self._stage
        return {
            str(stage.plex.item(stage.handles.movies[movie]).scalars.get(field) or "") for movie in self._movies[id]
        }

    def _edit(self, places: range, words: str) -> list[int]:
        """Edit the matched scenes at these places; every third one twice, as users do."""
        ids = self._list_matched()[places.start : places.stop]
        for place, id in enumerate(ids):
            if place % 3 == 0:
                self._stage.stash.edit_scene(id, title=f"Scene {id}, not right yet")
            self._stage.stash.edit_scene(
                id, title=f"Scene {id}, {words}", tags=["Documentary", "Rain", f"Shelf {id % 9}"]
            )
        return ids

    def _list_matched(self) -> list[int]:
        locked = set(self._stage.library.hand_locked)
        return [id for id, movies in self._movies.items() if movies and not locked & set(movies)]

    def _count_pushed(self, ids: list[int]) -> int:
        """The number of these scenes that Plex shows with their current title."""
        stage = self._stage
        return sum(
            all(
                stage.plex.item(stage.handles.movies[movie]).scalars.get("title") == stage.stash.scene(id).title
                for movie in self._movies[id]
            )
            for id in ids
        )

    # --- progress ----------------------------------------------------------------------------------------------------

    def _act(self, text: str, *, number: bool = True) -> None:
        self._acts += number
        self._screen.print()
        say(self._screen, f"{self._acts}. {text}" if number else text, style="bold")

    def _say(self, text: str) -> None:
        say(self._screen, f"   {text}".rstrip())

    def _until(self, reached: Callable[[StatusFacts], bool], *, stalls: bool = False, quiet: bool = False) -> None:
        """Show the status about once a second until the act is over."""
        began = reported_at = time.monotonic()
        last = -1
        while self._stage.is_up and time.monotonic() - began < LONGEST_ACT:
            time.sleep(LOOK)
            try:
                now = facts(self._stage.parts)
            except LocalFault:
                continue
            over = reached(now)
            self._tell_why(now["breakers"]["plex"])
            if not quiet and (over or time.monotonic() - reported_at >= (2 if stalls else 1)):
                done = now["scenes"][SceneStatus.IN_SYNC.value]["count"]
                rate = max(0, done - last) / (time.monotonic() - reported_at) if last >= 0 else 0
                self._say(progress_line(now, rate, attempts=count_attempts(self._stage)))
                reported_at, last = time.monotonic(), done
            if over:
                return
        words = "this takes longer than it should" if self._stage.is_up else "plexsync serve has ended by itself"
        self._say(f"{words}; the summary tells what is missing")

    def _tell_why(self, breaker: BreakerFacts) -> None:
        """Print PlexSync's reason, once per outage."""
        if breaker["state"] == "closed":
            self._told_why = False
        elif not self._told_why:
            self._told_why = True
            self._say(f"{breaker['error']}; asking again every few seconds")
