"""Signing in, and choosing a server and its libraries, one short step at a time."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from plexsync.app.clients import OwnServer, SignIn
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.servers import LEAST_PLEX, version_check
from plexsync.cli.setup.notes import ChosenPlex, SetupNotes, SetupStage, choice_of, new_pin
from plexsync.cli.terminal.discovery import GUESSING, PATIENCE, PLEX_PORT, FoundPlex, Hide, address
from plexsync.cli.terminal.plex_discovery import try_plex
from plexsync.reports.format import safe
from plexsync.rules.errors import Barred, NeighbourError, Unusable

NOT_OWNER = "the token seems not to belong to the owner of the server, and only the owner can edit"


def begin() -> SetupNotes:
    """Ask plex.tv for a PIN."""
    login = SignIn()
    return SetupNotes(pin=new_pin(login.number, login.pin))


def check(notes: SetupNotes, hidden: Hide) -> SetupNotes:
    """Ask plex.tv once whether the PIN was confirmed; then list the servers of the account.

    A PIN that expired is forgotten. Raises Unavailable if plex.tv does not answer, Unusable for an account without a
    server.
    """
    if notes.pin is None:
        return notes
    login = SignIn((notes.pin.number, notes.pin.code))
    try:
        if not login.asked():
            return notes
    except Barred:
        return replace(notes, pin=None)
    account = login.account()
    hidden(*account.secrets)
    servers = account.servers()
    hidden(*(server.token for server in servers))
    if not servers:
        name = safe(account.name) or "this account"
        raise Unusable(
            f"{name} owns no Plex server, and only its owner's account can edit what a server shows: sign in with that one"
        )
    return SetupNotes(SetupStage.SERVER, account=account.name, servers=tuple(servers))


def connect(notes: SetupNotes, number: int, typed: str, ca_file: str) -> SetupNotes:
    """Reach the chosen server at the typed address, else at the first of its addresses that answers.

    Raises Unusable if none does, NeighbourError if the typed one does not.
    """
    server = choice_of(notes.servers, number)
    if server is None:
        raise Unusable("choose one of the servers first: sign in to Plex again if none is listed")
    if typed:
        plex = try_plex(address(typed, PLEX_PORT), server.token, ca_file, patience=PATIENCE)
    else:
        plex = _first_answering(server, ca_file)
    return replace(notes, stage=SetupStage.LIBRARIES, plex=_chosen(plex))


def _first_answering(server: OwnServer, ca_file: str) -> FoundPlex:
    """The server at the first of its addresses that answers; all are tried at once."""

    def attempt(url: str) -> FoundPlex | None:
        try:
            return try_plex(url, server.token, ca_file, patience=GUESSING)
        except (NeighbourError, Unusable):
            return None

    if server.addresses:
        with ThreadPoolExecutor(len(server.addresses)) as pool:
            for plex in pool.map(attempt, server.addresses):
                if plex is not None:
                    return plex
    listed = ", ".join(server.addresses) or "none"
    raise Unusable(
        f"{safe(server.name)} does not answer at any address that plex.tv knows of it ({listed}): type the address at which "
        "the machine of Stash reaches it"
    )


def _chosen(plex: FoundPlex) -> ChosenPlex:
    check = version_check("Plex", plex.version, LEAST_PLEX, "it answers")
    warning = f"{check.message}: {check.mend}" if check.state == PROBLEM else ""
    if not warning and not all(section.owned for section in plex.sections):
        warning = NOT_OWNER
    libraries = tuple((section.title, section.locations) for section in plex.sections)
    other_videos = tuple(section.title for section in plex.sections if section.other_videos)
    return ChosenPlex(plex.url, plex.token, plex.name, plex.version, libraries, warning, other_videos)


def picked(plex: ChosenPlex, titles: Sequence[str]) -> list[str]:
    """The libraries to set: none if all were chosen, which includes later ones. Raises Unusable."""
    titles_in_plex = [title for title, _ in plex.libraries]
    if not titles or not set(titles) <= set(titles_in_plex):
        raise Unusable(f"choose at least one of the movie libraries: {', '.join(map(safe, titles_in_plex))}")
    return [] if set(titles) == set(titles_in_plex) else [title for title in titles_in_plex if title in titles]
