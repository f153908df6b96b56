"""Random days of a small library, with edits on both sides, kills and undos at any moment: in the end all can be taken back.

Each day is one seed; the whole engine works against both simulated servers. PLEXSYNC_TORTURE=1 lives many more.
"""

import os
import random
from contextlib import suppress

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo, mark_all_undone, pushed_scenes
from plexsync.rules.item import FIELDS, LISTS
from plexsync.rules.servers.errors import NeighbourError
from tests.engine.house import House
from tests.engine.pools import Inline
from tests.engine.test_engine_crashes import Killed

DAYS = 400 if os.environ.get("PLEXSYNC_TORTURE") else 12
STEPS = 40
SCENES = 4


class Day:
    def __init__(self, house: House, seed: int) -> None:
        self.house = house
        self.rng = random.Random(seed)
        self.ids = house.add(SCENES)
        self.serial = 0
        self.touched: set[tuple[str, str]] = set()  # (item, field) where a person was
        keys = house.plex_sim.keys(house.section)
        for key in keys[:2]:
            house.plex_sim.hand_edit(key, locked=False, studio="From before", genre=["From before", "Tag 1"])
        house.plex_sim.hand_edit(keys[2], summary="A person's from before", genre=["Tag 2"])
        self.found = self.shown()

    def shown(self) -> dict[tuple[str, str], tuple[object, bool]]:
        """(value, lock) by (item, field)."""
        sim = self.house.plex_sim
        items = {key: sim.item(key) for key in sim.keys(self.house.section)}
        return {
            (key, name): (
                frozenset(item.lists[name]) if name in LISTS else str(item.scalars.get(name) or ""),
                name in item.locks,
            )
            for key, item in items.items()
            for name in FIELDS
        }

    def live(self) -> None:
        acts = (self.edit, self.edit, self.hand, self.refresh, self.undo, self.work, self.work, self.work, self.kill)
        for _ in range(STEPS):
            self.rng.choice((*acts, self.reconcile, self.some_time))()

    # --- what happens ------------------------------------------------------------------------------------------------

    def edit(self) -> None:
        self.serial += 1
        changes = {
            "title": f"Title {self.serial}",
            "details": self.rng.choice(("", f"Details {self.serial}")),
            "studio": self.rng.choice((None, "Studio 0", "From before", f"Studio {self.serial}")),
            "tags": self.rng.sample(["Tag 1", "Tag 2", "Tag 3", "From before", f"Tag {self.serial}"], 2),
            "rating100": self.rng.choice((None, 20, 85)),
        }
        name = self.rng.choice(tuple(changes))
        id = self.rng.choice(self.ids)
        self.house.stash_sim.edit_scene(id, **{name: changes[name]})
        if self.rng.random() < 0.8:
            self.house.want(id)

    def hand(self) -> None:
        self.serial += 1
        key = self.rng.choice(self.house.plex_sim.keys(self.house.section))
        name = self.rng.choice(("title", "studio", "summary", "genre"))
        value = [f"hand {self.serial}"] if name == "genre" else f"hand {self.serial}"
        self.house.plex_sim.hand_edit(key, locked=self.rng.random() < 0.7, **{name: value})
        self.touched.add((key, name))

    def refresh(self) -> None:
        """What the agent says is what was there before a person's hand, so only that is lost."""
        key = self.rng.choice(self.house.plex_sim.keys(self.house.section))
        before = self.shown()
        self.house.plex_sim.refresh_item(key)
        after = self.shown()
        self.touched |= {at for at in after if after[at] != before[at] and after[at][0] != self.found[at][0]}

    def undo(self) -> None:
        self.marked(self.rng.sample(self.ids, self.rng.randint(1, SCENES)))

    def marked(self, ids: list[int]) -> None:
        worker = self.house.worker
        wish_undone(self.house.store, SceneUndo(worker.inspector), self.house.clock, ids, "undo")
        self.house.clock.move(3)

    def work(self) -> None:
        self.house.clock.move(3)
        self.house.work()

    def some_time(self) -> None:
        self.house.clock.move(self.rng.choice((1, 60, 700)))

    def reconcile(self) -> None:
        with suppress(NeighbourError):
            self.house.worker.reconciler.reconcile()

    def kill(self) -> None:
        """The worker dies before or after one of its next requests, perhaps while somebody undoes."""
        worker, left = self.house.worker, [self.rng.randint(0, 4)]
        undoing = self.rng.random() < 0.4
        for client, method in ((worker.plex, "edit"), (worker.plex, "items"), (worker.stash, "scenes")):
            real = getattr(client, method)

            def counted(*args, real=real, **kwargs):
                left[0] -= 1
                if left[0] == 0 and undoing:
                    self.house.replace_worker(holder="by")
                    self.marked(self.rng.sample(self.ids, 2))
                if left[0] == 1 and not undoing:
                    real(*args, **kwargs)
                if left[0] <= 1 and not undoing:
                    raise Killed
                return real(*args, **kwargs)

            setattr(client, method, counted)
        self.house.clock.move(3)
        with suppress(Killed):
            self.house.work()
        self.house.replace_worker(holder="next")
        self.house.worker.engine.reclaim()


@pytest.mark.parametrize("seed", range(DAYS))
def test_whatever_the_day_was_like_an_undo_leaves_plex_as_it_was(tmp_path, seed: int) -> None:
    with House(tmp_path / "data", pool=Inline()) as house:
        day = Day(house, seed)
        day.live()
        house.clock.move(1200)
        worker = house.worker
        mark_all_undone(worker.inspector, "undo")
        house.work_until_settled()
        after = day.shown()
        wrong = {at: (day.found[at], after[at]) for at in after if at not in day.touched and after[at] != day.found[at]}
        assert not wrong
        assert house.attempts_used() == 0
        assert house.books_balance()

        house.forget_requests()
        undone = {house.key_of(id) for id in pushed_scenes(house.store)}
        day.marked(pushed_scenes(house.store))
        house.work_until_settled()
        day.reconcile()
        house.work_until_settled()
        assert not [one for one in house.plex_sim.log if one.method == "PUT" and one.params.get("id") in undone]
