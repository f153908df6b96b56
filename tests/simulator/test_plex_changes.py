"""What can happen to a simulated Plex as a whole, and to one of its libraries."""

from collections.abc import Iterator
from random import Random

import pytest

from plexsync.simulator.plex_server import PlexSim
from tests.simulator.test_plex_server import Client

TOKEN = "a-token"
NAMES = "abcdef"


@pytest.fixture
def plex() -> Iterator[PlexSim]:
    with PlexSim(token=TOKEN, scan_seconds=None) as sim:
        yield sim


@pytest.fixture
def client(plex: PlexSim) -> Iterator[Client]:
    asking = Client(plex)
    yield asking
    asking.connection.close()


@pytest.fixture
def section(plex: PlexSim) -> str:
    return plex.add_section("Movies")


@pytest.fixture
def keys(plex: PlexSim, section: str) -> list[str]:
    return [plex.add_movie(section, [(path_of(name), 1000, 60_000)], summary=f"agent {name}") for name in NAMES]


def path_of(name: str) -> str:
    return f"/media/{name}.mp4"


def paths(plex: PlexSim, keys: list[str]) -> list[str]:
    return [plex.item(key).files[0][0] for key in keys]


def uuid_of(client: Client, section: str) -> str:
    """The library's uuid as `/library/sections` tells it, and the same in every listing."""
    known = {one["key"]: one["uuid"] for one in client.get("/library/sections")["Directory"]}
    assert client.get(f"/library/sections/{section}/all?type=1")["librarySectionUUID"] == known[section]
    return known[section]


def machines(client: Client) -> set[str]:
    return {client.get(path)["machineIdentifier"] for path in ("/", "/identity")}


# --- reinstalled ------------------------------------------------------------------------------------------------------


def test_a_reinstalled_server_has_another_identifier_at_both_addresses(plex, client):
    before = machines(client)
    plex.reinstall(Random(1))
    after = machines(client)
    assert (len(before), len(after), before & after) == (1, 1, set())
    plex.reinstall(Random(1))
    assert not machines(client) & (before | after)


def test_a_server_that_is_reinstalled_again_after_a_restore_has_an_identifier_that_it_never_had(plex, client):
    first = plex.backup()
    plex.reinstall(Random(1))
    before = machines(client)
    plex.restore(first)
    before |= machines(client)
    plex.reinstall(Random(1))
    assert not machines(client) & before


def test_a_reinstalled_server_deals_the_same_keys_in_another_order(plex, section, keys):
    dealt = plex.reinstall(Random(1))
    assert plex.keys(dealt.sections[section]) == keys
    assert paths(plex, [dealt.keys[key] for key in keys]) == [path_of(name) for name in NAMES]
    assert [dealt.keys[key] for key in keys] != keys


def test_a_reinstalled_server_has_the_agents_values_and_no_locks(plex, section, keys):
    plex.hand_edit(keys[0], summary="mine", genre=["Rain"], thumb=b"mine")
    item = plex.item(plex.reinstall(Random(1)).keys[keys[0]])
    assert (item.scalars["summary"], item.lists["genre"], item.locks) == ("agent a", [], frozenset())
    assert item.poster.startswith("media://")


def test_the_libraries_of_a_reinstalled_server_have_other_uuids_and_may_swap_their_ids(plex, client, section, keys):
    other = plex.add_section("Mirror")
    uuids = {uuid_of(client, one) for one in (section, other)}
    dealt = [plex.reinstall(Random(seed)) for seed in range(8)]
    assert {sections.sections["1"] for sections in dealt} == {"1", "2"}
    assert not uuids & {uuid_of(client, one) for one in (section, other)}


def test_a_movie_that_no_scan_has_shown_waits_for_one_on_a_reinstalled_server_too(plex, section):
    key = plex.stage_movie(section, [(path_of("late"), 1, 1)])
    plex.add_movie(section, [(path_of("early"), 1, 1)])
    dealt = plex.reinstall(Random(1))
    section = dealt.sections[section]
    assert paths(plex, plex.keys(section)) == [path_of("early")]
    plex.scan(section)
    plex.finish_scan(section)
    assert paths(plex, [dealt.keys[key]]) == [path_of("late")]


# --- restored ---------------------------------------------------------------------------------------------------------


def test_a_restored_server_is_the_same_one_and_shows_what_it_had_with_the_times_of_then(plex, client, section, keys):
    plex.hand_edit(keys[0], title="Then")
    before, machine, uuid = plex.item(keys[0]), machines(client), uuid_of(client, section)
    backup = plex.backup()
    plex.advance(100)
    plex.hand_edit(keys[0], title="Later", genre=["Rain"], thumb=b"later")
    assert plex.item(keys[0]).updated_at == before.updated_at + 100
    plex.restore(backup)
    assert plex.item(keys[0]) == before
    assert (machines(client), uuid_of(client, section)) == (machine, uuid)


def test_a_restored_server_deals_keys_again_that_it_had_dealt_since(plex, section, keys):
    backup = plex.backup()
    gone = plex.add_movie(section, [(path_of("new"), 1, 1)])
    plex.restore(backup)
    assert plex.keys(section) == keys
    assert plex.add_movie(section, [(path_of("another"), 1, 1)]) == gone


def test_a_backup_can_be_restored_twice(plex, section, keys):
    backup = plex.backup()
    for _ in range(2):
        plex.hand_edit(keys[0], title="Later")
        plex.restore(backup)
        assert plex.item(keys[0]).scalars["title"] == "a"


def test_the_backup_of_the_old_server_brings_it_back_after_a_reinstallation(plex, client, section, keys):
    machine, uuid, backup = machines(client), uuid_of(client, section), plex.backup()
    plex.reinstall(Random(1))
    plex.restore(backup)
    assert (machines(client), uuid_of(client, section)) == (machine, uuid)
    assert paths(plex, keys) == [path_of(name) for name in NAMES]


def test_the_switches_of_a_restored_server_are_still_those_that_are_set(plex, client, section, keys):
    backup = plex.backup()
    plex.restore(backup)
    plex.traits.one_stamp = True
    plex.hand_edit(keys[0], thumb=b"mine")
    detail = client.detail(keys[0])
    assert detail["thumb"].endswith(str(detail["updatedAt"]))


def test_plays_after_the_backup_are_gone_with_it(plex, client, section, keys):
    plex.play(keys[0])
    backup = plex.backup()
    plex.play(keys[0])
    plex.restore(backup)
    assert client.get("/status/sessions/history/all")["size"] == 1
    assert plex.item(keys[0]).view_count == 1


# --- one library ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same_id", [True, False])
def test_a_library_made_anew_has_another_uuid_and_new_keys_on_the_same_server(plex, client, section, keys, same_id):
    uuid, machine = uuid_of(client, section), machines(client)
    plex.hand_edit(keys[0], summary="mine")
    dealt = plex.remake_section(section, same_id=same_id)
    fresh = dealt.sections[section]
    assert (fresh == section) is same_id
    assert (uuid_of(client, fresh) != uuid, machines(client)) == (True, machine)
    assert not set(plex.keys(fresh)) & set(keys)
    item = plex.item(dealt.keys[keys[0]])
    assert (item.files[0][0], item.scalars["summary"], item.locks) == (path_of("a"), "agent a", frozenset())


def test_a_library_made_anew_twice_has_a_third_uuid(plex, client, section, keys):
    uuids = {uuid_of(client, section)}
    for _ in range(2):
        plex.remake_section(section, same_id=True)
        uuids.add(uuid_of(client, section))
    assert len(uuids) == 3


def test_an_emptied_library_is_there_and_has_nothing_until_its_files_are_back_and_scanned(plex, client, section, keys):
    uuid = uuid_of(client, section)
    plex.hand_edit(keys[0], collection=["Some"])
    plex.empty_section(section)
    plex.scan(section)
    plex.finish_scan(section)
    assert (plex.keys(section), plex.collections(section)) == ([], {})
    dealt = plex.refill_section(section)
    assert plex.keys(section) == []
    plex.scan(section)
    plex.finish_scan(section)
    assert uuid_of(client, section) == uuid
    assert paths(plex, [dealt.keys[key] for key in keys]) == [path_of(name) for name in NAMES]
    assert not set(plex.keys(section)) & set(keys)


def test_swapped_files_are_swapped_in_listings_too(plex, client, section, keys):
    def listed() -> dict[str, str]:
        items = client.get(f"/library/sections/{section}/all?type=1")["Metadata"]
        return {item["ratingKey"]: item["Media"][0]["Part"][0]["file"] for item in items}

    before = listed()
    one, other = keys[:2]
    plex.swap_files(one, other)
    assert listed() == {**before, one: before[other], other: before[one]}
    (found,) = client.get(f"/library/sections/{section}/all?type=1&file=a.mp4")["Metadata"]
    assert found["ratingKey"] == other
