"""`plexsync demo`: the real thing against a made-up Stash and Plex, with an outage on the way.

The play has a stage (`Stage`: both simulators, a folder, `plexsync serve` as a process of its own) and acts. What it claims
at the end was read back from Plex by `plexapi`, and compared with the truth that the library was made with.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

import click
from rich.console import Console

from plexsync.app.parts import Parts, opened
from plexsync.cli.call import FAILED, FINE, INTERRUPTED, Call, command
from plexsync.cli.daemon.child import ROOT, command_of, environ
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import margin, paper, say, table
from plexsync.engine.clock import SystemClock
from plexsync.extras import advice, is_installed
from plexsync.reports.format import many
from plexsync.reports.shapes import BreakerFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.rules.errors import LocalFault, Unusable
from plexsync.rules.status_words import SceneStatus
from validation.config import PlexSyncConfig

TOKEN = "demo-plex-token-0123456789"  # noqa: S105 - opens a server that lives as long as the demo
KEY = "demo-stash-key-0123456789"
LATENCY = 0.008
OUTAGE = 12.0
LONGEST_ACT = 90.0
SWITCH_LOOK = 0.1
EDIT_PACE, EDIT_STEP = 0.7, 7
USUAL_PORT = 9797
LOOK = 0.25
WEEKS = 30 * 86_400.0
LOOKS_PER_SCENE = 20
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@command("demo")
@click.option("--scenes", type=click.IntRange(100, 20_000), default=1000, show_default=True, help="How many scenes.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, to try the other commands against it.")
@click.pass_obj
def demo(call: Call, scenes: int, keep: bool) -> int:
    """Watch PlexSync work, without a Stash or Plex of your own.

    Starts a simulated Stash and a simulated Plex on this machine with a library of realistic and nasty names, runs
    `plexsync serve` against them, edits scenes, takes Plex down for a while, and ends with a summary read back from
    Plex. Takes about a minute, needs no network, leaves nothing behind.

    \b
    Examples:
      plexsync demo
      plexsync demo --keep
    """
    _check_packages()
    screen = margin() if call.json else paper()
    try:
        with ending_orderly(), Stage.set(scenes) as stage:
            summary = Play(stage, screen).perform()
            call.answer(summary, lambda: None)
            if keep:
                stay(stage, screen)
            else:
                say(
                    screen,
                    "plexsync demo --keep stays up: for such questions, and for a dashboard that takes Plex down.",
                )
    except KeyboardInterrupt:
        return INTERRUPTED
    return FINE if summary["well"] else FAILED


def _check_packages() -> None:
    if not is_installed("demo"):
        raise Unusable(f"the demo needs packages that are not installed: {advice('demo')}")


@contextmanager
def ending_orderly() -> Iterator[None]:
    """A signal that would end the process at once ends it behind everything that is to be stopped and removed."""
    before = {number: signal.signal(number, _leave) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    for one in SIGNALS:
        signal.signal(one, signal.SIG_IGN)
    raise SystemExit(128 + number)


@dataclass
class Stage:
    """Both neighbours, the library they hold, and PlexSync beside them."""

    stash: Any
    plex: Any
    library: Any
    handles: Any
    folder: Path
    parts: Parts
    switch: "Switch"

    @classmethod
    @contextmanager
    def set(cls, scenes: int) -> Iterator["Stage"]:
        """Start everything; stop and remove it at the end."""
        # Only here: no other command needs the simulators or what they are made of.
        from plexsync.simulator.library import build, populate
        from plexsync.simulator.plex_server import PlexSim
        from plexsync.simulator.stash_server import StashSim

        library = build(scenes)
        with tempfile.TemporaryDirectory(prefix="plexsync-demo-") as place, StashSim(api_key=KEY) as stash:
            with PlexSim(token=TOKEN) as plex:
                stash.now = over_weeks(scenes)
                handles = populate(library, stash, plex)
                stash.now = seconds_now
                folder = Path(place)
                config = PlexSyncConfig(
                    plex_url=plex.url,
                    plex_token=TOKEN,
                    stash_url=stash.url,
                    stash_api_key=KEY,
                    path_map=library.path_map,
                    stash_poll_interval=5,
                    poll_interval=0.5,
                    breaker_recovery_timeout=2,
                    breaker_max_recovery_timeout=4,
                    approve_bulk=True,
                    poster="none",
                    web_bind=f"127.0.0.1:{free_port()}",
                    data_dir=str(folder / "data"),
                )
                write_settings(folder / "plexsync.toml", config)
                (folder / "data").mkdir(mode=0o700)
                with opened(config, folder / "data") as parts, Switch(plex, folder / "plex-is-away") as switch:
                    yield cls(stash, plex, library, handles, folder, parts, switch)

    def install_hook(self) -> bool:
        """Put our plugin into the simulated Stash; False where it is not at hand (a wheel carries none)."""
        from plexsync.simulator.stash_hooks import HookRunner

        manifest = ROOT / "StashPlexSync.yml"
        if not manifest.exists():
            return False
        self.stash.hooks = HookRunner.from_manifest(
            manifest,
            dir=str(self.folder),
            python_path=sys.executable,
            environment={**os.environ, "PLEXSYNC_DATA_DIR": str(self.folder / "data")},
        )
        return True

    @contextmanager
    def serving(self) -> Iterator[None]:
        """`plexsync serve`, as a process of its own, with its log beside the database."""
        with (
            (self.folder / "serve.log").open("w") as log,
            subprocess.Popen(
                command_of(
                    "plexsync.cli.commands.demo_serving",
                    *("--config", str(self.folder / "plexsync.toml")),
                    *("serve", "--demo-switch", str(self.switch.file)),
                ),
                cwd=self.folder,
                env=environ(),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            ) as process,
        ):
            try:
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=10)
                except subprocess.TimeoutExpired:
                    process.kill()


class Switch(threading.Thread):
    """Takes the simulated Plex away while the play says so, or as long as there is the file that the demo's page makes."""

    def __init__(self, plex: Any, file: Path) -> None:
        super().__init__(name="switch", daemon=True)
        self.file = file
        self.away = False
        # While what is in Plex is read back, it is there and hurries.
        self.resting = False
        self._plex = plex
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Look, until the end."""
        from plexsync.simulator.http import Fault

        there, away = Fault("latency", seconds=LATENCY), Fault("refuse")
        while not self._over.wait(SWITCH_LOOK):
            if self.resting:
                self._plex.faults.clear()
            else:
                self._plex.faults.set(away if self.away or self.file.exists() else there)

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Plex is there, whatever the page says."""
        self.resting = True
        time.sleep(2 * SWITCH_LOOK)
        try:
            yield
        finally:
            self.resting = False


class Play:
    """The acts, and what is shown of them."""

    def __init__(self, stage: Stage, screen: Console) -> None:
        self._stage = stage
        self._screen = screen
        self._told_why = False
        # Titles that were edited by hand in the course of it, by movie.
        self._by_hand: dict[str, str] = {}
        self._untouched = {
            handle: stage.plex.item(stage.handles.movies[handle]) for handle in sorted(stage.library.bystanders)
        }

    def perform(self) -> dict[str, Any]:
        """All acts in order; returns the summary."""
        stage = self._stage
        began = time.monotonic()
        self._title(
            f"{len(stage.library.scenes):,} scenes in Stash, {len(stage.library.movies):,} movies in Plex, nothing in sync"
        )
        with stage.serving():
            self._tell_of_pages()
            self._title("1. plexsync serve: compares both servers, and syncs what differs")
            self._until(lambda now: bool(now["last_reconcile"]) and not self._waiting(now))

            edited = self._title_edits()
            self._until(lambda _now: self._pushed(edited) >= 20, quiet=True)

            self._title(f"3. Plex goes down for {OUTAGE:.0f} seconds, in the middle of it; people go on editing")
            stage.switch.away = True
            gone = time.monotonic()
            more = self._edit(range(150, 200), "edited while Plex was down")
            self._until(lambda _now: time.monotonic() - gone >= OUTAGE, stalls=True)

            self._title("4. Plex is back")
            stage.switch.away = False
            self._until(lambda now: not self._waiting(now) and self._pushed(more) == len(more))

            kept, taken = self._matched()[-2:]
            self._edit_by_hand(kept)
            self._take_back(taken)
        spent = time.monotonic() - began
        with stage.switch.rest():
            return self._sum_up(spent)

    def _tell_of_pages(self) -> None:
        """Where to watch it, and to take Plex away oneself."""
        config = self._stage.parts.config
        if hindrance := hindrance_of(config):
            say(self._screen, f"   no dashboard: {hindrance}")
            return
        address = f"http://{config.web_bind}"
        say(self._screen, f"   Watch it in a browser: {address} (and take Plex down yourself: {address}/demo)")

    def _edit_by_hand(self, id: int) -> None:
        """What a person edits in Plex stays, while Stash goes on changing other things."""
        stage = self._stage
        self._title("5. somebody edits a title in Plex by hand, and its scene gets another summary in Stash")
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
        """What a sync would do, and what it did, taken back; the next edit in Stash ends that."""
        self._title("6. what a sync would do is shown before it is done, and what was done is taken back")
        stash = self._stage.stash
        # With a time of yesterday, as a backup brings it back: else the next poll could be faster than the dry run.
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

    def _run(self, *words: str) -> None:
        """A command as a person types it, and what it says."""
        say(self._screen, f"   $ plexsync {' '.join(words)}")
        done = subprocess.run(
            command_of("plexsync", "--config", str(self._stage.folder / "plexsync.toml"), *words),
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
        """What the movies of a scene show in one field."""
        stage = self._stage
        return {
            str(stage.plex.item(stage.handles.movies[movie]).scalars.get(field) or "") for movie in self._movies(id)
        }

    def _title_edits(self) -> list[int]:
        hooked = self._stage.install_hook()
        how = "each tells PlexSync by its hook" if hooked else "PlexSync finds them by asking Stash"
        self._title(f"2. people edit 150 scenes in Stash: {how}")
        return self._edit(range(150), "edited")

    def _edit(self, places: range, words: str) -> list[int]:
        """Edit the matched scenes at these places; every third one twice, as people do."""
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
        """How many of these scenes Plex shows with their present title."""
        stage = self._stage
        movies = {stage.handles.scenes[handle]: truth.movies for handle, truth in stage.library.truth.items()}
        return sum(
            all(
                stage.plex.item(stage.handles.movies[movie]).scalars.get("title") == stage.stash.scene(id).title
                for movie in movies[id]
            )
            for id in ids
        )

    # --- what is shown on the way ------------------------------------------------------------------------------------

    def _title(self, text: str) -> None:
        self._screen.print()
        say(self._screen, text, style="bold")

    def _until(self, reached: Callable[[StatusFacts], bool], *, stalls: bool = False, quiet: bool = False) -> None:
        """Show how everything stands, about once a second, until the act is over."""
        began = told = time.monotonic()
        last = -1
        while time.monotonic() - began < LONGEST_ACT:
            time.sleep(LOOK)
            try:
                now = facts(self._stage.parts)
            except LocalFault:
                continue
            over = reached(now)
            self._tell_why(now["breakers"]["plex"])
            if not quiet and (over or time.monotonic() - told >= (2 if stalls else 1)):
                done = now["jobs"]["idle"]
                rate = max(0, done - last) / (time.monotonic() - told) if last >= 0 else 0
                say(self._screen, self._line(now, rate))
                told, last = time.monotonic(), done
            if over:
                return
        self._screen.print("   this takes longer than it should; the summary tells what is missing")

    def _tell_why(self, breaker: BreakerFacts) -> None:
        """Once per outage: what PlexSync says about it."""
        if breaker["state"] == "closed":
            self._told_why = False
        elif not self._told_why:
            self._told_why = True
            say(self._screen, f"   {breaker['error']}; asking again every few seconds")

    def _line(self, now: StatusFacts, rate: float) -> str:
        jobs, breaker = now["jobs"], now["breakers"]["plex"]
        words = [
            f"{jobs['idle']:5,} {SceneStatus.IN_SYNC.word}",
            f"{self._waiting(now):5,} {SceneStatus.QUEUED.word}",
            f"{jobs['absent']:3} {SceneStatus.NOT_IN_PLEX.word}",
            f"{jobs['dead']:3} set aside",
            f"breaker {breaker['state'].replace('_', '-'):9}",
        ]
        if breaker["state"] != "closed":
            words.append(f"{many(self._attempts(), 'attempt')} used up")
        elif now["paces"]["plex"]["jobs_per_claim"]:
            words.append(f"ramping up: {now['paces']['plex']['jobs_per_claim']} at a time")
        elif rate:
            words.append(f"{rate:,.0f}/s")
        return "   " + " | ".join(words)

    def _waiting(self, now: StatusFacts) -> int:
        return int(now["jobs"]["ready"] + now["jobs"]["running"])

    def _attempts(self) -> int:
        with self._stage.parts.store.reading() as db:
            return db.attempts.count_used()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _sum_up(self, spent: float) -> dict[str, Any]:
        from plexsync.cli.commands.demo_check import check

        stage = self._stage
        asked = {"plex": stage.plex.count(), "edits": stage.plex.count("PUT"), "stash": stage.stash.count()}
        checked = check(stage, self._untouched, self._by_hand)
        now = facts(stage.parts)
        unexplained = now["dead"].keys() - {"ambiguous"}
        well = not checked.wrong and not checked.touched and not unexplained and now["books"]["balanced"]
        self._title("Read back from Plex by plexapi, and compared with what the library was made of")
        scenes = len(stage.library.scenes)
        rows = [
            ("in sync, every field of every item", f"{checked.in_step:,} of {scenes:,} scenes"),
            *((f"{reason}: {why}", f"{checked.reasons.get(reason, 0):,}") for reason, why in REASONS.items()),
            ("a title that a person had locked in Plex, kept", f"{checked.kept:,}"),
            ("not as it should be", f"{len(checked.wrong):,}"),
            ("movies that are nobody's, written to", f"{len(checked.touched):,} of {len(self._untouched):,}"),
            ("attempts used up by the outage", f"{self._attempts():,}"),
            ("requests to Plex", f"{asked['plex']:,} ({asked['edits']:,} edits)"),
            ("requests to Stash", f"{asked['stash']:,}"),
            ("time", f"{spent:.0f} s, {OUTAGE:.0f} s of them without Plex"),
        ]
        self._screen.print(table("", ("", ""), rows, right=(1,)))
        for line in checked.wrong[:10]:
            say(self._screen, f"   {line}")
        if checked.example:
            say(self._screen, f"Ask about any of them: plexsync explain {checked.example}")
        return {
            "well": well,
            "scenes": scenes,
            "in_step": checked.in_step,
            "not_written": checked.reasons,
            "kept_for_a_person": checked.kept,
            "wrong": checked.wrong,
            "bystanders_written": checked.touched,
            "attempts_used": self._attempts(),
            "requests": asked,
            "seconds": round(spent, 1),
            "dead": now["dead"],
        }


def seconds_now() -> float:
    """The present for the made-up Stash, so that `sync --since 1h` finds what was edited."""
    return SystemClock().now() / 1000


def over_weeks(scenes: int) -> Callable[[], float]:
    """A clock that goes on whenever it is looked at: nobody makes a library within one second."""
    now = seconds_now()
    moments = itertools.count(now - WEEKS, WEEKS / (LOOKS_PER_SCENE * scenes))
    return lambda: min(next(moments), now - 60)


REASONS = {
    "absent": "Plex has no such file",
    "ambiguous": "several items fit, left alone",
    "shared": "their movie is another scene's",
}


def write_settings(path: Path, config: PlexSyncConfig) -> None:
    """The settings as a person would write them, for the owner's eyes only."""
    path.touch(mode=0o600)
    rules = ", ".join(f"'{rule}'" for rule in config.path_map)
    path.write_text(
        f'plex_url = "{config.plex_url}"\n'
        f'plex_token = "{config.plex_token}"\n'
        f'stash_url = "{config.stash_url}"\n'
        f'stash_api_key = "{config.stash_api_key}"\n'
        f"path_map = [{rules}]\n"
        f"stash_poll_interval = {config.stash_poll_interval}\n"
        f"poll_interval = {config.poll_interval}\n"
        f"approve_bulk = {str(config.approve_bulk).lower()}\n"
        f"breaker_recovery_timeout = {config.breaker_recovery_timeout}\n"
        f"breaker_max_recovery_timeout = {config.breaker_max_recovery_timeout}\n"
        f'poster = "{config.poster}"\n'
        f'web_bind = "{config.web_bind}"\n'
        f"data_dir = '{config.data_dir}'\n",
        encoding="utf-8",
    )


def stay(stage: Stage, screen: Console) -> None:
    """Keep everything running until Ctrl-C."""
    program = Path(sys.executable).with_name("plexsync")
    words = str(program) if program.exists() else f"{sys.executable} -P -m plexsync"
    screen.print()
    say(screen, "Still up, with `plexsync serve` running. In another terminal:")
    say(screen, f"   export PLEXSYNC_CONFIG={stage.folder / 'plexsync.toml'}")
    for example in ("top", "status", "explain 7", "dlq list", "reconcile"):
        say(screen, f"   {words} {example}")
    if not hindrance_of(stage.parts.config):
        address = f"http://{stage.parts.config.web_bind}"
        say(screen, f"Or in a browser: {address} shows everything, {address}/demo takes Plex down and brings it back.")
    say(screen, f"Its log: {stage.folder / 'serve.log'}. Ctrl-C ends everything.")
    with stage.serving():
        try:
            edit_on(stage)
        except KeyboardInterrupt:
            return


def edit_on(stage: Stage) -> None:
    """People go on editing, so that there is something to see; without end."""
    ids = [stage.handles.scenes[handle] for handle, truth in stage.library.truth.items() if truth.movies]
    for number in itertools.count(1):
        id = ids[number * EDIT_STEP % len(ids)]
        stage.stash.edit_scene(id, title=f"Scene {id}, edit {number}")
        time.sleep(EDIT_PACE)


def free_port() -> int:
    """The usual port of the dashboard, or any that is free."""
    for port in (USUAL_PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    return USUAL_PORT
