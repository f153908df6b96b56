"""The demo's act with two machines: the worker is killed in the middle of its work, and the standby finishes it."""

import time
from dataclasses import dataclass
from typing import TypedDict

from rich.console import Console

from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.terminal.screen import say

LONGEST_TAKEOVER = 90.0
LOOK = 0.05
# Seconds after which nothing that the killed process had sent is on its way any more.
SETTLED = 0.1


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


@dataclass(frozen=True)
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
            time.sleep(LOOK)
    while (
        taken_at and standby.pid and stage.plex.count("PUT") == edits and time.monotonic() - taken_at < LONGEST_TAKEOVER
    ):
        time.sleep(LOOK)
    takeover = Takeover(*pids, edits, killed_at, taken_at)
    say(screen, f"   process {pids[0]} is gone, after {edits:,} edits in Plex; {_words(takeover)}")
    return takeover


def _words(takeover: Takeover) -> str:
    if takeover.taken_at is None:
        return f"process {takeover.standby}, the standby, has not taken over"
    return f"process {takeover.standby}, the standby, works since {takeover.taken_at - takeover.killed_at:.1f} s later"


def takeover_rows(facts: TakeoverFacts) -> list[tuple[str, str]]:
    """The rows of the summary."""
    after, first = facts["taken_over_after"], facts["first_edit_after"]
    return [
        (
            "edits in Plex by the worker, until it was killed",
            f"{facts['edits_by_worker']:,} by process {facts['worker']}",
        ),
        (
            "edits in Plex by the standby, which finished",
            f"{facts['edits_by_standby']:,} by process {facts['standby']}",
        ),
        ("from the kill until the standby worked", "never" if after is None else f"{after:.1f} s"),
        ("from the kill until its first edit", "never" if first is None else f"{first:.1f} s"),
    ]
