"""The plugin inside Stash."""
