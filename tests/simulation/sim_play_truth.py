"""What is true of plays, kept beside the product: who has played what, and which rows of Stash may be left of it.

A row of Stash is a second of a scene and has no name. So for every second that a person, an undo or a restored backup has
touched, the numbers of rows that may be left are written down at that moment; every other second follows from Plex.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from plexsync.rules.plays.viewings import AFTER, RETURN
from plexsync.simulator.http import Request
from tests.simulation.sim_truth import Truth

# A scene of Stash: its number, and when it was created, since numbers are dealt again after a restore.
SceneKey = tuple[int, str]
Second = tuple[SceneKey, int]
# What may be in memory of a second where nothing of it is under way.
SETTLED = ("sent", "present", "deleted", "undone")


@dataclass(frozen=True)
class GonePlay:
    """A play of an item that has left Plex, listed before with the file that it had."""

    content: str
    path: str


@dataclass
class PlayTruth(Truth):
    """The truth of lives with plays; what the other flow writes is the affair of other lives."""

    # rating key -> content, of every item that there is in Plex
    content_of: dict[str, str] = field(default_factory=dict)
    # content -> the seconds at which the chosen account has ever played it, and at which another one has
    ever: dict[str, set[int]] = field(default_factory=dict)
    guests: dict[str, set[int]] = field(default_factory=dict)
    gone: dict[tuple[str, int], GonePlay] = field(default_factory=dict)  # by (item key, second)
    allowed: dict[Second, set[int]] = field(default_factory=dict)
    own: Counter[Second] = field(default_factory=Counter)  # rows that people have made, and that are surely left
    undone: set[SceneKey] = field(default_factory=set)
    by_people: set[Second] = field(default_factory=set)  # at which a person has ever added a row

    def judge_write(self, asked: Request) -> None:
        """Nothing: see above."""

    def note_play(self, content: str, moment: int, *, chosen: bool) -> None:
        """An item of this content was played to its end."""
        (self.ever if chosen else self.guests).setdefault(content, set()).add(moment)

    def is_played(self, contents: Iterable[str], moment: int) -> bool:
        """Whether the chosen account has ever played one of these at that second."""
        return any(moment in self.ever.get(content, ()) for content in contents)

    def note_added(self, second: Second, rows: int, state: str, *, played: bool, sure: bool) -> None:
        """A person has added a row; `rows` are there now. `state` is what is remembered, '' for nothing."""
        self.by_people.add(second)
        if played and sure and state == "sent":
            # One beside PlexSync's may as well be of a request that was delivered twice.
            self.allowed[second] = {1}
        elif not played or (sure and state in (*SETTLED, "")):
            self.own[second] += 1
            self.allowed[second] = {rows}
        else:
            # A request may be under way, and rows of one second can't be told apart.
            self.allowed[second] = {*range(0 if state == "removing" else 1, rows + 2)}

    def is_explained(self, second: Second, length: float) -> bool:
        """Whether a person's row tells of the same viewing as a row of Plex at this second, which then need not be added.

        That is the rule of `plexsync.rules.plays.viewings.twins`. `length`: of the scene, in seconds.
        """
        key, moment = second
        earliest, latest = moment - length - RETURN, moment + AFTER
        return any(one == key and earliest <= at <= latest and at != moment for one, at in self.by_people)

    def note_deleted(self, second: Second, rows: int, state: str, *, played: bool, sure: bool) -> None:
        """A person has deleted a row; `rows` are left."""
        self.own[second] = min(rows, max(0, self.own[second] - 1))
        if not played or (sure and (state in SETTLED or (rows and not state))):
            self.allowed[second] = {min(1, rows) if played and state == "sent" else rows}
        elif sure and not state:
            # PlexSync has never seen the row: whether the play was ever there is nothing that it can know.
            self.allowed[second] = {0, 1}
        else:
            # An undo takes all rows of its second away.
            least = 0 if state == "removing" else min(1, max(0, rows - 1))
            self.allowed[second] = {*range(least, rows + 2)}

    def note_undone(self, second: Second, *, sure: bool) -> None:
        """The rows of PlexSync at this second, which are all, were asked to be taken back."""
        self.allowed[second] = {0} if sure else {*range(max(self.allowed.get(second, {1})) + 1)}

    def note_redone(self, second: Second, rows: int, *, sure: bool) -> None:
        """What was taken back is to be there again, unless a person's row is there by now."""
        if not sure:
            self.allowed[second] = {max(0, rows - 1), rows, rows + 1}
        elif rows:
            self.allowed[second] = {rows}
        else:
            self.allowed.pop(second, None)
