"""Random histories of the plays of a scene: in Plex, by a person in Stash, and by requests that are killed or late.

The model keeps books of its own: which rows of a second a person would count in Stash. Where PlexSync has added one,
all rows of that second are PlexSync's, and one of them stays. The rules see only how many rows
there are. Whenever everything has come to rest, both agree.
"""

import os
from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_wishes import REDO
from plexsync.rules.plays.plays import Moments, PlayPlan, PlaySource, PlayState, RememberedPlay, plan_plays

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
MOMENTS = st.integers(1, 2)
# A request takes effect within LEASE after it was saved, or never; a late one, later.
LEASE, DEADLINE = 120, 60
LONGEST = LEASE + 2 * DEADLINE
UNFINISHED = (PlayState.ADDING, PlayState.REMOVING)
OURS = (PlayState.ADDING, PlayState.SENT, PlayState.REMOVING)


@dataclass
class Request:
    """A request that was given up by its sender."""

    adds: bool
    moments: Moments
    until: int
    is_late: bool


class Plays(RuleBasedStateMachine):
    """One scene."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.plex: dict[int, PlaySource] = {}
        self.stash: Counter[int] = Counter()
        self.memory: dict[int, RememberedPlay] = {}
        self.under_way: list[Request] = []
        # The rows that a person would count, and the moments at which nobody could tell.
        self.expected: Counter[int] = Counter()
        self.in_doubt: set[int] = set()
        self.decided: set[int] = set()
        self.by_person: set[int] = set()
        self.undone: set[int] = set()

    # --- Plex and the person -------------------------------------------------------------------------------------------

    @rule(moment=MOMENTS)
    def plex_lists(self, moment: int) -> None:
        self.plex[moment] = PlaySource("71", str(moment))

    @rule(moment=MOMENTS)
    def plex_prunes(self, moment: int) -> None:
        self.plex.pop(moment, None)

    @rule(moment=MOMENTS, careless=st.booleans())
    def a_person_adds_a_row(self, moment: int, careless: bool) -> None:
        self.change_by_hand(moment, +1, careless)

    @precondition(lambda self: self.stash.total())
    @rule(moment=MOMENTS, careless=st.booleans())
    def a_person_deletes_a_row(self, moment: int, careless: bool) -> None:
        if self.stash[moment]:
            self.change_by_hand(moment, -1, careless)

    def change_by_hand(self, moment: int, rows: int, careless: bool) -> None:
        """While a request for this second is open, or about to be, nobody can tell its row from the person's."""
        play = self.memory.get(moment)
        if play and (play.state in UNFINISHED or (play.undone and play.state is PlayState.SENT)):
            if not careless:
                return
            self.in_doubt.add(moment)
        self.by_person.add(moment)
        self.stash[moment] += rows
        self.expected[moment] = max(0, self.expected[moment] + rows)
        if play and play.state is PlayState.SENT:
            # One row beside PlexSync's may as well be of a request that arrived twice.
            self.expected[moment] = min(1, self.stash[moment])

    @rule()
    def a_person_undoes_all(self) -> None:
        for moment, play in self.memory.items():
            if play.state in OURS and not play.undone:
                self.memory[moment] = replace(play, undone=TakenBack.UNDO)
                self.undone.add(moment)
                # A play that is not there, or not there yet, is taken back by not sending it.
                if self.expected[moment]:
                    self.expected[moment] -= 1

    @rule(moment=MOMENTS)
    def a_person_redoes(self, moment: int) -> None:
        play = self.memory.get(moment)
        if play is None or moment not in REDO.choose({moment: play}):
            return
        after = REDO.choose({moment: play})[moment]
        self.undone.discard(moment)
        if after is None:
            del self.memory[moment]
            self.decided.discard(moment)
        else:
            self.memory[moment] = after
            self.expected[moment] = 1
            if moment in self.by_person or moment not in self.plex:
                # Nobody can tell a row of the person's from one that is added again.
                self.in_doubt.add(moment)

    # --- PlexSync and the way to Stash ---------------------------------------------------------------------------------

    @rule(end=st.sampled_from(["answered", "killed before", "killed after", "given up", "given up, late"]))
    def look(self, end: str) -> None:
        for moment in self.plex.keys() - self.decided:
            # The first look decides whose it is.
            if moment not in self.memory:
                self.expected[moment] += not self.stash[moment]
                self.decided.add(moment)
        plan = self.plan()
        self.save(plan.resolved)
        if not plan.add and not plan.remove:
            return
        until = self.now + LEASE
        self.save(plan.begin(until))
        for adds, moments in ((True, plan.add), (False, plan.remove)):
            if moments is None or end == "killed before":
                continue
            request = Request(adds, moments, until, is_late=end == "given up, late" and adds)
            if end.startswith("given up"):
                self.under_way.append(request)
            else:
                self.take_effect(request)
        if end == "answered":
            self.memory.update(plan.begin(0))
            self.save(self.plan().resolved)

    @rule(moment=MOMENTS, end=st.sampled_from(["killed after", "given up", "answered"]))
    def a_request_is_late_and_sent_again(self, moment: int, end: str) -> None:
        self.plex_lists(moment)
        self.look("given up, late")
        self.time_passes(LEASE, arrives=False)
        self.look(end)

    @rule(moment=MOMENTS, end=st.sampled_from(["killed after", "given up"]), arrives=st.booleans())
    def a_play_beside_a_persons_is_undone(self, moment: int, end: str, arrives: bool) -> None:
        self.plex_lists(moment)
        self.everything_comes_to_rest()
        self.change_by_hand(moment, +1, careless=False)
        self.a_person_undoes_all()
        self.look(end)
        self.time_passes(30, arrives)
        self.look("answered")

    def plan(self) -> PlayPlan:
        return plan_plays(self.plex, self.stash, self.memory, now=self.now, longest=LONGEST)

    def save(self, plays) -> None:
        for moment, play in plays.items():
            if play is None:
                # It never arrived, and Plex lists it no longer.
                del self.memory[moment]
                self.decided.discard(moment)
                self.expected[moment] -= moment not in self.in_doubt
            else:
                self.memory[moment] = play

    def take_effect(self, request: Request) -> None:
        for moment in request.moments.seconds:
            if request.adds:
                self.stash[moment] += 1
            elif self.stash[moment]:
                self.stash[moment] -= 1

    @precondition(lambda self: self.under_way)
    @rule(number=st.integers(0, 9))
    def a_request_arrives(self, number: int) -> None:
        self.take_effect(self.under_way.pop(number % len(self.under_way)))

    @rule(seconds=st.sampled_from([1, 30, LEASE, LEASE + 1]), arrives=st.booleans())
    def time_passes(self, seconds: int, arrives: bool) -> None:
        self.now += seconds
        for request in [one for one in self.under_way if one.until <= self.now]:
            if not request.is_late:
                self.under_way.remove(request)
                if arrives:
                    self.take_effect(request)

    def drop_late(self) -> None:
        """A late request is still late while one of its plays waits for the end of another try, and never later."""
        for request in [one for one in self.under_way if one.is_late and one.until <= self.now]:
            plays = [self.memory.get(moment) for moment in request.moments.seconds]
            if any(play is None or play.state is not PlayState.ADDING for play in plays):
                self.under_way.remove(request)

    # --- what must be so -----------------------------------------------------------------------------------------------

    @invariant()
    def nothing_is_sent_twice_that_may_still_arrive(self) -> None:
        self.drop_late()
        adds = [one for one in self.under_way if one.adds and not one.is_late]
        adding = Counter(moment for one in adds for moment in one.moments.seconds if moment not in self.in_doubt)
        assert not adding or max(adding.values()) == 1

    @rule()
    def everything_comes_to_rest(self) -> None:
        for _ in range(30):
            self.time_passes(LEASE, arrives=True)
            self.look("answered")
            self.drop_late()
        assert not self.under_way or all(one.is_late for one in self.under_way)
        plan = self.plan()
        assert (plan.add, plan.remove, plan.resolved, plan.wait_until) == (None, None, {}, 0)
        for moment in (set(self.plex) | set(self.memory)) - self.in_doubt:
            assert self.stash[moment] == self.expected[moment], (moment, self.memory.get(moment))
            if moment in self.plex and moment not in self.by_person | self.undone:
                assert self.stash[moment] == 1
        self.expected = Counter(self.stash)
        self.in_doubt.clear()


TestPlays = Plays.TestCase
TestPlays.settings = settings(
    max_examples=3_000 if TORTURE else 300,
    stateful_step_count=40,
    derandomize=not TORTURE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
