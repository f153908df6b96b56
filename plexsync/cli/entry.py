"""The entry point of `plexsync`: fast answers from the database alone; everything else goes to `main`.

`plexsync status` (with --json, --config and --data-dir) imports neither the command line library nor the worker nor the
drawing code. What it can't answer goes to `main`.
"""

import sys

from plexsync.cli.streams import prepare_streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

INTERRUPTED = 130


class Options:
    """The options of a call that is answered here."""

    def __init__(self) -> None:
        self.config_file: str | None = None
        self.data_dir: str | None = None
        self.plex = ""
        self.json = False


def main() -> "NoReturn":
    """Run the command line and end the process with its exit code."""
    words = sys.argv[1:]
    if options_of(words) is not None:
        prepare_streams()
        if (code := _quickly(words)) is not None:
            sys.exit(code)
    from plexsync.cli.main import main as whole

    whole(words)


def run(words: list[str]) -> int:
    """Run the command line in this process, for a caller that goes on afterwards; returns the exit code."""
    if (code := _quickly(words)) is not None:
        return code
    from plexsync.cli.main import run as whole

    return whole(words)


def _quickly(words: "Sequence[str]") -> int | None:
    """Answer from the database alone; returns the exit code, or None if nothing was written and `main` has to run it."""
    options = options_of(words)
    return None if options is None else _status(options)


def options_of(words: "Sequence[str]") -> Options | None:
    """The options of a plain `status`; None for any other command line."""
    options, commands = _read(words)
    return options if commands == ["status"] and not options.plex else None


def _read(words: "Sequence[str]") -> tuple[Options, list[str]]:
    """Split off the shared options that matter here from all other words."""
    options, others, rest = Options(), list[str](), list(words)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if word == "--json":
            options.json = True
        elif name in ("--config", "--data-dir", "--plex") and (equals or rest):
            value = value if equals else rest.pop(0)
            if name == "--config":
                options.config_file = value or options.config_file
            elif name == "--plex":
                options.plex = value or options.plex
            else:
                options.data_dir = value or options.data_dir
        else:
            others.append(word)
    return options, others


def _status(options: Options) -> int | None:
    """Run `status` and return its exit code; None if nothing was written and `main` has to run it."""
    from plexsync.cli.quick_status import quick_facts, tell_all

    try:
        facts = quick_facts(options)
    except (OSError, ValueError, TypeError, LookupError):
        # A file holds something impossible: `main` meets the error again, and reports it in one line.
        return None
    except KeyboardInterrupt:
        return INTERRUPTED
    if facts is None:
        return None
    try:
        return tell_all(options, facts)
    except OSError as error:
        from plexsync.cli.main import unwritten

        return unwritten(error)
    except KeyboardInterrupt:
        return INTERRUPTED
