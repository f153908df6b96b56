"""What to do about the resume point of one scene: where it is resumed, from Plex to Stash.

Plex says when an item was last watched, and where it was left. Of the items of a scene, the one that was watched last
counts. Stash says only where a scene is resumed, so PlexSync remembers what it has dealt with: the newest viewing, the
position in Stash, and the position that was there before PlexSync wrote one. A viewing that is newer than the
remembered one is written; a position that was changed in Stash since then stays until such a viewing comes. Positions
are in milliseconds, moments in UTC seconds, other times in UTC milliseconds.
"""

from collections.abc import Mapping
from dataclasses import replace

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.plays import ActivityPlan
from plexsync.rules.record_class import record

# Positions that are closer than this are the same.
CLOSE = 1000
# The share of a scene from which on Stash's own player resumes it at its beginning.
PLAYED_OUT = 0.98
# Seconds by which a moment of Plex can be ahead of the clock. One that is further ahead is from before a clock was set.
AHEAD = 86_400


@record
class Watched:
    """A viewing, and the rating key of its item."""

    item: str
    viewing: ViewState


@record
class RememberedResume:
    """The memory of the resume point of a scene.

    `last`: the newest viewing that was dealt with. `position`: the position in Stash after that. `before`: the position
    that was there before PlexSync wrote one; `seconds_before`: the same as Stash said it, to the last digit, -1 if that is
    not known. `sending`: what a request is writing whose arrival is or was unknown, None if there is none; until `until`
    it may take effect. `undone`: you asked to put back what was there before; that is done when nothing of PlexSync's is
    there. A newer viewing is written again.
    """

    last: Watched
    position: int
    before: int
    sending: int | None = None
    until: int = 0
    undone: TakenBack = TakenBack.NO
    seconds_before: float = -1.0

    @property
    def seconds_to_send(self) -> float:
        """What is sent, in seconds."""
        position = self.sending or 0
        is_restored = position == self.before and round(self.seconds_before * 1000) == position
        return self.seconds_before if is_restored else position / 1000

    @property
    def request(self) -> tuple[object, ...]:
        """What tells an open request from a later one."""
        return (self.sending, self.position, self.before)

    def wishing(self, saved: "RememberedResume") -> "RememberedResume":
        """The memory with what you asked for since, which the saved one has."""
        return replace(self, undone=saved.undone or self.undone)

    def answered(self) -> "RememberedResume":
        """The memory after the answer to the request that was open."""
        return replace(self, position=self.sending or 0, sending=None, until=0)


ResumePlan = ActivityPlan[RememberedResume]


def newest(viewings: Mapping[str, ViewState], *, since: int = 0) -> Watched | None:
    """The last viewing of these, by rating key; None if there is none from the second `since` on."""
    watched = [Watched(item, viewing) for item, viewing in viewings.items() if viewing.moment >= max(since, 1)]
    return max(watched, key=lambda last: (last.viewing.moment, last.viewing.offset, last.item), default=None)


def is_news(watched: Watched, last: Watched, *, now: int) -> bool:
    """Whether a viewing has not been dealt with: it is later than the last one that was.

    Plex tells moments in whole seconds, so within one second an item can also have another offset; none only if it was
    watched to its end. The count alone grows by an older play that a device reports later.
    """
    if watched == last:
        return False
    viewing, other = watched.viewing, last.viewing
    moment = min(other.moment, now // 1000 + AHEAD)
    if viewing.moment != moment or watched.item != last.item:
        return viewing.moment > moment
    return viewing.offset != other.offset and (bool(viewing.offset) or viewing.count > other.count)


def plan_resume(
    watched: Watched | None,
    position: int,
    remembered: RememberedResume | None,
    *,
    seconds: float | None = None,
    duration: int,
    played_at: int,
    now: int,
    longest: int,
) -> ResumePlan:
    """Decide about the resume point of a scene.

    `watched`: the newest viewing of its items. `position`: where Stash resumes it; `seconds`: the same as Stash says it.
    `duration`: of its file, 0 if unknown. `played_at`: the second of its newest play in Stash that is not from Plex, 0 if
    there is none. `longest`: how far ahead the `until` of a request can be; one that is further ahead was saved before the
    clock was set back.
    """
    exact = position / 1000 if seconds is None else seconds
    if remembered is None:
        return ResumePlan() if watched is None else _first_write(watched, position, exact, duration, played_at)
    until = min(remembered.until, now + longest)
    if remembered.sending is not None and not _is_close(position, remembered.sending) and now < until:
        waiting = replace(remembered, until=until)
        return ResumePlan(resolved=waiting if waiting != remembered else None, wait_until=until)
    memory, is_unsent = _settle_request(remembered, position)
    is_due = is_unsent and not memory.undone
    if watched and (is_due or is_news(watched, memory.last, now=now)):
        if played_at <= watched.viewing.moment:
            return _write(watched, position, exact, memory, duration)
        # It was played in Stash since.
        memory, is_due = replace(memory, last=watched), False
    if memory.undone and _is_close(position, memory.position) and not _is_close(position, memory.before):
        return ResumePlan(send=replace(memory, position=position, sending=memory.before))
    if memory.undone and has_written(memory):
        # It is there again, or PlexSync's no longer.
        memory = replace(memory, position=position, before=position, seconds_before=exact)
    # What was never sent stays due until the item is there again.
    return ResumePlan(resolved=memory if memory != remembered and not is_due else None)


def _settle_request(remembered: RememberedResume, position: int) -> tuple[RememberedResume, bool]:
    """The memory without a request, and whether there was one that never arrived.

    One that did not arrive in time never will. If Stash has another position than before it, you have changed that.
    """
    if remembered.sending is None:
        return remembered, False
    memory = replace(remembered, sending=None, until=0)
    if _is_close(position, remembered.sending):
        return replace(memory, position=remembered.sending), False
    return memory, _is_close(position, remembered.position)


def _first_write(watched: Watched, position: int, seconds: float, duration: int, played_at: int) -> ResumePlan:
    """The plan for a scene of which nothing is remembered. Only a play there tells how old a position in Stash is."""
    memory = RememberedResume(watched, position, position, seconds_before=seconds)
    if (position >= CLOSE and not played_at) or played_at > watched.viewing.moment:
        return ResumePlan(resolved=memory)
    return _write(watched, position, seconds, memory, duration)


def _write(watched: Watched, position: int, seconds: float, memory: RememberedResume, duration: int) -> ResumePlan:
    """The plan to write a viewing, unless the position is there already."""
    offset = watched.viewing.offset
    target = 0 if duration and offset >= PLAYED_OUT * duration else offset
    if not _is_close(position, memory.position):
        memory = replace(memory, before=position, seconds_before=seconds)
    if _is_close(target, memory.before):
        # So that an undo has nothing to put back.
        target = memory.before
    written = RememberedResume(watched, position, memory.before, seconds_before=memory.seconds_before)
    if _is_close(position, target):
        return ResumePlan(resolved=written)
    return ResumePlan(send=replace(written, sending=target))


def has_written(remembered: RememberedResume) -> bool:
    """Whether PlexSync wrote, or may have written, a position other than the one that was there before."""
    return remembered.sending is not None or not _is_close(remembered.position, remembered.before)


def _is_close(position: int, other: int) -> bool:
    return abs(position - other) < CLOSE
