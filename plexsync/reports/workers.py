"""Which machine works on a database that several machines use, and which ones stand by, in words."""

from plexsync.rules.records import WorkerRow


def waiting_words(row: WorkerRow) -> str:
    """What a machine says that stands by for this worker."""
    return f"standing by: the worker runs on {row.host}"


def refusal(row: WorkerRow, names: tuple[str, ...]) -> str:
    """Why a machine does not take over from this worker: the `names` of the settings that differ."""
    return (
        f"standing by, without taking over: these settings differ from those of the worker on {row.host}:"
        f" {', '.join(names)}. Make them the same, or start plexsync serve --take-over here once that worker is gone"
    )
