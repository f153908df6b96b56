"""What happens to the simulated Plex as a whole, or to one of its libraries: a reinstallation, a restored backup, a library
that is made anew or emptied.
"""

import hashlib
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from plexsync.simulator.plex_agents import MOVIE_AGENT
from plexsync.simulator.plex_history import Play
from plexsync.simulator.plex_model import Item, Library, Section


@dataclass(frozen=True)
class PlexBackup:
    """The whole database of one installation at one moment."""

    machine: str
    rows: dict[str, object]
    plays: tuple[Play, ...]


@dataclass(frozen=True)
class Dealt:
    """The new rating keys and the new ids of libraries, by the old ones. Keys of movies that no scan has shown yet too."""

    keys: Mapping[str, str]
    sections: Mapping[str, str]


def next_machine(machine: str, used: Container[str] = ()) -> str:
    """The identifier of the installation that follows this one: none of those that were used."""
    following = hashlib.sha1(machine.encode(), usedforsecurity=False).hexdigest()
    return next_machine(following, used) if following in used else following


def reinstall(library: Library, machine: str, rng: Random) -> Dealt:
    """Everything anew: other uuids, numbers from the beginning, sections and movies in another order."""
    before = list(library.sections.values())
    movies = _movies(before)
    rng.shuffle(before)
    rng.shuffle(movies)
    library.clear()
    library.era = f" on {machine}"
    sections = {section.id: _like(library, section) for section in before}
    keys = {str(item.key): _put(library, item, sections[item.section.id], staged=staged) for item, staged in movies}
    return Dealt(keys, {str(old): str(new.id) for old, new in sections.items()})


def remake(library: Library, section: Section, *, same_id: bool) -> Dealt:
    """Delete a section and make it anew with the same files, under the same number or the next one."""
    movies = _movies([section])
    for item in list(section.items.values()):
        library.remove(item)
    del library.sections[section.id]
    library.era = f"{library.era} again"
    fresh = _like(library, section, number=section.id if same_id else None)
    keys = {str(item.key): _put(library, item, fresh, staged=staged) for item, staged in movies}
    return Dealt(keys, {str(section.id): str(fresh.id)})


def empty(library: Library, section: Section) -> None:
    """Remove all movies; their files are away until `refill`."""
    section.away += section.staged
    section.staged = []
    for item in list(section.items.values()):
        library.remove(item)
        section.away.append(item)


def refill(library: Library, section: Section) -> Dealt:
    """The files that were away are on the disk again, for the next scan to find."""
    keys = {str(item.key): _put(library, item, section, staged=True) for item in section.away}
    section.away = []
    return Dealt(keys, {})


def _movies(sections: Iterable[Section]) -> list[tuple[Item, bool]]:
    """The movies whose files are on the disk, and whether each still waits for a scan."""
    shown = [(item, False) for section in sections for item in section.items.values() if not item.trashed]
    return shown + [(item, True) for section in sections for item in section.staged]


def _like(library: Library, section: Section, *, number: int | None = None) -> Section:
    """A new section of the same title, folders and agent, if that is known here; its files that are away stay away."""
    agent = section.agent if library.agents.knows(section.agent) else MOVIE_AGENT
    fresh = library.add_section(section.title, section.locations, agent, section.type, number=number)
    fresh.away = section.away
    if agent == section.agent and section.group in library.agents.groups:
        fresh.group = section.group
    return fresh


def _put(library: Library, item: Item, section: Section, *, staged: bool) -> str:
    """The same files as a new movie of a section, at once or after a scan; returns its key."""
    fresh = library.anew(item, section)
    if staged:
        section.staged.append(fresh)
    else:
        library.reveal(fresh)
    return str(fresh.key)
