"""Collections are undone, redone, undressed and handed over; and what happens when the dressing is switched off."""

from dataclasses import replace

import pytest

from plexsync.app.further_flows import forget_dressing
from plexsync.engine.undo import wish_undone
from plexsync.flows.collections.decisions import BATCH, CollectionUndo, redone, want_collections
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice
from plexsync.rules.merge.desired import Profile
from plexsync.rules.queue.job import COLLECTION, State
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.flows.dressed import add_member, begin, collection, dressed_house, key_of, profile, rows, shown, want, writes
from tests.flows.test_collections_flow import EVERYTHING, a_library, by_hand, dressed_again, redress


def undressed_library(house):
    """The same library as `a_library` makes, dressed by nobody: what Plex shows by itself, by title."""
    return {str(entry.scalars["title"]): entry for entry in shown(house).values()}


def undo(house, *titles, how="undo"):
    known = rows(house)
    ids = [known[title].id for title in titles or known]
    worker = house.worker
    marked = wish_undone(house.store, CollectionUndo(worker.dressing.inspector), house.clock, ids, how)
    house.clock.move(3)
    house.work_until_settled()
    return marked


def all_rows(house):
    """What is remembered of every collection."""
    with house.store.reading() as db:
        return db.collections.page(after=0, limit=1000)


def as_plex_made_them(seen):
    """What Plex shows without PlexSync: members, titles, and nothing else."""
    return {
        key: replace(entry, scalars={"title": entry.scalars["title"]}, locks=frozenset(), members=entry.members)
        for key, entry in seen.items()
    }


def test_an_undo_restores_every_part_and_a_redo_brings_it_back(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        plain = Profile(frozenset(FIELDS), tag_collections=choice.parse_patterns(["Series*"]))
        house.replace_worker(profile=plain)
        ids = a_library(house)
        before = shown(house)
        house.replace_worker()
        house.want(*ids)
        house.work_until_settled()
        dressed = shown(house)
        assert dressed != before
        ids = [row.id for row in rows(house).values()]
        inspector = house.worker.dressing.inspector
        would_undo = {finding.id: set(finding.inspection.plan.edit) for finding in inspector.look(ids, undoing="undo")}
        assert shown(house) == dressed, "a look writes nothing"
        undo(house)
        with house.store.reading() as db:
            assert would_undo == {id: set(db.pushes.of(COLLECTION, id)[0].moved) for id in ids}
        would_redo = {finding.id: set(finding.inspection.plan.edit) for finding in inspector.look(ids, redoing=True)}
        assert would_redo == would_undo
        restored = shown(house)
        assert {key: set(entry.members) for key, entry in restored.items()} == {
            key: set(entry.members) for key, entry in before.items()
        }
        assert [replace(entry, members=(), home=entry.home or None) for entry in restored.values()] == [
            replace(entry, members=()) for entry in before.values()
        ]
        assert {row.standing for row in rows(house).values()} == {"undone"}
        assert dressed_again(house) == []
        known = rows(house)
        assert want_collections(house.store, house.clock, [row.id for row in known.values()], redone) == [
            row.id for row in known.values()
        ]
        house.work_until_settled()
        assert shown(house) == dressed
        assert {row.standing for row in rows(house).values()} == {"in step"}
        assert dressed_again(house) == []


def test_after_a_redo_the_first_object_of_a_shared_collection_dresses_it(tmp_path):
    with dressed_house(tmp_path) as house:
        begin(house, {"studio": None, "groups": ["Acme"]})
        house.stash_sim.edit_object("group", "Acme", synopsis="The group.")
        redress(house)
        add_member(house, 5, studio="Acme")
        house.stash_sim.edit_object("studio", "Acme", details="The studio.")
        redress(house)
        standings = {row.object.source: row.standing for row in all_rows(house)}
        assert (standings, collection(house, "Acme").scalars["summary"]) == (
            {"group": "in step", "studio": "shared"},
            "The group.",
        )
        (group,) = [row.id for row in all_rows(house) if row.object.source == "group"]
        wish_undone(house.store, CollectionUndo(house.worker.dressing.inspector), house.clock, [group], "undo")
        house.work_until_settled()
        redress(house)
        assert "summary" not in collection(house, "Acme").scalars
        assert want_collections(house.store, house.clock, [group], redone) == [group]
        house.work_until_settled()
        assert collection(house, "Acme").scalars["summary"] == "The studio."
        assert {row.object.source: row.standing for row in all_rows(house)} == {"group": "shared", "studio": "in step"}
        assert dressed_again(house) == []


def test_an_undo_leaves_what_you_changed_since_and_an_edit_in_stash_ends_it(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        key = by_hand(house, "Acme")
        before = shown(house)[key]
        undo(house)
        after = shown(house)[key]
        assert (after.scalars, after.poster, after.art) == (before.scalars, before.poster, before.art)
        assert (after.mode, after.home) == (before.mode, before.home)
        house.stash_sim.edit_object("group", "Trilogy", synopsis="Four, by now.")
        redress(house)
        assert collection(house, "Trilogy").scalars["summary"] == "Four, by now."
        assert rows(house)["Series One"].standing == "undone"


def test_a_release_leaves_the_values_and_takes_off_the_locks(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        before = shown(house)
        undo(house, how="release")
        assert shown(house) == {key: replace(entry, locks=frozenset()) for key, entry in before.items()}


def test_what_is_no_longer_wanted_is_undressed_and_forgotten(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Acme", "Series One"])
        acme, series = key_of(house, "Acme"), key_of(house, "Series One")
        house.stash_sim.destroy("studio", "Acme")
        house.worker.reconciler.reconcile()
        redress(house)
        assert set(rows(house)) == {"Trilogy", "Series One"}
        seen = shown(house)
        assert (seen[acme].scalars, seen[acme].locks) == ({"title": "Acme"}, frozenset())
        assert seen[acme].poster != seen[series].poster
        assert (seen[acme].mode, seen[acme].home or ()) == ("", ())
        house.replace_worker(profile=replace(profile(**EVERYTHING), tag_collections=choice.Patterns()))
        redress(house)
        assert set(rows(house)) == {"Trilogy"}
        assert (shown(house)[series].scalars, shown(house)[series].locks) == ({"title": "Series One"}, frozenset())


def test_below_the_minimum_there_is_no_collection_to_dress(tmp_path):
    with dressed_house(tmp_path) as house:
        a_library(house)
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Series One"])
        house.replace_worker(profile=profile(minimum=2))
        redress(house)
        assert set(rows(house)) == {"Acme", "Trilogy"}
        assert "summary" not in collection(house, "Series One").scalars


def test_what_you_hand_over_is_dressed_and_a_smart_one_never(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        stray = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        house.plex_sim.hand_edit(stray, collection=["Trilogy"])
        house.plex_sim.add_smart_collection(house.section, "Series One", [stray])
        a_library(house)
        known = rows(house)
        assert known["Trilogy"].standing == "not ours"
        with house.store.writing() as tx:
            for row in known.values():
                tx.collections.save(replace(row, owner="handed"))
        redress(house)
        assert collection(house, "Trilogy").scalars["summary"] == "Three of them."
        assert rows(house)["Trilogy"].owner == "handed"


def test_one_that_got_empty_is_forgotten_or_waits_for_its_first_scene_and_is_dressed_anew(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        ids = a_library(house)
        key = key_of(house, "Series One")
        house.plex_sim.hand_edit(house.key_of(ids[1]), collection=["Acme", "Trilogy"])
        redress(house)
        row = rows(house)["Series One"]
        assert (row.item, row.memory, row.standing) == ("", {}, "waits for its first scene")
        add_member(house, 3, tags=["Series One"])
        assert key_of(house, "Series One") != key
        assert collection(house, "Series One").scalars["summary"] == "The first."
        for id in (ids[1], 4):
            house.edit(id, tags=[])
        house.work_until_settled()
        redress(house)
        assert "Series One" not in rows(house), "no scene in Stash has the tag"


def test_switched_off_nothing_is_written_and_an_undo_still_works(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        before = shown(house)
        house.replace_worker(profile=Profile(frozenset(FIELDS), tag_collections=choice.parse_patterns(["Series*"])))
        want(house)
        forget_dressing(house.worker.parts)
        known = rows(house).values()
        with house.store.reading() as db:
            assert not any(db.jobs.find(COLLECTION, row.id) for row in known)
        house.stash_sim.edit_object("studio", "Acme", details="New.", image=png(7, 7, 7))
        house.forget_requests()
        house.worker.reconciler.reconcile()
        house.work_until_settled()
        assert writes(house) == []
        assert shown(house) == before
        undo(house, "Acme")
        assert collection(house, "Acme").scalars == {
            name: value for name, value in collection(house, "Acme").scalars.items() if name in ("title", "addedAt")
        }
        assert rows(house)["Acme"].standing == "undone"
        house.replace_worker()
        redress(house)
        assert rows(house)["Acme"].standing == "in step"
        assert collection(house, "Acme").scalars["summary"] == "New."


@pytest.mark.parametrize("form", ["section", "item"])
def test_the_form_of_edits_that_the_server_takes_is_found_once(tmp_path, form):
    with dressed_house(tmp_path) as house:
        house.plex_sim.traits.collection_edits = form
        a_library(house)
        house.stash_sim.edit_object("studio", "Acme", details="Other.")
        house.forget_requests()
        redress(house)
        assert collection(house, "Acme").scalars["summary"] == "Other."
        assert len(writes(house)) == 1


# --- two things at once ----------------------------------------------------------------------------------------------


def while_it_writes(house, happens):
    """Let this happen once, while Plex has the first write and has not answered it."""
    begun = []

    def write(request):
        if request.method != "GET" and not begun:
            begun.append(request)
            happens()
        return False

    house.plex_sim.faults.set(Fault("status", status=500, when=write))
    return begun


def test_a_redo_while_the_undo_is_written_brings_everything_back(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        dressed, ids = shown(house), [row.id for row in rows(house).values()]
        begun = while_it_writes(house, lambda: want_collections(house.store, house.clock, ids, redone))
        undo(house)
        assert len(begun) == 1
        house.clock.move(3600)
        house.work_until_settled()
        assert {row.undone for row in rows(house).values()} == {""}
        assert shown(house) == dressed
        assert dressed_again(house) == []
        assert house.books_balance()


def test_an_undo_while_it_is_dressed_takes_everything_back(tmp_path):
    with dressed_house(tmp_path) as house:
        begin(house, {"studio": "Acme"})
        (row,) = rows(house).values()
        house.stash_sim.edit_object("studio", "Acme", details="Films.")
        worker = house.worker

        def undone():
            wish_undone(
                house.store,
                CollectionUndo(worker.dressing.inspector),
                house.clock,
                [row.id],
                "undo",
            )

        begun = while_it_writes(house, undone)
        want(house)
        house.clock.move(3)
        house.work()
        assert len(begun) == 1
        house.clock.move(3600)
        house.work_until_settled()
        assert "summary" not in collection(house, "Acme").scalars
        assert rows(house)["Acme"].standing == "undone"
        assert house.books_balance()


def test_what_is_not_undone_is_not_redone_and_a_redo_queues_only_what_was_undone(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        known = rows(house)
        undo(house, "Acme")
        ids = [row.id for row in known.values()]
        assert want_collections(house.store, house.clock, [*ids, 999], redone) == [known["Acme"].id]
        with house.store.reading() as db:
            jobs = db.jobs.of(COLLECTION, ids)
        assert [id for id, job in jobs.items() if job.state is State.READY] == [known["Acme"].id]
        assert want_collections(house.store, house.clock, ids, redone) == []


def test_of_more_than_one_transaction_takes_each_that_was_undone_is_redone(tmp_path):
    with dressed_house(tmp_path, **EVERYTHING) as house:
        a_library(house)
        undo(house)
        first, second, last = (row.id for row in rows(house).values())
        others = range(1_000, 1_000 + 2 * BATCH - 3)
        # The first and the last of a transaction, and the first of the next one.
        ids = [first, *others[: BATCH - 2], second, last, *others[BATCH - 2 :]]
        assert want_collections(house.store, house.clock, ids, redone) == [first, second, last]
