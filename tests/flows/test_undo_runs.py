"""Undo of one run: what it wrote becomes what stood there before that run, and what others wrote stays."""

import pytest

from plexsync.engine.undo import UndoneRun, wish_undone
from plexsync.flows.scenes.undo import SceneUndo, redo_scenes, run_values
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.store.ledger import pushes
from tests.engine.house import House
from tests.engine.test_engine_crashes import kill_at
from tests.flows.test_undo import pictures, reconciled, undo

HOUR = 3_600


def write(house: House, id: int, **changes: object) -> int:
    """An edit in Stash, written an hour after the last one: a run of its own, whose number is returned."""
    house.clock.move(HOUR)
    house.edit(id, **changes)
    house.work()
    assert house.unsettled() == 0
    return runs(house)[0].first


def runs(house: House) -> list:
    with house.store.reading() as db:
        return db.runs.of(Kind.SCENE)


def run_of(house: House, number: int, *, and_later: bool = False) -> UndoneRun:
    (run,) = [run for run in runs(house) if run.first == number]
    return UndoneRun(run, and_later)


def undo_run(house: House, number: int, id: int, *, and_later: bool = False):
    flow = SceneUndo(house.worker.inspector, run_of(house, number, and_later=and_later))
    marked = wish_undone(house.store, flow, house.clock, [id], TakenBack.UNDO)
    house.clock.move(3)
    house.work()
    assert house.unsettled() == 0
    return marked


def left(house: House, number: int, id: int, *, and_later: bool = False) -> tuple[dict, tuple]:
    run = run_of(house, number, and_later=and_later)
    with house.store.reading() as db:
        (values,) = run_values(db, id, run).values()
    return dict(values.later), values.missing


def redo(house: House, id: int) -> None:
    redo_scenes(house.store, house.clock, [id])
    house.clock.move(3)
    house.work()


def item(house: House, id: int):
    return house.plex_sim.item(house.key_of(id))


def test_what_a_run_wrote_becomes_what_the_run_before_it_had_written(house: House) -> None:
    (id,) = house.add(1)
    house.plex_sim.hand_edit(house.key_of(id), genre=["Theirs"], locked=False)
    before = pictures(house)
    write(house, id)
    first = pictures(house)
    second = write(house, id, title="Second", details="Text", tags=["Tag 0", "New"], performers=["Ann"])
    assert undo_run(house, second, id).jobs == [id]
    assert pictures(house) == first
    writes = house.plex_sim.count("PUT")
    reconciled(house)
    undo_run(house, second, id)
    assert (pictures(house), house.plex_sim.count("PUT")) == (first, writes), "it rests so"
    redo(house, id)
    assert house.out_of_step([id]) == []
    assert item(house, id).scalars["summary"] == "Text"
    assert set(item(house, id).lists["genre"]) == {"Theirs", "Tag 0", "New"}
    undo(house, id)
    house.work()
    assert pictures(house) == before


def test_an_undo_of_all_after_that_of_a_run_leaves_what_was_there_before_plexsync(house: House) -> None:
    (id,) = house.add(1)
    before = pictures(house)
    write(house, id)
    undo_run(house, write(house, id, title="Second", tags=["New"], studio=None), id)
    assert item(house, id).scalars["title"] == "Title 0"
    undo(house, id)
    house.work()
    assert pictures(house) == before


def test_what_later_runs_wrote_on_top_is_named_and_left(house: House) -> None:
    (id,) = house.in_step(1)
    second = write(house, id, title="Second", details="Second")
    third = write(house, id, title="Third", date="2020-02-02")
    assert left(house, second, id) == ({"title": third}, ())
    undo_run(house, second, id)
    shown = item(house, id).scalars
    assert (shown["title"], shown.get("summary"), shown["originallyAvailableAt"]) == ("Third", None, "2020-02-02")
    assert left(house, second, id, and_later=True) == ({}, ())
    undo_run(house, second, id, and_later=True)
    assert item(house, id).scalars["title"] == "Title 0"
    assert item(house, id).scalars["originallyAvailableAt"] == "2020-02-02", "the second run did not write it"


def test_a_run_with_nothing_left_to_take_back_changes_nothing(house: House) -> None:
    (id,) = house.in_step(1)
    second = write(house, id, title="Second")
    write(house, id, title="Third")
    assert undo_run(house, second, id).untouched == [id]
    house.edit(id, details="More")
    house.work()
    assert item(house, id).scalars["summary"] == "More", "it is not undone"


def test_runs_are_taken_back_one_after_the_other_to_the_beginning(house: House) -> None:
    (id,) = house.add(1)
    shown, numbers = [pictures(house)], []
    for changes in (
        {},
        {"title": "B", "tags": ["x"]},
        {"title": "C", "tags": ["x", "y"]},
        {"title": "D", "tags": ["y"]},
    ):
        numbers.append(write(house, id, **changes))
        shown.append(pictures(house))
    for number, earlier in zip(reversed(numbers), reversed(shown[:-1]), strict=True):
        undo_run(house, number, id)
        assert pictures(house) == earlier


def test_what_a_person_set_between_two_runs_comes_back_and_is_the_persons_then(house: House) -> None:
    (id,) = house.in_step(1)
    house.plex_sim.hand_edit(house.key_of(id), title="By hand", genre=["Tag 0", "Hers"])
    second = write(house, id, title="Second", tags=["Tag 0", "New"])
    assert item(house, id).scalars["title"] == "Second"
    undo_run(house, second, id)
    assert (item(house, id).scalars["title"], set(item(house, id).lists["genre"])) == ("By hand", {"Tag 0", "Hers"})
    undo(house, id)
    house.work()
    assert item(house, id).scalars["title"] == "By hand"
    assert set(item(house, id).lists["genre"]) == {"Hers"}


def test_what_a_person_changed_after_the_run_stays(house: House) -> None:
    (id,) = house.in_step(1)
    second = write(house, id, title="Second", details="Second", tags=["Tag 0", "New"])
    house.plex_sim.hand_edit(house.key_of(id), title="By hand", genre=["Tag 0", "New", "Hers"])
    undo_run(house, second, id)
    shown = item(house, id)
    assert (shown.scalars["title"], shown.scalars.get("summary")) == ("By hand", None)
    assert set(shown.lists["genre"]) == {"Tag 0", "Hers"}


def test_a_value_that_is_not_kept_is_said_and_left_alone(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pushes, "LONGEST_TEXT", 10)
    (id,) = house.in_step(1)
    second = write(house, id, details="A long text of the second run", title="Second")
    third = write(house, id, details="And of the third run", title="Third")
    assert left(house, third, id) == ({}, ("summary",))
    undo_run(house, third, id)
    assert item(house, id).scalars["title"] == "Second"
    assert item(house, id).scalars["summary"] == "And of the third run"
    assert left(house, second, id, and_later=True) == ({}, ()), "it was empty before PlexSync"


def test_a_run_whose_older_writes_are_not_kept_any_more_is_left_alone(house: House, monkeypatch) -> None:
    (id,) = house.in_step(1)
    house.clock.move(HOUR)
    for turn in range(pushes.MOST_SAVED + 2):
        house.edit(id, title=f"Title of turn {turn}")
        house.work()
    last = runs(house)[0]
    assert left(house, last.first, id) == ({}, ("title",))
    assert undo_run(house, last.first, id).untouched == [id]


def test_a_poster_of_the_run_before_is_selected_again(house: House) -> None:
    house.replace_worker(holder="next", profile=Profile(frozenset(FIELDS), poster="cover"))
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, png(1, 2, 3))
    write(house, id)
    first = item(house, id).poster
    assert first
    house.stash_sim.set_cover(id, png(4, 5, 6))
    second = write(house, id, title="Second")
    assert item(house, id).poster not in ("", first)
    undo_run(house, second, id)
    assert (item(house, id).poster, item(house, id).scalars["title"]) == (first, "Title 0")


@pytest.mark.parametrize("method", ["scenes", "items", "edit"])
def test_a_kill_before_a_request_of_the_undo_of_a_run_ends_in_the_same(house: House, method: str) -> None:
    (id,) = house.in_step(1)
    first = pictures(house)
    second = write(house, id, title="Second", tags=["Tag 0", "New"])
    wish_undone(
        house.store, SceneUndo(house.worker.inspector, run_of(house, second)), house.clock, [id], TakenBack.UNDO
    )
    house.clock.move(3)
    kill_at(house, lambda asked, args: asked == method)
    house.work_until_settled()
    assert pictures(house) == first
    redo(house, id)
    assert house.out_of_step([id]) == []


def test_a_lost_answer_to_the_undo_of_a_run_ends_in_the_same(house: House) -> None:
    (id,) = house.in_step(1)
    first = pictures(house)
    second = write(house, id, title="Second", tags=["Tag 0", "New"])
    house.plex_sim.faults.set(Fault("reset_after", when=lambda request: request.method == "PUT", times=1))
    flow = SceneUndo(house.worker.inspector, run_of(house, second))
    wish_undone(house.store, flow, house.clock, [id], TakenBack.UNDO)
    house.clock.move(3)
    house.work_until_settled()
    assert pictures(house) == first
    redo(house, id)
    house.work_until_settled()
    assert house.out_of_step([id]) == []


def test_a_write_whose_answer_was_lost_is_one_of_a_run_too(house: House) -> None:
    (id,) = house.in_step(1)
    first = pictures(house)
    house.clock.move(HOUR)
    house.plex_sim.faults.set(Fault("reset_after", when=lambda request: request.method == "PUT", times=1))
    house.edit(id, title="Second", tags=["Tag 0", "New"])
    house.work_until_settled()
    assert house.out_of_step([id]) == []
    undo_run(house, runs(house)[0].first, id)
    assert pictures(house) == first
