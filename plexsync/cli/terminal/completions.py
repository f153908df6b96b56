"""What a shell may complete that only the database knows. Nobody is asked; whatever is wrong completes nothing."""

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
    # A shell asks at every press of the key: what is heavier than the list of commands is read only for an answer.
    from plexsync.app.quick import keys_in
    from plexsync.cli.quick_status import sources_of

    keys = keys_in(sources_of(context.ensure_object(Call)), state, MOST)
    return [CompletionItem(key, help=cause or None) for key, cause in keys if key.startswith(incomplete)]
