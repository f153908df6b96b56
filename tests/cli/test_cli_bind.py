"""bind, unbind and explain: how a person settles which item is a scene's."""

import re

import pytest

from plexsync.reports.dead_letters import BOUND, DURATION
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import World


@pytest.fixture
def twins(world: World, door: Door) -> tuple[int, list[str]]:
    """Scene 1, and two items that it can't tell apart."""
    keys = [
        world.plex.add_movie(
            world.section, files=[(f"/elsewhere/{folder}/twin.mp4", 77, 60_000)], title=f"twin {folder}"
        )
        for folder in ("a", "b")
    ]
    id = world.stash.add_scene(title="The one", files=[("/media/scenes/twin.mp4", 77, 60.0)])
    assert door("sync", id, "--wait").code == 1
    return id, keys


def test_explain_lists_candidates_with_reasons_and_the_line_that_settles_it(
    twins: tuple[int, list[str]], world: World, door: Door
) -> None:
    id, keys = twins
    told = door("explain", id)
    facts = door("explain", id, "--json").facts
    assert [one["key"] for one in facts["candidates"]] == keys
    for one in facts["candidates"]:
        assert one["why"] == "it has a file of the same name and size, but it is not the only one that may be meant"
        assert one["why"] in told.out
        assert f"  plexsync bind {id} {one['key']}\n" in told.out
    bind = facts["candidates"][1]["bind"].split()
    assert bind[0] == "plexsync"
    assert door(*bind[1:]).code == 0
    assert door("drain").code == 0
    assert world.plex.item(keys[1]).scalars["title"] == "The one"
    told = door("explain", id).out
    assert f"Item {keys[1]} was bound to this scene by hand." in told
    assert "in sync" in told


def test_explain_names_the_scene_that_loses_an_item_and_offers_none_that_is_bound_to_another(
    world: World, door: Door
) -> None:
    (first,) = world.add(1)
    second = world.stash.add_scene(title="The same file", files=world.stash.scene(first).files)
    (key,) = world.plex.keys(world.section)
    assert door("sync", first, "--wait").code == 0
    told = door("explain", second).out
    assert f"  plexsync bind {second} {key}  (scene {first} is not shown then)\n" in told
    assert door("bind", second, key).code == 0
    told = door("explain", first).out
    assert f"bound to scene {second} by hand" in " ".join(told.split())
    assert "plexsync bind" not in told


def test_scenes_are_bound_together_to_the_items_in_a_folder(
    twins: tuple[int, list[str]], world: World, door: Door
) -> None:
    id, (_, other) = twins
    shown = door("bind", "--in", "/elsewhere/b", "--dry-run")
    assert (shown.code, shown.out.splitlines()[-1]) == (0, "1 scene would be bound")
    assert f"item {other}: /elsewhere/b/twin.mp4" in shown.out
    assert door("bind", "--in", "/elsewhere", "--dry-run").out == "no scene has just one candidate in /elsewhere\n"
    done = door("bind", "--in", "/elsewhere/b", "--yes", "--json").facts
    assert ([pair["item"] for pair in done["pairs"]], done["bound"]) == ([other], [id])
    assert door("drain").code == 0
    assert world.plex.item(other).scalars["title"] == "The one"
    for words in (("--in", ""), ("--in", "/a", "--by-duration"), ("7", "--in", "/a")):
        assert door("bind", *words, "--dry-run").code == 2


def test_bind_says_what_happens_and_lists_what_was_said(twins: tuple[int, list[str]], world: World, door: Door) -> None:
    id, (one, other) = twins
    assert door("bind").out == "nothing is bound\n"
    assert door("bind", "--json").facts == {"count": 0, "bindings": []}
    done = door("bind", id, f"00{other}")
    assert done.out.startswith(f"Scene {id} is bound to item {other} of Movies: twin b (/elsewhere/b/twin.mp4)\n")
    assert "It is queued; no worker runs: start plexsync serve, or run plexsync drain" in done.out
    done = door("bind", id, one, "--json")
    assert done.facts == {
        "scene": id,
        "bound": [{"item": one, "library": "Movies", "title": "twin a", "files": ["/elsewhere/a/twin.mp4"]}],
        "forgotten": [],
        "looked_at_again": [],
    }
    facts = door("bind", "--json").facts
    assert [(row["scene"], row["item"], row["files"]) for row in facts["bindings"]] == [
        (id, one, ["/elsewhere/a/twin.mp4"]),
        (id, other, ["/elsewhere/b/twin.mp4"]),
    ]
    assert facts["count"] == 2
    assert re.search(rf"^ *{id} +{other} +\S+ \S+ +/elsewhere/b/twin.mp4$", door("bind").out, re.MULTILINE)


def test_a_bound_item_that_is_gone_is_told_with_its_cure(
    twins: tuple[int, list[str]], world: World, door: Door
) -> None:
    id, (one, other) = twins
    door("bind", id, other)
    world.plex.remove(other)
    assert door("sync", id, "--wait").code == 1
    assert f"bound by hand, but item {other} is not in Plex (any more)" in door("explain", id).out
    assert BOUND.meaning in door("dlq", "show", id).out
    done = door("bind", id, one)
    assert f"Item {other} was taken off scene {id}: Plex no longer has it" in done.out
    assert door("drain").code == 0
    assert world.plex.item(one).scalars["title"] == "The one"


def test_bind_tells_whose_the_item_was(world: World, door: Door) -> None:
    world.add(2)
    assert door("sync", "1", "2", "--wait").code == 0
    key = world.plex.keys(world.section)[0]
    assert "Scene 1 was pushed to it before, and is looked at again" in door("bind", "2", key).out


def test_unbind_takes_back_one_or_all(twins: tuple[int, list[str]], door: Door) -> None:
    id, keys = twins
    door("bind", id, *keys)
    done = door("unbind", id, keys[0])
    assert (done.code, done.out) == (0, f"1 item taken off scene {id}: it is found by its files again\n")
    assert door("unbind", id, "--json").facts == {"scene": id, "unbound": 1}
    done = door("unbind", id, "--json")
    assert done.code == 1
    assert done.facts["error"].startswith(f"nothing is bound to scene {id}")
    assert door("unbind", id, keys[0]).err.startswith(f"plexsync: item {keys[0]} is not bound to scene {id}")
    assert door("status", "--json").facts["jobs"]["ready"] == 1


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("7", "99999"), "Plex has no item 99999"),
        (("77", "1"), "Stash has no scene 77"),
    ],
)
def test_what_can_not_be_bound_is_one_line(world: World, door: Door, words: tuple[str, ...], line: str) -> None:
    world.add(7)
    done = door("bind", *words, "--json")
    assert (done.code, done.facts) == (1, {"error": line})
    assert done.err == f"plexsync: {line}\n"


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("7",), "say which item by its rating key: plexsync explain 7 lists the candidates"),
        (("7", "x"), "'x' is not the rating key of an item"),
        (("7", "0"), "'0' is not the rating key of an item"),
        (("0", "1"), "'0' is not the number of a scene"),
    ],
)
def test_wrong_words_are_told(world: World, door: Door, words: tuple[str, ...], line: str) -> None:
    done = door("bind", *words)
    assert done.code == 2
    assert line in done.err


@pytest.mark.parametrize("who", ["stash", "plex"])
def test_a_side_that_is_away_binds_nothing(twins: tuple[int, list[str]], world: World, door: Door, who: str) -> None:
    id, keys = twins
    getattr(world, who).faults.set(Fault("refuse"))
    done = door("bind", id, keys[0])
    assert done.code == 1
    assert "refuses connections" in done.err
    assert done.err.count("\n") == 1
    assert door("bind", "--json").facts["count"] == 0


def test_a_failed_look_for_an_item_by_name_names_no_item(world: World, door: Door) -> None:
    world.add(1)
    assert door("sync", "1", "--wait").code == 0
    (key,) = world.plex.keys(world.section)
    world.plex.readd(key)
    world.plex.faults.set(Fault("status", status=500, when=lambda request: "file" in request.params))
    done = door("explain", "1", "--json")
    assert done.code == 1
    assert done.facts["verdict"].startswith("it can't be looked at: Plex")


# --- by duration -----------------------------------------------------------------------------------------------------


@pytest.fixture
def encoded(world: World, door: Door) -> dict[int, str]:
    """Two scenes whose only items have another size, by the scenes' numbers."""
    keys = {}
    for n in (1, 2):
        key = world.plex.add_movie(
            world.section, files=[(f"/elsewhere/film {n}.mkv", 900 + n, 1_800_000)], title=f"film {n}"
        )
        id = world.stash.add_scene(title=f"Film {n}", files=[(f"/media/scenes/film {n}.mkv", 1500 + n, 1800.0)])
        keys[id] = key
    assert door("sync", "--all", "--wait").code == 1
    return keys


WHY = (
    "it has a file of the same name and duration, but it has {} bytes, in Stash {}: it may be another encoding, or a "
    "different file"
)


def test_explain_and_dry_run_say_that_a_duration_is_not_enough(encoded: dict[int, str], door: Door) -> None:
    (id, key), *_ = encoded.items()
    told = door("explain", id)
    assert "one item fits by name and duration only: nothing is written" in told.out
    assert WHY.format("901", "1,501") in " ".join(told.out.split())
    assert f"  plexsync bind {id} {key}\n" in told.out
    assert door("explain", id, "--json").facts["candidates"][0]["why"] == WHY.format("901", "1,501")
    shown = door("sync", id, "--dry-run", "--json").facts
    assert shown["scenes"][0]["standing"] == "ambiguous"
    assert shown["scenes"][0]["why"].startswith("one item fits by name and duration only: nothing is written")
    assert "needs you" in door("sync", id, "--dry-run").out
    letter = door("dlq", "show", id).out
    assert DURATION.meaning in letter


def test_all_of_this_kind_are_listed_and_bound_after_a_question(
    encoded: dict[int, str], world: World, door: Door
) -> None:
    dry = door("bind", "--by-duration", "--dry-run")
    assert dry.code == 0
    for n, (id, key) in enumerate(encoded.items(), start=1):
        assert f"Scene {id} (Film {n}): /media/scenes/film {n}.mkv\n  item {key}: /elsewhere/film {n}.mkv\n" in dry.out
    assert WHY.format("901", "1,501") in " ".join(dry.out.split())
    assert dry.out.endswith("2 scenes would be bound\n")
    assert door("bind", "--json").facts["count"] == 0
    no = door("bind", "--by-duration", answer="n\n")
    assert (no.code, no.err.splitlines()[-1]) == (1, "Bind 2 scenes to these items? [y/N] plexsync: nothing was bound")
    assert door("bind", "--by-duration").code == 2, "nobody is there to answer"
    assert door("bind", "--json").facts["count"] == 0
    done = door("bind", "--by-duration", answer="y\n")
    assert done.code == 0
    assert done.out.endswith("2 scenes bound and queued; no worker runs: start plexsync serve, or run plexsync drain\n")
    assert door("drain").code == 0
    assert [world.plex.item(key).scalars["title"] for key in encoded.values()] == ["Film 1", "Film 2"]
    assert door("bind", "--by-duration").out == "no scene has a candidate by name and duration only\n"


def test_the_pairs_as_json(encoded: dict[int, str], door: Door) -> None:
    dry = door("bind", "--by-duration", "--dry-run", "--json").facts
    pairs = [
        {
            "scene": id,
            "title": f"Film {n}",
            "file": f"/media/scenes/film {n}.mkv",
            "item": key,
            "path": f"/elsewhere/film {n}.mkv",
            "why": WHY.format(900 + n, f"{1500 + n:,}"),
        }
        for n, (id, key) in enumerate(encoded.items(), start=1)
    ]
    assert dry == {"pairs": pairs, "bound": []}
    assert door("bind", "--by-duration", "--yes", "--json").facts == {"pairs": pairs, "bound": list(encoded)}


def test_a_setting_takes_them_without_a_question(encoded: dict[int, str], world: World, door: Door) -> None:
    world.settings["match_by_duration"] = "true"
    assert door("drain").code == 0
    assert [world.plex.item(key).scalars["title"] for key in encoded.values()] == ["Film 1", "Film 2"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("7", "8", "--by-duration"), "--by-duration takes no scene"),
        (("7", "8", "--yes"), "--dry-run and --yes go with --by-duration"),
        (("--dry-run",), "--dry-run and --yes go with --by-duration"),
        (("--by-duration", "--dry-run", "--yes"), "--dry-run no --yes"),
    ],
)
def test_wrong_words_about_durations_are_told(world: World, door: Door, words: tuple[str, ...], line: str) -> None:
    done = door("bind", *words)
    assert done.code == 2
    assert line in done.err


# --- undone scenes ---------------------------------------------------------------------------------------------------


def test_binding_an_undone_scene_says_that_it_rests_and_what_ends_that(world: World, door: Door) -> None:
    world.add(1)
    other = world.plex.add_movie(world.section, files=[("/elsewhere/other.mp4", 5, 60_000)], title="other")
    assert door("sync", "1", "--wait").code == 0
    assert door("undo", "1", "--wait").code == 0
    done = door("bind", "1", other)
    assert done.out.splitlines()[-1] == (
        "Scene 1 is undone: nothing is written until you edit it in Stash, or plexsync redo 1"
    )
    assert "queued" not in done.out
    assert door("bind", "1", other, "--json").facts["undone"] == "undo"
    assert door("drain").code == 0
    assert world.plex.item(other).scalars["title"] == "other"
    world.stash.edit_scene(1, title="Edited")
    assert door("sync", "1", "--wait").code == 0
    assert world.plex.item(other).scalars["title"] == "Edited"
