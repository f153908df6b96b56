"""The page of the Plex server: what a probe has learnt, and the button by which the worker asks again."""

import html
import re

from plexsync.rules.merge.traits import LearntTraits, ServerTraits
from plexsync.rules.servers.scratch import ProbeOutcome
from plexsync.store.files.lock import is_locked
from tests.app.probe_stage import furnish, state_of
from tests.journey.world import World, until
from tests.web.conftest import Dash

PAGE = "/settings/plex"


def plain(text: str) -> str:
    """What of a page is text, in one line."""
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_the_page_is_reached_from_the_settings_and_says_that_nothing_was_learnt(calm: Dash) -> None:
    assert f'href="{PAGE}"' in calm.get("/settings").text
    text = plain(calm.get(PAGE).text)
    assert "Nothing was learnt yet." in text
    assert "Names of a list in an edit not answered" in text


def test_the_answers_and_the_reasons_for_missing_ones_are_shown(dash: Dash) -> None:
    traits = ServerTraits(tag_mode="replace", rating_by_edit="none")
    skipped = {"cast_on_other": "the item is in no library of Other Videos"}
    with dash.parts.store.writing() as tx:
        tx.servers.save("m", "1.43", now=1)
        tx.probes.save_traits(LearntTraits("m", "1.43 <b>", traits, dash.parts.clock.now()))
        tx.probes.save_probe_result(ProbeOutcome("1.43", traits, skipped, asked=7))

    text = plain(dash.get(PAGE).text)

    assert "from Plex 1.43 <b>." in text
    assert "Names of a list in an edit replace the list where names replace the list, no removals are sent" in text
    assert "take a cast not answered: the item is in no library of Other Videos" in text


def test_a_probe_is_confirmed_and_needs_a_worker(dash: Dash, world: World) -> None:
    _, key, _ = furnish(world.plex, userRating=5.0)
    page = plain(dash.get(f"{PAGE}/probe?item=0{key}").text)
    assert f"Probe Plex with item {key} , One?" in page.replace(f"item {key}, One", f"item {key} , One")
    assert "The item has a rating" in page
    assert "no item 999" in plain(dash.get(f"{PAGE}/probe?item=999").text)
    assert "Give the rating key" in plain(dash.get(f"{PAGE}/probe?item=x").text)

    assert "No worker is running" in plain(dash.post(f"{PAGE}/probe", item=key).text)
    assert dash.post(f"{PAGE}/probe", item="x").status_code == 400
    with dash.parts.store.reading() as db:
        assert db.probes.probe_asked() is None


def test_the_worker_probes_when_the_button_is_pressed(dash: Dash, world: World) -> None:
    _, key, _ = furnish(world.plex)
    world.plex.advance(3600)
    before = state_of(world.plex)
    with world.serving():
        until(lambda: is_locked(world.folder))
        assert f"The worker probes Plex with item {key}" in plain(dash.post(f"{PAGE}/probe", item=key).text)
        until(lambda: "completed, and the item is restored" in plain(dash.get(PAGE).text))

    text = plain(dash.get(PAGE).text)
    assert "Names of a list in an edit are added to the list" in text
    assert state_of(world.plex) == before


def test_a_probe_that_was_asked_for_can_be_stopped(dash: Dash) -> None:
    with dash.parts.store.writing() as tx:
        tx.probes.ask_probe("7", now=dash.parts.clock.now())
    assert "The worker begins the probe in a moment." in plain(dash.get(PAGE).text)

    assert "The probe ends" in plain(dash.post(f"{PAGE}/stop").text)

    with dash.parts.store.reading() as db:
        assert db.probes.probe_asked() is None
