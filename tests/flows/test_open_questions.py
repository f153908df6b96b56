"""Plex shows what Stash says whatever a real server answers to the open questions about it."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from plexsync.plex.artwork import key_of
from plexsync.rules.desired import Profile
from plexsync.rules.item import FIELDS
from plexsync.rules.job import State
from plexsync.simulator.plex_traits import Traits
from plexsync.simulator.stash_images import png
from tests.engine.house import House, path_of

AGENTS = {"movies": "tv.plex.agents.movie", "other videos": "com.plexapp.agents.none"}
WITH_POSTER = replace(Profile(frozenset(FIELDS)), poster="cover")
ANSWERS: dict[str, dict[str, object]] = {
    "tags replace": {"tag_mode": "replace"},
    "no mixed removals": {"mixed_removals": False},
    "one removal at once": {"removals_at_once": 1},
    "tags do not lock": {"tags_lock": False},
    "rating of the item": {"rating_by_edit": "item"},
    "uploads do not select": {"upload_selects": False},
    "one stamp": {"one_stamp": True},
    "details in the trash": {"trash_details": 200},
    "file filter in any case": {"file_filter": "any case"},
    "file filter by folder": {"file_filter": "folder"},
    "deleted type -1": {"deleted_type": -1},
}
ANSWERS["all of them"] = {name: value for answer in ANSWERS.values() for name, value in answer.items()}
# Three names go, two of them with the push: the edit, and the removals that it left, sent again.
COMPARISONS = {"one removal at once": 1}
COUNT = 2


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("answer", ANSWERS)
def test_edits_arrive_and_a_second_run_writes_nothing(tmp_path: Path, answer: str, agent: str) -> None:
    with House(tmp_path / "data", profile=WITH_POSTER, agent=AGENTS[agent]) as house:
        for name, value in asdict(replace(Traits(), **ANSWERS[answer])).items():
            setattr(house.plex_sim.traits, name, value)
        ids = house.add(COUNT)
        for id in ids:
            house.stash_sim.edit_scene(id, tags=["a", "b", "c", "d"], performers=["Ann", "Bo"], rating100=80)
            house.stash_sim.set_cover(id, png(id, 0, 0))
        settled(house, ids)
        for id in ids:
            house.stash_sim.edit_scene(
                id, title=f"New {id}", tags=["d", "e"], performers=["Bo", "Cy"], date="2020-01-02"
            )
            house.stash_sim.set_cover(id, png(id, 9, 0))
        settled(house, ids)

        for _ in range(COMPARISONS.get(answer, 0)):
            assert house.worker.reconciler.reconcile().wanted == COUNT
            house.work_until_settled()
            house.clock.move(60)

        house.forget_requests()
        assert house.worker.reconciler.reconcile().standing == {"in step": COUNT}
        settled(house, ids)

        assert (house.plex_sim.count("PUT"), house.plex_sim.count("POST")) == (0, 0)
        assert house.states() == {State.IDLE: COUNT}
        for n, id in enumerate(ids):
            item = house.plex_sim.item(house.key_of(id))
            assert item.scalars["title"] == f"New {id}"
            assert item.scalars["userRating"] == 8.0
            assert item.scalars["originallyAvailableAt"] == "2020-01-02"
            assert (item.lists["genre"], item.lists["actor"]) == (["d", "e"], ["Bo", "Cy"])
            assert item.poster == key_of("thumb", png(id, 9, 0))
            assert {"title", "genre", "actor", "thumb"} <= item.locks
            assert item.files == [(path_of(n), 1000 + n, 60_000)]


def settled(house: House, ids: list[int]) -> None:
    house.clock.move(3)
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
