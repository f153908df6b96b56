"""Checks of the collections that PlexSync dresses: whether Plex lists and takes them, and how their edits are sent.

Scenes go on without collections, so what is wrong here is a warning.
"""

from collections.abc import Iterator, Mapping

from plexsync.app.parts import Parts
from plexsync.app.rules import is_dressing_on, profiles_of
from plexsync.cli.checks.check import Check
from plexsync.cli.checks.plays import NOT_OWNER
from plexsync.reports.collections import collection_counts
from plexsync.reports.format import many
from plexsync.rules.collection_status import CollectionStatus
from plexsync.rules.errors import Barred, NeighbourError, Refused
from plexsync.rules.records import SectionRow
from plexsync.rules.status_words import counted
from plexsync.rules.text import fold

LISTED, FORM, HOME, STANDING = "collections in Plex", "edits of collections", "collections at home", "collections"
BY_LIBRARY = "sent by their library; a server that does not take that is found out by the first edit"
BY_KEY = "sent to each collection, since this server does not take them by library"


def collections(parts: Parts) -> Iterator[Check]:
    """How collections are listed, edited and shown, and how they stand; nothing while no part is switched on."""
    looks = parts.settings.looks
    if not is_dressing_on(looks):
        return
    with parts.store.reading() as db:
        form, sections = db.probes.present_traits().collection_edits, db.sections.all()
        counts = collection_counts(db)
    profiles = {row.key: looks.libraries.get(fold(row.title), looks.profile) for row in sections}
    dressed = [row for row in sections if profiles[row.key].dressing.is_on]
    yield _listed(parts, dressed)
    yield Check(FORM, BY_KEY if form == "item" else BY_LIBRARY)
    if any(profile.dressing.home for profile in profiles_of(looks)):
        yield _home(parts, [row for row in dressed if profiles[row.key].dressing.home])
    yield _standing(counts)


def _listed(parts: Parts, sections: list[SectionRow]) -> Check:
    if not sections:
        return Check(LISTED, "no library was read yet: a worker does it")
    names = []
    for section in sections:
        try:
            count = sum(map(len, parts.plex.collections.listed(section.key)))
        except NeighbourError as error:
            return _unread(LISTED, section, error)
        names.append(f"{count:,} in {section.title}")
    return Check(LISTED, "Plex lists " + ", ".join(names))


def _home(parts: Parts, sections: list[SectionRow]) -> Check:
    shown = 0
    for section in sections:
        try:
            shown += sum(map(bool, parts.plex.collections.homes(section.key).values()))
        except NeighbourError as error:
            return _unread(HOME, section, error)
    return Check(HOME, f"Plex shows {many(shown, 'collection')} there")


def _unread(name: str, section: SectionRow, error: NeighbourError) -> Check:
    mend = NOT_OWNER if isinstance(error, Barred | Refused) else "run doctor again when Plex answers"
    return Check(name, f"{section.title}: {error}", mend)


def _standing(counts: Mapping[CollectionStatus, int]) -> Check:
    words = ", ".join(counted(status.word, count) for status, count in counts.items())
    if CollectionStatus.FAILED in counts:
        return Check(STANDING, words, "plexsync collections list --standing failed, plexsync dlq list")
    return Check(STANDING, words or "none is known yet: they are noted when their scenes are inspected")
