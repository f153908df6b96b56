"""Durable state: one SQLite database, and for each table one file that holds every statement on it."""
