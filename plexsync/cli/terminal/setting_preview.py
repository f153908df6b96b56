"""What another value of a setting would change in Plex: one scene, and how many scenes."""

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
    if count.reordered:
        _tell(call, f"puts {many(len(count.reordered), 'playlist')} in another order")
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
    return draft_facts(parts, scene)


def _tell(call: Call, line: str) -> None:
    if not call.json:
        say(paper(), line)
