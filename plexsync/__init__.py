"""PlexSync: Plex shows what Stash says."""
