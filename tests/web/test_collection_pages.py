"""The pages of collections: how they stand, one with its parts on both servers, and decisions; the same in the API."""

import html
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
from playwright.sync_api import expect

from plexsync.reports.collections import CollectionDecision, CollectionFacts, CollectionList, CollectionsAnswer
from plexsync.simulator.http import Fault
from plexsync.web.pages import LARGEST_ID
from tests.conformity import Conformity, reachable
from tests.journey.world import World
from tests.web.collection_stage import (
    EDITED,
    FAILED,
    FOREIGN,
    IN_SYNC,
    NEW,
    TRILOGY,
    furnish_collections,
    hostile_studios,
    note,
    settle,
    shown_in_plex,
)
from tests.web.conftest import Dash, Look, dashboard
from tests.web.crawl import Crawl, Reader
from tests.web.test_accessibility import nothing_is_found
from tests.web.test_api import post
from tests.web.test_fix_pages import button, press
from tests.web.test_pages import plain


@dataclass(frozen=True)
class Stage:
    """The dashboard of a furnished library, and the numbers of its collections by name."""

    dash: Dash
    numbers: dict[str, int]

    def path(self, name: str) -> str:
        return f"/collections/{self.numbers[name]}"

    def asked(self, verb: str, name: str) -> str:
        """The page that asks about an action on a collection."""
        return f"/act/collections/{verb}?pick={self.numbers[name]}"

    def press(self, verb: str, name: str, path: str = "", **fields: str) -> str:
        """Press the button of an action on a collection, on its page or on this one; returns the page that follows."""
        reader = Reader(f"{self.dash.url}/")
        reader.feed(self.dash.get(path or self.path(name)).text)
        fields["pick"] = f"{self.numbers[name]}"
        forms = [form for form in reader.forms if form.action.endswith(f"/act/collections/{verb}")]
        (form,) = [form for form in forms if fields.items() <= dict(form.fields).items()]
        return press(self.dash, form)

    def shown(self, path: str) -> str:
        return plain(html.unescape(self.dash.get(path).text))


def opened(world: World, **settings: object) -> AbstractContextManager[Dash]:
    parts = ("name", "summary", "poster", "order")
    return dashboard(world, **{"collections": ("studio", "groups"), "collection_parts": parts} | settings)


@pytest.fixture
def stage(world: World) -> Iterator[Stage]:
    numbers = furnish_collections(world)
    with opened(world) as dash:
        yield Stage(dash, numbers)


# --- the list --------------------------------------------------------------------------------------------------------


def test_the_first_line_says_how_all_collections_stand_and_the_list_names_them(stage: Stage) -> None:
    page = stage.shown("/collections")
    line = "6 collections: 2 in sync, 1 edited in Plex, 1 not PlexSync’s, 1 waiting (1 queued), 1 needs you."
    assert f"Collections and playlists {line}" in page
    assert "PlexSync leaves collections as Plex makes them" not in page
    names = [page.index(f"{name} {of}") for name, of in ((EDITED, "studio"), (FOREIGN, "studio"), (NEW, "tag 99"))]
    assert names == sorted(names)
    assert f"{TRILOGY} group 1 · 2 scenes in sync" in page
    assert stage.dash.get("/collections").text.count('href="/collections"') == 2, "in the navigation, and all of them"


def test_the_list_is_filtered_by_status_and_library_and_shown_page_by_page(world: World) -> None:
    world.plex.add_section("Clips", locations=("/media/clips",))
    numbers = furnish_collections(world, *(f"Studio {n:02}" for n in range(58)))
    note(world, "Clips", 98, "Elsewhere")
    with opened(world) as dash:
        stage = Stage(dash, numbers)
        edited = stage.shown("/collections?stands=edited")
        assert "Collections that are edited in Plex: you edited a part in Plex, so that part is left alone" in edited
        assert (EDITED in edited, IN_SYNC in edited) == (True, False)
        assert "No collection is listed here" in stage.shown("/collections?stands=undone")
        clips = stage.shown("/collections?library=Clips")
        assert "all 1 in sync 0 queued 1" in clips
        assert ("Elsewhere tag 98 Clips queued" in clips, "Studio 01" in clips) == (True, False)
        assert "all 64" in stage.shown("/collections?library=Movies")
        first, second = stage.shown("/collections"), stage.shown("/collections?offset=50")
        assert ("Studio 01" in first, "Trilogy" in first) == (True, False)
        assert ("Studio 01" in second, "Trilogy" in second, "continued" in second) == (False, True, True)
        assert 'href="/collections?offset=50">Next page' in dash.get("/collections").text
        assert "No collection further on is listed here" in stage.shown("/collections?offset=999")
        assert "No collection further on is listed here" in stage.shown(f"/collections?offset={LARGEST_ID}")
        for wrong in ("stands=nonsense", "library=Nowhere", "offset=x", "offset=-1", f"offset={LARGEST_ID + 1}"):
            assert dash.get(f"/collections?{wrong}").status_code == 400, wrong


def test_while_no_part_is_switched_on_the_pages_say_so_and_how_to_change_that(world: World, stage: Stage) -> None:
    with opened(world, collection_parts=()) as dash:
        off = Stage(dash, stage.numbers)
        for path in ("/collections", off.path(IN_SYNC)):
            assert "PlexSync leaves collections as Plex makes them : no part of them is switched on" in off.shown(path)
            assert 'href="/settings/change?name=collection_parts"' in dash.get(path).text
            assert dash.get("/settings/change?name=collection_parts").status_code == 200
        assert "Sync now" not in off.shown(off.path(IN_SYNC))
        number = off.numbers[IN_SYNC]
        told = dash.post("/act/collections/sync", pick=f"{number}").text
        assert "Nothing was changed: no part of collections is dressed" in told
        assert post(dash, "/api/collections/sync", {"collections": [off.numbers[IN_SYNC]]})[0] == 400
        assert "1 collection to be taken back" in off.press("undo", IN_SYNC, off.asked("undo", IN_SYNC))


def test_a_library_without_collections_says_how_they_get_known(dash: Dash) -> None:
    page = plain(html.unescape(dash.get("/collections").text))
    assert "No collection is known yet." in page
    assert "Once a part is switched on, collections are noted when their scenes are inspected" in page


# --- one collection --------------------------------------------------------------------------------------------------


def test_a_collection_shows_each_part_in_stash_in_plex_as_it_was_left_and_before(stage: Stage) -> None:
    page = stage.shown(stage.path(EDITED))
    assert "edited in Plex · " in page
    assert "Of studio 2 with 1 scene in Stash, in Movies . Owner: made by PlexSync's names." in page
    summary = "summary Films of Blue Door. My own words. locked Films of Blue Door. – edited in Plex Keep Use Stash’s"
    assert summary in page
    assert "poster the picture from Stash a picture locked a picture – edited in Plex Keep Use Stash’s" in page
    assert "changed in Plex name : Blue Door → became Blue Door and locked" in page
    assert stage.dash.get("/collections/999").status_code == 404


def test_it_leads_to_stash_and_to_plex(stage: Stage) -> None:
    page, world = stage.dash.get(stage.path(EDITED)).text, stage.dash.world
    key = world.plex.collection_keys(world.section)[EDITED]
    assert f'href="{world.stash.url}/studios/2"' in page
    assert f"%2Flibrary%2Fcollections%2F{key}" in page
    assert "https://app.plex.tv/desktop/#!/server/" in page
    not_found = stage.dash.get(stage.path(NEW)).text
    assert "%2Flibrary" not in not_found


def test_keeping_a_part_and_taking_stashs_of_another(stage: Stage) -> None:
    dash, world = stage.dash, stage.dash.world
    path = stage.path(EDITED)
    told = stage.press("keep", EDITED, field="summary")
    assert "1 part of 1 collection kept as it is in Plex." in told
    told = stage.press("take", EDITED, field="thumb")
    assert "1 part of 1 collection to be replaced by what Stash says; no worker" in told
    settle(world)
    page = stage.shown(path)
    assert shown_in_plex(world, EDITED) == "My own words."
    assert "in sync · " in page
    assert "No longer keep Use Stash’s" in page
    assert "you keep what Plex has in 1 part" in stage.shown("/collections")
    assert "no longer kept" in stage.press("unkeep", EDITED, field="summary")
    assert "1 part of 1 collection to be replaced" in stage.press("take", EDITED, field="summary")
    settle(world)
    assert shown_in_plex(world, EDITED) == "Films of Blue Door."
    number = f"{stage.numbers[EDITED]}"
    assert "o such part was edited in Plex" in dash.post("/act/collections/keep", pick=number).text
    assert "there is no part nonsense" in dash.post("/act/collections/keep", pick=number, field="nonsense").text
    assert dash.post("/act/collections/nonsense", pick=number).status_code == 404


def test_one_that_is_not_plexsyncs_is_handed_over_by_a_button(stage: Stage) -> None:
    dash, path = stage.dash, stage.path(FOREIGN)
    assert "PlexSync did not make it, so nothing is written to it. Of studio 3" in stage.shown(path)
    told = stage.press("hand-over", FOREIGN)
    assert "1 collection handed over; no worker is running: start plexsync serve." in told
    settle(dash.world)
    assert shown_in_plex(dash.world, FOREIGN) == f"Films of {FOREIGN}."
    page = stage.shown(path)
    assert "Owner: handed over by you." in page
    assert "Hand over" not in page
    number = f"{stage.numbers[FOREIGN]}"
    assert "lready PlexSync&#39;s" in dash.post("/act/collections/hand-over", pick=number).text


def test_undo_shows_what_comes_back_and_redo_dresses_again(stage: Stage) -> None:
    dash, world, path = stage.dash, stage.dash.world, stage.path(IN_SYNC)
    page = stage.shown(stage.asked("undo", IN_SYNC))
    assert "Take back what was written to 1 collection?" in page
    assert "summary empty Films of Northlight. - undone" in page
    told = stage.press("undo", IN_SYNC, stage.asked("undo", IN_SYNC))
    assert "1 collection to be taken back; no worker is running" in told
    settle(world)
    assert shown_in_plex(world, IN_SYNC) == ""
    page = stage.shown(path)
    assert "undone · " in page
    assert "Undo…" not in page
    assert "1 collection to be dressed again" in stage.press("redo", IN_SYNC)
    settle(world)
    assert shown_in_plex(world, IN_SYNC) == "Films of Northlight."
    number, foreign = f"{stage.numbers[IN_SYNC]}", f"{stage.numbers[FOREIGN]}"
    assert "ot undone" in dash.post("/act/collections/redo", pick=number).text
    assert "othing was written to" in dash.post("/act/collections/undo", pick=foreign).text
    assert dash.post("/act/collections/gone", pick=number).status_code == 404
    assert "1 collection to be released" in stage.press("release", IN_SYNC, stage.asked("release", IN_SYNC))


def test_while_a_server_is_down_what_is_remembered_is_shown_and_nothing_is_decided(stage: Stage) -> None:
    dash, path = stage.dash, stage.path(EDITED)
    dash.world.plex.faults.set(Fault("status", status=503))
    page = stage.shown(path)
    assert "It can't be read now" in page
    assert "What PlexSync remembers; what both servers have is not known now" in page
    assert "summary – – Films of Blue Door. –" in page
    assert "Use Stash’s" not in page
    number = f"{stage.numbers[EDITED]}"
    assert "Nothing was changed: Plex" in plain(html.unescape(dash.post("/act/collections/keep", pick=number).text))
    assert "What would be done can't be shown now" in stage.shown(stage.asked("undo", EDITED))


def test_dead_letters_and_drift_name_collections(stage: Stage) -> None:
    dash, path = stage.dash, stage.path(FAILED)
    for page in ("/dead", "/fix?view=list"):
        assert f'href="{path}"' in dash.get(page).text, page
    assert f"{FAILED} collection {stage.numbers[FAILED]} refused" in stage.shown("/dead")
    assert f'href="{path}"><bdi>{FAILED}</bdi></a>' in dash.get("/state").text
    assert "refuses the request (400)" in stage.shown(path)
    told = press(dash, button(dash, "/dead", key=f"collection:{stage.numbers[FAILED]}"))
    assert "1 dead letter will be tried again." in told
    drift = stage.shown("/drift")
    assert f"1 collection that you edited in Plex {EDITED} Movies" in drift
    assert f'href="{stage.path(EDITED)}"' in dash.get("/drift").text
    assert "that you edited in Plex" not in stage.shown("/drift?kept=1").replace("Fields that you edited in Plex", "")


# --- the API ---------------------------------------------------------------------------------------------------------


def test_the_api_lists_and_explains_collections(stage: Stage) -> None:
    listed = stage.dash.get("/api/collections?limit=2").json()
    conformity = Conformity()
    assert conformity.problems(listed, CollectionList, "list") == []
    assert reachable(CollectionList) <= conformity.checked
    assert (listed["total"], listed["offset"], len(listed["collections"])) == (6, 2, 2)
    assert listed["counts"] == {"in_step": 2, "waiting": 1, "edited": 1, "not_ours": 1, "failed": 1}
    (edited,) = stage.dash.get("/api/collections?stands=edited&library=Movies").json()["collections"]
    facts = stage.dash.get(f"/api/collections/{edited['id']}").json()
    assert Conformity().problems(facts, CollectionFacts, "collection") == []
    assert [part["part"] for part in facts["parts"] if part["edited"]] == ["summary", "thumb"]
    for wrong in ("stands=nonsense", "limit=501", "offset=x"):
        assert stage.dash.get(f"/api/collections?{wrong}").status_code == 400
    assert stage.dash.get("/api/collections/999").status_code == 404
    stage.dash.world.plex.faults.set(Fault("status", status=503))
    away = stage.dash.get(f"/api/collections/{edited['id']}")
    assert away.status_code == 503
    assert Conformity().problems(away.json(), CollectionFacts, "collection") == []
    assert away.json()["away"]


def test_the_api_decides_about_collections(stage: Stage) -> None:
    dash, numbers = stage.dash, stage.numbers
    edited, foreign, well = numbers[EDITED], numbers[FOREIGN], numbers[IN_SYNC]
    kept = {"decision": "keep", "collections": [edited, well], "parts": ["summary"]}
    status, answer = post(dash, "/api/collections/parts", kept)
    assert Conformity().problems(answer, CollectionDecision, "decision") == []
    assert (status, answer["parts"], answer["untouched"]) == (200, {str(edited): ["summary"]}, [well])
    taken = {"decision": "take", "collections": [edited]}
    assert post(dash, "/api/collections/parts", taken)[1]["parts"] == {str(edited): ["thumb"]}, "what is kept stays"
    for path, ids, queued in (
        ("take", [foreign, well], [foreign]),
        ("sync", [well, edited], [well, edited]),
        ("undo", [well, foreign], [well]),
        ("redo", [well, edited], [well]),
    ):
        status, answer = post(dash, f"/api/collections/{path}", {"collections": ids})
        assert Conformity().problems(answer, CollectionsAnswer, path) == []
        assert (status, answer["collections"]) == (200, queued), path
        assert answer.get("untouched", []) == [id for id in ids if id not in queued]
        assert post(dash, f"/api/collections/{path}", {"collections": [999]})[0] == 404
        for wrong in ({}, {"collections": []}, {"collections": ["1"]}, {"collections": [1], "all": True}):
            assert post(dash, f"/api/collections/{path}", wrong)[0] == 400
    for more in ({"decision": "no"}, {"decision": "keep", "parts": "x"}, {"decision": "keep", "parts": ["x"]}):
        assert post(dash, "/api/collections/parts", {"collections": [edited], **more})[0] == 400


# --- visitors --------------------------------------------------------------------------------------------------------


def test_every_link_and_form_of_the_pages_leads_somewhere_and_names_are_text(world: World) -> None:
    numbers = furnish_collections(world, *hostile_studios())
    with opened(world) as dash:
        crawl = Crawl(dash, set())
        crawl.links("/collections")
        paths = {url.removeprefix(dash.url).partition("?")[0] for url in crawl.seen}
        assert {f"/collections/{id}" for id in numbers.values()} <= paths
        for url in crawl.seen:
            if "/collections" in url:
                assert "<script>document" not in dash.client.get(url).text
        crawl.forms = {name: form for name, form in crawl.forms.items() if "/act/collections/" in form.action}
        assert len(crawl.forms) > 10
        crawl.send()
        assert crawl.bad == []


def test_the_pages_open_well_in_a_browser(stage: Stage, look: Look) -> None:
    paths = ["/collections", *(stage.path(name) for name in (EDITED, FOREIGN, FAILED)), stage.asked("undo", IN_SYNC)]
    nothing_is_found(look(), [f"{stage.dash.url}{path}" for path in paths])
    page = look().page
    page.goto(f"{stage.dash.url}/collections")
    page.get_by_role("link", name=EDITED).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(EDITED)
    page.get_by_role("row", name="summary").get_by_role("button", name="Keep").click()
    expect(page.get_by_role("status").first).to_contain_text("1 part of 1 collection kept as it is in Plex.")
