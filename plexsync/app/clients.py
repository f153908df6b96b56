"""Clients of Stash and Plex, and notice senders, built from the settings."""

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from typing import TypedDict, TypeVar
from urllib.parse import urlsplit

from plexsync.app import asking
from plexsync.engine.clock import SystemClock
from plexsync.flows.scenes.rules import LookRules
from plexsync.notify.apprise_sender import AppriseMessenger
from plexsync.notify.command import CommandMessenger
from plexsync.plex.account import LINK as LINK, Account as Account, OwnServer as OwnServer, SignIn as SignIn
from plexsync.plex.client import PlexClient, by_address as by_address, is_plex, plex_machine
from plexsync.plex.events import PlexEvents
from plexsync.plex.imaging import PillowImaging
from plexsync.rules.queue.notices import Notice, NotSent
from plexsync.rules.servers.errors import Barred, Neighbour, NeighbourError, Unavailable, Unusable
from plexsync.rules.servers.neighbours import Clock, Messenger
from plexsync.stash.client import StashClient
from plexsync.stash.log_lines import StashLines
from plexsync.stash.requests import is_stash
from validation.config import PlexSyncConfig

# The number of IP addresses of a host at which Plex is tried.
TRIED_ADDRESSES = 2

AnyPlexClient = TypeVar("AnyPlexClient", bound=PlexClient)
AnyClient = TypeVar("AnyClient", StashClient, PlexClient)


def stash_at(
    url: str, key: str, *, ca_file: str = "", patience: float = asking.ASK_READ
) -> AbstractContextManager[StashClient]:
    """Yield a Stash client for a connection test, with short timeouts; raises Unusable.

    If a test fails because the address is that of the other server, the error says so.
    """
    return _server_at(StashClient, Neighbour.STASH, url, key, ca_file, patience)


def plex_at(
    url: str, token: str, *, ca_file: str = "", patience: float = asking.ASK_READ
) -> AbstractContextManager[PlexClient]:
    """Yield a Plex client for a connection test, as `stash_at` does."""
    return _server_at(PlexClient, Neighbour.PLEX, url, token, ca_file, patience)


def machine_at(url: str, ca_file: str, patience: float) -> str:
    """The identifier of the Plex server at an address, which is sent no token; raises NeighbourError, Unusable."""
    return plex_machine(url, ca_file, min(asking.ASK_CONNECT, patience), patience)


@contextmanager
def _server_at(
    of: Callable[..., AnyClient], server: Neighbour, url: str, secret: str, ca_file: str, patience: float
) -> Iterator[AnyClient]:
    connect = min(asking.ASK_CONNECT, patience)
    client = of(url, secret, connect_timeout=connect, read_timeout=patience, clock=SystemClock(), ca_file=ca_file)
    try:
        with closing(client) as opened:
            yield opened
    except NeighbourError as error:
        other = Neighbour.PLEX if server is Neighbour.STASH else Neighbour.STASH
        # Without a connection there is no answer to tell apart.
        if (isinstance(error, Unavailable) and not error.sent) or not is_at(other, url, ca_file):
            raise
    else:
        return
    setting = f"{server.value}_url"
    message = f"{other.title()} answers at {url}, and {setting} must be the address of {server.title()}"
    raise Barred(server, message, setting=setting)


def is_at(server: Neighbour, url: str, ca_file: str) -> bool:
    """Whether a server of this kind answers at an address. Both answer this question without a token or key."""
    return (is_plex if server is Neighbour.PLEX else is_stash)(url, ca_file, asking.ASK_CONNECT, asking.ASK_READ)


def plex_by_address(config: PlexSyncConfig) -> str:
    """Return `plex_url` with an IP address in place of its host name, if Plex accepts the token there; '' otherwise."""
    for url in by_address(config.plex_url)[:TRIED_ADDRESSES]:
        with suppress(NeighbourError), plex_at(url, config.plex_token) as plex:
            plex.identity()
            return url
    return ""


class Reach(TypedDict):
    """How long a client waits (s), and whose certificates it trusts."""

    connect_timeout: float
    read_timeout: float
    ca_file: str


def _reach(config: PlexSyncConfig) -> Reach:
    return {
        "connect_timeout": config.plex_connect_timeout,
        "read_timeout": config.plex_read_timeout,
        "ca_file": config.tls_ca_file,
    }


def stash_client(config: PlexSyncConfig, clock: Clock, looks: LookRules, *, alive: Callable[[], None]) -> StashClient:
    """Return a Stash client that fetches only what these rules need; it calls `alive` on every request."""
    profiles = (looks.profile, *looks.libraries.values())
    return StashClient(
        config.stash_url,
        config.stash_api_key,
        **_reach(config),
        clock=clock,
        alive=alive,
        tags_above=looks.scope.asks_above or any(profile.asks_above for profile in profiles),
        people=any(profile.asks_people for profile in profiles),
        file_times=any(profile.asks_file_times for profile in profiles),
        extra=looks.scope.on_request,
        galleries=any(profile.asks_galleries for profile in profiles),
    )


def plex_client(
    of: type[AnyPlexClient], config: PlexSyncConfig, clock: Clock, *, client_id: str, alive: Callable[[], None]
) -> AnyPlexClient:
    """Return a Plex client of this class that identifies itself by `client_id`; it calls `alive` on every request."""
    return of(
        config.plex_url,
        config.plex_token,
        **_reach(config),
        libraries=config.library_names,
        client_id=client_id,
        clock=clock,
        alive=alive,
    )


def plex_events(config: PlexSyncConfig, *, client_id: str) -> PlexEvents:
    """Return a client for the events that Plex sends."""
    return PlexEvents(config.plex_url, config.plex_token, client_id=client_id, **_reach(config))


def stash_lines(config: PlexSyncConfig) -> StashLines:
    """Return a client for the lines of Stash's log."""
    return StashLines(config.stash_url, config.stash_api_key, **_reach(config))


def lets_in(url: str) -> bool:
    """Return whether the server at this address takes a connection now. No request is sent through it."""
    base = urlsplit(url)
    place = base.hostname or "", base.port or (443 if base.scheme == "https" else 80)
    try:
        socket.create_connection(place, timeout=asking.ASK_CONNECT).close()
    except OSError:
        return False
    return True


def changes_posters(config: PlexSyncConfig) -> bool:
    """Whether any library shapes its posters or draws logos on them."""
    of_libraries = (config, *map(config.of_library, config.libraries))
    return any((each.poster_shape, each.poster_logo) != ("as_is", "off") for each in of_libraries)


def pillow(*, needed: bool) -> PillowImaging | None:
    """Return the image processor, or None if its package is missing; raises Unusable if it is `needed`."""
    try:
        return PillowImaging()
    except Unusable:
        if needed:
            raise
        return None


def messengers(config: PlexSyncConfig) -> list[Messenger]:
    """Return the configured notice senders; raises Unusable if one of them can't be used."""
    return [way() for way in _ways(config).values()]


def _ways(config: PlexSyncConfig) -> dict[str, Callable[[], Messenger]]:
    """What makes each notice sender, by its name; raises Unusable then."""
    ways: dict[str, Callable[[], Messenger]] = {
        f"address {number} of notify_urls": partial(AppriseMessenger, url, number)
        for number, url in enumerate(config.notify_urls, start=1)
    }
    if config.notify_command:
        ways[CommandMessenger.name] = partial(CommandMessenger, config.notify_command)
    return ways


def tried_ways(config: PlexSyncConfig) -> Iterator[tuple[str, str]]:
    """Yield each notice setting with its problem ('' for none). Sends nothing."""
    for make in _ways(config).values():
        try:
            way = make()
        except Unusable as error:
            yield "notify_urls", str(error)
        else:
            yield ("notify_command", way.hindrance()) if isinstance(way, CommandMessenger) else ("notify_urls", "")


def sent_by_all(config: PlexSyncConfig, notice: Notice) -> Iterator[tuple[str, str]]:
    """Send a notice by every configured way; yields each with its problem ('' for none)."""
    for name, make in _ways(config).items():
        try:
            make().send(notice)
        except (Unusable, NotSent) as error:
            yield name, str(error)
        else:
            yield name, ""


def try_out(config: PlexSyncConfig) -> None:
    """Check that the parts can be built from these settings; raises Unusable if they can't."""
    messengers(config)
    pillow(needed=changes_posters(config))
    StashClient(config.stash_url, config.stash_api_key, ca_file=config.tls_ca_file).close()
    PlexClient(config.plex_url, config.plex_token, libraries=config.library_names, ca_file=config.tls_ca_file).close()
