"""The first write of plays to Stash: nothing is written before your yes, and everything that was shown after it."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from plexsync.flows.plays.first_run import PAGE, PlaysPage
from plexsync.flows.plays.history_poll import approve_plays
from plexsync.flows.plays.viewings import PERCENT
from plexsync.rules.plays.first_plays import FirstPlays, read_counted
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionChanged, SessionState
from plexsync.rules.queue.note_keys import PLAYS_APPROVED, PLAYS_COUNTED, PLAYS_IN_PLEX, PLAYS_QUEUED
from plexsync.simulator.http import Fault
from tests.engine.house import House, fails
from tests.engine.pools import Inline
from tests.flows.living_room import LivingRoom
from tests.flows.test_plays_flow import AT, mutations, play, plays
from tests.flows.test_viewings_flow import activity, add

YEAR = 365 * 86_400


@pytest.fixture
def house(tmp_path):
    with new_house(tmp_path) as house:
        yield house


@contextmanager
def new_house(tmp_path, watch=WatchRules()):  # noqa: B008 - a frozen value
    with House(tmp_path / "data", watch=watch, pool=Inline(), asks_first=True) as house:
        yield house


def poll(house: House) -> None:
    """What the worker does beside its loop: it polls, begins what was approved, and works the queue."""
    assert house.worker.back.poll() == ""
    house.worker.back.first_run.begin()
    house.work_for(10)


def note(house: House, name: str) -> str:
    with house.store.reading() as db:
        return db.notes.text(name)


def counted(house: House) -> FirstPlays | None:
    return read_counted(note(house, PLAYS_COUNTED))


def approve(house: House, *, account: int = 1, watch_since: int = 0, since: int = 0, minimum: str = "stash") -> None:
    with house.store.writing() as tx:
        now = house.clock.now()
        approve_plays(tx, account, watch_since=watch_since, since=since, minimum=minimum, now=now)


def test_nothing_is_written_before_your_yes_and_all_of_it_after(house):
    one, two, three = house.in_step(3)
    house.stash_sim.plays.add(two, [AT + 7])
    play(house, one, AT, AT + 5)
    play(house, two, AT + 7)
    poll(house)
    house.edit(three, title="Edited meanwhile")
    house.work_for(3600)
    assert mutations(house) == []
    assert house.rows("select count(*) from job where kind = 'plays'") == [(0,)]
    assert house.title_in_plex(three) == "Edited meanwhile"
    assert house.rows("select count(*) from played") == [(3,)], "the history is read and saved"
    first = counted(house)
    assert (first.in_plex, first.missing, first.scenes, first.present) == (3, 2, 1, 1)
    assert (first.oldest, first.newest, first.unmatched, first.account) == (AT, AT + 5, 0, "someone")
    approve(house)
    poll(house)
    assert (plays(house, one), plays(house, two)) == ([AT, AT + 5], [AT + 7])
    assert note(house, PLAYS_COUNTED) == ""
    play(house, three, AT + 9)
    house.clock.move(60)
    poll(house)
    assert plays(house, three) == [AT + 9]
    assert house.books_balance()


def test_what_a_player_reports_queues_nothing_before_your_yes(house):
    (id,) = house.in_step()
    poll(house)
    play(house, id, AT)
    house.clock.move(60)
    house.worker.back.listener.take([SessionChanged(house.key_of(id), SessionState.STOPPED, 0, "1")])
    poll(house)
    assert house.rows("select count(*) from job where kind = 'plays'") == [(0,)]
    assert plays(house, id) == []
    approve(house)
    poll(house)
    assert plays(house, id) == [AT]


def test_one_play_is_asked_about_as_well(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    assert plays(house, id) == []
    assert counted(house).missing == 1


def test_new_plays_are_counted_again_the_later_the_more_there_are(house):
    (id,) = house.in_step()
    poll(house)
    assert (counted(house).in_plex, counted(house).oldest) == (0, 0)
    play(house, id, *range(AT, AT + 500))
    poll(house)
    assert counted(house).in_plex == 500, "to look at none costs nothing"
    play(house, id, AT + 500)
    house.clock.move(15)
    poll(house)
    assert (counted(house).in_plex, note(house, PLAYS_IN_PLEX)) == (500, "501")
    house.clock.move(60)
    poll(house)
    assert counted(house).in_plex == 501


def test_plays_that_came_in_while_it_asked_are_queued_after_the_yes(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    play(house, two, AT + 1)
    house.clock.move(60)
    poll(house)
    approve(house)
    poll(house)
    assert (plays(house, one), plays(house, two)) == ([AT], [AT + 1])


def test_plays_of_an_earlier_version_count_as_approved(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    approve(house)
    poll(house)
    assert plays(house, one) == [AT]
    # As a version left it that did not ask.
    house.change(f"delete from note where name in ('{PLAYS_APPROVED}', '{PLAYS_QUEUED}', '{PLAYS_COUNTED}')")
    house.replace_worker()
    play(house, two, AT + 5)
    house.clock.move(60)
    poll(house)
    assert plays(house, two) == [AT + 5]


@pytest.mark.parametrize(
    ("then", "now", "asks"),
    [
        (WatchRules(since=AT), WatchRules(since=AT + 3), False),
        (WatchRules(since=AT), WatchRules(since=AT - 3), True),
        (WatchRules(), WatchRules("2"), True),
        (WatchRules("1"), WatchRules(), False),
    ],
)
def test_an_earlier_day_and_another_account_ask_again(tmp_path, then, now, asks):
    with new_house(tmp_path, then) as house:
        house.plex_sim.add_account("guest")
        one, two = house.in_step(2)
        play(house, one, AT + 1)
        poll(house)
        approve(house, watch_since=then.since, since=then.since)
        poll(house)
        assert plays(house, one) == [AT + 1]
        house.replace_worker(watch=now)
        play(house, two, AT - 1, AT + 5)
        play(house, two, AT + 6, account=2)
        house.clock.move(60)
        poll(house)
        assert (plays(house, two) == []) is asks
        assert (counted(house) is not None) is asks
        # Back to what was approved: what came in meanwhile is written.
        house.replace_worker(watch=then)
        house.clock.move(60)
        poll(house)
        assert AT + 5 in plays(house, two)
        assert counted(house) is None


@pytest.mark.parametrize("how", ["in a new process", "within a day"])
def test_an_account_number_that_becomes_another_person_asks_again(tmp_path, how):
    with new_house(tmp_path, WatchRules("2")) as house:
        guest = house.plex_sim.add_account("guest")
        one, two = house.in_step(2)
        play(house, one, AT, account=guest)
        poll(house)
        approve(house, account=guest)
        poll(house)
        assert plays(house, one) == [AT]
        house.plex_sim.rename_account(guest, "newcomer")
        if how == "in a new process":
            house.replace_worker()
        house.clock.move(60 if how == "in a new process" else 86_401)
        poll(house)
        play(house, two, AT + 1, account=guest)
        house.clock.move(601)
        poll(house)
        assert (plays(house, two), counted(house).account, counted(house).missing) == ([], "newcomer", 1)
        # It is the first person's again: what was approved holds.
        house.plex_sim.rename_account(guest, "Guest")
        house.replace_worker()
        poll(house)
        assert (plays(house, two), counted(house)) == ([AT + 1], None)


def test_a_new_process_knows_the_account_with_the_name_and_whether_it_has_the_name_no_more(tmp_path):
    with new_house(tmp_path, WatchRules("Guest")) as house:
        guest = house.plex_sim.add_account("guest")
        (id,) = house.in_step()
        play(house, id, AT, account=guest)
        poll(house)
        approve(house, account=guest)
        house.replace_worker()
        house.plex_sim.rename_account(guest, "another")
        assert house.worker.back.first_run.begin() == 0
        house.work_for(60)
        assert plays(house, id) == []
        house.plex_sim.rename_account(guest, "guest")
        poll(house)
        house.replace_worker()
        assert house.worker.back.first_run.begin() == 0, "all of it was queued before"
        assert plays(house, id) == [AT]


def test_what_is_played_while_an_approval_does_not_hold_is_written_once_it_holds_again(tmp_path):
    with new_house(tmp_path, WatchRules(since=AT)) as house:
        one, two = house.in_step(2)
        approve(house, watch_since=AT, since=AT)
        play(house, one, AT)
        poll(house)
        assert plays(house, one) == [AT]
        house.replace_worker(watch=WatchRules(since=AT - 5))
        play(house, two, AT + 9)
        poll(house)
        assert (plays(house, two), counted(house).missing) == ([], 1)
        house.replace_worker(watch=WatchRules(since=AT))
        poll(house)
        assert plays(house, two) == [AT + 9]
        house.forget_requests()
        house.clock.move(60)
        poll(house)
        assert house.stash_sim.log == [], "what was queued once is not queued at each poll"


def test_a_question_that_earlier_settings_asked_is_over_once_the_approval_holds_again(tmp_path):
    with new_house(tmp_path, WatchRules(since=AT)) as house:
        (id,) = house.in_step()
        approve(house, watch_since=AT, since=AT)
        play(house, id, AT)
        poll(house)
        house.replace_worker(watch=WatchRules(since=AT - 5))
        poll(house)
        assert counted(house) is not None
        house.replace_worker(watch=WatchRules(since=AT))
        assert house.worker.back.first_run.begin() == 0, "nothing is queued a second time"
        assert counted(house) is None


def test_another_server_asks_again(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    approve(house)
    poll(house)
    house.change("update server set machine = 'another'")
    with house.store.reading() as db:
        assert house.worker.back.history.approved_since(db) is None


def test_a_first_run_can_be_limited_and_stays_so(house):
    (id,) = house.in_step()
    play(house, id, AT - YEAR, AT)
    poll(house)
    approve(house, since=AT - 5)
    poll(house)
    play(house, id, AT - YEAR + 1, AT + 1)
    house.clock.move(60)
    poll(house)
    house.edit(id, title="Edited")
    house.work_for(60)
    assert plays(house, id) == [AT, AT + 1]


def test_an_undo_goes_on_while_it_asks(house):
    (id,) = house.in_step()
    play(house, id, AT)
    poll(house)
    approve(house)
    poll(house)
    house.replace_worker(watch=WatchRules("2"))
    house.plex_sim.add_account("guest")
    flow = house.worker.back.flow
    recalled = flow.recall([id])
    with house.store.writing() as tx:
        assert flow.undo(tx, id, recalled[id], "undo", now=house.clock.now())
    house.want(id, kind=flow.kind)
    house.work()
    assert plays(house, id) == []


def test_an_outage_between_the_yes_and_the_queue_only_delays(house):
    film = house.plex_sim.add_movie(house.section, files=[("/media/film.mp4", 5, 60_000)], title="film")
    (id,) = house.in_step()
    play(house, id, AT)
    # Nothing was pushed to this item, so Stash has to say which scene has the file.
    house.plex_sim.play(film, at=AT)
    poll(house)
    approve(house)
    house.stash_sim.faults.set(Fault("status", status=503))
    assert house.worker.back.first_run.begin() == 0
    assert note(house, PLAYS_QUEUED) == ""
    house.stash_sim.faults.clear()
    house.work_for(600)
    poll(house)
    assert plays(house, id) == [AT]


# --- the rule --------------------------------------------------------------------------------------------------------


def in_force(house: House) -> str:
    with house.store.reading() as db:
        return house.worker.back.history.minimum_in_force(db)


@pytest.mark.parametrize(
    ("approved", "setting", "holds"),
    [
        ("plex", "stash", "plex"),
        ("stash", "plex", "plex"),
        ("stash", "30s", "30s"),
        ("stash", "5%", "stash"),
        ("50%", "10%", "50%"),
        ("10%", "50%", "50%"),
        ("90s", "60s", "90s"),
    ],
)
def test_a_rule_that_makes_more_plays_than_the_approved_one_waits_for_your_yes(tmp_path, approved, setting, holds):
    with new_house(tmp_path, WatchRules(minimum=setting)) as house:
        house.in_step()
        poll(house)
        assert in_force(house) == setting, "nothing is approved, so it counts by the rule that it will ask about"
        approve(house, minimum=approved)
        assert in_force(house) == holds
        approve(house, minimum=setting)
        assert in_force(house) == setting


def test_a_database_of_an_earlier_version_goes_on_with_what_plex_counts(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    poll(house)
    machine = house.plex_sim.machine
    with house.store.writing() as tx:
        tx.notes.save(PLAYS_APPROVED, f"{machine} 1 0 0 {house.clock.now()} =someone")
    poll(house)
    assert (plays(house, one), in_force(house)) == ([AT], "plex")
    # As a version left it that did not ask.
    house.change(f"delete from note where name in ('{PLAYS_APPROVED}', '{PLAYS_QUEUED}', '{PLAYS_COUNTED}')")
    house.replace_worker()
    play(house, two, AT + 5)
    house.clock.move(60)
    poll(house)
    assert (plays(house, two), in_force(house)) == ([AT + 5], "plex")


def view(house: House, id: int, seconds: int, *, at: int = AT, account: int = 1) -> None:
    """An account has watched so much of a scene of a minute."""
    watched(house, house.key_of(id), seconds, at=at, account=account)


def watched(house: House, key: str, seconds: int, *, at: int = AT, account: int = 1) -> None:
    """An account has watched so much of an item of a minute."""
    played = 1000 * seconds
    viewing = Viewing(account, key, at, str(at), length=60_000, ended=at + seconds, pieces=((at, played),))
    with house.store.writing() as tx:
        tx.viewings.save([replace(viewing, state=SessionState.STOPPED)])
        tx.notes.save(PERCENT, "10.0")


def poll_all(house: House) -> None:
    """As `poll`, with what the players have told."""
    assert house.worker.back.recorder.record() == ""
    poll(house)


@pytest.fixture
def approved(house):
    """A house of two scenes, whose plays were approved by Plex's rule; the setting is that of Stash."""
    ids = house.in_step(2)
    poll_all(house)
    approve(house, minimum="plex")
    poll_all(house)
    assert in_force(house) == "plex"
    return house, ids


def test_the_other_rule_says_what_it_would_add_and_the_approved_one_goes_on(approved):
    house, (one, two) = approved
    view(house, one, 40)
    view(house, one, 10, at=AT + 500)
    view(house, two, 40, account=2)
    play(house, two, AT)
    house.clock.move(601)
    poll_all(house)
    first = counted(house)
    assert (first.minimum, first.percent, first.in_force) == ("stash", 10, "plex")
    assert (first.in_plex, first.missing, first.scenes, first.oldest) == (1, 1, 1, AT + 30)
    assert (plays(house, one), plays(house, two)) == ([], [AT]), "plays by Plex's rule go on"
    house.worker.back.first_run.begin()
    assert counted(house) == first, "what was approved does not end the question"


def test_a_yes_to_the_other_rule_adds_its_plays(approved):
    house, (one, _) = approved
    view(house, one, 40)
    house.clock.move(601)
    poll_all(house)
    approve(house)
    poll_all(house)
    assert (plays(house, one), note(house, PLAYS_COUNTED)) == ([AT + 30], "")
    house.clock.move(601)
    poll_all(house)
    assert (plays(house, one), note(house, PLAYS_COUNTED)) == ([AT + 30], "")


def test_what_is_watched_counts_by_the_approved_rule_until_your_yes_and_by_the_other_one_from_then_on(tmp_path):
    with new_house(tmp_path, WatchRules(resume=True)) as house:
        house.clock.move(0.25)
        room = LivingRoom(house)
        (id, key), (other, other_key) = add(room), add(room)
        poll_all(house)
        approve(house, minimum="plex")
        began = house.clock.now() // 1000
        room.watch(key, 760)
        assert activity(room, id) == (0, 760.0, 760.0), "the time and the place come by every rule"
        house.clock.move(601)
        room.settle()
        assert (counted(house).missing, counted(house).oldest) == (1, began + 30)
        approve(house)
        house.worker.back.first_run.begin()
        room.settle()
        assert activity(room, id) == (1, 760.0, 760.0)
        assert house.stash_sim.plays.of(id) == (began + 30,)
        room.watch(other_key, 100)
        assert activity(room, other) == (1, 100.0, 100.0)
        assert note(house, PLAYS_COUNTED) == ""


def test_a_no_is_the_approved_rule_as_the_setting(approved):
    house, (one, _) = approved
    view(house, one, 40)
    house.clock.move(601)
    poll_all(house)
    assert counted(house).missing == 1
    house.replace_worker(watch=WatchRules(minimum="plex"))
    poll_all(house)
    assert (plays(house, one), note(house, PLAYS_COUNTED)) == ([], "")


def test_a_rule_that_would_add_nothing_is_not_asked_about_and_costs_no_request_to_stash(approved):
    house, (one, two) = approved
    view(house, one, 10)
    house.stash_sim.plays.add(two, [AT + 30])
    # Its time is added to the scene.
    poll_all(house)
    house.forget_requests()
    for _ in range(3):
        house.clock.move(601)
        poll_all(house)
    assert note(house, PLAYS_COUNTED) == ""
    assert [request for request in house.stash_sim.log if b"watched" in request.body.lower()] == []
    view(house, two, 40)
    house.clock.move(601)
    poll_all(house)
    assert note(house, PLAYS_COUNTED) == "", "Stash has that play already"


def test_a_scene_with_an_item_that_was_played_before_is_counted_with_the_one_that_was_watched(approved):
    house, (one, two) = approved
    house.worker.back.first_run.page = 1
    twin = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(one)).files[0][:3]
    key = house.plex_sim.add_movie(twin, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work()
    assert house.key_of(one) < house.key_of(two) < key
    play(house, one, AT - YEAR)
    poll_all(house)
    for item in (house.key_of(two), key):
        watched(house, item, 40)
    house.clock.move(601)
    poll_all(house)
    assert (counted(house).in_plex, counted(house).missing, counted(house).scenes) == (2, 2, 2)


def test_only_what_was_approved_by_day_is_asked_about(tmp_path):
    with new_house(tmp_path) as house:
        one, two = house.in_step(2)
        poll_all(house)
        approve(house, since=AT, minimum="plex")
        poll_all(house)
        view(house, one, 40, at=AT - 5000)
        view(house, two, 40)
        house.clock.move(601)
        poll_all(house)
        assert (counted(house).missing, counted(house).since) == (1, AT)


def test_the_preview_of_a_first_run_counts_what_was_watched_by_the_rule_of_the_setting(house):
    one, two = house.in_step(2)
    poll_all(house)
    view(house, one, 40)
    view(house, two, 10)
    play(house, two, AT)
    house.clock.move(601)
    poll_all(house)
    first = counted(house)
    assert (first.in_plex, first.missing, first.scenes, first.minimum, first.in_force) == (2, 2, 2, "stash", "")
    assert mutations(house) == []


def test_a_viewing_and_its_row_of_the_history_are_counted_as_one_play(house):
    room = LivingRoom(house)
    _, key = add(room)
    poll_all(house)
    for _ in range(2):
        room.watch(key, 1850)
        room.wait(7200)
    poll_all(house)
    assert house.rows("select count(*) from played") == [(4,)]
    first = counted(house)
    assert (first.in_plex, first.missing, first.present) == (2, 2, 0)


def test_an_approval_for_another_account_holds_no_rule(house):
    house.in_step()
    poll(house)
    approve(house, account=2, minimum="plex")
    assert in_force(house) == "stash"


# --- the preview -----------------------------------------------------------------------------------------------------


def previewed(house: House, *, since: int = 0) -> tuple[FirstPlays, list[PlaysPage]]:
    pages: list[PlaysPage] = []
    previewer = house.worker.back.first_run
    previewer.freshen()
    first = previewer.count(since=since, take=pages.append)
    assert first is not None
    return first, pages


def test_a_preview_names_what_would_be_written_and_what_is_left_out(house):
    one, two, three = house.in_step(3)
    house.change(f"update job set state = 'ignored' where id = {three}")
    film = house.plex_sim.add_movie(house.section, files=[("/media/nobody.mp4", 5, 60_000)], title="film")
    house.stash_sim.plays.add(two, [AT])
    play(house, one, AT, AT + YEAR)
    play(house, two, AT, AT + YEAR)
    play(house, three, AT)
    house.plex_sim.play(film, at=AT)
    first, pages = previewed(house)
    assert (first.in_plex, first.missing, first.scenes, first.present, first.unmatched) == (6, 3, 2, 1, 2)
    scenes = {scene.id: scene for page in pages for scene in page.scenes if scene.missing}
    assert {id: scene.missing for id, scene in scenes.items()} == {one: (AT, AT + YEAR), two: (AT + YEAR,)}
    assert scenes[one].title == "Title 0"
    first, _ = previewed(house, since=AT + 1)
    assert (first.in_plex, first.missing, first.present) == (2, 2, 0)
    assert mutations(house) == []
    assert house.unsettled() == 0


def test_a_preview_counts_each_scene_once_and_reads_it_in_batches(house):
    ids = house.in_step(2 * PAGE + 10)
    twin = house.plex_sim.add_section("Other", locations=("/media",), agent="tv.plex.agents.movie")
    path, size, _ = house.plex_sim.item(house.key_of(ids[0])).files[0][:3]
    key = house.plex_sim.add_movie(twin, files=[(path, size, 60_000)], title="twin")
    house.worker.reconciler.reconcile()
    house.work()
    house.plex_sim.play(key, at=AT)
    house.plex_sim.play(key, at=AT + 1)
    for id in ids:
        play(house, id, AT, AT + 5)
    house.worker.back.first_run.freshen()
    house.forget_requests()
    first, pages = previewed(house)
    assert (first.missing, first.scenes) == (2 * len(ids) + 1, len(ids))
    assert [page.is_last for page in pages] == [False, False, True]
    shown = [scene.id for page in pages for scene in page.scenes if scene.missing]
    assert sorted(shown) == ids
    assert len(house.stash_sim.log) <= 2 * len(pages) + 2


def test_a_scene_that_can_not_be_read_is_told(house):
    one, two = house.in_step(2)
    play(house, one, AT)
    play(house, two, AT)
    key = house.key_of(one)
    house.plex_sim.faults.set(fails("GET", key))
    first, _ = previewed(house)
    assert (first.unread, first.missing) == (1, 1)
