"""The page of `plexsync demo`: it takes the simulated Plex down and brings it back. No other dashboard has it.

It signals the demo by a file: while the file exists, the simulated Plex is down.
"""

from pathlib import Path

from starlette.responses import Response
from starlette.routing import Route

from plexsync.rules.gate_names import GateName
from plexsync.web.overview_pages import bar, scenes, server
from plexsync.web.pages import Ask, action, page


def routes(switch: Path) -> list[Route]:
    """The page and its two buttons, for the demo that watches this file."""

    def show(ask: Ask) -> Response:
        found = ask.desk.facts()
        with ask.desk.parts.store.reading() as db:
            used = db.attempts.count_used()
        return ask.show(
            "demo.html",
            down=switch.exists(),
            found=found,
            plex=server(found, GateName.PLEX),
            scenes=scenes(found),
            bar=bar(found),
            used=used,
        )

    def down(ask: Ask) -> Response:
        switch.touch(mode=0o600)
        return ask.to("/demo", "Plex is down now. People go on editing; watch the queue wait.")

    def up(ask: Ask) -> Response:
        switch.unlink(missing_ok=True)
        return ask.to("/demo", "Plex is back. PlexSync notices by itself, and begins slowly.")

    return [page("/demo", show), action("/demo/down", down), action("/demo/up", up)]
