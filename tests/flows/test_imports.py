"""An import fills what Plex knows and Stash lacks; it can be undone byte for byte, and a sync after it writes only locks."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plexsync.app.named_scenes import ignore_scenes
from plexsync.engine.undo import wish_undone
from plexsync.flows.imports.importer import ImportResult
from plexsync.flows.imports.planner import IGNORED, SYNC_WRITES, UNDONE, UNFINISHED
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice as choices
from plexsync.rules.merge.import_records import NameKind, StashField
from plexsync.rules.merge.imports import DIFFERENT_RATINGS, OWN_VALUE, RATED_BOTH_WAYS
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.template import parse_template
from plexsync.rules.plays.ratings import RatingRules
from plexsync.simulator.http import Fault, Request
from plexsync.store.database import Database, Writer
from tests.engine.house import TOKEN, path_of
from tests.flows.import_stage import KNOWN, LONGEST, PLAIN, Stage, value_writes

ALL = {field.word for field in StashField}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path / "data") as stage:
        stage.add_names()
        yield stage


@contextmanager
def with_rules(tmp_path: Path, **rules: Any) -> Iterator[Stage]:
    with Stage(tmp_path / "data", rules) as stage:
        stage.add_names()
        yield stage


def words(stage: Stage, *ids: int, create: bool = False) -> set[str]:
    """The fields that an import would fill."""
    return {fill.field.word for scene in stage.plans(*ids, create=create) for fill in scene.plan.fills}


def reasons(stage: Stage, *ids: int, create: bool = False) -> dict[str, str]:
    """Why a field, or the last name of one, is left out."""
    plans = stage.plans(*ids, create=create)
    return {left_out.field.word: left_out.reason for scene in plans for left_out in scene.plan.left_out}


# --- there and back --------------------------------------------------------------------------------------------------


def test_every_field_comes_to_stash_in_one_request_and_a_sync_after_it_sends_only_locks(stage: Stage) -> None:
    id = stage.add()
    item = stage.house.plex_sim.item(stage.house.key_of(id))
    stage.house.forget_requests()

    result = stage.run(id)

    assert (result.run, result.scenes, result.fields, result.is_complete) == (1, [id], 7, True)
    assert stage.mutations() == ["sceneUpdate"]
    assert [request for request in stage.house.plex_sim.log if request.method != "GET"] == []
    scene = stage.house.stash_sim.scene(id)
    assert (scene.title, scene.details, scene.date) == ("The film", "What happens.\nAnd then.", "2020-05-06")
    assert (scene.rating100, scene.studio) == (83, "Big Studio")
    assert (scene.performers, scene.tags) == (("Ann", "Bo"), ("Drama", "Noir"))
    assert stage.sync(id) == []
    now = stage.house.plex_sim.item(item.key)
    assert replace(now, locks=item.locks, updated_at=item.updated_at) == item
    assert now.locks > item.locks


@pytest.mark.parametrize(
    "field", ["title", "summary", "originallyAvailableAt", "studio", "userRating", "actor", "genre"]
)
def test_each_field_goes_alone_there_and_back(stage: Stage, field: str) -> None:
    id = stage.add(**{name: None for name in KNOWN if name not in (field, "title")})
    if field != "title":
        stage.house.stash_sim.edit_scene(id, title="The film")
    before = stage.scene_json(id)
    assert stage.run(id).fields == 1
    assert stage.sync(id) == []
    assert stage.scene_json(id) != before
    assert stage.undo().fields == 1
    assert stage.scene_json(id) == before


def test_only_empty_fields_are_filled(stage: Stage) -> None:
    id = stage.add(scene={"title": "Mine", "details": "Mine too", "tags": ["Noir"], "rating100": 5})
    assert words(stage, id) == ALL - {"title", "details", "tags", "rating"}
    stage.run(id)
    scene = stage.house.stash_sim.scene(id)
    assert (scene.title, scene.details, scene.tags, scene.rating100) == ("Mine", "Mine too", ("Noir",), 5)
    assert scene.studio == "Big Studio"


def test_an_undo_restores_the_scene_byte_for_byte_and_the_sync_after_it_restores_plex(stage: Stage) -> None:
    ids = [stage.add(n) for n in range(3)]
    before = [stage.scene_json(id) for id in ids]
    stage.run(*ids)
    stage.sync(*ids)
    result = stage.undo()
    assert (result.scenes, result.fields, result.is_complete) == (ids, 21, True)
    assert [stage.scene_json(id) for id in ids] == before
    # The title is made from the name of the file, as it would have been without the import.
    assert stage.sync(*ids) == ["title.value"]
    item = stage.house.plex_sim.item(stage.house.key_of(ids[0]))
    assert (item.scalars["summary"], item.lists["genre"]) == (KNOWN["summary"], KNOWN["genre"])
    assert item.locks == {"title"}
    assert stage.undo().fields == 0


def test_an_undo_leaves_what_a_person_has_changed_since(stage: Stage) -> None:
    id = stage.add()
    stage.run(id)
    stage.house.stash_sim.edit_scene(id, title="Better", tags=["Drama"])
    result = stage.undo()
    scene = stage.house.stash_sim.scene(id)
    assert (scene.title, scene.tags) == ("Better", ("Drama",))
    assert (scene.details, scene.studio, scene.performers) == ("", None, ())
    assert (result.changed, result.fields) == ([id], 5)


def test_an_undo_leaves_another_scene_under_the_same_id_alone(stage: Stage) -> None:
    id = stage.add()
    stage.run(id)
    stage.house.stash_sim.data.scenes[id].created_at = "2020-01-01T00:00:00Z"
    result = stage.undo()
    assert (result.changed, result.fields) == ([id], 0)
    assert stage.house.stash_sim.scene(id).title == "The film"


# --- what is left out ------------------------------------------------------------------------------------------------


def test_a_field_that_a_sync_would_write_back_otherwise_is_left_out(tmp_path: Path) -> None:
    template = parse_template("{title} ({year})", {"title", "year"})
    with with_rules(tmp_path, profile=replace(PLAIN, title=template)) as stage:
        id = stage.add()
        assert "The film (2020)" not in (scene.title for scene in stage.plans(id))
        assert reasons(stage, id) == {
            "title": "a sync would show it as 'The film ()' in Plex",
            "date": "a sync would then change in Plex: title",
        }
        stage.run(id)
        assert stage.house.stash_sim.scene(id).studio == "Big Studio"


def test_a_studio_in_the_title_is_left_out(tmp_path: Path) -> None:
    template = parse_template("{title} - {studio}", {"title", "studio"})
    with with_rules(tmp_path, profile=replace(PLAIN, title=template)) as stage:
        id = stage.add(scene={"title": "The film"}, title="The film - ")
        assert reasons(stage, id) == {"studio": "a sync would then change in Plex: title"}


def test_a_studio_that_is_also_a_collection_is_left_out_unless_plex_has_that_collection(tmp_path: Path) -> None:
    profile = replace(PLAIN, collections=frozenset({"studio"}))
    with with_rules(tmp_path, profile=profile) as stage:
        without, with_it = stage.add(0), stage.add(1, collection=["Big Studio"])
        assert reasons(stage, without) == {"studio": "a sync would then change in Plex: collection"}
        assert words(stage, with_it) == ALL
        stage.run(without, with_it)
        assert stage.sync(without, with_it) == []


def test_a_text_that_a_sync_would_cut_is_left_out(stage: Stage) -> None:
    id = stage.add(summary="x" * 10_001)
    assert words(stage, id) == ALL - {"details"}
    assert "details" in reasons(stage, id)


@pytest.mark.parametrize("choice", ["-Noir", "Drama"])
def test_a_tag_that_the_settings_leave_out_is_left_out(tmp_path: Path, choice: str) -> None:
    patterns = ("*", choice) if choice.startswith("-") else (choice,)
    with with_rules(tmp_path, profile=replace(PLAIN, genres=choices.parse_patterns(patterns))) as stage:
        id = stage.add()
        assert reasons(stage, id) == {"tags": "the settings do not show it in Plex"}
        stage.run(id)
        assert stage.house.stash_sim.scene(id).tags == ("Drama",)
        assert stage.sync(id) == []


def test_a_field_that_is_not_synced_is_imported_all_the_same(tmp_path: Path) -> None:
    with with_rules(tmp_path, profile=replace(PLAIN, fields=frozenset(FIELDS) - {"actor", "genre"})) as stage:
        id = stage.add()
        stage.house.stash_sim.data.performer_named("Robert").alias_list = ("Bobby",)
        stage.house.plex_sim.hand_edit(stage.house.key_of(id), actor=["bobby"])
        stage.run(id)
        assert stage.house.stash_sim.scene(id).performers == ("Robert",)
        assert stage.sync(id) == []


@pytest.mark.parametrize(("rating", "stash"), [(8.3, 83), (10, 100), (0.1, 1), (8.35, None), (0.04, None)])
def test_a_rating_is_ten_times_that_of_plex_if_it_comes_back_as_it_is(
    stage: Stage, rating: float, stash: int | None
) -> None:
    id = stage.add(userRating=rating)
    stage.run(id)
    assert stage.house.stash_sim.scene(id).rating100 == stash
    assert stage.sync(id) == []


def test_a_title_that_is_the_name_of_the_file_is_no_news(stage: Stage) -> None:
    id = stage.add(title="scene 00000")
    assert "title" not in words(stage, id)
    assert "title" not in reasons(stage, id)


def test_what_plexsync_has_written_itself_does_not_come_back(stage: Stage) -> None:
    id = stage.add(scene={"title": "Mine", "tags": ["Mine"], "details": "Mine"}, summary=None)
    stage.sync(id)
    stage.house.stash_sim.edit_scene(id, title="", tags=[], details="")
    assert reasons(stage, id) == {"title": OWN_VALUE, "details": OWN_VALUE, "tags": OWN_VALUE}
    stage.run(id)
    scene = stage.house.stash_sim.scene(id)
    assert (scene.title, scene.details, scene.tags) == ("", "", ("Drama", "Noir"))


def test_a_scene_that_is_about_to_be_taken_over_is_left_out_if_names_would_go(stage: Stage) -> None:
    whole, part = stage.add(0), stage.add(1, genre=["Drama", "Unknown"])
    with stage.house.store.writing() as tx:
        for id in (whole, part):
            tx.notes.take_over(id, now=stage.house.clock.now())
    assert words(stage, whole) == ALL
    assert (words(stage, part), set(reasons(stage, part).values())) == (set(), {SYNC_WRITES})
    assert stage.run(whole, part).scenes == [whole]


def test_what_was_in_plex_before_plexsync_locked_it_can_be_imported_again(stage: Stage) -> None:
    id = stage.add()
    stage.run(id)
    stage.sync(id)
    stage.house.stash_sim.edit_scene(id, details="")
    assert words(stage, id) == {"details"}


def test_two_items_of_a_scene_must_agree(stage: Stage) -> None:
    id = stage.add()
    house = stage.house
    other = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
    house.plex_sim.add_movie(other, files=[(path, size, 60_000)], **{**KNOWN, "summary": "Another text"})
    assert words(stage, id) == ALL - {"details"}
    assert reasons(stage, id) == {"details": "a sync would then change in Plex: summary"}
    stage.run(id)
    assert stage.sync(id) == []


def test_a_rating_that_not_all_items_have_is_left_out_also_if_ratings_are_not_synced(tmp_path: Path) -> None:
    with with_rules(tmp_path, profile=replace(PLAIN, fields=frozenset(FIELDS) - {"userRating"})) as stage:
        id, single, house = stage.add(0), stage.add(1), stage.house
        other = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
        path, size, _ = house.plex_sim.item(house.key_of(id)).files[0][:3]
        house.plex_sim.add_movie(other, files=[(path, size, 60_000)], **{**KNOWN, "userRating": 2})
        assert reasons(stage, id, single) == {"rating": DIFFERENT_RATINGS}
        assert words(stage, single) == ALL


def test_while_ratings_go_both_ways_an_import_leaves_them_to_that(tmp_path: Path) -> None:
    unsynced = replace(PLAIN, fields=frozenset(FIELDS) - {"userRating"})
    rules = RatingRules(libraries={"other": False})
    with with_rules(tmp_path, profile=unsynced, ratings=rules) as stage:
        id, house = stage.add(0), stage.house
        other = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
        house.plex_sim.add_movie(other, files=[(path_of(1), 1001, 60_000)], **KNOWN)
        one_way = house.add_scene(1, title="", studio=None, tags=[])
        assert words(stage, id) == ALL - {"rating"}
        assert reasons(stage, id) == {"rating": RATED_BOTH_WAYS}
        assert words(stage, one_way) == ALL


def test_an_undo_of_an_import_from_before_ratings_went_both_ways_clears_no_rating_in_plex(tmp_path: Path) -> None:
    with with_rules(tmp_path) as stage:
        id, house = stage.add(), stage.house
        stage.run(id)
        stage.sync(id)
        stage.rules["ratings"] = RatingRules()
        house.replace_worker(ratings=stage.rules["ratings"])
        house.worker.reconciler.reconcile()
        house.work_until_settled()
        result = stage.undo()
        stage.sync(id)
        assert (result.fields, result.changed) == (len(ALL) - 1, [id])
        assert house.stash_sim.scene(id).rating100 == 83
        assert house.plex_sim.item(house.key_of(id)).scalars["userRating"] == 8.3
        assert house.stash_sim.scene(id).details == ""


def test_a_scene_that_is_ignored_undone_not_in_plex_or_gone_is_left_alone(stage: Stage) -> None:
    house = stage.house
    ignored, undone = stage.add(0), stage.add(1, scene={"title": "Mine"})
    absent = house.add_scene(7, title="", studio=None, tags=[])
    stage.sync(undone)
    ignore_scenes(house.store, [ignored], house.clock)
    wish_undone(house.store, SceneUndo(house.worker.glances), house.clock, [undone], "undo")
    found = {scene.id: scene.reason for scene in stage.plans(ignored, undone, absent, 999)}
    assert (found[ignored], found[undone]) == (IGNORED, UNDONE)
    assert "no item in Plex" in found[absent]
    assert "no such scene" in found[999]
    assert stage.run(ignored, undone, absent, 999) == ImportResult()


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ["ANN", "ann ", "A\u030ann"])
def test_names_differ_neither_by_case_nor_by_their_unicode_form(stage: Stage, spelling: str) -> None:
    if "\u030a" in spelling:
        stage.house.stash_sim.data.performer_named("\u00c5nn")
    id = stage.add(actor=[spelling])
    stage.run(id)
    assert stage.house.stash_sim.scene(id).performers == (("\u00c5nn",) if "\u030a" in spelling else ("Ann",))
    assert stage.sync(id) == []


def test_an_alias_is_found_and_left_out_if_a_sync_would_write_the_other_name(stage: Stage) -> None:
    stage.house.stash_sim.data.tag_named("Krimi").aliases = ("Noir film",)
    id = stage.add(genre=["Drama", "noir film"])
    plan = stage.plans(id, create=True)[0].plan
    assert plan.missing == ()
    assert [left_out.reason for left_out in plan.left_out] == [
        "Stash calls it 'Krimi', and a sync would add that name in Plex"
    ]
    stage.run(id, create=True)
    assert stage.house.stash_sim.scene(id).tags == ("Drama",)
    assert "noir film" not in stage.names(NameKind.TAG)


def test_a_name_that_two_have_is_left_out(stage: Stage) -> None:
    stage.house.stash_sim.data.performer_named(("Ann", "the other"))
    id = stage.add()
    assert reasons(stage, id, create=True) == {"performers": "Stash has 2 that it could be"}
    stage.run(id, create=True)
    assert stage.house.stash_sim.scene(id).performers == ("Bo",)


def test_names_that_stash_lacks_are_created_only_if_asked_for_and_only_once(tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage:
        ids = [stage.add(n) for n in range(2)]
        missing = {(name.kind, name.name) for scene in stage.plans(*ids) for name in scene.plan.missing}
        assert missing == {
            (NameKind.STUDIO, "Big Studio"),
            *((NameKind.PERFORMER, name) for name in ("Ann", "Bo")),
            *((NameKind.TAG, name) for name in ("Drama", "Noir")),
        }
        before, names = [stage.scene_json(id) for id in ids], {kind: stage.names(kind) for kind in NameKind}
        result = stage.run(*ids)
        assert (result.created, result.fields) == ([], 8)
        stage.undo(1)

        stage.house.forget_requests()
        result = stage.run(*ids, create=True)
        assert (len(result.created), result.fields) == (5, 14)
        assert stage.mutations()[:5] == ["studioCreate", "performerCreate", "performerCreate", "tagCreate", "tagCreate"]
        again = stage.run(*ids, create=True)
        assert again == ImportResult(), "a second run finds nothing to do"
        assert stage.sync(*ids) == []

        undone = stage.undo(2)
        assert len(undone.destroyed) == 5
        assert [stage.scene_json(id) for id in ids] == before
        assert {kind: stage.names(kind) for kind in NameKind} == names


def test_an_object_that_something_else_uses_or_that_was_edited_stays(tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage:
        id = stage.add()
        stage.run(id, create=True)
        house = stage.house
        house.stash_sim.add_scene(title="mine", tags=["Drama"], files=[("/y.mp4", 6, 1.0)])
        house.clock.move(5)
        (ann,) = (one for one in stage.stash.names(NameKind.PERFORMER) if one.name == "Ann")
        stage.ask(f'mutation {{ performerUpdate(input: {{ id: "{ann.id}", alias_list: ["A"] }}) {{ id }} }}')
        result = stage.undo()
        assert sorted(name.name for name in result.kept) == ["Ann", "Drama"]
        assert stage.names(NameKind.TAG) == ["Drama"]
        assert [entry.name for entry in stage.stash.names(NameKind.PERFORMER)] == ["Ann"]
        assert stage.names(NameKind.STUDIO) == []


def test_a_name_that_was_created_meanwhile_is_taken_and_is_not_ours(tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage:
        id = stage.add()
        plans = stage.plans(id, create=True)
        stage.house.stash_sim.data.performer_named("Ann")
        result = stage.carry_out(plans)
        assert "Ann" not in {name.name for name in result.created}
        assert stage.house.stash_sim.scene(id).performers == ("Ann", "Bo")
        stage.undo()
        assert stage.names(NameKind.PERFORMER) == ["Ann"]


def test_parents_of_a_tag_count_if_they_are_synced(tmp_path: Path) -> None:
    with with_rules(tmp_path, profile=replace(PLAIN, tag_parents=True), tags_above=True) as stage:
        data = stage.house.stash_sim.data
        data.tag_named("Noir").parents = (data.tag_named("Crime"),)
        id = stage.add()
        assert reasons(stage, id) == {"tags": "a sync would then change in Plex: genre"}


# --- between preview and write ---------------------------------------------------------------------------------------


def test_what_was_filled_or_changed_after_the_preview_is_left_alone(stage: Stage) -> None:
    id = stage.add()
    plans = stage.plans(id)
    stage.house.stash_sim.edit_scene(id, title="Mine meanwhile")
    stage.house.plex_sim.hand_edit(stage.house.key_of(id), summary="Another text by now")
    result = stage.carry_out(plans)
    scene = stage.house.stash_sim.scene(id)
    assert (scene.title, scene.details, scene.date) == ("Mine meanwhile", "", "2020-05-06")
    assert (result.changed, result.fields) == ([id], 5)


def test_it_stops_between_two_writes(stage: Stage) -> None:
    ids = [stage.add(n) for n in range(3)]
    answers = iter([True, False])
    stage.may_go_on = lambda: next(answers)
    result = stage.run(*ids)
    assert (result.scenes, result.error) == (ids[:1], "stopped")
    stage.may_go_on = lambda: True
    assert stage.run(*ids).scenes == ids[1:]


def test_an_undo_leaves_what_has_the_number_of_a_created_name_after_stash_was_restored(stage: Stage) -> None:
    id, stash = stage.add(studio="New Studio"), stage.house.stash_sim
    copy = stash.backup()
    stage.run(id, create=True)
    assert stash.scene(id).studio == "New Studio"
    stash.restore(copy)
    stash.edit_scene(id, studio="By hand")
    assert stage.undo().changed == [id]
    assert stash.scene(id).studio == "By hand"


def test_a_second_undo_leaves_what_got_the_number_of_a_created_name_since_the_first(stage: Stage) -> None:
    id, stash = stage.add(studio="New Studio"), stage.house.stash_sim
    copy = stash.backup()
    run = stage.run(id, create=True).run
    stash.restore(copy)
    assert stage.undo(run).changed == [id]
    stash.edit_scene(id, studio="By hand")
    assert stage.undo(run).changed == [id]
    assert stash.scene(id).studio == "By hand"


@pytest.mark.parametrize("is_answered", [True, False])
def test_an_undo_leaves_what_has_the_number_of_a_name_that_was_there_after_stash_was_restored(
    stage: Stage, is_answered: bool
) -> None:
    id, stash = stage.add(studio="New Studio"), stage.house.stash_sim
    copy = stash.backup()
    stash.add_scene(files=[("/y.mp4", 6, 1.0)], studio="New Studio")
    if not is_answered:
        stash.faults.set(Fault("reset_after", when=updating))
    assert stage.run(id).is_complete is is_answered
    stash.faults.clear()
    stage.house.clock.move(60)
    stage.plans(id)
    assert stash.scene(id).studio == "New Studio"
    stash.restore(copy)
    stash.edit_scene(id, studio="By hand")
    assert stage.undo().changed == [id]
    assert stash.scene(id).studio == "By hand"


def test_an_undo_empties_a_field_also_if_what_it_names_was_renamed_since(stage: Stage) -> None:
    id, stash = stage.add(), stage.house.stash_sim
    stage.run(id)
    stash.rename_studio("Big Studio", "Bigger Studio")
    assert stage.undo().changed == []
    assert stash.scene(id).studio is None


# --- faults and kills ------------------------------------------------------------------------------------------------


def updating(request: Request) -> bool:
    return b"mutation" in request.body


@pytest.mark.parametrize("arrives", [False, True])
def test_a_request_whose_end_is_unknown_is_resolved_by_reading(stage: Stage, arrives: bool) -> None:
    id = stage.add()
    before = stage.scene_json(id)
    stage.house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=updating, times=1))
    result = stage.run(id)
    assert (list(result.failed), result.fields) == ([f"scene {id}"], 0)
    assert {(row.is_open, row.taken_back) for row in stage.rows()} == {(True, TakenBack.NO)}
    again = stage.run(id)
    if arrives:
        assert {(row.is_open, row.taken_back) for row in stage.rows()} == {(False, TakenBack.NO)}
    else:
        assert (again.still_open, stage.plans(id)[0].reason) == (7, UNFINISHED)
        stage.house.clock.move(LONGEST / 1000)
        assert stage.run(id).fields == 7
    with stage.house.store.reading() as db:
        last = db.imports.last_run()
    assert stage.undo(last).fields == 7
    assert stage.scene_json(id) == before


@pytest.mark.parametrize("leap", [-86_400, 600, 86_400])
def test_a_leap_of_the_clock_ends_no_request_of_an_import(stage: Stage, leap: float) -> None:
    id = stage.add()
    stage.house.stash_sim.faults.set(Fault("reset", when=updating, times=1))
    stage.run(id)
    stage.house.clock.leap(leap)
    assert stage.run(id).still_open == 7
    stage.house.clock.move(LONGEST / 1000)
    assert stage.run(id).fields == 7


def test_a_value_that_stash_has_changed_at_once_is_told_and_is_not_the_imports(stage: Stage) -> None:
    id = stage.add()

    def changed(body: dict[str, Any]) -> dict[str, Any]:
        if "scene" in (body["data"] or {}):
            stage.house.stash_sim.edit_scene(id, title="By a plugin")
            body["data"]["scene"]["title"] = "By a plugin"
        return body

    stage.house.stash_sim.graphql_fault = changed
    result = stage.run(id)
    stage.house.stash_sim.graphql_fault = None
    assert (result.failed, result.fields) == ({f"scene {id}": "Stash has other values than were sent: title"}, 6)
    stage.undo()
    assert (stage.house.stash_sim.scene(id).title, stage.house.stash_sim.scene(id).details) == ("By a plugin", "")


def test_a_stash_that_refuses_a_value_stops_no_other_scene(stage: Stage) -> None:
    one, two = stage.add(0), stage.add(1)
    refused = Fault(
        "status", status=500, when=lambda request: updating(request) and f'"id":"{one}"'.encode() in request.body
    )
    stage.house.stash_sim.faults.set(refused)
    result = stage.run(one, two)
    assert (list(result.failed), result.scenes) == ([f"scene {one}"], [two])


@pytest.mark.parametrize("server", ["stash", "plex"])
def test_a_server_that_goes_away_midway_ends_it_and_destroys_nothing(stage: Stage, server: str) -> None:
    house = stage.house
    ids = [stage.add(n) for n in range(12)]
    before = [stage.scene_json(id) for id in ids]
    plans = stage.plans(*ids)
    sim = house.stash_sim if server == "stash" else house.plex_sim
    written = 0

    def go_on() -> bool:
        nonlocal written
        written += 1
        if written == 4:
            sim.faults.set(Fault("status", status=503))
        return True

    stage.may_go_on = go_on
    result = stage.carry_out(plans)
    assert result.error
    assert result.scenes == ids[: 3 if server == "stash" else 10]
    sim.faults.clear()
    house.clock.move(3600)
    house.work()
    stage.may_go_on = lambda: True
    assert stage.undo().is_complete
    assert [stage.scene_json(id) for id in ids] == before


def test_writes_wait_for_their_own_gate(stage: Stage) -> None:
    house, ids = stage.house, [stage.add(n) for n in range(7)]
    house.stash_sim.faults.set(Fault("status", status=500, when=updating))
    result = stage.run(*ids)
    assert len(result.failed) == 5
    assert "Writing to Stash" in result.error
    assert house.breaker().startswith("closed")
    house.stash_sim.faults.clear()
    house.clock.move(3600)
    assert stage.run(*ids).scenes == ids


class Killed(BaseException):
    """What a kill is for a process: nothing runs after it."""


class Mortal(Database):
    """A database whose process is killed at a commit: before it begins, or right after it."""

    left = 10_000

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        self._live()
        with super().writing() as tx:
            yield tx
        self._live()

    def _live(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


def kills(stage: Stage, run: Callable[[Database], None], after: Callable[[], None]) -> int:
    """Run it again and again, each time killed one boundary later, and look after each; returns how many there are."""
    for boundary in range(1000):
        store = Mortal(stage.house.folder / "plexsync.db")
        store.left = boundary
        try:
            run(store)
        except Killed:
            stage.house.clock.move(LONGEST / 1000 + 1)
            after()
        else:
            return boundary
        finally:
            store.close()
    raise AssertionError("it never comes to its end")


def undo_all(stage: Stage) -> None:
    with stage.house.store.reading() as db:
        runs = range(db.imports.last_run(), 0, -1)
    for run in runs:
        assert stage.undo(run).is_complete


def test_killed_anywhere_it_goes_on_and_can_be_undone(tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage:
        ids = [stage.add(n) for n in range(2)]
        before, names = [stage.scene_json(id) for id in ids], {kind: stage.names(kind) for kind in NameKind}
        plans = stage.plans(*ids, create=True)

        def after() -> None:
            assert stage.run(*ids, create=True).is_complete
            assert [stage.house.stash_sim.scene(id).performers for id in ids] == [("Ann", "Bo")] * 2
            assert sorted(stage.names(NameKind.TAG)) == ["Drama", "Noir"]
            undo_all(stage)
            assert [stage.scene_json(id) for id in ids] == before
            assert {kind: stage.names(kind) for kind in NameKind} == names

        boundaries = kills(stage, lambda store: stage.importer(store).carry_out(plans), after)
        assert boundaries >= 4 * 7, "before and after both commits of five objects and two scenes"


def test_an_undo_killed_anywhere_goes_on(tmp_path: Path) -> None:
    with Stage(tmp_path / "data") as stage:
        ids = [stage.add(n) for n in range(2)]
        before, names = [stage.scene_json(id) for id in ids], {kind: stage.names(kind) for kind in NameKind}
        runs = iter(range(1, 1000))
        run = [0]

        def begin() -> None:
            assert stage.run(*ids, create=True).is_complete
            run[0] = next(runs)

        def after() -> None:
            assert stage.undo(run[0]).is_complete
            assert [stage.scene_json(id) for id in ids] == before
            assert {kind: stage.names(kind) for kind in NameKind} == names
            begin()

        begin()
        assert kills(stage, lambda store: stage.importer(store).take_back(run), after) >= 4 * 7


# --- more ------------------------------------------------------------------------------------------------------------


def test_everything_in_stash_is_looked_at_if_no_scene_is_named(stage: Stage) -> None:
    ids = [stage.add(n) for n in range(3)]
    plans = stage.plans()
    assert [scene.id for scene in plans if scene.plan.fills] == ids
    assert stage.carry_out(plans).scenes == ids


def test_a_policy_that_keeps_locked_values_changes_nothing(tmp_path: Path) -> None:
    with with_rules(tmp_path, policy=Policy(conflict="plex", first_push="stash")) as stage:
        id = stage.add()
        stage.house.plex_sim.hand_edit(stage.house.key_of(id), title="By hand", genre=["Drama"])
        stage.run(id)
        assert stage.house.stash_sim.scene(id).title == "By hand"
        assert stage.sync(id) == []
        assert value_writes(stage.house.plex_sim.log) == []
        assert TOKEN not in str(stage.rows())
