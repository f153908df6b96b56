"""`performer_name` in the cast: switched on, changed and off, in one edit, with role texts and pictures moving along."""

from dataclasses import replace

import pytest

from plexsync.rules.item import FIELDS
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.merge.template import FACE_NAMES, ROLE_NAMES
from tests.engine.house import House, fails
from tests.flows.test_cast import item, puts, synced
from tests.flows.test_undo import undo

PLAIN = Profile(frozenset(FIELDS))
APART = replace(PLAIN, performer_name=template.parse_template("{name}[ ({disambiguation})]", ROLE_NAMES))
OTHERWISE = replace(PLAIN, performer_name=template.parse_template("{name}[ - {disambiguation}]", ROLE_NAMES))
ROLE = template.parse_template("{disambiguation}", ROLE_NAMES)
FACE = template.parse_template("https://example.org/{id}.jpg", FACE_NAMES)
PAINTER, SCULPTOR = "Ann (the painter)", "Ann (the sculptor)"
AGENTS_FACE = "https://metadata.example.org/ann.jpg"


@pytest.fixture(params=["add", "replace"])
def house(tmp_path, request):
    with House(tmp_path / "data", profile=PLAIN, people=True) as made:
        made.plex_sim.tag_mode = request.param
        yield made


def played(house, *names):
    house.add(1, in_plex=True)
    (id,) = house.stash_sim.scene_ids()
    house.stash_sim.edit_scene(id, performers=names or [("Ann", "the painter"), "Bo"])
    return id


def cast(house, id):
    return sorted(item(house, id).lists["actor"])


def test_two_performers_of_one_name_are_two_members(house):
    house.replace_worker(profile=APART)
    id = played(house, ("Ann", "the painter"), ("Ann", "the sculptor"), "Bo")
    synced(house, id)
    assert cast(house, id) == [PAINTER, SCULPTOR, "Bo"]
    assert puts(house, id) == 0


def test_switched_on_it_renames_what_we_added_in_one_edit_and_leaves_what_you_added(house):
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=["Ann", "Bo", "Yours"])
    house.replace_worker(profile=APART)
    assert puts(house, id) == 1
    assert cast(house, id) == [PAINTER, "Bo", "Yours"]
    assert puts(house, id) == 0
    house.replace_worker(profile=OTHERWISE)
    assert puts(house, id) == 1
    assert cast(house, id) == ["Ann - the painter", "Bo", "Yours"]
    house.replace_worker(profile=PLAIN)
    assert puts(house, id) == 1
    assert cast(house, id) == ["Ann", "Bo", "Yours"]
    undo(house, id)
    house.work()
    assert cast(house, id) == ["Yours"]


def test_who_was_there_before_us_stays_beside_the_new_name(house):
    id = played(house)
    house.plex_sim.hand_edit(house.key_of(id), actor=["Ann"], locked=False)
    synced(house, id)
    house.replace_worker(profile=APART)
    puts(house, id)
    assert cast(house, id) == ["Ann", PAINTER, "Bo"]
    assert puts(house, id) == 0


def test_a_role_text_and_a_picture_that_are_not_ours_move_along(house):
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=[("Ann", "Queen"), "Bo"])
    key, plex = house.key_of(id), house.worker.plex
    plex.edit(house.section, key, {"face:Ann": Change(AGENTS_FACE)}, cast=plex.items([key])[key].cast)
    house.replace_worker(profile=APART)
    assert puts(house, id) == 1
    assert item(house, id).roles == {PAINTER: "Queen"}
    assert item(house, id).faces[PAINTER] == AGENTS_FACE
    assert puts(house, id) == 0


def test_a_role_text_and_a_picture_of_ours_are_in_the_same_edit(house):
    house.replace_worker(profile=replace(PLAIN, role=ROLE, face=FACE))
    id = played(house)
    synced(house, id)
    house.replace_worker(profile=replace(APART, role=ROLE, face=FACE))
    assert puts(house, id) == 1
    assert item(house, id).roles == {PAINTER: "the painter"}
    assert item(house, id).faces[PAINTER] == "https://example.org/1.jpg"
    assert puts(house, id) == 0


def test_a_role_text_that_you_changed_stays_through_the_new_name(house):
    house.replace_worker(profile=replace(PLAIN, role=ROLE))
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=[("Ann", "By hand"), "Bo"])
    assert puts(house, id) == 0
    house.replace_worker(profile=replace(APART, role=ROLE))
    assert puts(house, id) == 1
    assert item(house, id).roles == {PAINTER: "By hand"}
    assert puts(house, id) == 0


def test_a_rename_that_failed_is_made_whole_later(house):
    house.replace_worker(profile=replace(PLAIN, role=ROLE))
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=[("Ann", "By hand"), "Bo"])
    house.replace_worker(profile=replace(APART, role=ROLE))
    house.plex_sim.faults.set(fails("PUT", house.key_of(id)))
    house.want(id)
    house.clock.move(3)
    house.work()
    assert cast(house, id) == ["Ann", "Bo"]
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert (cast(house, id), item(house, id).roles) == ([PAINTER, "Bo"], {PAINTER: "By hand"})


def test_another_disambiguation_in_stash_renames_the_member(house):
    house.replace_worker(profile=APART)
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=[(PAINTER, "Queen"), "Bo"])
    house.stash_sim.data.performers[1].disambiguation = "the sculptor"
    assert puts(house, id) == 1
    assert (cast(house, id), item(house, id).roles) == ([SCULPTOR, "Bo"], {SCULPTOR: "Queen"})


def test_who_was_taken_out_of_the_cast_stays_out_under_the_new_name_until_stash_adds_them_again(house):
    id = played(house)
    synced(house, id)
    house.plex_sim.hand_edit(house.key_of(id), actor=["Bo"])
    house.replace_worker(profile=APART)
    assert puts(house, id) == 0
    assert cast(house, id) == ["Bo"]
    house.stash_sim.edit_scene(id, performers=["Bo"])
    assert puts(house, id) == 0
    house.stash_sim.edit_scene(id, performers=[("Ann", "the painter"), "Bo"])
    assert puts(house, id) == 1
    assert cast(house, id) == [PAINTER, "Bo"]
