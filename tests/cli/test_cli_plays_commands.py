"""plays status, undo, redo and again: what they ask, tell, queue and see through."""

import html
from dataclasses import replace

import pytest

from plexsync.app.parts import open_parts
from plexsync.app.way_back import way_back_of
from plexsync.flows.plays.viewings import PERCENT
from plexsync.reports.shapes.plays import PlayCounts
from plexsync.rules.plays.first_plays import approval_text
from plexsync.rules.plays.play_time import RememberedTime
from plexsync.rules.plays.plays import PlaySource
from plexsync.rules.plays.viewings import VIEWED, Viewing
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.cli.conftest import Door
from tests.journey.world import World, until
from tests.web.conftest import dashboard
from tests.web.stage import config_of
from tests.web.test_api import post
from tests.web.test_pages import plain

AT = 1_700_000_000
BEFORE = [[AT + 1], [], []]
AFTER = [[AT, AT + 1], [AT, AT + 1], [AT, AT + 1, AT + 2]]


@pytest.fixture
def played(world: World, door: Door) -> World:
    """Three scenes with six plays in Plex, of which Stash has one by itself and none from PlexSync."""
    world.add(3)
    world.settings["watch_back"] = "plays"
    assert door("sync", "--all", "--wait").code == 0
    world.stash.plays.add(1, [AT + 1])
    for plays, key in zip(AFTER, world.plex.keys(world.section), strict=True):
        for moment in plays:
            world.plex.play(key, at=moment)
    # Approved long ago.
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(
            PLAYS_APPROVED, approval_text(world.plex.machine, 1, watch_since=0, since=0, at=0, minimum="stash")
        )
    return world


@pytest.fixture
def watched(played: World, door: Door) -> World:
    """The same, with all plays in Stash."""
    poll(played, door)
    assert plays(played) == AFTER
    return played


def poll(world: World, door: Door) -> None:
    """Read Plex's history, as the worker does, and work the queue until no play waits."""
    look(world)
    # What was played a moment ago is not due at once.
    until(lambda: door("drain").code == 0 and not door("plays", "status", "--json").facts["waiting"])


def look(world: World) -> None:
    """Read Plex's history, as the worker does."""
    with open_parts(config_of(world), world.folder) as parts:
        back = way_back_of(parts)
        assert back is not None
        assert back.history.poll() == ""


def plays(world: World) -> list[list[int]]:
    return [sorted(world.stash.plays.of(id)) for id in (1, 2, 3)]


def counts(door: Door) -> dict[str, int]:
    return {name: count for name, count in door("plays", "status", "--json").facts["plays"].items() if count}


# --- history -----------------------------------------------------------------------------------------------------------


def test_the_history_of_a_scene_tells_its_plays_and_what_became_of_them(watched: World, door: Door) -> None:
    def told() -> list[tuple[str, str, list[str]]]:
        entries = door("history", "3", "--json").facts["entries"]
        return [(one["what"], one["state"], one["plays"]) for one in entries if "plays" in one]

    moments = [f"2023-11-14T22:13:2{n}Z" for n in range(3)]
    assert told() == [("plays", "sent", moments)]
    assert "plays added to Stash" in door("history", "3").out
    watched.stash.plays.delete(3, [AT])
    assert door("plays", "undo", "3", "--wait").code == 0
    assert sorted(told()) == [("plays", "deleted", moments[:1]), ("plays undo", "undone", moments[1:])]
    with dashboard(watched) as dash:
        page = dash.get("/scenes/3").text
        assert "plays taken back from Stash" in page
        assert dash.get("/api/scenes/3/history").json()["entries"] == door("history", "3", "--json").facts["entries"]


# --- status ------------------------------------------------------------------------------------------------------------


def test_status_counts_viewings_and_the_play_time_that_was_added(played: World, door: Door) -> None:
    key = played.plex.keys(played.section)[2]
    with open_parts(config_of(played), played.folder) as parts, parts.store.writing() as tx:
        viewing = Viewing(1, key, AT + 9000, "1", ended=AT + 9060, pieces=((AT + 9000, 60_000),))
        tx.viewings.save([viewing, replace(viewing, began=AT + 18_000, ended=AT + 18_060, moment=AT + 18_030)])
        tx.plays.save_history(1, [(PlaySource(key, VIEWED), AT + 18_030)], now=0)
        for id, time in (
            (1, RememberedTime(7_300.5, 0.0)),
            (2, RememberedTime(99.0, 39.0)),
            (3, RememberedTime(1.0, 9.0)),
        ):
            tx.play_times.save(id, "", time)
    told = counts(door)
    assert (told["viewings"], told["viewed"], told["play_time"]) == (2, 1, 7_360.5)
    assert (told["in_plex"], told["unsent"]) == (1, 1), "the play that was viewed has no row of the history yet"
    words = " ".join(door("plays", "status").out.split())
    assert "viewings noted 2 of them plays 1" in words
    assert "play time added to Stash 2 h 2 min" in words


def test_status_counts_what_became_of_the_plays(played: World, door: Door) -> None:
    played.settings |= {"watch_since": "2023-11-01"}
    assert door("plays", "status", "--json").facts == {
        "waiting": 0,
        "since": None,
        "error": "",
        "watch_back": "plays",
        "watch_account": "",
        "account": 1,
        "watch_since": "2023-11-01T00:00:00Z",
        "watch_minimum": "stash",
        "minimum_in_force": "stash",
        "stash_percent": None,
        "heard_at": None,
        "read_to_end": False,
        "first": None,
        "plays": dict.fromkeys(PlayCounts.__annotations__, 0),
    }
    played.plex.play(played.plex.keys(played.section)[0], at=AT - 100 * 86_400)
    movie = played.plex.add_movie(played.section, files=[("/media/nobody.mp4", 5, 60_000)], title="no scene")
    played.plex.play(movie, at=AT)
    poll(played, door)
    assert counts(door) == {"in_plex": 8, "unsent": 1, "sent": 6, "present": 1}
    played.stash.plays.delete(2, [AT])
    played.plex.play(played.plex.keys(played.section)[1], at=AT + 9)
    poll(played, door)
    door("plays", "undo", "3")
    assert counts(door) == {"in_plex": 9, "unsent": 1, "sent": 3, "present": 1, "deleted": 1, "undoing": 3}
    facts = door("plays", "status", "--json").facts
    assert (facts["waiting"], facts["read_to_end"]) == (1, True)
    door("drain")
    assert counts(door) == {"in_plex": 9, "unsent": 1, "sent": 3, "present": 1, "deleted": 1, "undone": 3}
    out = door("plays", "status").out
    for words in ("1 (the owner)", "2023-11-01", "read to its end", "nothing waits", "taken back"):
        assert words in out


@pytest.mark.parametrize(
    ("setting", "told", "in_force"),
    [
        ("stash", "Plex's rule; Stash's rule (10 %) waits for your yes (plexsync plays sync)", "plex"),
        ("30s", "Plex's rule; the rule 30 s waits for your yes (plexsync plays sync)", "plex"),
        ("plex", "Plex's rule", "plex"),
    ],
)
def test_status_names_the_rule_in_force_and_the_one_that_waits(
    played: World, door: Door, setting: str, told: str, in_force: str
) -> None:
    with open_parts(config_of(played), played.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(PLAYS_APPROVED, f"{played.plex.machine} 1 0 0 0")
        tx.notes.save(PERCENT, "10.0")
    played.settings["watch_minimum"] = setting
    facts = door("plays", "status", "--json").facts
    assert (facts["watch_minimum"], facts["minimum_in_force"], facts["stash_percent"]) == (setting, in_force, 10.0)
    lines = " ".join(door("plays", "status").out.split())
    assert f"what counts {told} last heard no player yet" in lines


def test_status_says_when_a_player_was_heard_and_that_stashs_switch_is_for_its_own(played: World, door: Door) -> None:
    with open_parts(config_of(played), played.folder) as parts, parts.store.writing() as tx:
        tx.viewings.save([Viewing(1, "7", AT, "1", ended=AT + 60), Viewing(2, "7", AT + 900, "2", ended=AT + 960)])
    assert door("plays", "status", "--json").facts["heard_at"] == "2023-11-14T22:14:20Z"
    lines = " ".join(door("plays", "status").out.split())
    assert "what counts Stash's rule, also while Stash's player tracks no activity of its own" in lines
    assert "last heard 2023-11-1" in lines


def test_status_knows_the_number_of_a_name_once_its_history_was_read(played: World, door: Door) -> None:
    guest = played.plex.add_account("living room")
    played.settings["watch_account"] = "Living Room"
    facts = door("plays", "status", "--json").facts
    assert (facts["watch_account"], facts["account"], facts["plays"]["in_plex"]) == ("Living Room", None, None)
    assert "Living Room (not looked up yet)" in door("plays", "status").out
    poll(played, door)
    played.plex.faults.set(Fault("refuse"))
    assert door("plays", "status", "--json").facts["account"] == guest
    assert f"Living Room (number {guest})" in door("plays", "status").out


def test_status_tells_why_plays_wait(played: World, door: Door) -> None:
    played.stash.faults.set(Fault("status", status=500, when=lambda request: b"sceneAddPlay" in request.body))
    look(played)
    until(lambda: door("drain") and door("plays", "status", "--json").facts["error"])
    facts = door("plays", "status", "--json").facts
    assert facts["waiting"] == 3
    assert "500" in facts["error"]
    assert "3 scenes, since" in door("plays", "status").out
    assert "last error" in door("plays", "status").out


# --- undo and redo -----------------------------------------------------------------------------------------------------


def test_undo_queues_the_scenes_and_only_our_plays_are_taken_back(watched: World, door: Door) -> None:
    done = door("plays", "undo", "1", "2")
    assert done.code == 2, "nobody is there to ask"
    done = door("plays", "undo", "1", "2", "--yes")
    assert done.code == 0
    assert done.out == (
        "3 plays of 2 scenes to be taken back; no worker runs: start plexsync serve, or run plexsync drain\n"
    )
    assert plays(watched) == AFTER
    assert door("drain").code == 0
    assert plays(watched) == [*BEFORE[:2], AFTER[2]]


def test_undo_of_everything_asks_once_and_a_no_changes_nothing(watched: World, door: Door) -> None:
    refused = door("plays", "undo", "--all", answer="n\n")
    assert refused.code == 1
    assert "Take back 6 plays of 3 scenes from Stash?" in refused.err
    assert "nothing was changed" in refused.err
    assert counts(door)["sent"] == 6
    done = door("plays", "undo", "--all", "--wait", answer="y\n")
    assert (done.code, done.out) == (0, "6 plays taken back\n")
    assert plays(watched) == BEFORE
    assert door("plays", "undo", "--all", "--wait").out == "0 plays taken back\n"


def test_redo_sends_what_was_taken_back(watched: World, door: Door) -> None:
    door("plays", "undo", "--all", "--yes", "--wait")
    assert "Send 6 plays of 3 scenes again?" in door("plays", "redo", "--all", answer="n\n").err
    assert door("plays", "redo", "2", "--wait").out == "2 plays sent again\n"
    assert plays(watched) == [BEFORE[0], AFTER[1], []]
    done = door("plays", "redo", "--all", "--yes", "--wait", "--json")
    assert done.facts == {"plays": 4, "scenes": 2, "unsettled": 0, "why": ""}
    assert plays(watched) == AFTER


def test_plays_are_taken_back_and_sent_again_by_every_door(watched: World, door: Door) -> None:
    done = door("undo", "--of", "plays", "1", "--json")
    assert (done.code, done.facts) == (0, {"plays": 1, "scenes": 1})
    with dashboard(watched) as dash:
        assert post(dash, "/api/plays/undo", {"scenes": [2]}) == (200, {"plays": 2, "scenes": 1})
        assert "Take back 3 plays of 1 scene from Stash?" in plain(dash.get("/act/plays/undo?pick=3").text)
        assert "3 plays of 1 scene to be taken back" in plain(dash.post("/act/plays/undo", pick="3").text)
        assert door("drain").code == 0
        assert plays(watched) == BEFORE
        assert post(dash, "/api/plays/redo", {"since": "1h"}) == (200, {"plays": 6, "scenes": 3})
        assert door("drain").code == 0
        assert plays(watched) == AFTER
        assert post(dash, "/api/plays/again", {"all": True})[0] == 200
        assert post(dash, "/api/plays/undo", {"scenes": [77]}) == (200, {"plays": 0, "scenes": 0, "nothing": [77]})


def pause(watched: World, door: Door) -> None:
    """Pause the third scene in Plex, and bring its resume point to Stash."""
    watched.settings["watch_back"] = "plays+resume"
    watched.plex.pause(watched.plex.keys(watched.section)[2], 31_000)
    with open_parts(config_of(watched), watched.folder) as parts:
        back = way_back_of(parts)
        assert back
        assert back.resume
        assert back.resume.poll() == ""
    assert door("drain").code == 0
    assert resume_points(watched) == [0, 0, 31.0]


def resume_points(watched: World) -> list[float]:
    return [watched.stash.scene(id).resume_time for id in (1, 2, 3)]


def test_a_resume_point_alone_is_taken_back_and_written_again_by_every_door(watched: World, door: Door) -> None:
    pause(watched, door)
    assert "1 resume point of 1 scene" in door("undo", "--of", "resume", "--all", "--dry-run").out
    done = door("undo", "--of", "resume", "3", "--wait")
    assert (done.code, done.out) == (0, "1 resume point taken back\n")
    assert (resume_points(watched), plays(watched)) == ([0, 0, 0], AFTER)
    with dashboard(watched) as dash:
        assert post(dash, "/api/resume/redo", {"scenes": [3]})[1]["resume_points"] == 1
        assert door("drain").code == 0
        assert resume_points(watched) == [0, 0, 31.0]
        assert "Take back 1 resume point of 1 scene from Stash?" in plain(dash.get("/act/resume/undo?all=1").text)
        assert "1 resume point of 1 scene to be taken back" in plain(dash.post("/act/resume/undo", all="1").text)
    assert door("drain").code == 0
    assert (resume_points(watched), plays(watched)) == ([0, 0, 0], AFTER)


def test_plays_and_a_resume_point_are_runs_that_are_taken_back_and_redone(watched: World, door: Door) -> None:
    pause(watched, door)
    before = [run["words"] for run in door("history", "--json").facts["runs"]]
    assert {"6 plays of 3 scenes brought to Stash", "The resume point of 1 scene brought to Stash"} <= {*before}
    for subject, verb, shown in (
        ("plays", "undo", (BEFORE, [0, 0, 31.0])),
        ("resume", "undo", (BEFORE, [0, 0, 0])),
        ("resume", "redo", (BEFORE, [0, 0, 31.0])),
        ("plays", "redo", (AFTER, [0, 0, 31.0])),
    ):
        (run,) = [run for run in door("history", "--json").facts["runs"] if run["subject"] == subject]
        (step,) = run["steps"]
        with dashboard(watched) as dash:
            assert dash.get(step["page"]).status_code == 200
            assert step["page"] in html.unescape(dash.get("/runs").text)
        assert step["verb"] == verb
        assert door(*step["command"].split()[1:], "--yes", "--wait").code == 0
        assert (plays(watched), resume_points(watched)) == shown
    assert [run["words"] for run in door("history", "--json").facts["runs"]] == before


def test_a_resume_point_is_taken_back_and_written_again(watched: World, door: Door) -> None:
    pause(watched, door)
    assert door("plays", "undo", "--since", "1h", "--yes", "--wait").out == "6 plays taken back\n"
    assert resume_points(watched) == [0, 0, 31.0]
    previewed = door("plays", "undo", "--all", "--dry-run").out
    assert "1 resume point of 1 scene; nothing was changed" in previewed
    assert "its resume point" in previewed
    done = door("plays", "undo", "3", "--wait")
    assert (done.code, done.out) == (0, "1 resume point taken back\n")
    assert resume_points(watched) == [0, 0, 0]
    done = door("plays", "redo", "3", "--wait", "--json")
    assert (done.facts["resume_points"], resume_points(watched)) == (1, [0, 0, 31.0])
    assert "resume points" in door("plays", "status").out
    done = door("plays", "undo", "--all", "--yes")
    assert done.out.startswith("3 plays and 1 resume point of 1 scene to be taken back")
    watched.settings["watch_account"] = "2"
    assert "off: resume points are those of the owner" in " ".join(door("plays", "status").out.split())


def test_play_time_is_taken_back_and_added_again_with_the_plays(watched: World, door: Door) -> None:
    watched.stash.plays.save_activity(3, play_duration=100.0)
    with open_parts(config_of(watched), watched.folder) as parts, parts.store.writing() as tx:
        tx.play_times.save(3, watched.stash.scene(3).created_at, RememberedTime(100.0, 60.0))
    assert door("plays", "undo", "--since", "1h", "--dry-run", "--json").facts["play_times"] == 0
    previewed = door("plays", "undo", "3", "--dry-run").out
    assert "3 plays and the play time of 1 scene; nothing was changed" in previewed
    assert "its play time" in previewed
    assert "6 plays and 1 play time of 3 scenes" in door("plays", "undo", "--all", "--dry-run").out
    done = door("plays", "undo", "3", "--json")
    assert done.facts == {"plays": 3, "scenes": 1, "play_times": 1}
    done = door("plays", "undo", "3", "--wait")
    assert (done.code, done.out) == (0, "3 plays and 1 play time taken back\n")
    assert (plays(watched)[2], watched.stash.scene(3).play_duration) == ([], 60.0)
    done = door("plays", "redo", "3", "--wait")
    assert (done.code, done.out) == (0, "3 plays and 1 play time sent again\n")
    assert (plays(watched)[2], watched.stash.scene(3).play_duration) == (AFTER[2], 100.0)
    with dashboard(watched) as dash:
        assert "Take back 3 plays and the play time of 1 scene from Stash?" in plain(
            dash.get("/act/plays/undo?pick=3").text
        )
        assert post(dash, "/api/plays/undo", {"scenes": [3]})[1]["play_times"] == 1


def test_since_names_what_was_sent_or_taken_back_since_then(watched: World, door: Door) -> None:
    assert door("plays", "undo", "--since", "2999-12-31", "--json").facts == {"plays": 0, "scenes": 0}
    assert door("plays", "undo", "--since", "1h", "--yes", "--wait", "--json").facts["plays"] == 6
    assert door("plays", "redo", "--since", "2999-12-31", "--json").facts == {"plays": 0, "scenes": 0}
    assert door("plays", "redo", "--since", "1h", "--yes", "--wait", "--json").facts["plays"] == 6
    assert plays(watched) == AFTER


def test_a_dry_run_lists_the_plays_and_changes_nothing(watched: World, door: Door) -> None:
    facts = door("plays", "undo", "--all", "--dry-run", "--json").facts
    assert facts["plays"] == 6
    concerned = {"plays": ["2023-11-14T22:13:20Z"], "resume_point": False, "play_time": False}
    assert facts["scenes"][0] == {"id": 1, "title": "Title 0", **concerned}
    out = door("plays", "undo", "--all", "--dry-run").out
    assert "Title 2" in out
    assert "6 plays of 3 scenes; nothing was changed" in out
    assert counts(door)["sent"] == 6


def test_scenes_without_such_a_play_are_named(watched: World, door: Door) -> None:
    watched.stash.destroy_scene(3)
    done = door("plays", "undo", "1", "3", "77", "--yes", "--json")
    assert done.code == 1
    assert done.facts == {"plays": 1, "scenes": 1, "nothing": [3, 77]}
    assert "nothing to be taken back for scenes 3, 77" in done.err
    with try_lock(watched.folder):
        done = door("plays", "undo", "3", "--wait", "--json")
    assert done.facts == {"plays": 0, "scenes": 0, "nothing": [3], "unsettled": 0, "why": ""}
    assert done.err == "plexsync: nothing to be taken back for scene 3\n", "nobody is waited for"


@pytest.mark.parametrize("words", [(), ("--all", "1"), ("--since", "2h", "--all")])
@pytest.mark.parametrize("name", ["undo", "redo", "again"])
def test_it_wants_to_know_which(name: str, words: tuple[str, ...], played: World, door: Door) -> None:
    done = door("plays", name, *words)
    assert done.code == 2
    assert "say which plays" in done.err


def test_undo_while_stash_is_away_says_so_and_marks_nothing(watched: World, door: Door) -> None:
    watched.stash.faults.set(Fault("refuse"))
    done = door("plays", "undo", "--all", "--yes")
    assert done.code == 1
    assert "Stash" in done.err
    assert counts(door)["sent"] == 6


# --- again -------------------------------------------------------------------------------------------------------------


def test_again_sends_what_a_restored_stash_lost(watched: World, door: Door) -> None:
    watched.stash.plays.delete(2, [AT, AT + 1])
    watched.stash.plays.delete(3, [AT])
    refused = door("plays", "again", "3", answer="n\n")
    assert refused.code == 1
    assert (
        "Check 3 plays of 1 scene, and send again what Stash does not have, also what was deleted there?" in refused.err
    )
    assert door("plays", "again", "3").code == 2, "nobody is there to ask"
    assert door("plays", "again", "3", "--yes", "--wait").out == "3 plays checked\n"
    assert plays(watched) == [AFTER[0], [], AFTER[2]]
    assert door("plays", "again", "--since", "1h", "--yes", "--wait").code == 0
    assert plays(watched) == AFTER
    door("plays", "undo", "--all", "--yes", "--wait")
    assert plays(watched) == BEFORE, "what was checked is still PlexSync's"


# --- switched off ------------------------------------------------------------------------------------------------------


def test_while_the_way_back_is_off_plays_are_taken_back_and_none_is_sent(watched: World, door: Door) -> None:
    watched.settings["watch_back"] = "off"
    assert door("drain").code == 0
    assert counts(door) == {"sent": 6, "present": 1}
    assert "watch_back is off: nothing comes from Plex" in door("plays", "status").out
    for name in ("redo", "again"):
        done = door("plays", name, "--all", "--yes", "--json")
        assert done.code == 1
        assert done.facts == {
            "plays": 0,
            "scenes": 0,
            "error": 'watch_back is off, so no play would be sent: set watch_back = "plays" first',
        }
    assert door("plays", "undo", "--all", "--yes", "--wait").out == "6 plays taken back\n"
    assert plays(watched) == BEFORE
    assert counts(door) == {"present": 1, "undone": 6}


def test_plays_are_taken_back_while_the_way_back_is_off_and_plex_is_down(watched: World, door: Door) -> None:
    watched.settings["watch_back"] = "off"
    watched.plex.faults.set(Fault("refuse"))
    assert door("plays", "undo", "--all", "--yes", "--wait").code == 0
    assert plays(watched) == BEFORE
