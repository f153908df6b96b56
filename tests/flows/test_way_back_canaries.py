"""The canaries of the way back: requests that change nothing, and show that a server works."""

import pytest

from plexsync.app.way_back import plays_to_take_back
from plexsync.engine.tickets import READ_PLEX, READ_STASH, WRITE_PLEX, WRITE_STASH
from plexsync.flows.plays.writes import NO_PLAY
from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import UNDO
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.plays.ratings import RatingRules
from plexsync.rules.plays.resume import RememberedResume, Watched
from tests.engine.house import House
from tests.engine.pools import Inline
from tests.flows.test_plays_flow import AT, play, poll
from tests.flows.test_plays_wishes import wish

GATES = (READ_PLEX, WRITE_PLEX, READ_STASH, WRITE_STASH)
SCENES = 4


@pytest.fixture
def house(tmp_path):
    rules = {"watch": WatchRules(), "ratings": RatingRules()}
    with House(tmp_path / "data", pool=Inline(), **rules) as house:
        ids = [house.add_scene(n, rating100=80) for n in range(SCENES)]
        for n in range(SCENES):
            path = house.stash_sim.scene(ids[n]).files[0][0]
            house.plex_sim.add_movie(house.section, files=[(path, 1000 + n, 60_000)], title=f"file {n}")
        house.want(*ids)
        house.work_until_settled()
        for id in ids:
            play(house, id, AT + id)
        poll(house)
        yield house


def seen(house):
    scenes = [house.stash_sim.scene(id) for id in range(1, SCENES + 1)]
    items = [house.plex_sim.item(key) for key in house.plex_sim.keys(house.section)]
    return (
        [(scene.plays, scene.rating100, scene.title) for scene in scenes],
        [(item.scalars["title"], item.scalars["userRating"], item.locks) for item in items],
    )


@pytest.mark.parametrize(
    ("kind", "counts"),
    [("plays", (0, 0, 1, 2)), ("rating", (1, 2, 1, 0)), ("ratingback", (0, 0, 1, 2))],
)
def test_each_shows_that_its_server_answers_and_changes_nothing(house, kind, counts):
    (flow,) = (flow for flow in (house.worker.back.flow, *house.worker.ratings.flows) if flow.kind == kind)
    before = seen(house)
    for gate, count in zip(GATES, counts, strict=True):
        ticket = house.worker.gates.ticket(gate)
        canaries = flow.canaries(gate, 2, ticket=ticket)
        assert (gate, len(canaries)) == (gate, count)
        house.forget_requests()
        assert [canary() for canary in canaries] == [True] * count
        sent = {READ_PLEX: "plex", WRITE_PLEX: "plex"}.get(gate, "stash")
        logs = {"plex": house.plex_sim.log, "stash": house.stash_sim.log}
        assert len(logs.pop(sent)) == count
        assert [len(log) for log in logs.values()] == [0]
    assert seen(house) == before


@pytest.mark.parametrize("what", ["plays", "a resume point"])
def test_while_the_way_back_is_off_plays_are_evidence_only_once_you_have_taken_something_back(house, what):
    house.replace_worker(watch=None, ratings=RatingRules(), holder="off")
    flow = plays_to_take_back(house.worker.parts)

    def evidence() -> list[int]:
        return [len(flow.canaries(gate, 2, ticket=house.worker.gates.ticket(gate))) for gate in GATES]

    assert evidence() == [0, 0, 0, 0]
    if what == "plays":
        wish(house, UNDO, 3)
    else:
        asked = RememberedResume(Watched("7", ViewState(0, AT, 30_000)), 30_000, 0, undone=TakenBack.UNDO)
        with house.store.writing() as tx:
            tx.watches.save(3, "", asked)
    assert evidence() == [0, 0, 1, 2]


@pytest.mark.parametrize("number", [0, 1])
def test_no_scene_is_its_own_evidence_nor_one_that_may_have_such_a_play(house, number):
    flow = (house.worker.back.flow, house.worker.ratings.flows[1])[number]
    house.stash_sim.plays.add(3, [NO_PLAY])
    ticket = house.worker.gates.ticket(WRITE_STASH)
    asked = []
    house.worker.stash.watching.take_plays = lambda id, _moments: asked.append(id)
    for but, key, expected in ((None, "", [1, 2, 4]), (1, "", [2, 4]), (None, "2", [1, 4]), (4, "1", [2])):
        asked.clear()
        for canary in flow.canaries(WRITE_STASH, SCENES, ticket=ticket, but=but, key=key):
            canary()
        assert (but, key, asked) == (but, key, expected)
    reads = []
    client, method = (house.worker.stash, "scenes") if number else (house.worker.stash.watching, "watched_scenes")
    read = getattr(client, method)
    setattr(client, method, lambda ids: reads.append(list(ids)) or read(ids))
    for but, key, expected in ((None, "", [1, 2]), (1, "", [2, 3]), (None, "2", [1, 3])):
        reads.clear()
        (canary,) = flow.canaries(READ_STASH, 2, ticket=ticket, but=but, key=key)
        canary()
        assert reads == [expected]
