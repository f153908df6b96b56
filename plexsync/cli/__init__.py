"""The command line of PlexSync."""
