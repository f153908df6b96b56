"""The flow of collections: dresses the collections that the tags of scenes make in Plex."""
