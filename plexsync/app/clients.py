"""The clients of Stash and Plex, and the ways to send a notice, each made from the settings."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from plexsync.engine.clock import SystemClock
from plexsync.flows.scenes.rules import LookRules
from plexsync.notify.apprise_sender import AppriseMessenger
from plexsync.notify.command import CommandMessenger
from plexsync.plex.account import Account as Account
from plexsync.plex.account import OwnServer as OwnServer
from plexsync.plex.account import SignIn as SignIn
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.plex.imaging import Pillow
from plexsync.rules.errors import Unusable
from plexsync.rules.neighbours import Clock, Messenger
from plexsync.stash.client import StashClient
from validation.config import PlexSyncConfig

# Seconds to wait for the settings, since also those wait who only want to look.
ASK_CONNECT, ASK_READ = 2.0, 2.5


@contextmanager
def stash_at(url: str, key: str, *, ca_file: str = "", patience: float = ASK_READ) -> Iterator[StashClient]:
    """A Stash that is only being tried, with little patience; raises Unusable."""
    clock, connect = SystemClock(), min(ASK_CONNECT, patience)
    with closing(
        StashClient(url, key, connect_timeout=connect, read_timeout=patience, clock=clock, ca_file=ca_file)
    ) as stash:
        yield stash


@contextmanager
def plex_at(url: str, token: str, *, ca_file: str = "", patience: float = ASK_READ) -> Iterator[PlexClient]:
    """A Plex that is only being tried, with little patience; raises Unusable."""
    clock, connect = SystemClock(), min(ASK_CONNECT, patience)
    with closing(
        PlexClient(url, token, connect_timeout=connect, read_timeout=patience, clock=clock, ca_file=ca_file)
    ) as plex:
        yield plex


def asking_stash(config: PlexSyncConfig) -> StashClient:
    """Stash for one question, with little patience; raises Unusable."""
    return StashClient(
        config.stash_url,
        config.stash_api_key,
        connect_timeout=ASK_CONNECT,
        read_timeout=ASK_READ,
        clock=SystemClock(),
        ca_file=config.tls_ca_file,
    )


def stash_client(config: PlexSyncConfig, clock: Clock, looks: LookRules, *, alive: Callable[[], None]) -> StashClient:
    """Stash, asked for no more of each scene than these rules show; `alive` hears of every request."""
    profiles = (looks.profile, *looks.libraries.values())
    return StashClient(
        config.stash_url,
        config.stash_api_key,
        connect_timeout=config.plex_connect_timeout,
        read_timeout=config.plex_read_timeout,
        clock=clock,
        ca_file=config.tls_ca_file,
        alive=alive,
        tags_above=looks.scope.asks_above or any(profile.asks_above for profile in profiles),
        people=any(profile.asks_people for profile in profiles),
    )


def plex_client(config: PlexSyncConfig, clock: Clock, *, client_id: str, alive: Callable[[], None]) -> PlexClient:
    """Plex, as the installation of this id; `alive` hears of every request."""
    return PlexClient(
        config.plex_url,
        config.plex_token,
        libraries=config.library_names,
        connect_timeout=config.plex_connect_timeout,
        read_timeout=config.plex_read_timeout,
        client_id=client_id,
        clock=clock,
        ca_file=config.tls_ca_file,
        alive=alive,
    )


def plex_events(config: PlexSyncConfig, *, client_id: str) -> PlexEvents:
    """What Plex announces by itself."""
    return PlexEvents(
        config.plex_url,
        config.plex_token,
        connect_timeout=config.plex_connect_timeout,
        read_timeout=config.plex_read_timeout,
        client_id=client_id,
        ca_file=config.tls_ca_file,
    )


def padded(config: PlexSyncConfig) -> bool:
    """Whether any library asks for padded posters."""
    return config.poster_padding or any(config.of_library(name).poster_padding for name in config.libraries)


def pillow(*, padding: bool) -> Pillow | None:
    """What changes pictures, if its package is installed; raises Unusable when it is not and pictures are to be padded."""
    try:
        return Pillow()
    except Unusable:
        if padding:
            raise
        return None


def messengers(config: PlexSyncConfig) -> list[Messenger]:
    """The ways to tell a person that are set up; raises Unusable when one of them can't be used."""
    ways: list[Messenger] = [AppriseMessenger(url, number) for number, url in enumerate(config.notify_urls, start=1)]
    if config.notify_command:
        ways.append(CommandMessenger(config.notify_command))
    return ways


def tried_ways(config: PlexSyncConfig) -> Iterator[tuple[str, str]]:
    """The setting of each way to tell a person, and what is wrong with it ('' for nothing); nothing is sent."""
    for number, url in enumerate(config.notify_urls, start=1):
        try:
            AppriseMessenger(url, number)
        except Unusable as error:
            yield "notify_urls", str(error)
        else:
            yield "notify_urls", ""
    if config.notify_command:
        yield "notify_command", CommandMessenger(config.notify_command).hindrance()


def try_out(config: PlexSyncConfig) -> None:
    """Raises Unusable if the parts can't be put together with these settings."""
    messengers(config)
    pillow(padding=padded(config))
    StashClient(config.stash_url, config.stash_api_key, ca_file=config.tls_ca_file).close()
    PlexClient(config.plex_url, config.plex_token, libraries=config.library_names, ca_file=config.tls_ca_file).close()
