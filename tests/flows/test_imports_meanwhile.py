"""What a person does in Stash while an import is at work stays; what is not the import's is never deleted by its undo."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexsync.flows.imports import planner
from plexsync.flows.imports.planner import SYNC_WRITES
from plexsync.rules.match.scope import Scope, Term
from plexsync.rules.merge.import_records import NameKind
from plexsync.simulator.http import Fault, Request
from tests.flows.import_stage import LONGEST, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with Stage(tmp_path / "data") as stage:
        yield stage


def just_before(stage: Stage, write: int, happens: Callable[[], object]) -> None:
    """Let this happen right before the write of this number, after everything was planned and asked."""
    count = 0

    def go_on() -> bool:
        nonlocal count
        count += 1
        if count == write:
            happens()
        return True

    stage.may_go_on = go_on


# --- between the plan and the write ----------------------------------------------------------------------------------


def test_a_field_that_is_filled_between_the_second_plan_and_the_write_is_left_alone(stage: Stage) -> None:
    stage.add_names()
    one, two = stage.add(0), stage.add(1)
    just_before(stage, 2, lambda: stage.house.stash_sim.edit_scene(two, title="Mine", tags=["Noir"], rating100=1))
    result = stage.run(one, two)
    scene = stage.house.stash_sim.scene(two)
    assert (scene.title, scene.tags, scene.rating100, scene.studio) == ("Mine", ("Noir",), 1, "Big Studio")
    assert (result.scenes, result.changed, result.fields, result.is_complete) == ([one, two], [two], 7 + 4, True)


def test_a_scene_that_goes_between_the_second_plan_and_the_write_is_passed_over(stage: Stage) -> None:
    stage.add_names()
    one, two, three = (stage.add(n) for n in range(3))
    just_before(stage, 2, lambda: stage.house.stash_sim.destroy_scene(two))
    result = stage.run(one, two, three)
    assert (result.scenes, result.changed, result.is_complete) == ([one, three], [two], True)


def test_a_value_that_plex_spells_otherwise_by_now_is_what_was_agreed_to_and_another_name_is_not(stage: Stage) -> None:
    stage.add_names()
    same, other, fewer = (stage.add(n) for n in range(3))
    plans = stage.plans(same, other, fewer)
    for id, genres in ((same, ["DRAMA", "noir"]), (other, ["Drama", "Big Studio"]), (fewer, ["Drama"])):
        stage.house.stash_sim.data.tag_named("Big Studio")
        stage.house.plex_sim.hand_edit(stage.house.key_of(id), genre=genres)
    result = stage.carry_out(plans)
    tags = [stage.house.stash_sim.scene(id).tags for id in (same, other, fewer)]
    assert (tags, result.changed) == ([("Drama", "Noir"), (), ()], [other, fewer])


# --- whose object it is ----------------------------------------------------------------------------------------------


def creating(request: Request) -> bool:
    return b"performerCreate" in request.body


def performers(stage: Stage) -> dict[int, str]:
    return {entry.id: entry.name for entry in stage.stash.names(NameKind.PERFORMER)}


def rename(stage: Stage, id: int, name: str, disambiguation: str = "") -> None:
    """A person renames a performer."""
    values = f'id: "{id}", name: "{name}", disambiguation: "{disambiguation}"'
    stage.ask(f"mutation {{ performerUpdate(input: {{ {values} }}) {{ id }} }}")


@pytest.mark.parametrize("place", [0, -1], ids=["an old one", "the newest one"])
def test_a_performer_that_was_there_before_is_never_deleted_though_it_has_the_name_by_now(
    stage: Stage, place: int
) -> None:
    for name in ("Cyd", "Dee", "Eve"):
        stage.house.stash_sim.data.performer_named(name)
    id = stage.add(actor=["Ann"], genre=None, studio=None)
    stage.house.stash_sim.faults.set(Fault("reset", when=creating, times=1))
    assert list(stage.run(id, create=True).failed) == ["performer Ann"]
    old = list(performers(stage))[place]
    rename(stage, old, "Ann")
    stage.house.clock.move(LONGEST / 1000)
    before = performers(stage)
    assert stage.undo().is_complete
    assert (performers(stage), before[old]) == (before, "Ann")


def test_of_two_performers_of_one_name_the_undo_deletes_the_one_that_the_import_made(stage: Stage) -> None:
    data = stage.house.stash_sim.data
    old = data.performer_named("Cyd")
    id = stage.add(actor=["Ann"], genre=None, studio=None)

    def renamed(request: Request) -> bool:
        if creating(request):
            old.name, old.disambiguation = "Ann", "the first"
        return creating(request)

    stage.house.stash_sim.faults.set(Fault("reset_after", when=renamed, times=1))
    assert list(stage.run(id, create=True).failed) == ["performer Ann"]
    assert list(performers(stage).values()) == ["Ann", "Ann"]
    assert [(row.is_open, row.object) for row in stage.rows() if row.kind] == [(False, max(data.performers))]
    result = stage.undo()
    assert ([missing.name for missing in result.destroyed], result.is_complete) == (["Ann"], True)
    assert performers(stage) == {old.id: "Ann"}


# --- an undo whose end is unknown ------------------------------------------------------------------------------------


def mutating(request: Request) -> bool:
    return b"mutation" in request.body


@pytest.mark.parametrize("write", [1, 2], ids=["a field", "an object"])
@pytest.mark.parametrize("arrives", [False, True])
def test_an_undo_whose_end_is_unknown_is_resolved_by_reading(stage: Stage, write: int, arrives: bool) -> None:
    id = stage.add(actor=["Ann"], genre=None, studio=None)
    before = stage.scene_json(id)
    assert stage.run(id, create=True).is_complete
    count = 0

    def nth(request: Request) -> bool:
        nonlocal count
        count += mutating(request)
        return mutating(request) and count == write

    stage.house.stash_sim.faults.set(Fault("reset_after" if arrives else "reset", when=nth, times=1))
    first = stage.undo()
    assert not first.is_complete
    assert any(row.is_open and row.taken_back for row in stage.rows() if bool(row.kind) is (write == 2))
    second = stage.undo()
    assert (second.still_open > 0) is not arrives
    stage.house.clock.move(LONGEST / 1000)
    third = stage.undo()
    assert (third.still_open, third.changed, third.kept, third.is_complete) == (0, [], [], True)
    assert all(row.is_taken_back for row in stage.rows())
    assert (stage.scene_json(id), performers(stage)) == (before, {})
    assert stage.undo() == type(third)(1)


def test_an_undo_goes_on_if_the_answer_to_one_deletion_is_lost(stage: Stage) -> None:
    id = stage.add(actor=["Ann", "Bo"], genre=None, studio=None)
    before = stage.scene_json(id)
    assert stage.run(id, create=True).is_complete
    stage.house.stash_sim.faults.set(Fault("reset_after", when=lambda request: b"Destroy" in request.body, times=1))
    first = stage.undo()
    assert (list(first.failed), [name.name for name in first.destroyed], first.error) == (["performer Bo"], ["Ann"], "")
    assert stage.undo().is_complete
    assert (stage.scene_json(id), performers(stage)) == (before, {})


# --- what is told of a plan ------------------------------------------------------------------------------------------


def test_a_scene_that_an_import_would_put_out_of_scope_is_left_out(tmp_path: Path) -> None:
    scope = Scope((Term("tag", "noir", leaves_out=True),))
    with Stage(tmp_path / "scoped", {"scope": scope}) as stage:
        stage.add_names()
        inside, outside = stage.add(0, genre=["Drama"]), stage.add(1)
        plans = {plan.id: plan.plan for plan in stage.plans(inside, outside)}
        assert [len(plans[id].fills) for id in (inside, outside)] == [7, 0]
        assert {left_out.reason for left_out in plans[outside].left_out} == {SYNC_WRITES}
        assert stage.run(inside, outside).scenes == [inside]


@pytest.mark.parametrize("are_named", [False, True])
def test_a_plan_tells_how_far_it_is_and_stops_when_asked(stage: Stage, monkeypatch, are_named: bool) -> None:
    monkeypatch.setattr(planner, "BATCH", 2)
    ids = [stage.add(n) for n in range(5)]
    told: list[tuple[int, int]] = []
    maker = stage.planner
    plans = maker.plans(
        ids if are_named else None,
        maker.changes.names(),
        create=False,
        progress=lambda done, total: told.append((done, total)),
    )
    assert [plan.id for plan in plans] == ids
    assert told == [(2, 5), (4, 5), (5, 5)]
    told.clear()
    stops = iter([False, True])
    some = maker.plans(ids if are_named else None, maker.changes.names(), create=False, stopping=lambda: next(stops))
    assert [plan.id for plan in some] == ids[:2]
