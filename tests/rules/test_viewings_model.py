"""Random histories of what is watched of a scene, with hours between: each is one play in Stash, whatever is known of it.

A viewing is heard from its beginning to its end, or a part of it, or not at all. Its row of Plex's history comes sooner or
later, or never. A person deletes plays, takes them back and wants them again, and all memory is lost. The model knows what
was watched, and counts; the rules see what was heard, the rows, and the plays in Stash.
"""

import os
from collections import Counter
from dataclasses import dataclass

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from plexsync.rules.plays.play_wishes import REDO, UNDO, PlayWish
from plexsync.rules.plays.plays import PlaySource, RememberedPlay, plan_plays
from plexsync.rules.plays.viewings import STASH, Viewing, twins, viewed_plays
from plexsync.rules.queue.events import SessionState

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
LENGTH, HOURS, LEAST = 600, 6 * 3600, 30
# What is heard of a viewing: from which second of it until which, and whether it is heard to stop.
HEARD = {
    "all": (0, LENGTH, True),
    "its beginning": (0, 100, False),
    "its end": (400, LENGTH, True),
    "its midst": (300, 400, False),
    "a moment": (0, 10, False),
    "nothing": None,
}


@dataclass
class Watched:
    """What was watched from `began` on. `row`: the moment of its row of the history, 0 if it has none."""

    began: int
    row: int
    is_play: bool

    @property
    def span(self) -> range:
        return range(self.began, self.began + LENGTH + 1)


class Room(RuleBasedStateMachine):
    """One scene, and one item of it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000_000
        self.watched: list[Watched] = []
        self.viewings: list[Viewing] = []
        self.late: dict[int, PlaySource] = {}
        self.rows: dict[int, PlaySource] = {}
        self.stash: Counter[int] = Counter()
        self.memory: dict[int, RememberedPlay] = {}
        # What was taken back, and the play of it in Stash.
        self.is_undone = False

    # --- what is watched ---------------------------------------------------------------------------------------------

    @rule(heard=st.sampled_from(sorted(HEARD)), has_row=st.booleans())
    def watch(self, heard: str, has_row: bool) -> None:
        self.now += HOURS
        began, part = self.now, HEARD[heard]
        row = began + LENGTH if has_row else 0
        is_play = has_row
        if part is not None:
            first, last, stops = part
            is_met = last - first >= LEAST
            is_play |= is_met
            self.viewings.append(
                Viewing(
                    1,
                    "71",
                    began + first,
                    str(began),
                    length=LENGTH * 1000,
                    ended=began + last,
                    state=SessionState.STOPPED if stops else SessionState.PLAYING,
                    joined=first > 0,
                    moment=began + first + LEAST if is_met else 0,
                )
            )
        if row:
            self.late[row] = PlaySource("71", str(row))
        self.watched.append(Watched(began, row, is_play))

    @precondition(lambda self: self.late)
    @rule(data=st.data())
    def a_row_comes(self, data: st.DataObject) -> None:
        row = data.draw(st.sampled_from(sorted(self.late)))
        self.rows[row] = self.late.pop(row)

    @rule()
    def somebody_watches_in_stash(self) -> None:
        self.now += HOURS
        self.stash[self.now] += 1

    # --- what PlexSync does ------------------------------------------------------------------------------------------

    @rule()
    def work(self) -> None:
        """Look at the scene, and do what follows from it."""
        listed = viewed_plays(self.viewings, since=0).get("71", {}) | self.rows
        same = twins(self.stash, listed, self.memory, self.viewings, length=LENGTH * 1000, minimum=STASH)
        plan = plan_plays(listed, self.stash, self.memory, same=same, now=self.now, longest=0)
        self._remember(plan.resolved)
        self._remember(plan.begin(0))
        for moment in plan.add or ():
            self.stash[moment] += 1
        for moment in plan.remove or ():
            self.stash[moment] -= 1
        answered = {moment: self.memory[moment] for moment in plan.requests}
        added = {moment: play.source for moment, play in answered.items() if moment in (plan.add or ())}
        self._remember(plan_plays(added, self.stash, answered, now=self.now, longest=0).resolved)

    def _remember(self, plays: dict[int, RememberedPlay | None]) -> None:
        for moment, play in plays.items():
            if play is None:
                self.memory.pop(moment, None)
            else:
                self.memory[moment] = play

    @rule()
    def all_memory_is_lost(self) -> None:
        self.settle()
        self.memory, self.viewings, self.is_undone = {}, [], False
        for watched in self.watched:
            # Of what nobody remembers, the row alone tells.
            watched.is_play = bool(watched.row) or self.plays_of(watched) > 0

    # --- what a person does ------------------------------------------------------------------------------------------

    @precondition(lambda self: self.watched and not self.is_undone)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete the play of something that was watched, if it is PlexSync's."""
        self.settle()
        watched = data.draw(st.sampled_from(self.watched))
        for moment in [at for at in watched.span if self.stash[at] and at in self.memory]:
            del self.stash[moment]
            watched.is_play = False
        self.settle()

    @precondition(lambda self: not self.is_undone)
    @rule()
    def undo_and_redo(self) -> None:
        self.settle()
        before = +self.stash
        ours = {at for at, play in self.memory.items() if UNDO.applies(play)}
        self._wish(UNDO)
        assert +self.stash == Counter({at: count for at, count in before.items() if at not in ours})
        self._wish(REDO)
        assert sum(self.stash.values()) == sum(before.values())

    def _wish(self, wish: PlayWish) -> None:
        chosen = wish.choose(self.memory)
        if chosen:
            self._remember({**chosen, **wish.twins(self.memory, list(+self.stash), seconds=LENGTH)})
        self.work()
        self.work()

    # --- judging -----------------------------------------------------------------------------------------------------

    def plays_of(self, watched: Watched) -> int:
        return sum(self.stash[moment] for moment in watched.span)

    @rule()
    def settle(self) -> None:
        """Everything has come, and was dealt with: each was counted once."""
        self.rows |= self.late
        self.late = {}
        self.work()
        before = +self.stash
        self.work()
        assert +self.stash == before, "what is in step stays"
        for watched in self.watched:
            assert self.plays_of(watched) == watched.is_play, watched


TestRoom = Room.TestCase
TestRoom.settings = settings(
    max_examples=3_000 if TORTURE else 200,
    stateful_step_count=40 if TORTURE else 20,
    derandomize=not TORTURE,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
