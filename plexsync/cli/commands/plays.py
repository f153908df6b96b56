"""`plexsync plays`: the plays that come from Plex to Stash, the way back."""

from plexsync.actions.model import SubjectKind, Verb
from plexsync.cli.actions import action_command
from plexsync.cli.call import family
from plexsync.cli.commands.plays_status import status
from plexsync.cli.commands.plays_sync import sync

undo = action_command(
    Verb.UNDO,
    SubjectKind.PLAYS,
    """Take back the plays and play time that PlexSync added.

    Nothing else is removed: a play that Stash had before stays, also one of the same second, and so does the play time of
    Stash's own player. The resume points that it wrote are put back as they were before. With --since, play time and resume
    points are left alone. What you play in Plex after that is added as before (unless watch_back is off).
    The scenes are put in the queue for the worker; with --wait they are worked before the command returns. It works while
    watch_back is off, too. Asks once for more than one scene. Exits with 1 if a named scene has none of these.

    \b
    Examples:
      plexsync plays undo 7 12
      plexsync plays undo --since 2h --dry-run
      plexsync plays undo --all --wait
    """,
    every="Every play that was added.",
    since="The plays added since then: 2026-03-31, 2h, 3d.",
    run="The plays of this run.",
)
redo = action_command(
    Verb.REDO,
    SubjectKind.PLAYS,
    """Send again the plays and play time that undo took back.

    The resume points that it took back are written again as well. A play that Stash has by then is not added. Plays that
    Plex no longer lists don't come again. Needs watch_back. Asks once for more than one scene. Exits with 1 if a named
    scene has no such play.

    \b
    Examples:
      plexsync plays redo 7
      plexsync plays redo --all --wait
    """,
    every="Every play that was taken back.",
    since="The plays taken back since then: 2026-03-31, 2h, 3d.",
    run="The plays of this run.",
)
again = action_command(
    Verb.AGAIN,
    SubjectKind.PLAYS,
    """Send the plays that Stash has lost.

    Checks plays that were added or found, and sends those that Stash does not have: after a restored Stash. What was
    deleted in Stash is sent again, too; what plexsync plays undo took back is not. Needs watch_back. Asks first. Exits
    with 1 if a named scene has no such play.

    \b
    Examples:
      plexsync plays again 7
      plexsync plays again --since 3d --yes --wait
    """,
    every="Every play that was added or found.",
    since="The plays added since then, and those found that were played since then: 2026-03-31, 2h, 3d.",
)


@family("plays", status, sync, undo, redo, again)
def plays() -> None:
    """Show the plays that come from Plex to Stash (watch_back), take them back, and send them again.

    \b
    Examples:
      plexsync plays status
      plexsync plays sync --dry-run
      plexsync plays undo --all --wait
      plexsync plays redo --since 2h
      plexsync plays again 7
    """
