"""A change of a setting that would write many items waits for one yes; until then the value before is in force."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from plexsync.app.advice import UNKNOWN_BEFORE
from plexsync.app.dressing import collection_dressing
from plexsync.app.fingerprints import VALUES
from plexsync.app.parts import Parts, open_parts
from plexsync.app.run import Schedule
from plexsync.app.switches import approve_bulk, approve_settings
from plexsync.reports.status import facts
from plexsync.rules.queue.job import COLLECTION, DAY, Why
from plexsync.rules.queue.note_keys import CHANGED, IN_USE, LAST_POLL, LAST_RECONCILE, WISHES
from plexsync.rules.queue.setting_question import FEW
from tests.cli.conftest import Door
from tests.journey.world import World, until
from tests.web.conftest import dashboard
from tests.web.stage import config_of, work
from tests.web.test_fix_pages import button, press
from tests.web.test_pages import plain

CHANGE = f"title_template is New {{title}} now: {FEW + 1} scenes would change"


@contextmanager
def started(world: World, *, has_begun: bool = True, **settings: str) -> Iterator[tuple[Parts, Schedule]]:
    """The parts and the schedule of a worker that starts with these settings. It notes them as it begins its work."""
    world.settings |= {"approve_bulk": "false", **settings}
    with open_parts(config_of(world), world.folder, worker=True) as parts:
        with parts.store.writing() as tx:
            tx.notes.save(LAST_POLL, str(parts.clock.now()))
        if has_begun:
            parts.reconciler.note_wishes()
        yield parts, Schedule(parts, lambda: False)


def synced(world: World, count: int) -> list[int]:
    """So many scenes in sync, and the first write is approved."""
    ids = world.add(count)
    work(world, ids)
    with started(world) as (parts, schedule):
        approve_bulk(parts)
        assert schedule()
    return ids


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars["title"] for key in world.plex.keys(world.section)]


@pytest.fixture
def many(world: World) -> list[int]:
    return synced(world, FEW + 1)


def test_until_the_yes_what_is_written_is_what_the_settings_before_would_write(world: World, many: list[int]) -> None:
    before = titles(world)
    with started(world, title_template="New {title}") as (parts, schedule):
        assert not schedule()
        status = facts(parts)
        assert status["verdict"]["text"].startswith(f"{CHANGE[0].upper()}{CHANGE[1:]}: look, write, or set it back")
        assert status["bulk_approved"]
        world.stash.quiet_edit(many[0], title="Edited")
        work(world, many[:1])
        assert titles(world) == ["Edited", *before[1:]]
        assert not schedule()
        assert approve_settings(parts) == ""
        assert parts.must_reload()
        assert not schedule(), "the worker begins again with the new settings first"
    with started(world) as (parts, schedule):
        assert facts(parts)["setting_change"] is None
        assert schedule()
        with parts.store.reading() as db:
            assert db.notes.text(WISHES) == parts.settings.wishes
    work(world)
    assert titles(world) == ["New Edited", *(f"New {title}" for title in before[1:])]


def test_scenes_and_collections_of_edits_before_the_change_are_written_as_before_too(
    world: World, many: list[int]
) -> None:
    for id in many:
        world.stash.edit_scene(id, studio="Acme")
    with started(world, collection_parts="summary", collection_sort="A {name}") as (parts, schedule):
        assert approve_settings(parts) == ""
    work(world, many)
    with started(world) as (parts, schedule):
        assert schedule()
        assert collection_dressing(parts).comparison.run_if_due()
    work(world)
    before = titles(world)
    world.stash.edit_scene(many[0], title="Edited before")
    with started(world, look="rich", title_template="New {title}", collection_sort="B {name}") as (parts, schedule):
        assert not schedule()
        with parts.store.writing() as tx:
            tx.jobs.want_all(COLLECTION, [row.id for row in tx.collections.every()], Why.USER, parts.clock.now())
    # Whatever asks for them: a poll, a person, another object.
    work(world, many)
    assert titles(world) == ["Edited before", *before[1:]]
    acme = world.plex.item(world.plex.collection_keys(world.section)["Acme"])
    assert acme.scalars["titleSort"] == "A Acme"


def test_a_change_whose_value_before_is_not_known_holds_all_writes_until_the_yes(
    world: World, many: list[int], door: Door
) -> None:
    before = titles(world)
    with started(world, title_template="New {title}") as (parts, schedule):
        with parts.store.writing() as tx:
            noted = json.loads(tx.notes.text(IN_USE))
            tx.notes.save(IN_USE, json.dumps({name: noted[name] for name in noted if name != VALUES}))
    with started(world) as (parts, schedule):
        assert not schedule()
        assert parts.settings.work.rests == UNKNOWN_BEFORE
        with parts.store.writing() as tx:
            tx.notes.save(LAST_RECONCILE, "1")
        assert not schedule(), "a comparison that is due has nothing to compare with"
    world.stash.quiet_edit(many[0], title="Edited")
    assert UNKNOWN_BEFORE in door("sync", str(many[0]), "--wait").out
    assert ": nothing is written until you look, write, or set it back · " in door("status").out.splitlines()[0]
    assert titles(world) == before
    assert door("sync", "--all", "--yes", "--wait").code == 0
    assert titles(world) == ["New Edited", *(f"New {title}" for title in before[1:])]


def test_another_order_of_playlists_is_a_change_that_is_counted(world: World, many: list[int]) -> None:
    world.stash.set_tag_parents("Tag 1", ["Lists"])
    with started(world, playlists="children of: Lists") as (_, schedule):
        assert not schedule(), "the few that it creates are in force, and the worker begins again"
    with started(world) as (_, schedule):
        assert schedule()
    with started(world, playlist_order="title") as (parts, _):
        with parts.store.reading() as db:
            assert db.notes.text(WISHES) == CHANGED
        assert parts.config.playlist_order == "date"


def test_while_it_waits_the_daily_comparison_goes_on_with_the_settings_before(world: World, many: list[int]) -> None:
    before = titles(world)
    with started(world, title_template="New {title}") as (parts, schedule):
        assert not schedule()
        world.stash.now = lambda: parts.clock.now() / 1000 + 2
        world.stash.quiet_edit(many[0], title="Edited")
        world.plex.hand_edit(world.plex.keys(world.section)[1], title="Refreshed", locked=False)
        world.stash.destroy_scene(many[2])
        assert not schedule(), "it is not due yet"
        with parts.store.writing() as tx:
            tx.notes.save(LAST_RECONCILE, str(parts.clock.now() - DAY))
        assert schedule()
        assert not schedule(), "it is due the next day"
        status = facts(parts)
        assert (status["setting_change"] or {})["text"] == CHANGE
        assert status["scenes"]["waiting"]["count"] == 3
        work(world)
        assert titles(world) == ["Edited", "Title 1", before[2], *before[3:]]
        assert facts(parts)["scenes"]["gone"]["count"] == 1
        assert approve_settings(parts) == ""
    with started(world) as (_, schedule):
        assert schedule()
    work(world)
    assert titles(world)[3:] == [f"New {title}" for title in before[3:]]


def test_a_setting_that_is_set_back_asks_nothing_and_writes_nothing(world: World, many: list[int]) -> None:
    before = titles(world)
    with started(world, title_template="New {title}") as (_, schedule):
        assert not schedule()
    with started(world, title_template="{title}") as (parts, schedule):
        assert facts(parts)["setting_change"] is None
        assert schedule()
    work(world)
    assert titles(world) == before


def test_a_look_is_named_in_place_of_what_it_sets(world: World, many: list[int]) -> None:
    with started(world, look="rich", date_added="created") as (parts, schedule):
        assert not schedule()
        change = facts(parts)["setting_change"]
        assert change is not None
        assert change["text"] == f"look is rich now: {FEW + 1} scenes would change"


def test_few_items_are_written_without_a_question(world: World) -> None:
    synced(world, 1)
    with started(world, title_template="New {title}") as (parts, schedule):
        assert not schedule()
        assert parts.must_reload()
    with started(world) as (_, schedule):
        assert schedule()
    work(world)
    assert titles(world) == ["New Title 0"]


def test_while_a_server_is_down_nothing_is_counted_and_nothing_is_written(world: World, many: list[int]) -> None:
    world.plex.stop()
    with started(world, title_template="New {title}") as (parts, schedule):
        assert not schedule()
        assert facts(parts)["setting_change"] is None
        with parts.store.reading() as db:
            assert db.jobs.count_unsettled() == 0


def test_a_comparison_that_comes_before_the_worker_has_begun_waits_too(world: World, many: list[int]) -> None:
    for id in many:
        world.stash.edit_scene(id, studio="Acme")
    with started(world, collection_parts="summary") as (parts, schedule):
        assert approve_settings(parts) == ""
    work(world, many)
    with started(world) as (parts, schedule):
        assert schedule()
        assert collection_dressing(parts).comparison.run_if_due()
    work(world)
    with started(world, has_begun=False, title_template="New {title}", collection_sort="1 {name}") as (parts, schedule):
        with parts.store.writing() as tx:
            tx.notes.save(LAST_RECONCILE, "1")
        assert not collection_dressing(parts).comparison.run_if_due()
        schedule()
        with parts.store.reading() as db:
            assert db.jobs.count_unsettled() == 0


def test_terminal_and_dashboard_say_it_first_and_take_the_yes(world: World, many: list[int], door: Door) -> None:
    with started(world, title_template="New {title}") as (_, schedule):
        assert not schedule()
    assert CHANGE[1:] in door("status").out.splitlines()[0]
    refused = door("sync", "--all")
    assert refused.code == 2
    assert CHANGE in refused.err
    assert CHANGE in door("doctor").out
    with dashboard(world) as dash:
        assert CHANGE[1:] in plain(dash.get("/").text)
        assert CHANGE[1:] in plain(dash.get("/fix?view=list").text)
        assert dash.post("/reconcile", what="sync all").status_code == 200
        assert CHANGE[1:] in plain(dash.get("/reconcile").text)
        press(dash, button(dash, "/reconcile", what="sync all", agreed="yes"))
        until(lambda: CHANGE[1:] not in plain(dash.get("/reconcile").text))
        until(lambda: dash.get("/api/reconcile").json()["past"])
    work(world)
    assert titles(world)[0] == "New Title 0"
