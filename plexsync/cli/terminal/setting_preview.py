"""What another value of a setting would change in Plex: one scene, and how many scenes."""

from base64 import b64encode

from plexsync.app.draft import DraftCount, DraftItem, DraftScene, open_draft, with_values
from plexsync.app.parts import Parts, open_parts
from plexsync.app.setting_change import config_of, in_the_file
from plexsync.cli.call import Call
from plexsync.cli.start import Begun
from plexsync.cli.terminal.preview_output import scene_lines
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.reports.format import many, safe
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.merge.pictures import kind_of
from plexsync.rules.servers.errors import NeighbourError, Unusable

# A larger picture is not part of the facts, in bytes.
LARGEST_SHOWN = 1_000_000


def show_setting(call: Call, start: Begun, name: str, value: object, scene: int | None = None) -> dict[str, object]:
    """Show what this value changes of this scene (None: one that it changes), and of how many.

    Returns the facts for JSON.
    """
    now, then = str(in_the_file(start.config, name)), str(value)
    facts: dict[str, object] = {"settings": [{"name": name, "now": now, "then": then}]}
    if not call.json:
        row = tuple(map(safe, (name, now, then)))
        paper().print(table("Settings that change", ("setting", "now", "then"), [row]))
    settings = {name: value}
    config = with_values(start.config, start.settings.loaded.origin, config_of(settings), settings)
    count = DraftCount()
    try:
        with open_parts(start.config, start.folder) as parts, open_draft(parts, config) as draft:
            facts["scene"] = _show_scene(call, parts, draft.scene(scene) if scene else draft.some_scene())
            with ProgressBar(start.console, "comparing") as bar:
                draft.count(count, lambda: _at(bar, count))
    except (NeighbourError, Unusable) as error:
        facts["problem"] = str(error)
        _tell(call, f"what it changes in Plex can't be shown now: {error}")
        return facts
    facts |= vars(count)
    _tell(call, f"changes {count.changed:,} of {many(count.looked, 'scene')} looked at, of {count.total:,}")
    if count.by_hand:
        _tell(call, f"replaces {many(count.by_hand, 'picture')} chosen in Plex")
    return facts


def _at(bar: ProgressBar, count: DraftCount) -> bool:
    """Show how far the count is; it is not stopped."""
    bar.at(count.looked, count.total)
    return False


def _show_scene(call: Call, parts: Parts, scene: DraftScene | None) -> dict[str, object] | None:
    if scene is None:
        return None
    for line in scene_lines(scene.preview):
        _tell(call, line)
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


def _tell(call: Call, line: str) -> None:
    if not call.json:
        say(paper(), line)
