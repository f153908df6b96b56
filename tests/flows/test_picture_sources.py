"""Posters and backgrounds from galleries, and sources in an order: the first that has a picture is shown."""

from dataclasses import replace

import pytest

from plexsync.plex.artwork import key_of
from plexsync.reports.scenes import facts_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import State, Why
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_galleries import ImageFile
from plexsync.simulator.stash_images import png
from tests.engine.house import House

RED, BLUE = png(200, 0, 0), png(0, 0, 200)
WIDE, TALL, OTHER = png(0, 200, 0, width=20, height=10), png(0, 200, 0, width=10, height=20), png(9, 9, 9)
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 60
GIF = b"GIF89a" + b"\0" * 60
GALLERY = Profile(frozenset(FIELDS), poster="gallery, cover", background="gallery")


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=GALLERY, galleries=True) as made:
        yield made


def synced(house, id, why=Why.EDIT):
    house.clock.move(3)
    house.want(id, why=why)
    house.work_until_settled()
    house.clock.move(60)


def scene(house, *galleries, cover=RED):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, cover)
    for images in galleries:
        house.stash_sim.add_gallery(id, *images)
    synced(house, id)
    house.forget_requests()
    return id


def poster(house, id):
    return house.plex_sim.item(house.key_of(id)).poster


def background(house, id):
    return house.plex_sim.item(house.key_of(id)).art


def fetched(house):
    return [request.path for request in house.stash_sim.log if request.path != "/graphql"]


def missing(house, id):
    with house.store.reading() as db:
        (facts,) = facts_of(db, [id], house.worker.parts.settings.looks.picture_names)
    return [(fact["field"], fact["reason"]) for fact in facts["left_out"]]


def test_the_cover_of_a_gallery_is_shown_and_nothing_is_sent_twice(house):
    id = scene(house, (BLUE, OTHER))
    assert (poster(house, id), background(house, id)) == (key_of("thumb", BLUE), key_of("art", BLUE))
    synced(house, id)
    assert house.worker.reconciler.reconcile().wanted == 0
    assert (house.plex_sim.count("PUT"), house.plex_sim.count("POST"), fetched(house)) == (0, 0, [])


def test_an_upright_picture_is_preferred_for_a_poster_and_a_wide_one_for_a_background(house):
    id = scene(house, (OTHER,), (WIDE,), (TALL,))
    assert poster(house, id) == key_of("thumb", TALL)
    assert background(house, id) == key_of("art", OTHER), "the first wide one"


@pytest.mark.parametrize("word", ["mjpeg", "jpeg"], ids=["a file", "in a zip file"])
def test_a_cover_that_is_a_jpeg_is_shown_whatever_stash_calls_its_format(house, word):
    (id,) = house.add(1)
    house.stash_sim.add_gallery(id, JPEG)
    (image,) = house.stash_sim.data.scene(id).galleries[0].images
    assert image.visual_files == (ImageFile("mjpeg", 1, 1),), "as a scan of a real Stash"
    image.visual_files = (ImageFile(word, 1, 1),)
    synced(house, id)
    assert poster(house, id) == key_of("thumb", JPEG)


def test_without_a_gallery_the_next_source_is_shown(house):
    id = scene(house)
    assert (poster(house, id), background(house, id)) == (key_of("thumb", RED), None)
    house.stash_sim.add_gallery(id, BLUE)
    synced(house, id)
    assert (poster(house, id), background(house, id)) == (key_of("thumb", BLUE), key_of("art", BLUE))


@pytest.mark.parametrize("images", [(), (GIF,)])
def test_an_empty_gallery_or_one_whose_cover_plex_can_not_show_is_no_source(house, images):
    id = scene(house, images)
    assert (poster(house, id), background(house, id), missing(house, id)) == (key_of("thumb", RED), None, [])


def test_another_cover_of_the_gallery_is_found_by_a_comparison_and_by_an_edit_of_the_scene(house):
    id = scene(house, (BLUE, OTHER))
    gallery = house.stash_sim.data.scene(id).galleries[0].id
    house.stash_sim.set_gallery_cover(id, gallery, 1)
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", OTHER)


def test_a_source_without_a_picture_is_asked_once_and_passed_over(tmp_path):
    profile = replace(GALLERY, poster="studio, cover", background="")
    with House(tmp_path / "data", profile=profile) as house:
        id = scene(house)
        assert poster(house, id) == key_of("thumb", RED)
        house.edit(id, title="New")
        house.work_until_settled()
        assert fetched(house) == [f"/scene/{id}/screenshot"], "nothing of the studio has changed"
        house.stash_sim.data.studio_named("Studio 0").image = BLUE
        house.stash_sim.data.studio_named("Studio 0").updated_at = house.stash_sim.data.stamp()
        synced(house, id)
        assert poster(house, id) == key_of("thumb", BLUE)


def test_what_is_wrong_with_a_source_that_is_not_shown_any_more_is_not_reported(tmp_path):
    profile = replace(GALLERY, background="")
    with House(tmp_path / "data", profile=profile, galleries=True) as house:
        house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
        id = scene(house)
        assert [field for field, _ in missing(house, id)] == ["thumb"]
        house.plex_sim.faults.clear()
        house.stash_sim.add_gallery(id, BLUE)
        synced(house, id)
        assert (poster(house, id), missing(house, id)) == (key_of("thumb", BLUE), [])


def test_a_gallery_that_can_not_be_read_for_a_while_does_not_let_the_cover_take_its_place(house):
    id = scene(house, (BLUE,))
    house.stash_sim.blobs_away = True
    image = house.stash_sim.data.scene(id).galleries[0].images[0]
    image.image, image.updated_at = OTHER, house.stash_sim.data.stamp()
    synced(house, id)
    assert (poster(house, id), house.row(id).state) == (key_of("thumb", BLUE), State.IDLE)
    house.stash_sim.blobs_away = False
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work_until_settled()
    assert (poster(house, id), missing(house, id)) == (key_of("thumb", OTHER), [])


def test_a_poster_that_a_person_has_chosen_stays(house):
    id = scene(house, (BLUE,))
    theirs = png(0, 200, 0)
    house.plex_sim.hand_edit(house.key_of(id), thumb=theirs)
    synced(house, id)
    assert poster(house, id) == key_of("thumb", theirs)


def test_galleries_are_asked_for_only_where_one_may_be_shown(tmp_path):
    with House(tmp_path / "data", profile=Profile(frozenset(FIELDS), poster="cover")) as house:
        scene(house, (BLUE,))
        house.want(1)
        house.work_until_settled()
        bodies = [request.body for request in house.stash_sim.log]
    assert any(b"findScene" in body for body in bodies)
    assert not any(b"visual_files" in body for body in bodies)
