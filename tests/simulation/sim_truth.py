"""What is true, kept beside the product: which file is which, who has said what, and what Plex has to show in the end.

Every text of a scene carries the mark of its content (`#c7#`), so a text that lands on a wrong item is seen at once.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from plexsync.plex.artwork import key_of
from plexsync.rules.merge.plan_records import Policy
from plexsync.simulator.http import Request
from plexsync.simulator.plex_server import ItemSnapshot
from plexsync.simulator.stash_model import SceneSnapshot

Value = str | frozenset[str]

SCALARS = ("title", "studio", "summary", "originallyAvailableAt", "userRating")
LISTS = ("actor", "genre", "collection")
FIELDS = (*SCALARS, *LISTS)
POSTER = "thumb"
# What Plex shows of a film that nobody has given a poster.
FRAME = "frame"
PICTURED = re.compile(r"/library/metadata/(\d+)/(?:posters|poster|thumb)")
LOCKLESS = ("userRating",)
# A document stands behind so many characters of checksum.
CHECKSUM = 8
MARK = re.compile(r"#(c\d+)#")
EDITED = re.compile(r"(?:\w+\.value|\w+\[\d+\]\.tag\.tag)")
REMOVED = re.compile(r"(\w+)\[\]\.tag\.tag-")


class Violation(BaseException):
    """The product broke a promise. `kind`: lost, doubled, wrong or broken. Nothing of the product may catch it."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


def fold(name: str) -> str:
    """The key of a name."""
    return " ".join(name.split()).casefold()


def folded(names) -> frozenset[str]:
    return frozenset(fold(name) for name in names)


def desired(scene: SceneSnapshot) -> dict[str, Value]:
    """What a scene wants, told independently of the product."""
    rating = "" if not scene.rating100 else str(scene.rating100 / 10)
    return {
        "title": shown(scene.title or (PurePosixPath(scene.files[0][0]).stem if scene.files else "")),
        "studio": scene.studio or "",
        "summary": scene.details.strip(),
        "originallyAvailableAt": scene.date or "",
        "userRating": rating,
        "actor": folded(name if isinstance(name, str) else name[0] for name in scene.performers),
        "genre": folded(scene.tags),
        "collection": folded([*([scene.studio] if scene.studio else []), *(name for name, _ in scene.groups)]),
        POSTER: key_of(POSTER, scene.cover) if scene.cover else "",
    }


def shown(text: str) -> str:
    """A name as Plex writes it."""
    return " ".join(text.split())


def held(item: ItemSnapshot, name: str) -> Value:
    """What Plex has in a field."""
    if name == POSTER:
        return FRAME if item.poster and item.poster.startswith("media://") else item.poster or ""
    if name in LISTS:
        return folded(item.lists[name])
    value = item.scalars.get(name, "")
    return str(float(value)) if name == "userRating" and value != "" else str(value)


@dataclass
class Hand:
    """A person's edit of a scalar in Plex, and whether the rules say for certain what follows.

    `sure`: the field was in step and nothing under way. `first`: we had never written it and nothing was under way.
    `before`: what hands had put there earlier; what we were to write over may be what was found.
    """

    seq: int
    value: str
    locked: bool
    sure: bool
    first: bool
    wanted: str
    before: frozenset[str] = frozenset()


@dataclass
class Shown:
    """An item of Plex: whose file it is, what its agent says, and every hand that was on it."""

    content: str
    agent: dict[str, Value]
    hands: dict[str, Hand] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)
    added: dict[str, set[str]] = field(default_factory=dict)
    ever_added: dict[str, set[str]] = field(default_factory=dict)
    removed: dict[str, set[str]] = field(default_factory=dict)
    refreshed_away: dict[str, set[str]] = field(default_factory=dict)
    # Of lives in which servers change (sim_servers.py): whether we ever wrote to it, and which fields, the contents that it
    # had before, the fields of which nobody can tell whose value is there ("*": all), what it showed when what we
    # knew of it was lost (`stranded`: as far as nothing is known of it again), and what has happened to it or to what
    # we knew of it.
    written: bool = False
    pushed: set[str] = field(default_factory=set)
    once: set[str] = field(default_factory=set)
    doubts: set[str] = field(default_factory=set)
    stranded: dict[str, Value] = field(default_factory=dict)
    found_after_loss: dict[str, Value] = field(default_factory=dict)
    forerunners: tuple[
        dict[str, Value], ...
    ] = ()  # what agents said of items of this file and key that a restore took away
    restored: bool = False
    forgotten: bool = False
    blind: bool = False


@dataclass(frozen=True)
class TakenBack:
    """A scene that a person has undone or released, with what Stash said then. Not `sure`: it changed just then, or nobody
    knows whether it was noted."""

    how: str
    seq: int
    wanted: dict[str, Value]
    sure: bool


@dataclass
class Truth:
    """Everything that is known from outside. `fields` are those that the product is to keep in step."""

    fields: tuple[str, ...] = FIELDS
    contents: dict[str, str] = field(default_factory=dict)  # path -> content, the same on both sides
    kinds: dict[str, str] = field(default_factory=dict)  # content -> kind
    items: dict[str, Shown] = field(default_factory=dict)  # rating key -> item
    wanted: dict[int, dict[str, Value]] = field(default_factory=dict)
    changes: dict[tuple[int, str], list[tuple[int, Value]]] = field(default_factory=dict)
    handed_over: set[str] = field(default_factory=set)  # contents that more than one scene has had
    owner: dict[str, int] = field(default_factory=dict)
    said: dict[str, dict[str, set[str]]] = field(default_factory=dict)  # content -> field -> every value ever wanted
    together: dict[str, set[str]] = field(default_factory=dict)  # content -> contents it ever shared a scene with
    covers: dict[str, set[str]] = field(default_factory=dict)  # key of a cover -> contents it was shown for in Stash
    undone: dict[int, TakenBack] = field(default_factory=dict)
    released: set[int] = field(default_factory=set)
    stirred: dict[str, int] = field(default_factory=dict)  # content -> when something that no hook tells of befell it
    unpictured: dict[str, int] = field(default_factory=dict)  # content -> when a request for its picture last failed
    seq: int = 0

    def note_stash(self, scenes: list[SceneSnapshot]) -> None:
        """Compare with what was wanted before; to be called after anything that happens in Stash."""
        self.seq += 1
        for scene in scenes:
            now = desired(scene)
            before = self.wanted.get(scene.id)
            for name in self.fields:
                if before is None or before[name] != now[name]:
                    self.changes.setdefault((scene.id, name), []).append((self.seq, now[name]))
            self.wanted[scene.id] = now
            if cover := now[POSTER]:
                self.covers.setdefault(str(cover), set()).update(self.of(scene))
            for content in self.of(scene):
                self.together.setdefault(content, set()).update(self.of(scene))
                if self.owner.setdefault(content, scene.id) != scene.id:
                    self.handed_over.add(content)
                said = self.said.setdefault(content, {})
                for name in self.fields:
                    value = now[name]
                    said.setdefault(name, set()).update(value if isinstance(value, frozenset) else {value})
        there = {scene.id for scene in scenes}
        for id in [id for id in self.wanted if id not in there]:
            del self.wanted[id]

    def stir(self, contents: Iterable[str]) -> None:
        """Something has happened to these contents in Plex, or to another scene's hold on them: no hook tells of that."""
        self.seq += 1
        self.stirred |= dict.fromkeys(contents, self.seq)

    def note_unpictured(self, contents: Iterable[str]) -> None:
        """A request for the picture of these contents has come to nothing: the rest is done without it."""
        self.unpictured |= dict.fromkeys(contents, self.seq)

    def fields_told(self, scene: SceneSnapshot, told: int) -> list[str]:
        """The fields that have to be right since a hook told of the scene, whatever happened meanwhile."""
        spoilt = any(self.unpictured.get(content, 0) >= told for content in self.of(scene))
        return [name for name in self.fields if name != POSTER or not spoilt]

    def last_stirred(self, scene: SceneSnapshot) -> int:
        """When something last befell a scene that no hook tells of. What befalls a file befalls its twin."""
        contents = set(self.of(scene))
        if any(self.kinds[content] == "twins" for content in contents):
            contents |= {content for content, kind in self.kinds.items() if kind == "twins"}
        return max((self.stirred.get(content, 0) for content in contents), default=0)

    def changed_now(self) -> list[int]:
        """The scenes that want something else since the last change in Stash."""
        return sorted({scene for (scene, _), changes in self.changes.items() if changes[-1][0] == self.seq})

    def of(self, scene: SceneSnapshot) -> list[str]:
        """The contents of a scene's files."""
        return [self.contents[path] for path, *_ in scene.files]

    def marks_of(self, content: str) -> set[str]:
        """The marks that texts for an item of this content may carry: scenes that were merged bring theirs along."""
        found, left = set(), {content}
        while left:
            found |= left
            left = {other for one in left for other in self.together.get(one, ())} - found
        return found

    # --- judging a write ---------------------------------------------------------------------------------------------

    def judge_write(self, asked: Request) -> None:
        """Raise Violation for an edit of no item, of a whole library, or of another scene's item."""
        key = asked.params.get("id", "")
        if not key.isdecimal():
            raise Violation("wrong", f"a write that names no item: {asked.target[:200]}")
        item = self.items.get(key)
        if item is None:
            raise Violation("wrong", f"a write to {key}, which was never an item")
        for name, value in asked.query:
            if EDITED.fullmatch(name) and (marks := set(MARK.findall(value)) - self.marks_of(item.content)):
                raise Violation("wrong", f"item {key} is {item.content} and was given {value!r} of {marks}")
            if found := REMOVED.fullmatch(name):
                self._judge_removal(key, item, found[1], folded(unquote(one) for one in value.split(",")))

    def _judge_removal(self, key: str, item: Shown, kind: str, names: frozenset[str]) -> None:
        ours = self.said.get(item.content, {}).get(kind, set())
        if strange := names - ours:
            raise Violation("wrong", f"{kind} {sorted(strange)} of item {key} was never ours and is taken away")

    def judge_picture(self, asked: Request) -> None:
        """Raise Violation for a picture that is given to another scene's item."""
        found = PICTURED.fullmatch(asked.path)
        item = self.items.get(found[1]) if found else None
        if item is None:
            raise Violation("wrong", f"a picture for {asked.path}, which was never an item")
        key = key_of(POSTER, asked.body) if asked.method == "POST" else asked.params.get("url", "")
        theirs = self.covers.get(key, set())
        if theirs and not theirs & self.marks_of(item.content):
            raise Violation("wrong", f"item {found[1]} is {item.content} and was given the cover of {theirs}")
        if not theirs and asked.method == "POST":
            raise Violation("wrong", f"item {found[1]} was given a picture that is nobody's cover")

    # --- judging the end ---------------------------------------------------------------------------------------------

    def judge_field(self, scene: int, key: str, item: ItemSnapshot, name: str, *, policy: Policy, adds: bool) -> str:
        """'' when the field is as it has to be, else what is wrong with it."""
        truth = self.items[key]
        want, have = self.wanted[scene][name], held(item, name)
        if (taken := self.undone.get(scene)) and not self._began_anew(scene, truth, name, taken):
            return self._judge_taken_back(scene, truth, item, name, taken)
        if name in LISTS:
            return self._judge_list(truth, name, want, have, adds=adds)
        if truth.content in self.handed_over:
            known = self.said[truth.content][name] | {truth.agent.get(name, ""), want}
            known |= {truth.hands[name].value} if name in truth.hands else set()
            return "" if have in known or name in truth.touched else f"{have!r} is nobody's"
        allowed = self._allowed(scene, truth, name, want, policy)
        if have not in allowed:
            return (
                f"{have!r}, and it has to be {' or '.join(map(repr, sorted(allowed)))} (hand {truth.hands.get(name)})"
            )
        if want and have == want and name not in LOCKLESS and name not in item.locks and name not in truth.touched:
            return "not locked"
        return ""

    def _began_anew(self, scene: int, truth: Shown, name: str, taken: TakenBack) -> bool:
        """Whether the scene has to be in step again, and nobody's hand leaves a doubt about this field."""
        clear = taken.sure and truth.content not in self.handed_over and name not in truth.hands
        news = {name for name, value in self.wanted[scene].items() if value != taken.wanted[name]}
        if self.unpictured.get(truth.content, 0) >= taken.seq:
            news.discard(POSTER)
        return clear and taken.how == "undo" and bool(news)

    def _judge_taken_back(self, scene: int, truth: Shown, item: ItemSnapshot, name: str, taken: TakenBack) -> str:
        """Of a scene that has stayed as it was since it was undone nothing of ours is left."""
        seqs = (seq for (one, _), changes in self.changes.items() if one == scene for seq, _ in changes)
        changed = any(seq > taken.seq for seq in seqs)
        if changed or not taken.sure or taken.how == "release" or truth.content in self.handed_over:
            return ""
        have, agent = held(item, name), truth.agent.get(name, frozenset() if name in LISTS else "")
        if isinstance(have, frozenset):
            left = have - agent - truth.ever_added.get(name, set())
            return f"was undone, and still has {sorted(left)}" if left else ""
        if name in truth.touched:
            return ""
        if have != agent:
            return f"was undone, and {have!r} is still there in the place of {agent!r}"
        return "was undone, and is still locked" if name in item.locks else ""

    def _allowed(self, scene: int, truth: Shown, name: str, want: str, policy: Policy) -> set[str]:
        agent, hand = truth.agent.get(name, ""), truth.hands.get(name)
        if hand is None:
            return {want or agent}
        holds = bool(hand.value) if name in LOCKLESS else hand.locked
        if not holds and not hand.sure and want:
            # An edit that only locks may have locked it, and then it is a person's.
            return {want, hand.value}
        if not holds:
            return {want} if want else {hand.value, agent, hand.wanted, *hand.before}
        if hand.first and hand.value:
            return {hand.value}
        after = [value for seq, value in self.changes.get((scene, name), ()) if seq > hand.seq]
        # What Stash has emptied meanwhile is forgotten, and what comes after that is a first push.
        anew = "" in after and policy.first_push == "stash"
        if hand.sure and (not after or (policy.conflict == "plex" and hand.value and not anew)):
            return {hand.value}
        written = hand.sure and hand.wanted and policy.conflict == "stash"
        if written and all(after) and want != hand.wanted:
            return {want}
        # What Stash has taken away may give way to what a hand had put there before us.
        return {want, hand.value, agent, hand.wanted, *(() if want else hand.before)}

    def _judge_list(self, truth: Shown, name: str, want: frozenset, have: frozenset, *, adds: bool) -> str:
        removed = truth.removed.get(name, set())
        if missing := want - have - removed:
            return f"lacks {sorted(missing)}"
        if adds and (lost := truth.added.get(name, set()) - have):
            return f"has lost {sorted(lost)}, which a person added"
        known = want | truth.agent.get(name, frozenset()) | truth.ever_added.get(name, set())
        if truth.content in self.handed_over:
            known |= self.said[truth.content][name]
        if strange := have - known:
            return f"still has {sorted(strange)}"
        return ""

    def note_undone(self, scene: int, how: str, *, sure: bool) -> None:
        """A person has taken back what was pushed for a scene."""
        # What was released once is nobody's by then, and stays.
        sure = sure and scene not in self.released
        if how == "release":
            self.released.add(scene)
        self.undone[scene] = TakenBack(how, self.seq, self.wanted[scene], sure)

    # --- hands -------------------------------------------------------------------------------------------------------

    def note_scalar(
        self, key: str, name: str, value: str, *, locked: bool, sure: bool, first: bool, wanted: str
    ) -> None:
        """A person has edited a scalar in Plex."""
        self.seq += 1
        item = self.items[key]
        last = item.hands.get(name)
        before = last.before | {last.value} if last else frozenset()
        item.hands[name] = Hand(self.seq, value, locked, sure, first, wanted, before)
        item.touched.add(name)

    def note_member(self, key: str, kind: str, *, added: str = "", removed: str = "") -> None:
        """A person has added a member to a list, or taken one away."""
        item = self.items[key]
        item.touched.add(kind)
        if added:
            for names in (item.added, item.ever_added):
                names.setdefault(kind, set()).add(fold(added))
        if removed:
            item.added.setdefault(kind, set()).discard(fold(removed))
            item.removed.setdefault(kind, set()).add(fold(removed))

    def note_lock(self, key: str, kind: str, names: Iterable[str]) -> None:
        """A person has locked a list as it is: what a refresh took from it before anybody looked is gone by that hand."""
        gone = self.items[key].refreshed_away.pop(kind, set()) - {fold(name) for name in names}
        self.items[key].removed.setdefault(kind, set()).update(gone)

    def note_refresh(self, key: str, item: ItemSnapshot) -> None:
        """A refresh gives every list without a lock back to the agent."""
        for kind in LISTS:
            if kind not in item.locks:
                self.items[key].added.pop(kind, None)
                names = {fold(name) for name in item.lists.get(kind, ())}
                self.items[key].refreshed_away.setdefault(kind, set()).update(names)


def remembered(document: bytes | None, name: str) -> tuple[object, object]:
    """(said, left value) of a field in a stored memory; (None, None) when it holds nothing of it."""
    known = json.loads(document[CHECKSUM:]).get(name) if document else None
    return (known["said"], known["left"]["value"]) if known else (None, None)


def sent(document: bytes, name: str) -> str:
    """The value of a single-valued field in a stored push, as Plex shows it; '' if the push has none."""
    known = json.loads(document[CHECKSUM:])["fields"].get(name)
    return shown(str(known["sent"]["value"])) if known else ""
