"""Installs the packages for tasks and operations; after an update of the plugin that needs others, without being asked."""

from pathlib import Path

from plexsync.stash_plugin import dependencies, installer, worker_process
from plexsync.stash_plugin.worker_process import Caller, log


def install(call: Caller) -> str:
    """Install the packages, or repair what is installed."""
    Path(call.folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    tidy = not worker_process.locked(call)
    return dependencies.install(
        call.folder, lambda part: log("p", f"{part:.3f}"), lambda line: log("d", line), tidy=tidy
    )


def provide(call: Caller) -> None:
    """After an update that changed the list of packages, install it before a task runs."""
    if dependencies.is_outdated(call.folder):
        log("i", "PlexSync: after the update its packages are installed first")
        install(call)


def not_ready(call: Caller, error: dependencies.NotReady) -> dict[str, object]:
    """Return why the packages can't be used; after an update their installation is started, and the worker's then."""
    if dependencies.is_outdated(call.folder) and dependencies.may_try(call.folder):
        installer.start_installing(call.folder, call.server)
        installation: dict[str, object] = {"running": True, "part": 0.0, "error": ""}
    else:
        installation = dependencies.installation(call.folder)
    return {"error": str(error), "installed": False, "installation": installation}
