"""The choice of the libraries to use, by their names."""

from collections.abc import Sequence

from plexsync.rules.errors import Barred, Neighbour
from plexsync.rules.records import Section
from plexsync.rules.text import fold


def chosen(sections: list[Section], libraries: Sequence[str], *, server: str, token: str) -> list[Section]:
    """Return the sections with these names, or all. Raises Barred if there are none, or if a name does not exist."""
    if not libraries and not sections:
        raise Barred(Neighbour.PLEX, f"{server} shows no movie library to this plex_token", setting="plex_token")
    if not libraries:
        return sections
    wanted = {fold(name): name for name in libraries}
    existing = {fold(section.title) for section in sections}
    missing = [name for folded, name in wanted.items() if folded not in existing]
    if missing:
        titles = (", ".join(section.title for section in sections) or "none").replace(token, "***")
        message = f"Plex has no movie library named {', '.join(missing)}; it has: {titles}"
        raise Barred(Neighbour.PLEX, "".join(filter(str.isprintable, message)), setting="plex_libraries")
    return [section for section in sections if fold(section.title) in wanted]
