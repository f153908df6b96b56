"""No message that can show inside Stash names a command of the terminal: it names what Stash shows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import plexsync
from plexsync.cli.main import COMMANDS
from plexsync.simulator.stash_manifest import read_manifest
from plexsync.stash_plugin.stash_words import FOREIGN, TABLE, inside, inside_all
from tests.stash_plugin.conftest import ROOT

PACKAGE = Path(plexsync.__file__).parent
# What only a terminal, the dashboard or a simulation shows.
ELSEWHERE = re.compile(
    r"web/|simulator/|stash_plugin/stash_words|reports/(attention|imports|collections)|rules/collection_status|cli/checks/collections|cli/(main|entry)\.py|cli/commands/(demo|init|adopt|top|probe|"
    r"completion|bind|ignore|undo|plays|plays_status|plays_sync|plays_wishes|ratings|collections\w*|history|backup|outages|config|log|report|notify|help|verify|drift|import_)\.py|"
    r"cli/terminal/(completion|top_screen|.*discovery)|cli/daemon/(dash|greet)"
)
NAMES = "|".join(COMMANDS)
COMMAND = re.compile(rf"\bplexsync ({NAMES})\b|\bdlq retry\b|\bexplain (shows|lists)| --[a-z]")


def constants(path: Path) -> Iterator[str]:
    """Every text of a file but docstrings; a value in a text reads 7."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in ast.walk(node) if part is not node}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "7" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in skipped:
            yield node.value


def messages() -> list[str]:
    files = [path for path in PACKAGE.rglob("*.py") if not ELSEWHERE.search(path.relative_to(PACKAGE).as_posix())]
    found = {
        text for path in files for text in constants(path) if re.search(rf"\bplexsync ({NAMES})\b|dlq retry", text)
    }
    return sorted(
        found | {text for path in files for text in constants(path) if re.search("explain (shows|lists)", text)}
    )


@pytest.mark.parametrize("text", messages())
def test_a_message_inside_stash_names_no_command(text):
    assert not COMMAND.search(inside(text)), inside(text)


def test_there_are_messages_to_look_at():
    assert len(messages()) > 30


def test_what_a_message_names_instead_is_there():
    tasks = {task.name for task in read_manifest(ROOT / "StashPlexSync.yml").tasks}
    words = " ".join(words for _, words in TABLE)
    assert all(any(rest.startswith(task) for task in tasks) for rest in re.split("the task ", words)[1:])
    script = (ROOT / "plexsync/stash_plugin/ui/plexsync.js").read_text(encoding="utf-8")
    for button in ("Approve, and sync all", "Accept the change", "Use this item", "Retry all"):
        assert f'"{button}"' in script


@pytest.mark.parametrize(
    ("terminal", "stash"),
    [
        ("start plexsync serve, or run plexsync drain", "run the task Start the worker, or run the task Drain"),
        ("7 needs you (plexsync dlq list)", "7 needs you (the page of PlexSync)"),
        ("on hold: plexsync accept plex-server", "on hold: the button Accept the change on the page of PlexSync"),
        ("2 need you → plexsync fix", "2 need you → the page of PlexSync"),
        ("a title", "a title"),
    ],
)
def test_a_command_becomes_its_task_or_button(terminal, stash):
    assert inside(terminal) == stash


def test_texts_of_the_library_stay_as_they_are():
    told = dict.fromkeys(FOREIGN, "plexsync drain")
    assert inside_all(told) == told
    assert inside_all({"rows": [{"error": "plexsync drain"}]}) == {"rows": [{"error": "the task Drain"}]}
