"""What the wiring hands to the parts."""

import os
import subprocess
import sys

import pytest

from simulator.plex_server import PlexSim
from store.database import Database
from store.repair import REPAIRED
from tests.journey.world import ROOT
from validation.config import PlexSyncConfig
from wiring import DATABASE, bulk_approved, client_id, opened, wishes, work_rules


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


# --- what is wanted, and whether it may be written as a whole --------------------------------------------------------

OTHER = {
    **{
        f"sync_{name}": False
        for name in ("title", "studio", "summary", "date", "rating", "cast", "genres", "collection")
    },
    "path_map": ["/a => /b"],
    "title_template": "{studio}: {title}",
    "genre_tags": "A, -B",
    "tag_parents": True,
    "collections": "parents",
    "libraries": {"Clips": {"sync_title": False}},
    "scope": ["organized"],
    "plex_libraries": "Clips",
    "strict_mode": True,
    "conflict_policy": "plex",
    "first_push": "stash",
}


MADE = {
    "scope": "tag: A; studio: B",
    "title_template": "{studio}: {title}",
    "genre_tags": "A, B, C*, -D",
    "label_tags": "B",
}


def config(**given):
    return PlexSyncConfig(plex_url="http://plex", plex_token="x" * 20, **given)


@pytest.mark.parametrize("name", OTHER)
def test_the_print_of_what_is_wanted_differs_with_each_setting_that_decides_it(name):
    assert wishes(config(**{name: OTHER[name]})) != wishes(config())


def test_it_is_the_same_in_every_process_and_whatever_else_is_set():
    code = "from tests.test_wiring import MADE, config; from wiring import wishes; print(wishes(config(**MADE)))"
    prints = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert prints == {wishes(config(**MADE, poll_interval=5, max_retries=7, stash_url="http://x"))}


def test_a_database_that_was_made_anew_after_damage_is_not_asked_again(tmp_path):
    tmp_path.chmod(0o700)
    with opened(config(), tmp_path) as parts:
        assert not bulk_approved(parts)
        with parts.store.writing() as tx:
            tx.save_note(REPAIRED, "1")
        assert bulk_approved(parts)
