"""The last time when Plex was compared with Stash: what was found, as the text of a note. Imports nothing, to start fast."""

# Of a note, and of one of an earlier version, which did not count the fields that Plex keeps.
COUNTS = (5, 4)


def format_note(at: int, *, in_sync: int, differ: int, sample: bool, kept_fields: int) -> str:
    """The text of the note. `at`: UTC milliseconds. `in_sync` and `differ` count scenes that have an item in Plex.

    `kept_fields` counts the fields of those in sync that Plex keeps.
    """
    return f"{at} {in_sync} {differ} {int(sample)} {kept_fields}"


def read(text: str) -> tuple[int, int, int, bool, int] | None:
    """(at, in_sync, differ, sample, kept_fields) of a note; None if there is none, or if it is unreadable."""
    words = text.split()
    if len(words) not in COUNTS or not all(word.isascii() and word.isdigit() for word in words):
        return None
    at, in_sync, differ, sample, *held_count = map(int, words)
    return at, in_sync, differ, bool(sample), held_count[0] if held_count else 0
