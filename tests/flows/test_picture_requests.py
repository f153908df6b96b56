"""What a new poster costs: one edit and one upload, wherever the picture can be known without a list of the pictures."""

import re
from collections import Counter

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo, redo_scenes
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.pictures import UNLISTED
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.traits import LearntTraits, ServerTraits
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_traits import Traits
from plexsync.simulator.stash_images import png
from tests.engine.house import House, path_of

POSTER = Profile(frozenset(FIELDS), poster="cover")
COUNT = 60
BLUE, GREEN = png(0, 0, 200), png(0, 200, 0)


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as made:
        yield made


def cover(n):
    return png(n, 1, 0)


def covered(house, count=1, *, framed=True, start=0):
    """Scenes with covers, and their items, which nothing has been written to."""
    ids = []
    for n in range(start, start + count):
        house.plex_sim.add_movie(house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"f {n}", framed=framed)
        ids.append(house.add_scene(n))
        house.stash_sim.set_cover(ids[-1], cover(n))
    house.clock.move(60)
    return ids


def synced(house, ids):
    house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)


def asked(house):
    """The requests to Plex since the last look at them, by kind."""
    requests = Counter(f"{request.method} {re.sub(r'[0-9,]+', 'N', request.path)}" for request in house.plex_sim.log)
    house.forget_requests()
    return requests


LISTS, UPLOADS = "GET /library/metadata/N/posters", "POST /library/metadata/N/posters"
SELECTIONS, EDITS = "PUT /library/metadata/N/poster", "PUT /library/sections/N/all"


def item_of(house, id):
    return house.plex_sim.item(house.key_of(id))


def posters(house, ids):
    return [item_of(house, id).poster for id in ids]


def undo(house, *ids):
    worker = house.worker
    wish_undone(house.store, SceneUndo(worker.inspector), house.clock, list(ids), "undo")
    house.work_until_settled()


def known(house):
    with house.store.reading() as db:
        return db.probes.present_traits()


# --- counted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("one_stamp", [False, True])
@pytest.mark.parametrize("framed", [True, False])
def test_a_first_sync_with_posters_takes_an_edit_and_an_upload_for_each_scene(house, framed, one_stamp):
    house.plex_sim.traits.one_stamp = one_stamp
    ids = covered(house, COUNT, framed=framed)
    synced(house, ids)
    assert house.plex_sim.count() <= 2.1 * COUNT + 5
    fetches = [request for request in house.stash_sim.log if request.path != "/graphql"]
    requests = asked(house)
    assert (requests[UPLOADS], requests[EDITS], len(fetches)) == (COUNT, COUNT, COUNT)
    assert requests[LISTS] + requests[SELECTIONS] <= 3
    assert posters(house, ids) == [key_of("thumb", cover(n)) for n in range(COUNT)]
    assert all("thumb" in item_of(house, id).locks for id in ids)

    synced(house, ids)
    assert house.worker.reconciler.reconcile().standing == {"in step": COUNT}
    requests = asked(house)
    assert sum(requests.values()) <= 8
    assert requests[LISTS] + requests[UPLOADS] + requests[EDITS] == 0


@pytest.mark.parametrize("one_stamp", [False, True])
def test_edits_of_texts_make_no_picture_unknown(house, one_stamp):
    house.plex_sim.traits.one_stamp = one_stamp
    ids = covered(house, COUNT)
    synced(house, ids)
    house.forget_requests()
    for id in ids:
        house.edit(id, title=f"New {id}")
    synced(house, ids)
    synced(house, ids)
    assert house.worker.reconciler.reconcile().standing == {"in step": COUNT}
    requests = asked(house)
    assert (requests[EDITS], requests[UPLOADS]) == (COUNT, 0)
    assert requests[LISTS] <= (1 if one_stamp else 0), "one list proves what an edit does to the address"
    assert known(house).one_stamp is one_stamp


@pytest.mark.parametrize("one_stamp", [False, True])
def test_another_cover_takes_one_list_that_tells_whether_plex_has_it(house, one_stamp):
    house.plex_sim.traits.one_stamp = one_stamp
    ids = covered(house, 10)
    synced(house, ids)
    house.forget_requests()
    for n, id in enumerate(ids):
        house.stash_sim.set_cover(id, png(n, 2, 0))
    synced(house, ids)
    requests = asked(house)
    assert (requests[LISTS], requests[UPLOADS], requests[SELECTIONS], requests[EDITS]) == (10, 10, 0, 10)
    # Back to the first one: Plex has it.
    for n, id in enumerate(ids):
        house.stash_sim.set_cover(id, cover(n))
    synced(house, ids)
    requests = asked(house)
    assert (requests[UPLOADS], requests[SELECTIONS]) == (0, 10)
    assert posters(house, ids) == [key_of("thumb", cover(n)) for n in range(10)]
    undo(house, *ids)
    assert all(str(key).startswith("media://") for key in posters(house, ids))


def test_covers_of_a_whole_batch_are_fetched_once(house):
    ids = covered(house, 40)
    for n, id in enumerate(ids):
        house.stash_sim.set_cover(id, cover(n) + bytes(1_000_000))
    house.clock.move(60)
    synced(house, ids)
    assert len([request for request in house.stash_sim.log if request.path != "/graphql"]) == 40


def test_a_studio_picture_of_a_whole_batch_is_sent_from_what_was_fetched(tmp_path):
    with House(tmp_path / "data", profile=Profile(frozenset(FIELDS), poster="studio")) as house:
        ids = house.add(9)
        with house.stash_sim.data.lock:
            for n in range(3):
                house.stash_sim.data.studio_named(f"Studio {n}").image = cover(n)
        house.clock.move(60)
        synced(house, ids)
        assert len([request for request in house.stash_sim.log if request.path != "/graphql"]) == 9
        assert posters(house, ids) == [key_of("thumb", cover(n % 3)) for n in range(9)]


# --- the proof -------------------------------------------------------------------------------------------------------


def test_that_an_upload_selects_is_proven_once_and_anew_for_another_version(house):
    ids = covered(house, 6)
    synced(house, ids[:2])
    assert asked(house)[LISTS] == 1
    assert (known(house).upload_selects, known(house).picture_lag) == (True, 0.0)
    house.replace_worker()
    synced(house, ids[2:4])
    assert asked(house)[LISTS] == 0, "the next process believes it"
    house.plex_sim.version = "1.99.0.1"
    house.replace_worker()
    synced(house, ids[4:])
    assert asked(house)[LISTS] == 1
    assert known(house).upload_selects is True


def test_the_answer_of_a_probe_is_proof_enough_for_its_version(house):
    house.worker.parts.identity.check()
    with house.store.writing() as tx:
        row = tx.servers.find()
        traits = ServerTraits(upload_selects=True, picture_lag=0.0)
        assert tx.probes.save_traits(LearntTraits(row.machine, row.version, traits, house.clock.now()))
    synced(house, covered(house, 3))
    assert asked(house)[LISTS] == 0


@pytest.mark.parametrize("traits", [{"upload_selects": False}, {"picture_lag": 30.0}])
def test_where_an_upload_does_not_select_at_once_every_picture_is_selected(house, traits):
    for name, value in traits.items():
        setattr(house.plex_sim.traits, name, value)
    ids = covered(house, 4)
    synced(house, ids)
    requests = asked(house)
    assert requests[UPLOADS] == 4
    assert requests[SELECTIONS] >= 4
    assert known(house).upload_selects is (False if "upload_selects" in traits else None)
    synced(house, ids)
    assert posters(house, ids) == [key_of("thumb", cover(n)) for n in range(4)]
    assert asked(house)[UPLOADS] == 0


def test_a_server_that_stops_selecting_uploads_is_found_out_by_the_address_and_every_picture_is_selected(house):
    first, *ids = covered(house, 4)
    synced(house, [first])
    house.plex_sim.traits.upload_selects = False
    synced(house, ids)
    assert posters(house, ids) == [key_of("thumb", cover(n)) for n in range(1, 4)]
    assert known(house).upload_selects is False
    undo(house, *ids)
    assert all(str(key).startswith("media://") for key in posters(house, ids))


# --- whose picture it was --------------------------------------------------------------------------------------------


def test_undo_brings_the_frame_back_that_was_never_listed(house):
    ids = covered(house, 3)
    before = posters(house, ids)
    synced(house, ids)
    with house.store.reading() as db:
        memories = db.memories.of(ids).values()
    assert [memory["thumb"].found.value for memory in memories] == [UNLISTED] * 3
    undo(house, *ids)
    assert posters(house, ids) == before
    assert not any(item_of(house, id).locks & {"thumb"} for id in ids)


def test_a_second_undo_brings_the_frame_back_and_not_a_cover_from_before_the_first(house):
    (id,) = ids = covered(house)
    before = posters(house, ids)
    synced(house, ids)
    house.stash_sim.set_cover(id, GREEN)
    synced(house, ids)
    undo(house, id)
    assert redo_scenes(house.store, house.clock, ids).scenes == ids
    house.work_until_settled()
    assert posters(house, ids) == [key_of("thumb", GREEN)]
    undo(house, id)
    assert posters(house, ids) == before


def test_a_cover_that_is_gone_from_stash_brings_the_frame_back(house):
    (id,) = ids = covered(house)
    before = posters(house, ids)
    synced(house, ids)
    house.stash_sim.set_cover(id, None)
    synced(house, ids)
    assert posters(house, ids) == before
    assert "thumb" not in item_of(house, id).locks


def test_undo_brings_a_poster_back_that_was_uploaded_by_hand_and_unlocked(house):
    (id,) = ids = covered(house)
    house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
    house.plex_sim.hand_edit(house.key_of(id), locked=False, title="file")
    with house.plex_sim._lock:
        house.plex_sim._library.items[int(house.key_of(id))].locks.clear()
    synced(house, ids)
    assert posters(house, ids) == [key_of("thumb", cover(0))]
    house.stash_sim.set_cover(id, GREEN)
    synced(house, ids)
    undo(house, id)
    assert posters(house, ids) == [key_of("thumb", BLUE)]


def test_of_an_item_with_pictures_of_an_agent_the_shown_one_is_listed_first(house):
    (id,) = ids = covered(house)
    key = house.key_of(id)
    house.plex_sim.match(key, b"one", b"two")
    with house.plex_sim._lock:
        item = house.plex_sim._library.items[int(key)]
        house.plex_sim._library.select(item, "posters", "metadata://posters/agent_1")
        item.locks.clear()
    synced(house, ids)
    assert asked(house)[LISTS] <= 2, "the one before, and the proof"
    undo(house, id)
    assert posters(house, ids) == ["metadata://posters/agent_1"]


def test_a_poster_that_a_person_chose_is_listed_and_kept(house):
    (id,) = ids = covered(house)
    house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
    synced(house, ids)
    assert posters(house, ids) == [key_of("thumb", BLUE)]
    assert asked(house)[UPLOADS] == 0


@pytest.mark.parametrize("one_stamp", [False, True])
def test_a_poster_that_a_person_chooses_beside_our_edits_stays(house, one_stamp):
    house.plex_sim.traits.one_stamp = one_stamp
    ids = covered(house, 3)
    synced(house, ids)
    for id in ids:
        house.edit(id, title=f"New {id}")
    synced(house, ids)
    house.plex_sim.hand_edit(house.key_of(ids[1]), thumb=BLUE)
    for id in ids:
        house.edit(id, title=f"Newer {id}")
    synced(house, ids)
    undo(house, *ids)
    assert item_of(house, ids[1]).poster == key_of("thumb", BLUE)
    assert [str(key)[:8] for key in posters(house, ids[::2])] == ["media://"] * 2


# --- kills and losses ------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


BOUNDARIES = ["upload", "edit", "items", "pictures"]


@pytest.mark.parametrize("proven", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("request_name", BOUNDARIES)
def test_a_kill_before_or_after_each_request_doubles_no_upload_and_undo_finds_the_frame(
    house, request_name, after, proven
):
    *ids, other = covered(house, 3)
    if proven:
        synced(house, [other])
        house.forget_requests()
    before = posters(house, ids)
    real, plex, times = getattr(house.worker.plex, request_name), house.worker.plex, []

    def killing(*args, **kwargs):
        if after:
            real(*args, **kwargs)
        times.append(args)
        raise Killed

    house.want(*ids)
    setattr(plex, request_name, killing)
    try:
        house.work()
    except Killed:
        house.replace_worker(holder="next")
        house.worker.engine.reclaim()
    setattr(plex, request_name, real)
    assert times or (request_name == "pictures" and proven), "it was asked, save for a list that nothing needs"
    house.work_until_settled()
    house.clock.move(60)
    synced(house, ids)
    assert posters(house, ids) == [key_of("thumb", cover(n)) for n in range(2)]
    sent = Counter(request.path for request in house.plex_sim.log if request.method == "POST")
    assert set(sent.values()) == {1}
    assert house.books_balance()
    undo(house, *ids)
    assert posters(house, ids) == before


@pytest.mark.parametrize("one_stamp", [False, True])
def test_an_upload_whose_answer_is_lost_is_looked_for_and_not_repeated(house, one_stamp):
    house.plex_sim.traits.one_stamp = one_stamp
    first, *ids = covered(house, 2)
    synced(house, [first])
    house.forget_requests()
    house.plex_sim.faults.set(Fault("reset_after", times=1, when=lambda request: request.method == "POST"))
    frame = posters(house, ids)
    synced(house, ids)
    requests = asked(house)
    assert (requests[UPLOADS], posters(house, ids)) == (1, [key_of("thumb", cover(1))])
    assert requests[LISTS] >= 1
    undo(house, *ids)
    assert posters(house, ids) == frame


def test_the_simulator_selects_and_stamps_as_most_servers_do():
    assert (Traits().upload_selects, Traits().one_stamp) == (True, False)


@pytest.mark.parametrize("how", ["undo", "another cover"])
def test_a_poster_that_a_person_chooses_while_our_edit_is_under_way_is_neither_undone_nor_taken_for_ours(house, how):
    house.plex_sim.traits.one_stamp = True
    first, id = ids = covered(house, 2)
    synced(house, ids)
    house.edit(first, title="New")
    house.work_until_settled()
    real, plex = house.worker.plex.edit, house.worker.plex

    def beside(*args, **kwargs):
        house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
        return real(*args, **kwargs)

    plex.edit = beside
    house.edit(id, title="New")
    house.work_until_settled()
    plex.edit = real
    assert house.title_in_plex(id) == "New"
    house.clock.move(60)
    if how == "undo":
        undo(house, id)
        assert item_of(house, id).poster == key_of("thumb", BLUE)
    else:
        house.replace_worker(policy=Policy(conflict="plex"))
        house.stash_sim.set_cover(id, GREEN)
        synced(house, [id])
        assert item_of(house, id).poster == key_of("thumb", BLUE)
