"""Settings of Stash2Plex as PlexSync settings, with notes on those that have no counterpart."""

from collections.abc import Mapping
from dataclasses import field

from plexsync.rules.record_class import record
from validation.config import PlexSyncConfig
from validation.sources import is_emptied

# The id of its plugin in Stash.
STASH2PLEX = "Stash2Plex"
# Its setting: the PlexSync setting. Of switches, only those that are off differ from PlexSync's defaults.
SAME = {
    "plex_url": "plex_url",
    "plex_token": "plex_token",
    "plex_library": "plex_libraries",
    "enabled": "enabled",
    "max_retries": "max_retries",
    "strict_mode": "strict_mode",
    "dlq_retention_days": "dlq_retention_days",
    "connect_timeout": "plex_connect_timeout",
    "read_timeout": "plex_read_timeout",
    "plex_connect_timeout": "plex_connect_timeout",
    "plex_read_timeout": "plex_read_timeout",
    "sync_studio": "sync_studio",
    "sync_summary": "sync_summary",
    "sync_date": "sync_date",
    "sync_performers": "sync_cast",
    "sync_tags": "sync_genres",
    "sync_collection": "sync_collection",
}
SWITCHES = tuple(name for name in PlexSyncConfig.model_fields if name.startswith("sync_"))
HOURS = {"never": 0.0, "hourly": 1.0, "daily": 24.0, "weekly": 168.0}
# Settings for what PlexSync does anyway, or does not need.
NEEDLESS = {
    "strict_matching": "nothing is written where it is not certain which item is meant",
    "poll_interval": "an idle worker notices an edit at once",
    "reconcile_scope": "a comparison always looks at everything",
    "reconcile_missing": "scenes that are not in Plex are looked for by themselves",
    "debug_logging": "use --verbose or PLEXSYNC_LOG",
    "obfuscate_paths": "no path stands in the log",
}


@record
class Imported:
    """The PlexSync settings by name, and a line for each Stash2Plex setting without a counterpart."""

    settings: Mapping[str, object] = field(repr=False)
    unsupported: tuple[str, ...] = ()


def import_settings(settings: Mapping[str, object]) -> Imported:
    """The PlexSync settings for Stash2Plex's plugin settings. Values are not checked here: `load` checks them."""
    lines = {name: value for name, value in sorted(settings.items()) if value is not None and not is_emptied(value)}
    own: dict[str, object] = {SAME[name]: value for name, value in lines.items() if name in SAME}
    if lines.get("sync_master") is False:
        own |= dict.fromkeys(SWITCHES, False)
    for name, setting in (("sync_poster", "poster"), ("sync_background", "background")):
        # On by default in Stash2Plex.
        on = lines.get(name, True) is not False and lines.get("sync_master") is not False
        own[setting] = "cover" if on else "none"
    if lines.get("preserve_plex_edits") is True:
        own |= {"conflict_policy": "plex", "first_push": "keep"}
    if (hours := HOURS.get(str(lines.get("reconcile_interval", "")).lower())) is not None:
        own["reconcile_interval_hours"] = hours
    names = {*SAME, "sync_master", "sync_poster", "sync_background", "preserve_plex_edits", "reconcile_interval"}
    ignored = (f"{name}: {NEEDLESS.get(name, 'PlexSync has no such setting')}" for name in lines if name not in names)
    return Imported(own, tuple(ignored))
