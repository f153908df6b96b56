"""A Plex Media Server on loopback that behaves like the real one where it matters to a sync.

Among the reproduced behaviour: XML and JSON of one model, edits that always answer an empty 200, abridged listings,
locks and their effect on a refresh, tags in their first spelling, scans that reveal files after a while, rating keys
that change with a re-add, and an edit without `id` that edits the whole section. Behaviour on which the sources
disagree is a switch of `PlexSim`.
"""

import ipaddress
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from random import Random
from urllib.parse import unquote, urlsplit

from plexsync.simulator.feed import Feed
from plexsync.simulator.http import Answer, HttpServer, Request, html_page
from plexsync.simulator.plex_agents import MODERN_AGENTS
from plexsync.simulator.plex_asked import TYPE_JSON, Asked
from plexsync.simulator.plex_asks import Ask
from plexsync.simulator.plex_changes import Dealt, PlexBackup, empty, next_machine, refill, reinstall, remake
from plexsync.simulator.plex_composite import composite
from plexsync.simulator.plex_edits import apply_edit, is_edit, read_edit
from plexsync.simulator.plex_history import OWNER, History
from plexsync.simulator.plex_meta import detail_nodes, meta_node
from plexsync.simulator.plex_model import (
    DELETED,
    SCALARS,
    TAG_ELEMENTS,
    FileSpec,
    Item,
    Library,
    Scalar,
    Section,
    SectionType,
    Unacceptable,
    is_private,
)
from plexsync.simulator.plex_playing import Sessions, count_play, keep_place
from plexsync.simulator.plex_playlists import Playlists, playlist_node
from plexsync.simulator.plex_prefs import (
    ADULT,
    COLLECTION,
    PROMOTIONS,
    SECTION,
    SERVER,
    change_hub,
    hubs_answer,
    make_hub,
    pref_nodes,
    prefs_answer,
    write_prefs,
)
from plexsync.simulator.plex_providers import Providers
from plexsync.simulator.plex_query import parse_query, select
from plexsync.simulator.plex_registry import Late
from plexsync.simulator.plex_render import (
    Left,
    Node,
    Ready,
    Value,
    collection_node,
    detailed_node,
    details_attributes,
    listed,
    listing_attributes,
    movie_guid,
    picture_nodes,
    picture_path,
    picture_stamp,
    section_node,
)
from plexsync.simulator.plex_traits import CollectionEdits, TagMode, Traits
from plexsync.simulator.plex_transcode import loaded_picture

VERSION = "1.43.1.10611-1e34174b1"
API_VERSION = "1.2.0"
MACHINE = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e"
EPOCH = 1_760_000_000
# The documented path, and the one that clients use.
NOTIFICATIONS = ("/:/websocket/notifications", "/:/websockets/notifications")
STARTING = (
    b"<html><head><title>Bad Request</title></head><body><h1>400 Bad Request</h1>"
    b"the server is still starting up. Please retry later</body></html>"
)
REACHABLE = {"ReachabilityNotification": [{"reachability": True}]}
TIMELINE_TYPES = {"movie": 1, "playlist": 15, "collection": 18}
SHELVES = {"posters": "posters", "poster": "posters", "thumb": "posters", "arts": "arts", "art": "arts"}


@dataclass(frozen=True)
class ItemSnapshot:
    """An item at one moment.

    `lists` holds names by kind (`actor` for the cast), `roles` the part each actor plays, `faces` the address of each
    one's picture, `poster` and `art` the keys of the selected pictures. `library` is the uuid of its section, `extras` are
    the titles of those that a metadata provider has named.
    """

    key: str
    section: str
    library: str
    type: str
    scalars: dict[str, Scalar]
    lists: dict[str, list[str]]
    roles: dict[str, str]
    faces: dict[str, str]
    locks: frozenset[str]
    files: list[FileSpec]
    posters: list[str]
    poster: str | None
    arts: list[str]
    art: str | None
    updated_at: int
    view_count: int
    guid: str = ""
    extras: tuple[str, ...] = ()


@dataclass(frozen=True)
class CollectionSnapshot:
    """A collection at one moment.

    `members` are in its order, `prefs` its settings, `home` the places of the home that show it (None: the home does not
    know it), `item` everything that it shares with items.
    """

    item: ItemSnapshot
    smart: bool
    members: list[str]
    prefs: dict[str, str]
    home: dict[str, bool] | None


@dataclass(frozen=True)
class PlaylistSnapshot:
    """A playlist at one moment: `members` are in its order, `item` has what it shares with items."""

    item: ItemSnapshot
    smart: bool
    members: list[str]


class PlexSim(HttpServer):
    """The server, with methods for the actions of users and disks.

    tag_mode, mixed_removals
                     two of the traits
    traits           the answers to open questions about real servers; may be changed at any time
    normalise        trim text, collapse blanks in titles and tags, round the user rating to one decimal
    max_summary      cut summaries to this many characters
    max_page         never list more than this many items at once, whatever the request
    strict_ids       answer 404 to a list of items if one of them is missing; False: leave that one out
    max_target       answer `too_long` (414 or 400) to a longer request target
    scan_seconds     duration of a scan that `finish_scan` does not end; None: unlimited
    ask_threads      how many questions to metadata providers are asked at once
    ask_seconds      after how long one is given up
    owner            whether the token is that of the server's owner
    started_at       the server's time at its creation; it advances with `clock`, and jumps by `advance`
    clock            seconds of a clock that never steps back; by default the machine's own
    """

    marks: Mapping[str, str] = {"X-Plex-Protocol": "1.0"}

    def __init__(
        self,
        token: str = "plex-token",  # noqa: S107 - a simulated server's token guards nothing
        tag_mode: TagMode | None = None,
        port: int = 0,
        *,
        mixed_removals: bool | None = None,
        traits: Traits | None = None,
        normalise: bool = True,
        max_summary: int | None = None,
        max_page: int | None = None,
        strict_ids: bool = False,
        max_target: int = 60_000,
        too_long: int = 414,
        scan_seconds: float | None = 0.2,
        ask_threads: int = 4,
        ask_seconds: float = 90.0,
        owner: bool = True,
        started_at: int = EPOCH,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(port=port)
        self.token = token
        self.traits = traits or Traits()
        self.version = VERSION
        self.tag_mode = tag_mode or self.traits.tag_mode
        self.mixed_removals = self.traits.mixed_removals if mixed_removals is None else mixed_removals
        self.max_page = max_page
        self.strict_ids = strict_ids
        self.max_target = max_target
        self.too_long = too_long
        self.scan_seconds = scan_seconds
        self.owner = owner
        self.machine = MACHINE
        """The identifier of the installation, which a reinstallation changes."""
        self._machines: set[str] = set()
        self.unknown_hosts: frozenset[str] = frozenset()
        """Host names under which it answers every request with 401, as a server that nobody has claimed does."""
        self._clock = clock
        self._offset = started_at - clock()
        self._lock = threading.RLock()
        self._library = Library(self.now, traits=self.traits, normalise=normalise, max_summary=max_summary)
        self._library.moment = lambda: self._offset + self._clock()
        self._library.told = self._tell
        self._history = History(self.traits)
        self._playlists = Playlists(self._library)
        self.account_tokens: dict[str, int] = {}
        """The accounts of further tokens; the own token is that of the owner."""
        self.sessions = Sessions(self._library, self._history, self._lock, self.tell)
        """What people play now, and what their players report."""
        self._providers = Providers(
            self._library,
            self._lock,
            version=lambda: self.version,
            machine=lambda: self.machine,
            threads=ask_threads,
            seconds=ask_seconds,
        )
        self._library.arrived = self._providers.arrived
        self._library.scanned = self._providers.scanned
        self._prefs: dict[str, str] = {}
        self._feeds: list[Feed] = []
        # What was told last, also while nobody listened.
        self.told: deque[Mapping[str, object]] = deque(maxlen=1000)

    @property
    def tag_mode(self) -> TagMode:
        """See `Traits`."""
        return self.traits.tag_mode

    @tag_mode.setter
    def tag_mode(self, mode: TagMode) -> None:
        self.traits.tag_mode = mode

    @property
    def mixed_removals(self) -> bool:
        """See `Traits`."""
        return self.traits.mixed_removals

    @mixed_removals.setter
    def mixed_removals(self, work: bool) -> None:
        self.traits.mixed_removals = work

    # actions of users and disks, and time

    def now(self) -> int:
        """The server's time in epoch seconds."""
        return int(self._offset + self._clock())

    def advance(self, seconds: float) -> None:
        """Move the server's time ahead; running scans come nearer to their end."""
        with self._lock:
            self._offset += seconds
            for section in self._library.sections.values():
                if section.scan_ends is not None:
                    section.scan_ends -= seconds

    def add_section(
        self,
        title: str,
        locations: Sequence[str] = ("/media",),
        agent: str = "tv.plex.agents.movie",
        type: SectionType = "movie",
    ) -> str:
        """Add a library; returns its id. An agent ending in `.none` makes a movie library one for Other Videos."""
        with self._lock:
            return str(self._library.add_section(title, locations, agent, type).id)

    def add_movie(
        self,
        section: str,
        files: Iterable[FileSpec | Sequence[FileSpec]],
        title: str | None = None,
        year: int | None = None,
        *,
        framed: bool = True,
        **fields: object,
    ) -> str:
        """Add a movie that is visible at once; returns its rating key.

        Each file (path, bytes, milliseconds) becomes a media with one part, a list of files a media of several. Fields
        are scalars by name, or lists of names by kind (for `actor` also pairs of name and role); all count as the
        agent's values. Of a movie that is not `framed`, Plex has made no picture.
        """
        with self._lock:
            item = self._new_movie(section, files, title, year, fields, framed=framed)
            self._library.reveal(item)
            return str(item.key)

    def stage_movie(
        self,
        section: str,
        files: Iterable[FileSpec | Sequence[FileSpec]],
        title: str | None = None,
        year: int | None = None,
        *,
        framed: bool = True,
        **fields: object,
    ) -> str:
        """Add a movie on the disk that Plex shows after a scan of its folder; returns its future rating key."""
        with self._lock:
            item = self._new_movie(section, files, title, year, fields, framed=framed)
            item.section.staged.append(item)
            return str(item.key)

    def _new_movie(
        self,
        section: str,
        files: Iterable[FileSpec | Sequence[FileSpec]],
        title: str | None,
        year: int | None,
        fields: dict[str, object],
        *,
        framed: bool,
    ) -> Item:
        given = {**fields, **({"title": title} if title is not None else {})}
        scalars, lists = _split_fields(given)
        if "originallyAvailableAt" in scalars:
            scalars["year"] = int(str(scalars["originallyAvailableAt"])[:4])
        if year is not None:
            scalars["year"] = year
        return self._library.new_movie(self._library.sections[int(section)], files, scalars, lists, framed=framed)

    def cut_texts(self, size: int) -> None:
        """Cut texts and names to this many bytes from now on, also inside a character: such an answer is not
        valid UTF-8.
        """
        self._library.max_bytes = size

    def scan(self, section: str, path: str | None = None) -> None:
        """Start a scan, as the refresh call does."""
        with self._lock:
            self._start_scan(self._library.sections[int(section)], path)

    def finish_scan(self, section: str) -> None:
        """End a running scan now."""
        with self._lock:
            self._library.finish_scan(self._library.sections[int(section)])

    def refresh_item(self, key: str) -> None:
        """Refresh the metadata: unlocked fields return to the agent's values. A metadata provider is asked afterwards."""
        with self._lock:
            self._providers.refresh(self._movie(key))

    def readd(self, key: str) -> str:
        """Remove and re-add the files: a new rating key, edits and locks lost, the old key answers 404."""
        with self._lock:
            return str(self._library.renewed(self._movie(key)).key)

    def remove(self, key: str) -> None:
        """Remove the movie from the library."""
        with self._lock:
            self._library.remove(self._movie(key))

    def swap_files(self, key: str, other: str) -> None:
        """Swap the files of two movies, as after files were renamed or an old Plex database was restored."""
        with self._lock:
            self._library.swap_files(self._movie(key), self._movie(other))

    def backup(self) -> PlexBackup:
        """A copy of the server's whole database."""
        with self._lock:
            return PlexBackup(self.machine, self._library.rows(), tuple(self._history.plays))

    def restore(self, backup: PlexBackup) -> None:
        """Put a backup back, after which the server has restarted. The items' times are those of then, and keys that were
        dealt since are dealt again. The backup of another installation makes the server that one.
        """
        self.hang_up()
        with self._lock:
            self.sessions.restart()
            self.machine = backup.machine
            self._library.replace_rows(backup.rows)
            self._history.plays = list(backup.plays)
            self._providers.restart()

    def reinstall(self, rng: Random) -> Dealt:
        """Replace the server by a new installation that has scanned the same files: another identifier, other libraries'
        uuids, keys from the beginning in another order, agents' values, no locks.
        """
        self.hang_up()
        with self._lock:
            self.sessions.restart()
            # A backup brings an earlier one back, and no installation has that of another one.
            self.machine = next_machine(self.machine, self._machines)
            self._machines.add(self.machine)
            self._history.plays = []
            dealt = reinstall(self._library, self.machine, rng)
            self._providers.restart()
            return dealt

    def restart(self) -> None:
        """Stop the server and start it again: listeners and sessions are gone, and what metadata providers were not yet
        asked is forgotten. It greets each of them.
        """
        self.hang_up()
        with self._lock:
            self.sessions.restart()
            self._library.restart()
            self._providers.restart()

    # metadata providers

    @property
    def asks(self) -> list[Ask]:
        """What metadata providers were asked: the last 10,000 questions, oldest first."""
        return self._providers.asks.so_far()

    @property
    def ask_seconds(self) -> float:
        """After how long a question is given up."""
        return self._providers.asks.seconds

    @ask_seconds.setter
    def ask_seconds(self, seconds: float) -> None:
        self._providers.asks.seconds = seconds

    def wait_for_asks(self, seconds: float = 120.0) -> None:
        """Return when no question to a metadata provider is left; raises TimeoutError if one still is after that long."""
        with self._lock:
            self._settle()
        self._providers.pool.wait(seconds)

    def use_provider(self, section: str, uri: str) -> str:
        """Register the metadata provider at this address and give it this library, as a person does in Plex's settings;
        returns its identifier. Raises ValueError if no provider answers there.
        """
        return self._providers.registry.use(self._library.sections[int(section)], uri).identifier

    def set_agent(self, section: str, agent: str) -> None:
        """Give a library this agent, as a person does."""
        with self._lock:
            self._library.set_agent(self._library.sections[int(section)], agent, None)

    def end_agents(self, *agents: str) -> None:
        """These agents exist no longer; those that had ended before exist again."""
        with self._lock:
            self._library.agents.ended = set(agents)

    def agent_of(self, section: str) -> tuple[str, str | None]:
        """The agent of a library and the id of its group."""
        with self._lock:
            place = self._library.sections[int(section)]
            return place.agent, None if place.group is None else str(place.group)

    def add_folder(self, section: str, folder: str) -> None:
        """Give a library one folder more, as a person does."""
        with self._lock:
            place = self._library.sections[int(section)]
            place.locations = (*place.locations, folder)

    def set_section_pref(self, section: str, name: str, value: str) -> None:
        """Change a setting of a library, as a person does."""
        with self._lock:
            self._library.sections[int(section)].prefs[name] = value

    def remake_section(self, section: str, *, same_id: bool = False) -> Dealt:
        """Delete a library and make it anew: another uuid, new keys, agents' values, no locks. `same_id`: under its id."""
        with self._lock:
            return remake(self._library, self._library.sections[int(section)], same_id=same_id)

    def empty_section(self, section: str) -> None:
        """Remove all movies of a library, as after its drive was unmounted and its trash emptied."""
        with self._lock:
            empty(self._library, self._library.sections[int(section)])

    def refill_section(self, section: str) -> Dealt:
        """Put back the files of an emptied library: the next scan shows them under new keys."""
        with self._lock:
            return refill(self._library, self._library.sections[int(section)])

    def trash(self, key: str) -> None:
        """Remove the movie's files while the library keeps it in the trash: it is listed, and its details are 404."""
        with self._lock:
            item = self._movie(key)
            item.trashed = True
            self._library.touch(item)

    def untrash(self, key: str) -> None:
        """Restore the files, and the movie under its old key."""
        with self._lock:
            item = self._movie(key)
            item.trashed = False
            self._library.touch(item)

    def rename_file(self, key: str, old: str, new: str) -> None:
        """Rename or move a file on the disk, after Plex noticed it: the movie keeps its key."""
        with self._lock:
            self._library.rename(self._movie(key), old, new)

    def analyzed(self, key: str, duration: int) -> None:
        """Set the duration of a movie's files, in milliseconds, as after Plex analysed them."""
        with self._lock:
            item = self._movie(key)
            item.files = [replace(one, duration=duration) for one in item.files]
            self._library.touch(item)

    def match(self, key: str, *posters: bytes) -> None:
        """An agent finds the movie, and brings these posters beside the one that is shown."""
        with self._lock:
            item = self._movie(key)
            for number, poster in enumerate(posters):
                item.pictures["posters"][f"metadata://posters/agent_{number}"] = poster
            self._library.find(item)

    def hand_edit(self, key: str, locked: bool = True, **fields: object) -> None:
        """Edit as a user does in Plex: scalars by name (None clears), whole lists by kind, `thumb` and `art` as bytes."""
        with self._lock:
            item = self._item(key)
            for shelf, name in (("posters", "thumb"), ("arts", "art")):
                data = fields.pop(name, None)
                if isinstance(data, bytes):
                    self._library.upload(item, shelf, data)
            scalars, lists = _split_fields(fields)
            for name in fields:
                (item.locks.add if locked else item.locks.discard)(name)
                if name in SCALARS:
                    text = "" if fields[name] is None else str(scalars[name])
                    self._library.set_scalar(item, name, self._library.readable(name, text))
            for kind, names in lists.items():
                self._library.set_list(
                    item, kind, [self._library.tagging(item.section, kind, name, text) for name, text in names]
                )
            self._library.touch(item)

    def add_smart_collection(self, section: str, title: str, keys: Iterable[str], query: str = "type=1") -> str:
        """Add a smart collection with these members; returns its key."""
        with self._lock:
            place = self._library.sections[int(section)]
            content = f"/library/sections/{section}/all?{query}"
            return str(self._library.add_smart(place, title, content, [int(key) for key in keys]).key)

    def add_playlist(self, title: str, *keys: str, account: int = OWNER, smart: str = "") -> str:
        """A playlist that somebody has made by hand, or a smart one with this query; returns its rating key."""
        with self._lock:
            return str(self._playlists.make(account, title, map(int, keys), smart=smart).key)

    def add_to_playlist(self, key: str, *items: str) -> None:
        """Somebody puts items at the end of a playlist."""
        with self._lock:
            self._playlists.add(self._item(key), map(int, items))

    def take_from_playlist(self, key: str, item: str) -> None:
        """Somebody takes an item out of a playlist, wherever it stands in it."""
        with self._lock:
            for entry, held in list(self._item(key).entries):
                if held == int(item):
                    self._playlists.take(self._item(key), entry)

    def move_in_playlist(self, key: str, item: str, after: str = "") -> None:
        """Somebody moves an item of a playlist behind another one, or to its front."""
        with self._lock:
            places = {str(held): entry for entry, held in self._item(key).entries}
            self._playlists.move(self._item(key), places[item], places[after] if after else None)

    def list_playlists(self, *, all_of_them: bool) -> None:
        """Whether the list of playlists has them; without, as that of a server that has only just started."""
        with self._lock:
            self._playlists.are_listed = all_of_them

    def remove_playlist(self, key: str) -> None:
        """Somebody deletes a playlist."""
        with self._lock:
            self._playlists.remove(self._item(key))

    def set_prefs(self, key: str, **values: str) -> None:
        """Change the settings of a collection, as a user does in Plex."""
        with self._lock:
            item = self._item(key)
            item.prefs.update(values)
            self._library.touch(item)

    def move_member(self, key: str, item: str, after: str = "") -> None:
        """Move an item of a collection behind another one, or to its beginning, as a user does in Plex."""
        with self._lock:
            self._library.move(self._item(key), int(item), int(after) if after else None)

    def set_home(self, key: str, *places: str) -> None:
        """Show a collection on these places of the home, as a user does in Plex."""
        with self._lock:
            item = self._item(key)
            item.section.hubs[item.key] = {place: place in places for place in PROMOTIONS}

    def add_account(self, name: str) -> int:
        """Add an account beside the owner's; returns its id."""
        with self._lock:
            number = max(self._history.accounts) + 1
            self._history.accounts[number] = name
            return number

    def rename_account(self, number: int, name: str) -> None:
        """The account with this id has another name: its person has changed it, or is another one."""
        with self._lock:
            self._history.accounts[number] = name

    def play(self, key: str, *, account: int = OWNER, at: int | None = None, device: int = 1) -> str:
        """Play a movie to its end, now or at another moment, without a session; returns the key of its entry in the
        history.
        """
        with self._lock:
            item, moment = self._movie(key), self.now() if at is None else at
            entry = self._history.add(item, account, moment, device)
            if account == OWNER:
                count_play(item, moment)
            return f"/status/sessions/history/{entry.id}"

    def pause(self, key: str, offset: int) -> None:
        """Stop playing a movie in the middle of it, as the owner, at this many milliseconds, without a session."""
        with self._lock:
            keep_place(self._movie(key), self.now(), offset)

    # notifications

    def tell(self, container: Mapping[str, object]) -> None:
        """Send a notification to all listeners."""
        frame = {"NotificationContainer": {"size": 1, **container}}
        with self._lock:
            self.told.append(frame)
            for feed in self._feeds:
                feed.tell(frame)

    def tell_raw(self, text: bytes) -> None:
        """Send all listeners a text that is not a notification."""
        with self._lock:
            for feed in self._feeds:
                feed.tell_raw(text)

    def listeners(self) -> int:
        """The number of listeners."""
        with self._lock:
            return len(self._feeds)

    def hang_up(self) -> None:
        """Close the connections of all listeners."""
        with self._lock:
            for feed in self._feeds:
                feed.end()

    def subscribe(self, request: Request) -> Feed | Answer | None:
        """Accept a listener at either of the two paths, if its token is right; it is greeted first."""
        if urlsplit(request.target).path not in NOTIFICATIONS:
            return None
        token = request.headers.get("x-plex-token") or request.params.get("X-Plex-Token")
        if token != self.token:
            return _page(401)
        feed = Feed(self._tick, self._unsubscribe)
        with self._lock:
            self._feeds.append(feed)
        feed.tell({"NotificationContainer": {"type": "reachability", "size": 1, **REACHABLE}})
        return feed

    def stop(self) -> None:
        """Close everything, including the connections of listeners and those to metadata providers."""
        self.hang_up()
        self._providers.stop()
        super().stop()

    def _tick(self) -> None:
        with self._lock:
            self._settle()

    def _unsubscribe(self, feed: Feed) -> None:
        with self._lock:
            self._feeds.remove(feed)

    def _tell(self, what: str, about: Item | Section, how: int | str) -> None:
        if not self._feeds:
            return
        if isinstance(about, Item):
            entry = {
                "identifier": "com.plexapp.plugins.library",
                "sectionID": str(about.section.id or -1),
                "itemID": str(about.key),
                "type": TIMELINE_TYPES[about.type],
                "title": str(about.scalars.get("title", "")),
                "state": how,
                "updatedAt": about.updated_at,
                **({"metadataState": "deleted"} if how == DELETED else {}),
            }
            if how == DELETED and self.traits.deleted_type == -1:
                entry = {name: entry[name] for name in ("identifier", "sectionID", "itemID", "state")} | {"type": -1}
            self.tell({"type": "timeline", "TimelineEntry": [entry]})
            return
        activity = {
            "uuid": about.uuid,
            "type": "library.update.section",
            "cancellable": True,
            "userID": 1,
            "title": "Scanning",
            "subtitle": about.title,
            "progress": 100 if how == "ended" else 0,
            "Context": {"librarySectionID": str(about.id)},
        }
        notification = {"event": how, "uuid": about.uuid, "Activity": activity}
        self.tell({"type": "activity", "ActivityNotification": [notification]})

    # inspecting the state

    def keys(self, section: str) -> list[str]:
        """The rating keys of the visible movies, oldest first."""
        with self._lock:
            self._settle()
            return [str(key) for key in sorted(self._library.sections[int(section)].items)]

    def collections(self, section: str) -> dict[str, list[str]]:
        """The collections of a section: title to the rating keys of its members."""
        with self._lock:
            found = self._library.sections[int(section)].collections.values()
            return {str(one.scalars["title"]): [str(item.key) for item in self._library.members(one)] for one in found}

    def collection_keys(self, section: str) -> dict[str, str]:
        """The collections of a section: title to rating key."""
        with self._lock:
            found = self._library.sections[int(section)].collections.values()
            return {str(one.scalars["title"]): str(one.key) for one in found}

    def collection(self, key: str) -> CollectionSnapshot:
        """The collection as it is now; raises KeyError if there is none."""
        with self._lock:
            snapshot, item = self.item(key), self._item(key)
            if item.type != "collection":
                raise KeyError(key)
            home = item.section.hubs.get(item.key)
            members = [str(member.key) for member in self._library.members(item)]
            return CollectionSnapshot(
                snapshot, bool(item.smart), members, dict(item.prefs), None if home is None else dict(home)
            )

    def item(self, key: str) -> ItemSnapshot:
        """The item as it is now; raises KeyError if there is none."""
        with self._lock:
            self._settle()
            item = self._item(key)
            return ItemSnapshot(
                key=str(item.key),
                section=str(item.section.id),
                library=item.section.uuid,
                type=item.type,
                scalars=dict(item.scalars),
                lists={kind: item.names(kind) for kind in TAG_ELEMENTS},
                roles={one.tag.tag: one.text for one in item.lists.get("actor", ()) if one.text},
                faces={one.tag.tag: one.tag.thumb for one in item.lists.get("actor", ()) if one.tag.thumb},
                locks=frozenset(item.locks),
                files=[(one.path, one.size, one.duration) for one in item.files],
                posters=list(item.pictures["posters"]),
                poster=item.selected["posters"],
                arts=list(item.pictures["arts"]),
                art=item.selected["arts"],
                updated_at=item.updated_at,
                view_count=item.view_count,
                guid=movie_guid(item) if item.type == "movie" else "",
                extras=tuple(item.extras),
            )

    def playlists(self, account: int = OWNER) -> dict[str, PlaylistSnapshot]:
        """The playlists of an account by key."""
        with self._lock:
            return {
                str(one.key): PlaylistSnapshot(
                    self.item(str(one.key)), bool(one.smart), [str(key) for _, key in one.entries]
                )
                for one in self._playlists.of(account)
            }

    def _item(self, key: str) -> Item:
        return self._library.items[int(key)]

    def _movie(self, key: str) -> Item:
        item = self._item(key)
        if item.type != "movie":
            raise KeyError(key)
        return item

    # requests

    def answer(self, request: Request) -> Answer:
        """Authorise the request, find its handler, and answer it; one at a time, except while a provider is asked."""
        answer = self._answered(request)
        return replace(answer, headers={**self.marks, **answer.headers})

    def _answered(self, request: Request) -> Answer:
        if len(request.target) > self.max_target:
            return _page(self.too_long)
        try:
            with self._lock:
                self._settle()
                answer = self._routed(request)
            return answer if isinstance(answer, Answer) else answer()
        except Unacceptable as refused:
            return _page(refused.status)

    def _routed(self, request: Request) -> Answer | Late:
        parts = urlsplit(request.target)
        pairs = parse_query(parts.query)
        params = dict(pairs)
        path = parts.path.rstrip("/") or "/"
        token = request.headers.get("x-plex-token") or params.get("X-Plex-Token")
        host = request.headers.get("host", "").partition(":")[0]
        if (
            path != "/identity" and token != self.token and token not in self.account_tokens
        ) or host in self.unknown_hosts:
            return _page(401)
        if not self.traits.claimed and not _is_known(request.headers.get("host", "")):
            return _page(401)
        if self.traits.starting and request.method in ("PUT", "POST", "DELETE"):
            return Answer(400, STARTING, "text/html")
        as_json = TYPE_JSON in request.headers.get("accept", "")
        for methods, pattern, handle in ROUTES:
            if request.method in methods and (found := pattern.fullmatch(path)):
                return handle(self, Asked(request, pairs, params, tuple(found.groups()), as_json))
        return _page(404)

    def _account(self, asked: Asked) -> int:
        """Whose token the request has."""
        token = asked.request.headers.get("x-plex-token") or asked.params.get("X-Plex-Token", "")
        return self.account_tokens.get(token, OWNER)

    def _start_scan(self, section: Section, path: str | None) -> None:
        ends = float("inf") if self.scan_seconds is None else self._clock() + self.scan_seconds
        self._library.start_scan(section, path, ends)

    def _settle(self) -> None:
        """End overdue scans, and list uploads that are due, on access, so that no thread has to wait for them."""
        self._library.settle_pictures()
        self.sessions.settle()
        for section in self._library.sections.values():
            if section.scan_ends is not None and section.scan_ends <= self._clock():
                self._library.finish_scan(section)

    def _section(self, asked: Asked) -> Section:
        section = self._library.sections.get(int(asked.groups[0]))
        if section is None:
            raise Unacceptable(404)
        return section

    def _wanted_items(self, asked: Asked) -> list[Item]:
        """The items of a comma list that exist, outside the trash if that has no details; raises `Unacceptable` (404) if
        none does.
        """
        keys = dict.fromkeys(int(one) for one in unquote(asked.groups[0]).split(",") if one.isdecimal())
        shows_trash = self.traits.trash_details == 200
        found = [item for key in keys if (item := self._library.items.get(key)) and (shows_trash or not item.trashed)]
        if not found or (self.strict_ids and len(found) < len(keys)):
            raise Unacceptable(404)
        return found

    # server

    def _root(self, asked: Asked) -> Answer:
        attributes: dict[str, Value] = {
            "size": 1,
            "allowCameraUpload": False,
            "allowChannelAccess": True,
            "allowMediaDeletion": True,
            "allowSharing": True,
            "allowSync": True,
            "apiVersion": API_VERSION,
            "backgroundProcessing": True,
            "certificate": False,
            "countryCode": "deu",
            "eventStream": True,
            "friendlyName": "Simulated Plex",
            "machineIdentifier": self.machine,
            "multiuser": True,
            "myPlex": True,
            "myPlexMappingState": "mapped",
            "myPlexSigninState": "ok",
            "myPlexSubscription": False,
            "platform": "Linux",
            "platformVersion": "6.1",
            "readOnlyLibraries": False,
            "transcoderActiveVideoSessions": 0,
            "updatedAt": self.now(),
            "version": self.version,
        }
        library = Node("Directory", {"count": 1, "key": "library", "title": "library"})
        return asked.answer(Node("MediaContainer", attributes, [library]))

    def _identity(self, asked: Asked) -> Answer:
        attributes: dict[str, Value] = {
            "size": 0,
            "claimed": self.traits.claimed,
            "machineIdentifier": self.machine,
            "version": self.version,
        }
        return asked.answer(Node("MediaContainer", attributes))

    def _library_root(self, asked: Asked) -> Answer:
        attributes: dict[str, Value] = {"size": 1, "allowSync": False, "identifier": "com.plexapp.plugins.library"}
        sections = Node("Directory", {"key": "sections", "title": "Library Sections"})
        return asked.answer(Node("MediaContainer", {**attributes, "title1": "Plex Library"}, [sections]))

    def _activities(self, asked: Asked) -> Answer:
        running: list[Node | Ready] = [
            Node(
                "Activity",
                {
                    "uuid": section.uuid,
                    "type": "library.update.section",
                    "cancellable": True,
                    "userID": 1,
                    "title": "Scanning",
                    "subtitle": section.title,
                    "progress": -1,
                },
                [Node("Context", {"librarySectionID": str(section.id)}, single=True)],
            )
            for section in self._library.sections.values()
            if section.scan_ends is not None
        ]
        return asked.answer(Node("MediaContainer", {"size": len(running)}, running))

    # sections

    def _sections(self, asked: Asked) -> Answer:
        sections: list[Node | Ready] = [
            section_node(section, owner=self.owner) for section in self._library.sections.values()
        ]
        attributes: dict[str, Value] = {"size": len(sections), "allowSync": self.owner, "title1": "Plex Library"}
        return asked.answer(Node("MediaContainer", attributes, sections))

    def _section_detail(self, asked: Asked) -> Answer:
        section = self._section(asked)
        children: list[Node | Ready] = list(detail_nodes(section))
        if asked.params.get("includeDetails") != "1":
            for child in children:
                if isinstance(child, Node):
                    child.children = []
        attributes = {**listing_attributes(section), "size": len(children), "content": "secondary"}
        return asked.answer(Node("MediaContainer", attributes, children))

    def _listing(self, asked: Asked) -> Answer:
        section = self._section(asked)
        items = select(self._library, section, asked.pairs, default_sort="titleSort")
        return self._page_of(asked, section, items, "collection" if asked.params.get("type") == "18" else "movie")

    def _collections(self, asked: Asked) -> Answer:
        section = self._section(asked)
        pairs = [*asked.pairs, ("type", "18")]
        return self._page_of(
            asked, section, select(self._library, section, pairs, default_sort="titleSort"), "collection"
        )

    def _page_of(self, asked: Asked, section: Section, items: list[Item], kind: str) -> Answer:
        """The requested slice. Only paging requests get the total."""
        if limit := asked.number("limit"):
            items = items[:limit]
        piece, totals, headers = asked.page(len(items), self.max_page)
        shown = items[piece]
        left = Left(asked.as_json, asked.names("excludeElements"), asked.names("excludeFields"))
        children: list[Node | Ready] = [listed(item, left) for item in shown]
        if asked.params.get("includeMeta") == "1":
            children.insert(0, meta_node(section, kind))
        attributes: dict[str, Value] = {"size": len(shown), **totals, **listing_attributes(section)}
        return asked.answer(Node("MediaContainer", attributes, children), headers)

    def _tag_choices(self, asked: Asked) -> Answer:
        section, kind = self._section(asked), asked.groups[1]
        choices: list[Node | Ready] = [
            Node(
                "Directory",
                {
                    "fastKey": f"/library/sections/{section.id}/all?{kind}={tag.id}",
                    "key": str(tag.id),
                    "title": tag.tag,
                    "type": kind,
                },
            )
            for tag in self._library.tags(section, kind)
        ]
        return asked.answer(Node("MediaContainer", {**listing_attributes(section), "size": len(choices)}, choices))

    def _edit_section(self, asked: Asked) -> Answer:
        """Apply an edit; without `id`, or with an empty one, it reaches every item of the type."""
        section = self._section(asked)
        if "type" not in asked.params:
            raise Unacceptable(400)
        choice = [(name, value) for name, value in asked.pairs if not is_edit(name)]
        items = select(self._library, section, choice, default_sort="id")
        if not items and asked.params.get("id"):
            raise Unacceptable(404)
        return self._edit(asked, items, "section")

    def _scan(self, asked: Asked) -> Answer:
        section = self._section(asked)
        self._start_scan(section, asked.params.get("path"))
        if asked.params.get("force") == "1":
            for item in section.items.values():
                self._providers.refresh(item)
        return Answer(headers={"X-Plex-Activity": section.uuid})

    def _scan_all(self, asked: Asked) -> Answer:
        for section in self._library.sections.values():
            self._start_scan(section, None)
        return Answer()

    def _cancel_scan(self, asked: Asked) -> Answer:
        section = self._section(asked)
        section.scan_ends, section.scan_paths = None, []
        return Answer()

    # items

    def _details(self, asked: Asked) -> Answer:
        items = self._wanted_items(asked)
        check_files = asked.params.get("checkFiles") == "1"
        with_prefs = asked.params.get("includePreferences") == "1"
        children: list[Node | Ready] = []
        for item in items:
            if item.type == "movie":
                children.append(detailed_node(item, check_files=check_files))
                continue
            is_playlist = item.type == "playlist"
            node = (playlist_node if is_playlist else collection_node)(item, with_locks=True)
            if with_prefs and not is_playlist:
                node.children.append(Node("Preferences", {}, pref_nodes(COLLECTION, item.prefs), single=True))
            children.append(node)
        attributes = {"size": len(children), **details_attributes(item.section for item in items)}
        return asked.answer(Node("MediaContainer", attributes, children))

    def _members(self, asked: Asked) -> Answer:
        item = self._wanted_items(asked)[0]
        items = self._library.members(item) if item.type == "collection" else []
        return self._page_of(asked, item.section, items, "movie")

    def _edit_items(self, asked: Asked) -> Answer:
        return self._edit(asked, self._wanted_items(asked), "item")

    def _edit(self, asked: Asked, items: list[Item], form: CollectionEdits) -> Answer:
        if self.traits.collection_edits not in ("both", form) and any(item.type == "collection" for item in items):
            raise Unacceptable(404)
        edit = read_edit(self._library, asked.pairs)
        for item in list(items):
            apply_edit(self._library, item, edit)
        return Answer()

    def _write_item_prefs(self, asked: Asked) -> Answer:
        items = self._wanted_items(asked)
        for item in items:
            if item.type == "collection":
                write_prefs(asked, COLLECTION, item.prefs)
                self._library.touch(item)
        return Answer()

    def _move_member(self, asked: Asked) -> Answer:
        collection = self._collection(asked)
        after = asked.params.get("after")
        if after is not None and not after.isdecimal():
            raise Unacceptable(400)
        self._library.move(collection, int(asked.groups[1]), int(after) if after else None)
        return self._members(asked)

    def _collection(self, asked: Asked) -> Item:
        item = self._wanted_items(asked)[0]
        if item.type != "collection":
            raise Unacceptable(404)
        return item

    def _refresh_items(self, asked: Asked) -> Answer:
        for item in self._wanted_items(asked):
            if item.type == "movie":
                self._providers.refresh(item)
        return Answer()

    def _match_item(self, asked: Asked) -> Answer:
        for item in self._movies(asked):
            self._providers.match(item, asked.params.get("guid", ""), asked.params.get("name", ""))
        return Answer()

    def _unmatch_item(self, asked: Asked) -> Answer:
        for item in self._movies(asked):
            self._library.unmatch(item)
        return Answer()

    def _matches(self, asked: Asked) -> Answer | Late:
        return self._providers.matches(asked, self._movies(asked)[0])

    def _movies(self, asked: Asked) -> list[Item]:
        movies = [item for item in self._wanted_items(asked) if item.type == "movie"]
        if not movies:
            raise Unacceptable(404)
        return movies

    def _section_prefs(self, asked: Asked) -> Answer:
        section = self._section(asked)
        known = (*SECTION, ADULT) if section.agent.startswith(MODERN_AGENTS) else SECTION
        write = asked.request.method == "PUT"
        return write_prefs(asked, known, section.prefs) if write else prefs_answer(asked, known, section.prefs)

    def _analyze(self, asked: Asked) -> Answer:
        self._wanted_items(asked)
        return Answer()

    # pictures

    def _pictures(self, asked: Asked) -> Answer:
        item, shelf = self._wanted_items(asked)[0], SHELVES[asked.groups[1]]
        shown: list[Node | Ready] = list(picture_nodes(item, shelf))
        attributes: dict[str, Value] = {"size": len(shown), "identifier": "com.plexapp.plugins.library"}
        return asked.answer(Node("MediaContainer", attributes, shown))

    def _upload(self, asked: Asked) -> Answer:
        item, shelf = self._wanted_items(asked)[0], SHELVES[asked.groups[1]]
        self._library.upload(item, shelf, _fetched(url) if (url := asked.params.get("url")) else asked.request.body)
        return Answer()

    def _select_picture(self, asked: Asked) -> Answer:
        item, shelf = self._wanted_items(asked)[0], SHELVES[asked.groups[1]]
        url = asked.params.get("url", "")
        if url.startswith(("http://", "https://")):
            self._library.upload(item, shelf, _fetched(url))
        else:
            self._library.select(item, shelf, url)
        # The new address of the selected picture, as plain text: plexapi ignores it.
        return Answer(200, picture_path(item, shelf).encode(), "text/html")

    def _remove_picture(self, asked: Asked) -> Answer:
        for item in self._wanted_items(asked):
            self._library.select(item, SHELVES[asked.groups[1]], None)
        return Answer()

    def _picture_bytes(self, asked: Asked) -> Answer:
        key = str(self._wanted_items(asked)[0].key)
        return Answer(200, self._stamped_picture(key, *asked.groups[1:]), "image/jpeg")

    def _stamped_picture(self, key: str, name: str, stamp: str) -> bytes:
        item, shelf = self._library.items.get(int(key)), SHELVES[name]
        selected = item.selected[shelf] if item else None
        if item is None or selected is None or str(picture_stamp(item, shelf)) != stamp:
            raise Unacceptable(404)
        return item.pictures[shelf][selected]

    def _transcoded(self, asked: Asked) -> Answer:
        content = loaded_picture(asked.params.get("url", ""), self.traits, self._stamped_picture)
        return Answer(200, content, "image/jpeg")

    def _composite(self, asked: Asked) -> Answer:
        collection = self._collection(asked)
        selected = ((member, member.selected["posters"]) for member in self._library.members(collection))
        posters = [member.pictures["posters"][key] for member, key in selected if key is not None]
        return Answer(200, composite([poster for poster in posters if poster]), "image/png")

    def _picture_file(self, asked: Asked) -> Answer:
        item, url = self._wanted_items(asked)[0], asked.params.get("url", "")
        for pictures in item.pictures.values():
            if url in pictures:
                return Answer(200, pictures[url], "image/jpeg")
        raise Unacceptable(404)

    # ratings and views of one user

    def _rate(self, asked: Asked) -> Answer:
        item = self._keyed(asked)
        rating = asked.params.get("rating", "")
        clears = rating.startswith("-1")
        value = None if clears else self._library.readable("userRating", rating)
        if value is None and not clears:
            raise Unacceptable(400)
        if self.traits.half_stars and value is not None:
            value = ceil(float(value) * 2) / 2
        if self.traits.rating_by_edit == "item":
            item.account_rating = None if value is None else float(value)
            item.last_rated_at = self.now()
        else:
            self._library.set_scalar(item, "userRating", value)
        self._library.touch(item)
        return Answer()

    def _scrobble(self, asked: Asked) -> Answer:
        item = self._keyed(asked)
        item.view_count += 1
        item.view_offset = 0
        item.last_viewed_at = self.now()
        self._library.touch(item)
        return Answer()

    def _unscrobble(self, asked: Asked) -> Answer:
        item = self._keyed(asked)
        item.view_count, item.view_offset, item.last_viewed_at = 0, 0, None
        self._library.touch(item)
        return Answer()

    def _keyed(self, asked: Asked) -> Item:
        key = asked.params.get("key", "")
        if not key.isdecimal() or "identifier" not in asked.params:
            raise Unacceptable(400)
        item = self._library.items.get(int(key))
        if item is None:
            raise Unacceptable(404)
        return item


def _split_fields(fields: dict[str, object]) -> tuple[dict[str, Scalar], dict[str, list[tuple[str, str]]]]:
    """Separate scalars from lists; raises TypeError for a name that is neither."""
    scalars: dict[str, Scalar] = {}
    lists: dict[str, list[tuple[str, str]]] = {}
    for name, value in fields.items():
        if name in TAG_ELEMENTS and isinstance(value, list | tuple):
            lists[name] = [(one, "") if isinstance(one, str) else (str(one[0]), str(one[1])) for one in value]
        elif name in SCALARS and isinstance(value, str | int | float):
            scalars[name] = value
        elif name not in SCALARS or value is not None:
            raise TypeError(f"no field takes {name}={value!r}")
    return scalars, lists


def _fetched(url: str) -> bytes:
    """Stands for a picture fetched from the internet; private addresses are rejected (406)."""
    if is_private(url):
        raise Unacceptable(406)
    return f"picture of {url}".encode()


def _is_known(host: str) -> bool:
    """Whether a Host header names this machine as an unclaimed server knows it: by an address."""
    name = urlsplit(f"//{host}").hostname or ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _page(status: int) -> Answer:
    return Answer(status, html_page(status))


_KEYS = r"((?:\d|,|%2[Cc])+)"
_KINDS = "|".join(TAG_ELEMENTS)
_SHELVES = "|".join(SHELVES)
_METADATA = rf"/library/metadata/{_KEYS}"
_SECTION = r"/library/sections/(\d+)"
_PLAYLIST = r"/playlists/(\d+)"
_HUBS = r"/hubs/sections/(\d+)/manage"

ROUTES: list[tuple[tuple[str, ...], re.Pattern[str], Callable[[PlexSim, Asked], Answer | Late]]] = [
    (methods, re.compile(pattern), handle)
    for methods, pattern, handle in (
        (("GET",), r"/", PlexSim._root),
        (("GET",), r"/identity", PlexSim._identity),
        (("GET",), r"/activities", PlexSim._activities),
        (("GET",), r"/library", PlexSim._library_root),
        (("GET",), r"/library/sections(?:/all)?", PlexSim._sections),
        (("GET", "POST"), r"/library/sections(?:/all)?/refresh", PlexSim._scan_all),
        (("GET",), _SECTION, PlexSim._section_detail),
        (("PUT",), _SECTION, lambda sim, asked: sim._providers.registry.edit_section(asked, sim._section(asked))),
        (("GET",), rf"{_SECTION}/all", PlexSim._listing),
        (("PUT",), rf"{_SECTION}/all", PlexSim._edit_section),
        (("GET",), rf"{_SECTION}/collections", PlexSim._collections),
        (("GET", "POST"), rf"{_SECTION}/refresh", PlexSim._scan),
        (("DELETE",), rf"{_SECTION}/refresh", PlexSim._cancel_scan),
        (("GET",), rf"{_SECTION}/({_KINDS})", PlexSim._tag_choices),
        (("GET",), _METADATA, PlexSim._details),
        (("PUT",), _METADATA, PlexSim._edit_items),
        (("GET",), rf"{_METADATA}/children", PlexSim._members),
        (("PUT",), rf"{_METADATA}/prefs", PlexSim._write_item_prefs),
        (("PUT",), rf"{_METADATA}/refresh", PlexSim._refresh_items),
        (("PUT",), rf"{_METADATA}/match", PlexSim._match_item),
        (("PUT",), rf"{_METADATA}/unmatch", PlexSim._unmatch_item),
        (("GET", "PUT"), rf"{_METADATA}/matches", PlexSim._matches),
        (("PUT",), rf"{_METADATA}/analyze", PlexSim._analyze),
        (("GET",), rf"{_METADATA}/file", PlexSim._picture_file),
        (("GET",), rf"{_METADATA}/(posters|arts)", PlexSim._pictures),
        (("POST",), rf"{_METADATA}/({_SHELVES})", PlexSim._upload),
        (("PUT",), rf"{_METADATA}/({_SHELVES})", PlexSim._select_picture),
        (("DELETE",), rf"{_METADATA}/(thumb|poster|art)", PlexSim._remove_picture),
        (("GET",), rf"{_METADATA}/(thumb|art)/(\d+)", PlexSim._picture_bytes),
        (("GET",), r"/photo/:/transcode", PlexSim._transcoded),
        (("GET",), rf"/library/collections/{_KEYS}", PlexSim._details),
        (("GET",), rf"/library/collections/{_KEYS}/(?:children|items)", PlexSim._members),
        (("GET",), rf"/library/collections/{_KEYS}/composite/\d+", PlexSim._composite),
        (("PUT",), rf"/library/collections/{_KEYS}/prefs", PlexSim._write_item_prefs),
        (("PUT",), rf"/library/collections/{_KEYS}/items/(\d+)/move", PlexSim._move_member),
        (("GET", "PUT"), rf"{_SECTION}/prefs", PlexSim._section_prefs),
        (("GET",), _HUBS, lambda sim, asked: hubs_answer(asked, sim._section(asked))),
        (("POST",), _HUBS, lambda sim, asked: make_hub(asked, sim._library, sim._section(asked))),
        (("PUT", "DELETE"), rf"{_HUBS}/([\w.]+)", lambda sim, asked: change_hub(asked, sim._section(asked))),
        (
            ("GET", "POST", "PUT", "DELETE"),
            r"/media/providers/metadata(|/.*)",
            lambda sim, asked: sim._providers.registry.answer(asked),
        ),
        (("GET",), r"/playlists", lambda sim, asked: sim._playlists.listing(asked, sim._account(asked), sim.max_page)),
        (("POST",), r"/playlists", lambda sim, asked: sim._playlists.create(asked, sim._account(asked), sim.machine)),
        (
            ("GET", "PUT", "DELETE"),
            _PLAYLIST,
            lambda sim, asked: sim._playlists.change(asked, sim._account(asked)),
        ),
        (
            ("GET", "PUT", "DELETE"),
            rf"{_PLAYLIST}/items",
            lambda sim, asked: sim._playlists.contents(asked, sim._account(asked), sim.machine, sim.max_page),
        ),
        (
            ("DELETE",),
            rf"{_PLAYLIST}/items/(\d+)",
            lambda sim, asked: sim._playlists.change_entry(asked, sim._account(asked)),
        ),
        (
            ("PUT",),
            rf"{_PLAYLIST}/items/(\d+)/move",
            lambda sim, asked: sim._playlists.change_entry(asked, sim._account(asked)),
        ),
        (
            ("GET",),
            rf"{_PLAYLIST}/composite/\d+",
            lambda sim, asked: sim._playlists.picture(asked, sim._account(asked)),
        ),
        (("GET",), r"/:/prefs", lambda sim, asked: prefs_answer(asked, SERVER, sim._prefs)),
        (("PUT",), r"/:/prefs", lambda sim, asked: write_prefs(asked, SERVER, sim._prefs)),
        (("GET",), r"/accounts", lambda sim, asked: sim._history.account_list(asked)),
        (
            ("GET",),
            r"/status/sessions/history/all",
            lambda sim, asked: sim._history.listing(sim._library, asked, sim.max_page),
        ),
        (
            ("GET", "DELETE"),
            r"/status/sessions/history/(\d+)",
            lambda sim, asked: sim._history.entry(sim._library, asked),
        ),
        (("GET",), r"/status/sessions", lambda sim, asked: sim.sessions.listing(asked)),
        (("GET", "POST"), r"/:/timeline", lambda sim, asked: sim.sessions.timeline(asked)),
        (("GET",), r"/:/progress", lambda sim, asked: sim.sessions.progress(asked)),
        (("PUT",), r"/:/rate", PlexSim._rate),
        (("GET", "PUT"), r"/:/scrobble", PlexSim._scrobble),
        (("GET", "PUT"), r"/:/unscrobble", PlexSim._unscrobble),
    )
]
