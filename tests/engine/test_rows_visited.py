"""What the statements of a scene's path visit does not grow with the library: counted in steps, whatever the machine does.

A scene is wanted, claimed, looked at, saved, pushed, settled and compared among 1,000 scenes and among 3,000. What an act
about a few scenes costs a statement has to be the same; what an act about the whole library costs it, the same for each
scene.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from plexsync.flows.scenes.reconcile import BATCH
from plexsync.rules.merge.plan_records import Remembered
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, Why
from plexsync.store import database
from plexsync.store.index import index
from plexsync.store.postgres.connection import PostgresConnection
from plexsync.store.queue import standings
from tests import postgres_server, stores
from tests.engine.house import House, path_of
from tests.engine.plans import Asked, NotedSchema, visits
from tests.engine.visits import EVERY, Visits

SIZES = (1_000, 3_000)
SMALL_SIZES = (200, 600)
# Scenes that an act is about.
FEW = 20
# A statement that reads a table which is three times as long takes three times the steps. Trees of a page more don't count.
GROWTH = 1.2
SLACK = 2 * EVERY
# The same for the rows that PostgreSQL expects to visit; of rows of a rare state it expects some more in a larger table.
ROWS_GROWTH = 1.5
ROWS_SLACK = 100.0
# About all that there is: asked once for a batch in which a scene is gone, and once for a walk of a library.
OF_ALL = (standings.COUNT, index.COUNT_IN, index.COUNT_LOST, index.UNMET, index.SWEEP)
# Batches of a comparison; of those that begin it, of those that go on with scenes that differ, and of those in step.
BATCHES = 1
MEMORY = {"title": Remembered("Title", Held("Title", True), Held("", False))}
NUMBER = "cast(item.key as bigint)"
SCENES = f"(select {NUMBER} as scene, key as item, section as library from item where {NUMBER} > :after) as scenes"
# What there is of each scene besides its memory. Item and scene of a file have the same number in these houses.
FILLINGS = (
    f"""
    insert into job (kind, id, state, lane, wanted_rev, claimed_rev, settled_rev, due, since, stirred)
    select 'scene', scene, 'idle', 0, 1, 1, 1, 1, 1, 1 from {SCENES}
    """,
    f"insert into attempt (kind, id, at, cls, error, attempts, state) select 'scene', scene, 1, '', '', 1, '' from {SCENES}",
    f"insert into push (subject, item, at, document, library) select scene, item, 1, '', library from {SCENES}",
    f"insert into standing (scene, word, since) select scene, 'in step', 1 from {SCENES}",
    f"insert into shown (scene, things, title, path) select scene, ' tag:1 ', item, item from {SCENES}",
    f"""
    insert into picture (flow, subject, library, item, name, version, tag, key, why)
    select 'scene', scene, library, item, 'poster', '', '', '', '' from {SCENES}
    """,
    f"""
    insert into rating (scene, item, library, scene_created_at, stash, plex, stash_before, plex_before, pending, sent,
                        overruled, until, undo, changed_at, rated_at)
    select scene, item, library, '', 50, 50, -2, -2, '', -2, -2, 0, 0, 0, 0 from {SCENES}
    """,
    f"""
    insert into play (scene, moment, scene_created_at, item, history_key, state)
    select scene, 1, '', item, item, 'kept' from {SCENES}
    """,
    f"""
    insert into played (account, item, moment, library, path_key, history_key, listed_at)
    select 1, item, 1, library, item, item, 1 from {SCENES}
    """,
    f"""
    insert into resume (scene, scene_created_at, item, moment, view_count, view_offset, position, position_before)
    select scene, '', item, 1, 1, 0, 0, 0 from {SCENES}
    """,
    f"""
    insert into import_change (run, scene, target, value_before, value_after, state, changed_at)
    select 1, scene, 'title', '', '', 'done', 1 from {SCENES}
    """,
    f"""
    insert into collection (source, object, library, section, name, name_key, item)
    select 'tag', scene, library, library, item, item, 'collection ' || item from {SCENES}
    """,
    f"""
    insert into transition (who, at, old, new, cause, error) select 'plex', 1, 'closed', 'open', '', '' from {SCENES}
    """,
)

# More items, with the numbers of those that there are and this added.
ADDED = 100_000
KEY = f"cast({NUMBER} + :added as text)"
MORE = (
    f"insert into item (key, section, walk) select {KEY}, section, walk from item where {NUMBER} <= :upto",
    f"""
    insert into part (item, position, path, path_key, name_key, size)
    select {KEY}, position, path, path_key || {KEY}, name_key || {KEY}, size
      from part join item on item.key = part.item where {NUMBER} <= :upto
    """,
    f"""
    insert into memory (flow, subject, library, item, at, document)
    select flow, subject + :added, library, {KEY}, at, document
      from memory join item on item.key = memory.item where {NUMBER} <= :upto
    """,
)

Steps = dict[tuple[str, str], float]


class Library:
    """A house with so many scenes, of which Plex and the database know everything. `acts` are done in it, in this order."""

    def __init__(self, house: House, size: int) -> None:
        self.house, self.size = house, size
        ids = []
        for n in range(size):
            ids += house.add(start=n)
            house.clock.move(1)
        house.worker.indexer.freshen()
        house.worker.poller.poll()
        self._fill(0)
        with house.store.writing() as tx:
            tx.memories.save_all([(id, str(id), MEMORY) for id in ids], now=1)
        self.ids = iter(ids)

    def grow(self) -> None:
        """Make it three times as large, in the database alone."""
        for added in (ADDED, 2 * ADDED):
            for filling in MORE:
                self._change(filling, {"upto": ADDED, "added": added})
        self._fill(ADDED)

    def _fill(self, after: int) -> None:
        for filling in FILLINGS:
            self._change(filling, {"after": after})

    def _change(self, sql: str, values: dict[str, int]) -> None:
        with stores.look(self.house.folder) as db:
            db.execute(sql, values)

    def acts(self) -> dict[str, tuple[Callable[[], object], int]]:
        """What is done, and for how many scenes."""
        return {
            "edited": (self.edit, FEW),
            "polled": (self.poll, FEW),
            "scanned": (self.scan, self.size),
            "added": (self.add, FEW),
            "absent": (lambda: self.add(state="absent"), FEW),
            "deleted": (self.delete, FEW),
            "synced": (self.sync, FEW),
            "begun": (self.compare, self.size),
            "compared": (self.compare, FEW),
            "in step": (self.compare_in_step, FEW),
            "all wanted": (self.want_all, self.size),
            "claimed": (self.house.step, FEW),
            "pruned": (self.house.worker.engine.prune, FEW),
        }

    def edit(self) -> None:
        ids = self._some()
        for id in ids:
            self.house.edit(id, title=f"Edited {id}")
        self.house.work()
        assert self.house.out_of_step(ids) == []

    def scan(self) -> None:
        for n in range(self.size, self.size + FEW):
            self.house.plex_sim.stage_movie(
                self.house.section, files=[(path_of(n), 1000 + n, 60_000)], title=f"file {n}"
            )
        self.house.plex_sim.scan(self.house.section)
        self.house.plex_sim.finish_scan(self.house.section)
        self.house.clock.move(60)
        self.house.worker.indexer.freshen()

    def add(self, state: str = "idle") -> None:
        start = len(self.house.stash_sim.scene_ids())
        self.house.want(*(self.house.add_scene(n) for n in range(start, start + FEW)))
        self.house.work()
        assert self._count(f"state = '{state}' and id > {start}") == FEW

    def delete(self) -> None:
        ids = self._some()
        for id in ids:
            self.house.stash_sim.destroy_scene(id)
        self.house.want(*ids)
        self.house.clock.move(2)
        self.house.work()
        assert self._count("state = 'gone'") == FEW

    def poll(self) -> None:
        ids = self._some()
        for id in ids:
            self.house.stash_sim.edit_scene(id, title=f"Edited {id}")
        self.house.clock.move(60)
        self.house.worker.poller.poll()
        self.house.work()
        assert self.house.out_of_step(ids) == []

    def compare(self) -> None:
        """The next batches of a comparison, which queue what differs: nearly all of it. The first ones read Plex as well."""
        going = iter(range(BATCHES + 1))
        self.house.worker.reconciler.reconcile(stopping=lambda: next(going) == BATCHES)
        assert self._count("state = 'ready'") > BATCHES * BATCH / 2

    def sync(self) -> None:
        """Bring the scenes in step that a comparison comes to last, and let half of that be forgotten."""
        ids = list(range(2 * BATCHES * BATCH + 1, 4 * BATCHES * BATCH))
        self.house.want(*ids)
        self.house.work()
        with self.house.store.writing() as tx:
            tx.memories.forget(ids[::2])

    def compare_in_step(self) -> None:
        """The next batches, which are in step: nothing is queued, and what was forgotten is remembered again."""
        queued, known = self._count("state = 'ready'"), self._remembered()
        going = iter(range(BATCHES + 1))
        self.house.worker.reconciler.reconcile(stopping=lambda: next(going) == BATCHES)
        assert self._count("state = 'ready'") == queued
        assert self._remembered() == known + BATCHES * BATCH / 2

    def want_all(self) -> None:
        with self.house.store.writing() as tx:
            tx.jobs.want_all(Kind.SCENE, dict.fromkeys(self.ids, "wanted"), Why.SWEEP, self.house.clock.now())

    def _remembered(self) -> int:
        return self.house.rows("select count(*) from memory")[0][0]

    def _count(self, condition: str) -> int:
        return self.house.rows(f"select count(*) from job where {condition}")[0][0]

    def _some(self) -> list[int]:
        return [next(self.ids) for _ in range(FEW)]


@contextmanager
def counted_library(folder: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Library, Visits]]:
    visits = Visits()
    monkeypatch.setattr(database, "SqliteFile", visits.file)
    with House(folder / str(size)) as house:
        yield Library(house, size), visits


def steps(library: Library, visits: Visits, *acts: str) -> Steps:
    """What each statement costs for a scene, by the act (all of them where none is named) and its words."""
    found: Steps = {}
    for name, (act, scenes) in library.acts().items():
        if not acts or name in acts:
            with visits.counted() as counted:
                act()
            found |= {(name, " ".join(sql.split())): count / scenes for sql, count in counted.items()}
    return found


# The tables with a row for each gate. Each thread that answers looks once after a commit, so that goes by threads.
OF_GATES = re.compile(r" from (breaker|hold|pace)\b")


def grown(few: Steps, many: Steps) -> list[str]:
    """The statements that cost more for a scene of a larger library."""
    return [
        f"{act}: {few.get((act, sql), 0):.0f} steps a scene, {count:.0f} in the larger library: {sql}"
        for (act, sql), count in many.items()
        if count > GROWTH * few.get((act, sql), 0) + SLACK / FEW and not OF_GATES.search(sql)
    ]


@pytest.mark.sqlite_only
def test_no_statement_visits_more_for_a_scene_of_a_larger_library(tmp_path, monkeypatch):
    found = []
    for size in SIZES:
        with counted_library(tmp_path, size, monkeypatch) as (library, visits):
            found.append(steps(library, visits))
            assert {act for act, _ in found[-1]} == set(library.acts())
    assert grown(*found) == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("spoiled", "named"),
    [
        ("drop index push_pair", "delete from push where"),
        (
            "create trigger reads_all after update on memory begin delete from played where listed_at < 0; end",
            "insert into memory",
        ),
    ],
)
def test_a_statement_that_reads_a_whole_table_is_named(tmp_path, monkeypatch, spoiled, named):
    found = []
    for size in SMALL_SIZES:
        with counted_library(tmp_path, size, monkeypatch) as (library, visits):
            library.house.change(spoiled)
            found.append(steps(library, visits, "edited"))
    assert [line for line in grown(*found) if f": {named}" in line]


@contextmanager
def noted_library(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Library, Asked]]:
    """A library in PostgreSQL, and what is asked about it."""
    asked: Asked = {}
    server = postgres_server.shared()
    with server.database() as url:
        monkeypatch.setattr(stores, "SCHEMAS", [stores.Schemas(url, url.rpartition("/")[2])])
        monkeypatch.setattr(
            database, "SqliteFile", lambda path, **_: NotedSchema(stores.address_of(path.parent), asked)
        )
        with House(folder / "data") as house:
            yield Library(house, SIZES[0]), asked


def with_more_rows(library: Library, asked: Asked, *acts: str) -> list[str]:
    """The statements that PostgreSQL expects to visit more rows for, with the same values, when the library has grown."""
    asked.clear()
    for name, (act, _) in library.acts().items():
        if not acts or name in acts:
            act()
    statements = {sql: values for sql, values in asked.items() if sql not in OF_ALL}
    with stores.connected(stores.address_of(library.house.folder)) as driver:
        db = PostgresConnection(driver, "begin")
        before = visits(statements, db)
        library.grow()
        after = visits(statements, db)
    return [
        f"{before[sql]:.0f} rows, {after[sql]:.0f} in the larger library: {sql}"
        for sql in after
        if after[sql] > ROWS_GROWTH * before[sql] + ROWS_SLACK
    ]


@pytest.mark.needs_postgres
def test_postgresql_visits_no_more_rows_for_a_scene_of_a_larger_library(tmp_path, monkeypatch):
    with noted_library(tmp_path, monkeypatch) as (library, asked):
        assert with_more_rows(library, asked) == []


@pytest.mark.needs_postgres
@pytest.mark.parametrize(
    ("dropped", "named"), [("push_pair", "delete from push where"), ("memory_item", "delete from memory")]
)
def test_a_statement_without_its_index_in_postgresql_is_named(tmp_path, monkeypatch, dropped, named):
    with noted_library(tmp_path, monkeypatch) as (library, asked):
        library.house.change(f"drop index {dropped}")
        found = with_more_rows(library, asked, "edited")
    assert [line for line in found if named in line]
