"""What a library of Plex is told that asks PlexSync for the values of its items."""
