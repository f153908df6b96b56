"""The circuit breaker against a second telling of its rules.

`Story` knows a breaker only as the list of what happened to it, and answers every question by looking back through that
list; it has no counters and shares no code with the product. A state machine sends both through random lives, and a walk
through all short lives does the same without chance. `PLEXSYNC_TORTURE=1` makes both longer.
"""

import os
from dataclasses import astuple, dataclass, replace
from itertools import takewhile
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from worker import circuit_breaker

TORTURE = os.environ.get("PLEXSYNC_TORTURE") == "1"
LIVES, STEPS, WALK = (2_000, 100, 7) if TORTURE else (350, 50, 5)

# What a story is made of: (what, when, ...).
TURNS = ("closed", "opened", "tried")  # each begins a chapter, and the state is named after the last of them
BREAKS = (*TURNS, "lost")  # what makes earlier tokens void


@dataclass(frozen=True)
class Story:
    """What happened to a breaker, oldest first, and what follows from it."""

    rules: object
    log: tuple = (("closed", 0.0),)

    def plus(self, *marks):
        return replace(self, log=self.log + marks)

    def chapter(self):
        """The marks since the state last turned, the turn first."""
        start = max(at for at, mark in enumerate(self.log) if mark[0] in TURNS)
        return self.log[start:]

    def phase(self):
        return self.chapter()[0][0]

    def failures_in_a_row(self):
        return len(list(takewhile(lambda mark: mark[0] == "failed", reversed(self.chapter()))))

    def successes(self):
        return sum(mark[0] == "well" for mark in self.chapter())

    def openings(self):
        """How often it opened since it was last closed."""
        return sum(mark[0] == "opened" for mark in takewhile(lambda mark: mark[0] != "closed", reversed(self.log)))

    def rest_is_over(self, now):
        """Whether the wait of the last opening, counted from its last known moment, has passed."""
        wait = self.chapter()[0][2]
        since = [mark[1] for mark in self.chapter() if mark[0] in ("opened", "moved")][-1]
        return since + wait <= now

    def holder(self):
        """When the probe in flight went, as far as is known; None if nobody holds the slot."""
        about_the_slot = [mark for mark in self.chapter() if mark[0] in ("probe", "free", "moved")]
        return about_the_slot[-1][1] if about_the_slot and about_the_slot[-1][0] != "free" else None

    def lease_is_over(self, now):
        lease = self.rules.probe_lease or max(60.0, self.rules.recovery_timeout)
        return self.holder() + lease <= now

    def told(self, now):
        """The story up to a call that may change it: stamps from the future are moved, and a rest may end."""
        story = self
        if story.phase() == "opened":
            if now < [mark[1] for mark in story.chapter() if mark[0] in ("opened", "moved")][-1]:
                story = story.plus(("moved", now))
            if story.rest_is_over(now):
                story = story.plus(("tried", now))
        elif story.phase() == "tried" and story.holder() is not None and now < story.holder():
            story = story.plus(("moved", now))
        return story

    def is_void(self, ticket):
        """A ticket is how long the story was when it was handed out."""
        return ticket is not None and any(mark[0] in BREAKS for mark in self.log[ticket:])

    def asked(self, now):
        story = self.told(now)
        if story.phase() == "closed":
            return story, True
        if story.phase() == "opened":
            return story, False
        if story.holder() is None:
            return story.plus(("probe", now)), True
        if story.lease_is_over(now):
            return story.plus(("lost", now), ("probe", now)), True
        return story, False

    def went_well(self, now, ticket=None):
        if self.is_void(ticket):
            return self
        story = self.told(now)
        if story.phase() == "opened":
            return story
        story = story.plus(("well", now))
        if story.phase() == "tried":
            enough = story.successes() == self.rules.success_threshold
            return story.plus(("closed", now)) if enough else story.plus(("free", now))
        return story

    def failed(self, now, ticket=None, draw=0.0):
        if self.is_void(ticket):
            return self
        story = self.told(now)
        if story.phase() == "opened":
            return story
        story = story.plus(("failed", now))
        if story.phase() == "tried" or story.failures_in_a_row() == self.rules.failure_threshold:
            return story.plus(("opened", now, story.next_wait(draw)))
        return story

    def taught_nothing(self, now, ticket=None):
        if self.is_void(ticket):
            return self
        story = self.told(now)
        return story.plus(("free", now)) if story.phase() == "tried" else story

    def was_reset(self, now):
        return self.plus(("closed", now))

    def next_wait(self, draw):
        wait = self.rules.recovery_timeout
        for _ in range(self.openings()):
            wait *= self.rules.backoff_multiplier
        longest = max(self.rules.recovery_timeout, self.rules.max_recovery_timeout)
        return min(wait, longest) * (1 + self.rules.jitter * draw)

    def seen(self, now):
        if self.phase() == "opened" and self.rules.recovery_timeout > 0 and self.rest_is_over(now):
            return "half_open"
        return {"closed": "closed", "opened": "open", "tried": "half_open"}[self.phase()]

    def next_moment(self):
        """When waiting ends, if anything is being waited for."""
        if self.phase() == "opened":
            since = [mark[1] for mark in self.chapter() if mark[0] in ("opened", "moved")][-1]
            return since + self.chapter()[0][2]
        if self.phase() == "tried" and self.holder() is not None:
            return self.holder() + (self.rules.probe_lease or max(60.0, self.rules.recovery_timeout))
        return None


class Clock:
    """Stands in for the module `time`."""

    def __init__(self, now):
        self.now = now

    def time(self):
        return self.now


class RandomSource:
    """Stands in for the module `random`."""

    def __init__(self):
        self.draw = 0.0

    def random(self):
        return self.draw


RULES = st.fixed_dictionaries(
    {
        "failure_threshold": st.integers(1, 4),
        "recovery_timeout": st.sampled_from([0.0, 0.01, 0.05, 0.1, 1.0, 30.0, 60.0, 120]),
        "success_threshold": st.integers(1, 3),
        "probe_lease": st.sampled_from([None, 0.1, 45.0, 300]),
        "backoff_multiplier": st.sampled_from([1.0, 1, 2.0, 4.0]),
        "max_recovery_timeout": st.sampled_from([0.0, 60.0, 300.0, 900.0]),
        "jitter": st.sampled_from([0.0, 0.0, 0.125, 1]),
    }
)
WHILES = st.sampled_from([0.0, 0.001, 0.05, 0.1, 1.0, 29.5, 30.0, 59.99, 60.0, 61.0, 300.0, 4_000.0])
REPORTS = st.sampled_from(["success", "failure", "neutral"])


class Interrupt(BaseException):
    """Not an Exception, as KeyboardInterrupt is not."""


def breaker_machine(module):
    """A state machine that tries `module`, the product or a damaged copy of it, against a story and against a row."""

    class BreakerMachine(RuleBasedStateMachine):
        def __init__(self):
            super().__init__()
            self.clock, self.rng = Clock(0.0), RandomSource()
            self.patches = patch.multiple(module, time=self.clock, random=self.rng)
            self.patches.start()
            self.tickets = []
            self.heard = []

        def teardown(self):
            self.patches.stop()

        @initialize(arguments=RULES, start=st.sampled_from([0.0, 1_000.0, 1_700_000_000.0, 1_763_251_199.123]))
        def begin(self, arguments, start):
            self.clock.now = start
            self.rules = module.Rules(**arguments)
            self.breaker = module.CircuitBreaker(**arguments, on_transition=lambda *turn: self.heard.append(turn))
            self.row = astuple(module.Breaker())
            self.story = Story(self.rules)

        # What the same rules make of a row of plain values.

        def stored(self):
            state, *rest = self.row
            return module.Breaker(module.CircuitState(state), *rest)

        def keep(self, record):
            state, *rest = astuple(record)
            self.row = (state.value, *rest)

        # Time passes.

        @rule(seconds=WHILES)
        def later(self, seconds):
            self.clock.now += seconds

        @rule(seconds=WHILES)
        def set_back(self, seconds):
            self.clock.now = max(0.0, self.clock.now - seconds)

        @precondition(lambda self: self.story.next_moment() is not None)
        @rule()
        def until_the_wait_is_over(self):
            self.clock.now = self.story.next_moment()

        @precondition(lambda self: (self.story.next_moment() or 0.0) > 0.5)
        @rule()
        def until_just_before_the_wait_is_over(self):
            self.clock.now = self.story.next_moment() - 0.001

        # Someone asks, and may never be heard of again.

        @rule()
        def ask(self):
            self.expect_answer(self.breaker.can_execute())

        @rule()
        def take_a_token(self):
            token = self.breaker.acquire()
            if self.expect_answer(token is not None):
                self.tickets.append((token, len(self.story.log)))

        def expect_answer(self, answer):
            self.story, expected = self.story.asked(self.clock.now)
            record, from_row = module.after_request(self.stored(), self.rules, self.clock.now)
            self.keep(record)
            assert type(answer) is bool
            assert answer is expected is from_row
            return answer

        # Someone reports.

        @rule(outcome=REPORTS, draw=st.sampled_from([0.0, 0.5, 0.75]))
        def report(self, outcome, draw):
            self.expect_report(outcome, None, None, draw)

        @precondition(lambda self: self.tickets)
        @rule(outcome=REPORTS, nth=st.integers(0, 20), draw=st.sampled_from([0.0, 0.5]))
        def report_with_a_token(self, outcome, nth, draw):
            self.expect_report(outcome, *self.tickets[-1 - nth % len(self.tickets)], draw)

        def expect_report(self, outcome, token, ticket, draw):
            self.rng.draw = draw
            before = self.breaker.snapshot()
            getattr(self.breaker, f"record_{outcome}")(token)
            self.follow(outcome, token, ticket, draw)
            after = self.breaker.snapshot()
            if self.story_before.is_void(ticket):
                assert after == before, "a void report left a trace"
            if outcome == "neutral":
                assert (after.failures, after.trips) == (before.failures, before.trips)
                assert after.state is before.state or before.state.value == "open"
                assert after.state.value != "closed" or before.state.value == "closed"

        def follow(self, outcome, token, ticket, draw):
            now, stored = self.clock.now, self.stored()
            self.story_before = self.story
            if outcome == "success":
                self.story = self.story.went_well(now, ticket)
                self.keep(module.after_success(stored, self.rules, now, token))
            elif outcome == "failure":
                self.story = self.story.failed(now, ticket, draw)
                self.keep(module.after_failure(stored, self.rules, now, token, draw))
            else:
                self.story = self.story.taught_nothing(now, ticket)
                self.keep(module.after_neutral(stored, self.rules, now, token))

        @rule(said=st.sampled_from(["success", "failure", "neutral", None]), raised=st.sampled_from([None, Interrupt]))
        def go_guarded(self, said, raised):
            self.rng.draw = 0.0
            try:
                with self.breaker.guard() as permit:
                    admitted = self.expect_answer(bool(permit))
                    ticket = len(self.story.log)
                    if said:
                        getattr(permit, said)()
                    if raised:
                        raise raised
            except Interrupt:
                assert raised
            if admitted:
                self.follow(said or "neutral", permit.token, ticket, 0.0)

        # Longer stretches, which single steps seldom add up to.

        @rule(draw=st.sampled_from([0.0, 0.75]))
        def fail_until_it_opens(self, draw):
            for _ in range(self.rules.failure_threshold):
                self.expect_report("failure", None, None, draw)

        @rule(times=st.integers(1, 3))
        def send_probes_when_due(self, times):
            for _ in range(times):
                self.clock.now = self.story.next_moment() or self.clock.now
                self.take_a_token()

        @rule(times=st.integers(1, 3), draw=st.sampled_from([0.0, 0.75]))
        def fail_when_due(self, times, draw):
            for _ in range(times):
                self.clock.now = self.story.next_moment() or self.clock.now
                self.ask()
                self.expect_report("failure", None, None, draw)

        @rule()
        def reset(self):
            self.breaker.reset()
            self.story = self.story.was_reset(self.clock.now)
            self.keep(module.after_reset(self.stored()))
            assert replace(self.breaker.snapshot(), generation=1) == module.Breaker()

        # What holds at every moment.

        @invariant()
        def tells_the_same_story(self):
            seen = [self.breaker.state.value for _ in range(3)]
            assert seen == [self.story.seen(self.clock.now)] * 3
            b = self.breaker.snapshot()
            assert b.trips == self.story.openings()
            if b.state.value == "closed":
                assert b.failures == self.story.failures_in_a_row()
            if b.state.value == "half_open":
                assert b.successes == self.story.successes()
                assert (b.probe_started is None) is (self.story.holder() is None)
            assert module.next_probe_at(b, self.rules) == self.story.next_moment()

        @invariant()
        def agrees_with_the_row(self):
            assert self.breaker.snapshot() == self.stored()

        @invariant()
        def waits_neither_too_short_nor_too_long(self):
            b, rules = self.breaker.snapshot(), self.rules
            if b.state.value == "open":
                longest = max(rules.recovery_timeout, rules.max_recovery_timeout)
                assert rules.recovery_timeout <= b.wait <= longest * (1 + rules.jitter)

        @invariant()
        def is_never_stuck(self):
            b, now = self.breaker.snapshot(), self.clock.now
            b, goes = module.after_request(b, self.rules, now)
            if not goes:
                moment = module.next_probe_at(b, self.rules)
                assert now < moment
                assert moment - now <= max(b.wait, self.rules.lease) + 1e-6
                assert module.after_request(b, self.rules, moment)[1]

        @invariant()
        def announced_each_turn_once(self):
            for (_, to), (out_of, _) in zip(self.heard, self.heard[1:], strict=False):
                assert to is out_of
            last = self.heard[-1][1].value if self.heard else "closed"
            assert last == self.breaker.snapshot().state.value
            assert all(old is not new for old, new in self.heard)

    return BreakerMachine


TestBreakerLives = breaker_machine(circuit_breaker).TestCase
TestBreakerLives.settings = settings(
    max_examples=LIVES,
    stateful_step_count=STEPS,
    derandomize=not TORTURE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
if TORTURE:
    TestBreakerLives = pytest.mark.timeout(3_600)(TestBreakerLives)


# --- all short lives -----------------------------------------------------------------------------------------------

WALKS = {
    "plain": {"failure_threshold": 2, "recovery_timeout": 10.0},
    "two successes": {"failure_threshold": 1, "recovery_timeout": 10.0, "success_threshold": 2, "probe_lease": 12.0},
    "growing": {"failure_threshold": 1, "recovery_timeout": 5.0, "backoff_multiplier": 2.0, "probe_lease": 4.0},
    "no wait": {"failure_threshold": 2, "recovery_timeout": 0.0, "probe_lease": 10.0},
}


def one_step_further(b, story, rules, now):
    """All that can happen next: the record, the story and the moment after it. Answers are compared on the way."""
    new, answer = circuit_breaker.after_request(b, rules, now)
    told, expected = story.asked(now)
    assert answer is expected
    yield "ask", new, told, now
    yield "success", circuit_breaker.after_success(b, rules, now), story.went_well(now), now
    yield "failure", circuit_breaker.after_failure(b, rules, now), story.failed(now), now
    yield "neutral", circuit_breaker.after_neutral(b, rules, now), story.taught_nothing(now), now
    yield "reset", circuit_breaker.after_reset(b), story.was_reset(now), now
    yield "a while", b, story, now + 4.0
    yield "a wait", b, story, now + 10.0
    yield "set back", b, story, now - 15.0


def walk(b, story, rules, now, steps, path=()):
    """Visit every life of `steps` steps; how many there were."""
    if not steps:
        return 1
    lives = 0
    for name, after, told, then in one_step_further(b, story, rules, now):
        at = (*path, name)
        assert circuit_breaker.seen_state(after, rules, then).value == told.seen(then), at
        assert circuit_breaker.next_probe_at(after, rules) == told.next_moment(), at
        lives += walk(after, told, rules, then, steps - 1, at)
    return lives


@pytest.mark.timeout(3_600 if TORTURE else 900)
@pytest.mark.parametrize("arguments", WALKS.values(), ids=WALKS)
def test_every_short_life_goes_as_told(arguments):
    rules = circuit_breaker.Rules(**arguments)
    assert walk(circuit_breaker.Breaker(), Story(rules), rules, 1_000.0, WALK) == 8**WALK
