"""Metadata providers of a Plex (1.43.0 or newer): registered ones, their groups, and the libraries that use them.

Plex asks a provider for the answer to each item. A group has a primary provider, which gives the items their guids, and
others that add to it. A library has an agent, which is the primary provider, and a group. All of it needs the token of
the server's owner.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

import msgspec

from plexsync.http.client import LISTING_CAP
from plexsync.plex.answers import (
    Body,
    Flag,
    FullPage,
    ItemAnswer,
    LocationAnswer,
    Number,
    check_size,
    digits,
    is_set,
    items_of,
    key_of,
    rows_of,
)
from plexsync.plex.requests import ITEMS, PlexRequests, check_number, query
from plexsync.rules.item import Item
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Barred, Conflict, Missing

T = TypeVar("T")
PROVIDERS, GROUPS = "/media/providers/metadata", "/media/providers/metadata/group"
# The name of the setting of a library that lets Plex ask about explicit content is not documented.
EXPLICIT = re.compile("adult|explicit", re.IGNORECASE)


@record
class RegisteredProvider:
    """A provider that is registered."""

    number: str
    identifier: str
    title: str


@record
class ProviderGroup:
    """A group of providers, and the numbers of these in their order."""

    number: str
    primary: str
    providers: tuple[str, ...] = ()


@record
class LibraryAgent:
    """A movie library, its agent, and the number of its group ('' for none)."""

    section: str
    title: str
    uuid: str
    agent: str
    group: str
    locations: tuple[str, ...]
    owned: bool = True


@record
class MatchedItem:
    """An item in full with the guid that its agent has given it."""

    item: Item
    guid: str


class ProviderAnswer(msgspec.Struct):
    """A registered provider."""

    id: Number
    identifier: str = ""
    title: str = ""


class GroupItemAnswer(msgspec.Struct):
    """A provider's place in a group."""

    metadataAgentProviderId: Number
    order: float = 0.0


class ProviderGroupAnswer(msgspec.Struct):
    """A group, with its members under the name that Plex shows, or that of the contract."""

    id: Number
    primaryIdentifier: str = ""
    MetadataAgentProviderGroupItem: list[GroupItemAnswer] = []
    MetadataAgentGroupItem: list[GroupItemAnswer] = []


class ProviderList(msgspec.Struct):
    """The registered providers."""

    MetadataAgentProvider: list[ProviderAnswer] = []


class GroupList(msgspec.Struct):
    """The groups."""

    MetadataAgentProviderGroup: list[ProviderGroupAnswer] = []


class AgentAnswer(msgspec.Struct):
    """A library and its agent."""

    key: Number
    type: str = ""
    title: str = ""
    agent: str = ""
    uuid: str = ""
    metadataAgentProviderGroupId: Number | None = None
    Location: list[LocationAnswer] = []
    allowSync: Flag = True


class AgentList(msgspec.Struct):
    """The libraries."""

    size: Number
    Directory: list[AgentAnswer] = []


class PrefAnswer(msgspec.Struct):
    """A setting of a library."""

    id: str = ""
    label: str = ""
    value: Flag = ""


class PrefList(msgspec.Struct):
    """The settings of a library."""

    Setting: list[PrefAnswer] = []


_PROVIDERS = msgspec.json.Decoder(Body[ProviderList])
_GROUPS = msgspec.json.Decoder(Body[GroupList])
_LIBRARIES = msgspec.json.Decoder(Body[AgentList])
_PREFS = msgspec.json.Decoder(Body[PrefList])


class ProviderClient:
    """The providers of a Plex, and what makes a library and its items use one."""

    def __init__(self, requests: PlexRequests) -> None:
        self._requests = requests

    def providers(self) -> list[RegisteredProvider]:
        """The registered providers. Raises Missing if Plex is too old to have any."""
        return self._with_any_token(PROVIDERS, lambda target: self._requests.read(target, _PROVIDERS, _providers_of))

    def register(self, identifier: str, address: str) -> str:
        """Register a provider, or give a registered one this address; returns its number.

        Plex asks the address before it answers. Raises Refused if it gets no good answer there.
        """
        at = query({"uri": address})
        number = self._number_of(identifier)
        if not number:
            try:
                self._write("POST", f"{PROVIDERS}?{at}")
                return self._known_number(identifier)
            except Conflict:
                number = self._known_number(identifier)
        self._write("PUT", f"{PROVIDERS}/{number}?{at}")
        return number

    def remove(self, number: str) -> None:
        """Remove a provider that is in no group; one that is not there is removed already."""
        check_number(number)
        self._delete(f"{PROVIDERS}/{number}")

    def groups(self) -> list[ProviderGroup]:
        """The groups of providers."""
        return self._with_any_token(GROUPS, lambda target: self._requests.read(target, _GROUPS, _groups_of))

    def make_group(self, title: str, primary: str) -> ProviderGroup:
        """The group with this primary provider; it is made if there is none."""
        of_primary = self._groups_with(primary)
        if not of_primary:
            self._write("POST", f"{GROUPS}?{query({'title': title, 'primaryIdentifier': primary})}")
            of_primary = self._groups_with(primary)
        if not of_primary:
            raise self._requests.foreign("without the group that was made")
        return of_primary[0]

    def join(self, group: str, provider: str) -> None:
        """Put a provider into a group, behind those that are in it."""
        for number in (group, provider):
            check_number(number)
        self._write("PUT", f"{GROUPS}/{group}/items/{provider}")

    def remove_group(self, number: str) -> None:
        """Remove a group; one that is not there is removed already."""
        check_number(number)
        self._delete(f"{GROUPS}/{number}")

    def libraries(self) -> list[LibraryAgent]:
        """All movie libraries with their agents."""
        return self._requests.read("/library/sections", _LIBRARIES, _libraries_of)

    def use_agent(self, section: str, agent: str, group: str) -> None:
        """Set agent and group of a library."""
        check_number(section)
        settings = {"agent": agent, **({"metadataAgentProviderGroupId": group} if group else {})}
        self._requests.write("PUT", f"/library/sections/{section}?{query(settings)}")

    def asks_explicit(self, section: str) -> bool | None:
        """Whether Plex asks about explicit content in this library; None if it has no such setting."""
        check_number(section)
        return self._requests.read(f"/library/sections/{section}/prefs", _PREFS, _explicit_of, cap=LISTING_CAP)

    def refresh_library(self, section: str) -> None:
        """Ask Plex to read all items of a library anew from its agent. It goes on after the answer."""
        check_number(section)
        self._requests.write("POST", f"/library/sections/{section}/refresh?force=1")

    def stop_refreshing(self, section: str) -> None:
        """Ask Plex to end such a refresh."""
        check_number(section)
        self._requests.write("DELETE", f"/library/sections/{section}/refresh")

    def refresh(self, keys: Sequence[str]) -> None:
        """Ask Plex to read these items anew from their agent. It goes on after the answer."""
        for key in keys:
            check_number(key)
        self._requests.write("PUT", f"/library/metadata/{','.join(keys)}/refresh")

    def match(self, key: str, guid: str, name: str) -> None:
        """Give an item this guid; Plex reads the item anew from its agent afterwards."""
        check_number(key)
        self._requests.write("PUT", f"/library/metadata/{key}/match?{query({'guid': guid, 'name': name})}")

    def unmatch(self, key: str) -> None:
        """Take an item's match away; Plex gives it a guid of its own."""
        check_number(key)
        self._requests.write("PUT", f"/library/metadata/{key}/unmatch")

    def items(self, keys: Sequence[str]) -> dict[str, MatchedItem]:
        """Full items with their guids by rating key, see `PlexClient.items`."""
        return self._requests.existing(keys, ITEMS, _matched_of)

    def _number_of(self, identifier: str) -> str:
        return next((each.number for each in self.providers() if each.identifier == identifier), "")

    def _known_number(self, identifier: str) -> str:
        number = self._number_of(identifier)
        if not number:
            raise self._requests.foreign("without the provider that is registered")
        return number

    def _groups_with(self, primary: str) -> list[ProviderGroup]:
        return [group for group in self.groups() if group.primary == primary]

    def _delete(self, target: str) -> None:
        with suppress(Missing):
            self._write("DELETE", target)

    def _write(self, method: str, target: str) -> None:
        self._with_any_token(target, lambda target: self._requests.write(method, target))

    def _with_any_token(self, target: str, ask: Callable[[str], T]) -> T:
        """The answer to a request about providers; some servers take the token of these as a parameter alone."""
        try:
            return ask(target)
        except Barred:
            return ask(self._requests.with_token(target))


def _providers_of(container: ProviderList) -> list[RegisteredProvider]:
    return [
        RegisteredProvider(key_of(each.id), each.identifier, each.title) for each in container.MetadataAgentProvider
    ]


def _groups_of(container: GroupList) -> list[ProviderGroup]:
    return [
        ProviderGroup(key_of(group.id), group.primaryIdentifier, _members_of(group))
        for group in container.MetadataAgentProviderGroup
    ]


def _members_of(group: ProviderGroupAnswer) -> tuple[str, ...]:
    members = group.MetadataAgentProviderGroupItem or group.MetadataAgentGroupItem
    return tuple(key_of(each.metadataAgentProviderId) for each in sorted(members, key=lambda each: each.order))


def _libraries_of(container: AgentList) -> list[LibraryAgent]:
    check_size(container.size, container.Directory)
    return [
        LibraryAgent(
            section=key_of(each.key),
            title=each.title,
            uuid=each.uuid,
            agent=each.agent,
            group=digits(each.metadataAgentProviderGroupId),
            locations=tuple(place.path for place in each.Location if place.path),
            owned=is_set(each.allowSync),
        )
        for each in container.Directory
        if each.type == "movie"
    ]


def _explicit_of(container: PrefList) -> bool | None:
    named = [pref for pref in container.Setting if EXPLICIT.search(f"{pref.id} {pref.label}")]
    return any(is_set(pref.value) for pref in named) if named else None


def _matched_of(container: FullPage[ItemAnswer]) -> dict[str, MatchedItem]:
    items = items_of(container)
    guids = {key_of(metadata.ratingKey): metadata.guid or "" for metadata in rows_of(container)}
    return {key: MatchedItem(item, guids[key]) for key, item in items.items()}
