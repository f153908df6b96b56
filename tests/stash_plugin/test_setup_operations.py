"""The set-up by the page in Stash, step by step: real processes, with Stash, Plex and plex.tv simulated."""

import json
import os
import stat
import threading
import tomllib
from pathlib import Path

import pytest

from plexsync.app.parts import open_parts
from plexsync.simulator.plex_tv import PlexTvSim
from plexsync.stash_plugin import dependencies, setup_operations, tasks
from plexsync.store import intake
from plexsync.store.files import setup_files
from plexsync.store.files.lock import is_locked, try_lock
from release.check import TASK, TOKEN, Trial
from tests.patience import HANG, until
from tests.stash_plugin.conftest import KEY
from validation.config import PlexSyncConfig

PLUGIN = "StashPlexSync"


def moved(trial: Trial, count: int = 6) -> None:
    """Scenes whose files Plex has below another folder."""
    trial.runner.enabled = False
    for n in range(count):
        trial.plex.add_movie("1", files=[(f"/media/more/{n}.mp4", 2_000 + n, 60_000)], title=f"file {n}")
        trial.stash.add_scene(title=f"More {n}", files=[(f"/data/more/{n}.mp4", 2_000 + n, 60.0)])
    trial.runner.enabled = True


def signed_in(trial: Trial, tv: PlexTvSim) -> dict:
    pin = trial.ask("setup_sign_in")["pin"]
    tv.confirm(pin["code"])
    return trial.ask("setup_check")


def done(trial: Trial, step: str) -> dict:
    """The result of a longer step."""
    assert trial.ask("setup_begin", stage=step) == {"started": True}
    until(lambda: trial.ask("setup_state").get("result") or trial.ask("setup_state").get("failed"))
    return trial.ask("setup_state")


def test_from_nothing_to_the_first_scene_in_sync(fresh, tv):
    moved(fresh)
    assert fresh.ask("setup_state")["stage"] == "sign-in"
    pin = fresh.ask("setup_sign_in")["pin"]
    assert pin["link"] == "https://plex.tv/link"
    waiting = fresh.ask("setup_check")
    assert (waiting["stage"], waiting["pin"]["code"]) == ("sign-in", pin["code"])
    tv.confirm(pin["code"])
    reached = fresh.ask("setup_check")
    assert (reached["stage"], reached["account"], reached["servers"]) == ("paths", "someone", [])
    assert (reached["plex"]["url"], reached["plex"]["chosen"]) == (fresh.plex.url, ["Movies"])
    assert reached["plex"]["libraries"] == [{"title": "Movies", "folders": ["/media"], "other_videos": False}]
    assert fresh.stash.plugin_settings[PLUGIN]["plex_url"] == fresh.plex.url

    learnt = done(fresh, "paths")["result"]
    assert [one["rule"] for one in learnt["suggestions"]] == ["/data => /media"]
    assert {"stash": "/data/more/0.mp4", "plex": "/media/more/0.mp4"} in learnt["examples"]
    assert (learnt["now"]["by_path"], learnt["after"]["by_path"]) == (1, 7)
    assert fresh.ask("setup_rules", rules="/data => /media\n")["stage"] == "preview"
    assert fresh.stash.plugin_settings[PLUGIN]["path_map"] == "/data => /media"

    look = done(fresh, "preview")["result"]
    assert (look["total"], look["change"], len(look["scenes"])) == (7, 7, 5)
    assert fresh.plex.count("PUT") == 0
    assert fresh.ask("setup_approve", all=True)["stage"] == "work"
    until(lambda: fresh.ask("page_status")["scenes"]["in_step"]["count"] == 7)
    assert fresh.title() == "One"
    assert [scene["title"] for scene in fresh.ask("setup_state")["scenes"]][:2] == ["One", "More 0"]
    assert fresh.ask("setup_finish") == {"finished": True}
    assert fresh.ask("setup_state")["stage"] == ""


def test_the_token_is_in_one_private_file_and_nowhere_else(fresh, tv):
    """Not in an answer, a log, the database, Stash's settings or the files of the set-up once it is over."""
    fresh.stash.plugin_settings[PLUGIN] = {"plex_token": "an-old-token-0123", "max_retries": 9}
    signed_in(fresh, tv)
    notes = fresh.folder / "setup" / "notes.json"
    assert stat.S_IMODE(notes.stat().st_mode) == 0o600
    assert stat.S_IMODE(notes.parent.stat().st_mode) == 0o700
    done(fresh, "paths")
    toml = fresh.folder / "plexsync.toml"
    assert tomllib.loads(toml.read_text()) == {"plex_token": TOKEN}
    assert stat.S_IMODE(toml.stat().st_mode) == 0o600
    # What Stash shows to everyone holds no token any more, and what was set there otherwise stays.
    settings = {"max_retries": 9, "plex_url": fresh.plex.url, "plex_libraries": ""}
    assert fresh.stash.plugin_settings[PLUGIN] == settings
    told = json.dumps([(run.outcome.log, str(run.outcome.stdout)) for run in fresh.runner.runs]).encode()
    files = [
        path for path in fresh.folder.rglob("*") if path.is_file() and path != toml and "packages" not in path.parts
    ]
    content = told + b"".join(path.read_bytes() for path in files)
    assert not [secret for secret in (TOKEN, tv.token, KEY) if secret.encode() in content]
    assert [TOKEN in request.target or tv.token in request.target for request in [*tv.log, *fresh.plex.log]].count(
        True
    ) == 0


@pytest.mark.parametrize(
    ("mode", "args"),
    [
        ("setup_server", {"server": "--help"}),
        ("setup_server", {"server": 0, "address": ["x"]}),
        ("setup_libraries", {"libraries": "Movies"}),
        ("setup_rules", {"rules": None}),
        ("setup_stage", {"stage": "--help"}),
        ("setup_begin", {"stage": "work"}),
    ],
)
def test_what_the_page_sends_is_checked_before_anything_is_run(fresh, mode, args):
    before = len(fresh.runner.runs)
    assert "named" in fresh.ask(mode, **args)["error"]
    assert len(fresh.runner.runs) == before + 1
    assert not (fresh.folder / "setup" / "notes.json").exists()


def test_a_longer_step_runs_once_however_many_windows_ask_for_it(fresh):
    with try_lock(setup_files.place(str(fresh.folder)), setup_files.LOCK):
        setup_files.write(
            str(fresh.folder), setup_files.NOTES, {"public": {"stage": "preview", "plex": {"name": "NAS"}}}
        )
        setup_files.write(str(fresh.folder), setup_files.PREVIEW, {"doing": "3 of 9 scenes compared", "part": 0.3})
        assert fresh.ask("setup_begin", stage="preview") == {"started": True}
        state = fresh.ask("setup_state")
        assert (state["runs"], state["doing"], state["part"]) == (True, "3 of 9 scenes compared", 0.3)
    assert fresh.ask("setup_state")["failed"] == "it was ended before it was done"


def test_a_step_that_ends_between_two_looks_was_not_ended_before_it_was_done(tmp_path, monkeypatch):
    folder = str(tmp_path)
    setup_files.write(folder, setup_files.PREVIEW, {"doing": "3 of 9 scenes compared", "part": 0.3})
    looks = []

    def ends(place, file):
        # What the step does while the page looks at its lock: it says its result, and ends.
        looks.append(file)
        setup_files.write(folder, setup_files.PREVIEW, {"result": {"total": 9}})
        return is_locked(place, file)

    monkeypatch.setattr(setup_operations, "is_locked", ends)
    setup_files.write(folder, setup_files.NOTES, {"public": {"stage": "preview", "plex": {"name": "NAS"}}})
    monkeypatch.setattr(dependencies, "ready", lambda folder: None)
    state = setup_operations.state(tasks.TaskRun(folder, {}, {}))
    assert (state["failed"], state["result"], len(looks)) == ("", {"total": 9}, 2)


def test_where_plex_is_set_already_no_set_up_is_shown(inside):
    assert inside.ask("setup_state")["stage"] == ""


def test_only_what_is_edited_is_written_without_the_approval(fresh, tv):
    signed_in(fresh, tv)
    fresh.ask("setup_rules", rules="")
    assert fresh.ask("setup_approve", all=False)["stage"] == "work"
    assert fresh.ask("page_status")["bulk_approved"] is False
    fresh.stash.edit_scene(1, title="Edited")
    until(lambda: fresh.title() == "Edited")


# --- packages ---------------------------------------------------------------------------------------------------------


def outdate(trial: Trial) -> Path:
    """As after an update of the plugin whose list has changed."""
    now = Path(dependencies.place(str(trial.folder)))
    return now.rename(now.with_name("cpython-3-of-before"))


def test_without_packages_the_guide_offers_them_and_installs_nothing_by_itself(bare):
    state = bare.ask("setup_state")
    assert (state["stage"], state["outdated"]) == ("packages", False)
    assert state["installation"] == {"running": False, "part": 0.0, "error": ""}
    assert not (bare.folder / "packages").exists()


def test_two_installations_at_once_are_one_after_the_other(tmp_path, monkeypatch):
    running, most = [0], [0]

    def fetch(folder, fresh, progress, told):
        running[0] += 1
        most[0] = max(most[0], running[0])
        progress(0.5)
        assert dependencies.installation(folder) == {"running": True, "part": 0.5, "error": ""}
        (Path(fresh) / "sound").touch()
        running[0] -= 1

    monkeypatch.setattr(dependencies.launcher, "run", lambda *_words, **_how: 0)
    monkeypatch.setattr(dependencies, "_fetch", fetch)
    monkeypatch.setattr(dependencies, "_trouble", lambda found: "" if any(Path(found).iterdir()) else "empty")
    told: list[str] = []

    def install() -> None:
        told.append(dependencies.install(str(tmp_path), lambda _: None, lambda _: None, tidy=False))

    both = [threading.Thread(target=install) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(HANG)
    assert (most[0], len(told)) == (1, 2)
    assert sum("nothing to do" in words for words in told) == 1
    entry = "if PlexSync is not in the bar at the top of Stash yet, load the page of the browser again"
    assert sum("packages were installed" in words and words.endswith(entry) for words in told) == 1
    assert dependencies.installation(str(tmp_path)) == {"running": False, "part": 0.0, "error": ""}


@pytest.fixture
def quick(inside, monkeypatch):
    """The installation is that of the packages of before, from the disk; what started it is noted."""
    outdate(inside)
    started: list[dict] = []
    monkeypatch.setattr(
        tasks.installer,
        "start_installing",
        lambda folder, server=None: started.append({"folder": folder, "server": server}),
    )
    return started


def test_after_an_update_an_operation_starts_the_installation_and_the_old_packages_stay(inside, quick):
    told = tasks.run_task(str(inside.folder), {"Port": 1}, {"mode": "setup_state"}, setup_operations.OPERATIONS)[
        "output"
    ]
    assert (told["stage"], told["outdated"], told["installation"]["running"]) == ("packages", True, True)
    assert quick == [{"folder": str(inside.folder), "server": {"Port": 1}}]
    assert (inside.folder / "packages" / "cpython-3-of-before").is_dir()


def test_the_worker_that_such_an_installation_starts_gets_the_session_that_the_wake_up_passes_on(inside, quick):
    with open_parts(PlexSyncConfig(plex_url="http://127.0.0.1:9", plex_token="x" * 20), inside.folder, worker=True):
        intake.switch(str(inside.folder), intake.LEFT)
    session = {"Name": "session", "Value": "of-the-edit"}
    tasks.run_task(str(inside.folder), {"Port": 1, "SessionCookie": None}, {"mode": "wake", "session": session})
    assert quick == [{"folder": str(inside.folder), "server": {"Port": 1, "SessionCookie": session}}]


def test_after_an_update_a_task_installs_first(inside, quick, monkeypatch):
    installed: list[str] = []
    monkeypatch.setattr(tasks.dependencies, "install", lambda folder, *_, tidy: installed.append(folder))
    call = tasks.TaskRun(str(inside.folder), {}, {})
    tasks.provide(call)
    Path(dependencies.place(str(inside.folder))).mkdir()
    tasks.provide(call)
    assert installed == [str(inside.folder)]
    assert quick == [], "a task waits for it, and shows its progress"


def test_after_an_update_the_start_of_the_worker_installs_in_the_background(inside):
    inside.post(TASK, name="Show status")
    assert inside.stash.wait_for_jobs(HANG)
    old = outdate(inside)
    intake.switch(str(inside.folder), intake.LEFT)
    # The environment of Stash leads pip to an index that has nothing: the installation fails at once, and says so.
    inside.runner.environment |= {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    assert inside.ask("wake")["installation"]["running"] is True
    until(lambda: dependencies.installation(str(inside.folder))["error"])
    assert "pip could not install the dependencies" in str(dependencies.installation(str(inside.folder))["error"])
    assert old.is_dir()


def test_an_installation_that_failed_is_tried_again_after_a_while(inside):
    outdate(inside)
    folder = str(inside.folder)
    noted = inside.folder / "packages" / dependencies.PROGRESS
    assert dependencies.may_try(folder)
    noted.write_text('{"part": null, "error": "pip could not install the dependencies"}')
    assert not dependencies.may_try(folder)
    before = noted.stat().st_mtime - dependencies.AGAIN - 1
    os.utime(noted, (before, before))
    assert dependencies.may_try(folder)
