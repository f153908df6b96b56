"""What happens to whole servers and databases while PlexSync works, and the people who live with it.

Each change keeps the truth up to date: whose item is which under its new key, what hands had done on a server that has
been put back, and what nobody can tell any more.
"""

import shutil
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from plexsync.app.named_scenes import ignore_scenes
from plexsync.flows.scenes.bindings import CantBind, bind
from plexsync.flows.scenes.reconcile import ComparisonReport
from plexsync.rules.match.losses import LEAST
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE, RESTORED
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.http import Request
from plexsync.simulator.plex_changes import Dealt, PlexBackup
from plexsync.simulator.stash_model import SceneSnapshot, StashBackup
from plexsync.store.files import backup
from tests.simulation.sim_people import People
from tests.simulation.sim_truth import LISTS, Shown, Value, held, remembered, sent
from tests.store_places import SqlitePlace, StorePlace, is_postgres

if TYPE_CHECKING:
    from tests.simulation.sim_servers import ServerWorld

# So many copies of each kind a person keeps.
KEPT = 2
SIDES = ("-wal", "-shm", "-journal")
TURNS_OF_CALM = 200
# So many contents that PlexSync asks before it believes that all of them are gone.
ENOUGH_TO_ASK = 16
SINGLE = ("plain", "absent", "twins")


@dataclass(frozen=True)
class PlexShelf:
    """A Plex as it was: its database, and what is true of its items. `lost_since`: what we knew of it is lost since then."""

    backup: PlexBackup
    at: float
    items: dict[str, Shown]
    sections: tuple[str, ...]
    hidden: tuple[tuple[str, str], ...]
    strangers: frozenset[str]
    lost_since: bool = False


@dataclass(frozen=True)
class StashShelf:
    """A Stash as it was: its database, the names that people use, and what its scenes had wanted by then."""

    backup: StashBackup
    names: dict[str, list]
    wanted: dict[int, dict[str, Value]]
    changes: dict[tuple[int, str], list[tuple[int, Value]]]
    owner: dict[str, int]


@dataclass(frozen=True)
class BoundItem:
    """A person's binding: the item and its library, and when its scene was created."""

    key: str
    library: str
    created_at: str


@dataclass(frozen=True)
class IgnoredScene:
    """A scene that a person has ignored: when it was created, and the contents of its files."""

    created_at: str
    contents: frozenset[str]


@dataclass(frozen=True)
class DatabaseCopy:
    """A copy of our database, and what a person had told it by then."""

    path: Path
    ignored: dict[int, IgnoredScene]
    bound: dict[int, BoundItem]


@dataclass
class Foreign:
    """What stands in the place of something else, until a person has said whether it is to stay."""

    old_plex: PlexShelf | None = None
    old_stash: StashShelf | None = None
    wiped: StashBackup | None = None
    sent_before: list[Request] = field(default_factory=list)  # late, and on their way to Plex since before the wipe
    gone_for_good: bool = False
    emptied: dict[str, dict[str, Shown]] = field(default_factory=dict)  # section -> its items by key


class ServerPeople(People):
    """People who also reinstall, restore, rebuild and copy."""

    world: "ServerWorld"

    def __init__(self, world: "ServerWorld") -> None:
        # The chance of what happens to servers is its own.
        self.luck = Random(f"changes {world.seed}")
        self.placed: dict[str, set[tuple[int, str]]] = {}
        self.foreign = Foreign()
        self.plex_shelves: list[PlexShelf] = []
        self.stash_shelves: list[StashShelf] = []
        self.copies: list[DatabaseCopy] = []
        self.copied = self.put_back = 0
        self.pending: set[str] = set()  # items that were restored, and not compared since
        self.database_pending = False
        self.ignored: dict[int, IgnoredScene] = {}  # by scene
        self.midway: set[tuple[str, str]] = set()  # item, field: edited by hand while a request was under way
        self.unclear: set[int] = set()  # ignored on a Stash that PlexSync has not met yet
        self.bound: dict[int, BoundItem] = {}  # by scene
        # What items showed whose files were swapped since the last step began, where no memory of them had that.
        self.swapped: list[tuple[str, dict[str, Value]]] = []
        super().__init__(world)
        while {"stash wiped", "library emptied"} & set(world.kinds) and len(self.spots) < ENOUGH_TO_ASK:
            self.new_content("plain")

    def _weights(self) -> list[tuple[int, str, Callable[[], None]]]:
        changes: dict[str, Callable[[], None]] = {
            "plex reinstalled": self.reinstall_plex,
            "plex restored": self.restore_plex,
            "library made anew": self.remake_library,
            "library emptied": self.empty_library,
            "files swapped": self.swap_files,
            "stash restored": self.restore_stash,
            "stash wiped": self.wipe_stash,
            "stash rebuilt": self.rebuild_stash,
            "database restored": self.restore_database,
            "database log lost": self.lose_log,
            "database deleted": self.delete_database,
            "data folder lost": self.lose_folder,
        }
        table = super()._weights()
        table += [(2, name, changes[name]) for name in self.world.kinds]
        return [
            *table,
            (4, "copies", self.make_copies),
            (5, "calm", self.calm),
            (6, "answer", self.world.answer),
            (1, "bind", self.bind),
            (1, "ignore", self.ignore),
        ]

    def act(self) -> None:
        self.world.end_flight()
        self.note_swapped()
        super().act()

    def meanwhile(self, *, watchers: bool) -> None:
        if "files swapped" in self.world.kinds and self.luck.random() < 0.2:
            self.swap_files()
            return
        super().meanwhile(watchers=watchers)

    # --- what stays on the disk, whatever the servers say --------------------------------------------------------------

    def show(self, section: str, content: str, *, folder: str = "") -> str:
        self.placed.setdefault(content, set()).add((self.sections.index(section), folder))
        return super().show(section, content, folder=folder)

    def hide(self, section: str, content: str) -> None:
        self.placed.setdefault(content, set()).add((self.sections.index(section), ""))
        super().hide(section, content)

    def create(self) -> None:
        if self.foreign.wiped is None and not self.foreign.emptied:
            super().create()

    def move_file(self) -> None:
        if self.foreign.wiped is None and not self.foreign.emptied:
            super().move_file()

    def finish_scan(self, section: str) -> None:
        super().finish_scan(section)
        self.mend_plex()

    def mend_plex(self) -> None:
        """Plex scans what it has not followed: files that moved or appeared while it was another one."""
        truth, plex = self.world.truth, self.world.plex
        for key in self.visible():
            content = truth.items[key].content
            path, _ = self.spots[content]
            if truth.kinds[content] == "plain" and plex.item(key).files[0][0] != path:
                section = plex.item(key).section
                plex.remove(key)
                super().show(section, content)
        there = {(plex.item(key).section, truth.items[key].content) for key in self.visible()} | set(self.hidden)
        for content, places in self.placed.items():
            for number, folder in sorted(places):
                section = self.sections[number]
                if (section, content) not in there and section not in self.foreign.emptied:
                    super().show(section, content, folder=folder)

    def mend_stash(self) -> None:
        """Stash scans: files that moved while it was another one."""
        for scene in self.scenes():
            for path, *_ in scene.files:
                content = self.world.truth.contents[path]
                if self.spots[content][0] != path:
                    self.world.stash.rename_file(path, self.spots[content][0])

    # --- hands -------------------------------------------------------------------------------------------------------

    def _is_at_rest(self, key: str, name: str) -> tuple[bool, bool, str]:
        if self.world.depth:
            self.midway.add((key, name))
        sure, first, wanted = super()._is_at_rest(key, name)
        shown = self.world.truth.items[key]
        if not shown.written:
            # Whatever is remembered under its key belongs to another item, but for a push that was saved and never sent.
            late = any(weather.late for weather in self.world.weather.values())
            still = not self.world.depth and not late and not self._is_about_to_be_written(key)
            return False, still and self.world.nature.setting.policy.first_push == "keep", wanted
        if shown.forgotten and not shown.blind and name in shown.pushed:
            # The database has forgotten that push, and the journal tells of it: this is no field that we never wrote.
            first = False
        # The memory stays with the item when its scene gets another id.
        return sure, first and not self.world.rows("select 1 from memory where item = ?", key), wanted

    def _hand_on_scalar(self, key: str, name: str) -> None:
        super()._hand_on_scalar(key, name)
        item = self.world.truth.items[key]
        owners = self.world.rows("select subject from memory where item = ?", key) if item.once else []
        is_unseen = bool(owners) and (self.world.truth.owner.get(item.content, 0),) not in owners
        if is_unseen and not self._is_told(key, shown := self._shown(key)):
            # The texts that told whose its memory is are gone before anybody looked at its other files.
            self.swapped.append((key, shown))

    def _hand_on_list(self, key: str, kind: str) -> None:
        super()._hand_on_list(key, kind)
        shown = self.world.truth.items[key]
        if shown.forerunners and not shown.written and kind in self.world.plex.item(key).locks:
            # Names that we had written to the item that had this key and file before Plex was restored look removed by it.
            shown.doubts.add(kind)

    def _is_about_to_be_written(self, key: str) -> bool:
        """Whether a push to this item, and not to one that had its key before, was saved, and nobody knows its end."""
        item = self.world.plex.item(key)
        pushes = self.world.rows("select library, files from pushing where item = ?", key)
        return any(library in ("", item.library) and item.files[0][0] in str(files) for library, files in pushes)

    def _stir(self, key: str) -> None:
        if key in self.pending:
            # The time of the item has moved on, and nobody has compared it since it was restored: nothing can tell.
            self.world.truth.items[key].doubts.add("*")
        super()._stir(key)

    def hands(self) -> None:
        """A person edits a few items, as one does after a change."""
        for _ in range(self.luck.choice((0, 0, 1, 3))):
            self.hand()

    # --- Plex --------------------------------------------------------------------------------------------------------

    def _plex_shelf(self) -> PlexShelf:
        world = self.world
        return PlexShelf(
            world.plex.backup(),
            world.clock.steady,
            deepcopy(world.truth.items),
            tuple(self.sections),
            tuple(self.hidden),
            frozenset(self.strangers),
        )

    def _take_down(self, shelf: PlexShelf) -> None:
        world = self.world
        world.drop_late()
        world.truth.retired |= set(world.truth.items)
        world.plex.restore(shelf.backup)
        world.truth.items = deepcopy(shelf.items)
        self.sections, self.hidden, self.strangers = list(shelf.sections), list(shelf.hidden), set(shelf.strangers)

    def _dealt(self, dealt: Dealt, before: dict[str, Shown]) -> None:
        """The same files under new keys, as an agent leaves them."""
        items, strangers = self.world.truth.items, set(self.strangers)
        for old, new in dealt.keys.items():
            if old in before:
                items[new] = Shown(before[old].content, before[old].agent)
        self.strangers = (strangers - set(before)) | {dealt.keys[old] for old in strangers & set(dealt.keys)}
        self.sections = [dealt.sections.get(section, section) for section in self.sections]
        self.hidden = [(dealt.sections.get(section, section), content) for section, content in self.hidden]

    def _stir_all(self) -> None:
        self.world.truth.stir(list(self.spots))

    def reinstall_plex(self) -> None:
        """Another server answers at the address."""
        world = self.world
        if self.foreign.old_plex is not None or self.foreign.emptied:
            return
        world.drop_late()
        if world.has_met_plex():
            # Nobody can be asked about one that we have never met.
            self.foreign.old_plex = self._plex_shelf()
        before, world.truth.items = world.truth.items, {}
        world.truth.retired |= set(before)
        self._dealt(world.plex.reinstall(self.luck), before)
        self.pending.clear()
        self._stir_all()
        world.tell(f"Plex: reinstalled: {self._whose()}")
        self.hands()

    def _whose(self) -> dict[str, str]:
        return {key: self.world.truth.items[key].content for key in self.visible()}

    def keep_plex(self) -> None:
        """The server that is there now is to stay."""
        self.foreign.old_plex = None
        self.plex_shelves.clear()

    def put_plex_back(self) -> None:
        """The server that was there before is there again."""
        if self.foreign.old_plex is None:
            return
        self._take_down(self.foreign.old_plex)
        self.foreign.old_plex = None
        self.mend_plex()
        self._stir_all()
        self.world.tell(f"Plex: the old server again: {self._whose()}")

    def restore_plex(self) -> None:
        """Plex restores a backup of its own."""
        world = self.world
        if not self.plex_shelves or self.foreign.old_plex is not None or self.foreign.emptied:
            return
        shelf = self.luck.choice(self.plex_shelves)
        before = world.truth.items
        self._take_down(shelf)
        for key in self.visible():
            item, shown = world.plex.item(key), world.truth.items[key]
            shown.restored, shown.written = True, shown.written or key in world.written_at
            unfinished = world.rows("select 1 from pushing where item = ?", key)
            needs_evidence = world.written_at.get(key, 0.0) >= shelf.at
            if needs_evidence and (
                unfinished or self.database_pending or not world.read_back.get(key, 0) > item.updated_at
            ):
                shown.doubts.add("*")
            if shelf.lost_since:
                self._note_lost(key)
        self.pending |= set(self.visible())
        self.mend_plex()
        self._note_forerunners(before, set(shelf.items))
        self._stir_all()
        world.tell(f"Plex: restored as of {shelf.at:.2f}: {self._whose()}")
        self.hands()

    def _note_forerunners(self, before: dict[str, Shown], restored: set[str]) -> None:
        """A file that is not in the backup is scanned again. Under its old key nothing tells that it is a new item."""
        items = self.world.truth.items
        for key in before.keys() & items.keys() - restored:
            if before[key].content == items[key].content:
                items[key].forerunners = (*before[key].forerunners, before[key].agent)

    def remake_library(self) -> None:
        """A library is deleted and made anew."""
        world = self.world
        if self.foreign.old_plex is not None or self.foreign.emptied:
            return
        section = self.luck.choice(self.sections)
        keys = set(world.plex.keys(section))
        before = {
            key: shown for key, shown in world.truth.items.items() if key in keys or self._is_hidden(key, section)
        }
        world.drop_late()
        dealt = world.plex.remake_section(section, same_id=self.luck.random() < 0.6)
        world.truth.retired |= set(before)
        self._dealt(dealt, before)
        self.plex_shelves.clear()
        self._stir_all()
        world.tell(f"Plex: library {section} made anew as {dealt.sections[section]}: {self._whose()}")
        self.hands()

    def _is_hidden(self, key: str, section: str) -> bool:
        return (section, self.world.truth.items[key].content) in self.hidden

    def empty_library(self) -> None:
        """A drive is unmounted, and the trash emptied; or it is mounted again."""
        world = self.world
        if self.foreign.emptied:
            self.mount()
            return
        if self.foreign.old_plex is not None:
            return
        section = self.luck.choice(self.sections)
        keys = set(world.plex.keys(section))
        here = {key: shown for key, shown in world.truth.items.items() if key in keys or self._is_hidden(key, section)}
        world.plex.empty_section(section)
        self.foreign.emptied[section] = here
        self.hidden = [one for one in self.hidden if one[0] != section]
        self._stir_all()
        world.tell(f"Plex: library {section} is empty")

    def mount(self) -> None:
        """What was unmounted is there again, and scanned."""
        for section, here in self.foreign.emptied.items():
            dealt = self.world.plex.refill_section(section)
            self.world.truth.retired |= set(here)
            self._dealt(dealt, here)
            self.world.tell(f"Plex: library {section} has its files again")
        emptied = list(self.foreign.emptied)
        self.foreign.emptied = {}
        for section in emptied:
            self.finish_scan(section)
        self._stir_all()

    def swap_files(self) -> None:
        """Two files are renamed to each other's names, and Plex follows: each item has the other's file."""
        world, truth = self.world, self.world.truth
        plain = [key for key in self.visible() if truth.kinds[truth.items[key].content] == "plain"]
        plain = [key for key in plain if world.plex.item(key).files[0][0] == self.spots[truth.items[key].content][0]]
        if len(plain) < 2 or self.foreign.old_plex is not None:
            return
        one, other = self.luck.sample(plain, 2)
        for key in (one, other):
            self._note_known(key)
            if not self._is_told(key, before := self._shown(key)):
                self.swapped.append((key, before))
        world.plex.swap_files(one, other)
        first, second = truth.items[one], truth.items[other]
        first.content, second.content = second.content, first.content
        for shown, before in ((first, second.content), (second, first.content)):
            shown.once.add(before)
            shown.doubts |= {*shown.hands, *shown.touched}
        if self.luck.random() < 0.7:
            for key in (one, other):
                world.plex.analyzed(key, 60_000)
                self._stir(key)
        world.overtake({one, other})
        self._stir_all()
        world.tell(f"Plex: {one} and {other} have swapped their files")

    def _note_known(self, key: str) -> None:
        """What is remembered of an item since all was lost is ours again, whatever files it gets now."""
        shown = self.world.truth.items[key]
        for (document,) in self.world.rows("select document from memory where item = ?", key):
            known = {name for name in shown.stranded if name not in LISTS and remembered(document, name)[1] is not None}
            shown.stranded = {name: value for name, value in shown.stranded.items() if name not in known}

    def _shown(self, key: str) -> dict[str, Value]:
        item = self.world.plex.item(key)
        return {name: held(item, name) for name in self.world.truth.fields}

    def note_swapped(self) -> None:
        """Of an item with other files a memory is believed by its title or its summary. If neither was ours when the files
        were swapped, all that was remembered is lost, and what the item showed counts as a hand's.
        """
        for key, before in self.swapped:
            pushes = [document for (document,) in self.world.rows("select document from pushing where item = ?", key)]
            if key in self.visible() and not self._is_told(key, before, pushes):
                now = self._shown(key)
                left = {name: value for name, value in before.items() if name in LISTS or value == now[name]}
                if pushes:
                    # One of them may have arrived after the swap.
                    left |= {name: before[name] | now[name] for name in LISTS}
                shown = self.world.truth.items[key]
                shown.stranded |= left
                # What takes its place may be emptied later, and then it is put back.
                shown.found_after_loss |= left | {"poster": self.world.plex.item(key).poster or ""}
        self.swapped.clear()

    def _is_told(self, key: str, before: dict[str, Value], pushes: Iterable[bytes] = ()) -> bool:
        """Whether the title or the summary that an item showed before was left there, or sent by these pushes."""
        memories = [document for (document,) in self.world.rows("select document from memory where item = ?", key)]
        return any(
            before[name]
            and before[name] in (*(remembered(one, name)[1] for one in memories), *(sent(one, name) for one in pushes))
            for name in ("title", "summary")
        )

    # --- Stash -------------------------------------------------------------------------------------------------------

    def _stash_shelf(self) -> StashShelf:
        truth = self.world.truth
        parts = deepcopy((self.names, truth.wanted, truth.changes, truth.owner))
        return StashShelf(self.world.stash.backup(), *parts)

    def restore_stash(self) -> None:
        """Stash restores a backup of its own: that is an edit like any other, but for the scenes that it does not know."""
        if not self.stash_shelves or self.foreign.wiped is not None or self.foreign.old_stash is not None:
            return
        shelf = self.luck.choice(self.stash_shelves)
        self.world.stash.restore(shelf.backup)
        self.names = deepcopy(shelf.names)
        self.mend_stash()
        self.told.clear()
        self.world.truth.note_stash(self.scenes())
        self._stir_all()
        self.world.tell(f"Stash: restored: {self._files()}")

    def _files(self) -> dict[int, list[str]]:
        return {scene.id: self.world.truth.of(scene) for scene in self.scenes()}

    def wipe_stash(self) -> None:
        """An empty database is mounted, or the right one again."""
        if self.foreign.wiped is not None:
            self.unwipe()
            return
        if self.foreign.old_stash is not None:
            return
        # So few go one by one, and nobody is asked. A database that was lost since knows only those that it has met anew.
        written = {shown.content for shown in self.world.truth.items.values() if shown.written}
        seen = {id for (id,) in self.world.rows("select scene from standing")}
        known = [scene for scene in self.scenes() if scene.id in seen and written & set(self.world.truth.of(scene))]
        self.foreign.gone_for_good = not is_many(len(known))
        self.foreign.wiped = self.world.stash.wipe()
        self.foreign.sent_before = [asked for weather in self.world.weather.values() for _, asked in weather.late]
        self.told.clear()
        self._stir_all()
        self.world.tell("Stash: an empty database is mounted")
        if self.luck.random() < 0.3:
            self.world.pass_time(86_400 * self.luck.choice((1.1, 2.5)))

    def unwipe(self) -> None:
        """The right database is mounted again."""
        if self.foreign.wiped is None:
            return
        self.world.stash.restore(self.foreign.wiped)
        self.foreign.wiped = None
        self.mend_stash()
        if self.foreign.gone_for_good:
            # They were gone as far as anybody had said, and what is gone may be taken back and is forgotten after a while.
            for shown in self.world.truth.items.values():
                shown.forgotten = shown.blind = True
                shown.doubts |= {*shown.hands, *shown.touched}
        self._stir_all()
        self.world.tell(f"Stash: the right database again: {self._files()}")

    def give_up_scenes(self) -> None:
        """What is gone from Stash is to be gone."""
        self.foreign.gone_for_good = True

    def rebuild_stash(self) -> None:
        """Stash is set up anew over the same files, with the same values: other ids."""
        world, truth = self.world, self.world.truth
        if self.foreign.wiped is not None or self.foreign.old_stash is not None or not world.stash.scene_ids():
            return
        world.pass_time(2)
        self.foreign.old_stash = self._stash_shelf()
        ids = world.stash.rebuild(self.luck)
        truth.wanted = {ids[id]: wanted for id, wanted in truth.wanted.items() if id in ids}
        truth.changes = {(ids[id], name): those for (id, name), those in truth.changes.items() if id in ids}
        truth.owner = {content: ids[id] for content, id in truth.owner.items() if id in ids}
        self.stash_shelves.clear()
        self.told.clear()
        self._stir_all()
        world.tell(f"Stash: rebuilt: {self._files()}")

    def keep_stash(self) -> None:
        """The Stash that is there now is to stay."""
        self.foreign.old_stash = None

    def put_stash_back(self) -> None:
        """The Stash that was there before is there again; nobody had edited the other one for long."""
        shelf = self.foreign.old_stash
        if shelf is None:
            return
        truth = self.world.truth
        self.world.stash.restore(shelf.backup)
        self.names, truth.wanted, truth.changes, truth.owner = deepcopy(
            (shelf.names, shelf.wanted, shelf.changes, shelf.owner)
        )
        self.foreign.old_stash = None
        self.mend_stash()
        self.told.clear()
        truth.note_stash(self.scenes())
        self._stir_all()
        self.world.tell(f"Stash: the old one again: {self._files()}")

    # --- ours --------------------------------------------------------------------------------------------------------

    def make_copies(self) -> None:
        """A person makes copies: of Plex, of Stash and of our database, each now and then."""
        world = self.world
        if "plex restored" in world.kinds and self.foreign.old_plex is None and not self.foreign.emptied:
            self.plex_shelves = [*self.plex_shelves[1 - KEPT :], self._plex_shelf()]
            world.tell("Plex: a backup is made")
        if "stash restored" in world.kinds and self.foreign.wiped is None and self.foreign.old_stash is None:
            self.stash_shelves = [*self.stash_shelves[1 - KEPT :], self._stash_shelf()]
            world.tell("Stash: a backup is made")
        if "database restored" in world.kinds:
            self.copied += 1
            path = world.copies / f"{self.copied}.db"
            world.place.save(path)
            self.copies = [*self.copies[1 - KEPT :], DatabaseCopy(path, dict(self.ignored), dict(self.bound))]
            world.tell("our database: a copy is made")

    def restore_database(self) -> None:
        """An older copy takes the place of our database: by our own command, or by hand."""
        if not self.copies:
            return
        copy, by_command = self.luck.choice(self.copies), self.luck.random() < 0.5

        def put(place: StorePlace) -> None:
            if by_command and isinstance(place, SqlitePlace):
                self.put_back += 1
                notes = {LAST_RECONCILE: "", CURSOR: "", RESTORED: str(self.world.clock.now())}
                backup.restore(copy.path, place.path, aside=f"plexsync.before-{self.put_back}.db", notes=notes)
                return
            place.put_back(copy.path)

        self.ignored, self.bound = dict(copy.ignored), dict(copy.bound)
        self._changed_database(f"an older copy is restored{' by command' * by_command}", put)

    def lose_log(self) -> None:
        """The machine loses the log of our database: what had not been copied back from it is as it was."""
        main = self.world.place.path.read_bytes()

        def put(place: SqlitePlace) -> None:
            place.remove_sides()
            place.path.write_bytes(main)

        self._changed_database("its log is lost", put)

    def delete_database(self) -> None:
        """Somebody deletes our database, and nothing that lies beside it."""

        self._changed_database("it is deleted", lambda place: place.remove())

    def lose_folder(self) -> None:
        """The whole data folder is lost, so nothing can tell what was ours; a database on a server with it, or not."""
        if is_postgres() and self.luck.random() < 0.5:
            # Another machine takes over what the server has.
            self.world.replace_database("the folder of this machine is lost", empty_folder)
            return

        def put(place: StorePlace) -> None:
            empty_folder(place)
            place.remove()

        self._changed_database("the whole folder is lost", put)
        for shown in self.world.truth.items.values():
            shown.blind, shown.stranded = True, {}
        for key in self.visible():
            self._note_lost(key)
        # The same is lost of what Plex had by then.
        self.plex_shelves = [replace(shelf, lost_since=True) for shelf in self.plex_shelves]
        for shelf in self.plex_shelves:
            for shown in shelf.items.values():
                shown.blind = shown.forgotten = True

    def _note_lost(self, key: str) -> None:
        """Nothing of what an item shows now is known to be ours."""
        shown = self.world.truth.items[key]
        shown.stranded = self._shown(key)
        shown.found_after_loss = {**shown.stranded, "poster": self.world.plex.item(key).poster or ""}

    def _changed_database(self, what: str, put: Callable[[StorePlace], None]) -> None:
        world = self.world
        world.replace_database(what, put)
        for key, shown in world.truth.items.items():
            shown.forgotten = True
            if key in self.pending:
                shown.doubts.add("*")
        self.database_pending = True
        self.told.clear()
        if (old := self.foreign.old_plex) and (old.backup.machine,) not in world.rows("select machine from server"):
            # With our database it was forgotten that there was another one.
            self.keep_plex()
        bound = set(world.rows("select subject, item from binding where off = 0"))
        self.bound = {id: told for id, told in self.bound.items() if (id, told.key) in bound}
        ignored = {id for (id,) in world.rows("select id from job where state = 'ignored'")}
        self.ignored = {id: told for id, told in self.ignored.items() if id in ignored}

    def bind(self) -> None:
        """A person names the item of a scene, which is the one that it has anyway."""
        world, scene = self.world, self._single_scene()
        if scene is None or len(self.bound) > 1:
            return
        contents = set(world.truth.of(scene))
        (key, *others) = [key for key in self.visible() if world.truth.items[key].content in contents] or [""]
        if not key or others:
            return
        # The item may leave while it is bound.
        library = world.plex.item(key).library

        def bound() -> bool:
            process = world.process
            clients = (process.parts.stash, process.parts.plex)
            try:
                bind(process.store, *clients, process.gates, process.clock, scene.id, [key])
            except (CantBind, NeighbourError) as error:
                world.tell(f"scene {scene.id} can't be bound to {key}: {error}")
                return False
            return True

        world.at_work("bind", bound)
        # Killed on the way it may have been bound.
        if world.rows("select 1 from binding where subject = ? and item = ? and off = 0", scene.id, key):
            self.bound[scene.id] = BoundItem(key, library, scene.created_at)
            world.tell(f"scene {scene.id} is bound to {key}")

    def ignore(self) -> None:
        """A person takes a scene out for good."""
        world, scene = self.world, self._single_scene()
        if scene is None or self.ignored or self.luck.random() < 0.5:
            return
        world.at_work("ignore", lambda: ignore_scenes(world.process.store, [scene.id], world.clock))
        # Killed on the way it may have been ignored.
        if world.rows("select 1 from job where kind = 'scene' and id = ? and state = 'ignored'", scene.id):
            self.ignored[scene.id] = IgnoredScene(scene.created_at, frozenset(world.truth.of(scene)))
            if world.rows("select created_at from shown where scene = ?", scene.id) != [(scene.created_at,)]:
                self.unclear.add(scene.id)
            world.tell(f"scene {scene.id} is ignored")

    def _single_scene(self) -> SceneSnapshot | None:
        kinds = self.world.truth.kinds
        scenes = [one for one in self.scenes() if [kinds[c] in SINGLE for c in self.world.truth.of(one)] == [True]]
        scenes = [one for one in scenes if one.id not in self.ignored and one.id not in self.bound]
        return self.luck.choice(scenes) if scenes else None

    def others(self) -> dict[int, SceneSnapshot]:
        """The scenes that have the id of an ignored one and were created at another time."""
        return {
            scene.id: scene
            for scene in self.scenes()
            if scene.id in self.ignored and scene.created_at != self.ignored[scene.id].created_at
        }

    def doubtful(self) -> set[int]:
        """The ignored ids of which nobody can tell which scene was meant: PlexSync had not met this Stash, or the scene that
        has the id now has a file of it.
        """
        shared = {
            id
            for id, scene in self.others().items()
            if self.ignored[id].contents.intersection(self.world.truth.of(scene))
        }
        return (self.unclear & set(self.ignored)) | shared

    # --- peace -------------------------------------------------------------------------------------------------------

    def calm(self) -> None:
        """Everything is worked off and compared: from here on what was restored is known."""
        world = self.world
        if self.foreign.old_plex is not None or self.foreign.wiped is not None or self.foreign.emptied:
            return
        world.poll()
        reports: list[ComparisonReport] = []

        def compare() -> None:
            try:
                reports.append(world.process.reconciler.reconcile(anew=True))
            except NeighbourError as error:
                world.tell(f"no comparison: {error}")

        world.at_work("compare", compare)
        for _ in range(TURNS_OF_CALM):
            world.work()
            if not world.rows("select 1 from job where state in ('ready', 'running') limit 1"):
                break
            world.pass_time(min(60.0, max(0.01, ((world.idle_until or 0) - world.clock.now()) / 1000)))
        else:
            return
        if reports and reports[0].complete:
            self.pending.clear()
            self.database_pending = False
            world.tell(f"calm: {reports[0]}")


def empty_folder(place: StorePlace) -> None:
    """Remove all that is in the data folder."""
    for one in place.folder.iterdir():
        shutil.rmtree(one) if one.is_dir() else one.unlink()


def is_many(scenes: int) -> bool:
    """Whether PlexSync asks when so many scenes are gone at once, which are all that there were."""
    return scenes > LEAST
