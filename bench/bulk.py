"""What a plugin adds to a bulk edit in Stash: the wake-up in Stash's process, the Python hook, and a heavy hook.

The simulated Stash runs each hook as Stash does. A heavy hook imports what other sync plugins import. Read ratios: one
bulk edit with and without each plugin, in turn. Stash itself runs the wake-up faster than the
simulated one: its goal there is 0.3 ms for each scene.
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
# The wake-up is measured with more scenes, since it costs so little.
MANY = 60
ROUNDS = 4
WAKE_UP = "wake-up, in Stash"
INSIDE = ROOT / "plexsync" / "stash_plugin"
EVENTS = ("Scene.Update.Post",)
HEAVY = "import sys, pydantic, plexapi.server; sys.stdin.read()"


def report() -> Iterator[str]:
    """A line for each plugin: milliseconds more for each scene, and the ratio to the wake-up."""
    with tempfile.TemporaryDirectory(prefix="plexsync-bench-") as place, StashSim() as stash:
        folder = Path(place)
        folder.chmod(0o700)
        Database(folder / "plexsync.db", worker=True).close()
        ids = [stash.add_scene(title=str(n)) for n in range(MANY)]
        costs = {name: cost(stash, plugin, ids) for name, plugin in plugins(folder).items()}
    yield f"{'bulk edit':34} {'ms more a scene':>15} {'x wake-up':>10}"
    for name, more in costs.items():
        yield f"{name:34} {more:15.2f} {more / max(costs[WAKE_UP], 1e-6):10.1f}"


def cost(stash: StashSim, plugin: HookRunner, ids: list[int]) -> float:
    """Milliseconds that the plugin adds for each scene: the best of its rounds, less the best without it."""
    ids = ids if plugin.interface == "js" else ids[:SCENES]
    best = {True: float("inf"), False: float("inf")}
    for number in range(2 * ROUNDS):
        on = bool(number % 2)
        stash.others = [plugin] if on else []
        best[on] = min(best[on], edited(stash, ids, f"round {number}"))
    return (best[True] - best[False]) * 1000 / len(ids)


def plugins(folder: Path) -> dict[str, HookRunner]:
    """The plugins by name, each newly installed."""
    environ = {**os.environ, "PLEXSYNC_DATA_DIR": str(folder)}
    hook = INSIDE / "python_hook" / "PlexSyncHook.yaml"
    return {
        WAKE_UP: HookRunner.from_manifest(INSIDE / "wake_up" / "PlexSyncWakeUp.yml", dir=folder),
        "Python hook": HookRunner.from_manifest(
            hook, plugin_dir=ROOT, dir=folder, python_path=sys.executable, environment=environ
        ),
        "a hook with pydantic and plexapi": HookRunner(
            [sys.executable, "-c", HEAVY], plugin_dir=folder, dir=folder, triggered_by=EVENTS
        ),
    }


def edited(stash: StashSim, ids: list[int], title: str) -> float:
    """Edit these scenes in one request; returns the seconds that it took."""
    query = "mutation ($of: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $of) { id } }"
    began = time.perf_counter()
    stash.ask_inside(query, {"of": {"ids": ids, "title": title}}, stash.session_cookie())
    return time.perf_counter() - began
