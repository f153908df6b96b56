"""What is true of viewings, kept beside the product: what players have said, who could hear it, and what follows in Stash.

It knows the promises of docs/way-back.md and the rule of Stash's own player, and nothing of how the product counts. Where
it can't be known what was heard, it has two answers, with and without the reports in doubt. Moments are seconds of Plex's
clock, `at` is a second of the steady clock; places, lengths and what was played are milliseconds, play time is seconds.

What it allows, since nothing in Stash or Plex tells more:

* A play of Stash's own player at the second of one that PlexSync sends at the same time counts as that one (`shared`): two
  plays of a second have no names.
* A row of Plex's history names no player. Of viewings at once, the play of one can be at the second of the row of another.
* A player whose stop nobody heard may go on: the next viewing of it is one with the last, so that what becomes of the play
  of one, also that a person deletes it or takes it back, may become of both.
* A row, or a viewing whose beginning nobody heard, is the same play as another one in Stash from one length and 15 minutes
  before it until two minutes after it, if that is of Stash's own player, of a viewing that broke off, or of one that is
  forgotten (`Claim.window`). Each play in Stash is that for one of them: it has to be there.
* After the memory was lost, rows alone tell of what was watched before; what is on its way then may be lost, never doubled.
* What the wish of an older copy of the database has left to do is done when that copy is restored.
"""

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

# A report that nobody has heard, one that was heard and may be lost by a kill, and one that was taken down.
UNHEARD, IN_DOUBT, TAKEN_DOWN = range(3)
PLAYING, PAUSED, BUFFERING, STOPPED = "playing", "paused", "buffering", "stopped"
# After so many milliseconds without a report nothing counts; after so many seconds a player that is back has begun anew.
GAP, RETURN = 60_000, 900
# A row of Plex's history is the same play as one in Stash from a length and so many seconds before it until so many after.
BEFORE, AFTER = 900, 120
# The least that Stash's own player asks for, beside its percentage, or half of a scene that is shorter than twice that.
LEAST = 30_000
# A restart of PlexSync in the middle costs up to so many milliseconds: moments are saved in whole seconds.
ROUNDED = 1000
# The tolerance of play time, of each viewing.
SHARE, SECONDS = 0.05, 10.0


@dataclass
class Report:
    """What a player has said."""

    at: float
    moment: float
    offset: int
    state: str
    heard: int = UNHEARD
    # By how much the clock of PlexSync was ahead of that of Plex.
    ahead: float = 0.0


@dataclass(repr=False)
class Watching:
    """One go of one player at one item. `row`: when it was a play for Plex, 0 if it was none.

    `kept`: whether nobody has deleted its play in Stash, and `undone`: whether it was taken back; None where that can't be
    known. `extra`: how many plays more than one it can be, since memory was lost in its midst, or it was silent for long.
    `restarts`: of PlexSync in its midst. `is_known`: whether Plex was asked whose it is. `is_forgotten`: whether the memory
    of it was lost, so that its row alone tells of it when its play is wanted again.
    """

    scene: int
    item: str
    player: str
    account: int
    length: int
    reports: list[Report] = field(default_factory=list)
    row: int = 0
    kept: bool | None = True
    undone: bool | None = False
    extra: int = 0
    restarts: int = 0
    is_known: bool = False
    is_forgotten: bool = False

    def __repr__(self) -> str:
        words = [f"{one.moment}:{one.offset}:{one.state[:2]}{one.heard}" for one in self.reports]
        told = [word for number, word in enumerate(words) if number < 3 or number > len(words) - 4]
        marks = f"row {self.row} kept {self.kept} undone {self.undone} extra {self.extra} restarts {self.restarts}"
        played = [self.played(surely=surely) for surely in (False, True)]
        return f"<{self.item} by {self.player} of {self.length}: {played} {marks} {' '.join(told)}>"

    @property
    def began(self) -> float:
        return self.reports[0].moment

    @property
    def ended(self) -> float:
        return self.reports[-1].moment

    @property
    def is_surely_over(self) -> bool:
        """Whether PlexSync has heard for certain that it stopped."""
        return self.reports[-1].state == STOPPED and self.reports[-1].heard == TAKEN_DOWN

    @property
    def is_on_one_clock(self) -> bool:
        """Whether PlexSync had the clock of Plex all the time."""
        return all(abs(report.ahead) < 2 for report in self.reports)

    @property
    def is_torn(self) -> bool:
        """Whether PlexSync may take it for two, since it has heard nothing of it for so long in its midst."""
        heard = [report.moment for report in self.heard(surely=True)]
        return any(after - before > RETURN for before, after in itertools.pairwise([*heard, max(self.ended, self.row)]))

    def heard(self, *, surely: bool) -> list[Report]:
        """What PlexSync has heard."""
        return [report for report in self.reports if report.heard >= (TAKEN_DOWN if surely else IN_DOUBT)]

    def played(self, *, surely: bool, since: float = 0.0) -> int:
        """How much was played while PlexSync could hear it, from a moment of the steady clock on."""
        return sum(step for at, step in self._steps(surely=surely) if at >= since)

    def met(self, least: int, *, surely: bool) -> float | None:
        """The moment at which so much was played, None if it was not."""
        moments = {report.at: report.moment for report in self.reports}
        so_far = 0
        for at, step in self._steps(surely=surely):
            so_far += step
            if so_far >= least:
                return moments[at]
        return None

    def _steps(self, *, surely: bool) -> Iterable[tuple[float, int]]:
        for before, after in itertools.pairwise(self.heard(surely=surely)):
            step = round(1000 * (after.at - before.at))
            if before.state == PLAYING and after.state != BUFFERING and step <= GAP + ROUNDED * (-1 if surely else 1):
                yield after.at, max(0, min(after.offset - before.offset, step))

    def holds(self, moment: int) -> bool:
        """Whether a play at that moment can be of this."""
        for ahead in {0.0, *(report.ahead for report in self.reports)}:
            if self.began - 3 <= moment - ahead <= max(self.ended, self.row) + 3:
                return True
        return False

    def breaks_off(self) -> int:
        """How often PlexSync has begun to hear it, or to hear it again."""
        pairs = itertools.pairwise(self.reports)
        return 1 + self.restarts + sum(not before.heard and after.heard > 0 for before, after in pairs)

    def breaks(self, seconds: float) -> bool:
        """Whether PlexSync has heard nothing for so long in its midst."""
        heard = self.heard(surely=True)
        return any(after.at - before.at > seconds for before, after in itertools.pairwise(heard))


def stash_asks_for(percent: float, length: int) -> int:
    """How much has to be played for a play of Stash's own player, by its source, and by the half minute beside it."""
    return max(round(length * percent / 100), min(LEAST, length // 2))


def asked_for(minimum: str, percent: float, length: int) -> int | None:
    """How much has to be played for a play by a rule; None if only the history counts."""
    if minimum == "plex":
        return None
    if minimum == "stash":
        return stash_asks_for(percent, length)
    return round(length * float(minimum[:-1]) / 100) if minimum.endswith("%") else round(float(minimum[:-1]) * 1000)


@dataclass
class Claim:
    """What is said of the play of a viewing: whether there may be one (how many), and whether there has to be one.

    `rows`: those of viewings of other players at the same time, which are one play with this one: a row does not say whose
    it is, so its play may be at the second of another one's row. `before`: the viewing with which it may be one, so that the
    play of that one is its play. `window`: from when until when another play in Stash has to be that it counts as the same
    as; each play is the same as one at most.
    """

    watching: Watching
    may: int
    must: bool
    rows: tuple[int, ...] = ()
    before: Watching | None = None
    window: tuple[float, float] | None = None

    def holds(self, moment: int) -> bool:
        """Whether a play at that moment can be of this."""
        return self.watching.holds(moment) or moment in self.rows


@dataclass
class SceneTruth:
    """What was watched of a scene. `own`: the plays of Stash's own player; `own_time`: its play time, of
    which `first_time` was there before anything was watched in Plex; `own_resume`: where it may have left the scene, and
    `own_ever` where it ever has.

    `part`: what PlexSync's part of the play time was when its memory was last lost, at least and at most, and `lost_at` when
    that was, by the steady clock. `raced`: how much Stash's own player has added while a
    reset may have been on its way, and `is_blurred`: whether it has while anything was. `given_up`: what was on its way
    then, and counts as arrived, so that nothing is added twice.
    `withdrawn`: what undos have taken back of it since. `is_left_alone`: it is ignored. `shared`: the seconds of its own
    plays at which PlexSync may have added one as well: a play in Stash has no name, so of such a second one stays.
    """

    length: int
    own: list[int] = field(default_factory=list)
    own_time: float = 0.0
    first_time: float = 0.0
    own_resume: set[float] = field(default_factory=lambda: {0.0})
    own_ever: set[float] = field(default_factory=lambda: {0.0})
    raced: float = 0.0
    given_up: float = 0.0
    is_blurred: bool = False
    is_left_alone: bool = False
    shared: set[int] = field(default_factory=set)
    watched: list[Watching] = field(default_factory=list)
    part: tuple[float, float] = (0.0, 0.0)
    lost_at: float = 0.0
    withdrawn: tuple[float, float] = (0.0, 0.0)

    def claims(self, account: int, minimum: str, percent: float, rows: Callable[[Watching], bool]) -> list[Claim]:
        """What is said of the play of each viewing of an account. `rows`: whether Plex's history has its row."""
        least = asked_for(minimum, percent, self.length)
        mine = [watching for watching in self.watched if watching.account == account and not self.is_left_alone]
        claims: list[Claim] = []
        for watching in sorted(mine, key=lambda one: one.began):
            has_row = rows(watching)
            before = self.goes_on_from(watching, mine)
            may, must = self._by_rule(watching, before, least)
            must = must and not watching.is_forgotten
            is_explained = least is not None and self._is_explained(watching, mine)
            excused = is_explained and ((has_row and not must) or (must and self._may_be_joined(watching)))
            must = not excused and (must or has_row)
            linked = [
                one for one in (before, *(one for one in mine if self.goes_on_from(one, mine) is watching)) if one
            ]
            if any(one.undone is not False or not one.kept for one in linked):
                # The play that a person has deleted or taken back may be of both.
                must = excused = False
            if must and before is not None and any(one.must and one.watching is before for one in claims):
                must = has_row and rows(before) and not is_explained
                excused = has_row and rows(before) and is_explained
            at_once = [one for one in claims if watching.row and one.watching.row == watching.row]
            if (must or excused) and any(one.must or one.window for one in at_once):
                # Of one second there is one play.
                must = excused = False
            others = [one for one in claims if one.may and one.watching.item == watching.item]
            count = max(int(may), int(has_row)) + (watching.extra + watching.is_torn if may or has_row else 0)
            if may and has_row and not (watching.is_on_one_clock and self._has_met(watching, least)):
                # What was heard of it can be told from its row only by the clock.
                count += not watching.is_on_one_clock
            if least is not None and self._is_at_once(watching, [one.watching for one in others], least):
                must = excused = False
                # Of what is forgotten, rows alone tell, each of a play of its own.
                is_one = before is None and not watching.is_forgotten and self._is_clear(watching, others, least)
                count = 0 if is_one else count
            if (
                must
                and least is not None
                and self._met_with(watching, [one.watching for one in claims if one.must], least)
            ):
                must = False
            beside = [one for one in mine if least is not None and self._is_at_once(watching, [one], least)]
            window = self._window_of(watching, mine) if excused else None
            claims.append(Claim(watching, count, must, tuple(one.row for one in beside if one.row), before, window))
        is_sure = all(one.kept and one.undone is False for one in mine)
        return [self._decided(claim if is_sure else replace(claim, window=None)) for claim in claims]

    def _window_of(self, watching: Watching, others: Sequence[Watching]) -> tuple[float, float]:
        """From when until when a play can be that is the same one as the row of a viewing, or as what was seen of it."""
        end = max(watching.ended, watching.row)
        around = [one.began for one in others if one.began <= end <= one.ended + AFTER]
        return min([watching.began - self.length / 1000 - BEFORE, *around]) - 5, end + AFTER + 5

    @staticmethod
    def _decided(claim: Claim) -> Claim:
        watching = claim.watching
        is_gone, is_sure = watching.kept is False or watching.undone, watching.kept and watching.undone is False
        return replace(claim, may=0 if is_gone else claim.may, must=bool(is_sure) and claim.must)

    @staticmethod
    def _by_rule(watching: Watching, before: Watching | None, least: int | None) -> tuple[bool, bool]:
        """Whether a viewing may be a play by the rule, and whether it has to be."""
        if least is None:
            return False, False
        slack = ROUNDED * (1 + watching.restarts)
        played = [watching.played(surely=surely) for surely in (False, True)]
        more = before.played(surely=False) if before else 0
        return max(played) + more >= least - slack, min(played) >= least + slack

    @staticmethod
    def _has_met(watching: Watching, least: int | None) -> bool:
        return least is not None and watching.met(least + ROUNDED, surely=True) is not None

    @staticmethod
    def goes_on_from(watching: Watching, others: Sequence[Watching]) -> Watching | None:
        """The viewing before, of which PlexSync may not know that it was over when this one began."""
        earlier = [
            other
            for other in others
            if other.began < watching.began and (other.item, other.player) == (watching.item, watching.player)
        ]
        last = max(earlier, key=lambda one: one.began, default=None)
        return last if last is not None and not last.is_surely_over else None

    @staticmethod
    def _may_be_joined(watching: Watching) -> bool:
        heard = [watching.heard(surely=surely) for surely in (False, True)]
        return any(reports and reports[0].offset > LEAST for reports in heard)

    def _is_explained(self, watching: Watching, others: Sequence[Watching]) -> bool:
        """Whether there is another play in Stash that its row, or what was seen of it, may be the same as.

        It is one from a length and 15 minutes before it until two minutes after it: of Stash's own player, of a viewing
        that broke off, or of one whose memory is lost, so that nothing tells that it is of another viewing.
        """
        end = max(watching.ended, watching.row)
        first, last = watching.began - self.length / 1000 - BEFORE, end + AFTER
        seen = [one for one in others if one is not watching and one.heard(surely=False)]
        if any(one.began - 3 <= watching.row <= one.ended + AFTER for one in seen):
            # A row does not say whose it is.
            return True
        broken = [one for one in others if one is not watching and (one.is_forgotten or not one.is_surely_over)]
        return any(first - 5 <= own <= last + 5 for own in self.own) or any(
            one.ended >= first and one.began <= last for one in broken
        )

    @staticmethod
    def _is_at_once(watching: Watching, others: Sequence[Watching], least: int) -> bool:
        return any(
            other.began <= watching.ended + RETURN and watching.began <= other.ended + RETURN
            for other in others
            if other.player != watching.player
            and (not other.is_surely_over or (other.began <= watching.ended and watching.began <= other.ended))
        )

    @staticmethod
    def _met_with(watching: Watching, others: Sequence[Watching], least: int) -> bool:
        """Whether another one has met the rule in the same second, perhaps: it is one play then."""
        met = [watching.met(least, surely=surely) for surely in (False, True)]
        return any(
            at is not None and moment is not None and abs(at - moment) < 3
            for other in others
            for at in met
            for moment in (other.met(least, surely=surely) for surely in (False, True))
        )

    def _is_clear(self, watching: Watching, others: Sequence[Claim], least: int) -> bool:
        """Whether another player has surely met the rule when this one does, and was still at it."""
        met = watching.met(least - ROUNDED, surely=False)
        if met is None or watching.restarts or watching.extra or not watching.is_on_one_clock:
            return False
        for other in (one.watching for one in others if one.watching.player != watching.player):
            before = other.met(least + ROUNDED, surely=True)
            heard = other.heard(surely=True)
            is_plain = other.is_on_one_clock and not (other.restarts or other.extra or other.breaks(RETURN))
            if (
                before is not None
                and is_plain
                and before <= met <= heard[-1].moment
                and watching.met(least, surely=True)
            ):
                return True
        return False

    def forget(self, part: float, account: int, *, at: float, is_wished: bool = False) -> None:
        """PlexSync has lost the memory of what it has added, which is `part` in Stash.

        `is_wished`: what it remembers instead has a wish that was not done then, and is done now.
        """
        was_wished = (
            is_wished or self.withdrawn != (0.0, 0.0) or any(watching.undone is not False for watching in self.watched)
        )
        most = self.time_bounds(account)[1] + self.withdrawn[1]
        self.part, self.withdrawn, self.lost_at = (0.0 if was_wished else part, most), (0.0, 0.0), at

    def time_bounds(self, account: int) -> tuple[float, float]:
        """PlexSync's part of the play time, at least and at most, in seconds."""
        mine = [watching for watching in self.watched if watching.account == account and not self.is_left_alone]
        least, most = self.part
        for watching in mine:
            since = [watching.played(surely=surely, since=self.lost_at) / 1000 for surely in (False, True)]
            slack = max(SECONDS, SHARE * max(since)) if any(one.at >= self.lost_at for one in watching.reports) else 0.0
            slack += slack and (watching.restarts if watching.is_on_one_clock else GAP / 1000 * watching.breaks_off())
            least += max(0.0, min(since) - slack)
            most += max(since) + (slack if watching.heard(surely=False) else 0.0)
        return max(0.0, least - self.withdrawn[1] - self.given_up) - self.raced, max(0.0, most - self.withdrawn[0])


def unmatched(plays: Sequence[int], own: Sequence[int], claims: Sequence[Claim]) -> tuple[list[int], list[Watching]]:
    """The plays that are of no viewing, or of one more than once; and the viewings whose play is missing.

    `own`: those of Stash's own player, one of which may have come at the very second at which one of PlexSync's would.
    """
    slots = [claim for claim in claims for _ in range(claim.may)]
    taken = match(len(plays), len(slots), lambda play, slot: slots[slot].holds(plays[play]))
    musts = [claim for claim in claims if claim.must]
    there = [*plays, *own]

    def is_there(must: int, play: int) -> bool:
        claim, moment = musts[must], there[play]
        return claim.holds(moment) or (claim.before is not None and claim.before.holds(moment))

    found = match(len(musts), len(there), is_there)
    excused = [claim for claim in claims if claim.window]
    windows = [claim.window for claim in excused]
    explained = match(len(excused), len(there), lambda one, play: windows[one][0] <= there[play] <= windows[one][1])
    return (
        [moment for number, moment in enumerate(plays) if number not in taken],
        [claim.watching for number, claim in enumerate(musts) if number not in found]
        + [claim.watching for number, claim in enumerate(excused) if number not in explained],
    )


def match(count: int, places: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """Give as many of these as possible a place of their own."""
    holder: dict[int, int] = {}

    def place(one: int, tried: set[int]) -> bool:
        for at in range(places):
            if at in tried or not fits(one, at):
                continue
            tried.add(at)
            if at not in holder or place(holder[at], tried):
                holder[at] = one
                return True
        return False

    for one in range(count):
        place(one, set())
    return {one: at for at, one in holder.items()}
