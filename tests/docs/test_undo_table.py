"""The tables of docs/undo.md are those of the actions: every verb and subject, its selectors, and its doors."""

from collections import defaultdict

import click
import pytest

from plexsync.actions.model import SubjectKind, Verb
from plexsync.actions.table import SENSELESS, TABLE
from plexsync.cli.program import Program
from plexsync.web.action_pages import ACT, API_NAMES
from tests.docs.pages import pages
from tests.sources import ROOT

VERBS = (Verb.UNDO, Verb.REDO, Verb.RELEASE, Verb.KEEP, Verb.TAKE, Verb.UNKEEP)
WORDS = {SubjectKind.PLAYS: "plays and play time", SubjectKind.RESUME: "resume points"}
SELECTORS = {"since": "`--since`", "run": "`--run`", "library": "`--library`"}
# The commands of an action; any other is `VERB --of SUBJECT`.
COMMANDS = {
    (Verb.UNDO, SubjectKind.EVERYTHING): "undo",
    (Verb.RELEASE, SubjectKind.EVERYTHING): "release",
    (Verb.UNDO, SubjectKind.SCENES): "undo",
    (Verb.REDO, SubjectKind.SCENES): "redo",
    (Verb.RELEASE, SubjectKind.SCENES): "release",
    (Verb.KEEP, SubjectKind.SCENES): "drift --keep",
    (Verb.TAKE, SubjectKind.SCENES): "drift --take",
    (Verb.UNKEEP, SubjectKind.SCENES): "drift --unkeep",
    (Verb.UNDO, SubjectKind.COLLECTIONS): "collections undo",
    (Verb.REDO, SubjectKind.COLLECTIONS): "collections redo",
    (Verb.RELEASE, SubjectKind.COLLECTIONS): "collections release",
    (Verb.KEEP, SubjectKind.COLLECTIONS): "collections keep",
    (Verb.TAKE, SubjectKind.COLLECTIONS): "collections use-stash",
    (Verb.UNKEEP, SubjectKind.COLLECTIONS): "collections unkeep",
    (Verb.UNDO, SubjectKind.PLAYS): "plays undo",
    (Verb.REDO, SubjectKind.PLAYS): "plays redo",
    (Verb.UNDO, SubjectKind.RATINGS): "ratings undo",
}
PAIRS = [(verb, subject) for verb in VERBS for subject in SubjectKind]
SENSIBLE = [pair for pair in PAIRS if pair in TABLE]


def selectors(pair: tuple[Verb, SubjectKind]) -> list[str]:
    """The selectors besides numbers and all."""
    return [name for name in SELECTORS if name not in TABLE[pair].unfit]


def command_of(pair: tuple[Verb, SubjectKind]) -> str:
    return COMMANDS.get(pair, f"{pair[0]} --of {pair[1]}")


def row(pair: tuple[Verb, SubjectKind]) -> str:
    verb, subject = pair
    called = next((name for (kind, name), meant in API_NAMES.items() if (kind, meant) == (subject, verb)), verb)
    page = ACT.replace("{subject}", subject).replace("{verb}", verb)
    script = (ROOT / "plexsync" / "stash_plugin" / "ui" / "plexsync.js").read_text(encoding="utf-8")
    button = "button" if subject is SubjectKind.SCENES and f'act("{verb}"' in script else "–"
    numbers = [] if "ids" in TABLE[pair].unfit else ["numbers"]
    words = ", ".join([*numbers, *(SELECTORS[name] for name in selectors(pair)), "`--all`"])
    cells = (
        verb,
        WORDS.get(subject, subject),
        words,
        f"`{command_of(pair)}`",
        f"`/api/{subject}/{called}`",
        f"`{page}`",
    )
    return f"| {' | '.join((*cells, button))} |"


def test_the_table_shows_which_action_goes_with_what() -> None:
    heads = "| verb | of | selectors | terminal | API | page | tab in Stash |"
    expected = "\n".join([heads, "|---|---|---|---|---|---|---|", *map(row, SENSIBLE)])
    assert expected in pages()["docs/undo.md"], expected


def test_the_table_of_answers_has_every_pair_without_sense() -> None:
    assert {pair for pair in PAIRS if pair not in TABLE} == {pair for pair in SENSELESS if pair[0] in VERBS}
    answers: defaultdict[tuple[SubjectKind, str], list[Verb]] = defaultdict(list)
    for verb, subject in PAIRS:
        if (verb, subject) in SENSELESS:
            answers[subject, SENSELESS[verb, subject]].append(verb)
    rows = [
        f"| {', '.join(verbs)} | {WORDS.get(subject, subject)} | {answer} |"
        for (subject, answer), verbs in answers.items()
    ]
    expected = "\n".join(["| verb | of | answer |", "|---|---|---|", *rows])
    assert expected in pages()["docs/undo.md"], expected


@pytest.mark.parametrize("pair", SENSIBLE, ids=" ".join)
def test_the_command_of_an_action_takes_its_selectors(pair: tuple[Verb, SubjectKind]) -> None:
    words = command_of(pair).split()
    context, command = (
        click.Context(program := Program("plexsync")),
        program.get_command(click.Context(program), words[0]),
    )
    if isinstance(command, click.Group):
        command = command.get_command(context, words[1])
    assert command is not None
    taken = {option for parameter in command.params for option in parameter.opts}
    assert {f"--{name}" for name in (*selectors(pair), "all", "dry-run", "yes")} <= taken
    assert [word for word in words if word.startswith("--") and word not in taken] == []
    assert [parameter.name for parameter in command.params if isinstance(parameter, click.Argument)]
    if "--of" in words:
        (others,) = [parameter for parameter in command.params if "--of" in parameter.opts]
        assert isinstance(others.type, click.Choice)
        assert pair[1].value in others.type.choices
