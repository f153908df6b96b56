"""Finding changes in Stash without any hook."""

import pytest

from plexsync.rules.queue.job import Kind, State
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from tests.engine.house import DAY, HOUR, House, path_of


def poll(house):
    return house.worker.poller.poll()


def wanted(house):
    """(kind, id) of every row that waits."""
    return set(house.rows("select kind, id from job where state = 'ready'"))


@pytest.fixture
def watched(house):
    """Six scenes in step that the poller has seen, their last second long over."""
    house.in_step(6)
    poll(house)
    house.clock.move(60)
    poll(house)
    house.clock.move(60)
    house.work_until_settled()
    house.clock.move(60)
    assert wanted(house) == set()
    house.forget_requests()
    return house


def test_the_first_poll_marks_where_it_starts_and_wants_nothing(house):
    house.add(5)
    assert poll(house).wanted == dict.fromkeys(Kind, 0)
    assert wanted(house) == set()


def test_what_was_imported_by_the_hundred_within_one_second_is_not_wanted_again_one_by_one(house):
    house.stash_sim.now = lambda: 1_768_471_200.0  # all of them bear the same time
    house.add(60)
    poll(house)
    house.clock.move(60)
    poll(house)
    assert wanted(house) & {("scene", id) for id in range(1, 61)} == set()


def test_the_newest_studio_of_a_database_that_has_just_begun_is_nobodys_edit(house):
    """It may show on thousands of scenes, and a whole library is not written before a person has agreed."""
    house.add(5)
    poll(house)
    house.clock.move(60)
    poll(house)
    assert {kind for kind, _ in wanted(house)} <= {"scene"}


def test_a_poll_without_news_costs_one_request(watched):
    poll(watched)
    assert watched.stash_sim.count() == 1


def test_an_edit_without_a_hook_is_wanted_and_comes_in_step(watched):
    watched.stash_sim.quiet_edit(3, title="Quiet")
    assert poll(watched).wanted[Kind.SCENE] == 1
    assert wanted(watched) == {("scene", 3)}
    watched.work()
    assert watched.title_in_plex(3) == "Quiet"


def test_an_edit_is_wanted_once_more_after_its_second_and_then_left_in_peace(watched):
    watched.stash_sim.quiet_edit(3, title="Quiet")
    seen = []
    for _ in range(4):
        seen.append(poll(watched).wanted[Kind.SCENE])
        watched.clock.move(60)
    assert seen == [1, 1, 0, 0]


@pytest.mark.parametrize("after", [0.0, 0.9])
def test_a_second_edit_in_the_same_second_is_seen(watched, after):
    watched.clock.wall -= watched.clock.wall % 1000
    watched.stash_sim.quiet_edit(3, title="First")
    poll(watched)
    watched.work()
    watched.clock.move(after)
    watched.stash_sim.quiet_edit(3, title="Second")
    watched.stash_sim.quiet_edit(4, title="Also")
    watched.clock.move(60)
    poll(watched)
    watched.work()
    assert (watched.title_in_plex(3), watched.title_in_plex(4)) == ("Second", "Also")


CHANGES = {
    "scene": lambda stash, number: stash.quiet_edit(number, title=f"Edit {number}"),
    "tag": lambda stash, number: stash.rename_tag(f"Tag {number - 1}", f"Renamed {number}"),
    "file": lambda stash, number: stash.rename_file(path_of(number - 1), f"/media/moved {number}.mp4"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_a_change_after_two_polls_within_one_second_is_seen(watched, kind):
    """A connection to Stash's log that is lost and made again polls each time."""
    watched.clock.wall -= watched.clock.wall % 1000
    CHANGES[kind](watched.stash_sim, 3)
    for _ in range(3):
        poll(watched)
        watched.clock.move(0.3)
    CHANGES[kind](watched.stash_sim, 4)
    watched.clock.move(60)
    poll(watched)
    assert ("tag" if kind == "tag" else "scene", 4) in wanted(watched)


def test_an_edit_in_the_second_of_the_very_first_poll_is_seen(house):
    ids = house.in_step(3)
    house.stash_sim.quiet_edit(ids[0], title="First")
    poll(house)
    house.stash_sim.quiet_edit(ids[1], title="Second")
    house.clock.move(60)
    poll(house)
    house.work_until_settled()
    assert house.title_in_plex(ids[1]) == "Second"


def test_hundreds_of_edits_are_listed_page_by_page(house):
    ids = [house.add_scene(n) for n in range(450)]
    poll(house)
    house.clock.move(60)
    poll(house)
    house.clock.move(60)
    for id in ids:
        house.stash_sim.quiet_edit(id, title=f"Quiet {id}")
    house.want()
    assert poll(house).wanted[Kind.SCENE] == 450
    assert {("scene", id) for id in ids} <= wanted(house)


@pytest.mark.parametrize("rename", ["performer", "studio", "tag", "group"])
def test_a_rename_that_leaves_the_scenes_times_alone_reaches_them_all(watched, rename):
    for id in (1, 2):
        watched.stash_sim.quiet_edit(id, performers=["Ada"], groups=["Saga"])
    watched.clock.move(60)
    poll(watched)
    watched.clock.move(60)
    poll(watched)
    watched.clock.move(60)
    watched.work_until_settled()
    watched.clock.move(60)
    if rename == "performer":
        watched.stash_sim.rename_performer("Ada", "Renamed")
    elif rename == "studio":
        watched.stash_sim.rename_studio("Studio 0", "Renamed")
    elif rename == "group":
        watched.stash_sim.rename_group("Saga", "Renamed")
    else:
        watched.stash_sim.rename_tag("Tag 1", "Renamed")
    poll(watched)
    watched.work()
    shown = {
        "performer": lambda item: item.lists["actor"],
        "studio": lambda item: [item.scalars["studio"]],
        "tag": lambda item: item.lists["genre"],
        "group": lambda item: item.lists["collection"],
    }[rename]
    right = {"performer": {1, 2}, "studio": {1, 4}, "tag": {2}, "group": {1, 2}}[rename]
    found = {id for id in range(1, 7) if "Renamed" in shown(watched.plex_sim.item(watched.key_of(id)))}
    assert found == right
    assert watched.out_of_step(list(range(1, 7))) == []


def test_a_merge_of_tags_reaches_the_scenes_of_the_one_that_is_left(watched):
    watched.stash_sim.merge_tags(["Tag 1"], "Tag 2")
    poll(watched)
    watched.work()
    assert watched.plex_sim.item(watched.key_of(2)).lists["genre"] == ["Tag 2"]


@pytest.mark.parametrize("beside", [False, True])
def test_what_scenes_showed_and_was_destroyed_without_a_hook_leaves_them(watched, beside):
    for id in (1, 2):
        watched.stash_sim.quiet_edit(id, performers=["Ada"], groups=["Saga"])
    poll(watched)
    watched.work()
    watched.clock.move(60)
    poll(watched)
    watched.work()
    watched.clock.move(60)
    for kind, name in (("performer", "Ada"), ("group", "Saga"), ("studio", "Studio 0"), ("tag", "Tag 1")):
        watched.stash_sim.destroy(kind, name)
    if beside:
        # As many come as go.
        watched.stash_sim.quiet_edit(6, performers=["Fresh"], groups=["Newer"], studio="Other", tags=["Else"])
    poll(watched)
    watched.work()
    assert watched.out_of_step(list(range(1, 7))) == []
    items = [watched.plex_sim.item(watched.key_of(id)) for id in range(1, 7)]
    assert not any("Ada" in item.lists["actor"] or "Saga" in item.lists["collection"] for item in items)


def test_a_deletion_without_a_hook_is_found_by_the_count(watched):
    watched.stash_sim.clean_scene(2)
    poll(watched)
    watched.work()
    assert watched.row(2).state is State.GONE
    assert {watched.row(id).state for id in (1, 3, 4, 5, 6)} == {State.IDLE}


def test_a_merge_without_a_hook_leaves_one_scene_gone_and_the_other_served(watched):
    watched.stash_sim.merge_scenes([2], 1)
    poll(watched)
    watched.work()
    assert watched.row(2).state is State.GONE
    assert watched.row(1).state is State.IDLE


def test_a_scene_that_is_new_is_wanted_and_nobody_looks_for_lost_ones(watched):
    (id,) = watched.add(start=6)
    poll(watched)
    assert ("scene", id) in wanted(watched)
    asked = [request.body for request in watched.stash_sim.log]
    assert len(asked) <= 1 + 1 + 2, "what is newest, and the newest scenes, studios and tags"


def test_a_deletion_beside_a_new_scene_is_found(watched):
    watched.stash_sim.clean_scene(2)
    watched.add(start=6)
    poll(watched)
    watched.work()
    assert watched.row(2).state is State.GONE


@pytest.mark.parametrize("minutes", [0, 120, -570, 345])
def test_a_stash_in_any_time_zone_is_watched(tmp_path, minutes):
    with House(tmp_path / "data") as house:
        house.stash_sim.utc_offset_minutes = minutes
        house.in_step(3)
        poll(house)
        house.clock.move(60)
        poll(house)
        house.work_until_settled()
        house.clock.move(60)
        house.stash_sim.quiet_edit(2, title="Quiet")
        poll(house)
        house.work()
        assert house.title_in_plex(2) == "Quiet"


@pytest.mark.parametrize(("before", "after"), [(120, 60), (60, 120), (-300, 540), (540, -300)])
def test_edits_around_a_change_of_the_offset_are_seen(house, before, after):
    """Times are sorted as text, so for a while the newest is not the first."""
    house.stash_sim.utc_offset_minutes = before
    house.in_step(4)
    poll(house)
    house.clock.move(60)
    poll(house)
    house.work_until_settled()
    house.stash_sim.utc_offset_minutes = after
    house.clock.move(60)
    house.stash_sim.quiet_edit(2, title="Just after")
    for _ in range(20):
        house.clock.move(3600)
        house.stash_sim.quiet_edit(3, title=f"Later {house.clock.wall}")
        poll(house)
        house.work_until_settled()
    assert house.title_in_plex(2) == "Just after"
    assert house.out_of_step([1, 2, 3, 4]) == []


def test_an_edit_after_a_change_of_the_offset_is_looked_for_on_the_pages_behind_the_cursor(house, monkeypatch):
    """As text it stands behind scenes that were edited hours before it, more of them than there are on a page."""
    monkeypatch.setattr("plexsync.flows.scenes.poll.PAGE", 2)
    house.stash_sim.utc_offset_minutes = 540
    for n in range(8):
        house.want(*house.add(1, start=n))
        house.clock.move(60)
    house.work_until_settled()
    poll(house)
    house.clock.move(60)
    poll(house)
    house.work_until_settled()
    house.stash_sim.utc_offset_minutes = -300
    house.clock.move(60)
    house.stash_sim.quiet_edit(2, title="Just after")
    house.clock.move(16 * HOUR)
    house.stash_sim.quiet_edit(3, title="The newest as text as well")
    assert poll(house).wanted[Kind.SCENE] == 2
    assert wanted(house) == {("scene", 2), ("scene", 3)}


def test_a_poll_asks_nothing_while_stash_is_away_and_sees_everything_afterwards(watched):
    watched.stash_sim.faults.set(Fault("status", status=500))
    for _ in range(10):
        assert poll(watched).reason
        watched.clock.move(3)
    assert watched.breaker(Neighbour.STASH) == "open"
    assert watched.stash_sim.count() == 5
    watched.stash_sim.quiet_edit(3, title="Meanwhile")
    watched.stash_sim.faults.clear()
    watched.work_for(DAY / 24)
    assert poll(watched).reason == ""
    watched.work()
    assert watched.title_in_plex(3) == "Meanwhile"


def test_a_poll_that_breaks_off_between_the_kinds_sees_the_rest_at_the_next(watched):
    watched.stash_sim.quiet_edit(3, title="Quiet")
    watched.stash_sim.rename_tag("Tag 1", "Renamed")
    watched.stash_sim.faults.set(Fault("cut", when=lambda r: watched.stash_sim.count() == 3, times=1))
    assert poll(watched).reason
    watched.clock.move(3)
    poll(watched)
    watched.work()
    assert watched.out_of_step(list(range(1, 7))) == []


def test_a_plex_that_is_away_does_not_keep_the_poller_from_stash(watched):
    watched.plex_sim.faults.set(Fault("refuse"))
    watched.stash_sim.quiet_edit(3, title="Quiet")
    poll(watched)
    assert wanted(watched) == {("scene", 3)}


def test_a_stash_whose_clock_was_set_back_is_compared_by_its_ids(watched):
    watched.clock.leap(-DAY)
    watched.stash_sim.clean_scene(6)
    poll(watched)
    assert ("scene", 6) in wanted(watched)


# --- files, and what costs no walk -----------------------------------------------------------------------------------


def walks(house):
    return sum(b"WalkIds" in request.body for request in house.stash_sim.log)


def test_the_first_edit_of_a_scene_that_was_never_wanted_costs_no_walk_over_all_ids(house):
    house.add(6)
    poll(house)
    house.clock.move(60)
    poll(house)
    house.clock.move(60)
    house.stash_sim.quiet_edit(3, title="Quiet")
    assert poll(house).wanted[Kind.SCENE] == 1
    house.clock.move(60)
    poll(house)
    assert walks(house) == 0


def test_new_scenes_cost_no_walk_also_beside_edits_of_old_ones(watched):
    watched.add(3, start=6)
    watched.stash_sim.quiet_edit(2, title="Quiet")
    poll(watched)
    watched.clock.move(60)
    poll(watched)
    assert walks(watched) == 0
    assert {("scene", id) for id in (2, 7, 8, 9)} <= wanted(watched)


def test_new_scenes_that_bear_an_old_time_are_found_by_the_count(watched):
    now = watched.stash_sim.now
    watched.stash_sim.now = lambda: now() - DAY
    (id,) = watched.add(start=6)
    watched.stash_sim.now = now
    poll(watched)
    assert ("scene", id) in wanted(watched)
    assert walks(watched) == 1


def test_what_an_earlier_version_has_noted_wants_nobody_anew(watched):
    watched.change("update note set value = json_remove(value, '$.last') where name = 'poll:scene'")
    watched.stash_sim.quiet_edit(2, title="Quiet")
    assert poll(watched).wanted[Kind.SCENE] == 1
    assert walks(watched) == 0


def test_a_moved_file_that_moves_no_time_of_its_scene_is_found(watched):
    watched.stash_sim.rename_file(path_of(3), "/media/moved.mp4")
    assert wanted(watched) == set()
    assert poll(watched).wanted[Kind.SCENE] == 1
    assert wanted(watched) == {("scene", 4)}
    watched.clock.move(60)
    poll(watched)
    watched.clock.move(60)
    watched.work()
    watched.forget_requests()
    poll(watched)
    assert watched.stash_sim.count() == 1


def test_a_second_move_in_the_same_second_is_found(watched):
    watched.clock.wall -= watched.clock.wall % 1000
    watched.stash_sim.rename_file(path_of(3), "/media/moved.mp4")
    poll(watched)
    watched.work()
    watched.stash_sim.rename_file(path_of(4), "/media/moved too.mp4")
    watched.clock.move(60)
    poll(watched)
    assert ("scene", 5) in wanted(watched)


def test_more_moved_files_than_can_be_asked_for_are_left_to_a_comparison(watched, monkeypatch):
    monkeypatch.setattr("plexsync.flows.scenes.poll.MANY_FILES", 3)
    with watched.store.writing() as tx:
        tx.notes.save("reconcile:last", str(watched.clock.now()))
    for n in range(5):
        watched.stash_sim.rename_file(path_of(n), f"/media/moved {n}.mp4")
    assert poll(watched).wanted[Kind.SCENE] == 0
    with watched.store.reading() as db:
        assert db.notes.text("reconcile:last") == ""


def test_a_stash_that_can_not_be_asked_for_files_is_watched_without(tmp_path):
    with House(tmp_path / "data", stash_version="v0.28.1") as house:
        house.in_step(3)
        poll(house)
        house.clock.move(60)
        poll(house)
        house.stash_sim.rename_file(path_of(1), "/media/moved.mp4")
        house.stash_sim.quiet_edit(1, title="Quiet")
        house.forget_requests()
        assert poll(house).reason == ""
        assert ("scene", 1) in wanted(house)


def test_whether_files_can_be_asked_for_is_asked_once(house):
    house.add(1)
    for _ in range(4):
        poll(house)
        house.clock.move(60)
    house.forget_requests()
    poll(house)
    assert [b"Newest" in request.body for request in house.stash_sim.log] == [True]


@pytest.mark.parametrize(
    "spoilt", ["{", "[]", "null", "7", '{"count": "6", "updated_at": "", "last": 6}', '{"coun": 6}']
)
@pytest.mark.parametrize("name", ["poll:scene", "poll:tag", "poll:files"])
def test_a_cursor_that_the_disk_has_spoilt_counts_as_none_and_everything_is_compared(watched, name, spoilt):
    with watched.store.writing() as tx:
        tx.notes.save("reconcile:last", str(watched.clock.now()))
        tx.notes.save(name, spoilt)
    assert poll(watched).reason == ""
    with watched.store.reading() as db:
        assert db.notes.text("reconcile:last") == ""
    watched.clock.move(60)
    watched.stash_sim.edit_scene(1, title="Edited")
    poll(watched)
    assert ("scene", 1) in wanted(watched)
