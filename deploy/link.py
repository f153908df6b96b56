"""Makes the program of this folder runnable from the environment whose Python runs this: nothing is built or copied.

    .venv/bin/python deploy/link.py

The environment's packages are those of requirements/all.txt. Afterwards `.venv/bin/plexsync` is the program.
"""

import os
import sys
import sysconfig
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent


def main() -> None:
    """Tell the environment where the rooms are, and write the program."""
    (Path(sysconfig.get_path("purelib")) / "plexsync.pth").write_text(f"{FOLDER}\n", encoding="utf-8")
    scripts = Path(sysconfig.get_path("scripts"))
    if os.name == "nt":
        (scripts / "plexsync.cmd").write_text(f'@"{sys.executable}" -P -m plexsync %*\n', encoding="utf-8")
    else:
        program = scripts / "plexsync"
        program.write_text(
            f'#!/bin/sh\n# Nothing of the current folder is imported (-P).\nexec "{sys.executable}" -P -m plexsync "$@"\n'
        )
        program.chmod(0o755)


if __name__ == "__main__":
    main()
