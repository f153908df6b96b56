"""The outlines of the commands show and complete the same as the commands, and load none of them."""

from collections.abc import Iterator

import click
import pytest

from plexsync.cli.call import Call, Sharing
from plexsync.cli.outline import FILE
from plexsync.cli.program import KNOWN, plexsync
from release import outlines
from tests.cli.conftest import Door


def pairs() -> Iterator[tuple[str, click.Command, click.Command]]:
    """Every command with its outline, by the words that call it."""
    root = click.Context(plexsync, info_name="plexsync")
    for name in KNOWN:
        yield from below(name, plexsync.get_command(root, name), plexsync.outline(root, name))


def below(
    words: str, command: click.Command | None, outline: click.Command | None
) -> Iterator[tuple[str, click.Command, click.Command]]:
    assert command is not None
    assert outline is not None
    yield words, command, outline
    if isinstance(command, click.Group):
        assert isinstance(outline, click.Group)
        assert list(command.commands) == list(outline.commands)
        for name, member in command.commands.items():
            yield from below(f"{words} {name}", member, outline.commands[name])


PAIRS = list(pairs())
each = pytest.mark.parametrize(("words", "command", "outline"), PAIRS, ids=[words for words, _, _ in PAIRS])


def test_the_files_are_what_make_outlines_writes() -> None:
    texts = outlines.files()
    assert {path.name: path.read_text(encoding="utf-8") for path in FILE.parent.iterdir()} == texts, "make outlines"
    assert len(PAIRS) > 60


def context_of(command: click.Command, words: str, width: int = 80) -> click.Context:
    return click.Context(command, info_name=words, terminal_width=width, obj=Call())


@each
def test_an_outline_shows_the_help_of_its_command(words: str, command: click.Command, outline: click.Command) -> None:
    for width in (40, 80):
        assert outline.get_help(context_of(outline, words, width)) == command.get_help(
            context_of(command, words, width)
        )


@each
def test_an_outline_completes_the_words_of_its_command(
    words: str, command: click.Command, outline: click.Command
) -> None:
    def completed(of: click.Command) -> list[tuple[str, str, str, str | None]]:
        context = context_of(of, words)
        shared = of.shared if isinstance(of, Sharing) else []
        items = [("", item) for text in ("", "-", "--") for item in of.shell_complete(context, text)]
        for param in of.params:
            if param not in shared:
                items += [(param.opts[0], item) for item in param.shell_complete(context, "")]
        return [(param, item.value, item.type, item.help) for param, item in items]

    assert completed(outline) == completed(command)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("explain", "--", "--help"), 2),
        (("sync", "--since", "--help"), 2),
        (("config", "get", "--", "-h"), 2),
        (("--json", "help", "setup", "state"), 0),
    ],
    ids=str,
)
def test_what_only_looks_like_a_call_for_help_is_a_call(words: tuple[str, ...], code: int, door: Door) -> None:
    done = door(*words)
    assert done.code == code
    assert ("Usage:" in done.out) == (code == 0)
