"""Libraries that ask PlexSync for the values of their items."""
