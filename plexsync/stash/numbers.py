"""Numbers in Stash's answers: ids and sizes, which may come as texts."""

Id = str | int


def number(text: Id) -> int:
    """An id or size as a number."""
    if isinstance(text, int):
        if text < 0:
            raise ValueError("a negative number")
        return text
    if not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise ValueError("a number was expected")
    return int(text)
