"""The question that changed settings ask before they write many items, as the text of a note. Imports little."""

import json

# So many items may be written for a changed setting without a question.
FEW = 20


class SettingQuestion:
    """What has changed in `words`, and how many scenes and collections it would write.

    `wishes` is the fingerprint of the settings that were counted; `agreed`: you have said yes, or they are few.
    """

    def __init__(self, wishes: str, words: str, scenes: int, collections: int = 0, *, agreed: bool = False) -> None:
        self.wishes = wishes
        self.words = words
        self.scenes = scenes
        self.collections = collections
        self.agreed = agreed

    @property
    def text(self) -> str:
        """`look is rich now: 288 scenes would change`."""
        counts = ((self.scenes, "scene"), (self.collections, "collection"))
        some = [f"{count:,} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count]
        return f"{self.words}: {' and '.join(some)} would change"

    def agreed_to(self) -> "SettingQuestion":
        """The same with your yes."""
        return SettingQuestion(self.wishes, self.words, self.scenes, self.collections, agreed=True)

    def to_text(self) -> str:
        """The text of the note."""
        return json.dumps([self.wishes, self.words, self.scenes, self.collections, self.agreed])


def read(text: str) -> SettingQuestion | None:
    """The question of a note; None if there is none, or if it is unreadable."""
    try:
        wishes, words, scenes, collections, agreed = json.loads(text)
        return SettingQuestion(str(wishes), str(words), int(scenes), int(collections), agreed=bool(agreed))
    except (ValueError, TypeError):
        return None


def open_question(text: str) -> SettingQuestion | None:
    """The question of a note that waits for your yes."""
    question = read(text)
    return None if question is None or question.agreed else question
