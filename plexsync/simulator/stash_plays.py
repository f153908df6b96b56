"""Plays, resume points and watched times of the simulated Stash, with the effects measured on a real one.

* A play is a row of one whole second in UTC: fractions are cut, offsets are converted. The same second twice is two rows.
* An empty or missing list of times adds a play now, or removes the newest one.
* Removing a time removes one row of exactly that second; a time that is not there removes nothing.
* The resume point is set, the watched time is added up.
* Nothing here changes `updated_at` or starts a hook.

Not measured but read in Stash's public source: what a scene that does not exist gives, the order among scenes that were
never played, and which plays a merge keeps.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plexsync.simulator.stash_graphql import Resolver, StashError
from plexsync.simulator.stash_model import Scene, StashData, newest_first, one_of, seconds

# What a scene that was never played counts as when scenes are searched by their last play: SQLite's `datetime(0)`.
NEVER = "-4713-11-24 12:00:00"


@dataclass(frozen=True)
class PlayHistory:
    """The plays of a scene after a change, newest first."""

    count: int
    history: Sequence[str]


class ScenePlays:
    """Reads and changes the plays of scenes, as a user or a request does. Moments are in seconds UTC."""

    def __init__(self, data: StashData) -> None:
        self._data = data

    def of(self, scene_id: int) -> tuple[int, ...]:
        """The plays of a scene, newest first; raises StashError if there is no such scene."""
        with self._data.lock:
            return self._data.scene(scene_id).plays

    def add(self, scene_id: object, moments: Iterable[int] = ()) -> PlayHistory:
        """sceneAddPlay: one row for each moment; without any, one for now."""
        with self._data.lock:
            added = tuple(moments) or (seconds(self._data.stamp()),)
            scene = self._data.scene(scene_id)
            scene.plays = newest_first((*scene.plays, *added))
            return history_of(scene)

    def delete(self, scene_id: object, moments: Iterable[int] = ()) -> PlayHistory:
        """sceneDeletePlay: one row less for each moment that has one; without any moment, the newest row."""
        with self._data.lock:
            scene = one_of(self._data.scenes, scene_id)
            if scene is None:
                return PlayHistory(0, ())
            remaining = list(scene.plays)
            for moment in tuple(moments) or scene.plays[:1]:
                if moment in remaining:
                    remaining.remove(moment)
            scene.plays = tuple(remaining)
            return history_of(scene)

    def save_activity(
        self, scene_id: object, resume_time: float | None = None, play_duration: float | None = None
    ) -> bool:
        """sceneSaveActivity: the resume point is set, the watched time is added to what is there."""
        with self._data.lock:
            scene = self._data.scene(scene_id)
            scene.resume_time = scene.resume_time if resume_time is None else float(resume_time)
            scene.play_duration += play_duration or 0.0
            return True

    def reset_activity(self, scene_id: object, *, resume: bool, duration: bool) -> bool:
        """sceneResetActivity: each of the two is set to 0 if that is asked for."""
        with self._data.lock:
            scene = self._data.scene(scene_id)
            scene.resume_time = 0.0 if resume else scene.resume_time
            scene.play_duration = 0.0 if duration else scene.play_duration
            return True

    def mutations(self) -> dict[str, Resolver]:
        """The fields of Mutation."""
        return {
            "sceneAddPlay": lambda _, __, id, times=None: self.add(id, moments_of(times)),
            "sceneDeletePlay": lambda _, __, id, times=None: self.delete(id, moments_of(times)),
            "sceneSaveActivity": lambda _, __, id, resume_time=None, playDuration=None: self.save_activity(
                id, resume_time, playDuration
            ),
            "sceneResetActivity": lambda _, __, id, reset_resume=None, reset_duration=None: self.reset_activity(
                id, resume=bool(reset_resume), duration=bool(reset_duration)
            ),
        }


def scene_fields() -> dict[str, Resolver]:
    """The fields of Scene that follow from its plays."""
    return {
        "play_history": lambda scene, _: history_of(scene).history,
        "play_count": lambda scene, _: len(scene.plays),
        "last_played_at": lambda scene, _: utc(scene.plays[0]) if scene.plays else None,
    }


def last_played(scene: Scene) -> str:
    """What a search by `last_played_at` compares: a text in UTC, of a scene without plays one before all others."""
    return utc(scene.plays[0]) if scene.plays else NEVER


def history_of(scene: Scene) -> PlayHistory:
    """The plays of a scene as a mutation returns them."""
    return PlayHistory(len(scene.plays), [utc(moment) for moment in scene.plays])


def moments_of(times: Sequence[Any] | None) -> list[int]:
    """A list of Timestamp values in whole seconds UTC; raises StashError for one without an offset, or for another text.

    Stash also reads relative times ("<4h"); nobody sends them here.
    """
    moments = []
    for text in times or ():
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            raise StashError(f"parsing time {text!r}") from None
        if moment.tzinfo is None:
            raise StashError(f"parsing time {text!r}: it has no offset")
        moments.append(int(moment.replace(microsecond=0).timestamp()))
    return moments


def utc(moment: int) -> str:
    """A moment as Stash writes those of plays, whatever the offset of its server."""
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
