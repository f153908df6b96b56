"""How the queue is worked: small frozen rules, cut from the configuration by the application."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WorkRules:
    """How the queue is worked. Durations in milliseconds unless named otherwise.

    `batch` is the most jobs at once. `lease` outlives every request of a batch's reading phase; `deadline` is the longest
    one request can take.
    """

    max_retries: int = 5
    parallel: int = 2
    batch: int = 100
    lease: int = 120_000
    deadline: int = 60_000
    retention: int = 30 * 86_400_000
    dlq_max: int = 10_000
    enabled: bool = True
