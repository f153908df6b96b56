"""The worker inside Stash goes on living, and edits find it: killed, replaced, locked out, disabled."""

import os
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from plexsync.simulator.stash_hooks import Connection
from plexsync.stash_plugin import dependencies
from plexsync.store import intake
from plexsync.store.files import life_signs
from plexsync.store.files.lock import is_locked
from release.check import TASK, Trial
from tests.engine.clocks import Clock
from tests.patience import HANG, until
from tests.stash_plugin.conftest import ROOT, go

pytestmark = pytest.mark.skipif(not life_signs.HANDLES, reason="signs by handles are for Linux")


@pytest.fixture
def living(inside: Trial) -> Trial:
    """With a worker that was started by its task, and no Python hook."""
    inside.stash.others.remove(inside.hook)
    inside.post(TASK, name="Start the worker")
    assert inside.stash.wait_for_jobs(HANG)
    assert inside.runner.runs[-1].outcome.error is None
    inside.runner.runs.clear()
    return inside


def process_of(trial: Trial, who: str = life_signs.WORKER) -> int:
    """The process that a sign leads to; 0 if it leads nowhere."""
    link = Path(trial.runner.dir) / who
    return int(link.readlink().parts[2]) if link.exists() else 0


def kill(trial: Trial, who: str = life_signs.WORKER) -> int:
    process = process_of(trial, who)
    os.kill(process, signal.SIGKILL)
    until(lambda: process_of(trial, who) != process)
    return process


def arrives(trial: Trial, title: str, edit: Callable[..., None] | None = None) -> None:
    (edit or trial.stash.edit_scene)(1, title=title)
    until(lambda: trial.title() == title)


def signs(trial: Trial) -> list[str]:
    return [path.name for path in Path(trial.runner.dir).glob("plexsync-*")]


def older(trial: Trial) -> None:
    """As an update leaves it whose older version had a hook and no signs of life: its worker has ended."""
    kill(trial, life_signs.SUPERVISOR)
    kill(trial)
    until(lambda: not is_locked(trial.folder))
    for name in signs(trial):
        path = Path(trial.runner.dir, name)
        path.unlink() if path.is_symlink() else shutil.rmtree(path)
    intake.switch(str(trial.folder), intake.LEFT)


def ended(trial: Trial) -> dict | None:
    """How often the worker ended by itself."""
    return trial.ask("page_status")["worker"]["ended"]


def operations(trial: Trial) -> int:
    return sum(1 for run in trial.runner.runs if run.stdin["args"].get("mode") == "wake")


def test_a_killed_worker_is_started_again_by_its_supervisor_and_goes_on_without_it(living):
    first = kill(living)
    until(lambda: process_of(living) not in (0, first))
    assert operations(living) == 0
    arrives(living, "By the second one", living.stash.quiet_edit)
    log = (living.folder / "worker.log").read_text()
    assert "the worker was killed (-9): it starts again in 1 s" in log

    kill(living, life_signs.SUPERVISOR)
    arrives(living, "Without a supervisor")
    assert operations(living) == 0, "a worker runs"

    kill(living)
    until(lambda: not is_locked(living.folder))
    ids = [living.stash.add_scene(title=f"More {n}") for n in range(3)]
    until(lambda: process_of(living) != 0)
    assert operations(living) == 1, "one start, however many edits"
    arrives(living, "By the third one")
    assert len(ids) == 3


def test_a_worker_that_stash_locks_out_or_that_knows_another_address_is_replaced_by_the_next_edit(living, monkeypatch):
    first = process_of(living)
    # Stash has ended the session by which the worker was started.
    living.stash.sessions.visited.clear()
    living.stash.api_key = "another-key-of-stash"
    until(lambda: process_of(living) == 0)
    arrives(living, "With the new key")
    assert process_of(living) != first
    assert operations(living) == 1
    known = "".join(path.read_text(errors="replace") for path in living.folder.rglob("*") if path.suffix == ".log")
    assert "another-key-of-stash" not in known

    second = process_of(living)
    described = Connection.described
    monkeypatch.setattr(Connection, "described", lambda *told: {**described(*told), "Host": "127.0.0.1"})
    arrives(living, "At the new address")
    until(lambda: process_of(living) not in (0, second))
    assert operations(living) == 2
    arrives(living, "Still there")
    assert operations(living) == 2
    assert intake.read_switch(str(living.folder)) == intake.ON


def test_an_edit_at_the_moment_of_a_new_key_is_followed_and_needs_no_other(living):
    first = process_of(living)
    living.stash.api_key = "another-key-of-stash"
    arrives(living, "While the worker has the old key", living.stash.quiet_edit)
    assert process_of(living) not in (0, first)
    assert operations(living) == 0
    assert ended(living) is None


def test_a_disabled_plugin_has_no_worker_and_an_enabled_one_gets_it_back_with_the_next_edit(living):
    living.runner.enabled = False
    until(lambda: not is_locked(living.folder))
    assert intake.read_switch(str(living.folder)) == intake.AWAY
    until(lambda: not process_of(living, life_signs.SUPERVISOR))
    living.stash.edit_scene(1, title="Nobody is there")
    assert operations(living) == 0
    assert living.title() != "Nobody is there"
    living.runner.enabled = True
    arrives(living, "There again")
    assert operations(living) == 1

    living.post(TASK, name="Stop the worker")
    assert living.stash.wait_for_jobs(HANG)
    living.stash.edit_scene(1, title="It was switched off")
    assert operations(living) == 1
    until(lambda: signs(living) == [life_signs.OFF])


def test_after_an_update_from_a_version_without_signs_the_next_edit_starts_the_worker(living):
    older(living)
    arrives(living, "After the update")
    arrives(living, "And one more")
    assert operations(living) == 1


def test_after_an_update_the_worker_of_the_new_version_takes_over_and_needs_no_edit(inside, tmp_path):
    inside.stash.others.remove(inside.hook)
    own = tmp_path / "own"
    (own / "plexsync").mkdir(parents=True)
    for path in (*ROOT.iterdir(), *(ROOT / "plexsync").iterdir()):
        if not (own / path.relative_to(ROOT)).exists():
            (own / path.relative_to(ROOT)).symlink_to(path)
    program = own / "plexsync" / "__init__.py"
    program.unlink()
    program.write_bytes((ROOT / "plexsync" / "__init__.py").read_bytes())
    inside.runner.command = tuple(word.replace(str(ROOT), str(own)) for word in inside.runner.command)
    inside.post(TASK, name="Start the worker")
    assert inside.stash.wait_for_jobs(HANG)
    first, before = process_of(inside), operations(inside)
    program.write_bytes(program.read_bytes() + b"\n")
    until(lambda: process_of(inside) not in (0, first))
    assert operations(inside) == before + 1
    arrives(inside, "By the new one")
    assert intake.read_switch(str(inside.folder)) == intake.ON


def test_where_the_worker_was_never_started_one_edit_looks_and_no_other(inside):
    inside.stash.others.remove(inside.hook)
    for title in ("First", "Second"):
        inside.stash.edit_scene(1, title=title)
    assert operations(inside) == 1
    assert signs(inside) == [life_signs.OFF]
    assert not is_locked(inside.folder)


def test_a_database_that_can_not_be_read_is_looked_at_again_and_taken_for_nothing(living):
    older(living)
    database = living.folder / intake.DATABASE
    kept = database.read_bytes()
    database.write_bytes(b"")
    for title in ("First", "Second"):
        living.stash.edit_scene(1, title=title)
    assert operations(living) == 1, "the next look is in a minute"
    assert life_signs.OFF not in signs(living)
    database.write_bytes(kept)
    life_signs.show_nothing(living.runner.dir)
    arrives(living, "Read again")


def test_a_worker_that_is_killed_again_and_again_is_told_until_it_ends_in_good_order(living):
    first = kill(living)
    until(lambda: process_of(living) not in (0, first))
    assert ended(living)["count"] == 1
    assert "ended by itself" not in living.ask("page_status")["verdict"]["text"], "once, and it runs again"
    second = kill(living)
    until(lambda: process_of(living) not in (0, second))
    assert ended(living)["count"] == 2
    assert ended(living)["error"] == "it was killed (signal 9)"
    verdict = living.ask("page_status")["verdict"]
    assert re.search(
        r"[Tt]he worker ended by itself 2 times since \d+ s ago: it was killed \(signal 9\) \(its log", verdict["text"]
    )
    living.task("Stop the worker")
    until(lambda: ended(living) is None)


def refused(trial: Trial) -> list[Path]:
    """The sign of a start that has failed in the last minute."""
    return list(Path(trial.runner.dir).glob("plexsync-worker-until-*-refused"))


def damage(package: Path) -> None:
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('this package is damaged')\n")


def test_a_worker_that_fails_at_each_start_is_told_on_the_page_with_its_error(living, page, faults):
    kill(living, life_signs.SUPERVISOR)
    kill(living)
    until(lambda: not is_locked(living.folder))
    assert ended(living) is None, "nobody saw it end"
    packages = Path(dependencies.place(str(living.folder)))
    damage(packages / "click")
    assert "this package is damaged: the task Install or repair" in living.ask("page_status")["error"]
    shutil.rmtree(packages / "click")
    # The worker needs this one, and the status does not.
    damage(packages / "h11")
    for count in (1, 2):
        life_signs.show_nothing(living.runner.dir)
        living.stash.edit_scene(1, title=f"Edit {count}")
        until(lambda: refused(living))
        assert ended(living)["count"] == count
    # What the killed one wrote last counts for 45 seconds.
    Path(living.runner.plugin_dir, "served", "status.json").unlink()
    go(page, living, "/plugins/plexsync")
    expect(page.get_by_text("the worker ended by itself 2 times since")).to_be_visible()
    expect(page.get_by_text("ImportError: this package is damaged (its log, the task Run the doctor)")).to_be_visible()
    expect(page.get_by_text("does not run")).to_be_visible()
    shutil.rmtree(packages / "h11")
    life_signs.show_nothing(living.runner.dir)
    arrives(living, "It starts again")
    living.task("Stop the worker")
    until(lambda: ended(living) is None)
    assert faults == []


def test_an_edit_after_a_start_that_failed_is_followed_at_the_end_of_its_minute_and_needs_no_other(living):
    kill(living, life_signs.SUPERVISOR)
    kill(living)
    until(lambda: not is_locked(living.folder))
    package = Path(dependencies.place(str(living.folder))) / "h11"
    damage(package)
    living.stash.edit_scene(1, title="Its start fails")
    until(lambda: refused(living))
    shutil.rmtree(package)
    (sign,) = refused(living)
    # Most of the minute has passed.
    soon = time.time_ns() // 1_000_000 + 3_000
    sign.rename(sign.with_name(f"plexsync-worker-until-{soon}-refused"))
    before = (living.folder / "worker.log").stat().st_size
    for title in ("Put off", "And one more"):
        living.stash.edit_scene(1, title=title)
    assert operations(living) == 2, "one start waits, however many edits"
    assert f"plexsync-worker-until-{soon + life_signs.STARTING}-" in signs(living)
    until(lambda: living.title() == "And one more")
    assert operations(living) == 2
    assert time.time_ns() // 1_000_000 >= soon
    assert not refused(living)
    assert "this package is damaged" not in (living.folder / "worker.log").read_text()[before:]


def test_a_page_of_stash_that_is_opened_after_such_an_update_starts_the_worker(living, page, faults):
    older(living)
    go(page, living, "/")
    until(lambda: process_of(living) != 0)
    assert operations(living) == 1
    assert faults == []


def test_a_page_of_stash_that_is_opened_has_a_missing_worker_started_and_no_other(living, page, faults):
    with page.expect_response(lambda answer: "PlexSyncSigns" in (answer.request.post_data or "")):
        go(page, living, "/")
    kill(living, life_signs.SUPERVISOR)
    kill(living)
    assert operations(living) == 0
    go(page, living, "/")
    until(lambda: process_of(living) != 0)
    assert operations(living) == 1
    assert faults == []


def test_a_page_of_stash_that_stays_open_has_a_worker_started_that_is_missed_later(windows):
    """An edit that a worker was still there for, which had lost its key or was just being killed, has started none."""
    signs = [life_signs.WANTED, "http_0.0.0.0_9999"]
    answers = {
        "Folder": lambda: {"configuration": {"general": {"configFilePath": "/config/config.yml"}}},
        "Signs": lambda: {"directory": {"directories": [f"/config/{sign}" for sign in signs]}},
        "Wake": lambda: {"runPluginOperation": {}},
    }

    def answer(route):
        (name,) = re.findall(r"PlexSync(\w+)", route.request.post_data_json["query"])
        route.fulfill(json={"data": answers[name]()})

    def asks(name):
        return page.expect_response(lambda one: f"PlexSync{name}" in (one.request.post_data or ""))

    page = windows.new_page()
    page.set_default_timeout(1000 * HANG)
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.route("**/graphql", answer)
    page.clock.install()
    page.goto("http://stash.test/")
    with asks("Signs"):
        page.add_script_tag(path=ROOT / "plexsync/stash_plugin/ui/wake.js")
    signs[-1] = "plexsync-worker-until-99999999999999-refused"
    with asks("Wake"):
        page.clock.fast_forward(60_000)
    page.close()


def test_the_sign_of_a_process_that_ended_leads_nowhere_and_stash_then_tells_that_one_is_wanted(tmp_path):
    child = os.fork()
    if child == 0:
        life_signs.HANDLES = f"/proc/{os.getpid()}/fd"
        life_signs.LifeSign(str(tmp_path), life_signs.WORKER, "http_0.0.0.0_9999")
        signal.pause()
    until(lambda: life_signs.addresses(str(tmp_path)) == ["http_0.0.0.0_9999"])
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert life_signs.addresses(str(tmp_path)) == []
    assert life_signs.is_wanted(str(tmp_path))


def test_where_no_handle_can_be_looked_at_the_sign_counts_for_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(life_signs, "HANDLES", "")
    clock = Clock()
    monkeypatch.setattr(life_signs, "_now", clock.now)
    first = life_signs.plan_start(str(tmp_path))
    assert first is not None
    assert first[1] == 0
    assert life_signs.plan_start(str(tmp_path)) is None, "once a minute"
    clock.move(20)
    life_signs.show_refused(first[0])
    assert life_signs.plan_start(str(tmp_path))[1] == 40
    assert life_signs.plan_start(str(tmp_path)) is None, "that one waits"
    clock.move(40 + 59)
    assert life_signs.plan_start(str(tmp_path)) is None, "it was made, and counts for a minute"
    assert life_signs.addresses(str(tmp_path)) == []
    sign = life_signs.LifeSign(str(tmp_path), life_signs.WORKER, "here")
    assert life_signs.addresses(str(tmp_path)) == ["here"]
    clock.move(14)
    sign.renew()
    clock.move(14)
    assert life_signs.addresses(str(tmp_path)) == ["here"]
    clock.move(2)
    assert life_signs.addresses(str(tmp_path)) == []
    sign.renew()
    sign.end()
    assert life_signs.addresses(str(tmp_path)) == []
    life_signs.show_wanted(str(tmp_path), False)
    assert [path.name for path in tmp_path.iterdir()] == [life_signs.OFF]
