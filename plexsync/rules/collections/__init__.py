"""What collections of Plex show, and in which order."""
