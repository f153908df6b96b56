"""Prints of the settings that decide what Plex shows, to compare those of machines that share a database.

Two workers with different settings would take back each other's work whenever one follows the other. A print reveals
no setting.
"""

import hashlib
import json

from validation import database_settings
from validation.config import PlexSyncConfig

# What may be different on each machine: how it reaches the servers, its pace, and whom it tells.
LOCAL = frozenset(
    {
        "plex_url",
        "plex_token",
        "plex_connect_timeout",
        "plex_read_timeout",
        "plex_parallel",
        "stash_url",
        "stash_api_key",
        "stash_web_url",
        "tls_ca_file",
        "poll_interval",
        "stash_poll_interval",
        "reconcile_interval_hours",
        "scan_absent",
        "max_retries",
        "dlq_retention_days",
        "dlq_max",
        "breaker_failure_threshold",
        "breaker_recovery_timeout",
        "breaker_max_recovery_timeout",
        "worker_idle_minutes",
        "notify_urls",
        "notify_command",
        "notify_after_minutes",
        "web_bind",
        "web_password",
        "web_allowed_hosts",
        "data_dir",
        *database_settings.NAMES,
    }
)


def settings_prints(config: PlexSyncConfig) -> dict[str, str]:
    """Return a print of each setting that decides what Plex shows, by name."""
    values = config.model_dump(mode="json", exclude=set(LOCAL))
    return {name: _print(value) for name, value in values.items()}


def _print(value: object) -> str:
    text = json.dumps(value, sort_keys=True)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
