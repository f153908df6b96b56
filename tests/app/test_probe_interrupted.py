"""A probe that is stopped, killed or cut off at any of its requests leaves the server as it was, at once or after the
next run; and what a person does meanwhile stays."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plexsync.app.probe.restore import GONE, OTHER
from plexsync.rules.item import Item
from plexsync.rules.servers.errors import Barred, NeighbourError
from plexsync.rules.servers.scratch import (
    RATING_BY_ACCOUNT,
    RATING_BY_EDIT,
    ProbedItem,
    Restoration,
    leftovers,
    original_of,
)
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_traits import Traits
from tests import forked
from tests.app.probe_stage import Stage, stage, state_of
from tests.journey.world import ROOT
from tests.tables import table

SERVERS = {
    "as most sources say": Traits(),
    "the other answers": Traits(
        tag_mode="replace",
        mixed_removals=False,
        removals_at_once=1,
        tags_lock=False,
        rating_by_edit="item",
        collection_edits="item",
        upload_selects=False,
    ),
}
# A kill at every request of the second one takes long.
ON_BOTH = ["as most sources say", pytest.param("the other answers", marks=pytest.mark.long)]
# The probe as a process of its own: the address of the simulated Plex, its token, the data folder, the item.
PROGRAM = """
import sys
from pathlib import Path
from plexsync.app.probe.questions import probe
from plexsync.engine.clock import SystemClock
from plexsync.plex.probe_client import ProbeClient
from plexsync.store.database import Database
url, token, folder, key = sys.argv[1:]
probe(Database(Path(folder) / "plexsync.db"), ProbeClient(url, token), SystemClock(), key)
"""
WRITES = ("PUT", "POST", "DELETE")


class Count:
    """Does something at one of the requests that the simulated Plex gets, before that is answered."""

    def __init__(self, number: int, act: Callable[[], object], methods: tuple[str, ...] = WRITES) -> None:
        self.number, self.act, self.methods = number, act, methods
        self.seen = 0

    def __call__(self, request: Request) -> bool:
        """Whether the request meets the fault."""
        if request.method not in self.methods:
            return False
        self.seen += 1
        if self.seen == self.number:
            self.act()
            return True
        return False


def steps_of(folder: Path, server: str, methods: tuple[str, ...]) -> int:
    with stage(folder / "count", traits_of(server)) as here:
        here.plex.clear_log()
        here.probe()
        return sum(request.method in methods for request in here.plex.log)


def traits_of(server: str) -> Traits:
    return Traits(**vars(SERVERS[server]))


@pytest.mark.parametrize("server", ON_BOTH)
def test_a_probe_that_is_stopped_at_any_request_restores_at_once(tmp_path: Path, server: str) -> None:
    methods = ("GET", *WRITES)
    count = steps_of(tmp_path, server, methods)
    assert count > 40
    for number in range(1, count + 1):
        with stage(tmp_path / f"{number}", traits_of(server)) as here:
            before = state_of(here.plex)
            asked_to_stop: list[bool] = []
            hook = Count(number, lambda asked=asked_to_stop: asked.append(True), methods)
            here.plex.faults.set(Fault("latency", when=hook))

            probed = here.probe(stopping=lambda asked=asked_to_stop: bool(asked))

            assert probed.restored == Restoration(), f"at request {number}"
            assert state_of(here.plex) == before, f"at request {number}"
            assert here.saved() is None


@pytest.mark.parametrize("applied", [True, False], ids=["applied", "not applied"])
@pytest.mark.parametrize("server", ON_BOTH)
def test_a_probe_whose_plex_goes_away_at_any_request_is_restored_later(
    tmp_path: Path, server: str, applied: bool
) -> None:
    count = steps_of(tmp_path, server, WRITES)
    for number in range(1, count + 1):
        with stage(tmp_path / f"{number}", traits_of(server)) as here:
            before = state_of(here.plex)
            away: list[bool] = []
            hook = Count(number, lambda away=away: away.append(True))
            here.plex.faults.set(
                Fault("status", status=503, when=lambda _request, away=away: bool(away)),
                Fault("reset_after" if applied else "reset", when=hook),
            )

            probed = here.probe()

            assert probed.restored is None
            assert here.saved() is not None
            with pytest.raises(NeighbourError):
                here.restore()
            here.plex.faults.clear()
            assert here.restore() == Restoration(), f"at request {number}"
            assert state_of(here.plex) == before, f"at request {number}"
            assert here.restore() is None


@pytest.mark.parametrize("server", ON_BOTH)
def test_a_probe_that_is_killed_at_any_write_is_restored_by_the_next_run(tmp_path: Path, server: str) -> None:
    count = steps_of(tmp_path, server, WRITES)
    assert count > 15
    for number in range(1, count + 1):
        with stage(tmp_path / f"{number}", traits_of(server)) as here:
            before = state_of(here.plex)
            process = started(here, tmp_path / f"{number}")
            hook = Count(number, lambda process=process: os.kill(process.pid, signal.SIGKILL))
            # Half of the requests that were under way still reach Plex.
            here.plex.faults.set(Fault("latency" if number % 2 else "reset", when=hook))
            process.stdin.close()
            assert process.wait() == -signal.SIGKILL, f"at write {number}"

            assert here.saved() is not None
            assert here.restore() == Restoration(), f"at write {number}"
            assert state_of(here.plex) == before, f"at write {number}"


def started(here: Stage, folder: Path) -> subprocess.Popen[bytes]:
    """The probe as a process, which begins once its input is closed."""
    program = "import sys; sys.stdin.read()\n" + PROGRAM
    words = [here.plex.url, here.plex.token, str(folder), here.key]
    return forked.Popen(["-c", program, *words], cwd=ROOT, env={"PATH": os.environ["PATH"]}, stdin=subprocess.PIPE)


# --- what happens between an interruption and the next run ------------------------------------------------------------


def interrupted(here: Stage, at_write: int) -> None:
    """A probe whose Plex goes away after this write was applied."""
    away: list[bool] = []
    here.plex.faults.set(
        Fault("status", status=503, when=lambda _request: bool(away)),
        Fault("reset_after", when=Count(at_write, lambda: away.append(True))),
    )
    assert here.probe().restored is None
    here.plex.faults.clear()


def test_what_a_person_edits_after_an_interruption_stays(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        interrupted(here, 3)
        labels = here.plex.item(here.key).lists["label"]
        assert len(labels) > 2, "scratch labels are there"
        here.plex.hand_edit(here.key, label=[*labels, "by hand"], title="By hand", addedAt=1_600_000_000, userRating=9)

        here.restore()

        item = here.plex.item(here.key)
        assert item.lists["label"] == ["mine", "yours, too", "by hand"]
        assert (item.scalars["title"], item.scalars["addedAt"], item.scalars["userRating"]) == (
            "By hand",
            1_600_000_000,
            9,
        )
        assert {"label", "title", "addedAt", "actor"} <= item.locks


def test_a_list_that_a_person_empties_after_an_interruption_stays_empty(tmp_path: Path) -> None:
    with stage(tmp_path / "data", Traits(tags_lock=False)) as here:
        interrupted(here, 3)
        here.plex.hand_edit(here.key, label=[])

        here.restore()

        assert here.plex.item(here.key).lists["label"] == []
        assert "label" in here.plex.item(here.key).locks


def test_an_item_that_is_another_one_now_is_not_written_to(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        interrupted(here, 3)
        here.plex.swap_files(here.key, here.other)
        here.plex.clear_log()

        assert here.restore() == Restoration(note=OTHER)

        assert here.plex.count("PUT") == 0
        assert here.saved() is None


def test_another_server_is_not_written_to(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        interrupted(here, 3)
        here.plex.machine = "another"
        here.plex.clear_log()

        assert here.restore() == Restoration(note=OTHER)

        assert here.plex.count("PUT") == 0


def test_another_server_than_that_of_the_database_is_not_probed(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        here.probe()
        before = here.learnt()
        here.plex.machine = "another"
        here.plex.clear_log()

        with pytest.raises(Barred):
            here.probe()

        assert here.plex.count("PUT") == 0
        assert (here.saved(), here.learnt()) == (None, before)


def test_an_item_that_is_gone_needs_no_restoration(tmp_path: Path) -> None:
    with stage(tmp_path / "data") as here:
        interrupted(here, 3)
        here.plex.remove(here.key)

        assert here.restore() == Restoration(note=GONE)


def test_an_item_with_a_rating_keeps_it_and_the_question_is_not_asked(tmp_path: Path) -> None:
    with stage(tmp_path / "data", Traits(rating_by_edit="item"), userRating=8.0) as here:
        before = state_of(here.plex)

        probed = here.probe()

        assert probed.traits.rating_by_edit is None
        assert "name an item without one" in probed.skipped["rating_by_edit"]
        assert state_of(here.plex) == before


@pytest.mark.parametrize("server", ON_BOTH)
def test_what_a_person_edits_while_the_probe_runs_stays(tmp_path: Path, server: str) -> None:
    count = steps_of(tmp_path, server, WRITES)
    for number in range(1, count + 1):
        with stage(tmp_path / f"{number}", traits_of(server)) as here:
            seen: list[int] = []

            def edit(here: Stage = here) -> None:
                now = here.plex.item(here.key).lists["label"]
                here.plex.hand_edit(here.key, label=[*(name for name in now if name != "mine"), "by hand"])

            # The edit comes just before a request that reads is answered.
            hook = Count(number, lambda edit=edit, seen=seen: (seen.append(1), edit()), ("GET",))
            here.plex.faults.set(Fault("latency", when=hook))

            here.probe()

            if seen:
                labels = here.plex.item(here.key).lists["label"]
                assert set(labels) == {"yours, too", "by hand"}, f"at read {number}"
                assert "label" in here.plex.item(here.key).locks


@table(
    ("before", "now", "was_locked", "is_locked", "is_cleared", "locks"),
    [
        (None, RATING_BY_EDIT, False, True, True, {"userRating": False}),
        (None, RATING_BY_ACCOUNT, True, False, True, {"userRating": True}),
        (8.0, 8.0, False, True, False, {"userRating": False}),
        # A person has rated it meanwhile: what came with that stays.
        (None, 5.0, False, True, False, {}),
        (8.0, RATING_BY_EDIT, False, True, False, {}),
        (8.0, 5.0, True, False, False, {"userRating": True}),
        (None, None, False, False, False, {}),
    ],
)
def test_the_lock_of_a_rating_follows_the_rating(before, now, was_locked, is_locked, is_cleared, locks) -> None:
    def probed(rating: float | None, locked: bool) -> ProbedItem:
        scalars = {"addedAt": "2026-03-04T05:06:07Z", "userRating": str(rating or "")}
        return ProbedItem(Item("71", "1", scalars, locks=frozenset({"userRating"} if locked else ())))

    original = original_of(probed(before, was_locked), machine="m", mark="x")
    left = leftovers(original, probed(now, is_locked))
    assert (left.rating, left.locks) == (is_cleared, locks)
