"""The commands of `plexsync`, one file each."""
