"""The neighbour people watch in: an HTTP client that answers in our records and our errors."""
