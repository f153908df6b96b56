"""The question that changed settings ask before they write many items, as the text of a note. Imports little."""

import json

# So many items may be written for a changed setting without a question.
FEW = 20


class SettingQuestion:
    """What has changed in `words`, and how many scenes and collections it would write.

    `playlists`: how many it would delete, and create. `wishes` is the fingerprint of the settings that were counted;
    `agreed`: you have said yes, or they are few.
    """

    def __init__(
        self,
        wishes: str,
        words: str,
        scenes: int,
        collections: int = 0,
        playlists: tuple[int, int] = (0, 0),
        *,
        agreed: bool = False,
    ) -> None:
        self.wishes = wishes
        self.words = words
        self.scenes = scenes
        self.collections = collections
        self.playlists = playlists
        self.agreed = agreed

    @property
    def is_small(self) -> bool:
        """Whether it need not be asked: it writes few items, and deletes none."""
        deleted, created = self.playlists
        return not deleted and self.scenes + self.collections + created <= FEW

    @property
    def text(self) -> str:
        """`look is rich now: 288 scenes would change`."""
        deleted, created = self.playlists
        changed = " and ".join(_many(self.scenes, "scene") + _many(self.collections, "collection"))
        effects = [f"{changed} would change"] if changed else []
        effects += [f"{count} would be deleted" for count in _many(deleted, "playlist")]
        effects += [f"{count} would be created" for count in _many(created, "playlist")]
        return f"{self.words}: {', '.join(effects)}"

    def agreed_to(self) -> "SettingQuestion":
        """The same with your yes."""
        return SettingQuestion(self.wishes, self.words, self.scenes, self.collections, self.playlists, agreed=True)

    def to_text(self) -> str:
        """The text of the note."""
        counts = (self.scenes, self.collections, self.agreed, *self.playlists)
        return json.dumps([self.wishes, self.words, *counts])


def _many(count: int, noun: str) -> list[str]:
    return [f"{count:,} {noun}{'' if count == 1 else 's'}"] if count else []


def read(text: str) -> SettingQuestion | None:
    """The question of a note; None if there is none, or if it is unreadable."""
    try:
        wishes, words, scenes, collections, agreed, *lists = json.loads(text)
        deleted, created = map(int, lists or (0, 0))
        counts = (int(scenes), int(collections), (deleted, created))
        return SettingQuestion(str(wishes), str(words), *counts, agreed=bool(agreed))
    except (ValueError, TypeError):
        return None


def open_question(text: str) -> SettingQuestion | None:
    """The question of a note that waits for your yes."""
    question = read(text)
    return None if question is None or question.agreed else question
