"""`plexsync serve` as the demo's child: it ends with the demo, even if that was killed.

The demo holds the other end of its standard input, which closes when the demo's process ends.
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
