"""The checks of `plexsync doctor`, one file per subject. A check has a result, and a fix where it fails."""
