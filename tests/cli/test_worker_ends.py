"""Real processes that end by themselves, again and again: how often, since when and why is told, until one ends well."""

from pathlib import Path

import pytest

from plexsync.rules.queue.worker_ends import LONGEST, after_end, read
from plexsync.store.files import worker_ends
from tests.journey.world import TOKEN, World, stop, until
from tests.patience import HANG


@pytest.fixture
def known(world: World) -> World:
    """With a database."""
    world.add(1)
    assert world.run("sync", "--all").returncode == 0
    return world


def ended(world: World) -> dict | None:
    return world.json("status")["worker"]["ended"]


def first_line(world: World) -> str:
    """The verdict of `plexsync status`, on one line."""
    return " ".join(world.run("status").stdout.partition("\n\n")[0].split())


def test_a_serve_that_fails_at_its_start_again_and_again_is_told_with_its_error(known: World, tmp_path: Path) -> None:
    damaged = tmp_path / "packages" / "apprise"
    damaged.mkdir(parents=True)
    (damaged / "__init__.py").write_text(f"raise RuntimeError('damaged, and it tells {TOKEN}')\n")
    for _ in range(3):
        process = known.piped("serve", PYTHONPATH=str(damaged.parent), PLEXSYNC_NOTIFY_URLS="json://127.0.0.1:9")
        assert process.wait(HANG) == 1
    ends = ended(known)
    assert ends is not None
    assert ends["count"] == 3
    assert ends["error"] == "RuntimeError: damaged, and it tells *** (this is a fault of PlexSync)"
    assert ends["since"] <= ends["last"]
    line = first_line(known)
    assert line.startswith("The worker ended by itself 3 times since ")
    assert (
        "RuntimeError: damaged, and it tells *** (this is a fault of PlexSync) (plexsync log, plexsync doctor)" in line
    )
    assert TOKEN.encode() not in (known.folder / "plexsync.db").read_bytes()
    (group,) = [group for group in known.json("fix")["groups"] if group["cause"] == "system"]
    (entry,) = [entry for entry in group["entries"] if entry["key"] == "ended"]
    assert [step["command"] for step in entry["steps"]] == ["plexsync log", "plexsync doctor"]

    with known.serving():
        until(lambda: known.json("status")["worker"]["alive"])
        assert first_line(known).startswith("The worker ended by itself 3 times"), "it has not stayed up yet"
    assert ended(known) is None, "it ended in good order"
    assert "ended by itself" not in first_line(known)


def test_a_serve_that_is_killed_again_and_again_is_counted_by_the_next_one(known: World) -> None:
    assert ended(known) is None
    for count in (1, 2):
        process = known.start("serve")
        until(lambda wanted=count: known.log().count("PlexSync.serve serving") == wanted)
        process.kill()
        process.wait()
        # The next one counts it.
        assert (ended(known) or {"count": 0})["count"] == count - 1
    last = known.start("serve")
    until(lambda: (ended(known) or {}).get("count") == 2)
    assert ended(known)["error"] == "it was killed"
    until(lambda: known.log().count("PlexSync.serve serving") == 3)
    assert first_line(known).startswith("The worker ended by itself 2 times since ")
    stop(last)
    assert ended(known) is None
    assert not (known.folder / worker_ends.MARK).exists()


def test_a_note_that_can_not_be_read_counts_nothing() -> None:
    assert read("") is None
    assert read("3 4") is None
    assert read("many 1 2 an error") is None
    again = after_end(after_end("nonsense", 1_000, "one"), 2_000, "two with words")
    assert read(again) == (2, 1_000, 2_000, "two with words")
    assert read(after_end("", 1, "")) == (1, 1, 1, "")
    assert read(after_end("", 1, "x" * 9_000)) == (1, 1, 1, "x" * LONGEST)


def test_an_end_is_noted_in_one_line_without_the_secrets(known: World) -> None:
    worker_ends.note_end(str(known.folder), f"refused\nwith the key {TOKEN}\ud800", secrets=(TOKEN,))
    ends = ended(known)
    assert ends is not None
    assert ends["error"] == "refused\\nwith the key ***\\ud800"
    worker_ends.note_good_end(str(known.folder))
    assert ended(known) is None


def test_a_place_that_can_not_be_written_to_counts_nothing_and_fails_nothing(tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    assert worker_ends.set_mark(nowhere) == ""
    worker_ends.note_end(nowhere, "an error")
    worker_ends.note_good_end(nowhere)
    worker_ends.remove_mark(nowhere)
    assert not Path(nowhere).exists()


def test_a_worker_that_its_watchdog_ended_is_told_as_one_that_hung(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert worker_ends.set_mark(folder) == ""
    (tmp_path / worker_ends.HANG).write_text("Timeout!\n")
    assert worker_ends.set_mark(folder) == worker_ends.HUNG
    (tmp_path / worker_ends.HANG).unlink()
    assert worker_ends.set_mark(folder) == worker_ends.KILLED
    worker_ends.remove_mark(folder)
    assert worker_ends.set_mark(folder) == ""
