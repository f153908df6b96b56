"""status, explain and dlq: what they tell, in words and as JSON."""

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from plexsync.reports.dead_letters import SHARED
from plexsync.rules.queue.note_keys import HEARTBEAT
from plexsync.rules.servers.causes import Cause
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.cli.conftest import Door
from tests.journey.world import World, until

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MOMENTS = (
    "at",
    "since",
    "until",
    "oldest_due",
    "heartbeat",
    "last_poll",
    "last_reconcile",
    "lease_until",
    "not_before",
)


def moments(facts: Any) -> Iterator[object]:
    """Every value that is a moment by its name."""
    if isinstance(facts, dict):
        for name, value in facts.items():
            if name in MOMENTS or name.endswith("_at"):
                yield value
            yield from moments(value)
    elif isinstance(facts, list):
        for one in facts:
            yield from moments(one)


@pytest.fixture
def given_up(world: World, door: Door, refusing: Callable[..., None]) -> World:
    """Scenes 1 and 2 were refused, 4 is ambiguous, 3 is in step."""
    ids = world.add(3)
    for folder in ("a", "b"):
        world.plex.add_movie(world.section, files=[(f"/elsewhere/{folder}/twin.mp4", 77, 60_000)], title="twin")
    ids.append(world.stash.add_scene(title="twin", files=[("/media/scenes/twin.mp4", 77, 60.0)]))
    refusing(1, 2)
    assert door("sync", *ids, "--wait").code == 1
    world.plex.faults.clear()
    return world


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_of_a_new_database(world: World, door: Door) -> None:
    facts = door("status", "--json").facts
    assert set(facts["jobs"]) == {"ready", "running", "absent", "dead", "idle", "gone", "dropped", "ignored", "outside"}
    for who in ("plex", "stash"):
        breaker = facts["breakers"][who]
        assert (breaker["state"], breaker["failures"]) == ("closed", 0)
        assert breaker["opened_at"] is breaker["next_probe_at"] is None
    assert facts["holds"] == {}
    assert facts["worker"] == {
        "running": False,
        "alive": False,
        "starting": False,
        "inside": False,
        "heartbeat": None,
        "enabled": True,
        "host": "",
        "standbys": [],
        "ended": None,
        "commit_wait": 0.0,
        "thread_ended": None,
    }
    assert facts["books"]["balanced"] is True


def test_status_tells_counts_books_and_libraries(given_up: World, door: Door) -> None:
    facts = door("status", "--json").facts
    assert facts["jobs"]["idle"] == 1
    assert facts["jobs"]["dead"] == 3
    assert facts["dead"] == {"refused": 2, "ambiguous": 1}
    assert facts["index"]["items"] == 5
    assert facts["index"]["libraries"][0]["title"] == "Movies"
    assert facts["books"] == {
        "accepted": 4,
        "coalesced": 0,
        "done": 1,
        "pruned": 0,
        "open": 3,
        "balanced": True,
    }


def test_every_moment_is_rfc_3339_in_utc(given_up: World, door: Door) -> None:
    door("sync", "9")
    told = [
        door(*words, "--json").facts for words in (["status"], ["explain", "1"], ["dlq", "list"], ["dlq", "show", "1"])
    ]
    found = [moment for moment in moments(told) if moment is not None]
    assert len(found) > 10
    assert all(MOMENT.fullmatch(str(moment)) for moment in found)


def test_status_in_words(given_up: World, door: Door) -> None:
    told = door("status").out
    for words in ("Queue", "Plex", "up", "refused", "2", "5 items of Movies", "4 accepted", "not running", "never"):
        assert words in told
    assert "\x1b" not in told
    assert "DO NOT BALANCE" not in told


def test_the_first_line_of_status_is_the_verdict(given_up: World, door: Door) -> None:
    told = door("status", "--json").facts["verdict"]
    words = "No worker runs · 1 of 4 were in sync · 3 need you · no full comparison yet: other scenes are not counted"
    assert (told["tone"], told["text"], told["next_check"]) == ("bad", words, None)
    line = words.replace("need you", "need you → plexsync fix")
    assert door("status").out.splitlines()[0] == line


def test_status_calls_a_worker_that_hangs_so(given_up: World, door: Door) -> None:
    with sqlite3.connect(given_up.folder / "plexsync.db") as db:
        db.execute("update note set value = '1700000000000' where name = ?", (HEARTBEAT,))
    db.close()
    with try_lock(given_up.folder) as lock:
        assert lock
        assert door("status").out.startswith("The worker is starting · 1 of 4 in sync")
        os.utime(given_up.folder / "worker.lock", (1_700_000_000, 1_700_000_000))
        told = door("status").out
        assert told.startswith("The worker hangs · 1 of 4 were in sync")
        assert "hangs (restart plexsync serve); last heartbeat" in told


def test_status_fits_the_terminal(given_up: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    assert max(map(len, door("status").out.splitlines())) <= 60


def test_status_tells_an_outage_with_its_reason_and_next_probe(world: World, door: Door) -> None:
    world.settings["breaker_recovery_timeout"] = world.settings["breaker_max_recovery_timeout"] = "600"
    world.settings["breaker_failure_threshold"] = "1"
    world.add(1)
    world.stash.faults.set(Fault("refuse"))
    door("sync", "--all")
    breaker = door("status", "--json").facts["breakers"]["stash"]
    assert breaker["state"] == "open"
    assert MOMENT.fullmatch(breaker["next_probe_at"])
    assert MOMENT.fullmatch(breaker["opened_at"])
    told = door("status").out
    assert "down" in told
    assert re.search(r"Stash +down +1 +in \d+ min", told)


def test_status_tells_the_setting_that_a_hold_waits_for(world: World, door: Door) -> None:
    world.settings["stash_api_key"] = "another-key-0123456789"
    door("sync", "--all")
    told = door("status").out
    assert "on hold" in told
    assert "change stash_api_key" in told


def test_status_tells_a_running_worker(world: World, door: Door) -> None:
    with world.serving():
        until(lambda: door("status", "--json").facts["worker"]["heartbeat"] is not None)
        assert door("status", "--json").facts["worker"]["running"] is True
    assert door("status", "--json").facts["worker"]["running"] is False


# --- explain ---------------------------------------------------------------------------------------------------------


def test_explain_tells_what_would_happen_and_writes_nothing(world: World, door: Door) -> None:
    world.add(1)
    done = door("explain", "1", "--json")
    assert done.code == 0
    facts = done.facts
    assert facts["title"] == "Title 0"
    assert facts["verdict"] == "8 fields would be changed"
    assert facts["steps"][0]["rung"] == "path"
    fields = {one["field"]: one for one in facts["targets"][0]["fields"]}
    assert (fields["title"]["stash"], fields["title"]["plex"]) == ("Title 0", "scene 00000")
    assert (fields["title"]["action"], fields["title"]["reason"]) == ("write", "first push")
    assert fields["genre"]["action"] == "add Tag 0"
    assert facts["job"] is None
    assert world.plex.count("PUT") == 0


def test_explain_tells_why_a_field_is_left_or_changed(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    key = world.plex.keys(world.section)[0]
    world.plex.hand_edit(key, title="A person's")
    world.stash.edit_scene(1, details="Edited")
    fields = {one["field"]: one for one in door("explain", "1", "--json").facts["targets"][0]["fields"]}
    assert fields["title"]["action"] == "nothing"
    assert fields["title"]["locked"] is True
    assert [note["reason"] for note in fields["title"]["why"]] == ["person"]
    assert (fields["summary"]["action"], fields["summary"]["reason"]) == ("write", "changed in Stash")
    assert fields["studio"]["reason"] == ""


def test_explain_of_an_ignored_scene_says_first_that_it_is_ignored(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    door("undo", "1", "--wait")
    door("ignore", "1")
    assert door("explain", "1", "--json").facts["verdict"] == "ignored: nothing is synced until plexsync unignore 1"
    assert door("explain", "1").out.splitlines()[1].startswith("ignored: nothing is synced")


def test_a_dead_letter_that_died_at_once_counts_no_attempts(given_up: World, door: Door) -> None:
    for words in (("explain", "1"), ("dlq", "show", "1")):
        told = door(*words).out
        assert "0 counted" not in told
        assert "not tried again: another attempt would change nothing" in told


def test_explain_in_words(given_up: World, door: Door) -> None:
    told = door("explain", "1").out
    for words in (
        "Scene 1: Title 0",
        "has the full path",
        "Stash says",
        "Plex has",
        "Title 0",
        "needs you",
        "(refused)",
    ):
        assert words in told


def test_explain_lists_the_candidates_of_an_ambiguous_scene(given_up: World, door: Door) -> None:
    facts = door("explain", "4", "--json").facts
    assert {one["path"] for one in facts["candidates"]} == {"/elsewhere/a/twin.mp4", "/elsewhere/b/twin.mp4"}
    assert all(one["why"] for one in facts["candidates"])
    assert facts["targets"] == []
    told = door("explain", "4").out
    assert "Candidates" in told
    assert "/elsewhere/b/twin.mp4" in told


def test_explain_tells_that_a_scene_is_not_in_plex(world: World, door: Door) -> None:
    id = world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    done = door("explain", id)
    assert done.code == 0
    assert "no item in Plex has this file (yet)" in done.out


def test_explain_of_a_scene_that_is_due_names_no_try_in_the_past(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1")
    assert "next try due now, once a worker and both servers are up" in " ".join(door("explain", "1").out.split())


def test_explain_of_a_scene_that_nobody_knows_ends_with_1(world: World, door: Door) -> None:
    done = door("explain", "999")
    assert done.code == 1
    assert "Stash has no scene 999" in done.out


def test_explain_shows_what_is_known_while_a_server_is_away(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    world.plex.faults.set(Fault("refuse"))
    done = door("explain", "1")
    assert done.code == 1
    assert "What the database knows" in done.out
    assert "in sync" in done.out
    assert "Title 0" in done.out
    facts = door("explain", "1", "--json").facts
    assert facts["error"]
    assert facts["job"]["state"] == "idle"
    assert {"key": "1", "field": "title", "said": "Title 0", "left": "Title 0", "left_locked": True} in facts[
        "remembered"
    ]


def test_texts_of_others_can_not_steer_the_terminal(world: World, door: Door) -> None:
    id = world.stash.add_scene(title="\x1b[31mred [bold]\u202e", files=[("/media/\x07bell.mp4", 5, 60.0)])
    told = door("explain", id).out
    assert "[bold]" in told
    assert not {"\x1b", "\x07", "\u202e"} & set(told)


# --- dlq -------------------------------------------------------------------------------------------------------------


def test_an_empty_queue_of_dead_letters(world: World, door: Door) -> None:
    assert door("dlq", "list").out == "no dead letters\n"
    assert door("dlq", "list", "--json").facts == {"dead": 0, "causes": [], "rows": []}
    assert door("dlq", "retry", "--all", "--json").facts == {"retried": 0}
    assert door("dlq", "drop", "--all", "--yes", "--json").facts == {"dropped": 0}


def test_the_dead_are_listed_by_cause_with_their_cure(given_up: World, door: Door) -> None:
    facts = door("dlq", "list", "--json").facts
    assert [(group["cause"], group["count"]) for group in facts["causes"]] == [("refused", 2), ("ambiguous", 1)]
    assert facts["causes"][0]["example"]["id"] == 1
    assert facts["causes"][0]["advice"] == Cause.REFUSED.cure.advice
    assert [row["id"] for row in facts["rows"]] == [1, 2, 4]
    told = door("dlq", "list").out
    for words in ("refused: 2", "ambiguous: 1", "cure", "example"):
        assert words in told
    assert [row["id"] for row in door("dlq", "list", "--cause", "ambiguous", "--json").facts["rows"]] == [4]


def test_a_long_list_is_cut_in_words_and_whole_as_json(world: World, door: Door) -> None:
    ids = [world.stash.add_scene(title="x" * 300, files=[(f"/media/scenes/{n}.mp4", n + 1, 9.0)]) for n in range(60)]
    for n in range(60):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/{n}.mp4", n + 1, 9_000)], title=f"{n}")
    world.settings["strict_mode"] = "true"
    assert door("sync", *ids, "--wait", "--json").facts["causes"] == {"strict": 60}
    assert "and 10 more" in door("dlq", "list").out
    assert len(door("dlq", "list", "--json").facts["rows"]) == 60


def test_one_is_shown_with_its_attempts_and_cure(given_up: World, door: Door) -> None:
    facts = door("dlq", "show", "1", "--json").facts
    assert facts["job"]["cause"] == "refused"
    assert facts["attempts"][0]["then"] == "dead"
    assert facts["advice"] == Cause.REFUSED.cure.advice
    told = door("dlq", "show", "scene:1").out
    assert "Failed attempts" in told
    assert Cause.REFUSED.cure.meaning in told


@pytest.mark.parametrize("key", ["3", "99", "tag:1"])
def test_one_that_was_not_given_up_is_not_shown(key: str, given_up: World, door: Door) -> None:
    done = door("dlq", "show", key, "--json")
    assert done.code == 1
    assert f"not a dead letter: {key}" in done.facts["error"]


def test_retry_gives_another_chance(given_up: World, door: Door) -> None:
    done = door("dlq", "retry", "1")
    assert (done.code, done.out) == (0, "1 scene retried\n")
    assert door("sync", "1", "--wait").code == 0
    assert door("dlq", "retry", "--cause", "refused", "--json").facts == {"retried": 1}
    assert door("dlq", "retry", "--all", "--json").facts == {"retried": 1}
    assert given_up.count("dead") == 0


def test_retry_says_which_were_not_dead_and_does_the_others(given_up: World, door: Door) -> None:
    done = door("dlq", "retry", "1", "3", "1", "--json")
    assert done.code == 1
    assert (done.facts["retried"], done.facts["not_dead"]) == (1, ["3"])
    assert given_up.count("dead") == 2


def test_drop_asks_first(given_up: World, door: Door) -> None:
    done = door("dlq", "drop", "--all", answer="n\n")
    assert done.code == 1
    assert "Drop 3 scenes?" in done.err
    assert given_up.count("dead") == 3
    assert door("dlq", "drop", "1", answer="y\n").code == 0
    assert given_up.count("dropped") == 1


def test_drop_needs_yes_where_nobody_can_answer(given_up: World, door: Door) -> None:
    done = door("dlq", "drop", "--all")
    assert done.code == 2
    assert "--yes" in done.err
    assert given_up.count("dead") == 3


def test_drop_takes_what_died_of_a_cause(given_up: World, door: Door) -> None:
    done = door("dlq", "drop", "--cause", "refused", "--yes", "--json")
    assert (done.code, done.facts) == (0, {"dropped": 2})
    assert json.loads(door("status", "--json").out)["jobs"]["dropped"] == 2
    assert given_up.count("dead") == 1


# --- what a server is called -----------------------------------------------------------------------------------------


def states(told: str) -> dict[str, str]:
    return dict(re.findall(r"^ *(Plex|Stash) +(\w.*?)  ", told, re.MULTILINE))


def test_status_claims_nothing_of_a_server_that_was_never_asked(world: World, door: Door) -> None:
    assert states(door("status").out) == dict.fromkeys(("Plex", "Stash"), "no sync yet")
    world.add(1)
    door("sync", "1", "--wait")
    assert states(door("status").out) == {"Plex": "up", "Stash": "up"}


def test_status_says_how_often_a_server_failed_and_why(world: World, door: Door) -> None:
    world.stash.faults.set(Fault("refuse"))
    door("sync", "--all")
    told = door("status").out
    assert states(told)["Stash"] == "failing (1 of 5)"
    assert "refuses connections" in told
    assert "patience" not in told


def test_status_and_explain_tell_one_time_for_one_state(world: World, door: Door) -> None:
    world.add(1)
    assert door("sync", "1", "--wait").code == 0
    # The row begins anew each time that it is inspected; the scene has been in sync since before.
    with closing(sqlite3.connect(world.folder / "plexsync.db")) as db, db:
        db.execute("update job set since = since + 3600000")
    (since,) = re.findall(r"is in sync since (\S+ \S+)", door("status", "1").out)
    assert f"in sync, since {since}" in " ".join(door("explain", "1").out.split())


# --- what dlq says of the odd case -----------------------------------------------------------------------------------


def test_a_cause_that_nothing_died_of_is_told_with_the_others(given_up: World, door: Door) -> None:
    assert door("dlq", "list", "--cause", "strict").out == "nothing of this cause; 3 scenes of others\n"


def test_nobody_is_asked_when_there_is_nothing_to_drop(given_up: World, door: Door) -> None:
    done = door("dlq", "drop", "--cause", "strict")
    assert (done.code, done.out, done.err) == (0, "0 scenes dropped\n", "")
    done = door("dlq", "drop", "77")
    assert done.code == 1
    assert done.err.startswith("plexsync: not in the queue: 77")
    assert "Drop 1 scene?" in door("dlq", "drop", "77", "1", answer="n\n").err


def test_the_second_scene_of_an_item_is_told_what_cures_that(world: World, door: Door) -> None:
    files = [("/media/scenes/a.mp4", 5, 60_000), ("/media/scenes/b.mp4", 6, 60_000)]
    world.plex.add_movie(world.section, files=files, title="both")
    for path, size, _ in files:
        world.stash.add_scene(title=path, files=[(path, size, 60.0)])
    assert door("sync", "--all", "--wait", "--json").facts["causes"] == {"ambiguous": 1}
    told = door("dlq", "show", "2").out
    assert SHARED.meaning in told
    assert "several items" not in told
    assert door("dlq", "show", "2", "--json").facts["advice"] == SHARED.advice


# --- events that were left as files ----------------------------------------------------------------------------------


def test_events_left_as_files_and_those_that_can_not_be_read_are_told(world: World, door: Door) -> None:
    assert "events" not in door("status").out
    assert door("status", "--json").facts["events"] == {"waiting": 0, "unread": 0}
    spool = world.folder / "spool"
    spool.mkdir(mode=0o700)
    for name, content in (
        ("1.raw", "nonsense"),
        ("2.raw", ""),
        ("3.json", '{"kind": "scene", "id": 7, "why": "edit"}'),
    ):
        (spool / name).write_text(content)
    assert "3 left as files" in door("status").out
    assert door("drain").code == 0
    told = door("status")
    assert "2 set aside, since they can't be read" in told.out
    assert door("status", "--json").facts["events"] == {"waiting": 0, "unread": 2}
    (found,) = [one for one in door("doctor", "--json").facts["checks"] if one["name"] == "events"]
    assert found["state"] == "warning"
    assert f"2 events could not be read, and were set aside in {spool / 'unread'}" in found["told"]


def test_a_scene_is_listed_by_the_title_it_had_when_it_was_last_seen(
    world: World, door: Door, refusing: Callable[..., None]
) -> None:
    world.add(2)
    door("sync", "1", "--wait")
    world.stash.edit_scene(1, title="Another")
    refusing(1, 2)
    door("sync", "1", "2", "--wait")
    told = door("dlq", "list").out
    assert re.search(r"^ *1 +refused +\S+ \S+ +Another$", told, re.MULTILINE), "it died as the example did"
    assert re.search(r"^ *2 +refused +\S+ \S+ +Title 1 ", told, re.MULTILINE), "also one that was never pushed"
    assert told.count("sent was title") == 2, "each names its own value"
    assert "1 (Another)" in door("dlq", "show", "1").out
    assert door("dlq", "show", "1", "--json").facts["title"] == "Another"
    assert "title" not in door("dlq", "list", "--cause", "bug").out


def test_status_says_that_a_comparison_is_due_after_a_restore(world: World, door: Door) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    assert "comparison is due" not in door("status").out
    door("backup", world.folder / "copy")
    door("restore", world.folder / "copy", "--yes")
    assert "a full comparison is due" in door("status").out
    assert door("status", "--json").facts["comparison_due"] is True
    door("reconcile")
    assert door("status", "--json").facts["comparison_due"] is False


# --- history ---------------------------------------------------------------------------------------------------------


def test_history_tells_pushes_and_failed_attempts_newest_first(
    world: World, door: Door, refusing: Callable[..., None]
) -> None:
    world.add(1)
    door("sync", "1", "--wait")
    time.sleep(0.01)
    world.stash.edit_scene(1, title="Another")
    refusing(1)
    door("sync", "1", "--wait")
    facts = door("history", "1", "--json").facts
    assert [one["what"] for one in facts["entries"]] == ["attempt", "push"]
    assert (facts["total"], facts["entries"][0]["cause"], facts["entries"][0]["then"]) == (2, "refused", "dead")
    title = next(one for one in facts["entries"][1]["fields"] if one["field"] == "title")
    assert title == {"field": "title", "old": "scene 00000", "new": "Title 0", "was_locked": False, "locked": True}
    told = door("history", "scene:1").out
    assert "title: scene 00000 -> Title 0 (locked)" in told
    assert told.index("attempt, then needs you") < told.index("title: scene 00000")


def test_history_is_cut_at_its_limit(given_up: World, door: Door) -> None:
    given_up.stash.edit_scene(3, title="Another")
    door("sync", "3", "--wait")
    assert len(door("history", "3", "--json").facts["entries"]) == 2
    assert len(door("history", "3", "--limit", "1", "--json").facts["entries"]) == 1
    assert "and 1 older" in door("history", "3", "--limit", "1").out


def test_history_of_a_scene_without_any(world: World, door: Door) -> None:
    done = door("history", "7", "--json")
    assert (done.code, done.facts["entries"]) == (1, [])
    assert "7 was never in the queue" in done.err
    world.add(7)
    door("sync", "7")
    done = door("history", "7")
    assert (done.code, done.out) == (0, "nothing was changed in Plex or Stash, and nothing went wrong\n")


@pytest.mark.parametrize("words", ["explain 1", "explain 4", "sync --all --dry-run", "undo 1 --dry-run"])
def test_looking_leaves_the_queue_and_its_books_as_they_are(world: World, door: Door, words: str) -> None:
    world.add(3)
    absent = world.stash.add_scene(title="Nowhere", files=[("/media/scenes/scene 00009.mp4", 1_000_009, 60.0)])
    assert door("sync", "--all", "--wait").code == 0
    world.plex.remove(world.plex.keys(world.section)[1])
    world.plex.add_movie(world.section, files=[("/media/scenes/scene 00009.mp4", 1_000_009, 60_000)], title="come")
    world.plex.scan(world.section)
    world.plex.finish_scan(world.section)
    before = world.rows("select * from job order by kind, id"), world.rows("select * from books")
    assert door(*words.split()).code == 0
    assert (world.rows("select * from job order by kind, id"), world.rows("select * from books")) == before
    assert world.rows(f"select state from job where id = {absent}") == [("absent",)]
