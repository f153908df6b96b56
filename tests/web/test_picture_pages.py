"""Posters and covers are fetched by the dashboard: pictures only, no more than needed, and without a token anywhere."""

import html
import re
from collections.abc import Iterator

import pytest

from plexsync.rules.merge.pictures import LARGEST
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.web.picture_cache import EMPTY, FRESH, MOST, PictureCache, ShownPicture, shown_picture
from tests.journey.world import KEY, TOKEN, World
from tests.web.conftest import Dash, dashboard
from tests.web.stage import work
from tests.web.test_review_pages import done

RED, GREEN = png(200, 0, 0), png(0, 200, 0)


@pytest.fixture
def pictured(world: World) -> Iterator[Dash]:
    """Two scenes in sync with posters, of which the first has another cover now."""
    world.settings["poster"] = "cover"
    ids = world.add(2)
    for id in ids:
        world.stash.set_cover(id, RED)
    work(world, ids)
    world.stash.set_cover(1, GREEN)
    with dashboard(world) as dash:
        yield dash


def key(world: World, id: int) -> str:
    return world.plex.keys(world.section)[id - 1]


def test_the_review_shows_both_posters_side_by_side(pictured: Dash) -> None:
    pictured.post("/review/start")
    done(pictured, 1)
    page = html.unescape(pictured.get("/review").text)
    places = re.findall(r'<img class="picture" src="([^"]+)"', page)
    assert places == [f"/pictures/items/{key(pictured.world, 1)}/thumb", "/pictures/scenes/1/thumb"]
    answers = [pictured.get(place) for place in places]
    assert [answer.content for answer in answers] == [RED, GREEN]
    for answer in answers:
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["cache-control"] == "private, max-age=300"
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert not any(secret in page for secret in (TOKEN, KEY, pictured.world.plex.url, pictured.world.stash.url))


def test_a_picture_is_fetched_once_in_a_while(pictured: Dash) -> None:
    pictured.get("/pictures/scenes/1/cover")
    pictured.world.stash.clear_log()
    assert pictured.get("/pictures/scenes/1/cover").content == GREEN
    assert pictured.world.stash.count("GET") == 0


def test_what_is_no_picture_or_not_there_is_not_passed_on(pictured: Dash) -> None:
    pictured.world.stash.set_cover(2, b"<svg onload='alert(1)'></svg>")
    for path in ("scenes/2/cover", "scenes/99/cover", "items/999999/thumb", f"items/{key(pictured.world, 1)}/art"):
        answer = pictured.get(f"/pictures/{path}")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert "no picture" in answer.text, path
        assert "alert" not in answer.text
    for path in ("scenes/1/nonsense", "items/1/cover", "scenes/x/cover", "scenes/0/cover", "items/..%2f1/thumb"):
        assert pictured.get(f"/pictures/{path}").status_code == 404, path


def test_a_server_that_is_down_is_told_to_the_browser_and_not_kept(pictured: Dash) -> None:
    pictured.world.plex.faults.set(Fault("status", status=503))
    path = f"/pictures/items/{key(pictured.world, 1)}/thumb"
    assert "not available now" in pictured.get(path).text
    pictured.world.plex.faults.clear()
    assert pictured.get(path).content == RED


def test_only_pictures_up_to_a_size_are_shown() -> None:
    assert shown_picture(b"\xff\xd8\xff" + b"x" * 10).media_type == "image/jpeg"
    for content in (b"", b"<svg/>", b"<html>", b"GIF89a", b"\xff\xd8\xff" + b"x" * LARGEST):
        assert shown_picture(content) == ShownPicture()


def test_the_oldest_pictures_make_room_and_old_ones_are_fetched_again() -> None:
    cache = PictureCache()
    large = ShownPicture(b"x" * (MOST // 2 - 2 * EMPTY), "image/png")
    for number in range(3):
        cache.keep(f"/{number}", large, float(number))
    assert [cache.find(f"/{number}", 3.0) is not None for number in range(3)] == [False, True, True]
    assert cache.find("/2", 2.0 + FRESH) is None
    cache.keep("/none", ShownPicture(), 5.0)
    assert cache.find("/none", 6.0) == ShownPicture()


def test_the_first_source_that_has_a_picture_is_shown(world: World) -> None:
    world.settings["poster"] = "group, gallery, cover"
    ids = world.add(2)
    for id in ids:
        world.stash.set_cover(id, RED)
    world.stash.add_gallery(1, GREEN)
    with dashboard(world) as dash:
        assert [dash.get(f"/pictures/scenes/{id}/thumb").content for id in ids] == [GREEN, RED]
        assert dash.get("/pictures/scenes/1/cover").content == RED
