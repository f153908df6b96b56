"""Configuration: what can be set, where a setting comes from and which source wins, and how secrets stay out of texts."""
