"""The requests of the simulated Plex about metadata providers and the agents that are made of them.

Routes, parameters, answers and statuses are those of "Metadata Agents" in Plex's description of its API (1.2.2, of
1.43.2). Where that says two things, the examples are followed: a group lists `MetadataAgentProviderGroupItem`.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from urllib.parse import urlsplit

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_agents import (
    LEGACY_AGENTS,
    LOCAL_MEDIA,
    AgentGroup,
    AgentProvider,
    AgentTable,
    GroupMember,
)
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_model import Library, Section, Unacceptable
from plexsync.simulator.plex_render import Node, Ready, Value, id_value, movie_guid

Late = Callable[[], Answer]
"""The answer to a request that has to ask somebody first; to be called without the server's lock."""

FIRST_VERSION = (1, 43)


class Registry:
    """What is registered at one server. `look` asks an address what provider is there, without the server's lock."""

    def __init__(
        self, library: Library, lock: RLock, version: Callable[[], str], look: Callable[[str], AgentProvider | None]
    ) -> None:
        self._library = library
        self._lock = lock
        self._version = version
        self._look = look

    @property
    def table(self) -> AgentTable:
        """All providers and agents."""
        return self._library.agents

    @property
    def is_known(self) -> bool:
        """Whether this version of the server knows of providers."""
        major, minor, *_ = self._version().split(".")
        return (int(major), int(minor)) >= FIRST_VERSION

    def provider_of(self, section: Section) -> AgentProvider | None:
        """The provider that answers for a library; None if nobody does."""
        return self.table.asked(section.group) if self.is_known else None

    def use(self, section: Section, uri: str) -> AgentProvider:
        """Register a provider and make it the agent of a library, with Plex Local Media second, as a person does.
        Raises ValueError if none answers there, or one of that name is registered.
        """
        found = self._look(uri)
        with self._lock:
            if found is None or self.table.find(found.identifier):
                raise ValueError(f"no new provider answers at {uri}")
            provider = self.table.add_provider(found)
            group = self.table.add_group(provider.title, provider.identifier)
            self.table.add_member(group, self.table.named(LOCAL_MEDIA))
            self._set_agent(section, provider.identifier, group.id)
            return provider

    def edit_section(self, asked: Asked, section: Section) -> Answer:
        """Change the settings of a library. `agent` is always needed; of a group, it is that of its primary provider."""
        agent, wanted = asked.params.get("agent", ""), asked.params.get("metadataAgentProviderGroupId", "")
        if not agent or not self.table.knows(agent) or (wanted and not wanted.isdecimal()):
            raise Unacceptable(400)
        number = int(wanted) if wanted and self.is_known else self.table.group_of(agent)
        if number is not None:
            if number not in self.table.groups:
                raise Unacceptable(400)
            agent = self.table.groups[number].primary
        if section.is_other and self.table.is_custom(agent) and not self._library.traits.other_takes_provider:
            raise Unacceptable(400)
        if agent.startswith(LEGACY_AGENTS) and not self._library.traits.legacy_agents:
            raise Unacceptable(400)
        self._set_agent(section, agent, number)
        section.title = asked.params.get("name") or section.title
        section.scanner = asked.params.get("scanner") or section.scanner
        return Answer()

    def _set_agent(self, section: Section, agent: str, group: int | None) -> None:
        """The items keep everything until they are refreshed, their guids too."""
        before = [(item, movie_guid(item)) for item in section.items.values()]
        self._library.set_agent(section, agent, group)
        for item, guid in before:
            if movie_guid(item) != guid:
                item.guid = guid
            item.listed.clear()

    # requests below /media/providers/metadata

    def answer(self, asked: Asked) -> Answer | Late:
        """The answer to any of them."""
        if not self.is_known:
            raise Unacceptable(404)
        if self._library.traits.registers_by == "query" and "X-Plex-Token" not in asked.params:
            raise Unacceptable(401)
        for method, pattern, handle in ROUTES:
            if asked.request.method == method and (found := pattern.fullmatch(asked.groups[0])):
                return handle(self, replace(asked, groups=tuple(found.groups())))
        raise Unacceptable(404)

    def _list(self, asked: Asked) -> Answer:
        wanted = {int(one) for one in asked.names("metadataTypes") if one.isdecimal()}
        found = self.table.providers.values()
        return self._provider_list(asked, *(one for one in found if not wanted or wanted & set(one.types)))

    def _provider(self, asked: Asked) -> Answer:
        return self._provider_list(asked, self._found(asked.groups[0]))

    def _register(self, asked: Asked) -> Late:
        uri = _address(asked)
        return lambda: self._registered(asked, uri)

    def _registered(self, asked: Asked, uri: str) -> Answer:
        found = self._look(uri)
        with self._lock:
            if found is None:
                raise Unacceptable(400)
            if self.table.find(found.identifier):
                raise Unacceptable(409)
            return self._provider_list(asked, self.table.add_provider(found))

    def _move(self, asked: Asked) -> Late:
        number, uri = self._found(asked.groups[0], missing=400).id, _address(asked)
        return lambda: self._moved(asked, uri, number)

    def _moved(self, asked: Asked, uri: str, number: int) -> Answer:
        """Another address of a provider; what answers there determines all the rest."""
        found = self._look(uri)
        with self._lock:
            known = self.table.providers.get(number)
            if found is None or known is None or not known.is_custom:
                raise Unacceptable(400)
            if (other := self.table.find(found.identifier)) and other is not known:
                raise Unacceptable(400)
            self.table.providers[number] = replace(found, id=number)
            return self._provider_list(asked, self.table.providers[number])

    def _delete(self, asked: Asked) -> Answer:
        provider = self._found(asked.groups[0])
        if any(self.table.groups_with(provider)):
            raise Unacceptable(403)
        if not provider.is_custom:
            raise Unacceptable(400)
        del self.table.providers[provider.id]
        return Answer()

    def _groups(self, asked: Asked) -> Answer:
        return self._group_list(asked, *self.table.groups.values())

    def _group(self, asked: Asked) -> Answer:
        return self._group_list(asked, self._found_group(asked))

    def _add_group(self, asked: Asked) -> Answer:
        title, primary = asked.params.get("title"), asked.params.get("primaryIdentifier", "")
        provider = self.table.find(primary)
        if not title or provider is None or provider.adds_only:
            raise Unacceptable(400)
        return self._group_list(asked, self.table.add_group(title, primary))

    def _rename_group(self, asked: Asked) -> Answer:
        group = self._found_group(asked, missing=400)
        group.title = asked.params.get("title") or group.title
        return self._group_list(asked, group)

    def _delete_group(self, asked: Asked) -> Answer:
        """Its libraries keep their agent, and nobody answers them. A built-in one can't be deleted."""
        group = self._found_group(asked)
        if group.is_built_in:
            raise Unacceptable(403)
        del self.table.groups[group.id]
        return Answer()

    def _put_member(self, asked: Asked) -> Answer:
        """Add a provider, which must know all that the primary one knows; or move one that is there already."""
        group, provider = self._found_group(asked, missing=400), self._found(asked.groups[1], missing=400)
        member, after = group.member(provider.id), asked.params.get("after")
        if member is None:
            primary = self.table.find(group.primary)
            if primary and not set(primary.types) <= set(provider.types):
                raise Unacceptable(400)
            member = self.table.add_member(group, provider)
        elif after is not None:
            if not after.removeprefix("-").isdecimal():
                raise Unacceptable(400)
            self.table.move_member(group, member, int(after))
        return self._container(asked, [self._member_node(group, member)])

    def _delete_member(self, asked: Asked) -> Answer:
        group, provider = self._found_group(asked), self._found(asked.groups[1])
        member = group.member(provider.id)
        if member is None:
            raise Unacceptable(404)
        if provider.identifier == group.primary:
            raise Unacceptable(403)
        group.members.remove(member)
        return Answer()

    def _found(self, number: str, missing: int = 404) -> AgentProvider:
        provider = self.table.providers.get(int(number))
        if provider is None:
            raise Unacceptable(missing)
        return provider

    def _found_group(self, asked: Asked, missing: int = 404) -> AgentGroup:
        group = self.table.groups.get(int(asked.groups[0]))
        if group is None:
            raise Unacceptable(missing)
        return group

    # answers

    def _provider_list(self, asked: Asked, *found: AgentProvider) -> Answer:
        return self._container(asked, [self._provider_node(one) for one in found])

    def _group_list(self, asked: Asked, *found: AgentGroup) -> Answer:
        return self._container(asked, [self._group_node(one) for one in found])

    def _container(self, asked: Asked, nodes: list[Node | Ready]) -> Answer:
        return asked.answer(Node("MediaContainer", {"size": len(nodes)}, nodes))

    def _id(self, number: int) -> Value:
        return id_value(number, self._library.traits)

    def _provider_node(self, provider: AgentProvider) -> Node:
        attributes: dict[str, Value] = {
            "id": self._id(provider.id),
            "identifier": provider.identifier,
            "title": provider.title,
            "uri": provider.uri,
            "agentType": "contributor" if provider.adds_only else "primary",
            "online": provider.online,
        }
        return Node(
            "MetadataAgentProvider", attributes, [Node("MetadataType", {"type": one}) for one in provider.types]
        )

    def _group_node(self, group: AgentGroup) -> Node:
        attributes = {"id": self._id(group.id), "title": group.title, "primaryIdentifier": group.primary}
        return Node("MetadataAgentProviderGroup", attributes, [self._member_node(group, one) for one in group.members])

    def _member_node(self, group: AgentGroup, member: GroupMember) -> Node:
        attributes = {
            "id": self._id(member.id),
            "metadataAgentProviderGroupId": self._id(group.id),
            "metadataAgentProviderId": self._id(member.provider),
            "order": member.order,
        }
        return Node("MetadataAgentProviderGroupItem", attributes)


def _address(asked: Asked) -> str:
    """The address in a request. Raises `Unacceptable` (400) for what can't be one."""
    uri = asked.params.get("uri", "")
    try:
        scheme = urlsplit(uri).scheme
    except ValueError as wrong:
        raise Unacceptable(400) from wrong
    if scheme not in ("http", "https"):
        raise Unacceptable(400)
    return uri


_PROVIDER = r"/(\d+)"
_GROUP = r"/group/(\d+)"
_MEMBER = rf"{_GROUP}/items/(\d+)"

ROUTES: list[tuple[str, re.Pattern[str], Callable[[Registry, Asked], Answer | Late]]] = [
    (method, re.compile(pattern), handle)
    for method, pattern, handle in (
        ("GET", "", Registry._list),
        ("POST", "", Registry._register),
        ("GET", _PROVIDER, Registry._provider),
        ("PUT", _PROVIDER, Registry._move),
        ("DELETE", _PROVIDER, Registry._delete),
        ("GET", "/group", Registry._groups),
        ("POST", "/group", Registry._add_group),
        ("GET", _GROUP, Registry._group),
        ("PUT", _GROUP, Registry._rename_group),
        ("DELETE", _GROUP, Registry._delete_group),
        ("PUT", _MEMBER, Registry._put_member),
        ("DELETE", _MEMBER, Registry._delete_member),
    )
]
