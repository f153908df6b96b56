"""`plexsync probe`: asks a real Plex server the questions on which sources disagree, and restores the item."""
