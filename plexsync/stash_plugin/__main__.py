"""Runs `plexsync` in a terminal where only the plugin is installed.

Usage: `python3 FOLDER_OF_THE_PLUGIN/plexsync/stash_plugin COMMAND`.

The commands are the usual ones. They use the packages that the task in Stash has installed, and the plugin's database:
in PLEXSYNC_DATA_DIR, otherwise in `plexsync/` beside Stash's settings file, in a folder above the plugin's. They ask Stash
where the worker found it last, unless a setting names another address.
"""

import os
import re
import runpy
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(__file__).absolute().parent
# Don't import from this file's folder: its modules would shadow others of the same name.
sys.path[:] = [str(HERE.parents[1]), *(place for place in sys.path if Path(place).absolute() != HERE)]
# Leave no compiled files in the folder of the plugin.
sys.dont_write_bytecode = True

from plexsync.stash_plugin import child_process, dependencies, hook, launcher  # noqa: E402
from plexsync.store.files import life_signs  # noqa: E402
from plexsync.store.intake import DATABASE  # noqa: E402

LOST = (
    "the database of the plugin is not found: start its worker in Stash once, or set PLEXSYNC_DATA_DIR to the folder "
    "plexsync beside Stash's settings file"
)


def main() -> None:
    """Become the program; a failure is reported in one line."""
    folder = hook.named_folder() or beside(HERE.parents[1])
    if not folder:
        sys.exit(f"plexsync: {LOST}")
    try:
        packages = dependencies.ready(folder)
    except dependencies.NotReady as error:
        sys.exit(f"plexsync: {error}")
    os.environ.update(launcher.settings_of(folder))
    # The address by which the worker was started last, unless a setting names one.
    settings = Path(os.environ.get("PLEXSYNC_CONFIG", ""))
    with suppress(OSError, UnicodeError, child_process.NoEntry):
        is_set = settings.is_file() and re.search(r"(?m)^\s*stash_url\s*=", settings.read_text(encoding="utf-8-sig"))
        server = life_signs.last_server(str(Path(folder).absolute().parent))
        if server and not is_set:
            os.environ.setdefault(child_process.ADDRESS, child_process.address(server))
    sys.path.insert(0, packages)
    sys.argv[0] = "plexsync"
    runpy.run_module("plexsync", run_name="__main__", alter_sys=True)


def beside(plugin: Path) -> str:
    """Return the folder of the plugin's database, in a folder above the plugin's; '' if there is none."""
    places = (above / "plexsync" for above in plugin.parents)
    return next((str(place) for place in places if (place / DATABASE).exists()), "")


if __name__ == "__main__":
    main()
