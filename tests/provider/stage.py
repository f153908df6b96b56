"""The provider on a real port, with the answers of a library in a real database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from plexsync.provider.app import Provider
from plexsync.provider.libraries import AnswerStore, AskingLibraries
from plexsync.provider.notes import FigureNotes
from plexsync.rules.item import Entry, Part
from plexsync.rules.match.paths import PathRules
from plexsync.rules.merge.plan_records import Remembered
from plexsync.rules.merge.values import Held
from plexsync.rules.provider.documents import Document, rating_key
from plexsync.rules.provider.standing import ADD_NAMES
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.provider_secrets import LibrarySecrets, renew_path
from plexsync.store.ledger.provider_memory import ProviderRow, StoredAnswer
from tests.served import Served, served

LIBRARY, OTHER = "uuid-1", "uuid-2"
IDENTIFIER = "tv.plex.agents.custom.plexsync.a1"


def library_row(library: str = LIBRARY, **values: object) -> ProviderRow:
    """A library that asks, and has no steps left that a worker would go on with."""
    done = {**dict.fromkeys(ADD_NAMES, True), "folders": ["/media/movies"]}
    row = {"section": "1", "title": "Movies", "identifier": IDENTIFIER, "state": "on", "steps": done}
    return ProviderRow(library, **{**row, **values})  # type: ignore[arg-type]


@dataclass
class Shelf:
    """A data folder with libraries that ask, and what they are told."""

    folder: Path
    store: Database
    secrets: dict[str, LibrarySecrets]

    def add_library(self, library: str = LIBRARY, *, renews: bool = True, **values: object) -> LibrarySecrets:
        """A library that asks; `renews`: by another address than before."""
        own = self.secrets[library] = renew_path(self.folder, library) if renews else self.secrets[library]
        with self.store.writing() as tx:
            tx.providers.save(library_row(library, **values))
        return own

    def say(
        self, scene: int, *paths: str, library: str = LIBRARY, matched: bool = True, values: Mapping[str, object] = {}
    ) -> str:
        """Save what is answered for a scene; returns its key."""
        key = rating_key(bytes.fromhex(self.secrets[library].key), scene)
        document = {"title": f"Scene {scene}", "originallyAvailableAt": "2024-05-17", **values}
        with self.store.writing() as tx:
            tx.answers.say([StoredAnswer(library, scene, key, matched, document)], now=1)  # type: ignore[arg-type]
            tx.answers.save_files({(library, scene): paths})
        return key

    def show(self, scene: int, item: str, path: str, section: str = "1") -> None:
        """PlexSync has written to an item with this file for the scene."""
        memory = {"title": Remembered("", Held("", locked=False), Held("Scene", locked=False))}
        with self.store.writing() as tx:
            tx.index.save([Entry(item, section, (Part(path, 1),))], walk=1)
            tx.memories.save(scene, item, memory, now=1)


@dataclass
class Asked(Served):
    """A provider that answers, and a client that asks as Plex does."""

    notes: FigureNotes
    path: str

    def get(self, path: str = "", **headers: str) -> httpx2.Response:
        """Ask for a path below the secret."""
        return self.client.get(f"/{self.path}{path}", headers=headers)

    def match(self, filename: str | None, path: str = "/library/metadata/matches", **more: object) -> list[Document]:
        """Ask which scene has this file, as Plex does in a library that allows explicit content."""
        asked = {"type": 1, "title": "?", "filename": filename, "includeAdult": 1, **more}
        answer = self.client.post(f"/{self.path}{path}", json=asked)
        assert answer.status_code == 200
        return answer.json()["MediaContainer"]["Metadata"]  # type: ignore[no-any-return]


@contextmanager
def shelf_in(folder: Path) -> Iterator[Shelf]:
    """An empty data folder."""
    folder.mkdir(mode=0o700, parents=True)
    store = Database(folder / "plexsync.db")
    try:
        yield Shelf(folder, store, {})
    finally:
        store.close()


@contextmanager
def answering(*stores: AnswerStore, path: str) -> Iterator[Asked]:
    """The provider on these databases, in a thread of this process."""
    notes = FigureNotes()
    app = Provider(AskingLibraries(stores), notes, "1.2.3")
    try:
        with served(app, lifespan="off") as at:
            yield Asked(**vars(at), notes=notes, path=path)
    finally:
        app.close()
        notes.close()
        for store in stores:
            store.close()


def answer_store(folder: Path, rules: PathRules = ()) -> AnswerStore:
    """The answers in a data folder."""
    return AnswerStore(StoreAddress(folder), rules)
