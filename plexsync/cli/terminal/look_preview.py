"""What a look file would change: the settings, one scene, and how many of the first scenes."""

from collections.abc import Mapping

from plexsync.app.draft import Draft, DraftCount, open_draft, with_values
from plexsync.app.look_file import texts_of
from plexsync.app.parts import open_parts
from plexsync.app.setting_change import config_of
from plexsync.cli.call import Call
from plexsync.cli.start import Begun
from plexsync.cli.terminal.preview_output import scene_lines
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.reports.comparisons import PreviewFacts, scene_facts
from plexsync.reports.format import many, safe
from plexsync.rules.servers.errors import NeighbourError, Unusable

# A call counts this many scenes; the settings page counts all of them, in the background.
COUNTED = 500


def show_look(call: Call, start: Begun, settings: Mapping[str, object]) -> dict[str, object]:
    """Show the settings that differ, and what they change; returns the facts for JSON."""
    rows = texts_of(start.config, settings)
    facts: dict[str, object] = {"settings": [{"name": name, "now": now, "then": then} for name, now, then in rows]}
    if not rows:
        _tell(call, "the look in use is the same: nothing changes")
        return facts
    if not call.json:
        paper().print(
            table("Settings that change", ("setting", "now", "then"), [tuple(map(safe, row)) for row in rows])
        )
    fresh = config_of(settings)
    config = with_values(start.config, start.settings.loaded.origin, fresh, settings)
    count = DraftCount()
    try:
        with open_parts(start.config, start.folder) as parts, open_draft(parts, config) as draft:
            facts["scene"] = _show_scene(call, draft)
            draft.count(count, lambda: count.looked >= COUNTED)
    except (NeighbourError, Unusable) as error:
        facts["problem"] = str(error)
        _tell(call, f"what it changes in Plex can't be shown now: {error}")
        return facts
    facts |= {"changed": count.changed, "looked": count.looked, "total": count.total}
    _tell(call, f"changes {count.changed:,} of {many(count.looked, 'scene')} looked at, of {count.total:,}")
    return facts


def _show_scene(call: Call, draft: Draft) -> PreviewFacts | None:
    scene = draft.some_scene()
    if scene is None:
        return None
    for line in scene_lines(scene.preview):
        _tell(call, line)
    return scene_facts(scene.preview)


def _tell(call: Call, line: str) -> None:
    if not call.json:
        say(paper(), line)
