"""Completions from the database. Sends no request; on any error there are no completions."""

import os

import click
from click.shell_completion import CompletionItem

from plexsync.cli.call import Call

MOST = 50


def dead_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first dead letters, with the cause of each."""
    return _rows(context, "dead", incomplete)


def ignored_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first ignored scenes."""
    return _rows(context, "ignored", incomplete)


def _rows(context: click.Context, state: str, incomplete: str) -> list[CompletionItem]:
    # Imported on use: a shell calls this at every press of the key, and only an answer needs the heavier modules.
    from plexsync.app.quick import keys_in
    from plexsync.cli.quick_status import sources_of

    call = context.ensure_object(Call)
    keys = keys_in(sources_of(call), state, MOST, call.plex or os.environ.get("PLEXSYNC_PLEX", ""))
    return [CompletionItem(key, help=cause or None) for key, cause in keys if key.startswith(incomplete)]
