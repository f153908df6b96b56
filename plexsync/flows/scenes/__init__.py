"""Scenes of Stash, shown as movies in Plex."""
