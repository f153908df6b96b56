"""Pruning as housekeeping does it, in one transaction."""


def prune(tx, *, now: int, before: int, limit: int) -> int:
    """Delete up to so many rows that ended before; returns how many."""
    return sum(tx.jobs.prune(row) for row in tx.jobs.list_ended(now=now, before=before, limit=limit))
