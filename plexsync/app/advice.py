"""Sentences that the worker logs and every entry point shows."""

UNAPPROVED = (
    "full comparisons are paused until you approve the first write of the whole library: plexsync sync --all "
    "shows it and asks (or approve_bulk = true)"
)
SETTINGS_WAIT = (
    "until your yes the settings from before stay in force, also for scenes that you edit: plexsync sync --all --dry-run "
    "shows what the changed ones would write, plexsync sync --all --yes writes it; or set them back"
)
UNKNOWN_BEFORE = (
    "changed settings wait for your yes (plexsync sync --all), and the values before are not known: until then nothing is "
    "written"
)
