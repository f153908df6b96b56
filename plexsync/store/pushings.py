"""Pushes of unknown result: saved before an edit is sent, and dropped once the result is known."""

import json
from collections.abc import Iterable, Sequence

from plexsync.rules.plan_records import Pushing
from plexsync.store.connection import Table
from plexsync.store.documents import decode, encode

LIST = """
select scene, key, document from pushing
 where scene in (select value from json_each(:scenes))
 order by number
"""
ADD = "insert into pushing (scene, key, until, document) values (:scene, :key, :until, :document) returning number"
PROLONG = "update pushing set until = :until where number in (select value from json_each(:numbers))"
DROP_ONE = "delete from pushing where scene = :scene and key = :key and number = :number"
DROP_ENDED = "delete from pushing where scene = :scene and key = :key and until <= :ended"

FORGET_SCENES = "delete from pushing where scene in (select value from json_each(:scenes))"


class ReadOnlyPushings(Table):
    """Read access to the pushes of unknown result."""

    def of(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Pushing, ...]]:
        """Return the pushes of these scenes, oldest first, by (scene, item key)."""
        pushings: dict[tuple[int, str], tuple[Pushing, ...]] = {}
        for scene, key, document in self._db.rows(LIST, {"scenes": json.dumps(list(scenes))}):
            if pushing := decode(document, Pushing, f"a push of scene {scene} to item {key}", (scene, key)):
                pushings[scene, key] = (*pushings.get((scene, key), ()), pushing)
        return pushings


class Pushings(ReadOnlyPushings):
    """Read and write access to the pushes of unknown result."""

    def add(self, scene: int, key: str, pushing: Pushing) -> int:
        """Save a push before its edit is sent; returns its number, which is never used again."""
        row = {"scene": scene, "key": key, "until": pushing.until, "document": encode(pushing, (scene, key))}
        return int(self._db.value(ADD, row))

    def prolong(self, numbers: Sequence[int], until: int) -> None:
        """Extend the time until which these pushes may take effect."""
        self._db.execute(PROLONG, {"numbers": json.dumps(list(numbers)), "until": until})

    def drop(self, scene: int, key: str, *, number: int) -> None:
        """Forget the push with this number."""
        self.drop_all([(scene, key, number)])

    def drop_all(self, pushings: Iterable[tuple[int, str, int]]) -> None:
        """Forget the pushes of these (scene, item key, number)."""
        self._db.execute_many(
            DROP_ONE, [{"scene": scene, "key": key, "number": number} for scene, key, number in pushings]
        )

    def drop_ended(self, pairs: Iterable[tuple[int, str]], *, ended: int) -> None:
        """Forget the pushes of these (scene, item key) whose `until` is at or before `ended`."""
        self._db.execute_many(DROP_ENDED, [{"scene": scene, "key": key, "ended": ended} for scene, key in pairs])

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget the pushes of these scenes."""
        self._db.execute(FORGET_SCENES, {"scenes": json.dumps(list(scenes))})
