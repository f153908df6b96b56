"""`plexsync demo`: the real program against a simulated Stash and Plex, with an outage on the way.

The demo has a stage (`Stage`: both simulators, a folder, `plexsync serve` as a process of its own) and acts. Its final
claims are read back from Plex by `plexapi`, and compared with the data that the library was built from.
"""

import itertools
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click
from rich.console import Console

from plexsync.cli.call import FAILED, FINE, INTERRUPTED, Call, command
from plexsync.cli.daemon.dashboard_process import hindrance_of
from plexsync.cli.terminal.screen import Margin, paper, say
from plexsync.extras import advice, is_installed
from plexsync.rules.servers.errors import Unusable

if TYPE_CHECKING:
    from plexsync.cli.commands.demo_stage import Stage

EDIT_PACE, EDIT_STEP = 0.7, 7
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
    if not is_installed("demo"):
        raise Unusable(f"the demo needs packages that are not installed: {advice('demo')}")
    # Imported once their packages are there.
    from plexsync.cli.commands import demo_play, demo_stage

    screen = Margin(draws=True) if call.json else paper()
    try:
        with ending_orderly(), demo_stage.Stage.set(scenes) as stage:
            summary = demo_play.Play(stage, screen).perform()
            call.answer(summary)
            if keep:
                stay(stage, screen)
            else:
                say(
                    screen,
                    "plexsync demo --keep stays up: to ask about any scene, and for a dashboard that takes Plex down.",
                )
    except KeyboardInterrupt:
        return INTERRUPTED
    return FINE if summary["well"] else FAILED


@contextmanager
def ending_orderly() -> Iterator[None]:
    """Turn a signal that would end the process at once into an orderly end, after all cleanup."""
    before = {number: signal.signal(number, _leave) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    for signal_number in SIGNALS:
        signal.signal(signal_number, signal.SIG_IGN)
    raise SystemExit(128 + number)


def ambiguous_scene(stage: "Stage") -> int:
    """The number of a scene that is set aside, to ask about."""
    truths = stage.library.truth.items()
    return next((stage.handles.scenes[handle] for handle, truth in truths if truth.reason == "ambiguous"), 1)


def stay(stage: "Stage", screen: Console) -> None:
    """Keep everything running until Ctrl-C."""
    program = Path(sys.executable).with_name("plexsync")
    words = str(program) if program.exists() else f"{sys.executable} -P -m plexsync"
    screen.print()
    with stage.serving():
        say(screen, "Still up, with `plexsync serve` running. In another terminal:")
        say(screen, f"   export PLEXSYNC_CONFIG={stage.settings}")
        for example in ("status --watch", f"explain {ambiguous_scene(stage)}", "dlq list", "reconcile"):
            say(screen, f"   {words} {example}")
        if not hindrance_of(stage.parts.config):
            address = stage.address
            words = f"Or in a browser: {address} shows everything, {address}/demo takes Plex down and brings it back."
            say(screen, f"{words}\nWhat people see in Plex, before and now: {stage.wall.url}/wall")
        say(screen, f"Its log: {stage.log}. Ctrl-C ends everything.")
        try:
            edit_on(stage)
        except KeyboardInterrupt:
            return


def edit_on(stage: "Stage") -> None:
    """Edit scenes without end, so that there is something to see."""
    ids = [stage.handles.scenes[handle] for handle, truth in stage.library.truth.items() if truth.movies]
    for number in itertools.count(1):
        id = ids[number * EDIT_STEP % len(ids)]
        stage.stash.edit_scene(id, title=f"Scene {id}, edit {number}")
        time.sleep(EDIT_PACE)
