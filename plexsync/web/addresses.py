"""Addresses: which Plex server a page of the dashboard belongs to, and where a scene or an item is found.

The pages of the first server stand at `/fix`, those of a further one at `/plex/NAME/fix`, so a link can be shared and
two tabs can show two servers. Inside the program every path is that of a single server: the prefix is taken off
before the guard, and put before the links of a page and before redirects when they leave. `/plex/NAME` of the first
server works as well.
"""

import re
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

from starlette.types import Scope

from plexsync.app.parts import Parts
from plexsync.reports.item_places import item_places
from plexsync.rules.collections.collection_servers import OBJECT_SOURCES
from plexsync.rules.record_class import record

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
PREFIX = re.compile(r"/plex/([a-z0-9-]{1,40})(/.*)?", re.DOTALL)
# A link inside the dashboard. Templates escape every quote that is not theirs, so no foreign text looks like one.
LINK = re.compile(r'(?<=\s)(href|src|action|data-line)="(?=/(?!/|static/|plex/))')
# A command that is about one server; `plexsync serve` works for all of them.
COMMAND = re.compile(r'(<code class="command">plexsync (?!serve\b)[^<]*)<')


def prefix_of(name: str) -> str:
    """The prefix of the addresses of the server with this name; '' for a server without a name."""
    return f"/plex/{name}" if name else ""


def named_in(path: str) -> str:
    """The name of the server that a path begins with; '' if it begins with none."""
    match = PREFIX.fullmatch(path)
    return match[1] if match else ""


def place_scope(scope: Scope, names: Iterable[str]) -> Scope:
    """The request's scope without the prefix of one of these servers, and with its name in `plexsync.plex`.

    A prefix with another name stays: no page has such a path.
    """
    match = PREFIX.fullmatch(scope["path"])
    if match is None or match[1] not in names:
        return {**scope, "plexsync.plex": ""}
    return {**scope, "plexsync.plex": match[1], "path": match[2] or "/"}


def at_prefix(page: str, prefix: str) -> str:
    """The page with this prefix before each of its links inside the dashboard, and commands that name its server."""
    if not prefix:
        return page
    return COMMAND.sub(rf"\1 --plex {named_in(prefix)}<", LINK.sub(rf'\1="{prefix}', page))


@record
class ItemLink:
    """The page of an item in Plex, and the name of its library ('' if it is not known)."""

    key: str
    href: str
    library: str


@record
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
        return f"{config.stash_web_url or reachable(config.stash_url, self.host)}{path}"

    def item(self, key: str) -> str:
        """The page of an item in Plex; '' while no Plex server is known."""
        with self.parts.store.reading() as db:
            return item_places(db).link(key) or ""

    def collection(self, key: str, source: str) -> str:
        """The page of a collection or a playlist in Plex; '' while no Plex server is known."""
        with self.parts.store.reading() as db:
            return item_places(db).collection(key, is_playlist=source == "playlist") or ""

    def items(self, keys: Sequence[str]) -> list[ItemLink]:
        """The pages of these items in Plex, each with the name of its library; none while no Plex server is known."""
        with self.parts.store.reading() as db:
            places = item_places(db)
            sections = {entry.key: entry.section for entry in db.index.entries(list(keys))}
        links = ((key, places.link(key)) for key in dict.fromkeys(keys))
        return [ItemLink(key, link, places.library(sections.get(key, ""))) for key, link in links if link]


def reachable(url: str, host: str) -> str:
    """The address, with `host` in the place of localhost, which is the machine of PlexSync and not of the browser."""
    parts = urlsplit(url)
    if (parts.hostname or "") not in LOOPBACK or not host or host in LOOPBACK:
        return url
    name = f"[{host}]" if ":" in host else host
    return parts._replace(netloc=f"{name}:{parts.port}" if parts.port else name).geturl()
