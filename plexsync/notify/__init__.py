"""How a person is told: an adapter for each way out. Knows the rules only."""
