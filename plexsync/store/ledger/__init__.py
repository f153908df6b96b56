"""The tables of what was written to Plex and Stash, and the journals beside the database."""
