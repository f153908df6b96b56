"""The program `plexsync`: its commands, and the exit code of each call.

A command's module is imported when the command is called: help, and what the shell completes, come from its outline.
Exit codes: 0 success; 1 a job of this call is dead or could not be done now; 2 usage, configuration or database; 3 the
database is newer than this program; 130 interrupted.
"""

import gc
import json
import keyword
import os
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from plexsync.cli.call import FAILED, FINE, INTERRUPTED, WRONG, Call, SharingFamily

# What you want to do, with the commands for it; a command's module has its name, or that of its opposite.
PARTS = {
    "Set it up": {
        "init": "Find both servers, and write plexsync.toml.",
        "doctor": "Check everything, and say how to mend what is not right.",
        "config": "Show the settings, and change them.",
        "adopt": "Take over the settings of Stash2Plex.",
        "notify": "Show and test the ways by which you are notified.",
        "probe": "Ask a Plex server how it treats edits, with one item.",
        "provider": "Let a library of Plex ask PlexSync first, and take that back.",
        "completion": "Let the shell complete commands and options.",
    },
    "Keep Plex right": {
        "serve": "Keep Plex in sync with Stash until stopped.",
        "sync": "Sync scenes: all, the recent ones, or those named.",
        "drain": "Work until nothing is due, then stop.",
        "reconcile": "Compare Stash with Plex, and queue what differs.",
        "verify": "Count how many scenes are in sync.",
        "collections": "Show the collections of Plex, dress them, and take that back.",
    },
    "See how it stands": {
        "status": "Show the status of everything, or of a scene.",
        "explain": "Show how a scene stands, and why.",
        "ping": "Test the way from Stash to Plex, and time each hop.",
        "history": "Show what was done for a scene.",
        "outages": "Show when the servers were down or on hold.",
        "log": "Show the log of the worker.",
        "report": "Collect what a bug report needs in one file, without secrets.",
        "help": "Show what each command does, and the common options.",
    },
    "Fix what needs you": {
        "fix": "Walk through everything that needs you, and mend it.",
        "drift": "List what Plex keeps, and decide about it.",
        "accept": "Accept a change of a server that only you can judge.",
        "dlq": "Work on the dead-letter queue.",
        "bind": "Name the item in Plex of a scene.",
        "unbind": "Remove a binding.",
        "ignore": "Leave scenes alone for good.",
        "unignore": "Sync ignored scenes again.",
    },
    "Take it back": {
        "undo": "Take back what was pushed.",
        "release": "Leave what was pushed in Plex, without PlexSync's locks.",
        "redo": "End an undo: sync the scenes again.",
        "uninstall": "List what stays when you remove the program.",
    },
    "Bring it back to Stash": {
        "plays": "Bring what you watch in Plex to Stash, and take it back.",
        "ratings": "Put back ratings that go both ways.",
        "import": "Fill what is empty in Stash with what Plex has.",
    },
    "Keep the database safe": {
        "backup": "Copy the database to a file.",
        "restore": "Put a copy of the database back.",
        "move": "Move the database into PostgreSQL, or back.",
    },
    "Try it": {
        "demo": "Watch PlexSync work, without a Stash or Plex of your own.",
    },
}
# `plexsync --help` shows these; `plexsync help` shows all.
BASIC = ("init", "doctor", "sync", "serve", "status", "explain", "fix", "undo")
# The plugin in Stash ships without the demo.
if not Path(__file__).with_name("commands").joinpath("demo.py").exists():
    del PARTS["Try it"]
COMMANDS = {name: line for section in PARTS.values() for name, line in section.items()}
# Not listed: the page of PlexSync in Stash calls it.
UNLISTED = ("setup",)
KNOWN = (*COMMANDS, *UNLISTED)
EXIT_CODES = """
Exit codes:
  0 fine, 1 something could not be done, 2 usage, configuration or database,
  3 the database is newer than this program, 130 interrupted.

`plexsync help COMMAND` explains one command, with examples.
"""
HELP = {"-h", "--help"}
OPPOSITES = {"unbind": "bind", "unignore": "ignore", "release": "undo", "redo": "undo", "restore": "backup"}


class Program(SharingFamily):
    """The commands by name; each is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's own signature
        """All names, in the order of the list."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of this name, imported now."""
        if cmd_name not in KNOWN:
            return None
        # A word of Python names neither a module nor a function.
        own = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        member = getattr(import_module(f"plexsync.cli.commands.{OPPOSITES.get(cmd_name, own)}"), own)
        if not gc.isenabled():
            # What was imported stays, and is never looked at again.
            gc.freeze()
            gc.enable()
        return member if isinstance(member, click.Command) else None

    def outline(self, ctx: click.Context, name: str) -> click.Command | None:
        """Without importing the command."""
        if name not in KNOWN:
            return None
        outlines = import_module("plexsync.cli.outline")
        outline: click.Command = outlines.outline_of(name, lambda: self.get_command(ctx, name))
        return outline

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As in click, but an unknown name is answered with the nearest one."""
        name = args[0]
        if name not in KNOWN and not name.startswith("-") and not ctx.resilient_parsing:
            near = _nearest(name, COMMANDS)
            hint = f"did you mean {near[0]}?" if near else "plexsync help lists the commands"
            ctx.fail(f"there is no command {name!r}: {hint}")
        if name in KNOWN and (ctx.resilient_parsing or HELP.intersection(args)):
            return name, self.outline(ctx, name), args[1:]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Print the commands that everybody needs."""
        _write_section(formatter, "Commands", {name: COMMANDS[name] for name in BASIC})

    def whole_help(self, ctx: click.Context) -> str:
        """Every command by what it is for, the options of every command, and the exit codes."""
        formatter = ctx.make_formatter()
        for title, section in PARTS.items():
            _write_section(formatter, title, section)
        with formatter.section("Options of every command"):
            formatter.write_dl([row for option in self.shared if (row := option.get_help_record(ctx))])
        formatter.write(EXIT_CODES)
        return formatter.getvalue().rstrip("\n")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete commands from the table, without importing any; and options, once a dash was typed."""
        names = [CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]


def _write_section(formatter: click.HelpFormatter, title: str, section: Mapping[str, str]) -> None:
    with formatter.section(title):
        # All sections are as wide as the longest name.
        formatter.write_dl([(name.ljust(max(map(len, COMMANDS))), line) for name, line in section.items()])


def _nearest(word: str, words: Iterable[str]) -> list[str]:
    """The known word that was probably meant, if there is one."""
    # It takes as long to load as all commands by their names.
    import difflib

    return difflib.get_close_matches(word, words, n=1)


def _tell_version(context: click.Context, _option: click.Parameter, asked: bool) -> None:
    if asked and not context.resilient_parsing:
        # It takes as long to find the version as to start the program.
        from plexsync.app.version import version

        as_json = context.ensure_object(Call).json
        click.echo(json.dumps({"version": version()}) if as_json else f"plexsync {version()}")
        context.exit()


@click.group("plexsync", cls=Program)
@click.option("--version", is_flag=True, expose_value=False, callback=_tell_version, help="Print the version.")
def plexsync() -> None:
    """Make a Plex library show what a Stash library says.

    \b
    To begin:    plexsync init            finds both servers and asks what to sync
    Look first:  plexsync sync --all --dry-run
    Keep going:  plexsync serve
    Watch it:    plexsync status --watch  in another terminal

    `plexsync help` lists all commands by what you want to do, the options of
    every command, and the exit codes. `plexsync help COMMAND` explains one.
    """


def unwritten(error: OSError) -> int:
    """The exit code if the answer could not be written; prints why, unless the reader closed the pipe, as `head` does."""
    # All further output is discarded, even at interpreter exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if not isinstance(error, BrokenPipeError):
        click.echo(f"plexsync: standard output can't be written: {error.strerror}", err=True)
    return FAILED


def begins_here() -> bool:
    """Whether somebody at a terminal sees PlexSync for the first time: no settings, and no database, are on this machine."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    sources = Call().sources
    is_set = any(name.startswith("PLEXSYNC_") for name in os.environ) or os.path.lexists(sources.file)
    return not is_set and sources.database_folder(b"") is None


def run_words(words: list[str]) -> int:
    """Run the words; raises OSError only if the answer can't be written."""
    call = Call()
    if not words and begins_here():
        words = ["init", "--start"]
    try:
        code = plexsync.main(words, prog_name="plexsync", obj=call, standalone_mode=False)
    except click.ClickException as error:
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
            return WRONG
        context = getattr(error, "ctx", None)
        removed = import_module("plexsync.cli.removed").removed_line(context.command_path, words) if context else ""
        # A list of choices comes on lines of its own.
        message = removed or " ".join(_message(error).split())
        if call.json or "--json" in words:
            click.echo(json.dumps({"error": message}))
        more = f"{'' if message.endswith(('.', '?')) else '.'} See '{context.command_path} --help'." if context else ""
        click.echo(f"plexsync: {message}{more}", err=True)
        return WRONG
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the edge of the program: every error becomes a line and an exit code
        # Unwritten output is still in the buffer, and fails once more.
        sys.stdout.flush()
        return int(import_module("plexsync.cli.faults").tell(error, call))
    return code if isinstance(code, int) else FINE


def _message(error: click.ClickException) -> str:
    """What is wrong; of an unknown option, with the one that was probably meant."""
    if not isinstance(error, click.NoSuchOption) or error.ctx is None:
        return error.format_message()
    options = {name.lstrip("-"): name for param in error.ctx.command.get_params(error.ctx) for name in param.opts}
    near = _nearest(error.option_name.lstrip("-"), options)
    return f"there is no option {error.option_name}{f': did you mean {options[near[0]]}?' if near else ''}"
