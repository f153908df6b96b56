"""What a person does in Stash while an import is at work stays; what is not the import's is never deleted by its undo."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from plexsync.rules.import_names import NameKind
from plexsync.rules.import_records import ChangeState
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
    assert [(row.state, row.object) for row in stage.rows() if row.kind] == [(ChangeState.DONE, max(data.performers))]
    result = stage.undo()
    assert ([missing.name for missing in result.destroyed], result.is_complete) == (["Ann"], True)
    assert performers(stage) == {old.id: "Ann"}
