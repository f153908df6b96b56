"""`make outlines`: writes the outlines of the commands and the scripts of the shells, which the product ships ready."""

import inspect
import json
from functools import partial
from typing import Any

import click
from click.shell_completion import get_completion_class

from plexsync.cli.call import Sharing
from plexsync.cli.main import SHELLS
from plexsync.cli.outline import FILE
from plexsync.cli.program import KNOWN, plexsync

# What a parameter or a command may say of itself, with its value where it says nothing.
OF_PARAMS = {"nargs": 1, "required": False}
OF_OPTIONS = {"help": None, "is_flag": False, "multiple": False, "hidden": False, "show_default": None}
OF_COMMANDS = {"help": None, "short_help": None, "hidden": False}
# The types that help and completion need, with what they are made from.
RANGE = ("min", "max", "min_open", "max_open")
TYPES: dict[type[Any], tuple[str, ...]] = {
    click.Choice: ("choices", "case_sensitive"),
    click.Path: ("file_okay", "dir_okay"),
    click.IntRange: RANGE,
    click.FloatRange: RANGE,
}


def outline(command: click.Command, context: click.Context) -> dict[str, Any]:
    """What is known of a command without loading it."""
    shared = command.shared if isinstance(command, Sharing) else []
    facts = _said(command, OF_COMMANDS)
    facts["params"] = [_param(param, context) for param in command.params if param not in shared]
    if isinstance(command, click.Group):
        members = command.commands.items()
        facts["commands"] = {
            name: outline(member, click.Context(member, info_name=name, parent=context)) for name, member in members
        }
    return facts


def _param(param: click.Parameter, context: click.Context) -> dict[str, Any]:
    facts = {"names": [*param.opts, *param.secondary_opts], **_said(param, OF_PARAMS)}
    if isinstance(param, click.Option):
        facts |= _said(param, OF_OPTIONS) | {"names": [*facts["names"], param.name]}
    if not getattr(param, "is_flag", False):
        facts["metavar"] = param.make_metavar(context)
    if facts.get("show_default"):
        facts["default"] = param.default
    for kind, names in TYPES.items():
        if type(param.type) is kind:
            facts["type"] = (kind.__name__, {name: getattr(param.type, name) for name in names})
    if isinstance(param._custom_shell_complete, partial):
        facts["completes"] = param._custom_shell_complete.args[0]
    return facts


def _said(what: object, names: dict[str, Any]) -> dict[str, Any]:
    said = {name: getattr(what, name) for name, silent in names.items() if getattr(what, name) != silent}
    return {name: inspect.cleandoc(value) if isinstance(value, str) else value for name, value in said.items()}


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    root = click.Context(plexsync, info_name="plexsync")
    known = {name: plexsync.get_command(root, name) for name in KNOWN}
    facts = {
        name: outline(command, click.Context(command, info_name=name, parent=root))
        for name, command in known.items()
        if command is not None
    }
    texts = {FILE.name: json.dumps(facts, indent=1, ensure_ascii=False) + "\n"}
    for shell in SHELLS:
        of_shell = get_completion_class(shell)
        assert of_shell is not None
        texts[shell] = of_shell(plexsync, {}, "plexsync", "_PLEXSYNC_COMPLETE").source()
    return texts


def main() -> None:
    """Write the files."""
    FILE.parent.mkdir(exist_ok=True)
    for name, text in files().items():
        FILE.with_name(name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
