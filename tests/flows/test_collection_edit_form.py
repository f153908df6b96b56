"""The form of request that edits a collection: found by trying, and remembered for the server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.flows.collections.push import edit_by_either_form
from plexsync.plex.client import PlexClient
from plexsync.rules.merge.plan_records import Change, Edit
from plexsync.rules.merge.traits import CollectionForm, LearntTraits, ServerTraits
from plexsync.rules.servers.errors import Conflict, Missing, Unavailable
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.store.database import Database
from tests.engine.clocks import Clock
from tests.patience import HANG

TOKEN = "canary-plex-token-0123456789"
EDIT = {"summary": Change("What is best", lock=True)}


class Stage:
    """A Plex with a collection, a database that knows the server, and what edits the collection."""

    def __init__(self, plex: PlexSim, store: Database) -> None:
        self.plex = plex
        self.store = store
        self.clock = Clock()
        self.client = PlexClient(plex.url, TOKEN, read_timeout=HANG)
        plex.add_section("Movies")
        self.movie = plex.add_movie("1", [("/media/a.mp4", 1, 1000)], collection=["Best"])
        self.key = plex.collection_keys("1")["Best"]
        with store.writing() as tx:
            tx.servers.save("machine", "1.43.1", now=1)
        plex.clear_log()

    def traits(self) -> ServerTraits:
        """What is known of the server."""
        with self.store.reading() as db:
            traits: ServerTraits = db.probes.present_traits()
            return traits

    def learn(self, **traits: object) -> None:
        """Remember this, as a probe does."""
        with self.store.writing() as tx:
            tx.probes.save_traits(LearntTraits("machine", "1.43.1", ServerTraits(**traits), 7))  # type: ignore[arg-type]

    def send(self, edit: Edit = EDIT) -> None:
        """Edit the collection, and remember the form if it is another one than the first, as the flow does."""
        with self.store.reading() as db:
            first: CollectionForm = "item" if db.probes.present_traits().collection_edits == "item" else "section"
        form = edit_by_either_form(self.client.collections, "1", self.key, edit, first)
        if form != first:
            with self.store.writing() as tx:
                tx.probes.learn_working(ServerTraits(collection_edits=form), now=self.clock.now())

    def sent(self) -> list[str]:
        """The paths of the requests since the last call."""
        paths = [request.path for request in self.plex.log]
        self.plex.clear_log()
        return paths


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    store = Database(tmp_path / "plexsync.db", worker=True)
    with PlexSim(token=TOKEN) as plex:
        here = Stage(plex, store)
        yield here
        here.client.close()
    store.close()


BY_SECTION = "/library/sections/1/all"


@pytest.mark.parametrize("form", ["both", "section"])
def test_a_server_that_takes_the_form_by_library_costs_one_request_and_teaches_nothing(stage: Stage, form: str) -> None:
    stage.plex.traits.collection_edits = form  # type: ignore[assignment]
    stage.send()
    assert stage.sent() == [BY_SECTION]
    assert stage.plex.item(stage.key).scalars["summary"] == "What is best"
    assert stage.traits() == ServerTraits()


def test_the_other_form_is_tried_at_a_404_and_remembered(stage: Stage) -> None:
    stage.plex.traits.collection_edits = "item"
    stage.send()
    by_item = f"/library/metadata/{stage.key}"
    assert stage.sent() == [BY_SECTION, by_item]
    assert stage.plex.item(stage.key).scalars["summary"] == "What is best"
    expected = ServerTraits(collection_edits="item")
    assert stage.traits() == expected
    stage.send({"summary": Change("Again")})
    assert stage.sent() == [by_item]
    assert stage.traits() == expected


def test_what_a_probe_has_learnt_stays_beside_it(stage: Stage) -> None:
    stage.learn(tag_mode="replace", collection_edits="item")
    stage.plex.traits.collection_edits = "section"
    stage.send()
    assert stage.sent() == [f"/library/metadata/{stage.key}", BY_SECTION]
    assert stage.traits() == ServerTraits(tag_mode="replace", collection_edits="section")


def test_another_server_is_tried_anew(stage: Stage) -> None:
    stage.learn(collection_edits="item")
    with stage.store.writing() as tx:
        tx.servers.save("another", "1.43.1", now=2)
    stage.send()
    assert stage.sent() == [BY_SECTION]


def test_a_collection_that_is_gone_teaches_nothing(stage: Stage) -> None:
    stage.plex.hand_edit(stage.movie, collection=[])
    with pytest.raises(Missing):
        stage.send()
    assert stage.sent() == [BY_SECTION, f"/library/metadata/{stage.key}"]
    assert stage.traits() == ServerTraits()


def test_a_title_that_is_taken_is_asked_once(stage: Stage) -> None:
    stage.plex.hand_edit(stage.movie, collection=["Best", "Rest"])
    with pytest.raises(Conflict):
        stage.send({"title": Change("Rest")})
    assert stage.sent() == [BY_SECTION]


def test_a_proxy_that_answers_for_plex_teaches_nothing(stage: Stage) -> None:
    stage.plex.faults.set(Fault("proxy", status=404))
    with pytest.raises(Unavailable):
        stage.send()
    assert stage.sent() == [BY_SECTION]
    assert stage.traits() == ServerTraits()
