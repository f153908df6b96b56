"""The dead-letter queue as a work bench: history, export, drop, ignore, the cap, and a queue that is very long."""

import csv
import json
import os
import sqlite3
import stat
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from plexsync.reports.dead_letters import COLUMNS, FORMULA, cell
from plexsync.rules.queue.job import Kind
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.patience import HANG

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))


@pytest.fixture
def given_up(world: World, door: Door, refusing: Callable[..., None]) -> World:
    """Scenes 1 and 2 were pushed once, then refused; scene 3 is in step."""
    ids = world.add(3)
    assert door("sync", *ids, "--wait").code == 0
    refusing(1, 2)
    for id in (1, 2):
        world.stash.edit_scene(id, title=f"=Another {id}")
    assert door("sync", "1", "2", "--wait").code == 1
    world.plex.faults.clear()
    return world


def change(world: World, sql: str, *values: object) -> None:
    db = sqlite3.connect(world.folder / "plexsync.db", timeout=HANG)
    with db:
        db.execute(sql, values)
    db.close()


# --- show ------------------------------------------------------------------------------------------------------------


def test_show_tells_attempts_and_what_was_changed_in_plex_before(given_up: World, door: Door) -> None:
    facts = door("dlq", "show", "1", "--json").facts
    assert [one["cause"] for one in facts["attempts"]] == ["refused"]
    (push,) = facts["pushes"]
    fields = {one["field"]: one for one in push["fields"]}
    assert (fields["title"]["old"], fields["title"]["new"]) == ("scene 00000", "Title 0")
    assert (fields["title"]["was_locked"], fields["title"]["locked"]) == (False, True)
    assert fields["genre"]["new"] == ["Tag 0"]
    told = door("dlq", "show", "1").out
    for words in ("Changed in Plex", "scene 00000", "Title 0 (locked)", "Failed attempts"):
        assert words in told


def test_a_retry_keeps_the_history_and_resets_the_attempts_once(given_up: World, door: Door) -> None:
    change(given_up, "update job set attempts = 4 where id = 1")
    door("dlq", "retry", "1")
    assert given_up.rows("select state, attempts, lane from job where id = 1") == [("ready", 0, 0)]
    assert given_up.rows("select count(*) from attempt where id = 1") == [(1,)]
    assert door("dlq", "retry", "1").code == 1, "it is not dead any more"


def test_retrying_everything_goes_behind_hand_edits(given_up: World, door: Door) -> None:
    door("dlq", "retry", "--all")
    assert given_up.rows("select distinct lane from job where state = 'ready'") == [(1,)]


# --- drop and ignore -------------------------------------------------------------------------------------------------


def test_a_scene_that_is_not_in_plex_can_be_dropped_by_name(world: World, door: Door) -> None:
    id = world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    door("sync", id, "--wait")
    assert world.count("absent") == 1
    assert door("dlq", "drop", id, "--yes").code == 0
    assert world.count("dropped") == 1
    assert door("status", "--json").facts["books"]["balanced"]


def test_a_scene_that_is_in_step_is_not_in_the_queue(given_up: World, door: Door) -> None:
    done = door("dlq", "drop", "3", "99", "1", "--yes", "--json")
    assert done.code == 1
    assert (done.facts["dropped"], done.facts["not_dead"]) == (1, ["3", "99"])
    assert "not in the queue: 3, 99" in done.facts["error"]
    assert given_up.count("idle") == 1


def test_an_ignored_scene_is_left_alone_until_it_is_not(given_up: World, door: Door) -> None:
    done = door("ignore", "1", "3", "50", "3")
    assert (done.code, done.out, done.err) == (1, "2 scenes ignored\n", "plexsync: Stash has no scene 50\n")
    assert door("ignore", "1", "--json").facts == {"ignored": 0}
    given_up.stash.edit_scene(3, title="Edited")
    given_up.plex.clear_log()
    assert door("sync", "1", "3", "50", "--wait", "--json").facts == {
        "wanted": 0,
        "not_in_stash": [50],
        "ignored": [1, 3],
        "error": "Stash has no scene 50; scenes 1, 3 are ignored, so nothing was queued for them: plexsync unignore 1 3",
    }
    assert door("reconcile", "--wait").code == 0
    assert given_up.plex.count("PUT") == 0
    listed = door("ignore", "--list", "--json").facts
    assert (listed["count"], [one["id"] for one in listed["scenes"]]) == (2, [1, 3])
    assert "3" in door("ignore", "--list").out
    assert door("status", "--json").facts["books"]["balanced"]

    done = door("unignore", "1", "3", "2", "--json")
    assert done.code == 1
    assert (done.facts["unignored"], done.facts["not_ignored"]) == (2, [2])
    assert door("sync", "1", "3", "--wait").code == 0
    assert given_up.in_step([1, 3])
    assert door("status", "--json").facts["books"]["balanced"]


def test_a_scene_of_which_nobody_knows_is_ignored_and_that_is_said(world: World, door: Door) -> None:
    world.stash.faults.set(Fault("refuse"))
    done = door("ignore", "50")
    assert (done.code, done.out) == (0, "1 scene ignored\n")
    assert "whether Stash has scene 50 is not known: Stash" in done.err


def test_a_stash_on_hold_is_not_asked_whether_it_has_a_scene(world: World, door: Door) -> None:
    world.stash.faults.set(Fault("status", status=401))
    door("sync", "--all")
    asked = world.stash.count()
    done = door("ignore", "50")
    assert (done.code, done.out) == (0, "1 scene ignored\n")
    assert "whether Stash has scene 50 is not known: Stash is on hold" in done.err
    assert world.stash.count() == asked


def test_nothing_is_ignored_at_first(world: World, door: Door) -> None:
    assert door("ignore", "--list").out == "nothing is ignored\n"


@pytest.mark.parametrize(
    "words", [("ignore",), ("ignore", "7", "--list"), ("unignore",), ("ignore", "tag:1"), ("ignore", "0")]
)
def test_misuse_of_ignore(words: tuple[str, ...], door: Door) -> None:
    assert door(*words).code == 2


# --- the account -----------------------------------------------------------------------------------------------------


def account(door: Door) -> dict[str, int]:
    found = door("status", "--json").facts["dlq"]
    return {
        name: value for name, value in found.items() if isinstance(value, int) and name not in ("max", "over") and value
    }


def test_every_way_into_and_out_of_the_queue_is_counted(
    given_up: World, door: Door, refusing: Callable[..., None]
) -> None:
    assert account(door) == {"count": 2, "died": 2}
    door("dlq", "retry", "1")
    assert account(door) == {"count": 1, "died": 2, "retried": 1}
    assert "2 in all: 1 retried" in door("status").out
    refusing(1)
    door("sync", "1", "--wait")
    door("sync", "2")
    assert account(door) == {"count": 1, "died": 3, "retried": 1, "renewed": 1}
    door("ignore", "1")
    assert account(door) == {"died": 3, "retried": 1, "renewed": 1, "ignored": 1}


# --- settings that cure ----------------------------------------------------------------------------------------------


def test_a_setting_that_cures_tries_again_by_itself_when_a_worker_starts(world: World, door: Door) -> None:
    world.settings["strict_mode"] = "true"
    id = world.stash.add_scene(title="x" * 300, files=[("/media/scenes/long.mp4", 5, 9.0)])
    world.plex.add_movie(world.section, files=[("/media/scenes/long.mp4", 5, 9_000)], title="long")
    assert door("sync", id, "--wait").code == 1
    assert door("drain").code == 0
    assert world.count("dead") == 1, "nothing has changed"
    world.settings["strict_mode"] = "false"
    assert door("drain").code == 0
    assert world.count("idle") == 1
    assert account(door) == {"died": 1, "cured": 1}


# --- export ----------------------------------------------------------------------------------------------------------


def test_export_as_json_holds_everything_that_is_known(given_up: World, door: Door, tmp_path: Path) -> None:
    target = tmp_path / "letters.json"
    assert door("dlq", "export", target, "--json").facts == {"exported": 2, "file": str(target)}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    rows = json.loads(target.read_text())["rows"]
    assert [row["id"] for row in rows] == [1, 2]
    assert {"cause", "error", "since", "attempts", "meaning", "advice", "failed_attempts", "pushes"} <= set(rows[0])
    assert rows[0]["failed_attempts"][0]["cause"] == "refused"
    assert rows[0]["pushes"][0]["fields"]
    assert json.loads(door("dlq", "export", "-").out)["rows"] == rows
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".letters")] == []


def test_export_as_csv_has_a_line_for_each(given_up: World, door: Door) -> None:
    door("sync", "3")
    change(given_up, "update job set error = ? where id = 1", "=cmd|' /C calc'!A0")
    change(given_up, "update job set error = ? where id = 2", 'two\nlines, "quoted"')
    head, *rows = csv.reader(StringIO(door("dlq", "export", "-", "--format", "csv").out))
    assert tuple(head) == COLUMNS
    assert [row[:3] for row in rows] == [["scene", "1", "refused"], ["scene", "2", "refused"]]
    assert rows[0][3] == "'=cmd|' /C calc'!A0"
    assert "\n" not in rows[1][3]
    assert all(row[COLUMNS.index("last_push_at")].endswith("Z") for row in rows)


def test_an_export_of_one_cause_and_of_nothing(given_up: World, door: Door) -> None:
    assert json.loads(door("dlq", "export", "-", "--cause", "strict").out)["rows"] == []
    assert door("dlq", "export", "-", "--cause", "strict", "--format", "csv").out.count("\n") == 1


def test_an_export_replaces_a_file_only_when_told_to(given_up: World, door: Door, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = door("dlq", "export", tmp_path / "mine")
    assert done.code == 2
    assert "--force" in done.err
    assert (tmp_path / "mine").read_text() == "mine"
    assert door("dlq", "export", tmp_path / "mine", "--force").out == "2 scenes exported\n"
    assert door("dlq", "export", tmp_path / "nowhere" / "file").code == 2
    assert door("dlq", "export", "-", "--format", "csv", "--json").code == 2


@pytest.mark.parametrize("first", FORMULA)
@pytest.mark.parametrize("before", ["", " ", "   "])
def test_no_cell_is_a_formula(first: str, before: str) -> None:
    assert cell(f"{before}{first}1+1").startswith("'")


@pytest.mark.parametrize(("value", "text"), [("", ""), (7, "7"), (None, "None"), ("plain = text", "plain = text")])
def test_other_cells_stay_as_they_are(value: object, text: str) -> None:
    assert cell(value) == text


# --- a very long queue -----------------------------------------------------------------------------------------------

BURY = """
with recursive n(id) as (select 1 union all select id + 1 from n where id < {count})
insert into job (kind, id, state, lane, wanted_rev, attempts, due, since, stirred, error, cls, desired)
select 'scene', id, 'dead', 0, 1, 5, {since} + id, {since} + id, {since}, 'an error text of some length ' || id,
       case id % 5 when 0 then 'refused' when 1 then 'ambiguous' when 2 then 'strict' when 3 then 'bug' else 'missing' end,
       'abcdef'
  from n
"""


@pytest.mark.timeout(900)
def test_a_very_long_queue_is_told_in_few_steps_and_nothing_is_thrown_away(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted in SQLite's own steps, which a busy computer does not change."""
    count = 300_000 if TORTURE else 100_000
    door("status")
    change(world, BURY.format(count=count, since=round(time.time() * 1000)))
    change(world, "update book set accepted = ?", count)
    took, steps, connect = {}, [0], sqlite3.connect

    def step() -> int:
        steps[0] += 1
        return 0

    def counted(*given: Any, **more: Any) -> sqlite3.Connection:
        db = connect(*given, **more)
        db.set_progress_handler(step, 100)
        return db

    monkeypatch.setattr(sqlite3, "connect", counted)
    for words in (("status",), ("dlq", "list"), ("dlq", "list", "--cause", "strict"), ("dlq", "show", "77777")):
        steps[0] = 0
        done = door(*words)
        took[" ".join(words)] = 100 * steps[0] / count
        assert done.code == 0
        if words[-1] != "77777":
            assert f"{count:,} dead letters, more than dlq_max (10,000)" in done.out
    assert max(took.values()) < 150, "steps for each row"
    facts = door("status", "--json").facts
    assert (facts["dlq"]["over"], facts["books"]["balanced"], facts["jobs"]["dead"]) == (True, True, count)
    if not TORTURE:
        assert door("dlq", "list", "--cause", "bug", "--json").out.count('"cause": "bug"') == count // 5 + 1
    print(f"{count:,} dead rows:", {name: f"{seconds:.2f} s" for name, seconds in took.items()})


def test_a_queue_below_its_cap_has_no_banner(given_up: World, door: Door) -> None:
    given_up.settings["dlq_max"] = "100"
    assert "dlq_max" not in door("status").out + door("dlq", "list").out
    assert "banner" not in door("dlq", "list", "--json").facts
    change(
        given_up, BURY.format(count=0, since=0).replace("select 1 union", "select 1000 union").replace("< 0", "< 1098")
    )
    assert door("dlq", "list", "--json").facts["banner"].startswith("101 dead letters")
    assert "dlq_max (100)" in door("status").out


def test_other_kinds_are_named_with_their_kind(world: World, door: Door) -> None:
    world.stash.faults.set(Fault("status", status=400))
    door("status")
    columns = "kind, id, state, lane, wanted_rev, due, since, stirred, cls"
    change(world, f"insert into job ({columns}) values (?, 5, 'dead', 0, 1, 0, 0, 0, 'bug')", Kind.TAG)
    assert "tag:5" in door("dlq", "list").out
    assert json.loads(door("dlq", "export", "-").out)["rows"][0]["kind"] == "tag"
    assert door("dlq", "drop", "tag:5", "--yes").code == 0


@pytest.mark.parametrize(("target", "words"), [("", "name a file"), (".", ". is a folder: name a file")])
def test_an_export_needs_the_name_of_a_file(target: str, words: str, world: World, door: Door) -> None:
    done = door("dlq", "export", target)
    assert done.code == 2
    assert words in done.err
    assert "exists already" not in done.err
