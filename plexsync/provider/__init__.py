"""What Plex asks PlexSync: a server of its own that answers from the database, and asks neither Stash nor Plex."""
