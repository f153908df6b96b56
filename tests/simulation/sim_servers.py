"""Another kind of life: servers are replaced, restored and made anew, databases restored and lost, files swapped.

Hand edits and edits in Stash go on meanwhile. Whatever happens, no hand's edit is lost where it can be told, nothing is
written to a wrong item or to a server that nobody has agreed to, and no scene is stuck in silence. What can be told:

* A value of ours that a restored Plex shows again is ours if the item's time is older than the one that was read back.
* What we had sent before our own database was restored or lost is ours as long as the data folder is left.
* Anything else may be a person's. It stays, and is shown as such.

`python -m tests.simulation.sim_servers FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from plexsync.app.choices import accept, open_questions
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.queue.choices import Choice
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.simulator.http import Answer, Request
from plexsync.simulator.plex_server import ItemSnapshot
from plexsync.simulator.stash_model import SceneSnapshot
from tests.simulation.running import Lives
from tests.simulation.sim_changes import BoundItem, ServerPeople
from tests.simulation.sim_run import ROUNDS, Ending
from tests.simulation.sim_truth import LISTS, LOCKLESS, MARK, PICTURED, POSTER, Shown, Truth, Violation, held
from tests.simulation.sim_world import Nature, World
from tests.store_places import is_postgres

CHANGES = (
    "plex reinstalled",
    "plex restored",
    "library made anew",
    "library emptied",
    "files swapped",
    "stash restored",
    "stash wiped",
    "stash rebuilt",
    "database restored",
    "database log lost",
    "database deleted",
    "data folder lost",
)
DETAILS = "/library/metadata/"
WRITING = ("PUT", "POST", "DELETE")


def possible_changes() -> tuple[str, ...]:
    """Those that can happen to this kind of store: a server keeps its log where nobody copies files."""
    return tuple(kind for kind in CHANGES if kind != "database log lost" or not is_postgres())


def drawn_changes(seed: int) -> tuple[str, ...]:
    """What can happen to servers and databases in the life of a seed: little, so that one change does not hide another."""
    rng = Random(f"kinds {seed}")
    drawn = rng.sample(CHANGES, rng.choice((1, 1, 2, 3)))
    return tuple(kind for kind in drawn if kind in possible_changes()) or ("database restored",)


@dataclass
class ServerTruth(Truth):
    """The truth where keys and ids are dealt anew. `retired`: keys that were items once."""

    retired: set[str] = field(default_factory=set)
    in_flight: set[str] = field(default_factory=set)
    overtaken: list[Request] = field(default_factory=list)  # under way and late when its item got other files
    by_hand: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # content, field -> whatever hands put there

    def note_scalar(
        self, key: str, name: str, value: str, *, locked: bool, sure: bool, first: bool, wanted: str
    ) -> None:
        """A person has edited a scalar in Plex."""
        self.by_hand.setdefault((self.items[key].content, name), set()).add(value)
        super().note_scalar(key, name, value, locked=locked, sure=sure, first=first, wanted=wanted)

    def judge_write(self, asked: Request) -> None:
        """As for one server; what was under way when two files were swapped is judged by what is left in the end."""
        key = asked.params.get("id", "")
        if key not in self.items and key in self.retired:
            return
        if not self._is_overtaken(key, asked):
            super().judge_write(asked)
        shown, pushed = self.items[key], {name.partition(".")[0] for name, _ in asked.query}
        shown.written = True
        shown.pushed |= pushed
        shown.stranded = {name: value for name, value in shown.stranded.items() if name in LISTS or name not in pushed}

    def _is_overtaken(self, key: str, asked: Request) -> bool:
        """Whether the item got other files after this request was sent: what is left in the end is judged."""
        return key in self.in_flight or any(asked is late for late in self.overtaken)

    def judge_picture(self, asked: Request) -> None:
        """As for one server."""
        key = pictured[1] if (pictured := PICTURED.fullmatch(asked.path)) else ""
        if key not in self.items and key in self.retired:
            return
        # What an item showed when all was lost counts as what was there before us: it is chosen again, never sent.
        found = self.items[key].found_after_loss.get("poster") if key in self.items else ""
        is_put_back = asked.method == "PUT" and found and asked.params.get("url") == found
        if not self._is_overtaken(key, asked) and not is_put_back:
            super().judge_picture(asked)
        self.items[key].written = True

    def _judge_removal(self, key: str, item: Shown, kind: str, names: frozenset[str]) -> None:
        known = set().union(*(self.said.get(content, {}).get(kind, set()) for content in item.once))
        super()._judge_removal(key, item, kind, names - known)

    def judge_field(self, scene: int, key: str, item: ItemSnapshot, name: str, *, policy: Policy, adds: bool) -> str:
        """As for one server, but for what nobody can tell."""
        shown, have, want = self.items[key], held(item, name), self.wanted[scene][name]
        hand = shown.hands.get(name)
        if self._is_stranded(shown, item, name, want):
            return ""
        if not want and isinstance(have, str) and have and have == shown.found_after_loss.get(name):
            # For what Stash does not have, that is put back, even if the item has the file of another scene by now.
            return ""
        if isinstance(have, str) and (strange := set(MARK.findall(have)) - self.marks_of(shown.content)):
            return f"{have!r} is of {strange}"
        if {name, "*"} & shown.doubts:
            return ""
        wrong = super().judge_field(scene, key, item, name, policy=policy, adds=adds)
        if not wrong or (shown.forgotten and not want):
            # What was there before us is forgotten: what to put back for what Stash has emptied, nobody knows.
            return ""
        if shown.restored and not want and have == "" and hand is None and name not in item.locks:
            # The same where it was put back and forgotten, and Plex then restored to what we had written over it.
            return ""
        if not want and have and name not in item.locks and have in [said.get(name) for said in shown.forerunners]:
            # What was found on the item that had this key and this file before Plex was restored is put back.
            return ""
        if (shown.restored or shown.forgotten) and have in self.by_hand.get((shown.content, name), ()):
            # A hand's, maybe of what came after the backup: then it was remembered as what was there before us.
            return ""
        if hand and shown.forgotten and policy.first_push == "stash" and have == want:
            return ""
        if shown.blind and self._was_ours(shown, name, want, have):
            return ""
        return wrong

    def _is_stranded(self, shown: Shown, item: ItemSnapshot, name: str, want: object) -> bool:
        """Whether a field shows nothing but what the item showed when what was remembered of it was lost.

        That counts as a hand's. If the files of the item were swapped, it may be another scene's, and nothing tells that
        we wrote it.
        """
        if name not in shown.stranded:
            return False
        have = held(item, name)
        if isinstance(have, frozenset) and isinstance(want, frozenset):
            if shown.added.get(name, set()) - have:
                return False
            known = shown.stranded[name] | shown.agent.get(name, frozenset()) | shown.ever_added.get(name, set())
            return have <= known | want and not want - have - shown.removed.get(name, set())
        return bool(have) and have == shown.stranded[name] and (name in item.locks or name in LOCKLESS)

    def _was_ours(self, shown: Shown, name: str, want: object, have: object) -> bool:
        """Whether a field shows nothing that neither we, nor a hand, nor the agent had put there."""
        said = self.said.get(shown.content, {}).get(name, set())
        if isinstance(have, frozenset) and isinstance(want, frozenset):
            agent = shown.agent.get(name, frozenset())
            known = said | set(agent) | shown.ever_added.get(name, set())
            return have <= known and not want - have - shown.removed.get(name, set())
        return have in said


class ServerWorld(World):
    """A world in which servers change. Its other troubles are fewer, so that they do not hide what these do.

    `kinds`: what can happen to them; None: what is drawn for the seed.
    """

    truth: ServerTruth
    people: ServerPeople

    def __init__(self, seed: int, folder: Path, kinds: tuple[str, ...] | None = None) -> None:
        self.kinds = drawn_changes(seed) if kinds is None else kinds
        self.written_at: dict[str, float] = {}
        self.read_back: dict[str, int] = {}
        self.locked: dict[str, frozenset[str]] = {}  # the locks of the item that is being edited, as they were before
        self.copies = folder / "copies"
        self.copies.mkdir()
        (folder / "data").mkdir(mode=0o700)
        super().__init__(seed, folder / "data")
        self._failing = 0.0

    def _drawn(self) -> Nature:
        nature, rng = Nature.of(self.rng), Random(f"servers {self.seed}")
        calm = rng.random() < 0.5
        return replace(
            nature,
            kills=0.0 if calm else min(nature.kills, 0.01),
            meanwhile=0.0 if calm else nature.meanwhile,
            blips=0.0,
            outages=nature.outages and not calm,
            bars=False,
            leaps=False,
            full_disk=False,
            poison=False,
            setting=replace(nature.setting, undo_gone=rng.random() < 0.25),
        )

    def _has_only_hooks(self) -> bool:
        return False

    def _takes_back(self) -> bool:
        return False

    def _is_indexing(self, asked: Request) -> bool:
        # Where libraries are other ones, the walk asks the server who it is.
        return asked.path == "/" or super()._is_indexing(asked)

    def _truth(self, fields: tuple[str, ...]) -> ServerTruth:
        return ServerTruth(fields)

    @property
    def in_flight(self) -> set[str]:
        """The items whose files were swapped since the last step began."""
        return self.truth.in_flight

    @in_flight.setter
    def in_flight(self, keys: set[str]) -> None:
        self.truth.in_flight = keys

    def overtake(self, keys: set[str]) -> None:
        """What is under way to these items was sent before they got other files."""
        self.in_flight |= keys
        self.truth.overtaken += self._late_to(keys)

    def end_flight(self) -> None:
        """What was sent in this step to an item that got other files in it, and is late, was planned before that."""
        self.truth.overtaken += self._late_to(self.in_flight)
        self.in_flight.clear()

    def _late_to(self, keys: set[str]) -> list[Request]:
        late = [asked for weather in self.weather.values() for _, asked in weather.late]
        return [asked for asked in late if target_of(asked) in keys]

    def drop_late(self) -> None:
        """What is under way to a server that ends reaches no other one."""
        for weather in self.weather.values():
            weather.late.clear()

    # --- judging what is sent ----------------------------------------------------------------------------------------

    def before_request(self, who: Neighbour, asked: Request) -> None:
        super().before_request(who, asked)
        key = asked.params.get("id", "")
        is_edit = who is Neighbour.PLEX and asked.method == "PUT" and self.people is not None
        self.locked = {key: self.plex.item(key).locks} if is_edit and key in self.people.visible() else {}

    def carried_out(self, who: Neighbour, asked: Request, answer: Answer) -> None:
        if who is Neighbour.PLEX and self.people is not None:
            if asked.method in WRITING:
                self._judge_agreed(asked)
            self._note(asked, answer)
        super().carried_out(who, asked, answer)

    def _note(self, asked: Request, answer: Answer) -> None:
        """When each item was last written to, and the time that it showed when it was read back after that."""
        if asked.method in WRITING:
            key = target_of(asked)
            self.written_at[key] = self.clock.steady
            self.read_back.pop(key, None)
        elif asked.path.startswith(DETAILS) and answer.status == 200:
            for key in asked.path.removeprefix(DETAILS).replace("%2C", ",").split(","):
                if key in self.written_at and key in self.truth.items and key not in self.read_back:
                    try:
                        self.read_back[key] = self.plex.item(key).updated_at
                    except KeyError:
                        continue

    def _judge_agreed(self, asked: Request) -> None:
        """Nothing is written to another server before a person has agreed, nor taken back for scenes that a person has not
        given up.
        """
        foreign = self.people.foreign
        place = urlsplit(asked.target)
        if foreign.old_plex is not None:
            raise Violation(
                "wrong", f"{asked.method} {place.path}?{place.query[:200]} to another Plex, and nobody was asked"
            )
        if foreign.wiped is not None and not foreign.gone_for_good:
            key = target_of(asked)
            content = self.truth.items[key].content if key in self.truth.items else ""
            is_wanted = content in self.truth.owner and self.truth.owner[content] in self.truth.wanted
            is_late = any(asked is late for late in foreign.sent_before)
            if is_wanted and not is_late and not self._is_canary(key, asked):
                raise Violation(
                    "wrong", f"{key} of {content} was written to while Stash was empty, and nobody was asked"
                )

    def _is_canary(self, key: str, asked: Request) -> bool:
        """Whether an edit only sends locks again that the item had: it changes nothing, whatever Stash has lost."""
        edited = [(name, value) for name, value in asked.query if name not in ("type", "id")]
        names = {name.removesuffix(".locked") for name, _ in edited}
        locks_only = all(name.endswith(".locked") and value == "1" for name, value in edited)
        return bool(names) and locks_only and names <= self.locked.get(key, frozenset())

    # --- our database ------------------------------------------------------------------------------------------------

    def has_met_plex(self) -> bool:
        """Whether we know a Plex, so that another one can be told from it."""
        return bool(self.rows("select 1 from server"))

    # --- questions ---------------------------------------------------------------------------------------------------

    def questions(self) -> list[Choice]:
        """What a person is asked now."""
        return list(open_questions(self.process.parts))

    def work(self) -> None:
        if self.at_rest and self.process is not None:
            self.answer()
        super().work()

    def answer(self) -> None:
        """A person answers what is asked, if anything is."""
        if self.process is not None:
            answer_questions(self)


def target_of(asked: Request) -> str:
    """The key of the item that a write is for."""
    found = PICTURED.fullmatch(asked.path)
    return found[1] if found else asked.params.get("id", "")


def answer_questions(world: ServerWorld) -> None:
    """Accept each change that is asked about, or go back, at random."""
    people, foreign = world.people, world.people.foreign
    for choice in world.questions():
        world.tally[f"asked: {choice}"] += 1
        back, keep = {
            Choice.PLEX_SERVER: (people.put_plex_back if foreign.old_plex else None, people.keep_plex),
            Choice.SCENES_GONE: (people.unwipe if foreign.wiped is not None else None, people.give_up_scenes),
            Choice.ITEMS_GONE: (people.mount if foreign.emptied else None, _nothing),
            Choice.STASH: (people.put_stash_back if foreign.old_stash else None, people.keep_stash),
        }[choice]
        if back is not None and people.luck.random() < 0.5:
            world.tell(f"asked about {choice}: back")
            back()
            continue
        world.tell(f"asked about {choice}: accepted")
        keep()
        world.at_work(f"accept {choice}", partial(accept, world.process.parts, choice))


def _nothing() -> None:
    pass


class ServerEnding(Ending):
    """Everything is put where it belongs, every question is answered, and what is left is judged."""

    world: ServerWorld
    people: ServerPeople

    def judge(self) -> None:
        """Raise Violation for whatever is not as it was promised."""
        self._judge_blame()
        self.people.note_swapped()
        self._end_trouble()
        self.people.unwipe()
        self.people.mount()
        self._come_to_rest()
        self._judge_rows()
        self._judge_scenes()
        self._judge_silence()
        self.world.judge_books()
        self.world.judge_database()

    def _judge_blame(self) -> None:
        for kind, id, cls, error in self.world.rows("select kind, id, cls, error from job where state = 'dead'"):
            if cls != "ambiguous" and not (cls == "poison" and self._may_be_poison()):
                raise Violation("lost", f"{kind} {id} died of {cls}: {error}")

    def _come_to_rest(self) -> None:
        world = self.world
        for section in self.people.sections:
            self.people.finish_scan(section)
        self._work()
        for n in range(ROUNDS):
            world.pass_time(600)
            world.poll()
            self._work()
            if n == 1:
                self._retry()
                self._work()
            world.pass_time(600)
            self._work()
            try:
                found = world.process.reconciler.reconcile(anew=n == 0)
            except NeighbourError as error:
                world.tell(f"no reconcile: {error}")
                self._work()
                continue
            world.tell(f"reconcile: {found}")
            self._judge_asked()
            # What a person has ignored differs for good.
            left = found.standing["differs"] + found.standing["failed"]
            if n > 1 and not found.wanted and left <= len(self.people.ignored):
                return
        raise Violation("lost", f"no rest after {ROUNDS} rounds: {world.states()}, {world.questions()}")

    def _judge_asked(self) -> None:
        if self.people.foreign.old_plex is not None and Choice.PLEX_SERVER not in self.world.questions():
            raise Violation("wrong", "all is compared with another Plex, and nobody is asked")

    def _judge_rows(self) -> None:
        people = self.people
        there = {scene.id: scene for scene in people.scenes()}
        for kind, id, state, cls, error in self.world.rows("select kind, id, state, cls, error from job"):
            scene = there.get(id) if kind == "scene" else None
            if scene is None:
                if kind != "scene" or state not in ("gone", "idle", "ignored"):
                    raise Violation("lost", f"{kind} {id} is no more, and its row is {state}: {error}")
            elif state == "ignored":
                if id not in people.ignored or id in people.others().keys() - people.doubtful():
                    raise Violation("lost", f"scene {id} is ignored, and it is another one than a person has ignored")
            elif self._is_kept_by_a_held_binding(scene):
                continue
            elif state == "dropped" and cls == "elsewhere":
                if not self._has_only_lost_items(scene):
                    raise Violation("lost", f"scene {id} rests ({error}), and its item is its own")
            elif state == "dead" and cls == "ambiguous":
                if not self._asks_for_its_word(scene) and self._right_state(scene, cls) != "dead":
                    raise Violation("lost", f"scene {id} is dead ({error})")
            elif state != (right := self._right_state(scene, cls)):
                raise Violation("lost", f"scene {id} is {state} ({error}), not {right}")

    def _asks_for_its_word(self, scene: SceneSnapshot) -> bool:
        """Whether a person has to say again what was said of another scene under its id, or of an item that it has lost."""
        if scene.id in self.people.others().keys() | self.people.doubtful() or self._has_only_lost_items(scene):
            return True
        told = self._bound().get(scene.id)
        return told is not None and (
            told.created_at != scene.created_at or told.key not in {item.key for item in self._targets(scene)}
        )

    def _has_only_lost_items(self, scene: SceneSnapshot) -> bool:
        """Whether its only items are bound to other scenes that have lost them by a swap of files: a bound item belongs to
        its scene alone, until a person unbinds it.
        """
        truth, bound = self.world.truth, self._bound()
        items = {item.key for item in super()._targets(scene)}
        lost = {
            told.key
            for other in self.people.scenes()
            if (told := bound.get(other.id)) and told.key in items
            if truth.items[told.key].content not in truth.of(other)
        }
        return bool(items) and items == lost

    def _bound(self) -> dict[int, BoundItem]:
        """The bindings that hold. On a server that was accepted, and in a library that was made anew, the key of a bound
        item is another item's: the person has to bind the scene again, and until then its files decide.
        """
        return {id: told for id, told in self.people.bound.items() if self._is_in_its_library(told)}

    def _is_in_its_library(self, told: BoundItem) -> bool:
        try:
            item = self.world.plex.item(told.key)
        except KeyError:
            # Plex has nothing under this key, so nothing tells that it is another one's: the scene waits for a word.
            return True
        return item.type != "movie" or item.library == told.library

    def _targets(self, scene: SceneSnapshot) -> list[ItemSnapshot]:
        """The items of a scene: the one that a person has bound to it, and none that is bound to another one."""
        items, bound = super()._targets(scene), self._bound()
        told = bound.get(scene.id)
        if told is not None and told.created_at == scene.created_at:
            return [item for item in items if item.key == told.key]
        others = {told.key for id, told in bound.items() if id != scene.id} - self._loose()
        return [item for item in items if item.key not in others]

    def _loose(self) -> set[str]:
        """The items bound to a scene that is gone, or whose id is another scene's now: a held binding keeps its item."""
        there = {scene.id: scene.created_at for scene in self.people.scenes()}
        return {told.key for id, told in self._bound().items() if there.get(id) != told.created_at}

    def _is_kept_by_a_held_binding(self, scene: SceneSnapshot) -> bool:
        """Whether a scene's item may be withheld from it: that of a binding which waits for a person's word."""
        return bool({item.key for item in self._targets(scene)} & self._loose())

    def _judge_scenes(self) -> None:
        dead = {id for (id,) in self.world.rows("select id from job where kind = 'scene' and state = 'dead'")}
        for scene in self.people.scenes():
            if (
                scene.id not in self.people.ignored
                and scene.id not in dead
                and not self._is_kept_by_a_held_binding(scene)
            ):
                self._judge_shown(scene, self._targets(scene), self.world.truth.fields)

    def _judge_silence(self) -> None:
        """What Plex does not show as Stash says is said to be so, by name."""
        idle = [id for (id,) in self.world.rows("select id from job where kind = 'scene' and state = 'idle'")]
        scenes = {scene.id: scene for scene in self.people.scenes()}
        for inspection in self.world.process.parts.inspector.look([id for id in idle if id in scenes]):
            wanted = self.world.truth.wanted[inspection.id]
            for target in inspection.targets:
                noted = {note.field for note in target.plan.notes} | set(target.plan.edit)
                item = self.world.plex.item(target.item.key)
                for name in self.world.truth.fields:
                    if name in LISTS or name == POSTER or not wanted[name]:
                        continue
                    # What a hand set between a write and its read-back counts as read back.
                    midway = (item.key, name) in self.people.midway
                    if held(item, name) != wanted[name] and name not in noted and not midway:
                        raise Violation(
                            "lost", f"scene {inspection.id} lacks {name} in item {item.key}, and nothing says so"
                        )


# --- running ---------------------------------------------------------------------------------------------------------


def _live(world: ServerWorld, steps: int) -> None:
    people = world.people = ServerPeople(world)
    world.tell(f"changes: {world.kinds}, {world.nature}")
    for _ in range(steps):
        people.act()
        world.judge_books()
    ServerEnding(world, people).judge()


LIVES = Lives(ServerWorld, _live)
run_server_seeds, run_server_seed = LIVES.run, LIVES.run_seed


if __name__ == "__main__":
    LIVES.main(__doc__)
