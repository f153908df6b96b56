"""What you can wish for plays, resume points and play times that PlexSync remembers: to have them taken back, or sent again.

A wish changes what is remembered of a play, and sends nothing. The next look at its scene does what follows from that
(`plexsync.rules.plays.plays`), whatever else happens meanwhile.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from plexsync.rules.item import ViewState
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.plays.play_time import RememberedTime, TimeWish
from plexsync.rules.plays.plays import PlayState, RememberedPlay
from plexsync.rules.plays.resume import RememberedResume, Watched, has_written
from plexsync.rules.plays.viewings import AFTER, RETURN, VIEWED
from plexsync.rules.record_class import record

# A row of such a play in Stash is PlexSync's, or may be.
OURS = frozenset({PlayState.ADDING, PlayState.SENT, PlayState.REMOVING})


@record
class PlayWish:
    """A wish: for which plays it can be made, and what is remembered of them then, None for nothing.

    `finds_anew`: whether what was the same play as one of these is found anew then, since it may be sent in its stead.
    `resume` and `time`: what is remembered of a scene's resume point and play time then, None if the wish does not concern
    it.
    """

    applies: Callable[[RememberedPlay], bool]
    change: Callable[[RememberedPlay], RememberedPlay | None]
    resume: Callable[[RememberedResume], RememberedResume | None]
    time: Callable[[RememberedTime], RememberedTime | None]
    finds_anew: bool = False

    def choose(self, memory: Mapping[int, RememberedPlay]) -> dict[int, RememberedPlay | None]:
        """The plays of a scene that it can be made for, as they are remembered then."""
        return {moment: self.change(play) for moment, play in memory.items() if self.applies(play)}

    def twins(self, memory: Mapping[int, RememberedPlay], stash: Collection[int], *, seconds: float) -> dict[int, None]:
        """The rows of Plex's history that may be the same plays as those that it is for, so that they are not in Stash.

        `seconds`: the length of the scene. One that was in Stash and is missing was deleted there.
        """
        chosen = self.choose(memory) if self.finds_anew else {}
        missing = {at: play for at, play in memory.items() if play.state is PlayState.PRESENT and at not in stash}
        rows = [at for at, play in missing.items() if not play.rows_before and play.source.history_key != VIEWED]
        return {row: None for row in rows if any(row - seconds - RETURN <= at <= row + AFTER for at in chosen)}


def is_wanted_back(play: RememberedPlay) -> bool:
    """Whether it is to be taken back, and is not yet."""
    return bool(play.undone) and play.state in OURS


UNDO = PlayWish(
    lambda play: play.state in OURS,
    lambda play: replace(play, undone=TakenBack.UNDO),
    lambda resume: replace(resume, undone=TakenBack.UNDO) if has_written(resume) else None,
    lambda time: replace(time, wish=TimeWish.UNDO) if time.is_written else None,
)
"""Take back what PlexSync wrote, or may have written."""
REDO = PlayWish(
    lambda play: bool(play.undone),
    lambda play: replace(play, undone=TakenBack.NO) if play.state in OURS else None,
    # The newest viewing counts as never dealt with.
    lambda resume: replace(resume, last=Watched("", ViewState()), undone=TakenBack.NO) if resume.undone else None,
    lambda time: replace(time, wish=TimeWish.REDO) if time.withdrawn or time.wish else None,
    finds_anew=True,
)
"""Send again what was taken back, and keep what is about to be."""
AGAIN = PlayWish(
    lambda play: play.state in (PlayState.PRESENT, PlayState.DELETED, PlayState.SENT) and not play.undone,
    # A play of PlexSync's that is in Stash is its own again after the next look, and one that is missing is sent.
    lambda play: None if play.state is PlayState.PRESENT else RememberedPlay(play.source, PlayState.ADDING),
    lambda _: None,
    lambda _: None,
)
"""Send what is missing in Stash, also what a person deleted there, but nothing that was taken back."""
