"""Terminal input and output: tables, prompts, keys, live screens."""
