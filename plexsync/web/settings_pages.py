"""The settings page: each setting's value, its source, and how to change it. Secrets are shown as set or not."""

from starlette.responses import Response

from plexsync.reports.settings import setting_facts
from plexsync.web.pages import Ask, page
from validation.redact import MASK

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


routes = [page("/settings", settings)]
