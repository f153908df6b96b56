"""The API: the shapes of `plexsync ... --json`, and its verbs."""

import json
import re
from typing import Any, NoReturn

import pytest
from prometheus_client.parser import text_string_to_metric_families as parsed

from plexsync.reports.settings import WHERE, setting_facts
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.queue.note_keys import HEARTBEAT
from plexsync.rules.scene import Scene
from plexsync.rules.servers.errors import LocalFault
from plexsync.simulator.http import Fault
from plexsync.store.files.lock import try_lock
from tests.journey.world import ROOT, World, until
from tests.web.conftest import Dash, dashboard
from validation.config import PlexSyncConfig
from validation.sources import NAMED_FILE


def post(dash: Dash, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    answer = dash.client.post(
        path, content=json.dumps(body or {}), headers={"Content-Type": "application/json", "X-PlexSync": "1"}
    )
    return answer.status_code, answer.json()


def shape(value: Any) -> Any:
    """What names there are, and what kinds of values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def test_what_is_seen_has_the_shape_that_the_terminal_gives_it(world: World) -> None:
    world.add(3)
    assert world.run("sync", "1", "2", "--wait").returncode == 0
    assert world.run("reconcile").returncode == 0
    with dashboard(world) as dash:
        for path, words in {
            "/api/status": ("status",),
            "/api/scenes/1": ("status", "1"),
            "/api/scenes/1/explain": ("explain", "1"),
            "/api/scenes/1/history": ("history", "1"),
            "/api/outages": ("outages",),
        }.items():
            assert shape(dash.get(path).json()) == shape(world.json(*words)), path
        found = dash.get("/api/dead").json()
        assert set(world.json("dlq", "list")) <= set(found)
        told = dash.get("/api/reconcile").json()["reports"]
        assert told[0]["scenes"] == 3
        assert told[0]["complete"] is True


def test_scenes_come_a_page_at_a_time(world: World) -> None:
    world.add(5)
    assert world.run("sync", "--all", "--wait").returncode == 0
    with dashboard(world) as dash:
        first = dash.get("/api/scenes?limit=2").json()
        assert [one["id"] for one in first["scenes"]] == [1, 2]
        second = dash.get(f"/api/scenes?limit=2&after={first['after']}").json()
        assert [one["id"] for one in second["scenes"]] == [3, 4]
        assert [one["title"] for one in dash.get("/api/scenes?q=Title 4").json()["scenes"]] == ["Title 4"]
        assert dash.get("/api/scenes?stands=failed").json() == {"scenes": [], "after": None}
        pushes = dash.get("/api/latest").json()["pushes"]
        assert {one["scene"] for one in pushes} == {1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    "path",
    [
        "/api/scenes?limit=0",
        "/api/scenes?limit=501",
        "/api/scenes?limit=x",
        "/api/scenes?after=-1",
        "/api/scenes?stands=nowhere",
        "/api/scenes?stands=failed&q=title",
        "/api/dead?after=x:1",
        "/api/outages?days=99999",
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(calm: Dash, path: str) -> None:
    answer = calm.get(path)
    assert answer.status_code == 400
    assert answer.json()["error"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10])
def test_a_search_for_a_number_has_every_scene_once_on_pages_of_the_size_that_was_asked_for(
    dash: Dash, limit: int
) -> None:
    with dash.parts.store.writing() as tx:
        for id in (1, 3, 4, 5, 6, 8, 9):
            tx.jobs.want(Kind.SCENE, id, Why.SWEEP, dash.parts.clock.now())
            tx.scene_names.save([Scene(id, title="5 of them" if id != 3 else "another")])
    found, after = [], 0
    while after is not None:
        page = dash.get(f"/api/scenes?q=5&limit={limit}&after={after}").json()
        assert len(page["scenes"]) <= limit
        found += [one["id"] for one in page["scenes"]]
        after = page["after"]
    assert found == ([1, 4, 5, 6, 8, 9] if limit == 1 else [5, 1, 4, 6, 8, 9])


def test_who_is_put_off_is_told_for_how_long(world: World) -> None:
    world.add(1)
    with dashboard(world) as dash:
        world.stash.stop()
        answer = dash.get("/api/scenes/1/explain")
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        dash.parts.store.close()
        answer = dash.get("/api/outages")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "The database can't be used" in answer.json()["error"]


@pytest.mark.parametrize("id", ["0", "-1", "x", "9" * 30, "1.0", "%00"])
def test_what_is_no_scene_is_not_found(calm: Dash, id: str) -> None:
    answer = calm.get(f"/api/scenes/{id}")
    assert answer.status_code == 404
    assert answer.json() == {"error": "There is no such page."}


def test_scenes_are_wanted_ignored_and_wanted_again(dash: Dash) -> None:
    dash.world.add(12)
    assert post(dash, "/api/sync", {"scenes": [7, 12, 7, 99]}) == (200, {"wanted": 2, "not_in_stash": [99]})
    assert post(dash, "/api/scenes/99/ignore") == (200, {"ignored": 0, "not_in_stash": [99]})
    assert post(dash, "/api/scenes/12/ignore") == (200, {"ignored": 1})
    assert post(dash, "/api/sync", {"scenes": [12]}) == (200, {"wanted": 0, "ignored": [12]})
    assert post(dash, "/api/scenes/12/unignore") == (200, {"unignored": 1})
    with dash.parts.store.reading() as db:
        row = db.jobs.find(Kind.SCENE, 7)
    assert row is not None
    assert row.state is State.READY


def test_the_dead_are_seen_retried_and_dropped(world: World) -> None:
    world.add(4)
    world.plex.faults.set(Fault("status", status=414, when=lambda request: request.method == "PUT"))
    assert world.run("sync", "--all", "--wait").returncode == 1
    with dashboard(world) as dash:
        found = dash.get("/api/dead?limit=3").json()
        assert (found["dead"], len(found["rows"]), found["after"]) == (4, 3, "3")
        assert found["rows"][0]["advice"]
        assert [one["id"] for one in dash.get("/api/dead?after=3").json()["rows"]] == [4]
        assert "refused" in {one["cause"] for one in dash.get("/api/latest").json()["troubles"]}
        assert post(dash, "/api/dead/retry", {"scenes": [1, 99]}) == (200, {"retried": 1, "not_dead": ["99"]})
        assert post(dash, "/api/dead/drop", {"scenes": ["2"]}) == (200, {"dropped": 1})
        assert post(dash, "/api/dead/retry", {"cause": "refused"}) == (200, {"retried": 2})
        assert dash.get("/api/dead").json()["dead"] == 0
        # As by `dlq drop`, one that is named need not be dead, but there.
        assert post(dash, "/api/dead/drop", {"scenes": [1, 99]}) == (200, {"dropped": 1, "not_dead": ["99"]})


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/sync", {}),
        ("/api/sync", {"scenes": []}),
        ("/api/sync", {"scenes": [0]}),
        ("/api/sync", {"scenes": [True]}),
        ("/api/sync", {"scenes": ["7"]}),
        ("/api/sync", {"scenes": [2**63]}),
        ("/api/sync", {"scenes": [7], "why": "x"}),
        ("/api/sync", [1]),
        ("/api/reconcile", {"anew": True, "quick": True}),
        ("/api/dead/retry", {}),
        ("/api/dead/retry", {"all": False}),
        ("/api/dead/retry", {"cause": ""}),
        ("/api/dead/drop", {"all": True, "cause": "refused"}),
        ("/api/dead/drop", {"scenes": "7"}),
        ("/api/dead/drop", {"scenes": ["tog:7"]}),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused(calm: Dash, path: str, body: Any) -> None:
    code, told = post(calm, path, body)
    assert code == 400
    assert told["error"]


@pytest.mark.parametrize("content", [b"{", b"[" * 100_000, b'"x"', b"\xff", b"1" * 5000])
def test_what_is_no_json_object_is_refused(calm: Dash, content: bytes) -> None:
    headers = {"Content-Type": "application/json", "X-PlexSync": "1"}
    assert calm.client.post("/api/sync", content=content, headers=headers).status_code in (400, 413)


def test_what_takes_its_time_is_begun_and_watched(world: World) -> None:
    world.add(2)
    world.settings["approve_bulk"] = "false"
    with dashboard(world) as dash:
        code, told = post(dash, "/api/sync", {"all": True})
        assert code == 400
        assert "agreed" in told["error"]
        for path, body, name in (
            ("/api/preview", {}, "preview"),
            ("/api/reconcile", {"quick": True}, "look"),
            ("/api/reconcile", {}, "compare"),
            ("/api/sync", {"all": True, "agreed": True}, "sync all"),
        ):
            assert post(dash, path, body) == (202, {"begun": name})
            until(lambda: dash.get("/api/reconcile").json()["current"] is None)
        past = dash.get("/api/reconcile").json()["past"]
        assert [one["name"] for one in past] == ["sync all", "compare", "look", "preview"]
        assert [one["state"] for one in past] == ["done"] * 4
        assert past[3]["found"]["counts"] == {"would_change": 2}
        assert past[0]["found"] == {"wanted": 2}


def test_settings_are_told_without_secrets(calm: Dash) -> None:
    told = {one["name"]: one for one in calm.get("/api/settings").json()["settings"]}
    assert told["plex_token"]["value"] == "***"
    assert told["max_retries"]["value"] == "5"


# --- for monitoring --------------------------------------------------------------------------------------------------


def test_the_metrics_say_what_status_says(world: World) -> None:
    world.add(3)
    assert world.run("sync", "--all", "--wait").returncode == 0
    with dashboard(world) as dash:
        found = {family.name: family for family in parsed(dash.get("/metrics").text)}
        status = dash.get("/api/status").json()
    assert all(name.startswith("plexsync_") for name in found)
    assert all(family.documentation for family in found.values())
    jobs = {one.labels["state"]: one.value for one in found["plexsync_jobs"].samples}
    assert jobs == status["jobs"]
    books = {one.labels["entry"]: one.value for one in found["plexsync_books"].samples}
    assert books == {name: status["books"][name] for name in ("accepted", "coalesced", "done", "pruned")}
    states = {one.labels["state"] for one in found["plexsync_breaker_state"].samples if one.value}
    assert states == {"closed"}


def test_the_metrics_are_those_of_the_page_about_them(calm: Dash) -> None:
    page = (ROOT / "docs/dashboard.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"`(plexsync_\w+)(?:\{([\w,]+)\})?`", page))
    # Only with several servers.
    told.pop("plexsync_database_readable")
    # No worker runs here.
    families = list(parsed(calm.get("/metrics").text))
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    assert names == set(told)
    samples = {sample.name: sample.labels for family in families for sample in family.samples}
    assert len(samples) > 15
    assert {name: ",".join(labels) for name, labels in samples.items()} == {name: told[name] for name in samples}
    for family, words in (("plexsync_plays", "state"), ("plexsync_books", "entry"), ("plexsync_dead_letters", "way")):
        (line,) = [line for line in page.splitlines() if f"`{family}" in line]
        (found,) = [one for one in families if one.name == family]
        listed = re.findall(r"`(\w+)`", line.partition(" | ")[2])
        assert [sample.labels[words] for sample in found.samples] == listed


def test_health_is_well_only_while_a_worker_gives_signs_of_life(dash: Dash) -> None:
    assert dash.get("/health").status_code == 503
    assert dash.get("/health").json() == {"status": "failing", "worker": False, "database": True, "needs": ["idle"]}
    lock = try_lock(dash.parts.folder)
    assert lock is not None
    with lock:
        beat(dash, 0)
        assert dash.get("/health").json() == {"status": "ok", "worker": True, "database": True, "needs": []}
        beat(dash, -600_000)
        assert dash.get("/health").status_code == 503


def test_a_process_without_a_worker_and_without_a_database_is_alive_as_long_as_it_answers(
    dash: Dash, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dash.get("/health").status_code == 503
    assert (dash.get("/health/live").status_code, dash.get("/health/live").text) == (200, "live\n")
    monkeypatch.setattr("plexsync.web.context.Desk.facts", failing)
    assert dash.get("/health").json() == {"status": "failing", "worker": False, "database": False, "needs": []}
    assert dash.get("/health/live").status_code == 200


def failing(*_: object) -> NoReturn:
    raise LocalFault("the database is away")


def beat(dash: Dash, ago: int) -> None:
    with dash.parts.store.writing() as tx:
        tx.notes.save(HEARTBEAT, str(dash.parts.clock.now() + ago))
    # What was told half a second ago is told no more.
    dash.post("/reconcile/stop")


@pytest.mark.parametrize("source", ["default", "Stash", "plexsync.toml", NAMED_FILE, "environment", "command line"])
def test_every_source_of_a_setting_has_its_words(source: str) -> None:
    config = PlexSyncConfig(plex_url="http://plex:32400", plex_token="a-token-of-plex")
    facts = {one["name"]: one for one in setting_facts(config, {"plex_token": source})}
    assert facts["plex_token"]["source"] in WHERE.values()
    assert facts["plex_token"]["value"] == "***"
