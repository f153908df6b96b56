"""Fixed labels in real libraries: per library, where Plex asks too, through undo and redo and a restored database."""

from dataclasses import replace

from plexsync.flows.scenes.undo import redo_scenes
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile
from tests.engine.house import House
from tests.flows.asking_library import asking_house
from tests.flows.data_folder import restored, saved
from tests.flows.test_undo import undo

SHARED = Profile(frozenset(FIELDS), labels=choice.parse_patterns(["Show*"]), fixed_labels=("Stash",))


def labels(house, id):
    return set(house.plex_sim.item(house.key_of(id)).lists["label"])


def by_hand(house, id, *names):
    house.clock.move(5)
    house.plex_sim.hand_edit(house.key_of(id), label=[*names])


def looked_at(house, id):
    house.want(id)
    house.work_until_settled()
    house.clock.move(60)


def redone(house, id):
    redo_scenes(house.store, house.clock, [id])
    house.work_until_settled()
    house.clock.move(60)


def test_a_library_has_its_own_labels_and_a_removed_one_stays_away_through_undo_and_redo(tmp_path):
    with House(tmp_path / "data", profile=replace(SHARED, fixed_labels=()), profiles={"movies": SHARED}) as house:
        (id,) = house.add(1)
        by_hand(house, id, "Mine", "Stash")
        house.edit(id, tags=["Show 1"])
        looked_at(house, id)
        assert labels(house, id) == {"Mine", "Stash", "Show 1"}

        by_hand(house, id, "Mine", "Show 1")
        looked_at(house, id)
        undo(house, id)
        house.work_until_settled()
        assert labels(house, id) == {"Mine"}
        redone(house, id)
        assert labels(house, id) == {"Mine", "Show 1"}


def test_an_undo_takes_the_fixed_label_and_leaves_the_same_label_where_a_person_had_set_it(tmp_path):
    with House(tmp_path / "data", profile=SHARED) as house:
        ours, theirs = house.add(2)
        by_hand(house, theirs, "Stash")
        for id in (ours, theirs):
            looked_at(house, id)
        assert labels(house, ours) == labels(house, theirs) == {"Stash"}
        undo(house, ours, theirs)
        house.work_until_settled()
        assert (labels(house, ours), labels(house, theirs)) == (set(), {"Stash"})


def test_labels_of_plexsync_go_when_the_settings_choose_none_and_stay_while_they_say_nothing(tmp_path):
    with House(tmp_path / "data", profile=SHARED) as house:
        (id,) = house.add(1)
        by_hand(house, id, "Mine")
        looked_at(house, id)
        house.replace_worker(profile=replace(SHARED, fields=SHARED.fields - {"label"}, fixed_labels=()))
        looked_at(house, id)
        assert labels(house, id) == {"Mine", "Stash"}
        house.replace_worker(profile=replace(SHARED, labels=choice.parse_patterns(["-*"]), fixed_labels=()))
        looked_at(house, id)
        assert labels(house, id) == {"Mine"}


def test_a_removed_label_stays_away_after_an_older_database_was_restored(tmp_path):
    with House(tmp_path / "data", profile=SHARED) as house:
        (id,) = house.add(1)
        copy = saved(house)
        looked_at(house, id)
        assert labels(house, id) == {"Stash"}
        by_hand(house, id)
        looked_at(house, id)
        restored(house, copy)
        house.worker.reconciler.reconcile(anew=True)
        house.clock.move(2)
        house.work_until_settled()
        assert labels(house, id) == set()


def test_an_item_of_a_library_that_asks_gets_the_label_by_an_edit(tmp_path):
    with asking_house(tmp_path / "data", profile=SHARED) as house:
        house.begin()
        id = house.drop_in(1)
        house.sync(id)
        assert labels(house, id) == {"Stash"}
        by_hand(house, id)
        house.edit_and_settle(id, title="Better")
        assert labels(house, id) == set()
