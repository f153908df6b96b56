"""The plays of a scene in words: what Plex lists, and what became of each play."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from plexsync.flows.plays.history_poll import NUMBER_OF, READ_SINCE
from plexsync.flows.plays.viewings import PERCENT
from plexsync.reports.format import local
from plexsync.reports.scene_plays import scene_plays
from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.plays import PlaySource, RememberedPlay, WatchRules, state_of
from plexsync.rules.plays.resume import RememberedResume, Watched
from plexsync.rules.plays.viewings import VIEWED, Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.store.database import Database

SCENE, CREATED, AT, NOW = 7, "2026-01-02T03:04:05Z", 1_700_000_000, 1_700_100_000_000
OWNER = WatchRules()


@pytest.fixture
def store(tmp_path) -> Iterator[Database]:
    with closing(Database(tmp_path / "plexsync.db")) as made:
        yield made


def listed(store: Database, *moments: int, account: int = 1, item: str = "71") -> None:
    with store.writing() as tx:
        tx.plays.save_history(account, [(PlaySource(item, f"/h/{moment}"), moment) for moment in moments], now=NOW)
        tx.notes.save(f"{READ_SINCE}{account}", "machine 0")


def remembered(store: Database, **states: int) -> None:
    """One play for each state, with the moment `AT` plus the number."""
    with store.writing() as tx:
        plays = {
            AT + number: replace(RememberedPlay(PlaySource("71"), state), undone=undone)
            for name, number in states.items()
            for state, undone in [state_of(name, False)]
        }
        tx.plays.save(SCENE, CREATED, plays)


def told(store: Database, rules: WatchRules | None = OWNER, items: tuple[str, ...] = ("71",), created: str = CREATED):
    with store.reading() as db:
        return scene_plays(db, rules, SCENE, created_at=created, items=items)


def text(store: Database, rules: WatchRules | None = OWNER) -> str:
    facts = told(store, rules)
    assert facts
    return facts["text"]


def test_while_the_way_back_is_off_nothing_is_told_unless_plays_came_from_plex(store):
    listed(store, AT)
    assert told(store, None) is None
    remembered(store, sent=0)
    assert text(store, None) == "watch_back is off; 1 play in Stash came from Plex"
    # Of another scene that had this number.
    assert told(store, None, created="2020-01-01T00:00:00Z") is None


def test_a_history_that_was_never_read_is_said(store):
    assert text(store) == "the history of Plex has not been read yet"
    assert text(store, WatchRules("living room")) == "the history of Plex has not been read yet"
    listed(store, AT, account=5)
    with store.writing() as tx:
        tx.notes.save(f"{NUMBER_OF}living room", "5")
    assert text(store, WatchRules("Living Room")).startswith("played 1 time in Plex")
    assert text(store) == "the history of Plex has not been read yet"


def test_every_play_is_counted_by_what_became_of_it(store):
    listed(store, *range(AT, AT + 8))
    remembered(store, sent=0, adding=1, present=2, deleted=3, undone=4, removing=5)
    facts = told(store)
    assert facts == {
        "text": f"played 8 times in Plex, last on {local((AT + 7) * 1000)}; 3 not yet in Stash; "
        "1 deleted by you in Stash, and never added again; 1 taken back; 1 being taken back",
        "in_plex": 8,
        "last_played_at": "2023-11-14T22:13:27Z",
        "not_in_stash": 3,
        "added": 1,
        "present": 1,
        "deleted": 1,
        "undone": 2,
        "left_at": None,
        "viewings": [],
        "viewing_count": 0,
        "play_time": None,
        "lines": [],
    }


def test_a_play_of_two_items_in_one_second_is_one_play_and_earlier_ones_than_asked_for_none(store):
    listed(store, AT, AT + 9)
    listed(store, AT, item="72")
    with store.reading() as db:
        both = scene_plays(db, OWNER, SCENE, created_at=CREATED, items=("71", "72"))
        late = scene_plays(db, WatchRules(since=AT + 1), SCENE, created_at=CREATED, items=("71", "72"))
    assert both
    assert late
    assert (both["in_plex"], late["in_plex"]) == (2, 1)


def test_no_play_is_said(store):
    listed(store)
    assert text(store) == "Plex lists no play of it"


@pytest.mark.parametrize(
    ("offset", "more", "words"),
    [
        (3_907_600, {}, "; left at 1:05:07 in Plex"),
        (61_000, {"sending": 61_000, "until": 5}, "; left at 0:01:01 in Plex (not yet in Stash)"),
        (61_000, {"undone": TakenBack.UNDO}, "; left at 0:01:01 in Plex (taken back)"),
        (0, {}, ""),
    ],
)
def test_where_it_was_left_is_told_if_resume_points_are_brought(store, offset, more, words):
    listed(store)
    with store.writing() as tx:
        tx.watches.save(SCENE, CREATED, RememberedResume(Watched("71", ViewState(0, AT, offset)), offset, 0, **more))
    facts = told(store, WatchRules(resume=True))
    assert (facts["text"], facts["left_at"]) == (f"Plex lists no play of it{words}", offset / 1000 or None)
    assert text(store) == "Plex lists no play of it"


# --- viewings and play time ------------------------------------------------------------------------------------------

VIEWING = Viewing(
    1, "71", AT, "5", player="living room", length=1_860_000, ended=AT + 800, state=SessionState.STOPPED,
    pieces=((AT, 760_000),),
)  # fmt: skip
WATCHED = f"watched 12 min 40 s of 31 min on {local(AT * 1000)} in Plex by living room: "


def watched(store: Database, *viewings: Viewing, percent: float = 10.0) -> None:
    listed(store)
    with store.writing() as tx:
        tx.viewings.save(viewings)
        tx.viewings.mark_sent(viewings)
        tx.notes.save(PERCENT, str(percent))


@pytest.mark.parametrize(
    ("minimum", "percent", "changes", "words"),
    [
        ("stash", 10.0, {"moment": AT + 186}, "a play by Stash's rule (10 %)"),
        ("stash", 0.0, {"moment": AT + 30}, "a play by Stash's rule (30 s)"),
        ("stash", 50.0, {}, "no play by Stash's rule (50 %)"),
        ("stash", 50.0, {"state": SessionState.PLAYING}, "no play yet by Stash's rule (50 %)"),
        ("stash", 50.0, {"moment": AT + 30}, "a play by the rule of that time"),
        ("plex", 10.0, {}, "no play by Plex's rule"),
        ("45s", 10.0, {"moment": AT + 45}, "a play by the rule 45 s"),
    ],
)
def test_what_was_watched_is_told_with_the_rule_that_judges_it(store, minimum, percent, changes, words):
    watched(store, replace(VIEWING, **changes), percent=percent)
    facts = told(store, WatchRules(minimum=minimum))
    assert facts
    assert facts["lines"] == [WATCHED + words]
    moment = changes.get("moment")
    (viewing,) = facts["viewings"]
    assert (viewing["played"], viewing["length"], bool(viewing["play_at"])) == (760.0, 1860.0, bool(moment))


def test_a_viewing_with_its_row_in_the_history_is_one_play(store):
    watched(store, replace(VIEWING, moment=AT + 186))
    listed(store, AT + 805)
    remembered(store, sent=186)
    with store.writing() as tx:
        tx.plays.save_history(1, [(PlaySource("71", VIEWED), AT + 186)], now=NOW)
    facts = told(store)
    assert facts
    assert (facts["in_plex"], facts["not_in_stash"], facts["text"]) == (
        1,
        0,
        f"played 1 time in Plex, last on {local((AT + 186) * 1000)}",
    )
    assert "a play by Plex's rule" in told(store, WatchRules(minimum="90%"))["lines"][0], "it is in the history"


def test_the_latest_viewings_are_told_and_how_many_more_there_are(store):
    watched(store, *(replace(VIEWING, began=AT + 9_000 * n, player="", length=0) for n in range(7)))
    facts = told(store)
    assert facts
    lines = facts["lines"]
    assert len(lines) == 6
    assert lines[0].startswith(f"watched 12 min 40 s on {local((AT + 54_000) * 1000)} in Plex: no play by Stash's rule")
    assert (lines[-1], facts["viewing_count"]) == ("and 2 earlier viewings", 7)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (RememberedTime(700.0, 0.0), "700 of 0 of 0"),
        (RememberedTime(700.0, 100.0, withdrawn=60.0), "600 of 0 of 60"),
        (RememberedTime(700.0, 100.0, owed=9.0), "600 of 9 of 0"),
        (RememberedTime(700.0, 100.0, owed=9.0, wish=TimeWish.UNDO), "0 of 0 of 609"),
        (RememberedTime(700.0, 700.0, withdrawn=60.0, wish=TimeWish.REDO), "0 of 60 of 0"),
    ],
)
def test_the_play_time_that_came_from_plex_is_told_also_while_the_way_back_is_off(store, time, words):
    with store.writing() as tx:
        tx.play_times.save(SCENE, CREATED, time)
    facts = told(store, None)
    assert facts
    part = facts["play_time"]
    assert part
    assert f"{part['added']:g} of {part['on_its_way']:g} of {part['taken_back']:g}" == words
    assert facts["lines"] == [part["text"]]


def test_the_words_of_play_time_name_each_part(store):
    with store.writing() as tx:
        tx.play_times.save(SCENE, CREATED, RememberedTime(760.0, 0.0, withdrawn=3_900.0))
        tx.viewings.save([VIEWING])
    listed(store)
    facts = told(store)
    assert facts
    assert (
        facts["lines"][-1]
        == "play time in Stash: 12 min 40 s came from Plex, 12 min 40 s on its way, 1 h 5 min taken back"
    )
