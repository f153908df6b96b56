"""Maps an error to one clear line and an exit code."""

import json
import traceback

import click

from plexsync.app.settings import NotSetUp
from plexsync.cli.call import FAILED, NEWER, WRONG, Call
from plexsync.rules.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from validation.redact import Redactor, one_line
from validation.sources import ConfigError

CODES: tuple[tuple[type[Exception], int], ...] = (
    (NewerDatabase, NEWER),
    (ConfigError, WRONG),
    (Unusable, WRONG),
    (LocalFault, WRONG),
    (NeighbourError, FAILED),
)


def tell(error: Exception, call: Call) -> int:
    """Report the error, in JSON too with --json; returns the exit code."""
    codes = [code for kind, code in CODES if isinstance(error, kind)]
    lines = _lines(error) if codes else [f"{type(error).__name__}: {error} (this is a fault of PlexSync)"]
    hidden = Redactor(call.secrets)
    if call.verbose and not codes:
        click.echo(hidden.redact("".join(traceback.format_exception(error))), err=True, nl=False)
    lines = [one_line(hidden.redact(line)) for line in lines]
    if call.json:
        click.echo(json.dumps({"error": "\n".join(lines)}))
    for line in lines:
        click.echo(line if isinstance(error, NotSetUp) else f"plexsync: {line}", err=True)
    if not codes and not call.verbose:
        click.echo("plexsync: --verbose shows where it happened", err=True)
    return codes[0] if codes else FAILED


def _lines(error: Exception) -> list[str]:
    return error.lines if isinstance(error, ConfigError) else [str(error)]
