"""What another value of a setting would change in Plex: one scene, and how many scenes."""

import json
from collections.abc import Mapping

from plexsync.app.draft import DraftCount, DraftScene, open_draft, with_values
from plexsync.app.parts import Parts, open_parts
from plexsync.app.setting_change import config_of, in_the_file
from plexsync.cli.call import Call
from plexsync.cli.start import Begun
from plexsync.cli.terminal.preview_output import scene_lines
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.reports.drafts import draft_facts
from plexsync.reports.format import many, safe
from plexsync.rules.servers.errors import NeighbourError, Unusable


def show_settings(
    call: Call, start: Begun, settings: Mapping[str, object], scene: int | None = None
) -> dict[str, object]:
    """Show what these values change of this scene (None: one that they change), and of how many.

    Returns the facts for JSON.
    """
    rows = [(name, _text(in_the_file(start.config, name)), _text(value)) for name, value in settings.items()]
    facts: dict[str, object] = {"settings": [{"name": name, "now": now, "then": then} for name, now, then in rows]}
    if not call.json:
        lines = [tuple(map(safe, row)) for row in rows]
        paper().print(table("Settings that change", ("setting", "now", "then"), lines))
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
    if count.reordered:
        _tell(call, f"puts {many(len(count.reordered), 'playlist')} in another order")
    if count.leaving:
        _tell(call, f"{many(count.leaving, 'scene')} would no longer be written: what Plex has of them stays")
    for title, (matching, of) in count.additions.items():
        _tell(call, f"{safe(title)} is added: {matching:,} of {many(of, 'item')} would be those of a scene")
    if any(count.rated):
        _tell(call, f"writes {many(count.rated[0], 'rating')} in Stash, and {many(count.rated[1], 'rating')} in Plex")
    if count.by_hand:
        _tell(call, f"replaces {many(count.by_hand, 'picture')} chosen in Plex")
    return facts


def _text(value: object) -> str:
    return json.dumps(value, default=dict) if isinstance(value, Mapping) else str(value)


def _at(bar: ProgressBar, count: DraftCount) -> bool:
    """Show how far the count is; it is not stopped."""
    bar.at(count.looked, count.total)
    return False


def _show_scene(call: Call, parts: Parts, scene: DraftScene | None) -> dict[str, object] | None:
    if scene is None:
        return None
    if scene.items and scene.reason:
        _tell(call, f"{scene.reason}:")
    for line in scene_lines(scene.preview):
        _tell(call, line)
    return draft_facts(parts, scene)


def _tell(call: Call, line: str) -> None:
    if not call.json:
        say(paper(), line)
