"""A library that asks, and the provider that answers it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.provider.stage import Asked, Shelf, answer_store, answering, shelf_in


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    with shelf_in(tmp_path / "data") as made:
        made.add_library()
        yield made


@pytest.fixture
def asked(shelf: Shelf) -> Iterator[Asked]:
    rules = [("/data", "/media/movies")]
    (own,) = shelf.secrets.values()
    with answering(answer_store(shelf.folder, rules), path=own.path) as made:
        yield made
