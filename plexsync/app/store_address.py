"""Where the store of a configuration is."""

from pathlib import Path

from plexsync.store.address import StoreAddress
from validation.config import PlexSyncConfig


def address_of(config: PlexSyncConfig, folder: Path) -> StoreAddress:
    """Return the address of the store: the PostgreSQL database that the settings name, else the file in `folder`."""
    return StoreAddress(folder, config.database_url, config.database_schema)
