"""plexsync probe --provider: it finds each trait of a server, and leaves library, item and registration as they were."""

import re
from collections.abc import Callable, Mapping

import pytest

from plexsync.app.probe import library_return, provider_questions
from plexsync.simulator.http import Fault, FaultKind, Request
from plexsync.simulator.plex_prefs import ADULT
from plexsync.simulator.plex_traits import Traits
from plexsync.store.database import Database
from plexsync.store.files.lock import try_lock
from plexsync.store.ledger.provider_memory import ProviderRow
from tests.app.probe_stage import furnish, state_of
from tests.app.test_probe_interrupted import WRITES
from tests.cli.conftest import Door
from tests.journey.world import World, until

FILE = "/media/a/One.mp4"
CALL = ("probe", "--provider", "Library", "--file", FILE)
DEFAULTS = {
    "registers_by": "header",
    "reached": True,
    "fetched": True,
    "match_filename": "relative",
    "includes_adult": False,
    "asks_by": "headers",
    "asks_images": False,
    "asks_extras": True,
    "match_clears": False,
    "absent_fields": "kept",
    "omitted_tags": "kept",
    "removal": True,
    "lock_holds": True,
    "values_lock": False,
    "unknown_key": "kept",
}
# The switches of the simulated Plex, each with the answers that then differ.
SWITCHES: dict[str, tuple[Mapping[str, object], Mapping[str, object]]] = {
    "as most say": ({}, {}),
    "token in the query, questions in their query": (
        {"registers_by": "query", "asks_by": "query", "agent_ids": "texts"},
        {"registers_by": "query", "asks_by": "query"},
    ),
    "folder, images, no merge": (
        {"match_filename": "folder", "asks_images": True, "same_guid": "apart"},
        {"match_filename": "folder", "asks_images": True},
    ),
    "rooted, unmatched": (
        {"match_filename": "rooted", "unknown_key": "unmatched"},
        {"match_filename": "rooted", "unknown_key": "unmatched"},
    ),
    "fields are cleared": ({"absent_fields": "cleared"}, {"absent_fields": "cleared"}),
    "tags are removed": ({"omitted_tags": "removed"}, {"omitted_tags": "removed"}),
    "a match clears": ({"match_clears": True}, {"match_clears": True}),
    "a match clears, and so do fields": (
        {"match_clears": True, "absent_fields": "cleared"},
        {"match_clears": True, "absent_fields": "cleared"},
    ),
    "a match clears, and tags are removed": (
        {"match_clears": True, "omitted_tags": "removed"},
        {"match_clears": True, "omitted_tags": "removed"},
    ),
    "all of them": (
        {"match_clears": True, "absent_fields": "cleared", "omitted_tags": "removed"},
        {"match_clears": None, "absent_fields": "cleared", "omitted_tags": "removed"},
    ),
    "values lock": ({"values_lock": True}, {"values_lock": True}),
}


def whole(world: World, section: str) -> dict[str, object]:
    """All that a probe could have changed."""
    table = world.plex._providers.registry.table
    registered = (
        sorted(one.identifier for one in table.providers.values()),
        sorted(one.title for one in table.groups.values()),
    )
    return {"agent": world.plex.agent_of(section), "registered": registered, **state_of(world.plex)}


@pytest.fixture
def section(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """A library with an item that a person has edited. The simulated Plex needs no time to settle."""
    monkeypatch.setattr(library_return, "PAUSE", 0.02)
    monkeypatch.setattr(provider_questions, "SETTLED", 0.2)
    monkeypatch.setattr(provider_questions, "PACE", 0.05)
    section, key, _ = furnish(world.plex, genre=["Drama"], tagline="Its own", summary="Long")
    world.plex.hand_edit(key, genre=["Drama", "Mine"], originalTitle="Uno")
    world.plex.advance(3600)
    return section


@pytest.mark.parametrize("name", SWITCHES)
def test_each_trait_is_found_and_all_is_as_before(world: World, door: Door, section: str, name: str) -> None:
    traits, answers = SWITCHES[name]
    for trait, value in traits.items():
        assert hasattr(Traits(), trait)
        setattr(world.plex.traits, trait, value)
    before = whole(world, section)

    done = door(*CALL, "--yes", "--json")

    assert done.code == 0, done
    assert {each["name"]: each["answer"] for each in done.facts["answers"]} == {**DEFAULTS, **answers}
    world.plex.wait_for_asks()
    assert whole(world, section) == before
    assert done.facts["complete"]
    assert done.facts["restored"]
    for told in ("One", "/media", "Library", "127.0.0.1", "PlexSync probe"):
        assert told not in done.out


def test_it_prints_each_question_with_its_answer_and_what_is_done_with_it(
    world: World, door: Door, section: str
) -> None:
    world.plex.set_section_pref(section, ADULT.id, "1")

    done = door(*CALL, "--yes")

    assert done.code == 0, done
    lines = [re.split(r" {2,}", line.strip()) for line in done.out.splitlines()]
    answers = {line[0]: line[1:] for line in lines if len(line) == 3}
    assert answers["Plex asks about explicit content"] == ["yes", "if not, switch it on in Plex"]
    assert answers["A name that is not sent any more"] == ["stays", "PlexSync removes it"]


def cut_off(world: World, number: int, kind: FaultKind) -> None:
    """From this request on that writes, Plex is down."""
    seen: list[Request] = []

    def later(request: Request) -> bool:
        seen.extend([request] if request.method in WRITES else [])
        return len(seen) >= number

    world.plex.faults.set(Fault(kind, when=later))


@pytest.mark.parametrize("kind", ["status", "reset_after"])
@pytest.mark.parametrize("number", [2, 3, 5, 7, 10, 14, 18])
def test_what_was_cut_off_is_put_back_by_the_next_call(
    world: World, door: Door, section: str, number: int, kind: FaultKind
) -> None:
    before = whole(world, section)
    cut_off(world, number, kind)
    done = door(*CALL, "--yes")
    assert done.code == 1
    assert "is not put back yet" in done.err
    world.plex.wait_for_asks()
    world.plex.faults.clear()

    done = door("probe")

    assert "the library of an interrupted probe: put back" in done.err
    assert (done.code, whole(world, section)) == (0, before)


def test_a_worker_that_starts_puts_back_what_was_cut_off(world: World, door: Door, section: str) -> None:
    before = whole(world, section)
    cut_off(world, 10, "status")
    assert door(*CALL, "--yes").code == 1
    assert whole(world, section) != before
    world.plex.faults.clear()

    with world.serving():
        until(lambda: not world.rows("select 1 from note where name = 'probe:library' and value <> ''"))

    assert whole(world, section)["agent"] == before["agent"]
    assert whole(world, section)["registered"] == before["registered"]


def ask_already(world: World) -> None:
    store = Database(world.folder / "plexsync.db")
    try:
        uuid = world.plex.item(world.plex.keys("2")[0]).library
        with store.writing() as tx:
            tx.providers.save(ProviderRow(uuid, "2", "Library", "tv.plex.agents.custom.plexsync.x", "on"))
    finally:
        store.close()


REFUSALS: dict[str, tuple[Callable[[World], object], tuple[str, ...], str]] = {
    "no such file": (lambda world: None, ("--provider", "Library", "--file", "/media/z.mp4"), "no item of Library"),
    "no such library": (lambda world: None, ("--provider", "Nothing", "--file", FILE), "is named Nothing"),
    "an old Plex": (lambda world: setattr(world.plex, "version", "1.42.0.1"), CALL[1:], "has no metadata providers"),
    "not the owner": (lambda world: setattr(world.plex, "owner", False), CALL[1:], "owner"),
    "asks already": (ask_already, CALL[1:], "plexsync provider remove takes that back first"),
    "a legacy agent": (
        lambda world: world.plex.add_section("Old", locations=("/old",), agent="com.plexapp.agents.none"),
        ("--provider", "Old", "--file", FILE),
        "may not take the agent of Old back",
    ),
    "no file named": (lambda world: None, ("--provider", "Library"), "go together"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_it_can_not_put_back_it_does_not_begin(world: World, door: Door, section: str, name: str) -> None:
    prepare, words, line = REFUSALS[name]
    door("status")
    prepare(world)
    world.plex.clear_log()

    done = door("probe", *words, "--yes")

    assert done.code in (1, 2)
    assert line in done.err
    assert not any(request.method in WRITES for request in world.plex.log)


def test_without_a_yes_or_beside_a_worker_nothing_is_changed(world: World, door: Door, section: str) -> None:
    world.plex.clear_log()
    done = door(*CALL, answer="n\n")
    assert done.code == 1
    assert "the library Library gets a scratch metadata provider" in " ".join(done.err.split())
    with try_lock(world.folder):
        done = door(*CALL, "--yes")
    assert (done.code, "a worker runs" in done.err) == (1, True)
    assert not any(request.method in WRITES for request in world.plex.log)
