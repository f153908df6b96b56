"""The question that changed settings ask before they write many items, as the text of a note. Imports little."""

import json
from typing import NamedTuple

# So many items may be written for a changed setting without a question.
FEW = 20


class SettingQuestion(NamedTuple):
    """What has changed in `words`, how many scenes and collections it would write, and playlists delete and create.

    `wishes` is the fingerprint of the settings that were counted; `agreed`: you have said yes, or they are few.
    """

    wishes: str
    words: str
    scenes: int
    collections: int = 0
    agreed: bool = False
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

    def agreed_to(self) -> "SettingQuestion":
        """The same with your yes."""
        return self._replace(agreed=True)

    def to_text(self) -> str:
        """The text of the note."""
        return json.dumps(self)


def _many(count: int, noun: str) -> list[str]:
    return [f"{count:,} {noun}{'' if count == 1 else 's'}"] if count else []


def read(text: str) -> SettingQuestion | None:
    """The question of a note; None if there is none, or if it is unreadable."""
    try:
        wishes, words, scenes, collections, agreed, *playlists = json.loads(text)
        texts, counts = (str(wishes), str(words)), (int(scenes), int(collections))
        return SettingQuestion(*texts, *counts, bool(agreed), *map(int, playlists))
    except (ValueError, TypeError):
        return None


def open_question(text: str) -> SettingQuestion | None:
    """The question of a note that waits for your yes."""
    question = read(text)
    return None if question is None or question.agreed else question
