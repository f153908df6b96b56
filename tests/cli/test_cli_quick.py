"""`status` by the database alone: what it loads, and that it tells the same as by all settings."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.app.parts import open_parts
from plexsync.app.status_settings import MOST_KEPT, Sources, format_note, parse_note
from plexsync.cli.call import Call
from plexsync.cli.terminal.completions import keys_in
from plexsync.reports.status import facts
from plexsync.reports.stored_status import stored_facts
from plexsync.rules.queue.note_keys import RESTORED, STATUS_SETTINGS
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World
from tests.web.stage import config_of

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "pydantic",
    "h11",
    "msgspec",
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
from plexsync.cli.main import main
main()
"""


COUNTED = """
import atexit, sys
own = lambda: [name for name in sys.modules if name.split(".")[0] in ("plexsync", "validation", "worker")]
atexit.register(lambda: sys.stderr.write(" ".join(own())))
from plexsync.cli.main import main
main()
"""
# The modules of the product that a process loads at most, its packages included.
MOST_LOADED = 120
# Prints every module of the product, and the packages of others.
EVERY = """
import atexit, sys
before = {name.split(".")[0] for name in sys.modules}
def loaded():
    for name in sys.modules:
        top = name.split(".")[0]
        if top in ("plexsync", "validation", "worker"):
            yield name
        elif top not in before and top not in sys.stdlib_module_names and not top.startswith("_"):
            yield top
atexit.register(lambda: sys.stderr.write(" ".join(dict.fromkeys(loaded()))))
from plexsync.cli.main import main
main()
"""
START = {"plexsync", "plexsync.cli", "plexsync.cli.main"}
# What a command loads that asks both servers, and a worker without its dashboard.
PACKAGES = {"annotated_types", "click", "h11", "msgspec", "pydantic", "pydantic_core", "rich"}
PACKAGES |= {"typing_extensions", "typing_inspection", "websockets"}
MOST_OF_DOCTOR, MOST_OF_WORKER = 260, 302
OUTLINE = {*START, "plexsync.cli.program", "plexsync.cli.call", "plexsync.cli.outline", "click"}


def started(world: World, *words: str, program: str = PROGRAM, **environ: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own; standard error ends with what it has loaded of HEAVY."""
    return subprocess.run(
        [sys.executable, "-c", program, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nowhere", **world.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def sources(world: World) -> Sources:
    return Sources(world.given, None, None)


@pytest.mark.parametrize("words", [("status",), ("status", "--json"), ("--json", "status")], ids=" ".join)
def test_status_loads_nothing_that_works(words: tuple[str, ...], world: World, door: Door, refusing) -> None:
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


def test_ignoring_a_scene_loads_the_store_and_a_client_of_stash_and_no_part_that_works(world: World) -> None:
    world.add(7)
    done = started(world, "ignore", "7", program=COUNTED)
    loaded = done.stderr.split()
    assert (done.returncode, done.stdout) == (0, "1 scene ignored\n")
    assert "plexsync.store.queue.jobs" in loaded
    assert not {"plexsync.app.parts", "plexsync.engine.gates", "plexsync.plex", "plexsync.notify"} & set(loaded)
    assert len(loaded) <= MOST_LOADED, sorted(loaded)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_loads_no_program(shell: str, world: World) -> None:
    done = started(world, "completion", shell, program=EVERY)
    assert "_PLEXSYNC_COMPLETE" in done.stdout
    assert set(done.stderr.split()) == START


@pytest.mark.parametrize("words", [("sync", "--help"), ("serve", "-h"), ("dlq", "retry", "--help")], ids=" ".join)
def test_the_help_of_a_command_loads_its_outline_alone(words: tuple[str, ...], world: World) -> None:
    done = started(world, *words, program=EVERY)
    assert done.stdout.startswith(f"Usage: plexsync {' '.join(words[:-1])} [OPTIONS]")
    assert set(done.stderr.split()) == OUTLINE


def test_a_press_of_the_key_loads_the_outline_of_the_command_alone(world: World) -> None:
    asked = {"_PLEXSYNC_COMPLETE": "bash_complete", "COMP_WORDS": "plexsync dlq list --cause am", "COMP_CWORD": "4"}
    done = started(world, program=EVERY, **asked)
    assert done.stdout.split() == ["plain,ambiguous"]
    assert set(done.stderr.split()) == OUTLINE


def others(loaded: list[str]) -> set[str]:
    return {name for name in loaded if not name.startswith(("plexsync", "validation", "worker"))}


def test_doctor_loads_the_parts_that_look_and_no_part_that_works(world: World) -> None:
    loaded = started(world, "doctor", program=EVERY).stderr.split()
    assert others(loaded) == PACKAGES
    assert not {"plexsync.engine.engine", "plexsync.flows.scenes.push", "plexsync.app.run"} & set(loaded)
    assert not any(name.startswith("plexsync.flows.plays") for name in loaded), "the way back is off"
    assert len(loaded) - len(PACKAGES) <= MOST_OF_DOCTOR, sorted(loaded)


def test_a_worker_starts_without_what_only_pages_and_set_ups_need(world: World) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **world.environ}
    words = [sys.executable, "-c", EVERY, "serve", "--no-web"]
    with subprocess.Popen(words, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stderr is not None
        assert any(line.endswith("PlexSync.serve serving\n") for line in worker.stderr)
        worker.terminate()
        loaded = worker.stderr.readlines()[-1].split()
    assert others(loaded) == PACKAGES
    assert "plexsync.flows.scenes.push" in loaded
    assert not any(name.startswith(("plexsync.web", "plexsync.cli.setup")) for name in loaded)
    assert len(loaded) - len(PACKAGES) <= MOST_OF_WORKER, sorted(loaded)


def test_both_ways_tell_the_same(world: World, door: Door, refusing) -> None:
    world.add(4)
    refusing(2)
    door("sync", "--all", "--wait")
    door("ignore", "3")
    with open_parts(config_of(world), world.folder) as parts:
        with parts.store.writing() as tx:
            tx.notes.save(RESTORED, str(parts.clock.now()))
        whole = facts(parts)
    told = stored_facts(sources(world))
    assert told is not None
    assert {**told, "at": ""} == {**whole, "at": ""}


def test_a_setting_that_changed_counts_at_once(world: World, door: Door) -> None:
    assert door("status", "--json").facts["worker"]["enabled"] is True
    world.settings["enabled"] = "false"
    assert stored_facts(sources(world)) is None
    assert door("status", "--json").facts["worker"]["enabled"] is False
    assert stored_facts(sources(world)) is not None
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
    text = format_note(config, "f" * 32, "")
    again = parse_note(text, "f" * 32)
    assert again is not None
    assert (again.enabled, again.dlq_max) == (config.enabled, config.dlq_max)
    assert again.breaker_recovery_timeout == config.breaker_recovery_timeout
    assert parse_note(text, "e" * 32) is None
    assert parse_note("f enabled=x", "f") is None
    assert parse_note("f", "f") is None
    assert parse_note("", "") is None


def test_what_is_no_database_of_this_version_goes_the_usual_way(world: World, door: Door) -> None:
    door("status")
    assert stored_facts(sources(world)) is not None
    (world.folder / "plexsync.db").write_bytes(b"")
    assert stored_facts(sources(world)) is None
    (world.folder / "plexsync.db").unlink()
    assert stored_facts(sources(world)) is None
    assert keys_in(Call(data_dir=str(world.folder)), "dead", 50) == []
