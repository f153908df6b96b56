"""A library of Other Videos: a movie library without an agent, whose items have a date, a frame as pictures, no more."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS, LISTS
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.template import FACE_NAMES, NAMES, ROLE_NAMES
from plexsync.rules.queue.job import State
from plexsync.simulator.plex_server import ItemSnapshot
from plexsync.simulator.stash_images import png
from tests.engine.house import House, path_of
from tests.flows.test_undo import undo

AGENT = "com.plexapp.agents.none"
EVERYTHING = replace(
    Profile(frozenset(FIELDS)),
    sort_title=template.parse_template("{date} {title}", NAMES),
    original_title=template.parse_template("{code}", NAMES),
    tagline=template.parse_template("{code}, {year}", NAMES),
    date_added="date",
    content_rating="18",
    labels=choice.parse_patterns(["*"]),
    poster="cover",
    background="cover",
    role=template.parse_template("{disambiguation}", ROLE_NAMES),
    face=template.parse_template("https://example.org/{id}.jpg", FACE_NAMES),
)
# Every field, and what it shows of the scene below.
SHOWN: dict[str, object] = {
    "title": "Title 0",
    "titleSort": "2020-01-01 Title 0",
    "originalTitle": "C-7",
    "studio": "Studio 0",
    "summary": "First line\nSecond line",
    "tagline": "C-7, 2020",
    "originallyAvailableAt": "2020-01-01",
    "addedAt": 1_577_880_000,
    "contentRating": "18",
    "userRating": 8.5,
    "actor": ["Ann", "Bo"],
    "director": ["Cy", "Di"],
    "genre": ["Tag 0", "Tag 1"],
    "collection": ["Studio 0", "Group"],
    "label": ["Tag 0", "Tag 1"],
}
BY_HAND: dict[str, object] = {
    **{name: f"{name} by hand" for name in ("title", "titleSort", "originalTitle", "studio", "summary", "tagline")},
    "originallyAvailableAt": "1999-09-09",
    "addedAt": 1_000_000_000,
    "contentRating": "6",
    "userRating": 1.0,
    **{name: [f"{name} by hand"] for name in LISTS},
}
COUNT = 4


@pytest.fixture(params=["tv.plex.agents.movie", AGENT], ids=["movies", "other videos"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "data", profile=EVERYTHING, agent=request.param, people=True) as made:
        yield made


@pytest.fixture
def videos(tmp_path: Path) -> Iterator[House]:
    with House(tmp_path / "data", profile=EVERYTHING, agent=AGENT, people=True) as made:
        yield made


def filmed(house: House) -> list[int]:
    """Scenes whose items are as Plex made them: every second one without a picture."""
    for n in range(COUNT):
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], framed=n % 2 == 0)
    ids = [
        house.add_scene(n, date=f"2020-01-0{n + 1}", performers=[("Ann", "the painter"), "Bo"], rating100=85)
        for n in range(COUNT)
    ]
    for id in ids:
        house.stash_sim.set_cover(id, png(id, 0, 0))
    house.clock.move(3)
    return ids


def synced(house: House, ids: list[int]) -> None:
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)


def item(house: House, id: int) -> ItemSnapshot:
    return house.plex_sim.item(house.key_of(id))


def test_scenes_are_matched_synced_and_shown_in_either_kind_of_library(house: House) -> None:
    ids = filmed(house)

    synced(house, ids)

    assert house.states() == {State.IDLE: COUNT}
    for n, id in enumerate(ids):
        shown = item(house, id)
        assert shown.scalars["title"] == f"Title {n}"
        assert (shown.scalars["originallyAvailableAt"], shown.scalars["year"]) == (f"2020-01-0{n + 1}", 2020)
        assert shown.scalars["userRating"] == 8.5
        assert (shown.lists["actor"], shown.roles) == (["Ann", "Bo"], {"Ann": "the painter"})
        assert shown.lists["genre"] == [f"Tag {n % 5}"]
        cover = png(id, 0, 0)
        assert (shown.poster, shown.art) == (key_of("thumb", cover), key_of("art", cover))
        assert {"title", "originallyAvailableAt", "actor", "genre", "thumb", "art"} <= shown.locks


def filled(house: House) -> int:
    """A scene with a value for every field, its item as Plex made it."""
    house.plex_sim.add_movie(house.section, files=[(path_of(0), 1000, 60_000)])
    id = house.add_scene(
        0,
        code="C-7",
        details="First line\nSecond line",
        date="2020-01-01",
        rating100=85,
        director="Cy, Di",
        performers=[("Ann", "the painter"), "Bo"],
        tags=["Tag 0", "Tag 1"],
        groups=["Group"],
    )
    house.stash_sim.set_cover(id, png(id, 0, 0))
    house.clock.move(3)
    return id


def whole(house: House) -> int:
    """The same in sync."""
    id = filled(house)
    synced(house, [id])
    return id


def value(shown: ItemSnapshot, name: str) -> object:
    return shown.lists[name] if name in LISTS else shown.scalars.get(name)


def test_every_field_is_shown_and_locked_as_in_a_movie_library(house: House) -> None:
    assert set(SHOWN) == set(FIELDS)
    shown = item(house, whole(house))

    assert {name: value(shown, name) for name in FIELDS} == SHOWN
    assert (shown.roles, shown.faces) == (
        {"Ann": "the painter"},
        {"Ann": "https://example.org/1.jpg", "Bo": "https://example.org/2.jpg"},
    )
    assert shown.locks == {*FIELDS, "thumb", "art"} - {"userRating"}


@pytest.mark.parametrize("name", FIELDS)
def test_an_edit_by_hand_of_any_field_stays_through_a_sync_and_a_comparison(videos: House, name: str) -> None:
    id = whole(videos)
    videos.plex_sim.hand_edit(videos.key_of(id), **{name: BY_HAND[name]})
    videos.clock.move(60)

    synced(videos, [id])
    videos.worker.reconciler.reconcile()
    videos.work_until_settled()

    shown = item(videos, id)
    assert {field: value(shown, field) for field in FIELDS} == {**SHOWN, name: BY_HAND[name]}


def test_an_undo_takes_every_field_back(house: House) -> None:
    id = filled(house)
    before = item(house, id)
    synced(house, [id])

    undo(house, id)
    house.work_until_settled()

    shown = item(house, id)
    assert (shown.scalars, shown.lists, shown.roles, shown.faces) == (before.scalars, before.lists, {}, {})
    assert (shown.poster, shown.art, shown.locks) == (before.poster, before.art, before.locks)


def test_a_second_run_sends_nothing(house: House) -> None:
    ids = filmed(house)
    synced(house, ids)
    house.forget_requests()

    assert house.worker.reconciler.reconcile().standing == {"in step": COUNT}
    synced(house, ids)

    assert (house.plex_sim.count("PUT"), house.plex_sim.count("POST")) == (0, 0)


def test_both_kinds_of_library_cost_the_same_requests(tmp_path: Path) -> None:
    """Apart from one list of backgrounds, for the frame that a background replaces and an undo brings back."""
    counts = []
    for agent in ("tv.plex.agents.movie", AGENT):
        with House(tmp_path / agent, profile=replace(EVERYTHING, background=""), agent=agent, people=True) as house:
            synced(house, filmed(house))
            counts.append([house.plex_sim.count(method) for method in ("GET", "PUT", "POST")])

    assert counts[0] == counts[1]


def test_the_date_of_a_file_stays_unlocked_where_the_scene_has_none(videos: House) -> None:
    videos.plex_sim.add_movie(videos.section, files=[(path_of(0), 1000, 60_000)])
    id = videos.add_scene(0)
    before = item(videos, id).scalars["originallyAvailableAt"]

    synced(videos, [id])

    assert item(videos, id).scalars["originallyAvailableAt"] == before
    assert "originallyAvailableAt" not in item(videos, id).locks


def test_an_undo_brings_back_the_date_and_the_frame(videos: House) -> None:
    ids = filmed(videos)
    before = [item(videos, id) for id in ids]
    synced(videos, ids)
    assert len(ids) > 0
    assert [item(videos, id) for id in ids] != before

    undo(videos, *ids)
    videos.work_until_settled()

    for id, old in zip(ids, before, strict=True):
        now = item(videos, id)
        assert now.scalars == old.scalars
        assert (now.poster, now.art, now.lists, now.locks & {"title", "actor"}) == (
            old.poster,
            old.art,
            old.lists,
            set(),
        )


def test_a_cast_that_the_server_ignores_there_keeps_nothing_else_back_and_is_sent_once(videos: House) -> None:
    videos.plex_sim.traits.cast_on_other = False
    ids = filmed(videos)

    synced(videos, ids)
    videos.forget_requests()
    standing = videos.worker.reconciler.reconcile().standing
    synced(videos, ids)

    assert standing == {"person": COUNT}
    assert videos.states() == {State.IDLE: COUNT}
    assert videos.plex_sim.count("PUT") == 0
    for n, id in enumerate(ids):
        assert (item(videos, id).lists["actor"], item(videos, id).scalars["title"]) == ([], f"Title {n}")


def test_a_cast_that_was_ignored_is_never_called_a_persons_doing(videos: House) -> None:
    videos.plex_sim.traits.cast_on_other = False
    ids = filmed(videos)
    synced(videos, ids)

    (inspection,) = videos.worker.inspector.look(ids[:1])

    notes = [note for note in inspection.targets[0].plan.notes if note.field == "actor"]
    assert [note.reason for note in notes] == ["kept"]
    assert "Ann, Bo" in notes[0].text
