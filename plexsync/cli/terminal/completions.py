"""Completions from the database. Sends no request; on any error there are no completions."""

# ruff: noqa: PTH112, PTH118

import os
import sqlite3
from contextlib import closing

import click
from click.shell_completion import CompletionItem

from plexsync.cli.call import Call
from plexsync.store import folder, summary

MOST = 50


def dead_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first dead letters, with the cause of each."""
    return _rows(context, "dead", incomplete)


def ignored_scenes(context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The first ignored scenes."""
    return _rows(context, "ignored", incomplete)


def _rows(context: click.Context, state: str, incomplete: str) -> list[CompletionItem]:
    rows = keys_in(context.ensure_object(Call), state, MOST)
    return [CompletionItem(key, help=cause or None) for key, cause in rows if key.startswith(incomplete)]


def keys_in(call: Call, state: str, limit: int) -> list[tuple[str, str]]:
    """List the first rows of a rare state: (name on the command line, cause of the dead letter); none if unreadable.

    A Plex server without a folder of its own is the first one.
    """
    content = call.sources.content()
    where = None if content is None else call.sources.database_folder(content)
    if where is None:
        return []
    own = os.path.join(where, f"plex-{call.chosen_plex}")
    if call.chosen_plex and os.path.isdir(own):
        where = own
    try:
        with closing(summary.reading(os.path.join(where, folder.DATABASE))) as db:
            rows = summary.first_rows(db, state, limit)
    except (summary.Unreadable, sqlite3.Error, OSError):
        return []
    return [(str(number) if kind == "scene" else f"{kind}:{number}", cause) for kind, number, cause in rows]
