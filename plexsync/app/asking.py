"""A client of Stash for a command that asks one thing, such as the settings."""

from plexsync.engine.clock import SystemClock
from plexsync.stash.client import StashClient
from validation.config import PlexSyncConfig

# Timeouts in seconds. They are short, because read-only commands wait for them too.
ASK_CONNECT, ASK_READ = 2.0, 2.5


def asking_stash(config: PlexSyncConfig) -> StashClient:
    """Return a Stash client for a single query, with short timeouts; raises Unusable."""
    return StashClient(
        config.stash_url,
        config.stash_api_key,
        connect_timeout=ASK_CONNECT,
        read_timeout=ASK_READ,
        clock=SystemClock(),
        ca_file=config.tls_ca_file,
    )
