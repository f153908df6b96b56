"""What survives: one SQLite database, and for each table one file that holds every statement about it."""
