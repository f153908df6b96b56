"""What the pages name is there: settings, variables, options, commands."""

import re
from pathlib import Path

import click
import pytest

from plexsync.cli.call import Call
from plexsync.cli.main import COMMANDS, plexsync
from tests.docs.pages import ROOT, blocks, commands, examples, inline_commands, pages, prose
from validation.config import PlexSyncConfig, describe
from validation.plex_entries import is_token_variable
from validation.sources import FILE_VARIABLES, OTHER_VARIABLES, TEST_VARIABLES, load

PAGES = sorted(pages())
VARIABLES = {one.variable for one in describe()} | {*FILE_VARIABLES, *OTHER_VARIABLES, *TEST_VARIABLES}
# What troubleshooting shows on purpose.
MISSPELT = {"PLEXSYNC_MAX_RETRYS"}
# Names in capitals stand for what a reader puts in their place.
PLACES = {
    "SCENE": "7",
    "ITEM": "1234",
    "FILE": "file",
    "C": "refused",
    "WHEN": "2h",
    "N": "5",
    "NAME": "Movies",
    "DIR": "dir",
    "COMMAND": "status",
    "CHOICE": "plex-server",
}


@pytest.mark.parametrize("page", PAGES)
def test_variables_are_settings(page: str) -> None:
    named = set(re.findall(r"\bPLEXSYNC_[A-Z][A-Z_]+", pages()[page])) - MISSPELT
    # Where there is no dashboard yet, neither are its settings.
    left_out = "-" if (ROOT / "plexsync" / "web").exists() else "PLEXSYNC_WEB_"
    assert {one for one in named if not (one.startswith(left_out) or is_token_variable(one))} <= VARIABLES


def test_every_variable_that_names_a_file_is_told_of() -> None:
    assert set(FILE_VARIABLES) <= set(re.findall(r"\bPLEXSYNC_[A-Z][A-Z_]+", pages()["docs/settings.md"]))


@pytest.mark.parametrize("page", PAGES)
def test_what_is_set_in_the_text_is_a_setting(page: str) -> None:
    named = set(re.findall(r"`([a-z]+_[a-z_]+) = ", prose(page)))
    assert named <= set(PlexSyncConfig.model_fields)


EXAMPLES = [block for page in PAGES for block in blocks(page) if block.language == "toml"]


@pytest.mark.parametrize("block", EXAMPLES, ids=lambda block: f"{block.page}: {block.text[:20]!r}")
def test_examples_of_settings_are_settings_that_load(block, tmp_path: Path) -> None:
    file = tmp_path / "plexsync.toml"
    required = {"plex_url": "http://plex:32400", "plex_token": "a-token", "stash_api_key": "a-key"}
    text = re.sub(r'^(plex_token|stash_api_key) = ".*?"', r'\1 = "a-secret"', block.text, flags=re.MULTILINE)
    lines = [
        f'{name} = "{value}"' for name, value in required.items() if not re.search(f"^{name} ", text, re.MULTILINE)
    ]
    file.write_text("\n".join([*lines, text]), encoding="utf-8")
    file.chmod(0o600)
    assert load(environ={}, toml_path=file).warnings == ()


def test_there_are_such_examples() -> None:
    assert len(EXAMPLES) >= 5
    assert len(examples()) >= 40


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_are_commands_with_those_options(page: str) -> None:
    for words in inline_commands(page):
        parsed(words)


def parsed(line: str) -> None:
    """Parse a command line as the program does, without doing it."""
    words = [PLACES.get(word.strip("[]…."), word) for word in line.split()[1:] if word != "…"]
    group: click.Command = plexsync
    context = click.Context(plexsync, obj=Call())
    while isinstance(group, click.Group):
        own = [word for word in words if word in ("--json", "-v", "--verbose")]
        words = [word for word in words if word not in own]
        if not words or words == ["--help"] or words == ["--version"]:
            return
        name = words.pop(0)
        found = group.get_command(context, name)
        assert found is not None, f"{line}: there is no command {name}"
        group = found
    if words and "--help" not in words:
        try:
            group.make_context(line, words, parent=context)
        except click.UsageError as error:
            raise AssertionError(f"{line}: {error.format_message()}") from error


@pytest.mark.parametrize("words", ["plexsync snyc --all", "plexsync sync --evrything", "plexsync bind seven 1234"])
def test_what_is_no_command_is_found(words: str) -> None:
    with pytest.raises(AssertionError):
        parsed(words)


def test_every_command_is_shown_in_a_page_beside_the_list() -> None:
    told = " ".join(
        words for page in PAGES if page != "docs/commands.md" for words in [*commands(page), *inline_commands(page)]
    )
    for command in set(COMMANDS) - {"demo"}:
        assert f"plexsync {command}" in told, f"no page but the list tells of {command}"
