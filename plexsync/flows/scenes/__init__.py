"""Syncs scenes in Stash to movies in Plex."""
