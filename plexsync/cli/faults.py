"""Maps an error to one clear line and an exit code."""

import json
import traceback

import click

from plexsync.app.settings import NotSetUp
from plexsync.cli.call import FAILED, NEWER, WRONG, Call
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from validation.redact import Redactor, one_line
from validation.sources import ConfigError

CODES: tuple[tuple[type[Exception], int], ...] = (
    (NewerDatabase, NEWER),
    (ConfigError, WRONG),
    (Unusable, WRONG),
    (LocalFault, WRONG),
    (NeighbourError, FAILED),
)
FAULTS = tuple(kind for kind, _ in CODES)


def tell(error: Exception, call: Call) -> int:
    """Report the error, in JSON too with --json; returns the exit code."""
    codes = _codes(error)
    lines = lines_of(error, call)
    if call.verbose and not codes:
        text = "".join(traceback.format_exception(error))
        click.echo(Redactor(call.secrets).redact(text), err=True, nl=False)
    if call.json:
        click.echo(json.dumps({"error": "\n".join(lines)}))
    for line in lines:
        click.echo(line if isinstance(error, NotSetUp) else f"plexsync: {line}", err=True)
    if not codes and not call.verbose:
        click.echo("plexsync: --verbose shows where it happened", err=True)
    return codes[0] if codes else FAILED


def code_of(error: Exception) -> int:
    """The exit code for an error."""
    return (*_codes(error), FAILED)[0]


def _codes(error: Exception) -> list[int]:
    return [code for kind, code in CODES if isinstance(error, kind)]


def lines_of(error: Exception, call: Call) -> list[str]:
    """The error in words, without secrets; it has one line at least."""
    if not isinstance(error, FAULTS):
        lines = [f"{type(error).__name__}: {error} (this is a fault of PlexSync)"]
    else:
        lines = error.lines if isinstance(error, ConfigError) else [str(error)]
    hidden = Redactor(call.secrets)
    return [one_line(hidden.redact(line)) for line in lines]
