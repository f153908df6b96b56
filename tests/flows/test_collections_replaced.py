"""An object finds its collection again when another one has taken its place, or was in its place."""

from tests.flows.dressed import begin, collection, dressed_house, key_of, rows, shown, want
from tests.flows.test_collections_flow import EVERYTHING, a_library, dressed_again, redress
from tests.flows.test_stash_rebuilt import hold, rebuild


def test_a_collection_that_plex_has_made_anew_is_dressed_from_the_beginning(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        ids = a_library(house)
        key, before = key_of(house, "Series One"), shown(house)[key_of(house, "Series One")]
        for names in (["Acme", "Trilogy"], ["Acme", "Trilogy", "Series One"]):
            house.plex_sim.hand_edit(house.key_of(ids[1]), collection=names)
        assert key_of(house, "Series One") != key
        redress(house)
        assert rows(house)["Series One"].standing == "in step"
        assert shown(house)[key_of(house, "Series One")] == before
        assert dressed_again(house) == []


def test_an_object_that_is_renamed_leaves_a_collection_that_is_not_ours_and_is_dressed_under_its_new_name(tmp_path):
    with dressed_house(tmp_path) as house:
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Trilogy"])
        foreign = key_of(house, "Trilogy")
        ids = a_library(house)
        assert rows(house)["Trilogy"].standing == "not ours"
        house.stash_sim.rename_group("Trilogy", "Saga")
        house.want(*ids)
        house.work_until_settled()
        assert collection(house, "Saga").scalars["summary"] == "Three of them."
        assert rows(house)["Saga"].standing == "in step"
        assert house.plex_sim.collections(house.section)["Trilogy"] == [stray]
        assert shown(house)[foreign].scalars == {"title": "Trilogy"}
        assert dressed_again(house) == []


def test_a_collection_beside_a_smart_one_of_its_name_is_found_by_the_comparison(tmp_path):
    with dressed_house(tmp_path) as house:
        (id,) = begin(house, {"studio": "Acme"})
        house.worker.dressing.comparison.compare()
        item = house.key_of(id)
        smart = house.plex_sim.add_smart_collection(house.section, "Acme", [item])
        house.plex_sim.hand_edit(item, collection=[])
        redress(house)
        assert (rows(house)["Acme"].item, rows(house)["Acme"].standing) == (smart, "not ours")
        house.plex_sim.hand_edit(item, collection=["Acme"])
        house.stash_sim.edit_object("studio", "Acme", details="Films.")
        assert house.worker.dressing.comparison.compare() == 1
        house.work_until_settled()
        row = rows(house)["Acme"]
        assert (row.item == smart, row.standing) == (False, "in step")
        assert house.plex_sim.item(row.item).scalars["summary"] == "Films."
        assert "summary" not in house.plex_sim.item(smart).scalars


def test_an_object_that_another_stash_does_not_have_takes_nothing_off(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        plain = house.add(9, start=20)
        a_library(house)
        house.want(*plain)
        house.work_until_settled()
        before, known = shown(house), rows(house)
        house.clock.move(3600)
        rebuild(house)
        for kind, name in (("tag", "Series One"), ("studio", "Acme"), ("group", "Trilogy")):
            house.stash_sim.destroy(kind, name)
        want(house)
        house.clock.move(3)
        house.work()
        assert shown(house) == before
        assert {name: row.item for name, row in rows(house).items()} == {name: row.item for name, row in known.items()}
        assert hold(house) is not None
