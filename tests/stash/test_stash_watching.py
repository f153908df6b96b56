"""The plays of scenes in Stash: read, added and taken; what counts when a write ends in trouble."""

import copy
import dataclasses
import json

import pytest

from plexsync.rules.plays.plays import Moments
from plexsync.rules.records import PlayerRules
from plexsync.rules.servers.errors import Barred, Throttled, TooLong, Unavailable
from plexsync.simulator.http import Fault
from plexsync.stash.watching import StashWatching
from tests.patience import HANG
from tests.stash.conftest import KEY
from tests.stash.test_stash_client import GOOD, SPOILED
from tests.tables import table
from tests.transports import saying

# 2026-01-02T03:04:05Z
MOMENT = 1_767_323_045
UNWATCHED = {"play_duration": 0, "resume_time": None}


@pytest.fixture
def answering(made):
    """A client whose every request gets this body."""

    def make(body, status=200):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return made("http://nas:9999", transport=saying(body, status))

    return make


def sent_times(sim):
    """The variable `times` of every mutation that was sent."""
    asked = [json.loads(request.body) for request in sim.log]
    return [one["variables"]["times"] for one in asked if one["query"].strip().startswith("mutation")]


# --- moments ---------------------------------------------------------------------------------------------------------


def test_moments_are_unique_and_in_order():
    moments = Moments([MOMENT + 1, MOMENT, MOMENT + 1])
    assert (list(moments), len(moments)) == ([MOMENT, MOMENT + 1], 2)
    assert moments.texts() == ["2026-01-02T03:04:05Z", "2026-01-02T03:04:06Z"]
    assert moments == Moments(iter([MOMENT, MOMENT + 1]))


def test_there_are_no_empty_moments():
    for nothing in ([], (), iter(())):
        with pytest.raises(ValueError, match="no moment"):
            Moments(nothing)


def test_moments_do_not_change():
    with pytest.raises(AttributeError):
        Moments([MOMENT]).seconds = ()


# --- reading ---------------------------------------------------------------------------------------------------------


def test_it_is_what_a_flow_asks_for(stash):
    neighbour: StashWatching = stash.watching
    assert neighbour.watched_scenes([1]) == {}


def test_many_scenes_and_their_plays_are_one_request(sim, stash):
    ids = [sim.add_scene(title=str(n), tags=["x"], studio="S") for n in range(4)]
    sim.plays.add(ids[0], [MOMENT, MOMENT + 5, MOMENT])
    sim.plays.add(ids[2], [MOMENT + 1])
    sim.destroy_scene(ids[3])
    watched = stash.watching.watched_scenes([*ids, 999, ids[0]])
    assert {id: scene.plays for id, scene in watched.items()} == {
        ids[0]: (MOMENT + 5, MOMENT, MOMENT),
        ids[1]: (),
        ids[2]: (MOMENT + 1,),
    }
    assert len(sim.log) == 1
    assert {id: watched.scene for id, watched in watched.items()} == stash.scenes(ids)


def test_only_the_plays_of_many_scenes_are_one_request_too(sim, stash):
    ids = [sim.add_scene(title=str(n)) for n in range(3)]
    sim.plays.add(ids[0], [MOMENT, MOMENT + 5, MOMENT])
    sim.destroy_scene(ids[2])
    plays = stash.watching.only_plays([*ids, 999, ids[0]])
    assert len(sim.log) == 1
    assert plays == {id: watched.brief for id, watched in stash.watching.watched_scenes(ids).items()}
    assert plays[ids[0]].plays == (MOMENT + 5, MOMENT, MOMENT)


def test_no_scene_costs_no_request(sim, stash):
    assert stash.watching.watched_scenes([]) == {}
    assert stash.watching.only_plays([]) == {}
    assert sim.log == []


def test_what_the_settings_ask_about_a_scene_is_read_with_its_plays(sim, made):
    sim.set_tag_parents("Boots", ["Shoes"])
    id = sim.add_scene(tags=["Boots"], performers=[("Ann", "the painter")], urls=["https://a.test/1"])
    client = made(sim.url, tags_above=True, people=True, extra=("url",))
    scene = client.watching.watched_scenes([id])[id].scene
    assert scene == client.scenes([id])[id]
    assert (scene.tags_above, scene.people[0].disambiguation) == ((("Shoes",),), "the painter")
    assert scene.urls == ("https://a.test/1",)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-02T03:04:05Z", MOMENT),
        ("2026-01-02T03:04:05.999Z", MOMENT),
        ("2026-01-02T03:04:05.123456789Z", MOMENT),
        ("2026-01-02T05:34:05+02:30", MOMENT),
        ("1969-12-31T23:59:59.5Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800),
    ],
)
def test_a_play_is_a_whole_second_in_utc(answering, text, moment):
    assert answering({"data": {"s1": {**GOOD, "play_history": [text], **UNWATCHED}}}).watching.watched_scenes([1])[
        1
    ].plays == (moment,)


def test_plays_are_newest_first_whatever_the_offsets(answering):
    texts = ["2026-01-02T03:04:05Z", "2026-01-02T04:04:04+01:00", "2026-01-02T03:04:06Z"]
    watched = answering({"data": {"s1": {**GOOD, "play_history": texts, **UNWATCHED}}}).watching.watched_scenes([1])
    assert watched[1].plays == (MOMENT + 1, MOMENT, MOMENT - 1)


PLAYS_THAT_ARE_NONE = [None, {}, "2026-01-02T03:04:05Z", [None], [7], ["yesterday"], [""], ["2026-01-02T03:04:05"]]


@pytest.mark.parametrize(
    ("seconds", "position"),
    [(0, 0), (None, 0), (12.5, 12_500), (12.3456, 12_346), (7, 7000), (-3, 0), (1e300, 1_000_000_000_000)],
)
def test_a_resume_point_is_in_milliseconds(answering, seconds, position):
    body = {"data": {"s1": {**GOOD, "play_history": [], "play_duration": 0, "resume_time": seconds}}}
    assert answering(body).watching.watched_scenes([1])[1].position == position


@table(
    ("seconds", "play_time"),
    [
        (0, 0.0),
        (None, 0.0),
        (40, 40.0),
        (12.3456789, 12.3456789),
        (0.1 + 0.2, 0.1 + 0.2),
        (-3, 0.0),
        (1e300, 0.0),
    ],
)
def test_a_play_time_is_the_number_that_stash_writes(answering, seconds, play_time):
    body = {"data": {"s1": {**GOOD, "play_history": [], "resume_time": 0, "play_duration": seconds}}}
    assert answering(body).watching.watched_scenes([1])[1].play_time == play_time


@table(
    "scene",
    [
        GOOD,
        {**GOOD, "play_history": []},
        {**GOOD, "play_history": [], "resume_time": 0},
        {**GOOD, "play_history": [], "play_duration": 0},
        *({**GOOD, "play_history": [], "resume_time": 0, "play_duration": seconds} for seconds in ("5", [], {}, True)),
        *({**copy.deepcopy(GOOD), "play_history": plays, **UNWATCHED} for plays in PLAYS_THAT_ARE_NONE),
        *({**GOOD, "play_history": [], "play_duration": 0, "resume_time": seconds} for seconds in ("5", [], {}, True)),
        *({**scene, "play_history": [], **UNWATCHED} for scene in SPOILED),
    ],
)
def test_a_scene_without_all_of_its_fields_is_none(answering, scene):
    with pytest.raises(Unavailable):
        answering({"data": {"s1": scene}}).watching.watched_scenes([1])


@table(
    "body",
    [
        b"",
        b"{}",
        {"data": None},
        {"data": {}},
        {"data": {"s2": None}},
        {"data": {"s1": None, "s2": None}},
        {"data": {"s1": None}, "errors": [{"message": "database is locked", "path": ["s1"]}]},
        {"data": {"s1": {**GOOD, "id": "2", "play_history": [], **UNWATCHED}}},
    ],
)
def test_half_an_answer_tells_nothing_of_plays(answering, body):
    with pytest.raises(Unavailable):
        answering(body).watching.watched_scenes([1])


@pytest.mark.parametrize("id", ["1", -1, True, "1) { id } x: findScene(id: 2"])
def test_only_numbers_reach_the_query(sim, stash, id):
    with pytest.raises(ValueError, match="number"):
        stash.watching.watched_scenes([id])
    assert sim.log == []


# --- writing ---------------------------------------------------------------------------------------------------------


def test_adding_plays_is_one_request_that_returns_all_plays(sim, stash):
    id = sim.add_scene()
    sim.plays.add(id, [MOMENT + 1])
    assert stash.watching.add_plays(id, Moments([MOMENT + 2, MOMENT])) == (MOMENT + 2, MOMENT + 1, MOMENT)
    assert sim.plays.of(id) == (MOMENT + 2, MOMENT + 1, MOMENT)
    assert sent_times(sim) == [["2026-01-02T03:04:05Z", "2026-01-02T03:04:07Z"]]
    assert len(sim.log) == 1


def test_a_play_that_is_there_is_added_once_more(sim, stash):
    id = sim.add_scene()
    stash.watching.add_plays(id, Moments([MOMENT]))
    assert stash.watching.add_plays(id, Moments([MOMENT])) == (MOMENT, MOMENT)


def test_taking_plays_takes_one_of_each_second_and_no_other(sim, stash):
    id = sim.add_scene()
    sim.plays.add(id, [MOMENT, MOMENT, MOMENT + 1, MOMENT + 2])
    assert stash.watching.take_plays(id, Moments([MOMENT, MOMENT + 1, MOMENT + 9])) == (MOMENT + 2, MOMENT)
    assert sim.plays.of(id) == (MOMENT + 2, MOMENT)
    assert len(sim.log) == 1


def test_taking_the_last_play_leaves_none(sim, stash):
    id = sim.add_scene()
    sim.plays.add(id, [MOMENT])
    assert stash.watching.take_plays(id, Moments([MOMENT])) == ()


def test_a_write_changes_no_other_scene_and_no_time(sim, stash):
    sim.now = lambda: MOMENT
    id, other = sim.add_scene(), sim.add_scene()
    before = sim.scene(other), sim.scene(id).updated_at
    sim.now = lambda: MOMENT + 100
    stash.watching.add_plays(id, Moments([MOMENT]))
    assert (sim.scene(other), sim.scene(id).updated_at) == before


def test_many_plays_are_one_request(sim, stash):
    id = sim.add_scene()
    moments = Moments(range(MOMENT, MOMENT + 5000))
    assert stash.watching.add_plays(id, moments) == tuple(reversed(list(moments)))
    assert stash.watching.take_plays(id, moments) == ()
    assert len(sim.log) == 2


@pytest.fixture
def watched(sim):
    """A scene that was watched for 40.1 s and is resumed at 5 s; at the end, nothing but that has changed in Stash."""
    sim.now = lambda: MOMENT
    id, other = sim.add_scene(), sim.add_scene()
    sim.plays.save_activity(id, 5.0, 40.1)
    sim.plays.add(id, [MOMENT])
    before = sim.scene(other), sim.scene(id)
    sim.now = lambda: MOMENT + 100
    yield id
    after = sim.scene(id)
    assert (sim.scene(other), after) == (
        before[0],
        dataclasses.replace(before[1], resume_time=after.resume_time, play_duration=after.play_duration),
    )


def progress(sim, stash, id):
    """Where a scene is resumed and how long it was played, which Stash and the client tell alike."""
    read, scene = stash.watching.watched_scenes([id])[id], sim.scene(id)
    assert (read.position, read.play_time) == (round(scene.resume_time * 1000), scene.play_duration)
    return read.position, read.play_time


@pytest.mark.parametrize("position", [12_345, 0])
def test_a_resume_point_is_set_and_the_play_time_stays(sim, stash, watched, position):
    stash.watching.save_activity(watched, at=position / 1000)
    assert len(sim.log) == 1
    assert progress(sim, stash, watched) == (position, 40.1)


def test_play_time_is_added_and_the_resume_point_stays(sim, stash, watched):
    for _ in range(2):
        stash.watching.save_activity(watched, seconds=10.2)
    assert len(sim.log) == 2
    assert progress(sim, stash, watched) == (5000, 40.1 + 10.2 + 10.2)


def test_both_are_one_request(sim, stash, watched):
    stash.watching.save_activity(watched, at=0.0, seconds=9.9)
    assert len(sim.log) == 1
    assert progress(sim, stash, watched) == (0, 40.1 + 9.9)


@pytest.mark.parametrize("seconds", [0.0, 0.1 + 0.2, 40.1, 12_345.678901234567])
@pytest.mark.parametrize("position", [None, 0, 7_001])
def test_a_restored_play_time_is_the_number_that_was_there(sim, stash, watched, seconds, position):
    stash.watching.restore_activity(watched, seconds=seconds, at=None if position is None else position / 1000)
    assert len(sim.log) == 1
    assert progress(sim, stash, watched) == (5000 if position is None else position, seconds)


def test_what_is_restored_again_is_the_same(sim, stash, watched):
    for _ in range(2):
        stash.watching.restore_activity(watched, seconds=31.7, at=4.0)
    assert progress(sim, stash, watched) == (4_000, 31.7)


# --- the rules of Stash's own player ---------------------------------------------------------------------------------


def test_the_rules_of_the_player_are_those_of_the_interface(sim, stash):
    assert stash.watching.player_rules() == PlayerRules(0.0, is_tracked=True)
    sim.ui = {"minimumPlayPercent": 10, "trackActivity": False, "language": "de-DE", "frontPageContent": [{"a": 1}]}
    assert stash.watching.player_rules() == PlayerRules(10.0, is_tracked=False)
    assert len(sim.log) == 2


@table(
    ("settings", "rules"),
    [
        ({"minimumPlayPercent": 12.5}, PlayerRules(12.5)),
        ({"minimumPlayPercent": 0, "trackActivity": True}, PlayerRules()),
        ({"minimumPlayPercent": 100}, PlayerRules(100.0)),
        *(({"minimumPlayPercent": odd}, PlayerRules()) for odd in (None, "10", "", [], {}, True, -1, 1e300, 10**400)),
        *(({"trackActivity": odd}, PlayerRules()) for odd in (None, "false", 1, [], {})),
    ],
)
def test_a_setting_that_can_not_be_read_is_its_default(answering, settings, rules):
    assert answering({"data": {"configuration": {"ui": settings}}}).watching.player_rules() == rules


@table(
    "body",
    [
        b"",
        {"data": None},
        {"data": {"configuration": None}},
        {"data": {"configuration": {}}},
        {"data": {"configuration": {"ui": None}}},
        {"data": {"configuration": {"ui": []}}},
        {"data": {"configuration": {"ui": {}}}, "errors": [{"message": "not now"}]},
    ],
)
def test_no_settings_are_no_rules(answering, body):
    with pytest.raises(Unavailable):
        answering(body).watching.player_rules()


# --- writes that end in trouble --------------------------------------------------------------------------------------


def writes(client, id=1):
    moments = Moments([MOMENT])
    return [lambda: client.watching.add_plays(id, moments), lambda: client.watching.take_plays(id, moments)]


WRITTEN = {"count": 1, "history": ["2026-01-02T03:04:05Z"]}
NOT_WHOLE = [
    None,
    {},
    {"count": 1},
    {"history": []},
    {**WRITTEN, "count": 2},
    {**WRITTEN, "count": None},
    {**WRITTEN, "history": None},
    {**WRITTEN, "history": [None]},
    {**WRITTEN, "history": ["soon"]},
    {**WRITTEN, "history": ["2026-01-02T03:04:05"]},
    {"count": 1, "history": []},
]


def test_a_whole_answer_is_read(answering):
    for write in writes(answering({"data": {"plays": WRITTEN}})):
        assert write() == (MOMENT,)


@pytest.mark.parametrize(
    "body",
    [
        *({"data": {"plays": plays}} for plays in NOT_WHOLE),
        {"data": {"plays": WRITTEN}, "errors": [{"message": "database is locked"}]},
        {"data": None, "errors": [{"message": "database is locked"}]},
        {"data": {"sceneAddPlay": WRITTEN}},
        {"data": {}},
        b"",
        b'{"data": {"plays": {"count": 1, "history": ["2026-01-0',
        b"<!DOCTYPE html><html><body>Sign in</body></html>",
    ],
    ids=str,
)
def test_a_write_with_a_broken_partial_or_error_answer_has_an_unknown_end(answering, body):
    for write in writes(answering(body)):
        with pytest.raises(Unavailable) as raised:
            write()
        assert raised.value.sent


NO_YES = [
    {"data": {"saved": False}},
    {"data": {"saved": None}},
    {"data": {"saved": 1}},
    {"data": {}},
    {"data": None, "errors": [{"message": "database is locked"}]},
    {"data": {"saved": True}, "errors": [{"message": "database is locked"}]},
    b"",
]


@table("body", [*NO_YES, {"data": {"saved": True, "reset": True}}])
def test_what_was_watched_with_another_answer_than_yes_has_an_unknown_end(answering, body):
    with pytest.raises(Unavailable) as raised:
        answering(body).watching.save_activity(1, at=5.0, seconds=1.5)
    assert raised.value.sent


@table(
    "body",
    [
        *NO_YES,
        {"data": {"saved": True}},
        {"data": {"reset": True}},
        {"data": {"reset": True, "saved": False}},
        {"data": {"reset": False, "saved": True}},
        {"data": {"reset": True, "saved": None}},
        {"data": {"reset": True, "saved": True}, "errors": [{"message": "database is locked"}]},
        b'{"data": {"reset": true, "sav',
    ],
)
def test_a_restore_without_a_yes_to_both_parts_has_an_unknown_end(answering, body):
    with pytest.raises(Unavailable) as raised:
        answering(body).watching.restore_activity(1, seconds=1.5, at=5.0)
    assert raised.value.sent


@pytest.mark.parametrize(
    ("locked", "play_time"), [("sceneResetActivity", 40.1 + 7.5), ("sceneSaveActivity", 0.0), ("scene", 40.1)]
)
def test_only_the_play_time_tells_how_much_of_a_restore_was_carried_out(sim, stash, watched, locked, play_time):
    sim.is_locked = lambda name: name.startswith(locked)
    with pytest.raises(Unavailable, match="RestoreActivity: database is locked") as raised:
        stash.watching.restore_activity(watched, seconds=7.5)
    assert raised.value.sent
    assert progress(sim, stash, watched) == (5000, play_time)


def test_the_activity_of_a_scene_that_is_gone_is_an_error(stash):
    for write in (stash.watching.save_activity, stash.watching.restore_activity):
        with pytest.raises(Unavailable, match="Activity: scene with id 99 not found"):
            write(99, seconds=1.5)


@pytest.mark.parametrize("status", [400, 422])
def test_a_stash_that_does_not_know_the_mutation_is_unavailable(answering, status):
    body = {"data": None, "errors": [{"message": "Cannot query field"}]}
    for write in writes(answering(body, status)):
        with pytest.raises(Unavailable, match=r"older than 0\.28"):
            write()


def test_an_error_of_stash_is_passed_on_with_the_name_of_the_mutation(answering):
    client = answering({"data": None, "errors": [{"message": "database is locked", "path": ["plays"]}]})
    for write, name in zip(writes(client), ("AddPlays", "TakePlays"), strict=True):
        with pytest.raises(Unavailable, match=rf"\({name}: database is locked\)"):
            write()


def test_an_error_can_follow_a_write_that_took_effect(sim, stash):
    id = sim.add_scene()
    sim.graphql_fault = lambda body: {**body, "errors": [{"message": "late trouble"}]}
    with pytest.raises(Unavailable) as raised:
        stash.watching.add_plays(id, Moments([MOMENT]))
    assert raised.value.sent
    sim.graphql_fault = None
    assert stash.watching.watched_scenes([id])[id].plays == (MOMENT,)


def test_a_play_of_a_scene_that_is_gone_is_an_error_and_takes_nothing(stash):
    with pytest.raises(Unavailable):
        stash.watching.add_plays(99, Moments([MOMENT]))
    assert stash.watching.take_plays(99, Moments([MOMENT])) == ()


@pytest.mark.parametrize(
    ("fault", "error", "is_applied"),
    [
        (Fault("refuse"), Unavailable, False),
        (Fault("hang"), Unavailable, False),
        (Fault("reset"), Unavailable, False),
        (Fault("reset_after"), Unavailable, True),
        (Fault("cut"), Unavailable, True),
        (Fault("garbage"), Unavailable, False),
        (Fault("html"), Unavailable, False),
        (Fault("status", status=500), Unavailable, False),
        (Fault("status", status=429, retry_after=30), Throttled, False),
        (Fault("status", status=401), Barred, False),
        (Fault("status", status=403), Barred, False),
        (Fault("status", status=413), TooLong, False),
        (Fault("huge", megabytes=5), Unavailable, False),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else None,
)
def test_only_the_plays_tell_how_a_write_in_trouble_ended(sim, made, fault, error, is_applied):
    id = sim.add_scene()
    client = made(sim.url, connect_timeout=30, read_timeout=0.1 if fault.kind == "hang" else HANG)
    sim.faults.set(fault)
    with pytest.raises(error) as raised:
        client.watching.add_plays(id, Moments([MOMENT]))
    sim.faults.clear()
    assert type(raised.value) is error
    assert KEY not in str(raised.value)
    if error is Unavailable:
        assert raised.value.sent is (fault.kind != "refuse")
    assert made(sim.url, read_timeout=HANG).watching.watched_scenes([id])[id].plays == ((MOMENT,) if is_applied else ())
