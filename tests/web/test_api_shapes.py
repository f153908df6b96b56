"""The API and `--json` answer with the keys and types that the shapes of the reports declare."""

import json
from collections.abc import Iterator, Mapping

import pytest

from plexsync.app.parts import open_parts
from plexsync.flows.plays.history_poll import READ_SINCE
from plexsync.reports import comparisons, dead_letters, review, runs, undo
from plexsync.reports.shapes import outages, plex_servers, scenes, status, workers
from plexsync.rules.collections.collections import CollectionObject, KnownCollection
from plexsync.rules.plays.first_plays import FirstPlays, counted_text
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.note_keys import DASHBOARD, LAST_RECONCILE, NEWS, PLAYS_COUNTED, WORKER_ENDED
from plexsync.rules.queue.worker_ends import after_end
from plexsync.rules.records import HoldRow, ProviderRow
from plexsync.rules.servers.errors import Neighbour
from plexsync.store.database import Writer
from plexsync.store.files import lock
from plexsync.store.files.lock import try_lock
from tests.conformity import Conformity, reachable
from tests.journey.world import World, until, world_in
from tests.web.conftest import Dash, dashboard
from tests.web.stage import config_of, furnish, refusing, work
from tests.web.test_api import post

AT = 1_700_000_000


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, dict[str, int]]]:
    """A world with a scene for each status and a month of outages, and the numbers of the scenes by status."""
    with world_in(tmp_path_factory.mktemp("shapes") / "data") as world:
        stash, plex = world.stash, world.plex
        ids = furnish(world)
        # A note for one scene, and for another a dead letter with a push before it.
        plex.hand_edit(plex.keys(world.section)[ids["in_step"] - 1], summary="Edited in Plex")
        pushed = ids["gone"] + 1
        stash.edit_scene(pushed, title="Refused by Plex, later")
        with refusing(world, "Refused"):
            work(world, [pushed])
        stash.edit_scene(ids["waiting"], title="Not pushed yet, again")
        # A scene in sync but for its poster.
        world.settings["poster"] = "cover"
        ids["incomplete"] = pushed + 1
        stash.set_cover(ids["incomplete"], b"no picture")
        work(world, [ids["incomplete"]])
        world.settings["watch_back"] = "plays"
        with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
            tx.notes.save(NEWS, json.dumps([{"version": "9.0.0", "settings": ["poster"], "text": "It is new."}]))
            tx.notes.save(PLAYS_COUNTED, counted_text(FirstPlays("someone", 1, 0, at=parts.clock.now(), in_plex=0)))
            play = RememberedPlay(PlaySource("1"), PlayState.SENT)
            tx.plays.begin(ids["in_step"], "", "", {AT: play}, now=parts.clock.now())
            save_viewing(tx, ids["in_step"])
            (section,) = tx.sections.all()
            studios = [CollectionObject("studio", id) for id in range(1, 20)]
            tx.collections.ensure(
                KnownCollection(0, studio, section.uuid, section.key, "A studio") for studio in studios
            )
            tx.notes.save(LAST_RECONCILE, str(parts.clock.now()))
            tx.notes.save(DASHBOARD, "machine http://127.0.0.1:9797 localhost")
            tx.providers.save(ProviderRow("uuid-1", "1", "Movies", "tv.plex.agents.custom.plexsync.a1", "on"))
            tx.notes.save(WORKER_ENDED, after_end("", parts.clock.now(), "it was killed"))
        with try_lock(world.folder, lock.DASHBOARD):
            yield world, ids


def save_viewing(tx: Writer, id: int) -> None:
    """A minute of an item of a scene was watched, and its history was read."""
    (key,) = {item for _, item in tx.memories.of([id])}
    tx.viewings.save([Viewing(1, key, AT, "1", "", "living room", ended=AT + 60, pieces=((AT, 60_000),))])
    tx.notes.save(f"{READ_SINCE}1", "machine 0")


# Where the first write is approved once and for all, changed settings ask nothing.
# A full disk, plays that a restored Stash lacks, and reads that fail: the tests of the needs open these.
CONDITIONS = frozenset({status.StorageFacts, status.MissingPlaysFacts, status.StallFacts})
ASKED = frozenset({status.SettingChangeFacts})


def check(answers: Mapping[str, object], kinds: Mapping[str, type], *, absent: frozenset[type] = frozenset()) -> None:
    """Every answer has its shape, and there is a value for every shape in them, apart from those that are `absent`."""
    conformity = Conformity()
    assert [problem for name in answers for problem in conformity.problems(answers[name], kinds[name], name)] == []
    expected = {shape for kind in kinds.values() for shape in reachable(kind)}
    assert {shape.__name__ for shape in expected - conformity.checked - absent} == set()


def run_task(dash: Dash, path: str, body: dict[str, bool]) -> None:
    """Start a task and wait for its end."""
    assert post(dash, path, body)[0] == 202
    until(lambda: dash.get("/api/reconcile").json()["current"] is None)


def test_every_response_of_the_api_has_its_shape(furnished: tuple[World, dict[str, int]]) -> None:
    world, ids = furnished
    kinds = {
        "/api/status": status.StatusFacts,
        "/api/needs": status.NeedList,
        "/api/plex": plex_servers.PlexList,
        "/api/settings": status.SettingList,
        "/api/latest": scenes.LatestFacts,
        "/api/runs": runs.RunHistory,
        "/api/scenes?limit=3": scenes.SceneList,
        "/api/dead?limit=3": dead_letters.LetterPage,
        "/api/outages": outages.OutageReport,
        "/api/reconcile": comparisons.TaskReport,
        "/api/review": review.ReviewReport,
        "/health": status.HealthFacts,
        **{f"/api/scenes/{id}": scenes.SceneReport for id in ids.values()},
        **{f"/api/scenes/{id}/explain": scenes.ExplainFacts for id in ids.values()},
        **{f"/api/scenes/{id}/history": scenes.HistoryFacts for id in ids.values()},
    }
    with dashboard(world) as dash:
        answers = {path: dash.get(path).json() for path in kinds}
        for path, body in {"preview": {}, "reconcile": {}, "sync": {"all": True}}.items():
            run_task(dash, f"/api/{path}", body)
        dash.post("/review/start")
        until(lambda: dash.get("/api/reconcile").json()["current"] is None)
        run_task(dash, "/api/reconcile", {"quick": True})
        for path in ("/api/reconcile", "/api/status", "/api/review"):
            answers[path] = dash.get(path).json()
    check(answers, kinds, absent=ASKED | CONDITIONS | {status.HoldFacts, comparisons.NoResult, workers.StandbyFacts})


def test_every_report_with_json_has_its_shape(furnished: tuple[World, dict[str, int]]) -> None:
    world, ids = furnished
    kinds = {
        "status": status.StatusFacts,
        f"status {ids['failed']}": scenes.SceneReport,
        f"explain {ids['in_step']}": scenes.ExplainFacts,
        f"explain {ids['ambiguous']}": scenes.ExplainFacts,
        f"history {ids['failed']}": scenes.HistoryFacts,
        f"history {ids['in_step']}": scenes.HistoryFacts,
        "history": runs.RunHistory,
        "dlq list": dead_letters.LetterList,
        "outages": outages.OutageReport,
        "reconcile": comparisons.ReconcileFacts,
        "reconcile --quick": comparisons.PollFacts,
        "verify": comparisons.VerifyFacts,
        f"sync --dry-run {ids['hostile']} {ids['waiting']}": comparisons.PreviewReport,
        f"undo --dry-run {ids['in_step']}": undo.UndoPreview,
        "undo --runs": undo.RunList,
        f"redo {ids['in_step']}": undo.RedoFacts,
    }
    world.plex.add_movie(world.section, files=[("/media/scenes/alone.mp4", 5, 60_000)], title="alone")
    answers: dict[str, object] = {command: world.json(*command.split()) for command in kinds}
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        now = parts.clock.now()
        tx.holds.save(Neighbour.PLEX, HoldRow("plex_token", "Plex refuses the token", now, now + 60_000, ""))
    answers["status"] = world.json("status")
    check(answers, kinds, absent=ASKED | CONDITIONS | {scenes.LeftOutFacts, workers.StandbyFacts})


def test_explain_has_a_shape_while_a_server_is_down(world: World) -> None:
    world.add(1)
    world.settings["watch_back"] = "plays"
    assert world.run("sync", "1", "--wait").returncode == 0
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        save_viewing(tx, 1)
    with dashboard(world) as dash:
        world.stash.stop()
        answers = {"API": dash.get("/api/scenes/1/explain").json(), "terminal": world.json("explain", "1")}
    check(answers, dict.fromkeys(answers, scenes.UnreadFacts), absent=frozenset({scenes.AttemptFacts}))


@pytest.mark.parametrize(
    "answer",
    [
        {"undone": 1},
        {"undone": 1, "released": 2, "more": 3},
        {"undone": "1", "released": 2},
        {"undone": None, "released": 2},
        [],
    ],
)
def test_another_key_or_type_is_a_problem(answer: object) -> None:
    assert Conformity().problems({"undone": 1, "released": 2}, status.UndoneFacts, "answer") == []
    assert Conformity().problems(answer, status.UndoneFacts, "answer")
