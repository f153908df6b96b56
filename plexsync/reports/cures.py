"""The cure of a dead letter: the row of its cause or, for an ambiguous scene, the cure that fits its error."""

from plexsync.flows.scenes.ambiguity import (
    BOUND_ELSEWHERE,
    BOUND_ITEM,
    DURATION_ONLY,
    ONE_ITEM,
    SHARED_ITEM,
    TWO_SCENES,
)
from plexsync.rules.causes import Cause, Cure, cure_of

# The cases of an ambiguous scene, told apart by how the error begins.
SEVERAL = Cure(
    "several items in Plex fit, and PlexSync does not guess",
    "explain lists the candidates: plexsync bind SCENE ITEM names the right one; or remove or split the duplicate in "
    "Plex, or set path_map so that the full path decides. PlexSync then retries it by itself.",
)
SHARED = Cure(
    "its item in Plex belongs to another scene, whose file comes first in it",
    "merge both scenes in Stash, or split the item in Plex so that each has its own; or plexsync ignore this one. PlexSync "
    "then retries it by itself.",
)
TWO = Cure(
    "two scenes in Stash have this file, or files that look the same",
    "merge them in Stash, or choose which one Plex shows: plexsync bind SCENE ITEM, with the number of that scene. PlexSync "
    "then retries the other by itself.",
)
ELSEWHERE = Cure(
    "Plex shows another scene in its place, because you bound the item to that one",
    "plexsync ignore leaves this one alone; plexsync unbind, with the other scene, lets the files decide again; or merge "
    "both in Stash.",
)
ONE = Cure(
    "one item in Plex could be it, and it is not certain",
    "explain shows the item and why it was not taken: plexsync bind SCENE ITEM binds it if it is the same video. Or set "
    "path_map so that the full path decides. PlexSync then retries it by itself.",
)
DURATION = Cure(
    "one item in Plex has a file of the same name and duration, but no size confirms that it is the same file",
    "explain shows the item: plexsync bind SCENE ITEM binds it, plexsync bind --by-duration all of this kind. Or set "
    "path_map so that the full path decides. PlexSync then retries it by itself.",
)
BOUND = Cure(
    "the item that it was bound to by hand can't be written to",
    "plexsync bind SCENE ITEM binds it to the item that it is now, plexsync unbind SCENE matches it by its files. PlexSync "
    "then retries it by itself, and when the item is back.",
)


_CURES = {
    SHARED_ITEM: SHARED,
    BOUND_ELSEWHERE: ELSEWHERE,
    TWO_SCENES: TWO,
    ONE_ITEM: ONE,
    BOUND_ITEM: BOUND,
    DURATION_ONLY: DURATION,
}


def cure(cause: str, error: str = "") -> Cure:
    """Return the row for a cause, or a general one; `error`, the row's error, selects a more specific cure."""
    if cause == Cause.AMBIGUOUS and error:
        return next((cure for begin, cure in _CURES.items() if error.startswith(begin)), SEVERAL)
    return cure_of(cause)
