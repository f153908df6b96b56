"""Sentences that the worker logs and every entry point shows."""

UNAPPROVED = (
    "full comparisons are paused until you approve the first write of the whole library: plexsync sync --all "
    "shows it and asks (or approve_bulk = true)"
)
SETTINGS_WAIT = (
    "the settings are in use for scenes that you edit; what they alone would write waits for your yes: plexsync sync --all "
    "--dry-run shows what they would change, plexsync sync --all --yes writes it; or set them back"
)
