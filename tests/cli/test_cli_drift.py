"""plexsync drift: what was edited in Plex, side by side with Stash, and the decisions about it."""

import pytest

from plexsync.reports.drift import DriftDecision, DriftReport
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.conformity import Conformity
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain


@pytest.fixture
def edited(world: World, door: Door) -> World:
    """Three scenes in sync; the titles of the first two, and the genres of the second, were edited in Plex."""
    world.add(3)
    assert door("sync", "--all", "--wait", "--yes").code == 0
    first, second, _ = world.plex.keys(world.section)
    world.plex.hand_edit(first, title="By hand", locked=True)
    world.plex.hand_edit(second, title="By hand too", genre=["Mine"], locked=True)
    assert door("reconcile", "--wait").code == 0
    return world


def titles(world: World) -> list[object]:
    return [world.plex.item(key).scalars.get("title") for key in world.plex.keys(world.section)]


def listed(door: Door, *words: str) -> dict[int, list[str]]:
    scenes = door("drift", *words, "--json").facts["scenes"]
    return {scene["id"]: [field["field"] for field in scene["fields"]] for scene in scenes}


def test_the_list_shows_both_values_and_the_commands(edited: World, door: Door) -> None:
    facts = door("drift", "--json").facts
    assert Conformity().problems(facts, DriftReport, "drift") == []
    assert (facts["edited"], facts["kept"], facts["after"], facts["away"]) == (2, 0, None, "")
    first = facts["scenes"][0]
    assert (first["id"], first["library"], first["fields"][0]["plex"]) == (1, "Movies", "By hand")
    assert first["fields"][0]["stash"] == "Title 0"
    text = " ".join(door("drift").out.split())
    assert "Scene 1: Title 0 (item" in text
    assert "title By hand Title 0" in text
    assert "plexsync drift --keep SCENE leaves them to Plex" in text
    assert listed(door, "--field", "genre") == {2: ["genre"]}
    assert listed(door, "1") == {1: ["title"]}
    assert listed(door, "--after", "1") == {2: ["title", "genre"]}
    assert listed(door, "--library", "Elsewhere") == {}


def test_keep_is_listed_and_taken_back(edited: World, door: Door) -> None:
    done = door("drift", "--keep", "1", "2", "--field", "title", "--yes", "--json")
    assert done.code == 0
    assert Conformity().problems(done.facts, DriftDecision, "drift") == []
    assert done.facts == {"decision": "keep", "fields": 2, "scenes": [1, 2]}
    for id in (1, 2):
        edited.stash.edit_scene(id, title="Later", studio="Later")
    assert door("sync", "--all", "--wait").code == 0
    assert titles(edited)[:2] == ["By hand", "By hand too"]
    assert listed(door, "--kept") == {1: ["title"], 2: ["title"]}
    told = " ".join(door("drift", "--kept").out.split())
    assert "kept since" in told
    assert told.endswith(
        "plexsync drift --take SCENE --field FIELD takes what Stash says, --unkeep takes a --keep back"
    )
    assert "a field that you keep is taken by its name alone: --field FIELD" in door("drift", "--take", "1").err
    assert "you keep what Plex has" in door("explain", "1").out
    assert door("drift", "--unkeep", "--all", "--yes").out == "2 fields of 2 scenes no longer kept\n"
    assert door("sync", "--all", "--wait").code == 0
    assert titles(edited)[:2] == ["By hand", "By hand too"]
    assert listed(door, "--kept") == {}
    assert listed(door) == {1: ["title"], 2: ["title", "genre"]}


def test_every_screen_counts_the_fields_that_plex_keeps(edited: World, door: Door) -> None:
    words = "in sync but for 3 fields kept in Plex (plexsync drift)"
    drift = door("drift", "--json").facts
    assert sum(len(scene["fields"]) for scene in drift["scenes"]) == 3
    assert door("verify").out == f"3 of 3 scenes in Plex are {words}\n"
    assert f"\n  3 {words}\n" in door("reconcile").out
    status = " ".join(door("status").out.split())
    assert f"No worker runs → plexsync fix · 3 of 3 were {words}" in status
    assert status.count("in sync but for 3 fields kept in Plex") == 4, (
        "the first line, two tables and the last comparison"
    )
    assert "Plex shows what Stash says, but for these fields (plexsync drift)" in status
    assert door("status", "1").out.startswith("scene 1 (Title 0) is in sync but for 1 field kept in Plex since")
    assert door("explain", "2").out.count("in sync but for 2 fields kept in Plex") == 2, "what was seen, and the job"
    dry = door("sync", "1", "2", "--dry-run").out
    assert "Scene 2: Title 1: in sync but for 2 fields kept in Plex" in dry
    assert f"2 {words}" in dry
    assert door("sync", "1", "2", "--wait").out == f"2 {words}\n"
    door("sync", "--all")
    assert door("drain").out == f"3 {words}\n"


def test_json_has_the_number_of_fields_that_plex_keeps_beside_the_counts_it_had(edited: World, door: Door) -> None:
    calls = [("verify",), ("reconcile",), ("sync", "--all", "--dry-run"), ("sync", "1", "2", "--wait"), ("status",)]
    verify, reconcile, dry, sync, status = (door(*call, "--json").facts for call in calls)
    assert [facts["kept_fields"] for facts in (verify, reconcile, dry, sync, status)] == [3] * 5
    door("sync", "2")
    assert door("drain", "--json").facts["kept_fields"] == 2
    assert (verify["in_sync"], reconcile["in_step"], reconcile["kept_for_a_person"]) == (3, 1, 2)
    assert (dry["counts"]["kept_for_a_person"], sync["outcomes"]) == (2, {"in_step": 2})
    assert (status["scenes"]["in_step"]["count"], status["verified"]["kept_fields"]) == (3, 3)
    assert door("status", "2", "--json").facts["kept_fields"] == 2


def test_what_you_have_decided_about_is_counted_no_more(edited: World, door: Door) -> None:
    door("drift", "--keep", "2", "--field", "genre")
    assert door("status", "--json").facts["kept_fields"] == 2
    door("drift", "--keep", "--all", "--yes")
    status = door("status", "--json").facts
    assert status["kept_fields"] == 0
    assert "3 of 3 were in sync" in [part["text"] for part in status["verdict"]["parts"]]
    door("drift", "--unkeep", "1")
    door("drain")
    assert door("status", "--json").facts["kept_fields"] == 1


def test_the_list_says_how_long_a_field_stays(world: World, door: Door) -> None:
    world.add(2)
    first, second = world.plex.keys(world.section)
    world.plex.hand_edit(first, title="Locked before", locked=True)
    assert door("sync", "--all", "--wait", "--yes").out.startswith("2 in sync but for 1 field kept in Plex")
    world.plex.hand_edit(second, studio="By hand", locked=True)
    door("reconcile")
    fields = [field for scene in door("drift", "--json").facts["scenes"] for field in scene["fields"]]
    assert [(field["field"], field["locked_before"]) for field in fields] == [("title", True), ("studio", False)]
    text = " ".join(door("drift").out.split())
    assert "locked before PlexSync: stays until you decide" in text
    assert "edited in Plex: stays until Stash changes it" in text


def test_take_replaces_once(edited: World, door: Door) -> None:
    done = door("drift", "--take", "--library", "movies", "--yes")
    assert done.out.startswith("3 fields of 2 scenes to be replaced by what Stash says; ")
    assert door("drain").code == 0
    assert titles(edited) == ["Title 0", "Title 1", "Title 2"]
    assert listed(door) == {}


@pytest.mark.parametrize("verb", ["keep", "take"])
def test_a_decision_is_shown_before_it_is_taken(verb: str, edited: World, door: Door) -> None:
    before = listed(door)
    shown = door("drift", f"--{verb}", "--all", "--dry-run")
    assert (shown.code, "3 fields of 2 items; nothing was changed" in shown.out) == (0, True)
    assert all(words in shown.out for words in ("Scene 1: Title 0", "By hand too", "Title 1", verb))
    one = door("drift", f"--{verb}", "2", "--field", "genre", "--dry-run", "--json").facts
    assert [[field["field"] for field in scene["fields"]] for scene in one["scenes"]] == [["genre"]]
    assert (listed(door), listed(door, "--kept"), edited.count("ready")) == (before, {}, 0)
    with dashboard(edited) as dash:
        page = plain(dash.get(f"/act/scenes/{verb}?pick=2&field=genre").text)
        assert "genres" in page
        assert "By hand too" not in page
        code, facts = post(dash, f"/api/scenes/{verb}", {"library": "Movies", "fields": ["genre"]})
        assert (code, facts["fields"], facts["scenes"]) == (200, 1, [2])


def test_what_you_keep_is_listed_while_a_server_is_down(edited: World, door: Door) -> None:
    door("drift", "--keep", "1")
    edited.plex.faults.set(Fault("status", status=503))
    facts = door("drift", "--json").facts
    assert Conformity().problems(facts, DriftReport, "drift") == []
    assert facts["away"]
    assert [(scene["id"], scene["title"]) for scene in facts["scenes"]] == [(1, "Title 0")]
    assert "not known now" in door("drift").out
    assert door("drift", "--keep", "2").code == 1


@pytest.mark.parametrize(
    "words",
    [("--keep",), ("--all",), ("--keep", "1", "--all"), ("--field", "nonsense"), ("--keep", "1", "--kept")],
)
def test_wrong_words_are_refused(world: World, door: Door, words: tuple[str, ...]) -> None:
    assert door("drift", *words).code == 2


def test_a_named_scene_without_edits_is_reported(edited: World, door: Door) -> None:
    done = door("drift", "--keep", "3")
    assert (done.code, done.out) == (1, "nothing to decide: no such field is listed\n")
    assert "no such field is listed of: scene 3" in done.err


def test_more_than_one_scene_is_asked_about(edited: World, door: Door) -> None:
    done = door("drift", "--take", "--all")
    assert done.code == 2
    assert "Names that Stash does not have go" in done.err
    assert "give --yes" in done.err
    assert listed(door) == {1: ["title"], 2: ["title", "genre"]}
