"""The servers that a set-up finds, by an account of plex.tv and by address, and the settings that follow from them."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar
from urllib.parse import urlsplit

from plexsync.app.clients import Account, OwnServer, SignIn
from plexsync.app.setting_change import STASH_PORT, FoundPlex, reach_plex, reach_stash
from plexsync.rules.servers.errors import Barred, NeighbourError, Unusable
from validation.redact import one_line

# Seconds that a server gets to answer at an address that was not typed.
GUESSING = 2.0

T = TypeVar("T")
Hide = Callable[..., None]


def account_of(login: SignIn, hide: Hide) -> Account | None:
    """Ask plex.tv once for the account that has confirmed the PIN; None while none has.

    Raises Barred if the PIN expired, Unavailable if plex.tv does not answer.
    """
    if not login.is_confirmed():
        return None
    account = login.account()
    hide(*account.secrets)
    return account


def servers_of(account: Account, hide: Hide) -> list[OwnServer]:
    """The servers of the account; raises Unusable if there are none."""
    servers = account.servers()
    hide(*(server.token for server in servers))
    if not servers:
        name = one_line(account.name) or "this account"
        raise Unusable(
            f"{name} owns no Plex server, and only its owner's account can edit what a server shows: sign in with that one"
        )
    return servers


def reach_of_account(server: OwnServer, ca_file: str) -> FoundPlex:
    """The server at the first of its addresses that answers; raises Unusable if none does, Barred if it can't be used."""

    def attempt(url: str) -> FoundPlex | Barred | None:
        try:
            return reach_plex(url, server.token, ca_file, machine=server.machine, patience=GUESSING)
        except Barred as error:
            return error
        except (NeighbourError, Unusable):
            return None

    answers = [answer for answer in _at_once(attempt, server.addresses) if answer is not None]
    for answer in sorted(answers, key=lambda answer: isinstance(answer, Barred)):
        if isinstance(answer, Barred):
            raise answer
        return answer
    listed = ", ".join(server.addresses) or "none"
    raise Unusable(
        f"{one_line(server.name)} does not answer at any address that plex.tv knows of it ({listed}): type the address at "
        "which it is reached from the machine of PlexSync"
    )


def reach_in_use(servers: Iterable[OwnServer], url: str, ca_file: str) -> FoundPlex:
    """The server at the address in use, with its new token. Raises NeighbourError, and Unusable if it is none of them."""
    for server in servers:
        try:
            return reach_plex(url, server.token, ca_file, machine=server.machine)
        except (Barred, Unusable):
            continue
    raise Unusable(f"the Plex server at {url} is none of this account: sign in with the account that owns it")


def _at_once(attempt: Callable[[str], T], urls: Sequence[str]) -> list[T]:
    with ThreadPoolExecutor(len(urls) or 1) as pool:
        return list(pool.map(attempt, urls))


def guess_stash(near: str) -> str:
    """The first default address where Stash answers, or needs a key; '' if there is none. No key is sent."""

    def is_there(url: str) -> bool:
        try:
            reach_stash(url, "", patience=GUESSING)
        except Barred as error:
            return error.setting == "stash_api_key"
        except (NeighbourError, Unusable):
            return False
        return True

    hosts = dict.fromkeys(filter(None, ("localhost", urlsplit(near).hostname, "stash", "host.docker.internal")))
    urls = [f"http://{f'[{host}]' if ':' in host else host}:{STASH_PORT}" for host in hosts]
    return next((url for url, answers in zip(urls, _at_once(is_there, urls), strict=True) if answers), "")


def chosen_libraries(plex: FoundPlex, titles: Iterable[str]) -> list[str]:
    """The libraries to set: none if all were chosen, which includes later ones. Raises Unusable."""
    chosen, offered = set(titles), [section.title for section in plex.sections]
    if not chosen or not chosen <= set(offered):
        raise Unusable(f"choose at least one of the movie libraries: {', '.join(map(one_line, offered))}")
    return [] if chosen == set(offered) else [title for title in offered if title in chosen]


def plex_settings(plex: FoundPlex) -> dict[str, object]:
    """The settings that follow from the server, with the chosen libraries; None removes one."""
    return {"plex_url": plex.url, "plex_token": plex.token, "plex_libraries": list(plex.libraries) or None}
