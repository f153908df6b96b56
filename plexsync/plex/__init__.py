"""The Plex client: HTTP requests whose answers are PlexSync's records and errors."""
