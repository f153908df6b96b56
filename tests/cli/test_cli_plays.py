"""The way back at every door: a Stash that refuses writes has words of its own; doctor checks account and history."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from plexsync.app.database_files import DATABASE
from plexsync.app.parts import open_parts
from plexsync.rules.plays.plays import PlaySource
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.gate_names import CURE
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.simulator.http import Fault, Request
from plexsync.store.database import Database
from tests.cli.conftest import Door
from tests.cli.test_cli_doctor import check
from tests.journey.world import World, until
from tests.web.conftest import Dash, dashboard
from tests.web.stage import config_of

AT = 1_700_000_000
GOES_ON = "Stash refuses writes: scenes go on, plays wait"
# While no worker runs, scenes do not go on.
WAITS = "Stash refuses writes: plays wait"


def writing(request: Request) -> bool:
    return b"mutation" in request.body


def refuse_writes(world: World, status: int = 500) -> None:
    world.stash.faults.set(Fault("status", status=status, when=writing))


def stored(world: World) -> list[tuple]:
    """What is stored about the gate for writes to Stash."""
    return world.rows("select state from breaker where who = 'stash:write'")


def plays(world: World) -> list[list[int]]:
    return [sorted(world.stash.plays.of(id)) for id in world.stash.scene_ids()]


@pytest.fixture
def watching(world: World, door: Door) -> World:
    """Two scenes in sync, with the way back on."""
    world.settings |= {
        "watch_back": "plays",
        "breaker_failure_threshold": "1",
        "breaker_recovery_timeout": "600",
        "breaker_max_recovery_timeout": "600",
    }
    world.add(2)
    assert door("sync", "--all", "--wait").code == 0
    return world


@pytest.fixture
def refused(watching: World, door: Door) -> World:
    """The plays of two scenes wait, since Stash has refused a write."""
    refuse_writes(watching)
    for key in watching.plex.keys(watching.section):
        watching.plex.play(key, at=AT)
    assert door("plays", "sync", "--yes").code == 0
    with watching.serving():
        until(lambda: stored(watching) == [("open",)])
    return watching


@pytest.fixture
def dash(refused: World) -> Iterator[Dash]:
    with dashboard(refused, watch_back="plays") as made:
        yield made


# --- the gate, at the terminal ------------------------------------------------------------------------------------------


def test_the_first_line_says_that_scenes_go_on(refused: World, door: Door) -> None:
    with refused.serving():
        until(lambda: GOES_ON in door("status").out.splitlines()[0])
        facts = door("status", "--json").facts
    assert facts["verdict"]["text"].startswith(GOES_ON)
    assert "Stash is down" not in facts["verdict"]["text"]
    assert list(facts["breakers"]) == list(facts["paces"]) == ["plex", "stash", "stash:write"]
    assert facts["breakers"]["stash"]["state"] == "closed"
    (outage,) = facts["outages"]["current"]
    assert (outage["server"], outage["cause"], outage["waiting"]) == ("stash:write", "write", 2)


def test_status_names_the_gate_and_its_cure(refused: World, door: Door) -> None:
    told = door("status").out
    assert WAITS in told.splitlines()[0]
    assert "Writing to Stash" in told
    assert CURE[:60] in " ".join(told.split())


def test_the_outages_name_it(refused: World, door: Door) -> None:
    assert "Writing to Stash" in door("outages").out
    found = door("outages", "--json").facts
    assert [(one["server"], one["waiting"]) for one in found["outages"]] == [("stash:write", 2)]
    assert (found["summary"]["interruptions"], found["summary"]["availability"]) == (0, 1), "both servers can be used"


def test_a_report_has_it(refused: World, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "report.zip"
    assert door("report", str(file)).code == 0
    with zipfile.ZipFile(file) as bundle:
        parts = {name: bundle.read(f"{name}.json").decode() for name in ("status", "outages", "doctor")}
    assert "stash:write" in json.loads(parts["status"])["breakers"]
    assert "stash:write" in parts["outages"]
    assert "Stash refuses writes" in parts["doctor"]


def test_doctor_has_its_own_cure_and_opens_the_gate_once_stash_accepts_writes(refused: World, door: Door) -> None:
    done = door("doctor", "--json")
    assert done.code == 0, "scenes go on"
    for name in ("goes on by itself", "plays in Stash"):
        found = check(done, name)
        assert found["state"] == "warning"
        assert found["told"].startswith("Stash refuses writes")
        assert CURE in found["told"] + found["mend"]
    refused.stash.faults.clear()
    found = check(door("doctor", "--json"), "plays in Stash")
    assert (found["state"], found["told"]) == ("ok", "Stash accepts writes again: plays go on")
    assert [state for (state,) in stored(refused)] == ["closed"]


def test_a_hold_on_writes_has_the_same_words_and_its_own_test(refused: World, door: Door) -> None:
    refuse_writes(refused, 403)
    refused.settings |= {"breaker_recovery_timeout": "1", "breaker_max_recovery_timeout": "1"}
    with refused.serving():
        until(lambda: refused.rows("select who from hold") == [("stash:write",)])
    facts = door("status", "--json").facts
    assert facts["verdict"]["text"].startswith(WAITS)
    assert facts["verdict"]["tone"] == "bad"
    assert list(facts["holds"]) == ["stash:write"]
    (entry,) = [
        entry for entry in door("fix", "--json").facts["groups"][0]["entries"] if entry["key"] == "hold:stash:write"
    ]
    assert entry["title"] == "Stash refuses writes"
    assert CURE in entry["next"]
    assert [step["target"] for step in entry["steps"] if step["action"] == "test"] == ["stash:write"]


def test_without_the_way_back_nothing_is_said_of_it(refused: World, door: Door) -> None:
    refused.settings["watch_back"] = "off"
    door("drain")
    facts = door("status", "--json").facts
    assert list(facts["breakers"]) == ["plex", "stash"]
    assert facts["outages"]["current"] == []
    assert facts["plays"]["waiting"] == 0
    assert "refuses" not in door("status").out
    names = {one["name"] for one in door("doctor", "--json").facts["checks"]}
    assert not names & {"way of plays to Stash", "account of plays", "history in Plex", "plays in Stash"}


# --- the gate, on the pages ---------------------------------------------------------------------------------------------


def test_the_pages_show_the_gate_and_the_plays(dash: Dash) -> None:
    page = dash.get("/").text
    verdict = page.partition('id="verdict"')[2].partition("</p>")[0]
    assert WAITS in verdict
    page = dash.get("/state").text
    card = page.partition('id="server-stash-write"')[2].partition("</section>")[0]
    assert "Writing to Stash" in card
    assert CURE.partition("'")[0] in card
    plays = dash.get("/plays").text.partition('<section id="plays"')[2].partition("</section>")[0]
    assert "wait for Stash" in plays
    assert "those of 2 scenes" in plays
    outages = dash.get("/outages").text
    assert outages.count("Writing to Stash") >= 3, "a lane, a row, and the log"
    needs = dash.get("/api/needs").json()["needs"]
    (need,) = [need for need in needs if need["key"] == "away:stash:write"]
    assert need["title"] == "Stash refuses writes"
    assert CURE in need["text"]


def test_without_the_way_back_the_pages_have_neither(world: World) -> None:
    with dashboard(world) as dash:
        page = dash.get("/state").text
        assert 'id="server-stash"' in page
        assert 'id="server-stash-write"' not in page
        assert "Writing to Stash" not in dash.get("/outages").text
        assert "stash:write" not in dash.get("/metrics").text


def test_the_metrics_have_the_gate_and_the_plays(dash: Dash) -> None:
    told = dash.get("/metrics").text
    for line in (
        'plexsync_breaker_state{server="stash:write",state="open"} 1.0',
        'plexsync_hold{server="stash:write"} 0.0',
        'plexsync_plays{state="in_plex"} 2.0',
        'plexsync_plays{state="sent"} 0.0',
        "plexsync_plays_waiting 2.0",
    ):
        assert line in told


def test_the_button_tests_the_gate(dash: Dash, refused: World) -> None:
    refused.stash.faults.clear()
    answer = dash.post("/fix", action="test", target="stash:write")
    assert isinstance(answer, httpx2.Response)
    assert "the next play shows whether it accepts writes again" in answer.text
    assert [state for (state,) in stored(refused)] == ["closed"]


# --- doctor -------------------------------------------------------------------------------------------------------------


def test_doctor_says_whose_plays_count_and_what_was_read_last(watching: World, door: Door) -> None:
    done = door("doctor", "--json")
    assert check(done, "account of plays")["told"] == "1 (someone)"
    assert check(done, "history in Plex")["told"] == "Plex shows it; not read yet: a worker does it"
    assert check(done, "plays in Stash")["told"] == "Stash accepts writes"
    for key in watching.plex.keys(watching.section):
        watching.plex.play(key, at=AT)
    assert door("plays", "sync", "--yes").code == 0
    with watching.serving():
        until(lambda: plays(watching) == [[AT], [AT]])
        until(lambda: door("status", "--json").facts["plays"]["sent"] == 2)
    done = door("doctor", "--json")
    assert check(done, "history in Plex")["told"] == (
        "Plex shows it; 2 plays, the last one of 2023-11-14T22:13:20Z; read to its end"
    )
    assert "2 in Plex, 2 added to Stash" in door("status").out
    assert plays(watching) == [[AT], [AT]], "doctor changes nothing"


def test_doctor_and_status_say_whether_resume_points_are_brought(watching: World, door: Door) -> None:
    guest = watching.plex.add_account("living room")
    assert "resume points" not in {found["name"] for found in door("doctor", "--json").facts["checks"]}
    watching.settings["watch_back"] = "plays+resume"
    found = check(door("doctor", "--json"), "resume points")
    assert (found["state"], found["told"]) == ("ok", "brought to Stash")
    assert "resume points brought" in " ".join(door("plays", "status").out.split())
    watching.settings["watch_account"] = str(guest)
    found = check(door("doctor", "--json"), "resume points")
    assert (found["state"], found["told"]) == (
        "warning",
        "resume points are those of the owner's account, and watch_account is another one",
    )
    assert "leave watch_account empty" in found["mend"]
    assert "off: resume points are those of the owner's account" in " ".join(door("plays", "status").out.split())


def test_doctor_names_the_rule_in_force_and_what_the_players_of_both_servers_do(watching: World, door: Door) -> None:
    watching.stash.ui = {"minimumPlayPercent": 10}
    found = check(door("doctor", "--json"), "what counts as a play")
    known = "Plex itself counts a play from 90 % on (Settings, Library, Video played threshold)"
    assert (found["state"], found["told"]) == ("ok", f"Stash's rule (10 %); {known}")
    with open_parts(config_of(watching), watching.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(PLAYS_APPROVED, f"{watching.plex.machine} 1 0 0 0")
    watching.stash.ui = {"minimumPlayPercent": 10, "trackActivity": False}
    assert door("plays", "sync", "--dry-run").code == 0
    assert check(door("doctor", "--json"), "what counts as a play")["told"] == (
        f"Plex's rule; Stash's rule (10 %) waits for your yes (plexsync plays sync); {known}; "
        "Stash tracks no activity, which concerns its own player alone"
    )
    watching.plex.faults.set(Fault("status", status=403, when=lambda request: request.path == "/:/prefs"))
    told = check(door("doctor", "--json"), "what counts as a play")["told"]
    assert "Plex does not tell when it counts a play (Settings, Library, Video played threshold)" in told


def test_doctor_says_whether_players_are_heard(watching: World, door: Door) -> None:
    found = check(door("doctor", "--json"), "reports of players")
    assert (found["state"], found["told"].partition(":")[0]) == ("ok", "none was heard yet")

    def heard(ended: int) -> dict[str, str]:
        with open_parts(config_of(watching), watching.folder) as parts, parts.store.writing() as tx:
            tx.viewings.save([Viewing(1, "7", ended - 60, "1", ended=ended)])
            tx.plays.save_history(1, [(PlaySource("7", "1"), AT)], now=parts.clock.now())
        return check(door("doctor", "--json"), "reports of players")

    found = heard(AT - 600)
    assert (found["state"], found["told"]) == (
        "warning",
        "the last one came at 2023-11-14T22:03:20Z; Plex lists a play of 2023-11-14T22:13:20Z of which none came",
    )
    assert "pass websockets" in found["mend"]
    found = heard(AT - 60)
    assert (found["state"], found["told"]) == ("ok", "the last one came at 2023-11-14T22:12:20Z")


def test_doctor_tries_no_write_if_somebody_has_a_play_at_the_second_that_it_takes(watching: World, door: Door) -> None:
    for id in watching.stash.scene_ids():
        watching.stash.plays.add(id, [1])
    watching.stash.log.clear()
    assert check(door("doctor", "--json"), "plays in Stash")["state"] == "ok"
    assert not [request for request in watching.stash.log if writing(request)]


@pytest.mark.parametrize(
    ("account", "told"),
    [
        ("nobody", "no account of the Plex server with the name of watch_account"),
        ("77", "no account of the Plex server with the number 77 of watch_account"),
    ],
)
def test_doctor_names_the_accounts_if_the_chosen_one_is_unknown(
    account: str, told: str, watching: World, door: Door
) -> None:
    guest = watching.plex.add_account("living room")
    watching.settings["watch_account"] = account
    done = door("doctor", "--json")
    found = check(done, "account of plays")
    assert done.code == 0
    assert (found["state"], found["told"]) == ("warning", told)
    assert f"1 (someone), {guest} (living room)" in found["mend"]


@pytest.mark.parametrize("status", [401, 403])
def test_doctor_asks_for_the_owners_token_if_plex_hides_the_history(status: int, watching: World, door: Door) -> None:
    watching.plex.faults.set(
        Fault(
            "status", status=status, when=lambda request: request.path in ("/accounts", "/status/sessions/history/all")
        )
    )
    done = door("doctor", "--json")
    found = check(done, "history in Plex")
    assert found["state"] == "warning"
    assert "only the owner of a Plex server may read its history" in found["told"]
    assert "the token of the server's owner" in found["mend"]
    assert check(done, "plays in Stash")["state"] == "ok"
    assert door("status", "--json").facts["holds"] == {}


def test_doctor_tells_of_a_stash_that_can_only_be_read(watching: World, door: Door) -> None:
    refuse_writes(watching, 403)
    done = door("doctor", "--json")
    found = check(done, "plays in Stash")
    assert (found["state"], done.code) == ("warning", 0)
    assert found["told"].startswith("Stash refuses writes: ")
    assert found["mend"] == CURE
    assert stored(watching) == [], "a check closes no gate"
    store = Database(watching.folder / DATABASE)
    with store.reading() as db:
        assert db.holds.names() == set()
    store.close()
