"""`plexsync plays`: the plays that come from Plex to Stash."""

from plexsync.cli.call import family
from plexsync.cli.commands.plays_sync import sync


@family("plays")
def plays() -> None:
    """What you watch in Plex, on its way to Stash (watch_back).

    \b
    Examples:
      plexsync plays sync --dry-run
      plexsync plays sync
    """


plays.add_command(sync)
