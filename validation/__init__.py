"""Settings: their names and rules, their sources and which source wins, and how secrets stay out of texts."""
