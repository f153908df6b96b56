"""A scene with a draft of settings, as facts, with the pictures themselves."""

from base64 import b64encode

from plexsync.app.draft import DraftItem, DraftScene
from plexsync.app.parts import Parts
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.merge.pictures import kind_of
from plexsync.rules.servers.errors import NeighbourError

# A larger picture is not part of the facts, in bytes.
LARGEST_SHOWN = 1_000_000


def draft_facts(parts: Parts, scene: DraftScene) -> dict[str, object]:
    """The scene, and what would change of its items."""
    items = [_item_facts(parts, item) for item in scene.all_items]
    return {"id": scene.preview.id, "title": scene.preview.title, "why": scene.reason, "items": items}


def _item_facts(parts: Parts, item: DraftItem) -> dict[str, object]:
    """What changes of an item; `old` and `new` of a picture are addresses with its data, '' where there is none to show."""
    rows = [row for row in item.rows if row.changes]
    texts = [{"field": row.field, "old": row.before, "new": row.after} for row in rows if row.field not in PICTURES]
    here = parts.plex.items([item.key]).get(item.key) if item.pictures else None
    pictures = [
        {"field": name, "old": _as_data(_in_plex(parts, here, name)), "new": _as_data(content)}
        for name, content in item.pictures.items()
    ]
    return {"key": item.key, "title": item.title, "fields": texts, "pictures": pictures}


def _in_plex(parts: Parts, item: Item | None, name: str) -> bytes:
    try:
        return parts.plex.picture(item.pictures[name]) if item and item.pictures.get(name) else b""
    except NeighbourError:
        return b""


def _as_data(content: bytes) -> str:
    kind = kind_of(content)
    fits = kind in ("jpeg", "png", "webp") and len(content) <= LARGEST_SHOWN
    return f"data:image/{kind};base64,{b64encode(content).decode()}" if fits else ""
