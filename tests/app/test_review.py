"""A review is written as you decided, as long as it is true; one that is no longer true is refused as a whole."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from plexsync.app.parts import Parts, open_parts
from plexsync.app.review import kind_of_change, make_review, write_approved
from plexsync.flows.scenes.preview import Approved
from plexsync.rules.merge.approval import FieldChange
from plexsync.rules.merge.values import Held, Value
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.review_file import APPROVED, OPEN, QUEUED, REFUSED, SKIPPED, ChangeFilter, ReviewFile
from plexsync.store.queue.notes import APPROVED as APPROVED_PARTS
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


def reviewed(world: World) -> ReviewFile:
    """A review of everything, with all changes of the first scene approved."""
    with parts_of(world) as parts:
        assert make_review(parts, lambda _preview: None, lambda _done, _total: None, lambda: False)
    review = ReviewFile(world.folder)
    review.decide(APPROVED, ChangeFilter(scene=1))
    return review


def write(world: World, stopping: Callable[[], bool] = lambda: False) -> tuple[Approved, list[tuple[int, int]]]:
    """What the writing of all approved changes has done, and its progress."""
    progress: list[tuple[int, int]] = []
    with parts_of(world) as parts:
        return write_approved(parts, lambda done, total: progress.append((done, total)), stopping), progress


def counts(review: ReviewFile) -> dict[str, int]:
    return {decision: count for decision, count in review.counts().items() if count}


def in_plex(world: World, id: int) -> tuple[object, list[str]]:
    item = world.plex.item(world.plex.keys(world.section)[id - 1])
    return item.scalars.get("title"), list(item.lists["genre"])


def test_what_you_approved_is_queued_and_counted_and_the_rest_stays_open(changed: World) -> None:
    review = reviewed(changed)
    review.decide(SKIPPED, ChangeFilter(scene=1, field="genre"))
    result, progress = write(changed)
    assert (result.queued, result.changes, result.done, result.refused) == ([1], 1, [], {})
    assert progress == [(1, 1)]
    assert counts(review) == {OPEN: 1, QUEUED: 1, SKIPPED: 1}
    work(changed)
    assert (in_plex(changed, 1), in_plex(changed, 2)) == (("First", ["Tag 0"]), ("Title 1", ["Tag 1"]))
    assert write(changed) == (Approved(), [])


def test_what_is_refused_says_why_and_what_is_there_already_is_done(changed: World) -> None:
    review = reviewed(changed)
    review.decide(APPROVED, ChangeFilter())
    one, two = changed.plex.keys(changed.section)[:2]
    changed.plex.hand_edit(one, title="By an agent", locked=False)
    changed.plex.hand_edit(two, title="Second")
    result, progress = write(changed)
    assert (result.queued, result.done, result.refused) == ([], [2], {1: "its title has changed in Plex"})
    assert progress == [(2, 2)]
    assert counts(review) == {QUEUED: 1, REFUSED: 2}
    (refused,) = review.page(REFUSED, ChangeFilter(), after=0, limit=9)
    assert (refused.id, refused.reason) == (1, "its title has changed in Plex")


def test_nothing_is_queued_once_it_is_stopped(changed: World) -> None:
    review = reviewed(changed)
    assert write(changed, lambda: True) == (Approved(), [])
    assert review.counts()[APPROVED] == 2


def another_plex(world: World) -> None:
    world.plex.machine = "another-machine"


def another_stash(world: World) -> None:
    world.settings["stash_url"] = world.stash.url.replace("127.0.0.1", "localhost")


def another_setting(world: World) -> None:
    world.settings["sync_genres"] = "false"


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (another_plex, "Plex is another server"),
        (another_stash, "Stash has another address"),
        (another_setting, "the settings that decide what Plex shows have changed"),
    ],
)
def test_a_review_of_other_servers_or_settings_is_refused_as_a_whole(
    changed: World, happens: Callable[[World], None], reason: str
) -> None:
    review = reviewed(changed)
    happens(changed)
    with pytest.raises(Unusable, match=f"^the review is no longer true: {reason}.*Start a new one$"):
        write(changed)
    assert review.counts()[APPROVED] == 2
    with parts_of(changed) as parts, parts.store.reading() as db:
        assert db.notes.of_scenes(APPROVED_PARTS, [1, 2, 3]) == {}


def test_a_setting_that_changes_nothing_in_plex_leaves_the_review_true(changed: World) -> None:
    reviewed(changed)
    changed.settings["poll_interval"] = "0.2"
    assert write(changed)[0].queued == [1]


def test_a_review_that_is_stopped_leaves_the_one_before(changed: World) -> None:
    review = reviewed(changed)
    looks = iter([False, True])
    with parts_of(changed) as parts:
        assert not make_review(parts, lambda _preview: None, lambda *_: None, lambda: next(looks, True))
    assert review.counts()[APPROVED] == 2
    assert not (changed.folder / "review.db.new").exists()


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
