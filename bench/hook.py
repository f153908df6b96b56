"""The delay of a save in Stash: the hook process, against a bare Python and one with the imports of other hooks."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from plexsync.store import intake
from plexsync.store.database import Database

ROOT = Path(__file__).resolve().parent.parent
HOOK = ROOT / "plexsync" / "stash_plugin" / "hook.py"
# The minimum of such a hook: read the event, store it, answer.
ON_PERSIST_QUEUE = """
import json, sys
from persistqueue import SQLiteAckQueue
event = json.load(sys.stdin)["args"]["hookContext"]
queue = SQLiteAckQueue(sys.argv[1], auto_resume=False)
queue.put({"kind": "scene", "id": event["id"], "why": "edit"})
queue.close()
print(json.dumps({"output": "ok"}))
"""


def measure(rounds: int = 40) -> dict[str, float]:
    """Median milliseconds of each process, in interleaved rounds, so that noise affects all of them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o700)
        event = {
            "server_connection": {
                "Scheme": "http",
                "Host": "0.0.0.0",
                "Port": 9999,
                "Dir": folder,
                "PluginDir": folder,
            },
            "args": {
                "hookContext": {"id": 7, "type": "Scene.Update.Post", "input": {"id": "7"}, "inputFields": ["title"]}
            },
        }
        # The worker's connection stays open, as it does when PlexSync runs.
        database = Database(Path(folder) / "plexsync.db", worker=True)
        with database.writing() as tx:
            # The worker is switched on inside Stash, and alive: the hook checks both, and starts nothing.
            tx.notes.save(intake.INSIDE, intake.ON)
            tx.notes.save(intake.BEAT, str(round(time.time() * 1000)))
        environ = {**os.environ, "PLEXSYNC_DATA_DIR": folder}
        commands = {
            "bare python (-c pass)": [sys.executable, "-c", "pass"],
            "PlexSync's hook": [sys.executable, str(HOOK)],
            "a hook on persist-queue": [sys.executable, "-c", ON_PERSIST_QUEUE, str(Path(folder) / "other")],
            "import pydantic, plexapi": [sys.executable, "-c", "import pydantic, plexapi.server"],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(
                    command, input=json.dumps(event).encode(), env=environ, check=True, stdout=subprocess.DEVNULL
                )
                times[name].append((time.perf_counter() - began) * 1000)
        database.close()
        return {name: statistics.median(taken) for name, taken in times.items()}
