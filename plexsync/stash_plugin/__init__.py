"""The door inside Stash."""
