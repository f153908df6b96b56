"""The names of collections that scenes carry: titles of known collections, renames in Plex, and too few scenes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.collection_names import RenamedCollection, save_counts, save_renames
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.rules.collections.collections import (
    TEMPLATE_NAMES,
    CollectionObject,
    CollectionRow,
    Dressing,
    KnownCollection,
    Source,
)
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Unavailable
from plexsync.rules.words.text import fold
from plexsync.simulator.http import Fault
from tests.engine.house import House, path_of
from tests.engine.pools import Inline

NAMED = Dressing(parts=frozenset({"name"}))


def profile(dressing: Dressing = NAMED, **more: object) -> Profile:
    return Profile(frozenset(FIELDS), dressing=dressing, **more)


@contextmanager
def named_house(folder: Path, dressing: Dressing = NAMED, **rules: object) -> Iterator[House]:
    with House(folder / "data", profile=profile(dressing), pool=Inline(), **rules) as house:
        yield house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A house in which scenes carry the titles of collections."""
    with named_house(tmp_path) as made:
        yield made


def begin(house: House, *scenes: Mapping[str, object]) -> list[int]:
    """Scenes with these values and their items, in step."""
    ids = []
    for n, values in enumerate(scenes):
        ids.append(house.add_scene(n, **values))
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}")
    sync(house, *ids)
    return ids


def sync(house: House, *ids: int) -> None:
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()


def know(house: House, title: str, source: Source = "studio", *, section: str = "", **more: object) -> KnownCollection:
    """The flow of collections has found the collection of the object with this name."""
    section = section or house.section
    objects = {"studio": house.stash_sim.data.studios, "group": house.stash_sim.data.groups}[source]
    (id,) = [one.id for one in objects.values() if fold(one.name) == fold(title)]
    object = CollectionObject(source, id)
    with house.store.writing() as tx:
        library = next(row.uuid for row in tx.sections.all() if row.key == section)
        made = tx.collections.ensure([KnownCollection(0, object, library, section, title)])
        (row,) = [row for row in made[object] if row.section == section]
        item = house.plex_sim.collection_keys(section)[title]
        tx.collections.save(replace(tx.collections.of([row.id])[row.id], **{"item": item, "owner": "ours", **more}))
        return tx.collections.of([row.id])[row.id]


def known(house: House) -> dict[int, CollectionRow]:
    with house.store.reading() as db:
        return {row.id: row for row in db.collections.page(after=0, limit=99)}


def rename_in_plex(house: House, old: str, new: str, *, section: str = "") -> None:
    """A person gives a collection another title in Plex, with a client of the person's own."""
    section = section or house.section
    key = house.plex_sim.collection_keys(section)[old]
    house.worker.plex.collections.edit_collection(section, key, {"title": Change(new, lock=True)}, "item")
    house.clock.move(60)
    house.forget_requests()


def in_plex(house: House, id: int) -> tuple[str, ...]:
    """The collections of a scene's item."""
    return tuple(house.plex_sim.item(house.key_of(id)).lists["collection"])


def added(house: House, id: int) -> dict[str, str]:
    """The names of collections that PlexSync has added to a scene's item, as it remembers."""
    with house.store.reading() as db:
        return dict(db.memories.of([id])[id, house.key_of(id)]["collection"].ours)


def writes(house: House) -> list[str]:
    return [f"{request.method} {request.path}" for request in house.plex_sim.log if request.method != "GET"]


def reads_of(house: House, *rows: KnownCollection) -> int:
    """How often Plex was asked for these collections."""
    keys = {row.item for row in rows}
    paths = [request.path.rsplit("/", 1)[-1].split(",") for request in house.plex_sim.log if request.method == "GET"]
    return sum(bool(keys & set(asked)) for asked in paths)


# --- the name that a scene carries -----------------------------------------------------------------------------------


def test_a_studio_renamed_in_stash_leaves_its_scenes_in_the_collection_until_that_is_renamed(house):
    first, second = begin(house, {"studio": "Blue"}, {"studio": "Blue"})
    row = know(house, "Blue")
    house.stash_sim.rename_studio("Blue", "Green")
    sync(house, first)
    assert house.plex_sim.item(house.key_of(first)).scalars["studio"] == "Green"
    assert in_plex(house, first) == in_plex(house, second) == ("Blue",)

    rename_in_plex(house, "Blue", "Green")
    with house.store.writing() as tx:
        save_renames(tx, [RenamedCollection(row, "Green")])
    house.want(first, second)
    house.work_until_settled()
    assert in_plex(house, first) == in_plex(house, second) == ("Green",)
    assert added(house, first) == added(house, second) == {"Green": "Green"}
    assert house.plex_sim.collection_keys(house.section) == {"Green": row.item}


def test_a_new_scene_of_a_collection_with_another_title_gets_that_title(house):
    begin(house, {"studio": "Blue"})
    row = know(house, "Blue")
    rename_in_plex(house, "Blue", "Best of Blue")
    with house.store.writing() as tx:
        save_renames(tx, [RenamedCollection(row, "Best of Blue")])
    (id,) = house.add(1, start=5)
    house.stash_sim.edit_scene(id, studio="Blue")
    house.worker.indexer.freshen(force=True)
    sync(house, id)
    assert in_plex(house, id) == ("Best of Blue",)


@pytest.mark.parametrize("state", [{"owner": "foreign"}, {"item": ""}], ids=["foreign", "not found"])
def test_a_collection_that_is_not_ours_or_not_found_has_no_say(house, state):
    (id,) = begin(house, {"studio": "Blue"})
    know(house, "Blue", **state)
    house.stash_sim.rename_studio("Blue", "Green")
    sync(house, id)
    assert in_plex(house, id) == ("Green",)


def test_while_names_are_left_to_plex_scenes_move_by_their_names(tmp_path):
    with named_house(tmp_path, Dressing(parts=frozenset({"summary"}))) as house:
        (id,) = begin(house, {"studio": "Blue"})
        know(house, "Blue")
        house.stash_sim.rename_studio("Blue", "Green")
        sync(house, id)
        assert in_plex(house, id) == ("Green",)


def test_performers_ratings_and_organized_scenes_have_collections_by_their_templates(tmp_path):
    texts = {"performer": "{name}[ ({disambiguation})]", "rating": "{stars} stars", "organized": "Sorted"}
    dressing = Dressing(names={source: template.parse_template(text, TEMPLATE_NAMES) for source, text in texts.items()})
    rules = profile(dressing, collections=frozenset({"performers", "rating", "organized"}))
    with House(tmp_path / "data", profile=rules, people=True) as house:
        (id,) = begin(house, {"performers": ["Ann", "Bo"], "rating100": 85, "organized": True})
        assert in_plex(house, id) == ("Ann", "Bo", "4.5 stars", "Sorted")
        house.stash_sim.edit_object("performer", "Ann", disambiguation="the painter")
        house.edit(id, rating100=40, organized=False)
        house.work_until_settled()
        assert set(in_plex(house, id)) == {"Ann (the painter)", "Bo", "2 stars"}


# --- renames in Plex -------------------------------------------------------------------------------------------------


def test_a_collection_renamed_by_a_person_keeps_its_scenes_and_they_stay_ours(house):
    first, second = begin(house, {"studio": "Blue"}, {"studio": "Blue"})
    row = know(house, "Blue")
    rename_in_plex(house, "Blue", "Best of Blue")
    house.want(first)
    house.work_until_settled()
    assert (writes(house), reads_of(house, row)) == ([], 1)
    assert known(house)[row.id].name == "Best of Blue"
    assert added(house, first) == added(house, second) == {"Best of Blue": "Best of Blue"}

    house.forget_requests()
    house.want(first, second)
    house.work_until_settled()
    assert (writes(house), reads_of(house, row)) == ([], 0)

    house.edit(first, studio=None)
    house.work_until_settled()
    assert (in_plex(house, first), in_plex(house, second)) == ((), ("Best of Blue",))


def test_a_rename_of_ours_whose_answer_was_lost_is_noticed_by_the_scenes(house):
    (id,) = begin(house, {"studio": "Blue"})
    row = know(house, "Blue")
    house.stash_sim.rename_studio("Blue", "Green")
    house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda request: request.method == "PUT"))
    with pytest.raises(Unavailable):
        house.worker.plex.collections.edit_collection(
            house.section, row.item, {"title": Change("Green", lock=True)}, "item"
        )
    house.clock.move(60)
    sync(house, id)
    assert (in_plex(house, id), added(house, id)) == (("Green",), {"Green": "Green"})
    assert known(house)[row.id].name == "Green"


def test_two_collections_that_swap_their_titles_swap_them_for_their_scenes(house):
    blue, green = begin(house, {"studio": "Blue"}, {"studio": "Green"})
    rows = know(house, "Blue"), know(house, "Green")
    for old, new in (("Blue", "x"), ("Green", "Blue"), ("x", "Green")):
        rename_in_plex(house, old, new)
    house.want(blue, green)
    house.work_until_settled()
    assert (in_plex(house, blue), in_plex(house, green)) == (("Green",), ("Blue",))
    assert (added(house, blue), added(house, green)) == ({"Green": "Green"}, {"Blue": "Blue"})
    assert [known(house)[row.id].name for row in rows] == ["Green", "Blue"]
    assert writes(house) == []


def test_an_item_taken_out_of_a_collection_by_a_person_stays_out_for_one_request(house):
    first, second = begin(house, {"studio": "Blue"}, {"studio": "Blue"})
    row = know(house, "Blue")
    house.plex_sim.hand_edit(house.key_of(first), collection=[])
    house.clock.move(60)
    for reads in (1, 0):
        house.forget_requests()
        house.want(first)
        house.work_until_settled()
        assert (writes(house), reads_of(house, row)) == ([], reads)
    assert (in_plex(house, first), in_plex(house, second)) == ((), ("Blue",))


def test_a_collection_that_is_gone_was_not_renamed(house):
    (id,) = begin(house, {"studio": "Blue"})
    row = know(house, "Blue")
    house.plex_sim.hand_edit(house.key_of(id), collection=[])
    assert house.plex_sim.collection_keys(house.section) == {}
    house.clock.move(60)
    sync(house, id)
    assert (in_plex(house, id), known(house)[row.id].name) == ((), "Blue")


def test_a_collection_of_the_same_name_in_another_library_keeps_its_name(house):
    clips = house.plex_sim.add_section("Clips", locations=("/clips",))
    id = house.add_scene(0, studio="Blue")
    keys = [
        house.plex_sim.add_movie(section, files=[(path, 1000, 60_000)], title="file")
        for section, path in ((house.section, path_of(0)), (clips, path_of(0)))
    ]
    sync(house, id)
    movies, others = know(house, "Blue"), know(house, "Blue", section=clips)
    assert movies.item != others.item
    rename_in_plex(house, "Blue", "Blue clips", section=clips)
    house.want(id)
    house.work_until_settled()
    shown = [tuple(house.plex_sim.item(key).lists["collection"]) for key in keys]
    assert (shown, writes(house)) == ([("Blue",), ("Blue clips",)], [])
    assert [known(house)[row.id].name for row in (movies, others)] == ["Blue", "Blue clips"]
    with house.store.reading() as db:
        memories = db.memories.of([id])
    assert [dict(memories[id, key]["collection"].ours) for key in keys] == [
        {"Blue": "Blue"},
        {"Blue clips": "Blue clips"},
    ]


def test_a_comparison_notices_a_rename_once_and_queues_nothing(house):
    first, _ = begin(house, {"studio": "Blue"}, {"studio": "Blue"})
    row = know(house, "Blue")
    rename_in_plex(house, "Blue", "Best of Blue")
    for reads in (1, 0):
        house.forget_requests()
        house.worker.reconciler.reconcile()
        assert (reads_of(house, row), house.row(first).state) == (reads, State.IDLE)
    assert known(house)[row.id].name == "Best of Blue"


@pytest.mark.parametrize("by_flow", [False, True], ids=["noticed", "by the flow of collections"])
def test_a_push_whose_answer_was_lost_is_known_under_the_new_name(house, by_flow):
    (id,) = begin(house, {"studio": ""})
    begin_another(house, "Blue")
    row = know(house, "Blue")
    house.stash_sim.edit_scene(id, studio="Blue")
    house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda request: request.method == "PUT"))
    house.want(id)
    house.clock.move(2)
    house.step()
    assert house.rows("select count(*) from pushing") == [(1,)]
    assert in_plex(house, id) == ("Blue",)
    rename_in_plex(house, "Blue", "Best of Blue")
    if by_flow:
        with house.store.writing() as tx:
            save_renames(tx, [RenamedCollection(row, "Best of Blue")])
    sync(house, id)
    assert (in_plex(house, id), added(house, id)) == (("Best of Blue",), {"Best of Blue": "Best of Blue"})
    assert known(house)[row.id].name == "Best of Blue"
    house.edit(id, studio=None)
    house.work_until_settled()
    assert in_plex(house, id) == ()


def begin_another(house: House, studio: str) -> int:
    (id,) = house.add(1, start=7)
    house.stash_sim.edit_scene(id, studio=studio)
    house.worker.indexer.freshen(force=True)
    sync(house, id)
    return id


def test_a_scene_that_was_undone_stays_so_whatever_its_collection_is_called(house):
    first, second = begin(house, {"studio": "Blue"}, {"studio": "Blue"})
    row = know(house, "Blue")
    worker = house.worker
    wish_undone(house.store, SceneUndo(worker.inspector), house.clock, [first], "undo")
    house.clock.move(3)
    house.work()
    assert (in_plex(house, first), in_plex(house, second)) == ((), ("Blue",))
    rename_in_plex(house, "Blue", "Best of Blue")
    sync(house, first, second)
    assert known(house)[row.id].name == "Best of Blue"
    assert (in_plex(house, first), in_plex(house, second)) == ((), ("Best of Blue",))
    with house.store.reading() as db:
        assert db.memories.marks() == {first: "undo"}


def test_scenes_in_step_cost_no_request_more_and_one_transaction_a_batch(tmp_path):
    costs = []
    for number, dressing in enumerate((Dressing(), NAMED)):
        (folder := tmp_path / str(number)).mkdir()
        with named_house(folder, dressing) as house:
            ids = begin(house, *[{"studio": f"Studio {n % 3}"} for n in range(30)])
            for n in range(3):
                know(house, f"Studio {n}")
            before = house.store.cost()
            house.want(*ids)
            house.work()
            after = house.store.cost()
            requests = len(house.plex_sim.log), len(house.stash_sim.log)
            costs.append((requests, after[0] - before[0], after[1] - before[1]))
    (plain, statements, transactions), (named, more_statements, more_transactions) = costs
    assert named == plain
    # The engine asks the flows in turn, so the scenes may be the first or the last of them.
    assert more_statements - statements <= 4
    assert more_transactions - transactions == 1


@pytest.mark.parametrize("seed", range(4))
def test_whoever_renames_whatever_in_any_order_no_collection_loses_a_scene_or_its_key(house, seed):
    rng = Random(seed)
    studios = ["Blue", "Green", "Red"]
    # The first three stay where they are, so that no collection gets empty.
    ids = begin(house, *[{"studio": studios[n % 3]} for n in range(9)])
    rows = {title: know(house, title) for title in studios}
    keys, names = {row.id: row.item for row in rows.values()}, {studio: studio for studio in studios}
    member = {id: studios[n % 3] for n, id in enumerate(ids)}
    for number in range(25):
        studio, id = rng.choice(studios), rng.choice(ids)
        title = {key: title for title, key in house.plex_sim.collection_keys(house.section).items()}[rows[studio].item]
        match rng.choice(["person", "stash", "flow", "move", "work", "work"]):
            case "person":
                rename_in_plex(house, title, f"By hand {number}")
            case "stash":
                house.stash_sim.rename_studio(names[studio], f"Studio {number}")
                names[studio] = f"Studio {number}"
            case "flow" if title != names[studio]:
                rename_in_plex(house, title, names[studio])
                if rng.random() < 0.7:
                    with house.store.writing() as tx:
                        save_renames(tx, [RenamedCollection(rows[studio], names[studio])])
            case "move" if id not in ids[:3]:
                member[id] = studio
                house.stash_sim.edit_scene(id, studio=names[studio])
            case _:
                sync(house, *rng.sample(ids, 3))
        assert set(house.plex_sim.collection_keys(house.section).values()) == set(keys.values()), f"step {number}"
    sync(house, *ids)
    titles = {key: title for title, key in house.plex_sim.collection_keys(house.section).items()}
    assert {id: row.name for id, row in known(house).items()} == {id: titles[key] for id, key in keys.items()}
    assert {id: in_plex(house, id) for id in ids} == {id: (titles[rows[member[id]].item],) for id in ids}
    assert {id: added(house, id) for id in ids} == {id: {name: name for name in in_plex(house, id)} for id in ids}
    house.want(*ids)
    house.work_until_settled()
    assert writes(house) == []


# --- too few scenes --------------------------------------------------------------------------------------------------


@pytest.fixture
def few(tmp_path: Path) -> Iterator[House]:
    """A house in which a collection needs two scenes."""
    with named_house(tmp_path, Dressing(minimum=2)) as made:
        yield made


def asked_objects(house: House) -> int:
    """How many requests for objects of collections Stash got."""
    return sum(b"query Sources" in request.body for request in house.stash_sim.log)


def test_an_object_gets_its_collection_with_enough_scenes(few):
    first, other = begin(few, {"studio": "Blue"}, {"studio": "Green"})
    assert (in_plex(few, first), in_plex(few, other)) == ((), ())
    assert {row.name: row.scenes for row in known(few).values()} == {"Blue": 1, "Green": 1}

    second = few.add_scene(5, studio="Blue")
    few.plex_sim.add_movie(few.section, files=[(path_of(5), 1005, 60_000)], title="file 5")
    few.worker.indexer.freshen(force=True)
    few.want(second)
    few.work_until_settled()
    assert (in_plex(few, second), in_plex(few, first), in_plex(few, other)) == (("Blue",), ("Blue",), ())
    assert {row.name: row.scenes for row in known(few).values()} == {"Blue": 2, "Green": 1}


def test_objects_with_enough_scenes_are_not_counted_again(few):
    ids = begin(few, {"studio": "Blue"}, {"studio": "Blue"}, {"studio": "Green"})
    few.want(*ids[:2])
    few.work_until_settled()
    assert asked_objects(few) == 0
    few.want(*ids)
    few.clock.move(60)
    few.work_until_settled()
    assert asked_objects(few) == 1


def test_an_object_that_cannot_be_counted_has_its_collection_until_it_can(few):
    few.stash_sim.faults.set(Fault("status", status=500, when=lambda request: b"query Sources" in request.body))
    (id,) = begin(few, {"studio": "Blue"})
    assert in_plex(few, id) == ("Blue",)
    few.stash_sim.faults.clear()
    sync(few, id)
    assert in_plex(few, id) == ()


def test_an_object_that_a_scene_shows_no_more_loses_its_collection_with_too_few_scenes(few):
    first, second, third = begin(few, {"studio": "Blue"}, {"studio": "Blue"}, {"studio": "Blue"})
    few.edit(third, studio=None)
    few.work_until_settled()
    assert (asked_objects(few), in_plex(few, first), in_plex(few, third)) == (1, ("Blue",), ())
    few.edit(second, studio=None)
    few.work_until_settled()
    assert (asked_objects(few), in_plex(few, first), in_plex(few, second)) == (3, (), ())
    assert few.plex_sim.collection_keys(few.section) == {}


def test_an_object_that_a_comparison_finds_with_too_few_scenes_loses_its_collection(few):
    first, second = begin(few, {"studio": "Blue"}, {"studio": "Blue"})
    few.stash_sim.destroy_scene(second)
    (row,) = known(few).values()
    with few.store.writing() as tx:
        queued = save_counts(tx, {row.id: 1}, {few.section: profile(Dressing(minimum=2))}, now=few.clock.now())
    assert queued == 2
    few.work_until_settled()
    assert in_plex(few, first) == ()


def test_a_count_that_crosses_nothing_queues_nothing(few):
    first, _ = begin(few, {"studio": "Blue"}, {"studio": "Blue"})
    (row,) = known(few).values()
    rules = {few.section: profile(Dressing(minimum=2))}
    with few.store.writing() as tx:
        assert save_counts(tx, {row.id: 7, 999: 1}, rules, now=few.clock.now()) == 0
        assert save_counts(tx, {row.id: 1}, rules, inspected=[first, first + 1], now=few.clock.now()) == 0
    assert known(few)[row.id].scenes == 1
