"""The worker's turn at a probe: at most once a second, each request once, and never for a request that is old."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from plexsync.app import turns
from plexsync.app.turns import ENDED, STALE, ProbeTurn, result_of
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.servers.scratch import original_of
from plexsync.simulator.http import Fault
from tests.app.probe_stage import UNHURRIED, Stage, stage, state_of


@dataclass
class Turn:
    here: Stage
    turn: ProbeTurn

    def take(self) -> None:
        self.here.clock.move(2)
        self.turn()

    def ask(self) -> int:
        now = self.here.clock.now()
        with self.here.store.writing() as tx:
            tx.probes.ask_probe(self.here.key, now=now)
        return now


@pytest.fixture
def beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Turn]:
    with stage(tmp_path / "data") as here:
        parts = SimpleNamespace(store=here.store, clock=here.clock)

        def connect(_parts: object) -> ProbeClient:
            return ProbeClient(here.plex.url, here.plex.token, connect_timeout=UNHURRIED, read_timeout=UNHURRIED)

        monkeypatch.setattr(turns, "connect_probe", connect)
        yield Turn(here, ProbeTurn(parts, threading.Event()))


def test_a_request_is_worked_once(beside: Turn) -> None:
    before = state_of(beside.here.plex)
    asked = beside.ask()

    beside.take()

    outcome = result_of(beside.here.store, asked)
    assert outcome is not None
    assert (outcome.error, outcome.traits.tag_mode) == ("", "add")
    assert state_of(beside.here.plex) == before
    beside.here.plex.clear_log()
    beside.take()
    assert beside.here.plex.log == []


def test_it_looks_for_requests_once_a_second(beside: Turn) -> None:
    beside.take()
    beside.ask()
    beside.turn()
    assert beside.here.plex.count("PUT") == 0
    beside.here.clock.move(1.1)
    beside.turn()
    assert beside.here.plex.count("PUT") > 0


def test_a_request_that_nobody_took_for_long_is_dropped(beside: Turn) -> None:
    beside.ask()
    beside.here.clock.move(STALE / 1000)

    beside.take()

    assert beside.here.plex.log == []
    with beside.here.store.reading() as db:
        assert db.probes.probe_asked() is None


def test_an_item_that_is_not_there_is_the_result(beside: Turn) -> None:
    asked = beside.ask()
    beside.here.plex.remove(beside.here.key)
    beside.take()
    outcome = result_of(beside.here.store, asked)
    assert outcome is not None
    assert f"has no item {beside.here.key} in a library" in outcome.error


def test_a_probe_whose_worker_ended_is_not_begun_again(beside: Turn) -> None:
    asked = beside.ask()
    with beside.here.store.writing() as tx:
        tx.probes.run_probe(asked)

    beside.take()

    outcome = result_of(beside.here.store, asked)
    assert outcome is not None
    assert outcome.error == ENDED
    assert beside.here.plex.log == []


def test_an_item_that_cannot_be_restored_yet_is_tried_again_later(beside: Turn) -> None:
    here = beside.here
    original = original_of(here.client.read_item(here.key), machine=here.client.server().machine, mark="x")
    with here.store.writing() as tx:
        tx.probes.begin_probe(original)
    here.plex.hand_edit(here.key, label=["mine", "yours, too", original.tags[0]])
    here.plex.faults.set(Fault("status", status=503))
    here.plex.clear_log()

    beside.take()
    beside.take()

    assert len(here.plex.log) == 1, "not at every step"
    assert here.saved() is not None
    here.plex.faults.clear()
    here.clock.move(30)
    beside.take()
    assert here.saved() is None
    assert here.plex.item(here.key).lists["label"] == ["mine", "yours, too"]
