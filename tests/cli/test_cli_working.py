"""sync, drain, reconcile: what they want, work, wait for, and how they end."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from plexsync.app.parts import Parts
from plexsync.engine import dead_letters
from plexsync.reports.rows import rows_in
from plexsync.rules.queue.job import State
from plexsync.rules.records import JobRow
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import is_locked, try_lock
from tests.cli.conftest import Door
from tests.journey.world import World, until


def test_sync_wants_and_returns(world: World, door: Door) -> None:
    world.add(3)
    done = door("sync", "--all")
    assert done.code == 0
    assert "3 scenes queued" in done.out
    assert "plexsync serve" in done.out
    assert world.count("ready") == 3
    assert [request.path for request in world.plex.log] == ["/library/sections"], "does Plex have the libraries?"


def test_sync_names_scenes_once(world: World, door: Door) -> None:
    world.add(12)
    assert door("sync", "7", "12", "7", "--json").facts == {"wanted": 2}
    assert world.rows("select id from job order by id") == [(7,), (12,)]


def test_sync_needs_no_server_to_want_scenes_by_number_and_says_what_is_not_known(world: World, door: Door) -> None:
    world.stash.faults.set(Fault("refuse"))
    done = door("sync", "7")
    assert (done.code, "1 scene queued" in done.out) == (0, True)
    assert "whether Stash has scene 7 is not known: Stash" in done.err
    facts = door("sync", "7", "--json").facts
    assert (facts["wanted"], "unchecked" in facts) == (1, False), "the database knows it now"
    assert "Stash" in facts["why"]


def test_a_scene_that_stash_does_not_have_is_refused_in_one_line_and_leaves_no_row(world: World, door: Door) -> None:
    world.add(1)
    done = door("sync", "99", "100")
    assert (done.code, done.out, done.err) == (1, "", "plexsync: Stash has no scenes 99, 100\n")
    done = door("sync", "1", "99", "--json")
    assert (done.code, done.facts) == (1, {"wanted": 1, "not_in_stash": [99]})
    assert world.rows("select id from job") == [(1,)]


def test_a_scene_that_stash_lost_is_still_queued_so_that_it_ends_as_gone(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    world.stash.destroy_scene(1)
    done = door("sync", "1", "--wait", "--json")
    assert (done.code, done.facts["outcomes"], done.facts["not_in_stash"]) == (1, {"gone": 1}, [1])


def test_an_ignored_scene_is_not_said_to_be_queued(world: World, door: Door) -> None:
    world.add(2)
    door("ignore", "1")
    done = door("sync", "1")
    assert (done.code, done.out) == (1, "")
    assert done.err == "plexsync: scene 1 is ignored, so nothing was queued for it: plexsync unignore 1\n"
    done = door("sync", "1", "2", "--wait", "--json")
    assert (done.code, done.facts["outcomes"], done.facts["ignored"]) == (1, {"in_step": 1}, [1])
    assert world.rows("select wanted_rev from job where id = 1") == [(1,)]


@pytest.mark.parametrize(("when", "wanted"), [("2h", 2), ("1w", 2), ("2000-01-01", 2), ("2999-12-31T23:59:59Z", 0)])
def test_sync_since_takes_moments_and_spans(when: str, wanted: int, world: World, door: Door) -> None:
    world.stash.now = time.time
    world.add(2)
    assert door("sync", "--since", when, "--json").facts["wanted"] == wanted


def test_sync_since_a_moment_to_come_says_so(world: World, door: Door) -> None:
    world.add(1)
    done = door("sync", "--since", "2999-12-31")
    assert done.code == 0
    assert "still to come" in done.err
    assert done.out == "0 scenes queued\n"
    assert "still to come" not in door("sync", "--since", "2h").err


def test_sync_and_wait_brings_scenes_in_step(world: World, door: Door) -> None:
    ids = world.add(5)
    done = door("sync", "--all", "--wait", "--json")
    assert done.code == 0
    assert done.facts == {"wanted": 5, "outcomes": {"in_step": 5}, "causes": {}, "kept_fields": 0, "why": ""}
    assert world.in_step(ids)


def test_sync_and_wait_tells_what_became_of_each(world: World, door: Door, refusing: Callable[..., None]) -> None:
    ids = world.add(3)
    ids.append(world.stash.add_scene(title="not in Plex", files=[("/media/scenes/new.mp4", 5, 60.0)]))
    for folder in ("a", "b"):
        world.plex.add_movie(world.section, files=[(f"/elsewhere/{folder}/twin.mp4", 77, 60_000)], title="twin")
    ids.append(world.stash.add_scene(title="twin", files=[("/media/scenes/twin.mp4", 77, 60.0)]))
    refusing(1)
    done = door("sync", *ids, 99, "--wait")
    assert done.code == 1
    assert "plexsync: Stash has no scene 99\n" in done.err
    for words in ("2 in sync", "1 not in Plex yet", "2 need you", "(ambiguous 1, refused 1) → plexsync fix\n"):
        assert words in done.out
    facts = door("sync", *ids, "--wait", "--json").facts
    assert facts["outcomes"] == {"in_step": 2, "absent": 1, "ambiguous": 1, "dead": 1}
    assert facts["causes"] == {"refused": 1, "ambiguous": 1}


def test_a_scene_that_is_retried_while_it_is_counted_waits_again(
    world: World, door: Door, refusing: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = world.add(2)
    refusing(1)

    def retried_first(parts: Parts, state: State) -> Iterator[JobRow]:
        dead_letters.retry_all(parts.store, parts.clock, "")
        return rows_in(parts, state)

    monkeypatch.setattr("plexsync.reports.outcomes.rows_in", retried_first)
    done = door("sync", *ids, "--wait", "--json")
    assert (done.code, done.facts["outcomes"]) == (1, {"waiting": 1, "in_step": 1})
    assert done.facts["causes"] == {}


def test_sync_and_wait_ends_with_1_for_a_number_that_stash_does_not_have(world: World, door: Door) -> None:
    ids = world.add(1)
    done = door("sync", *ids, 999999, "--wait", "--json")
    assert (done.code, done.facts["not_in_stash"]) == (1, [999999])
    assert done.err.splitlines()[-1] == "plexsync: Stash has no scene 999999"
    for _ in range(2):
        done = door("explain", "999999")
        assert (done.code, "Stash has no scene 999999" in done.out) == (1, True)


def test_sync_and_wait_goes_through_a_short_outage(world: World, door: Door) -> None:
    ids = world.add(3)
    door("sync", "--all", "--wait")
    for id in ids:
        world.stash.edit_scene(id, title="Edited")
    world.plex.faults.set(Fault("status", status=503, times=4))
    done = door("sync", *ids, "--wait")
    assert (done.code, done.out) == (0, "3 in sync\n")
    assert world.in_step(ids)


def test_sync_and_wait_does_not_wait_for_a_person(world: World, door: Door) -> None:
    world.add(3)
    world.settings["plex_token"] = "another-token-0123456789"
    done = door("sync", "--all", "--wait", "--json")
    assert done.code == 1
    assert done.facts["outcomes"] == {"waiting": 3}
    assert "plex_token" in done.facts["why"]


def test_drain_works_what_is_due_and_no_more(world: World, door: Door) -> None:
    world.add(3)
    door("sync", "--all")
    done = door("drain")
    assert (done.code, done.out) == (0, "3 in sync\n")
    assert door("drain").out == "nothing was due\n"


def test_drain_ends_with_1_when_a_scene_was_given_up(world: World, door: Door, refusing: Callable[..., None]) -> None:
    world.add(2)
    refusing(1)
    door("sync", "--all")
    done = door("drain", "--json")
    assert done.code == 1
    assert done.facts["outcomes"] == {"done": 1, "dead": 1}


def test_drain_says_why_due_work_could_not_be_done_and_until_when(world: World, door: Door) -> None:
    world.settings["breaker_recovery_timeout"] = world.settings["breaker_max_recovery_timeout"] = "600"
    ids = world.add(2)
    door("sync", "--all", "--wait")
    for id in ids:
        world.stash.edit_scene(id, title="Edited")
    door("sync", *ids)
    world.plex.faults.set(Fault("refuse"))
    done = door("drain")
    assert done.code == 1
    assert "2 rows still due: Plex is down" in done.out
    assert "nothing could be worked; 2 rows still due" in door("drain").out
    assert "until 20" in done.out
    facts = door("drain", "--json").facts
    assert facts["due"] == 2
    assert facts["until"].endswith("Z")


def test_drain_ends_with_1_as_long_as_a_server_does_not_answer(world: World, door: Door) -> None:
    world.settings["breaker_recovery_timeout"] = world.settings["breaker_max_recovery_timeout"] = "600"
    world.add(1)
    world.plex.faults.set(Fault("refuse"))
    door("sync", "1")
    for _ in range(4):
        done = door("drain")
        assert done.code == 1
        assert "refuses connections" in done.out
        assert "nothing was due" not in done.out
    world.plex.faults.clear()


def test_drain_with_nothing_to_do_is_fine_whatever_failed_before(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    world.stash.faults.set(Fault("refuse"))
    assert door("reconcile").code == 1
    assert door("drain").code == 0


def test_drain_says_that_it_is_switched_off(world: World, door: Door) -> None:
    world.settings["enabled"] = "false"
    world.add(7)
    door("sync", "7")
    done = door("drain")
    assert done.code == 1
    assert "enabled = false" in done.out


def test_a_second_worker_is_not_started(world: World, door: Door) -> None:
    door("status")
    with try_lock(world.folder):
        done = door("serve", "--json")
    assert done.code == 1
    assert "another worker runs" in done.err
    assert "another worker runs" in done.facts["error"]


def test_waiting_beside_a_worker_is_watching_it(world: World, door: Door) -> None:
    ids = world.add(3)
    with world.serving():
        until(lambda: is_locked(world.folder))
        done = door("sync", *ids, "--wait")
        assert (done.code, done.out) == (0, "3 in sync\n")
        assert door("drain").code == 0
        assert "the worker takes them" in door("sync", "1").out
    assert world.in_step(ids)


def test_work_is_taken_over_when_the_worker_that_was_watched_ends(world: World, door: Door) -> None:
    ids = world.add(3)
    door("sync", "--all")
    lock = try_lock(world.folder)
    assert lock is not None
    # Long enough for the call to have begun on a busy machine too.
    leaves = threading.Timer(2.0, lock.release)
    leaves.start()
    done = door("sync", "--all", "--wait")
    leaves.join()
    assert done.code == 0
    assert "following its progress" in done.err
    assert world.in_step(ids)


def test_reconcile_tells_how_many_stand_how(world: World, door: Door) -> None:
    ids = world.add(3)
    door("sync", "--all", "--wait")
    world.stash.edit_scene(ids[0], title="Edited")
    world.stash.destroy_scene(ids[1])
    world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    done = door("reconcile", "--json")
    assert done.code == 0
    facts = done.facts
    assert facts["scenes"] == 3
    assert {name: facts[name] for name in ("in_step", "differ", "absent", "gone", "wanted")} == {
        "in_step": 1,
        "differ": 1,
        "absent": 1,
        "gone": 1,
        "wanted": 3,
    }
    assert facts["complete"] is True


def test_reconcile_says_who_does_the_rest(world: World, door: Door) -> None:
    world.add(2)
    done = door("reconcile")
    assert done.code == 0
    assert "2 scenes compared" in done.out
    assert "2 differ" in done.out
    assert "plexsync drain" in done.out
    assert world.plex.count("PUT") == 0


def test_reconcile_ends_with_1_when_a_scene_could_not_be_compared(world: World, door: Door) -> None:
    world.add(2)
    door("sync", "--all", "--wait")
    key = world.plex.keys(world.section)[0]
    world.plex.faults.set(
        Fault("status", status=500, when=lambda request: key in request.path.split("/")[-1].split(","))
    )
    done = door("reconcile")
    assert done.code == 1
    assert "1 needs you" in done.out


def test_reconcile_and_wait_works_what_differs(world: World, door: Door) -> None:
    ids = world.add(2)
    done = door("reconcile", "--wait")
    assert done.code == 0
    assert "worked now: 2 in sync" in done.out
    assert world.in_step(ids)


def test_reconcile_and_wait_ends_with_1_when_a_scene_is_given_up(
    world: World, door: Door, refusing: Callable[..., None]
) -> None:
    world.add(2)
    refusing(2)
    done = door("reconcile", "--wait", "--json")
    assert done.code == 1
    assert done.facts["outcomes"] == {"in_step": 1, "dead": 1}


def spoil_database(world: World) -> None:
    """Damage a page of an index, which no command would meet by itself, as a bad disk does."""
    path = world.folder / "plexsync.db"
    ((page,),) = world.rows("select rootpage from sqlite_master where name = 'part_path'")
    world.rows("pragma wal_checkpoint(truncate)")
    with path.open("r+b") as file:
        file.seek(4096 * (page - 1))
        file.write(bytes(4096))


def test_drain_compares_everything_after_a_damaged_database_was_made_anew(world: World, door: Door) -> None:
    ids = world.add(3)
    door("sync", "--all", "--wait")
    world.stash.edit_scene(ids[1], title="Edited, and what wanted it is lost")
    spoil_database(world)
    done = door("drain", "--json")
    assert done.code == 0
    assert "a full comparison is due" in done.err
    assert done.facts["outcomes"] == {"done": 1}
    assert done.facts["comparison_due"] is False
    assert world.in_step(ids)
    again = door("drain")
    assert (again.code, again.out) == (0, "nothing was due\n")
    assert "comparing" not in again.err


@pytest.mark.parametrize("away", ["stash", "plex"])
def test_drain_says_that_the_comparison_is_still_due_when_a_server_is_away(away: str, world: World, door: Door) -> None:
    ids = world.add(2)
    door("sync", "--all", "--wait")
    world.stash.edit_scene(ids[0], title="Edited")
    spoil_database(world)
    server = getattr(world, away)
    server.faults.set(Fault("refuse"))
    done = door("drain")
    assert done.code == 1
    assert "a full comparison is due" in done.out
    assert "plexsync reconcile" in done.out
    assert door("drain", "--json").facts["comparison_due"] is True
    server.faults.clear()
    until(lambda: door("drain").code == 0)
    assert world.in_step(ids)


def test_drain_that_is_switched_off_compares_nothing(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "--all", "--wait")
    spoil_database(world)
    world.settings["enabled"] = "false"
    asked = world.stash.count()
    done = door("drain", "--json")
    assert done.code == 1
    assert done.facts["comparison_due"] is True
    assert world.stash.count() == asked + 1, "for its settings alone"
