"""Checks of the libraries that ask PlexSync: registered in Plex, its agent there, and whether Plex asks.

PlexSync writes whatever Plex does not ask for, so what is wrong here is a warning.
"""

from collections.abc import Iterator

from plexsync.app.parts import Parts
from plexsync.app.provider_steps.plan import look_in_plex
from plexsync.cli.checks.check import Check
from plexsync.reports.provider import call_words, last_asked, provider_report

MEND = "see docs/provider.md; plexsync provider status shows more"


def provider(parts: Parts) -> Iterator[Check]:
    """A check for each library."""
    for facts in provider_report(parts, look_in_plex(parts))["libraries"]:
        figures = f"last asked: {last_asked(facts)}; calls of the last hour: {call_words(facts['calls'])}"
        words = f"{facts['library']}: {facts['standing']}; {figures}"
        yield Check("Plex asks PlexSync", words, "" if facts["well"] else MEND)
