"""The model of the circuit breaker has to notice when a rule is broken.

Each fault is a change to the text of the product, compiled as a module of its own and sent through the same state machine
as the product. A fault whose text is no longer found exactly once fails here, so that no fault is ever silently left out.
"""

import sys
import types
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.worker.test_breaker_model import breaker_machine
from worker import circuit_breaker

SOURCE = Path(circuit_breaker.__file__).read_text(encoding="utf-8")

CHECK = settings(
    max_examples=250,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)

# fault: (text in the product, text with the fault)
FAULTS = {
    "due by subtraction": (
        "now >= b.opened_at + _rest(b, rules)",
        "now - b.opened_at >= _rest(b, rules)",
    ),
    "due only after the exact moment": (
        "now >= b.opened_at + _rest(b, rules)",
        "now > b.opened_at + _rest(b, rules)",
    ),
    "stamps from the future stay": (
        "    b = _limit_times(b, now)\n",
        "",
    ),
    "reading the state moves it": (
        """            return seen_state(b, self.rules, self._now_for(b, "look"))""",
        """            self._state = seen_state(b, self.rules, self._now_for(b, "look"))
            return self._state""",
    ),
    "several probes at once": (
        """        return replace(b, probe_started=now, generation=b.generation + 1), True
    return b, False""",
        """        return replace(b, probe_started=now, generation=b.generation + 1), True
    return b, True""",
    ),
    "a probe without a lease": (
        "    if now >= b.probe_started + rules.lease:",
        "    if False:",
    ),
    "tokens are not looked at": (
        "    return generation is not None and (generation != b.generation or b.state is CircuitState.OPEN)",
        "    return False",
    ),
    "a late success closes": (
        """    b = _as_met(b, rules, now)
    if b.state is CircuitState.OPEN:
        return b
    if b.state is CircuitState.CLOSED:
        return replace(b, failures=0)""",
        """    b = _as_met(b, rules, now)
    if b.state is CircuitState.OPEN:
        return after_reset(b)
    if b.state is CircuitState.CLOSED:
        return replace(b, failures=0)""",
    ),
    "a success leaves the count": (
        "        return replace(b, failures=0)",
        "        return b",
    ),
    "one failure too many is allowed": (
        "if b.state is CircuitState.CLOSED and b.failures + 1 < rules.failure_threshold:",
        "if b.state is CircuitState.CLOSED and b.failures < rules.failure_threshold:",
    ),
    "the first success closes": (
        "    if b.successes + 1 >= rules.success_threshold:",
        "    if b.successes + 1 >= 1:",
    ),
    "a failed probe is overlooked": (
        "    if b.state is CircuitState.CLOSED and b.failures + 1 < rules.failure_threshold:",
        """    if b.state is CircuitState.HALF_OPEN:
        return replace(b, probe_started=None)
    if b.state is CircuitState.CLOSED and b.failures + 1 < rules.failure_threshold:""",
    ),
    "a late failure prolongs the wait": (
        """    if b.state is CircuitState.OPEN:
        return b
    if b.state is CircuitState.CLOSED and b.failures + 1""",
        """    if b.state is CircuitState.OPEN:
        return replace(b, opened_at=now)
    if b.state is CircuitState.CLOSED and b.failures + 1""",
    ),
    "neutral keeps the slot": (
        """    if b.state is CircuitState.HALF_OPEN:
        return replace(b, probe_started=None)""",
        """    if b.state is CircuitState.HALF_OPEN:
        return b""",
    ),
    # Beyond the fourteen that a breaker is usually got wrong by:
    "a lost probe's token stays good": (
        "        return replace(b, probe_started=now, generation=b.generation + 1), True",
        "        return replace(b, probe_started=now), True",
    ),
    "successes survive a failed probe": (
        "state=CircuitState.HALF_OPEN, successes=0, probe_started=None",
        "state=CircuitState.HALF_OPEN, successes=b.trips - 1, probe_started=None",
    ),
    "waits do not grow": (
        "rules.backoff_multiplier ** (trips - 1)",
        "1",
    ),
    "growth has no limit": (
        "        return min(rules.longest_wait, rules.recovery_timeout * ",
        "        return max(0.0, rules.recovery_timeout * ",
    ),
    "jitter shortens": (
        "* (1 + rules.jitter * draw)",
        "* (1 - rules.jitter * draw)",
    ),
    "a reset keeps its generation": (
        "    return Breaker(generation=b.generation + 1)",
        "    return Breaker(generation=b.generation)",
    ),
    "a guard says nothing when the block raises": (
        """        try:
            yield permit
        finally:
            if permit:
                report[permit.verdict](permit.token)""",
        """        yield permit
        if permit:
            report[permit.verdict](permit.token)""",
    ),
}


def compiled(source, name):
    """`source` as a module; known under its name while it lives, since frozen records look their module up."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, f"<{name}>", "exec"), module.__dict__)
    return module


def check(source, name):
    """Send a version of the product through the state machine; raises what it finds."""
    module = compiled(source, name)
    try:
        run_state_machine_as_test(breaker_machine(module), settings=CHECK)
    finally:
        del sys.modules[name]


def test_the_product_itself_passes():
    check(SOURCE, "breaker_as_delivered")


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_each_fault_is_noticed(text, fault):
    assert SOURCE.count(text) == 1, "the text this fault replaces is not in the product exactly once: update the fault"
    with pytest.raises(AssertionError):
        check(SOURCE.replace(text, fault), "breaker_with_a_fault")
