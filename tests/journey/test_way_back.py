"""The way back with real processes: what is played in Plex is in Stash, through a kill of the worker."""

import html
import signal

import pytest

from plexsync.reports.format import local
from plexsync.simulator.http import Fault
from tests.journey.world import stop, until
from tests.web.conftest import dashboard

AT = 1_700_000_000


@pytest.mark.long
def test_plays_of_the_account_arrive_in_stash_once_through_a_kill(world):
    stash, plex = world.stash, world.plex
    guest = plex.add_account("living room")
    ids = world.add(5)
    keys = plex.keys(world.section)
    world.settings |= {"watch_back": "plays", "watch_account": "Living Room", "watch_since": "2023-11-01"}
    assert world.run("sync", "--all", "--wait").returncode == 0
    for moment, key in enumerate(keys):
        plex.play(key, at=AT + moment, account=guest)
        plex.play(key, at=AT + moment)
    plex.play(keys[0], at=AT - 100 * 86_400, account=guest)
    process = world.start("serve")
    waits = "5 plays of living room in Plex, 5 of them not in Stash, oldest 2023-11-14: wait for your yes"
    until(lambda: waits in world.run("status").stdout.splitlines()[0])
    assert not [request for request in stash.log if b"mutation" in request.body]
    assert world.run("plays", "sync", "--yes").returncode == 0
    # A request of which nothing arrived keeps its scene waiting for minutes, so the kill comes after the last of them.
    until(lambda: all(stash.plays.of(id) for id in ids))
    process.send_signal(signal.SIGKILL)
    process.wait()
    plex.play(keys[1], at=AT + 50, account=guest)
    process = world.start("serve")
    until(lambda: all(len(stash.plays.of(id)) == 1 + (id == ids[1]) for id in ids))
    stop(process)
    assert [sorted(stash.plays.of(id)) for id in ids] == [
        [AT],
        [AT + 1, AT + 50],
        *([AT + n] for n in range(2, 5)),
    ]
    assert world.json("status")["plays"] == {
        "waiting": 0,
        "since": None,
        "error": "",
        "in_plex": 6,
        "sent": 6,
        "unfinished": 0,
        "present": 0,
        "undone": 0,
        "deleted": 0,
        "first": None,
    }
    sentence = f"played 2 times in Plex, last on {local((AT + 50) * 1000)}"
    assert world.json("explain", str(ids[1]))["plays"]["text"] == sentence
    assert f"Plays: {sentence}." in world.run("explain", str(ids[1])).stdout
    with dashboard(world) as dash:
        assert f"Plays: {sentence}." in html.unescape(dash.get(f"/scenes/{ids[1]}").text)
    stash.stop()
    told = world.run("explain", str(ids[1]))
    assert (told.returncode, f"Plays: {sentence}." in told.stdout) == (1, True)


def test_a_play_arrives_in_stash_by_plexs_event_without_waiting_for_the_poll(world):
    stash, plex = world.stash, world.plex
    one, two = world.add(2)
    keys = plex.keys(world.section)
    guest = plex.add_account("guest")
    world.settings |= {"watch_back": "plays", "stash_poll_interval": "3600"}
    assert world.run("sync", "--all", "--wait").returncode == 0
    assert world.run("plays", "sync", "--yes").returncode == 0
    plex.traits.history_lag = 2.0

    def reads() -> int:
        return plex.count("GET", "/status/sessions/history")

    with world.serving():
        until(plex.listeners)
        until(reads)
        at_start = reads()
        plex.sessions.finish(keys[1], account=guest)
        plex.sessions.start(keys[0])
        plex.sessions.pause(keys[0], 30_000)
        plex.sessions.start(keys[0], 30_000)
        plex.sessions.finish(keys[0])
        until(lambda: stash.plays.of(one))
        assert reads() > at_start
    assert (len(stash.plays.of(one)), stash.plays.of(two)) == (1, ())


def test_a_stash_that_refuses_plays_is_told_and_stops_no_sync(world):
    stash, plex = world.stash, world.plex
    (id,) = world.add(1)
    (key,) = plex.keys(world.section)
    world.settings["watch_back"] = "plays"
    assert world.run("sync", "--all", "--wait").returncode == 0
    plex.play(key, at=AT)
    assert world.run("plays", "sync", "--yes").returncode == 0
    stash.faults.set(Fault("status", status=500, when=lambda request: b"sceneAddPlay" in request.body))
    with world.serving():
        until(lambda: "wait for Stash" in world.run("status").stdout.splitlines()[0])
        stash.edit_scene(id, title="Edited")
        until(lambda: plex.item(key).scalars["title"] == "Edited")
    assert "of 1 scene not settled yet" in world.run("status").stdout


def test_nothing_is_written_to_stash_while_the_way_back_is_off(world):
    stash, plex = world.stash, world.plex
    (id,) = world.add(1)
    (key,) = plex.keys(world.section)
    plex.play(key, at=AT)
    with world.serving():
        until(lambda: plex.item(key).scalars["title"] == "Title 0")
        stash.edit_scene(id, title="Edited")
        until(lambda: plex.item(key).scalars["title"] == "Edited")
    assert not [request for request in stash.log if b"mutation" in request.body]
    assert not [request for request in plex.log if "history" in request.path]
