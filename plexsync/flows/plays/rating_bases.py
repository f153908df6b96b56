"""The base of each rating: what the way back remembers, and where that is nothing, what the scene flow left in Plex.

The scene flow owns ratings while they go one way. So that nothing is lost when that is switched, either flow begins with
what the other one has left.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plexsync.rules.item import Item
from plexsync.rules.plan_records import Memory, Remembered
from plexsync.rules.ratings import NO_RATING, UNKNOWN, ItemRating, RatingRules, RememberedRating, plex_rating, plex_text
from plexsync.rules.scene import Scene
from plexsync.rules.values import Held
from plexsync.store.database import Reader, Writer

FIELD = "userRating"
Pair = tuple[int, str]


def item_rating(item: Item) -> ItemRating:
    """The rating of an item."""
    return ItemRating(plex_rating(item.value(FIELD)), item.rated_at)


def bases_of(db: Reader, scenes: Iterable[Scene]) -> dict[Pair, RememberedRating]:
    """What is remembered of the ratings of these scenes, by (scene, item key)."""
    created = {scene.id: scene.created_at for scene in scenes}
    from_scene_flow = {
        pair: base for pair, memory in db.memories.of(list(created)).items() if (base := _left_by_scene_flow(memory))
    }
    return from_scene_flow | db.ratings.of(created)


def _left_by_scene_flow(memory: Memory) -> RememberedRating | None:
    remembered = memory.get(FIELD)
    if remembered is None or remembered.undone or not remembered.said:
        return None
    try:
        return RememberedRating(plex_rating(str(remembered.said)), plex_rating(str(remembered.left.value)))
    except ValueError:
        # A damaged page has changed it.
        return None


def is_rated_both_ways(db: Reader, rules: RatingRules | None, id: int, created_at: str) -> bool:
    """Whether both sides were in step with the rating of this scene, and it goes both ways by now."""
    if rules is None:
        return False
    keys = {key for _, key in (*db.memories.of([id]), *db.ratings.of({id: created_at}))}
    sections = rules.sections(db.sections.all())
    return any(entry.section in sections for entry in db.index.entries(sorted(keys)))


def save_bases(tx: Writer, scene: Scene, ratings: Mapping[str, RememberedRating]) -> None:
    """Save what is remembered of the ratings of a scene, by item, also as the scene flow would."""
    tx.ratings.save(scene.id, scene.created_at, ratings)
    based = {key: row for key, row in ratings.items() if row.has_base and not row.pending and not row.undo}
    memories = tx.memories.of([scene.id]) if based else {}
    for key, row in based.items():
        memory = memories.get((scene.id, key), {})
        handed_over = _as_left(memory, row)
        if handed_over and handed_over != memory:
            tx.memories.rewrite(scene.id, key, handed_over)


def _as_left(memory: Memory, row: RememberedRating) -> Memory:
    """The memory of the scene flow with this rating; unchanged if it remembers nothing, or was undone."""
    others = {name: remembered for name, remembered in memory.items() if name != FIELD}
    if not others or any(remembered.undone for remembered in memory.values()):
        return memory
    if row.stash == NO_RATING:
        return others
    original = _held(row.plex if row.plex_before == UNKNOWN else row.plex_before)
    remembered = memory.get(FIELD) or Remembered("", original, original)
    values = replace(remembered, said=plex_text(row.stash), left=_held(row.plex), drift=None)
    return {**others, FIELD: values}


def _held(rating: int) -> Held:
    return Held(plex_text(rating), locked=rating != NO_RATING)
