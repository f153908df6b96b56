"""Imports: what Plex knows and Stash lacks is brought to Stash, once, because you ask for it."""
