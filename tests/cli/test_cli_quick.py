"""`status` by the database alone: what it loads, and that it tells the same as by all settings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.app import quick
from plexsync.app.parts import opened
from plexsync.app.status_settings import MOST_KEPT, Sources, kept, written
from plexsync.cli.entry import options_of
from plexsync.cli.quick_status import quick_facts
from plexsync.cli.terminal.plain import Look, folded, look_of, safe
from plexsync.reports.status import facts
from plexsync.rules.note_keys import RESTORED, STATUS_SETTINGS
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World
from tests.web.stage import config_of

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "pydantic",
    "rich",
    "httpx2",
    "msgspec",
    "click",
    "plexsync.engine",
    "plexsync.flows",
    "plexsync.plex",
    "plexsync.stash",
    "plexsync.notify",
    "plexsync.rules.records",
    "validation.config",
)
PROGRAM = f"""
import atexit, sys
atexit.register(lambda: sys.stderr.write(" ".join(name for name in {HEAVY!r} if name in sys.modules)))
from plexsync.cli.entry import main
main()
"""


def started(world: World, *words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own; standard error ends with what it has loaded of HEAVY."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **world.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def sources(world: World) -> Sources:
    return Sources({name: value for name, value in world.environ.items() if name.startswith("PLEXSYNC_")}, None, None)


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("--json", "status")], ids=" ".join)
def test_status_loads_nothing_that_works_or_draws(words: tuple[str, ...], world: World, door: Door, refusing) -> None:
    world.add(2)
    refusing(2)
    door("sync", "--all", "--wait")
    done = started(world, *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert "refused" in done.stdout


def test_status_loads_no_more_after_an_outage_and_during_one(world: World, door: Door) -> None:
    world.add(1)
    door("status")
    world.plex.faults.set(Fault("refuse"))
    for _ in range(6):
        door("sync", "1")
        door("drain")
    done = started(world, "status")
    assert done.stderr == ""
    assert "Plex" in done.stdout


def test_both_ways_tell_the_same(world: World, door: Door, refusing, monkeypatch: pytest.MonkeyPatch) -> None:
    world.add(4)
    refusing(2)
    door("sync", "--all", "--wait")
    door("ignore", "3")
    with opened(config_of(world), world.folder) as parts:
        with parts.store.writing() as tx:
            tx.notes.save(RESTORED, str(parts.clock.now()))
        whole = facts(parts)
    seen = quick.look(sources(world))
    assert seen is not None
    for name, value in sources(world).environ.items():
        monkeypatch.setenv(name, value)
    told = quick_facts(options_of(["status"]))
    assert {**told, "at": ""} == {**whole, "at": ""}


def test_a_setting_that_changed_counts_at_once(world: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    assert door("status", "--json").facts["worker"]["enabled"] is True
    world.settings["enabled"] = "false"
    assert quick.look(sources(world)) is None
    assert door("status", "--json").facts["worker"]["enabled"] is False
    assert quick.look(sources(world)) is not None
    world.settings["enabled"] = "perhaps"
    wrong = door("status")
    assert wrong.code == 2
    assert "enabled" in wrong.err


def test_a_settings_file_that_is_broken_is_told_of(world: World, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("dlq_max = 500\n")
    assert door("--config", str(file), "status", "--json").facts["dlq"]["max"] == 500
    file.write_text("dlq_max = 600\n")
    assert door("--config", str(file), "status", "--json").facts["dlq"]["max"] == 600
    file.write_text("dlq_max = [\n")
    wrong = door("--config", str(file), "status")
    assert wrong.code == 2
    assert "TOML" in wrong.err
    file.unlink()
    assert door("--config", str(file), "status").code == 2


def test_a_warning_is_told_every_time(world: World, door: Door, tmp_path: Path) -> None:
    if os.name == "nt":
        pytest.skip("mode bits say nothing there")
    file = tmp_path / "own.toml"
    file.write_text('stash_api_key = "abc"\n')
    file.chmod(0o600)
    assert door("--config", str(file), "status").err == ""
    file.chmod(0o644)
    for _ in range(2):
        assert "every user of this machine can read" in door("--config", str(file), "status").err


def test_what_is_kept_holds_no_secret_and_is_kept_for_a_few(world: World, door: Door) -> None:
    for number in range(MOST_KEPT + 2):
        world.settings["dlq_max"] = str(1000 + number)
        door("status")
    (text,) = world.rows(f"select value from note where name = '{STATUS_SETTINGS}'")[0]
    assert len(text.splitlines()) == MOST_KEPT
    assert TOKEN not in text
    assert KEY not in text
    assert re.fullmatch(r"([0-9a-f]{32}( \w+=[0-9.]+)+\n?)+", text)


def test_what_was_kept_is_read_back_and_rubbish_is_nothing(world: World) -> None:
    config = config_of(world)
    text = written(config, "f" * 32, "")
    again = kept(text, "f" * 32)
    assert again is not None
    assert (again.enabled, again.dlq_max) == (config.enabled, config.dlq_max)
    assert again.breaker_recovery_timeout == config.breaker_recovery_timeout
    assert kept(text, "e" * 32) is None
    assert kept("f enabled=x", "f") is None
    assert kept("f", "f") is None
    assert kept("", "") is None


def test_what_is_no_database_of_this_version_goes_the_usual_way(world: World, door: Door) -> None:
    door("status")
    assert quick.look(sources(world)) is not None
    (world.folder / "plexsync.db").write_bytes(b"")
    assert quick.look(sources(world)) is None
    (world.folder / "plexsync.db").unlink()
    assert quick.look(sources(world)) is None
    assert quick.keys_in(sources(world), "dead", 50) == []


@pytest.mark.parametrize(
    "words",
    [[], ["status", "7"], ["status", "--without-item"], ["-v", "status"], ["sync"], ["--config"], ["status", "status"]],
    ids=" ".join,
)
def test_every_other_command_line_goes_the_usual_way(words: list[str]) -> None:
    assert options_of(words) is None


def test_the_options_of_a_plain_status() -> None:
    options = options_of(["--config=a.toml", "status", "--json", "--data-dir", "b"])
    assert options is not None
    assert (options.config_file, options.data_dir, options.json) == ("a.toml", "b", True)


# --- the table writer ------------------------------------------------------------------------------------------------

PLAIN = Look(0, bold=False, rule="-")


class Paper:
    """A stream that says of itself what it is told to."""

    encoding = "utf-8"

    def __init__(self, *, tty: bool) -> None:
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty

    def fileno(self) -> int:
        raise OSError("none")


def test_a_table_has_its_figures_at_the_right_and_no_blanks_at_the_ends() -> None:
    assert PLAIN.table("T", ("name", "count", "why"), [("a", "1", ""), ("bcd", "1,000", "x y")], right=(1,)) == (
        "T\n name  count  why\n ----------------\n a         1\n bcd   1,000  x y\n\n"
    )


@pytest.mark.parametrize(("width", "first", "second"), [(60, 28, 26), (44, 19, 19), (36, 15, 15)])
def test_the_widest_column_is_cut_to_the_next_one_before_both_are_cut(width, first, second):
    rows = [("aa" + " aa" * 12, "bb" + " bb" * 8, "7")]
    heads, rule, *_ = Look(width, bold=False, rule="-").table("", ("first", "second", "n"), rows).splitlines()
    assert heads == f" {'first':{first}}  {'second':{second}}  n"
    assert rule == " " + "-" * (first + second + 5)


def test_a_table_that_is_too_wide_is_folded_between_words_where_that_can_be() -> None:
    text = Look(30, bold=False, rule="-").table("", ("", ""), [("a moment", "one two three four five six seven")])
    assert text == "a moment  one two three four\n          five six seven\n"


def test_a_word_that_is_too_long_is_folded_too_and_a_moment_never() -> None:
    moment = "2026-01-01T00:00:00Z"
    lines = Look(40, bold=False, rule="-").table("", ("", ""), [(moment, "x" * 50)]).splitlines()
    assert max(map(len, lines)) <= 40
    assert lines[0].startswith(moment)
    assert "".join(line[len(moment) :].strip() for line in lines) == "x" * 50


def test_signs_of_two_places_are_counted_as_two() -> None:
    assert PLAIN.table("", ("", ""), [("日本", "x"), ("abcd", "y")]) == "日本  x\nabcd  y\n"
    assert folded("日本語", 4) == ["日本", "語"]


def test_texts_of_others_stay_on_their_line() -> None:
    assert safe("a\x1b[31mb\nc\u202e") == "a\\x1b[31mb\\nc\\u202e"
    assert safe("x" * 500) == "x" * 400 + "..."


@pytest.mark.parametrize(
    ("tty", "environ", "width", "bold"),
    [
        (False, {}, 0, False),
        (False, {"COLUMNS": "60"}, 60, False),
        (True, {}, 80, True),
        (True, {"COLUMNS": "60"}, 60, True),
        (True, {"NO_COLOR": "1"}, 80, False),
        (True, {"TERM": "dumb"}, 80, False),
        (False, {"COLUMNS": "many"}, 0, False),
    ],
)
def test_the_look_is_that_of_the_terminal(tty: bool, environ: dict[str, str], width: int, bold: bool) -> None:
    look = look_of(Paper(tty=tty), environ)
    assert (look.width, look.bold, look.rule) == (width, bold, "\u2500")


def test_headings_are_bold_on_a_terminal_and_take_the_same_room() -> None:
    bold = Look(0, bold=True, rule="-").table("T", ("a", "b"), [("1", "2")])
    assert bold.startswith("\x1b[1mT\x1b[0m\n")
    assert re.sub(r"\x1b\[\d*m", "", bold) == PLAIN.table("T", ("a", "b"), [("1", "2")])
