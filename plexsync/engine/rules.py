"""The rules for working the queue: small frozen records that the application builds from the configuration."""

from plexsync.rules.record_class import record

SWITCHED_OFF = "PlexSync is switched off (enabled = false)"


@record
class WorkRules:
    """How the queue is worked. Durations are in milliseconds unless stated otherwise.

    `batch` is the maximum number of jobs per batch. `lease` is longer than all requests of a batch's reading phase.
    `deadline` is the longest time that one request can take. `rests`: why nothing is worked now, '' if it is.
    """

    max_retries: int = 5
    parallel: int = 2
    batch: int = 100
    lease: int = 120_000
    deadline: int = 60_000
    retention: int = 30 * 86_400_000
    dlq_max: int = 10_000
    rests: str = ""
