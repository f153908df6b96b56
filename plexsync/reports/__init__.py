"""How things stand, as facts that every door tells: for the terminal's tables and JSON, for pages and for the API."""
