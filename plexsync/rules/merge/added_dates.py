"""The date added: the moment in Plex by which "recently added" is sorted.

Plex keeps it in whole seconds; everywhere else in PlexSync it is a text in UTC, such as `2026-03-04T05:06:07Z`.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from plexsync.rules.item import moment_text
from plexsync.rules.merge.plan_records import Note
from plexsync.rules.scene import Scene

FIELD = "addedAt"
# The first and last moments that are sent: Plex's own number of seconds starts in 1970, and some apps end it in 2038.
FIRST, LAST = 86_400, 2_145_916_800
# A date alone counts from noon on, so that it is the same day in nearly every time zone.
NOON = "T12:00:00Z"


def moment_seconds(text: str) -> int:
    """The UTC seconds of a moment, without its fraction; raises ValueError for a text that is none."""
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)


def added_date(scene: Scene, source: str, day: str, notes: list[Note]) -> str:
    """The date added by its source (`created`, `file`, `date`); '' if Stash has none. `day`: the scene's date or ''."""
    text = SOURCES[source](scene, day)
    try:
        seconds = moment_seconds(text) if text else 0
    except (ValueError, OverflowError):
        notes.append(Note(FIELD, "dropped", "the time is not one that Plex can show"))
        return ""
    if not text:
        return ""
    limited = min(max(seconds, FIRST), LAST)
    if limited != seconds:
        notes.append(Note(FIELD, "cut", f"Plex has no date added of {text[:10]}; {moment_text(limited)[:10]} is shown"))
    return moment_text(limited)


def _file_time(scene: Scene, _day: str) -> str:
    return scene.files[0].modified if scene.files else ""


SOURCES: Mapping[str, Callable[[Scene, str], str]] = {
    "created": lambda scene, _day: scene.created_at,
    "file": _file_time,
    "date": lambda scene, day: f"{day}{NOON}" if day else scene.created_at,
}
