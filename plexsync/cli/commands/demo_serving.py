"""`plexsync serve` as the demo's child: it ends with the demo, also when that was killed and could not say so.

The demo holds the other end of its standard input, which ends with the process that holds it.
"""

import sys
import threading

from plexsync.cli.daemon.signals import end_self
from plexsync.cli.main import main


def _outlive_nobody() -> None:
    sys.stdin.read()
    end_self()


if __name__ == "__main__":
    threading.Thread(target=_outlive_nobody, name="parent", daemon=True).start()
    main()
