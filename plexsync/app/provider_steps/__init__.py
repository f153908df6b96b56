"""What makes a library of Plex ask PlexSync first, and what takes that back."""
