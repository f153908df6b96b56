"""A review has every planned change of scenes that you do not ignore, and knows when it is outdated."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest

from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.app.parts import Parts, open_parts
from plexsync.app.review import is_outdated, kind_of_change, make_review, present_review
from plexsync.rules.merge.field_change import FieldChange
from plexsync.rules.merge.values import Held, Value
from plexsync.store.files.review_file import ChangeFilter, ReviewFile
from tests.journey.world import World
from tests.web.stage import config_of, work


@pytest.fixture
def changed(world: World) -> World:
    """Three scenes in sync, of which the first two were edited since."""
    work(world, world.add(3))
    world.stash.quiet_edit(1, title="First", tags=["Fresh"])
    world.stash.quiet_edit(2, title="Second")
    return world


@contextmanager
def parts_of(world: World) -> Iterator[Parts]:
    with open_parts(config_of(world), world.folder) as parts:
        yield parts


def reviewed(world: World, stopping: Callable[[], bool] = lambda: False) -> bool:
    with parts_of(world) as parts:
        return make_review(parts, lambda _preview: None, lambda _done, _total: None, stopping)


def listed(review: ReviewFile, **wanted: str) -> list[int]:
    return [scene.id for scene in review.page(ChangeFilter(**wanted), after=0, limit=9)]


def test_scenes_that_you_ignore_are_left_out_and_those_that_you_no_longer_ignore_are_back(changed: World) -> None:
    assert reviewed(changed)
    with parts_of(changed) as parts:
        review = present_review(parts)
        assert (review.count(), review.count_ignored(), listed(review)) == (3, 0, [1, 2])
        ignore_scenes(parts.store, [1], parts.clock)
        review = present_review(parts)
        assert (review.count(), review.count_ignored(), listed(review)) == (1, 1, [2])
        assert review.groups(ChangeFilter()) == [("title", "replaced", 1)]
        assert (listed(review, field="genre"), review.scenes(ChangeFilter(field="title"))) == ([], [2])
        ignore_scenes(parts.store, [2], parts.clock)
        review = present_review(parts)
        assert (review.count(), review.groups(ChangeFilter()), review.names("library")) == (0, [], [])
        unignore_scenes(parts.store, [1], parts.clock)
        review = present_review(parts)
        assert (review.count(), review.count_ignored(), listed(review, field="genre")) == (2, 1, [1])


def test_a_review_is_outdated_by_a_setting_that_decides_what_plex_shows_and_by_no_other(changed: World) -> None:
    with parts_of(changed) as parts:
        assert not is_outdated(parts)
    reviewed(changed)
    changed.settings["poll_interval"] = "0.2"
    with parts_of(changed) as parts:
        assert not is_outdated(parts)
    changed.settings["sync_genres"] = "false"
    with parts_of(changed) as parts:
        assert is_outdated(parts)


def test_a_review_that_is_stopped_leaves_the_one_before(changed: World) -> None:
    reviewed(changed)
    looks = iter([False, True])
    assert not reviewed(changed, lambda: next(looks, True))
    assert ReviewFile(changed.folder).count() == 3
    assert not (changed.folder / "review.db.new").exists()


def test_a_review_of_an_earlier_version_counts_as_none_until_the_next_one(changed: World) -> None:
    with closing(sqlite3.connect(changed.folder / "review.db")) as db:
        db.executescript("""
            create table head (name text primary key, value text not null) without rowid;
            insert into head values ('plex', 'a'), ('stash', 'b'), ('settings', 'c'), ('at', '1');
            create table total (decision text, field text, kind text, library text, studio text, number integer);
            insert into total values ('approved', 'title', 'replaced', 'Movies', '', 4);
        """)
    with parts_of(changed) as parts:
        review = present_review(parts)
        assert (review.head(), review.count(), listed(review), is_outdated(parts)) == ({}, 0, [], False)
    assert reviewed(changed)
    assert ReviewFile(changed.folder).count() == 3


@pytest.mark.parametrize(
    ("old", "new", "adds", "removes", "kind"),
    [
        ("a", "b", (), (), "replaced"),
        ("", "b", (), (), "added"),
        ("a", "", (), (), "removed"),
        ("a", "a", (), (), "locked"),
        ("", "", (), (), "locked"),
        (("a",), ("a", "b"), ("b",), (), "added"),
        (("a",), (), (), ("a",), "removed"),
        (("a",), ("b",), ("b",), ("a",), "replaced"),
    ],
)
def test_the_kind_of_a_change(old: Value, new: Value, adds: tuple[str], removes: tuple[str], kind: str) -> None:
    change = FieldChange("genre", Held(old, locked=False), Held(new, locked=True), adds, removes)
    assert kind_of_change(change) == kind
