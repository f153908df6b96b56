"""The question that changed settings ask before they write many items, as the text of a note. Imports little."""

import json
from typing import NamedTuple

# So many items may be written for a changed setting without a question.
FEW = 20


class SettingQuestion(NamedTuple):
    """What has changed in `words`, how many scenes and collections it would write, and playlists delete and create.

    `wishes` is the fingerprint of the settings that were counted. Your yes ends the question.
    """

    wishes: str
    words: str
    scenes: int
    collections: int = 0
    deleted: int = 0
    created: int = 0

    @property
    def is_small(self) -> bool:
        """Whether it need not be asked: it writes few items, and deletes none."""
        return not self.deleted and self.scenes + self.collections + self.created <= FEW

    @property
    def text(self) -> str:
        """`look is rich now: 288 scenes would change`."""
        changed = " and ".join(_many(self.scenes, "scene") + _many(self.collections, "collection"))
        effects = [f"{changed} would change"] if changed else []
        effects += [f"{count} would be deleted" for count in _many(self.deleted, "playlist")]
        effects += [f"{count} would be created" for count in _many(self.created, "playlist")]
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
        scenes, collections, deleted, created = map(int, counts)
        return SettingQuestion(str(wishes), str(words), scenes, collections, deleted, created)
    except (ValueError, TypeError):
        return None
