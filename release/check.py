"""Checks the release files by using them: installed in an empty folder and run there.

The plugins are unpacked as Stash's package manager does, and a simulated Stash runs their hooks and tasks; a task
installs the packages. The wheel goes into an environment of its own. Nothing of the repository is on their paths.
"""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tarfile
import time
import urllib.request
import venv
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_manifest import parse_yaml
from plexsync.simulator.stash_server import StashSim
from release import build

TOKEN = "plex-token-of-the-check"
# The title in Plex before PlexSync wrote one.
ORIGINAL = "one"
FILE = ("/media/check/one.mp4", 1_000_001, 60_000)
TASK = 'mutation ($name: String!) { runPluginTask(plugin_id: "StashPlexSync", task_name: $name) }'
ASK = 'mutation ($args: Map!) { runPluginOperation(plugin_id: "StashPlexSync", args: $args) }'
EDIT = 'mutation ($title: String!) { sceneUpdate(input: {id: "1", title: $title}) { id } }'
KEYS = {"id", "name", "version", "date", "path", "sha256", "metadata"}
# The manifests in each zip. The program brings the wake-up with it.
MANIFESTS = {build.ID: {build.ID, build.WAKE_UP}, build.WAKE_UP: {build.WAKE_UP}, build.HOOK: {build.HOOK}}
INSTALL, START, STOP = "Install or repair dependencies", "Start the worker", "Stop the worker"
# What the page in Stash reads as it is opened, and the tab of a scene.
READ = ("page_status", "page_letters", "page_runs", "page_settings")
# A version whose databases are brought up by this one.
BEFORE = "0.1.0"
LONG = 600.0


class Wrong(Exception):
    """A release file is broken."""


def need(true: object, why: str) -> None:
    """Raise Wrong unless the condition holds."""
    if not true:
        raise Wrong(why)


def unpacked(target: Path, plugins: Path) -> Path:
    """Install the plugins from their index into an empty plugins folder, as Stash does; returns the program's folder."""
    entries = parse_yaml((target / build.INDEX).read_text(encoding="utf-8"))
    need([entry["id"] for entry in entries] == [build.ID, build.WAKE_UP, build.HOOK], "the index has other plugins")
    for entry in entries:
        need(set(entry) == KEYS, f"the index has the keys {sorted(entry)}")
        content = (target / entry["path"]).read_bytes()
        need(hashlib.sha256(content).hexdigest() == entry["sha256"], "the index has another hash than the zip")
        folder = plugins / "local" / str(entry["id"])
        folder.mkdir(parents=True)
        with zipfile.ZipFile(target / entry["path"]) as packed:
            need(packed.testzip() is None, "the zip is damaged")
            names = packed.namelist()
            need(names == sorted(names), "the names in the zip are not sorted")
            found = {Path(name).stem for name in names if name.endswith(".yml")}
            need(found == MANIFESTS[entry["id"]], f"the zip of {entry['id']} has the manifests {sorted(found)}")
            packed.extractall(folder)
    return plugins / "local" / build.ID


class Trial:
    """A simulated Stash with the three plugins installed, and a Plex with one item."""

    def __init__(self, folder: Path, config: Path, stash: StashSim, plex: PlexSim) -> None:
        config.mkdir(parents=True, exist_ok=True)
        self.stash = stash
        self.plex = plex
        self.folder = config / "plexsync"
        self.runner = HookRunner.from_manifest(folder / build.MANIFEST, dir=config, python_path=sys.executable)
        stash.hooks = self.runner
        wake_up = HookRunner.from_manifest(folder / build.WAKE_UP_FOLDER / f"{build.WAKE_UP}.yml", dir=config)
        alone = folder.parent / build.HOOK
        self.hook = HookRunner.from_manifest(
            alone / f"{build.HOOK}.yml"
            if alone.is_dir()
            else folder / build.INSIDE / "python_hook" / f"{build.HOOK}.yaml",
            plugin_dir=alone if alone.is_dir() else folder,
            dir=config,
            python_path=sys.executable,
        )
        stash.others = [wake_up, self.hook]
        section = plex.add_section("Movies", locations=("/media",))
        self.item = plex.add_movie(section, files=[FILE], title=ORIGINAL)
        stash.plugin_settings[build.ID] = {"plex_url": plex.url, "plex_token": TOKEN}
        stash.add_scene(title="One", files=[(FILE[0], FILE[1], 60.0)])

    def post(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send a query to the simulated Stash as its own page does."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json", "Cookie": f"session={self.stash.session_cookie()}"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.stash.url}/graphql", body, headers)) as answer:
            told = json.loads(answer.read())
        need("errors" not in told, f"Stash answers {told.get('errors')}")
        return dict(told["data"])

    def task(self, name: str) -> str:
        """Run a task to its end; returns its answer. Raises Wrong on an error."""
        self.post(TASK, name=name)
        need(self.stash.wait_for_jobs(LONG), f"the task {name} does not end")
        outcome = self.runner.runs[-1].outcome
        if outcome is None or outcome.error is not None:
            raise Wrong(f"the task {name} failed: {outcome.error if outcome else 'no start'}")
        return str(outcome.output)

    def ask(self, mode: str, **args: object) -> dict[str, Any]:
        """Return the answer to an operation of the page."""
        return dict(self.post(ASK, args={"mode": mode, **args})["runPluginOperation"])

    def title(self) -> object:
        """The title that Plex shows."""
        return self.plex.item(self.item).scalars.get("title")


def make_older(folder: Path) -> None:
    """Let the database in a folder be one that an earlier version has used last."""
    with closing(sqlite3.connect(folder / "plexsync.db")) as db:
        db.execute("insert or replace into note (name, value) values ('version', ?)", (BEFORE,))
        db.commit()


def plugin(
    target: Path,
    folder: Path,
    prepare: Callable[[Trial], str] = lambda trial: trial.task(INSTALL),
    age: Callable[[Path], None] = make_older,
) -> Iterator[str]:
    """Install the plugin and use it; yields the results. Raises Wrong.

    `prepare` installs its packages. `age` makes the database in a folder one of an earlier version: it is used once more
    over that.
    """
    where = unpacked(target, folder / "plugins")
    with StashSim(api_key="stash-key-of-the-check") as stash, PlexSim(token=TOKEN) as plex:
        trial = Trial(where, folder, stash, plex)
        hook = trial.hook.runs[-1].outcome
        need(hook is not None and "scene 1 noted" in str(hook.output), f"the hook did not note the scene: {hook}")
        yield f"the hook: {hook.output if hook else ''}"
        yield f"its packages: {prepare(trial)}"
        yield from used(trial, "As the check says")
        yield from terminal(where)
        age(trial.folder)
        yield f"over the data of {BEFORE}:"
        yield from used(trial, "As after an update")
        for name in trial.runner.ui:
            with urllib.request.urlopen(
                urllib.request.Request(
                    f"{stash.url}/plugin/{build.ID}/{name}", headers={"ApiKey": "stash-key-of-the-check"}
                )
            ) as answer:
                need(len(answer.read()) > 100, f"the {name} of the page is not there")


def used(trial: Trial, title: str) -> Iterator[str]:
    """Use the plugin whole: an edit with this title, each task, the page, the tab, an undo. Yields the results."""
    yield f"the task {START}: {trial.task(START)}"
    try:
        trial.post(EDIT, title=title)
        need(soon(lambda: trial.title() == title), f"Plex shows {trial.title()!r}")
        yield "an edit in Stash was seen in Plex"
        verdict = trial.ask("page_scene", scene="1").get("verdict")
        need(verdict == "in sync", f"the tab of the scene says {verdict!r}")
        yield f"the tab of the scene says: {verdict}"
        for mode in READ:
            told = trial.ask(mode)
            need(told and "error" not in told, f"{mode} of the page says {told}")
        yield f"the page reads {', '.join(READ)}"
        trial.ask("page_approve")
        for task in trial.runner.tasks:
            if task.name not in (INSTALL, START, STOP):
                yield f"the task {task.name}: {trial.task(task.name)}"
        trial.ask("page_act", scene="1", verb="undo")
        need(soon(lambda: trial.title() == ORIGINAL), f"after the undo Plex shows {trial.title()!r}")
        yield "an undo was seen in Plex"
    finally:
        yield f"the task {STOP}: {trial.task(STOP)}"


def terminal(where: Path) -> Iterator[str]:
    """Run the installed plugin in a terminal; yields the results."""
    # With the packages that the plugin installed, and none of this Python's own.
    program = (sys.executable, "-S", str(where / "plexsync" / "stash_plugin"))
    number = _run(where, *program, "--version").strip()
    need(number == f"plexsync {build.number()}", f"the plugin says {number!r}")
    listed = _run(where, *program, "--help")
    need("serve" in listed and "demo" not in listed, "the plugin lists a demonstration that it does not have")
    yield f"the plugin in a terminal: {number}"


def soon(condition: Callable[[], bool], seconds: float = 30.0) -> bool:
    """Whether the condition becomes true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.1)
    return False


def wheel(path: Path, folder: Path) -> Iterator[str]:
    """Install the wheel into an environment of its own and run it there; yields the results. Raises Wrong."""
    contents(path)
    yield "the wheel holds its packages and nothing else"
    venv.create(folder, with_pip=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = (str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check")
    _run(folder, *pip, "--require-hashes", "--only-binary=:all:", "-r", str(build.ROOT / "requirements" / "base.txt"))
    _run(folder, *pip, "--no-deps", "--no-index", str(path))
    program = str(python.parent / "plexsync")
    number = _run(folder, program, "--version").strip()
    need(number.split()[1] == build.version().split("-")[0], f"the wheel says {number!r}")
    settings = {"PLEXSYNC_PLEX_URL": "http://localhost:9", "PLEXSYNC_PLEX_TOKEN": TOKEN}
    for data in ("own database", f"database of {BEFORE}"):
        status = json.loads(_run(folder, program, "--json", "--data-dir", str(folder / "data"), "status", **settings))
        need(status["books"]["balanced"], f"the wheel's {data} does not balance")
        make_older(folder / "data")
    yield f"the wheel: {number}, runs outside the repository"
    demo = json.loads(_run(folder, program, "--json", "demo", "--scenes", "100"))
    need(demo["well"], f"the demonstration of the wheel ends with {demo}")
    yield f"the wheel's demonstration: {demo['in_step']} of {demo['scenes']} scenes in sync"


def contents(wheel: Path) -> None:
    """Check the wheel against the rules in pyproject.toml; raises Wrong."""
    _run(build.ROOT, sys.executable, "-m", "check_wheel_contents", str(wheel))


def sdist(path: Path, wheel: Path, folder: Path) -> str:
    """Build the wheel from the sdist in an empty folder and compare the files; returns the result. Raises Wrong."""
    with tarfile.open(path) as packed:
        packed.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    again = build.build_wheel(folder / "dist", source)
    need(files_of(again) == files_of(wheel), "the wheel that is built from the sdist has other files")
    return f"the sdist builds the same wheel, of {len(files_of(wheel))} files"


def files_of(wheel: Path) -> dict[str, bytes]:
    """The files in a wheel, by their names."""
    with zipfile.ZipFile(wheel) as packed:
        return {name: packed.read(name) for name in packed.namelist()}


def _run(folder: Path, *command: str, **environ: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLEXSYNC_", "PYTHON"))}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **environ}, capture_output=True, text=True, timeout=LONG, check=False
    )
    need(done.returncode == 0, f"{' '.join(command)}: {done.stderr or done.stdout}")
    return done.stdout
