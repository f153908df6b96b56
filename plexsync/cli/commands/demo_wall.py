"""The demo's last act: the collections of the simulated Plex, before PlexSync worked and now."""

from rich.console import Console

from plexsync.app.wall_before import collection_count, wall_before
from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.terminal.screen import say
from plexsync.reports.format import many


def collection_counts(stage: Stage) -> dict[str, int]:
    """The number of collections in Plex, by time."""
    before = wall_before(stage.parts.folder)
    return {"before": collection_count(before) if before else 0, "now": collection_count(stage.parts.plex)}


def tell_of_wall(stage: Stage, screen: Console) -> None:
    """Print how many there are."""
    counts = collection_counts(stage)
    say(screen, f"   before: {many(counts['before'], 'collection')}; now: {many(counts['now'], 'collection')}")
