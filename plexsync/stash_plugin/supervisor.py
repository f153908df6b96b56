"""Starts the worker inside Stash, and starts it again if it was killed. Standard library only, to need little memory.

It gets its order as one line of JSON on standard input, like the worker. A worker that ended by itself is not started
again: it was idle, switched off, replaced, or its plugin is gone. The first start may be in some seconds, at the end of
the minute of one that failed. One that ends because Stash has another key signs in again, with the session of the call by
which it was started. After each kill the pause before the next start is twice as long. The supervisor may be
killed as well: the worker goes on without it. The worker's lock decides that there is never a second worker.
"""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from types import FrameType

HERE = os.path.dirname(os.path.abspath(__file__))
LEASH = os.path.join(HERE, "child_process.py")
# Seconds before the first start after a kill, and at most; the pause is short again after a worker lived for so long.
PAUSE, LONGEST = 1.0, 600.0
# Seconds after which a worker that ends with an error has not failed to start.
STARTED = 30.0
HIDDEN = 0x08000000  # Windows: no window
ASKED = {-number for name in ("SIGTERM", "SIGINT", "SIGHUP") if (number := getattr(signal, name, 0))}


class Supervisor:
    """Watches one worker. `stopped`: this process was asked to end, and ends its worker in good order."""

    def __init__(self, order: dict[str, object], folder: str) -> None:
        self.stopped = False
        self._order = self._first_order = order
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, wait: float, another_key: int) -> int:
        """Start the worker in so many seconds, and keep it alive until it ends by itself; returns its exit code.

        With the exit code `another_key` it asks for the key of Stash anew.
        """
        from plexsync.store.files.lock import is_locked

        pause, signs_in = PAUSE, False
        while True:
            if wait:
                time.sleep(wait)
                if self.stopped or not os.path.exists(LEASH) or is_locked(self._folder):
                    return 0
            # The worker writes to the standard error of this process, which is its log.
            began, log_size = time.monotonic(), os.fstat(2).st_size
            code = self._work()
            lived = time.monotonic() - began
            if code == another_key and not self.stopped:
                self._order, signs_in = self._first_order, True
                wait, pause = pause, min(2 * pause, LONGEST)
                continue
            if signs_in and code > 0 and lived < STARTED:
                # Stash has ended that session, too: the next event starts a worker.
                return 0
            signs_in = False
            if not self.stopped and code not in ASKED:
                # Imported on use: while a worker lives, nothing of it is needed.
                from plexsync.stash_plugin.worker_record import record

                record(self._order, code, log_size)
            failed = code > 0 and lived >= STARTED
            if self.stopped or not (failed or (code < 0 and code not in ASKED)):
                return max(code, 0)
            wait = PAUSE if lived > LONGEST else pause
            words = (
                f"the worker was {'ended by a fault' if failed else 'killed'} ({code}): it starts again in {wait:.0f} s"
            )
            # Into the worker's log.
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            sys.stderr.write(f"{moment} WARNING PlexSync.supervisor {words}\n")
            sys.stderr.flush()
            pause = min(2 * wait, LONGEST)

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """End the worker in good order, and do not start it again."""
        self.stopped = True
        if self._process is not None:
            self._process.terminate()

    def _work(self) -> int:
        """Run the worker to its end. Its address and key of Stash are kept for the next start."""
        self._process = process = subprocess.Popen(
            [sys.executable, "-P", LEASH],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            creationflags=HIDDEN if os.name == "nt" else 0,
        )
        # It may end before it has read its order.
        with suppress(OSError), process.stdin as order:  # type: ignore[union-attr]
            order.write(json.dumps(self._order).encode() + b"\n")
        with process.stdout as pipe:  # type: ignore[union-attr]
            line = pipe.readline()
        if line.startswith(b"{"):
            environ = self._order["environ"]
            settings = environ if isinstance(environ, dict) else {}
            self._order = {**self._order, "environ": {**settings, **json.loads(line)}, "server": None}
        return process.wait()


def main() -> None:
    """Read the order and watch the worker."""
    order = json.loads(sys.stdin.buffer.readline())
    sys.path.insert(0, os.path.dirname(os.path.dirname(HERE)))
    from plexsync.store.files.life_signs import ANOTHER_KEY, SUPERVISOR, LifeSign, show_refused

    sign = LifeSign(order["life"]["folder"], SUPERVISOR, order["life"]["address"])
    start, wait = order["planned"]
    supervisor = Supervisor(order, order["folder"])
    signal.signal(signal.SIGTERM, supervisor.stop)
    code = supervisor.run(wait, ANOTHER_KEY)
    if code and start:
        show_refused(start)
    sign.end()
    sys.exit(code)


if __name__ == "__main__":
    main()
