"""When queued scenes are worked, in words."""

TAKES = "the worker takes them"
NO_WORKER = "no worker runs: start plexsync serve, or run plexsync drain"


def worker_hint(busy: bool, closed: str) -> str:
    """When queued scenes are worked. `closed`: why nothing can be synced now; '' if it can."""
    if closed:
        return f"{closed}; {f'{TAKES} when that is over' if busy else NO_WORKER}"
    return f"{TAKES} next" if busy else NO_WORKER
