"""Completions from the database. Sends no request; on any error there are no completions."""

# ruff: noqa: PTH112, PTH118

import os
import sqlite3
from contextlib import closing
from functools import partial

import click
from click.shell_completion import CompletionItem

from plexsync.cli.call import Call
from plexsync.store.files import folder
from plexsync.store.queue import summary

MOST = 50


def _rows(state: str, context: click.Context, _argument: click.Parameter, incomplete: str) -> list[CompletionItem]:
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


# The first dead letters, with the cause of each, and the first ignored scenes.
dead_scenes, ignored_scenes = partial(_rows, "dead"), partial(_rows, "ignored")
