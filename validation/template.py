"""The text of a new plexsync.toml: the settings in it, and below them every common option, commented.

To use an option, take the # away. Its value is the default, so nothing changes until it is edited.
"""

import textwrap
from collections.abc import Mapping

from validation.config import Setting, describe
from validation.writing import HEAD, changed

COMMON = (
    *("plex_libraries", "tls_ca_file", "path_map", "scope", "scope_match", "enabled", "stash_poll_interval"),
    *("reconcile_interval_hours", "scan_absent", "sync_title", "sync_studio", "sync_summary", "sync_date", "sync_cast"),
    *(
        "sync_director",
        "sync_genres",
        "sync_collection",
        "sync_rating",
        "look",
        "title_template",
        "genre_tags",
        "label_tags",
    ),
    *("collection_tags", "collections", "poster", "background", "conflict_policy", "first_push", "when_gone"),
    *("watch_back", "watch_account", "watch_since", "watch_marked", "rating_direction", "rating_wins"),
    *("dlq_retention_days", "notify_urls", "notify_command", "notify_after_minutes", "web_bind", "web_password"),
    *("web_allowed_hosts", "stash_web_url", "data_dir"),
)
ABOUT = "# Common options with their defaults. To change one, take the # before its name away and edit its value.\n"


def new_file(settings: Mapping[str, object]) -> str:
    """The text of a new file with these settings (None: not set)."""
    set_ones = {name for name, value in settings.items() if value is not None}
    options = (_option(setting) for setting in describe() if setting.name in COMMON and setting.name not in set_ones)
    return f"{changed(HEAD, settings)}\n{ABOUT}{''.join(options)}"


def _option(setting: Setting) -> str:
    about = textwrap.fill(setting.description, 118, initial_indent="# ", subsequent_indent="# ", break_long_words=False)
    return f"\n{about}\n#{setting.name} = {setting.default}\n"
