"""Breakers as readers see them: the rules from the settings, and the present state of a stored row."""

from worker.circuit_breaker import Breaker, CircuitState, Rules, next_probe_at, seen_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import SimpleNamespace

    from plexsync.app.status_settings import StatusSettings
    from plexsync.rules.records import BreakerRow
    from validation.config import PlexSyncConfig


def breaker_rules(config: "PlexSyncConfig | StatusSettings") -> Rules:
    """Return the worker's breaker rules: growing, jittered waits, and a probe lease longer than a probe's requests."""
    return Rules(
        failure_threshold=config.breaker_failure_threshold,
        recovery_timeout=config.breaker_recovery_timeout,
        # A probe takes up to three requests, each up to twice the read timeout.
        probe_lease=max(config.breaker_recovery_timeout, 6 * config.plex_read_timeout),
        backoff_multiplier=2.0,
        max_recovery_timeout=config.breaker_max_recovery_timeout,
        jitter=0.1,
    )


def state_at(row: "BreakerRow | SimpleNamespace", rules: Rules, now: int) -> tuple[str, int | None]:
    """Return a breaker's state at `now` and the time of its next probe (None while closed), in UTC milliseconds."""
    stored = Breaker(
        state=CircuitState(row.state),
        failures=row.failures,
        successes=row.successes,
        opened_at=row.opened_at,
        wait=row.wait,
        trips=row.trips,
        generation=row.generation,
        probe_started=row.probe_started,
    )
    probe = next_probe_at(stored, rules)
    return seen_state(stored, rules, now / 1000).value, None if probe is None else round(probe * 1000)
