"""Processes that are killed in the middle of their work: at an event, not at a time."""

import signal

from tests.journey.world import World, until

UNFINISHED = """
select count(*) from job
 where state = 'running' or (state = 'ready' and due <= (julianday('now') - 2440587.5) * 86400000)
"""


def killed(world: World, *words: str, requests: int) -> None:
    """A command that is killed once it has sent so many requests; sooner if it has ended, or has nothing left to do."""
    before = sent(world)
    process = world.start(*words)
    until(lambda: process.poll() is not None or sent(world) >= before + requests or world.rows(UNFINISHED) == [(0,)])
    process.send_signal(signal.SIGKILL)
    process.wait()


def sent(world: World) -> int:
    """The number of requests that both servers have got."""
    return world.plex.count() + world.stash.count()
