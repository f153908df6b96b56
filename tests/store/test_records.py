"""What survives besides jobs: memory, pushes under way, the path index, breakers, holds, paces, notes, what was seen."""

import os
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from plexsync.rules.item import Entry, Part
from plexsync.rules.match.origin import Origin
from plexsync.rules.match.paths import name_key, path_key
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import BreakerRow, HoldRow, PaceRow, PollMark, SectionRow
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour
from plexsync.store import documents
from plexsync.store.database import Database
from tests.stores import look

T = 1_700_000_000_000
PLEX, STASH = Neighbour
CASES = 20_000 if os.environ.get("PLEXSYNC_TORTURE") else 100


def title(text: str, *, locked: bool = True) -> Remembered:
    return Remembered(text, Held(text, locked), Held("before", False))


def remember(store: Database, scene: int, key: str, memory, now: int = T) -> None:
    with store.writing() as tx:
        tx.memories.save(scene, key, memory, now=now)


def memories(store: Database, *scenes: int):
    with store.reading() as db:
        return db.memories.of(scenes)


# --- memory ----------------------------------------------------------------------------------------------------------

GENRES = Remembered(("a", "b"), Held(("a", "b", "c"), True), Held((), False), ours={"a": "A", "b": "b"})


def test_memory_is_kept_by_scene_and_item_and_replaced_as_a_whole(store):
    remember(store, 1, "10", {"title": title("One"), "genre": GENRES})
    remember(store, 1, "11", {"title": title("Also one")})
    remember(store, 2, "12", {"title": title("Two")})

    assert memories(store, 1) == {
        (1, "10"): {"title": title("One"), "genre": GENRES},
        (1, "11"): {"title": title("Also one")},
    }
    remember(store, 1, "10", {"title": title("New")})
    remember(store, 1, "11", {})
    assert memories(store, 1, 2, 3) == {(1, "10"): {"title": title("New")}, (2, "12"): {"title": title("Two")}}


def test_the_owner_of_an_item_is_the_scene_that_remembered_it_last(store):
    remember(store, 1, "10", {"title": title("One")})
    remember(store, 2, "10", {"title": title("Two")})
    with store.reading() as db:
        assert db.memories.owners(["10", "11"]) == {"10": {2: Origin()}}, "an item is one scene's"


def test_a_memory_that_can_not_be_read_counts_as_none(store, folder, caplog):
    remember(store, 1, "10", {"title": title("One")})
    remember(store, 2, "11", {"title": title("Two")})
    with look(folder) as db:
        db.execute("update memory set document = ? where subject = 1", [documents.encode({"title": 5}, (1, "10"))])
    assert list(memories(store, 1, 2)) == [(2, "11")]
    assert "scene 1" in caplog.text


def test_a_memory_under_another_scene_or_item_than_its_own_counts_as_none(store, folder):
    remember(store, 1, "10", {"title": title("One")})
    remember(store, 2, "11", {"title": title("Two")})
    with look(folder) as db:
        db.execute("update memory set subject = 3 where subject = 1")
        db.execute("update memory set item = '12' where subject = 2")
    assert memories(store, 1, 2, 3) == {}


def test_a_trace_tells_whether_something_of_plexsync_may_be_on_an_item(store, folder):
    before = Held("before", False)
    remember(store, 1, "10", {"title": title("One")})
    remember(store, 2, "11", {"title": replace(title("Two"), undone=TakenBack.UNDO)})
    remember(store, 3, "12", {"title": replace(title("Three"), undone=TakenBack.UNDO, left=before)})
    remember(store, 4, "13", {"title": title("Four")})
    with look(folder) as db:
        db.execute("update memory set subject = 5 where subject = 4")
    with store.reading() as db:
        traces = db.memories.traces([1, 2, 3, 4, 5])
    assert traces == {(1, "10"): (True, Origin()), (2, "11"): (True, Origin()), (3, "12"): (False, Origin())}


OF = (7, "10")


def test_no_flipped_bit_of_what_is_remembered_goes_unnoticed():
    written = documents.encode({"title": title("One"), "genre": GENRES}, OF)
    read = dict[str, Remembered]
    assert documents.decode(written, read, "it", OF) == {"title": title("One"), "genre": GENRES}
    for place in range(len(written) * 8):
        flipped = bytearray(written)
        flipped[place // 8] ^= 1 << place % 8
        assert documents.decode(bytes(flipped), read, "it", OF) is None


TEXTS = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(
    ["\ud800", "a\0b", "\U0001f469\u200d\U0001f680"]
)


@pytest.mark.timeout(1800)
@settings(max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, names=st.lists(TEXTS, max_size=3, unique=True))
def test_any_text_can_be_remembered(store, text, names):
    def kept(given: str) -> str:
        return given.encode("utf-8", "replace").decode()

    ours = dict.fromkeys(names, text)
    memory = {"title": title(text), "genre": Remembered(tuple(names), Held(text, True), Held((), False), ours)}
    remember(store, 1, "10", memory)
    found = memories(store, 1)[1, "10"]
    assert found["title"] == title(kept(text))
    assert found["genre"].said == tuple(kept(name) for name in names)
    assert found["genre"].ours == {kept(name): kept(text) for name in names}


# --- pushes under way ------------------------------------------------------------------------------------------------


def pushing(text: str, until: int) -> Pushing:
    return Pushing({"title": Sending(text, Held(text, True), Held("", False), Held("", False), adds=("x",))}, until)


def test_pushes_are_kept_in_their_order_and_dropped_by_number_or_when_they_have_ended(store):
    with store.writing() as tx:
        first = tx.pushings.add(1, "10", pushing("a", T + 1))
        second = tx.pushings.add(1, "10", pushing("b", T + 2))
        tx.pushings.add(1, "10", pushing("c", T + 3))
        tx.pushings.add(2, "10", pushing("d", T + 1))
        assert first != second
        assert tx.pushings.of([1])[1, "10"] == (pushing("a", T + 1), pushing("b", T + 2), pushing("c", T + 3))

        tx.pushings.drop(1, "10", number=second)
        assert tx.pushings.of([1])[1, "10"] == (pushing("a", T + 1), pushing("c", T + 3))
        tx.pushings.drop_ended([(1, "10")], ended=T + 1)
        assert tx.pushings.of([1, 2]) == {(1, "10"): (pushing("c", T + 3),), (2, "10"): (pushing("d", T + 1),)}
        tx.pushings.drop_all([])
        assert len(tx.pushings.of([1])[1, "10"]) == 1


def test_a_number_is_never_given_twice(store):
    with store.writing() as tx:
        first = tx.pushings.add(1, "10", pushing("a", T))
        tx.pushings.drop(1, "10", number=first)
    with store.writing() as tx:
        assert tx.pushings.add(1, "10", pushing("a", T)) != first


# --- healthy items ---------------------------------------------------------------------------------------------------


def healthy(store: Database, limit: int, **more):
    with store.reading() as db:
        return db.memories.healthy_locks(limit, **more)


def index(store: Database, *keys: str, section: str = "1", walk: int = 1) -> None:
    with store.writing() as tx:
        tx.index.save([Entry(key, section, (Part(f"/media/{key}.mp4", 5),)) for key in keys], walk=walk)


def test_healthy_are_locks_we_hold_on_indexed_items_newest_first_one_for_each_item(store):
    index(store, "10", "11", "12", "13", "14", section="7")
    remember(store, 1, "10", {"title": title("a"), "studio": title("b")}, T + 1)
    remember(store, 2, "11", {"title": title("a", locked=False), "studio": title("b")}, T + 3)
    remember(store, 3, "12", {"title": title("a", locked=False)}, T + 4)
    remember(store, 4, "99", {"title": title("not in the index")}, T + 5)
    remember(store, 5, "13", {"userRating": title("7")}, T + 6)
    remember(store, 6, "14", {"title": title("a")}, T + 7)
    remember(store, 7, "10", {"title": title("a")}, T + 2)
    with store.writing() as tx:
        tx.pushings.add(6, "14", pushing("under way", T))

    assert healthy(store, 9) == [("7", "11", "studio"), ("7", "10", "title")]
    assert healthy(store, 1) == [("7", "11", "studio")]
    assert healthy(store, 9, but=frozenset({"11"})) == [("7", "10", "title")]
    assert healthy(store, 0) == []


# --- the index -------------------------------------------------------------------------------------------------------


def test_items_are_found_by_key_place_and_name_with_their_files_in_order(store):
    two = Entry("20", "1", (Part("/media/b/Two CD1.mp4", 5), Part("/media/a/Two CD2.mp4", 6)))
    one = Entry("3", "1", (Part("D:\\Media\\One.mp4", 7),))
    bare = Entry("4", "1", ())
    with store.writing() as tx:
        tx.index.save([two, one, bare], walk=1)
    with store.reading() as db:
        assert db.index.entries(["20", "4", "99"]) == [two, bare]
        assert db.index.entries(path_keys=[path_key("/media/a/Two CD2.mp4")]) == [two]
        assert db.index.entries(path_keys=[path_key("d:/media/one.MP4")]) == [one]
        assert db.index.entries(name_keys=[name_key("/elsewhere/two cd1.MP4"), name_key("one.mp4")]) == [two, one]
        assert db.index.entries(path_keys=[path_key("/media/A/two cd2.mp4")]) == []
        assert db.index.count() == 3


def test_an_item_met_again_has_the_files_it_has_now(store):
    index(store, "10", walk=1)
    now = Entry("10", "1", (Part("/media/moved.mp4", 5),))
    with store.writing() as tx:
        tx.index.save([now], walk=2)
    with store.reading() as db:
        assert db.index.entries(["10"]) == [now]
        assert db.index.entries(path_keys=[path_key("/media/10.mp4")]) == []


def test_a_complete_walk_forgets_what_it_did_not_meet_in_its_library(store):
    index(store, "10", "11", walk=1)
    index(store, "20", section="2", walk=1)
    index(store, "10", walk=2)
    with store.writing() as tx:
        assert tx.index.sweep("1", walk=2) == 1
        assert [entry.key for entry in tx.index.entries(["10", "11", "20"])] == ["10", "20"]
        assert tx.index.entries(name_keys=[name_key("11.mp4")]) == []
        tx.index.drop(["10", "99"])
        assert tx.index.count() == 1


def test_libraries_that_are_not_named_are_forgotten_with_their_items(store):
    index(store, "10")
    index(store, "20", section="2")
    with store.writing() as tx:
        tx.sections.save(SectionRow("1", "Movies", 1, 2, 3))
        tx.sections.save(SectionRow("2", "Old", 4, 5, 6))
        tx.sections.save(SectionRow("1", "Films", 7, 8, 9))
        tx.sections.drop(["1", "3"])
        assert tx.sections.all() == [SectionRow("1", "Films", 7, 8, 9)]
        assert tx.index.entries(["10", "20"]) == [Entry("10", "1", (Part("/media/10.mp4", 5),))]


def test_the_items_of_libraries_that_are_not_named_can_be_forgotten_a_few_at_a_time(store):
    for key in ("20", "21", "22"):
        index(store, key, section="2")
    index(store, "10")
    for left in (2, 1, 0):
        with store.writing() as tx:
            assert tx.index.drop_outside(["1"], limit=2) == left
    with store.reading() as db:
        assert [entry.key for entry in db.index.entries(["10", "20", "21", "22"])] == ["10"]


def test_a_path_of_any_characters_is_found_again(store):
    path = "/media/caf\u00e9 \ud83d \U0001f680.mp4"
    with store.writing() as tx:
        tx.index.save([Entry("1", "1", (Part(path, 5),))], walk=1)
    with store.reading() as db:
        assert [entry.key for entry in db.index.entries(path_keys=[path_key(path)])] == ["1"]
        assert [entry.key for entry in db.index.entries(name_keys=[name_key(path)])] == ["1"]


# --- breakers, holds, paces ------------------------------------------------------------------------------------------


def test_a_breaker_is_closed_until_it_was_saved(store):
    row = BreakerRow("open", 5, 1, 12.5, 60.0, 2, 7, 13.5, "write", "no answer \ud800")
    with store.writing() as tx:
        assert tx.breakers.find(PLEX) == BreakerRow()
        tx.breakers.save(PLEX, row)
    with store.reading() as db:
        assert db.breakers.find(PLEX) == BreakerRow(**{**vars(row), "error": "no answer ?"})
        assert db.breakers.find(STASH) == BreakerRow()


@pytest.mark.parametrize(
    "damage",
    [
        "state = 'ajar'",
        "state = null",
        "failures = -1",
        pytest.param("failures = 'many'", marks=pytest.mark.sqlite_only),
        pytest.param("wait = 9e999", marks=pytest.mark.sqlite_only),
        "wait = -1",
        "opened_at = null",
        pytest.param("opened_at = 'noon'", marks=pytest.mark.sqlite_only),
        "generation = null",
        pytest.param("trips = 1.5", marks=pytest.mark.sqlite_only),
        "error = null",
    ],
)
def test_a_breaker_with_values_that_can_not_be_is_open(store, folder, damage):
    with store.writing() as tx:
        tx.breakers.save(PLEX, BreakerRow("half_open", 5, 0, 12.5, 60.0, 2, 7))
    with look(folder) as db:
        db.execute(f"update breaker set {damage}")
    with store.reading() as tx:
        assert tx.breakers.find(PLEX).state == "open"
        assert tx.breakers.find(PLEX).opened_at == 0.0


def test_holds_and_paces_are_kept_for_each_neighbour(store):
    hold = HoldRow("plex_token", "Plex does not accept the token", T, T + 5, "abc")
    with store.writing() as tx:
        assert tx.holds.find(PLEX) is None
        assert tx.paces.find(PLEX) == PaceRow()
        tx.holds.save(PLEX, hold)
        tx.paces.save(PLEX, PaceRow(T, 4, 100, 3))
    with store.reading() as db:
        assert (db.holds.find(PLEX), db.holds.find(STASH)) == (hold, None)
        assert db.paces.find(PLEX) == PaceRow(T, 4, 100, 3)
        assert db.holds.names() == {PLEX}
    with store.writing() as tx:
        tx.holds.save(PLEX, None)
        assert tx.holds.find(PLEX) is None


def test_transitions_are_written_down_in_order(store, folder):
    with store.writing() as tx:
        tx.transitions.log(PLEX, at=T, old="closed", new="open", cause="read", error="no answer")
        tx.transitions.log(PLEX, at=T + 1, old="open", new="half_open", cause="", error="")
    with look(folder) as db:
        found = db.execute("select who, at, old, new, cause, error from transition order by number").fetchall()
    assert found == [("plex", T, "closed", "open", "read", "no answer"), ("plex", T + 1, "open", "half_open", "", "")]


# --- notes and what was seen -----------------------------------------------------------------------------------------


def test_notes_are_empty_until_they_are_set(store):
    with store.writing() as tx:
        assert tx.notes.text("cursor") == ""
        tx.notes.save("cursor", "1")
        tx.notes.save("cursor", "2 \ud800")
    with store.reading() as db:
        assert db.notes.text("cursor") == "2 ?"
        assert db.notes.all() == {"cursor": "2 ?"}


def test_what_was_seen_is_kept_for_each_kind(store):
    with store.writing() as tx:
        tx.poll_marks.save(
            Kind.SCENE, [PollMark(1, "2024-01-01T00:00:00Z"), PollMark(2, "2024-01-01T00:00:01Z", sure=False)]
        )
        tx.poll_marks.save(Kind.TAG, [PollMark(1, "2023-01-01T00:00:00Z")])
        assert tx.poll_marks.of(Kind.SCENE, [1, 3]) == {1: PollMark(1, "2024-01-01T00:00:00Z")}
        assert tx.poll_marks.unsure(Kind.SCENE) == [PollMark(2, "2024-01-01T00:00:01Z", sure=False)]
        tx.poll_marks.save(Kind.SCENE, [PollMark(2, "2024-01-01T00:00:01Z")])
        assert tx.poll_marks.unsure(Kind.SCENE) == []
        tx.poll_marks.forget(Kind.SCENE)
        assert tx.poll_marks.of(Kind.SCENE, [1, 2]) == {}
        assert tx.poll_marks.of(Kind.TAG, [1]) == {1: PollMark(1, "2023-01-01T00:00:00Z")}


# --- what scenes show ------------------------------------------------------------------------------------------------


def test_what_was_last_seen_on_scenes_is_found_by_kind_and_id(store):
    with store.writing() as tx:
        tx.scene_names.save(
            [
                Scene(
                    1,
                    references=(
                        ("tag", 1),
                        ("performer", 11),
                    ),
                )
            ]
        )
        tx.scene_names.save(
            [
                Scene(
                    2,
                    references=(
                        ("tag", 11),
                        ("performer", 1),
                    ),
                )
            ]
        )
        tx.scene_names.save([Scene(3, references=(("tag", 1),))])
    with store.reading() as db:
        assert db.scene_names.scenes_showing(Kind.TAG, 1) == [1, 3]
        assert db.scene_names.scenes_showing(Kind.TAG, 11) == [2]
        assert db.scene_names.scenes_showing(Kind.PERFORMER, 1) == [2]
        assert db.scene_names.scenes_showing(Kind.STUDIO, 1) == []


def test_a_scene_that_shows_something_else_or_nothing_is_found_by_that_alone(store):
    with store.writing() as tx:
        tx.scene_names.save([Scene(1, references=(("tag", 1),))])
        tx.scene_names.save([Scene(1, references=(("tag", 2),))])
        tx.scene_names.save([Scene(2, references=(("tag", 2),))])
        tx.scene_names.save([Scene(2)])
    with store.reading() as db:
        assert (db.scene_names.scenes_showing(Kind.TAG, 1), db.scene_names.scenes_showing(Kind.TAG, 2)) == ([], [1])


def test_what_a_scene_shows_as_before_is_not_written_again(store):
    with store.writing() as tx:
        tx.scene_names.save(
            [
                Scene(
                    1,
                    references=(
                        ("tag", 1),
                        ("studio", 2),
                    ),
                )
            ]
        )
    written = store.revision()
    with store.writing() as tx:
        tx.scene_names.save(
            [
                Scene(
                    1,
                    references=(
                        ("studio", 2),
                        ("tag", 1),
                    ),
                )
            ]
        )
        tx.scene_names.save([Scene(9)])
    assert store.revision() == written
