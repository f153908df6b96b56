"""How often in a row a worker ended by itself, as the text of a note. Imports nothing, to start fast.

A worker ends by itself if it fails, is killed or hangs. The note is emptied by a worker that ends in good order, or that
stays up for `STAYS`.
"""

# In milliseconds.
STAYS = 600_000
# The most characters of the error.
LONGEST = 300
NUMBERS = 3


def after_end(text: str, now: int, error: str) -> str:
    """The text of the note after one more end. `now`: UTC milliseconds."""
    count, since, _, _ = read(text) or (0, now, now, "")
    return f"{count + 1} {since} {now} {error[:LONGEST]}"


def read(text: str) -> "tuple[int, int, int, str] | None":
    """(count, first, last, last error) of a note; None if there is none, or if it is unreadable."""
    *numbers, error = text.split(" ", NUMBERS) if text.count(" ") >= NUMBERS else ("",)
    if len(numbers) != NUMBERS or not all(number.isascii() and number.isdigit() for number in numbers):
        return None
    count, since, last = map(int, numbers)
    return count, since, last, error
