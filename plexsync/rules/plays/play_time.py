"""What to do about the play time of one scene in Stash: how long it was played, to which viewings in Plex are added.

Stash adds what it is sent to the total, and its own player does so too. So PlexSync remembers the total after what it did
last, and what it would be without PlexSync's part. A request whose end is unknown is resolved by the total: what was added
cannot be missing from it. If something else was added meanwhile, what was sent counts as arrived, so that it is never sent
twice, and as not PlexSync's, so that an undo never takes what is Stash's own. Nothing subtracts: to take its part back,
PlexSync has the total reset and what is not its own added, in one document. Play time is in seconds, as Stash says it, to
the last digit; other times are UTC milliseconds.
"""

from dataclasses import replace
from enum import StrEnum

from plexsync.rules.plays.plays import ActivityPlan
from plexsync.rules.record_class import record

# Totals that are closer than this are the same.
CLOSE = 0.001


class TimeWish(StrEnum):
    """What you asked for, until it is done."""

    NONE = ""
    UNDO = "undo"
    REDO = "redo"


@record
class RememberedTime:
    """The memory of the play time of a scene.

    `total`: what Stash had when PlexSync last looked or wrote. `base`: what it would have without PlexSync; more than the
    total if a part of that is missing, since of an undo only the reset arrived. `adding`: what a request adds whose
    arrival is or was unknown, None if there is none; until `until` it may take effect. It `restores` if it resets the
    total before. `withdrawn`: what was taken back and can be sent again; `owed`: what is to be added and,
    as far as is known, is not there yet.
    """

    total: float
    base: float
    adding: float | None = None
    restores: bool = False
    until: int = 0
    withdrawn: float = 0.0
    owed: float = 0.0
    wish: TimeWish = TimeWish.NONE

    @property
    def own_part(self) -> float:
        """How much of the total is PlexSync's."""
        return max(self.total - self.base, 0.0)

    @property
    def is_written(self) -> bool:
        """Whether a part of it is PlexSync's, or may be, or is about to be."""
        return self.own_part > CLOSE or self.owed > 0 or (self.adding is not None and not self.restores)

    @property
    def is_unsettled(self) -> bool:
        """Whether what you asked for, or what is owed, is not done yet, or a request is open."""
        return bool(self.wish) or self.adding is not None or self.owed > 0

    @property
    def request(self) -> tuple[object, ...]:
        """What tells an open request from a later one."""
        return (self.adding, self.restores, self.total, self.base)

    def wishing(self, saved: "RememberedTime") -> "RememberedTime":
        """The memory with what you asked for since, which the saved one has."""
        return replace(self, wish=saved.wish or self.wish)

    def answered(self) -> "RememberedTime":
        """The memory after the answer to the request that was open."""
        adding = self.adding or 0.0
        settled, _ = _after_restore(self, adding) if self.restores else _after_add(self, self.total + adding)
        return settled.unsent()

    def unsent(self) -> "RememberedTime":
        """The memory without a request."""
        return replace(self, adding=None, restores=False, until=0)


TimePlan = ActivityPlan[RememberedTime]


def plan_time(
    total: float, remembered: RememberedTime | None, owed: float, *, now: int, longest: int
) -> ActivityPlan[RememberedTime]:
    """Decide about the play time of a scene, which is `total` in Stash.

    `owed`: what viewings have that is not in its memory yet. If something is sent that does not restore, it is from then
    on. `longest`: how far ahead the `until` of a request can be.
    """
    memory = remembered or RememberedTime(total, total)
    if memory.adding is not None:
        until = min(memory.until, now + longest)
        settled, has_arrived = _after_restore(memory, total) if memory.restores else _after_add(memory, total)
        if not has_arrived and now < until:
            # One that is further ahead was saved before the clock was set back.
            waiting = replace(memory, until=until) if until < memory.until else None
            return TimePlan(resolved=waiting, wait_until=until)
        memory = settled.unsent()
    else:
        memory = _with_others(memory, total)
    memory, adding = _next_write(memory, owed)
    if adding is not None:
        return TimePlan(replace(memory, adding=adding, restores=memory.wish is TimeWish.UNDO))
    return TimePlan(resolved=memory if remembered and memory != remembered else None)


def _after_add(memory: RememberedTime, total: float) -> tuple[RememberedTime, bool]:
    """The memory after a request to add, and whether it counts as arrived."""
    step, adding = total - memory.total, memory.adding or 0.0
    done = replace(memory, owed=0.0)
    if abs(step - adding) <= CLOSE:
        return replace(done, total=total), True
    if step < -CLOSE:
        # Somebody has reset it, before or after.
        return replace(done, total=total, base=total), True
    if step > adding:
        return replace(done, total=total, base=min(memory.base + step, total)), True
    return _with_others(memory, total), False


def _after_restore(memory: RememberedTime, total: float) -> tuple[RememberedTime, bool]:
    """The memory after a request to take back, and whether it counts as arrived."""
    target = memory.adding or 0.0
    done = replace(memory, total=total, base=total, withdrawn=memory.withdrawn + memory.own_part)
    done = done if memory.wish is TimeWish.REDO else replace(done, wish=TimeWish.NONE)
    if target > CLOSE and abs(total - memory.total - target) <= CLOSE:
        # Stash carries out what follows a part that failed.
        return replace(memory, total=total, withdrawn=memory.withdrawn - target), False
    if total > memory.total + CLOSE and memory.total > target + CLOSE:
        # Others have added to it, before or after it arrived: what is theirs is not reset, and nothing is sent twice.
        return replace(done, withdrawn=memory.withdrawn), True
    if total >= memory.total - CLOSE and memory.total > target + CLOSE:
        return _with_others(memory, total), False
    if total < target - CLOSE:
        # Only the reset arrived, or what was to be added may still come.
        return replace(done, base=target + total), False
    return done, True


def _with_others(memory: RememberedTime, total: float) -> RememberedTime:
    """The memory with what others have added since, or reset."""
    step = total - memory.total
    if step < -CLOSE:
        return replace(memory, total=total, base=total)
    base = memory.base + step if step > CLOSE else memory.base
    return replace(memory, total=total, base=total if memory.own_part <= CLOSE and base <= total else base)


def _next_write(memory: RememberedTime, owed: float) -> tuple[RememberedTime, float | None]:
    """The memory with what you asked for, and what to add: to nothing, if it is taken back; None to write nothing."""
    if memory.wish is TimeWish.UNDO:
        memory = replace(memory, withdrawn=memory.withdrawn + memory.owed, owed=0.0)
        if memory.own_part > CLOSE:
            return memory, memory.base
    elif memory.wish is TimeWish.REDO:
        memory = replace(memory, withdrawn=0.0, owed=memory.owed + memory.withdrawn)
    memory = replace(memory, wish=TimeWish.NONE, owed=memory.owed + owed)
    adding = max(memory.base - memory.total, 0.0) + memory.owed
    return memory, adding if adding > CLOSE else None
