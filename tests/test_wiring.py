"""What the wiring hands to the parts."""

from simulator.plex_server import PlexSim
from store.database import Database
from validation.config import PlexSyncConfig
from wiring import DATABASE, client_id, opened, work_rules


def test_each_installation_has_a_client_id_of_its_own_that_stays(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    seen = []
    with PlexSim(token="t") as plex:
        plex.add_section("Movies")
        for folder in (*folders, *folders):
            folder.mkdir(mode=0o700, exist_ok=True)
            with opened(PlexSyncConfig(plex_url=plex.url, plex_token="t"), folder) as parts:
                parts.plex.sections()
            seen.append(plex.log[-1].headers["x-plex-client-identifier"])
    assert seen[:2] == seen[2:]
    assert len(set(seen)) == 2


def test_a_client_id_does_not_tell_the_salt(tmp_path):
    store = Database(tmp_path / DATABASE)
    try:
        made = client_id(store)
        with store.reading() as db:
            assert db.note("salt") not in made
    finally:
        store.close()


def test_an_unknown_end_is_waited_for_as_long_as_a_request_can_take():
    config = PlexSyncConfig(plex_url="http://nas", plex_token="t", plex_read_timeout=7)
    assert work_rules(config).deadline == 14_000
