"""A setting is seen before it is saved: a scene before and after, and how many scenes it changes."""

import json
import re
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe

from plexsync.app.draft import count_change
from plexsync.app.fingerprints import UNSHOWN, VALUES, previewed_settings
from plexsync.app.parts import open_parts
from plexsync.app.run import settings_wait
from plexsync.app.switches import approve_bulk
from plexsync.rules.queue.note_keys import ASKED_SETTINGS, IN_USE
from plexsync.rules.queue.setting_question import SettingQuestion, read
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.store.files.lock import FILE
from tests.journey.world import World, until
from tests.patience import HANG
from tests.web.conftest import Dash, Look, dashboard
from tests.web.stage import config_of, work
from tests.web.test_pages import plain
from validation.config import PlexSyncConfig

PAGE = "/settings/change"
NEW = "{studio}: {title}"
MANY = 25


@pytest.fixture
def file(dash: Dash) -> Path:
    return dash.world.folder.parent / "plexsync.toml"


def preview(dash: Dash, name: str, value: str, do: str = "preview", scene: str = "") -> str:
    return dash.post(PAGE, name=name, value=value, do=do, scene=scene).text


def counted(dash: Dash, name: str, value: str) -> str:
    """The page once all scenes are counted."""
    preview(dash, name, value)
    until(lambda: "looked at so far" not in preview(dash, name, value, do="count"))
    return plain(preview(dash, name, value))


def question(dash: Dash) -> SettingQuestion | None:
    with dash.parts.store.reading() as db:
        return read(db.notes.text(ASKED_SETTINGS))


def compared(world: World) -> None:
    """A full comparison with the settings in use, as a worker makes it after the yes to the first write."""
    work(world, world.add(MANY))
    with open_parts(config_of(world), world.folder) as parts:
        approve_bulk(parts)
        parts.reconciler.reconcile()


def test_a_typed_template_shows_a_scene_before_and_after_and_nothing_is_written(dash: Dash, file: Path) -> None:
    work(dash.world, dash.world.add(3))
    asked = len(dash.world.plex.log)
    page = counted(dash, "title_template", NEW)
    assert "title Title 0 Studio 0: Title 0" in page
    assert "Changes 3 of 3 scenes." in page
    assert not file.exists()
    assert {request.method for request in dash.world.plex.log[asked:]} == {"GET"}
    assert f'value="{NEW}"' in preview(dash, "title_template", NEW)


def test_the_scene_is_yours_to_choose_and_remembered_beside_every_setting(dash: Dash) -> None:
    work(dash.world, dash.world.add(3))
    assert "Studio 2: Title 2" in plain(preview(dash, "title_template", NEW, scene="3"))
    assert 'name="scene" value="3"' in dash.get(f"{PAGE}?name=tagline_template").text
    assert "#2" in plain(preview(dash, "title_template", NEW, do="scene 2"))
    assert 'name="scene" value="2"' in dash.get(f"{PAGE}?name=tagline_template").text
    assert "Give the number of a scene" in plain(preview(dash, "title_template", NEW, scene="x"))


def test_the_poster_of_a_draft_is_shown_as_it_would_be_sent(dash: Dash) -> None:
    work(dash.world, dash.world.add(1))
    cover = png(200, 0, 0)
    dash.world.stash.set_cover(1, cover)
    page = preview(dash, "poster", "cover")
    (address,) = set(re.findall(r'src="(/settings/preview/pictures/\w+)"', page))
    answer = dash.get(address)
    assert (answer.content, answer.headers["content-type"]) == (cover, "image/png")
    assert dash.get("/settings/preview/pictures/0123").status_code == 404


def test_every_setting_that_decides_what_plex_shows_has_a_preview_or_says_why_not(dash: Dash) -> None:
    shown = previewed_settings(dash.parts.config)
    assert {"look", "title_template", "poster", "collections", "performer_name", "label_tags", "sync_rating"} <= shown
    assert {
        "scope",
        "scope_match",
        "conflict_policy",
        "first_push",
        "strict_mode",
        "playlists",
        "playlist_order",
        "plex_libraries",
        "rating_direction",
        "rating_wins",
        "when_gone",
    } <= shown
    assert not {"plex_url", "plex_token", "libraries", "provider_listen"} & shown
    for name in PlexSyncConfig.model_fields:
        page = dash.get(f"{PAGE}?name={name}").text
        assert ('id="draft"' in page) is (name in shown), name
        assert ("Not previewed: " in page) is (name in UNSHOWN), name
    assert dash.post(PAGE, name="max_retries", value="3", do="preview").status_code == 404


def test_changed_playlists_say_by_name_which_would_be_created_and_why_none_can_be(dash: Dash) -> None:
    work(dash.world, dash.world.add(13))
    for tag in ("Tag 1", "Tag 2", "Empty"):
        dash.world.stash.set_tag_parents(tag, ["Lists"])
    page = counted(dash, "playlists", "children of: Lists")
    assert "Changes 0 of 13 scenes." in page
    assert "2 playlists would be created. Tag 1 : created, with 2 scenes Tag 2 : created, with 1 scene" in page
    assert "Stash has no tag &#39;Nowhere&#39;: create it" in counted(dash, "playlists", "children of: Nowhere")


def test_other_libraries_say_which_scenes_they_add_and_which_they_leave_out(world: World) -> None:
    ids = world.add(3)
    other = world.plex.add_section("Other", locations=("/media",))
    for n in (1, 2, 7):
        world.plex.add_movie(other, files=[(f"/media/scenes/scene {n:05}.mp4", 1_000_000 + n, 60_000)], title=f"{n}")
    world.settings["plex_libraries"] = "Movies"
    work(world, ids)
    with dashboard(world) as dash:
        asked = len(world.plex.log)
        page = counted(dash, "plex_libraries", "Movies, Other")
        assert "Changes 2 of 3 scenes." in page
        assert "Other is added: 2 of 3 items are of a scene." in page
        page = counted(dash, "plex_libraries", "Other")
        assert "Changes 2 of 3 scenes. 1 scene would no longer be written: what Plex has of it stays." in page
        assert "Movies is left out" in plain(preview(dash, "plex_libraries", "Other", scene="1"))
        assert {request.method for request in world.plex.log[asked:]} == {"GET"}


def test_ratings_in_both_directions_are_counted_before_they_are_saved(dash: Dash) -> None:
    work(dash.world, dash.world.add(4))
    dash.world.plex.hand_edit(dash.world.plex.keys(dash.world.section)[1], userRating=9)
    assert "1 rating would be written in Stash, and 0 ratings in Plex." in counted(dash, "rating_direction", "both")
    assert "would be written in Stash" not in counted(dash, "rating_wins", "plex")


def test_the_undo_of_a_removed_scene_is_seen_at_one_that_is_there(dash: Dash) -> None:
    work(dash.world, dash.world.add(1))
    page = plain(preview(dash, "when_gone", "undo"))
    assert "Scene Title 0 #1 : as it would be if Stash had it no more" in page
    assert "title Title 0 scene 00000" in page
    assert "Changes 0 of 1 scene." in counted(dash, "when_gone", "undo")
    assert "No text of it changes." in plain(preview(dash, "when_gone", "keep"))


def test_what_is_typed_wrongly_is_said_in_its_place(dash: Dash, file: Path) -> None:
    page = plain(preview(dash, "title_template", "{nonsense}"))
    assert "Before you save title_template" in page
    assert not file.exists()


def test_while_a_server_is_down_the_page_says_so(dash: Dash) -> None:
    work(dash.world, dash.world.add(1))
    dash.world.plex.faults.set(Fault("status", status=503))
    assert "is not ready (503)" in preview(dash, "title_template", NEW)
    until(lambda: "change can't be counted now" in plain(preview(dash, "title_template", NEW, do="count")))


def test_a_newer_draft_ends_the_count_of_the_one_before(dash: Dash) -> None:
    work(dash.world, dash.world.add(3))
    assert "Changes 3 of 3 scenes." in counted(dash, "title_template", NEW)
    assert "Changes 0 of 3 scenes." in counted(dash, "genre_tags", "*, -Nothing")
    assert len([one for one in threading.enumerate() if one.name == "count"]) <= 1


def test_two_pages_with_different_drafts_are_counted_one_after_the_other(dash: Dash) -> None:
    work(dash.world, dash.world.add(3))
    counts, faults = dash.entries.first.desk.counts, dash.world.stash.faults
    counts.turn = HANG
    faults.set(Fault("hang", times=1))
    preview(dash, "title_template", NEW, do="count")
    until(lambda: not faults.active)
    first = counts.current
    assert "are counted in a moment" in preview(dash, "genre_tags", "*, -Nothing", do="count")
    assert counts.current is first is not None
    assert not first.stop.is_set()
    faults.clear()
    counts.turn = 0.0
    assert "Changes 0 of 3 scenes." in counted(dash, "genre_tags", "*, -Nothing")


def test_a_count_ends_when_no_page_asks_for_it_any_more_and_a_preview_begins_it_anew(dash: Dash) -> None:
    work(dash.world, dash.world.add(3))
    counts = dash.entries.first.desk.counts
    patience, counts.unseen = counts.unseen, -1.0
    preview(dash, "title_template", NEW)
    until(lambda: "no page was open for it" in preview(dash, "title_template", NEW, do="count"))
    counts.unseen = patience
    assert "Changes 3 of 3 scenes." in counted(dash, "title_template", NEW)


def test_a_count_and_a_comparison_run_side_by_side(dash: Dash) -> None:
    work(dash.world, dash.world.add(3))
    desk, faults = dash.entries.first.desk, dash.world.stash.faults
    faults.set(Fault("hang", times=1))
    preview(dash, "title_template", NEW, do="count")
    until(lambda: not faults.active)
    assert desk.tasks.start("compare")
    until(lambda: desk.tasks.last("compare") is not None)
    assert desk.counts.current is not None, "it hangs, and the comparison did not wait for it"
    last = desk.tasks.last("compare")
    assert last is not None
    assert last.state == "done"
    faults.clear()


def test_the_count_of_the_page_is_the_question_that_the_saved_setting_waits_for(world: World) -> None:
    world.settings["approve_bulk"] = "false"
    compared(world)
    with dashboard(world) as dash:
        page = counted(dash, "title_template", NEW)
        assert f"Changes {MANY} of {MANY} scenes." in page
        assert f"Save, and write these {MANY}" in page
        told = plain(preview(dash, "title_template", NEW, do="set"))
        assert f"{MANY} scenes would change: that waits for your yes, and until then" in told
        asked = question(dash)
    assert asked is not None
    assert asked.scenes == MANY
    world.settings["title_template"] = NEW
    reads = len(world.stash.log)
    with open_parts(config_of(world), world.folder) as parts:
        parts.reconciler.note_wishes()
        assert settings_wait(parts, lambda: False)
    assert len(world.stash.log) == reads, "the worker need not count again"


def test_the_yes_of_the_page_is_the_yes_that_the_setting_waits_for(world: World) -> None:
    world.settings["approve_bulk"] = "false"
    compared(world)
    with dashboard(world) as dash:
        counted(dash, "title_template", NEW)
        with dash.parts.locks.try_lock(FILE):
            assert f"{MANY} scenes would change: that is written now." in plain(
                preview(dash, "title_template", NEW, do="write")
            )
    world.settings["title_template"] = NEW
    with open_parts(config_of(world), world.folder, worker=True) as parts:
        parts.reconciler.note_wishes()
        assert not settings_wait(parts, lambda: False)
        assert parts.config.title_template == NEW


def test_the_yes_of_the_page_covers_an_earlier_change_that_still_waits(world: World) -> None:
    world.settings["approve_bulk"] = "false"
    compared(world)
    world.settings["title_template"] = NEW
    with open_parts(config_of(world), world.folder, worker=True) as before:
        before.reconciler.note_wishes()
        assert settings_wait(before, lambda: False)
        with dashboard(world) as dash:
            page = counted(dash, "genre_tags", "*, -Tag 3")
            assert f"Save, and write these {MANY}" in page, "what is shown is all that is not in force yet"
            with dash.parts.locks.try_lock(FILE):
                told = plain(preview(dash, "genre_tags", "*, -Tag 3", do="write"))
                assert f"{MANY} scenes would change: that is written now." in told
        # The worker has not taken over the second change yet: what it counts meanwhile is no question any more.
        settings_wait(before, lambda: False)
    world.settings["genre_tags"] = "*, -Tag 3"
    with open_parts(config_of(world), world.folder, worker=True) as parts:
        parts.reconciler.note_wishes()
        assert not settings_wait(parts, lambda: False)
        assert parts.config.title_template == NEW
        assert parts.config.genre_tags == parts.saved.genre_tags


def test_the_page_says_what_else_is_in_the_way_of_what_you_agreed_to(world: World) -> None:
    world.settings["approve_bulk"] = "false"
    compared(world)
    with dashboard(world) as dash:
        counted(dash, "title_template", NEW)
        told = plain(preview(dash, "title_template", NEW, do="write"))
        assert f"{MANY} scenes would change: that is written later, because no worker is running" in told
        world.plex.faults.set(Fault("status", status=401))
        counted(dash, "title_template", "{title} 2")
        told = plain(preview(dash, "title_template", "{title} 2", do="write"))
        assert "Your yes was not taken, because what it changes was not counted completely." in told


@pytest.mark.parametrize("is_known", [True, False])
def test_a_worker_counts_a_file_edited_by_hand_as_the_page_counts_the_same_value(world: World, is_known: bool) -> None:
    world.settings["approve_bulk"] = "false"
    compared(world)
    world.stash.quiet_edit(1, title="Edited")
    with dashboard(world) as dash:
        assert "Changes 2 of 25 scenes. 1 scene more would be" in counted(dash, "genre_tags", "*, -Tag 3")
        if not is_known:
            # As an earlier version has noted it.
            with dash.parts.store.writing() as tx:
                noted = json.loads(tx.notes.text(IN_USE))
                tx.notes.save(IN_USE, json.dumps({name: noted[name] for name in noted if name != VALUES}))
        world.settings["genre_tags"] = "*, -Tag 3"
        with open_parts(config_of(world), world.folder) as parts:
            parts.reconciler.note_wishes()
            count = count_change(parts, lambda: False)
        assert count.changed == (2 if is_known else 3), "of a value that is not known, all that would be written counts"


def test_with_script_the_page_follows_what_is_typed(dash: Dash, look: Look) -> None:
    work(dash.world, dash.world.add(3))
    page = look(width=390).page
    page.goto(f"{dash.url}{PAGE}?name=title_template")
    page.fill("#value", NEW)
    page.wait_for_selector("#draft tr.changes")
    page.wait_for_selector("#draft-count:has-text('Changes 3 of 3 scenes.')")
    assert not Axe().run(page).violations_count
    page.click("#draft-count button:has-text('#2')")
    page.wait_for_selector("#draft a:has-text('Title 1')")
    assert page.input_value("#scene") == "2"
    assert urlsplit(page.url).path == PAGE
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_look_shows_the_collections_of_the_scene(dash: Dash) -> None:
    work(dash.world, dash.world.add(8))
    dash.world.stash.edit_object("studio", "Studio 0", details="About it.", image=png(0, 0, 200))
    page = preview(dash, "look", "rich", scene="1")
    assert "Its collection Studio 0" in plain(page)
    assert "summary – About it." in plain(page)
    assert "the poster of the collection with this draft" in page
