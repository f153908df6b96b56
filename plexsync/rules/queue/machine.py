"""One process that works on a store or stands by, as the other machines that use the store know it."""

from collections.abc import Mapping, Sequence

from plexsync.rules.record_class import record
from plexsync.rules.records import WorkerRow


@record
class Machine:
    """A process. `installation` names its data folder, whatever the machine is called today.

    `settings` are prints of the settings that decide what Plex shows, by name.
    """

    host: str
    pid: int
    version: str
    installation: str
    settings: Mapping[str, str]


def differing(machine: Machine, last: WorkerRow) -> tuple[str, ...]:
    """Return the names of the settings that keep this process from following the last worker.

    Two workers with different settings would take back each other's work whenever one follows the other. A worker may
    follow one that ended in good order, and its own data folder's, with whatever settings. A setting that only one of
    two versions knows does not count.
    """
    if last.ended == "" or last.installation == machine.installation:
        return ()
    here, last_settings = machine.settings, last.settings
    return tuple(sorted(name for name in here.keys() & last_settings.keys() if here[name] != last_settings[name]))


ALIGN = "make them the same, or start plexsync serve --take-over here once that worker is gone"


def difference_words(row: WorkerRow, names: Sequence[str]) -> str:
    """Why a process does not follow this worker: the `names` of the settings that differ."""
    return f"these settings differ from those of the worker on {row.host}: {', '.join(names)}"


def refusal_words(row: WorkerRow, names: Sequence[str]) -> str:
    """Why a process does not follow this worker, and what you can do."""
    return f"{difference_words(row, names)} ({ALIGN})"
