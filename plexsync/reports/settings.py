"""Every setting with its value and its source. Secrets are shown as set or not."""

from collections.abc import Mapping

from plexsync.reports.shapes.status import SettingFacts
from validation import database_settings
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.redact import MASK
from validation.sources import (
    COMMAND_LINE,
    DEFAULT,
    ENTRY,
    ENVIRONMENT,
    LOOK,
    NAMED_BY_SETTING,
    NAMED_FILE,
    NOT_FROM_STASH,
    STASH,
    TOML,
)

# The settings by what you want to do, in the order of docs/settings.md.
GROUPS = {
    "Connect Plex and Stash": (
        "plex_url plex_token plex_libraries plex_connect_timeout plex_read_timeout plex_parallel stash_url "
        "stash_api_key tls_ca_file path_map match_by_duration"
    ),
    "Choose what is synced": (
        "scope scope_match sync_title sync_studio sync_summary sync_date sync_cast sync_director sync_genres "
        "sync_collection sync_rating conflict_policy first_push when_gone strict_mode"
    ),
    "Choose how it looks in Plex": (
        "look title_template sort_title_template original_title_template tagline_template date_added content_rating "
        "genre_tags label_tags labels collection_tags tag_parents collections collection_name collection_sort "
        "collection_minimum collection_parts collection_mode collection_home collection_home_places playlists "
        "playlist_order poster background poster_shape poster_anchor poster_logo performer_name role_text "
        "performer_picture_url libraries"
    ),
    "Bring back what you watch": ("watch_back watch_account watch_since watch_minimum rating_direction rating_wins"),
    "Set the pace": (
        "approve_bulk enabled poll_interval stash_poll_interval worker_idle_minutes reconcile_interval_hours "
        "scan_absent max_retries dlq_retention_days dlq_max breaker_failure_threshold breaker_recovery_timeout "
        "breaker_max_recovery_timeout"
    ),
    "Get notified": "notify_urls notify_command notify_after_minutes",
    "Open the dashboard": "web_bind web_password web_allowed_hosts stash_web_url",
    "Let Plex ask PlexSync": "provider_listen provider_url provider_patience provider_match",
    "Keep the data": " ".join(("data_dir", *database_settings.NAMES)),
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names.split()}
# The settings that most people need, which pages show first.
BASIC = (
    "plex_url",
    "plex_token",
    "plex_libraries",
    "stash_url",
    "stash_api_key",
    "path_map",
    "scope",
    "look",
    "title_template",
    "poster",
    "collections",
    "watch_back",
)
# Settings whose values may contain a secret.
TELLING = (*SECRETS, "notify_command")
WHERE = {
    DEFAULT: "default",
    LOOK: "look",
    TOML: "plexsync.toml",
    ENTRY: "[[plex]] entry in plexsync.toml",
    STASH: "plugin settings in Stash",
    ENVIRONMENT: "environment",
    NAMED_FILE: "file named in the environment",
    NAMED_BY_SETTING: "file named in database_url_file",
    COMMAND_LINE: "command line",
}

# Settings that the dashboard shows but does not change, each with the reason.
WHERE_IT_RUNS = {
    "notify_command": "It is a program that PlexSync runs",
    "tls_ca_file": "It decides which servers PlexSync trusts",
    "web_bind": "It decides who reaches the dashboard",
    "provider_listen": "It decides who reaches PlexSync",
    "web_password": "It decides who reaches the dashboard",
    "web_allowed_hosts": "It decides who reaches the dashboard",
    "libraries": "It is a table with settings for single libraries",
    "data_dir": "It takes effect when serve starts again",
    **dict.fromkeys(database_settings.NAMES, "It decides which database is used"),
}


def setting_facts(config: PlexSyncConfig, by_name: Mapping[str, str]) -> list[SettingFacts]:
    """Every setting as facts, without any secret."""
    return [
        {
            "name": one.name,
            "value": value_of(one.name, getattr(config, one.name)),
            "secret": one.name in TELLING,
            "set": bool(getattr(config, one.name)),
            "source": WHERE[by_name.get(one.name, DEFAULT)],
            "variable": one.variable,
            "in_stash": one.name not in NOT_FROM_STASH,
            "basic": one.name in BASIC,
            "group": GROUP_OF.get(one.name, ""),
            "default": "required" if one.default is None else one.default,
            "description": one.description,
        }
        for one in describe()
    ]


def value_of(name: str, value: object) -> str:
    """A value as you would write it; a secret as three stars."""
    if name in TELLING:
        return MASK if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) if name in ("path_map", "scope") else ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(value)
    return str(value)


def why_read_only(name: str, origin: str) -> str:
    """Why a setting can't be changed on the dashboard; '' if it can."""
    setting = next(setting for setting in describe() if setting.name == name)
    if name in WHERE_IT_RUNS:
        return f"{WHERE_IT_RUNS[name]}, so it is changed where PlexSync runs: in plexsync.toml."
    if origin == ENVIRONMENT:
        return f"{setting.variable} is set in the environment and wins: change it there and start serve again."
    if origin == ENTRY:
        return "It is set in the [[plex]] entry of this server in plexsync.toml: change it there."
    if origin == NAMED_FILE:
        return f"{setting.variable}_FILE in the environment names the file that holds it: change that file."
    return "It is given on the command line of serve, which wins." if origin == COMMAND_LINE else ""
