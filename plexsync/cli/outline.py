"""The outlines of the commands: what their help shows and a shell completes, without the modules that they need.

`make outlines` writes them, from the commands themselves, to `outlines/commands.json`.
"""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import click

from plexsync.cli.call import Sharing, SharingFamily, complete

FILE = Path(__file__).with_name("outlines") / "commands.json"
# Imports a command.
Load = Callable[[], Any]


class Outline(Sharing):
    """A command that shows its help and completes its words; the command itself is loaded for all else."""

    def __init__(self, name: str, load: Load, **settings: Any) -> None:
        super().__init__(name, **settings)
        self.load = load

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """As in click; a call for help ends here. What only looked like one goes to the command itself."""
        context = super().make_context(info_name, list(args), parent, **extra)
        return context if context.resilient_parsing else self.load().make_context(info_name, args, parent, **extra)


def outline_of(name: str, load: Load) -> click.Command:
    """The outline of the command with this name, which `load` loads."""
    return _outline(name, load, **json.loads(FILE.read_text(encoding="utf-8"))[name])


def _outline(name: str, load: Load, *, params: Sequence[Any], commands: Any = None, **settings: Any) -> click.Command:
    settings["params"] = [_param(**param) for param in params]
    if commands is None:
        return Outline(name, load, **settings)
    members = {member: _outline(member, partial(_member, load, member), **facts) for member, facts in commands.items()}
    return SharingFamily(name, commands=members, **settings)


def _member(load: Load, name: str) -> Any:
    return load().commands[name]


def _param(names: Sequence[str], *, type: Sequence[Any] = (), completes: str = "", **settings: Any) -> click.Parameter:
    if type:
        settings["type"] = getattr(click, type[0])(**type[1])
    if completes:
        settings["shell_complete"] = complete(completes)
    return (click.Option if names[0].startswith("-") else click.Argument)(names, **settings)
