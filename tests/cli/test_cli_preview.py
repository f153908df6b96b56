"""`sync --dry-run` in words and as JSON, and the question before the first write of a whole library."""

import json
import re
import sys

import pytest

from plexsync.cli.terminal.preview_output import scene_facts, scene_lines
from plexsync.flows.scenes.preview import WOULD_CHANGE, ItemChange, Preview
from plexsync.plex.artwork import key_of
from plexsync.rules.merge.field_change import FieldChange
from plexsync.rules.merge.values import Held
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.cli.conftest import Door
from tests.cli.test_cli_serve import on_a_terminal
from tests.journey.world import World, until

HOSTILE = [
    "</title><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!-- <![CDATA[ ]]> -->",
    "&lt;b&gt; & &#60;i&#62;",
    "\u202egnp.exe \u0000\u001b[2J\u0007 \ufffe",
    "😀👩‍👩‍👧 עברית العربية",
    "a\nb\r\nc\u2028d",
]


@pytest.fixture
def synced(world: World, door: Door) -> World:
    """Scenes 1 to 5 in step, 1 edited since, 6 not in Plex."""
    world.add(5)
    assert door("sync", "--all", "--wait").code == 0
    world.stash.quiet_edit(1, title="Edited", tags=["Tag 0", "Fresh"])
    world.stash.add_scene(title="Nowhere", files=[("/media/scenes/nowhere.mp4", 7, 60.0)])
    return world


# --- the dry run -----------------------------------------------------------------------------------------------------


def test_words_show_each_field_that_would_change_and_the_counts(synced: World, door: Door) -> None:
    done = door("sync", "--all", "--dry-run")
    assert done.code == 0
    assert done.out.splitlines() == [
        f"Scene 1: Edited (item {synced.plex.keys(synced.section)[0]})",
        "  title: Title 0 -> Edited",
        "  genres: add Fresh",
        "6 scenes compared",
        "  4 in sync",
        "  1 would change",
        "  1 not in Plex yet",
        "  0 need you",
        "  0 out of scope",
    ]


def test_scenes_that_are_named_are_shown_however_they_stand(synced: World, door: Door) -> None:
    done = door("sync", "--dry-run", "2", "6", "99")
    assert done.code == 1
    for line in ("Scene 2: Title 1: in sync", "Scene 6: Nowhere: not in Plex yet (no item", "Scene 99: gone"):
        assert line in done.out
    assert door("sync", "--dry-run", "2", "6").code == 0


def test_since_looks_at_what_changed_since_then(synced: World, door: Door) -> None:
    facts = door("sync", "--dry-run", "--since", "2020-01-01", "--json").facts
    assert (facts["total"], facts["counts"]["would_change"]) == (6, 1)
    assert door("sync", "--dry-run", "--since", "2999-01-01", "--json").facts["total"] == 0


def test_json_is_one_document_with_both_values_of_every_field(synced: World, door: Door) -> None:
    facts = door("sync", "--all", "--dry-run", "--json").facts
    assert facts["counts"] == {
        "in_step": 4, "would_change": 1, "absent": 1, "ambiguous": 0, "out_of_scope": 0, "failed": 0
    }  # fmt: skip
    assert (facts["dry_run"], facts["total"], facts["complete"]) == (True, 6, True)
    (scene,) = facts["scenes"]
    assert {one["field"]: (one["old"], one["new"], one["adds"]) for one in scene["items"][0]["fields"]} == {
        "title": ("Title 0", "Edited", []),
        "genre": (["Tag 0"], ["Tag 0", "Fresh"], ["Fresh"]),
    }


def test_nothing_is_written_and_nothing_is_wanted(synced: World, door: Door) -> None:
    before = synced.rows("select * from job")
    synced.plex.clear_log()
    door("sync", "--all", "--dry-run")
    door("sync", "--dry-run", "1", "--json")
    assert synced.rows("select * from job") == before
    assert synced.plex.count("PUT") == 0


@pytest.mark.parametrize("more", [(), ("--json",)], ids=["words", "json"])
def test_a_server_that_goes_away_on_the_way_ends_it_with_what_was_seen(
    world: World, door: Door, more: tuple[str, ...]
) -> None:
    world.add(120)
    door("sync", "1", "--wait")
    asked = []

    def later(request) -> bool:
        details = request.path.startswith("/library/metadata/")
        asked.extend([request] * details)
        return details and len(asked) > 1

    world.plex.faults.set(Fault("status", status=500, when=later))
    done = door("sync", "--all", "--dry-run", *more)
    assert done.code == 1
    assert "plexsync: Plex" in done.err
    if more:
        assert (done.facts["complete"], done.facts["total"]) == (False, len(done.facts["scenes"]) + 1)
        assert 0 < done.facts["total"] < 120
        assert "500" in done.facts["error"]
    else:
        assert re.search(r"^\d+ scenes compared, then it ended: Plex", done.out, re.MULTILINE)


def test_a_database_that_fails_on_the_way_is_told_as_that(
    synced: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: object, _one: object) -> None:
        raise LocalFault("the database can't be written: disk full")

    monkeypatch.setattr("plexsync.cli.terminal.preview_output.Document.write", full)
    done = door("sync", "--all", "--dry-run", "--json")
    assert (done.code, done.facts["complete"]) == (2, False)
    assert done.facts["error"] == "the database can't be written: disk full"
    assert done.err == "plexsync: the database can't be written: disk full\n"


def test_a_fault_of_our_own_leaves_one_whole_document(
    synced: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = json.dumps

    def dumps(value: object, **more: object) -> str:
        if isinstance(value, dict) and value.get("title") == "Edited":
            raise ValueError("a fault")
        return real(value, **more)

    monkeypatch.setattr("plexsync.cli.terminal.preview_output.json.dumps", dumps)
    done = door("sync", "--all", "--dry-run", "--json")
    assert (done.code, done.facts["complete"], done.facts["error"]) == (1, False, "a fault of PlexSync")
    assert "this is a fault of PlexSync" in done.err


@pytest.mark.parametrize(
    "words",
    [
        "--all --dry-run --wait",
        "--all --dry-run --yes",
        "--all --out plan.json",
        "--all --dry-run --force",
        "--dry-run",
        "--dry-run --all 7",
    ],
)
def test_what_does_not_go_together_is_said(world: World, door: Door, words: str) -> None:
    done = door("sync", *words.split())
    assert (done.code, done.out) == (2, "")
    assert len(done.err.splitlines()) == 1
    assert not (world.folder / "plexsync.db").exists()


def test_hostile_titles_take_one_line_each_and_no_control_character_is_printed(world: World, door: Door) -> None:
    world.add(len(HOSTILE))
    for id, text in enumerate(HOSTILE, start=1):
        world.stash.quiet_edit(id, title=text, details=text, tags=[text.strip() or "x"], studio=text)
    told = door("sync", "--all", "--dry-run")
    assert told.code == 0
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u2028\u202e]", told.out)
    assert len(re.findall(r"^Scene \d", told.out, re.MULTILINE)) == len(HOSTILE)
    assert f"{len(HOSTILE)} would change" in told.out


def test_on_a_terminal_the_first_scenes_are_listed_with_a_summary_and_piped_all_go_where_the_pipe_goes(
    world: World,
) -> None:
    world.add(60)
    code, shown = on_a_terminal(world, "sync", "--all", "--dry-run")
    assert code == 0
    assert "comparing" in shown
    assert "Scene 20: Title 19" in shown
    assert "Scene 21: Title 20" not in shown
    assert "... and 40 scenes more (a pipe shows all)" in shown
    assert re.search(r"title +60", shown)
    assert "60 would change" in shown
    piped = world.run("sync", "--all", "--dry-run")
    assert "Scene 60: Title 59" in piped.stdout
    assert piped.stderr == ""


# --- the first write of a whole library ------------------------------------------------------------------------------


@pytest.fixture
def fresh(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A library that was never written, and nobody has agreed to that."""
    world.unset = ("approve_bulk",)
    monkeypatch.delenv("PLEXSYNC_APPROVE_BULK", raising=False)
    world.add(8)
    return world


def test_where_nobody_can_answer_it_ends_with_one_line_that_says_what_to_do(fresh: World, door: Door) -> None:
    done = door("sync", "--all", "--wait")
    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert "--dry-run" in line
    assert line.endswith("plexsync sync --all --yes")
    assert "--yes" in door("sync", "--all", "--json").facts["error"]
    assert fresh.rows("select count(*) from job") == [(0,)]
    assert door("status", "--json").facts["bulk_approved"] is False


def test_yes_agrees_once_and_for_all(fresh: World, door: Door) -> None:
    assert "first write" in door("status").out
    assert door("sync", "--all", "--yes", "--wait").code == 0
    assert door("sync", "--all").code == 0
    assert door("status", "--json").facts["bulk_approved"] is True
    assert "first write" not in door("status").out


def test_the_setting_agrees_as_long_as_it_is_there(fresh: World, door: Door) -> None:
    fresh.unset = ()
    assert door("sync", "--all").code == 0


def test_a_few_scenes_need_no_agreement(fresh: World, door: Door) -> None:
    assert door("sync", "1", "2", "--wait").code == 0
    assert door("sync", "--since", "1h").code == 0
    assert door("drain").code == 0
    assert door("sync", "--all").code == 2


def test_a_person_sees_the_first_few_and_the_counts_and_is_asked_once(fresh: World) -> None:
    code, shown = on_a_terminal(fresh, "sync", "--all", "--wait", answer="no\n")
    assert code == 1
    assert "Scene 5: Title 4" in shown
    assert "Scene 6: Title 5" not in shown
    for words in ("... and 3 scenes more", "8 would change", "[y/N]", "nothing was queued"):
        assert words in shown
    assert fresh.rows("select count(*) from job") == [(0,)]
    code, shown = on_a_terminal(fresh, "sync", "--all", "--wait", answer="y\n")
    assert (code, "8 in sync" in shown) == (0, True)
    code, shown = on_a_terminal(fresh, "sync", "--all", "--wait")
    assert (code, "[y/N]" in shown) == (0, False)


def test_serve_brings_edits_alone_until_a_person_has_agreed(fresh: World) -> None:
    # The newest one of all is an edit too: its second may not have been over when Stash was first looked at.
    began = fresh.stash.now
    fresh.stash.now = lambda: began() + 60
    fresh.add(1, start=8)
    with fresh.serving():
        until(lambda: "approve the first write" in fresh.log())
        fresh.stash.edit_scene(3, title="Edited")
        until(lambda: fresh.count("idle") == 2)
        fresh.stash.edit_scene(4, title="Edited")
        until(lambda: fresh.count("idle") == 3)
        assert fresh.rows("select id from job order by id") == [(3,), (4,), (9,)]
        assert fresh.run("sync", "--all", "--yes").returncode == 0
        until(lambda: fresh.count("idle") == 9)
        until(lambda: fresh.json("status")["last_reconcile"] is not None)
    assert fresh.log().count("approve the first write") == 1


# --- scope at the terminal -------------------------------------------------------------------------------------------


def test_scope_from_setting_to_status_and_explain(world: World, door: Door) -> None:
    world.add(3)
    world.settings["scope"] = "not tag: tag 1; not studio: none"
    done = door("sync", "--all", "--wait", "--json")
    assert (done.code, done.facts["outcomes"]) == (0, {"in_step": 2, "outside": 1})
    assert "1 out of scope" in door("sync", "--all", "--wait").out
    assert door("status", "--json").facts["jobs"]["outside"] == 1
    assert re.search(r"out of scope +1", door("status").out)
    facts = door("explain", "2", "--json").facts
    assert (facts["verdict"], facts["job"]["state"]) == ("out of scope: it has the tag tag 1", "outside")
    assert door("reconcile", "--json").facts["out_of_scope"] == 1
    facts = door("sync", "--dry-run", "--all", "--json").facts
    assert (facts["counts"]["out_of_scope"], facts["counts"]["in_step"]) == (1, 2)
    world.settings["scope"] = "tags: x"
    done = door("status")
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert "scope" in line
    assert "tag: NAME" in line


def test_terms_about_stash_ids_urls_ratings_and_performers_decide_and_are_named(world: World, door: Door) -> None:
    world.add(3)
    box = ("https://stashdb.org/graphql", "a-1")
    world.stash.quiet_edit(1, stash_ids=[box], urls=["https://a.test/1"])
    world.stash.quiet_edit(2, rating100=80, performers=["Ann"])
    world.settings["scope"] = "stash_id: StashDB; rating: 70+; not url: b.test"
    world.settings["scope_match"] = "any"
    assert door("sync", "--all", "--wait", "--json").facts["outcomes"] == {"in_step": 2, "outside": 1}
    verdict = door("explain", "3", "--json").facts["verdict"]
    assert verdict == "out of scope: no term fits it: stash_id: StashDB, rating: 70+"
    world.settings |= {"scope": "url; not performer: ann", "scope_match": "kinds"}
    scenes = door("sync", "--dry-run", "1", "2", "3", "--json").facts["scenes"]
    assert [scene["standing"] for scene in scenes] == ["in_step", "out_of_scope", "out_of_scope"]
    assert door("explain", "2", "--json").facts["verdict"] == "out of scope: it has the performer ann"


def test_after_a_change_of_scope_the_next_worker_compares_once_by_itself(world: World, door: Door) -> None:
    world.add(4)
    assert door("sync", "--all", "--wait").code == 0
    assert door("drain", "--json").facts["comparison_due"] is False
    world.settings["scope"] = "studio: Studio 1"
    done = door("drain", "--json")
    assert (done.code, done.facts["outcomes"], done.facts["comparison_due"]) == (0, {"outofscope": 3}, False)
    assert door("status", "--json").facts["jobs"]["outside"] == 3
    world.plex.clear_log()
    assert door("drain", "--json").facts["outcomes"] == {}
    assert world.plex.count() == 0
    world.settings["scope"] = "all"
    assert door("drain", "--json").facts["outcomes"] == {"done": 3}


def test_a_running_serve_follows_a_change_of_scope(world: World) -> None:
    world.add(4)
    file = world.folder.parent / "plexsync.toml"
    world.settings["config"] = str(file)
    file.write_text("")
    with world.serving():
        until(lambda: world.count("idle") == 4)
        file.write_text('scope = ["not studio: Studio 1"]\n')
        until(lambda: world.count("outside") == 1)
    assert "Studio 1" not in world.log()


def test_a_tag_and_a_studio_stand_for_what_lies_below_them(world: World, door: Door) -> None:
    world.add(4)
    world.stash.set_tag_parents("Tag 1", ["Section"])
    world.stash.set_parent_studio("Studio 2", "House")
    world.settings["scope"] = "not tag: section; not studio: house"
    scenes = door("sync", "--dry-run", "1", "2", "3", "4", "--json").facts["scenes"]
    assert [scene["standing"] for scene in scenes] == ["would_change", "out_of_scope", "out_of_scope", "would_change"]


def test_a_picture_is_told_in_words_since_its_key_tells_nobody_anything() -> None:
    change = FieldChange("thumb", Held("upload://posters/old", locked=False), Held("upload://posters/new", locked=True))
    one = Preview(7, WOULD_CHANGE, "Seven", items=(ItemChange("5", "1", (change,)),))
    assert list(scene_lines(one))[1] == "  poster: the picture in Plex -> the picture in Stash; lock"
    assert scene_facts(one)["items"][0]["fields"][0]["new"] == "upload://posters/new"


# --- taking over -----------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(world: World, door: Door) -> World:
    """Scenes 1 to 3 in step, but for what another tool has left in the item of scene 1."""
    world.add(3)
    world.plex.hand_edit(world.plex.keys(world.section)[0], genre=["Old one"], locked=True)
    assert door("sync", "--all", "--yes", "--wait").code == 0
    return world


def test_a_take_over_of_scenes_shows_itself_first_and_is_done_once(filled: World, door: Door) -> None:
    key = filled.plex.keys(filled.section)[0]
    assert "  genres: remove Old one" in door("sync", "1", "--take-over", "--dry-run").out.splitlines()
    assert "Old one" in filled.plex.item(key).lists["genre"]
    assert door("sync", "1", "--take-over", "--wait").code == 0
    assert filled.plex.item(key).lists["genre"] == ["Tag 0"]
    assert "1 in sync" in door("sync", "1", "--take-over", "--dry-run").out
    assert door("undo", "1", "--wait").code == 0
    assert filled.plex.item(key).lists["genre"] == ["Old one"]


def test_taking_over_the_whole_library_needs_a_word_each_time(filled: World, door: Door) -> None:
    key = filled.plex.keys(filled.section)[0]
    done = door("sync", "--all", "--take-over", "--wait")
    assert done.code != 0
    assert "sync --all --take-over --yes" in done.err
    assert "Old one" in filled.plex.item(key).lists["genre"]
    assert door("sync", "--all", "--take-over", "--yes", "--wait").code == 0
    assert filled.plex.item(key).lists["genre"] == ["Tag 0"]


# --- posters ---------------------------------------------------------------------------------------------------------


def test_without_a_setting_covers_become_posters_and_the_look_before_says_how_many(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the package that changes pictures is not installed."""
    monkeypatch.setitem(sys.modules, "PIL", None)
    world.unset = ("poster",)
    ids = world.add(3)
    for id in ids[:2]:
        world.stash.set_cover(id, png(200, 0, 0))
    theirs = world.plex.keys(world.section)[1]
    world.plex.hand_edit(theirs, thumb=png(0, 200, 0))
    chosen = world.plex.item(theirs).poster
    done = door("sync", "--all", "--dry-run")
    assert "  1 poster would change to the picture in Stash (poster = none leaves them alone)" in done.out.splitlines()
    assert door("sync", "--all", "--dry-run", "--json").facts["posters"] == 1
    assert door("sync", "--all", "--yes", "--wait").code == 0
    first, second, third = (world.plex.item(key).poster for key in world.plex.keys(world.section))
    assert (first, second) == (key_of("thumb", png(200, 0, 0)), chosen)
    assert third != first
    assert door("sync", "--all", "--dry-run", "--json").facts["posters"] == 0
