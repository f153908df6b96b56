"""How edits in Stash arrive: by a line of Stash's log, by the hook, or by polls, and when the last one did."""

from plexsync.reports.format import ago, noted, stamp, unstamped
from plexsync.rules.note_keys import HEARS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from plexsync.reports.shapes.status import EditFacts

WAYS = {"line": "by a line of Stash's log", "hook": "by the hook", "poll": "by a poll"}


def edit_facts(notes: "Mapping[str, str]", lines: str, *, running: bool) -> "EditFacts":
    """The facts from the notes of the last edit by each way, and of the state of Stash's log."""
    times = {way: noted(notes[way]) for way in WAYS}
    # An edit arrives by a line up to a second after the hook has stored it.
    by = max(WAYS, key=lambda way: times[way] or 0) if any(times.values()) else "poll"
    heard = running and lines == HEARS
    return {
        "by": by,
        "last_at": stamp(times[by]),
        "line_at": stamp(times["line"]),
        "hook_at": stamp(times["hook"]),
        "poll_at": stamp(times["poll"]),
        "log_heard": heard,
        "log_error": lines if running and not heard else "",
    }


def edit_words(edits: "EditFacts", now: int) -> str:
    """The same in one sentence, with the time since the last edit."""
    last = edits["last_at"]
    words = f"the last one arrived {WAYS[edits['by']]}, {ago(unstamped(last), now)}" if last else "none has arrived yet"
    if edits["log_error"]:
        return f"{words}; polls find them, since Stash's log is not heard: {edits['log_error']}"
    return f"{words}; Stash's log is heard" if edits["log_heard"] else words
