"""Pushes of unknown result: saved before an edit is sent, and dropped once the result is known."""

import json
from collections.abc import Callable, Iterable, Sequence

from plexsync.rules.job import Kind
from plexsync.rules.origin import Origin
from plexsync.rules.plan_records import Pushing
from plexsync.store.connection import Connection, Table
from plexsync.store.documents import decode, encode
from plexsync.store.origins import FILES, LIBRARY, of_this_library, origin_of

LIST = f"""
select subject, item, library, files, document from pushing
 where flow = :flow and subject in (select value from json_each(:scenes)) and {of_this_library("pushing")}
 order by number
"""
ADD = f"""
insert into pushing (flow, subject, library, item, until, document, files)
values (:flow, :scene, {LIBRARY}, :item, :until, :document, {FILES})
returning number
"""
# Of a library, also rows from before its uuid was known.
IN_LIBRARY = """
select number, subject, item, document from pushing
 where flow = :flow
   and (library = :library or (library = '' and item in (select key from item where section = :section)))
"""
REWRITE = "update pushing set document = :document where number = :number"
PROLONG = "update pushing set until = :until where number in (select value from json_each(:numbers))"
DROP_ONE = "delete from pushing where flow = :flow and subject = :scene and item = :item and number = :number"
DROP_ENDED = "delete from pushing where flow = :flow and subject = :scene and item = :item and until <= :ended"

FORGET_SCENES = "delete from pushing where flow = :flow and subject in (select value from json_each(:scenes))"


class ReadOnlyPushings(Table):
    """Read access to one flow's pushes of unknown result."""

    def __init__(self, db: Connection, flow: str = Kind.SCENE) -> None:
        super().__init__(db)
        self._flow = str(flow)

    def of(self, scenes: Sequence[int]) -> dict[tuple[int, str], tuple[Pushing, ...]]:
        """Return the pushes of these scenes, oldest first, by (scene, item key)."""
        return {pair: tuple(pushing for pushing, _ in pushings) for pair, pushings in self.with_origins(scenes).items()}

    def with_origins(self, scenes: Sequence[int]) -> dict[tuple[int, str], list[tuple[Pushing, Origin]]]:
        """Like `of`, each push with the item's library and files then."""
        pushings: dict[tuple[int, str], list[tuple[Pushing, Origin]]] = {}
        values = {"flow": self._flow, "scenes": json.dumps(list(scenes))}
        for scene, key, library, files, document in self._db.rows(LIST, values):
            if pushing := decode(document, Pushing, f"a push of scene {scene} to item {key}", (scene, key)):
                pushings.setdefault((scene, key), []).append((pushing, origin_of(library, files)))
        return pushings


class Pushings(ReadOnlyPushings):
    """Read and write access to the pushes of unknown result."""

    def add(self, scene: int, key: str, pushing: Pushing) -> int:
        """Save a push before its edit is sent; returns its number, which is never used again."""
        (number,) = self.add_all([(scene, key, pushing)])
        return number

    def add_all(self, pushings: Iterable[tuple[int, str, Pushing]]) -> list[int]:
        """Like `add`, for several (scene, item key, push), in this order."""
        rows = [
            {**self._pair(scene, key), "until": pushing.until, "document": encode(pushing, (scene, key))}
            for scene, key, pushing in pushings
        ]
        return [int(row[0]) for row in self._db.row_of_each(ADD, rows)]

    def prolong(self, numbers: Sequence[int], until: int) -> None:
        """Extend the time until which these pushes may take effect."""
        self._db.execute(PROLONG, {"numbers": json.dumps(list(numbers)), "until": until})

    def rewrite_all(self, library: str, section: str, change: Callable[[Pushing], Pushing]) -> None:
        """Replace every push to a library, given by its uuid and key, by what `change` makes of it."""
        changed: list[dict[str, object]] = []
        values = {"flow": self._flow, "library": library, "section": section}
        for number, scene, key, document in self._db.rows(IN_LIBRARY, values):
            pushing = decode(document, Pushing, f"a push of scene {scene} to item {key}", (scene, key))
            if pushing and (fresh := change(pushing)) != pushing:
                changed.append({"number": number, "document": encode(fresh, (scene, key))})
        self._db.execute_many(REWRITE, changed)

    def drop(self, scene: int, key: str, *, number: int) -> None:
        """Forget the push with this number."""
        self.drop_all([(scene, key, number)])

    def drop_all(self, pushings: Iterable[tuple[int, str, int]]) -> None:
        """Forget the pushes of these (scene, item key, number)."""
        self._db.execute_many(
            DROP_ONE, [{**self._pair(scene, key), "number": number} for scene, key, number in pushings]
        )

    def drop_ended(self, pairs: Iterable[tuple[int, str]], *, ended: int) -> None:
        """Forget the pushes of these (scene, item key) whose `until` is at or before `ended`."""
        self._db.execute_many(DROP_ENDED, [{**self._pair(scene, key), "ended": ended} for scene, key in pairs])

    def forget(self, scenes: Sequence[int]) -> None:
        """Forget the pushes of these scenes."""
        self._db.execute(FORGET_SCENES, {"flow": self._flow, "scenes": json.dumps(list(scenes))})

    def _pair(self, scene: int, key: str) -> dict[str, object]:
        return {"flow": self._flow, "scene": scene, "item": key}
