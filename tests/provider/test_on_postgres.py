"""The provider on a PostgreSQL database, which goes away and comes back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.provider.libraries import AnswerStore
from plexsync.store.files.address import StoreAddress
from plexsync.store.opening import open_database
from tests.journey.world import until
from tests.postgres_proxy import Proxy
from tests.postgres_server import shared
from tests.provider.stage import LIBRARY, Shelf, answering


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared().port) as made:
        yield made


@pytest.mark.needs_postgres
def test_plex_is_told_to_ask_again_while_postgresql_is_away(tmp_path: Path, proxy: Proxy) -> None:
    name = shared().new_database()
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    store = open_database(StoreAddress(folder, shared().url(name)))
    try:
        shelf = Shelf(folder, store, {})
        own = shelf.add_library(steps={"folders": ["/media/movies"]})
        key = shelf.say(7, "/media/movies/a/x.mp4", values={"summary": "Söme text"})
        with answering(
            AnswerStore(StoreAddress(folder, shared().url(name, port=proxy.port)), ()), path=own.path
        ) as asked:
            assert [item["ratingKey"] for item in asked.match("a/x.mp4")] == [key]
            proxy.refuse()
            assert asked.get(f"/library/metadata/{key}").status_code == 500
            proxy.mend()
            answer = asked.get(f"/library/metadata/{key}")
            assert answer.json()["MediaContainer"]["Metadata"][0]["summary"] == "Söme text"

            def noted() -> bool:
                with store.reading() as db:
                    row = db.providers.of(LIBRARY)
                return row is not None and row.called_at > 0

            until(noted)
    finally:
        store.close()
        shared().drop_database(name)
