"""Posters and backgrounds: what Stash shows, fetched and sent only when it must be, and never against a person's choice."""

import io
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from PIL import Image

from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo
from plexsync.plex.artwork import key_of
from plexsync.reports.scenes import facts_of
from plexsync.rules.item import FIELDS
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.records import BreakerRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.engine.house import House, path_of
from tests.engine.pools import Inline

RED, BLUE = png(200, 0, 0), png(0, 0, 200)
VIDEO = b"\x00\x00\x00\x18ftypmp42" + b"\0" * 100
PLAIN = Profile(frozenset(FIELDS))
POSTER = replace(PLAIN, poster="cover")


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data", profile=POSTER) as made:
        yield made


def covered(house, cover=RED):
    """A scene whose item shows its cover."""
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, cover)
    house.clock.move(3)
    house.want(id)
    house.work_until_settled()
    house.clock.move(60)
    house.forget_requests()
    return id


def again(house, id, why=Why.EDIT):
    house.want(id, why=why)
    house.work_until_settled()
    house.clock.move(60)


def poster(house, id):
    return house.plex_sim.item(house.key_of(id)).poster


def uploads(house):
    return house.plex_sim.count("POST")


def fetched(house):
    return [request.path for request in house.stash_sim.log if request.path != "/graphql"]


def test_a_cover_becomes_the_poster_and_is_locked(house):
    id = covered(house)
    item = house.plex_sim.item(house.key_of(id))
    assert item.poster == key_of("thumb", RED)
    assert "thumb" in item.locks
    assert item.art is None
    assert house.out_of_step([id]) == []


def test_a_second_run_sends_and_fetches_nothing(house):
    id = covered(house)
    assert house.worker.reconciler.reconcile().wanted == 0
    again(house, id)
    assert (house.plex_sim.count("PUT"), uploads(house), fetched(house)) == (0, 0, [])
    assert not [request for request in house.plex_sim.log if "posters" in request.path]


def test_another_edit_of_the_scene_asks_for_the_cover_and_gets_no_byte(house):
    id = covered(house)
    house.edit(id, title="New")
    house.work_until_settled()
    assert fetched(house) == [f"/scene/{id}/screenshot"]
    assert (uploads(house), poster(house, id)) == (0, key_of("thumb", RED))
    assert house.title_in_plex(id) == "New"


def test_a_new_cover_takes_the_place_of_ours(house):
    id = covered(house)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", BLUE))


def test_a_picture_that_plex_has_already_is_chosen_and_not_sent_again(house):
    id = covered(house)
    for cover in (BLUE, RED):
        house.stash_sim.set_cover(id, cover)
        again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", RED))
    assert sorted(house.plex_sim.item(house.key_of(id)).posters)[1:] == sorted(
        key_of("thumb", cover) for cover in (RED, BLUE)
    )


def test_without_a_cover_what_was_there_before_comes_back_with_its_lock(house):
    (id,) = house.add(1)
    before = poster(house, id)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert poster(house, id) == key_of("thumb", RED)
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert poster(house, id) == before
    assert "thumb" not in house.plex_sim.item(house.key_of(id)).locks


def test_a_poster_that_a_person_has_chosen_before_is_kept(house):
    (id,) = house.add(1)
    house.plex_sim.hand_edit(house.key_of(id), thumb=BLUE)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)
    assert uploads(house) == 0
    assert house.title_in_plex(id) == "Title 0"


def test_a_poster_that_a_person_has_chosen_since_stays_until_stash_has_another(house):
    id = covered(house)
    theirs = png(0, 200, 0)
    house.plex_sim.hand_edit(house.key_of(id), thumb=theirs)
    again(house, id)
    assert poster(house, id) == key_of("thumb", theirs)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)


def test_covers_that_stash_can_not_read_for_a_while_stay_in_plex(house):
    """Its folder of pictures is away: it shows stand-ins, answers 200, and its database has the covers all the same."""
    id, fresh = house.add(2)
    house.stash_sim.set_cover(id, RED)
    house.clock.move(3)
    house.want(id, fresh)
    house.work_until_settled()
    house.clock.move(60)
    house.stash_sim.blobs_away = True
    for title in ("Edited", "Edited twice"):
        house.edit(id, title=title)
        again(house, id)
        assert (poster(house, id), house.title_in_plex(id)) == (key_of("thumb", RED), title)
    house.stash_sim.set_cover(fresh, BLUE)
    again(house, fresh)
    assert house.row(fresh).state is State.IDLE
    house.stash_sim.blobs_away = False
    assert house.worker.reconciler.reconcile().wanted == 1
    house.work_until_settled()
    assert (poster(house, id), poster(house, fresh)) == (key_of("thumb", RED), key_of("thumb", BLUE))


def test_a_studio_whose_picture_is_a_drawing_is_told_once_and_asked_no_more(tmp_path):
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="30" height="10"/>'
    with House(tmp_path / "data", profile=Profile(frozenset(FIELDS), poster="studio")) as house:
        (id,) = house.add(1)
        house.stash_sim.edit_scene(id, studio="Acme")
        house.stash_sim.edit_object("studio", "Acme", image=drawing)
        for _ in range(2):
            again(house, id)
        with house.store.reading() as db:
            assert db.pictures.of(id)["thumb studio"].reason == "it is an SVG drawing, which can't be shown"
        house.forget_requests()
        assert house.worker.reconciler.reconcile().wanted == 0
        again(house, id)
        assert [request.path for request in house.stash_sim.log if request.path != "/graphql"] == []
        assert (house.title_in_plex(id), uploads(house)) == ("Title 0", 0)


def test_a_scene_without_a_cover_gets_no_stand_in(house):
    id = covered(house, cover=None)
    assert (uploads(house), house.row(id).state) == (0, State.IDLE)
    assert poster(house, id).startswith("media://")


def test_a_video_is_no_picture_and_keeps_nothing_else_back(house):
    id = covered(house, cover=VIDEO)
    assert (house.title_in_plex(id), poster(house, id).startswith("media://")) == ("Title 0", True)
    with house.store.reading() as db:
        assert db.pictures.of(id)["thumb cover"].reason == "the picture is no JPEG, PNG or WebP"


def test_a_picture_that_plex_refuses_is_told_once_and_keeps_nothing_else_back(house, caplog):
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    id = covered(house)
    assert (house.title_in_plex(id), house.row(id).state) == ("Title 0", State.IDLE)
    assert "a picture of scene 1 was not taken" in caplog.text
    assert "thumb" not in house.plex_sim.item(house.key_of(id)).locks, "Plex's own picture stays Plex's"
    house.plex_sim.faults.clear()
    assert house.worker.reconciler.reconcile().wanted == 1
    again(house, id)
    assert poster(house, id) == key_of("thumb", RED)


NAMES = {"thumb cover"}


def missing(house, id):
    """What the scene lacks in Plex, as status and the lists show it."""
    with house.store.reading() as db:
        (facts,) = facts_of(db, [id], NAMES)
    return [(fact["field"], fact["reason"]) for fact in facts["left_out"]]


def errors(house, id):
    with house.store.reading() as db:
        return [(attempt.cls, attempt.error, attempt.state) for attempt in db.attempts.of(Kind.SCENE, id)]


def test_a_scene_whose_picture_is_refused_says_so_until_plex_takes_it(house):
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    id = covered(house)
    refused = f"Plex at {urlsplit(house.plex_sim.url).netloc} refuses the request (400)"
    assert (house.row(id).state, missing(house, id)) == (State.IDLE, [("thumb", refused)])
    said = [("refused", f"its poster could not be written: {refused}", State.IDLE)]
    assert errors(house, id) == said
    assert house.worker.reconciler.reconcile().wanted == 1
    assert missing(house, id) == [], "it is queued"
    again(house, id)
    assert missing(house, id) == [("thumb", refused)]
    assert errors(house, id) == said, "the same refusal stands in the history once"
    house.plex_sim.faults.clear()
    again(house, id)
    assert (poster(house, id), missing(house, id)) == (key_of("thumb", RED), [])
    assert house.books_balance()


def test_a_refusal_is_over_when_the_scene_has_another_cover_or_somebody_chose_it_in_plex(house):
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    ids = house.add(2)
    for id in ids:
        house.stash_sim.set_cover(id, RED)
        again(house, id)
        assert missing(house, id)
    house.plex_sim.faults.clear()
    house.stash_sim.set_cover(ids[0], BLUE)
    again(house, ids[0])
    assert missing(house, ids[0]) == []
    house.plex_sim.hand_edit(house.key_of(ids[1]), thumb=BLUE)
    again(house, ids[1])
    assert missing(house, ids[1]) == []


def test_in_strict_mode_a_refused_picture_is_tried_again_and_kills_no_scene(house):
    house.replace_worker(strict=True, profile=house.rules["profile"])
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    id = covered(house)
    again(house, id)
    assert house.row(id).state is State.IDLE
    house.plex_sim.faults.clear()
    again(house, id)
    assert poster(house, id) == key_of("thumb", RED)


def test_a_cover_that_is_no_picture_or_that_stash_can_not_read_is_named_too(house):
    no_picture, unread = covered(house, cover=VIDEO), house.add(1, start=1)[0]
    assert missing(house, no_picture) == [("thumb", "the picture is no JPEG, PNG or WebP")]
    assert errors(house, no_picture) == [
        ("refused", "its poster could not be written: the picture is no JPEG, PNG or WebP", State.IDLE)
    ]
    house.stash_sim.set_cover(unread, RED)
    broken = f"/scene/{unread}/screenshot"
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: request.path == broken))
    house.want(unread)
    house.work_for(600)
    assert (house.row(unread).state, missing(house, unread)) == (
        State.IDLE,
        [("thumb", "the picture can't be read from Stash")],
    )
    house.stash_sim.faults.clear()
    again(house, unread)
    assert missing(house, unread) == []


def test_a_picture_that_is_not_synced_any_more_is_not_missing(house):
    id = covered(house, cover=VIDEO)
    with house.store.reading() as db:
        assert facts_of(db, [id], ())[0]["left_out"] == []
        assert facts_of(db, [id], {"thumb studio"})[0]["left_out"] == []


@pytest.mark.parametrize("status", [400, 500])
def test_a_picture_that_plex_alone_does_not_take_keeps_nothing_else_back_for_long(house, status):
    house.plex_sim.faults.set(Fault("status", status=status, when=lambda request: request.method == "POST"))
    id = covered(house)
    assert (house.title_in_plex(id), house.row(id).state) == ("Title 0", State.IDLE)
    assert (poster(house, id).startswith("media://"), house.breaker()) == (True, "closed")
    house.plex_sim.faults.clear()
    assert house.worker.reconciler.reconcile().wanted == 1
    again(house, id)
    assert poster(house, id) == key_of("thumb", RED)


def test_a_picture_that_plex_has_taken_although_it_failed_is_ours(house):
    house.replace_worker(max_retries=0)
    house.plex_sim.faults.set(Fault("status", status=500, when=lambda request: request.method == "POST"))
    (id,) = house.add(1)
    frame = poster(house, id)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert house.row(id).state is State.IDLE
    house.plex_sim.faults.clear()
    # What was given up comes through after all.
    with house.plex_sim._lock:
        house.plex_sim._library.upload(house.plex_sim._library.items[int(house.key_of(id))], "posters", RED)
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert poster(house, id) == frame


def test_a_refused_picture_of_a_scene_that_lacks_nothing_else_changes_nothing(house):
    id = covered(house)
    house.plex_sim.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert (poster(house, id), house.row(id).state) == (key_of("thumb", RED), State.IDLE)
    assert house.plex_sim.count("PUT") == 0


@pytest.mark.parametrize("kind", ["reset_after", "cut"])
def test_a_picture_whose_answer_is_lost_is_recognised_and_not_sent_twice(house, kind):
    house.plex_sim.faults.set(Fault(kind, times=1, when=lambda request: request.method == "POST"))
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", RED))
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert poster(house, id).startswith("media://"), "it was ours to take back"


def test_a_cover_that_stash_can_not_read_is_this_scenes_trouble_alone(house):
    ids = house.add(3)
    for id in ids:
        house.stash_sim.set_cover(id, RED)
    broken = f"/scene/{ids[1]}/screenshot"
    house.stash_sim.faults.set(Fault("status", status=500, when=lambda request: request.path == broken))
    house.want(*ids)
    house.step()
    assert house.states() == {State.IDLE: 2, State.READY: 1}
    house.work_for(600)
    assert [poster(house, id) == key_of("thumb", RED) for id in ids] == [True, False, True]
    assert house.row(ids[1]).state is State.IDLE, "after a few tries everything else goes on without it"
    assert house.title_in_plex(ids[1]) == "Title 1"
    house.stash_sim.faults.clear()
    assert house.worker.reconciler.reconcile().wanted == 1
    house.clock.move(3)
    house.work_until_settled()
    assert poster(house, ids[1]) == key_of("thumb", RED)


def selecting(times=None, kind="status"):
    """An uploaded picture that Plex does not know yet."""
    return Fault(
        kind, status=404, times=times, when=lambda request: request.method == "PUT" and "/poster" in request.path
    )


@pytest.mark.parametrize("kind", ["status", "proxy"])
@pytest.mark.parametrize("times", [1, 3])
def test_an_uploaded_picture_that_can_not_be_selected_yet_is_selected_a_moment_later(tmp_path, kind, times):
    with House(tmp_path / "data", profile=POSTER, pool=Inline()) as house:
        house.plex_sim.traits.upload_selects = False
        house.plex_sim.faults.set(selecting(times, kind))
        (id,) = house.add(1)
        house.stash_sim.set_cover(id, RED)
        house.clock.move(3)
        before = house.clock.now()
        house.want(id)
        house.step()
        assert house.row(id).state is State.IDLE
        assert house.clock.now() - before == sum((500, 1000, 2000)[:times])
        house.stash_sim.set_cover(id, BLUE)
        again(house, id)
        assert poster(house, id) == key_of("thumb", BLUE), "the first one was ours to replace"
        assert (uploads(house), house.breaker()) == (2, "closed")


def test_a_picture_that_can_never_be_selected_keeps_nothing_else_back_and_stays_ours(house, caplog):
    house.plex_sim.traits.upload_selects = False
    house.plex_sim.faults.set(selecting())
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    house.clock.move(3)
    house.want(id)
    house.step()
    assert (house.row(id).state, house.title_in_plex(id)) == (State.IDLE, f"Title {0}")
    assert "was not taken" in caplog.text
    house.plex_sim.faults.clear()
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)


def test_a_picture_that_plex_had_and_lost_is_not_waited_for(house):
    id = covered(house)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    house.forget_requests()
    house.plex_sim.faults.set(selecting())
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    assert len([r for r in house.plex_sim.log if r.method == "PUT" and "/poster" in r.path]) == 1


def test_an_outage_while_a_picture_is_sent_uses_no_attempt(house):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    house.plex_sim.faults.set(Fault("reset", when=lambda request: request.method in ("POST", "PUT")))
    house.want(id)
    house.work_for(600)
    assert (house.attempts_used(), house.row(id).state) == (0, State.READY)
    house.plex_sim.faults.clear()
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", RED)


# --- known before, and read once more to be sent -------------------------------------------------------------------


def looked_at(house, count=1):
    """Scenes whose covers another process knows already, as a comparison does: the bytes are not at hand here."""
    ids = house.add(count)
    for id in ids:
        house.stash_sim.set_cover(id, RED)
    house.clock.move(60)
    house.hire().inspector.look(ids)
    house.forget_requests()
    return ids


def screenshot(**how):
    return Fault(how.pop("kind", "status"), when=lambda request: request.path.endswith("/screenshot"), **how)


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"kind": "reset"}])
def test_stash_that_fails_while_covers_are_sent_is_asked_again_and_plex_blamed_for_nothing(house, fault):
    ids = looked_at(house, 6)
    house.stash_sim.faults.set(screenshot(**fault))
    house.want(*ids)
    house.work_for(20)
    house.stash_sim.faults.clear()
    house.work_until_settled(within=3600)
    assert {house.breaker(who) for who in Neighbour} == {"closed"}
    house.clock.move(60)
    house.worker.reconciler.reconcile()
    house.work_until_settled()
    assert {poster(house, id) for id in ids} == {key_of("thumb", RED)}
    with house.store.reading() as db:
        assert db.paces.find(Neighbour.PLEX).writes_bad == 0


@pytest.mark.parametrize("state", ["closed", "open", "half_open"])
def test_a_breaker_of_stash_that_an_earlier_version_let_wait_for_a_write_closes(house, state):
    (id,) = house.add(1)
    with house.store.writing() as tx:
        opened = None if state == "closed" else house.clock.now() / 1000
        failures = 4 if state == "closed" else 5
        stuck = BreakerRow(state, failures=failures, opened_at=opened, wait=60.0, trips=1, cause="write", error="500")
        tx.breakers.save(Neighbour.STASH, stuck)
    house.replace_worker()
    house.want(id)
    house.work_until_settled()
    assert house.breaker(Neighbour.STASH) == "closed"
    with house.store.reading() as db:
        assert db.breakers.find(Neighbour.STASH).failures == 0


def test_pictures_are_not_read_from_a_stash_that_lets_nobody_in(house):
    ids = looked_at(house, 3)
    house.stash_sim.faults.set(screenshot(status=401, times=1))
    house.want(*ids)
    house.step()
    assert len(fetched(house)) == 1
    house.work_until_settled()
    assert {poster(house, id) for id in ids} == {key_of("thumb", RED)}


def test_without_stash_goes_on_what_needs_no_picture(house):
    pictured, plain = house.add(2)
    house.stash_sim.set_cover(pictured, RED)
    house.clock.move(60)
    house.hire().inspector.look([pictured, plain])
    house.stash_sim.faults.set(screenshot(status=401, times=1))
    house.want(pictured, plain)
    house.step()
    assert (house.row(pictured).state, house.row(plain).state) == (State.READY, State.IDLE)


def test_a_picture_that_is_made_of_other_bytes_by_now_is_looked_at_anew(house):
    (id,) = looked_at(house)
    house.change("update picture set key = 'upload://posters/0123456789'")
    house.want(id)
    house.step()
    assert house.rows("select * from pushing") == []
    house.work_until_settled(within=60)
    assert (uploads(house), poster(house, id)) == (1, key_of("thumb", RED))


def test_a_cover_that_changed_without_a_word_is_looked_at_anew(house):
    (id,) = looked_at(house)
    with house.stash_sim.data.lock:
        house.stash_sim.data.scene(id).cover = BLUE
    house.want(id)
    house.work_until_settled(within=60)
    assert poster(house, id) == key_of("thumb", BLUE)


def test_a_cover_that_is_gone_by_the_time_it_is_sent_is_none(house):
    (id,) = looked_at(house)
    house.stash_sim.faults.set(screenshot(status=404, times=1))
    house.want(id)
    house.work_until_settled(within=60)
    assert house.row(id).state is State.IDLE


# --- within one second -----------------------------------------------------------------------------------------------


def test_a_cover_that_is_edited_twice_within_a_second_is_the_second_one(house):
    (id,) = house.add(1)
    for cover in (RED, BLUE):
        house.stash_sim.set_cover(id, cover)
        house.want(id)
        house.clock.move(0.4)
        house.work()
    house.clock.move(10)
    house.want(id)
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", BLUE)


def test_a_cover_that_was_seen_early_costs_one_question_more(house):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    again(house, id)
    house.forget_requests()
    again(house, id)
    assert fetched(house) == [f"/scene/{id}/screenshot"]
    again(house, id)
    assert len(fetched(house)) == 1
    assert uploads(house) == 0


# --- what Stash has no more ------------------------------------------------------------------------------------------


def test_a_studio_that_a_scene_loses_takes_its_background_along(tmp_path):
    with House(tmp_path / "data", profile=replace(PLAIN, background="studio")) as house:
        (id,) = house.add(1)
        with house.stash_sim.data.lock:
            house.stash_sim.data.studio_named("Studio 0").image = BLUE
        again(house, id)
        assert house.plex_sim.item(house.key_of(id)).art == key_of("art", BLUE)
        house.edit(id, studio=None)
        house.work_until_settled()
        item = house.plex_sim.item(house.key_of(id))
        assert (item.art, "art" in item.locks) == (None, False)


def test_a_picture_from_before_us_that_plex_has_not_any_more_can_not_come_back(house):
    id = covered(house)
    pictures = house.plex_sim._library.items[int(house.key_of(id))].pictures["posters"]
    for key in [key for key in pictures if key.startswith("media://")]:
        del pictures[key]
    house.stash_sim.set_cover(id, None)
    again(house, id)
    assert house.row(id).state is State.IDLE
    assert "thumb" not in house.plex_sim.item(house.key_of(id)).locks


@pytest.mark.parametrize("how", ["emptied", "undone"])
def test_a_picture_that_was_put_back_is_not_left_locked_when_the_edit_behind_it_fails(house, how):
    id = covered(house)
    house.plex_sim.faults.set(Fault("status", status=500, times=1, when=lambda asked: "id" in asked.params))
    if how == "emptied":
        house.stash_sim.set_cover(id, None)
        house.clock.move(60)
        house.want(id)
    else:
        wish_undone(house.store, SceneUndo(house.worker.inspector), house.clock, [id], "undo")
    house.work_until_settled()
    item = house.plex_sim.item(house.key_of(id))
    assert item.poster.startswith("media://")
    assert "thumb" not in item.locks
    # So a new one is nobody's to keep out.
    house.clock.move(60)
    house.stash_sim.set_cover(id, BLUE)
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)


# --- what can't be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["undo", "release"])
def test_a_scene_whose_cover_can_not_be_read_can_be_taken_back(house, how):
    id = covered(house)
    frame = next(key for key in house.plex_sim.item(house.key_of(id)).posters if key.startswith("media://"))
    house.stash_sim.set_cover(id, BLUE)
    house.stash_sim.faults.set(screenshot(status=500))
    worker = house.hire()
    seen = worker.inspector.look([id], TakenBack(how))
    assert [inspection.error for inspection in seen] == [None]
    assert wish_undone(house.store, SceneUndo(worker.inspector), house.clock, [id], how).jobs == [id]
    house.work_until_settled()
    assert poster(house, id) == (frame if how == "undo" else key_of("thumb", RED))
    assert house.title_in_plex(id) == ("file 0" if how == "undo" else "Title 0")


def test_a_new_cover_of_a_scene_that_was_undone_is_no_less_news_for_failing_to_be_read_at_first(house):
    id = covered(house)
    assert wish_undone(house.store, SceneUndo(house.worker.inspector), house.clock, [id], "undo").jobs == [id]
    house.work_until_settled()
    house.stash_sim.set_cover(id, BLUE)
    house.clock.move(60)
    house.stash_sim.faults.set(screenshot(status=500, times=1))
    again(house, id)
    assert poster(house, id) == key_of("thumb", BLUE)
    assert house.title_in_plex(id) == "Title 0"


def test_how_often_a_cover_could_not_be_read_is_known_to_the_next_process(house):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    house.stash_sim.faults.set(screenshot(status=500))
    house.want(id)
    for _ in range(4):
        assert house.row(id).state is State.READY
        house.replace_worker()
        house.step()
        house.clock.move(600)
    assert (house.row(id).state, house.title_in_plex(id)) == (State.IDLE, "Title 0")


def test_a_cover_that_stash_refuses_is_not_asked_for_again_and_again(house):
    house.stash_sim.faults.set(screenshot(status=400))
    id = covered(house)
    assert (house.row(id).state, house.title_in_plex(id)) == (State.IDLE, "Title 0")
    assert "thumb" not in house.plex_sim.item(house.key_of(id)).locks


@pytest.mark.parametrize("kind", ["foreign_page", "garbage"])
def test_a_page_in_the_place_of_a_cover_says_nothing_about_the_cover(house, kind):
    (id,) = house.add(1)
    house.stash_sim.set_cover(id, RED)
    house.clock.move(60)
    house.stash_sim.faults.set(screenshot(kind=kind, times=1))
    house.want(id)
    house.work_until_settled()
    assert poster(house, id) == key_of("thumb", RED)


# --- rules -----------------------------------------------------------------------------------------------------------


def test_libraries_with_posters_of_their_own_do_not_displace_one_another(tmp_path):
    with House(tmp_path / "data", profile=POSTER, profiles={"clips": replace(PLAIN, poster="studio")}) as house:
        (id,) = house.add(1)
        clips = house.plex_sim.add_section("Clips", locations=("/media",))
        other = house.plex_sim.add_movie(clips, files=[(path_of(0), 1000, 60_000)], title="file 0")
        with house.stash_sim.data.lock:
            house.stash_sim.data.studio_named("Studio 0").image = BLUE
        house.stash_sim.set_cover(id, RED)
        house.clock.move(60)
        again(house, id)
        assert poster(house, id) == key_of("thumb", RED)
        assert house.plex_sim.item(other).poster == key_of("thumb", BLUE)
        house.forget_requests()
        again(house, id)
        assert fetched(house) == []


def test_what_an_earlier_version_knew_of_a_cover_is_not_fetched_again(house):
    id = covered(house)
    house.change("update picture set name = 'thumb'")
    again(house, id)
    assert fetched(house) == []
    house.edit(id, title="New")
    house.work_until_settled()
    assert len(fetched(house)) == 1
    assert not [request for request in house.stash_sim.log if request.path in fetched(house) and request.status == 200]


def test_a_background_can_be_the_picture_of_the_studio_or_group(tmp_path):
    profile = replace(PLAIN, poster="group", background="studio")
    with House(tmp_path / "data", profile=profile) as house:
        (id,) = house.add(1)
        house.edit(id, groups=["Saga"])
        data = house.stash_sim.data
        with data.lock:
            data.studio_named("Studio 0").image = BLUE
            data.group_named("Saga").image = RED
        again(house, id)
        item = house.plex_sim.item(house.key_of(id))
        assert (item.poster, item.art) == (key_of("thumb", RED), key_of("art", BLUE))
        assert {"thumb", "art"} <= set(item.locks)


def jpeg(size):
    made = io.BytesIO()
    Image.effect_noise(size, 100).convert("RGB").save(made, "JPEG", quality=100)
    return made.getvalue()


def shown_bytes(house, id):
    item = house.plex_sim.item(house.key_of(id))
    return house.plex_sim._library.items[int(item.key)].pictures["posters"][item.poster]


def test_a_picture_of_more_than_ten_megabytes_is_made_smaller(house):
    large = jpeg((5000, 3500))
    assert len(large) > 10_000_000
    id = covered(house, cover=large)
    sent = shown_bytes(house, id)
    assert len(sent) <= 10_000_000
    assert abs(Image.open(io.BytesIO(sent)).width / Image.open(io.BytesIO(sent)).height - 5000 / 3500) < 0.01
    again(house, id)
    assert uploads(house) == 0


def test_a_wide_cover_is_padded_to_a_poster(tmp_path):
    with House(tmp_path / "data", profile=replace(POSTER, poster_shape="bars")) as house:
        id = covered(house, cover=jpeg((640, 360)))
        picture = Image.open(io.BytesIO(shown_bytes(house, id)))
        assert picture.size == (640, 960)
        assert max(picture.getpixel((320, 20))) < 10, "a bar above"
        again(house, id)
        assert uploads(house) == 0


def test_a_broken_picture_is_told_and_keeps_nothing_else_back(tmp_path):
    with House(tmp_path / "data", profile=replace(POSTER, poster_shape="bars")) as house:
        id = covered(house, cover=b"\xff\xd8\xff" + b"x" * 50)
        assert house.title_in_plex(id) == "Title 0"
        with house.store.reading() as db:
            assert db.pictures.of(id)["thumb cover padded"].reason == "the picture can't be read"


def test_a_scene_that_is_gone_leaves_nothing_behind(house):
    id = covered(house)
    house.stash_sim.destroy_scene(id)
    again(house, id)
    assert house.rows("select * from picture") == []
    assert house.rows("select * from shown") == []
