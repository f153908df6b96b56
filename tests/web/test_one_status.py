"""A scene has one status: status, lists, API, metrics, explain and the pages name it alike, over random lives of scenes."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random

from prometheus_client.parser import text_string_to_metric_families as parsed

from plexsync.app.named_scenes import ignore_scenes, unignore_scenes
from plexsync.cli.daemon.status_file import page_facts
from plexsync.engine.undo import wish_undone
from plexsync.flows.scenes.undo import SceneUndo, redo_scenes
from plexsync.flows.scenes.verbs import explain
from plexsync.reports.explanation import job_facts
from plexsync.rules.queue.job import Kind, State, Why
from plexsync.rules.words.status_words import STATUSES
from plexsync.store.queue.summary import Summary, reading
from tests.chance import SEED
from tests.engine.house import KEY, TOKEN, House, fails
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard

LIVES, SCENES = 3, 6
BY_STATE = {
    "ready": "waiting",
    "running": "waiting",
    "absent": "absent",
    "dead": "failed",
    "gone": "gone",
    "dropped": "dropped",
    "ignored": "ignored",
    "outside": "outside",
}
BY_STANDING = {"in step": "in_step", "person": "in_step", "differs": "waiting"}


class Life:
    """Six scenes to which anything happens that a person, Stash, Plex or the worker can do."""

    def __init__(self, house: House, rng: Random) -> None:
        self.house, self.rng = house, rng
        self.ids = house.in_step(SCENES - 1)
        self.ids += house.add(1, start=SCENES - 1)
        # Edited or otherwise changed, and nobody has looked since: what is stored may differ from what a look finds.
        self.unseen: set[int] = set()
        self.edits = 0

    def events(self) -> list[Callable[[], None]]:
        """Everything that can happen, in a random order; work in between."""
        changes = [self.edit, self.edit_unseen, self.undo, self.release, self.undo, self.redo, self.redo_all]
        choices = [self.ignore, self.unignore, self.drop, self.refuse]
        files = [self.destroy, self.move_away, self.second_copy]
        deck = [*changes, *choices, *files, self.step, self.compare, *[self.work] * 6]
        return self.rng.sample(deck, len(deck))

    def some(self) -> list[int]:
        present = [id for id in self.ids if id in self.house.stash_sim.scene_ids()]
        return self.rng.sample(present, min(len(present), self.rng.randint(1, 2)))

    def edit(self) -> None:
        for id in self.some():
            self.edits += 1
            self.house.edit(id, title=f"Edit {self.edits}")

    def edit_unseen(self) -> None:
        for id in self.some():
            self.edits += 1
            self.house.stash_sim.edit_scene(id, title=f"Edit {self.edits}")
            self.unseen.add(id)

    def undo(self, how: str = "undo") -> None:
        worker = self.house.worker
        wish_undone(self.house.store, SceneUndo(worker.inspector), self.house.clock, self.some(), how)
        self.house.clock.move(3)

    def release(self) -> None:
        self.undo("release")

    def redo(self) -> None:
        redo_scenes(self.house.store, self.house.clock, self.some())
        self.house.clock.move(3)

    def redo_all(self) -> None:
        redo_scenes(self.house.store, self.house.clock, self.ids)
        self.house.clock.move(3)

    def ignore(self) -> None:
        ignore_scenes(self.house.store, self.some(), self.house.clock)

    def unignore(self) -> None:
        unignore_scenes(self.house.store, self.ids, self.house.clock)

    def drop(self) -> None:
        with self.house.store.writing() as tx:
            for id in self.some():
                tx.jobs.set_aside(Kind.SCENE, id, now=self.house.clock.now())

    def destroy(self) -> None:
        if len(self.house.stash_sim.scene_ids()) > SCENES - 2:
            (id, *_) = self.some()
            self.house.stash_sim.destroy_scene(id)
            self.house.want(id)
            self.house.clock.move(2)

    def move_away(self) -> None:
        """The file of a scene is another one by now, which Plex may have or not."""
        (id, *_) = self.some()
        self.edits += 1
        path = self.house.stash_sim.scene(id).files[0][0]
        self.house.stash_sim.rename_file(path, f"/media/moved {self.edits}.mp4")
        if self.rng.random() < 0.7:
            self.add_copy(f"/media/moved {self.edits}.mp4", id)
        self.unseen.add(id)
        self.house.want(id)
        self.house.clock.move(2)

    def second_copy(self) -> None:
        (id, *_) = self.some()
        self.add_copy(self.house.stash_sim.scene(id).files[0][0], id)
        self.unseen.add(id)
        self.house.want(id, why=Why.USER)

    def add_copy(self, path: str, id: int) -> None:
        self.house.plex_sim.add_movie(self.house.section, files=[(path, 1000 + id - 1, 60_000)], title="a copy")
        self.house.worker.indexer.freshen(force=True)

    def refuse(self) -> None:
        """Plex refuses an edit, so that the scene needs you."""
        (id, *_) = self.some()
        with suppress(KeyError):
            self.house.plex_sim.faults.set(fails("PUT", self.house.key_of(id), status=400))
        self.edits += 1
        self.house.edit(id, title=f"Edit {self.edits}")
        self.house.work()
        self.house.plex_sim.faults.clear()

    def work(self) -> None:
        self.house.work_for(120)

    def step(self) -> None:
        self.house.step()

    def compare(self) -> None:
        self.house.worker.reconciler.try_reconcile()
        self.house.clock.move(3)
        self.unseen.clear()


def expected(house: House) -> dict[int, str]:
    """The status of each scene by the rows of the database, told by the test alone."""
    with closing(sqlite3.connect(house.folder / "plexsync.db")) as db:
        jobs = {
            id: (state, cls) for id, state, cls in db.execute("select id, state, cls from job where kind = 'scene'")
        }
        standings = dict(db.execute("select scene, word from standing").fetchall())
        marks: dict[int, set[str]] = {}
        for id, mark in db.execute("select subject, undone from memory where flow = 'scene' and undone <> ''"):
            marks.setdefault(id, set()).add(mark)
    told = {}
    for id in jobs.keys() | standings.keys():
        state, cls = jobs.get(id, ("", ""))
        if state == "idle":
            mark = marks.get(id, set())
            told[id] = "undone" if "undo" in mark else "released" if "release" in mark else "in_step"
        elif state:
            told[id] = "ambiguous" if (state, cls) == ("dead", "ambiguous") else BY_STATE[state]
        else:
            known = STATUSES if standings[id] in STATUSES else ()
            told[id] = BY_STANDING.get(standings[id], standings[id] if known else "failed")
    return told


def listed(dash: Dash) -> dict[int, str]:
    """The status of each scene by the lists of the API, one list for each status; each row says so, too."""
    found: dict[int, str] = {}
    for status in STATUSES:
        for row in dash.get(f"/api/scenes?stands={status}").json()["scenes"]:
            assert row["stands"] == status.value
            assert row["id"] not in found, "in one list only"
            found[row["id"]] = status.value
    return found


def counted(dash: Dash) -> Iterator[tuple[str, dict[str, int]]]:
    """The numbers of scenes by status, everywhere."""
    yield "API", {name: entry["count"] for name, entry in dash.get("/api/status").json()["scenes"].items()}
    metrics = {family.name: family for family in parsed(dash.get("/metrics").text)}
    gauge = metrics["plexsync_scenes"].samples
    yield "metrics", {sample.labels["stands"]: int(sample.value) for sample in gauge}
    with closing(reading(str(dash.world.folder / "plexsync.db"))) as db:
        yield "status", {name: count for name, (count, _) in Summary(db, 0).standings.items()}
    scenes = page_facts(dash.parts)["scenes"]
    yield "page in Stash", {name: entry["count"] for name, entry in scenes.items()}


def check(life: Life, dash: Dash) -> None:
    """All places agree."""
    # The dashboard counts at most twice a second, and again after an action.
    dash.client.post("/api/stop", content="{}", headers={"Content-Type": "application/json", "X-PlexSync": "1"})
    wanted = expected(life.house)
    assert listed(dash) == wanted
    totals = Counter(wanted.values())
    for place, counts in counted(dash):
        assert {name: count for name, count in counts.items() if count} == totals, place
    rows = dash.get("/api/scenes").json()["scenes"]
    assert {row["id"]: row["stands"] for row in rows} == wanted
    worker = life.house.worker
    for id, word in wanted.items():
        assert dash.get(f"/api/scenes/{id}").json()["stands"] == word
        explained = explain(worker.glances, id)
        assert job_facts(explained.status, explained.job, explained.attempts, None)["stands"] == word
        if explained.job and explained.job.state is State.IDLE and id not in life.unseen:
            rests = {"undo": "undone", "release": "released"}.get(explained.inspection.undone, "in_step")
            assert rests == word, f"a look at scene {id} finds it {explained.inspection.undone or 'synced'}"


def live(folder: Path, rng: Random) -> set[str]:
    """A life in which all places are compared after each event; returns the statuses that there were."""
    met: set[str] = set()
    with House(folder) as house:
        life, past = Life(house, rng), []
        world = World(house.stash_sim, house.plex_sim, house.folder)
        with dashboard(world, plex_token=TOKEN, stash_api_key=KEY) as dash:
            for event in life.events():
                event()
                past.append(event.__name__)
                met |= set(expected(house).values())
                try:
                    check(life, dash)
                except AssertionError as wrong:
                    raise AssertionError(f"after {', '.join(past)}: {wrong}") from wrong
        assert house.books_balance()
    return met


def test_every_place_names_the_status_of_a_scene_alike(tmp_path: Path) -> None:
    met = set()
    for number in range(LIVES):
        met |= live(tmp_path / f"life {number}", Random(SEED + number))
    assert met >= {"in_step", "undone", "released", "waiting", "absent", "failed", "ignored", "gone", "dropped"}
