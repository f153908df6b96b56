"""Another chance by itself: what was given up is tried again when its cause is cured, and only then."""

import pytest

from plexsync.engine.tickets import READ_STASH
from plexsync.flows.scenes import dead_letter_cures
from plexsync.flows.scenes.dead_letter_cures import CURES, Curer, bindings_changed
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import Neighbour, Unavailable
from plexsync.simulator.http import Fault
from tests.engine.house import BREAKER, House, path_of
from tests.engine.test_gates import trip

PRINTS = {
    "matching": "by name and size",
    "paths": "no rules",
    "plex": "one token",
    "stash": "one key",
    "strict": "strict",
}


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data") as made:
        yield made


def curer(house: House, **prints: str) -> Curer:
    """The curer of a worker that starts with these settings."""
    worker = house.worker
    return Curer(worker.inspector, {**PRINTS, **prints})


def bury(house: House, *causes: str) -> None:
    """Dead scenes 1, 2, …, one of each cause."""
    house.want(*range(1, len(causes) + 1))
    house.change("update job set state = 'dead', attempts = 3, desired = 'x'")
    for id, cause in enumerate(causes, start=1):
        house.change(f"update job set cls = '{cause}' where id = {id}")
    house.change("delete from tally where name = 'died'")
    house.change("insert into tally (name, count) values ('died', (select count(*) from job))")


def states(house: House) -> list[str]:
    return [state for (state,) in house.rows("select state from job order by id")]


def tallies(house: House) -> dict[str, int]:
    with house.store.reading() as db:
        return db.tallies.all()


def test_the_first_worker_only_notes_how_things_are_set(house):
    bury(house, "ambiguous", "refused", "strict")
    assert curer(house).apply() == 0
    assert states(house) == ["dead", "dead", "dead"]
    assert house.rows("select count(*) from note where name like 'cured:%'") == [(5,)]


def test_the_same_settings_cure_nothing(house):
    bury(house, "ambiguous", "refused", "strict")
    curer(house).apply()
    assert curer(house).apply() == 0
    assert states(house) == ["dead", "dead", "dead"]


CURED = [
    ("matching", {"ambiguous"}),
    ("paths", {"ambiguous"}),
    ("plex", {"refused"}),
    ("stash", {"refused"}),
    ("strict", {"strict"}),
]
ALL = ("ambiguous", "refused", "strict", "poison", "bug", "unavailable", "missing")


@pytest.mark.parametrize(("setting", "causes"), CURED, ids=[name for name, _ in CURED])
def test_a_changed_setting_gives_another_chance_to_what_it_can_cure_once(house, setting, causes):
    bury(house, *ALL)
    curer(house).apply()
    house.clock.move(5)
    assert curer(house, **{setting: "changed"}).apply() == len(causes)
    assert states(house) == ["ready" if cause in causes else "dead" for cause in ALL]
    assert set(house.rows("select attempts, lane, due from job where state = 'ready'")) == {(0, 1, house.clock.now())}
    assert tallies(house) == {"died": len(ALL), "cured": len(causes)}
    house.change("update job set state = 'dead'")
    assert curer(house, **{setting: "changed"}).apply() == 0, "once, not at every start"
    assert house.books_balance()


def test_the_breaker_of_a_stash_at_another_address_is_closed_and_that_of_plex_stays(house):
    for server in Neighbour:
        trip(house, Unavailable(server, f"{server} refuses connections"))
    curer(house).apply()
    assert [house.breaker(server) for server in Neighbour] == ["open", "open"]
    curer(house, stash="another address").apply()
    assert {server: house.breaker(server) for server in Neighbour} == {
        Neighbour.PLEX: "open",
        Neighbour.STASH: "closed",
    }
    assert house.worker.gates.is_open(READ_STASH)
    with house.store.reading() as db:
        assert db.breakers.find(READ_STASH.row).error == ""


def test_every_setting_that_is_watched_is_tested():
    assert {name for name, _ in CURED} == set(CURES)


def test_a_new_path_rule_also_looks_for_what_was_not_found_in_plex(house, monkeypatch):
    monkeypatch.setattr(dead_letter_cures, "BATCH", 2)
    ids = [house.add_scene(n) for n in range(3)]
    house.want(*ids)
    house.work()
    assert house.states() == {State.ABSENT: 3}
    curer(house).apply()
    assert curer(house, paths="a new rule").apply() == 3
    assert {due for (due,) in house.rows("select due from job")} == {house.clock.now()}
    assert house.states() == {State.ABSENT: 3}


def test_many_are_cured_in_batches(house, monkeypatch):
    monkeypatch.setattr(dead_letter_cures, "BATCH", 10)
    bury(house, *["strict"] * 35)
    curer(house).apply()
    assert curer(house, strict="off").apply() == 35
    assert set(states(house)) == {"ready"}


def test_a_kill_between_two_batches_forgets_nobody(house, monkeypatch):
    monkeypatch.setattr(dead_letter_cures, "BATCH", 10)
    bury(house, *["strict"] * 25)
    curer(house).apply()
    with house.store.writing() as tx:
        # As far as the first batch of the one that was killed.
        tx.jobs.cure("strict", now=house.clock.now(), limit=10)
    assert curer(house, strict="off").apply() == 15
    assert set(states(house)) == {"ready"}


# --- the items of Plex -----------------------------------------------------------------------------------------------


def twins(house: House) -> tuple[int, list[str]]:
    """A scene that fits two items, and the items."""
    keys = [
        house.plex_sim.add_movie(house.section, files=[(f"/media/{folder}/twin.mp4", 77, 60_000)], title="twin")
        for folder in "ab"
    ]
    id = house.stash_sim.add_scene(title="Twin", files=[("/elsewhere/twin.mp4", 77, 60.0)])
    house.want(id)
    house.work()
    assert (house.row(id).state, house.row(id).cls) == (State.DEAD, "ambiguous")
    return id, keys


def scan(house: House) -> None:
    """Plex has scanned, and the index has noticed."""
    house.clock.move(600)
    house.plex_sim.scan(house.section)
    house.plex_sim.finish_scan(house.section)
    house.worker.indexer.freshen()


def test_an_ambiguous_scene_is_tried_again_when_its_double_is_gone(house):
    id, keys = twins(house)
    cure = curer(house)
    house.forget_requests()
    assert cure.recheck() == 0, "the first look only notes the items that there are"
    assert (house.stash_sim.count(), house.plex_sim.count()) == (0, 0)
    house.plex_sim.remove(keys[1])
    scan(house)
    assert cure.recheck() == 1
    assert house.row(id).state is State.READY
    assert tallies(house)["cured"] == 1
    house.work()
    assert house.row(id).state is State.IDLE
    assert house.plex_sim.item(keys[0]).scalars["title"] == "Twin"
    assert house.books_balance()


def test_an_ambiguous_scene_is_tried_again_when_its_own_item_appears(house):
    id, _ = twins(house)
    cure = curer(house)
    cure.recheck()
    house.plex_sim.add_movie(house.section, files=[("/elsewhere/twin.mp4", 77, 60_000)], title="the one")
    scan(house)
    assert cure.recheck() == 1
    house.work()
    assert house.row(id).state is State.IDLE


def test_many_ambiguous_scenes_are_looked_at_a_few_together_and_each_once(house, monkeypatch):
    monkeypatch.setattr(dead_letter_cures, "LOOKED", 2)
    ids, doubles = [], []
    for n in range(5):
        for folder in "ab":
            files = [(f"/media/{folder}/twin {n}.mp4", 70 + n, 60_000)]
            doubles.append(house.plex_sim.add_movie(house.section, files=files, title="twin"))
        ids.append(house.stash_sim.add_scene(files=[(f"/elsewhere/twin {n}.mp4", 70 + n, 60.0)]))
    house.want(*ids)
    house.work()
    assert house.states() == {State.DEAD: 5}
    cure = curer(house)
    cure.recheck()
    for key in doubles[::2]:
        house.plex_sim.remove(key)
    scan(house)
    looks, look = [], house.worker.inspector.look
    monkeypatch.setattr(house.worker.inspector, "look", lambda some: looks.append([*some]) or look(some))
    assert cure.recheck() == 5
    assert looks == [ids[:2], ids[2:4], ids[4:]]


def test_a_scene_whose_candidates_are_the_same_stays_given_up(house):
    id, _ = twins(house)
    cure = curer(house)
    cure.recheck()
    house.add(1, start=9)
    scan(house)
    assert cure.recheck() == 0
    assert house.row(id).state is State.DEAD
    house.forget_requests()
    assert cure.recheck() == 0
    assert (house.stash_sim.count(), house.plex_sim.count()) == (0, 0), "no library was walked, nothing is asked"


def test_a_walk_that_changes_nothing_asks_nobody(house):
    twins(house)
    cure = curer(house)
    cure.recheck()
    scan(house)
    house.forget_requests()
    assert cure.recheck() == 0
    assert house.stash_sim.count() == 0
    with house.store.writing() as tx:
        bindings_changed(tx)
    assert cure.recheck() == 0
    assert house.stash_sim.count() > 0, "a binding may have resolved it"


def test_a_new_worker_notices_what_changed_while_none_was_there(house):
    _, keys = twins(house)
    curer(house).recheck()
    house.plex_sim.remove(keys[1])
    scan(house)
    assert curer(house).recheck() == 1


def test_a_side_that_is_away_is_waited_for(house):
    id, keys = twins(house)
    cure = curer(house)
    cure.recheck()
    house.plex_sim.remove(keys[1])
    scan(house)
    house.stash_sim.faults.set(Fault("refuse"))
    for _ in range(2 * BREAKER.failure_threshold):
        assert cure.recheck() == 0
        house.worker.gates.ill(house.worker.gates.ticket(READ_STASH), Unavailable(Neighbour.STASH, "away"))
    assert house.breaker(Neighbour.STASH) == "open"
    assert cure.recheck() == 0
    assert house.row(id).state is State.DEAD
    house.stash_sim.faults.clear()
    house.clock.move(400)
    house.work()
    assert cure.recheck() == 1


def test_a_recheck_that_is_stopped_goes_on_the_next_time(house):
    _, keys = twins(house)
    cure = curer(house)
    cure.recheck()
    house.plex_sim.remove(keys[1])
    scan(house)
    assert cure.recheck(stopping=lambda: True) == 0
    assert cure.recheck() == 1


@pytest.mark.parametrize("meanwhile", ["update job set state = 'ready'", "delete from job"])
def test_what_is_no_dead_letter_any_more_once_it_was_looked_at_is_no_cure(house, meanwhile):
    _, keys = twins(house)
    cure = curer(house)
    cure.recheck()
    house.plex_sim.remove(keys[1])
    scan(house)
    house.stash_sim.faults.set(Fault("status", when=lambda _request: house.change(meanwhile)))
    assert cure.recheck() == 0
    assert house.stash_sim.count() > 0
    assert tallies(house).get("cured", 0) == 0


def test_a_scene_that_stash_lost_is_left_as_it_is(house):
    id, _ = twins(house)
    cure = curer(house)
    cure.recheck()
    house.stash_sim.destroy_scene(id)
    house.add(1, start=9)
    scan(house)
    assert cure.recheck() == 0
    assert house.row(id).state is State.DEAD


# --- what waits for Plex is no failure -------------------------------------------------------------------------------


def test_what_is_not_in_plex_yet_is_never_given_up_and_found_as_soon_as_plex_has_scanned(house):
    id = house.add_scene(1)
    house.want(id)
    paces = []
    for _ in range(8):
        house.work()
        row = house.row(id)
        assert (row.state, row.attempts) == (State.ABSENT, 0)
        paces.append((row.due - house.clock.now()) // 60_000)
        house.clock.move((row.due - house.clock.now()) / 1000)
    assert paces == [1, 5, 15, 60, 360, 1440, 1440, 1440]
    house.work()
    house.plex_sim.add_movie(house.section, files=[(path_of(1), 1001, 60_000)], title="file 1")
    scan(house)
    house.work()
    assert house.row(id).state is State.IDLE
    assert tallies(house) == {}
