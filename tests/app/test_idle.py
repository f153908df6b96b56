"""What an idle worker costs its database in a minute, counted: with all that a worker does beside its queue."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from plexsync.app.flow_parts import RegularLook
from plexsync.app.further_flows import further_flows
from plexsync.app.parts import Parts, open_parts
from plexsync.app.run import drain, engine, looks_beside, loop_of
from plexsync.rules.queue.job import Kind, Why
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests.engine.clocks import Clock
from tests.journey.world import KEY, TOKEN
from validation.config import PlexSyncConfig

SCENES = 30
# In a minute, for all but the watch of the settings, which takes a few more.
STATEMENTS, TRANSACTIONS = 255, 60
# What listens to a server waits for what that sends.
LISTENS = ("lines", "listen")


class Minutes:
    """The minutes of a worker on a clock in our hand: it waits for commits, and what it does beside its queue is done.

    All of that is done on another thread, as in a worker, so its commits are those of others. `counts` has what each
    minute has cost; `asked` ends it.
    """

    def __init__(self, parts: Parts, clock: Clock, looks: list[RegularLook], minutes: int, pool: ThreadPoolExecutor):
        self.parts, self.clock, self.looks, self.pool = parts, clock, looks, pool
        self.stop = threading.Event()
        self.done_at = {look.name: clock.monotonic() for look in looks}
        self.began = clock.monotonic()
        self.minutes = minutes
        self.before = parts.store.cost()
        self.counts: list[tuple[int, int]] = []

    def changed(self) -> None:
        for look in self.looks:
            if look.at_changes:
                look.sooner.set()

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        now = self.clock.monotonic()
        for look in self.looks:
            rested = now - self.done_at[look.name]
            if rested >= look.seconds or (look.sooner.is_set() and rested >= look.least):
                look.sooner.clear()
                self.done_at[look.name] = now
                self.pool.submit(look.act).result()
        if now - self.began >= 60 * (len(self.counts) + 1):
            after = self.parts.store.cost()
            self.counts.append((after[0] - self.before[0], after[1] - self.before[1]))
            self.before = after
        if len(self.counts) == self.minutes:
            self.stop.set()

    def forget(self) -> None:
        pass


@contextmanager
def in_sync(folder, clock):
    """The parts of a worker on two servers in sync, some minutes after the last edit."""
    folder.mkdir(mode=0o700)
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        section = plex.add_section("Movies", locations=("/media",))
        ids = []
        for n in range(SCENES):
            path = f"/media/{n:03}.mp4"
            plex.add_movie(section, files=[(path, 1_000 + n, 60_000)], title=f"{n:03}")
            ids.append(stash.add_scene(title=f"Title {n}", files=[(path, 1_000 + n, 60.0)]))
        addresses = {"plex_url": plex.url, "plex_token": TOKEN, "stash_url": stash.url, "stash_api_key": KEY}
        with open_parts(PlexSyncConfig(**addresses, approve_bulk=True), folder, worker=True) as parts:
            with parts.store.writing() as tx:
                tx.jobs.want_all(Kind.SCENE, ids, Why.EDIT, clock.now())
            drain(parts, threading.Event(), lambda _step: None)
            for _ in range(3):
                parts.poller.poll()
                clock.move(60)
            parts.reconciler.reconcile()
            yield parts, stash, plex


@pytest.mark.sqlite_only
def test_an_idle_worker_takes_few_statements_a_minute(tmp_path, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("plexsync.app.parts.clock_of", lambda *_locks: clock)
    with in_sync(tmp_path / "data", clock) as (parts, stash, plex), ThreadPoolExecutor(1) as pool:
        further = further_flows(parts)
        looks = [look for look in looks_beside(parts, lambda: False, further) if look.name not in LISTENS]
        minutes = Minutes(parts, clock, looks, 5, pool)
        stash.clear_log()
        plex.clear_log()
        with engine(parts, minutes.stop, further) as works:
            loop_of(parts, works, minutes.stop, lambda _step: None, changed=minutes.changed, commits=minutes).serve()
        assert (stash.count(), plex.count()) == (5, 5), "a poll of each server a minute"
    # The first minute has the start of the worker.
    statements, transactions = zip(*minutes.counts[1:], strict=True)
    assert max(statements) <= STATEMENTS
    assert max(transactions) <= TRANSACTIONS
    assert min(statements) > 0
