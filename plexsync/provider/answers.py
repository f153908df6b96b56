"""What a question of a library is answered with, from its database."""

import json
from collections.abc import Collection, Sequence
from dataclasses import replace

from plexsync.provider.libraries import AskingLibrary
from plexsync.rules.provider.documents import (
    Document,
    container,
    match_document,
    metadata_document,
    root_document,
)
from plexsync.rules.provider.questions import (
    MATCHES,
    KnownLibrary,
    MatchQuestion,
    NoMatch,
    base_names,
    candidates_of,
    places_asked,
    question_of,
    scene_of,
)
from plexsync.rules.provider.standing import NOT_SYNCED, is_synced
from plexsync.rules.record_class import record
from plexsync.rules.records import AnswerFile
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.database import Reader
from plexsync.store.ledger.provider_memory import ProviderRow

# The words by which answers are counted.
VALUES, OTHER = "values", "other_answers"
NO_KEY, NO_QUESTION = "refused_key", "refused_question"
Page = tuple[int, int] | None


@record
class CallAnswer:
    """A status, a document or a text of one line, and the word by which it is counted."""

    status: int
    result: str
    document: Document | None = None
    text: str = ""


def answer_root(asking: AskingLibrary, version: str) -> CallAnswer:
    """What the provider says of itself."""
    with asking.answers.reading() as db:
        row = provider_of(db, asking)
    return CallAnswer(200, OTHER, root_document(row.identifier, f"PlexSync: {row.title}", version))


def answer_values(asking: AskingLibrary, key: str) -> CallAnswer:
    """The values of a scene, by the key that Plex was given; of one that is gone, those of the scene that has its file."""
    with asking.answers.reading() as db:
        row, stored = provider_of(db, asking), db.answers.by_key(asking.library, key)
        if stored is not None and not stored.matched:
            stored = db.answers.heir_of(stored) or stored
    if stored is None:
        if asking.gave_key(key):
            raise LocalFault(
                "the database has no scene for a key that Plex has: if it was made anew, run plexsync provider add"
            )
        return CallAnswer(404, NO_KEY)
    document = metadata_document(row.identifier, key, stored.values)
    return CallAnswer(200, VALUES, container(row.identifier, [document]))


def answer_list(asking: AskingLibrary, of: str, page: Page) -> CallAnswer:
    """An empty list: PlexSync offers Plex no picture and no extra."""
    with asking.answers.reading() as db:
        row = provider_of(db, asking)
    return CallAnswer(200, OTHER, container(row.identifier, [], of=of, page=page))


def answer_match(asking: AskingLibrary, body: bytes, page: Page) -> CallAnswer:
    """The scene that has the file; for a person who chooses, those that may have it."""
    try:
        question = question_of(json.loads(body))
    except (ValueError, RecursionError) as error:
        return CallAnswer(400, NO_QUESTION, text=f"this is no question: {' '.join(str(error).split())}")
    with asking.answers.reading() as db:
        row = provider_of(db, asking)
        matches = _matches(db, row, question, asking)
        if isinstance(matches, NoMatch):
            return CallAnswer(200, matches.figure, container(row.identifier, []))
        stored = db.answers.of([scene for scene, _ in matches])
    items = [
        match_document(row.identifier, answer.key, answer.values, score=score)
        for scene, score in matches
        if (answer := stored.get((asking.library, scene)))
    ]
    return CallAnswer(200, MATCHES, container(row.identifier, items, page=page if question.is_manual else None))


def _matches(
    db: Reader, row: ProviderRow, question: MatchQuestion, asking: AskingLibrary
) -> Sequence[tuple[int, int]] | NoMatch:
    """The scenes and their scores."""
    if not question.is_adult:
        return NoMatch.ADULT
    library = KnownLibrary(row.folders, asking.answers.rules)
    names = base_names(question.filename, library)
    if not names:
        return NoMatch.OTHER
    library = replace(library, written=_scenes_at(db, row, places_asked(question.filename, library)))
    files: list[AnswerFile] = [file for name in sorted(names) for file in db.answers.with_file(row.library, name)]
    if question.is_manual:
        return candidates_of(question.filename, files, library) or NoMatch.UNKNOWN
    scene = scene_of(question.filename, files, library)
    return scene if isinstance(scene, NoMatch) else [(scene, 100)]


def _scenes_at(db: Reader, row: ProviderRow, places: Collection[str]) -> frozenset[int]:
    """The scenes that PlexSync has written to an item of the library that has a file at one of these places."""
    entries = {entry.key: entry for entry in db.index.entries(path_keys=sorted(places)) if entry.section == row.section}
    return frozenset(
        scene
        for key, origins in db.memories.owners(sorted(entries)).items()
        for scene, origin in origins.items()
        if origin.agrees(origin.library, entries[key].parts)
    )


def provider_of(db: Reader, asking: AskingLibrary) -> ProviderRow:
    """The library in the database. Raises LocalFault if it is not there, or not synced: Plex keeps what it has."""
    if (row := db.providers.of(asking.library)) is None:
        raise LocalFault(
            "the database has no library with this address: if it was made anew, run plexsync provider add"
        )
    if not is_synced(row, [(section.key, section.uuid) for section in db.sections.all()]):
        raise LocalFault(f"{row.title}: {NOT_SYNCED}")
    return row
