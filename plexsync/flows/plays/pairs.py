"""The scenes that the way back leaves alone."""

from collections.abc import Iterable

from plexsync.rules.job import Kind, State
from plexsync.rules.scene import Scene
from plexsync.rules.scope import Scope, outside
from plexsync.store.database import Reader


def left_alone(db: Reader, scenes: Iterable[Scene], scope: Scope) -> set[int]:
    """The ids of those of these scenes that are out of scope, or ignored."""
    present = list(scenes)
    rows = db.jobs.of(Kind.SCENE, [scene.id for scene in present])
    ignored = {id for id, row in rows.items() if row.state is State.IGNORED}
    return ignored | {scene.id for scene in present if outside(scene, scope)}
