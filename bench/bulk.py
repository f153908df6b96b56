"""What a bulk edit in Stash costs with a plugin: none, the wake-up in Stash's process, the Python hook, and a heavy hook.

The simulated Stash runs each hook as Stash does. A heavy hook imports what other sync plugins import. Read ratios: one
edit of many scenes, by plugin, in interleaved rounds.
"""

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.hook import ROOT
from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_server import StashSim
from plexsync.store.database import Database

SCENES = 12
ROUNDS = 4
INSIDE = ROOT / "plexsync" / "stash_plugin"
EVENTS = ("Scene.Update.Post",)
HEAVY = "import sys, pydantic, plexapi.server; sys.stdin.read()"


def report() -> Iterator[str]:
    """A line for each plugin: milliseconds more for each scene, and the ratio to the wake-up."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as place, StashSim() as stash:
        folder = Path(place)
        folder.chmod(0o700)
        Database(folder / "plexsync.db", worker=True).close()
        ids = [stash.add_scene(title=str(n)) for n in range(SCENES)]
        best = dict.fromkeys(plugins(folder), float("inf"))
        for number in range(ROUNDS):
            for name, plugin in plugins(folder).items():
                stash.others = [plugin] if plugin is not None else []
                best[name] = min(best[name], edited(stash, ids, f"{name} {number}"))
    costs = {name: (taken - best["no plugin"]) * 1000 / SCENES for name, taken in best.items()}
    yield f"{'bulk edit':34} {'ms more a scene':>15} {'x wake-up':>10}"
    for name, cost in costs.items():
        yield f"{name:34} {cost:15.2f} {cost / max(costs['wake-up, in Stash'], 1e-6):10.1f}"


def plugins(folder: Path) -> dict[str, HookRunner | None]:
    """The plugins by name, each newly installed."""
    environ = {**os.environ, "PLEXSYNC_DATA_DIR": str(folder)}
    hook = INSIDE / "python_hook" / "PlexSyncHook.yaml"
    return {
        "no plugin": None,
        "wake-up, in Stash": HookRunner.from_manifest(INSIDE / "wake_up" / "PlexSyncWakeUp.yml", dir=folder),
        "Python hook": HookRunner.from_manifest(
            hook, plugin_dir=ROOT, dir=folder, python_path=sys.executable, environment=environ
        ),
        "a hook with pydantic and plexapi": HookRunner(
            [sys.executable, "-c", HEAVY], plugin_dir=folder, dir=folder, triggered_by=EVENTS
        ),
    }


def edited(stash: StashSim, ids: list[int], title: str) -> float:
    """Edit every scene; returns the seconds that it took."""
    began = time.perf_counter()
    for id in ids:
        stash.edit_scene(id, title=title)
    return time.perf_counter() - began
