"""No message that can show inside Stash names a command of the terminal: it names what Stash shows."""

import ast
import re
from collections.abc import Iterator

import pytest

from plexsync.cli.program import COMMANDS
from plexsync.simulator.stash_manifest import read_manifest
from plexsync.stash_plugin.stash_words import FOREIGN, TABLE, inside, inside_all
from tests.sources import Broken, Source, broken, lines_broken, product
from tests.stash_plugin.conftest import ROOT

pytestmark = pytest.mark.xdist_group("sources")
# What only a terminal, the dashboard or a simulation shows.
ELSEWHERE = re.compile(
    r"web/|simulator/|stash_plugin/stash_words|reports/(attention|imports|collections)|rules/collections/collection_status|cli/checks/collections|cli/(program|removed)\.py|cli/commands/(demo|init|adopt|status_watch|probe|"
    r"completion|bind|ignore|undo|plays|plays_status|plays_sync|ratings|collections\w*|history|backup|outages|config|log|report|notify|help|verify|drift|import_)\.py|"
    r"cli/setup/finder|cli/terminal/completion|cli/daemon/(dash|greet)"
)
NAMES = "|".join(COMMANDS)
COMMAND = re.compile(rf"\bplexsync ({NAMES})\b|\bdlq retry\b|\bexplain (shows|lists)| --[a-z]")
NAMING = re.compile(rf"\bplexsync ({NAMES})\b|dlq retry|explain (shows|lists)")


def constants(source: Source) -> Iterator[tuple[int, str]]:
    """Every text of a file but docstrings, with its line; a value in a text reads 7."""
    skipped = {id(node.value) for node in source.nodes(ast.Expr)}
    for joined in source.nodes(ast.JoinedStr):
        skipped |= {id(part) for part in ast.walk(joined) if part is not joined}
        parts = (str(part.value) if isinstance(part, ast.Constant) else "7" for part in joined.values)
        yield joined.lineno, "".join(parts)
    for node in source.nodes(ast.Constant):
        if isinstance(node.value, str) and id(node) not in skipped:
            yield node.lineno, node.value


def messages(source: Source) -> list[tuple[int, str]]:
    """The texts of a file that name a command."""
    return [(line, text) for line, text in constants(source) if NAMING.search(text)]


def commands_left(source: Source) -> Broken:
    """The messages that still name a command where Stash shows them."""
    return ((line, inside(text)) for line, text in messages(source) if COMMAND.search(inside(text)))


def shown_inside() -> list[Source]:
    return [
        source
        for source in product()
        if source.name.startswith("plexsync/") and not ELSEWHERE.search(source.name.removeprefix("plexsync/"))
    ]


def test_a_message_inside_stash_names_no_command():
    assert broken(commands_left, shown_inside()) == []


def test_there_are_messages_to_look_at():
    assert {source.package for source in shown_inside()} >= {
        "plexsync.stash_plugin",
        "plexsync.reports",
        "plexsync.cli",
    }
    assert len({text for source in shown_inside() for _, text in messages(source)}) > 100


def test_a_message_that_names_a_command_is_found():
    example = """
'Call plexsync config.'
a = "call plexsync " "config"
b = f"{a}: plexsync status --json"
c = "plexsync drain"
d = "configure it"
"""
    assert sorted(lines_broken(commands_left, example)) == [3, 4]


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
        ("7 fields kept (plexsync drift)", "7 fields kept (the tab Plex of the scene)"),
        ("2 need you → plexsync fix", "2 need you → the page of PlexSync"),
        (
            "until you edit it in Stash, or plexsync redo 7",
            "until you edit it in Stash, or click Redo in the tab Plex of the scene",
        ),
        (
            "until you edit it in Stash, or plexsync sync 7",
            "until you edit it in Stash, or click Sync now in the tab Plex of the scene",
        ),
        (
            "nothing is synced until plexsync unignore 7",
            "nothing is synced until you unignore it: PlexSync in a terminal (see the documentation of the plugin)",
        ),
        ("a title", "a title"),
    ],
)
def test_a_command_becomes_its_task_or_button(terminal, stash):
    assert inside(terminal) == stash


def test_texts_of_the_library_stay_as_they_are():
    told = dict.fromkeys(FOREIGN, "plexsync drain")
    assert inside_all(told) == told
    assert inside_all({"rows": [{"error": "plexsync drain"}]}) == {"rows": [{"error": "the task Drain"}]}
