"""The program as a whole: its commands, their help, and what it costs to ask for it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from plexsync.app.version import version
from plexsync.cli.call import Sharing
from plexsync.cli.program import BASIC, COMMANDS, PARTS, UNLISTED, plexsync
from plexsync.cli.removed import REMOVED
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.rows import RowKey
from tests.cli.conftest import Door
from tests.journey.world import World

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    *("pydantic", "rich", "h11", "msgspec", "sqlite3", "worker", "validation"),
    *("plexsync.app.settings", "plexsync.app.stored"),
)


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        if (*path, name) == ("demo",):
            # It has tests of its own, and may have packages of its own that are not installed.
            continue
        command = group.get_command(context, name)
        assert command is not None, name
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


OURS = dict(commands(plexsync))
named = pytest.mark.parametrize("path", OURS, ids=" ".join)


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["nonsense"]], ids=" ".join)
def test_the_list_of_commands_costs_nothing(words: list[str]) -> None:
    program = f"""
import sys
from plexsync.cli.main import run
run({words!r})
loaded = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit(f"loaded: {{loaded}}" if loaded else 0)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Prints how often the collector looked through what was imported, and whether it is on in the end.
IMPORTS = """
import atexit, gc, sys
looks = []
gc.callbacks.append(lambda phase, about: looks.append(len(gc.get_objects())) if phase == "start" else None)
atexit.register(lambda: print(max(looks, default=0), gc.get_freeze_count(), gc.isenabled(), file=sys.stderr))
from plexsync.cli.main import main
main(["config", "list"])
"""


def test_what_a_command_imports_is_never_looked_through_for_garbage(world: World, door: Door) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **world.environ}
    words = [sys.executable, "-c", IMPORTS]
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    looked, frozen, is_on = done.stderr.split()
    assert int(looked) < 20_000 < int(frozen)
    assert is_on == "True"


def test_the_version_is_told(door: Door) -> None:
    done = door("--version")
    assert (done.code, done.out) == (0, f"plexsync {version()}\n")
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version())


@pytest.mark.parametrize("words", [("--version", "--json"), ("--json", "--version")], ids=" ".join)
def test_the_version_as_json(words: tuple[str, ...], door: Door) -> None:
    done = door(*words)
    assert (done.code, done.facts) == (0, {"version": version()})


@pytest.mark.parametrize("words", [("sync", "abc"), ("explain", "7x"), ("ignore", "0")], ids=" ".join)
def test_what_is_no_number_of_a_scene_is_told_as_it_was_written(words: tuple[str, ...], door: Door) -> None:
    assert f"{words[-1]!r} is not the number of a scene" in door(*words).err


FORMS = ["7", "#7", "http://nas:9999/scenes/7", "https://me.example/stash/scenes/7?qfp=1#x", "/scenes/7", "/scenes/7/"]
MISFITS = ["#", "##7", "7?x", "scenes/7x", "http://nas:9999/tags/7", "#0", "/scenes/99999999999999999999"]


def test_a_scene_is_named_by_its_number_as_screens_show_it_or_by_the_address_of_its_page() -> None:
    assert [SceneNumber().convert(form, None, None) for form in FORMS] == [7] * len(FORMS)
    assert [RowKey().convert(form, None, None) for form in (*FORMS, "tag:12")] == [("scene", 7)] * 6 + [("tag", 12)]
    for param_type in (SceneNumber(), RowKey()):
        for misfit in MISFITS:
            with pytest.raises(click.BadParameter, match="is not the number of a scene"):
                param_type.convert(misfit, None, None)


def test_every_command_that_takes_scenes_reads_them_by_one_parser() -> None:
    params = [(path, param) for path, command in OURS.items() for param in command.params]
    read = (SceneNumber, RowKey)
    scenes = [(path, it.type) for path, it in params if it.name in ("scene", "scenes") or isinstance(it.type, read)]
    assert len(scenes) > 15
    assert [path for path, kind in scenes if not isinstance(kind, read)] == []


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("verify", "--since", "1d"), "there is no option --since. See 'plexsync verify --help'."),
        (
            ("verify", "--sampel", "1"),
            "there is no option --sampel: did you mean --sample? See 'plexsync verify --help'.",
        ),
        (("ignore",), "say which scenes by their numbers, or --list. See 'plexsync ignore --help'."),
        (("explain",), "Missing argument 'SCENE'. See 'plexsync explain --help'."),
        (
            ("completion",),
            "Missing argument '{bash|zsh|fish}'. Choose from: bash, zsh, fish. See 'plexsync completion --help'.",
        ),
        (("nonsense",), "there is no command 'nonsense': plexsync help lists the commands. See 'plexsync --help'."),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_wrong_usage_is_one_line(words: tuple[str, ...], line: str, door: Door) -> None:
    done = door(*words)
    assert (done.code, done.out, done.err) == (2, "", f"plexsync: {line}\n")


@pytest.mark.parametrize(("path", "word"), [(path, word) for path, words in REMOVED.items() for word in words])
def test_a_removed_command_or_option_says_what_to_use_instead(path: str, word: str, door: Door) -> None:
    done = door(*path.split()[1:], f"{word}=x" if word.startswith("--") else word)
    gone = f"{path.removesuffix(' help')} {word} was removed in 0.3.0: {REMOVED[path][word]}"
    assert (done.code, done.out, done.err) == (2, "", f"plexsync: {gone}. See '{path} --help'.\n")


def test_help_is_found_by_each_of_its_names(door: Door) -> None:
    assert door("help", "dlq", "retry") == door("dlq", "retry", "-h")


def test_help_has_both_names_whoever_has_asked_for_it_first(capsys: pytest.CaptureFixture[str]) -> None:
    fresh = Sharing("fresh", help="What it does.")
    fresh.get_help(click.Context(fresh))
    for name in ("-h", "--help"):
        assert fresh.main([name], standalone_mode=False) == 0
        assert "What it does." in capsys.readouterr().out


def test_help_for_an_unknown_command_says_so(door: Door) -> None:
    done = door("help", "dlq", "nonsense")
    assert done.code == 2
    assert "there is no command 'dlq nonsense'" in done.err


@named
def test_help_lists_nothing_without_a_word(path: tuple[str, ...]) -> None:
    context = click.Context(OURS[path], terminal_width=80)
    _, _, options = OURS[path].get_help(context).partition("Options:\n")
    assert not re.search(r"^  \S+ *$", options.partition("Commands:")[0], re.MULTILINE)
    assert "..." not in options.partition("Commands:\n")[2]


def test_the_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "plexsync", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"plexsync {version()}\n"


# Makes many records while the program ends, and prints how often the collector looked for garbage among them.
RECORDS = """
import atexit, gc, runpy, sys
looks = []

def keep_many():
    gc.callbacks.append(lambda phase, about: looks.append(phase) if phase == "start" else None)
    records = [[] for _ in range(30_000)]
    print(len(looks), file=sys.stderr)

atexit.register(keep_many)
sys.argv = ["plexsync", "--version"]
runpy.run_module("plexsync", run_name="__main__", alter_sys=True)
"""


def test_the_program_seldom_looks_for_garbage_among_records() -> None:
    done = subprocess.run([sys.executable, "-c", RECORDS], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 0 < int(done.stderr) < 5


# Each command in a process that has imported packages of others and the settings, and no more; prints those that fail.
ALONE = """
import gc, os, runpy, sys
import click, h11, msgspec, pydantic, rich.console, rich.progress, rich.table, sqlite3, validation.sources, websockets
gc.disable()
os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
for name in sys.argv[1:]:
    if not (pid := os.fork()):
        sys.argv = ["plexsync", name, "--help"]
        os.dup2(2, 1)
        try:
            runpy.run_module("plexsync", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            os._exit(end.code)
    if os.waitpid(pid, 0)[1]:
        print(name, flush=True)
"""


@pytest.mark.parametrize("part", range(4))
def test_every_command_imports_what_it_needs_by_itself(part: int) -> None:
    names = [*COMMANDS, *UNLISTED][part::4]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, *names, "none-such"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["none-such"], "")
    assert len(names) > 5


SHARED = ("--config FILE", "--data-dir DIR", "--plex NAME", "--verbose", "--json")


def test_the_list_holds_every_command_by_what_it_is_for_and_the_common_options_once(door: Door) -> None:
    listed = door("help").out
    assert [title for title in PARTS if f"{title}:\n" not in listed] == []
    assert [name for name, line in COMMANDS.items() if not re.search(f"^  {name} +{line}$", listed, re.MULTILINE)] == []
    assert {shared: listed.count(f"{shared}  ") for shared in SHARED} == dict.fromkeys(SHARED, 1)
    assert door("help", "--json").facts["help"] == listed.rstrip("\n")


def test_the_first_help_fits_a_small_terminal_and_shows_the_basic_commands(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = door("--help").out.splitlines()
    assert len(lines) <= 30
    assert max(map(len, lines)) <= 80
    assert tuple(line.split()[0] for line in lines[lines.index("Commands:") + 1 :]) == BASIC
    assert len(BASIC) == 8
    assert "plexsync help" in " ".join(lines)


@named
def test_a_help_text_says_what_and_when_and_shows_an_example(path: tuple[str, ...], door: Door) -> None:
    done = door(*path, "--help")
    assert done.code == 0
    assert "Example" in done.out
    assert f"plexsync {' '.join(path)}" in done.out
    assert [shared for shared in SHARED if f"  {shared}  " in done.out] == []


@named
def test_a_help_text_needs_no_settings_and_no_wide_terminal(
    path: tuple[str, ...], door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, door(*path, "--help").out.splitlines())) <= 80


def test_an_unknown_command_is_answered_with_the_nearest(door: Door) -> None:
    done = door("statsu")
    assert done.code == 2
    assert "did you mean status?" in done.err


MISUSES = [
    (),
    ("--nonsense",),
    ("status", "--nonsense"),
    ("sync",),
    ("sync", "--all", "7"),
    ("sync", "--all", "--since", "2h"),
    ("sync", "0"),
    ("sync", "-7"),
    ("sync", "seven"),
    ("sync", "--since", "yesterday"),
    ("sync", "--since", "2026-13-01"),
    ("sync", "--since", "999999d"),
    ("sync", "--since", ""),
    ("explain",),
    ("explain", "x"),
    ("explain", str(2**63)),
    ("history", "x"),
    ("history", "7", "--limit", "0"),
    ("dlq",),
    ("dlq", "burn"),
    ("dlq", "show"),
    ("dlq", "show", "movie:7"),
    ("dlq", "retry"),
    ("dlq", "retry", "7", "--all"),
    ("dlq", "retry", "--cause", "refused", "--all"),
    ("dlq", "drop"),
    ("dlq", "list", "--cause", "boredom"),
]


@pytest.mark.parametrize("words", MISUSES, ids=" ".join)
def test_misuse_ends_with_2_and_a_line_that_helps(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door(*words)
    assert done.code == 2
    assert done.out == ""
    assert "plexsync" in done.err


def test_misuse_is_told_as_json_too(door: Door) -> None:
    done = door("sync", "--json")
    assert done.code == 2
    assert "--all" in done.facts["error"]
    assert done.err.startswith("plexsync: ")


# --- the page that describes them ------------------------------------------------------------------------------------


def sections() -> dict[str, str]:
    """docs/commands.md by its headings: `## sync` and `### dlq list`."""
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} `(.+?)`$", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_page_describes_the_commands_that_there_are() -> None:
    assert set(sections()) == {*map(" ".join, OURS), "demo"}


@named
def test_the_page_describes_the_options_that_a_command_has(path: tuple[str, ...]) -> None:
    own = [
        option
        for option in OURS[path].params
        if option not in OURS[path].shared and isinstance(option, click.Option) and not option.hidden
    ]
    told = set(re.findall(r"`(--[a-z-]+)", sections()[" ".join(path)]))
    assert told == {option.opts[0] for option in own}


def test_the_page_describes_the_options_of_every_command() -> None:
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    before = page[: page.index("\n## `")]
    for option in plexsync.params:
        if isinstance(option, click.Option):
            assert option.opts[-1] in before
