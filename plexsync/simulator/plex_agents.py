"""The table of metadata providers and agents of the simulated Plex: what is registered, and which agent asks whom.

An agent is a group: its primary provider gives the guids, further ones only add. Those that a fresh server of 1.43 has
are here under the numbers of a fresh database. Nothing here speaks HTTP.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

LEGACY_AGENTS = "com.plexapp.agents."
MODERN_AGENTS = "tv.plex.agents."
CUSTOM_AGENT = "tv.plex.agents.custom."
IDENTIFIER = re.compile(r"tv\.plex\.agents\.custom\.[A-Za-z0-9.]+")
MOVIE_AGENT = "tv.plex.agents.movie"
NO_AGENT = "tv.plex.agents.none"
LOCAL_MEDIA = "tv.plex.agents.localmedia"
CLOUD = "provider://tv.plex.provider.metadata"
EVERYTHING = (1, 2, 3, 4, 8, 9, 10, 13, 14, 20, 21, 22)
STEP = 1000.0


@dataclass
class AgentProvider:
    """A provider. `types` are the numbers of the kinds of item that it knows, `features` paths below `uri` by name."""

    id: int
    identifier: str
    title: str
    uri: str = ""
    types: tuple[int, ...] = ()
    features: dict[str, str] = field(default_factory=dict)
    adds_only: bool = False
    online: bool = True

    @property
    def is_custom(self) -> bool:
        """Whether somebody has registered it; a built-in one is never asked."""
        return AgentTable.is_custom(self.identifier)


@dataclass
class GroupMember:
    """The place of a provider in an agent."""

    id: int
    provider: int
    order: float


@dataclass
class AgentGroup:
    """An agent, as people call it."""

    id: int
    title: str
    primary: str
    is_built_in: bool = False
    members: list[GroupMember] = field(default_factory=list)

    def member(self, provider: int) -> GroupMember | None:
        """The place of this provider; None if it has none."""
        return next((one for one in self.members if one.provider == provider), None)


def _built_in() -> list[AgentProvider]:
    return [
        AgentProvider(1, MOVIE_AGENT, "Plex Movie", CLOUD, types=(1,)),
        AgentProvider(2, "tv.plex.agents.series", "Plex Series", CLOUD, types=(2, 3, 4)),
        AgentProvider(3, "tv.plex.agents.music", "Plex Music", CLOUD, types=(8, 9, 10)),
        AgentProvider(4, "org.musicbrainz.agents.music", "MusicBrainz", CLOUD, types=(8, 9, 10), adds_only=True),
        AgentProvider(5, NO_AGENT, "Plex Personal Media", types=EVERYTHING),
        AgentProvider(6, LOCAL_MEDIA, "Plex Local Media", types=EVERYTHING, adds_only=True),
    ]


class AgentTable:
    """All providers and agents, by number. Numbers are never dealt again."""

    def __init__(self) -> None:
        self.providers: dict[int, AgentProvider] = {one.id: one for one in _built_in()}
        self.groups: dict[int, AgentGroup] = {}
        self._last_provider = len(self.providers)
        self._last_group = 0
        self._last_member = 0
        self.ended: set[str] = set()
        """Agents that Plex had, and has no longer."""
        for identifier in (MOVIE_AGENT, "tv.plex.agents.series", "tv.plex.agents.music", NO_AGENT):
            self.add_group(self.named(identifier).title, identifier).is_built_in = True

    def find(self, identifier: str) -> AgentProvider | None:
        """The provider with this identifier."""
        return next((one for one in self.providers.values() if one.identifier == identifier), None)

    def named(self, identifier: str) -> AgentProvider:
        """The provider with this identifier; raises KeyError."""
        found = self.find(identifier)
        if found is None:
            raise KeyError(identifier)
        return found

    def add_provider(self, provider: AgentProvider) -> AgentProvider:
        """Register it under the next number."""
        self._last_provider += 1
        provider.id = self._last_provider
        self.providers[provider.id] = provider
        return provider

    def add_group(self, title: str, primary: str) -> AgentGroup:
        """A new agent, with its primary provider in it; raises KeyError for one that is not registered."""
        provider = self.named(primary)
        self._last_group += 1
        group = self.groups[self._last_group] = AgentGroup(self._last_group, title, primary)
        self.add_member(group, provider)
        return group

    def add_member(self, group: AgentGroup, provider: AgentProvider) -> GroupMember:
        """Put a provider at the end of an agent."""
        self._last_member += 1
        order = max((one.order for one in group.members), default=0.0) + STEP
        group.members.append(GroupMember(self._last_member, provider.id, order))
        return group.members[-1]

    def move_member(self, group: AgentGroup, member: GroupMember, after: int) -> None:
        """Put a member behind the one with this number, or first if there is none."""
        others = [one for one in group.members if one is not member]
        place = next((number for number, one in enumerate(others, 1) if one.id == after), 0)
        before = others[place - 1].order if place else 0.0
        behind = others[place].order if place < len(others) else before + 2 * STEP
        member.order = (before + behind) / 2
        group.members.sort(key=lambda one: one.order)

    def groups_with(self, provider: AgentProvider) -> Iterable[AgentGroup]:
        """The agents in which it is."""
        return (group for group in self.groups.values() if group.member(provider.id))

    @staticmethod
    def is_custom(agent: str) -> bool:
        """Whether this names a provider that somebody has registered, or had."""
        return agent.startswith(CUSTOM_AGENT)

    def knows(self, agent: str) -> bool:
        """Whether a library can have this agent: a built-in one, a legacy one, or one that is registered."""
        return agent not in self.ended and (not self.is_custom(agent) or self.find(agent) is not None)

    def group_of(self, agent: str) -> int | None:
        """The oldest agent whose primary provider this is; None for a legacy one."""
        return next((group.id for group in self.groups.values() if group.primary == agent), None)

    def asked(self, group: int | None) -> AgentProvider | None:
        """The registered provider that a library with this agent asks; None if nobody answers."""
        agent = self.groups.get(group or 0)
        found = self.find(agent.primary) if agent else None
        return found if found and found.is_custom else None
