"""A draft of settings: what it shows is what a sync would then write, and it changes nothing anywhere."""

import hashlib
import random
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import pytest

from plexsync.app.draft import Draft, DraftCount, DraftScene, open_draft
from plexsync.app.parts import at_work, open_parts
from plexsync.app.run import drain
from plexsync.flows.scenes.verbs import count_unsettled, want_scenes
from plexsync.plex.artwork import key_of
from plexsync.rules.item import PICTURES
from plexsync.rules.merge.values import Value, held_field
from plexsync.rules.queue.job import Why
from plexsync.simulator.stash_images import png
from tests.journey.world import World
from validation.config import PlexSyncConfig
from validation.sources import load

RED, LOGO = png(200, 0, 0), png(0, 0, 200)
# Requests that change nothing at their server: questions to Stash are posted.
READING = {"GET", "HEAD"}
PIECES = (
    "{title}",
    "{studio}",
    "{date}",
    "{code}",
    "[{studio} - ]",
    "[{performers}: ]",
    "x[{title}]",
    "{title}: {studio}",
)
# What may be typed for each setting.
CHOICES = {
    "title_template": PIECES,
    "sort_title_template": ("", *PIECES),
    "original_title_template": ("", *PIECES),
    "tagline_template": ("", *PIECES),
    "content_rating": ("", "R", "18+"),
    "date_added": ("off", "created", "date"),
    "genre_tags": ("*", "Tag 1", "*, -Tag 2", ""),
    "label_tags": ("", "*", "Tag 3"),
    "collection_tags": ("", "*", "Tag 1, Tag 2"),
    "collections": ("studio", "studio, performers", "organized, rating", ""),
    "performer_name": ("{name}", "{name}[ ({disambiguation})]", "The {name}"),
    "role_text": ("", "{gender}", "as {name}"),
    "poster": ("none", "cover", "studio, cover"),
    "background": ("none", "cover"),
    "poster_logo": ("off", "top_left", "bottom_right"),
    "poster_shape": ("as_is", "bars", "crop", "blur"),
    "labels": ("", "Stash", "Stash, Mine"),
    "performer_picture_url": ("", "https://example.org/people/{id}.jpg"),
    "look": ("plain", "rich"),
    "scope": ("", "not studio: Studio 1", "studio: Studio 2; studio: Studio 3; studio: Studio 4"),
    "scope_match": ("all", "any"),
    "conflict_policy": ("stash", "plex"),
    "first_push": ("keep", "stash"),
    **dict.fromkeys(
        ("sync_title", "sync_studio", "sync_summary", "sync_date", "sync_cast", "sync_genres"), ("true", "false")
    ),
    **dict.fromkeys(("sync_collection", "sync_rating", "tag_parents"), ("true", "false")),
}


def settings_of(world: World, texts: Mapping[str, str]) -> PlexSyncConfig:
    """The settings of the world with these in their place."""
    return load(environ=world.given, toml_path=None, overrides=texts).config


@contextmanager
def draft_of(world: World, **texts: str) -> Iterator[Draft]:
    with (
        open_parts(settings_of(world, {}), world.folder) as parts,
        open_draft(parts, settings_of(world, texts)) as draft,
    ):
        yield draft


def work(world: World, ids: Iterable[int], texts: Mapping[str, str] = MappingProxyType({})) -> None:
    """Want these scenes, and work with these settings until nothing waits."""
    with at_work(settings_of(world, texts), world.folder) as (parts, mine):
        assert mine
        want_scenes(parts.store, ids, Why.USER, parts.clock)
        drain(parts, threading.Event(), lambda _step: None, wait_for=lambda: count_unsettled(parts.store, None) == 0)


def stored(world: World) -> str:
    """All that the database says."""
    db = sqlite3.connect(f"file:{world.folder / 'plexsync.db'}?mode=ro", uri=True)
    try:
        return hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest()
    finally:
        db.close()


def shown(scene: DraftScene) -> dict[str, Value | None]:
    """What the preview says that the only item of the scene shows afterwards."""
    (item,) = scene.items
    return {name: after for name, _, after in item.rows}


def in_plex(world: World, key: str, names: list[str]) -> dict[str, Value | None]:
    """What Plex shows in these fields, read anew."""
    with open_parts(settings_of(world, {}), world.folder) as parts:
        item = parts.plex.items([key])[key]
    snapshot = world.plex.item(key)
    pictures = {"thumb": snapshot.poster, "art": snapshot.art}
    return {name: pictures[name] if name in pictures else held_field(item, name).value for name in names}


def comparable(values: Mapping[str, Value | None], told: Mapping[str, Value | None]) -> dict[str, object]:
    """Values whose order does not count. A picture that is taken back is whatever Plex had before."""
    back = {name for name in PICTURES if name in told and not told[name]}
    plain = {name: "" if name in back else value for name, value in values.items()}
    return {name: sorted(value) if isinstance(value, tuple) else value or "" for name, value in plain.items()}


def test_a_preview_shows_what_plex_has_and_what_it_would_show(world: World) -> None:
    work(world, world.add(2))
    with draft_of(world, title_template="{studio}: {title}") as draft:
        scene = draft.scene(1)
    (item,) = scene.items
    assert ("title", "Title 0", "Studio 0: Title 0") in item.rows
    assert [name for name, before, after in item.rows if before != after] == ["title"]


def test_a_preview_and_a_count_write_nothing_anywhere(world: World) -> None:
    work(world, world.add(3))
    world.stash.set_cover(1, RED)
    before, sent = stored(world), (len(world.plex.log), len(world.stash.log))
    with draft_of(world, poster="cover", look="rich", title_template="{studio}") as draft:
        draft.scene(1)
        draft.some_scene()
        draft.count(count := DraftCount(), lambda: False)
        assert count.complete
    assert stored(world) == before
    assert {request.method for request in world.plex.log[sent[0] :]} <= READING
    assert not [request for request in world.stash.log[sent[1] :] if b"mutation" in request.body]


def test_a_count_says_how_far_it_is_and_costs_plex_no_more_than_a_comparison(world: World) -> None:
    work(world, world.add(110))
    count = DraftCount()
    with draft_of(world, title_template="{studio}[: {title}]") as draft:
        asked = len(world.plex.log)
        draft.count(count, lambda: False)
        cost = len(world.plex.log) - asked
    assert (count.looked, count.total, count.changed, count.waiting) == (110, 110, 110, 0)
    assert count.named[0] == 1
    with open_parts(settings_of(world, {}), world.folder) as parts:
        asked = len(world.plex.log)
        parts.reconciler.reconcile(anew=True)
    assert cost <= len(world.plex.log) - asked


def test_a_count_tells_what_waits_to_be_written_anyway(world: World) -> None:
    work(world, world.add(3))
    world.stash.quiet_edit(1, title="Edited")
    count = DraftCount()
    with draft_of(world, content_rating="R") as draft:
        draft.count(count, lambda: False)
    assert (count.changed, count.waiting) == (3, 0)
    count = DraftCount()
    with draft_of(world, sync_rating="false") as draft:
        draft.count(count, lambda: False)
    assert (count.changed, count.waiting) == (0, 1)


def test_a_count_that_is_stopped_says_so(world: World) -> None:
    work(world, world.add(2))
    with draft_of(world, content_rating="R") as draft:
        draft.count(count := DraftCount(), lambda: True)
    assert not count.complete


def test_the_scene_that_is_shown_unasked_is_one_that_the_draft_changes(world: World) -> None:
    work(world, world.add(20))
    with draft_of(world, genre_tags="*, -Tag 5") as draft:
        scene = draft.some_scene()
    assert scene is not None
    assert scene.preview.id == 6


def counted(world: World, **texts: str) -> DraftCount:
    """The complete count of this draft."""
    with draft_of(world, **texts) as draft:
        draft.count(count := DraftCount(), lambda: False)
    assert count.complete
    return count


def test_a_changed_scope_says_which_scenes_come_in_and_which_are_written_no_more(world: World) -> None:
    world.settings["scope"] = "studio: Studio 1"
    ids = world.add(4)
    work(world, ids)
    count = counted(world, scope="")
    assert (count.changed, count.leaving, count.named) == (3, 0, [1, 3, 4])
    del world.settings["scope"]
    work(world, ids)
    count = counted(world, scope="studio: Studio 1")
    assert (count.changed, count.leaving, count.waiting, count.named) == (0, 3, 0, [1, 3, 4])
    with draft_of(world, scope="studio: Studio 1") as draft:
        scene = draft.some_scene()
    assert scene is not None
    assert (scene.preview.id, scene.items, scene.preview.word) == (1, (), "out of scope")


def test_a_changed_policy_shows_what_it_replaces(world: World) -> None:
    work(world, world.add(3))
    with draft_of(world) as draft:
        key = draft.scene(1).items[0].key
    world.plex.hand_edit(key, title="By hand")
    world.stash.quiet_edit(1, title="Edited")
    world.settings["conflict_policy"] = "plex"
    count = counted(world, conflict_policy="stash")
    assert (count.changed, count.named) == (1, [1])
    with draft_of(world, conflict_policy="stash") as draft:
        assert ("title", "By hand", "Edited") in draft.scene(1).items[0].rows
    del world.settings["conflict_policy"]
    assert counted(world, conflict_policy="plex").changed == 0


def test_a_count_says_how_many_pictures_chosen_in_plex_are_replaced(world: World) -> None:
    world.settings["poster"] = "cover"
    ids = world.add(3)
    for id in ids:
        world.stash.set_cover(id, RED)
    work(world, ids)
    with draft_of(world) as draft:
        key = draft.scene(1).items[0].key
    world.plex.hand_edit(key, thumb=LOGO)
    count = counted(world, poster_shape="crop")
    assert (count.changed, count.by_hand) == (3, 1)
    assert counted(world, content_rating="R").by_hand == 0


@pytest.mark.parametrize("rounds", [4, pytest.param(20, marks=pytest.mark.long)])
@pytest.mark.any_python
def test_random_previews_are_what_is_then_written(world: World, rounds: int) -> None:
    rng = random.Random(0)
    world.settings["poster"] = "cover"
    ids = world.add(12)
    for id in ids[::2]:
        world.stash.set_cover(id, png(10 * id, 0, 0))
    work(world, ids)
    with draft_of(world) as draft:
        keys = {id: draft.scene(id).items[0].key for id in ids}
    written, saved = 0, dict[str, str]()
    for number in range(rounds):
        texts = {name: rng.choice(CHOICES[name]) for name in rng.sample(sorted(CHOICES), rng.randint(1, 4))}
        some = rng.sample(ids, 10)
        world.plex.hand_edit(keys[some[0]], title=f"By hand {number}")
        world.stash.quiet_edit(some[number % 2], title=f"Edited {number}")
        before = {id: world.plex.item(keys[id]) for id in some}
        with draft_of(world, **{**saved, **texts}) as draft:
            scenes = [draft.scene(id) for id in some]
        saved |= texts
        work(world, some, saved)
        for id, scene in zip(some, scenes, strict=True):
            if not scene.items:
                assert world.plex.item(keys[id]) == before[id], texts
                continue
            told = shown(scene)
            have = in_plex(world, scene.items[0].key, list(told))
            assert comparable(have, told) == comparable(told, told), texts
            for name, content in scene.items[0].pictures.items():
                assert key_of(name, content) == told[name]
            written += any(row.changes for row in scene.items[0].rows)
    assert written > 2 * rounds


def test_the_collections_of_a_scene_are_shown_and_counted_as_they_are_then_dressed(world: World) -> None:
    ids = world.add(14)
    work(world, ids)
    world.stash.edit_object("studio", "Studio 0", details="About it.", image=RED)
    before = stored(world)
    texts = {"collection_parts": "name, summary, poster", "collection_sort": "studio => 1 {name}"}
    with draft_of(world, **texts) as draft:
        scene = draft.scene(1)
        draft.count(count := DraftCount(), lambda: False)
    assert stored(world) == before
    (collection,) = scene.collections
    assert (collection.title, collection.pictures) == ("Studio 0", {"thumb": RED})
    told = {name: after for name, _, after in collection.rows}
    assert (told["summary"], told["titleSort"]) == ("About it.", "1 Studio 0")
    assert (count.changed, count.collections) == (0, 7)
    world.settings |= texts
    assert world.run("sync", "--all", "--yes", "--wait").returncode == 0
    assert world.run("collections", "sync", "--wait").returncode == 0
    with open_parts(settings_of(world, {}), world.folder) as parts:
        dressed = parts.plex.collections.read([collection.key])[collection.key].item
    assert {name: held_field(dressed, name).value for name in told if name not in PICTURES} == {
        name: value for name, value in told.items() if name not in PICTURES
    }
    with draft_of(world, **texts, collection_mode="shown") as draft:
        draft.count(count := DraftCount(), lambda: False)
    assert (count.changed, count.collections) == (0, 7)
