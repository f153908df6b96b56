"""What adding a provider to a library would do, and why it can't be done, before anything is done."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from plexsync.app.parts import Parts
from plexsync.app.provider_steps.items import Progress
from plexsync.app.provider_steps.steps import NotNow
from plexsync.app.rules import is_provider_on, provider_url
from plexsync.engine.undo import quiet
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.plex.providers import LibraryAgent, ProviderClient
from plexsync.rules.provider.standing import AGENT, NO_SWITCH, OFF, REMOVING, LibraryInPlex
from plexsync.rules.record_class import record
from plexsync.rules.servers.dashboard_place import EVERYWHERE
from plexsync.rules.servers.errors import NeighbourError
from plexsync.rules.words.text import fold
from plexsync.store.files.provider_secrets import masked_address, read_secrets
from plexsync.store.ledger.provider_memory import ProviderRow

T = TypeVar("T")
LEAST_PLEX = (1, 43, 0)
PREFIX = "tv.plex.agents.custom.plexsync."
NO_URL = (
    "provider_listen stands for every address of this machine: set provider_url to the one at which Plex reaches it"
)
LOOPBACK = "{} leads to this machine only, and Plex runs on {}: set provider_url to an address that Plex reaches"
# How the agents begin whose guids Plex does not take back, with what that means.
UNMATCHED_AGENT = ".none"
LEGACY_AGENT = "com.plexapp."
MOVIE_AGENT = "tv.plex.agents.movie"
FORGOTTEN = (
    "the agent and the values from before PlexSync, which this database does not know: the agent will be Plex Movie"
)
NEW_GUIDS = "guids of items that no agent has matched, if Plex makes new ones"
LEGACY = "guids and matches of items, if Plex no longer accepts those of a legacy agent"
MATCHES = "matches of items whose guid the old agent does not take back"
EXTRAS = "remote extras, until the old agent finds them again"
ONE_GUID = "two items of one scene, if Plex makes one item of them"
ADDED_SINCE = "items that are added later: they keep their values, and the old agent may match them"


@record
class AddPlan:
    """What would be done. `address` has no secret in it; `renews`: the library asks already, and gets a new address.

    `lost` is what removing can't put back, `warnings` what may keep Plex from asking.
    """

    library: LibraryAgent
    identifier: str
    address: str
    items: int
    renews: bool
    lost: tuple[str, ...]
    warnings: tuple[str, ...]


def look_in_plex(parts: Parts) -> dict[str, LibraryInPlex] | None:
    """What Plex has of these libraries, by uuid; None if there are none, or if it does not answer."""
    with parts.store.reading() as db:
        rows = db.providers.all()
    with suppress(NeighbourError):
        client = ProviderClient(parts.plex.requests)
        agents = {each.uuid: each.agent for each in client.libraries()} if rows else {}
        registered = {each.identifier for each in client.providers()} if rows else set()
        primaries = {each.primary for each in client.groups()} if rows else set()
        return {
            row.library: LibraryInPlex(
                agents.get(row.library, ""),
                row.identifier in registered,
                row.identifier in primaries,
                client.asks_explicit(row.section) if row.library in agents else None,
            )
            for row in rows
        }
    return None


def plan_adding(parts: Parts, name: str) -> AddPlan:
    """What it takes to let the library of this name ask PlexSync. Raises NotNow, and NeighbourError."""
    url = _checked_url(parts)
    _check_version(parts.plex.server().version)
    parts.identity.check()
    client = ProviderClient(parts.plex.requests)
    # Only the owner's token may ask for this.
    client.providers()
    library = _find_library(parts, client, name)
    with parts.store.reading() as db:
        row = db.providers.of(library.uuid)
    if row is not None and row.state == REMOVING:
        raise NotNow(f"{library.title} is being taken back: run plexsync provider remove again to finish that first")
    was_forgotten = row is None and library.agent == identifier_of(library.uuid)
    if was_forgotten and library.uuid in read_secrets(parts.folder):
        group = next((each.number for each in client.groups() if each.primary == MOVIE_AGENT), "")
        library = replace(library, agent=MOVIE_AGENT, group=group)
    agent = str(row.steps[AGENT]) if row else library.agent
    if agent.startswith(PREFIX):
        raise NotNow(f"{library.title} asks another PlexSync ({agent}): give it another agent in Plex first")
    return AddPlan(
        library=library,
        identifier=identifier_of(library.uuid),
        address=masked_address(url),
        items=parts.plex.count(library.section),
        renews=row is not None,
        lost=((FORGOTTEN,) if was_forgotten else ()) + tuple(_not_back(agent)),
        warnings=tuple(_warnings(parts, client, library, url)),
    )


@record
class ValueCounts:
    """What a dry run of the values has found in one library: its scenes, and the items with another value."""

    scenes: int
    differ: int


def compare_values(
    parts: Parts, section: str, progress: Progress = quiet, stopping: Callable[[], bool] = lambda: False
) -> ValueCounts:
    """Compare what Plex would be told with what it has. Writes nothing. Raises NeighbourError."""
    scenes, differ = set[int](), 0
    for preview in preview_scenes(parts.inspector, progress=progress, stopping=stopping):
        if count := sum(item.section == section for item in preview.items):
            scenes.add(preview.id)
            differ += count
    with parts.store.reading() as db:
        # No walk has this number, so all keys are listed.
        keys = db.index.unmet(section, walk=-1, limit=-1)
        return ValueCounts(len(scenes | db.index.scenes_of(keys)), differ)


def find_row(parts: Parts, name: str) -> ProviderRow:
    """The library of this name that asks PlexSync. Raises NotNow."""
    with parts.store.reading() as db:
        rows = db.providers.all()
    named = [row for row in rows if fold(row.title) == fold(name) or row.library == name]
    return _only_one(named, f"the libraries that ask PlexSync is named {name}", [row.title for row in rows])


def _only_one(named: Sequence[T], words: str, titles: Sequence[str]) -> T:
    """The one library of a name. Raises NotNow."""
    if len(named) != 1:
        raise NotNow(f"{'more than one' if named else 'none'} of {words}; they are: {', '.join(titles) or 'none'}")
    return named[0]


def identifier_of(uuid: str) -> str:
    """The identifier of a library's provider."""
    return PREFIX + re.sub(r"[^A-Za-z0-9]", "", uuid)


def _find_library(parts: Parts, client: ProviderClient, name: str) -> LibraryAgent:
    """The library of this name that PlexSync syncs. Raises NotNow."""
    synced = {section.key for section in parts.plex.sections()}
    libraries = [each for each in client.libraries() if each.section in synced]
    named = [each for each in libraries if fold(each.title) == fold(name)]
    words = f"the movie libraries that are synced is named {name}"
    library = _only_one(named, words, [each.title for each in libraries])
    if not library.uuid:
        raise NotNow(f"Plex gives no uuid for {library.title}, so it can't be told from other libraries")
    if not library.owned:
        raise NotNow("plex_token has to be the token of the server's owner: plexsync init signs in with it")
    return library


def _check_version(version: str) -> None:
    """Raise NotNow for a Plex that has no providers."""
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[: len(LEAST_PLEX)])
    if numbers < LEAST_PLEX:
        raise NotNow(f"Plex {version} has no metadata providers: that needs {'.'.join(map(str, LEAST_PLEX))} or newer")


def _checked_url(parts: Parts) -> str:
    if not is_provider_on(parts.config):
        raise NotNow(OFF)
    url = provider_url(parts.config)
    if (urlsplit(url).hostname or "") in EVERYWHERE:
        raise NotNow(NO_URL)
    return url


def _warnings(parts: Parts, client: ProviderClient, library: LibraryAgent, url: str) -> Iterator[str]:
    plex, own = parts.plex.requests.place[0], urlsplit(url).hostname or ""
    if _is_loopback(own) and not _is_loopback(plex):
        yield LOOPBACK.format(own, plex)
    if client.asks_explicit(library.section) is False:
        yield NO_SWITCH


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _not_back(agent: str) -> Iterator[str]:
    if agent.endswith(UNMATCHED_AGENT):
        yield NEW_GUIDS
    else:
        yield LEGACY if agent.startswith(LEGACY_AGENT) else MATCHES
    yield from (EXTRAS, ONE_GUID, ADDED_SINCE)
