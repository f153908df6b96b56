"""Posters and backgrounds: what Stash shows, fetched and sent only when it must be, and never against a person's choice."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from plex.artwork import key_of
from simulator.http import Fault
from simulator.stash_images import png
from sync.item import FIELDS
from sync.job import State, Why
from sync.wanted import Profile
from tests.worker.house import House

RED, BLUE = png(200, 0, 0), png(0, 0, 200)
VIDEO = b"\x00\x00\x00\x18ftypmp42" + b"\0" * 100
PLAIN = Profile(frozenset(FIELDS))
POSTER = replace(PLAIN, poster="cover")


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as made:
        yield made


def covered(house, cover=RED):
    """A scene whose item shows its cover."""
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, cover)
    house.want(id)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    return id


def again(house, id, why=Why.EDIT):
    house.want(id, why=why)
    house.work_until_settled()
    house.clock.move(60)


def poster(house, id):
    return house.plex_sim.item(house.key_of(id)).poster


def uploads(house):
    return house.plex_sim.count("POST")


def fetched(house):
    return [request.path for request in house.stash_sim.log if request.path != "/graphql"]


def test_a_cover_becomes_the_poster_and_is_locked(house):
    id = covered(house)
    item = house.plex_sim.item(house.key_of(id))
    assert item.poster == key_of("thumb", RED)
    assert "thumb" in item.locks
    assert item.art is None
    assert house.out_of_step([id]) == []


def test_a_second_run_sends_and_fetches_nothing(house):
    id = covered(house)
    assert house.worker.reconciler.reconcile().wanted == 0
    again(house, id)
    assert (house.plex_sim.count("PUT"), uploads(house), fetched(house)) == (0, 0, [])
    assert not [request for request in house.plex_sim.log if "posters" in request.path]


def test_another_edit_of_the_scene_asks_for_the_cover_and_gets_no_byte(house):
    id = covered(house)
    house.edit(id, title="New")
    house.work_until_settled()
    assert fetched(house) == [f"/scene/{id}/screenshot"]
    assert (uploads(house), poster(house, id)) == (0, key_of("thumb", RED))
    assert house.title_in_plex(id) == "New"


def test_a_new_cover_takes_the_place_of_ours(house):
    id = covered(house)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", BLUE))


def test_a_picture_that_plex_has_already_is_chosen_and_not_sent_again(house):
    id = covered(house)
    for cover in (BLUE, RED):
        house.stash_sim.set_cover(id, cover)
        again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", RED))
    assert sorted(house.plex_sim.item(house.key_of(id)).posters)[1:] == sorted(
        key_of("thumb", cover) for cover in (RED, BLUE)
    )


def test_without_a_cover_what_was_there_before_comes_back_with_its_lock(house):
    (id,) = house.add(1)
    before = poster(house, id)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert poster(house, id) == key_of("thumb", RED)
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert poster(house, id) == before
    assert "thumb" not in house.plex_sim.item(house.key_of(id)).locks


def test_a_poster_that_a_person_has_chosen_before_is_kept(house):
    (id,) = house.add(1)
    house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)
    assert uploads(house) == 0
    assert house.title_in_plex(id) == "Title 0"


def test_a_poster_that_a_person_has_chosen_since_stays_until_stash_has_another(house):
    id = covered(house)
    theirs = png(0, 200, 0)
    house.plex_sim.hand_edit(house.key_of(id), thumb=theirs)
    again(house, id)
    assert poster(house, id) == key_of("thumb", theirs)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)


def test_a_scene_without_a_cover_gets_no_stand_in(house):
    id = covered(house, cover=None)
    assert (uploads(house), house.row(id).state) == (0, State.IDLE)
    assert poster(house, id).startswith("media://")


def test_a_video_is_no_picture_and_keeps_nothing_else_back(house):
    id = covered(house, cover=VIDEO)
    assert (house.title_in_plex(id), poster(house, id).startswith("media://")) == ("Title 0", True)
    with house.store.reading() as db:
        assert db.pictures(id)["thumb"].why == "the picture is no JPEG, PNG or WebP"


def test_a_picture_that_plex_refuses_is_told_once_and_keeps_nothing_else_back(house, caplog):
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    id = covered(house)
    assert (house.title_in_plex(id), house.row(id).state) == ("Title 0", State.IDLE)
    assert "a picture of scene 1 was refused" in caplog.text
    assert house.worker.reconciler.reconcile().wanted == 0


@pytest.mark.parametrize("kind", ["reset_after", "cut"])
def test_a_picture_whose_answer_is_lost_is_recognised_and_not_sent_twice(house, kind):
    house.plex_sim.faults.set(Fault(kind, times=1, when=lambda request: request.method == "POST"))
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", RED))
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert poster(house, id).startswith("media://"), "it was ours to take back"


def test_a_cover_that_stash_can_not_read_is_this_scenes_trouble_alone(house):
    ids = house.add(3)
    for id in ids:
        house.stash_sim.set_cover(id, RED)
    broken = f"/scene/{ids[1]}/screenshot"
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: request.path == broken))
    house.want(*ids)
    house.work_for(120)
    assert [poster(house, id) == key_of("thumb", RED) for id in ids] == [True, False, True]
    assert house.row(ids[1]).state is State.READY
    house.stash_sim.faults.clear()
    house.work_until_settled()
    assert poster(house, ids[1]) == key_of("thumb", RED)


def test_an_outage_while_a_picture_is_sent_uses_no_attempt(house):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    house.plex_sim.faults.set(Fault("reset", when=lambda request: request.method == "POST"))
    house.want(id)
    house.work_for(600)
    assert (house.attempts_used(), house.row(id).state) == (0, State.READY)
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", RED)


def test_a_background_can_be_the_picture_of_the_studio_or_group(tmp_path):
    profile = replace(PLAIN, poster="group", background="studio")
    with House(tmp_path / "data", profile=profile) as house:
        (id,) = house.add(1)
        house.edit(id, groups=["Saga"])
        data = house.stash_sim.data
        with data.lock:
            data.studio_named("Studio 0").image = BLUE
            data.group_named("Saga").image = RED
        again(house, id)
        item = house.plex_sim.item(house.key_of(id))
        assert (item.poster, item.art) == (key_of("thumb", RED), key_of("art", BLUE))
        assert {"thumb", "art"} <= set(item.locks)


def jpeg(size):
    made = io.BytesIO()
    Image.effect_noise(size, 100).convert("RGB").save(made, "JPEG", quality=100)
    return made.getvalue()


def shown_bytes(house, id):
    item = house.plex_sim.item(house.key_of(id))
    return house.plex_sim._library.items[int(item.key)].pictures["posters"][item.poster]


def test_a_picture_of_more_than_ten_megabytes_is_made_smaller(house):
    large = jpeg((5000, 3500))
    assert len(large) > 10_000_000
    id = covered(house, cover=large)
    sent = shown_bytes(house, id)
    assert len(sent) <= 10_000_000
    assert abs(Image.open(io.BytesIO(sent)).width / Image.open(io.BytesIO(sent)).height - 5000 / 3500) < 0.01
    again(house, id)
    assert uploads(house) == 0


def test_a_wide_cover_is_padded_to_a_poster(tmp_path):
    with House(tmp_path / "data", profile=replace(POSTER, poster_padding=True)) as house:
        id = covered(house, cover=jpeg((640, 360)))
        picture = Image.open(io.BytesIO(shown_bytes(house, id)))
        assert picture.size == (640, 960)
        assert max(picture.getpixel((320, 20))) < 10, "a bar above"
        again(house, id)
        assert uploads(house) == 0


def test_a_broken_picture_is_told_and_keeps_nothing_else_back(tmp_path):
    with House(tmp_path / "data", profile=replace(POSTER, poster_padding=True)) as house:
        id = covered(house, cover=b"\xff\xd8\xff" + b"x" * 50)
        assert house.title_in_plex(id) == "Title 0"
        with house.store.reading() as db:
            assert db.pictures(id)["thumb"].why == "the picture can't be read"


def test_a_scene_that_is_gone_leaves_nothing_behind(house):
    id = covered(house)
    house.stash_sim.destroy_scene(id)
    again(house, id)
    assert house.rows("select * from picture") == []
    assert house.rows("select * from shown") == []
