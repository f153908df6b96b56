"""What Plex should show, what it shows, and what PlexSync left there: the three-way plan, its memory and its way back."""
