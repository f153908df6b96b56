"""What you can wish for plays and resume points that PlexSync remembers: to have them taken back, or sent again.

A wish changes what is remembered of a play, and sends nothing. The next look at its scene does what follows from that
(`plexsync.rules.plays`), whatever else happens meanwhile.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from plexsync.rules.plays import PlayState, RememberedPlay
from plexsync.rules.resume import RememberedResume, ResumeUndo, has_written, redone

# A row of such a play in Stash is PlexSync's, or may be.
OURS = frozenset({PlayState.ADDING, PlayState.SENT, PlayState.REMOVING})


@dataclass(frozen=True)
class PlayWish:
    """A wish: for which plays it can be made, and what is remembered of them then, None for nothing.

    `resume`: what is remembered of a scene's resume point then, None if the wish does not concern it.
    """

    applies: Callable[[RememberedPlay], bool]
    change: Callable[[RememberedPlay], RememberedPlay | None]
    resume: Callable[[RememberedResume], RememberedResume | None]

    def chosen(self, memory: Mapping[int, RememberedPlay]) -> dict[int, RememberedPlay | None]:
        """The plays of a scene that it can be made for, as they are remembered then."""
        return {moment: self.change(play) for moment, play in memory.items() if self.applies(play)}


def is_wanted_back(play: RememberedPlay) -> bool:
    """Whether it is to be taken back, and is not yet."""
    return play.undo and play.state in OURS


def _redone(play: RememberedPlay) -> RememberedPlay | None:
    return None if play.state is PlayState.UNDONE else replace(play, undo=False)


def _checked(play: RememberedPlay) -> RememberedPlay | None:
    """A play of PlexSync's that is in Stash is its own again after the next look, and one that is missing is sent."""
    return None if play.state is PlayState.PRESENT else RememberedPlay(play.source, PlayState.ADDING)


UNDO = PlayWish(
    lambda play: play.state in OURS,
    lambda play: replace(play, undo=True),
    lambda resume: replace(resume, undo=ResumeUndo.ASKED) if has_written(resume) else None,
)
"""Take back what PlexSync wrote, or may have written."""
REDO = PlayWish(
    lambda play: play.state is PlayState.UNDONE or is_wanted_back(play),
    _redone,
    lambda resume: redone(resume) if resume.undo else None,
)
"""Send again what was taken back, and keep what is about to be."""
AGAIN = PlayWish(
    lambda play: (
        play.state in (PlayState.PRESENT, PlayState.DELETED) or (play.state is PlayState.SENT and not play.undo)
    ),
    _checked,
    lambda _: None,
)
"""Send what is missing in Stash, also what a person deleted there, but nothing that was taken back."""
