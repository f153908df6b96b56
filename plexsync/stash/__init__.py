"""The neighbour people curate in: a GraphQL client that answers in our records and our errors."""
