"""The shared options of every `plexsync` command, and the declaration of commands.

A command is declared with `@command(...)` (a family of commands with `@family(...)`). It takes the options that all
commands share, before or after its name, and a `Call` that holds them; it returns its exit code. Nothing heavy is
imported here, so that listing the commands stays fast.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plexsync.app.status_settings import Sources

FINE, FAILED, WRONG, NEWER, INTERRUPTED = 0, 1, 2, 3, 130


@dataclass
class Call:
    """The shared options of this call. `secrets` is filled once the settings were read, and `on_secret` is told so."""

    config_file: Path | None = None
    data_dir: str | None = None
    plex: str = ""
    verbose: bool = False
    json: bool = False
    secrets: tuple[str, ...] = ()
    on_secret: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)

    def hide(self, *secrets: str) -> None:
        """Redact these in everything that this call still says."""
        before = self.secrets
        self.secrets = tuple(dict.fromkeys((*before, *filter(None, secrets))))
        if self.secrets != before:
            self.on_secret()

    @property
    def sources(self) -> "Sources":
        """Where the settings of this call come from."""
        # Imported on use: the list of commands needs no settings.
        from plexsync.app.status_settings import Sources

        return Sources(os.environ, os.fspath(self.config_file) if self.config_file else None, self.data_dir)

    @property
    def chosen_plex(self) -> str:
        """The `[[plex]]` entry that this call chooses; '' if it chooses none."""
        return self.plex or os.environ.get("PLEXSYNC_PLEX", "")

    def answer(self, facts: Mapping[str, object], tell: Callable[[], None] | None = None) -> None:
        """Print `facts` as one JSON object with --json; else print them as text by `tell`."""
        if self.json:
            click.echo(json.dumps(facts, indent=2))
        elif tell is not None:
            tell()

    def refuse(self, reason: str, done: str = "", /, **facts: object) -> int:
        """Report why the call failed, as `error` beside the facts in JSON and as a line; returns the exit code.

        `done` is a line about what was done nevertheless.
        """
        self.answer({**facts, "error": reason}, (lambda: click.echo(done)) if done else None)
        click.echo(f"plexsync: {reason}", err=True)
        return FAILED

    def declined(self, action: str, facts: Mapping[str, object]) -> int:
        """Report that you said no, so that nothing was `action`; returns the exit code."""
        self.answer(facts)
        click.echo(f"plexsync: nothing was {action}", err=True)
        return FAILED


def _keep(context: click.Context, option: click.Parameter, value: object) -> None:
    """Store a shared option in the call, wherever it was given; the last value wins."""
    if value and option.name:
        setattr(context.ensure_object(Call), option.name, value)


def complete(name: str) -> Callable[..., list[CompletionItem]]:
    """The function with this name that completes values from the database; it is loaded when a shell asks."""
    return partial(_complete, name)


def _complete(name: str, *asked: Any) -> Any:
    return getattr(import_module("plexsync.cli.terminal.completions"), name)(*asked)


def plex_names(context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of the `[[plex]]` entries; none if the settings file can't be read."""
    names = context.ensure_object(Call).sources.plex_names()
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _common_options() -> list[click.Option]:
    def shared(*names: str, **settings: Any) -> click.Option:
        return click.Option(names, expose_value=False, callback=_keep, **settings)

    return [
        shared(
            *("--config", "config_file"),
            type=click.Path(path_type=Path),
            metavar="FILE",
            help="Read the settings from this file instead of the usual plexsync.toml.",
        ),
        shared("--data-dir", metavar="DIR", help="Use the database in this folder instead of the usual one."),
        shared(
            "--plex",
            metavar="NAME",
            shell_complete=plex_names,
            help="Choose the Plex server of this [[plex]] entry instead of the first.",
        ),
        shared(
            *("-v", "--verbose"),
            is_flag=True,
            help="Log what is done in detail, and show where a fault of PlexSync happened.",
        ),
        # Processed before --version, wherever it is given.
        shared("--json", is_flag=True, is_eager=True, help="Answer with one JSON object on standard output."),
    ]


class Sharing(click.Command):
    """A command with the shared options, which `plexsync help` lists once."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.shared = _common_options()
        self.params = [*self.params, *self.shared]

    def get_help_option_names(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """The names of the help option: click keeps the option of the first context that asks, whatever names that has."""
        return ["-h", "--help"]

    def whole_help(self, ctx: click.Context) -> str:
        """What `plexsync help` prints of it."""
        return self.get_help(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options; `plexsync help` lists the shared ones."""
        # The usage line names the arguments, and the text explains them.
        own = [param for param in self.get_params(ctx) if param not in self.shared and isinstance(param, click.Option)]
        with formatter.section("Options"):
            formatter.write_dl([row for option in own if (row := option.get_help_record(ctx)) is not None])


class SharingFamily(Sharing, click.Group):
    """A family of commands, with the shared options."""

    def outline(self, ctx: click.Context, name: str) -> click.Command | None:
        """What shows the help of the command with this name, and completes its words."""
        return self.get_command(ctx, name)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options, then the commands."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


Body = Callable[..., int]
# Options of several commands.
YES = click.option("--yes", is_flag=True, help="Do not ask.")
FORCE = click.option("--force", is_flag=True, help="Replace the file if it exists.")


def command(name: str) -> Callable[[Body], Sharing]:
    """Declare a command; its docstring is its help, its return value the exit code."""
    return click.command(name, cls=Sharing)


def family(name: str, *members: click.Command) -> Callable[[Callable[..., None]], SharingFamily]:
    """Declare a family of commands; its docstring is its help."""
    return click.group(name, cls=SharingFamily, commands=members)
