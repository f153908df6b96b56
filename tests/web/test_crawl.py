"""Every link and every form of the dashboard leads somewhere, also while everything is in trouble."""

import pytest

from plexsync.app.parts import Parts
from plexsync.reports.shapes.status import StatusFacts
from plexsync.rules.queue.choices import HELD_BY, Choice
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.queue.note_keys import REPAIRED
from plexsync.rules.records import BreakerRow, HoldRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault
from plexsync.store.files.folder import SPOOL, UNREAD
from tests.journey.world import World
from tests.web.conftest import dashboard
from tests.web.crawl import Crawl
from tests.web.stage import furnish


@pytest.mark.parametrize("trouble", [False, True], ids=["calm", "trouble"])
@pytest.mark.parametrize("sample", [True, pytest.param(False, marks=pytest.mark.long)], ids=["each filter", "all"])
def test_every_link_and_every_form_leads_somewhere(world: World, trouble: bool, sample: bool) -> None:
    """In `make test`: each value of each filter of each page. All combinations of them take long."""
    scenes = furnish(world)
    if trouble:
        world.settings["approve_bulk"] = "false"
        world.plex.faults.set(Fault("status", status=503))
        world.stash.faults.set(Fault("status", status=503))
    with dashboard(world) as dash:
        if trouble:
            everything(dash.parts)
        facts: StatusFacts = dash.get("/api/status").json()
        crawl = Crawl(dash, set(scenes.values()), sample=sample)
        crawl.links("/")
        # Every scene that a figure of the overview counts is behind that figure.
        assert [name for name, entry in facts["scenes"].items() if entry["count"] and name not in scenes] == []
        paths = {url.removeprefix(dash.url) for url in crawl.seen}
        assert {"/scenes?stands=in_sync", "/scenes?stands=needs_you", "/scenes", "/dead", "/settings/plex"} <= paths
        assert ("/accept" in paths) is trouble
        crawl.send()
        assert len(crawl.forms) > 30
    assert crawl.bad == []


def everything(parts: Parts) -> None:
    """Both servers are down and on hold with a choice, the database was rebuilt, and an event can't be read."""
    now = parts.clock.now()
    with parts.store.writing() as tx:
        for choice in (Choice.PLEX_SERVER, Choice.SCENES_GONE):
            server = HELD_BY[choice]
            tx.transitions.log(server, at=now, old="free", new="hold", cause=choice, error=f"{choice} is asked")
            tx.holds.save(server, HoldRow("plex_url", f"{choice} is asked", now, now + 300_000, "print", choice))
        for server in Neighbour:
            tx.transitions.log(server, at=now, old="closed", new="open", cause="read", error="It answered 503")
            row = BreakerRow(state="open", failures=5, opened_at=now / 1000, wait=60.0, error="It answered 503")
            tx.breakers.save(server, row)
        tx.jobs.want(Kind.PERFORMER, 1, Why.EDIT, now)
        tx.notes.save(REPAIRED, str(now))
    unread = parts.folder / SPOOL / UNREAD
    unread.mkdir(mode=0o700, parents=True)
    (unread / "1.json").write_text("{")
