"""Viewings: what an account has really watched of an item, and when that is a play.

A player reports its place every few seconds, and at each change. The time between two reports counts if it played then:
the smaller of the step of its place and the step of the clock. So pauses, seeks and buffering add nothing, and neither does
a gap without reports. Plex itself counts a play near the end of an item only; Stash's own player counts one much earlier.

Moments are UTC seconds; lengths, places and what was played are milliseconds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.events import SessionChanged, SessionState
from plexsync.rules.record_class import record

# The history key of a play that a viewing made.
VIEWED = "viewed"
# The rules of when a viewing is a play: that of Stash's own player, and that of Plex, which is its history.
STASH, PLEX = "stash", "plex"
# Of Stash's rule, beside its own percentage: this long, or half the length of a shorter scene.
LEAST = 30_000
# Milliseconds between two reports above which nothing counts, and after which a player that is silent has stopped.
GAP = 60_000
# Seconds after its last report in which a player that did not say that it stopped may go on with a viewing.
RETURN = 900
# Seconds after the end of a viewing in which its row of Plex's history can be.
AFTER = 120
# Milliseconds that a piece of playing can lag behind the clock.
LAG = 2000
# The most pieces of a viewing that are told apart.
MOST_PIECES = 500


@record
class Viewing:
    """What an account has watched of an item in one go, as far as its player has told.

    `pieces`: when each piece of playing began, and how long it is. `began` and `ended` are the moments of the first and
    the last report; `place` and `state` are those of the last. It was `joined` if it may have begun unseen. `length`: of
    the item, 0 if unknown. `machine` and `player`: the identifier and the name of the player. `moment`: of the play that
    it is, 0 if it is none. `queued`: how much of it the scene was queued for, 0 once it is a play;
    `sent`: how much is in Stash, or remembered as owed to a scene there.
    """

    account: int
    item: str
    began: int
    session: str
    machine: str = ""
    player: str = ""
    length: int = 0
    ended: int = 0
    place: int = 0
    state: SessionState = SessionState.PLAYING
    pieces: tuple[tuple[int, int], ...] = ()
    joined: bool = False
    moment: int = 0
    queued: int = 0
    sent: int = 0

    @property
    def played(self) -> int:
        """How long it was played."""
        return sum(length for _, length in self.pieces)

    @property
    def owed(self) -> int:
        """The seconds of it that are not sent."""
        return whole(self.played) - whole(self.sent)

    @property
    def is_over(self) -> bool:
        """Whether its player said that it stopped."""
        return self.state is SessionState.STOPPED

    def covers(self, moment: int) -> bool:
        """Whether it was going on at a moment, or may have gone on until then."""
        return self.began <= moment <= self.ended + (0 if self.is_over else RETURN)

    def has_ended(self, now: int) -> bool:
        """Whether its player has stopped, or is silent for so long that it counts as stopped. `now`: UTC milliseconds."""
        return self.is_over or not 0 <= now - self.ended * 1000 <= GAP


def whole(milliseconds: int) -> int:
    """What was played in whole seconds, as Stash's own player counts it."""
    return (milliseconds + 500) // 1000


def after_report(viewing: Viewing, report: SessionChanged, *, at: int, step: int) -> Viewing:
    """The viewing after another report of its player.

    `at`: when it came, UTC milliseconds. `step`: the milliseconds since the report before, by a clock that nobody sets.
    """
    due, pieces = viewing.ended * 1000 + step, viewing.pieces
    if abs(at - due) > GAP:
        # The clock was set meanwhile: the viewing stays on that of its beginning.
        at = due
    if viewing.state is SessionState.PLAYING and report.state is not SessionState.BUFFERING and 0 <= step <= GAP:
        counted = max(0, min(report.offset - viewing.place, step))
        pieces = _with_piece(pieces, at - counted, counted) if counted else pieces
    state, session = report.state, report.session
    return replace(viewing, session=session, ended=at // 1000, place=report.offset, state=state, pieces=pieces)


def _with_piece(pieces: tuple[tuple[int, int], ...], start: int, length: int) -> tuple[tuple[int, int], ...]:
    """These pieces and another one, which goes on with the last if it follows without a break."""
    if pieces:
        last, so_far = pieces[-1]
        if abs(last * 1000 + so_far - start) <= LAG or len(pieces) >= MOST_PIECES:
            return (*pieces[:-1], (last, so_far + length))
    return (*pieces, (start // 1000, length))


def least_played(minimum: str, length: int, percent: float | None) -> int | None:
    """How much of an item of this length has to be played for a play; None if that is unknown, or for Plex to say.

    `minimum`: the rule, as in the setting `watch_minimum`. `percent`: that of Stash's own player, None if it is unknown.
    """
    if minimum == PLEX:
        return None
    if minimum == STASH:
        if percent is None or (percent and not length):
            return None
        return max(round(length * percent / 100), min(LEAST, length // 2) if length else LEAST, 1)
    if minimum.endswith("%"):
        return max(round(length * float(minimum[:-1]) / 100), 1) if length else None
    return round(float(minimum.removesuffix("s")) * 1000)


def asks_less(minimum: str, other: str) -> bool:
    """Whether a rule makes plays of viewings of which the other makes none."""

    def shares(rule: str) -> list[float]:
        # For Stash the least that its percentage can be, 0; Plex asks for more than anything else.
        values = [least_played(rule, length, 0.0) for length in (20_000, 60_000, 1_800_000, 7_200_000)]
        return [2**62 if value is None else value for value in values]

    return any(share < limit for share, limit in zip(shares(minimum), shares(other), strict=True))


def play_moment(viewing: Viewing, least: int | None) -> int:
    """The moment at which so much of a viewing was played; 0 if it was not."""
    if least is None:
        return 0
    so_far = 0
    for start, length in viewing.pieces:
        if so_far + length >= least:
            return min(start + -(-(least - so_far) // 1000), viewing.ended)
        so_far += length
    return 0


def goes_on(viewing: Viewing, session: str, *, silence: float, place: int) -> bool:
    """Whether a session of the same player, so many seconds after a viewing and at this place, goes on with it.

    It does after a restart of Plex or PlexSync, and after a pause without reports if Plex gives it the same name and it is
    where it was: a Plex that was restarted gives names again.
    """
    is_same = session == viewing.session and 0 <= place - viewing.place <= GAP
    return not viewing.is_over and -RETURN <= silence <= (86_400 if is_same else RETURN)


def rows_of(plays: Mapping[int, PlaySource]) -> list[int]:
    """The moments of those of these plays that have a row in Plex's history, oldest first."""
    return [moment for moment, source in sorted(plays.items()) if source.history_key != VIEWED]


def rows_near(viewing: Viewing, rows: Iterable[int]) -> list[int]:
    """Those of these rows that a viewing may explain: from its beginning until shortly after its end."""
    return [row for row in rows if viewing.began <= row <= viewing.ended + AFTER]


def twins(
    stash: Mapping[int, int],
    listed: Mapping[int, PlaySource],
    memory: Mapping[int, RememberedPlay],
    viewings: Sequence[Viewing],
    *,
    length: int,
    minimum: str,
) -> set[int]:
    """The moments, of rows of Plex's history and of viewings, that are the same play as another one.

    A viewing explains one row, from its beginning until shortly after its end, one after its play rather than one before.
    Else a play in Stash explains a row, or a viewing that may have begun unseen, from one length of the scene and 15
    minutes before it until two minutes after it; but not by Plex's rule, by which only rows are plays. So does a play of a
    viewing that is remembered alone, also if you have deleted or undone it. `stash`: the number of plays of each moment.
    `length`: of the scene, in milliseconds.
    """
    sources = {moment: play.source for moment, play in memory.items()} | dict(listed)
    free = {at: count for at, count in stash.items() if at not in sources} if minimum != PLEX else {}
    free |= {
        at: 1 for at, play in memory.items() if play.source.history_key == VIEWED and play.state != PlayState.PRESENT
    }
    plays = sorted((viewing for viewing in viewings if viewing.moment), key=lambda it: (it.moment, it.began))
    began = {viewing.moment: viewing.began for viewing in reversed(plays)}
    rows = rows_of(sources)
    explained = _explained_rows(plays, rows)
    free = {at: count for at, count in free.items() if at not in began}
    same: set[int] = set()
    broken: dict[int, int] = {}
    for viewing in plays:
        play, row = viewing.moment, explained.get((viewing.item, viewing.began))
        if row is not None and row != play:
            is_earlier = viewing.joined and bool(_explaining(free, play, length))
            same.add(_other_of(viewing, row, stash, memory, is_earlier=is_earlier))
        if row is None and not viewing.is_over:
            # It broke off, and may have gone on unseen.
            broken[play] = broken.get(play, 0) + 1
    free |= broken
    joined = {viewing.moment for viewing in plays if viewing.joined}
    joined -= {viewing.moment for viewing in plays if not viewing.joined}
    # One that was found to be the same as a play before uses that play up.
    decided = {moment for moment, play in memory.items() if play.state is not PlayState.PRESENT}
    unexplained = set(rows).difference(explained.values())
    for moment in sorted((joined | unexplained) - decided - stash.keys() - same):
        # What a viewing made that began later is another play.
        if others := [at for at in _explaining(free, moment, length) if began.get(at, 0) <= moment]:
            same |= {moment} - memory.keys()
            free[min(others)] -= 1
    return same


def plays_in_plex(
    listed: Mapping[int, PlaySource],
    memory: Mapping[int, RememberedPlay],
    viewings: Sequence[Viewing],
    *,
    minimum: str,
) -> set[int]:
    """The moments of the plays in Plex: a viewing and its row of the history are one. See `twins`."""
    return listed.keys() - twins({}, listed, memory, viewings, length=0, minimum=minimum)


def _explained_rows(plays: Sequence[Viewing], rows: Sequence[int]) -> dict[tuple[str, int], int]:
    """The row that each of these viewings explains, by its item and beginning: as many as possible.

    A row is that of the viewing which ends first of those that it can be of.
    """
    explained: dict[tuple[str, int], int] = {}
    for is_after in (True, False):
        for row in sorted(set(rows).difference(explained.values())):
            free = [it for it in plays if (it.item, it.began) not in explained and rows_near(it, [row])]
            near = [it for it in free if it.moment <= row or not is_after]
            if near:
                viewing = min(near, key=lambda it: (it.ended, it.moment, it.began))
                explained[viewing.item, viewing.began] = row
    return explained


def _explaining(free: Mapping[int, int], moment: int, length: int) -> list[int]:
    """Those of these plays in Stash, of which there are so many, that a row or a viewing at a moment may be the same as."""
    earliest = moment - length // 1000 - RETURN
    return [at for at, count in free.items() if count and earliest <= at <= moment + AFTER and at != moment]


def _other_of(
    viewing: Viewing, row: int, stash: Mapping[int, int], memory: Mapping[int, RememberedPlay], *, is_earlier: bool
) -> int:
    """Which of a viewing and its row is the same play as the other one, which is in Stash, was there, or is to be sent.

    `is_earlier`: it may be the same as a play that Stash had before.
    """
    play = viewing.moment

    def was_sent(moment: int) -> bool:
        return bool(stash.get(moment)) or (moment in memory and memory[moment].state is not PlayState.PRESENT)

    if was_sent(play) == was_sent(row):
        # A viewing that is remembered as present was found to be the same play as its row, or as an earlier one.
        return play if play in memory and row not in memory and not is_earlier else row
    return row if was_sent(play) else play


def judge_viewing(viewing: Viewing, minimum: str, percent: float | None) -> Viewing:
    """The viewing with the moment of the play that it is by a rule, unless it is one already."""
    return replace(
        viewing, moment=viewing.moment or play_moment(viewing, least_played(minimum, viewing.length, percent))
    )


def viewed_plays(viewings: Sequence[Viewing], *, since: int) -> dict[str, dict[int, PlaySource]]:
    """The plays from a moment on that these viewings are, by item and moment."""
    plays: dict[str, dict[int, PlaySource]] = {}
    for viewing in viewings:
        if viewing.moment >= max(since, 1):
            plays.setdefault(viewing.item, {})[viewing.moment] = PlaySource(viewing.item, VIEWED)
    return plays
