"""The shape of posters: made once for each picture, sent anew when the setting changes, and taken back by an undo."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.taken_back import TakenBack
from tests.engine.house import House
from tests.flows.test_artwork import covered
from tests.tables import table

AS_IS = Profile(frozenset(FIELDS), poster="cover")


def two_coloured():
    """A wide picture, red on its left side and blue on its right one."""
    picture, content = Image.new("RGB", (320, 180), (200, 40, 40)), io.BytesIO()
    picture.paste((40, 40, 200), (160, 0, 320, 180))
    picture.save(content, "PNG")
    return content.getvalue()


WIDE = two_coloured()


def shaped(shape, anchor="centre"):
    return replace(AS_IS, poster_shape=shape, poster_anchor=anchor)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=AS_IS) as made:
        yield made


def looked_at(house, id):
    house.want(id)
    house.work_until_settled()
    house.clock.move(60)


def poster(house, id):
    return house.plex_sim.item(house.key_of(id)).poster


def size(house, id):
    key = house.key_of(id)
    return Image.open(io.BytesIO(house.plex_sim._library.items[int(key)].pictures["posters"][poster(house, id)])).size


def test_another_shape_sends_another_poster_once_and_the_first_one_again_uploads_nothing(house):
    id = covered(house, WIDE)
    assert poster(house, id) == key_of("thumb", WIDE)
    posters = {}
    for shape, anchor, wanted in (
        ("bars", "centre", (320, 480)),
        ("blur", "centre", (320, 480)),
        ("crop", "left", (120, 180)),
        ("crop", "right", (120, 180)),
    ):
        house.replace_worker(profile=shaped(shape, anchor))
        looked_at(house, id)
        assert (size(house, id), house.plex_sim.count("POST")) == (wanted, 1)
        house.forget_requests()
        looked_at(house, id)
        assert (house.plex_sim.count("POST"), house.plex_sim.count("PUT")) == (0, 0)
        posters[shape, anchor] = poster(house, id)
    assert len({*posters.values()}) == 4

    house.replace_worker(profile=AS_IS)
    looked_at(house, id)
    assert (poster(house, id), house.plex_sim.count("POST")) == (key_of("thumb", WIDE), 0)


@table("shape", ["bars", "crop", "blur"])
def test_an_undo_shows_the_poster_from_before(shape, tmp_path):
    with House(tmp_path / f"{shape}", profile=shaped(shape)) as house:
        (id,) = house.add(1)
        before = poster(house, id), house.plex_sim.item(house.key_of(id)).locks
        house.stash_sim.set_cover(id, WIDE)
        house.clock.move(3)
        looked_at(house, id)
        assert poster(house, id) != before[0]
        house.replace_worker(profile=shaped("bars" if shape == "blur" else "blur"))
        looked_at(house, id)
        wish_undone(house.store, SceneUndo(house.worker.inspector), house.clock, [id], TakenBack.UNDO)
        house.clock.move(3)
        house.work_until_settled()
        assert (poster(house, id), house.plex_sim.item(house.key_of(id)).locks) == before


def test_a_lost_row_makes_the_same_bytes_and_uploads_nothing(tmp_path):
    with House(tmp_path / "data", profile=shaped("blur")) as house:
        id = covered(house, WIDE)
        house.replace_worker()
        with house.store.writing() as tx:
            tx.pictures.forget(id)
        looked_at(house, id)
        assert (house.plex_sim.count("POST"), house.plex_sim.count("PUT")) == (0, 0)


def test_libraries_have_shapes_of_their_own(tmp_path):
    with House(tmp_path / "data", profile=AS_IS, profiles={"movies": shaped("crop", "left")}) as house:
        assert size(house, covered(house, WIDE)) == (120, 180)


def test_a_picture_that_stays_as_it_is_is_not_opened(house):
    unreadable = b"\xff\xd8\xff" + b"no package reads this"
    id = covered(house, cover=unreadable)
    assert poster(house, id) == key_of("thumb", unreadable)
