"""The plays flow: what you watch in Plex is in Stash."""
