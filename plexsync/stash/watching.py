"""What was watched and rated, in Stash. Plays are in whole seconds UTC.

Every write of plays returns those after it, so that no second request has to read them. An answer that is broken,
partial or an error raises Unavailable with `sent`: Stash may have carried out the write, or do so later.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import msgspec

from plexsync.http.client import MEGABYTE, ORDINARY_CAP
from plexsync.rules.records import PlayerRules
from plexsync.rules.scene import ScenePlays, WatchedScene
from plexsync.stash import answers, watch_queries
from plexsync.stash.requests import StashRequests

if TYPE_CHECKING:
    from plexsync.rules.plays.plays import Moments

# More than 100,000 plays of one scene.
PLAYS_CAP = 4 * MEGABYTE

# Seconds of the longest scene: thirty years.
LONGEST = 1e9

# A time with an offset; anything else is an error as soon as it is met.
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class WatchedAnswer(answers.SceneAnswer, kw_only=True):
    """A scene in full, with its plays, its play time and its resume point."""

    play_history: list[Moment]
    play_duration: float | None
    resume_time: float | None


class ScenePlaysAnswer(msgspec.Struct):
    """Only the plays of a scene."""

    id: answers.Id
    created_at: str
    updated_at: str
    play_history: list[Moment]


class PlaysAnswer(msgspec.Struct):
    """The plays of a scene after a write."""

    count: int
    history: list[Moment]


class InterfaceSettings(msgspec.Struct):
    """Settings of Stash's interface, where anybody may write anything."""

    minimumPlayPercent: object = None
    trackActivity: object = None


class Interface(msgspec.Struct):
    """The settings of Stash's interface."""

    ui: InterfaceSettings


class RatedScene(msgspec.Struct):
    """A scene after it was rated."""

    id: str
    rating100: int | None


WATCHED = msgspec.json.Decoder(dict[str, WatchedAnswer | None])
ONLY_PLAYS = msgspec.json.Decoder(dict[str, ScenePlaysAnswer | None])
PLAYS_WRITTEN = msgspec.json.Decoder(dict[str, PlaysAnswer])
# Whether each part of a mutation was carried out.
CARRIED_OUT = msgspec.json.Decoder(dict[str, bool])
INTERFACE = msgspec.json.Decoder(dict[str, Interface])
RATING_WRITTEN = msgspec.json.Decoder(dict[str, RatedScene])


class StashWatching:
    """Reads and writes plays, play times and resume points of a Stash, and writes ratings."""

    def __init__(self, requests: StashRequests) -> None:
        self._requests = requests

    def watched_scenes(self, ids: Sequence[int]) -> dict[int, WatchedScene]:
        """These scenes with their plays, play times and resume points, in one request; missing ones are left out."""
        more = self._requests.more
        scene_of = partial(answers.scene_of, timed=more.get("file_times", False))
        return self._requests.scenes(
            ids,
            WATCHED,
            partial(watch_queries.watched_scenes, **more),
            lambda row: WatchedScene(
                scene_of(row),
                *(plays_of(row.play_history), position_of(row.resume_time)),
                *(amount_of(row.play_duration), amount_of(row.resume_time)),
            ),
        )

    def only_plays(self, ids: Sequence[int]) -> dict[int, ScenePlays]:
        """The plays of the scenes with these ids, in one small request; missing ones are left out."""
        return self._requests.scenes(
            ids,
            ONLY_PLAYS,
            watch_queries.only_plays,
            lambda row: ScenePlays(answers.number(row.id), row.created_at, row.updated_at, plays_of(row.play_history)),
        )

    def add_plays(self, id: int, moments: "Moments") -> tuple[int, ...]:
        """Add one play for each moment, also where there is one; returns all plays of the scene after it, newest first."""
        return self._write(watch_queries.ADD_PLAYS, id, moments)

    def take_plays(self, id: int, moments: "Moments") -> tuple[int, ...]:
        """Remove one play of each moment that has one; returns all plays of the scene after it, newest first."""
        return self._write(watch_queries.TAKE_PLAYS, id, moments)

    def save_activity(self, id: int, *, at: float | None = None, seconds: float | None = None) -> None:
        """Set where a scene is resumed, and add to its play time, both in seconds; None changes nothing."""
        self._save(watch_queries.SAVE_ACTIVITY, id, at, seconds, "saved")

    def restore_activity(self, id: int, *, seconds: float, at: float | None = None) -> None:
        """Set the play time of a scene, and where it is resumed, both in seconds; None leaves the latter alone.

        Stash first sets the play time to 0 and then adds to it: one of the two may arrive without the other.
        """
        self._save(watch_queries.RESTORE_ACTIVITY, id, at, seconds, "reset", "saved")

    def player_rules(self) -> PlayerRules:
        """How Stash's own player notes what is watched, in one request; by default where a setting can't be read."""
        settings = self._requests.ask_one(INTERFACE, "configuration", watch_queries.PLAYER_RULES).ui
        return PlayerRules(amount_of(settings.minimumPlayPercent), settings.trackActivity is not False)

    def rate(self, id: int, rating: int | None) -> int | None:
        """Set the rating of a scene from 1 to 100, None clears it; returns the rating after it."""
        variables = {"input": {"id": str(id), "rating100": rating}}
        return self._requests.ask_one(
            RATING_WRITTEN, "scene", watch_queries.RATE, variables, cap=ORDINARY_CAP
        ).rating100

    def save_unchanged(self, id: int) -> None:
        """Save a scene as it is. Whoever listens to Stash's changes hears of it."""
        self._requests.ask_one(
            RATING_WRITTEN, "scene", watch_queries.SAVE_UNCHANGED, {"input": {"id": str(id)}}, cap=ORDINARY_CAP
        )

    def _save(self, mutation: str, id: int, at: float | None, seconds: float | None, *parts: str) -> None:
        answer = self._requests.ask(CARRIED_OUT, mutation, {"id": str(id), "position": at, "seconds": seconds})
        if answer != dict.fromkeys(parts, True):
            raise self._requests.foreign("that it did not save how far the scene was watched")

    def _write(self, mutation: str, id: int, moments: "Moments") -> tuple[int, ...]:
        variables = {"id": str(id), "times": moments.texts()}
        plays = self._requests.ask_one(PLAYS_WRITTEN, "plays", mutation, variables, cap=PLAYS_CAP)
        if plays.count != len(plays.history):
            raise self._requests.foreign("with a part of the plays")
        return plays_of(plays.history)


def plays_of(moments: Sequence[Moment]) -> tuple[int, ...]:
    """Plays in whole seconds UTC, newest first."""
    return tuple(sorted((int(moment.replace(microsecond=0).timestamp()) for moment in moments), reverse=True))


def position_of(seconds: float | None) -> int:
    """A resume point in milliseconds; 0 for none."""
    return round(min(max(seconds or 0.0, 0.0), LONGEST) * 1000)


def amount_of(number: object) -> float:
    """A play time in seconds, or a percentage, as Stash writes it; 0 for none, or for one that can't be."""
    if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= LONGEST:
        return float(number)
    return 0.0
