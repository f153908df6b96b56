"""The settings page: each setting's value, its source, and how to change it. Secrets are shown as set or not."""

from starlette.responses import Response

from plexsync.reports.settings import setting_facts, why_read_only
from plexsync.reports.shapes.status import SettingFacts
from plexsync.web.pages import Ask, page
from plexsync.web.setting_change_pages import not_in_use, shared_by
from validation import database_settings
from validation.redact import MASK

LONGEST = 200
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
        "scope_match",
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
        "look",
        "title_template",
        "sort_title_template",
        "original_title_template",
        "tagline_template",
        "date_added",
        "content_rating",
        "genre_tags",
        "label_tags",
        "collection_tags",
        "tag_parents",
        "collections",
        "collection_name",
        "collection_sort",
        "collection_minimum",
        "collection_parts",
        "collection_mode",
        "collection_home",
        "collection_home_places",
        "poster",
        "background",
        "gallery_choices",
        "poster_padding",
        "performer_name",
        "poster_logo",
        "role_text",
        "performer_picture_url",
        "libraries",
    ),
    "The way back": (
        "watch_back",
        "watch_account",
        "watch_since",
        "watch_marked",
        "rating_direction",
        "rating_wins",
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
        "stash_web_url",
    ),
    "Where things are kept": ("data_dir", *database_settings.NAMES),
}


def settings(ask: Ask) -> Response:
    """All settings, by section, or those that fit the search; those that differ from the default stand out."""
    config, origins, address = ask.desk.parts.config, ask.desk.origins, ask.desk.parts.address
    text, changed = ask.query.get("q", "").strip()[:LONGEST], ask.query.get("changed", "") == "1"
    every = setting_facts(config, origins.by_name)
    facts = {fact["name"]: fact for fact in every if fits(fact, text) and not (changed and fact["source"] == "default")}
    rows = [(part, [facts.pop(name) for name in names if name in facts]) for part, names in PARTS.items()]
    rows.append(("More", list(facts.values())))
    saved, problems = not_in_use(ask)
    return ask.show(
        "settings.html",
        parts_of=[(part, entries) for part, entries in rows if entries],
        text=text,
        changed=changed,
        warnings=origins.warnings,
        unusable=problems,
        saved=saved,
        fixed={name: reason for name, origin in origins.by_name.items() if (reason := why_read_only(name, origin))},
        folder=str(ask.desk.parts.folder),
        database=address.name if address.is_postgres else "",
        file=str(origins.file),
        masked=MASK,
        shared_by=shared_by(origins.servers),
        plex=origins.plex,
    )


def fits(fact: SettingFacts, text: str) -> bool:
    """Whether every word of the search is in the name, the value or the description."""
    words = f"{fact['name']} {fact['name'].replace('_', ' ')} {fact['value']} {fact['description']}".casefold()
    return all(word in words for word in text.casefold().split())


routes = [page("/settings", settings)]
