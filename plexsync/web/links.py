"""Addresses of a scene in Stash and of an item in Plex, for the browser that looks at the dashboard."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from plexsync.app.parts import Parts
from plexsync.reports.item_places import item_places
from plexsync.rules.collection_servers import OBJECT_SOURCES
from plexsync.web.guard import LOOPBACK


@dataclass(frozen=True)
class ItemLink:
    """The page of an item in Plex, and the name of its library ('' if it is not known)."""

    key: str
    href: str
    library: str


@dataclass(frozen=True)
class ServerLinks:
    """Stash under the name by which a browser reaches it that reached the dashboard under the name `host`, and Plex."""

    parts: Parts
    host: str

    def scene(self, id: int) -> str:
        """The page of a scene in Stash."""
        return self._in_stash(f"/scenes/{id}")

    def object(self, source: str, id: int) -> str:
        """The page of a studio, group, tag or performer in Stash; '' for what has none there."""
        return self._in_stash(f"/{source}s/{id}") if source in OBJECT_SOURCES else ""

    def _in_stash(self, path: str) -> str:
        config = self.parts.config
        return f"{config.stash_web_url or reached(config.stash_url, self.host)}{path}"

    def item(self, key: str) -> str:
        """The page of an item in Plex; '' while no Plex server is known."""
        with self.parts.store.reading() as db:
            return item_places(db).link(key) or ""

    def collection(self, key: str) -> str:
        """The page of a collection in Plex; '' while no Plex server is known."""
        with self.parts.store.reading() as db:
            return item_places(db).collection(key) or ""

    def items(self, keys: Sequence[str]) -> list[ItemLink]:
        """The pages of these items in Plex, each with the name of its library; none while no Plex server is known."""
        with self.parts.store.reading() as db:
            places = item_places(db)
            sections = {entry.key: entry.section for entry in db.index.entries(list(keys))}
        links = ((key, places.link(key)) for key in dict.fromkeys(keys))
        return [ItemLink(key, link, places.library(sections.get(key, ""))) for key, link in links if link]


def reached(url: str, host: str) -> str:
    """The address, with `host` in the place of localhost, which is the machine of PlexSync and not of the browser."""
    parts = urlsplit(url)
    if (parts.hostname or "") not in LOOPBACK or not host or host in LOOPBACK:
        return url
    name = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{name}:{parts.port}" if parts.port else name).geturl()
