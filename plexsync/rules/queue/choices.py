"""Changes that only you can judge. Work is on hold until what has changed is back, or until you accept it."""

from collections.abc import Mapping
from enum import StrEnum

from plexsync.rules.servers.errors import Neighbour


class Choice(StrEnum):
    """What you may accept, as `plexsync accept` names it."""

    PLEX_SERVER = "plex-server"
    STASH = "stash"
    SCENES_GONE = "scenes-gone"
    SCENES_OLDER = "scenes-older"
    ITEMS_GONE = "items-gone"


# The server that is on hold meanwhile.
HELD_BY: Mapping[Choice, Neighbour] = {
    Choice.PLEX_SERVER: Neighbour.PLEX,
    Choice.STASH: Neighbour.STASH,
    Choice.SCENES_GONE: Neighbour.STASH,
    Choice.SCENES_OLDER: Neighbour.STASH,
    Choice.ITEMS_GONE: Neighbour.PLEX,
}
# Prefix of the note that stores the time when a choice was accepted. The check that asked reads and removes it.
ACCEPTED = "accepted:"


# What has changed.
CHANGES: Mapping[Choice, str] = {
    Choice.PLEX_SERVER: "another Plex server answers",
    Choice.STASH: "another Stash answers",
    Choice.SCENES_GONE: "many scenes are gone from Stash",
    Choice.SCENES_OLDER: "many scenes in Stash are older than before",
    Choice.ITEMS_GONE: "many items are gone from Plex",
}
# What accepting does, in full sentences.
EFFECTS: Mapping[Choice, str] = {
    Choice.PLEX_SERVER: (
        "PlexSync writes to this server from now on, and compares every scene with it. What it remembered about the items "
        "of the old one is not used, so values that someone has locked here stay."
    ),
    Choice.STASH: (
        "PlexSync takes its scenes from this Stash from now on, and compares every one. Bindings and ignored scenes of the "
        "old one count only for the same scene."
    ),
    Choice.SCENES_GONE: "PlexSync goes on without these scenes, as the setting when_gone says.",
    Choice.SCENES_OLDER: (
        "PlexSync follows Stash: it compares every scene, and Plex shows what Stash has now. What you edited in Stash "
        "since then is nowhere any more. Until you accept, Plex keeps what it shows."
    ),
    Choice.ITEMS_GONE: "PlexSync goes on without these items: their scenes wait until Plex has their files again.",
}


def remedy(choice: str) -> str:
    """What to run to accept, as the end of a message."""
    return f"plexsync accept {choice}"


def hold_cause(cause: str) -> str:
    """The cause of a hold as text: what has changed, or else the setting to put right."""
    return next((change for choice, change in CHANGES.items() if choice == cause), cause)


def hold_remedy(setting: str, choice: str) -> str:
    """What ends a hold: accepting the `choice` or going back, else a change of the setting."""
    return f"{remedy(choice)}, or go back" if choice else f"change {setting}"


def hold_line(setting: str, message: str, choice: str) -> str:
    """A hold in one short line: its cause, and what ends it."""
    return f"{hold_cause(choice) if choice else message}: {hold_remedy(setting, choice)}"
