"""Whether an id in Stash still means the scene that something is remembered about.

Stash has no identifier of its database. A rebuilt or replaced one deals the same ids to other scenes. The time when a
scene was created and its files tell them apart: an id with another time and no common file is another scene. A file of
the same name and size elsewhere is not enough: two scenes can have such files. A file that was moved keeps the time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from plexsync.rules.paths import path_key
from plexsync.rules.scene import Scene

# Fewer different scenes than this were made anew one by one.
MANY = 5


@dataclass(frozen=True)
class SceneOrigin:
    """When a scene was created in Stash ('' if unknown), and the (path, size) of its files when it was remembered."""

    created_at: str = ""
    files: tuple[tuple[str, int], ...] = ()

    def agrees(self, now: "SceneOrigin") -> bool:
        """Whether a scene with the same id can be the remembered one. It can if either of them is unknown."""
        if not (self.created_at and now.created_at):
            return True
        return _is_same_time(self.created_at, now.created_at) or any(
            path_key(old) == path_key(new) for old, _ in self.files for new, _ in now.files
        )


@dataclass(frozen=True)
class KnownScene:
    """The origin of a scene when it was last seen. That of an ignored scene is from when it was ignored."""

    origin: SceneOrigin
    ignored: bool = False


def scene_origin(scene: Scene) -> SceneOrigin:
    """The origin of a scene as it is now."""
    return SceneOrigin(scene.created_at, tuple((file.path, file.size) for file in scene.files))


def is_another_stash(different: Collection[int], present: Sequence[int]) -> bool:
    """Whether so many of the known scenes are others now that the whole database is another one."""
    return len(different) >= MANY and 2 * len(different) > len(present)


def _is_same_time(old: str, new: str) -> bool:
    """Whether both texts are one instant: Stash may write it with another offset."""
    if old == new:
        return True
    try:
        return datetime.fromisoformat(old) == datetime.fromisoformat(new)
    except (ValueError, TypeError):
        return False
