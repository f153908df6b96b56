"""A library that asks PlexSync, over real HTTP in both directions: right at the first scan, and nothing is locked."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from random import Random

import pytest

from plexsync.app.provider import fill_answers
from plexsync.flows.provider.libraries import stop_asking
from plexsync.flows.scenes.undo import mark_all_undone, redo_scenes
from plexsync.plex.providers import ProviderClient
from plexsync.reports.explanation import inspection_facts
from plexsync.reports.item_places import ItemPlaces
from plexsync.rules.item import LISTS, PROVIDED
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.provider.documents import guid_of
from plexsync.rules.queue.job import State
from plexsync.rules.servers.scratch import Original
from plexsync.simulator.http import Fault
from plexsync.store.files.provider_secrets import renew_path
from plexsync.store.ledger.provider_memory import ProviderRow
from tests.engine.house import House, path_of
from tests.engine.pools import Inline
from tests.engine.test_engine_crashes import kill_at
from tests.flows.asking_library import IDENTIFIER, PATIENCE, AskingHouse, asking_house
from tests.flows.test_drift_decisions import KEEP, answer
from tests.flows.test_undo import undo
from tests.patience import HANG

LABELLED = {"tags": ["Tag 1", "Other"], "details": "What happens.", "date": "2024-05-17"}


@pytest.fixture
def house(tmp_path) -> Iterator[AskingHouse]:
    with asking_house(tmp_path / "data") as house:
        house.begin()
        yield house


def locks_of(house: AskingHouse, id: int) -> set[str]:
    """The locks on what Plex asks for."""
    return set(house.plex_sim.item(house.key_of(id)).locks & PROVIDED)


def test_a_new_file_is_right_after_its_scan_without_a_lock_and_without_an_edit(house) -> None:
    id = house.drop_in(1, **LABELLED)
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], item.scalars["studio"]) == ("Title 1", "Studio 1")
    assert (item.scalars["summary"], item.scalars["originallyAvailableAt"]) == ("What happens.", "2024-05-17")
    assert set(item.lists["genre"]) == {"Tag 1", "Other"}
    house.plex_sim.clear_log()
    house.sync(id)
    assert (house.row(id).state, locks_of(house, id), house.edits()) == (State.IDLE, set(), [])


def test_somebody_elses_file_with_the_name_of_a_scene_is_not_shown_as_that_scene(house) -> None:
    id = house.stash_sim.add_scene(title="Private", files=[("/private/phone/IMG_0001.mkv", 5000, 60.0)])
    house.sync(id)
    house.plex_sim.stage_movie(house.section, [("/media/IMG_0001.mkv", 777, 90_000)])
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.plex_sim.wait_for_asks(HANG)
    house.sync(id)
    (key,) = house.plex_sim.keys(house.section)
    assert house.plex_sim.item(key).scalars["title"] != "Private"
    assert not house.plex_sim.item(key).guid.startswith(IDENTIFIER)
    with house.store.reading() as db:
        assert db.answers.scenes(house.library) == set()


def test_an_item_at_another_path_than_in_stash_is_answered_once_it_was_found_by_name_and_size(house) -> None:
    id = house.stash_sim.add_scene(title="Film", files=[("/data/a/film.mkv", 5000, 60.0)])
    house.plex_sim.stage_movie(house.section, [("/media/a/film.mkv", 5000, 60_000)])
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.plex_sim.wait_for_asks(HANG)
    house.sync(id)
    (key,) = house.plex_sim.keys(house.section)
    assert (house.plex_sim.item(key).scalars["title"], house.plex_sim.item(key).locks & PROVIDED) == ("Film", set())
    assert [item["title"] for item in house.asked.match("a/film.mkv")] == ["Film"]


def scan_now(house: AskingHouse) -> None:
    """Plex finds a file that Stash does not know, and adds it now."""
    added = house.clock.now() // 1000
    house.plex_sim.stage_movie(house.section, [(path_of(1), 1001, 60_000)], addedAt=added)
    house.scan()


def test_an_item_that_plex_may_still_ask_for_is_left_alone(house) -> None:
    scan_now(house)
    id = house.add_scene(1, details="What happens.")
    house.want(id)
    house.work_for(300)
    key = house.key_of(id)
    assert (house.title_in_plex(id) != "Title 1", house.edits(), house.unsettled()) == (True, [], 1)
    # Plex asks at last, and has the answer as its own.
    with house.store.reading() as db:
        answer = db.answers.of([id])[house.library, id]
    ProviderClient(house.worker.plex.requests).match(key, guid_of(IDENTIFIER, answer.key), "Title 1")
    house.plex_sim.wait_for_asks(HANG)
    house.settle()
    assert (house.title_in_plex(id), house.plex_sim.item(key).locks & PROVIDED) == ("Title 1", set())
    assert not [edit for edit in house.edits() if "title" in edit]


def test_an_item_that_plex_does_not_ask_for_within_ten_minutes_is_written_without_a_lock(house) -> None:
    scan_now(house)
    id = house.add_scene(1)
    house.want(id)
    house.work_for(590)
    assert house.edits() == []
    house.work_for(60)
    assert (house.title_in_plex(id), locks_of(house, id)) == ("Title 1", set())
    # An edit of it is not put off again.
    house.edit(id, title="Better")
    house.work_for(5)
    assert house.title_in_plex(id) == "Better"


def test_a_library_with_the_agent_asks_before_its_last_step_is_done(tmp_path) -> None:
    with asking_house(tmp_path / "data") as house:
        row = ProviderRow(house.library, house.section, "Movies", IDENTIFIER, "adding", {"folders": ["/media"]})
        for steps, locked in ((row.steps, True), ({**row.steps, "switched": True}, False)):
            with house.store.writing() as tx:
                tx.providers.save(replace(row, steps=steps))
            (id,) = house.add(1, start=int(locked))
            house.sync(id)
            assert ("title" in house.plex_sim.item(house.key_of(id)).locks) == locked


def test_an_edit_in_stash_is_one_refresh_and_no_edit(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    house.plex_sim.clear_log()
    house.edit_and_settle(id, title="Better", tags=["Tag 1", "More"])
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], set(item.lists["genre"]), locks_of(house, id)) == (
        "Better",
        {"Tag 1", "More"},
        set(),
    )
    refreshes = [one.path for one in house.plex_sim.log if one.path.endswith("/refresh")]
    assert (len(refreshes), house.edits()) == (1, [])


def test_a_tag_that_goes_in_stash_goes_in_plex_although_plex_keeps_what_is_not_sent(house) -> None:
    id = house.drop_in(1, tags=["A", "B"])
    house.sync(id)
    house.edit_and_settle(id, tags=["B"])
    item = house.plex_sim.item(house.key_of(id))
    assert (item.lists["genre"], locks_of(house, id)) == (["B"], set())


def test_a_field_that_you_locked_is_yours(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    house.plex_sim.hand_edit(house.key_of(id), studio="Mine")
    house.sync(id)
    house.edit_and_settle(id, title="New")
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["studio"], item.scalars["title"]) == ("Mine", "New")
    assert locks_of(house, id) == {"studio"}


def test_what_you_add_later_to_a_list_that_is_empty_in_stash_stays(house) -> None:
    """As in a list that Stash fills: only what was there when the item was new is PlexSync's."""
    id = house.drop_in(1, tags=[])
    house.sync(id)
    house.plex_sim.hand_edit(house.key_of(id), locked=False, genre=["Mine"], collection=["Studio 1", "Favourites"])
    house.edit_and_settle(id, title="New")
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["title"], item.lists["genre"], item.lists["collection"][1:]) == (
        "New",
        ["Mine"],
        ["Favourites"],
    )


def test_what_plex_does_not_show_in_time_is_written_without_a_lock(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    # Plex has an address that is no longer answered.
    renew_path(house.folder, house.library)
    began = house.clock.now()
    house.edit_and_settle(id, title="Late")
    assert (house.title_in_plex(id), locks_of(house, id)) == ("Late", set())
    assert house.clock.now() - began >= PATIENCE * 1000


def test_a_library_of_before_loses_plexsyncs_locks_and_keeps_yours(tmp_path) -> None:
    with asking_house(tmp_path / "data") as house:
        one, two = house.in_step(2)
        house.plex_sim.hand_edit(house.key_of(two), studio="Mine")
        assert locks_of(house, one) >= {"title", "studio", "genre"}
        house.begin()
        house.settle()
        assert (locks_of(house, one), locks_of(house, two)) == (set(), {"studio"})
        assert house.out_of_step([one]) == []


def test_undone_items_show_what_was_there_before_and_plex_is_told_so(tmp_path) -> None:
    with asking_house(tmp_path / "data") as house:
        (id,) = house.in_step(1)
        house.begin()
        house.settle()
        undo(house, id)
        house.settle()
        assert house.title_in_plex(id) == "file 0"
        house.plex_sim.refresh_item(house.key_of(id))
        house.plex_sim.wait_for_asks(HANG)
        assert house.title_in_plex(id) == "file 0"
        assert locks_of(house, id) == set()


def test_out_of_scope_ignored_and_gone_scenes_are_found_by_no_match_and_keep_their_values(house) -> None:
    ignored, gone = house.drop_in(1), house.drop_in(2)
    house.sync(ignored, gone)
    with house.store.writing() as tx:
        tx.jobs.ignore("scene", ignored, now=house.clock.now())
    house.stash_sim.destroy_scene(gone)
    house.sync(gone)
    for n, id in ((1, ignored), (2, gone)):
        assert house.asked.match(f"scene {n:05}.mp4") == []
        with house.store.reading() as db:
            answer = db.answers.of([id])[house.library, id]
        (document,) = house.asked.get(f"/library/metadata/{answer.key}").json()["MediaContainer"]["Metadata"]
        assert document["title"] == f"Title {n}"


@pytest.mark.parametrize("is_known_first", [True, False], ids=["after the old one went", "before that is known"])
def test_a_scene_that_was_made_anew_is_found_by_its_file_and_told_for_the_key_of_the_old_one(
    house, is_known_first: bool
) -> None:
    old = house.drop_in(1)
    house.sync(old)
    house.stash_sim.destroy_scene(old)
    new = house.add_scene(1, title="Anew")
    for id in (old, new) if is_known_first else (new, old):
        house.sync(id)
    assert [match["title"] for match in house.asked.match("scene 00001.mp4")] == ["Anew"]
    (key,) = house.plex_sim.keys(house.section)
    house.plex_sim.refresh_item(key)
    house.plex_sim.wait_for_asks(HANG)
    assert house.plex_sim.item(key).scalars["title"] == "Anew"


def test_an_undone_scene_whose_item_is_being_probed_is_told_as_undone(house) -> None:
    id = house.drop_in(1, details="Told.")
    house.sync(id)
    undo(house, id)
    house.settle()
    key = house.key_of(id)
    with house.store.writing() as tx:
        tx.probes.begin_probe(Original("m", key, house.section, (), {}, (), 0, None, (), (), ""))
    house.want(id)
    house.clock.move(3)
    house.work()
    house.plex_sim.refresh_item(key)
    house.plex_sim.wait_for_asks(HANG)
    item = house.plex_sim.item(key)
    assert (item.scalars.get("summary", ""), item.lists["genre"]) == ("", [])


def test_a_file_that_stash_does_not_know_yet_is_pushed_without_a_lock_once_it_does(house) -> None:
    house.scan(7)
    (key,) = house.plex_sim.keys(house.section)
    assert house.plex_sim.item(key).scalars["title"] == "scene 00007"
    id = house.add_scene(7)
    began = house.clock.now()
    house.sync(id)
    assert (house.title_in_plex(id), locks_of(house, id)) == ("Title 7", set())
    assert house.clock.now() - began < PATIENCE * 1000
    assert not house.plex_sim.item(key).guid.startswith(IDENTIFIER)


def test_such_a_file_is_matched_instead_if_you_want_that(tmp_path) -> None:
    with asking_house(tmp_path / "data", provider_match=True) as house:
        house.begin()
        house.scan(7)
        id = house.add_scene(7)
        house.sync(id)
        item = house.plex_sim.item(house.key_of(id))
        assert (item.scalars["title"], locks_of(house, id), house.edits()) == ("Title 7", set(), [])
        assert item.guid.startswith(f"{IDENTIFIER}://movie/")


def test_three_hundred_files_at_once_are_right_and_cost_no_write(house) -> None:
    ids = [house.add_scene(n) for n in range(300)]
    house.want(*ids)
    house.work()
    house.scan(*range(300))
    assert house.out_of_step(ids) == []
    house.plex_sim.clear_log()
    house.sync(*ids)
    assert house.edits() == []
    assert not any(locks_of(house, id) for id in ids[::37])
    assert set(map(path_of, range(300))) == {
        path for key in house.plex_sim.keys(house.section) for path, *_ in house.plex_sim.item(key).files
    }


def test_an_undo_and_its_redo_change_what_plex_is_told(house) -> None:
    id = house.drop_in(1, details="Told.")
    house.sync(id)
    undo(house, id)
    house.settle()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars.get("summary", ""), item.lists["genre"], locks_of(house, id)) == ("", [], set())
    assert_lasts(house, id)
    redo_scenes(house.store, house.clock, [id])
    house.settle()
    item = house.plex_sim.item(house.key_of(id))
    assert (item.scalars["summary"], item.lists["genre"], locks_of(house, id)) == ("Told.", ["Tag 1"], set())
    assert_lasts(house, id)


def test_a_worker_that_dies_after_it_told_plex_leaves_nothing_to_write(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    house.plex_sim.clear_log()
    house.edit(id, title="New")
    reads = count(1)
    kill_at(house, lambda method, _args: method == "items" and next(reads) == 2)
    house.settle()
    assert (house.title_in_plex(id), locks_of(house, id), house.edits()) == ("New", set(), [])


def test_a_value_of_plex_that_you_keep_is_what_plex_is_told(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    house.plex_sim.hand_edit(house.key_of(id), studio="Mine")
    house.sync(id)
    assert answer(house, KEEP, id).fields == 1
    house.sync(id)
    with house.store.reading() as db:
        assert db.answers.of([id])[house.library, id].values["studio"] == "Mine"


def test_files_that_were_scanned_while_nobody_answered_are_written_without_a_lock(house) -> None:
    ids = [house.add_scene(n) for n in range(5)]
    # Plex has an address that is no longer answered.
    renew_path(house.folder, house.library)
    house.scan(*range(5))
    assert not any(str(house.title_in_plex(id)).startswith("Title") for id in ids)
    house.sync(*ids)
    assert (house.out_of_step(ids), [locks_of(house, id) for id in ids]) == ([], [set()] * 5)


def test_plex_restarts_while_it_asks_and_stash_is_down_and_all_is_right_afterwards(house) -> None:
    ids = [house.add_scene(n) for n in range(30)]
    house.want(*ids)
    house.work()
    for n in range(30):
        house.plex_sim.stage_movie(house.section, [(path_of(n), 1000 + n, 60_000)])
    house.plex_sim.scan(house.section)
    house.stash_sim.faults.set(Fault("status", status=503, times=5))
    house.plex_sim.finish_scan(house.section)
    house.plex_sim.restart()
    house.replace_worker()
    house.scan()
    house.sync(*ids)
    assert (house.out_of_step(ids), [locks_of(house, id) for id in ids]) == ([], [set()] * 30)


def test_a_library_beside_it_that_does_not_ask_is_written_and_locked(house) -> None:
    other = house.plex_sim.add_section("Other", locations=("/other",))
    key = house.plex_sim.add_movie(other, [("/other/a.mp4", 5, 60_000)])
    id = house.stash_sim.add_scene(title="Beside", studio="S", files=[("/other/a.mp4", 5, 60.0)])
    house.sync(id)
    item = house.plex_sim.item(key)
    assert (item.scalars["title"], {"title", "studio"} <= item.locks) == ("Beside", True)
    with house.store.reading() as db:
        assert not any(answer.matched for answer in db.answers.of([id]).values())


def beside(house: AskingHouse) -> tuple[str, int]:
    """The key of another library, and a scene whose item is there."""
    other = house.plex_sim.add_section("Other", locations=("/other",))
    house.plex_sim.add_movie(other, [("/other/a.mp4", 5, 60_000)])
    return other, house.stash_sim.add_scene(title="Beside", studio="S", files=[("/other/a.mp4", 5, 60.0)])


def test_a_library_that_begins_or_ends_to_ask_has_no_scene_of_another_one_inspected(tmp_path) -> None:
    """What changed settings would write there may wait for a yes."""
    with asking_house(tmp_path / "data") as house:
        (mine,) = house.in_step(1)
        _, id = beside(house)
        house.sync(id)
        house.begin()
        assert (house.row(mine).state, house.row(id).state) == (State.READY, State.IDLE)
        house.settle()
        with house.store.writing() as tx:
            (row,) = tx.providers.all()
            stop_asking(tx, row, now=house.clock.now())
        assert (house.row(mine).state, house.row(id).state) == (State.READY, State.IDLE)


def test_a_library_that_is_added_changes_nothing_of_what_another_one_is_told(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    section, _ = beside(house)
    uuid = next(one.uuid for one in house.worker.plex.sections() if one.key == section)
    house.stash_sim.edit_scene(id, title="Waits for a yes")
    with house.store.writing() as tx:
        tx.providers.save(ProviderRow(uuid, section, "Other", f"{IDENTIFIER}.other", "adding", {"folders": ["/other"]}))
    renew_path(house.folder, uuid)
    fill_answers(house.worker.parts, house.folder, uuid)
    with house.store.reading() as db:
        told = {answer.library: answer.values["title"] for answer in db.answers.of([id, id + 1]).values()}
    assert told == {house.library: "Title 1", uuid: "Beside"}


def test_a_library_with_the_key_of_one_that_asked_and_is_gone_is_written_and_locked(tmp_path) -> None:
    with asking_house(tmp_path / "data") as house:
        (id,) = house.add(1)
        house.plex_sim.hand_edit(house.key_of(id), genre=["Theirs"], locked=False)
        with house.store.writing() as tx:
            tx.providers.save(ProviderRow("gone", house.section, "Movies", IDENTIFIER, "on", {"folders": ["/media"]}))
        house.sync(id)
        item = house.plex_sim.item(house.key_of(id))
        assert (set(item.lists["genre"]), {"title", "genre"} <= item.locks) == ({"Theirs", "Tag 0"}, True)


def test_a_scene_that_you_dropped_keeps_its_item_when_the_library_begins_to_ask(tmp_path) -> None:
    with asking_house(tmp_path / "data") as house:
        (id,) = house.add(1)
        house.want(id)
        mark_all_undone(house.worker.inspector, TakenBack.UNDO)
        house.begin()
        house.settle()
        house.plex_sim.refresh_item(house.key_of(id))
        house.plex_sim.wait_for_asks(HANG)
        assert (house.title_in_plex(id), house.row(id).state) == ("file 0", State.DROPPED)


def test_an_explanation_says_which_fields_plex_asks_for(house) -> None:
    id = house.drop_in(1)
    house.sync(id)
    assert actions(house, id)["title"] == "nothing (Plex asks for it)"
    house.stash_sim.edit_scene(id, title="New", tags=[])
    told = actions(house, id)
    assert (told["title"], told["genre"]) == ("tell Plex to ask for it", "remove Tag 1")


def test_two_hundred_scenes_of_chance_have_the_same_values_by_asking_and_by_writing(house, tmp_path) -> None:
    rng = Random(200)
    drawn = [drawn_scene(rng) for _ in range(200)]
    ids = [house.add_scene(n, **scene) for n, scene in enumerate(drawn)]
    house.want(*ids)
    house.work()
    house.scan(*range(200))
    with House(tmp_path / "writing", pool=Inline()) as other:
        written = [other.add_scene(n, **scene) for n, scene in enumerate(drawn)]
        for n in range(200):
            other.plex_sim.add_movie(other.section, [(path_of(n), 1000 + n, 60_000)])
        other.want(*written)
        other.work_until_settled()
        for here, there in zip(ids, written, strict=True):
            assert shown(house, here) == shown(other, there)


def test_lives_of_chance_end_with_stashs_values_your_locks_and_no_others(tmp_path) -> None:
    for seed in range(8):
        with asking_house(tmp_path / f"life {seed}") as house:
            live(house, Random(seed))


# --- the parts of these tests -----------------------------------------------------------------------------------------


def assert_lasts(house: AskingHouse, id: int) -> None:
    """What the item shows is what Plex is told when it asks again."""
    before = shown(house, id)
    house.plex_sim.refresh_item(house.key_of(id))
    house.plex_sim.wait_for_asks(HANG)
    assert shown(house, id) == before


def actions(house: AskingHouse, id: int) -> dict[str, str]:
    """What would be done about each field of the item."""
    (inspection,) = house.worker.glances.look([id])
    (target,) = inspection_facts(inspection, None, ItemPlaces())["targets"]
    return {field["field"]: field["action"] for field in target["fields"]}


def shown(house: House, id: int) -> dict[str, object]:
    """What the item shows in the fields that Plex asks for; lists in any order."""
    item = house.plex_sim.item(house.key_of(id))
    texts = {name: item.scalars.get(name, "") for name in sorted(PROVIDED) if name not in LISTS}
    return {**texts, **{name: sorted(item.lists[name]) for name in LISTS if name in PROVIDED}}


def drawn_scene(rng: Random) -> dict[str, object]:
    """A scene with texts of all kinds."""
    words = ("Über", "a, b", "<b>", "日本", "  wide ", "e\u0301", "long " * 30, "O'Neil", "100 %", "#&?", "")
    return {
        "title": f"{rng.choice(words)} {rng.randint(1, 99)}",
        "details": rng.choice((*words, "two\n\nparts")),
        "date": rng.choice(("2024-02-29", "2023", "2021-01-01")),
        "studio": rng.choice(("Studio", "Stúdio, Ltd.", "")),
        "director": rng.choice(("", "Ann Lee", "Ann Lee, Bo")),
        "tags": rng.sample(("One", "Two, three", "Ünı", "x/y", "Four"), rng.randint(0, 3)),
        "performers": rng.sample(("Ann", "Bo, Jr.", "Çé", "Dee"), rng.randint(0, 3)),
    }


def live(house: AskingHouse, rng: Random) -> None:
    """A library that begins to ask at some moment; then edits on both sides, questions of Plex, and restarts."""
    ids = house.in_step(3)
    house.begin()
    mine: dict[int, str] = {}
    for n in range(3, 20):
        id = rng.choice(ids)
        match rng.randrange(7):
            case 0:
                ids.append(house.drop_in(n))
            case 1 | 2:
                house.edit(id, **{**drawn_scene(rng), "studio": f"Studio {rng.randint(1, 5)}"})
                house.work()
            case 3:
                mine[id] = f"Mine {n}"
                house.plex_sim.hand_edit(house.key_of(id), originalTitle=mine[id])
            case 4:
                house.plex_sim.refresh_item(house.key_of(id))
                house.plex_sim.wait_for_asks(HANG)
            case 5:
                house.replace_worker()
            case 6:
                house.plex_sim.hand_edit(house.key_of(id), locked=False, summary="by a hand without a lock")
    house.sync(*ids)
    for id in ids:
        scene, item = house.stash_sim.scene(id), house.plex_sim.item(house.key_of(id))
        assert item.scalars["title"] == " ".join(scene.title.split())
        assert (item.scalars["studio"], set(item.lists["genre"])) == (scene.studio, set(scene.tags))
        assert item.scalars.get("originalTitle", "") == mine.get(id, "")
        assert locks_of(house, id) == ({"originalTitle"} if id in mine else set())
        assert_lasts(house, id)
