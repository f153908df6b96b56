"""The last time when Plex was compared with Stash: what was found, as the text of a note. Imports nothing, to start fast."""

COUNT = 4


def written(at: int, *, in_sync: int, differ: int, sample: bool) -> str:
    """The text of the note. `at`: UTC milliseconds. `in_sync` and `differ` count scenes that have an item in Plex."""
    return f"{at} {in_sync} {differ} {int(sample)}"


def read(text: str) -> tuple[int, int, int, bool] | None:
    """(at, in_sync, differ, sample) of a note; None if there is none, or if it is unreadable."""
    words = text.split()
    if len(words) != COUNT or not all(word.isascii() and word.isdigit() for word in words):
        return None
    at, in_sync, differ, sample = map(int, words)
    return at, in_sync, differ, bool(sample)
