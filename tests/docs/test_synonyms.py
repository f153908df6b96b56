"""One word for each idea: what a person reads has none of the words that the glossary's last table replaces.

Some of them are plain English as well, such as "ready" or "done". These are forbidden where they stand alone, as a label,
and nowhere else.
"""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from plexsync.cli.main import COMMANDS, plexsync
from plexsync.rules import status_words
from plexsync.rules.status_words import JOB_STATES, Finding, SceneStatus, job_word, server_word

ROOT = Path(__file__).resolve().parent.parent.parent
# Plain English where they do not name a status: forbidden as a label only.
PLAIN = frozenset({"wanted", "ready", "waiting", "done", "well", "idle", "ambiguous", "failed", "refused", "dead"})
PLAIN |= {"outside", "away", "look"}
# Forbidden wherever they say that a server is down.
AWAY = re.compile(r"\b(is|are|was|were|still|went|goes|while) away\b", re.IGNORECASE)
# What the database keeps for a comparison.
STORED_WORDS = frozenset(finding.stored for finding in Finding)
# Files whose texts are read by programs.
STORED = ("plexsync/store/", "plexsync/simulator/")


def synonyms() -> frozenset[str]:
    """The right column of the table "Words that are not used"."""
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    table = re.sub(r" \([^)]*\)", "", text.partition("## Words that are not used")[2])
    _, *rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", table, re.MULTILINE)
    return frozenset(word.strip() for row in rows for word in row.split(","))


# Texts may name a task by the name that people call it by.
TASKS = re.findall(r"^  - name: (.+)$", (ROOT / "StashPlexSync.yml").read_text(encoding="utf-8"), re.MULTILINE)
PHRASES = re.compile(rf"\b({'|'.join(sorted(map(re.escape, synonyms() - PLAIN)))})\b", re.IGNORECASE)


def problem(text: str) -> str:
    """The replaced word in a text that a person reads, or ''."""
    for task in TASKS:
        text = text.replace(f"the task {task}", "the task")
    matched = PHRASES.search(text) or AWAY.search(text)
    label = re.fullmatch(r"(?:\d[\d,]* )?([a-z ]+)[.:]?", text.strip().lower())
    word = matched[0] if matched else label[1] if label else ""
    return word if matched or word in synonyms() else ""


def literals(path: Path) -> Iterator[tuple[int, str]]:
    """The messages of a file with their lines: texts of several words that are neither docstrings nor stored values."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (
        (node.lineno, node.value) for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in docs
    )
    for line, text in texts:
        if isinstance(text, str) and " " in text.strip() and text not in STORED_WORDS:
            yield line, text


FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("plexsync", "validation", "worker")
    for path in (ROOT / package).rglob("*.py")
    if not path.relative_to(ROOT).as_posix().startswith(STORED)
)
PAGES = sorted((ROOT / "plexsync" / "web" / "templates").glob("*.html"))


def test_the_glossary_has_the_words() -> None:
    assert {
        "in step",
        "absent",
        "given up",
        "asked for patience",
        "complete comparison",
        "other side",
    } <= synonyms() - PLAIN
    assert synonyms() >= PLAIN


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("3 in step", "in step"),
        ("Plex is away: it does not answer", "is away"),
        ("Nothing was given up.", "given up"),
        ("waiting", "waiting"),
        ("2 ready", "ready"),
        ("the server is not ready", ""),
        ("1 needs you", ""),
        ("taken away in Plex", ""),
    ],
)
def test_the_check_knows_a_replaced_word(text: str, word: str) -> None:
    assert problem(text) == word


def test_messages_use_no_replaced_word() -> None:
    texts = [(file, line, text) for file in FILES for line, text in literals(ROOT / file)]
    assert len(texts) > 1_000
    assert [(*place, problem(place[2])) for place in texts if problem(place[2])] == []


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_uses_no_replaced_word(name: str) -> None:
    assert not problem(COMMANDS[name])
    command = plexsync.get_command(click.Context(plexsync), name)
    assert command is not None
    for part in (command, *getattr(command, "commands", {}).values()):
        context = click.Context(part, info_name=part.name, terminal_width=10_000)
        examples = re.sub(r"^ +plexsync .*$", "", part.get_help(context), flags=re.MULTILINE)
        assert not problem(examples)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pages_use_no_replaced_word(page: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    shown = re.findall(r'(?:aria-label|data-label|title|placeholder)="([^"]*)"', text)
    shown += re.findall(r"parts\.(?:badge\(|figure\([^,)]*,|button\([^,)]*,) *[\"']([^\"']*)[\"']", text)
    shown += re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "\n", text, flags=re.DOTALL).split("\n")
    assert [(piece, problem(piece)) for piece in map(str.strip, shown) if piece and problem(piece)] == []


def test_the_page_in_stash_uses_no_replaced_word() -> None:
    text = (ROOT / "plexsync" / "stash_plugin" / "ui" / "plexsync.js").read_text(encoding="utf-8")
    text = re.sub(r"^ *//.*$|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)
    shown = [json.loads(f'"{piece}"') for piece in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text) if " " in piece.strip()]
    assert [(piece, problem(piece)) for piece in shown if problem(piece)] == []


def test_the_table_of_words_has_no_replaced_word() -> None:
    servers = {
        server_word(state, failures=1, failures_allowed=5, error=error, held=held, throttled=throttled)
        for state in ("closed", "open", "half_open")
        for error in ("", "no answer")
        for held in (False, True)
        for throttled in (False, True)
    }
    words = {status.word for status in SceneStatus} | {job_word(state) for state in JOB_STATES} | servers
    words |= {finding.word for finding in Finding}
    assert {word for word in words if problem(word)} == set()


def test_each_status_of_the_glossary_is_in_the_table() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    scenes, servers = text.partition("## How a scene stands")[2].split("## ")[:2]
    assert re.findall(r"^\| \*\*([^*]+)\*\*", scenes, re.MULTILINE) and (
        set(re.findall(r"^\| \*\*([^*]+)\*\*", scenes, re.MULTILINE)) == {status.word for status in SceneStatus}
    )
    named = {status_words.UP, status_words.DOWN, status_words.ON_HOLD, status_words.FAILING, status_words.THROTTLED}
    assert set(re.findall(r"^\| \*\*([^*]+)\*\*", servers, re.MULTILINE)) == named
