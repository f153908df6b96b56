"""Addresses of a scene in Stash and of an item in Plex, for the browser that looks at the dashboard."""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from plexsync.app.parts import Parts
from plexsync.web.guard import LOOPBACK


@dataclass(frozen=True)
class ServerLinks:
    """Both servers under the names by which a browser reaches them that reached the dashboard under the name `host`."""

    parts: Parts
    host: str

    def scene(self, id: int) -> str:
        """The page of a scene in Stash."""
        return f"{reached(self.parts.config.stash_url, self.host)}/scenes/{id}"

    def item(self, key: str) -> str:
        """The page of an item in Plex; '' while no Plex server is known."""
        return self._details(f"/library/metadata/{key}")

    def collection(self, key: str) -> str:
        """The page of a collection in Plex; '' while no Plex server is known."""
        return self._details(f"/library/collections/{key}")

    def _details(self, path: str) -> str:
        with self.parts.store.reading() as db:
            server = db.servers.find()
        if server is None:
            return ""
        place = f"/web/index.html#!/server/{quote(server.machine, safe='')}/details?key="
        return f"{reached(self.parts.config.plex_url, self.host)}{place}{quote(path, safe='')}"


def reached(url: str, host: str) -> str:
    """The address, with `host` in the place of localhost, which is the machine of PlexSync and not of the browser."""
    parts = urlsplit(url)
    if (parts.hostname or "") not in LOOPBACK or not host or host in LOOPBACK:
        return url
    name = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{name}:{parts.port}" if parts.port else name).geturl()
