"""The tables of what Plex and Stash had when they were last read."""
