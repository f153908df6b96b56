"""Random lives in which runs are taken back in any order, between syncs, edits by hand, undos, redos and restores.

A run's fields that nobody has changed since become what they were before it, what later runs wrote on top stays, and in the
end an undo of everything leaves Plex as it was. Each life is one seed; PLEXSYNC_TORTURE=1 lives many more.
"""

import os

import pytest

from plexsync.engine.undo import UndoneRun, wish_undone
from plexsync.flows.scenes.undo import SceneUndo, mark_all_undone, redo_scenes
from plexsync.rules.merge.memory import is_released
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind
from plexsync.store.ledger.run_history import PAUSE, Run
from tests.engine.house import House
from tests.engine.pools import Inline
from tests.flows.test_undo_histories import Day

LIVES = 150 if os.environ.get("PLEXSYNC_TORTURE") else 12
STEPS = 40
# More than the pause that parts two runs.
APART = PAUSE / 1000 + 100
TAKEN_BACK = "select count(*) from push where undone <> ''"
Field = tuple[str, str]
Shown = dict[Field, tuple[object, bool]]


class Life(Day):
    """A day in which every burst of work is a run of its own, with a second set of books about them."""

    def __init__(self, house: House, seed: int) -> None:
        super().__init__(house, seed)
        self.written: dict[int, dict[Field, tuple[object, object]]] = {}  # by run: before and after it
        self.since: dict[int, set[Field]] = {}  # by run: what has changed after it
        self.checked = 0
        self.backup = house.plex_sim.backup()

    def live(self) -> None:
        acts = (self.edit, self.edit, self.edit, self.hand, self.burst, self.burst, self.burst, self.undo_run)
        rare = (self.undo_run, self.undo_some, self.redo, self.kill_and_rest, self.restore, self.keep)
        for _ in range(STEPS):
            self.rng.choice((*acts, *acts, *rare))()

    def runs(self) -> list[Run]:
        with self.house.store.reading() as db:
            return db.runs.of(Kind.SCENE)

    def changed(self, before: Shown) -> dict[Field, tuple[object, object]]:
        after = self.shown()
        changes = {field: (before[field], after[field]) for field in after if after[field] != before[field]}
        for others in self.since.values():
            others.update(changes)
        return changes

    def hand(self) -> None:
        before = self.shown()
        super().hand()
        self.changed(before)

    def burst(self) -> None:
        """Whatever waits is written: a run, if anything is."""
        self.house.clock.move(APART)
        numbers, before, undone = {run.first for run in self.runs()}, self.shown(), self.house.rows(TAKEN_BACK)
        self.house.work_until_settled()
        changes, new = self.changed(before), [run for run in self.runs() if run.first not in numbers]
        if len(new) == 1 and self.house.rows(TAKEN_BACK) == undone:
            self.written[new[0].first], self.since[new[0].first] = changes, set()

    def undo_run(self) -> None:
        if not (runs := self.runs()):
            return
        self.burst()
        run, and_later = self.rng.choice(runs), self.rng.random() < 0.2
        with self.house.store.reading() as db:
            ids = db.runs.subjects_in(run)
        before = self.shown()
        flow = SceneUndo(self.house.worker.inspector, UndoneRun(run, and_later))
        wish_undone(self.house.store, flow, self.house.clock, ids, TakenBack.UNDO)
        self.house.work_until_settled()
        after = self.shown()
        written, since = self.written.get(run.first), self.since.get(run.first, set())
        for field in after if written is not None else ():
            if field not in written:
                assert after[field] == before[field], "a field that the run did not write"
            elif field not in since:
                self.checked += 1
                assert after[field] == written[field][0], "what nobody changed since"
            elif not and_later and field not in self.touched and before[field] != written[field][1]:
                self.checked += 1
                assert after[field] == before[field], "what others wrote on top"
        self.changed(before)

    def undo_some(self) -> None:
        self.undo()
        self.burst()

    def redo(self) -> None:
        redo_scenes(self.house.store, self.house.clock, self.ids)
        self.burst()

    def kill_and_rest(self) -> None:
        self.house.clock.move(APART)
        before = self.shown()
        self.kill()
        self.house.work_until_settled()
        self.changed(before)

    def keep(self) -> None:
        self.backup = self.house.plex_sim.backup()

    def restore(self) -> None:
        """Plex is what it was at a backup; what a person did since is gone."""
        before = self.shown()
        with self.house.store.reading() as db:
            memories = {key: memory for (_, key), memory in db.memories.of(self.ids).items()}
        known = {
            (key, name) for key, memory in memories.items() for name in memory if not is_released(name, memory[name])
        }
        self.house.plex_sim.restore(self.backup)
        # Of what PlexSync had given up, nothing may tell any more what was there before it.
        self.touched |= self.changed(before).keys() - known
        for others in self.since.values():
            others.update(before)
        self.reconcile()
        self.burst()


@pytest.mark.parametrize("seed", range(LIVES))
def test_runs_are_taken_back_in_any_order_and_everything_in_the_end(tmp_path, seed: int) -> None:
    with House(tmp_path / "data", pool=Inline()) as house:
        life = Life(house, seed)
        life.live()
        life.burst()
        mark_all_undone(house.worker.inspector, "undo")
        house.work_until_settled()
        after = life.shown()
        wrong = {
            at: (life.found[at], after[at]) for at in after if at not in life.touched and after[at] != life.found[at]
        }
        assert not wrong
        assert house.books_balance()
