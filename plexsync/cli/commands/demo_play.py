"""The demo's acts, and the progress shown during them."""

import subprocess
import time
from collections.abc import Callable

from rich.console import Console

from plexsync.cli.commands.demo_stage import Stage, seconds_now
from plexsync.cli.commands.demo_summary import OUTAGE, DemoSummary, PlayEnd, count_attempts, count_plays, sum_up
from plexsync.cli.commands.demo_takeover import Takeover, take_over
from plexsync.cli.daemon.child import command_of, environ
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import say
from plexsync.reports.format import many
from plexsync.reports.shapes.status import BreakerFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.errors import LocalFault
from plexsync.rules.status_words import SceneStatus, buckets, counted

LONGEST_ACT = 90.0
LOOK = 0.25
# Of the statuses in a line of progress: the width of each number. Any other status is shown only if a scene has it.
WIDTHS = {SceneStatus.IN_SYNC: 5, SceneStatus.QUEUED: 5, SceneStatus.NOT_IN_PLEX: 3, SceneStatus.AMBIGUOUS: 3}


def progress_line(now: StatusFacts, rate: float, *, attempts: int) -> str:
    """How all scenes stand, each counted once; then the breaker, and how fast the work goes or what the outage costs."""
    breaker = now["breakers"]["plex"]
    counts = {same[0]: sum(now["scenes"][status]["count"] for status in same) for same in buckets()}
    words = [
        f"{counts[status]:{WIDTHS.get(status, 3)},} {counted(status.word, counts[status]).partition(' ')[2]}"
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
    return "   " + " | ".join(words)


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
        self._untouched = {
            handle: stage.plex.item(stage.handles.movies[handle]) for handle in sorted(stage.library.bystanders)
        }

    def perform(self) -> DemoSummary:
        """Perform all acts in order; returns the summary."""
        stage = self._stage
        began = time.monotonic()
        self._title(
            f"{len(stage.library.scenes):,} scenes in Stash, {len(stage.library.movies):,} movies in Plex, nothing in sync"
        )
        with stage.serving():
            self._tell_of_pages()
            self._act(f"{self._program()}: compares both servers, and syncs what differs")
            self._until(lambda now: bool(now["last_reconcile"]) and not self._waiting(now))

            edited = self._title_edits()
            self._until(lambda _now: self._pushed(edited) >= 20, quiet=True)
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
            self._until(lambda now: not self._waiting(now) and self._pushed(more) == len(more))

            watched, kept, undone = self._matched()[-3:]
            self._edit_by_hand(kept)
            self._take_back(undone)
            self._watch(watched)
            self._act("what people see in Plex: its collections, before PlexSync worked and now")
            counts = stage.wall.counts()
            say(
                self._screen,
                f"   before: {many(counts['before'], 'collection')}; now: {many(counts['now'], 'collection')}",
            )
            ending = PlayEnd(time.monotonic() - began, self._untouched, self._by_hand, watched, self._takeover)
        with stage.switch.rest():
            return sum_up(stage, self._screen, ending)

    def _program(self) -> str:
        """The programs that work, for a title."""
        machines = self._stage.machines
        if len(machines) == 1:
            return "plexsync serve"
        worker, standby = (machine.pid for machine in machines)
        return f"plexsync serve, twice on one PostgreSQL (process {worker} works, {standby} stands by)"

    def _tell_of_pages(self) -> None:
        """Print the address of the pages on which you can watch, and take Plex down yourself."""
        if hindrance := hindrance_of(self._stage.parts.config):
            say(self._screen, f"   no dashboard: {hindrance}")
            return
        address = self._stage.address
        say(self._screen, f"   Watch it in a browser: {address} (and take Plex down yourself: {address}/demo)")

    def _edit_by_hand(self, id: int) -> None:
        """Show that an edit in Plex stays while Stash goes on changing other fields."""
        stage = self._stage
        self._act("somebody edits a title in Plex by hand, and its scene gets another summary in Stash")
        for movie in self._movies(id):
            self._by_hand[movie] = f"Scene {id}, as a person likes it"
            stage.plex.hand_edit(stage.handles.movies[movie], title=self._by_hand[movie])
        details = "Written in Stash after that."
        stage.stash.edit_scene(id, details=details)
        self._until(lambda _now: self._shown(id, "summary") == {details}, quiet=True)
        say(
            self._screen,
            f"   scene {id} has in Plex: {', '.join(self._shown(id, 'summary') | self._shown(id, 'title'))}",
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
        say(
            self._screen,
            f"   scene {id} is called in Plex: {', '.join(self._shown(id, 'title'))}; the next edit ends that",
        )
        self._stage.stash.edit_scene(id, title=f"Scene {id}, edited again")
        self._until(lambda now: self._pushed([id]) == 1 and not self._waiting(now), quiet=True)

    def _watch(self, id: int) -> None:
        """Show that a play in Plex arrives in Stash, and that it can be taken back and sent again."""
        stage = self._stage
        self._act("somebody watches a movie in Plex: Stash gets the play, it is taken back, and sent again")
        self._run("plays", "sync", "--yes")
        stage.plex.sessions.finish(stage.handles.movies[self._movies(id)[0]])
        self._until(lambda _now: count_plays(stage, id) == 1, quiet=True)
        self._tell_plays(id)
        for command in ("undo", "redo"):
            self._run("plays", command, str(id), "--yes", "--wait")
            self._tell_plays(id)

    def _tell_plays(self, id: int) -> None:
        say(self._screen, f"   scene {id} has in Stash: {many(count_plays(self._stage, id), 'play')}")

    def _run(self, *words: str) -> None:
        """Run a command as you would type it, and print its output."""
        say(self._screen, f"   $ plexsync {' '.join(words)}")
        done = subprocess.run(
            command_of("plexsync", "--config", str(self._stage.machines[0].settings), *words),
            cwd=self._stage.folder,
            env=environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LONGEST_ACT,
            check=False,
        )
        for line in (done.stdout + done.stderr).splitlines():
            say(self._screen, f"   {line}".rstrip())

    def _movies(self, id: int) -> tuple[str, ...]:
        stage = self._stage
        return next(
            tuple(truth.movies) for handle, truth in stage.library.truth.items() if stage.handles.scenes[handle] == id
        )

    def _shown(self, id: int, field: str) -> set[str]:
        """The values that the movies of a scene show in one field."""
        stage = self._stage
        return {
            str(stage.plex.item(stage.handles.movies[movie]).scalars.get(field) or "") for movie in self._movies(id)
        }

    def _title_edits(self) -> list[int]:
        self._stage.install_wake_up()
        route = "each wakes PlexSync by a line of Stash's log"
        self._act(f"people edit 150 scenes in Stash: {route}")
        return self._edit(range(150), "edited")

    def _edit(self, places: range, words: str) -> list[int]:
        """Edit the matched scenes at these places; every third one twice, as users do."""
        ids = self._matched()[places.start : places.stop]
        for place, id in enumerate(ids):
            if place % 3 == 0:
                self._stage.stash.edit_scene(id, title=f"Scene {id}, not right yet")
            self._stage.stash.edit_scene(
                id, title=f"Scene {id}, {words}", tags=["Documentary", "Rain", f"Shelf {id % 9}"]
            )
        return ids

    def _matched(self) -> list[int]:
        stage = self._stage
        locked = set(stage.library.hand_locked)
        return [
            stage.handles.scenes[handle]
            for handle, truth in stage.library.truth.items()
            if truth.movies and not locked & set(truth.movies)
        ]

    def _pushed(self, ids: list[int]) -> int:
        """The number of these scenes that Plex shows with their current title."""
        stage = self._stage
        movies = {stage.handles.scenes[handle]: truth.movies for handle, truth in stage.library.truth.items()}
        return sum(
            all(
                stage.plex.item(stage.handles.movies[movie]).scalars.get("title") == stage.stash.scene(id).title
                for movie in movies[id]
            )
            for id in ids
        )

    # --- progress ----------------------------------------------------------------------------------------------------

    def _title(self, text: str) -> None:
        self._screen.print()
        say(self._screen, text, style="bold")

    def _act(self, text: str) -> None:
        self._acts += 1
        self._title(f"{self._acts}. {text}")

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
                say(self._screen, progress_line(now, rate, attempts=count_attempts(self._stage)))
                reported_at, last = time.monotonic(), done
            if over:
                return
        words = "this takes longer than it should" if self._stage.is_up else "plexsync serve has ended by itself"
        self._screen.print(f"   {words}; the summary tells what is missing")

    def _tell_why(self, breaker: BreakerFacts) -> None:
        """Print PlexSync's reason, once per outage."""
        if breaker["state"] == "closed":
            self._told_why = False
        elif not self._told_why:
            self._told_why = True
            say(self._screen, f"   {breaker['error']}; asking again every few seconds")

    def _waiting(self, now: StatusFacts) -> int:
        return int(now["jobs"]["ready"] + now["jobs"]["running"])
