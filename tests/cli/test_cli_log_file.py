"""plexsync.log in the data folder: what serve logs is there afterwards, and nothing about it stops work."""

import logging
import os
import re
import signal
import stat
from functools import partial
from pathlib import Path

import pytest

from plexsync.cli import logs
from plexsync.cli.logs import LOG_FILE, also_in_a_file
from plexsync.simulator.http import Fault
from tests.cli.conftest import Door
from tests.journey.world import KEY, TOKEN, World, stop, until
from tests.patience import HANG
from validation.redact import RedactingFilter, Redactor

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (DEBUG|INFO|WARNING|ERROR) PlexSync\.\w+ \S")
ours = logging.getLogger("PlexSync.test")


@pytest.fixture
def loud(monkeypatch: pytest.MonkeyPatch):
    before = logging.getLogger("PlexSync").level
    logging.getLogger("PlexSync").setLevel(logging.INFO)
    yield
    logging.getLogger("PlexSync").setLevel(before)


def lines(folder: Path) -> list[str]:
    return (folder / LOG_FILE).read_text(encoding="utf-8").splitlines()


def test_what_serve_logs_is_in_the_data_folder_too(world: World) -> None:
    ids = world.add(3)
    with world.serving():
        until(lambda: world.in_step(ids))
    kept = lines(world.folder)
    assert kept == world.log().splitlines()
    assert "stopped in good order" in kept[-1]
    assert all(LINE.match(line) for line in kept)
    if os.name == "posix":
        assert stat.S_IMODE((world.folder / LOG_FILE).stat().st_mode) == 0o600


def test_neither_secrets_nor_what_the_library_holds_are_in_it(world: World) -> None:
    world.settings["plex_url"] = f"{world.plex.url}/{TOKEN}"
    world.plex.faults.set(Fault("status", status=400, when=lambda one: one.method == "PUT"))
    world.add(3)
    with world.serving():
        until(lambda: (world.folder / LOG_FILE).exists())
        world.stash.edit_scene(1, title="A private title")
        until(lambda: any("worked" in line for line in lines(world.folder)) or world.plex.count() > 3)
    kept = (world.folder / LOG_FILE).read_text(encoding="utf-8")
    for word in (TOKEN, KEY, "A private title", "/media/scenes", "scene 00001", "Performer", "Studio"):
        assert word not in kept


def test_what_was_logged_before_the_folder_was_known_comes_first(world: World) -> None:
    world.unset = ("plex_token",)
    world.stash.faults.set(Fault("refuse"))
    process = world.start("serve")
    try:
        until(lambda: "waiting for Stash" in world.log())
        assert not (world.folder / LOG_FILE).exists()
        world.stash.plugin_settings["StashPlexSync"] = {"plex_token": TOKEN}
        world.stash.faults.set()
        until(lambda: (world.folder / LOG_FILE).exists())
    finally:
        stop(process)
    assert "waiting for Stash" in lines(world.folder)[0]


def test_a_second_serve_leaves_it_to_the_first(world: World) -> None:
    with world.serving():
        until(lambda: any("serving" in line for line in world.log().splitlines()))
        assert world.run("serve").returncode == 1
    assert lines(world.folder) == world.log().splitlines()


@pytest.mark.skipif(os.name != "posix", reason="links and modes as Unix has them")
@pytest.mark.parametrize("obstacle", ["folder", "link", "pipe"])
def test_what_stands_in_its_place_does_not_stop_work(obstacle: str, world: World, tmp_path: Path) -> None:
    place = world.folder / LOG_FILE
    if obstacle == "folder":
        place.mkdir()
    elif obstacle == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(place)
    ids = world.add(2)
    process = world.start("serve")
    until(lambda: world.in_step(ids))
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=HANG) == 0
    assert not (tmp_path / "elsewhere").exists()
    told = [line for line in world.log().splitlines() if "plexsync.log can't be written" in line]
    assert len(told) == 1


def test_it_is_rotated_by_size_and_only_so_many_are_kept(tmp_path: Path, loud: None, monkeypatch) -> None:
    monkeypatch.setattr(logs, "LARGEST_LOG", 2_000)
    monkeypatch.setattr(logs, "OLDER_LOGS", 2)
    with also_in_a_file(RedactingFilter(Redactor(()))) as file:
        file.begin(tmp_path)
        for number in range(200):
            ours.info("event %s", number)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [LOG_FILE, f"{LOG_FILE}.1", f"{LOG_FILE}.2"]
    assert all(path.stat().st_size <= 2_000 for path in tmp_path.iterdir())
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir()) or os.name != "posix"
    kept = [line for name in reversed(names) for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
    first = int(kept[0].split()[-1])
    assert [line.split()[-1] for line in kept] == [str(number) for number in range(first, 200)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_drops_lines_and_says_so_once(tmp_path: Path, loud: None, caplog: pytest.LogCaptureFixture) -> None:
    with also_in_a_file(RedactingFilter(Redactor(()))) as file:
        file.begin(tmp_path)
        ours.info("before")
        opened = file._open
        file.stream.close()
        file.stream = None
        file._open = partial(Path("/dev/full").open, "a", encoding="utf-8")
        ours.info("lost")
        ours.info("lost too")
        file._open = opened
        ours.info("after")
    assert [line.rsplit(" ", 1)[1] for line in lines(tmp_path)] == ["before", "after"]
    told = [record for record in caplog.records if "can't be written" in record.getMessage()]
    assert len(told) == 1
    assert "No space left on device" in told[0].getMessage()


def test_a_line_that_a_kill_cut_is_ended_before_the_next(tmp_path: Path, loud: None) -> None:
    (tmp_path / LOG_FILE).write_bytes(b"2026-01-01T00:00:00Z INFO PlexSync.serve half a li")
    with also_in_a_file(RedactingFilter(Redactor(()))) as file:
        file.begin(tmp_path)
        ours.info("whole")
    first, second = lines(tmp_path)
    assert first.endswith("half a li")
    assert LINE.match(second)


def test_secrets_that_became_known_later_are_hidden_in_it(tmp_path: Path, loud: None) -> None:
    hiding = RedactingFilter(Redactor(()))
    with also_in_a_file(hiding) as file:
        file.begin(tmp_path)
        hiding.use(Redactor(["hunter2hunter2"]))
        ours.info("the word is hunter2hunter2\nand 2031-01-01T00:00:00Z ERROR PlexSync.forged")
    (line,) = lines(tmp_path)
    assert "***" in line
    assert "hunter2" not in line


def test_doctor_says_where_it_is(world: World, door: Door) -> None:
    told = {check["name"]: check["told"] for check in door("doctor", "--json").facts["checks"]}
    assert told["log"].startswith(f"{world.folder / LOG_FILE} will have what serve logs")
