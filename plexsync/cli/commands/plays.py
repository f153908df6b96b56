"""`plexsync plays`: the plays that come from Plex to Stash, the way back."""

from plexsync.cli.call import family
from plexsync.cli.commands.plays_status import status
from plexsync.cli.commands.plays_sync import sync
from plexsync.cli.commands.plays_wishes import again, redo, undo

# The commands of the family, in the order of its help.
PARTS = (status, sync, undo, redo, again)


@family("plays")
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


for part in PARTS:
    plays.add_command(part)
