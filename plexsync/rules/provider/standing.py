"""How a library stands that asks PlexSync, in one line: what is left to do, or why Plex does not ask."""

from collections.abc import Iterable, Mapping

from plexsync.rules.provider.questions import MATCHES, NoMatch
from plexsync.rules.record_class import record
from plexsync.rules.records import ProviderRow

ADDING, ON, REMOVING = "adding", "on", "removing"
# The steps of adding, each noted under its name once it is done; `DOING` is the one that is being done.
ADD_NAMES = ("secret", "answers", "items", "provider", "own_group", "switched", "refreshed")
DOING = "doing"
# What is noted of a library besides its steps: its agent and group before, its folders, and where its secrets are.
AGENT, GROUP, FOLDERS, SECRETS_AT = "agent", "group", "folders", "secrets_at"
STEP_WORDS: Mapping[object, str] = {
    "secret": "making the address",
    "answers": "saving the answers",
    "items": "saving the items",
    "provider": "registering PlexSync in Plex",
    "own_group": "making the group",
    "switched": "setting the agent",
    "refreshed": "asking Plex for a refresh",
    "locked_back": "setting the locks",
    "agent_back": "setting the old agent",
    "matched_back": "giving the items their guids back",
    "put_back": "putting the items back",
    "unregistered": "removing PlexSync from Plex",
}

WELL = "Plex asks PlexSync"
ADD_GOES_ON = "adding it is not finished ({}): run plexsync provider add again, which goes on"
REMOVE_GOES_ON = "removing it is not finished ({}): run plexsync provider remove again, which goes on"
OFF = "nothing answers Plex: set provider_listen, such as 0.0.0.0:9798, and let plexsync serve run"
GONE = "the library is no longer in Plex: run plexsync provider remove to forget it"
UNREGISTERED = "PlexSync is no longer registered in Plex: run plexsync provider add to register it again"
OTHER_AGENT = "the agent of the library is {}, so Plex does not ask: run plexsync provider add to set PlexSync again"
NOT_SYNCED = (
    "the library is not synced any more, so Plex gets no answer: run plexsync provider remove, or sync it again "
    "(plex_libraries)"
)
UNKNOWN_ADDRESS = (
    "the secret of its address is not in {}, so Plex gets no answer from this machine: copy the file there from {}, for "
    "the user of PlexSync alone (mode 600), or run plexsync provider add again, which makes a new address"
)
SWITCH = "Allow matching to explicit content"
NO_SWITCH = f"{SWITCH} is off, so Plex asks for no scene: switch it on in Plex, Manage Library, Edit, Advanced"
NEVER = "Plex has not asked yet: check that plexsync serve runs, and that Plex reaches {}"


@record
class LibraryInPlex:
    """What Plex has of a library that asks PlexSync: its agent ('': it is gone), and what is registered for it.

    `asks_explicit`: whether Plex asks about explicit content; None if it does not say.
    """

    agent: str
    is_registered: bool
    has_group: bool
    asks_explicit: bool | None


def is_pending(row: ProviderRow) -> bool:
    """Whether steps of adding or removing are left to do."""
    return row.state != ON or any(name not in row.steps for name in ADD_NAMES)


def is_asking(row: ProviderRow) -> bool:
    """Whether Plex asks for the items of the library: from the moment on at which it has the agent."""
    return row.state == ON or (row.state == ADDING and "switched" in row.steps)


def is_synced(row: ProviderRow, sections: Iterable[tuple[str, str]]) -> bool:
    """Whether the library is one of those (key, uuid) that are listed for syncing; True if none is listed yet."""
    listed = [uuid == row.library if uuid else key == row.section for key, uuid in sections]
    return not listed or any(listed)


def problem_of(
    row: ProviderRow, address: str, in_plex: LibraryInPlex | None = None, *, is_on: bool = True, unanswered: str = ""
) -> str:
    """Why Plex does not ask, or may not; '' if it does.

    `address` is the one that Plex asks, without its secret. `is_on`: somebody answers there. `unanswered`: why nothing is
    answered for this library.
    """
    if not is_on and row.state == ON:
        return OFF
    if is_pending(row):
        goes_on = REMOVE_GOES_ON if row.state == REMOVING else ADD_GOES_ON
        return goes_on.format(STEP_WORDS.get(row.steps.get(DOING), "not begun"))
    if not is_on:
        return OFF
    if unanswered:
        return unanswered
    if in_plex is not None:
        if not in_plex.agent:
            return GONE
        if not in_plex.is_registered:
            return UNREGISTERED
        if in_plex.agent != row.identifier:
            return OTHER_AGENT.format(in_plex.agent)
    is_allowed = in_plex.asks_explicit if in_plex is not None else None
    if is_allowed is None:
        # What Plex has asked tells it as well.
        is_allowed = NoMatch.ADULT.figure not in row.calls or MATCHES in row.calls
    if not is_allowed:
        return NO_SWITCH
    return "" if row.called_at else NEVER.format(address)
