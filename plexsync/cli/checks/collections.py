"""Checks of collections and playlists: whether Plex lists and takes them, how edits are sent, and what their tag is.

Scenes go on without collections, so what is wrong here is a warning.
"""

from collections.abc import Callable, Iterator, Mapping

from plexsync.app.parts import Parts
from plexsync.app.rules import is_dressing_on, profiles_of
from plexsync.cli.checks.check import NOT_OWNER, Check
from plexsync.reports.format import many
from plexsync.rules.collections.collection_status import CollectionStatus, count_statuses
from plexsync.rules.collections.playlists import UnclearTag, children_of
from plexsync.rules.records import SectionRow
from plexsync.rules.servers.errors import Barred, NeighbourError, Refused
from plexsync.rules.words.status_words import count_words
from plexsync.rules.words.text import fold

PLAYLISTS = "playlists"
LISTED, FORM, HOME, STANDING = "collections in Plex", "edits of collections", "collections at home", "collections"
BY_LIBRARY = "sent by their library; a server that does not take that is found out by the first edit"
BY_KEY = "sent to each collection, since this server does not take them by library"


def collections(parts: Parts) -> Iterator[Check]:
    """How collections are listed, edited and shown, and how they stand; nothing while no part is switched on."""
    looks = parts.settings.looks
    if parts.settings.playlists:
        yield _playlists(parts, parts.settings.playlists.parent)
    if not is_dressing_on(looks):
        return
    with parts.store.reading() as db:
        form, sections = db.probes.present_traits().collection_edits, db.sections.all()
        counts = count_statuses(db.collections.count_all())
    profiles = {row.key: looks.libraries.get(fold(row.title), looks.profile) for row in sections}
    dressed = [row for row in sections if profiles[row.key].dressing.is_on]
    plex = parts.plex.collections
    listed = _counted(LISTED, dressed, lambda key: sum(map(len, plex.list_collections(key))))
    if isinstance(listed, list):
        names = ", ".join(f"{count:,} in {title}" for title, count in listed)
        listed = Check(LISTED, f"Plex lists {names}" if names else "no library was read yet: a worker does it")
    yield listed
    yield Check(FORM, BY_KEY if form == "item" else BY_LIBRARY)
    if any(profile.dressing.home for profile in profiles_of(looks)):
        at_home = [row for row in dressed if profiles[row.key].dressing.home]
        homes = _counted(HOME, at_home, lambda key: sum(map(bool, plex.homes(key).values())))
        if isinstance(homes, list):
            total = sum(count for _, count in homes)
            homes = Check(HOME, f"Plex shows {many(total, 'collection')} there")
        yield homes
    yield _standing(counts)


def _playlists(parts: Parts, parent: str) -> Check:
    """Which tags are playlists, and how many Plex has of the token's account."""
    try:
        tags = children_of(parent, parts.stash.collections.tags_named(parent))
        count = sum(map(len, parts.plex.playlists.list_playlists()))
    except UnclearTag as unclear:
        return Check(PLAYLISTS, str(unclear), "until then no playlist is written")
    except NeighbourError as error:
        return Check(PLAYLISTS, str(error), "run doctor again when both servers answer")
    return Check(PLAYLISTS, f"{many(len(tags), 'tag')} below {parent}; Plex lists {many(count, 'playlist')} of yours")


def _counted(name: str, sections: list[SectionRow], count: Callable[[str], int]) -> list[tuple[str, int]] | Check:
    """The number of each library, with its title, or a warning about the first that can't be read."""
    counts = []
    for section in sections:
        try:
            counts.append((section.title, count(section.key)))
        except NeighbourError as error:
            mend = NOT_OWNER if isinstance(error, Barred | Refused) else "run doctor again when Plex answers"
            return Check(name, f"{section.title}: {error}", mend)
    return counts


def _standing(counts: Mapping[CollectionStatus, int]) -> Check:
    words = ", ".join(count_words(status.word, count) for status, count in counts.items())
    if CollectionStatus.FAILED in counts:
        return Check(STANDING, words, "plexsync collections list --standing failed, plexsync dlq list")
    return Check(STANDING, words or "none is known yet: they are noted when their scenes are inspected")
