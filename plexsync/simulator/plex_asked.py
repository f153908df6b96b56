"""A request as the simulated Plex reads it, and the frame of its answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from plexsync.simulator.http import Answer, Request
from plexsync.simulator.plex_model import Unacceptable
from plexsync.simulator.plex_render import Node, Value, document

TYPE_JSON = "application/json"
TYPE_XML = "text/xml;charset=utf-8"


@dataclass(frozen=True)
class Asked:
    """An accepted request, with its query parsed as Plex parses it."""

    request: Request
    pairs: list[tuple[str, str]]
    params: dict[str, str]
    groups: tuple[str, ...]
    as_json: bool

    def number(self, name: str) -> int | None:
        """A paging value from the query, else from the header; None if absent. Raises `Unacceptable` (400)."""
        text = self.params.get(name) or self.request.headers.get(name.lower())
        if not text:
            return None
        if not text.isdecimal():
            raise Unacceptable(400)
        return int(text)

    def names(self, name: str) -> frozenset[str]:
        """Parse a comma list."""
        return frozenset(self.params.get(name, "").split(",")) - {""}

    def page(self, total: int, largest: int | None = None) -> tuple[slice, dict[str, Value], dict[str, str]]:
        """The slice that is shown of a listing, the total as attributes, and as headers. Only paging requests get
        the total. `largest` is the largest page.
        """
        start, size = self.number("X-Plex-Container-Start"), self.number("X-Plex-Container-Size")
        paged = start is not None or size is not None
        start = start or 0
        size = total if size is None else size
        if largest is not None and (paged or size > largest):
            size, paged = min(size, largest), True
        if not paged:
            return slice(start, start + size), {}, {}
        headers = {"X-Plex-Container-Start": str(start), "X-Plex-Container-Total-Size": str(total)}
        return slice(start, start + size), {"totalSize": total, "offset": start}, headers

    def answer(self, container: Node, headers: Mapping[str, str] | None = None) -> Answer:
        """A document in the requested format."""
        content_type = TYPE_JSON if self.as_json else TYPE_XML
        return Answer(200, document(container, as_json=self.as_json), content_type, dict(headers or {}))
