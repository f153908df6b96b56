"""Plex shows what Stash says whatever a real server answers to the open questions about it."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.trait_effects import NO_CAST
from plexsync.rules.merge.traits import QUESTIONS, LearntTraits, traits_from
from plexsync.rules.queue.job import State
from plexsync.rules.servers.scratch import Original
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


# What a probe learns of such servers. One push is then enough, also where removals are lost.
KNOWN = {
    **{name: answer for name, answer in ANSWERS.items() if name != "all of them"},
    "ratings by edit are ignored": {"rating_by_edit": "none"},
    "one removal at once, apart": {"removals_at_once": 1, "mixed_removals": False},
}


@pytest.mark.parametrize("answer", KNOWN)
def test_one_push_is_enough_where_the_traits_are_known(tmp_path: Path, answer: str) -> None:
    with House(tmp_path / "data", profile=WITH_POSTER) as house:
        for name, value in asdict(replace(Traits(), **KNOWN[answer])).items():
            setattr(house.plex_sim.traits, name, value)
        learn_traits(house, **{name: value for name, value in KNOWN[answer].items() if name in QUESTIONS})
        (id,) = house.add(1)
        house.stash_sim.edit_scene(id, tags=["a", "b", "c", "d"], performers=["Ann", "Bo", "Di"], rating100=80)
        settled(house, [id])
        house.stash_sim.edit_scene(id, tags=["d", "e"], performers=["Bo", "Cy"], rating100=60)

        settled(house, [id])

        item = house.plex_sim.item(house.key_of(id))
        assert (item.lists["genre"], item.lists["actor"]) == (["d", "e"], ["Bo", "Cy"])
        assert house.plex_sim.item(house.key_of(id)).scalars["userRating"] == 6.0
        house.forget_requests()
        assert house.worker.reconciler.reconcile().standing == {"in step": 1}
        assert house.plex_sim.count("PUT") == 0


def test_a_rating_that_was_given_as_the_account_is_taken_back_by_undo(tmp_path: Path) -> None:
    with House(tmp_path / "data") as house:
        house.plex_sim.traits.rating_by_edit = "none"
        learn_traits(house, rating_by_edit="none")
        (id,) = house.add(1)
        house.stash_sim.edit_scene(id, rating100=80)
        settled(house, [id])
        assert house.plex_sim.item(house.key_of(id)).scalars["userRating"] == 8.0
        worker = house.worker
        wish_undone(house.store, SceneUndo(worker.inspector), house.clock, [id], "undo")

        house.work_until_settled()

        assert "userRating" not in house.plex_sim.item(house.key_of(id)).scalars


def test_no_cast_is_sent_to_other_videos_that_take_none(tmp_path: Path) -> None:
    with House(tmp_path / "data", agent=AGENTS["other videos"]) as house:
        house.plex_sim.traits.cast_on_other = False
        learn_traits(house, cast_on_other=False)
        (id,) = house.add(1)
        house.stash_sim.edit_scene(id, performers=["Ann"])
        house.forget_requests()

        settled(house, [id])

        edits = [request for request in house.plex_sim.log if request.method == "PUT"]
        assert len(edits) == 1
        assert not any(name.startswith("actor") for name in edits[0].params)
        (target,) = house.worker.inspector.look([id])[0].targets
        assert ("actor", NO_CAST) in [(note.field, note.text) for note in target.wanted.notes]


def test_a_scene_waits_while_a_probe_has_scratch_names_on_its_item(tmp_path: Path) -> None:
    with House(tmp_path / "data") as house:
        ids = house.in_step(2)
        probed = Original("m", house.key_of(ids[0]), house.section, (), {}, (), 0, None, (), (), "")
        with house.store.writing() as tx:
            tx.probes.begin_probe(probed)
        house.forget_requests()
        for id in ids:
            house.edit(id, title=f"New {id}")

        house.work_for(60)

        assert [house.title_in_plex(id) for id in ids] == ["Title 0", "New 2"]
        row = house.row(ids[0])
        assert (row.state, row.attempts) == (State.READY, 0)
        with house.store.writing() as tx:
            tx.probes.end_probe()
        house.work_until_settled()
        assert house.title_in_plex(ids[0]) == "New 1"


def learn_traits(house: House, **answers: object) -> None:
    """What `plexsync probe` would have learnt; 0 stands for any number of removals."""
    with house.store.writing() as tx:
        server = house.worker.plex.server()
        tx.servers.save(server.machine, server.version, now=house.clock.now())
        tx.probes.save_traits(LearntTraits(server.machine, "v", traits_from(answers), house.clock.now()))


def settled(house: House, ids: list[int]) -> None:
    house.clock.move(3)
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
