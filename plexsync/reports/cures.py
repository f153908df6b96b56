"""What cures a scene that was given up, by the cause it died of. The one table that the queue's doors show."""

from dataclasses import dataclass

from plexsync.flows.scenes.inspection import BOUND_ITEM, SHARED_ITEM
from plexsync.reports.causes import GIVEN_UP, MEANINGS


@dataclass(frozen=True)
class Cure:
    """What happened, and what a person can do about it."""

    meaning: str
    advice: str


CURES: dict[str, Cure] = {
    "refused": Cure(
        MEANINGS["refused"],
        "explain shows what would be sent: mend the value it names in Stash. Saving the scene tries it again, and so does a "
        "new address or token of the server.",
    ),
    "ambiguous": Cure(
        MEANINGS["ambiguous"],
        "explain tells which. Several items: bind the right one (plexsync bind), remove or split the double one in Plex, or "
        "set path_map so that the full path decides. Another scene's: merge both in Stash, or split the item in Plex. "
        "It is tried again by itself then.",
    ),
    "strict": Cure(
        MEANINGS["strict"],
        "shorten or mend the value in Stash, or set strict_mode = false. It is tried again by itself then.",
    ),
    "poison": Cure(
        MEANINGS["poison"],
        "look for the crash in the log of the worker and in the system's log (memory?); then dlq retry.",
    ),
    "bug": Cure(
        MEANINGS["bug"],
        "run the worker with -v, dlq retry this scene, and report the fault with that log; it holds no secrets.",
    ),
    "unavailable": Cure(
        MEANINGS["unavailable"],
        "look at the item in Plex and in Plex's log: its entry may be damaged; then dlq retry.",
    ),
    "missing": Cure(
        MEANINGS["missing"],
        "let Plex finish scanning and empty its trash; then dlq retry.",
    ),
}
UNKNOWN = Cure(GIVEN_UP, "dlq show tells what happened; dlq retry gives it another chance.")


# The ways to be ambiguous, told apart by how the error begins.
SEVERAL = Cure(
    "several items in Plex fit, and PlexSync does not guess",
    "explain lists the candidates: plexsync bind SCENE ITEM settles which it is; or remove or split the double item in "
    "Plex, or set path_map so that the full path decides. It is tried again by itself then.",
)
SHARED = Cure(
    "its item in Plex is another scene's, whose file comes first in it",
    "merge both scenes in Stash, or split the item in Plex so that each has its own; or plexsync ignore this one. It is "
    "tried again by itself then.",
)


BOUND = Cure(
    "the item that it was bound to by hand can't be written to",
    "plexsync bind SCENE ITEM binds it to the item that it is now, plexsync unbind SCENE lets it be found by its files. It "
    "is tried again by itself then, and when the item is back.",
)


def cure(cause: str, error: str = "") -> Cure:
    """The table's row, or a general one; with the row's error, what cures just that one."""
    if cause == "ambiguous" and error:
        ways = ((SHARED_ITEM, SHARED), (BOUND_ITEM, BOUND))
        return next((cure for begin, cure in ways if error.startswith(begin)), SEVERAL)
    return CURES.get(cause, UNKNOWN)
