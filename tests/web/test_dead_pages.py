"""The work bench of what was given up: by cause, one by one, tried again, dropped and exported."""

import csv
import html
import io
import json
import re
import sqlite3
from collections.abc import Iterator

import pytest

from plexsync.app.parts import open_parts
from plexsync.reports.dead_letters import COLUMNS
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.servers.causes import cure_of
from plexsync.simulator.http import Fault
from tests.journey.world import World
from tests.patience import HANG
from tests.web.conftest import Dash, dashboard
from tests.web.stage import HOSTILE, config_of, work

# Three of each, and one that is no scene.
CAUSES = ("ambiguous", "refused", "strict")


def plain(text: str) -> str:
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def die(world: World, *, each: int = 3) -> None:
    """What a worker leaves behind."""
    with open_parts(config_of(world), world.folder) as parts, parts.store.writing() as tx:
        now = parts.clock.now()
        for n in range(each * len(CAUSES)):
            tx.jobs.want(Kind.SCENE, n + 1, Why.EDIT, now)
        tx.jobs.want(Kind.TAG, 5, Why.EDIT, now)
    rows = [(n + 1, CAUSES[n % len(CAUSES)]) for n in range(each * len(CAUSES))]
    db = sqlite(world)
    with db:
        for id, cause in rows:
            error = f"=cmd|' /C calc'!A0 {HOSTILE[0]}" if id == 1 else f"{cause}: error {id}"
            db.execute(
                "update job set state = 'dead', cls = ?, error = ? where kind = 'scene' and id = ?", [cause, error, id]
            )
        db.execute("update job set state = 'dead', cls = 'bug', error = 'a fault' where kind = 'tag'")
        db.execute("insert or replace into tally (name, count) values ('died', ?)", [len(rows) + 1])
    db.close()


def sqlite(world: World) -> sqlite3.Connection:
    return sqlite3.connect(world.folder / "plexsync.db", timeout=HANG)


def dead(world: World) -> dict[str, int]:
    return dict(world.rows("select cls, count(*) from job where state = 'dead' group by cls"))


@pytest.fixture
def bench(world: World) -> Iterator[Dash]:
    die(world)
    with dashboard(world) as dash:
        yield dash


def test_without_any_it_says_so(dash: Dash) -> None:
    assert "No dead letters" in plain(dash.get("/dead").text)


def test_each_cause_has_a_count_an_example_and_a_cure(bench: Dash) -> None:
    page = bench.get("/dead").text
    told = plain(page)
    assert "10 dead letters" in told
    for cause in CAUSES:
        meaning = cure_of(cause).meaning
        assert f"{cause} 3 {meaning[:1].upper()}{meaning[1:]}." in told
        assert f"What cures it: {cure_of(cause).advice}" in told
    assert "For example scene 2 : refused: error 2" in told
    assert "tag 5" in told
    assert 'href="/scenes/2"' in page


def test_the_rows_of_one_cause_alone_can_be_shown(bench: Dash) -> None:
    page = bench.get("/dead?cause=strict").text
    assert re.findall(r'id="row-([^"]+)"', page) == ["3", "6", "9"]
    assert bench.get("/dead?cause=nonsense").status_code == 400


def test_rows_go_on_page_by_page(world: World) -> None:
    die(world, each=40)
    with dashboard(world) as dash:
        keys, path = [], "/dead"
        while path:
            page = dash.get(path).text
            keys += re.findall(r'id="export-((?:tag:)?\d+)"', page)
            more = re.search(r'<a id="next" href="([^"]+)"', page)
            path = html.unescape(more[1]) if more else ""
    assert keys == [*map(str, range(1, 121)), "tag:5"]


def test_one_is_tried_again(bench: Dash) -> None:
    told = plain(bench.post("/dead/retry", key="2").text)
    assert "1 dead letter will be tried again" in told
    assert bench.world.rows("select state, attempts from job where kind = 'scene' and id = 2") == [("ready", 0)]
    assert "That is no dead letter any more" in plain(bench.post("/dead/retry", key="2").text)
    assert "1 dead letter will be tried again" in plain(bench.post("/dead/retry", key="tag:5").text)


def test_those_of_a_cause_and_all_are_tried_again(bench: Dash) -> None:
    assert "3 dead letters will be tried again" in plain(bench.post("/dead/retry", cause="strict").text)
    assert dead(bench.world) == {"ambiguous": 3, "refused": 3, "bug": 1}
    assert "7 dead letters will be tried again" in plain(bench.post("/dead/retry", all="1").text)
    assert dead(bench.world) == {}


def test_after_a_button_among_those_of_one_cause_they_are_shown_again(bench: Dash) -> None:
    page = bench.post("/dead/retry", key="3", shown="strict")
    assert str(page.url).endswith("/dead?cause=strict")
    assert re.findall(r'id="row-([^"]+)"', page.text) == ["6", "9"]


def look_alikes(world: World, count: int) -> dict[int, str]:
    """Scenes whose only items fit by name and duration only."""
    keys = {}
    for n in range(count):
        key = world.plex.add_movie(world.section, files=[(f"/elsewhere/film {n}.mkv", 900, 1_800_000)], title="film")
        keys[world.stash.add_scene(title=f"Film {n}", files=[(f"/media/scenes/film {n}.mkv", 1500, 1800.0)])] = key
    work(world, keys)
    return keys


def test_scenes_that_fit_by_duration_only_are_listed_and_bound_together(world: World) -> None:
    keys = look_alikes(world, 3)
    with dashboard(world) as dash:
        assert 'href="/dead/by-duration"' in dash.get("/dead").text
        page = dash.get("/dead/by-duration").text
        shown = plain(page)
        for n in range(3):
            assert f"Film {n} /media/scenes/film {n}.mkv {keys[n + 1]} /elsewhere/film {n}.mkv" in shown
        assert "it has 900 bytes, in Stash 1,500: it may be another encoding, or a different file" in shown
        assert world.rows("select count(*) from binding") == [(0,)], "a question changes nothing"
        fields = re.search(r'name="pairs" value="([^"]*)"', page)
        assert fields
        world.plex.remove(keys[1])
        done = plain(dash.post("/dead/by-duration", pairs=fields[1]).text)
        assert "2 scenes bound and queued. 1 scene not bound, because something has changed meanwhile." in done
        assert world.rows("select subject, item from binding") == [(id, keys[id]) for id in (2, 3)]
        assert "No scene has a candidate by name and duration only." in plain(dash.get("/dead/by-duration").text)
    work(world)
    assert [world.plex.item(keys[id]).scalars["title"] for id in (2, 3)] == ["Film 1", "Film 2"]


def test_more_than_a_page_of_such_scenes_are_bound_page_by_page(world: World) -> None:
    look_alikes(world, 51)
    with dashboard(world) as dash:
        for count in (50, 1):
            page = dash.get("/dead/by-duration").text
            fields = re.search(r'name="pairs" value="([^"]*)"', page)
            assert fields
            assert len(fields[1].split()) == count
            assert ("There are more" in page) is (count == 50)
            assert f"{count} scene" in plain(dash.post("/dead/by-duration", pairs=fields[1]).text)
        assert world.rows("select count(*) from binding") == [(51,)]


def test_a_pair_that_the_page_did_not_show_is_not_bound(world: World) -> None:
    keys = look_alikes(world, 1)
    other = world.plex.add_movie(world.section, files=[("/elsewhere/other.mkv", 5, 60_000)], title="other")
    with dashboard(world) as dash:
        assert "1 scene not bound" in plain(dash.post("/dead/by-duration", pairs=f"1:{other}").text)
        assert dash.post("/dead/by-duration", pairs=f"1:{keys[1]}x").status_code == 400
        assert dash.post("/dead/by-duration").status_code == 200
    assert world.rows("select count(*) from binding") == [(0,)]


def twins(world: World, count: int) -> dict[int, tuple[str, str]]:
    """Scenes of which an item in each of two folders fits, and one whose two items lie in one folder."""
    keys = {}
    for n in range(count):
        files = [("/elsewhere/a/deep", f"twin {n}"), ("/elsewhere/b", f"twin {n}")]
        keys[world.stash.add_scene(title=f"Twin {n}", files=[(f"/media/scenes/twin {n}.mp4", 70 + n, 60.0)])] = tuple(
            world.plex.add_movie(world.section, files=[(f"{folder}/{name}.mp4", 70 + n, 60_000)], title=name)
            for folder, name in files
        )
    for _ in range(2):
        world.plex.add_movie(world.section, files=[("/elsewhere/c/same.mp4", 7, 60_000)], title="same")
    same = world.stash.add_scene(title="Same", files=[("/media/scenes/same.mp4", 7, 60.0)])
    work(world, [*keys, same])
    return keys


def test_ambiguous_scenes_are_bound_together_to_their_items_in_a_folder(world: World) -> None:
    keys = twins(world, 3)
    with dashboard(world) as dash:
        fix = dash.get("/fix?view=list").text
        links = re.findall(r'href="(/dead/in-folder[^"]*)">Bind 3 scenes to their item in (\S+)…<', fix)
        assert [folder for _, folder in links] == ["/elsewhere/a", "/elsewhere/b"]
        page = dash.get(links[0][0]).text
        assert "just one of them has its file in /elsewhere/a." in plain(page)
        (fields,) = re.findall(r'name="pairs" value="([^"]*)"', page)
        assert fields == " ".join(f"{id}:{first}" for id, (first, _) in keys.items())
        done = dash.post("/dead/in-folder", folder="/elsewhere/a", pairs=f"{fields} 4:{keys[1][1]}")
        assert "3 scenes bound and queued. 1 scene not bound" in plain(done.text)
        assert world.rows("select subject, item from binding") == [(id, first) for id, (first, _) in keys.items()]
        assert dash.post("/dead/in-folder", pairs=fields).status_code == 400
    work(world)
    with dashboard(world) as dash:
        assert "No ambiguous scene has just one candidate in /elsewhere/c." in plain(
            dash.get("/dead/in-folder?folder=/elsewhere/c").text
        )
        assert "Folder in Plex" in plain(dash.get("/dead/in-folder").text)
        assert "/dead/in-folder" not in dash.get("/fix?view=list").text
    assert [world.plex.item(first).scalars["title"] for first, _ in keys.values()] == ["Twin 0", "Twin 1", "Twin 2"]


def test_while_plex_is_down_the_page_says_so_and_binds_nothing(world: World) -> None:
    keys = look_alikes(world, 1)
    with dashboard(world) as dash:
        world.plex.faults.set(Fault("refuse"))
        assert "The scenes can't be shown now: Plex" in plain(dash.get("/dead/by-duration").text)
        assert "Not all were bound: Plex" in plain(dash.post("/dead/by-duration", pairs=f"1:{keys[1]}").text)
    assert world.rows("select count(*) from binding") == [(0,)]


@pytest.mark.parametrize(
    ("which", "count", "words"),
    [
        ({"key": "2"}, 1, "Drop scene 2?"),
        ({"key": "tag:5"}, 1, "Drop tag:5?"),
        ({"cause": "refused"}, 3, "Drop 3 dead letters of the cause “refused”?"),
        ({"all": "1"}, 10, "Drop all 10 dead letters?"),
    ],
)
def test_dropping_asks_first(bench: Dash, which: dict[str, str], count: int, words: str) -> None:
    before = dead(bench.world)
    asked = bench.client.get("/dead/drop", params=which)
    assert words in plain(asked.text)
    assert dead(bench.world) == before, "a question changes nothing"
    fields = dict(re.findall(r'<input type="hidden" name="(key|cause|all)" value="([^"]*)">', asked.text))
    assert fields == which
    told = plain(bench.post("/dead/drop", **fields).text)
    assert f"{count} dead letter{'s' if count > 1 else ''} dropped" in told
    assert sum(dead(bench.world).values()) == 10 - count
    assert bench.world.rows("select count(*) from job where state = 'dropped'") == [(count,)]


@pytest.mark.parametrize(
    "which",
    [{}, {"key": "1", "all": "1"}, {"cause": "refused", "key": "2"}, {"key": "x"}, {"key": "0"}, {"cause": "?"}],
)
def test_which_ones_has_to_be_said_in_one_way(bench: Dash, which: dict[str, str]) -> None:
    before = dead(bench.world)
    assert bench.post("/dead/drop", **which).status_code == 400
    assert bench.post("/dead/retry", **which).status_code == 400
    asked = bench.client.get("/dead/drop", params=which)
    assert asked.status_code == 400 or (not which and str(asked.url).endswith("/dead"))
    assert dead(bench.world) == before


def test_a_get_drops_nothing(bench: Dash) -> None:
    assert bench.client.get("/dead/retry").status_code in (404, 405)
    assert sum(dead(bench.world).values()) == 10


def test_everything_is_exported_as_json_by_cause_and_one_by_one(bench: Dash) -> None:
    answer = bench.get("/dead/export.json")
    assert answer.headers["content-disposition"] == 'attachment; filename="dead-letters.json"'
    assert answer.headers["content-type"] == "application/json"
    rows = json.loads(answer.text)["rows"]
    assert len(rows) == 10
    assert rows[0]["advice"]
    of_cause = json.loads(bench.get("/dead/export.json?cause=strict").text)
    assert ([row["id"] for row in of_cause["rows"]], of_cause["cause"]) == ([3, 6, 9], "strict")
    one = json.loads(bench.get("/dead/export.json?key=tag:5").text)["rows"]
    assert [(row["kind"], row["id"]) for row in one] == [("tag", 5)]


def test_one_row_is_exported_by_reading_it_alone(bench: Dash, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("plexsync.reports.dead_letters.letter", lambda *_: pytest.fail("another row was read"))
    (row,) = json.loads(bench.get("/dead/export.json?key=2").text)["rows"]
    assert (row["id"], row["cause"]) == (2, "refused")
    bench.post("/dead/retry", key="2")
    assert json.loads(bench.get("/dead/export.json?key=2").text)["rows"] == [], "it was not given up any more"
    assert json.loads(bench.get("/dead/export.json?key=99").text)["rows"] == []


def test_a_table_that_is_exported_is_safe_to_open(bench: Dash) -> None:
    answer = bench.get("/dead/export.csv?cause=ambiguous")
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.reader(io.StringIO(answer.text)))
    assert tuple(lines[0]) == COLUMNS
    assert [line[1] for line in lines[1:]] == ["1", "4", "7"]
    assert lines[1][3].startswith("'=cmd")
    assert bench.get("/dead/export.xml").status_code == 400


def test_more_than_there_should_be_is_a_banner(world: World) -> None:
    die(world, each=40)
    with dashboard(world, dlq_max=100) as dash:
        assert "121 dead letters, more than dlq_max (100)" in plain(dash.get("/dead").text)


def test_the_state_of_a_dead_row_is_told_by_its_error_as_text(bench: Dash) -> None:
    page = bench.get("/dead").text
    assert "<script>document" not in page
    assert "&lt;img src=x" in page
