"""Lives with dressed collections: they show what Stash says, and what a person sets in Plex stays, whatever happens.

Scenes come, go and change what they belong to; studios, groups, tags and performers are edited and renamed in Stash, their
collections in Plex; people edit every part by hand, undo and redo, and switch parts off and on; requests are lost or
late, the process is killed at any boundary, and its database is restored. When it has calmed down, the simulators decide:

* Each collection shows what Stash says in every part that nobody has edited, and what was edited as it was edited.
* An item is in the collections of its scene, by the titles that they have, and no other collection of ours is left.
* Smart and foreign collections are as they were, byte for byte.
* Nothing is written or uploaded when everything is run again, and the books balance.

`python -m tests.simulation.sim_collections FIRST COUNT STEPS` runs a range by hand and prints the history of what fails.
"""

import re
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

from plexsync.app.choices import accept, open_questions
from plexsync.app.dressing import CollectionDressing, collection_dressing
from plexsync.app.further_flows import forget_dressing
from plexsync.app.parts import Assembled
from plexsync.app.rules import PartSettings
from plexsync.app.run import engine_on
from plexsync.engine.rules import WorkRules
from plexsync.flows.scenes.rules import LookRules
from plexsync.plex.client import PlexClient
from plexsync.plex.events import PlexEvents
from plexsync.rules.collections.collections import PARTS, SOURCES, TEMPLATE_NAMES, Dressing
from plexsync.rules.item import FIELDS
from plexsync.rules.merge import choice, template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.queue.job import COLLECTION, Kind, Why
from plexsync.rules.servers.errors import Neighbour, NeighbourError
from plexsync.rules.words.text import fold
from plexsync.simulator.http import Answer, Request
from plexsync.simulator.plex_server import CollectionSnapshot
from plexsync.stash.client import StashClient
from tests.engine.clocks import Clock
from tests.engine.house import BREAKER
from tests.engine.pools import Inline
from tests.simulation.running import Lives
from tests.simulation.sim_curators import (
    PLAIN_PARTS,
    ROOTS,
    SETTINGS,
    Curators,
    Hand,
    Thing,
    as_it_is,
    is_in_order,
    shown_part,
)
from tests.simulation.sim_process import KEY, TOKEN, SimDice, SimStore
from tests.simulation.sim_run import ROUNDS, Ending
from tests.simulation.sim_truth import Violation
from tests.simulation.sim_wire import CONNECT, PICTURES, READ
from tests.simulation.sim_world import Nature, World

SORT = template.parse_template("~{name}", TEMPLATE_NAMES)
EDITED = re.compile(r"(title|titleSort|summary|thumb|art)\.(?:value|locked)")
MOVED = re.compile(r"/library/collections/(\d+)/items/")
PREFS = re.compile(r"/library/metadata/(\d+)/prefs")
MANAGED = re.compile(r"/hubs/sections/\d+/manage(?:/custom\.collection\.\d+\.(\d+))?")
UPLOADED = re.compile(r"/library/metadata/(\d+)/(poster|art|thumb)s?")
READ_ITEMS = re.compile(r"/library/metadata/([\d,]+)")
READ_MEMBERS = re.compile(r"/library/collections/(\d+)/items")
READ_HOMES = re.compile(r"/hubs/sections/(\d+)/manage")
HISTORY = 600


class CollectionsProcess:
    """The parts with dressed collections, as `sim_process.Process` has them for scenes."""

    def __init__(
        self, world: "CollectionsWorld", wires: dict[Neighbour, object], clock: Clock, rng: SimDice, holder: str
    ) -> None:
        self.store = SimStore.at(world.place, world)
        timeouts = {"connect_timeout": CONNECT, "read_timeout": READ}
        stash = StashClient("http://stash", KEY, clock=clock, transport=wires[Neighbour.STASH], **timeouts)
        plex = PlexClient("http://plex", TOKEN, clock=clock, transport=wires[Neighbour.PLEX], **timeouts)
        self._clients = (stash, plex)
        self.clock = clock
        setting, profiles = world.setting, dict(zip(("movies", "others"), world.profiles, strict=True))
        settings = PartSettings(
            looks=LookRules(world.profiles[0], setting.policy, libraries=profiles),
            work=WorkRules(
                batch=setting.batch, parallel=setting.parallel, deadline=round(2000 * READ), retention=setting.retention
            ),
            breaker=BREAKER,
            fingerprints=dict.fromkeys(Neighbour, "as set up"),
            print_of_all=repr(world.profiles),
            wishes=f"wishes{world.switched}",
        )
        events = PlexEvents("http://plex", TOKEN, **timeouts)
        parts = self.parts = Assembled(self.store, stash, plex, clock, rng, settings, events=events)
        self.indexer, self.poller, self.reconciler = parts.indexer, parts.poller, parts.reconciler
        self.gates = parts.gates
        self.dressing: CollectionDressing = collection_dressing(parts)
        self.engine = engine_on(parts, holder=holder, pool=Inline(), further=[self.dressing.parts_to_add()])

    def kill(self) -> None:
        self.store.close()
        for client in self._clients:
            client.close()


class CollectionsTruth:
    """What collections have to show. Judges each write when it arrives: no hand's work may be overwritten."""

    fields = ()

    def __init__(self) -> None:
        self.seq = 0
        self.items: dict[str, object] = {}
        self.hands: dict[tuple[str, str], Hand] = {}
        self.read_at: dict[str, int] = {}
        # Each part as PlexSync has last read it, also as of its last commit, and those that it has read differently since a
        # hand was there.
        self.last_read: dict[tuple[str, str], object] = {}
        self.saved_reads: dict[tuple[str, str], object] = {}
        self.noticed: set[tuple[str, str]] = set()
        # What was written and not read since: whatever a hand sets meanwhile is read back as what was left there.
        self.unread: set[tuple[str, str]] = set()
        self.homes_at: dict[str, int] = {}

    def note_read(self, key: str, part: str, shown: object) -> None:
        """PlexSync reads a part of a collection."""
        pair = (key, part)
        is_as_left = pair in self.unread or (pair in self.last_read and not _differ(part, self.last_read[pair], shown))
        if pair in self.hands and not is_as_left:
            self.noticed.add(pair)
        self.unread.discard(pair)
        self.last_read[pair] = shown

    def save_reads(self) -> None:
        """PlexSync commits: what it has read until now it can know."""
        self.saved_reads = dict(self.last_read)

    def forget_reads(self) -> None:
        """Of what a process read and did not save before it was killed, the next one knows nothing."""
        self.last_read = dict(self.saved_reads)

    def note_unpictured(self, contents: list[str]) -> None:
        """Nothing: pictures are sent again until they arrive."""

    def judge_write(self, asked: Request) -> None:
        """Nothing: `CollectionsWorld.carried_out` judges."""

    judge_picture = judge_write


class CollectionsWorld(World):
    """A world in which the collections of two libraries are dressed."""

    people: Curators

    def __init__(self, seed: int, folder: Path) -> None:
        self.chance = Random(f"collections {seed}")
        self.switched = 0
        self.names = self.chance.random() < 0.8
        self.profiles = tuple(self.draw_profile() for _ in ROOTS)
        self.shares = self.chance.random() < 0.3
        self.restores = self.chance.random() < 0.3
        self.kept: Path | None = None
        self.copies = folder / "copies"
        self.copies.mkdir()
        (folder / "data").mkdir(mode=0o700)
        super().__init__(seed, folder / "data")
        self.history = deque(maxlen=HISTORY)

    def draw_profile(self) -> Profile:
        """What a library shows of its collections."""
        rng = self.chance
        everything = rng.random() < 0.5
        parts = frozenset(part for part in PARTS if everything or part == "name" or rng.random() < 0.6)
        if not self.names:
            parts -= {"name"}
        dressing = Dressing(
            parts=parts,
            sorts=dict.fromkeys(SOURCES[:4], SORT) if rng.random() < 0.5 else {},
            minimum=rng.choice((1, 1, 1, 2)),
            mode=rng.choice(("", "hidden", "items_hidden")),
            home=choice.parse_patterns(["*A*"]) if rng.random() < 0.5 else choice.Patterns(),
        )
        collections = frozenset({"studio", "groups", *(["performers"] if rng.random() < 0.7 else [])})
        return Profile(
            frozenset(FIELDS) - {"userRating"},
            tag_collections=choice.parse_patterns(["Series*"]),
            collections=collections,
            dressing=dressing,
        )

    def _drawn(self) -> Nature:
        nature = Nature.of(self.rng)
        setting = replace(nature.setting, policy=Policy())
        return replace(
            nature, bars=False, poison=False, leaps=False, own_clock=True, replaces_lists=False, setting=setting
        )

    def _has_only_hooks(self) -> bool:
        return False

    def _takes_back(self) -> bool:
        return False

    def _is_pictured(self) -> bool:
        return False

    def _truth(self, fields: tuple[str, ...]) -> CollectionsTruth:
        return CollectionsTruth()

    def _is_indexing(self, asked: Request) -> bool:
        return asked.path in ("/", "/identity") or super()._is_indexing(asked)

    def _hire(self) -> None:
        self.hired += 1
        self.wires = {
            who: self._wire(who, sim) for who, sim in ((Neighbour.PLEX, self.plex), (Neighbour.STASH, self.stash))
        }
        self.process = CollectionsProcess(self, self.wires, self.clock, self._rng_of_ours, f"holder {self.hired}")
        self.paused_until, self.idle_until = 0.0, 0
        self.process.engine.reclaim()
        if not self.process.dressing.is_on:
            forget_dressing(self.process.parts)
        self.tell(f"process {self.hired} starts")

    def compare(self) -> None:
        """The collections are compared, if that is due."""
        self.at_work("compare", lambda: self.tell(f"compared: {self.process.dressing.comparison.run_if_due()}"))

    def switch(self) -> None:
        """A person changes the settings of a library; the process begins anew."""
        self.switched += 1
        number = self.chance.randrange(2)
        profile = self.draw_profile()
        self.profiles = tuple(profile if n == number else old for n, old in enumerate(self.profiles))
        self.tell(f"library {number} is set to {profile.dressing} of {sorted(profile.collections)}")
        self._bury()
        self.back_at = 0.0

    def after_commit(self) -> None:
        self.truth.save_reads()
        super().after_commit()

    def _guarded(self, what: str, work: Callable[[], object]) -> object:
        if not self.depth:
            self.truth.forget_reads()
        return super()._guarded(what, work)

    # --- judging writes ----------------------------------------------------------------------------------------------

    def carried_out(self, who: Neighbour, asked: Request, answer: Answer) -> None:
        truth = self.truth
        truth.seq += 1
        if who is not Neighbour.PLEX:
            return
        if asked.method == "GET":
            if found := READ_ITEMS.fullmatch(asked.path):
                truth.read_at |= dict.fromkeys(found[1].split(","), truth.seq)
            self._note_reads(asked)
            return
        if asked.path.startswith("/library/sections") or asked.path.startswith("/library") or "manage" in asked.path:
            self.tally["writes"] += 1
            self.tally["uploads"] += asked.method == "POST" and bool(PICTURES.fullmatch(asked.path))
            self.tell(f"Plex: {asked.method} {asked.target[:260]} -> {answer.status}")
        if answer.status < 300:
            self._judge_collection_write(asked)

    def _note_reads(self, asked: Request) -> None:
        truth, ours, path = self.truth, self.people.ours(), asked.path
        if found := READ_ITEMS.fullmatch(path):
            read = dict.fromkeys(found[1].split(","), (*PLAIN_PARTS, "thumb", "art", "mode"))
        elif found := READ_MEMBERS.fullmatch(path):
            read = {found[1]: ("order",)}
        elif found := READ_HOMES.fullmatch(path):
            # Of those alone that were read for it as well: the answer has all of the library.
            began, truth.homes_at[found[1]] = truth.homes_at.get(found[1], 0), truth.seq
            here = [key for section, key in ours if section == found[1]]
            read = {key: ("home",) for key in here if truth.read_at.get(key, 0) > began}
        else:
            return
        for _, key in ours:
            for part in read.get(key, ()):
                truth.note_read(key, part, shown_part(self.people.plex.collection(key), part))

    def _judge_collection_write(self, asked: Request) -> None:
        truth = self.truth
        key, parts = parts_of(asked)
        truth.unread |= {(key, part) for part in parts}
        for part in parts:
            hand = truth.hands.get((key, part))
            if hand is None or (key, part) in self.people.open_parts:
                continue
            wanted = self.people.wanted_of_key(key, part)
            is_unseen = hand.seq > truth.read_at.get(key, 0) or (key, part) not in truth.noticed
            if is_unseen or wanted != hand.wanted or self.people.doubts_after(hand.seq):
                # It was planned before, the hand has left all as it was last read, or Stash has changed the part as well.
                del truth.hands[key, part]
                self.people.open_parts.add((key, part))
                continue
            raise Violation(
                "wrong", f"{part} of collection {key} was edited by hand ({hand}), and is written: {asked.target[:300]}"
            )


def _differ(part: str, before: object, now: object) -> bool:
    """Whether a part shows another value; of an order, the items count that are members still."""
    if part != "order":
        return before != now
    both = {*before} & {*now}
    return [each for each in before if each in both] != [each for each in now if each in both] or before[0] != now[0]


def parts_of(asked: Request) -> tuple[str, list[str]]:
    """The collection that a request writes to, and the parts of it."""
    if found := MOVED.match(asked.path):
        return found[1], ["order"]
    if found := PREFS.fullmatch(asked.path):
        names = {"collectionMode": "mode", "collectionSort": "order"}
        return found[1], [part for name, part in names.items() if name in asked.params]
    if found := MANAGED.fullmatch(asked.path):
        return found[1] or asked.params.get("metadataItemId", ""), ["home"]
    if found := UPLOADED.fullmatch(asked.path):
        return found[1], ["art" if found[2] == "art" else "thumb"]
    key = asked.params.get("id", "") or asked.path.rpartition("/")[2]
    # A lock alone changes nothing that is shown.
    return key, [found[1] for name, _ in asked.query if (found := EDITED.fullmatch(name)) and name.endswith("value")]


class CollectionsEnding(Ending):
    """Everything calms down, and the collections are judged."""

    world: CollectionsWorld
    people: Curators

    def judge(self) -> None:
        """Raise Violation for whatever is not as it was promised."""
        self._end_trouble()
        self.world.pass_time(120)
        self._come_to_rest()
        self._judge_all()
        self.world.tell("--- redo ---")
        self.people.redo()
        self._come_to_rest()
        self._judge_all()
        self._run_everything_again()
        self._judge_all()
        self.world.judge_books()
        self.world.judge_database()

    def _come_to_rest(self) -> None:
        for number in range(ROUNDS):
            before = self.world.tally["writes"]
            is_compared = self._round(retry=number == 1)
            if is_compared and self.world.tally["writes"] == before and number > 1:
                return
        raise Violation("lost", f"no rest after {ROUNDS} rounds")

    def _round(self, *, retry: bool = False) -> bool:
        """Whether all could be compared: a server that asked for patience is not asked before that is over."""
        world, is_compared = self.world, False
        world.pass_time(600)
        world.poll()
        self._answer()
        self._work()
        if retry:
            self._retry()
            self._work()
        try:
            world.tell(f"reconcile: {world.process.reconciler.reconcile()}")
            self._work()
            world.tell(f"compared: {world.process.dressing.comparison.compare()}")
            is_compared = True
        except NeighbourError as error:
            world.tell(f"not compared: {error}")
        self._work()
        return is_compared

    def _answer(self) -> None:
        for question in open_questions(self.world.process.parts) if self.world.process else ():
            # Many of the few scenes are gone, and a person says that they are.
            self.world.tell(f"asked about {question}: accepted")
            accept(self.world.process.parts, question)

    def _run_everything_again(self) -> None:
        before = self.world.tally["writes"]
        with self.world.process.store.writing() as tx:
            for id in self.people.stash.scene_ids():
                tx.jobs.want(Kind.SCENE, id, Why.SWEEP, self.world.clock.now())
            for row in tx.collections.page(after=0, limit=1000):
                tx.jobs.want(COLLECTION, row.id, Why.SWEEP, self.world.clock.now())
        self._round()
        if sent := self.world.tally["writes"] - before:
            raise Violation("wrong", f"{sent} writes when everything was run again")

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_all(self) -> None:
        for kind, id, state, cls, error in self.world.rows("select kind, id, state, cls, error from job"):
            if state not in ("idle", "absent", "gone"):
                raise Violation("lost", f"{kind} {id} is left {state} ({cls}): {error}")
        self._judge_foreign()
        wanted = {}
        for number, section in enumerate(self.people.sections):
            wanted |= self._judge_library(section, self.world.profiles[number])
        left = [(section, key) for section, key in self.people.ours() if key not in wanted]
        if left and not self.people.doubts:
            titles = [(key, self.people.plex.item(key).scalars["title"]) for _, key in left]
            raise Violation("wrong", f"collections that nobody wants are left: {titles}")

    def _judge_foreign(self) -> None:
        for key, before in self.people.foreign.items():
            now = as_it_is(self.people.plex.collection(key))
            if now != before:
                raise Violation("wrong", f"foreign collection {key} was {before}, and is {now}")

    def _judge_library(self, section: str, profile: Profile) -> dict[str, Thing]:
        people, plex = self.people, self.people.plex
        rows = {
            (source, id): (key, name, memory, standing)
            for source, id, key, name, memory, standing in self.world.rows(
                "select source, object, item, name, memory, standing from collection where section = ?", section
            )
        }
        members: dict[tuple[str, int], set[str]] = {}
        for key in plex.keys(section):
            if scene := people.scene_of(key):
                for thing in people.belongs(scene):
                    if people.is_wanted(thing, profile):
                        members.setdefault((thing.kind, thing.id), set()).add(key)
        found: dict[str, Thing] = {}
        titles = plex.collection_keys(section)
        for pair, items in members.items():
            thing = people.things[pair]
            if not profile.dressing.is_on:
                if key := titles.get(thing.name):
                    found[key] = thing
                continue
            if pair not in rows:
                raise Violation("lost", f"{pair} {thing.name!r} has no row in library {section}")
            key, name, memory, standing = rows[pair]
            if not key and people.doubts:
                continue
            if not key:
                raise Violation(
                    "lost", f"{pair} {thing.name!r}, {name!r} was not found in library {section} ({standing})"
                )
            found[key] = thing
            if key in people.foreign:
                continue
            seen = plex.collection(key)
            sharing = [pair for pair in members if rows.get(pair, ("",))[0] == key]
            items = set().union(*(members[pair] for pair in sharing))
            if items != set(seen.members) and not people.doubts:
                raise Violation("lost", f"{thing}: {name!r} has members {seen.members}, not {sorted(items)}")
            if standing == "shared":
                self.world.tally["judged shared"] += 1
                continue
            if memory and b'"undone":"' in memory.replace(b'"undone":""', b""):
                self.world.tally["judged undone"] += 1
                continue
            for part in (*PLAIN_PARTS, "thumb", "art", *SETTINGS):
                self._judge_part(thing, profile, key, seen, part)
        self._judge_titles(section, members, rows, profile)
        return found

    def _judge_part(self, thing: Thing, profile: Profile, key: str, seen: CollectionSnapshot, part: str) -> None:
        people = self.people
        have, want = shown_part(seen, part), people.wanted(thing, profile, part)
        hand = self.world.truth.hands.get((key, part))
        if (key, part) in people.open_parts:
            return
        if hand is not None:
            if part == "order":
                return
            allowed = {hand.value} | ({want} if want != hand.wanted else set())
            self.world.tally["judged hand"] += 1
            if have not in allowed:
                raise Violation("lost", f"{part} of {key} {thing.name!r} is {have!r}, a hand made it {hand}")
            return
        if want is None or people.doubts:
            return
        if part == "order":
            self._judge_order(thing, profile, key, seen)
        elif have != want:
            raise Violation("lost", f"{part} of {key} {thing.name!r} is {have!r}, not {want!r}")
        self.world.tally["judged"] += 1

    def _judge_order(self, thing: Thing, profile: Profile, key: str, seen: CollectionSnapshot) -> None:
        if "order" not in profile.dressing.parts or len(seen.members) < 2:
            return
        places = self.people.places(thing)
        order = [places.get(self.people.scene_of(member)) for member in seen.members]
        if not is_in_order(order):
            raise Violation("lost", f"the members of {key} {thing.name!r} stand as {order}")

    def _judge_titles(self, section: str, members: dict, rows: dict, profile: Profile) -> None:
        """Every item carries exactly the titles of the collections of its scene."""
        if not profile.dressing.is_on or self.people.doubts:
            return
        plex = self.people.plex
        by_key = {key: str(plex.item(key).scalars["title"]) for key in plex.collection_keys(section).values()}
        for item in plex.keys(section):
            if not self.people.scene_of(item):
                continue
            want = {fold(by_key[rows[pair][0]]) for pair, items in members.items() if item in items}
            have = {fold(name) for name in plex.item(item).lists["collection"]}
            if want != have:
                raise Violation("wrong", f"item {item} carries {sorted(have)}, not {sorted(want)}")


# --- running ---------------------------------------------------------------------------------------------------------


def _live(world: CollectionsWorld, steps: int) -> None:
    people = world.people = Curators(world)
    world.tell(f"{world.nature} {world.profiles[0].dressing} {world.profiles[1].dressing}")
    for _ in range(steps):
        people.act()
        world.judge_books()
    CollectionsEnding(world, people).judge()


LIVES = Lives(CollectionsWorld, _live)
run_collection_seeds, run_collection_seed = LIVES.run, LIVES.run_seed


if __name__ == "__main__":
    LIVES.main(__doc__, steps=120)
