"""The question whether lists that an earlier PlexSync may have left in Plex are its own."""

import json

from plexsync.reports.format import many

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from plexsync.reports.shapes.status import OldListFacts, OldListsFacts

# So many names of a list are shown.
NAMES = 5


def old_lists_facts(count: int, marks: "Sequence[str]") -> "OldListsFacts | None":
    """The question for JSON, by the number of items and the marks of some of them; None if nothing is asked."""
    if not count:
        return None
    sample: list[OldListFacts] = [
        {"scene": mark["scene"], "field": field, "names": [*members.values()][:NAMES]}
        for mark in map(json.loads, marks)
        for field, members in mark["lists"].items()
    ]
    return {"items": count, "sample": sample[: len(marks)]}


def old_lists_words(facts: "OldListsFacts") -> str:
    """The question in a few words."""
    have = "has" if facts["items"] == 1 else "have"
    return f"{many(facts['items'], 'item')} {have} locked lists that look as an earlier PlexSync left them"


def old_lists_text(facts: "OldListsFacts") -> str:
    """The question in sentences, with some of the lists."""
    lists = "; ".join(
        f"{example['field']} of scene {example['scene']}: {', '.join(example['names'])}" for example in facts["sample"]
    )
    return (
        f"{old_lists_words(facts)}; other tools' locks look alike. Take them as its own? Some of them: {lists}. A list with"
        " a name that Stash lacks is none of them and stays yours, and so does every locked single value"
    )
