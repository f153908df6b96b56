"""Sentences that the worker logs and every entry point shows."""

UNAPPROVED = (
    "full comparisons are paused until you approve the first write of the whole library: plexsync sync --all "
    "shows it and asks (or approve_bulk = true)"
)
