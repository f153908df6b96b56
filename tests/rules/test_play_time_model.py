"""Random histories of the play time of a scene: viewings, what others add and reset, and requests that are lost or late.

The model keeps a book of its own: what others have added, and what was played in Plex. Whenever everything has come to
rest, nothing was sent twice, nothing of others' is missing, and after an undo their total is there, to the last digit.
"""

import os
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from plexsync.rules.plays.play_time import RememberedTime, TimePlan, TimeWish, plan_time
from plexsync.rules.plays.play_wishes import REDO, UNDO

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
LONGEST = 240_000
# No two viewings are of one length, and none of one that others add: equal totals of different histories can't be told.
SECONDS, OF_OTHERS = st.sampled_from([0.1, 7.25, 30.0, 61.7]), st.sampled_from([11.53719, 45.12531, 1000.06173])
CLOSE = 0.005
# What becomes of a request: it is answered; it arrives at once or later, or never, and nobody hears of it; it is not sent.
FATES = ("answered", "unheard", "unheard", "late", "lost", "withdrawn")
# What can arrive of one that takes back: all of it, the reset alone, or what is added alone, since the reset failed.
PARTS = ("all", "reset", "add")


@dataclass
class Request:
    """A request that may still arrive."""

    adding: float
    restores: bool
    part: str
    until: int


class PlayTime(RuleBasedStateMachine):
    """One scene."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000_000
        self.total = self.others = 0.0
        self.viewed = self.sent = 0.0
        self.memory: RememberedTime | None = None
        self.under_way: list[Request] = []
        self.serial = 0
        # Whether others have added anything since PlexSync was there, and whether they have while a request was open.
        self.is_shared = self.is_blurred = False
        # Whether only a part of a request to take back has arrived.
        self.is_torn = False

    @initialize(seconds=st.sampled_from([0.0, 0.1 + 0.2, 1234.5678]))
    def others_were_there_before(self, seconds: float) -> None:
        self.total = self.others = seconds

    # --- people ------------------------------------------------------------------------------------------------------

    @rule(seconds=SECONDS)
    def somebody_watches_in_plex(self, seconds: float) -> None:
        self.serial += 1
        self.viewed += seconds + self.serial * 0.0137

    def is_being_reset(self) -> bool:
        return any(request.restores for request in self.under_way)

    @precondition(lambda self: not (self.is_being_reset() or self.is_torn))
    @rule(seconds=OF_OTHERS)
    def others_add(self, seconds: float) -> None:
        """Not while a reset is on its way: Stash would reset this as well, and nobody can prevent that.

        Nor before PlexSync knows that a request has arrived in part: no total tells of that and of more than it was.
        """
        self.serial += 1
        seconds += self.serial * 0.0193
        self.total += seconds
        self.others += seconds
        self._note_others()

    @precondition(lambda self: not self.is_being_reset() and not (self.memory and self.memory.restores))
    @rule()
    def others_reset(self) -> None:
        """PlexSync looks before anything is added: no total tells of a reset and of more than it was.

        Nor while the end of an undo is unknown, of which the reset alone may have arrived.
        """
        self.total = self.others = 0.0
        self._note_others()
        self.is_blurred |= self.memory is not None
        self.plexsync_looks("lost", "all")

    def _note_others(self) -> None:
        self.is_shared |= self.memory is not None
        self.is_blurred |= self.memory is not None and self.memory.adding is not None

    @rule()
    def a_person_undoes_it(self) -> None:
        if self.memory and (wished := UNDO.time(self.memory)):
            self.memory = wished

    @precondition(lambda self: not (self.memory and self.memory.restores))
    @rule()
    def a_person_redoes_it(self) -> None:
        """Not while the end of an undo is unknown: of that, what is added may have arrived alone, and would stay."""
        if self.memory and (wished := REDO.time(self.memory)):
            self.memory = wished

    # --- PlexSync and the way to Stash -------------------------------------------------------------------------------

    def plan(self) -> TimePlan:
        return plan_time(self.total, self.memory, self.viewed - self.sent, now=self.now, longest=LONGEST)

    @rule(fate=st.sampled_from(FATES), part=st.sampled_from(PARTS))
    def plexsync_looks(self, fate: str, part: str) -> None:
        plan = self.plan()
        if self.memory and self.memory.adding is not None and not plan.wait_until:
            assert not self.under_way or self.is_blurred, "it counts as ended, and is on its way"
            self.is_torn = False
        if plan.resolved:
            self.memory = plan.resolved
        if plan.send is None:
            return
        assert not self.under_way or self.is_blurred, "two requests are on their way at once"
        assert plan.send.adding is not None
        self.memory = replace(plan.send, until=self.now + LONGEST)
        if not plan.send.restores:
            self.sent = self.viewed
        if fate == "withdrawn":
            self.memory = self.memory.unsent()
            return
        request = Request(
            plan.send.adding, plan.send.restores, part if fate != "answered" else "all", self.memory.until
        )
        if fate == "late":
            self.under_way.append(request)
        elif fate != "lost":
            self._arrives(request)
        if fate == "answered":
            self.memory = self.memory.answered()
            self.is_torn = False

    def _arrives(self, request: Request) -> None:
        if request.restores:
            self.is_torn = request.part != "all"
            self.total = self.total if request.part == "add" else 0.0
            self.total += 0.0 if request.part == "reset" else request.adding
        else:
            self.total += request.adding

    @rule(seconds=st.integers(1, 300))
    def time_passes(self, seconds: int) -> None:
        self.now += 1000 * seconds
        while self.under_way and self.now >= self.under_way[0].until:
            self.it_arrives_late()

    @precondition(lambda self: self.under_way)
    @rule()
    def it_arrives_late(self) -> None:
        self._arrives(self.under_way.pop(0))

    @precondition(lambda self: self.memory is not None)
    @rule()
    def all_comes_to_rest(self) -> None:
        while self.under_way:
            self.it_arrives_late()
        self.now += 2 * LONGEST
        for _ in range(6):
            self.plexsync_looks("answered", "all")
        assert self.plan() == TimePlan(), "at rest, something is still to be done"
        self._judge()

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge(self) -> None:
        ours = self.total - self.others
        assert ours >= -CLOSE, f"others had added {self.others}, and {self.total} are left"
        assert ours <= self.viewed + CLOSE, f"{ours} s were sent, of {self.viewed}"
        memory = self.memory
        if self.is_blurred or memory is None:
            return
        assert abs(ours - (self.viewed - memory.withdrawn)) <= CLOSE
        if memory.own_part <= CLOSE and not self.is_shared:
            assert self.total == self.others, "what was there before is not there to the last digit"

    @invariant()
    def what_is_taken_back_is_never_more_than_what_was_played(self) -> None:
        if self.memory:
            assert self.memory.withdrawn + self.memory.owed <= self.viewed + CLOSE
            assert self.memory.wish in TimeWish


TestPlayTime = PlayTime.TestCase
TestPlayTime.settings = settings(
    max_examples=10_000 if TORTURE else 600,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
