"""Whether an item, or an id in Stash, still means what something is remembered about.

A rating key is not enough: a reinstalled Plex, a library that was made anew and a restored database deal the same keys
to other items. The uuid of the library and the item's files tell them apart.

Stash has no identifier of its database either. A rebuilt or replaced one deals the same ids to other scenes. The time when
a scene was created and its files tell them apart: an id with another time and no common file is another scene. A file of
the same name and size elsewhere is not enough: two scenes can have such files. A file that was moved keeps the time.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from plexsync.rules.item import Item, Part
from plexsync.rules.match.paths import name_key, path_key
from plexsync.rules.merge.plan_records import Memory, Pushing
from plexsync.rules.merge.values import held_field, matches, matches_sent
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene


@record
class Origin:
    """The library (uuid, '' if unknown) and the files of an item when it was remembered (none if unknown)."""

    library: str = ""
    files: tuple[Part, ...] = ()

    def agrees(self, library: str, parts: Sequence[Part]) -> bool:
        """Whether an item with this library and these files can be the remembered one."""
        if self.library and library and self.library != library:
            return False
        # A file is the same one at the same place, or moved with its name and its size.
        return not self.files or any(
            path_key(old.path) == path_key(new.path)
            or (old.size == new.size > 0 and name_key(old.path) == name_key(new.path))
            for old in self.files
            for new in parts
        )


def is_of(origin: Origin, memory: Memory, pushings: Sequence[Pushing], item: Item) -> bool:
    """Whether a memory, and pushes of unknown result, are believed for an item.

    If only its files are others now, the item is still the same one when it shows the title or the summary that
    PlexSync left or sent there: its files were swapped, and its values are PlexSync's.
    """
    if origin.agrees(item.library, item.parts):
        return True
    return origin.agrees(item.library, origin.files) and _shows_text_of(memory, pushings, item)


def _shows_text_of(memory: Memory, pushings: Sequence[Pushing], item: Item) -> bool:
    for name in ("title", "summary"):
        now = held_field(item, name)
        is_left = name in memory and matches(name, now, memory[name].left)
        sent = [push.fields[name].sent for push in pushings if name in push.fields]
        if now.value and (is_left or any(matches_sent(name, now, value) for value in sent)):
            return True
    return False


# Fewer different scenes than this were made anew one by one.
MANY = 5


@record
class SceneOrigin:
    """When a scene was created in Stash ('' if unknown), and the (path, size) of its files when it was remembered."""

    created_at: str = ""
    files: tuple[tuple[str, int], ...] = ()

    def agrees(self, now: "SceneOrigin") -> bool:
        """Whether a scene with the same id can be the remembered one. It can if either of them is unknown."""
        if not (self.created_at and now.created_at):
            return True
        # Stash may write one instant with another offset.
        is_same = self.created_at == now.created_at or (instant(self.created_at) or "") == instant(now.created_at)
        return is_same or any(path_key(old) == path_key(new) for old, _ in self.files for new, _ in now.files)


@record
class KnownScene:
    """The origin of a scene when it was last seen, and when it was last changed by then ('' if unknown).

    The origin of an ignored scene is from when it was ignored.
    """

    origin: SceneOrigin
    ignored: bool = False
    updated_at: str = ""


def scene_origin(scene: Scene) -> SceneOrigin:
    """The origin of a scene as it is now."""
    return SceneOrigin(scene.created_at, tuple((file.path, file.size) for file in scene.files))


def is_another_stash(different: Collection[int], present: Sequence[int]) -> bool:
    """Whether so many of the known scenes are others now that the whole database is another one."""
    return len(different) >= MANY and 2 * len(different) > len(present)


def is_earlier(text: str, before: str) -> bool:
    """Whether a time of Stash is an earlier instant than another one; False if either is unknown."""
    now, then = instant(text), instant(before)
    return now is not None and then is not None and now < then


def instant(text: str) -> datetime | None:
    """The instant of a text with an offset; None for another one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
