"""The demo's acts, the progress shown during them, and the summary of what was read back at the end."""

import time
from collections.abc import Callable
from typing import TypedDict

from rich.console import Console

from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import say, table
from plexsync.reports.format import many
from plexsync.reports.shapes.status import BreakerFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.servers.errors import LocalFault
from plexsync.rules.words.status_words import SceneStatus, buckets, count_words
from plexsync.simulator.demo import check
from plexsync.simulator.plex_server import ItemSnapshot

OUTAGE = 10.0
LONGEST_ACT = 90.0
LOOK = 0.25
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


class DemoSummary(TypedDict):
    """The result of the demo, for JSON. `well`: everything is as it should be."""

    well: bool
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


def count_attempts(stage: Stage) -> int:
    """The attempts that failures used up."""
    with stage.parts.store.reading() as db:
        return db.attempts.count_used()


def sum_up(stage: Stage, screen: Console, untouched: dict[str, ItemSnapshot], *, seconds: float) -> DemoSummary:
    """Read everything back, print it, and return it. The acts took so many `seconds`.

    `untouched`: the movies that are nobody's, as they were.
    """
    asked = {"plex": stage.plex.count(), "edits": stage.plex.count("PUT"), "stash": stage.stash.count()}
    checked = check(stage, untouched)
    now = facts(stage.parts)
    unexplained = now["dead"].keys() - {"ambiguous"}
    summary: DemoSummary = {
        "well": not checked.wrong and not checked.touched and not unexplained and now["books"]["balanced"],
        "scenes": len(stage.library.scenes),
        "in_step": checked.in_step,
        "not_written": checked.reasons,
        "kept_for_a_person": checked.kept,
        "wrong": checked.wrong,
        "bystanders_written": checked.touched,
        "attempts_used": count_attempts(stage),
        "collections": stage.wall.counts(),
        "requests": asked,
        "seconds": round(seconds, 1),
        "dead": now["dead"],
    }
    screen.print()
    say(screen, "Read back from Plex by plexapi, and compared with what the library was made of", style="bold")
    screen.print(table("", ("", ""), _rows(summary, len(untouched)), right=(1,)))
    for line in checked.wrong[:10]:
        say(screen, f"   {line}")
    return summary


def _rows(summary: DemoSummary, bystanders: int) -> list[tuple[str, str]]:
    reasons, requests = summary["not_written"], summary["requests"]
    return [
        ("in sync, every field of every item", f"{summary['in_step']:,} of {summary['scenes']:,} scenes"),
        *((f"{reason}: {explanation}", f"{reasons.get(reason, 0):,}") for reason, explanation in REASONS.items()),
        ("a title that a person had locked in Plex, kept", f"{summary['kept_for_a_person']:,}"),
        ("not as it should be", f"{len(summary['wrong']):,}"),
        ("movies that are nobody's, written to", f"{len(summary['bystanders_written']):,} of {bystanders:,}"),
        ("collections, before PlexSync worked and now", "{before:,}, {now:,}".format(**summary["collections"])),
        ("attempts used up by the outage", f"{summary['attempts_used']:,}"),
        ("requests to Plex", f"{requests['plex']:,} ({requests['edits']:,} edits)"),
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
            self._act("plexsync serve: compares both servers, and syncs what differs")
            self._until(lambda now: bool(now["last_reconcile"]) and not waiting(now))

            stage.install_wake_up()
            self._act("people edit 150 scenes in Stash: each wakes PlexSync by a line of Stash's log")
            edited = self._edit(range(150), "edited")
            self._until(lambda _now: self._count_pushed(edited) >= 20, quiet=True)

            self._act(f"Plex goes down for {OUTAGE:.0f} seconds, in the middle of it; people go on editing")
            stage.switch.away = True
            gone = time.monotonic()
            edited += self._edit(range(150, 200), "edited while Plex was down")
            self._until(lambda _now: time.monotonic() - gone >= OUTAGE, stalls=True)

            self._act("Plex is back")
            stage.switch.away = False
            self._until(lambda now: not waiting(now) and self._count_pushed(edited) == len(edited))
            seconds = time.monotonic() - began
        with stage.switch.rest():
            return sum_up(stage, self._screen, self._untouched, seconds=seconds)

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
