"""People who watch in Plex and in Stash, and what befalls servers and databases while PlexSync brings plays back."""

from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from plexsync.app.way_back import plays_recovery
from plexsync.engine.undo import Marked, wish_undone
from plexsync.flows.plays.wishes import WishForPlays
from plexsync.rules.match.paths import path_key
from plexsync.rules.plays.play_wishes import REDO, UNDO, PlayWish
from plexsync.rules.queue.events import SessionChanged, SessionState
from plexsync.rules.queue.job import Kind
from plexsync.rules.queue.note_keys import CURSOR, LAST_RECONCILE, RESTORED
from plexsync.rules.servers.errors import NeighbourError
from plexsync.simulator.plex_changes import PlexBackup
from plexsync.simulator.stash_model import SceneSnapshot, StashBackup
from plexsync.store.files import backup
from tests.simulation.sim_changes import KEPT
from tests.simulation.sim_play_truth import GonePlay, SceneKey, Second
from tests.store_places import SqlitePlace, StorePlace

if TYPE_CHECKING:
    from tests.simulation.sim_plays import PlaysWorld

# Plays that a device reports later have a moment up to so many seconds ago: less than polls overlap.
OFFLINE = 20 * 3600
# As long as a request can be under way before it takes effect, and longer.
AGES = 60.0
MOST_CONTENTS = 9
# So much happens in one step at most: a history that gets a play with every page is never read to its end.
MOST_INTERRUPTIONS = 40
# The plays that PlexSync has sent, the last one first.
LAST_SENT = """
select scene, scene_created_at, moment, sent_order from play
 where sent_order > 0 and state = 'sent' and undo = 0 order by sent_order desc, moment desc
"""
REMEMBERED = "select state, undo from play where scene = ? and scene_created_at = ? and moment = ?"


@dataclass(frozen=True)
class PlexShelf:
    """A Plex as it was, and whose files its items were."""

    backup: PlexBackup
    content_of: dict[str, str]
    hidden: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class StashShelf:
    """A Stash as it was, and the rows that people had made by then."""

    backup: StashBackup
    own: Counter[Second]


class Watchers:
    """Acts by the dice of the seed; every action keeps the truth up to date."""

    def __init__(self, world: "PlaysWorld") -> None:
        self.world = world
        self.rng: Random = world.rng
        self.serial = 0
        self.spots: dict[str, tuple[str, int]] = {}  # content -> path and size of its file
        self.hidden: list[tuple[str, str]] = []  # (section, content) of files that wait for a scan
        self.plex_shelves: list[PlexShelf] = []
        self.stash_shelves: list[StashShelf] = []
        self.copies: list[Path] = []
        self.put_back = 0
        self.wished: set[Second] = set()
        self.is_put_back = False  # whether our database was ever an older copy
        self.last_sent = 0  # the number of the last request for plays when Stash was last restored
        self.sections = [
            world.plex.add_section("Movies", locations=("/media",)),
            world.plex.add_section("Mirror", locations=("/media",)),
        ]
        self.guest = world.plex.add_account("Guest")
        self.chosen = self.guest if world.setting.watch.account else 1
        for _ in range(self.rng.randint(2, 6)):
            self.new_content()
        self.interruptions = 0
        self.actions = self._weights()

    def _weights(self) -> list[tuple[int, str, Callable[[], None]]]:
        world, nature = self.world, self.world.nature
        table: list[tuple[int, str, Callable[[], None]]] = [
            (40, "work", world.work),
            (20, "time", self.some_time),
            (20, "minute", self.minute),
            (16, "play", self.play),
            (4, "guest plays", self.guest_plays),
            (12, "history", world.poll_history),
            (6, "listen", world.listen),
            (5, "watch in Stash", self.watch_in_stash),
            (7, "delete in Stash", self.delete_in_stash),
            (3, "undo", self.undo),
            (4, "edit", self.edit),
            (2, "create", self.create),
            (1, "destroy", self.destroy),
            (3, "readd", self.readd),
            (3, "move", self.move_file),
            (4, "scan", self.scan),
            (4, "poll", world.poll),
            (2, "reconcile", world.reconcile),
            (2, "copies", self.make_copies),
            (2, "redo", self.redo),
            (2, "compare plays", world.compare_plays),
        ]
        table += [(1, name, act) for name, act in self._restores().items() if name in world.restores]
        if nature.outages:
            table.append((4, "weather", world.change_weather))
        if nature.leaps:
            table.append((2, "leap", world.leap))
        if nature.kills:
            table.append((2, "kill", world.kill_idle))
        if nature.full_disk:
            table.append((2, "disk", self.fill_disk))
        return table

    def _restores(self) -> dict[str, Callable[[], None]]:
        return {
            "plex restored": self.restore_plex,
            "stash restored": self.restore_stash,
            "database restored": self.restore_database,
        }

    def act(self) -> None:
        """One step of the world."""
        self.interruptions = MOST_INTERRUPTIONS
        weights = [weight for weight, *_ in self.actions]
        ((_, name, action),) = self.rng.choices(self.actions, weights)
        self.world.tally[name] += 1
        action()

    def meanwhile(self, *, watchers: bool) -> None:
        """What can happen while the process waits for something: not more than it can ever keep up with."""
        self.interruptions -= 1
        if self.interruptions < 0:
            return
        choices = [self.play, self.play, self.guest_plays, self.watch_in_stash, self.delete_in_stash]
        choices += [self.edit, self.readd, self.scan, self.move_file]
        if watchers:
            choices += [self.world.poll_history, self.world.poll]
        if self.world.nature.leaps:
            choices.append(self.world.leap)
        self.rng.choice(choices)()

    # --- files -------------------------------------------------------------------------------------------------------

    def new_content(self) -> None:
        """A file appears; Stash or Plex may see it later, or Plex has it twice."""
        self.serial += 1
        content = f"c{self.serial}"
        self.spots[content] = (f"/media/file {content}.mp4", 1000 + self.serial)
        self.world.truth.contents[self.spots[content][0]] = content
        kind = self.rng.choice(("plain", "plain", "plain", "double", "later in Plex", "later in Stash"))
        if kind != "later in Stash":
            self.add_scene(content)
        if kind == "later in Plex":
            self.hide(self.sections[0], content)
        else:
            self.show(self.sections[0], content)
        if kind == "double":
            self.show(self.sections[1], content)

    def agent_of(self, content: str) -> dict[str, object]:
        """What Plex's own agent says of a content."""
        return {"title": content}

    def show(self, section: str, content: str) -> None:
        """Plex sees the file at once."""
        path, size = self.spots[content]
        key = self.world.plex.add_movie(section, files=[(path, size, 60_000)], **self.agent_of(content))
        self.world.truth.content_of[key] = content

    def hide(self, section: str, content: str) -> None:
        """The file lies on the disk; Plex sees it after a scan."""
        path, size = self.spots[content]
        key = self.world.plex.stage_movie(section, files=[(path, size, 60_000)], **self.agent_of(content))
        self.world.truth.content_of[key] = content
        self.hidden.append((section, content))

    def scan(self) -> None:
        """A scan of a library ends."""
        self.finish_scan(self.rng.choice(self.sections))

    def finish_scan(self, section: str) -> None:
        """What lay on the disk is in the library, and every file that Plex has not followed."""
        world = self.world
        world.plex.scan(section)
        world.plex.finish_scan(section)
        self.hidden = [one for one in self.hidden if one[0] != section]
        for key in world.plex.keys(section):
            content = world.truth.content_of[key]
            if world.plex.item(key).files[0][0] != self.spots[content][0]:
                self._leave(key)
                self.show(section, content)
        if section == self.sections[0]:
            there = {world.truth.content_of[key] for key in world.plex.keys(section)}
            for content in sorted(self.spots.keys() - there):
                self.show(section, content)
        world.tell(f"Plex: library {section} scanned: {self._items()}")

    def _items(self) -> dict[str, str]:
        return {key: self.world.truth.content_of[key] for key in self.visible()}

    def visible(self) -> list[str]:
        """The rating keys that Plex shows now."""
        return [key for section in self.sections for key in self.world.plex.keys(section)]

    def move_file(self) -> None:
        """A file gets another name: Stash follows, Plex does so too or has it as a new item after the next scan."""
        world = self.world
        away = {content for _, content in self.hidden}
        some = [content for content in self.spots if content not in away]
        if not some:
            return
        content = self.rng.choice(some)
        (old, size), self.serial = self.spots[content], self.serial + 1
        new = f"/media/moved {self.serial}.mp4"
        world.truth.contents[new] = content
        self.spots[content] = (new, size)
        follows = self.rng.random() < 0.5
        for key in self.visible():
            if world.truth.content_of[key] == content and world.plex.item(key).files[0][0] == old:
                if follows:
                    world.plex.rename_file(key, old, new)
                else:
                    section = world.plex.item(key).section
                    self._leave(key)
                    self.hide(section, content)
        owner = self.scene_of(content)
        if owner is not None:
            world.stash.rename_file(old, new)
            self._hooked(owner.id)
        world.tell(f"{content} is now {new}{', and Plex keeps its key' * follows}")

    def _leave(self, key: str) -> None:
        """An item leaves Plex; its plays that were listed with its file are not forgotten."""
        world = self.world
        content, path = world.truth.content_of[key], world.plex.item(key).files[0][0]
        listed = {
            play.viewed_at
            for play in world.plex.backup().plays
            if str(play.item) == key and play.account == self.chosen
        }
        sql = "select moment from played where item = ? and path_key = ? and account = ?"
        for (moment,) in world.rows(sql, key, path_key(path), self.chosen):
            if moment in listed and moment in world.truth.ever.get(content, ()):
                world.truth.gone[key, moment] = GonePlay(content, path)
        world.plex.remove(key)

    def readd(self) -> None:
        """An item gets another rating key."""
        if keys := self.visible():
            self.readd_item(self.rng.choice(keys))

    def readd_item(self, key: str) -> None:
        """This item gets another rating key."""
        content, section = self.world.truth.content_of[key], self.world.plex.item(key).section
        self._leave(key)
        self.show(section, content)
        self.world.tell(f"Plex: {key} of {content} is another item: {self._items()}")

    # --- plays in Plex -----------------------------------------------------------------------------------------------

    def play(self) -> None:
        """The chosen account plays something to its end, now or on a device that tells of it later."""
        self._plays(self.chosen)

    def guest_plays(self) -> None:
        """Another account does."""
        self._plays(1 if self.chosen != 1 else self.guest)

    def _plays(self, account: int) -> None:
        world, truth = self.world, self.world.truth
        if not (keys := self.visible()):
            return
        key = self.rng.choice(keys)
        content = truth.content_of[key]
        known = truth.ever.get(content, set()) | truth.guests.get(content, set()) | world.moments_in_stash(content)
        at = world.plex.now()
        if self.rng.random() < 0.3:
            at -= self.rng.randrange(OFFLINE)
        if account == self.chosen and self.rng.random() < 0.1 and truth.ever.get(content):
            # The same second again: of another item, or another row of the same one.
            at = self.rng.choice(sorted(truth.ever[content])[-5:])
        else:
            while at in known:
                at -= 1
        world.plex.play(key, account=account, at=at)
        truth.note_play(content, at, chosen=account == self.chosen and at >= world.setting.watch.since)
        world.tally["plays"] += account == self.chosen
        world.tell(f"Plex: account {account} has played {key} of {content} at {at}")
        if self.rng.random() < 0.5:
            world.hear([SessionChanged(key, SessionState.STOPPED, 0, f"{world.tally['plays']}")])

    # --- Stash -------------------------------------------------------------------------------------------------------

    def scenes(self) -> list[SceneSnapshot]:
        return [self.world.stash.scene(id) for id in self.world.stash.scene_ids()]

    def scene_of(self, content: str) -> SceneSnapshot | None:
        """The scene that has the file."""
        return next((scene for scene in self.scenes() if content in self.world.truth.of(scene)), None)

    def some_scene(self) -> SceneSnapshot | None:
        scenes = self.scenes()
        return self.rng.choice(scenes) if scenes else None

    def add_scene(self, content: str) -> None:
        path, size = self.spots[content]
        id = self.world.stash.add_scene(files=[(path, size, 60.0)], title=f"Title of {content}")
        self.world.tell(f"Stash: scene {id} of {content}")
        self._hooked(id)

    def _hooked(self, id: int) -> None:
        if self.rng.random() < 0.7:
            self.world.hook(Kind.SCENE, id)

    def edit(self) -> None:
        """A scene gets another title."""
        if scene := self.some_scene():
            self.serial += 1
            self.world.stash.edit_scene(scene.id, title=f"Title {self.serial}")
            self._hooked(scene.id)
            self.world.tell(f"Stash: scene {scene.id} edited")

    def create(self) -> None:
        """A new file, or a scene for one that Stash has not."""
        orphans = [content for content in self.spots if self.scene_of(content) is None]
        if orphans:
            self.add_scene(self.rng.choice(orphans))
        elif len(self.spots) < MOST_CONTENTS:
            self.new_content()

    def destroy(self) -> None:
        """A scene is deleted in Stash, with its plays."""
        if scene := self.some_scene():
            self.world.stash.destroy_scene(scene.id)
            self._hooked(scene.id)
            self.world.tell(f"Stash: scene {scene.id} destroyed")

    def watch_in_stash(self, scene: SceneSnapshot | None = None) -> None:
        """Somebody watches a scene in Stash, this or any; or another tool adds a play that Plex has as well."""
        world = self.world
        scene = scene or self.some_scene()
        if scene is None:
            return
        moment = int(world.stash.now())
        plex = sorted(set().union(*(world.truth.ever.get(content, ()) for content in world.truth.of(scene))))
        if plex and self.rng.random() < 0.4:
            moment = self.rng.choice(plex[-8:])
        second = (key_of(scene), moment)
        state, sure = self.memory(second)
        world.stash.plays.add(scene.id, [moment])
        rows = world.stash.plays.of(scene.id).count(moment)
        played = world.truth.is_played(world.truth.of(scene), moment)
        world.truth.note_added(second, rows, state, played=played, sure=sure)
        if played and not state and self.is_put_back:
            # The journal may know that PlexSync has sent it: then this row is like one that came twice.
            world.truth.allowed[second] |= {1}
        world.tell(
            f"Stash: scene {scene.id} played at {moment}: {rows} ({state}, allowed {world.truth.allowed[second]})"
        )

    def delete_in_stash(self) -> None:
        """A person deletes a play, mostly one that Plex has as well."""
        world = self.world
        scene = self.some_scene()
        if scene is None or not (rows := world.stash.plays.of(scene.id)):
            return
        moment = self.rng.choice(rows)
        second = (key_of(scene), moment)
        state, sure = self.memory(second)
        world.stash.plays.delete(scene.id, [moment])
        left = world.stash.plays.of(scene.id).count(moment)
        played = world.truth.is_played(world.truth.of(scene), moment)
        world.truth.note_deleted(second, left, state, played=played, sure=sure)
        self._note_tail()
        world.tally["plays deleted"] += played
        world.tally["plays deleted for good"] += played and world.truth.allowed[second] == {0}
        world.tell(f"Stash: scene {scene.id} without {moment}: {left} ({state}, allowed {world.truth.allowed[second]})")

    def _note_tail(self) -> None:
        """Until PlexSync has noticed a restore of Stash, a play that is deleted can be taken for one that is lost by it.

        That is so if all that was sent later is missing: what is lost are the last plays, and Stash notes no deletion.
        """
        there = {key_of(scene): self.world.stash.plays.of(scene.id) for scene in self.scenes()}
        for id, created_at, moment, order in self.world.rows(LAST_SENT):
            plays = there.get((id, created_at))
            if plays is not None and moment in plays:
                return
            if plays is not None and order <= self.last_sent:
                self.world.truth.allowed.setdefault(((id, created_at), moment), {0}).add(1)

    def memory(self, second: Second) -> tuple[str, bool]:
        """What is remembered of a second, "removing" where it is to be taken back; and whether nothing is under way now."""
        (id, created_at), moment = second
        rows = self.world.rows(REMEMBERED, id, created_at, moment)
        state, undo = rows[0] if rows else ("", 0)
        late = any(asked.method == "POST" for weather in self.world.weather.values() for _, asked in weather.late)
        # An older copy of the database knows of a wish when the journal has completed it.
        is_in_journal = second in self.wished
        is_wished = (state in ("sent", "adding") and (undo or is_in_journal)) or (not state and is_in_journal)
        return "removing" if is_wished else state, not (self.world.depth or late)

    # --- ours --------------------------------------------------------------------------------------------------------

    def undo(self) -> None:
        """A person takes back the plays that PlexSync has added to a scene."""
        scene = self.some_scene()
        if scene is None:
            return
        asked = {moment for moment, (_, wanted) in self._remembered(scene).items() if wanted}
        if (sure := self._wished(UNDO, scene)) is None:
            return
        world = self.world
        world.truth.undone.add(key_of(scene))
        remembered = self._remembered(scene)
        if not sure:
            # The wish may stand in the journal alone, and completes any copy that is put back later.
            self.wished |= {(key_of(scene), moment) for moment in remembered}
        for moment, (state, wanted) in remembered.items():
            # What was asked before is asked once.
            if moment not in asked and state in ("adding", "sent", "removing") and (wanted or not sure):
                world.truth.note_undone((key_of(scene), moment), sure=sure and state != "removing")
        world.tally["undone"] += sure
        world.tell(f"undo of scene {scene.id}{'' if sure else ', perhaps'}")

    def redo(self, scene: SceneSnapshot | None = None) -> None:
        """A person wants them again, of this scene or any."""
        scene = scene or self.some_scene()
        if scene is None:
            return
        before = self._remembered(scene)
        if (sure := self._wished(REDO, scene)) is None:
            return
        for moment, (state, wanted) in before.items():
            if state == "undone" or wanted:
                second, rows = (key_of(scene), moment), self.world.stash.plays.of(scene.id).count(moment)
                _, at_rest = self.memory(second)
                self.world.truth.note_redone(second, rows, sure=sure and at_rest and state == "undone")
                self.world.tally["redone"] += sure
        for second, rows in self.world.truth.allowed.items():
            is_new = self.is_put_back and second[0] == key_of(scene) and second[1] not in before
            if is_new and self.memory(second)[0] not in SEEN:
                # The journal may have told of it just now.
                rows.add(1)
        if sure:
            self.wished -= {(key_of(scene), moment) for moment in before}
        self.world.tell(f"redo of scene {scene.id}{'' if sure else ', perhaps'}")

    def _wished(self, wish: PlayWish, scene: SceneSnapshot) -> bool | None:
        """Make a wish for a scene; returns whether it was made for certain, None if it was not."""
        world, process = self.world, self.world.process

        def ask() -> Marked | str:
            parts = world.process.parts
            wishes = WishForPlays(parts.stash.watching, parts.gates, plays_recovery(parts), wish)
            try:
                marked = wish_undone(parts.store, wishes, parts.clock, [scene.id], "undo")
            except NeighbourError as error:
                world.tell(f"no wish for scene {scene.id}: {error}")
                return "not made"
            if marked.failed:
                world.tell(f"no wish for scene {scene.id}: {marked.failed[scene.id]}")
                return "not made"
            return marked

        marked = world.at_work("wish", ask)
        return None if marked == "not made" else isinstance(marked, Marked) and process is world.process

    def _remembered(self, scene: SceneSnapshot) -> dict[int, tuple[str, bool]]:
        """What is remembered of a scene's plays, and whether they are to be taken back."""
        sql = "select moment, state, undo from play where scene = ? and scene_created_at = ?"
        return {moment: (state, bool(undo)) for moment, state, undo in self.world.rows(sql, *key_of(scene))}

    def make_copies(self) -> None:
        """A person makes copies of Plex, of Stash and of our database."""
        world = self.world
        if "plex restored" in world.restores:
            shelf = PlexShelf(world.plex.backup(), dict(world.truth.content_of), tuple(self.hidden))
            self.plex_shelves = [*self.plex_shelves[1 - KEPT :], shelf]
        if "stash restored" in world.restores:
            self.stash_shelves = [
                *self.stash_shelves[1 - KEPT :],
                StashShelf(world.stash.backup(), Counter(world.truth.own)),
            ]
        if "database restored" in world.restores:
            self.put_back += 1
            path = world.copies / f"{self.put_back}.db"
            world.place.save(path)
            self.copies = [*self.copies[1 - KEPT :], path]
        world.tell("copies are made")

    def restore_plex(self) -> None:
        """Plex restores a backup of its own: what was played since is lost there, and keys are dealt again."""
        if not self.plex_shelves:
            return
        world, truth = self.world, self.world.truth
        shelf = self.rng.choice(self.plex_shelves)
        world.pass_time(AGES)
        world.plex.restore(shelf.backup)
        truth.content_of, self.hidden = dict(shelf.content_of), list(shelf.hidden)
        truth.gone.clear()
        # A page from before lists plays of keys that are dealt anew, and nothing could tell.
        world.pages.clear()
        world.tell(f"Plex: restored: {self._items()}")
        for section in self.sections:
            self.finish_scan(section)

    def restore_stash(self) -> None:
        """Stash restores a backup: rows since then are lost, and rows that were deleted since are back."""
        if not self.stash_shelves:
            return
        world, truth = self.world, self.world.truth
        shelf = self.rng.choice(self.stash_shelves)
        world.pass_time(AGES)
        before = self._rows()
        world.stash.restore(deepcopy(shelf.backup))
        truth.own = Counter(shelf.own)
        ((self.last_sent,),) = world.rows("select coalesce(max(sent_order), 0) from play")
        for scene in self.scenes():
            for path, *_ in scene.files:
                if self.spots[truth.contents[path]][0] != path:
                    world.stash.rename_file(path, self.spots[truth.contents[path]][0])
        world.tell("Stash: restored")
        now = self._rows()
        sent = {((id, at), moment) for id, at, moment in world.rows("select scene, scene_created_at, moment from play")}
        for second in sorted({*before, *now, *truth.allowed, *sent}):
            if before[second] != now[second] or second in truth.allowed or not now[second]:
                self._judge_anew(second, now[second], lost=before[second] > now[second])

    def _rows(self) -> Counter[Second]:
        return Counter(
            (key_of(scene), moment) for scene in self.scenes() for moment in self.world.stash.plays.of(scene.id)
        )

    def _judge_anew(self, second: Second, rows: int, *, lost: bool) -> None:
        """Stash has as many rows of a second as its backup had."""
        truth = self.world.truth
        state, sure = self.memory(second)
        if not sure or state in ("adding", "removing"):
            truth.allowed[second] = {*range(rows + 2)}
        elif rows or (state in SETTLED_WITHOUT and not lost):
            truth.allowed[second] = {1 if rows and state == "sent" else rows}
        else:
            # What PlexSync had added comes again only with evidence of the restore.
            truth.allowed[second] = {0, 1}

    def restore_database(self) -> None:
        """An older copy takes the place of our database: by our own command, or by hand."""
        if not self.copies:
            return
        world, truth = self.world, self.world.truth
        copy, by_command = self.rng.choice(self.copies), self.rng.random() < 0.5
        world.pass_time(AGES)

        def put(place: StorePlace) -> None:
            if by_command and isinstance(place, SqlitePlace):
                self.put_back += 1
                notes = {LAST_RECONCILE: "", CURSOR: "", RESTORED: str(world.clock.now())}
                backup.restore(copy, place.path, aside=f"plexsync.before-{self.put_back}.db", notes=notes)
                return
            place.put_back(copy)

        world.full = False
        # The journal keeps a wish, and any copy that is put back later is completed by it.
        self.wished |= {second for second in {*self._rows(), *truth.allowed} if self.memory(second)[0] == "removing"}
        self.is_put_back = True
        world.replace_database(f"an older copy is restored{' by command' * by_command}", put)
        truth.gone.clear()
        rows = self._rows()
        for second in sorted({*rows, *truth.allowed}):
            self._judge_memory(second, rows[second], wished=second in self.wished)

    def _judge_memory(self, second: Second, rows: int, *, wished: bool) -> None:
        """What is remembered of a second is what the copy has, and what the journal beside it tells."""
        truth = self.world.truth
        state, sure = self.memory(second)
        if not sure or wished or state in ("adding", "removing"):
            truth.allowed[second] = {*range(rows + 2)}
        elif rows:
            # The journal may know that it was sent.
            truth.allowed[second] = {1, rows}

    def fill_disk(self) -> None:
        """The disk fills up, or somebody makes room."""
        self.world.full = not self.world.full
        self.world.tell("the disk is full" if self.world.full else "there is room again")

    def some_time(self) -> None:
        """Time goes by, mostly a little."""
        world, rng = self.world, self.rng
        if rng.random() < 0.35 and world.idle_until is not None:
            seconds = max(0.05, min(3600.0, (world.idle_until - world.clock.now()) / 1000))
        else:
            seconds = rng.random() * (6 * 3600 if rng.random() < 0.05 else 900 if rng.random() < 0.15 else 30)
        world.tell(f"{seconds:.2f} s pass")
        world.pass_time(seconds)

    def minute(self) -> None:
        """The program runs by itself for a little while."""
        self.world.poll_history()
        for _ in range(5):
            self.world.listen()
            self.world.work()
            self.world.pass_time(self.rng.random() * 5)


SETTLED_WITHOUT = ("present", "deleted", "undone")
# What Stash has shown to be so: no wish to have it again changes that.
SEEN = ("present", "deleted")


def key_of(scene: SceneSnapshot) -> SceneKey:
    """What tells a scene from another one that gets its number after a restore."""
    return scene.id, scene.created_at
