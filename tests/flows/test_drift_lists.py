"""Lists of fields that you edited in Plex: which fields a filter means, pages, and decisions about many scenes at once."""

from dataclasses import replace

import pytest

from plexsync.flows.scenes import drift, inspection
from plexsync.flows.scenes.drift import (
    CROWD,
    DriftAnswer,
    DriftEntry,
    DriftFilter,
    SceneDecisions,
    candidates,
    drift_known,
    drift_now,
    drift_page,
)
from plexsync.rules.merge.drift import DriftField
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, State
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.http import Fault
from tests.engine.house import House
from tests.flows.test_drift_decisions import KEEP, TAKE, UNKEEP, answer, by_hand, edited

OPEN = DriftField("title", Held("Mine", locked=True), "Stash's", None)
KEPT = DriftField("actor", Held(("Ann",), locked=True), ("Bo",), 5)
ENTRY = DriftEntry(7, "The film", "100", "My Movies", (OPEN, KEPT))


# --- what a filter means ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "picked"),
    [
        ({}, (OPEN, KEPT)),
        ({"item": "100"}, (OPEN, KEPT)),
        ({"item": "10"}, ()),
        ({"library": "MY  movies"}, (OPEN, KEPT)),
        ({"library": "Movies"}, ()),
        ({"item": "100", "library": "Movies"}, ()),
        ({"fields": ("title",)}, (OPEN,)),
        ({"fields": ("title", "actor")}, (OPEN, KEPT)),
        ({"fields": ("summary",)}, ()),
        ({"kept_only": True}, (KEPT,)),
        ({"open_only": True}, (OPEN,)),
        ({"open_only": True, "fields": ("actor",)}, ()),
        ({"kept_only": True, "fields": ("actor",)}, (KEPT,)),
    ],
)
def test_a_filter_picks_the_fields_that_it_means(wanted, picked):
    assert DriftFilter(**wanted).picks(ENTRY) == picked
    assert DriftFilter(**wanted).narrow(ENTRY) == replace(ENTRY, fields=picked)


@pytest.mark.parametrize(
    ("decision", "fields", "named", "open_only"),
    [
        (TAKE, (), False, True),
        (TAKE, (), True, True),
        (TAKE, ("title",), False, True),
        (TAKE, ("title",), True, False),
        (KEEP, (), False, False),
        (UNKEEP, (), False, False),
    ],
)
def test_what_you_keep_is_taken_from_stash_only_if_you_name_both_field_and_scene(decision, fields, named, open_only):
    taking = DriftFilter(fields, library="Movies").taking(decision, named=named)
    assert taking == DriftFilter(fields, library="Movies", open_only=open_only)


# --- pages -----------------------------------------------------------------------------------------------------------


def test_pages_list_every_scene_once_with_all_counts(house: House):
    ids = edited(house, 4)
    answer(house, KEEP, ids[1])
    answer(house, KEEP, ids[2])
    worker, wanted = house.worker, DriftFilter()

    def page(after: int, limit: int, wanted: DriftFilter = wanted) -> tuple[list[int], int | None, int, int]:
        found = drift_page(worker.glances, wanted, after=after, limit=limit)
        return [entry.id for entry in found.entries], found.after, found.edited, found.kept

    assert page(0, 3) == (ids[:3], ids[2], 2, 2)
    assert page(ids[2], 3) == (ids[3:], None, 2, 2)
    assert page(0, 4) == (ids, None, 2, 2)
    assert page(0, 1, DriftFilter(kept_only=True)) == ([ids[1]], ids[1], 2, 2)
    assert page(ids[1], 1, DriftFilter(kept_only=True)) == ([ids[2]], None, 2, 2)
    assert page(0, 3, DriftFilter(open_only=True)) == ([ids[0]], ids[2], 2, 2)
    house.forget_requests()
    assert page(ids[3], 9) == ([], None, 2, 2)
    assert (house.plex_sim.log, house.stash_sim.log) == ([], []), "without scenes nobody is asked"


def test_the_scenes_of_a_decision_are_those_that_may_have_fields_for_it(house: House, monkeypatch):
    monkeypatch.setattr(drift, "PAGE", 1)
    monkeypatch.setattr(inspection, "BATCH", 1)
    one, two, three = edited(house, 3)
    answer(house, KEEP, two)
    with house.store.reading() as db:
        found = {what: candidates(db, what) for what in DriftAnswer}
        (known,) = drift_known(db, [one, two, three])
    assert found == {KEEP: [one, three], TAKE: [one, three], UNKEEP: [two]}
    assert (known.id, known.key, known.library, known.title) == (two, house.key_of(two), "Movies", "")
    assert [(field.name, field.is_kept, field.in_plex, field.in_stash) for field in known.fields] == [
        ("title", True, None, None)
    ]
    worker = house.worker
    listed = list(drift_now(worker.glances, [three, one, two]))
    assert [(entry.id, entry.title, entry.since is None) for entry in listed] == [
        (three, "Title 2", False),
        (one, "Title 0", False),
        (two, "Title 1", True),
    ]


# --- decisions about many --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("more", "lane"), [(0, 0), (1, 1)], ids=["a crowd", "one more"])
def test_the_scenes_of_a_decision_about_many_go_behind_all_edits(house: House, more: int, lane: int):
    (id,) = edited(house)
    made = answer(house, TAKE, id, *range(10_000, 10_000 + CROWD - 1 + more))
    assert (made.scenes, len(made.untouched), made.busy, made.remaining) == ([id], CROWD - 1 + more, [], 0)
    assert (house.row(id).state, house.row(id).lane) == (State.READY, lane)


def test_a_decision_tells_how_far_it_is_and_stops_between_two_batches(house: House, monkeypatch):
    monkeypatch.setattr(drift, "BATCH", 2)
    ids, worker, told = edited(house, 5), house.worker, []
    stops = iter([False, False, True])
    decisions = SceneDecisions(worker.glances)
    made = decisions.decide(
        ids, KEEP, DriftFilter(), lambda done, total: told.append((done, total)), lambda: next(stops)
    )
    assert (told, made.fields, made.scenes, made.remaining) == ([(2, 5), (4, 5)], 4, ids[:4], 1)
    made = answer(house, KEEP, *ids)
    assert (made.scenes, made.untouched) == (ids[4:], ids[:4])


def test_a_keep_queues_nothing_and_only_the_scenes_that_change_lose_their_attempt(house: House):
    one, two, three = house.in_step(3)
    for id in (one, two):
        by_hand(house, id, title="By hand")
    for what, states in ((KEEP, [State.IDLE] * 3), (UNKEEP, [State.READY, State.READY, State.IDLE])):
        answer(house, what, one, two, three)
        assert [house.row(id).state for id in (one, two, three)] == states
    with house.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, three, "edit", house.clock.now())
        tx.jobs.claim(9, now=house.clock.now() + 3000, lease_ms=60_000, holder="other")
    house.clock.move(4)
    assert answer(house, TAKE, one, three).scenes == [one]
    assert [house.row(id).state for id in (one, three)] == [State.READY, State.RUNNING]


def test_a_scene_stands_as_edited_until_its_last_field_is_decided_about_and_again_once_that_ends(house: House):
    (id,) = house.in_step(1)
    by_hand(house, id, title="By hand", studio="By hand")

    def word() -> str:
        with house.store.reading() as db:
            standing = db.standings.find(id)
        return standing.word if standing else ""

    words = [word()]
    for what, fields in (
        (KEEP, ("title",)), (KEEP, ("studio",)), (UNKEEP, ("genre",)), (UNKEEP, ("title",)), (TAKE, ("title",))
    ):  # fmt: skip
        answer(house, what, id, fields=fields)
        words.append(word())
    assert words == ["person 2", "person 1", "in step", "in step", "person 1", "in step"]


def test_while_a_server_is_known_to_be_away_neither_is_asked(house: House):
    (id, *_) = edited(house, 6)
    house.plex_sim.faults.set(Fault("status", status=503))
    house.want(id)
    house.work_for(600, until=lambda: house.breaker() == "open")
    assert house.breaker() == "open"
    house.forget_requests()
    worker = house.worker
    for look in (
        lambda: list(drift_now(worker.glances, [id])),
        lambda: answer(house, KEEP, id),
    ):
        with pytest.raises(NeighbourError):
            look()
    assert (house.plex_sim.log, house.stash_sim.log) == ([], [])
