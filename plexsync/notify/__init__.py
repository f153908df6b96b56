"""Notice senders: one adapter for each channel. Imports the rules only."""
