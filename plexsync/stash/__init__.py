"""The Stash client: GraphQL requests whose answers are PlexSync's records and errors."""
