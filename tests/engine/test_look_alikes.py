"""Items that look like a scene's and are another file: none is written by itself, each is shown and can be bound."""

import pytest

from plexsync.flows.scenes import bindings
from plexsync.flows.scenes.verbs import explain
from plexsync.rules.queue.job import State
from tests.engine.house import House
from tests.engine.test_engine_absence import scan
from tests.engine.test_engine_matching import bound_pairs, movie, recheck, title_of, walk
from tests.flows.test_undo import undo

SCENES, DECOYS = 80, 20


def name_of(n):
    return f"scene {n:03}.mp4"


def add_scene(house, n, **more):
    """A scene of the kind that many have: a counted name and a round duration."""
    values = {"title": f"Title {n}", "files": [(f"/media/studio/{name_of(n)}", 5000 + n, 1800.0)], **more}
    return house.stash_sim.add_scene(**values)


def add_decoy(house, n, *, size=900_000):
    """Another film: the same file name in another folder, another size, the same duration."""
    return movie(house, (f"/media/other studio/{name_of(n)}", size + n, 1_800_000), title=f"other {n}")


@pytest.fixture
def library(house):
    """80 scenes, 20 of which have in Plex only a decoy: their numbers, and the decoys' keys by scene."""
    ids, decoys = [], {}
    for n in range(SCENES):
        ids.append(add_scene(house, n))
        if n % (SCENES // DECOYS) == 0:
            decoys[ids[-1]] = add_decoy(house, n)
        else:
            movie(house, (f"/media/studio/{name_of(n)}", 5000 + n, 1_800_000), title=f"file {n}")
    return ids, decoys


def as_scanned(house, keys):
    return [title_of(house, key).startswith("other ") and not house.plex_sim.item(key).locks for key in keys]


def pairs(house):
    worker = house.worker
    return bindings.pairs_by(bindings.by_duration, worker.glances)


def bind_pairs(house, found):
    worker = house.worker
    bound = bindings.bind_pairs(bindings.by_duration, worker.glances, found)
    house.clock.move(2)
    return bound


def test_no_decoy_is_written_by_itself_and_each_is_a_candidate(house, library):
    ids, decoys = library
    house.want(*ids)
    house.work_until_settled()
    assert as_scanned(house, decoys.values()) == [True] * DECOYS
    assert house.states() == {State.IDLE: SCENES - DECOYS, State.DEAD: DECOYS}
    for id, key in decoys.items():
        row = house.row(id)
        assert row.cls == "ambiguous"
        assert row.error == (
            "one item fits by name and duration only: nothing is written (plexsync explain shows it, "
            "plexsync bind --by-duration binds it)"
        )
        inspection = explain(house.worker.glances, id).inspection
        assert [one.key for one in inspection.candidates] == [key]
        assert inspection.candidates[0].reason.endswith(": it may be another encoding, or a different file")


def test_a_comparison_writes_no_decoy_and_counts_them_as_ambiguous(house, library):
    _, decoys = library
    report = house.worker.reconciler.reconcile()
    assert report.standing["ambiguous"] == DECOYS
    house.clock.move(3)
    house.work_until_settled()
    assert as_scanned(house, decoys.values()) == [True] * DECOYS


def test_the_right_file_is_taken_as_soon_as_plex_has_it(house):
    id, decoy = add_scene(house, 1), add_decoy(house, 1)
    house.want(id)
    house.work()
    assert house.row(id).state is State.DEAD
    recheck(house)
    right = movie(house, (f"/media/studio/{name_of(1)}", 5001, 1_800_000))
    walk(house)
    assert recheck(house) == 1
    house.clock.move(3)
    house.work()
    assert (title_of(house, right), title_of(house, decoy)) == ("Title 1", "other 1")


def test_the_right_file_that_was_scanned_a_moment_ago_is_found_before_the_scene_needs_anybody(house):
    decoy = add_decoy(house, 1)
    walk(house)
    house.clock.move(60)
    id, right = add_scene(house, 1), movie(house, (f"/media/studio/{name_of(1)}", 5001, 1_800_000))
    scan(house)
    house.want(id)
    house.work()
    assert house.row(id).state is State.IDLE
    assert (title_of(house, right), title_of(house, decoy)) == ("Title 1", "other 1")


def test_pairs_are_listed_and_bound_together(house, library):
    ids, decoys = library
    house.want(*ids)
    house.work_until_settled()
    found = pairs(house)
    assert {pair.scene: pair.key for pair in found} == decoys
    assert bind_pairs(house, found) == found
    house.work_until_settled()
    assert dict(bound_pairs(house)) == decoys
    assert house.states() == {State.IDLE: SCENES}
    assert [title_of(house, key) for key in decoys.values()] == [f"Title {id - 1}" for id in decoys]
    assert pairs(house) == []


def test_a_pair_that_has_changed_since_it_was_shown_is_not_bound(house):
    ids = [add_scene(house, n) for n in range(4)]
    keys = [add_decoy(house, n) for n in range(4)]
    house.want(*ids)
    house.work()
    found = pairs(house)
    assert len(found) == 4
    house.plex_sim.rename_file(keys[0], f"/media/other studio/{name_of(0)}", "/media/other studio/renamed.mp4")
    add_decoy(house, 1, size=700_000)
    house.plex_sim.remove(keys[2])
    walk(house)
    assert [pair.key for pair in bind_pairs(house, found)] == [keys[3]]
    assert bound_pairs(house) == [(ids[3], keys[3])]


def test_two_scenes_that_fit_one_item_by_duration_are_no_pair(house):
    one = add_scene(house, 1)
    other = add_scene(house, 1, title="Other", files=[(f"/media/third/{name_of(1)}", 4000, 1800.0)])
    add_decoy(house, 1)
    house.want(one, other)
    house.work()
    assert {house.row(id).cls for id in (one, other)} == {"ambiguous"}
    assert pairs(house) == []


# --- the setting -----------------------------------------------------------------------------------------------------


def test_the_setting_takes_an_item_by_name_and_duration(tmp_path):
    with House(tmp_path / "data", by_duration=True) as house:
        id, key = add_scene(house, 1), add_decoy(house, 1)
        house.want(id)
        house.work()
        assert title_of(house, key) == "Title 1"


def test_what_the_setting_wrote_stays_the_scenes_when_it_is_switched_off(tmp_path):
    with House(tmp_path / "data", by_duration=True) as house:
        id, key = add_scene(house, 1), add_decoy(house, 1)
        house.want(id)
        house.work()
        house.replace_worker(by_duration=False)
        house.edit(id, title="Later")
        house.work()
        assert title_of(house, key) == "Later"


# --- an upgraded database --------------------------------------------------------------------------------------------


@pytest.fixture
def upgraded(tmp_path):
    """A database whose scene was written by name and duration, as earlier versions did."""
    with House(tmp_path / "data", by_duration=True) as house:
        id, key = add_scene(house, 1), add_decoy(house, 1)
        house.want(id)
        house.work()
        house.replace_worker(by_duration=False)
        house.clock.move(60)
        house.forget_requests()
        yield house, id, key


def test_an_upgrade_writes_nothing_and_leaves_a_written_item_to_its_scene(upgraded):
    house, id, key = upgraded
    assert house.worker.reconciler.reconcile().standing == {"in step": 1}
    house.clock.move(3)
    house.work()
    assert house.plex_sim.count("PUT") == 0
    house.edit(id, title="Later")
    house.work()
    assert title_of(house, key) == "Later"


def test_a_wrong_item_that_was_undone_is_not_written_again(upgraded):
    house, id, key = upgraded
    undo(house, id)
    house.work()
    assert title_of(house, key) == "other 1"
    assert house.plex_sim.item(key).locks == set()
    house.edit(id, title="Later")
    house.work()
    assert house.row(id).error.startswith("one item fits by name and duration only")
    assert title_of(house, key) == "other 1"


def test_a_scene_that_was_never_written_to_its_item_needs_you_after_the_upgrade(upgraded):
    house, id, key = upgraded
    with house.store.writing() as tx:
        tx.memories.forget([id])
    house.want(id)
    house.clock.move(2)
    house.work()
    assert house.row(id).cls == "ambiguous"
    assert house.plex_sim.count("PUT") == 0
    assert title_of(house, key) == "Title 1"
