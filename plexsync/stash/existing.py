"""The answer to which scenes exist, and how many there are."""

from collections.abc import Mapping, Sequence

import msgspec

from plexsync.stash import answers


class ExistingAnswer(msgspec.Struct):
    """A part of the data of the query of `queries.existing`: a scene, or the number of all."""

    id: answers.Id = 0
    count: int = -1


def existing_of(answer: Mapping[str, ExistingAnswer | None], asked: Sequence[int]) -> tuple[frozenset[int], int]:
    """Those of the scenes that exist, and the number of all. Raises ValueError for another answer than to this query."""
    total = answer.get("all")
    if total is None or total.count < 0 or answer.keys() != {"all", *(f"s{id}" for id in asked)}:
        raise ValueError("not what was asked for")
    scenes = {id: scene for id in asked if (scene := answer[f"s{id}"]) is not None}
    if any(answers.number(scene.id) != id for id, scene in scenes.items()):
        raise ValueError("another scene than was asked for")
    return frozenset(scenes), total.count
