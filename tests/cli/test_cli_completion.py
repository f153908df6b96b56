"""completion: the script, read by real shells where they are there, and what is offered at a press of the key."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from plexsync.cli.call import Call
from plexsync.cli.terminal.completions import dead_scenes
from tests import forked
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[2]
SHELLS = ("bash", "zsh", "fish")


def offered(line: str, **environ: str) -> list[str]:
    """What is offered for the last word of a line, as bash asks."""
    words = line.split(" ")
    done = forked.run(
        ["-m", "plexsync"],
        cwd=ROOT,
        env={
            "PATH": os.environ["PATH"],
            "HOME": environ.get("HOME", "/nowhere"),
            "_PLEXSYNC_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
            **environ,
        },
        capture_output=True,
        text=True,
        timeout=HANG,
    )
    assert done.stderr == ""
    return [row.partition(",")[2] for row in done.stdout.splitlines() if row]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_that_the_shell_can_read(shell: str, door: Door, tmp_path: Path) -> None:
    done = door("completion", shell)
    assert done.code == 0
    assert "_PLEXSYNC_COMPLETE" in done.out
    if program := shutil.which(shell):
        script = tmp_path / "script"
        script.write_text(done.out)
        assert subprocess.run([program, "-n", str(script)], capture_output=True, check=False).returncode == 0


def test_bash_itself_completes_a_command(door: Door, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    program = tmp_path / "plexsync"
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m plexsync "$@"\n')
    program.chmod(0o755)
    script = door("completion", "bash").out
    asked = (
        f'{script}\nCOMP_WORDS=(plexsync recon); COMP_CWORD=1; _plexsync_completion plexsync; echo "${{COMPREPLY[@]}}"'
    )
    done = subprocess.run(
        [bash, "--norc", "-c", asked],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["reconcile"], done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("plexsync stat", ["status"]),
        ("plexsync un", ["unbind", "unignore", "undo", "uninstall"]),
        ("plexsync sync --dr", ["--dry-run"]),
        ("plexsync dlq re", ["retry"]),
        ("plexsync --data-dir serve stat", ["status"]),
        ("plexsync dlq list --cause am", ["ambiguous"]),
        ("plexsync dlq export --format c", ["csv"]),
        ("plexsync completion z", ["zsh"]),
        ("plexsync nonsense x", []),
    ],
)
def test_what_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_scenes_that_were_given_up_are_offered(world: World, door: Door, refusing: object) -> None:
    world.add(3)
    refusing(2)
    door("sync", "--all", "--wait")
    door("ignore", "3")
    assert offered("plexsync dlq show ", **world.environ) == ["2"]
    assert offered("plexsync dlq retry ", **world.environ) == ["2"]
    assert offered("plexsync unignore ", **world.environ) == ["3"]
    assert offered(f"plexsync --data-dir {world.folder} unignore ") == ["3"]
    assert offered("plexsync dlq show 3", **world.environ) == []


def test_where_nothing_is_known_nothing_is_offered_and_nothing_made(tmp_path: Path) -> None:
    assert offered("plexsync dlq show ", PLEXSYNC_DATA_DIR=str(tmp_path / "none")) == []
    assert offered("plexsync dlq show ", PLEXSYNC_MAX_RETRIES="x") == []
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_none_completes_nothing(world: World, door: Door) -> None:
    door("status")
    (world.folder / "plexsync.db").write_bytes(b"no database at all" * 100)
    assert dead_scenes(click.Context(click.Command("x"), obj=Call()), click.Argument(["scene"]), "") == []


def test_plex_servers_are_offered(tmp_path: Path) -> None:
    file = tmp_path / "plexsync.toml"
    file.write_text(
        'database_url = "postgresql://u@h/d"\n'
        + "".join(f'[[plex]]\nname = "{name}"\n' for name in ("living", "attic", "attic-2"))
    )
    environ = {"PLEXSYNC_CONFIG": str(file)}
    assert offered("plexsync --plex ", **environ) == ["living", "attic", "attic-2"]
    assert offered("plexsync status --plex at", **environ) == ["attic", "attic-2"]
    assert offered(f"plexsync --config {file} --plex l") == ["living"]


@pytest.mark.parametrize("text", ["", "plex = 3", 'plex = ["x"]', "[[plex]]", "[[plex]]\nname = 3", "[[plex", "[plex]"])
def test_without_a_valid_entry_no_plex_server_is_offered(text: str, tmp_path: Path) -> None:
    file = tmp_path / "plexsync.toml"
    file.write_text(text)
    assert offered("plexsync --plex ", PLEXSYNC_CONFIG=str(file)) == []
    file.unlink()
    assert offered("plexsync --plex ", PLEXSYNC_CONFIG=str(file)) == []
