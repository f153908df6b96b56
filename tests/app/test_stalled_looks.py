"""What a worker reads again and again and can't read is a need at every door: over all that is registered."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from plexsync.app.flow_parts import NotedLook, RegularLook
from plexsync.app.further_flows import further_flows
from plexsync.app.parts import Parts, open_parts
from plexsync.app.run import looks_beside
from plexsync.reports.needs import needs
from plexsync.reports.status import facts
from plexsync.rules.queue.note_keys import HEARTBEAT, STALLED
from plexsync.rules.queue.stalls import Stall, format_stalls, read_stalls
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.journey.world import World
from tests.web.stage import config_of

EVERYTHING = {
    "watch_back": "plays+resume",
    "rating_direction": "both",
    "playlists": "children of: Playlists",
    "collections": "studio",
    "provider_listen": "127.0.0.1:9",
}
# Every flow reads something of these, and what else is read beside the queue has no subject: it has a need of its own.
SUBJECTS = {
    "edits in Stash",
    "the full comparison",
    "plays in Plex",
    "viewings",
    "the comparison of plays",
    "resume points in Plex",
    "ratings in Plex",
    "collections and playlists",
    "folders of the libraries",
}
WITHOUT = {"lines", "listen", "events", "sample", "return", "return of Plex", "first plays", "scan", "provider steps"}


@pytest.fixture
def parts(world: World) -> Iterator[Parts]:
    with open_parts(config_of(world, **EVERYTHING), world.folder) as made:
        yield made


def looks(parts: Parts) -> dict[str, RegularLook]:
    found = looks_beside(parts, lambda: False, further_flows(parts))
    assert {look.name for look in found if not look.subject} <= WITHOUT
    return {look.subject: look for look in found if look.subject}


def stalled(parts: Parts) -> dict[str, str]:
    """What is said to be stalled while a worker runs, with the text of the need."""
    lock = try_lock(parts.folder)
    assert lock is not None
    with lock, parts.store.writing() as tx:
        tx.notes.save(HEARTBEAT, str(parts.clock.now()))
        tx.notes.save(STALLED, format_stalls(aged(read_stalls(tx.notes.text(STALLED)))))
    with try_lock(parts.folder) as held:
        assert held
        return {
            need.key.partition(":")[2]: need.text for need in needs(facts(parts)) if need.key.startswith("stalled:")
        }


def aged(stalls: dict[str, Stall]) -> dict[str, Stall]:
    """As they are after four of their intervals."""
    return {
        subject: stall._replace(since=stall.since - round(4_000 * stall.seconds)) for subject, stall in stalls.items()
    }


def test_every_flow_that_is_registered_is_found_when_it_stalls(parts: Parts) -> None:
    assert looks(parts).keys() == SUBJECTS
    for subject, look in looks(parts).items():
        noted = NotedLook(replace(look, act=lambda: "Stash gives no tags"), parts.store, parts.gates, parts.clock)
        noted()
        assert stalled(parts) == {subject: "Stash gives no tags."}
        well = NotedLook(replace(look, act=lambda: ""), parts.store, parts.gates, parts.clock)
        well()
        assert stalled(parts) == {}


def test_a_short_failure_is_none_and_an_outage_is_told_as_one(parts: Parts) -> None:
    look = replace(looks(parts)["ratings in Plex"], act=lambda: "refused")
    NotedLook(look, parts.store, parts.gates, parts.clock)()
    with parts.store.reading() as db:
        ((subject, stall),) = read_stalls(db.notes.text(STALLED)).items()
    assert (subject, stall.reason) == ("ratings in Plex", "refused")
    with try_lock(parts.folder) as held:
        assert held
        assert not [need for need in needs(facts(parts)) if need.key.startswith("stalled:")], "three intervals first"


@pytest.mark.parametrize(
    ("subject", "server", "words"),
    [
        ("edits in Stash", "stash", "Stash"),
        ("plays in Plex", "plex", "Plex"),
        ("ratings in Plex", "plex", "Plex"),
        ("the full comparison", "plex", "Plex"),
        ("collections and playlists", "stash", "Stash"),
    ],
)
def test_what_a_server_refuses_to_one_flow_alone_is_said_with_its_answer(
    world: World, parts: Parts, subject: str, server: str, words: str
) -> None:
    world.add(3)
    parts.poller.poll()
    look = looks(parts)[subject]
    at = world.stash if server == "stash" else world.plex
    at.faults.set(Fault("status", status=422))
    assert words in str(look.act())


@pytest.mark.parametrize("text", ["", "x", "[]", '{"a":1}', '{"a":[1,2]}', "[" * 9999])
def test_a_note_that_can_not_be_read_is_none(text: str) -> None:
    assert read_stalls(text) == {}
