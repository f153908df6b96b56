"""docs/commands.md says of every command what its JSON holds, and names the shape where there is one."""

import re

import click

from plexsync.cli.program import PARTS, plexsync
from tests.docs.pages import anchors, pages

ROWS = pages()["docs/commands.md"].partition("\n## What JSON holds\n")[2]


def named() -> list[str]:
    """The commands of the first column: `dlq retry`, `drop` are both of the family dlq."""
    found = []
    for cell in re.findall(r"^\| (`.+?) \|", ROWS, re.MULTILINE):
        family = ""
        for words in re.findall(r"`([a-z -]+)`", cell):
            first, _, member = words.partition(" ")
            family = first if member else family
            found.append(words if member or not family else f"{family} {words}")
    return found


def commands() -> list[str]:
    context = click.Context(plexsync)
    found = []
    for name in (name for section in PARTS.values() for name in section):
        command = plexsync.get_command(context, name)
        if isinstance(command, click.Group):
            found += [f"{name} {member}" for member in command.list_commands(context)]
        else:
            found.append(name)
    return found


def test_the_table_has_every_command_once() -> None:
    assert sorted(named()) == sorted(commands())


def test_every_row_names_keys_or_a_shape_that_there_is() -> None:
    rows = re.findall(r"^\| `.+? \| (.+) \|$", ROWS, re.MULTILINE)
    assert len(rows) > 35
    assert [row for row in rows if not re.search(r"`\w+`|\]\(api-shapes", row)] == []
    shapes = re.findall(r"\[(\w+)\]\(api-shapes\.md#(\w+)\)", ROWS)
    assert len(shapes) > 30
    assert [name for name, anchor in shapes if name.lower() != anchor] == []
    assert {anchor for _, anchor in shapes} <= anchors("docs/api-shapes.md")


def test_shapes_that_have_a_command_are_named() -> None:
    """A shape whose first line names a command in the terminal."""
    shapes = re.findall(r"^### (\w+)\n\n(.+)$", pages()["docs/api-shapes.md"], re.MULTILINE)
    of_commands = {name for name, line in shapes if re.search(r": `plexsync [a-z]+", line)}
    assert len(of_commands) > 20
    assert {name for name in of_commands if f"[{name}]" not in ROWS} == set()
