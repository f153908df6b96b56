"""One word for each idea: what a person reads has none of the words that the glossary's last table replaces.

Some of them are plain English as well, such as "ready" or "done". These are forbidden where they stand alone, as a label,
and nowhere else.
"""

import ast
import json
import re
from collections.abc import Iterator
from itertools import accumulate, groupby
from operator import itemgetter

import click
import pytest

from plexsync.cli.program import COMMANDS, plexsync
from plexsync.reports.shapes.status import BreakerFacts
from plexsync.reports.status import server_words
from plexsync.rules.words import status_words
from plexsync.rules.words.status_words import JOB_STATES, STATUSES, Finding, SceneStatus, buckets, job_word
from tests.sources import ROOT, Broken, Source, broken, lines_broken, product
from tests.tables import table

pytestmark = pytest.mark.xdist_group("sources")
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


def literals(source: Source) -> Iterator[tuple[int, str]]:
    """The messages of a file with their lines: texts of several words that are neither docstrings nor stored values."""
    docs = {id(node.value) for node in source.nodes(ast.Expr)}
    for node in source.nodes(ast.Constant):
        text = node.value
        if isinstance(text, str) and " " in text.strip() and text not in STORED_WORDS and id(node) not in docs:
            yield node.lineno, text


def replaced_words(source: Source) -> Broken:
    return ((line, f"{problem(text)!r} in {text!r}") for line, text in literals(source) if problem(text))


TEMPLATES = ROOT / "plexsync" / "web" / "templates"


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


@table(
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
    shown = [source for source in product() if not source.name.startswith(STORED)]
    assert sum(len(list(literals(source))) for source in shown) > 1_000
    assert broken(replaced_words, shown) == []
    text = '"""Plex is away."""\na = "the scene is given up"\nb = "waiting"\nc = ("3 ready", "3 days")\n'
    assert lines_broken(replaced_words, text) == [2, 4]


def test_help_uses_no_replaced_word() -> None:
    helps = {name: [COMMANDS[name], *help_texts(name)] for name in COMMANDS}
    assert all(len(texts) > 1 for texts in helps.values())
    assert [(name, problem(text)) for name, texts in helps.items() for text in texts if problem(text)] == []


def help_texts(name: str) -> Iterator[str]:
    """The help of a command and of those below it, without its examples."""
    command = plexsync.get_command(click.Context(plexsync), name)
    assert command is not None
    for part in (command, *getattr(command, "commands", {}).values()):
        context = click.Context(part, info_name=part.name, terminal_width=10_000)
        yield re.sub(r"^ +plexsync .*$", "", part.get_help(context), flags=re.MULTILINE)


def shown_on(page: str) -> list[str]:
    """The pieces of text that a template of the dashboard shows."""
    text = re.sub(r"\{#.*?#\}", "", page, flags=re.DOTALL)
    shown = re.findall(r'(?:aria-label|data-label|title|placeholder)="([^"]*)"', text)
    shown += re.findall(r"parts\.(?:badge\(|figure\([^,)]*,|button\([^,)]*,) *[\"']([^\"']*)[\"']", text)
    shown += re.sub(r"\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", "\n", text, flags=re.DOTALL).split("\n")
    return [piece for piece in map(str.strip, shown) if piece]


def test_pages_use_no_replaced_word() -> None:
    pages = {path.name: shown_on(path.read_text(encoding="utf-8")) for path in sorted(TEMPLATES.glob("*.html"))}
    assert len(pages) > 20
    assert [(name, piece, problem(piece)) for name, shown in pages.items() for piece in shown if problem(piece)] == []
    example = """{# waiting #}<p title="done">{% if ready %}{{ failed }}{% endif %}</p>
      {{ parts.badge("idle") }}<b>3 in step</b>"""
    assert [problem(piece) for piece in shown_on(example) if problem(piece)] == ["done", "idle", "in step"]


def test_the_page_in_stash_uses_no_replaced_word() -> None:
    text = (ROOT / "plexsync" / "stash_plugin" / "ui" / "plexsync.js").read_text(encoding="utf-8")
    text = re.sub(r"^ *//[^\n]*$|/\*.*?\*/", "", text, flags=re.MULTILINE | re.DOTALL)
    shown = [json.loads(f'"{piece}"') for piece in re.findall(r'"((?:[^"\\\n]|\\.)*)"', text) if " " in piece.strip()]
    assert len(shown) > 50
    assert [(piece, problem(piece)) for piece in shown if problem(piece)] == []


CLOSED: BreakerFacts = {
    "state": "closed",
    "failures": 1,
    "failures_allowed": 5,
    "opened_at": None,
    "next_probe_at": None,
    "cause": "",
    "error": "",
}


def test_the_table_of_words_has_no_replaced_word() -> None:
    servers = {
        server_words({**CLOSED, "state": state, "error": error}, held=held, patience=patience)
        for state in ("closed", "open", "half_open")
        for error in ("", "no answer")
        for held in (False, True)
        for patience in (False, True)
    }
    words = {status.word for status in SceneStatus} | {job_word(state) for state in JOB_STATES} | servers
    words |= {finding.word for finding in Finding}
    assert len(words) > 15
    assert {word for word in words if problem(word)} == set()


def causes_in(page: str) -> list[tuple[str, str]]:
    """The rows of the table of the words for scenes: the word on screens, and the name in JSON of each of its causes."""
    rows = re.findall(r"^\| (?:\*\*([^*]+)\*\*)? ?\|[^|]*\|[^|]*\| `(\w+)`", page, re.MULTILINE)
    words = accumulate((word for word, _ in rows), lambda before, word: word or before)
    return [(word, name) for word, (_, name) in zip(words, rows, strict=True)]


def test_the_page_of_the_states_has_each_word_for_a_scene_with_each_of_its_causes() -> None:
    text = (ROOT / "docs" / "states.md").read_text(encoding="utf-8")
    named = causes_in(text)
    assert sorted(named) == sorted((status.word, status.value) for status in STATUSES)
    assert len({word for word, _ in named}) <= 9, "nobody learns more"
    assert f"**{SceneStatus.UNKNOWN.word}** (`{SceneStatus.UNKNOWN.value}`)" in text
    assert len(text.splitlines()) <= 60, "it is whole on one screen"
    assert [word for word, _ in groupby(named, key=itemgetter(0))] == [same[0].word for same in buckets()]


def test_each_word_for_a_server_is_in_the_glossary() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    servers = text.partition("## How a server stands")[2].split("## ")[0]
    named = {status_words.UP, status_words.DOWN, status_words.ON_HOLD, status_words.FAILING, status_words.THROTTLED}
    assert set(re.findall(r"^\| \*\*([^*]+)\*\*", servers, re.MULTILINE)) == named
