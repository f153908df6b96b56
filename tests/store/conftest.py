from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.store.database import Database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder as PlexSync makes it."""
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def store(folder: Path) -> Iterator[Database]:
    database = Database(folder / "plexsync.db", worker=True)
    yield database
    database.close()
