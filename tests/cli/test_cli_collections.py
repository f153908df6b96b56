"""plexsync collections: what it lists, explains, writes, hands over, decides and takes back."""

import re

import pytest

from plexsync.reports import collections as shapes
from plexsync.rules.collections.collection_status import CollectionStatus
from plexsync.simulator.http import Fault, Request
from tests.cli.conftest import Door
from tests.conformity import Conformity
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain

PARTS = "name,summary,order"


@pytest.fixture
def dressed(world: World, door: Door) -> World:
    """Three scenes of the studios 0 to 2, whose collections have the details of their studios."""
    world.settings["collection_parts"] = PARTS
    world.add(3)
    for n in range(3):
        world.stash.edit_object("studio", f"Studio {n}", details=f"Films of {n}.")
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain").code == 0
    return world


def key_of(world: World, title: str, section: str = "") -> str:
    return world.plex.collection_keys(section or world.section)[title]


def summaries(world: World) -> dict[str, object]:
    keys = world.plex.collection_keys(world.section)
    return {title: world.plex.item(key).scalars.get("summary") for title, key in keys.items()}


def number_of(door: Door, name: str) -> str:
    listed = door("collections", "list", "--json").facts["collections"]
    return str(next(row["id"] for row in listed if row["name"] == name))


def part(facts: dict, name: str) -> dict:
    return next(row for row in facts["parts"] if row["part"] == name)


ALL_THREE = {f"Studio {n}": f"Films of {n}." for n in range(3)}


def test_the_list_says_how_each_stands_and_is_narrowed_and_paged(dressed: World, door: Door) -> None:
    assert summaries(dressed) == ALL_THREE
    listed = door("collections", "list")
    assert listed.code == 0
    assert all(name in listed.out for name in (*ALL_THREE, "in sync", "studio 1", "3 in sync"))
    facts = door("collections", "list", "--limit", "2", "--json").facts
    assert ([row["name"] for row in facts["collections"]], facts["offset"]) == (["Studio 0", "Studio 1"], 2)
    assert "--offset 2" in door("collections", "list", "--limit", "2").out
    assert "Studio 2" in door("collections", "list", "--offset", "2").out
    assert door("collections", "list", "--standing", "in sync", "--json").facts["total"] == 3
    none = door("collections", "list", "--standing", "edited")
    assert (none.code, none.out) == (0, "no collection is listed\n")
    unknown = door("collections", "list", "--standing", "fine")
    assert (unknown.code, "say one of in_step" in unknown.err) == (2, True)


def test_before_the_first_sync_no_collection_is_known(world: World, door: Door) -> None:
    assert "no collection is known yet" in door("collections", "list").out


def test_a_dry_run_shows_what_would_change_and_writes_nothing(dressed: World, door: Door) -> None:
    dressed.stash.edit_object("studio", "Studio 1", details="Other films.")
    shown = door("collections", "sync", "--dry-run")
    assert shown.code == 0
    assert all(words in shown.out for words in ("Films of 1.", "Other films.", "changed in Stash", "summary"))
    assert "3 collections inspected, 1 part of 1 collection would be changed; nothing was written" in shown.out
    facts = door("collections", "sync", "--dry-run", "--json").facts
    assert facts["counts"] == {"inspected": 3, "would_change": 1, "parts": 1, "failed": 0}
    assert summaries(dressed) == ALL_THREE
    done = door("collections", "sync", "--wait")
    assert (done.code, done.out) == (0, "3 collections worked: 3 in sync\n")
    assert summaries(dressed)["Studio 1"] == "Other films."


def test_a_sync_of_named_ones_is_left_to_the_worker(dressed: World, door: Door) -> None:
    dressed.stash.edit_object("studio", "Studio 1", details="Other films.")
    dressed.stash.edit_object("studio", "Studio 2", details="Others still.")
    queued = door("collections", "sync", "studio 1", number_of(door, "Studio 0"))
    assert queued.code == 0
    assert queued.out.startswith("2 collections queued; no worker runs")
    assert "in sync, queued" in door("collections", "list").out
    assert door("drain").code == 0
    assert summaries(dressed) == {**ALL_THREE, "Studio 1": "Other films."}


def test_without_a_part_that_is_switched_on_nothing_is_synced(dressed: World, door: Door) -> None:
    dressed.settings["collection_parts"] = ""
    refused = door("collections", "sync")
    assert (refused.code, "collection_parts" in refused.err) == (1, True)


def test_explain_shows_every_part_with_both_values_and_what_was_there_before(dressed: World, door: Door) -> None:
    shown = door("collections", "explain", "Studio 1")
    assert shown.code == 0
    assert all(
        words in shown.out for words in ("in sync", "made by PlexSync's names", "Films of 1.", "Changed in Plex")
    )
    facts = door("collections", "explain", "Studio 1", "--json").facts
    assert (facts["key"], facts["owner"], facts["stands"]) == (key_of(dressed, "Studio 1"), "ours", "in_step")
    assert (part(facts, "summary")["before"], part(facts, "summary")["locked"]) == ("", True)
    assert facts["pushes"][0]["item"] == facts["key"]
    unknown = door("collections", "explain", "Nobody")
    assert (unknown.code, "there is no collection Nobody" in unknown.err) == (2, True)


def test_explain_shows_what_is_remembered_while_plex_is_down(dressed: World, door: Door) -> None:
    dressed.plex.faults.set(Fault("status", status=503))
    shown = door("collections", "explain", "Studio 1", "--json")
    assert shown.code == 1
    assert (part(shown.facts, "summary")["plex"], part(shown.facts, "summary")["left"]) == (None, "Films of 1.")
    assert shown.facts["away"]


def test_an_edit_in_plex_is_kept_or_given_up_for_stash_part_by_part(dressed: World, door: Door) -> None:
    key = key_of(dressed, "Studio 1")
    dressed.plex.hand_edit(key, summary="Mine.", title="My studio")
    done = door("collections", "sync", "Studio 1", "--wait")
    assert (done.code, done.out) == (0, "1 collection worked: 1 edited in Plex\n")
    assert "name, summary" in door("collections", "explain", "My studio").out
    kept = door("collections", "keep", "My studio", "--part", "summary")
    assert (kept.code, kept.out) == (0, "1 part of 1 collection kept as it is in Plex\n")
    taken = door("collections", "use-stash", "My studio", "--json")
    assert taken.facts == {"decision": "take", "parts": {number_of(door, "My studio"): ["title"]}}
    dressed.stash.edit_object("studio", "Studio 1", details="Other films.")
    assert door("drain").code == 0
    assert door("collections", "sync", "--wait").code == 0
    assert summaries(dressed) == {**ALL_THREE, "Studio 1": "Mine."}
    assert "no such part" in door("collections", "keep", "Studio 1").err
    assert "kept since" in door("collections", "explain", "Studio 1").out
    gone = door("collections", "unkeep", "--all")
    assert (gone.code, gone.out) == (0, "1 part of 1 collection no longer kept\n")
    assert "there is no part genre" in door("collections", "keep", "Studio 1", "--part", "genre").err
    assert "say which collections" in door("collections", "keep").err


def test_undo_brings_back_what_was_there_until_redo(dressed: World, door: Door) -> None:
    shown = door("collections", "undo", "--all", "--dry-run")
    assert (shown.code, "nothing was written" in shown.out) == (0, True)
    refused = door("collections", "undo", "--all", answer="n\n", terminal=True)
    assert (refused.code, "nothing was changed" in refused.err) == (1, True)
    assert summaries(dressed) == ALL_THREE
    done = door("collections", "undo", "--all", "--yes", "--wait")
    assert (done.code, done.out) == (0, "3 collections taken back: 3 undone\n")
    assert set(summaries(dressed).values()) <= {"", None}
    again = door("collections", "undo", "--all")
    assert (again.code, again.out) == (0, "0 collections to be taken back\n")
    one = door("collections", "redo", "Studio 1", "--wait")
    assert (one.code, one.out, one.err) == (0, "1 collection dressed again: 1 in sync\n", "")
    assert summaries(dressed)["Studio 1"] == "Films of 1."
    twice = door("collections", "redo", "Studio 1")
    assert (twice.code, "not undone: Studio 1" in twice.err) == (1, True)
    rest = door("collections", "redo", "--all", "--yes")
    assert rest.out.startswith("2 collections to be dressed again; ")
    assert "say which collections" in door("collections", "undo").err


def test_collections_are_selected_by_moment_run_library_and_number_by_every_door(dressed: World, door: Door) -> None:
    (run,) = door("collections", "undo", "--runs", "--json").facts["runs"]
    assert run["scenes"] == 3
    assert door("collections", "undo", "--since", "2999-12-31", "--json").facts == {"collections": []}
    shown = door("undo", "--of", "collections", "--run", run["run"], "--dry-run")
    assert "3 collections inspected" in shown.out
    done = door("collections", "undo", "--run", run["run"], "--yes", "--wait")
    assert (done.code, done.out) == (0, "3 collections taken back: 3 undone\n")
    assert "there is no run 9999" in door("collections", "undo", "--run", "9999").err
    numbers = [int(number_of(door, name)) for name in ALL_THREE]
    with dashboard(dressed) as dash:
        assert post(dash, "/api/collections/redo", {"library": "Movies"}) == (200, {"collections": numbers})
        assert door("drain").code == 0
        assert summaries(dressed) == ALL_THREE
        assert post(dash, "/api/collections/release", {"collections": numbers[:1]})[1] == {"collections": numbers[:1]}
        assert post(dash, "/api/collections/undo", {"collections": [77]})[0] == 404
        assert door("drain").code == 0
        page = plain(dash.get("/act/collections/undo?since=1h").text)
        assert "Take back what was written to 2 collections?" in page
        assert "2 collections to be taken back" in plain(dash.post("/act/collections/undo", since="1h").text)
    assert door("drain").code == 0
    assert summaries(dressed)["Studio 0"] == "Films of 0."
    assert {summaries(dressed)[name] for name in ("Studio 1", "Studio 2")} <= {"", None}


@pytest.mark.parametrize(("verb", "word"), [("keep", "keep"), ("use-stash", "take")])
def test_a_decision_is_shown_before_it_is_taken(verb: str, word: str, dressed: World, door: Door) -> None:
    dressed.plex.hand_edit(key_of(dressed, "Studio 1"), summary="Mine.")
    assert door("collections", "sync", "Studio 1", "--wait").code == 0
    writes = dressed.plex.count("PUT")
    shown = door("collections", verb, "Studio 1", "--dry-run")
    assert (shown.code, "1 part of 1 collection; nothing was changed" in shown.out) == (0, True)
    assert all(words in shown.out for words in ("summary", word, "Mine.", "Films of 1."))
    assert "kept since" not in door("collections", "explain", "Studio 1").out
    assert (dressed.count("ready"), dressed.plex.count("PUT")) == (0, writes)
    number = int(number_of(door, "Studio 1"))
    with dashboard(dressed) as dash:
        code, facts = post(dash, f"/api/collections/{verb}", {"collections": [number], "parts": ["summary"]})
        assert (code, facts) == (200, {"decision": word, "parts": {f"{number}": ["summary"]}})


def test_release_leaves_the_values_and_takes_the_locks_off(dressed: World, door: Door) -> None:
    done = door("collections", "release", "Studio 1", "--wait")
    assert (done.code, done.out) == (0, "1 collection released: 1 released\n")
    assert summaries(dressed) == ALL_THREE
    assert "summary" not in dressed.plex.item(key_of(dressed, "Studio 1")).locks
    assert "released" in door("collections", "explain", "Studio 1").out


def test_what_was_written_is_taken_back_while_no_part_is_switched_on(dressed: World, door: Door) -> None:
    dressed.settings["collection_parts"] = ""
    done = door("collections", "undo", "Studio 1", "--wait")
    assert (done.code, done.out) == (0, "1 collection taken back: 1 undone\n")
    assert not summaries(dressed)["Studio 1"]


def foreign(world: World) -> str:
    """A collection of your own, of which a scene's item is a member, too."""
    stray = world.plex.add_movie(world.section, files=[("/media/scenes/mine.mp4", 1, 1)], title="mine")
    world.plex.hand_edit(stray, collection=["Studio 4"])
    world.add(1, start=4)
    world.stash.edit_object("studio", "Studio 4", details="Films of 4.")
    return key_of(world, "Studio 4")


def test_a_collection_of_yours_is_dressed_once_you_hand_it_over(dressed: World, door: Door) -> None:
    key = foreign(dressed)
    assert door("reconcile").code == 0
    assert door("drain").code == 0
    assert not dressed.plex.item(key).scalars.get("summary")
    listed = door("collections", "list", "--standing", "not_ours", "--json").facts["collections"]
    assert [row["name"] for row in listed] == ["Studio 4"]
    assert "plexsync collections take" in door("collections", "explain", "Studio 4").out
    done = door("collections", "take", "Studio 4", "--wait")
    assert (done.code, done.out, done.err) == (0, "1 collection handed over: 1 in sync\n", "")
    assert dressed.plex.item(key).scalars["summary"] == "Films of 4."
    twice = door("collections", "take", "Studio 4", "--json")
    assert (twice.code, twice.facts["collections"], len(twice.facts["untouched"])) == (1, [], 1)
    assert "already PlexSync's" in twice.err
    assert "say which collections" in door("collections", "take").err


def test_a_name_that_two_libraries_have_goes_with_the_library_or_the_number(dressed: World, door: Door) -> None:
    clips = dressed.plex.add_section("Clips", locations=("/media/clips",))
    path = "/media/clips/one.mp4"
    dressed.plex.add_movie(clips, files=[(path, 7, 60_000)], title="one")
    dressed.stash.add_scene(title="One", studio="Studio 1", files=[(path, 7, 60.0)])
    assert door("reconcile").code == 0
    assert door("drain").code == 0
    assert door("drain").code == 0
    refused = door("collections", "explain", "Studio 1")
    assert refused.code == 2
    assert all(words in refused.err for words in ("several collections", "--library", "Movies", "Clips"))
    facts = door("collections", "explain", "Studio 1", "--library", "clips", "--json").facts
    assert (facts["library"], facts["key"]) == ("Clips", key_of(dressed, "Studio 1", clips))
    assert door("collections", "explain", str(facts["id"]), "--json").facts["library"] == "Clips"
    done = door("collections", "undo", "--all", "--library", "Clips", "--wait")
    assert done.out == "1 collection taken back: 1 undone\n"
    elsewhere = door("collections", "undo", "Studio 2", "--library", "Clips")
    assert (elsewhere.code, "in a library Clips" in elsewhere.err) == (2, True)


def test_a_dead_letter_of_a_collection_is_named_everywhere(dressed: World, door: Door) -> None:
    key = key_of(dressed, "Studio 1")

    def edits(request: Request) -> bool:
        return request.method == "PUT" and (request.params.get("id") == key or request.path.endswith(f"/{key}"))

    dressed.plex.faults.set(Fault("status", status=400, when=edits))
    dressed.stash.edit_object("studio", "Studio 1", details="Other films.")
    done = door("collections", "sync", "--wait")
    assert (done.code, done.out) == (1, "3 collections worked: 2 in sync, 1 needs you\n")
    number = f"collection:{number_of(door, 'Studio 1')}"
    for words in (("dlq", "list"), ("dlq", "show", number)):
        shown = door(*words)
        assert (shown.code, number in shown.out, "Studio 1" in shown.out) == (0, True, True)
    assert f"History of {number} (Studio 1)" in door("history", number).out
    status = door("status", "--json").facts
    assert {name: count for name, count in status["collections"].items() if count} == {"in_step": 2, "failed": 1}
    assert "1 collection needs you" in status["verdict"]["text"]
    assert "dead letter" not in status["verdict"]["text"]
    (check,) = (row for row in door("doctor", "--json").facts["checks"] if row["name"] == "collections")
    assert (check["state"], check["told"]) == ("warning", "2 in sync, 1 needs you")
    dressed.plex.faults.set()
    retried = door("dlq", "retry", number)
    assert (retried.code, retried.out) == (0, f"{number} (Studio 1) retried\n")
    assert door("drain").code == 0
    assert summaries(dressed)["Studio 1"] == "Other films."


def test_status_counts_the_collections_and_is_none_the_worse_for_an_edit_in_plex(dressed: World, door: Door) -> None:
    before = door("status", "--json").facts["verdict"]
    dressed.plex.hand_edit(key_of(dressed, "Studio 1"), summary="Mine.")
    assert door("collections", "sync", "--wait").code == 0
    facts = door("status", "--json").facts
    assert set(facts["collections"]) == set(CollectionStatus)
    assert {name: count for name, count in facts["collections"].items() if count} == {"in_step": 2, "edited": 1}
    assert facts["verdict"]["tone"] == before["tone"]
    assert re.search(r"^collections +2 in sync, 1 edited in Plex$", door("status").out, re.MULTILINE)


def test_explain_of_a_scene_tells_its_collections(dressed: World, door: Door) -> None:
    facts = door("explain", "2", "--json").facts["collections"]
    assert [(row["name"], row["source"], row["library"], row["stands"]) for row in facts] == [
        ("Studio 1", "studio", "Movies", "in_step")
    ]
    assert "Collections" in door("explain", "2").out


def test_the_doctor_says_how_plex_takes_collections(dressed: World, door: Door) -> None:
    def checks() -> dict[str, dict]:
        return {row["name"]: row for row in door("doctor", "--json").facts["checks"]}

    dressed.settings["collection_home"] = "Studio 1"
    told = checks()
    assert told["collections in Plex"]["told"] == "Plex lists 3 in Movies"
    assert told["edits of collections"]["told"].startswith("sent by their library")
    assert told["collections at home"]["told"] == "Plex shows 0 collections there"
    assert told["collections"]["told"] == "3 in sync"
    dressed.plex.faults.set(Fault("status", status=403, when=lambda asked: asked.path.startswith("/hubs/")))
    home = checks()["collections at home"]
    assert (home["state"], "owner" in home["mend"]) == ("warning", True)
    dressed.plex.faults.set()
    dressed.plex.traits.collection_edits = "item"
    dressed.stash.edit_object("studio", "Studio 1", details="Other films.")
    assert door("collections", "sync", "--wait").code == 0
    assert summaries(dressed)["Studio 1"] == "Other films."
    assert checks()["edits of collections"]["told"].startswith("sent to each collection")
    dressed.settings["collection_parts"] = dressed.settings["collection_home"] = ""
    assert not checks().keys() & {"collections", "collections in Plex", "edits of collections"}


def test_every_answer_has_its_shape(dressed: World, door: Door) -> None:
    dressed.plex.hand_edit(key_of(dressed, "Studio 1"), summary="Mine.")
    dressed.stash.edit_object("studio", "Studio 2", details="Other films.")
    answers = {
        ("sync", "--dry-run"): shapes.CollectionPreview,
        ("sync", "Studio 1"): shapes.CollectionsAnswer,
        ("list",): shapes.CollectionList,
        ("explain", "Studio 1"): shapes.CollectionFacts,
        ("keep", "Studio 1", "Studio 2", "--yes"): shapes.CollectionDecision,
        ("undo", "Studio 0"): shapes.CollectionsAnswer,
        ("redo", "Studio 0", "Studio 1", "--yes"): shapes.CollectionsAnswer,
    }
    conformity = Conformity()
    problems = [
        problem
        for words, shape in answers.items()
        for problem in conformity.problems(door("collections", *words, "--json").facts, shape, " ".join(words))
    ]
    assert problems == []
    assert {shapes.CollectionRowFacts, shapes.CollectionPartFacts, shapes.CollectionChangeFacts} <= conformity.checked
