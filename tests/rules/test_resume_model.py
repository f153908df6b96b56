"""Random histories of the resume point of a scene: in Plex, by a person in Stash, and by requests that are killed or late.

The model keeps a book of its own: where a person would expect the scene to be resumed. Whenever everything has come to
rest, Stash agrees with it.
"""

import os
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import REDO
from plexsync.rules.plays.resume import RememberedResume, ResumePlan, Watched, has_written, newest, plan_resume

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
ITEMS = ("71", "72")
OFFSETS = st.sampled_from([0, 10_000, 20_000, 30_000, 90_000])
LENGTH = 60_000
# A request takes effect within LEASE after it was saved, or never (UTC ms).
LEASE, DEADLINE = 120_000, 60_000
LONGEST = LEASE + 2 * DEADLINE


@dataclass
class Request:
    """A request that was given up by its sender."""

    position: int
    until: int


class Resume(RuleBasedStateMachine):
    """One scene with two items."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000_000_000
        self.viewings = dict.fromkeys(ITEMS, ViewState())
        self.position = 0
        self.played_at = 0
        self.memory: RememberedResume | None = None
        self.under_way: Request | None = None
        # Where a person expects the scene to be resumed; None where nobody could tell.
        self.expected: int | None = 0
        # The position that was there before PlexSync wrote one, while what it wrote is there.
        self.before: int | None = None
        # The newest viewing that a look has met, and whether there is a later one.
        self.met: Watched | None = None

    # --- Plex and the person -------------------------------------------------------------------------------------------

    @rule(item=st.sampled_from(ITEMS), offset=OFFSETS, seconds=st.integers(1, 50))
    def somebody_watches(self, item: str, offset: int, seconds: int) -> None:
        self.time_passes(seconds, arrives=False)
        count = self.viewings[item].count + (offset == 0)
        self.viewings[item] = ViewState(count, self.now // 1000, offset)

    @precondition(lambda self: self.is_settled())
    @rule(item=st.sampled_from(ITEMS))
    def an_item_is_marked_as_unwatched(self, item: str) -> None:
        self.viewings[item] = ViewState()

    @precondition(lambda self: self.is_settled())
    @rule(position=OFFSETS, is_play=st.booleans())
    def a_person_moves_it_in_stash(self, position: int, is_play: bool) -> None:
        """While a request is open nobody can tell whose position it is, so the person waits."""
        self.now += 1000
        self.position = self.expected = position
        # Where PlexSync has left it, it counts as PlexSync's.
        self.before = self.memory.before if self.memory and position == self.memory.position else None
        if is_play:
            self.played_at = self.now // 1000

    @precondition(lambda self: self.is_settled() and self.memory)
    @rule()
    def a_person_undoes_it(self) -> None:
        if not has_written(self.memory):
            return
        self.memory = replace(self.memory, undone=TakenBack.UNDO)
        last = self.later()
        if last and self.played_at <= last.viewing.moment:
            # The later viewing is written, as if the undo had come to its end before.
            return
        if self.before is not None:
            self.expected = self.before

    @precondition(lambda self: self.is_settled() and self.memory)
    @rule()
    def a_person_redoes_it(self) -> None:
        if self.memory.undone:
            self.memory = REDO.resume(self.memory)
            self.met = None

    # --- PlexSync and the way to Stash ---------------------------------------------------------------------------------

    def is_settled(self) -> bool:
        """Whether no request is open, or about to be."""
        memory = self.memory
        return self.under_way is None and (
            memory is None or (memory.sending is None and not (memory.undone and has_written(memory)))
        )

    def later(self) -> Watched | None:
        """The newest viewing, if no look has met it."""
        last = newest(self.viewings)
        if last is None or last == self.met or (self.met and last.viewing.moment <= self.met.viewing.moment):
            return None
        return last

    def plan(self) -> ResumePlan:
        return plan_resume(
            newest(self.viewings),
            self.position,
            self.memory,
            duration=LENGTH,
            played_at=self.played_at,
            now=self.now,
            longest=LONGEST,
        )

    def expect(self) -> None:
        """What a person expects of a look: a later viewing counts, unless Stash was played since, or nobody can tell."""
        last = self.later()
        if last is None:
            return
        is_known = self.met is not None or self.memory is not None or self.position == 0 or self.played_at
        self.met = last
        if not is_known or self.played_at > last.viewing.moment:
            return
        if self.before is None:
            self.before = self.position
        self.expected = last.viewing.offset if last.viewing.offset < LENGTH * 0.98 else 0

    @rule(end=st.sampled_from(["answered", "killed before", "killed after", "given up"]))
    def look(self, end: str) -> None:
        plan = self.plan()
        if not plan.wait_until:
            self.expect()
        if plan.resolved:
            self.memory = plan.resolved
        if plan.send is None:
            return
        position, until = plan.send.sending, self.now + LEASE
        self.memory = replace(plan.send, until=until)
        if end == "given up":
            self.under_way = Request(position, until)
        elif end != "killed before":
            self.position = position
        if end == "answered":
            self.memory = replace(self.memory, until=0)
            after = plan_resume(None, position, self.memory, duration=0, played_at=0, now=self.now, longest=0)
            self.memory = after.resolved

    @precondition(lambda self: self.under_way)
    @rule()
    def a_request_arrives(self) -> None:
        self.position, self.under_way = self.under_way.position, None

    @rule(seconds=st.sampled_from([1, 30, LEASE // 1000]), arrives=st.booleans())
    def time_passes(self, seconds: int, arrives: bool) -> None:
        self.now += seconds * 1000
        if self.under_way and self.under_way.until <= self.now:
            if arrives:
                self.position = self.under_way.position
            self.under_way = None

    # --- what must be so -----------------------------------------------------------------------------------------------

    @invariant()
    def a_request_under_way_is_known(self) -> None:
        assert (
            self.under_way is None
            or self.memory is None
            or self.memory.sending is not None
            or (self.position == self.under_way.position)
        )

    @rule()
    def everything_comes_to_rest(self) -> None:
        for _ in range(6):
            self.time_passes(LEASE // 1000, arrives=True)
            self.look("answered")
        assert self.plan() == ResumePlan()
        assert self.position == self.expected, self.memory


TestResume = Resume.TestCase
TestResume.settings = settings(
    max_examples=3_000 if TORTURE else 300,
    stateful_step_count=40,
    derandomize=not TORTURE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
