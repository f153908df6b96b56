"""Out of scope is a state with a reason: nothing is asked of Plex, nothing is forgotten, and a change of scope is found."""

import pytest

from plexsync.flows.scenes import reconcile
from plexsync.rules.match.scope import Scope, Term
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.queue.note_keys import CHANGED, WISHES
from tests.engine.house import DAY, House

ORGANIZED = Scope((Term("organized"),))
NO_TAG_3 = Scope((Term("tag", "Tag 3", leaves_out=True),))


@pytest.fixture
def narrow(tmp_path):
    with House(tmp_path / "data", scope=ORGANIZED) as made:
        yield made


def compare(house, **more):
    return house.worker.reconciler.reconcile(**more)


def test_a_scene_out_of_scope_is_outside_with_the_reason_and_costs_plex_nothing(narrow):
    (id,) = narrow.add()
    narrow.want(id)
    narrow.work()
    row = narrow.row(id)
    assert (row.state, row.cls, row.error) == (State.OUTSIDE, "scope", "out of scope: it is not organized")
    assert (narrow.plex_sim.count(), narrow.stash_sim.count()) == (0, 1)
    assert narrow.unsettled() == 0
    assert narrow.books_balance()
    assert narrow.rows("select count(*) from attempt") == [(0,)]


def test_it_is_neither_due_nor_dead_nor_ever_too_old(narrow):
    (id,) = narrow.add()
    narrow.want(id)
    narrow.work()
    for _ in range(3):
        narrow.clock.move(20 * DAY)
        narrow.worker.engine.prune()
    with narrow.store.reading() as db:
        assert (db.jobs.next_due(narrow.clock.now()), db.jobs.count_dead()) == (None, {})
    assert narrow.row(id).state is State.OUTSIDE


@pytest.mark.parametrize("why", Why)
def test_whatever_wants_it_has_it_looked_at_again(narrow, why):
    (id,) = narrow.add()
    narrow.want(id)
    narrow.work()
    narrow.stash_sim.quiet_edit(id, organized=True)
    narrow.clock.move(5)
    narrow.want(id, why=why)
    assert narrow.row(id).state is State.READY
    narrow.work()
    assert narrow.row(id).state is State.IDLE
    assert narrow.out_of_step([id]) == []
    assert narrow.books_balance()


def test_a_scene_that_leaves_the_scope_keeps_what_plex_has_and_what_is_remembered(narrow):
    (id,) = narrow.add()
    narrow.stash_sim.quiet_edit(id, organized=True)
    narrow.want(id)
    narrow.work()
    known = narrow.rows("select * from memory")
    narrow.edit(id, organized=False, title="Never shown")
    narrow.work()
    assert narrow.row(id).state is State.OUTSIDE
    assert narrow.title_in_plex(id) == "Title 0"
    assert narrow.rows("select * from memory") == known


def test_a_comparison_wants_an_outside_scene_once_and_counts_it(narrow):
    ids = narrow.add(3)
    assert compare(narrow).wanted == 3
    narrow.work()
    report = compare(narrow)
    assert (report.wanted, dict(report.standing)) == (0, {"outside": 3})
    narrow.stash_sim.quiet_edit(ids[0], organized=True)
    assert compare(narrow).wanted == 1


def test_the_item_of_a_scene_out_of_scope_has_a_scene(narrow):
    narrow.add(3)
    narrow.plex_sim.add_movie(narrow.section, files=[("/media/lone.mp4", 5, 60_000)], title="lone")
    narrow.stash_sim.add_scene(title="By its name", files=[("/elsewhere/named.mp4", 77, 60.0)])
    narrow.plex_sim.add_movie(narrow.section, files=[("/media/named.mp4", 77, 60_000)], title="named")
    report = compare(narrow)
    assert (report.standing["outside"], report.without_scene) == (4, 1)
    ((library,),) = narrow.rows("select title from library")
    narrow.worker.reconciler.reconcile_some(reconcile.ComparisonScope(library=library))
    with narrow.store.reading() as db:
        assert db.index.count_unpaired(report.began) == 1


def test_another_scope_moves_exactly_the_scenes_that_it_concerns(house):
    ids = house.in_step(10)
    house.replace_worker(scope=NO_TAG_3)
    report = compare(house)
    assert (report.wanted, dict(report.standing)) == (2, {"in step": 8, "outside": 2})
    house.work()
    assert house.states() == {State.IDLE: 8, State.OUTSIDE: 2}
    house.clock.move(60)
    house.replace_worker()
    assert compare(house).wanted == 2, "in step, but the row says otherwise"
    house.work()
    assert house.states() == {State.IDLE: 10}
    assert house.out_of_step(ids) == []
    assert house.books_balance()


def test_another_reason_is_told_after_one_comparison(house):
    (id,) = house.add(1, start=3)
    house.replace_worker(scope=ORGANIZED)
    house.want(id)
    house.work()
    house.clock.move(60)
    house.replace_worker(scope=NO_TAG_3)
    assert compare(house).wanted == 1
    house.work()
    assert house.row(id).error == "out of scope: it has the tag Tag 3"
    assert compare(house).wanted == 0


def test_what_is_absent_or_given_up_is_outside_after_a_comparison_and_what_was_dropped_stays_dropped(house):
    absent = house.add_scene(70)
    dead, dropped = house.add(2)
    house.want(absent)
    house.work()
    house.want(dead, dropped)
    house.change(f"update job set state = 'dead', cls = 'refused', desired = 'old' where id = {dead}")
    house.change(f"update job set state = 'dropped', desired = 'old' where id = {dropped}")
    house.clock.move(30)
    house.replace_worker(scope=ORGANIZED)
    assert compare(house).wanted == 2
    house.work()
    assert {id: house.row(id).state for id in (absent, dead, dropped)} == {
        absent: State.OUTSIDE,
        dead: State.OUTSIDE,
        dropped: State.DROPPED,
    }
    assert compare(house).wanted == 0
    assert house.books_balance()


def test_an_outside_scene_that_stash_has_lost_is_gone_after_a_comparison(narrow):
    (id,) = narrow.add()
    narrow.want(id)
    narrow.work()
    narrow.stash_sim.clean_scene(id)
    assert compare(narrow).gone == 1
    narrow.clock.move(5)
    narrow.work()
    assert narrow.row(id).state is State.GONE


def test_a_scene_out_of_scope_is_a_rival_all_the_same(narrow):
    """Both have a file of that name and size and Plex has one: which scene it is cannot be told, whatever the scope."""
    narrow.plex_sim.add_movie(narrow.section, files=[("/elsewhere/one.mp4", 5, 60_000)], title="one")
    inside = narrow.stash_sim.add_scene(title="In", organized=True, files=[("/a/one.mp4", 5, 60.0)])
    narrow.stash_sim.add_scene(title="Out", files=[("/b/one.mp4", 5, 60.0)])
    narrow.want(inside)
    narrow.work()
    assert (narrow.row(inside).state, narrow.row(inside).cls) == (State.DEAD, "ambiguous")
    assert narrow.plex_sim.count("PUT") == 0


def test_an_item_that_belongs_to_a_scene_out_of_scope_is_not_taken_over(house):
    """Two scenes with the same file path: the first one owns the item, and does so after it has left the scope."""
    path = ("/media/both.mp4", 5, 60_000)
    house.plex_sim.add_movie(house.section, files=[path], title="both")
    first = house.stash_sim.add_scene(title="First", files=[("/media/both.mp4", 5, 60.0)])
    house.want(first)
    house.work()
    assert house.title_in_plex(first) == "First"
    house.clock.move(60)
    house.replace_worker(scope=ORGANIZED)
    second = house.stash_sim.add_scene(title="Second", organized=True, files=[("/films/both.mp4", 5, 60.0)])
    house.want(second)
    house.work()
    assert house.row(second).state in (State.DEAD, State.ABSENT)
    assert house.title_in_plex(first) == "First"


ANN_OR_RATED = Scope((Term("performer", "Ann"), Term("rating", "60+")), "any")
KNOWN = Scope((Term("stash_id", "stashdb.org"), Term("url"), Term("url", "private", leaves_out=True)), "all")


def test_an_edit_of_what_a_term_is_about_moves_the_scene(tmp_path):
    with House(tmp_path / "data", scope=ANN_OR_RATED) as house:
        (id,) = house.add()
        house.want(id)
        house.work()
        assert house.row(id).error == "out of scope: no term fits it: performer: Ann, rating: 60+"
        assert house.plex_sim.count() == 0
        house.worker.poller.poll()
        for change, state in (
            ({"rating100": 60}, State.IDLE),
            ({"rating100": 59}, State.OUTSIDE),
            ({"performers": ["Bo", "Ann"]}, State.IDLE),
            ({"performers": []}, State.OUTSIDE),
        ):
            house.stash_sim.quiet_edit(id, **change)
            house.clock.move(60)
            house.worker.poller.poll()
            house.clock.move(60)
            house.work_until_settled()
            assert house.row(id).state is state, change


def test_a_renamed_performer_moves_exactly_the_scenes_with_it(tmp_path):
    with House(tmp_path / "data", scope=Scope((Term("performer", "Ann"),))) as house:
        with_bo, with_cy = house.add(2)
        house.stash_sim.quiet_edit(with_bo, performers=["Bo"])
        house.stash_sim.quiet_edit(with_cy, performers=["Cy"])
        house.clock.move(60)
        house.want(with_bo, with_cy)
        house.work()
        assert house.states() == {State.OUTSIDE: 2}
        house.stash_sim.rename_performer("Bo", "ann")
        house.clock.move(60)
        house.want(1, kind=Kind.PERFORMER)
        house.work()
        assert (house.row(with_bo).state, house.row(with_cy).state) == (State.IDLE, State.OUTSIDE)
        house.stash_sim.rename_performer("ann", "Di")
        house.clock.move(60)
        house.want(1, kind=Kind.PERFORMER)
        house.work()
        assert house.row(with_bo).error == "out of scope: it has none of the performers Ann"


def test_stash_ids_and_urls_decide_in_the_queue_and_in_a_comparison(tmp_path):
    box = ("https://stashdb.org/graphql", "a-1")
    with House(tmp_path / "data", scope=KNOWN) as house:
        inside, bare, private = house.add(3)
        house.stash_sim.quiet_edit(inside, stash_ids=[box], urls=["https://a.test/1"])
        house.stash_sim.quiet_edit(bare, stash_ids=[box])
        house.stash_sim.quiet_edit(private, stash_ids=[box], urls=["https://a.test/PRIVATE"])
        house.clock.move(60)
        house.want(inside, bare, private)
        house.work()
        assert house.row(inside).state is State.IDLE
        assert house.row(bare).error == "out of scope: it has no URL"
        assert house.row(private).error == "out of scope: it has a URL with private"
        assert dict(compare(house).standing) == {"in step": 1, "outside": 2}


def test_a_worker_with_other_wishes_asks_for_a_comparison_until_one_is_made(house):
    house.in_step(2)

    def note():
        with house.store.reading() as db:
            return db.notes.text(WISHES)

    def start(wishes):
        house.replace_worker(wishes=wishes)
        house.worker.reconciler.note_wishes()
        return note()

    assert start("one") == "one", "the first worker only notes how things are set"
    assert start("one") == "one"
    assert start("two") == CHANGED
    assert start("one") == CHANGED, "what was worked under the other settings is still to be found"
    compare(house, stopping=lambda: True)
    assert note() == CHANGED
    compare(house)
    assert note() == "one"
