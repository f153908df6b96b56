"""The pages over HTTP, as a browser without script gets them."""

import html
import os
import re
from pathlib import Path

import pytest

from plexsync.app.switches import bulk_approved
from plexsync.flows.scenes.comparison_report import ComparisonReport
from plexsync.reports.comparisons import report_facts
from plexsync.reports.settings import BASIC
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.queue.note_keys import HEARTBEAT
from plexsync.rules.records import BreakerRow, HoldRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.simulator.http import Fault, Request
from plexsync.store.files.lock import try_lock
from plexsync.web.context import FRESH
from tests.journey.world import KEY, TOKEN, World, until
from tests.patience import HANG
from tests.web.conftest import Dash, dashboard
from validation.config import PlexSyncConfig


def plain(text: str) -> str:
    """What of a page is text, in one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", text).split())


def test_the_overview_tells_how_everything_stands(world: World) -> None:
    world.add(3)
    assert world.run("sync", "--all", "--wait").returncode == 0
    with dashboard(world) as dash:
        health, told = plain(dash.get("/state").text), plain(dash.get("/").text)
    assert "3 were in sync" in health
    assert "Plex up" in health
    assert "Stash up" in health
    # Nobody works on this database at the moment.
    assert "No worker runs" in health
    # The pushes, by what the scenes are called.
    assert all(f"Title {number}" in told for number in range(3))
    assert "title, studio, summary, date and 4 more" in told
    assert "3 edits since yesterday 22:00, all in Plex." in told
    assert "No worker runs." in told


def first_line(page: str) -> tuple[str, str]:
    """The verdict on a page: its colour and its words."""
    found = re.search(
        r'<h1>\w+</h1>\s*<p id="verdict" data-live role="status" class="banner verdict (\w+)">(.*?)</p>',
        page,
    )
    assert found
    return found[1], html.unescape(re.sub(r"<[^>]+>", "", found[2]))


def test_the_overview_begins_with_the_verdict(world: World) -> None:
    world.add(3)
    assert world.run("sync", "--all", "--wait").returncode == 0
    with dashboard(world) as dash:
        told = dash.get("/api/status").json()["verdict"]
        assert first_line(dash.get("/").text) == (
            "bad",
            "No worker runs. 3 of 3 were in sync. No full comparison yet: other scenes are not counted. ",
        )
        page = dash.get("/state").text
        assert first_line(page) == (
            "bad",
            "No worker runs → fix · 3 of 3 were in sync · no full comparison yet: other scenes are not counted",
        )
        assert first_line(page) == (told["tone"], told["text"].replace("runs", "runs → fix"))
        with dash.parts.store.writing() as tx:
            tx.holds.save(Neighbour.PLEX, HoldRow("plex_url", "another", 1, 2, "print", "plex-server"))
        dash.parts.clock.sleep(FRESH)
        assert first_line(dash.get("/").text)[1].startswith(
            "Another Plex server answers. No worker runs. 3 of 3 were in sync."
        )
        health = first_line(dash.get("/state").text)[1]
        assert health.startswith("Another Plex server answers · no worker runs → fix · 3 of")


def test_a_worker_that_hangs_is_called_so_wherever_it_is_shown(dash: Dash) -> None:
    """It holds the lock of the database, and its last heartbeat is old: `/health` says the same."""
    with try_lock(dash.parts.folder) as lock:
        assert lock
        os.utime(dash.parts.folder / "worker.lock", (1_700_000_000, 1_700_000_000))
        for age, tone, word, status in ((0, "well", "running", 200), (300_000, "bad", "hangs", 503)):
            with dash.parts.store.writing() as tx:
                tx.notes.save(HEARTBEAT, str(dash.parts.clock.now() - age))
            dash.parts.clock.sleep(FRESH)
            page, health = dash.get("/").text, dash.get("/state").text
            assert dash.get("/health").status_code == status
            assert dash.get("/api/status").json()["worker"]["alive"] is (status == 200)
            assert first_line(page)[0] == tone
            assert f'<span class="badge {"well" if age == 0 else "bad"}">{word}</span>' in health
            assert ("The worker hangs" in plain(health)) is (age > 0)


def test_a_hold_is_told_with_what_cures_it(dash: Dash) -> None:
    now = dash.parts.clock.now()
    with dash.parts.store.writing() as tx:
        tx.transitions.log(Neighbour.PLEX, at=now, old="free", new="held", cause="plex_token", error="Plex says 401")
        tx.holds.save(Neighbour.PLEX, HoldRow("plex_token", "Plex says 401", now, now + 300_000, "print"))
    told = plain(dash.get("/state").text)
    assert "Plex on hold" in told
    assert "Put plex_token right" in told
    assert "in 5 min" in told


def test_an_outage_that_mends_itself_calls_nobody(dash: Dash) -> None:
    now = dash.parts.clock.now()
    with dash.parts.store.writing() as tx:
        tx.transitions.log(Neighbour.PLEX, at=now, old="closed", new="open", cause="read", error="Plex is away")
        tx.breakers.save(
            Neighbour.PLEX, BreakerRow(state="open", failures=5, opened_at=now / 1000, wait=60.0, error="Plex is away")
        )
    told = plain(dash.get("/state").text)
    assert "Plex is down Plex is away. Scenes stay queued, none becomes a dead letter for it" in told
    assert re.search(r"breaker open, since \d s ago", told)
    assert "5 in a row; 5 open the breaker" in told


def test_what_waits_is_counted(world: World, dash: Dash) -> None:
    world.add(1)
    with dash.parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 1, Why.USER, dash.parts.clock.now())
    with dash.parts.store.reading() as db:
        assert db.jobs.count_unsettled() == 1
    assert "1 queued" in plain(dash.get("/").text)


def test_every_setting_is_shown_with_its_source_and_no_secret(world: World) -> None:
    with dashboard(world, notify_command=("tell", "--key=very-secret-word")) as dash:
        dash.get("/")
        page = dash.get("/settings?view=all").text
        basic = dash.get("/settings").text
    told = plain(page)
    for name in PlexSyncConfig.model_fields:
        assert page.count(f"<code>{name.replace('_', '_<wbr>')}</code>") == 1
        assert (f'id="{name}"' in basic) is (name in BASIC)
    for secret in (TOKEN, KEY, "very-secret-word"):
        assert secret not in page
    assert "Change plex_token *** default" in told
    assert "web_ password not set default" in told
    assert "Change stash_poll_interval 5 default" in told
    assert "plexsync report collects what a bug report needs" in told
    assert "plexsync backup copies the database for a move to another machine" in told


def test_a_comparison_is_begun_seen_and_reported(world: World) -> None:
    world.add(3)
    with dashboard(world) as dash:
        answer = dash.post("/reconcile", what="compare")
        assert "Begun: full comparison." in plain(answer.text)
        until(lambda: "3 scenes compared, 3 queued" in plain(dash.get("/reconcile").text))
        told = plain(dash.get("/reconcile").text)
        assert "3 differ" in told
        assert "Begun" not in told, "a notice is shown once"
        assert "3 queued" in plain(dash.get("/").text)


def test_what_is_under_way_is_not_begun_twice_and_can_be_stopped(world: World) -> None:
    world.add(3)
    world.stash.faults.set(Fault("latency", seconds=HANG / 4))
    with dashboard(world) as dash:
        dash.post("/reconcile", what="compare anew")
        assert "Something else is under way" in plain(dash.post("/reconcile", what="compare").text)
        assert re.search(r"begun \d+ s ago", plain(dash.get("/reconcile").text))
        assert "It stops" in plain(dash.post("/reconcile/stop").text)
        world.stash.faults.clear()
        until(lambda: "Do it now Full comparison From the first scene" in plain(dash.get("/reconcile").text))
        assert "stopped" in plain(dash.get("/reconcile").text)


@pytest.mark.parametrize("what", ["look", "sync all"])
def test_what_is_over_in_moments_is_not_said_to_stop(world: World, what: str) -> None:
    world.add(3)
    world.stash.faults.set(Fault("latency", seconds=HANG / 4))
    with dashboard(world) as dash:
        form = {"token": dash.token()}
        assert ">Stop<" not in dash.post("/reconcile", what=what).text
        told = plain(dash.client.post("/reconcile/stop", data=form).text)
        assert "Nothing is under way that could be stopped." in told
        assert dash.get("/api/reconcile").json()["current"]["state"] == "running"
        world.stash.faults.clear()
        until(lambda: dash.get("/api/reconcile").json()["past"])
        assert [one["state"] for one in dash.get("/api/reconcile").json()["past"]] == ["done"]


def test_a_comparison_that_has_ended_when_it_is_told_to_stop_was_not_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add(3)
    with dashboard(world) as dash:

        def too_late(report: ComparisonReport) -> dict[str, object]:
            dash.post("/reconcile/stop")
            return report_facts(report)

        monkeypatch.setattr("plexsync.web.background_tasks.report_facts", too_late)
        dash.post("/reconcile", what="compare")
        until(lambda: dash.get("/api/reconcile").json()["past"])
        (past,) = dash.get("/api/reconcile").json()["past"]
    assert past["found"]["complete"] is True
    assert past["state"] == "done"


def test_who_agrees_while_something_else_is_under_way_has_not_agreed(world: World) -> None:
    world.add(1)
    world.settings["approve_bulk"] = "false"
    world.stash.faults.set(Fault("latency", seconds=HANG / 4))
    with dashboard(world) as dash:
        dash.post("/reconcile", what="compare")
        told = plain(dash.post("/reconcile", what="sync all", agreed="yes").text)
        assert "Something else is under way" in told
        headers = {"X-PlexSync": "1"}
        assert dash.client.post("/api/sync", json={"all": True, "agreed": True}, headers=headers).status_code == 409
        assert not bulk_approved(dash.parts)
        world.stash.faults.clear()
        until(lambda: dash.get("/api/reconcile").json()["past"])
        dash.post("/reconcile", what="sync all", agreed="yes")
        until(lambda: bulk_approved(dash.parts))


def test_the_first_write_of_everything_is_looked_at_and_agreed_to(world: World) -> None:
    world.add(3)
    world.settings["approve_bulk"] = "false"
    with dashboard(world) as dash:
        assert "whole library needs your approval Full comparisons are paused" in plain(dash.get("/state").text)
        assert "The first write needs your approval." in plain(dash.get("/").text)
        refused = plain(dash.post("/reconcile", what="sync all").text)
        assert "Preview the changes first, then approve them." in refused
        assert "I agree" not in refused
        dash.post("/reconcile", what="preview")
        until(lambda: "I agree" in dash.get("/reconcile").text)
        told = plain(dash.get("/reconcile").text)
        assert "3 would change" in told
        assert "scene 00001 Title 1" in told
        assert world.plex.count("PUT") == 0
        with dash.parts.store.reading() as db:
            assert db.jobs.count_unsettled() == 0
        dash.post("/reconcile", what="sync all", agreed="yes")
        until(lambda: "3 scenes queued" in plain(dash.get("/reconcile").text))
        assert "needs your approval" not in plain(dash.get("/").text)


def in_its_second_batch(request: Request, seen: list[str]) -> bool:
    """Whether Plex is asked for an item that is not the first."""
    found = re.match(r"/library/metadata/(\d+)", request.path)
    seen += [found[1]] if found and found[1] not in seen else []
    return bool(found) and found[1] != seen[0]


@pytest.mark.parametrize("end", ["away at once", "away midway", "stopped at once", "nothing there", "whole"])
def test_only_a_look_that_has_come_to_its_end_can_be_agreed_to(
    world: World, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.setattr("plexsync.flows.scenes.preview.BATCH", 1)
    world.settings["approve_bulk"] = "false"
    if end != "nothing there":
        world.add(3)
    seen: list[str] = []
    faults = {
        "away at once": Fault("status", status=503),
        "away midway": Fault("status", status=503, when=lambda request: in_its_second_batch(request, seen)),
        "stopped at once": Fault("latency", seconds=HANG / 4),
    }
    if end in faults:
        (world.plex if end == "away midway" else world.stash).faults.set(faults[end])
    with dashboard(world) as dash:
        dash.post("/reconcile", what="preview")
        if end == "stopped at once":
            assert "It stops" in plain(dash.post("/reconcile/stop").text)
            world.stash.faults.clear()
        until(lambda: dash.get("/api/reconcile").json()["past"])
        (past,) = dash.get("/api/reconcile").json()["past"]
        page = dash.get("/reconcile")
    assert page.status_code == 200
    told, found = plain(page.text), past["found"]
    well = end in ("nothing there", "whole")
    assert past["state"] == ("done" if well else "stopped" if end == "stopped at once" else "failed")
    assert found["complete"] is well
    assert (found["total"], len(found["scenes"])) == {"away midway": (2, 1), "whole": (3, 3)}.get(end, (0, 0))
    assert ("I agree" in told) is well
    assert ("The last preview did not end" in told) is not well
    assert ("then it failed" in told) is (past["state"] == "failed")


def test_a_server_that_is_away_ends_a_comparison_with_a_clear_line(world: World) -> None:
    world.stash.stop()
    with dashboard(world) as dash:
        dash.post("/reconcile", what="compare")
        until(lambda: "failed" in plain(dash.get("/reconcile").text))
        assert "refuses connections: is it running?" in plain(dash.get("/reconcile").text)


@pytest.mark.parametrize("path", ["/nowhere", "/scenes/0", "/api/nowhere", "/static/nowhere.js", "/demo"])
def test_what_is_not_there_is_not_found(calm: Dash, path: str) -> None:
    assert calm.get(path).status_code == 404


def test_an_unknown_task_is_refused(calm: Dash) -> None:
    answer = calm.post("/reconcile", what="format the disk")
    assert answer.status_code == 400
    assert "There is nothing of that name to begin." in plain(answer.text)


@pytest.mark.parametrize("path", ["/", "/reconcile", "/dead/export.json", "/dead/export.csv", "/api/scenes"])
def test_a_database_that_is_gone_is_told_and_no_page_breaks(dash: Dash, path: str) -> None:
    dash.parts.store.close()
    answer = dash.get(path)
    assert answer.status_code == 503
    assert "The database can't be used: plexsync.db is closed" in html.unescape(answer.text)
    assert int(answer.headers["Retry-After"]) > 0


def test_a_fault_of_ours_is_told_by_a_number_that_the_log_explains(
    dash: Dash, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(dash.parts.__class__, "config", property(lambda _: 1 / 0), raising=False)
    answer = dash.get("/settings")
    assert answer.status_code == 500
    (number,) = re.findall(r"under ([0-9a-f]{8})\.", answer.text)
    assert "ZeroDivisionError" not in answer.text
    assert f"({number}): /settings" in caplog.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_page_of_the_demo_is_the_demos_alone(world: World, tmp_path: Path) -> None:
    switch = tmp_path / "away"
    with dashboard(world, switch=switch) as dash:
        assert "Take Plex down" in dash.get("/demo").text
        assert "Plex is down now." in dash.post("/demo/down").text
        assert switch.exists()
        assert "Bring Plex back" in dash.get("/demo").text
        dash.post("/demo/up")
        assert not switch.exists()
    with dashboard(world) as dash:
        assert dash.get("/demo").status_code == dash.post("/demo/down").status_code == 404
        assert "Demo" not in dash.get("/").text
