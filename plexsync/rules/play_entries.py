"""Entries of the journal of plays (`plexsync.store.plays_file`): each change of what is remembered of a scene's plays.

If the database turns out to be older than the journal, its memory is completed with the newest entry of each play.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from plexsync.rules.plays import PlayState, RememberedPlay


@dataclass(frozen=True)
class PlaysEntry:
    """Plays of one scene: before a request was sent (`sent`), or as they were known after it or without one (`known`).

    `at`: UTC milliseconds. `created_at` and `updated_at` are those of the scene in Stash. A play of None was forgotten.
    """

    kind: Literal["sent", "known"]
    number: int
    at: int
    scene: int
    created_at: str
    updated_at: str
    plays: Mapping[int, RememberedPlay | None] = field(default_factory=dict)


@dataclass(frozen=True)
class JournaledPlay:
    """The newest entry of one play, and the last request for it, if there was one."""

    play: RememberedPlay | None
    request: PlaysEntry | None = None


# By scene with its time of creation, and by moment.
JournaledPlays = dict[tuple[int, str], dict[int, JournaledPlay]]


def newest_of(entries: Iterable[PlaysEntry], *, until: int) -> JournaledPlays:
    """The newest entry of each play. `until`: when an open request of these can no longer take effect."""
    newest: JournaledPlays = {}
    for entry in entries:
        plays = newest.setdefault((entry.scene, entry.created_at), {})
        for moment, play in entry.plays.items():
            earlier = plays.get(moment, JournaledPlay(None))
            request = entry if entry.kind == "sent" else earlier.request
            plays[moment] = JournaledPlay(_open_until(play, until), request)
    return newest


def _open_until(play: RememberedPlay | None, until: int) -> RememberedPlay | None:
    is_open = play is not None and play.state in (PlayState.ADDING, PlayState.REMOVING)
    return replace(play, until=until) if play is not None and is_open else play
