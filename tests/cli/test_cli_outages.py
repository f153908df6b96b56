"""outages, and what status tells of them; serve with a way to tell a person."""

import re
import sqlite3

import pytest

from plexsync.app.database_files import DATABASE
from plexsync.engine.clock import SystemClock
from plexsync.rules.queue.note_keys import BEGUN
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.store.database import Database
from tests.cli.conftest import Door
from tests.journey.world import World, until
from tests.notify.receiver import Hook
from tests.patience import HANG

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000


@pytest.fixture
def past(world: World, door: Door) -> int:
    """An outage of Plex that is over and a hold that goes on, in a database that is a hundred days old; now."""
    assert door("status").code == 0
    now = SystemClock().now()
    store = Database(world.folder / DATABASE)
    with store.writing() as tx:
        tx.notes.save(BEGUN, str(now - 100 * DAY))
        for ago, old, new in (
            (3 * HOUR, "closed", "open"),
            (2 * HOUR, "open", "half_open"),
            (HOUR, "half_open", "closed"),
        ):
            error = "" if new == "closed" else "Plex at nas:1 refuses connections: is it running?"
            tx.transitions.log(Neighbour.PLEX, at=now - ago, old=old, new=new, cause="read", error=error)
        tx.transitions.log(
            Neighbour.STASH, at=now - 40 * DAY, old="free", new="hold", cause="stash_api_key", error="refused (401)"
        )
    store.close()
    return now


def test_a_database_without_outages_says_so(world: World, door: Door) -> None:
    done = door("outages")
    assert done.code == 0
    assert re.fullmatch(r"No outage in the .+ since PlexSync was installed: availability 100 %\.\n", done.out)
    facts = door("outages", "--days", "1", "--json").facts
    assert facts["outages"] == []
    assert facts["summary"]["availability"] == 1
    assert facts["summary"]["mttr_seconds"] is facts["summary"]["mtbf_seconds"] is None


def test_outages_as_facts(past: int, door: Door) -> None:
    facts = door("outages", "--json").facts
    hold, away = sorted(facts["outages"], key=lambda one: one["since"])
    assert (away["server"], away["kind"], away["cause"]) == ("plex", "breaker", "read")
    assert away["seconds"] == 2 * HOUR / 1000
    assert (hold["server"], hold["kind"], hold["cause"], hold["until"]) == ("stash", "hold", "stash_api_key", None)
    summary = facts["summary"]
    assert summary["interruptions"] == 1, "the hold was there all the time"
    assert summary["availability"] == 0


def test_outages_in_words(past: int, door: Door) -> None:
    told = door("outages", "--days", "60").out
    for words in ("Plex", "2 h", "down", "on hold: stash_api_key", "40 d, goes on", "refuses connections"):
        assert words in told
    line = told.splitlines()[-1]
    assert re.match(r"In the last 60 days: 1 interruption, 40 d in all; mean time to recovery -, between", line)
    assert line.endswith("availability 33.33 %.")


def test_the_time_before_plexsync_was_there_does_not_count(past: int, world: World, door: Door) -> None:
    store = Database(world.folder / DATABASE)
    with store.writing() as tx:
        tx.notes.save(BEGUN, str(past - 80 * DAY))
    store.close()
    assert door("outages", "--days", "365", "--json").facts["summary"]["availability"] == pytest.approx(0.5, abs=0.01)


def test_the_figures_name_the_time_that_they_are_of(past: int, world: World, door: Door) -> None:
    store = Database(world.folder / DATABASE)
    with store.writing() as tx:
        tx.notes.save(BEGUN, str(past - 6 * MINUTE))
    store.close()
    line = door("outages").out.splitlines()[-1]
    assert line.startswith("In the 6 min since PlexSync was installed: ")


def test_status_tells_the_outage_that_lasts_and_the_last_that_is_over(past: int, door: Door) -> None:
    facts = door("status", "--json").facts["outages"]
    assert [one["server"] for one in facts["current"]] == ["stash"]
    assert facts["last"]["server"] == "plex"
    told = door("status").out
    assert re.search(r"outage +Stash on hold \(stash_api_key\) for 40 d so far", told)
    assert re.search(r"last outage +Plex down for 2 h, ended .+ \(plexsync outages\)", told)


def test_outages_fit_the_terminal(past: int, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "70")
    table = door("outages").out.splitlines()[:-1]
    assert max(map(len, table)) <= 70


@pytest.mark.parametrize("days", ["0", "-1", "3651", "x"])
def test_days_have_bounds(world: World, door: Door, days: str) -> None:
    assert door("outages", "--days", days).code == 2


def test_a_database_of_before_counts_nobody_as_waiting(world: World, door: Door) -> None:
    assert door("status").code == 0
    db = sqlite3.connect(world.folder / DATABASE)
    db.execute("insert into transition (who, at, old, new, cause, error) values ('plex', 1, 'closed', 'open', '', '')")
    db.execute("insert into transition (who, at, old, new, cause, error) values ('nobody', 1, 'free', 'hold', '', '')")
    db.commit()
    db.close()
    (found,) = door("outages", "--json").facts["outages"]
    assert (found["waiting"], found["waiting_at_start"]) == (0, 0)


# --- serve tells -----------------------------------------------------------------------------------------------------


def test_serve_refuses_to_start_with_an_address_that_is_none(world: World) -> None:
    world.settings["notify_urls"] = "nowhere://s3cretPathOfTheHook9"
    done = world.run("serve")
    assert done.returncode == 2
    assert "address 1 of notify_urls is none" in done.stderr
    assert "s3cretPathOfTheHook9" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


def test_serve_tells_of_a_refused_token_by_webhook_and_command(world: World) -> None:
    world.add(1)
    world.plex.faults.set(Fault("status", status=401))
    world.settings["notify_command"] = f"sh -c 'cat > {world.folder}/told'"
    with Hook() as hook:
        world.settings["notify_urls"] = hook.address
        process = world.start("serve")
        try:
            until(lambda: bool(hook.told))
            until(lambda: (world.folder / "told").exists())
        finally:
            process.terminate()
            process.wait(timeout=HANG)
        (told,) = hook.told
        assert "plex_token" in told["message"]
        assert (world.folder / "told").read_text() == told["message"] + "\n"
        for hidden in ("s3cretPathOfTheHook9", str(hook.port)):
            assert hidden not in world.log()
    assert "notification sent: PlexSync needs you" in world.log()
    assert "Traceback" not in world.log()


def test_no_command_shows_whom_to_tell(world: World, door: Door) -> None:
    world.settings["notify_urls"] = "json://ann:hunter2hunter2@hooks.example/s3cretPathOfTheHook9"
    for words in (["doctor"], ["doctor", "--json"], ["status", "--json"], ["outages", "-v"]):
        done = door(*words)
        for hidden in ("hunter2hunter2", "s3cretPathOfTheHook9", "hooks.example"):
            assert hidden not in done.out + done.err


def test_an_outage_that_lasts_is_told_with_all_that_waits_for_it_now(past: int, world: World, door: Door) -> None:
    door("sync", *world.add(40))
    hold = next(one for one in door("outages", "--days", "60", "--json").facts["outages"] if one["until"] is None)
    assert hold["waiting"] == 40
    assert door("status", "--json").facts["outages"]["current"][0]["waiting"] == 40
    away = next(one for one in door("outages", "--json").facts["outages"] if one["until"])
    assert away["waiting"] == 0
