"""The settings page: each setting's value, its source, and how to change it. Secrets are shown as set or not."""

from collections.abc import Mapping

from starlette.responses import Response

from plexsync.reports.shapes.status import SettingFacts
from plexsync.web.pages import Ask, page
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.redact import MASK
from validation.sources import COMMAND_LINE, DEFAULT, ENVIRONMENT, NAMED_FILE, NOT_FROM_STASH, STASH, TOML

# Settings whose values may contain a secret.
TELLING = (*SECRETS, "notify_command")
# The sections of docs/settings.md with their settings, in its order.
PARTS = {
    "Plex and Stash": (
        "plex_url",
        "plex_token",
        "plex_libraries",
        "plex_connect_timeout",
        "plex_read_timeout",
        "plex_parallel",
        "stash_url",
        "stash_api_key",
        "tls_ca_file",
        "path_map",
        "match_by_duration",
    ),
    "What is synced": (
        "scope",
        "sync_title",
        "sync_studio",
        "sync_summary",
        "sync_date",
        "sync_cast",
        "sync_director",
        "sync_genres",
        "sync_collection",
        "sync_rating",
        "conflict_policy",
        "first_push",
        "adopt_locked_lists",
        "when_gone",
        "strict_mode",
    ),
    "What fields are made of": (
        "title_template",
        "sort_title_template",
        "original_title_template",
        "content_rating",
        "genre_tags",
        "label_tags",
        "collection_tags",
        "tag_parents",
        "collections",
        "poster",
        "background",
        "poster_padding",
        "role_text",
        "performer_picture_url",
        "libraries",
    ),
    "When work is done": (
        "approve_bulk",
        "enabled",
        "poll_interval",
        "stash_poll_interval",
        "worker_idle_minutes",
        "reconcile_interval_hours",
        "scan_absent",
        "max_retries",
        "dlq_retention_days",
        "dlq_max",
        "breaker_failure_threshold",
        "breaker_recovery_timeout",
        "breaker_max_recovery_timeout",
    ),
    "Telling a person": (
        "notify_urls",
        "notify_command",
        "notify_after_minutes",
    ),
    "The dashboard": (
        "web_bind",
        "web_password",
        "web_allowed_hosts",
    ),
    "Where things are kept": ("data_dir",),
}
WHERE = {
    DEFAULT: "default",
    TOML: "plexsync.toml",
    STASH: "plugin settings in Stash",
    ENVIRONMENT: "environment",
    NAMED_FILE: "file named in the environment",
    COMMAND_LINE: "command line",
}


def settings(ask: Ask) -> Response:
    """All settings, by section; those that differ from the default stand out."""
    config, origins = ask.desk.parts.config, ask.desk.origins
    facts = {one["name"]: one for one in setting_facts(config, origins.by_name)}
    rows = [(part, [facts.pop(name) for name in names]) for part, names in PARTS.items()]
    if facts:
        rows.append(("More", list(facts.values())))
    return ask.show(
        "settings.html", parts_of=rows, warnings=origins.warnings, folder=str(ask.desk.parts.folder), masked=MASK
    )


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


routes = [page("/settings", settings)]
