"""The question that changed settings ask before they write many items, as the text of a note. Imports little."""

import json
from typing import NamedTuple

# So many items may be written for a changed setting without a question.
FEW = 20


class SettingQuestion(NamedTuple):
    """What has changed in `words`, how many scenes and collections it would write, and playlists delete, create and reorder.

    `wishes` is the fingerprint of the settings that were counted. Your yes ends the question. `stops`: the settings before
    are not known, so that nothing is written until then.
    """

    wishes: str
    words: str
    scenes: int
    collections: int = 0
    deleted: int = 0
    created: int = 0
    reordered: int = 0
    stops: bool = False

    @property
    def is_small(self) -> bool:
        """Whether it need not be asked: it writes few items, and deletes none."""
        return not self.deleted and self.scenes + self.collections + self.created + self.reordered <= FEW

    @property
    def text(self) -> str:
        """`look is rich now: 288 scenes would change`."""
        changed = " and ".join(_many(self.scenes, "scene") + _many(self.collections, "collection"))
        effects = [f"{changed} would change"] if changed else []
        effects += [f"{count} would be deleted" for count in _many(self.deleted, "playlist")]
        effects += [f"{count} would be created" for count in _many(self.created, "playlist")]
        effects += [f"{count} would be put in another order" for count in _many(self.reordered, "playlist")]
        return f"{self.words}: {', '.join(effects)}"

    def to_text(self) -> str:
        """The text of the note."""
        return json.dumps(self)


def _many(count: int, noun: str) -> list[str]:
    return [f"{count:,} {noun}{'' if count == 1 else 's'}"] if count else []


def read(text: str) -> SettingQuestion | None:
    """The question of a note; None if there is none, or if it is unreadable: then it is counted anew."""
    try:
        wishes, words, *counts = json.loads(text)
        # An earlier version has noted the yes among the counts, and nothing behind them.
        scenes, collections, *playlists = (int(count) for count in counts if not isinstance(count, bool))
        deleted, created, reordered = playlists
        return SettingQuestion(
            str(wishes), str(words), scenes, collections, deleted, created, reordered, counts[-1] is True
        )
    except (ValueError, TypeError):
        return None
