"""A simulated Plex and Stash on loopback, for use without real servers."""
