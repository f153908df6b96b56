"""Sentences that the worker logs and every entry point shows."""

UNAPPROVED = (
    "nothing is compared as a whole before a person has agreed to the first write of the whole library: "
    "plexsync sync --all shows it and asks (or approve_bulk = true)"
)
