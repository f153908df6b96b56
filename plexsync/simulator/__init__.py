"""A Plex and a Stash on loopback, to try things against without owning either."""
