"""What the pages name is there: settings, variables, options, commands."""

import re
from pathlib import Path

import click
import pytest

from plexsync.cli.call import Call
from plexsync.cli.program import COMMANDS, plexsync
from tests.docs.pages import Block, blocks, commands, examples, inline_commands, pages, prose
from tests.journey.world import ROOT
from validation.config import PlexSyncConfig, describe
from validation.plex_entries import is_token_variable
from validation.sources import FILE_VARIABLES, OTHER_VARIABLES, TEST_VARIABLES, ConfigError, load

PAGES = sorted(pages())
VARIABLES = {one.variable for one in describe()} | {*FILE_VARIABLES, *OTHER_VARIABLES, *TEST_VARIABLES}
# What troubleshooting shows on purpose.
MISSPELT = {("docs/troubleshooting.md", "PLEXSYNC_MAX_RETRYS")}
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


def variables(text: str) -> set[str]:
    return set(re.findall(r"\bPLEXSYNC_[A-Z][A-Z_]+", text))


def is_setting(variable: str) -> bool:
    return variable in VARIABLES or is_token_variable(variable)


def set_in(text: str) -> set[str]:
    """The names that a text shows as set to something."""
    return set(re.findall(r"`([a-z]+_[a-z_]+) = ", text))


def test_variables_are_settings() -> None:
    named = {(page, variable) for page in PAGES for variable in variables(pages()[page])}
    assert len(named) > 30
    assert {(page, variable) for page, variable in named if not is_setting(variable)} - MISSPELT == set()
    assert [one for one in variables("PLEXSYNC_PLEX_URL, PLEXSYNC_PLEX_ULR") if not is_setting(one)] == [
        "PLEXSYNC_PLEX_ULR"
    ]


# Words that leave out what they speak of. Each stood in a sentence that readers did not understand.
UNCLEAR = (
    "has no name but those that",
    "nothing tells, so",
    "accepted = {{",
    "could spoil a database by its log",
    "Wants that come from",
    "takes in some of what is left",
    "one that was undone decides",
    "A plan needs no approval",
    "and is its alone",
    "names that server already",
)


def test_no_sentence_has_the_words_that_leave_out_what_they_speak_of() -> None:
    product = [path for path in (ROOT / "plexsync").rglob("*") if path.suffix in (".py", ".html", ".js")]
    texts = {**pages(), **{str(path): path.read_text("utf-8") for path in product}}
    assert len(texts) > 300
    joined = {place: " ".join(re.sub(r'"\s+f?"', "", text).split()) for place, text in texts.items()}
    assert [(place, words) for place, text in joined.items() for words in UNCLEAR if words in text] == []


def test_every_variable_that_names_a_file_is_told_of() -> None:
    assert FILE_VARIABLES and set(FILE_VARIABLES) <= variables(pages()["docs/settings.md"])


def test_what_is_set_in_the_text_is_a_setting() -> None:
    named = {(page, name) for page in PAGES for name in set_in(prose(page))}
    assert len(named) > 20
    assert set_in("`plex_ulr = 1`, `poster`") == {"plex_ulr"}
    assert {(page, name) for page, name in named if name not in PlexSyncConfig.model_fields} == set()


def examples_of_settings() -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == "toml"]


def test_examples_of_settings_are_settings_that_load(tmp_path: Path) -> None:
    file = tmp_path / "plexsync.toml"
    file.touch(mode=0o600)
    assert len(examples_of_settings()) >= 10
    assert [problem for block in examples_of_settings() for problem in problems_of(block, file)] == []
    assert problems_of(Block("", "toml", "max_retrys = 3"), file) != []


def problems_of(block: Block, file: Path) -> list[str]:
    """What the settings say of an example, with the required ones where it does not have them."""
    required = {"plex_url": "http://plex:32400", "plex_token": "a-token", "stash_api_key": "a-key"}
    text = re.sub(r'^(plex_token|stash_api_key) = ".*?"', r'\1 = "a-secret"', block.text, flags=re.MULTILINE)
    lines = [
        f'{name} = "{value}"' for name, value in required.items() if not re.search(f"^{name} ", text, re.MULTILINE)
    ]
    file.write_text("\n".join([*lines, text]), encoding="utf-8")
    try:
        said = load(environ={}, toml_path=file).warnings
    except ConfigError as error:
        said = error.lines
    return [f"{block.page}: {block.text[:20]!r}: {line}" for line in said]


def test_commands_in_the_text_are_commands_with_those_options() -> None:
    named = {(page, words) for page in PAGES for words in inline_commands(page)}
    assert len(named) > 200
    assert len(examples()) >= 40
    assert [problem for page, words in sorted(named) if (problem := problem_of(page, words))] == []


def problem_of(page: str, words: str) -> str:
    try:
        parsed(words)
    except AssertionError as error:
        return f"{page}: {error}"
    return ""


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
    assert {command for command in set(COMMANDS) - {"demo"} if f"plexsync {command}" not in told} == set()
