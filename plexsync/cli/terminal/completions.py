"""What a shell may complete that only the database knows. Nobody is asked; whatever is wrong completes nothing."""

import os

import click
from click.shell_completion import CompletionItem

from plexsync.cli.call import Call

MOST = 50


def dead_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first of the scenes that were given up, with the cause of each."""
    return _rows(context, "dead", incomplete)


def ignored_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first of the scenes that are ignored."""
    return _rows(context, "ignored", incomplete)


def _rows(context: click.Context, state: str, incomplete: str) -> list[CompletionItem]:
    # A shell asks at every press of the key: what is heavy is read only when there is something to look for.
    from plexsync.app.database_files import first_rows
    from plexsync.app.settings import known_place
    from plexsync.cli.settings import sources
    from plexsync.reports.rows import written
    from plexsync.rules.errors import SyncError
    from plexsync.rules.job import State
    from validation.sources import ConfigError, load_here

    try:
        place = known_place(load_here(**sources(context.ensure_object(Call))).config, os.environ)
        rows = first_rows(place.path, State(state), limit=MOST) if place else []
    except (ConfigError, SyncError, OSError):
        return []
    keys = ((written(row.kind, row.id), row.cls) for row in rows)
    return [CompletionItem(key, help=cause or None) for key, cause in keys if key.startswith(incomplete)]
