"""fix: the list of everything that needs a person, and the walk through it at a terminal."""

import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from plexsync.app.fixes import FixOrder, FixResult, carry_out
from plexsync.app.parts import Parts, open_parts
from plexsync.reports.fixes import FixReport
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.queue.note_keys import INSIDE
from plexsync.simulator.plex_tv import Connection, PlexTvSim, Resource
from plexsync.store import intake
from tests.cli.conftest import Door
from tests.cli.terminal import Terminal
from tests.conformity import Conformity
from tests.journey.world import TOKEN, World
from tests.web.stage import config_of, refusing, work

CAUSES = ("ambiguous", "refused")


def twins(world: World, count: int) -> list[int]:
    """Ambiguous scenes: of each, two items have a file of its name and size."""
    ids = []
    for n in range(count):
        for folder in ("a", "b"):
            files = [(f"/media/scenes/{folder}/twin {n}.mp4", 1_423_000_000, 5_530_000)]
            world.plex.add_movie(world.section, files=files, title=f"Twin {n} {folder}")
        files = [(f"/elsewhere/twin {n}.mp4", 1_423_000_000, 5530.0)]
        ids.append(world.stash.add_scene(title=f"The scene {n}", files=files))
    return ids


def states(world: World) -> dict[int, str]:
    """The scenes that are not in sync."""
    return dict(world.rows("select id, state from job where kind = 'scene' and state <> 'idle' order by id"))


def trouble(world: World) -> list[int]:
    """Two ambiguous scenes and one that Plex refuses; no worker runs."""
    ids = twins(world, 2)
    # Others are written, so that the refusal is this scene's own.
    refused, *others = world.add(3)
    world.stash.edit_scene(refused, title="Refused by Plex")
    with refusing(world, "Refused"):
        work(world, [*ids, refused, *others])
    return [*ids, refused]


@pytest.fixture
def troubled(world: World) -> list[int]:
    return trouble(world)


def test_the_list_has_every_problem_by_cause_with_its_steps(troubled: list[int], world: World, door: Door) -> None:
    facts = door("fix", "--json").facts
    assert Conformity().problems(facts, FixReport, "fix") == []
    system, ambiguous, refused = facts["groups"]
    assert [group["cause"] for group in facts["groups"]] == ["system", *CAUSES]
    assert [group["count"] for group in facts["groups"]] == [1, 2, 1]
    assert facts["count"] == 4
    assert [entry["key"] for entry in system["entries"]] == ["idle"]
    entry = ambiguous["entries"][0]
    assert (entry["key"], entry["title"]) == (str(troubled[0]), "The scene 0")
    assert entry["files"] == [{"path": "/elsewhere/twin 0.mp4", "size": 1_423_000_000, "seconds": 5530.0}]
    keys = world.plex.keys(world.section)[:2]
    assert [(item["key"], item["title"], item["library"]) for item in entry["candidates"]] == [
        (keys[0], "Twin 0 a", "Movies"),
        (keys[1], "Twin 0 b", "Movies"),
    ]
    assert entry["candidates"][0]["file"] == {
        "path": "/media/scenes/a/twin 0.mp4",
        "size": 1_423_000_000,
        "seconds": 5530.0,
    }
    assert [item["step"]["command"] for item in entry["candidates"]] == [f"plexsync bind 1 {key}" for key in keys]
    assert [step["action"] for step in entry["steps"]] == ["ignore"]
    assert [step["action"] for step in refused["entries"][0]["steps"]] == ["retry", "ignore"]
    assert door("fix", "--cause", "refused", "--json").facts["groups"] == [refused]


def test_without_a_terminal_it_prints_the_list_and_changes_nothing(
    troubled: list[int], world: World, door: Door
) -> None:
    before = states(world)
    told = door("fix")
    assert told.code == 0
    assert "The scene 0" in told.out
    assert "/media/scenes/b/twin 0.mp4" in told.out
    assert "1:32:10 · 1.4 GB" in told.out
    assert f"plexsync bind {troubled[1]} {world.plex.keys(world.section)[3]}\n" in told.out
    assert f"plexsync dlq retry {troubled[2]}\n" in told.out
    assert told.out.endswith("4 problems need you; on a terminal, plexsync fix mends them\n")
    assert states(world) == before


def test_while_plex_is_down_the_list_has_what_the_database_knows(troubled: list[int], world: World, door: Door) -> None:
    world.plex.stop()
    facts = door("fix", "--json", "--cause", "ambiguous").facts
    assert "does not answer" in facts["away"] or "Plex" in facts["away"]
    (group,) = facts["groups"]
    files = [item["file"]["path"] for item in group["entries"][0]["candidates"]]
    assert files == ["/media/scenes/a/twin 0.mp4", "/media/scenes/b/twin 0.mp4"]
    assert group["entries"][0]["title"] == "The scene 0"


def test_when_nothing_needs_you_it_says_so(world: World, door: Door) -> None:
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        tx.notes.save(INSIDE, intake.ON)
    told = door("fix")
    assert (told.code, told.out) == (0, "nothing needs you\n")
    assert door("fix", terminal=True).err.endswith("0 mended; nothing needs you\n")


def test_at_a_terminal_each_problem_is_mended_by_a_number(troubled: list[int], world: World, door: Door) -> None:
    first, second, refused = troubled
    # Skip the worker; bind the first to its second candidate, ignore the second, retry the refused one.
    told = door("fix", answer="s\n2\n3\n1\n", terminal=True)
    keys = world.plex.keys(world.section)
    assert f"Scene {first} is bound to item {keys[1]} of Movies, and is queued." in told.err
    assert f"Scene {second} is ignored from now on." in told.err
    assert f"Scene {refused} will be tried again." in told.err
    assert told.err.endswith("3 mended, 1 skipped; 1 problem needs you\n")
    assert told.err.index("Start it: plexsync serve") < told.err.index("Twin 0 a")
    assert states(world) == {first: "ready", second: "ignored", refused: "ready"}
    assert world.rows("select subject, item from binding") == [(first, keys[1])]


@pytest.mark.parametrize(
    ("answer", "state", "line"), [("2+", "ready", "is bound to item"), ("i+", "ignored", "is ignored")]
)
def test_a_plus_behind_a_choice_does_the_same_for_all_alike(
    world: World, door: Door, answer: str, state: str, line: str
) -> None:
    ids = twins(world, 3)
    work(world, ids)
    told = " ".join(door("fix", "--cause", "ambiguous", answer=f"{answer}\n", terminal=True).err.split())
    assert "with + for the other 2 like this too" in told
    assert line in told
    assert "The same was done for 2 others." in told
    assert "3 mended; 1 problem needs you" in told
    assert told.count("Your choice") == 1
    assert set(states(world).values()) == {state}


def test_of_two_scenes_of_one_file_the_other_is_not_asked_about_once_you_chose(world: World, door: Door) -> None:
    files = [("/media/scenes/one.mp4", 1_423_000_000, 5_530_000)]
    key = world.plex.add_movie(world.section, files=files, title="One")
    first, second = (
        world.stash.add_scene(title=f"Scene {n}", files=[(f"/elsewhere/{n}/one.mp4", 1_423_000_000, 5530.0)])
        for n in range(2)
    )
    work(world, [first, second])
    told = door("fix", "--cause", "ambiguous", answer="1\n", terminal=True).err
    assert f"Show this scene, not {second}" in told
    assert f"Scene {second} is looked at again: scene {first} has item {key} now." in told
    assert told.count("Your choice") == 1
    work(world)
    assert states(world) == {second: "absent"}


def test_an_answer_that_is_no_choice_is_asked_for_again_and_quitting_leaves_the_rest(
    troubled: list[int], world: World, door: Door
) -> None:
    told = door("fix", "--cause", "ambiguous", answer="9\nq\n", terminal=True)
    assert "it must be one of 1, 2, 3, i, 1+, 2+, 3+, i+, s, q" in told.err
    assert "The scene 1" not in told.err
    assert told.err.endswith("0 mended; 4 problems need you\n")
    assert set(states(world).values()) == {"dead"}


def test_more_problems_than_are_read_at_once_all_have_their_turn(world: World, door: Door) -> None:
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        for id in range(1, 26):
            tx.jobs.want(Kind.SCENE, id, Why.EDIT, parts.clock.now())
        tx.jobs.want(Kind.TAG, 5, Why.EDIT, parts.clock.now())
    with closing(sqlite3.connect(world.folder / "plexsync.db")) as db, db:
        db.execute("update job set state = 'dead', cls = 'bug', error = 'a fault'")
    facts = door("fix", "--json", "--cause", "bug").facts
    assert (facts["groups"][0]["count"], len(facts["groups"][0]["entries"])) == (26, 26)
    told = door("fix", "--cause", "bug", answer="1\n" * 26, terminal=True)
    assert "Scene 25 will be tried again." in told.err
    assert "Tag 5 will be tried again." in told.err
    assert "26 mended" in told.err
    assert set(world.rows("select state from job")) == {("ready",)}


def test_a_refused_token_is_typed_anew_tested_and_written(
    world: World, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "plexsync.toml"
    file.write_text('# mine\nplex_token = "an-old-token-0123456789"\n', encoding="utf-8")
    file.chmod(0o600)
    world.unset = ("plex_token",)
    world.add(1)
    assert door("--config", file, "sync", "1", "--wait").code == 1
    facts = door("--config", file, "fix", "--json").facts
    entry = facts["groups"][0]["entries"][0]
    assert entry["key"] == "hold:plex"
    assert [step["action"] for step in entry["steps"]] == ["sign-in", "setting", "test"]
    typed = iter(["another-wrong-0123456789", TOKEN])
    monkeypatch.setattr("click.termui.hidden_prompt_func", lambda _prompt: next(typed))
    # It is tested again, a wrong one is typed, then the right one, and the worker is skipped.
    told = door("--config", file, "fix", answer="3\n2\n2\ns\n", terminal=True)
    assert "Not yet:" in told.err
    assert "Nothing was changed." in told.err
    assert f"plex_token is written into {file}" in " ".join(told.err.split())
    assert file.read_text(encoding="utf-8") == f'# mine\nplex_token = "{TOKEN}"\n'
    assert "hold:plex" not in str(door("--config", file, "fix", "--json").facts)
    assert door("--config", file, "drain").code == 0


def test_a_setting_from_the_environment_is_not_written_elsewhere(world: World, door: Door, tmp_path: Path) -> None:
    world.settings["enabled"] = "false"
    told = door("fix", answer="1\nq\n", terminal=True)
    assert "PLEXSYNC_ENABLED is set in the environment" in told.err
    assert not list(tmp_path.rglob("plexsync.toml"))


def test_strict_mode_is_switched_off_for_all_scenes_that_it_holds_back(
    world: World, door: Door, tmp_path: Path
) -> None:
    file = tmp_path / "plexsync.toml"
    file.write_text("strict_mode = true\n", encoding="utf-8")
    file.chmod(0o600)
    ids = world.add(3)
    for id in ids[:2]:
        world.stash.edit_scene(id, title="x" * 5_000)
    assert door("--config", file, "sync", "--all", "--wait").code == 1
    (group,) = door("--config", file, "fix", "--cause", "strict", "--json").facts["groups"]
    assert [step["label"] for step in group["steps"]] == ["Set strict_mode = false", "Retry all 2"]
    told = door("--config", file, "fix", "--cause", "strict", answer="3\n", terminal=True)
    assert file.read_text(encoding="utf-8") == "strict_mode = false\n"
    assert told.err.count("Your choice") == 1, "all of them are mended by that"
    assert door("--config", file, "drain").code == 0
    assert states(world) == {}


def test_all_of_a_cause_are_retried_at_once(troubled: list[int], world: World, door: Door) -> None:
    with closing(sqlite3.connect(world.folder / "plexsync.db")) as db, db:
        db.execute("update job set cls = 'bug' where state = 'dead'")
    told = door("fix", "--cause", "bug", answer="3\n", terminal=True)
    assert "3 scenes will be tried again." in told.err
    assert "3 mended; 1 problem needs you" in told.err
    assert set(states(world).values()) == {"ready"}


def test_an_item_that_is_gone_is_not_bound_and_another_choice_is_asked_for(
    troubled: list[int], world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = world.plex.keys(world.section)[0]

    def late(parts: Parts, order: FixOrder) -> FixResult:
        """Somebody removes the item after it was shown."""
        if key in world.plex.keys(world.section):
            world.plex.remove(key)
        return carry_out(parts, order)

    monkeypatch.setattr("plexsync.cli.commands.fix.carry_out", late)
    told = door("fix", "--cause", "ambiguous", answer="1\n2\nq\n", terminal=True)
    assert f"Nothing was bound: Plex has no item {key}" in told.err
    assert f"Scene {troubled[0]} is bound to item" in told.err


def test_signing_in_again_writes_the_new_token(world: World, door: Door, tmp_path: Path) -> None:
    file = tmp_path / "plexsync.toml"
    file.write_text('plex_token = "an-old-token-0123456789"\n', encoding="utf-8")
    file.chmod(0o600)
    world.unset = ("plex_token",)
    world.add(1)
    assert door("--config", file, "sync", "1", "--wait").code == 1
    with PlexTvSim() as tv:
        way = Connection(world.plex.url, "127.0.0.1", world.plex.port)
        tv.servers = [Resource("NAS", TOKEN, (way,))]
        environ = {**world.environ, "PLEX_TV": tv.url}
        with Terminal(["--config", str(file), "fix", "--cause", "system"], environ, cwd=tmp_path) as person:
            person.answer("Your choice", "1")
            person.until("confirm it in the browser")
            (pin,) = tv.pins.values()
            tv.confirm(pin.code)
            person.answer("Your choice", "q")
            assert person.end() == 0
    assert file.read_text(encoding="utf-8") == f'plex_token = "{TOKEN}"\n'


def test_a_change_of_a_server_is_accepted(world: World, door: Door) -> None:
    ids = world.add(3)
    work(world, ids)
    world.plex.reinstall(Random(1))
    world.stash.edit_scene(1, title="Edited while another server answers")
    assert door("sync", "1", "--wait").code == 1
    told = door("fix", answer="1\ns\n", terminal=True)
    assert "Another Plex server answers" in told.err
    assert "compares every scene with it" in told.err
    assert "Accepted: another Plex server answers. Work goes on." in told.err
    assert door("accept", "--json").facts == {"asked": []}
