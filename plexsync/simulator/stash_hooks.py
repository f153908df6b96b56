"""Runs a plugin's hooks and tasks as Stash does: each as a process, or in Stash itself for `interface: js`.

For each event, its hooks run one after another, each awaited, before the request that caused the event is answered.
There is no timeout. A command that can't start ends the round of its event; a bad exit code does not. `runs` records
every process.
"""

import json
import os
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self

from plexsync.simulator.stash_manifest import Manifest, Operation, read_manifest
from plexsync.simulator.stash_process import CannotStart, Outcome, run_plugin
from plexsync.simulator.stash_scripts import run_script

MOST_NESTED = 10
Visited = tuple[tuple[str, str], ...]
"""The (plugin id, hook type) pairs that led to a request, oldest first."""


class Host(Protocol):
    """The Stash that a plugin is installed in."""

    def write_log(self, level: str, message: str) -> None:
        """Add a line to the log."""

    def ask_inside(self, query: str, variables: dict[str, Any], session: str) -> dict[str, Any]:
        """Answer a GraphQL request of a script that runs inside, with its session."""
        ...


@dataclass(frozen=True)
class Event:
    """An event of a record, e.g. `Scene.Update.Post`; `input` is its cause, in any shape."""

    type: str
    id: int
    input: Any = None
    input_fields: tuple[str, ...] = ()

    def context(self) -> dict[str, Any]:
        """The hookContext as a plugin reads it; `inputFields` is absent when empty."""
        told = {"id": self.id, "type": self.type, "input": self.input}
        return {**told, "inputFields": list(self.input_fields)} if self.input_fields else told


@dataclass(frozen=True)
class Connection:
    """The connection of a plugin to the server. `host` is the bind address, which need not accept connections."""

    port: int
    session: str
    scheme: str = "http"
    host: str = "0.0.0.0"

    def described(self, dir_: str, plugin_dir: str) -> dict[str, Any]:
        """The `server_connection` of a plugin's input: a Go cookie and two folders."""
        cookie = {
            "Name": "session",
            "Value": self.session,
            "Quoted": False,
            "Path": "/",
            "Domain": "",
            "Expires": "0001-01-01T00:00:00Z",
            "RawExpires": "",
            "MaxAge": 0,
            "Secure": False,
            "HttpOnly": True,
            "SameSite": 0,
            "Partitioned": False,
            "Raw": "",
            "Unparsed": None,
        }
        return {
            "Scheme": self.scheme,
            "Host": self.host,
            "Port": self.port,
            "SessionCookie": cookie,
            "Dir": dir_,
            "PluginDir": plugin_dir,
        }


@dataclass(frozen=True)
class Run:
    """One process of a plugin: its event (None for a task), its JSON input, and its result (None: not started)."""

    event: Event | None
    stdin: dict[str, Any]
    outcome: Outcome | None


@dataclass
class Sessions:
    """Session cookies for plugins; each records the hooks that led to it: Stash's guard against recursion."""

    visited: dict[str, Visited] = field(default_factory=dict)

    def open(self, visited: Visited = ()) -> str:
        """A new cookie value."""
        value = secrets.token_urlsafe(24)
        self.visited[value] = visited
        return value


class HookRunner:
    """One installed plugin: its commands, and the results of its processes.

    `command[0]` is resolved as in Stash (`python` and `python3` by `python_path` first); `{pluginDir}` is replaced in
    the other words. Set `kill_after` (seconds) to have every process killed, `hangs_up_after` to have the client of
    each request disconnect after this many hooks: the next process is killed and the others never start (when scenes
    are destroyed, each of them is started and killed). Set `start` to have processes started in another way than by
    `subprocess.Popen`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        interface: str = "raw",
        plugin_dir: str | Path,
        dir: str | Path,
        triggered_by: Iterable[str],
        plugin_id: str = "StashPlexSync",
        default_args: Mapping[str, str] | None = None,
        err_log: str = "error",
        python_path: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = tuple(command)
        self.interface = interface
        self.name = plugin_id
        self.host: Host | None = None
        self.plugin_dir = str(plugin_dir)
        self.dir = str(dir)
        self.plugin_id = plugin_id
        self.err_log = err_log
        self.python_path = python_path
        self.environment = dict(environment or {})
        self.hooks: tuple[Operation, ...] = (
            Operation("hook", default_args=dict(default_args or {}), triggered_by=frozenset(triggered_by)),
        )
        self.tasks: tuple[Operation, ...] = ()
        self.ui: dict[str, tuple[str, ...]] = {}
        self.assets: dict[str, str] = {}
        self.runs: list[Run] = []
        self.enabled = True
        self.kill_after: float | None = None
        self.hangs_up_after: int | None = None
        self.start: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen
        self._stopped = threading.Event()

    @classmethod
    def from_manifest(
        cls,
        manifest: str | Path | Manifest,
        *,
        dir: str | Path,
        plugin_dir: str | Path | None = None,
        python_path: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """The plugin of a manifest (in the file's folder); raises ManifestError if Stash would not load it."""
        if not isinstance(manifest, Manifest):
            plugin_dir = plugin_dir or Path(manifest).parent
            manifest = read_manifest(Path(manifest))
        made = cls(
            manifest.command,
            interface=manifest.interface,
            plugin_dir=plugin_dir or dir,
            dir=dir,
            triggered_by=(),
            plugin_id=manifest.id,
            err_log=manifest.err_log,
            python_path=python_path,
            environment=environment,
        )
        made.hooks, made.tasks, made.ui = manifest.hooks, manifest.tasks, manifest.ui
        made.assets = manifest.assets
        made.assets = manifest.assets
        made.name = manifest.name
        return made

    def fire(self, events: Iterable[Event], port: int, sessions: Sessions, visited: Visited = ()) -> None:
        """Run all hooks for these events of one request, one process at a time, and return when the last has ended."""
        for place, event in enumerate(events):
            gone = self.hangs_up_after is not None and place >= self.hangs_up_after
            self._fire_one(event, port, sessions, visited, gone=gone)
            if gone and event.type != "Scene.Destroy.Post":
                return

    def _fire_one(self, event: Event, port: int, sessions: Sessions, visited: Visited, *, gone: bool) -> None:
        here = (self.plugin_id, event.type)
        if not self.enabled or visited.count(here) >= MOST_NESTED:
            return
        for hook in self.hooks:
            if event.type not in hook.triggered_by:
                continue
            connection = Connection(port, sessions.open((*visited, here)))
            args = {"hookContext": event.context(), **hook.default_args}
            run = self._run(hook, connection, args, event, self._stopped, 0.0 if gone else self.kill_after)
            if run.outcome is None:
                return

    def task_named(self, name: str | None) -> Operation | None:
        """The task with this name; without a name, the bare command."""
        if name is None:
            return Operation("")
        return next((task for task in self.tasks if task.name == name), None)

    def run_task(
        self,
        task: Operation,
        port: int,
        session: str,
        args: Mapping[str, Any],
        kill: threading.Event,
        progressed: Callable[[float], None] = lambda _part: None,
    ) -> Run:
        """Run a task to its end, or until `kill` is set; `progressed` gets its progress."""
        told = {**args, **task.default_args}
        return self._run(task, Connection(port, session), told, None, kill, None, progressed)

    def run_operation(self, port: int, session: str, args: Mapping[str, Any]) -> Run:
        """Run the bare command with these arguments, as a page of the plugin does."""
        return self._run(Operation(""), Connection(port, session), args, None, self._stopped, self.kill_after)

    def stop(self) -> None:
        """Kill the running process, so that nothing waits for it; nothing can run afterwards."""
        self._stopped.set()

    def _run(
        self,
        operation: Operation,
        connection: Connection,
        args: Mapping[str, Any],
        event: Event | None,
        kill: threading.Event,
        kill_after: float | None,
        progressed: Callable[[float], None] = lambda _part: None,
    ) -> Run:
        if self.interface == "js":
            return self._run_inside(connection, args, event)
        stdin = {"server_connection": connection.described(self.dir, self.plugin_dir), "args": dict(args)}
        try:
            outcome: Outcome | None = run_plugin(
                self.words(operation),
                json.dumps(stdin).encode(),
                environment=self.environment_of(self.command[0]),
                err_log=self.err_log,
                kill=kill,
                kill_after=kill_after,
                progressed=progressed,
                start=self.start,
            )
        except CannotStart:
            outcome = None
        run = Run(event, stdin, outcome)
        self.runs.append(run)
        if outcome is not None:
            self._log(outcome.log)
        return run

    def _run_inside(self, connection: Connection, args: Mapping[str, Any], event: Event | None) -> Run:
        """Run the script of the plugin in this process."""
        given = {"ServerConnection": connection.described(self.dir, self.plugin_dir), "Args": dict(args)}
        lines: list[tuple[str, str]] = []
        started = time.monotonic()

        def ask(query: str, variables: dict[str, Any]) -> dict[str, Any]:
            return self.host.ask_inside(query, variables, connection.session) if self.host is not None else {}

        path = Path(self.plugin_dir) / self.command[0]
        output, error = run_script(path, given, lambda level, text: lines.append((level, text)), ask)
        spent = time.monotonic() - started
        run = Run(event, given, Outcome(0, b"", output, error, tuple(lines), (), killed=False, seconds=spent))
        self.runs.append(run)
        self._log(lines)
        return run

    def _log(self, lines: Iterable[tuple[str, str]]) -> None:
        if self.host is not None:
            for level, text in lines:
                self.host.write_log(level, f"[Plugin / {self.name}] {text}")

    def words(self, operation: Operation) -> list[str]:
        """The command line of a hook or task."""
        arguments = (word.replace("{pluginDir}", self.plugin_dir) for word in self.command[1:] + operation.arguments)
        return [self._program(), *arguments]

    def _program(self) -> str:
        name = self.command[0]
        if name in ("python", "python3"):
            if self.python_path and Path(self.python_path).is_file():
                return self.python_path
            return shutil.which("python3") or shutil.which("python") or name
        beside = Path(self.plugin_dir) / name
        return shutil.which(name) or (str(beside) if beside.is_file() else name)

    def environment_of(self, program: str) -> dict[str, str]:
        """Stash's own environment; Python also gets the folder above the plugin's on its import path, at the end."""
        environment = {**os.environ, **self.environment}
        if program in ("python", "python3"):
            above = str(Path(self.plugin_dir).parent)
            environment["PYTHONPATH"] = os.pathsep.join(p for p in (environment.get("PYTHONPATH"), above) if p)
        return environment
