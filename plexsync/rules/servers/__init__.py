"""What is expected of Plex and Stash, and how their failures are told apart."""
