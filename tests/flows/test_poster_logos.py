"""The logo of the studio over posters: drawn once, the same bytes each time, and never in the way of the poster."""

import io
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from PIL import Image

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import State
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.engine.house import House

RED_LOGO, GREEN_LOGO = png(250, 0, 0, width=30, height=10), png(0, 250, 0, width=30, height=10)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="10"><rect width="30" height="10"/></svg>'
LOGO = Profile(frozenset(FIELDS), poster="cover", poster_logo="bottom_right")


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=LOGO) as made:
        yield made


def cover(id):
    """A blue cover, another one for each scene."""
    return png(0, 0, 250 - 20 * id, width=200, height=300)


def set_logo(house, logo, studio="Studio 0"):
    with house.stash_sim.data.lock:
        record = house.stash_sim.data.studio_named(studio)
        record.image, record.updated_at = logo, house.stash_sim.stamp()
    house.clock.move(3)


def synced(house, *ids):
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)


def scenes(house, logo, count=1):
    ids = [house.add_scene(n, studio="Studio 0") for n in range(count)]
    for n, id in enumerate(ids):
        path, size, _ = house.stash_sim.scene(id).files[0]
        house.plex_sim.add_movie(house.section, files=[(path, size, 60_000)], title=f"file {n}")
        house.stash_sim.set_cover(id, cover(id))
    set_logo(house, logo)
    synced(house, *ids)
    return ids


def item(house, id):
    return house.plex_sim.item(house.key_of(id))


def shown(house, id):
    held = house.plex_sim._library.items[int(house.key_of(id))]
    return Image.open(io.BytesIO(held.pictures["posters"][item(house, id).poster]))


def colour(picture, x, y):
    red, green, blue = picture.getpixel((x, y))
    return max(("red", red), ("green", green), ("blue", blue), key=lambda pair: pair[1])[0]


def fetched(house):
    return [urlsplit(request.target).path for request in house.stash_sim.log if request.path != "/graphql"]


@pytest.mark.parametrize(
    ("corner", "inside"),
    [("top_left", (12, 12)), ("top_right", (187, 12)), ("bottom_left", (12, 287)), ("bottom_right", (187, 287))],
)
def test_the_logo_is_drawn_in_its_corner(tmp_path, corner, inside):
    with House(tmp_path / "data", profile=replace(LOGO, poster_logo=corner)) as house:
        (id,) = scenes(house, RED_LOGO)
        picture = shown(house, id)
        assert picture.size == (200, 300)
        corners = ((12, 12), (187, 12), (12, 287), (187, 287))
        assert {place: colour(picture, *place) for place in corners} == {
            place: "red" if place == inside else "blue" for place in corners
        }
        assert colour(picture, 100, 150) == "blue"
        assert house.stash_sim.scene(id).cover == cover(id), "nothing changes in Stash"


def test_a_second_run_and_another_worker_send_nothing(house):
    (id,) = scenes(house, RED_LOGO)
    house.forget_requests()
    synced(house, id)
    house.replace_worker()
    with house.store.writing() as tx:
        tx.pictures.forget(id)
    synced(house, id)
    assert (house.plex_sim.count("PUT"), house.plex_sim.count("POST")) == (0, 0), (
        "the same picture gives the same bytes"
    )


def test_the_logo_is_read_once_for_all_scenes_of_the_studio(house):
    scenes(house, RED_LOGO, count=5)
    assert len([path for path in fetched(house) if path.startswith("/studio/")]) == 1
    assert len([path for path in fetched(house) if path.startswith("/scene/")]) == 5


def test_another_logo_makes_other_posters(house):
    ids = scenes(house, RED_LOGO, count=2)
    set_logo(house, GREEN_LOGO)
    assert house.worker.reconciler.reconcile().wanted == 2
    house.work_until_settled()
    assert [colour(shown(house, id), 187, 287) for id in ids] == ["green", "green"]


def test_an_edit_of_the_studio_that_keeps_the_logo_sends_nothing(house):
    (id,) = scenes(house, RED_LOGO)
    house.forget_requests()
    set_logo(house, RED_LOGO)
    synced(house, id)
    assert (house.plex_sim.count("PUT"), house.plex_sim.count("POST")) == (0, 0)


def test_a_studio_without_a_logo_leaves_the_cover_as_it_is(house):
    (id,) = scenes(house, None)
    assert item(house, id).poster == key_of("thumb", cover(id))


def test_a_transparent_logo_shows_the_poster_through(house):
    picture = Image.new("RGBA", (30, 10), (0, 0, 0, 0))
    picture.paste((250, 0, 0, 255), (15, 0, 30, 10))
    logo = io.BytesIO()
    picture.save(logo, "PNG")
    (id,) = scenes(house, logo.getvalue())
    assert (colour(shown(house, id), 187, 287), colour(shown(house, id), 137, 287)) == ("red", "blue")


@pytest.mark.parametrize("logo", [SVG, b"\x89PNG\r\n\x1a\n broken", b"GIF89a" + b"\0" * 60])
def test_a_logo_that_can_not_be_drawn_is_reported_once_and_left_out(house, caplog, logo):
    ids = scenes(house, logo, count=3)
    assert [item(house, id).poster for id in ids] == [key_of("thumb", cover(id)) for id in ids]
    assert caplog.text.count("is left out of posters") == 1
    assert [house.row(id).state for id in ids] == [State.IDLE] * 3


def test_a_logo_that_stash_can_not_read_for_a_while_leaves_the_poster_as_it_is(house):
    (id,) = scenes(house, RED_LOGO)
    before = item(house, id).poster
    studio = house.stash_sim.data.studio_named("Studio 0").id
    away = Fault("status", status=500, when=lambda request: request.path == f"/studio/{studio}/image")
    house.stash_sim.faults.set(away)
    set_logo(house, GREEN_LOGO)
    house.want(id)
    house.work_for(600)
    assert (item(house, id).poster, house.row(id).state) == (before, State.IDLE)
    house.stash_sim.faults.clear()
    assert house.worker.reconciler.reconcile().wanted == 1
    house.clock.move(3)
    house.work_until_settled()
    assert colour(shown(house, id), 187, 287) == "green"


def test_a_stand_in_for_a_logo_is_no_logo(house):
    """Stash's folder of pictures is away for a while, but not its covers."""
    (id,) = scenes(house, RED_LOGO)
    before = item(house, id).poster
    house.stash_sim.blobs_away = True
    set_logo(house, GREEN_LOGO)
    synced(house, id)
    assert item(house, id).poster == before
    house.stash_sim.blobs_away = False
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work_until_settled()
    assert colour(shown(house, id), 187, 287) == "green"


def test_an_undo_puts_back_the_poster_that_was_there_before(house):
    id = house.add(1)[0]
    before = item(house, id).poster
    house.stash_sim.set_cover(id, cover(id))
    set_logo(house, RED_LOGO)
    synced(house, id)
    assert item(house, id).poster != before
    wish_undone(house.store, SceneUndo(house.worker.inspector), house.clock, [id], "undo")
    synced(house, id)
    assert item(house, id).poster == before


def test_where_the_logo_is_switched_off_the_plain_cover_comes_back(house):
    (id,) = scenes(house, RED_LOGO)
    house.replace_worker(profile=replace(LOGO, poster_logo=""))
    synced(house, id)
    assert item(house, id).poster == key_of("thumb", cover(id))


def test_a_small_picture_has_room_for_a_logo_of_any_shape(house):
    (id,) = scenes(house, png(250, 0, 0, width=1, height=400))
    house.stash_sim.set_cover(id, png(0, 0, 200, width=3, height=2))
    house.clock.move(3)
    synced(house, id)
    assert shown(house, id).size == (3, 2)
