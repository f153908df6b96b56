"""The tasks inside Stash, run as Stash runs them: real processes, cut short without a warning when somebody cancels."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from packaging.markers import Marker

from plexsync.simulator.http import Fault
from plexsync.simulator.stash_manifest import read_manifest
from plexsync.stash_plugin import child_process, dependencies, tasks
from plexsync.store import intake
from plexsync.store.database import Database
from plexsync.store.files import life_signs
from plexsync.store.files.lock import is_locked, try_lock
from release.build import build_plugins
from release.check import TASK, TOKEN, Trial, unpacked
from tests import forked
from tests.journey.world import until
from tests.patience import HANG
from tests.stash_plugin.conftest import KEY, ROOT, in_a_terminal, online
from tests.store import fifteen
from tests.tables import table

MANIFEST = read_manifest(ROOT / "StashPlexSync.yml")
PLUGIN = "StashPlexSync"
# For tests of what a task answers, and not of the process that it is.
answers = pytest.mark.usefixtures("warm")


def outcome(trial: Trial, name: str):
    trial.post(TASK, name=name)
    assert trial.stash.wait_for_jobs(HANG)
    return trial.runner.runs[-1].outcome


def lines(trial: Trial, level: str = "info") -> list[str]:
    return [text for kind, text in trial.runner.runs[-1].outcome.log if kind == level]


def add(trial: Trial, count: int) -> None:
    trial.hook.enabled = False  # as a scan would while the plugin is off
    for n in range(count):
        path = f"/media/more/{n:04}.mp4"
        trial.plex.add_movie("1", files=[(path, 2_000_000 + n, 60_000)], title=f"file {n}")
        trial.stash.add_scene(title=f"More {n}", files=[(path, 2_000_000 + n, 60.0)])
    trial.hook.enabled = True


def test_every_task_of_the_manifest_is_one_and_the_other_way_round():
    assert {task.default_args["mode"] for task in MANIFEST.tasks} == set(tasks.TASKS)
    assert not set(tasks.TASKS) & set(tasks.OPERATIONS)


@pytest.mark.parametrize(
    "task", [task for task in MANIFEST.tasks if task.default_args["mode"] != "install"], ids=lambda task: task.name
)
def test_without_its_packages_a_task_says_what_to_do_in_one_line(bare, task):
    ended = outcome(bare, task.name)
    if task.default_args["mode"] == "stop":
        assert ended.output == "no worker runs"
        return
    assert "run the task Install or repair dependencies" in ended.error
    assert "\n" not in ended.error
    assert ended.log == (), "Stash itself logs the error"


@answers
def test_the_status_stands_in_the_log_of_stash(inside):
    ended = outcome(inside, "Show status")
    assert ended.output == "the status is in Stash's log"
    assert any(line.split()[:2] == ["queued", "0"] for line in lines(inside))
    assert "worker                not running" in "\n".join(lines(inside))


@answers
def test_a_wrong_value_saved_in_stash_is_one_clear_message(inside):
    inside.stash.plugin_settings[PLUGIN] |= {"max_retries": 99}
    for name in ("Show status", "Start the worker", "Drain"):
        ended = outcome(inside, name)
        told = "max_retries in the plugin settings in Stash must be a whole number from 1 to 20, not 99"
        assert ended.error == f"PlexSync: {told}. It is on the page of PlexSync, under Settings", name
    assert intake.read_switch(str(inside.folder)) == intake.OFF
    inside.stash.plugin_settings[PLUGIN]["max_retries"] = 9
    assert outcome(inside, "Show status").error is None


def test_a_secret_stands_in_no_line_and_no_answer(inside):
    for name in ("Show status", "Run the doctor", "Start the worker", "Stop the worker"):
        outcome(inside, name)
    told = json.dumps([(run.outcome.log, str(run.outcome.stdout)) for run in inside.runner.runs])
    told += (inside.folder / "worker.log").read_text()
    cookies = inside.stash.sessions.visited
    assert not [secret for secret in (TOKEN, KEY, *cookies) if secret in told]
    assert (inside.folder / "worker.log").stat().st_mode & 0o077 == 0


@answers
def test_the_first_write_of_everything_has_to_be_agreed_to(inside):
    assert "first write of the whole library" in outcome(inside, "Sync all").error
    assert inside.title() == "one"
    assert "there is no preview yet" in inside.ask("page_preview")["error"]
    inside.plex.faults.set(Fault("status", status=503))
    assert "Plex" in outcome(inside, "Preview").error
    assert "Plex" in inside.ask("page_preview")["error"]
    inside.plex.faults.clear()
    until(lambda: outcome(inside, "Preview").error is None)
    assert lines(inside)[-1].startswith("PlexSync: 1 of 1 scenes would change: Show the preview on the page")
    found = inside.ask("page_preview")
    ((field,),) = [item["fields"] for item in found["scenes"][0]["items"]]
    assert (found["total"], found["change"], field["field"], field["old"], field["new"]) == (
        1,
        1,
        "title",
        "one",
        "One",
    )
    assert abs(found["at"] / 1000 - time.time()) < HANG
    assert inside.plex.count("PUT") == 0
    assert inside.ask("page_approve")["wanted"] == 1
    assert outcome(inside, "Sync all").error is None
    assert inside.title() == "One"


@answers
def test_a_first_write_of_most_of_the_library_is_asked_for_as_that_of_all_and_then_no_more(inside):
    inside.hook.enabled = False
    inside.stash.now = time.time
    add(inside, 30)
    ended = outcome(inside, "Sync recent")
    assert "this would be the first write of most of the library to Plex: run the task Preview" in ended.error
    assert inside.plex.count("PUT") == 0
    assert inside.ask("page_approve")["wanted"] == 31
    assert outcome(inside, "Sync recent").error is None
    assert inside.title() == "One"
    assert inside.ask("page_status")["bulk_approved"] is True
    inside.stash.plugin_settings[PLUGIN]["path_map"] = "/elsewhere => /media"
    assert outcome(inside, "Drain").error is None
    assert inside.ask("page_status")["comparison_due"] is False, "what the changed setting asks for was done"


@answers
def test_a_wrong_setting_is_told_by_every_task_in_the_form_of_its_field(inside):
    outcome(inside, "Show status")
    inside.stash.plugin_settings[PLUGIN]["path_map"] = 'path_map = ["/a => /b"]'
    for name in ("Sync recent", "Show status", "Preview", "Start the worker"):
        told = outcome(inside, name).error
        assert (
            "The field Plex: path mapping takes: Plex folders for Stash folders, as in /data => /media/stash" in told
        ), name
    assert outcome(inside, "Run the doctor").error == "PlexSync: 1 problem, 0 warnings; the details are in Stash's log"
    assert [line for line in lines(inside, "error") if "The field Plex: path mapping takes" in line]
    assert outcome(inside, "Stop the worker").error is None


# Notes each process that a task starts.
AUDIT = """
import sys
def note(event, args):
    if event == "subprocess.Popen":
        open({file!r}, "a").write("started\\n")
sys.addaudithook(note)
"""


def test_a_task_is_one_process(inside, tmp_path):
    inside.stash.plugin_settings[PLUGIN]["approve_bulk"] = True
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "sitecustomize.py").write_text(AUDIT.format(file=str(tmp_path / "started")))
    inside.runner.environment["PYTHONPATH"] = str(tmp_path / "audit")
    for name in ("Show status", "Sync recent", "Run the doctor"):
        assert outcome(inside, name).error is None
    assert inside.ask("page_scene", scene=1)["verdict"] == "in sync"
    assert not (tmp_path / "started").exists()


@answers
def test_an_operation_for_which_a_page_waits_ends_in_time(inside):
    outcome(inside, "Show status")
    inside.plex.faults.set(Fault("hang"))
    assert mode(inside, "page_scene", scene="1", PATIENCE=2.0)["output"]["error"] == "it took longer than 2 seconds"


def test_what_a_command_needs_in_its_environment_is_taken_back(inside):
    script = HASTY.replace(
        "print(json.dumps(tasks.run_task(**order)))", "tasks.run_task(**order); print(json.dumps(dict(os.environ)))"
    )
    after = mode(inside, "page_status", script=script.replace("import json, sys", "import json, os, sys"))
    assert "PATH" in after
    assert not [name for name in after if name.startswith("PLEXSYNC_STASH") or name == "PLEXSYNC_DATA_DIR"]


@answers
@pytest.mark.parametrize("name", ["Drain", "Sync recent", "Reconcile"])
def test_where_no_worker_runs_the_task_itself_works_what_it_wants(inside, name):
    inside.stash.plugin_settings[PLUGIN]["approve_bulk"] = True
    ended = outcome(inside, name)
    assert ended.error is None
    assert inside.title() == "One"


def test_work_tells_how_far_it_is_and_is_cancelled_without_loss(inside):
    add(inside, 400)
    inside.stash.plugin_settings[PLUGIN]["approve_bulk"] = True
    inside.plex.faults.set(Fault("latency", seconds=0.05))
    id = inside.post(TASK, name="Sync all")["runPluginTask"]
    jobs = inside.stash.jobs
    until(lambda: 0 < (jobs.find(id).progress or 0) < 1)
    inside.post("mutation ($id: ID!) { stopJob(job_id: $id) }", id=id)
    assert inside.stash.wait_for_jobs(20)
    assert inside.runner.runs[-1].outcome.returncode == -9
    # The task was one process, and it is gone: the next one takes back what it had.
    assert not is_locked(inside.folder)
    with closing(Database(inside.folder / "plexsync.db")) as store, store.reading() as db:
        assert db.jobs.count_unsettled() > 0
    inside.plex.faults.clear()
    assert outcome(inside, "Drain").error is None
    shown = {inside.plex.item(key).scalars["title"] for key in inside.plex.keys("1")}
    assert shown == {"One", *(f"More {n}" for n in range(400))}


@answers
def test_what_was_given_up_is_shown_retried_and_dropped(inside):
    settings = inside.stash.plugin_settings[PLUGIN]
    settings["strict_mode"] = True
    inside.stash.quiet_edit(1, title="x" * 5000)
    outcome(inside, "Drain")
    (row,) = inside.ask("page_letters")["rows"]
    assert (row["kind"], row["id"], row["cause"]) == ("scene", 1, "strict")
    settings["strict_mode"] = False
    assert outcome(inside, "Retry what was given up").error is None
    assert inside.ask("page_letters")["dead"] == 0
    assert str(inside.title()).startswith("xxx")


@answers
def test_a_scene_is_brought_in_step_from_its_page(inside):
    seen = inside.ask("page_scene", scene="1")
    assert seen["verdict"] == "1 field would be changed"
    assert inside.ask("page_sync", scene="1")["outcomes"] == {"in_step": 1}
    assert inside.ask("page_scene", scene="1")["verdict"] == "in sync"


@answers
def test_an_undone_scene_is_redone_from_its_page(inside):
    inside.ask("page_sync", scene="1")
    title = inside.title()
    key = {
        "PLEXSYNC_STASH_API_KEY": KEY,
        "PLEXSYNC_DATA_DIR": str(inside.folder),
    }
    # As a worker did that is switched off now; without that, localhost:9999 would be asked.
    server = {"Scheme": "http", "Host": "0.0.0.0", "Port": inside.stash.port}
    life_signs.LifeSign(str(inside.folder.parent), life_signs.WORKER, life_signs.address_name(server)).end()
    life_signs.show_wanted(str(inside.folder.parent), False)
    undone = in_a_terminal(ROOT, "undo", "1", "--wait", **key)
    assert (undone.returncode, undone.stdout) == (0, "1 taken back\n"), undone.stderr
    seen = inside.ask("page_scene", scene="1")
    assert (seen["stands"], "or click Redo in the tab Plex" in seen["verdict"]) == ("undone", True)
    assert inside.ask("page_sync", scene="1")["undone"] == [1]
    assert inside.title() != title
    assert inside.ask("page_act", scene="1", verb="redo")["outcomes"] == {"in_step": 1}
    assert inside.title() == title
    assert inside.ask("page_act", scene="1", verb="release")["outcomes"] == {"released": 1}
    assert inside.ask("page_act", scene="1", verb="keep")["untouched"] == [1]
    assert inside.ask("page_act", scene="1", verb="burn")["error"] == "no action is named"


@answers
@pytest.mark.parametrize("mode", ["page_scene", "page_sync", "page_act", "page_retry", "page_drop"])
@table("named", ["--all", "7; rm", "0", "", None, ["--json"], {"a": 1}, "9" * 40])
def test_what_a_page_names_is_a_number_or_nothing_is_run(inside, mode, named):
    told = inside.ask(mode, scene=named, rows=[named] if isinstance(named, str) else named)
    assert "is named" in told["error"]


def test_each_task_and_each_question_of_a_page_is_noted_for_the_worker(inside):
    def called():
        with closing(sqlite3.connect(inside.folder / "plexsync.db")) as db:
            return int(db.execute("select value from note where name = ?", (intake.STASH_CALLED,)).fetchone()[0])

    outcome(inside, "Show status")
    assert "verdict" in inside.ask("page_scene", scene="1")
    by_page = called()
    outcome(inside, "Show status")
    assert called() > by_page > 0


def test_an_unknown_mode_is_an_error_and_a_disabled_plugin_too(inside):
    assert "is no task" in tasks.run_task(str(inside.folder), {}, {"mode": "x" * 500})["error"]


# --- the worker ------------------------------------------------------------------------------------------------------


def edit(trial: Trial, title: str) -> None:
    trial.stash.edit_scene(1, title=title)
    assert trial.runner.runs[-1].outcome.error is None


def last_start(trial: Trial) -> str:
    """When a hook last started a worker; '' if none has."""
    store = Database(trial.folder / "plexsync.db")
    with store.reading() as db:
        noted = db.notes.text(intake.STARTED)
    store.close()
    return noted


def test_the_worker_outlives_its_task_never_doubles_and_ends_when_it_is_told(inside):
    assert "the worker runs" in outcome(inside, "Start the worker").output
    assert outcome(inside, "Start the worker").output == "a worker runs already"
    edit(inside, "While it runs")
    until(lambda: inside.title() == "While it runs")
    assert outcome(inside, "Drain").output == tasks.SERVED
    assert "has ended" in outcome(inside, "Stop the worker").output
    assert not is_locked(inside.folder)
    heard = [line.split(" ", 2)[2] for line in (inside.folder / "worker.log").read_text().splitlines()]
    assert heard == ["PlexSync.serve from here on the log is plexsync.log", "PlexSync.serve stopped in good order"]
    assert "PlexSync.serve switched off in Stash" in (inside.folder / "plexsync.log").read_text()

    before = last_start(inside)
    edit(inside, "After it was stopped")
    # A hook notes the start before it ends.
    assert last_start(inside) == before
    assert not is_locked(inside.folder), "a hook does not start what a person has stopped"
    assert inside.title() == "While it runs"


def test_what_a_worker_can_not_do_now_is_not_promised(inside):
    inside.stash.plugin_settings[PLUGIN] |= {"approve_bulk": True, "plex_libraries": "Filme"}
    outcome(inside, "Show status")
    with try_lock(str(inside.folder)):
        told = outcome(inside, "Sync all").output
    assert told.startswith(
        f"1 queued; {tasks.SERVED} when this is over: Plex is on hold: Plex has no movie library named"
    )
    assert told.count("Filme") == 1


def test_a_worker_that_left_is_started_by_the_next_event_and_by_one_hook_of_many(inside):
    outcome(inside, "Show status")
    intake.switch(str(inside.folder), intake.LEFT)
    # If Stash waited for the worker, this would not end.
    edit(inside, "It wakes")
    for n in range(5):
        edit(inside, f"It wakes {n}")
    until(lambda: inside.title() == "It wakes 4")
    assert (inside.folder / "plexsync.log").read_text().count("PlexSync.serve serving") == 1
    assert "another worker" not in (inside.folder / "worker.log").read_text()


@answers
def test_one_that_gives_a_sign_of_life_is_not_started_again(inside):
    folder = str(inside.folder)
    outcome(inside, "Show status")
    intake.switch(folder, intake.ON)
    now = round(time.time() * 1000)
    for beat, starts in ((now, False), (now - 50_000, False), (now - 120_000, True), (now + 3_600_000, True)):
        with (store := Database(inside.folder / "plexsync.db")).writing() as tx:
            tx.notes.save(intake.BEAT, str(beat))
            tx.notes.save(intake.STARTED, "0")
        store.close()
        assert intake.store_and_check(folder, "scene", 1) == ("", starts)
        assert intake.store_and_check(folder, "scene", 1) == ("", False), "once is enough"


def test_the_hook_starts_nothing_where_nobody_has_switched_it_on(inside):
    outcome(inside, "Show status")
    edit(inside, "Nobody asked for it")
    # A hook opens the log of the worker before it ends.
    assert not (inside.folder / "worker.log").exists()
    assert last_start(inside) == ""


def test_the_worker_is_stopped_while_plex_hangs(inside):
    outcome(inside, "Start the worker")
    inside.plex.faults.set(Fault("hang"))
    asked = inside.plex.count()
    edit(inside, "While Plex hangs")
    until(lambda: inside.plex.count() > asked)
    assert "has ended" in outcome(inside, "Stop the worker").output
    assert not is_locked(inside.folder)


# A task with less patience than inside Stash.
HASTY = """
import json, sys
from plexsync.stash_plugin import tasks, worker_process
order = json.load(sys.stdin)
patience = order.pop("patience")
for module in (tasks, worker_process):
    vars(module).update(patience)
print(json.dumps(tasks.run_task(**order)))
"""


def mode(trial: Trial, name: str, *, scene: str = "", script: str = HASTY, **patience: float) -> dict:
    order = {
        "folder": str(trial.folder),
        "server": described(trial, trial.stash.session_cookie()),
        "args": {"mode": name, "scene": scene},
        "patience": patience,
    }
    done = forked.run(["-c", script], cwd=ROOT, input=json.dumps(order), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@answers
@pytest.mark.parametrize("name", ["start", "page_sync"])
@pytest.mark.parametrize("value", [intake.LEFT, intake.OFF])
def test_a_worker_that_is_just_leaving_is_no_worker_that_runs(inside, name, value):
    outcome(inside, "Show status")
    leaving = try_lock(inside.folder)
    threading.Timer(2, leaving.release).start()
    intake.switch(str(inside.folder), value)
    if name == "start":
        assert "the worker runs" in mode(inside, name)["output"]
    else:
        mode(inside, name, scene="1")
    if name == "start" or value == intake.LEFT:
        assert intake.read_switch(str(inside.folder)) == intake.ON
        edit(inside, "There is one")
        until(lambda: inside.title() == "There is one")
    else:
        assert intake.read_switch(str(inside.folder)) == intake.OFF


@answers
def test_a_worker_that_was_started_elsewhere_is_one_that_runs(inside):
    outcome(inside, "Show status")
    with try_lock(inside.folder):
        for _ in range(2):
            assert mode(inside, "start", LEAVE=0.4)["output"] == "a worker runs already"
            assert mode(inside, "drain", LEAVE=0.4)["output"] == tasks.SERVED


@answers
@pytest.mark.parametrize("before", [intake.OFF, intake.LEFT])
def test_a_start_that_fails_leaves_the_switch_as_it_was(inside, before):
    outcome(inside, "Show status")
    (inside.folder / "worker.log").mkdir()
    intake.switch(str(inside.folder), before)
    assert "worker.log can't be used: Is a directory" in mode(inside, "start")["error"]
    assert intake.read_switch(str(inside.folder)) == before


@answers
def test_a_worker_that_gives_no_sign_of_life_is_ended(inside):
    outcome(inside, "Show status")
    intake.switch(str(inside.folder), intake.LEFT)
    with try_lock(inside.folder) as other:
        threading.Timer(1, other.release).start()
        inside.stash.faults.set(Fault("hang"))
        assert "gives no sign of life" in mode(inside, "drain", BEGIN=4.0)["error"]
    inside.stash.faults.clear()
    until(lambda: not is_locked(inside.folder))
    assert intake.read_switch(str(inside.folder)) == intake.LEFT


def older(folder: Path) -> str:
    """A database as the version before has left it."""
    Database(folder / "plexsync.db").close()
    fifteen.put_back(folder / "plexsync.db")
    return str(folder)


def test_the_switch_works_on_a_database_of_the_version_before_and_the_worker_brings_it_up_to_date(inside):
    folder = older(inside.folder)
    assert intake.read_switch(folder) == intake.OFF
    assert intake.store_and_check(folder, "scene", 1)[1] is False, "nobody has switched it on"
    assert outcome(inside, "Stop the worker").output == "no worker runs"
    assert intake.switch(folder, intake.LEFT) == ""
    edit(inside, "After the update")
    until(lambda: inside.title() == "After the update")
    assert not list((inside.folder / "spool").iterdir())
    assert intake.store_and_check(folder, "scene", 1) == ("", False)


def test_the_database_of_another_program_has_no_switch(tmp_path):
    db = sqlite3.connect(tmp_path / "plexsync.db")
    db.execute("create table note (name text primary key, value text)")
    db.execute("pragma user_version = 3")
    db.close()
    assert "schema 3" in intake.switch(str(tmp_path), intake.ON)


# --- signing in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("server", "found"),
    [
        ({"Scheme": "http", "Host": "0.0.0.0", "Port": 9999}, "http://127.0.0.1:9999"),
        ({"Scheme": "https", "Host": "", "Port": 443}, "https://127.0.0.1:443"),
        ({"Scheme": "http", "Host": "::", "Port": 9999}, "http://[::1]:9999"),
        ({"Scheme": "http", "Host": "fe80::1", "Port": 1}, "http://[fe80::1]:1"),
        ({"Scheme": "http", "Host": "192.168.1.5", "Port": 9999}, "http://192.168.1.5:9999"),
    ],
)
def test_stash_is_reached_on_its_own_machine(server, found, tmp_path):
    assert child_process.address(server) == found
    life_signs.LifeSign(str(tmp_path), life_signs.WORKER, life_signs.address_name(server)).end()
    for wanted in (True, False, True):
        life_signs.show_wanted(str(tmp_path), wanted)
        assert life_signs.last_server(str(tmp_path)) == server


@pytest.mark.parametrize(
    "server",
    [{}, {"Scheme": "file", "Host": "x", "Port": 1}, {"Host": "a/b", "Port": 1}, {"Host": "x", "Port": "1"}],
)
def test_an_address_that_is_none_is_refused(server):
    with pytest.raises(child_process.NoEntry):
        child_process.address(server)


def described(trial: Trial, cookie: str) -> dict:
    connection = {"Scheme": "http", "Host": "0.0.0.0", "Port": trial.stash.port}
    return connection | {"SessionCookie": {"Name": "session", "Value": cookie}}


@pytest.fixture
def empty(monkeypatch):
    for name in (child_process.ADDRESS, child_process.KEY):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    yield
    for name in (child_process.ADDRESS, child_process.KEY):
        os.environ.pop(name, None)


def test_the_cookie_is_swapped_for_the_key(bare, empty):
    child_process.sign_in(described(bare, bare.stash.session_cookie()))
    assert os.environ[child_process.ADDRESS] == bare.stash.url.replace("localhost", "127.0.0.1")
    assert os.environ[child_process.KEY] == KEY


def test_a_stash_without_login_needs_no_key(bare, empty):
    bare.stash.api_key = bare.stash.username = ""
    child_process.sign_in(described(bare, "x"))
    assert child_process.KEY not in os.environ


def test_what_stands_in_the_way_of_signing_in_is_told(bare, empty):
    with pytest.raises(child_process.NoEntry, match="answers 401"):
        child_process.sign_in(described(bare, "stale"))
    cookie = bare.stash.session_cookie()
    bare.stash.graphql_fault = lambda body: {"data": {"configuration": {"general": {"apiKey": "", "username": "me"}}}}
    with pytest.raises(child_process.NoEntry, match="generate one in Stash under Settings, Security"):
        child_process.sign_in(described(bare, cookie))
    bare.stash.graphql_fault = lambda body: {"data": None}
    with pytest.raises(child_process.NoEntry, match="is no Stash"):
        child_process.sign_in(described(bare, cookie))
    bare.stash.faults.set(Fault("refuse"))
    with pytest.raises(child_process.NoEntry, match="can't be reached"):
        child_process.sign_in(described(bare, cookie))
    assert child_process.ADDRESS not in os.environ


def test_a_worker_that_nobody_watches_starts_as_soon_as_there_is_a_key(bare, empty, monkeypatch):
    monkeypatch.setattr(child_process, "AGAIN", 0.05)
    server = described(bare, bare.stash.session_cookie())
    looks = []

    def first_without_a_key(body):
        looks.append(body)
        if len(looks) == 3:
            bare.stash.graphql_fault = None
        return {"data": {"configuration": {"general": {"apiKey": "", "username": "me"}}}}

    bare.stash.graphql_fault = first_without_a_key
    child_process.sign_in(server, key_patience=child_process.KEY_WAIT)
    assert (len(looks), os.environ[child_process.KEY]) == (3, KEY)


def test_a_worker_waits_for_a_stash_that_just_restarts(bare, empty, monkeypatch):
    monkeypatch.setattr(child_process, "AGAIN", 0.05)
    server = described(bare, bare.stash.session_cookie())
    bare.stash.faults.set(Fault("refuse"))
    with pytest.raises(child_process.Unreachable):
        child_process.sign_in(server, patience=0.2)
    back = threading.Timer(0.3, bare.stash.faults.clear)
    back.start()
    child_process.sign_in(server, patience=HANG)
    back.join()
    assert os.environ[child_process.KEY] == KEY


def test_an_address_that_a_person_has_set_is_left(bare, monkeypatch):
    monkeypatch.setenv(child_process.ADDRESS, "http://elsewhere:1")
    child_process.sign_in(described(bare, "x"))
    assert os.environ[child_process.ADDRESS] == "http://elsewhere:1"


# --- packages --------------------------------------------------------------------------------------------------------


def test_a_python_without_pip_is_told_of(bare, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "plain")], check=True)
    bare.runner.python_path = str(tmp_path / "plain" / "bin" / "python")
    ended = outcome(bare, "Install or repair dependencies")
    assert "has no pip: install it (Alpine: apk add py3-pip" in ended.error
    assert list((bare.folder / "packages").glob("[!.]*")) == []


def test_a_machine_without_internet_is_told_apart_from_a_package_that_is_not_there(bare):
    bare.runner.environment |= {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "1",
        "NO_PROXY": "127.0.0.1",
    }
    ended = outcome(bare, "Install or repair dependencies")
    assert "can't reach the package index: let the machine or container of Stash reach it" in ended.error


def test_packages_for_another_python_are_told_apart_from_none(bare):
    folder = str(bare.folder)
    with pytest.raises(dependencies.NotReady, match="are not installed yet"):
        dependencies.ready(folder)
    (bare.folder / "packages" / "cpython-310-x86_64-linux-gnu-000000000000").mkdir(parents=True)
    with pytest.raises(dependencies.NotReady, match="were installed for another version of Python or of PlexSync"):
        dependencies.ready(folder)
    assert dependencies.is_outdated(folder)


# It runs pip, several times.
@pytest.mark.long
def test_packages_are_installed_repaired_and_left_when_they_are_sound(bare):
    ended = outcome(bare, "Install or repair dependencies")
    if ended.error and "could not install" in ended.error and not online():
        pytest.skip("the package index can't be reached")
    assert ended.error is None
    assert ended.progress[-1] == 1.0
    assert sorted(ended.progress) == list(ended.progress)
    place = Path(dependencies.place(str(bare.folder)))
    assert [one.name for one in place.parent.glob("[!.]*")] == [place.name]
    assert "nothing to do" in outcome(bare, "Install or repair dependencies").output

    record = next(place.glob("click-*")) / "RECORD"
    for damage in (record.unlink, lambda: record.write_text("a,b\n"), lambda: record.write_bytes(b"\xff,,9\n")):
        damage()
        assert "were installed in" in outcome(bare, "Install or repair dependencies").output

    (place / "click" / "core.py").write_text("")
    (place.parent / f"{dependencies.NEW}left-by-a-kill").mkdir()
    assert "were installed in" in outcome(bare, "Install or repair dependencies").output
    assert (place / "click" / "core.py").stat().st_size > 1000
    assert [one.name for one in place.parent.glob("[!.]*")] == [place.name]
    assert outcome(bare, "Show status").error is None


def test_the_packages_of_the_list_are_counted_as_pip_does(monkeypatch, tmp_path):
    lines = [line for line in Path(dependencies.PINS).read_text().splitlines() if line[:1].isalnum()]
    assert dependencies.count() == len(lines), "every one of them is for every system"
    pins = tmp_path / "core.txt"
    marks = ["", "sys_platform == 'emscripten'", "sys_platform != 'win32' and python_full_version < '3.12'"]
    pins.write_text("".join(f"one=={n} {f'; {mark} ' if mark else ''}\\\n" for n, mark in enumerate(marks)))
    monkeypatch.setattr(dependencies, "PINS", str(pins))
    for platform in ("linux", "win32", "emscripten"):
        monkeypatch.setattr(dependencies.sys, "platform", platform)
        here = {"sys_platform": platform}
        assert dependencies.count() == sum(not mark or Marker(mark).evaluate(here) for mark in marks)


@pytest.mark.parametrize("damage", ["", "a,b\n", "click/core.py,,many\n", '"', "\0,,1\n", "gone.py,,1\n", None])
def test_a_folder_whose_record_is_missing_or_damaged_is_not_sound(tmp_path, damage):
    def lacks() -> list[str]:
        return [one for one in dependencies.lacking(str(tmp_path)) if one != "a package"]

    record = tmp_path / "click-1.dist-info" / "RECORD"
    record.parent.mkdir()
    (tmp_path / "click.py").write_text("1")
    record.write_text("click.py,,1\nclick-1.dist-info/RECORD,,\n")
    assert lacks() == []
    record.unlink()
    if damage is not None:
        record.write_text(damage)
    assert lacks() != []


def test_what_has_no_button_is_done_in_a_terminal_with_the_plugin_alone(inside, tmp_path):
    """Where the package manager of Stash puts it, and with the database, packages and settings that its tasks use."""
    build_plugins(tmp_path / "dist")
    where = unpacked(tmp_path / "dist", tmp_path / "stash" / "plugins")
    lost = in_a_terminal(unpacked(tmp_path / "dist", tmp_path / "alone"), "status")
    assert (lost.returncode, lost.stdout) == (1, "")
    assert lost.stderr.startswith("plexsync: the database of the plugin is not found")
    outcome(inside, "Show status")
    key = {"PLEXSYNC_STASH_URL": inside.stash.url, "PLEXSYNC_STASH_API_KEY": KEY}
    seen = in_a_terminal(where, "--json", "status", **key)
    assert seen.returncode == 0, seen.stderr
    assert json.loads(seen.stdout)["books"]["balanced"] is True
    found = {"Scheme": "http", "Host": "127.0.0.1", "Port": inside.stash.port}
    above = str(inside.folder.parent)
    life_signs.LifeSign(above, life_signs.WORKER, life_signs.address_name(found)).end()
    life_signs.show_wanted(above, True)
    told = in_a_terminal(where, "--json", "explain", "1", PLEXSYNC_STASH_API_KEY=KEY)
    assert told.returncode == 0, told.stdout
    ignored = in_a_terminal(where, "ignore", "1", **key)
    assert ignored.returncode == 0, ignored.stderr
    assert inside.ask("page_status")["scenes"]["ignored"]["count"] == 1
    compiled = {path.name.partition(".")[0] for path in where.rglob("*.pyc")}
    assert compiled <= {"__main__"}, (
        "the folder of the plugin stays as it was installed, but for what Python was told to run"
    )
    missing = in_a_terminal(where, "status", PLEXSYNC_DATA_DIR=str(tmp_path / "elsewhere"), **key)
    assert "dependencies are not installed yet" in missing.stderr
