"""`plexsync` in a terminal, where the plugin is all there is: `python3 FOLDER_OF_THE_PLUGIN/plexsync/stash_plugin COMMAND`.

The same commands as everywhere, with the packages that the task in Stash has installed, on the database that the plugin
uses: in PLEXSYNC_DATA_DIR, else in `plexsync/` beside Stash's settings, somewhere above the folder of the plugin.
"""

import os
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).absolute().parent
# The folder of this file is no place to import from: its names are not those of other people's modules.
sys.path[:] = [str(HERE.parents[1]), *(place for place in sys.path if Path(place).absolute() != HERE)]
# Nothing is left in the folder of the plugin.
sys.dont_write_bytecode = True

from plexsync.stash_plugin import dependencies, hook, launcher  # noqa: E402
from plexsync.store.intake import DATABASE  # noqa: E402

LOST = (
    "the database of the plugin is not found: start its worker in Stash once, or set PLEXSYNC_DATA_DIR to the folder "
    "plexsync beside Stash's settings file"
)


def main() -> None:
    """Become the program; what hinders that is one line."""
    folder = hook.named_folder() or beside(HERE.parents[1])
    if not folder:
        sys.exit(f"plexsync: {LOST}")
    try:
        packages = dependencies.ready(folder)
    except dependencies.NotReady as error:
        sys.exit(f"plexsync: {error}")
    os.environ.update(launcher.settings_of(folder))
    sys.path.insert(0, packages)
    sys.argv[0] = "plexsync"
    runpy.run_module("plexsync", run_name="__main__", alter_sys=True)


def beside(plugin: Path) -> str:
    """The folder of the plugin's database, above the plugin's own; '' where there is none."""
    places = (above / "plexsync" for above in plugin.parents)
    return next((str(place) for place in places if (place / DATABASE).exists()), "")


if __name__ == "__main__":
    main()
