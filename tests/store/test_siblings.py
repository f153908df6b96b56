"""The stores of several Plex servers side by side: as files in folders, and as schemas of one PostgreSQL database."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from plexsync.cli.daemon.settings_watch import check_first, keep_first
from plexsync.rules.match.server_scopes import schema_beside, store_folder
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK, FIRST_ENTRY
from plexsync.store.database import Database
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.siblings import siblings_of
from plexsync.store.opening import open_database
from tests.postgres_server import shared
from tests.stores import connected
from validation.sources import ConfigError, Loaded, load

pytestmark = pytest.mark.sqlite_only
HERE = 1_700_000_000_000
ON_POSTGRES = pytest.param(True, marks=pytest.mark.needs_postgres)

Stores = Callable[[str], Database]


@pytest.fixture
def url() -> Iterator[str]:
    with shared().database() as url:
        yield url


@pytest.fixture(params=[False, ON_POSTGRES])
def store_of(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    """Opens the store of a scope."""
    place = request.getfixturevalue("url") if request.param else ""

    with ExitStack() as held:

        def opened(scope: str) -> Database:
            folder = store_folder(tmp_path / "data", scope)
            folder.mkdir(parents=True, exist_ok=True)
            schema = schema_beside("plexsync", scope) if scope else "plexsync"
            return held.enter_context(closing(open_database(StoreAddress(folder, place, schema))))

        yield opened


def belongs_to(store: Database, machine: str) -> None:
    with store.writing() as tx:
        tx.servers.save(machine, "1.41", now=HERE)


def test_of_two_stores_with_one_server_the_earlier_one_has_it(store_of: Stores) -> None:
    first, attic, barn = store_of(""), store_of("attic"), store_of("old-barn")
    belongs_to(first, "living")
    belongs_to(barn, "beside")
    assert siblings_of(attic).earlier_owner("living") == ""
    assert siblings_of(attic).earlier_owner("beside") is None, "the barn comes after the attic"
    belongs_to(attic, "beside")
    assert siblings_of(barn).earlier_owner("beside") == "attic"
    assert siblings_of(barn).earlier_owner("unknown") is None
    zoo = store_of("zoo")
    belongs_to(attic, "elsewhere")
    assert siblings_of(zoo).earlier_owner("beside") == "old-barn", "the name of an entry, with its hyphen"
    assert siblings_of(first).earlier_owner("beside") is None, "the first comes before all others"
    # What was read beside leaves this store's own tables where they are.
    belongs_to(zoo, "apes")
    with zoo.reading() as db:
        assert db.servers.find().machine == "apes"


def test_a_folder_that_cannot_be_listed_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:
        for scope in ("", "attic"):
            folder = store_folder(tmp_path / "data", scope)
            folder.mkdir(parents=True)
            store = held.enter_context(closing(open_database(StoreAddress(folder))))
        belongs_to(store, "here")

        def denied(_folder: Path) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "scandir", denied)
        assert siblings_of(store).earlier_owner("here") is None


def test_a_further_store_sees_the_last_hook_of_the_first_and_the_first_none(store_of: Stores) -> None:
    attic = store_of("attic")
    assert siblings_of(attic).last_hook() == "", "there is no first one yet"
    assert siblings_of(attic).earlier_owner("living") is None
    first = store_of("")
    assert siblings_of(attic).last_hook() == ""
    with first.writing() as tx:
        tx.notes.save(EDIT_BY_HOOK, str(HERE))
    assert siblings_of(attic).last_hook() == str(HERE)
    assert siblings_of(first).last_hook() == ""
    assert (siblings_of(attic).is_further, siblings_of(first).is_further) == (True, False)


def test_the_first_store_knows_which_others_there_are_and_which_have_work(store_of: Stores) -> None:
    first, siblings = store_of(""), siblings_of(store_of(""))
    assert not siblings.has_store("attic")
    assert not siblings.has_work("attic")
    attic = store_of("attic")
    assert siblings.has_store("attic")
    assert not siblings.has_work("attic")
    with first.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.EDIT, HERE)
    assert not siblings.has_work("attic")
    with attic.writing() as tx:
        tx.jobs.want(Kind.SCENE, 7, Why.EDIT, HERE)
    assert siblings.has_work("attic")


@pytest.mark.needs_postgres
def test_what_cannot_be_read_in_another_schema_is_unknown(url: str, tmp_path: Path) -> None:
    folder = store_folder(tmp_path, "attic")
    folder.mkdir(parents=True)
    with (
        closing(open_database(StoreAddress(tmp_path, url))) as first,
        closing(open_database(StoreAddress(folder, url, "plexsync_attic"))) as attic,
    ):
        belongs_to(first, "living")
        siblings = siblings_of(attic)
        with connected(StoreAddress(tmp_path, url)) as db:
            db.execute("alter table server rename to server_of_later")
            db.execute("alter table note rename to note_of_later")
        assert siblings.earlier_owner("living") is None
        assert siblings.last_hook() == ""
        with connected(StoreAddress(tmp_path, url)) as db:
            db.execute("alter table server_of_later rename to server")
        assert siblings.earlier_owner("living") == ""


@pytest.mark.needs_postgres
def test_a_folder_named_like_that_of_a_server_is_none_without_a_schema_of_that_name(url: str, tmp_path: Path) -> None:
    folder = store_folder(tmp_path, "attic")
    folder.mkdir(parents=True)
    with closing(open_database(StoreAddress(folder, url))) as store:
        assert not siblings_of(store).is_further
        assert siblings_of(store).last_hook() == ""


# --- whose the first store is -----------------------------------------------------------------------------------------


def loaded(folder: Path, *names: str, plex: str = "") -> Loaded:
    """The settings of one of these entries, or of a single server without any."""
    entries = [f'[[plex]]\nname = "{name}"\nplex_url = "http://{name}.example"\n' for name in names]
    file = folder / "plexsync.toml"
    file.write_text("".join(entries) or 'plex_url = "http://alone.example"\n', encoding="utf-8")
    file.chmod(0o600)
    return load(environ={"PLEXSYNC_PLEX_TOKEN": "token"}, toml_path=file, plex=plex)


def noted(store: Database) -> str:
    with store.reading() as db:
        return db.notes.text(FIRST_ENTRY)


def test_the_first_store_is_that_of_the_first_entry_from_its_first_worker_on(store_of: Stores, tmp_path: Path) -> None:
    first = store_of("")
    keep_first(first, loaded(tmp_path))
    assert noted(first) == "", "a single server has no name"
    assert check_first(first, loaded(tmp_path, "living", "attic")) == ""
    assert noted(first) == "", "a check notes nothing"
    keep_first(first, loaded(tmp_path, "living", "attic"))
    assert noted(first) == "living"
    assert check_first(first, loaded(tmp_path, "living")) == "living"
    keep_first(first, loaded(tmp_path))
    assert noted(first) == "living", "without entries it stays noted"


def test_a_further_entry_says_nothing_about_the_first_store(store_of: Stores, tmp_path: Path) -> None:
    first, attic = store_of(""), store_of("attic")
    keep_first(first, loaded(tmp_path, "living", "attic"))
    keep_first(attic, loaded(tmp_path, "living", "attic", plex="attic"))
    assert (noted(first), noted(attic)) == ("living", "")
    # A copy of the first one has its note.
    with attic.writing() as tx:
        tx.notes.save(FIRST_ENTRY, "living")
    keep_first(attic, loaded(tmp_path, "living", "attic", plex="attic"))
    assert noted(attic) == "living"


def test_a_renamed_first_entry_keeps_its_store(store_of: Stores, tmp_path: Path) -> None:
    first = store_of("")
    keep_first(first, loaded(tmp_path, "living", "attic"))
    keep_first(first, loaded(tmp_path, "den", "attic"))
    assert noted(first) == "den"


@pytest.mark.parametrize(
    ("names", "has_own", "mend"),
    [
        (("attic", "living"), True, "put it first again"),
        (("attic", "living"), False, "put it first again"),
        (("attic",), True, "put its entry first again, with enabled = false"),
    ],
)
def test_another_first_entry_does_not_get_the_store_of_the_one_before(
    store_of: Stores,
    tmp_path: Path,
    names: tuple[str, ...],
    has_own: bool,
    mend: str,
) -> None:
    first = store_of("")
    keep_first(first, loaded(tmp_path, "living", "attic"))
    if has_own:
        store_of("attic")
    for act in (check_first, keep_first):
        with pytest.raises(ConfigError) as caught:
            act(first, loaded(tmp_path, *names))
        said = '[[plex]] "attic" can\'t be the first entry: the first database is that of "living"'
        assert caught.value.lines == [f"{said}: {mend}"]
    assert noted(first) == "living"
