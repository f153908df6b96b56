"""How the simulated Plex uses metadata providers: it registers them, and asks them for the items of its libraries.

Routes, parameters and answers are those of "Metadata Agents" and "Metadata Providers" in Plex's description of its API
(1.2.2, of 1.43.2). What is seen to happen beyond that text:

* a base address may be http and private, and the keys of its features are appended to it
* a scan shows an item at once, and asks for it afterwards, in parallel; so does a refresh, which is answered at once
* a match comes before the values, and its guid names the type of the item: without that nobody asks for the values
* the extras are asked for at every refresh, at a path that nobody describes; without them those that are there go
* a call is given up after 90 seconds; what fails or is not understood leaves the item as it was
* a library names its agent (the identifier of the primary provider) and its group; its items change at a refresh only

Not simulated: shows, what the further providers of an agent add, and what Plex's cloud knows of a guid of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import RLock
from types import MappingProxyType
from urllib.parse import urlsplit

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_agents import CUSTOM_AGENT, IDENTIFIER, AgentGroup, AgentProvider, AgentTable, GroupMember
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_asks import Ask, Asks, Job, Pool
from plexsync.simulator.plex_merge import Entry, entries, fault_of, merge, rating_key
from plexsync.simulator.plex_model import DONE, Item, Library, Section, Unacceptable, file_title, relative_name
from plexsync.simulator.plex_render import Node, Ready, Value

Late = Callable[[], Answer]
"""The answer to a request that has to ask somebody first; to be called without the server's lock."""

FIRST_VERSION = (1, 43)
FEATURES = ("metadata", "match")
MOVIE = 1
LEAST_SCORE = 80
ITEM, PROVIDER = "item", "provider"
YEAR = re.compile(r"(.+?)[ .]*\((\d{4})\)$")


@dataclass(frozen=True)
class Question:
    """What a provider is asked about an item: the item, its provider, and the body of the match."""

    item: Item
    provider: AgentProvider
    body: dict[str, object]


class Providers:
    """The providers of one server. Its methods hold the server's lock, and never while they wait for a provider."""

    def __init__(
        self,
        library: Library,
        lock: RLock,
        *,
        version: Callable[[], str],
        machine: Callable[[], str],
        threads: int,
        seconds: float,
    ) -> None:
        self._library = library
        self._lock = lock
        self._version = version
        self._machine = machine
        self.asks = Asks(seconds)
        self.pool = Pool(self._work, threads)

    @property
    def table(self) -> AgentTable:
        """What is registered."""
        return self._library.agents

    # what is registered

    def answer(self, asked: Asked) -> Answer | Late:
        """Everything below `/media/providers/metadata`."""
        if not self.are_known:
            raise Unacceptable(404)
        if self._library.traits.registers_by == "query" and "X-Plex-Token" not in asked.params:
            raise Unacceptable(401)
        for method, pattern, handle in ROUTES:
            if asked.request.method == method and (found := pattern.fullmatch(asked.groups[0])):
                return handle(self, replace(asked, groups=tuple(found.groups())))
        raise Unacceptable(404)

    @property
    def are_known(self) -> bool:
        """Whether this version of the server knows of providers."""
        major, minor, *_ = self._version().split(".")
        return (int(major), int(minor)) >= FIRST_VERSION

    def _list(self, asked: Asked) -> Answer:
        wanted = {int(one) for one in asked.names("metadataTypes") if one.isdecimal()}
        found = self.table.providers.values()
        return self._providers(asked, [one for one in found if not wanted or wanted & set(one.types)])

    def _provider(self, asked: Asked) -> Answer:
        return self._providers(asked, [self._found(asked.groups[0])])

    def _register(self, asked: Asked) -> Late:
        uri = _address(asked)
        return lambda: self._registered(asked, uri, 0)

    def _move(self, asked: Asked) -> Late:
        """Another address; the answer there determines all the rest."""
        number, uri = self._found(asked.groups[0], missing=400).id, _address(asked)
        return lambda: self._registered(asked, uri, number)

    def _registered(self, asked: Asked, uri: str, number: int) -> Answer:
        found = self._root(uri)
        with self._lock:
            if found is None:
                raise Unacceptable(400)
            other = self.table.find(found.identifier)
            if other and other.id != number:
                raise Unacceptable(400 if number else 409)
            if number:
                self.table.providers[number] = replace(found, id=number)
            else:
                self.table.add_provider(found)
            return self._providers(asked, [found])

    def _delete(self, asked: Asked) -> Answer:
        provider = self._found(asked.groups[0])
        if any(self.table.groups_with(provider)):
            raise Unacceptable(403)
        if not provider.is_custom:
            raise Unacceptable(400)
        del self.table.providers[provider.id]
        return Answer()

    def _groups(self, asked: Asked) -> Answer:
        return self._group_list(asked, list(self.table.groups.values()))

    def _group(self, asked: Asked) -> Answer:
        return self._group_list(asked, [self._found_group(asked)])

    def _add_group(self, asked: Asked) -> Answer:
        title, primary = asked.params.get("title"), asked.params.get("primaryIdentifier", "")
        provider = self.table.find(primary)
        if not title or provider is None or provider.adds_only:
            raise Unacceptable(400)
        return self._group_list(asked, [self.table.add_group(title, primary)])

    def _rename_group(self, asked: Asked) -> Answer:
        group = self._found_group(asked, missing=400)
        group.title = asked.params.get("title") or group.title
        return self._group_list(asked, [group])

    def _delete_group(self, asked: Asked) -> Answer:
        """Its libraries keep their agent, and nobody answers them."""
        group = self._found_group(asked)
        if group.is_built_in:
            raise Unacceptable(404)
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
            if not after.lstrip("-").isdecimal():
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

    def _providers(self, asked: Asked, found: list[AgentProvider]) -> Answer:
        return self._container(asked, [self._provider_node(one) for one in found])

    def _group_list(self, asked: Asked, found: list[AgentGroup]) -> Answer:
        return self._container(asked, [self._group_node(one) for one in found])

    def _container(self, asked: Asked, nodes: list[Node | Ready]) -> Answer:
        return asked.answer(Node("MediaContainer", {"size": len(nodes)}, nodes))

    def _number(self, number: int) -> Value:
        """A number of these tables: its schema says integer, its examples show texts."""
        return str(number) if self._library.traits.agent_ids == "texts" else number

    def _provider_node(self, provider: AgentProvider) -> Node:
        attributes: dict[str, Value] = {
            "id": self._number(provider.id),
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
        attributes: dict[str, Value] = {
            "id": self._number(group.id),
            "title": group.title,
            "primaryIdentifier": group.primary,
        }
        return Node("MetadataAgentProviderGroup", attributes, [self._member_node(group, one) for one in group.members])

    def _member_node(self, group: AgentGroup, member: GroupMember) -> Node:
        attributes: dict[str, Value] = {
            "id": self._number(member.id),
            "metadataAgentProviderGroupId": self._number(group.id),
            "metadataAgentProviderId": self._number(member.provider),
            "order": member.order,
        }
        return Node("MetadataAgentProviderGroupItem", attributes)

    # libraries and items

    def edit_section(self, asked: Asked, section: Section) -> Answer:
        """Change the settings of a library. `agent` is always needed; of a group, it is that of its primary provider."""
        agent, group = asked.params.get("agent", ""), asked.params.get("metadataAgentProviderGroupId", "")
        if not agent or not self.table.knows(agent) or (group and not group.isdecimal()):
            raise Unacceptable(400)
        number = int(group) if group else self.table.group_of(agent)
        if number is not None and (number not in self.table.groups or not self.are_known):
            number = None
            if group:
                raise Unacceptable(400)
        if number is not None:
            agent = self.table.groups[number].primary
        if section.is_other and agent.startswith(CUSTOM_AGENT) and not self._library.traits.other_takes_provider:
            raise Unacceptable(400)
        self._library.set_agent(section, agent, number)
        section.title = asked.params.get("name") or section.title
        section.scanner = asked.params.get("scanner") or section.scanner
        return Answer()

    def arrived(self, item: Item) -> None:
        """Ask for an item that a scan has shown."""
        if self._answering(item.section):
            item.is_asked = True
            self.pool.add((ITEM, item.key))

    def scanned(self, section: Section) -> None:
        """After a scan: ask again for what nobody knew, if the server does that."""
        if self._library.traits.scan_asks_again:
            for item in section.items.values():
                if not item.matched_by:
                    self.arrived(item)

    def refresh(self, item: Item) -> None:
        """Have the item's agent bring its values: at once those of a built-in one, in the background those of a provider."""
        if self._library.has_provider(item.section):
            self.arrived(item)
        else:
            self._library.refresh(item)

    def match(self, item: Item, guid: str, name: str) -> None:
        """What "Fix Match" does: the item is the one with this guid. A built-in agent knows only guids of its own."""
        provider = self._answering(item.section)
        if not guid or (provider is None and not guid.startswith("plex://")):
            return
        self._library.note_match(item, guid, provider.identifier if provider else "", name)
        self.refresh(item)

    def matches(self, asked: Asked, item: Item) -> Answer | Late:
        """What "Fix Match" offers; ranked with `manual`, else the best."""
        question = self._question(item, manual=asked.params.get("manual") == "1", title=asked.params.get("title"))
        if question is None:
            return self._container(asked, [])
        return lambda: self._container(
            asked, [_result(place, one) for place, one in enumerate(self._found_for(question))]
        )

    def _answering(self, section: Section) -> AgentProvider | None:
        return self.table.asked(section.group) if self.are_known else None

    def _question(self, item: Item, *, manual: bool = False, title: str | None = None) -> Question | None:
        """What is to be asked about an item; None if its library has nobody to ask."""
        provider = self._answering(item.section)
        if provider is None:
            return None
        guess, year = _guess(item)
        body: dict[str, object] = {"type": MOVIE, "title": title or guess}
        if year:
            body["year"] = year
        if item.files:
            body["filename"] = relative_name(item.section, item.files[0].path, self._library.traits.match_filename)
        if manual:
            body["manual"] = 1
        if item.section.prefs.get("includeAdultContent", "0") in ("1", "true"):
            body["includeAdult"] = 1
        return Question(item, replace(provider), body)

    # asking

    def use(self, section: Section, uri: str) -> AgentProvider:
        """Register a provider and make it the agent of a library, with Plex Local Media second, as a person does."""
        found = self._root(uri)
        if found is None:
            raise ValueError(f"no provider answers at {uri}")
        with self._lock:
            provider = self.table.add_provider(found)
            group = self.table.add_group(provider.title, provider.identifier)
            self.table.add_member(group, self.table.named("tv.plex.agents.localmedia"))
            self._library.set_agent(section, provider.identifier, group.id)
            return provider

    def restart(self) -> None:
        """The server has restarted: what it was about to ask is forgotten, and each provider is greeted."""
        self.pool.drop()
        self.asks.cut()
        for provider in self.table.providers.values():
            if provider.is_custom and self.are_known:
                self.pool.add((PROVIDER, provider.id))

    def stop(self) -> None:
        """End all calls, and return when no thread is left."""
        self.asks.stop()
        self.pool.stop()

    def _work(self, job: Job) -> None:
        kind, number = job
        if kind == PROVIDER:
            self._greet(number)
        else:
            self._renew(number)

    def _greet(self, number: int) -> None:
        with self._lock:
            known = self.table.providers.get(number)
        if known is None:
            return
        found = self._root(known.uri, {"includePreferences": "1"})
        with self._lock:
            if self.table.providers.get(number) is not known:
                return
            known.online = found is not None
            if found and found.identifier == known.identifier:
                self.table.providers[number] = replace(found, id=number)

    def _renew(self, key: int) -> None:
        """Match the item unless this provider has done so, and take over its values."""
        with self._lock:
            item = self._library.items.get(key)
            question = self._question(item) if item and not item.trashed else None
        if item is None or question is None:
            return
        if item.matched_by != question.provider.identifier:
            self._match_first(question)
        if item.matched_by == question.provider.identifier:
            self._take_over(question)
        with self._lock:
            if self._is_there(item):
                item.is_asked = False
                self._library.told("item", item, DONE)

    def _match_first(self, question: Question) -> None:
        item = question.item
        for best in self._found_for(question)[:1]:
            with self._lock:
                if self._is_there(item):
                    guid, title = str(best["guid"]), str(best.get("title") or "")
                    self._library.note_match(item, guid, question.provider.identifier, title)

    def _found_for(self, question: Question) -> list[Entry]:
        """The matches that a provider names, of those that a server takes over: in scans, bad ones are dropped."""
        provider = question.provider
        ask, document = self._call("POST", provider, provider.features["match"], body=question.body)
        found = entries(document)
        sound = [one for one in found if _can_be(str(one.get("guid") or ""), provider.identifier)]
        if len(sound) < len(found):
            ask.wrong = "a guid is not the provider's"
        if "manual" in question.body:
            return sound
        return [one for one in sound if not isinstance(score := one.get("score", 100), int) or score >= LEAST_SCORE]

    def _take_over(self, question: Question) -> None:
        item, provider = question.item, question.provider
        key = rating_key(item.guid, provider.identifier)
        if key is None:
            return
        path = f"{provider.features['metadata']}/{key}"
        guid = item.guid
        ask, document = self._call("GET", provider, path)
        found = entries(document)[:1]
        ask.wrong = (
            ask.wrong
            or ("" if ask.status != 200 or found else "no item")
            or "".join(fault_of(one, key, guid) for one in found)
        )
        if ask.status == 404 and self._library.traits.unknown_key == "unmatched":
            with self._lock:
                if self._is_there(item):
                    self._library.unmatch(item)
        if ask.status != 200 or ask.wrong:
            return
        pictures = self._call("GET", provider, f"{path}/images")[1] if self._library.traits.asks_images else None
        extras, more = self._call("GET", provider, f"{path}/extras", params={"updating": "1"})
        with self._lock:
            if self._is_there(item) and item.guid == guid:
                images = entries(pictures, "Image")
                merge(self._library, item, {**found[0], **({"Image": images} if images else {})}, provider.identifier)
                if extras.status in (200, 404):
                    item.extras = [str(one.get("title", "")) for one in entries(more)]
                self._library.touch(item)

    def _is_there(self, item: Item) -> bool:
        return self._library.items.get(item.key) is item

    def _call(
        self,
        method: str,
        provider: AgentProvider,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] = MappingProxyType({}),
    ) -> tuple[Ask, object]:
        sent = {
            "X-Plex-Language": "en-US",
            "X-Plex-Country": "US",
            "X-Plex-Container-Start": "0",
            "X-Plex-Container-Size": "50",
        }
        in_query = self._library.traits.asks_by == "query"
        headers = {
            "X-Plex-Client-Identifier": self._machine(),
            "X-Plex-Product": "Plex Media Server",
            "X-Plex-Version": self._version(),
            **({} if in_query else sent),
        }
        uri = f"{provider.uri.rstrip('/')}{path}"
        return self.asks.call(method, uri, params={**params, **(sent if in_query else {})}, headers=headers, body=body)

    def _root(self, uri: str, params: Mapping[str, str] = MappingProxyType({})) -> AgentProvider | None:
        """The provider at this address, as it describes itself; None for what is none."""
        ask, document = self._call("GET", AgentProvider(0, "", "", uri), "", params=params)
        found = _described(document, uri)
        if ask.status == 200 and found is None:
            ask.wrong = ask.wrong or "no description of a provider of metadata"
        return found


def _described(document: object, uri: str) -> AgentProvider | None:
    """A provider from the document at its base address ("MediaProvider Response"); None if anything needed is missing."""
    root = document.get("MediaProvider") if isinstance(document, dict) else None
    if not isinstance(root, dict):
        return None
    identifier, title = root.get("identifier"), root.get("title")
    try:
        features = {str(one["type"]): str(one["key"]) for one in root["Feature"]}
        types = tuple(int(one["type"]) for one in root["Types"])
        schemes = {scheme["scheme"] for one in root["Types"] for scheme in one["Scheme"]}
    except (KeyError, TypeError, ValueError):
        return None
    if (
        not isinstance(identifier, str)
        or not IDENTIFIER.fullmatch(identifier)
        or not isinstance(title, str)
        or not title
    ):
        return None
    if schemes != {identifier} or not types or any(not features.get(name, "").startswith("/") for name in FEATURES):
        return None
    return AgentProvider(0, identifier, title, uri, str(root.get("version") or ""), types, features)


def _address(asked: Asked) -> str:
    uri = asked.params.get("uri", "")
    if urlsplit(uri).scheme not in ("http", "https"):
        raise Unacceptable(400)
    return uri


def _guess(item: Item) -> tuple[str, int | None]:
    """Title and year of an item, as its match is asked for; from the name of its file if it has no other."""
    title, year = str(item.scalars.get("title") or file_title(item)), item.scalars.get("year")
    if found := YEAR.fullmatch(title):
        return found[1], int(found[2])
    return title, int(year) if year else None


def _can_be(guid: str, identifier: str) -> bool:
    """Whether a provider may say that this is its item. A guid of Plex's cloud is accepted, too."""
    return guid.startswith((f"{identifier}://", "plex://"))


def _result(place: int, entry: Entry) -> Node:
    """One line of "Fix Match", as it has always been."""
    year, score = entry.get("year"), entry.get("score")
    attributes: dict[str, Value] = {
        "guid": str(entry["guid"]),
        "name": str(entry.get("title") or ""),
        "year": year if isinstance(year, int) else None,
        "summary": str(entry.get("summary") or ""),
        "thumb": str(entry.get("thumb") or ""),
        "type": "movie",
        "lifespanEnded": False,
        "score": score if isinstance(score, int) else max(0, 100 - place),
    }
    return Node("SearchResult", attributes)


_PROVIDER = r"/(\d+)"
_GROUP = r"/group/(\d+)"

ROUTES: list[tuple[str, re.Pattern[str], Callable[[Providers, Asked], Answer | Late]]] = [
    (method, re.compile(pattern), handle)
    for method, pattern, handle in (
        ("GET", "", Providers._list),
        ("POST", "", Providers._register),
        ("GET", _PROVIDER, Providers._provider),
        ("PUT", _PROVIDER, Providers._move),
        ("DELETE", _PROVIDER, Providers._delete),
        ("GET", "/group", Providers._groups),
        ("POST", "/group", Providers._add_group),
        ("GET", _GROUP, Providers._group),
        ("PUT", _GROUP, Providers._rename_group),
        ("DELETE", _GROUP, Providers._delete_group),
        ("PUT", rf"{_GROUP}/items/(\d+)", Providers._put_member),
        ("DELETE", rf"{_GROUP}/items/(\d+)", Providers._delete_member),
    )
]
