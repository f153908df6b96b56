"""Where an item of Plex is found: the name of its library, and its page in Plex's web app."""

from collections.abc import Mapping
from dataclasses import field
from urllib.parse import quote

from plexsync.rules.record_class import record
from plexsync.store.database import Reader

WEB_APP = "https://app.plex.tv/desktop/"


@record
class ItemPlaces:
    """The names of the libraries, and the identifier of the Plex server; '' while none is known."""

    machine: str = ""
    titles: Mapping[str, str] = field(default_factory=dict)

    def link(self, key: str) -> str | None:
        """The page of an item in Plex's web app, which holds no secret; None while no server is known."""
        return self._page(f"/library/metadata/{key}")

    def collection(self, key: str, *, is_playlist: bool = False) -> str | None:
        """The page of a collection or a playlist there; None while no server is known."""
        return self._page(f"/playlists/{key}", "playlist") if is_playlist else self._page(f"/library/collections/{key}")

    def _page(self, path: str, kind: str = "details") -> str | None:
        if not self.machine:
            return None
        place = quote(path, safe="")
        return f"{WEB_APP}#!/server/{quote(self.machine, safe='')}/{kind}?key={place}"

    def library(self, section: str) -> str:
        """The name of a library; '' if it is not known."""
        return self.titles.get(section, "")


def item_places(db: Reader) -> ItemPlaces:
    """Return what the database knows of the server and its libraries."""
    server = db.servers.find()
    return ItemPlaces(server.machine if server else "", {row.key: row.title for row in db.sections.all()})
