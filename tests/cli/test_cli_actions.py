"""Actions in the terminal, in the API and on their pages: the same selectors, the same answers, for every subject."""

import html
from collections.abc import Mapping

import pytest

from plexsync.actions.model import SubjectKind, Verb
from plexsync.actions.table import SENSELESS, TABLE
from plexsync.web.action_pages import API_NAMES
from tests.cli.conftest import Door
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard
from tests.web.test_api import post
from tests.web.test_pages import plain

Pair = tuple[Verb, SubjectKind]
ON = {"watch_back": "plays", "rating_direction": "both", "collection_parts": "summary"}
VALUES: Mapping[str, Mapping[str, object]] = {
    "ids": {"scenes": [1]},
    "since": {"since": "2h"},
    "run": {"run": 1},
    "and_later": {"all": True, "and_later": True},
    "library": {"all": True, "library": "Movies"},
    "fields": {"all": True, "fields": ["title"]},
}


def shown(dash: Dash, path: str) -> str:
    return plain(html.unescape(dash.get(path).text))


def api_path(verb: Verb, subject: SubjectKind) -> str:
    called = next((name for (kind, name), meant in API_NAMES.items() if (kind, meant) == (subject, verb)), verb)
    return f"/api/{subject}/{called}"


def body(selector: str, subject: SubjectKind) -> dict[str, object]:
    """A request with this selector."""
    word = "parts" if selector == "fields" and subject is SubjectKind.COLLECTIONS else ""
    return {word if word and name == "fields" else name: value for name, value in VALUES[selector].items()}


def test_a_pair_without_sense_has_one_sentence_in_the_terminal_in_the_api_and_on_its_page(
    world: World, door: Door
) -> None:
    assert SENSELESS.keys().isdisjoint(TABLE)
    with dashboard(world) as dash:
        answers = {pair: post(dash, api_path(*pair), {"all": True}) for pair in SENSELESS}
        pages = {(verb, kind): dash.get(f"/act/{kind}/{verb}?all=1") for verb, kind in SENSELESS}
    assert answers == {pair: (400, {"error": sentence}) for pair, sentence in SENSELESS.items()}
    said = {
        pair: (page.status_code, SENSELESS[pair].lower() in plain(html.unescape(page.text)).lower())
        for pair, page in pages.items()
    }
    assert said == dict.fromkeys(SENSELESS, (400, True))
    commands = [pair for pair in SENSELESS if pair[0] in (Verb.REDO, Verb.RELEASE)]
    told = {(verb, kind): door(verb, "--of", kind) for verb, kind in commands}
    assert {
        pair: (done.code, SENSELESS[pair] in " ".join(done.err.split())) for pair, done in told.items()
    } == dict.fromkeys(commands, (2, True))
    assert len(commands) == 7


def test_a_selector_without_sense_is_refused_with_one_sentence_and_nothing_is_marked(world: World, door: Door) -> None:
    ids = world.add(2)
    assert door("sync", *ids, "--wait").code == 0
    world.settings |= ON
    unfit = {(*pair, name): answer for pair, action in TABLE.items() for name, answer in action.unfit.items()}
    with dashboard(world) as dash:
        answers = {key: post(dash, api_path(key[0], key[1]), body(key[2], key[1])) for key in unfit}
    assert answers == {key: (400, {"error": answer}) for key, answer in unfit.items()}
    assert unfit
    done = door("undo", "--all", "--library", "Movies", "--yes")
    assert (done.code, "a library selects collections" in done.err) == (2, True)
    assert door("undo", "--of", "resume", "--since", "2h").code == 2
    assert door("undo", "--of", "plays", "--run", "1").code == 2
    assert "--runs lists the runs of scenes, collections and plays" in door("undo", "--of", "ratings", "--runs").err
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}
    assert world.count("ready") == 0


@pytest.mark.parametrize("words", [("undo",), ("redo",), ("release", "--of", "collections")])
def test_it_says_what_selects_the_subjects(words: tuple[str, ...], world: World, door: Door) -> None:
    done = door(*words)
    assert (done.code, "say which" in done.err) == (2, True)
    with dashboard(world) as dash:
        assert post(dash, f"/api/{words[-1] if len(words) > 1 else 'scenes'}/{words[0]}") == (
            400,
            {"error": f"say which: {words[-1] if len(words) > 1 else 'scenes'}, all, since or run"},
        )


def test_scenes_are_released_taken_back_and_redone_by_the_api_and_on_a_page(world: World, door: Door) -> None:
    ids = world.add(3)
    assert door("sync", *ids, "--wait").code == 0
    with dashboard(world) as dash:
        assert post(dash, "/api/scenes/release", {"scenes": [1]}) == (200, {"undone": 1})
        assert post(dash, "/api/scenes/undo", {"since": "1h"}) == (200, {"undone": 3})
        assert post(dash, "/api/scenes/undo", {"scenes": [77]}) == (200, {"undone": 0, "nothing_pushed": [77]})
        assert post(dash, "/api/scenes/undo", {"all": False}) == (400, {"error": "all must be true"})
        (run,) = door("undo", "--runs", "--json").facts["runs"]
        asked = f"/act/scenes/redo?run={run['run']}"
        overview, runs = dash.get("/").text, dash.get("/runs").text
        assert '<a href="/runs">All runs</a>' in overview
        assert f'href="{asked}"' in runs
        assert door("drain").code == 0
        assert "Sync 3 scenes again?" in shown(dash, asked)
        told = plain(html.unescape(dash.post("/act/scenes/redo", run=f"{run['run']}").text))
        assert "3 scenes to be synced again" in told
    assert door("status", "--json").facts["undone"] == {"undone": 0, "released": 0}
