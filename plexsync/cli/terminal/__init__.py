"""What a person reads and types in a terminal: tables, prompts, keys, live screens."""
