"""Scenes on the pages: listed by how they stand, found, explained, and changed by the same verbs as at the terminal."""

import html
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from plexsync.app.parts import open_parts
from plexsync.flows.scenes.verbs import want_scenes
from plexsync.reports.rows import on_screen
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.records import BreakerRow
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import Neighbour
from plexsync.rules.words.status_words import SceneStatus
from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from tests.journey.world import World, until
from tests.patience import HANG
from tests.web.conftest import Dash, dashboard
from tests.web.stage import HOSTILE, config_of, furnish, state_of, work


@pytest.fixture
def staged(world: World) -> Iterator[tuple[Dash, dict[str, int]]]:
    found = furnish(world)
    with dashboard(world) as dash:
        yield dash, found


def plain(text: str) -> str:
    """What of a page is text, in one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def listed(page: str) -> list[int]:
    return [int(id) for id in re.findall(r'<a id="scene-(\d+)"', page)]


# --- the list --------------------------------------------------------------------------------------------------------


def test_each_tab_lists_the_scenes_that_stand_so_as_many_as_it_says(staged) -> None:
    dash, found = staged
    page = dash.get("/scenes").text
    tabs = re.findall(r'href="(/scenes[^"]*)"[^>]*>([A-Za-z ]+) <span class="count">([\d,]+)</span>', page)
    assert {"all", "in sync", "queued", "not in Plex yet", "needs you", "ignored"} <= {name for _, name, _ in tabs}
    for href, name, count in tabs:
        ids = listed(dash.get(html.unescape(href)).text)
        assert len(ids) == int(count), name
        assert {found[status] for status in SceneStatus if status.word == name and status in found} - {
            found["gone"]
        } <= set(ids)
    assert sum(int(count) for _, name, count in tabs if name != "all") == len(listed(page))


def badges(page: str) -> set[tuple[str, str]]:
    """The words with a colour on a page: colour and word."""
    return set(re.findall(r'<span class="badge (\w+)">([^<]*)</span>', page))


@pytest.mark.parametrize(("path", "in_sync"), [("/scenes", "in sync"), ("/charts", "were in sync")])
def test_who_needs_you_is_amber_in_lists_and_nothing_that_waits_is_red(staged, path: str, in_sync: str) -> None:
    dash, _ = staged
    seen = badges(dash.get(path).text)
    assert seen >= {("wait", "needs you"), ("plain", "queued"), ("plain", "not in Plex yet"), ("well", in_sync)}
    assert "bad" not in {colour for colour, _ in seen}


def test_a_row_tells_what_a_scene_is_called_and_why_it_stands_so(staged) -> None:
    dash, found = staged
    told = plain(dash.get("/scenes?stands=absent").text)
    assert f"Not in Plex #{found['absent']} /media/scenes/nowhere.mp4 not in Plex yet" in told
    assert "no item in Plex has this file" in told


def test_pages_go_on_where_the_one_before_ended_and_hold_every_scene_once(world: World) -> None:
    with open_parts(config_of(world), world.folder) as parts:
        with parts.store.writing() as tx:
            for id in range(1, 124):
                tx.jobs.want(Kind.SCENE, id, "sweep", parts.clock.now())
                tx.scene_names.save([Scene(id, title=f"Numbered {id}")])
    with dashboard(world) as dash:
        for start in ("/scenes?stands=waiting", "/scenes", "/scenes?q=numbered"):
            ids, path, pages = [], start, 0
            while path:
                page = dash.get(path).text
                ids += listed(page)
                pages += 1
                more = re.search(r'<a id="next" href="([^"]+)"', page)
                path = html.unescape(more[1]) if more else ""
            assert ids == list(range(1, 124))
            assert pages == 3
            assert re.search(r'<a id="first" href="([^"]+)"', page)


def test_a_scene_is_found_by_title_path_and_number(staged) -> None:
    dash, found = staged
    absent = found["absent"]
    assert listed(dash.get("/scenes?q=NOT in").text) == [absent]
    assert listed(dash.get("/scenes?q=nowhere.mp4").text) == [absent]
    assert listed(dash.get(f"/scenes?q={absent}").text)[0] == absent
    nothing = dash.client.get("/scenes", params={"q": "%_no such <b>"})
    assert listed(nothing.text) == []
    assert "%_no such <b>" in plain(nothing.text)


def test_titles_that_nobody_has_told_yet_are_asked_of_stash_once(world: World) -> None:
    ids = world.add(3)
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, "sweep", parts.clock.now())
    with dashboard(world) as dash:
        assert "Title 2" in dash.get("/scenes").text
        asked = world.stash.count()
        assert "Title 2" in dash.get("/scenes").text
        assert world.stash.count() == asked, "they are known now"
        assert listed(dash.get("/scenes?q=title 2").text) == [ids[2]]


def test_while_stash_is_away_scenes_without_titles_are_listed_by_number(world: World) -> None:
    ids = world.add(2)
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        for id in ids:
            tx.jobs.want(Kind.SCENE, id, "sweep", parts.clock.now())
    world.stash.faults.set(Fault("status", status=503))
    with dashboard(world) as dash:
        page = dash.get("/scenes")
        assert page.status_code == 200
        assert f"Scene {ids[0]}" in plain(page.text)


@pytest.mark.parametrize(
    "path", ["/scenes?stands=nonsense", "/scenes?after=x", f"/scenes?after={2**64}", "/scenes/0x1"]
)
def test_what_makes_no_sense_is_answered_with_a_line(dash: Dash, path: str) -> None:
    answer = dash.get(path)
    assert answer.status_code in (400, 404)
    assert "Traceback" not in answer.text


def test_a_live_page_asks_neither_server(staged) -> None:
    dash, found = staged
    before = dash.world.stash.count(), dash.world.plex.count()
    for path in ("/scenes", f"/scenes/{found['in_step']}"):
        assert dash.get(path, **{"X-Live": "1"}).status_code == 200
    assert (dash.world.stash.count(), dash.world.plex.count()) == before


def test_a_live_page_renews_what_would_be_done_once_the_scene_was_changed(world: World) -> None:
    (id,) = world.add(1)
    work(world, [id])
    world.stash.quiet_edit(id, title="Edited")

    def now(page: str) -> tuple[str, str]:
        """The section about what would be done, and how it stands by it."""
        matched = re.search(r'<section id="now" data-live data-shown="([^"]+)".*?</section>', page, re.DOTALL)
        return (matched[1], plain(matched[0])) if matched else ("", "")

    with dashboard(world) as dash:
        mark, told = now(dash.get(f"/scenes/{id}").text)
        assert "1 field would be changed" in told
        live = {"X-Live": "1", "X-Shown": mark}
        assert now(dash.get(f"/scenes/{id}", **live).text) == ("", ""), "nothing has changed"
        with open_parts(config_of(world), world.folder) as parts:
            want_scenes(parts.store, [id], Why.USER, parts.clock)
        queued = dash.get(f"/scenes/{id}", **live).text
        assert now(queued) == ("", "")
        assert "What is below was read before: it is read again when the scene is synced." in plain(queued)
        work(world)
        fresh, told = now(dash.get(f"/scenes/{id}", **live).text)
        assert "would be changed" not in told
        assert "in sync" in told
        assert now(dash.get(f"/scenes/{id}", **{**live, "X-Shown": fresh}).text) == ("", "")


# --- one scene -------------------------------------------------------------------------------------------------------


def test_a_scene_tells_its_differences_its_steps_and_its_history(staged) -> None:
    dash, found = staged
    told = plain(dash.get(f"/scenes/{found['waiting']}").text)
    assert "Not pushed yet #" in told
    assert "1 field would be changed" in told
    assert "title Not pushed yet Title 1 locked write changed in Stash" in told
    assert "studio Studio 1 Studio 1 locked nothing" in told
    assert "Empty in Stash and in Plex: director" in told
    assert "How its item was matched path : Item 2 has the full path" in told
    assert "title : scene 00001 → became Title 1 and locked" in told


def test_a_history_calls_a_failure_only_what_failed(staged) -> None:
    dash, found = staged
    for name, badge in (
        ("absent", ("plain", "not in Plex yet")),
        ("ambiguous", ("wait", "needs you")),
        ("failed", ("wait", "failed attempt")),
    ):
        page = dash.get(f"/scenes/{found[name]}").text
        assert badge in badges(page[page.index('id="past-title"') :])
        assert ("failed attempt" in page) == (name == "failed")
        assert "bad" not in {colour for colour, _ in badges(page)}


def test_the_job_of_a_scene_is_told_in_words_of_the_future(staged) -> None:
    dash, found = staged
    assert "Job: queued, next try now." in plain(dash.get(f"/scenes/{found['waiting']}").text)
    told = plain(dash.get(f"/scenes/{found['absent']}").text)
    assert re.search(r"Job: not in Plex yet, next look (in \d|now)", told)
    assert "failure" not in told
    assert "the worker looks at the next scene" in plain(dash.get("/charts").text)


def test_the_posters_of_both_servers_are_pictures(world: World) -> None:
    world.settings["poster"] = "cover"
    world.add(1)
    world.stash.set_cover(1, png(200, 0, 0))
    with dashboard(world) as dash:
        page = dash.get("/scenes/1").text
    now = page[page.index('id="now"') : page.index('id="bind-title"')]
    pictures = re.findall(r'<td data-label="([^"]+)"><img class="picture" src="([^"]+)"', now)
    assert pictures == [("Stash says", "/pictures/scenes/1/thumb"), ("Plex has", "/pictures/items/1/thumb")]
    work(world, [1])
    with dashboard(world) as dash:
        page = dash.get("/scenes/1").text
    assert "poster : chosen by Plex → became an uploaded picture and locked" in plain(page)
    assert "://posters" not in page
    assert on_screen("media://ce/posters/frame", "thumb") == "a picture of Plex's own"


def test_an_ambiguous_scene_offers_its_candidates_and_binding_one_settles_it(staged) -> None:
    dash, found = staged
    id = found["ambiguous"]
    page = dash.get(f"/scenes/{id}").text
    keys = re.findall(r'name="item" value="(\d+)"', page)
    assert len(keys) == 2
    after = plain(dash.post(f"/scenes/{id}/bind", item=keys[1]).text)
    assert f"Scene {id} is bound to item {keys[1]} of Movies" in after
    assert f"Bound by hand to item {keys[1]}" in after
    assert dash.world.rows("select subject, item from binding where off = 0") == [(id, keys[1])]
    assert state_of(dash.world, id) is State.READY
    after = plain(dash.post(f"/scenes/{id}/unbind", item=keys[1]).text)
    assert f"Scene {id} is found by its files again" in after
    assert dash.world.rows("select count(*) from binding where off = 0") == [(0,)]


def test_a_scene_whose_picture_is_refused_is_not_plainly_in_sync(world: World) -> None:
    world.settings["poster"] = "cover"
    world.add(2)
    world.stash.set_cover(1, png(200, 0, 0))
    world.plex.faults.set(Fault("status", status=400, when=lambda request: request.method == "POST"))
    work(world, [1, 2])
    why = f"Plex at {urlsplit(world.plex.url).netloc} refuses the request (400)"
    reason = f"its poster could not be written: {why}"
    with dashboard(world) as dash:
        listed = plain(dash.get("/scenes").text)
        assert listed.count(f"but {reason}") == 1
        shown = plain(dash.get("/scenes/1").text)
        assert f"But {reason}." in shown
        assert f"failed attempt {reason} (refused, then in sync)" in shown
        assert reason not in plain(dash.get("/scenes/2").text)
        facts = {"field": "thumb", "reason": why}
        rows = dash.get("/api/scenes").json()["scenes"]
        assert [row["left_out"] for row in rows] == [[facts], []]
        assert dash.get("/api/scenes/1").json()["left_out"] == [facts]
        assert dash.get("/api/scenes/1/history").json()["entries"][0]["error"] == reason


def test_binding_an_undone_scene_says_that_it_rests(staged) -> None:
    dash, found = staged
    id = found["in_step"]
    assert dash.post("/act/scenes/undo", pick=id).url.path == f"/scenes/{id}"
    work(dash.world)
    key = dash.world.plex.add_movie(dash.world.section, files=[("/elsewhere/other.mp4", 5, 60_000)], title="other")
    after = plain(dash.post(f"/scenes/{id}/bind", item=key).text)
    assert f"Scene {id} is bound to item {key} of Movies." in after
    assert f"Scene {id} is undone: nothing is written until you edit it in Stash, or plexsync redo {id}" in after
    assert "and is queued" not in after


@pytest.mark.parametrize("item", ["", "x", "0", "12 34", "9" * 30, "-1"])
def test_what_is_no_rating_key_binds_nothing(staged, item: str) -> None:
    dash, found = staged
    after = plain(dash.post(f"/scenes/{found['in_step']}/bind", item=item).text)
    assert "Give the rating key of the item" in after
    assert dash.world.rows("select count(*) from binding") == [(0,)]


def test_an_item_that_plex_does_not_have_binds_nothing(staged) -> None:
    dash, found = staged
    after = plain(dash.post(f"/scenes/{found['in_step']}/bind", item="999999").text)
    assert "Nothing was bound: Plex has no item 999999" in after


def test_sync_now_wants_it_as_a_person_does(staged) -> None:
    dash, found = staged
    id = found["failed"]
    assert state_of(dash.world, id) is State.DEAD
    after = plain(dash.post(f"/scenes/{id}/sync").text)
    assert f"Scene {id} is queued; no worker is running" in after
    assert state_of(dash.world, id) is State.READY
    assert dash.world.rows(f"select lane from job where id = {id}") == [(0,)]


def test_an_ignored_scene_has_no_button_that_would_sync_it_and_an_old_page_is_told_so(staged) -> None:
    dash, found = staged
    id = found["ignored"]
    assert "Sync now" not in dash.get(f"/scenes/{id}").text
    after = plain(dash.post(f"/scenes/{id}/sync").text)
    assert f"Nothing was queued: scene {id} is ignored. Stop ignoring it first." in after


@pytest.mark.parametrize("verb", ["sync", "ignore"])
def test_a_scene_that_stash_does_not_have_is_neither_queued_nor_ignored(dash: Dash, verb: str) -> None:
    after = plain(dash.post(f"/scenes/4711/{verb}").text)
    assert "Stash has no scene 4711." in after
    assert dash.world.rows("select count(*) from job") == [(0,)]


def test_a_scene_of_which_nobody_knows_is_queued_and_that_is_said(dash: Dash) -> None:
    dash.world.stash.faults.set(Fault("refuse"))
    after = plain(dash.post("/scenes/4711/sync").text)
    assert "Scene 4711 is queued" in after
    assert "Whether Stash has scene 4711 is not known: Stash" in after


def test_ignoring_and_taking_that_back(staged) -> None:
    dash, found = staged
    id = found["in_step"]
    assert "is ignored from now on" in plain(dash.post(f"/scenes/{id}/ignore").text)
    assert state_of(dash.world, id) is State.IGNORED
    assert "was ignored already" in plain(dash.post(f"/scenes/{id}/ignore").text)
    assert "is synced again" in plain(dash.post(f"/scenes/{id}/unignore").text)
    assert state_of(dash.world, id) is State.READY


def test_whether_another_scene_is_to_be_ignored_can_be_answered_on_its_page(staged) -> None:
    dash, found = staged
    id = found["in_step"]
    assert f"/scenes/{id}/unignore" not in dash.get(f"/scenes/{id}").text
    with open_parts(config_of(dash.world), dash.world.folder) as parts, parts.store.writing() as tx:
        tx.notes.hold_ignore(id, now=parts.clock.now())
    page = dash.get(f"/scenes/{id}").text
    assert f"another scene was ignored, which had the id {id} then" in plain(page)
    assert f'"/scenes/{id}/ignore"' in page
    assert "is synced again" in plain(dash.post(f"/scenes/{id}/unignore").text)
    assert f"/scenes/{id}/unignore" not in dash.get(f"/scenes/{id}").text


def test_undo_asks_first_and_the_worker_takes_it_back(staged) -> None:
    dash, found = staged
    world, id = dash.world, found["in_step"]
    asked = plain(dash.get(f"/act/scenes/undo?pick={id}").text)
    assert "Take back what was pushed for" in asked
    assert "restore" in asked
    assert "scene 00000" in asked
    assert world.rows("select count(*) from memory where undone <> ''") == [(0,)], "a question changes nothing"
    (link,) = re.findall(rf'href="(/act/scenes/undo\?pick={id}&[^"]+)"', html.unescape(dash.get("/").text))
    assert dict(re.findall(r'name="(pick|from)" value="([^"]*)"', dash.get(link).text)) == {
        "pick": str(id),
        "from": "overview",
    }
    answer = dash.post("/act/scenes/undo", pick=id, **{"from": "overview"})
    assert answer.url.path == "/", "who comes from the overview is back there"
    assert "1 scene to be taken back; no worker is running: start plexsync serve." in plain(answer.text)
    assert world.rows(f"select undone from memory where subject = {id}") == [("undo",)]
    work(world)
    assert world.plex.item("1").scalars["title"] == "scene 00000"
    assert "Nothing would change" in plain(dash.get(f"/act/scenes/undo?pick={id}").text)


def test_release_keeps_the_values_and_takes_off_the_locks(staged) -> None:
    dash, found = staged
    world, id = dash.world, found["in_step"]
    assert "PlexSync's locks come off" in plain(dash.get(f"/act/scenes/release?pick={id}").text)
    dash.post("/act/scenes/release", pick=id)
    work(world)
    item = world.plex.item("1")
    assert item.scalars["title"] == "A better title"
    assert "title" not in item.locks


def test_an_undone_scene_has_a_button_that_redoes_it_in_the_place_of_sync_now(staged) -> None:
    dash, found = staged
    world, id = dash.world, found["in_step"]
    assert "Redo" not in plain(dash.get(f"/scenes/{id}").text)
    dash.post("/act/scenes/undo", pick=id)
    work(world)
    page = plain(dash.get(f"/scenes/{id}").text)
    assert ("Redo" in page, "Sync now" in page, "Job: undone" in page) == (True, False, True)
    assert ("Undo…" in page, "Release…" in page) == (False, False)
    assert f"#{id}" in plain(dash.get("/scenes?stands=undone").text)
    assert f"plexsync redo {id} at once" in plain(dash.post(f"/scenes/{id}/sync").text), (
        "an old page still has that button"
    )
    assert world.plex.item("1").scalars["title"] == "scene 00000"
    assert "1 scene to be synced again" in plain(dash.post("/act/scenes/redo", pick=id).text)
    work(world)
    assert world.plex.item("1").scalars["title"] == "A better title"
    assert "ot undone: scene" in plain(dash.post("/act/scenes/redo", pick=id).text)
    assert "ot undone: scene" in plain(dash.post("/act/scenes/redo", pick=found["absent"]).text)


def test_nothing_is_undone_of_a_scene_that_nothing_was_pushed_for(staged) -> None:
    dash, found = staged
    assert "Nothing was pushed for scene" in plain(dash.post("/act/scenes/undo", pick=found["absent"]).text)
    assert dash.post("/act/scenes/burn", pick=found["absent"]).status_code == 404


@pytest.mark.parametrize("who", list(Neighbour))
def test_while_a_server_is_away_what_is_known_is_shown(staged, who: Neighbour) -> None:
    dash, found = staged
    id, now = found["in_step"], dash.parts.clock.now() / 1000
    row = BreakerRow(state="open", failures=5, opened_at=now, wait=600.0, error=f"{who.title()} does not answer")
    with dash.parts.store.writing() as tx:
        tx.breakers.save(who, row)
    told = plain(dash.get(f"/scenes/{id}").text)
    assert f"It can't be read now {who.title()} is down: {who.title()} does not answer" in told
    assert "Pushed before" in told
    queued = "It stays queued, and is synced when the server is up."
    assert (queued in told, queued in plain(dash.get(f"/scenes/{found['waiting']}").text)) == (False, True)
    assert "title : scene 00000 → became Title 0 and locked" in told
    # A button asks at once, and this server is still away.
    (dash.world.plex if who is Neighbour.PLEX else dash.world.stash).faults.set(Fault("refuse"))
    assert "Nothing was bound" in plain(dash.post(f"/scenes/{id}/bind", item="1").text)
    asked = plain(dash.get(f"/act/scenes/undo?pick={id}").text)
    assert "What would be done can't be shown now" in asked
    assert "is queued" in plain(dash.post(f"/scenes/{id}/sync").text), "wanting needs nobody"


def test_a_server_that_goes_away_meanwhile_is_told_as_well(staged) -> None:
    dash, found = staged
    dash.world.plex.faults.set(Fault("status", status=503))
    page = dash.get(f"/scenes/{found['in_step']}")
    assert page.status_code == 200
    assert re.search(r"can't be read[^.]*Plex at \S+ is not ready \(503\)", plain(page.text))


def test_a_server_that_hangs_holds_up_nobody_else(staged, monkeypatch: pytest.MonkeyPatch) -> None:
    dash, found = staged
    monkeypatch.setattr("plexsync.web.context.PATIENCE", 0.05)
    before = dash.world.plex.count()
    dash.world.plex.faults.set(Fault("hang"))
    first = threading.Thread(target=lambda: httpx2.get(f"{dash.url}/scenes/{found['in_step']}", timeout=HANG))
    first.start()
    until(lambda: dash.world.plex.count() > before)
    told = plain(dash.get(f"/scenes/{found['waiting']}").text)
    assert "It can't be read now Another scene is being looked at" in told
    assert dash.get("/dead").status_code == 200
    dash.world.plex.faults.clear()
    first.join(60)
    assert not first.is_alive()


def test_a_scene_that_there_is_not_is_not_found(dash: Dash) -> None:
    assert dash.get("/scenes/4711").status_code == 404
    assert dash.get("/scenes/0").status_code == 404
    assert dash.get(f"/scenes/{2**63}").status_code == 404


def test_a_scene_that_is_gone_from_stash_keeps_its_history(staged) -> None:
    dash, found = staged
    told = plain(dash.get(f"/scenes/{found['gone']}").text)
    assert f"Stash has no scene {found['gone']}" in told
    assert "Title 4" in told


def test_no_title_of_others_becomes_part_of_a_page(staged) -> None:
    dash, found = staged
    pages = [dash.get(path).text for path in ("/scenes", f"/scenes/{found['hostile']}", "/scenes?q=script")]
    for page in pages:
        assert "<script>document" not in page
        assert "<img src=x" not in page
        assert "<svg onload" not in page
        assert "\u202e" not in page
    assert html.escape(HOSTILE[0], quote=False).replace('"', "&#34;") in pages[0]
    assert "{{7*7}}" in pages[0]


def test_a_button_tests_the_way_and_says_what_it_took(world: World) -> None:
    ids = world.add(1)
    with dashboard(world) as dash:
        page = dash.post(f"/scenes/{ids[0]}/ping")
        assert "Nothing was sent: no worker runs" in plain(page.text)
        with world.serving():
            until(lambda: world.in_step(ids) and world.count("idle") == 1)
            page = dash.post(f"/scenes/{ids[0]}/ping")
            assert "read back equal" in plain(page.text)
