"""What is shown beside the cast: role texts and addresses of pictures, in the same edit as the names."""

from dataclasses import replace

import pytest

from plexsync.rules.item import FIELDS
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.template import FACE_NAMES, ROLE_NAMES
from tests.engine.house import House, path_of
from tests.flows.test_undo import pictures, undo

ROLE = template.parse_template("{disambiguation}", ROLE_NAMES)
FACE = template.parse_template("https://example.org/{id}.jpg", FACE_NAMES)
PLAIN = Profile(frozenset(FIELDS))
SHOWN = replace(PLAIN, role=ROLE, face=FACE)


@pytest.fixture
def cast(tmp_path):
    with House(tmp_path / "data", profile=SHOWN, people=True) as made:
        yield made


def played(house, count=1):
    """Scenes with two performers, one of whom has a disambiguation."""
    return [
        house.add_scene(n, performers=[("Ann", "the painter"), "Bo"])
        for n in range(count)
        if house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")
    ]


def item(house, id):
    return house.plex_sim.item(house.key_of(id))


def synced(house, *ids):
    house.want(*ids)
    house.clock.move(3)
    house.work()


def puts(house, *ids):
    """How many edits another sync sends."""
    house.clock.move(60)
    house.forget_requests()
    synced(house, *ids)
    return house.plex_sim.count("PUT")


def test_roles_and_pictures_go_with_the_names_and_a_second_sync_writes_nothing(cast):
    ids = played(cast, 3)
    synced(cast, *ids)
    for id in ids:
        assert item(cast, id).lists["actor"] == ["Ann", "Bo"]
        assert item(cast, id).roles == {"Ann": "the painter"}
        assert item(cast, id).faces == {"Ann": "https://example.org/1.jpg", "Bo": "https://example.org/2.jpg"}
    assert cast.plex_sim.count("PUT") == 3
    assert puts(cast, *ids) == 0


def test_the_names_cost_no_request_more_with_them(cast):
    ids = played(cast, 20)
    synced(cast, *ids)
    with_them = (cast.plex_sim.count(), cast.stash_sim.count())
    cast.replace_worker(profile=PLAIN, people=False)
    others = [cast.add(1, start=n)[0] for n in range(100, 120)]
    cast.clock.move(600)
    cast.worker.indexer.freshen(force=True)
    cast.forget_requests()
    synced(cast, *others)
    assert with_them[1] <= cast.stash_sim.count() + 1
    assert with_them[0] <= cast.plex_sim.count() + 2, "the listing and the marks of the first look"


@pytest.mark.parametrize("mode", ["add", "replace"])
def test_another_address_or_role_updates_them_and_none_leaves_the_names(cast, mode):
    cast.plex_sim.tag_mode = mode
    (id,) = played(cast)
    synced(cast, id)
    other = replace(
        PLAIN,
        role=template.parse_template("as {name}", ROLE_NAMES),
        face=template.parse_template("https://example.org/v2/{id}.jpg", FACE_NAMES),
    )
    cast.replace_worker(profile=other)
    assert puts(cast, id) == 1
    assert item(cast, id).roles == {"Ann": "as Ann", "Bo": "as Bo"}
    assert item(cast, id).faces["Bo"] == "https://example.org/v2/2.jpg"
    cast.replace_worker(profile=PLAIN)
    assert puts(cast, id) == 0
    assert item(cast, id).lists["actor"] == ["Ann", "Bo"]
    assert item(cast, id).roles == {"Ann": "as Ann", "Bo": "as Bo"}


def test_a_role_that_a_person_wrote_stays_and_one_that_plex_lost_comes_back(cast):
    (id,) = played(cast)
    synced(cast, id)
    cast.plex_sim.hand_edit(cast.key_of(id), actor=[("Ann", "By hand"), "Bo"])
    assert puts(cast, id) == 0
    assert item(cast, id).roles == {"Ann": "By hand"}
    cast.plex_sim.hand_edit(cast.key_of(id), actor=[("Ann", ""), "Bo"])
    assert puts(cast, id) == 1
    assert item(cast, id).roles == {"Ann": "the painter"}


@pytest.mark.parametrize("first_push", ["keep", "stash"])
def test_a_role_that_was_there_before_us_is_a_persons_unless_stash_is_to_win(tmp_path, first_push):
    with House(tmp_path / "data", profile=SHOWN, people=True, policy=Policy(first_push=first_push)) as house:
        (id,) = played(house)
        house.plex_sim.hand_edit(house.key_of(id), actor=[("Ann", "Before")])
        synced(house, id)
        assert item(house, id).roles == {"Ann": "Before" if first_push == "keep" else "the painter"}
        assert item(house, id).lists["actor"] == ["Ann", "Bo"]
        assert puts(house, id) == 0


def test_a_performer_whom_a_person_took_away_is_not_brought_back_by_a_role(cast):
    (id,) = played(cast)
    synced(cast, id)
    cast.plex_sim.hand_edit(cast.key_of(id), actor=["Bo"])
    cast.stash_sim.data.performers[1].disambiguation = "the sculptor"
    assert puts(cast, id) == 0
    assert item(cast, id).lists["actor"] == ["Bo"]


def test_what_stash_says_no_more_is_taken_off(cast):
    (id,) = played(cast)
    synced(cast, id)
    cast.stash_sim.data.performers[1].disambiguation = ""
    assert puts(cast, id) == 1
    assert item(cast, id).roles == {}
    assert puts(cast, id) == 0


def test_an_undo_puts_back_what_was_shown_beside_those_who_were_there_before(cast):
    (id,) = played(cast)
    key = cast.key_of(id)
    cast.plex_sim.hand_edit(key, actor=["Ann"], locked=False)
    before = pictures(cast)
    synced(cast, id)
    assert item(cast, id).roles == {"Ann": "the painter"}
    undo(cast, id)
    cast.work()
    assert pictures(cast) == before
    assert (item(cast, id).roles, item(cast, id).faces) == ({}, {"Ann": "https://example.org/1.jpg"})
    cast.clock.move(60)
    cast.forget_requests()
    undo(cast, id)
    cast.work()
    assert cast.plex_sim.count("PUT") == 0


def with_ann(house, count):
    """Scenes whose items had her in their casts before us, without a picture; all in step."""
    ids = played(house, count)
    for id in ids:
        house.plex_sim.hand_edit(house.key_of(id), actor=["Ann"], locked=False)
    synced(house, *ids)
    return ids


def picture_of_ann(house, ids):
    (picture,) = {item(house, id).faces.get("Ann", "") for id in ids}
    return picture


def test_a_picture_is_the_persons_so_an_undo_of_one_scene_leaves_it_on_the_others(cast):
    ids = with_ann(cast, 2)
    undo(cast, ids[0])
    cast.work()
    assert item(cast, ids[0]).roles == {}
    assert picture_of_ann(cast, ids) == "https://example.org/1.jpg"
    assert puts(cast, *ids) == 0


@pytest.mark.parametrize("order", [1, -1])
def test_no_undo_brings_back_an_address_of_ours_that_is_out_of_date(cast, order):
    ids = with_ann(cast, 3)
    cast.replace_worker(
        profile=replace(SHOWN, face=template.parse_template("https://example.org/v2/{id}.jpg", FACE_NAMES))
    )
    for id in ids[::order]:
        puts(cast, id)
    for id in ids:
        undo(cast, id)
        cast.work()
    assert picture_of_ann(cast, ids) == "https://example.org/v2/1.jpg"


def test_who_leaves_a_scene_keeps_the_picture_in_the_others(cast):
    ids = with_ann(cast, 2)
    cast.stash_sim.edit_scene(ids[0], performers=["Bo"])
    assert puts(cast, *ids) == 1
    assert item(cast, ids[0]).lists["actor"] == ["Ann", "Bo"]
    assert picture_of_ann(cast, ids) == "https://example.org/1.jpg"
    assert puts(cast, *ids) == 0
