"""`plexsync reconcile`: what it compares, how it goes on after a kill, and who stands alone."""

import pytest

from plexsync.simulator.http import Fault, Request
from tests.cli.conftest import Door
from tests.journey.world import World, until


def test_a_comparison_that_was_killed_goes_on_behind_what_it_has_done(world: World, door: Door) -> None:
    world.add(250)
    pages: list[Request] = []

    def not_the_first(request: Request) -> bool:
        if request.path.startswith("/library/metadata/"):
            pages.append(request)
        return len(pages) > 1

    world.plex.faults.set(Fault("hang", when=not_the_first))
    process = world.start("reconcile")
    until(lambda: len(pages) > 1)
    process.kill()
    process.wait()
    world.plex.faults.clear()
    world.plex.clear_log()
    done = door("reconcile", "--json")
    assert done.code == 0
    facts = done.facts
    assert facts["went_on_after"] == 100
    assert (facts["scenes"], facts["differ"], facts["complete"]) == (250, 250, True)
    assert world.plex.count("GET", "/library/metadata/") == (250 - facts["went_on_after"] + 99) // 100
    assert door("reconcile", "--json").facts["went_on_after"] is None


def test_who_stands_alone_is_listed(world: World, door: Door) -> None:
    assert "No full comparison has run yet" in door("status", "--without-scene").out
    world.add(2)
    key = world.plex.add_movie(world.section, files=[("/media/scenes/lone [x].mp4", 5, 1)], title="lone")
    id = world.stash.add_scene(title="new", files=[("/media/scenes/new.mp4", 5, 60.0)])
    done = door("reconcile")
    assert "1 item in Plex without a scene in Stash" in done.out
    assert "1 not in Plex yet" in done.out
    assert door("status", "--without-scene").out == f"{key}  /media/scenes/lone [x].mp4\n"
    assert door("status", "--without-item").out == f"{id}\n"
    facts = door("reconcile", "--json").facts
    lone = {"item": key, "library": "Movies", "files": ["/media/scenes/lone [x].mp4"]}
    assert facts["items_without_scene"] == [lone]
    assert (facts["scenes_without_item"], facts["without_scene"]) == ([id], 1)
    assert door("status", "--without-scene", "--json").facts["items"] == [lone]
    assert door("status", "--without-item", "--json").facts["scenes"] == [id]
    assert door("status", "--without-item", "--without-scene").code == 2


def test_items_without_a_scene_are_listed_by_their_number(world: World, door: Door) -> None:
    for n in range(12):
        world.plex.add_movie(world.section, files=[(f"/media/scenes/lone {n}.mp4", 5 + n, 60_000)], title="lone")
    assert door("reconcile").code == 0
    keys = [item["item"] for item in door("status", "--without-scene", "--json").facts["items"]]
    assert len(set(map(len, keys))) == 2, "numbers of two lengths"
    assert keys == sorted(keys, key=int)


def test_nobody_stands_alone(world: World, door: Door) -> None:
    world.add(1)
    door("reconcile")
    assert door("status", "--without-scene").out == "No item stands alone.\n"
    assert door("status", "--without-item").out == "No scene stands alone.\n"


@pytest.mark.parametrize("words", [("2",), ("--since", "2000-01-01"), ("--library", "movies")], ids=" ".join)
def test_a_part_is_compared(world: World, door: Door, words: tuple[str, ...]) -> None:
    world.add(3)
    done = door("reconcile", *words, "--json")
    assert done.code == 0
    assert (done.facts["scenes"], done.facts["wanted"]) == ((1, 1) if words == ("2",) else (3, 3))
    assert done.facts["complete"] is True
    assert "items_without_scene" not in done.facts


def test_a_library_that_is_not_there_is_wrong_usage_and_tells_which_are(world: World, door: Door) -> None:
    done = door("reconcile", "--library", "Films")
    assert done.code == 2
    assert "no library in use is named Films; there are: Movies" in done.err


@pytest.mark.parametrize(
    "words", [("1", "--library", "Movies"), ("1", "--anew"), ("--since", "2h", "7"), ("--quick", "7")], ids=" ".join
)
def test_what_does_not_go_together_is_wrong_usage(world: World, door: Door, words: tuple[str, ...]) -> None:
    assert door("reconcile", *words).code == 2


def test_a_quick_look_asks_each_side_one_thing_when_nothing_happened(world: World, door: Door) -> None:
    world.add(3)
    door("sync", "--all", "--wait")
    assert door("reconcile", "--quick").code == 0
    # What is of the newest second is looked at again until that second is over.
    until(lambda: not any(door("reconcile", "--quick", "--json").facts["wanted"].values()))
    world.plex.clear_log()
    world.stash.clear_log()
    done = door("reconcile", "--quick", "--json")
    assert done.facts == {"wanted": dict.fromkeys(done.facts["wanted"], 0), "complete": True, "why": ""}
    asked = [b"Newest" in request.body for request in world.stash.log if b"__type" not in request.body]
    assert [one for one in asked if one] == [True]
    assert [request.path for request in world.plex.log] == ["/library/sections"]


def test_a_quick_look_tells_of_a_side_that_is_away(world: World, door: Door) -> None:
    world.plex.faults.set(Fault("refuse"))
    done = door("reconcile", "--quick")
    assert done.code == 1
    assert "Plex" in done.err
