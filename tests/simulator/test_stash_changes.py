"""What can happen to the whole database of a simulated Stash."""

from random import Random

import pytest

from plexsync.simulator.stash_server import StashSim


@pytest.fixture
def stash():
    with StashSim() as sim:
        sim.now = lambda: 1_700_000_000
        yield sim


def later(stash, seconds=100):
    now = stash.now()
    stash.now = lambda: now + seconds


def add(stash, name, **more):
    return stash.add_scene(title=name, files=[(f"/data/{name}.mp4", 1000, 60.0)], **more)


def test_a_restored_stash_has_the_scenes_and_times_of_then(stash):
    id = add(stash, "a", tags=["Rain"], studio="One")
    before, backup = stash.scene(id), stash.backup()
    later(stash)
    stash.edit_scene(id, title="Later", tags=["Snow"])
    stash.rename_tag("Rain", "Hail")
    new = add(stash, "new")
    stash.restore(backup)
    assert (stash.scene(id), stash.scene_ids()) == (before, [id])
    assert add(stash, "another") == new
    assert stash.scene(new).created_at != before.created_at


def test_a_restored_stash_shares_nothing_with_its_backup(stash):
    id = add(stash, "a", tags=["Rain"])
    backup = stash.backup()
    for _ in range(2):
        stash.restore(backup)
        assert (stash.scene(id).title, stash.scene(id).tags) == ("a", ("Rain",))
        stash.edit_scene(id, title="Later")
        stash.rename_tag("Rain", "Hail")


def test_a_wiped_stash_has_nothing_and_comes_back_under_the_same_ids(stash):
    ids = [add(stash, name) for name in "abc"]
    before = [stash.scene(id) for id in ids]
    backup = stash.wipe()
    assert stash.scene_ids() == []
    later(stash)
    stash.restore(backup)
    assert [stash.scene(id) for id in ids] == before


def test_a_rebuilt_stash_has_the_same_files_under_other_ids_created_at_another_time(stash):
    ids = [add(stash, name, tags=[f"Tag {name}", "Rain"], studio="One", performers=["Ann"]) for name in "abcd"]
    before = {id: stash.scene(id) for id in ids}
    later(stash)
    dealt = stash.rebuild(Random(1))
    assert sorted(dealt) == sorted(dealt.values()) == ids
    assert [dealt[id] for id in ids] != ids
    for old, new in dealt.items():
        was, now = before[old], stash.scene(new)
        assert (was.files, was.title, set(was.tags), was.studio) == (now.files, now.title, set(now.tags), now.studio)
        assert was.created_at < now.created_at


def test_records_that_are_added_to_a_rebuilt_stash_get_ids_of_their_own(stash):
    for name in "abc":
        add(stash, name, tags=[name])
    stash.rebuild(Random(1))
    assert add(stash, "d", tags=["d"]) == 4
    assert sorted(tag.id for tag in stash.data.tags.values()) == [1, 2, 3, 4]
    stash.rename_tag("a", "other")
    assert sum("other" in stash.scene(id).tags for id in stash.scene_ids()) == 1
