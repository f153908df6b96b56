"""What to do about the plays of one scene: moments at which it was played, from Plex to Stash, one way.

A play is a moment in whole UTC seconds. Three sets decide: the moments in Plex's history, the moments in Stash, and
what PlexSync remembers about each. Stash lists a moment as often as it has a row for it, and a row has no name, so two
rows of one second can't be told apart. A play is added at most once. One that you deleted in Stash never comes again,
and one that Stash had already is not PlexSync's. What PlexSync adds was not there before, so all rows of that second are
its own: an undo removes them all, and otherwise one stays, since a network can deliver a request twice. Times other than
moments are UTC milliseconds.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.record_class import record

# The last second that a timestamp can hold: the end of the year 9999.
LAST_MOMENT = 253_402_300_799
# The number of the account of a Plex server's owner.
OWNER = 1
# The word for a play that was taken back: it is DELETED, and undone.
TAKEN_BACK = "undone"


@record
class WatchRules:
    """Whose plays count, and since when.

    `account`: the number or the name of an account of the Plex server, '' for its owner. `since`: UTC seconds. `resume`:
    whether resume points are brought too. `minimum`: the rule by which a viewing is a play
    (`plexsync.rules.plays.viewings`).
    """

    account: str = ""
    since: int = 0
    resume: bool = False
    minimum: str = "stash"

    @property
    def number(self) -> int | None:
        """The number of the account; None if a name has to be looked up."""
        return int(self.account or OWNER) if not self.account or self.account.isdecimal() else None


@dataclass(frozen=True, init=False)
class Moments:
    """Whole UTC seconds, ascending, each once, and at least one: for Stash, an empty list means the newest play or now."""

    seconds: tuple[int, ...]

    def __init__(self, seconds: Iterable[int]) -> None:
        """Raises ValueError for no moments, and for one that is not a whole second of the years 1970 to 9999."""
        ordered = tuple(sorted(set(seconds)))
        if not ordered:
            raise ValueError("no moment: a list of moments can't be empty")
        for moment in ordered:
            if type(moment) is not int or not 0 <= moment <= LAST_MOMENT:
                raise ValueError(f"no whole second of the years 1970 to 9999: {moment!r}")
        object.__setattr__(self, "seconds", ordered)

    def __iter__(self) -> Iterator[int]:
        return iter(self.seconds)

    def __len__(self) -> int:
        return len(self.seconds)

    def texts(self) -> list[str]:
        """The moments as Stash reads them: `2026-01-02T03:04:05Z`."""
        return [f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in self.seconds]


class PlayState(StrEnum):
    """What PlexSync remembers about a moment of a scene."""

    ADDING = "adding"
    """A request that adds it was about to be sent. Whether it arrived is unknown."""
    SENT = "sent"
    """PlexSync added it."""
    PRESENT = "present"
    """Stash had it already: it is not PlexSync's."""
    DELETED = "deleted"
    """PlexSync added it, and you deleted it in Stash, or it was taken back."""
    REMOVING = "removing"
    """A request that removes one row of it was about to be sent. Whether it arrived is unknown."""


@record
class PlaySource:
    """The entry in Plex's history that a play comes from: the item's rating key, and the entry's own key."""

    item: str
    history_key: str = ""


@record
class RememberedPlay:
    """The memory of one moment of a scene.

    `tries`: the requests to add it whose arrival is or was unknown; 0 if it was there, and is added again if it is missing,
    whether Plex still lists it or not. `rows_before`: the rows of that second in Stash before a request to remove one, or
    when it was PRESENT first: 0 if it is the same play as another one. `until`: until then a request may still take effect.
    `undone`: you asked to take it back, or it was taken back if it is DELETED.
    """

    source: PlaySource
    state: PlayState
    tries: int = 0
    rows_before: int = 0
    until: int = 0
    undone: TakenBack = TakenBack.NO

    @property
    def word(self) -> str:
        """What became of it, as it is stored and told."""
        return TAKEN_BACK if self.state is PlayState.DELETED and self.undone else self.state

    @property
    def is_redone(self) -> bool:
        """Whether you asked to keep it while its only row is being removed."""
        return self.state is PlayState.REMOVING and not self.undone and self.rows_before <= 1


def state_of(word: str, undo: object) -> tuple[PlayState, TakenBack]:
    """The state with this word, and how it was taken back.

    One that a damaged page has changed counts as not PlexSync's: nothing is sent or removed for it.
    """
    if word == TAKEN_BACK:
        return PlayState.DELETED, TakenBack.UNDO
    state = PlayState(word) if word in PlayState.__members__.values() else PlayState.PRESENT
    return state, TakenBack.UNDO if undo and state is not PlayState.DELETED else TakenBack.NO


@record
class SentPlay:
    """A play that PlexSync added: when, in which order, and when the scene was created, and last changed then, in Stash."""

    scene: int
    moment: int
    scene_created_at: str
    scene_updated_at: str
    sent_at: int
    order: int


@record
class PlayPlan:
    """What to do about the plays of one scene.

    `add` and `remove`: what to send, None for nothing; `remove` removes one row of each. `resolved`: memories that
    changed without a request, None for one to forget. `wait_until`: when an earlier request can no longer take effect,
    so that the scene has to be looked at again; 0 if nothing waits.
    """

    add: Moments | None
    remove: Moments | None
    resolved: Mapping[int, RememberedPlay | None]
    requests: Mapping[int, RememberedPlay]
    wait_until: int = 0

    def begin(self, until: int) -> dict[int, RememberedPlay]:
        """The memories to save before `add` and `remove` are sent, by requests that may take effect until `until`.

        A request that was answered takes no effect any more: a plan of the answer's rows and of these memories with
        `until` 0 resolves it.
        """
        return {moment: replace(play, until=until) for moment, play in self.requests.items()}


M = TypeVar("M", bound=Any)


@record
class ActivityPlan(Generic[M]):
    """What to do about the resume point, or the play time, of one scene: both are written and remembered alike.

    `send`: the memory to save before what it tells is sent, None to send nothing. `resolved`: a memory that changed
    without a request, None if none did. `wait_until`: when an earlier request can no longer take effect; 0 if nothing
    waits. `before`: the memory to go back to if what was to be sent never is.
    """

    send: M | None = None
    resolved: M | None = None
    wait_until: int = 0
    before: M | None = None


@record
class _Step:
    """The next step for one moment: a new memory, which `sends` a request or not, or a wait."""

    memory: RememberedPlay | None
    sends: bool = False
    wait_until: int = 0


def plan_plays(
    plex: Mapping[int, PlaySource],
    stash: Mapping[int, int],
    memory: Mapping[int, RememberedPlay],
    *,
    same: Collection[int] = (),
    now: int,
    longest: int,
) -> PlayPlan:
    """Decide about every moment of a scene that Plex lists or PlexSync remembers.

    `stash`: the number of rows of each moment, also as the answer to a request lists them. `same`: the moments that are the
    same play as another one. `longest`: how far ahead the
    `until` of a request can be; one that is further ahead was saved before the clock was set back.
    """
    add: list[int] = []
    remove: list[int] = []
    wait_until = 0
    resolved: dict[int, RememberedPlay | None] = {}
    requests: dict[int, RememberedPlay] = {}
    for moment in sorted({*plex, *memory}):
        remembered, rows = memory.get(moment), stash.get(moment, 0)
        if remembered and remembered.until > now + longest:
            remembered = replace(remembered, until=now + longest)
        step = _next_step(remembered, plex.get(moment), rows, is_same=moment in same, now=now)
        if step.sends and step.memory:
            requests[moment] = step.memory
            (add if step.memory.state is PlayState.ADDING else remove).append(moment)
        elif step.memory != memory.get(moment):
            resolved[moment] = step.memory
        if step.wait_until:
            wait_until = min(wait_until or step.wait_until, step.wait_until)
    return PlayPlan(Moments(add) if add else None, Moments(remove) if remove else None, resolved, requests, wait_until)


def _next_step(
    remembered: RememberedPlay | None, source: PlaySource | None, rows: int, *, is_same: bool, now: int
) -> _Step:
    if remembered is None:
        return _new(source, rows, is_same=is_same)
    if remembered.is_redone:
        return _after_redo(remembered, source, rows, now)
    match remembered.state:
        case PlayState.ADDING:
            return _after_adding(remembered, source, rows, now)
        case PlayState.SENT:
            return _after_sent(remembered, source, rows)
        case PlayState.REMOVING:
            return _after_removing(remembered, rows, now)
    return _Step(remembered)


def _new(source: PlaySource | None, rows: int, *, is_same: bool = False) -> _Step:
    if source is None:
        return _Step(None)
    if rows or is_same:
        return _Step(RememberedPlay(source, PlayState.PRESENT, rows_before=rows))
    return _add(source)


def _add(source: PlaySource, tries: int = 0) -> _Step:
    return _Step(RememberedPlay(source, PlayState.ADDING, tries + 1), sends=True)


def _remove(remembered: RememberedPlay, rows: int) -> _Step:
    return _Step(replace(remembered, state=PlayState.REMOVING, rows_before=rows, until=0), sends=True)


def _end_step(remembered: RememberedPlay, state: PlayState) -> _Step:
    return _Step(RememberedPlay(remembered.source, state, undone=remembered.undone))


def _after_adding(remembered: RememberedPlay, source: PlaySource | None, rows: int, now: int) -> _Step:
    # An earlier try can have arrived late, and the last one may still double it.
    if now < remembered.until and (not rows or remembered.tries > 1):
        return _Step(remembered, wait_until=remembered.until)
    if rows:
        return _step_after_arrival(remembered, rows)
    if remembered.undone:
        return _end_step(remembered, PlayState.DELETED)
    if not remembered.tries:
        return _add(source or remembered.source)
    # What Plex no longer lists and Stash never got is forgotten: if Plex lists it again, it is added.
    return _add(source, remembered.tries) if source else _Step(None)


def _step_after_arrival(remembered: RememberedPlay, rows: int) -> _Step:
    """After a request arrived: rows too many are of one that arrived late, or that the network delivered twice."""
    return _remove(remembered, rows) if rows > 1 or remembered.undone else _end_step(remembered, PlayState.SENT)


def _after_sent(remembered: RememberedPlay, source: PlaySource | None, rows: int) -> _Step:
    if rows > 1 or (rows and remembered.undone):
        return _remove(remembered, rows)
    if rows or (source is None and not remembered.undone):
        # History that Plex has pruned removes nothing from Stash.
        return _Step(remembered)
    # What you deleted before an undo was not taken back, so a redo does not bring it.
    return _Step(RememberedPlay(remembered.source, PlayState.DELETED))


def _after_removing(remembered: RememberedPlay, rows: int, now: int) -> _Step:
    if not rows or rows < remembered.rows_before:
        return _step_after_arrival(remembered, rows) if rows else _end_step(remembered, PlayState.DELETED)
    if now < remembered.until:
        return _Step(remembered, wait_until=remembered.until)
    return _remove(remembered, rows)


def _after_redo(remembered: RememberedPlay, source: PlaySource | None, rows: int, now: int) -> _Step:
    # The request would remove the play that is added now.
    if now < remembered.until:
        return _Step(remembered, wait_until=remembered.until)
    return _end_step(remembered, PlayState.SENT) if rows >= remembered.rows_before else _new(source, rows)
