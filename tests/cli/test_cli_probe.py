"""plexsync probe: what it prints, what it hands to a worker, and what it never says."""

import json
import re
import signal

import pytest

from plexsync.rules.merge.traits import QUESTIONS
from plexsync.simulator.http import Fault, Request
from plexsync.simulator.plex_server import VERSION
from plexsync.store.files.lock import is_locked, try_lock
from tests.app.probe_stage import furnish, state_of
from tests.app.test_probe_interrupted import Count
from tests.cli.conftest import Door
from tests.journey.world import TOKEN, World, until
from tests.patience import HANG


@pytest.fixture
def item(world: World) -> str:
    """An item with a poster, locks and lists of its own."""
    _, key, _ = furnish(world.plex)
    world.plex.advance(3600)
    return key


def test_it_prints_each_question_with_the_answer_and_what_it_is_for(world: World, door: Door, item: str) -> None:
    world.plex.traits.tag_mode, world.plex.traits.rating_by_edit = "replace", "none"
    before = state_of(world.plex)

    done = door("probe", item, "--yes")

    assert done.code == 0, done.err
    assert f"Plex {VERSION}" in done.out
    lines = [re.split(r" {2,}", line.strip()) for line in done.out.splitlines()]
    answers = {line[0]: line[1:] for line in lines if len(line) == 3}
    assert answers["Names of a list in an edit"] == [
        "replace the list",
        "where names replace the list, no removals are sent",
    ]
    assert answers["A rating in an edit"] == ["is ignored", "if it is ignored, PlexSync rates as the account"]
    assert answers["An edit changes the date added"] == ["yes", "if not, no date added is sent"]
    assert answers["An edit of a list locks it"] == ["yes", "stored only"]
    assert answers["Items of Other Videos take a cast"][0] == (
        "not answered: the item is in no library of Other Videos"
    )
    assert state_of(world.plex) == before
    assert door("probe").out.count("replace the list") >= 1, "the answers are stored"


def test_the_report_as_json_has_no_names_paths_or_tokens(world: World, door: Door, item: str) -> None:
    done = door("probe", item, "--yes", "--json")

    facts = done.facts
    assert (facts["plex"], facts["complete"], facts["restored"]) == (VERSION, True, True)
    assert [trait["name"] for trait in facts["traits"]] == list(QUESTIONS)
    text = json.dumps(facts)
    for secret in ("One", "media", "Ann", "Best", "mine", "Library", "127.0.0.1", TOKEN, "PlexSync probe"):
        assert secret not in text
    assert door("probe", "--json").facts["traits"] == [{**trait, "reason": ""} for trait in facts["traits"]]


def test_nothing_is_asked_without_a_yes(world: World, door: Door, item: str) -> None:
    world.plex.clear_log()

    done = door("probe", item, answer="n\n")

    assert done.code == 1
    assert f"This edits item {item} (One)" in done.err
    assert world.plex.count("PUT") == world.plex.count("POST") == 0


@pytest.mark.parametrize(
    ("words", "line"), [(("probe", "999"), "Plex has no item 999"), (("probe", "x"), "rating key")]
)
def test_an_item_that_is_not_there_is_named(words: tuple[str, ...], line: str, world: World, door: Door) -> None:
    done = door(*words, "--yes")
    assert done.code in (1, 2)
    assert line in done.err


def test_nothing_was_learnt_before_the_first_probe(world: World, door: Door) -> None:
    done = door("probe")
    assert (done.code, done.out) == (0, "Nothing was learnt yet: plexsync probe ITEM asks the server.\n")


def test_a_token_that_is_not_the_owners_is_refused(world: World, door: Door, item: str) -> None:
    world.plex.owner = False
    world.plex.clear_log()
    done = door("probe", item, "--yes")
    assert done.code == 1
    assert "owner" in done.err
    assert world.plex.count("PUT") == 0


def test_a_server_that_still_starts_is_not_believed(world: World, door: Door, item: str) -> None:
    world.plex.traits.starting = True
    done = door("probe", item, "--yes", "--json")
    answered = {trait["name"] for trait in done.facts["traits"] if trait["answer"] is not None}
    assert answered <= {"file_filter"}
    world.plex.traits.starting = False
    assert door("probe", item, "--yes").code == 0


def test_an_interrupted_probe_is_restored_by_the_next_call(world: World, door: Door, item: str) -> None:
    before = state_of(world.plex)
    seen: list[Request] = []

    def later(request: Request) -> bool:
        seen.append(request)
        return sum(one.method == "PUT" for one in seen) > 5

    world.plex.faults.set(Fault("status", status=503, when=later))
    done = door("probe", item, "--yes")
    assert done.code == 1
    assert "is not restored yet" in done.err
    assert state_of(world.plex) != before
    world.plex.faults.clear()

    done = door("probe")

    assert "the item of an interrupted probe: restored" in done.err
    assert (done.code, state_of(world.plex)) == (0, before)


def test_a_running_worker_probes_between_two_steps(world: World, door: Door, item: str) -> None:
    before = state_of(world.plex)
    with world.serving():
        until(lambda: is_locked(world.folder))
        facts = door("probe", item, "--yes", "--json").facts

    assert (facts["plex"], facts["complete"], facts["restored"]) == (VERSION, True, True)
    assert state_of(world.plex) == before
    assert world.rows("select value from note where name = 'probe:result' and value <> ''"), "the worker did it"


def test_ctrl_c_restores_before_the_command_ends(world: World, door: Door, item: str) -> None:
    before = state_of(world.plex)
    process = world.piped("probe", item, "--yes")
    hook = Count(6, lambda: process.send_signal(signal.SIGINT))
    world.plex.faults.set(Fault("latency", when=hook))

    _, err = process.communicate(timeout=HANG)

    assert process.returncode == 130
    assert "the probe ended early: stopped" in err
    assert state_of(world.plex) == before
    assert door("probe").out.startswith("Nothing was learnt yet") or "are added to the list" in door("probe").out


def test_ctrl_c_ends_a_probe_by_the_worker_as_well(world: World, item: str) -> None:
    before = state_of(world.plex)
    with world.serving():
        until(lambda: is_locked(world.folder))
        process = world.piped("probe", item, "--yes")
        hook = Count(6, lambda: process.send_signal(signal.SIGINT))
        # The worker goes on once the request is withdrawn.
        world.plex.faults.set(Fault("latency", seconds=2, when=hook))
        process.communicate(timeout=HANG)
        assert process.returncode == 130

    assert state_of(world.plex) == before


def test_a_worker_restores_an_interrupted_probe_before_it_syncs(world: World, door: Door) -> None:
    world.add(1)
    (key,) = world.plex.keys(world.section)
    world.plex.advance(3600)
    assert door("drain").code == 0
    away: list[bool] = []
    world.plex.faults.set(
        Fault("status", status=503, when=lambda _request: bool(away)),
        Fault("reset_after", when=Count(3, lambda: away.append(True))),
    )
    assert door("probe", key, "--yes").code == 1
    world.plex.faults.clear()
    assert world.plex.item(key).lists["label"] != []

    done = door("sync", "--all", "--yes", "--wait")

    assert done.code == 0, done.err
    item = world.plex.item(key)
    assert (item.lists["label"], "label" in item.locks) == ([], False)
    assert item.scalars["title"] == "Title 0"
    assert world.out_of_step([1]) == []


def test_a_plex_that_repeats_the_request_gets_no_secret_out(world: World, door: Door, item: str) -> None:
    # The door looks for secrets in everything that is written.
    world.plex.faults.set(Fault("status", status=400, when=lambda request: request.method == "PUT"))

    done = door("probe", item, "--yes", "--json", "-v")

    assert {trait["answer"] for trait in done.facts["traits"] if trait["name"] != "file_filter"} == {None}
    assert "Plex rejected a request for it" in done.out


def test_a_worker_that_probes_with_an_item_left_says_so(world: World, door: Door, item: str) -> None:
    away: list[bool] = []
    world.plex.faults.set(
        Fault("status", status=503, when=lambda _request: bool(away)),
        Fault("reset_after", when=Count(3, lambda: away.append(True))),
    )
    assert door("probe", item, "--yes").code == 1
    lock = try_lock(world.folder)
    assert lock is not None
    with lock:
        done = door("probe")
    assert done.code == 1
    assert "is not restored yet: the worker does it" in done.err


def test_a_scene_whose_item_was_probed_stays_in_sync_and_nothing_counts_as_edited(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", "--all", "--yes", "--wait").code == 0
    world.plex.advance(3600)
    (key, _) = world.plex.keys(world.section)

    assert door("probe", key, "--yes").code == 0

    # The item has another stamp, so its scene is looked at once.
    assert door("reconcile", "--json").facts["in_step"] == 2
    world.plex.clear_log()
    assert door("drain").code == 0
    assert (world.plex.count("PUT"), world.plex.count("POST")) == (0, 0)
    fields = door("explain", "1", "--json").facts["targets"][0]["fields"]
    assert all(field["action"].startswith("nothing") for field in fields)
    assert world.out_of_step([1, 2]) == []


@pytest.mark.parametrize(
    ("address", "line"),
    [("https://photos.example.org/ann.jpg?apikey=secret", "--photo has a user"), ("", "--photo goes with ITEM")],
)
def test_an_address_of_a_photo_that_may_not_be_sent_is_refused(
    address: str, line: str, world: World, door: Door, item: str
) -> None:
    words = (item, "--photo", address) if address else ("--photo", "https://photos.example.org/ann.jpg")
    world.plex.clear_log()
    done = door("probe", *words, "--yes")
    assert done.code in (1, 2)
    assert line in done.err
    assert "secret" not in done.err
    assert world.plex.count("PUT") == 0


def test_a_photo_is_tried_only_while_no_worker_runs(world: World, door: Door, item: str) -> None:
    words = ("probe", item, "--photo", "https://photos.example.org/ann.jpg", "--yes")
    world.plex.clear_log()
    with try_lock(world.folder):
        done = door(*words)
    assert (done.code, "a worker runs" in done.err, world.plex.count("PUT")) == (1, True, 0)
    done = door(*words, "--json")
    assert {trait["name"]: trait["answer"] for trait in done.facts["traits"]}["people_https"] == "shown"
