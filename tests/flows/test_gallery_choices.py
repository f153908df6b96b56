"""Pictures of galleries as choices: the item has them, and shows what it showed, with the lock and the owner it had."""

from collections import Counter

import pytest

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.gallery_choices import givings
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.engine.house import DAY, House, path_of

POSTER = Profile(frozenset(FIELDS), poster="cover")
PLAIN = Profile(frozenset(FIELDS))
COVER, BLUE = png(1, 1, 1), png(0, 0, 200)
TALL = [png(200, n, 0, width=10, height=20) for n in range(3)]
WIDE = [png(200, n, 0, width=20, height=10) for n in range(3)]
MIXED = (TALL[0], WIDE[0], TALL[1], WIDE[1])
POSTERS = [key_of("thumb", TALL[0]), key_of("thumb", TALL[1])]
ARTS = [key_of("art", WIDE[0]), key_of("art", WIDE[1])]


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=POSTER, gallery_choices=4) as made:
        yield made


@pytest.fixture
def plain(tmp_path):
    with House(tmp_path / "data", profile=PLAIN, gallery_choices=4) as made:
        yield made


def scene(house, *images, framed=True, start=0):
    house.plex_sim.add_movie(
        house.section, files=[(path_of(start), 1000 + start, 60_000)], title=f"f {start}", framed=framed
    )
    id = house.add_scene(start)
    house.stash_sim.set_cover(id, COVER)
    if images:
        house.stash_sim.add_gallery(id, *images)
    house.clock.move(60)
    return id


def settled(house, *ids):
    if ids:
        house.want(*ids)
    house.work_until_settled()
    house.clock.move(60)


def item_of(house, id):
    return house.plex_sim.item(house.key_of(id))


def uploads(house):
    return Counter(request.path for request in house.plex_sim.log if request.method == "POST")


def shelf(house, id, name):
    return set(house.worker.plex.pictures(house.key_of(id), name))


def look(house, id):
    """What the item shows, and its locks of pictures."""
    item = item_of(house, id)
    return item.poster, item.art, sorted(item.locks & {"thumb", "art"})


def memory(house, id):
    with house.store.reading() as db:
        return db.memories.of([id])[id, house.key_of(id)]


def open_givings(house):
    with house.store.reading() as db:
        return givings(db)


def test_an_item_gets_the_first_pictures_to_choose_from_and_shows_what_it_showed(house):
    id = scene(house, *MIXED, TALL[2])
    settled(house, id)
    assert set(POSTERS) < shelf(house, id, "thumb")
    assert set(ARTS) == shelf(house, id, "art")
    assert key_of("thumb", TALL[2]) not in shelf(house, id, "thumb"), "the fifth of four"
    assert look(house, id) == (key_of("thumb", COVER), None, ["thumb"])
    assert open_givings(house) == []


def test_what_an_item_has_is_neither_uploaded_nor_asked_for_again(house):
    id = scene(house, *MIXED)
    settled(house, id)
    before = memory(house, id)
    house.forget_requests()
    settled(house, id)
    assert house.worker.reconciler.reconcile().wanted == 0
    house.edit(id, title="New")
    settled(house)
    settled(house, id)
    assert uploads(house) == Counter()
    assert fetched(house) == []
    lists = [request.path for request in house.plex_sim.log if request.path.endswith(("/posters", "/arts"))]
    assert len(lists) <= 1, "one list tells that the poster is PlexSync's, whose address the uploads have changed"
    assert memory(house, id)["thumb"].said == before["thumb"].said


def fetched(house):
    return [request.path for request in house.stash_sim.log if request.path.startswith("/image/")]


def test_a_scene_without_a_gallery_costs_nothing_and_many_galleries_are_asked_for_at_once(house):
    bare, *ids = scene(house), *(scene(house, TALL[0], start=n) for n in range(1, 4))
    settled(house, bare)
    assert not any(b"GalleryImages" in request.body for request in house.stash_sim.log)
    house.forget_requests()
    settled(house, *ids)
    assert all(POSTERS[0] in shelf(house, id, "thumb") for id in ids)
    asked = [request for request in house.stash_sim.log if b"GalleryImages" in request.body]
    assert len(asked) == 2, "for the first poster, and for the choices"


def test_without_the_setting_nothing_is_asked_or_given(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as house:
        id = scene(house, *MIXED)
        settled(house, id)
        assert set(uploads(house).values()) == {1}
        assert not any(b"alleries" in request.body for request in house.stash_sim.log)


def test_a_comparison_gives_them_once_the_setting_is_on_and_when_a_gallery_has_more(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as house:
        id = scene(house, TALL[0])
        settled(house, id)
        house.replace_worker(gallery_choices=4)
        assert house.worker.reconciler.reconcile().wanted == 1
        settled(house)
        assert POSTERS[0] in shelf(house, id, "thumb")
        house.stash_sim.add_gallery(id, TALL[1])
        assert house.worker.reconciler.reconcile().wanted == 1
        house.forget_requests()
        settled(house)
        assert set(POSTERS) < shelf(house, id, "thumb")
        assert set(uploads(house).values()) == {1}, "the first one is there already"
        assert house.worker.reconciler.reconcile().wanted == 0
        assert look(house, id) == (key_of("thumb", COVER), None, ["thumb"])


def test_a_picture_that_is_there_already_is_not_uploaded(plain):
    id = scene(plain, *MIXED)
    plain.plex_sim.hand_edit(plain.key_of(id), thumb=TALL[0])
    plain.forget_requests()
    settled(plain, id)
    assert sorted(uploads(plain).values()) == [1, 2]
    assert look(plain, id) == (POSTERS[0], None, ["thumb"])


def test_a_poster_that_a_person_chose_stays_and_is_still_that_persons(house):
    id = scene(house, *MIXED)
    settled(house, scene(house, start=1))
    house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
    settled(house, id)
    assert set(POSTERS) < shelf(house, id, "thumb")
    assert look(house, id) == (key_of("thumb", BLUE), None, ["thumb"])
    assert "thumb" not in memory(house, id)


def test_one_that_a_person_chooses_among_them_stays(house):
    id = scene(house, *MIXED)
    settled(house, id)
    with house.plex_sim._lock:
        item = house.plex_sim._library.items[int(house.key_of(id))]
        house.plex_sim._library.select(item, "posters", POSTERS[1])
    house.edit(id, title="New")
    settled(house)
    house.stash_sim.add_gallery(id, TALL[2])
    settled(house, id)
    assert look(house, id) == (POSTERS[1], None, ["thumb"])
    assert key_of("thumb", TALL[2]) not in shelf(house, id, "thumb"), "the fifth of four"


def test_what_plex_shows_stays_unlocked_where_pictures_are_not_synced(plain):
    id = scene(plain, *MIXED)
    before = look(plain, id)
    settled(plain, id)
    assert set(POSTERS) < shelf(plain, id, "thumb")
    assert look(plain, id) == before
    assert before[2] == []


def undo(house, *ids):
    worker = house.worker
    wish_undone(house.store, SceneUndo(worker.inspector), house.clock, list(ids), "undo")
    house.work_until_settled()


def test_undo_brings_the_frame_back_and_leaves_the_choices(house):
    id = scene(house, *MIXED)
    before = look(house, id)
    settled(house, id)
    undo(house, id)
    assert look(house, id) == before
    assert set(POSTERS) < shelf(house, id, "thumb")


@pytest.mark.parametrize("traits", [{"upload_selects": False}, {"one_stamp": True}])
def test_other_servers_show_the_same(house, traits):
    for name, value in traits.items():
        setattr(house.plex_sim.traits, name, value)
    id, other = scene(house, *MIXED), scene(house, *MIXED, start=1)
    settled(house, id)
    settled(house, other)
    for each in (id, other):
        assert look(house, each) == (key_of("thumb", COVER), None, ["thumb"])
        assert set(POSTERS) < shelf(house, each, "thumb")
    undo(house, id)
    assert look(house, id)[2] == []


def test_a_server_that_stores_uploads_late_shows_the_earlier_picture_in_the_end(plain):
    plain.plex_sim.traits.picture_lag = 30.0
    id = scene(plain, *MIXED)
    before = look(plain, id)
    settled(plain, id)
    plain.clock.move(60)
    settled(plain)
    plain.clock.move(DAY)
    settled(plain)
    assert look(plain, id) == before
    assert set(POSTERS) < shelf(plain, id, "thumb")
    assert open_givings(plain) == []
    assert set(uploads(plain).values()) == {2}


def test_a_picture_that_plex_refuses_or_stash_can_not_read_is_left_out(plain):
    id = scene(plain, TALL[0], b"no picture", WIDE[0])
    plain.plex_sim.faults.set(Fault("status", times=1, status=400, when=lambda request: request.method == "POST"))
    settled(plain, id)
    assert POSTERS[0] not in shelf(plain, id, "thumb")
    assert shelf(plain, id, "art") == {ARTS[0]}
    assert look(plain, id)[1:] == (None, [])
    assert plain.row(id).state == "idle"


def test_a_picture_that_plex_always_fails_to_accept_is_left_out_in_the_end(plain):
    id = scene(plain, *MIXED)
    before = look(plain, id)
    plain.plex_sim.faults.set(
        Fault("status", status=500, when=lambda request: request.method == "POST" and b"\x89PNG" in request.body)
    )
    plain.want(id)
    for _ in range(20):
        plain.work_until_settled()
        plain.clock.move(DAY / 8)
    assert plain.row(id).state == "idle"
    assert (look(plain, id), open_givings(plain)) == (before, [])


# --- kills ----------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def killing(house, name, number, *, after):
    """Let the process end before or after the request of this name and number; the real one comes back with `undo`."""
    plex, real, calls = house.worker.plex, getattr(house.worker.plex, name), []

    def call(*args, **kwargs):
        calls.append(args)
        if len(calls) < number:
            return real(*args, **kwargs)
        if after:
            real(*args, **kwargs)
        raise Killed

    setattr(plex, name, call)
    return lambda: setattr(plex, name, real) or len(calls)


REQUESTS = [*(("upload", n) for n in range(1, 5)), *(("pictures", n) for n in range(1, 7))]
REQUESTS += [("show", 1), ("hide", 1), ("edit", 1), ("items", 1), ("items", 2)]


@pytest.mark.parametrize(("person", "off"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("name", "number"), REQUESTS)
def test_a_kill_at_any_moment_changes_nothing_that_is_shown_and_doubles_no_upload(
    house, name, number, after, person, off
):
    id = scene(house)
    settled(house, id)
    if person:
        house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
        settled(house, id)
    before, remembered = look(house, id), memory(house, id)["thumb"]
    house.stash_sim.add_gallery(id, *MIXED)
    house.clock.move(60)
    house.forget_requests()
    house.want(id)
    restored = killing(house, name, number, after=after)
    try:
        house.work()
    except Killed:
        if off:
            house.replace_worker(holder="next", gallery_choices=0)
        else:
            house.replace_worker(holder="next")
        house.worker.engine.reclaim()
    assert restored() >= number, "it was asked"
    assert house.worker.reconciler.reconcile().standing["differs"] == 0, "what is shown meanwhile is nobody's edit"
    house.work_until_settled()
    house.clock.move(DAY)
    house.work_until_settled()
    settled(house, id)
    assert (look(house, id), open_givings(house)) == (before, [])
    after_all = memory(house, id)["thumb"]
    assert (after_all.said, after_all.left, after_all.found.locked) == (
        remembered.said,
        remembered.left,
        remembered.found.locked,
    )
    sent = [request.body for request in house.plex_sim.log if request.method == "POST"]
    assert len(sent) == len(set(sent))
    if not off:
        assert set(POSTERS) < shelf(house, id, "thumb")
        assert set(ARTS) == shelf(house, id, "art")
    assert house.books_balance()
    undo(house, id)
    if person:
        assert look(house, id) == before
    else:
        assert str(look(house, id)[0]).startswith("media://")


@pytest.mark.parametrize("what", ["removed from Stash", "undone"])
def test_after_a_kill_the_picture_comes_back_whatever_became_of_the_scene(house, what):
    id = scene(house)
    settled(house, id)
    key, before = house.key_of(id), look(house, id)
    house.stash_sim.add_gallery(id, *MIXED)
    house.want(id)
    house.clock.move(3)
    restored = killing(house, "upload", 4, after=True)
    with pytest.raises(Killed):
        house.work()
    house.replace_worker(holder="next")
    house.worker.engine.reclaim()
    restored()
    assert look(house, id) != before
    if what == "undone":
        undo(house, id)
    else:
        house.stash_sim.data.scenes.pop(id)
    settled(house, id)
    house.clock.move(DAY)
    settled(house, id)
    item = house.plex_sim.item(key)
    assert item.art is None
    assert str(item.poster).startswith("media://") == (what == "undone")
    assert open_givings(house) == []


def test_a_failed_request_puts_the_picture_back_at_once(house):
    id = scene(house)
    settled(house, id)
    before = look(house, id)
    house.stash_sim.add_gallery(id, *MIXED)
    house.clock.move(60)
    house.plex_sim.faults.set(
        Fault("reset_after", times=1, when=lambda request: request.path.endswith("/arts") and request.method == "POST")
    )
    house.want(id)
    house.work()
    assert look(house, id)[:2] == before[:2]
    house.clock.move(DAY)
    settled(house)
    assert (look(house, id), open_givings(house)) == (before, [])
    assert sum(uploads(house).values()) == 5


def test_one_that_a_person_chooses_while_they_are_uploaded_stays(house):
    id = scene(house)
    settled(house, id)
    house.stash_sim.add_gallery(id, *MIXED)
    house.clock.move(60)
    plex, real = house.worker.plex, house.worker.plex.upload

    def beside(item, name, content):
        real(item, name, content)
        house.plex_sim.hand_edit(item, thumb=BLUE)

    plex.upload = beside
    settled(house, id)
    plex.upload = real
    settled(house, id)
    assert look(house, id)[0] == key_of("thumb", BLUE)
    assert "thumb" in look(house, id)[2]
