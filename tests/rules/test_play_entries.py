"""What the journal of plays knows: the newest entry of each play, and the last request for it."""

from plexsync.rules.play_entries import JournaledPlay, PlaysEntry, newest_of
from plexsync.rules.plays import PlaySource, PlayState, RememberedPlay

UNTIL = 9_000
SOURCE = PlaySource("71", "/history/1")
CREATED = "2026-01-01"


def play(state: PlayState, **more: object) -> RememberedPlay:
    return RememberedPlay(SOURCE, state, **more)


def entry(kind: str, number: int, plays: dict, *, scene: int = 1, created_at: str = CREATED) -> PlaysEntry:
    return PlaysEntry(kind, number, number * 10, scene, created_at, "", plays)


def test_the_newest_entry_of_each_play_counts_with_the_last_request_for_it():
    asked = entry("sent", 1, {5: play(PlayState.ADDING, tries=1), 6: play(PlayState.ADDING, tries=1)})
    again = entry("sent", 3, {6: play(PlayState.ADDING, tries=2)})
    answered = entry("known", 2, {5: play(PlayState.SENT)})
    found = newest_of([asked, answered, again, entry("known", 4, {7: play(PlayState.PRESENT), 8: None})], until=UNTIL)
    assert found == {
        (1, CREATED): {
            5: JournaledPlay(play(PlayState.SENT), asked),
            6: JournaledPlay(play(PlayState.ADDING, tries=2, until=UNTIL), again),
            7: JournaledPlay(play(PlayState.PRESENT)),
            8: JournaledPlay(None),
        }
    }


def test_only_a_request_that_may_still_arrive_is_open():
    plays = {number: play(state, until=4) for number, state in enumerate(PlayState)}
    (found,) = newest_of([entry("known", 1, plays)], until=UNTIL).values()
    is_open = {plays[number].state: found[number].play.until == UNTIL for number in plays}
    assert {state for state, open_now in is_open.items() if open_now} == {PlayState.ADDING, PlayState.REMOVING}
    assert {found[number].play.state for number in plays} == set(PlayState)


def test_a_scene_made_anew_under_an_id_has_plays_of_its_own():
    one, other, anew = ({5: play(state)} for state in (PlayState.SENT, PlayState.DELETED, PlayState.PRESENT))
    found = newest_of(
        [entry("known", 1, one), entry("known", 2, other, scene=2), entry("known", 3, anew, created_at="later")],
        until=0,
    )
    assert {scene: plays[5].play for scene, plays in found.items()} == {
        (1, CREATED): one[5],
        (2, CREATED): other[5],
        (1, "later"): anew[5],
    }
