"""How the simulated Plex asks a metadata provider for the items of a library.

Questions and answers are those of "Metadata Providers" in Plex's description of its API (1.2.2, of 1.43.2). What real
servers were seen to do beyond that text:

* the base address may be http and private, and the keys of the features are appended to it
* a scan shows an item at once, and asks for it afterwards, several in parallel; a refresh is answered before it asks
* each question about an item has language and page in its query, a match and a greeting do not
* what stands beside an item is asked for below the key that its answer names
* a match comes before the values, and its guid names the type of the item: without that nobody asks for the values
* a match sets the title, which the values then replace; of two items with one guid, one gets the files of the other
* the extras are asked for at every refresh, at a path that nobody describes; without an answer those that are there go
* a question is given up after 90 seconds; what fails or is not understood leaves the item as it was

What nobody has seen is one of the traits. Not simulated: shows, what further providers of an agent add, and what Plex's
cloud knows of a guid of its own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import RLock
from types import MappingProxyType

from plexsync.simulator.http import Answer
from plexsync.simulator.plex_agents import IDENTIFIER, AgentProvider
from plexsync.simulator.plex_asked import Asked
from plexsync.simulator.plex_asks import Ask, Asks, Job, Pool
from plexsync.simulator.plex_merge import CLOUD_SCHEME, Entry, entries, fault_of, merge, rating_key
from plexsync.simulator.plex_model import DONE, Item, Library, Section, file_title, relative_name
from plexsync.simulator.plex_prefs import ADULT
from plexsync.simulator.plex_registry import Late, Registry
from plexsync.simulator.plex_render import Node, Value

FEATURES = ("metadata", "match")
MOVIE = 1
# A match with a lower score is not taken by a scan; the description knows of no score.
LEAST_SCORE = 80
ITEM, PROVIDER = "item", "provider"
YEAR = re.compile(r"(.+?)[ .]*\((\d{4})\)$")
PAGE = MappingProxyType(
    {
        "X-Plex-Language": "en-US",
        "X-Plex-Country": "US",
        "X-Plex-Container-Start": "0",
        "X-Plex-Container-Size": "50",
    }
)
NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Question:
    """What is asked about an item: of whom, and the body of the match."""

    item: Item
    provider: AgentProvider
    body: Mapping[str, object]


class Providers:
    """The server as a client of its providers. Public methods are called with its lock, and wait for nobody."""

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
        self.registry = Registry(library, lock, version, self._root)
        self.asks = Asks(seconds)
        self.pool = Pool(self._work, threads)

    def arrived(self, item: Item) -> None:
        """Ask for an item afterwards, if somebody answers for its library."""
        if self.registry.provider_of(item.section):
            item.is_asked = True
            self.pool.add((ITEM, item.key))

    def scanned(self, section: Section) -> None:
        """After a scan: ask again for what nobody knew, if the server does that."""
        if self._library.traits.scan_asks_again:
            for item in section.items.values():
                if not item.matched_by:
                    self.arrived(item)

    def refresh(self, item: Item) -> None:
        """Have the agent bring its values: a built-in one at once, a provider afterwards."""
        if self._library.has_provider(item.section):
            self.arrived(item)
        else:
            self._library.refresh(item)

    def match(self, item: Item, guid: str, name: str) -> None:
        """What "Fix Match" does: the item is the one with this guid. A built-in agent knows only guids of its own."""
        provider = self.registry.provider_of(item.section)
        if guid and (provider or guid.startswith(f"{CLOUD_SCHEME}://")):
            self._library.note_match(item, guid, provider.identifier if provider else "", name)
            self.refresh(item)

    def matches(self, asked: Asked, item: Item) -> Answer | Late:
        """What "Fix Match" offers: the ranked list with `manual`, else the best."""
        found = self._question(item)
        if found is None:
            return _results(asked, [])
        wanted = {"title": asked.params.get("title"), "year": asked.number("year")}
        given = {name: value for name, value in wanted.items() if value}
        manual = {"manual": 1} if asked.params.get("manual") == "1" else {}
        question = replace(found, body={**found.body, **given, **manual})
        return lambda: _results(asked, self._found_for(question))

    def restart(self) -> None:
        """The server has restarted: what it was about to ask is forgotten, and it greets each provider."""
        self.pool.drop()
        self.asks.cut()
        for provider in self.registry.table.providers.values():
            if provider.is_custom and self.registry.is_known:
                self.pool.add((PROVIDER, provider.id))

    def stop(self) -> None:
        """End all questions, and return when no thread is left. To be called without the lock."""
        self.asks.stop()
        self.pool.stop()

    def _question(self, item: Item) -> Question | None:
        """What is to be asked about an item; None if nobody answers for its library."""
        provider = self.registry.provider_of(item.section)
        if provider is None:
            return None
        title, year = _guess(item)
        body: dict[str, object] = {"type": MOVIE, "title": title}
        if year:
            body["year"] = year
        if item.files:
            body["filename"] = relative_name(item.section, item.files[0].path, self._library.traits.match_filename)
        if ADULT.value(item.section.prefs.get(ADULT.id, "0")):
            body["includeAdult"] = 1
        return Question(item, provider, body)

    # in the background, without the lock

    def _work(self, job: Job) -> None:
        kind, number = job
        if kind == PROVIDER:
            self._greet(number)
        else:
            self._renew(number)

    def _greet(self, number: int) -> None:
        providers = self.registry.table.providers
        with self._lock:
            known = providers.get(number)
        found = self._root(known.uri, {"includePreferences": "1"}) if known else None
        with self._lock:
            if known is None or providers.get(number) is not known:
                return
            if found and found.identifier == known.identifier:
                providers[number] = replace(found, id=number)
            else:
                known.online = False

    def _renew(self, key: int) -> None:
        """Match the item unless this provider has done so, and take over its values."""
        with self._lock:
            item = self._library.items.get(key)
            question = self._question(item) if item and not item.trashed else None
        if item is None:
            return
        if question:
            if self._library.traits.refresh_matches or not self._is_matched(item, question.provider):
                self._match_first(question)
            if item.matched_by == question.provider.identifier:
                self._take_over(question)
        with self._lock:
            item.is_asked = False
            if self._is_there(item):
                self._library.told("item", item, DONE)

    @staticmethod
    def _is_matched(item: Item, provider: AgentProvider) -> bool:
        """Whether a refresh needs no match. For a guid of Plex's cloud, it was seen to ask for one each time."""
        return item.matched_by == provider.identifier and not item.guid.startswith(f"{CLOUD_SCHEME}://")

    def _match_first(self, question: Question) -> None:
        for best in self._found_for(question)[:1]:
            with self._lock:
                if self._is_there(question.item) and question.item.guid != best["guid"]:
                    guid, title = str(best["guid"]), str(best.get("title") or "")
                    self._library.note_match(question.item, guid, question.provider.identifier, title)

    def _found_for(self, question: Question) -> list[Entry]:
        """The matches that a provider names. Those that it may not name are left out, and bad ones if nobody chooses."""
        provider = question.provider
        ask, document = self._call("POST", provider, provider.features["match"], body=question.body)
        found = entries(document)
        sound = [one for one in found if _can_be(str(one.get("guid") or ""), provider.identifier)]
        if len(sound) < len(found):
            ask.wrong = "a guid is not the provider's"
        if "manual" in question.body:
            return sound
        return [one for one in sound if not isinstance(score := one.get("score"), int) or score >= LEAST_SCORE]

    def _take_over(self, question: Question) -> None:
        """Ask for the values of an item that is matched, and for what stands beside it, and take them over."""
        item, provider, guid = question.item, question.provider, question.item.guid
        key = rating_key(guid, provider.identifier)
        if key is None:
            return
        path = f"{provider.features['metadata']}/{key}"
        entry = self._values(item, provider, path, key)
        if entry is None:
            return
        # What stands beside an item is asked for below the key that its answer names.
        path = str(entry["key"])
        if self._library.traits.asks_images and (
            images := entries(self._call("GET", provider, f"{path}/images")[1], "Image")
        ):
            entry = {**entry, "Image": images}
        ask, extras = self._call("GET", provider, f"{path}/extras", params={"updating": "1"})
        with self._lock:
            if self._is_there(item) and item.guid == guid:
                merge(self._library, item, entry, provider.identifier)
                if ask.status in (200, 404):
                    item.extras = [str(one.get("title", "")) for one in entries(extras)]
                self._library.touch(item)

    def _values(self, item: Item, provider: AgentProvider, path: str, key: str) -> Entry | None:
        """The values for a key; None if there are none that can be used."""
        ask, document = self._call("GET", provider, path)
        if ask.status == 404 and self._library.traits.unknown_key == "unmatched":
            with self._lock:
                if self._is_there(item):
                    self._library.unmatch(item)
        found = entries(document)
        if ask.status == 200:
            ask.wrong = ask.wrong or (fault_of(found[0], key, item.guid) if found else "no item")
        return found[0] if found and not ask.wrong else None

    def _is_there(self, item: Item) -> bool:
        return self._library.items.get(item.key) is item

    def _root(self, uri: str, params: Mapping[str, str] = NOTHING) -> AgentProvider | None:
        """The provider at this address, as it describes itself; None for what is none."""
        ask, document = self._call("GET", AgentProvider(0, "", "", uri), "", params=params)
        found = _described(document, uri)
        if ask.status == 200 and found is None:
            ask.wrong = ask.wrong or "not the description of a provider"
        return found

    def _call(
        self,
        method: str,
        provider: AgentProvider,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        params: Mapping[str, str] = NOTHING,
    ) -> tuple[Ask, object]:
        by = self._library.traits.asks_by
        in_query = by == "query" or (
            by == "as seen" and path.startswith(f"{provider.features.get('metadata')}/") and body is None
        )
        headers = {
            "X-Plex-Client-Identifier": self._machine(),
            "X-Plex-Product": "Plex Media Server",
            "X-Plex-Version": self._version(),
            **(NOTHING if in_query else PAGE),
        }
        sent = {**params, **(PAGE if in_query else NOTHING)}
        return self.asks.call(method, f"{provider.uri.rstrip('/')}{path}", params=sent, headers=headers, body=body)


def _described(document: object, uri: str) -> AgentProvider | None:
    """A provider from the document at its base address ("MediaProvider Response"); None if anything needed is missing."""
    root = document.get("MediaProvider") if isinstance(document, dict) else None
    if not isinstance(root, dict):
        return None
    try:
        identifier, title = root["identifier"], root["title"]
        features = {str(one["type"]): str(one["key"]) for one in root["Feature"]}
        types = tuple(int(one["type"]) for one in root["Types"])
        schemes = {scheme["scheme"] for one in root["Types"] for scheme in one["Scheme"]}
    except (KeyError, TypeError, ValueError):
        return None
    if not isinstance(identifier, str) or not IDENTIFIER.fullmatch(identifier) or schemes != {identifier}:
        return None
    if not isinstance(title, str) or not title or any(not features.get(one, "").startswith("/") for one in FEATURES):
        return None
    return AgentProvider(0, identifier, title, uri, types, features)


def _guess(item: Item) -> tuple[str, int | None]:
    """Title and year of an item for its match: as it is called now, which is the name of its file if nobody knows it."""
    title, year = str(item.scalars.get("title") or file_title(item)), item.scalars.get("year")
    if found := YEAR.fullmatch(title):
        return found[1], int(found[2])
    return title, int(year) if year else None


def _can_be(guid: str, identifier: str) -> bool:
    """Whether a provider may say that this is its item. A guid of Plex's cloud is accepted, too."""
    return guid.startswith((f"{identifier}://", f"{CLOUD_SCHEME}://"))


def _results(asked: Asked, found: list[Entry]) -> Answer:
    """The lines of "Fix Match", as servers have always sent them."""
    nodes = [_result(place, one) for place, one in enumerate(found)]
    return asked.answer(Node("MediaContainer", {"size": len(nodes)}, [*nodes]))


def _result(place: int, entry: Entry) -> Node:
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
