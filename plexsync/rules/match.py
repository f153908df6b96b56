"""Which Plex items show a scene: a ladder of rungs, each surer than the next, and never a guess.

The rungs, first to last: what a person has bound by hand, the full path that the rules give (all items there), an item
that was matched before and still has a file of the same name and size, one item with a file of the same name and size,
and one with a file of the same name and duration. Below an exact full path the match must be unique in both directions,
so other scenes of Stash with the same file names (rivals) are asked for: only when the decision needs them. What is known
of Plex are entries of the path index; `places` and `names` say which.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import isfinite
from typing import Literal
from unicodedata import normalize

from plexsync.rules.item import Entry, Item, Part
from plexsync.rules.paths import (
    Rules,
    base_name,
    is_mapped,
    is_target,
    map_path,
    name_key,
    path_key,
    raw_equal,
    unmap_path,
)
from plexsync.rules.scene import Scene, SceneFile

Reason = Literal["look-alike", "shared item"]
Rung = Literal["by hand", "files", "path", "remembered", "name and size", "name and duration"]
# What two files of one name are compared by.
Measure = Literal["size", "duration"]

# Milliseconds that two durations of one video may differ, and the part of a short one that they may.
LEEWAY = 1_000
SHORT_LEEWAY = 100
# Files of one name and size whose durations differ by more than so often that are not taken for the same.
CLASH = 10


@dataclass(frozen=True)
class Binding:
    """A person's word that the item `key` is the scene's. `files` are the item's paths as they were then."""

    scene: int
    key: str
    files: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True)
class Offer:
    """All that is known when a scene is matched.

    `entries`: every indexed item at one of `places`, of one of `names`, or remembered, in any order, each once.
    `remembered`: keys of the items that this scene was pushed to. `owners`: by item key, the scenes it was pushed from.
    `rivals`: the scenes that Stash has under the names of an `AskRivals`, this one among them; None: not asked.
    `bindings`: every one there is, of whatever scene.
    """

    scene: Scene
    entries: Sequence[Entry]
    rules: Rules = ()
    remembered: frozenset[str] = frozenset()
    owners: Mapping[str, frozenset[int]] = field(default_factory=dict)
    rivals: Sequence[Scene] | None = None
    bindings: Sequence[Binding] = ()

    @property
    def bound(self) -> tuple[Binding, ...]:
        """What is bound to this scene."""
        return tuple(binding for binding in self.bindings if binding.scene == self.scene.id)

    @property
    def taken(self) -> dict[str, int]:
        """The items that are bound to other scenes, and which."""
        return {binding.key: binding.scene for binding in self.bindings if binding.scene != self.scene.id}


@dataclass(frozen=True)
class Step:
    """One thing that was looked at, as a sentence for the user. It holds paths: not for logs."""

    rung: Rung
    text: str


@dataclass(frozen=True)
class Candidate:
    """An item that may be the scene's, and why it was not taken."""

    key: str
    section: str
    path: str
    reason: str


@dataclass(frozen=True)
class Matched:
    """The items that show the scene, at least one, in the order of the entries; or those that are `bound` to it."""

    keys: tuple[str, ...]
    steps: tuple[Step, ...]
    bound: tuple[Binding, ...] = ()


@dataclass(frozen=True)
class NotThere:
    """Plex has no such file (yet)."""

    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Unclear:
    """Something fits, but it can't be told that it is this scene's: nothing may be written.

    `look-alike`: several items fit, or several scenes; `shared item`: the item's first file is another scene's.
    """

    reason: Reason
    candidates: tuple[Candidate, ...]
    steps: tuple[Step, ...]

    @property
    def text(self) -> str:
        """One line for the job's history, without paths."""
        items = ", ".join(candidate.key for candidate in self.candidates)
        if self.reason == "shared item":
            return f"the first file of the Plex item ({items}) belongs to another scene"
        return f"it can't be told for certain which Plex item is this scene's (candidates: {items})"


@dataclass(frozen=True)
class AskRivals:
    """The decision needs the other scenes that have a file of one of these base names; then `match` is asked again."""

    names: tuple[str, ...]


Verdict = Matched | NotThere | Unclear | AskRivals


def places(scene: Scene, rules: Rules) -> frozenset[str]:
    """The path keys at which the index is to be asked for a scene."""
    return frozenset(path_key(target) for file in scene.files for target in map_path(file.path, rules))


def has_file_of(scene: Scene, parts: Sequence[Part], rules: Rules) -> bool:
    """Whether one of an item's files may be the scene's: it lies where the scene's does, or has its name and size."""
    at = places(scene, rules)
    files = {(name_key(file.path), file.size) for file in scene.files}
    return any(path_key(part.path) in at or (name_key(part.path), part.size) in files for part in parts)


def names(scene: Scene) -> frozenset[str]:
    """The name keys by which the index is to be asked for a scene."""
    return frozenset(name_key(file.path) for file in scene.files)


def match(offer: Offer) -> Verdict:
    """The items of a scene, or why there are none, or what has to be known first. The same offer gets the same answer."""
    if offer.bound:
        steps = (Step("by hand", f"Item {binding.key} was bound to this scene by hand.") for binding in offer.bound)
        return Matched(tuple(binding.key for binding in offer.bound), tuple(steps), offer.bound)
    if not offer.scene.files:
        return NotThere((Step("files", "The scene has no file, so nothing in Plex can show it."),))
    spelt, bound_keys = _places_spelt_as_ours(offer), offer.taken
    finds = _finds(offer, "size")
    at_path = [find for find in finds if find.grade is Grade.EXACT or _is_only_place(find, spelt)]
    held = [find for find in finds if find.grade >= Grade.PLACE and find.entry.key in bound_keys]
    # Most scenes are where they should be, and nobody has to compare anything else.
    plain = (
        offer.rivals is None and bool(at_path) and not held and not any(_needs_rivals(find, offer) for find in at_path)
    )
    timed = [] if plain else _finds(offer, "duration")
    return _climb(
        offer,
        _Finds(
            at_path=[find for find in at_path if find not in held],
            held=held,
            sized=[find for find in finds if _may_be(find, bound_keys)],
            timed=[find for find in timed if _may_be(find, bound_keys)],
            plain=plain,
        ),
    )


def untenable(binding: Binding, scene: Scene, item: Item | None, sections: Iterable[str]) -> str:
    """Why a bound item can't be written to, as the end of "item 7 ..."; '' when it can.

    A Plex whose database was put back, or another one, has other items under the same keys: so one of its files must be
    among those of then, or have the name of a file of the scene.
    """
    if item is None:
        return "is not in Plex (any more)"
    if item.section not in sections:
        return "is in none of the synced libraries"
    file_names = {name_key(path) for path in (*binding.files, *(file.path for file in scene.files))}
    if not file_names & {name_key(part.path) for part in item.parts}:
        return "has quite other files than when it was bound"
    return ""


# --- what a scene can say of a file in Plex --------------------------------------------------------------------------


class Grade(IntEnum):
    """How well a file of a scene fits a file of Plex."""

    NONE = 0
    MAYBE = 1  # same name, but a size (or duration) is unknown: no reason to match, but one to doubt
    ALIKE = 2  # same name, same known size (or duration)
    PLACE = 3  # same full path up to case or Unicode form
    EXACT = 4  # same full path


@dataclass(frozen=True)
class _Claimant:
    """A scene, where its files are in Plex by the rules (by path key, (target, file) pairs), and its files by name."""

    scene: Scene
    targets: Mapping[str, Sequence[tuple[str, SceneFile]]]
    named: Mapping[str, Sequence[SceneFile]]


@dataclass(frozen=True)
class _Find:
    """An entry that fits the scene in some grade: best at part `at`. `by`: what files of one name were compared by."""

    entry: Entry
    grades: tuple[Grade, ...]
    grade: Grade
    at: int
    by: Measure

    @property
    def part(self) -> Part:
        return self.entry.parts[self.at]

    @property
    def place(self) -> str:
        return path_key(self.part.path)


def _claimant(scene: Scene, rules: Rules) -> _Claimant:
    targets: dict[str, list[tuple[str, SceneFile]]] = {}
    for file in scene.files:
        for target in map_path(file.path, rules):
            targets.setdefault(path_key(target), []).append((target, file))
    named: dict[str, list[SceneFile]] = {}
    for file in scene.files:
        named.setdefault(name_key(file.path), []).append(file)
    return _Claimant(scene, targets, named)


def _grade(claimant: _Claimant, part: Part, rules: Rules, *measures: Measure) -> Grade:
    at_place = claimant.targets.get(path_key(part.path), ())
    best = max((_path_grade(target, file, part, rules) for target, file in at_place), default=Grade.NONE)
    files = claimant.named.get(name_key(part.path), ())
    return best or max((_name_grade(files, part, measure) for measure in measures), default=Grade.NONE)


def _our_grade(us: _Claimant, part: Part, rules: Rules, by: Measure) -> Grade:
    """A file in the place of ours that its size speaks against, or does not speak for, is a doubt however long it lasts."""
    grade = _grade(us, part, rules, by)
    doubted = grade is Grade.ALIKE and by == "duration" and path_key(part.path) in us.targets
    return Grade.MAYBE if doubted else grade


def _name_grade(files: Sequence[SceneFile], part: Part, by: Measure) -> Grade:
    """The grade of a part beside the files of its name."""
    if any(_sizes_agree(file, part) if by == "size" else _durations_agree(file, part) for file in files):
        return Grade.ALIKE
    measured = [part.size if by == "size" else part.duration]
    measured += [file.size if by == "size" else _milliseconds(file) for file in files]
    return Grade.MAYBE if files and min(measured) <= 0 else Grade.NONE


def _path_grade(target: str, file: SceneFile, part: Part, rules: Rules) -> Grade:
    """The grade of two files whose path keys are equal.

    Where a rule leads to, Plex has the folder that the rule names; a path that no rule fits is there by accident. Where
    rules lead to one place from several, another file can hide ours: the size must speak for it. A path equal in its key
    alone can be a twin (é written in two ways): the sizes must not disagree.
    """
    if is_target(part.path, rules) and not is_mapped(file.path, rules):
        return Grade.NONE
    if raw_equal(target, part.path):
        return Grade.EXACT if _sizes_agree(file, part) or not _other_sources(file, part, rules) else Grade.NONE
    return Grade.NONE if _sizes_differ(file, part) else Grade.PLACE


def _other_sources(file: SceneFile, part: Part, rules: Rules) -> bool:
    """Whether the rules lead to this file of Plex from another place of Stash too."""
    return any(path_key(source) != path_key(file.path) for source in unmap_path(part.path, rules))


def _sizes_agree(file: SceneFile, part: Part) -> bool:
    return file.size == part.size > 0


def _sizes_differ(file: SceneFile, part: Part) -> bool:
    return file.size > 0 and part.size > 0 and file.size != part.size


def _durations_agree(file: SceneFile, part: Part) -> bool:
    """Whether both are known and differ by no more than another container or another way to round makes of one video."""
    duration = _milliseconds(file)
    return duration > 0 and part.duration > 0 and abs(duration - part.duration) <= _leeway(duration)


def _durations_clash(file: SceneFile, part: Part) -> bool:
    """Whether both are known and so different that no way to measure one video explains it."""
    duration = _milliseconds(file)
    return duration > 0 and part.duration > 0 and abs(duration - part.duration) > CLASH * _leeway(duration)


def _leeway(duration: int) -> int:
    return min(LEEWAY, duration // SHORT_LEEWAY)


def _milliseconds(file: SceneFile) -> int:
    return round(file.duration * 1000) if isfinite(file.duration) else 0


def _finds(offer: Offer, by: Measure) -> list[_Find]:
    """The entries that fit in any grade."""
    us = _claimant(offer.scene, offer.rules)
    finds = []
    for entry in offer.entries:
        grades = tuple(_our_grade(us, part, offer.rules, by) for part in entry.parts)
        best = max(grades, default=Grade.NONE)
        if best is not Grade.NONE:
            # Of several files at full paths the first counts, since the scene of the first part owns the item.
            full = [at for at, grade in enumerate(grades) if grade >= Grade.PLACE]
            at = full[0] if full else grades.index(best)
            finds.append(_Find(entry, grades, grades[at], at, by))
    return finds


def _places_spelt_as_ours(offer: Offer) -> set[str]:
    """The places at which Plex has a file that is written exactly as we write it, whatever its size says."""
    targets = _claimant(offer.scene, offer.rules).targets
    plex_paths = {(path_key(part.path), part.path) for entry in offer.entries for part in entry.parts}
    return {key for key, path in plex_paths if any(raw_equal(target, path) for target, _ in targets.get(key, ()))}


def _is_only_place(find: _Find, spelt: set[str]) -> bool:
    """Whether a find at the full path by its key alone has no twin there that is written exactly as we write it."""
    return find.grade is Grade.PLACE and find.place not in spelt


# --- the ladder ------------------------------------------------------------------------------------------------------


_Doubt = tuple[_Find, Reason, str]  # the last: why it is in doubt, for the user


@dataclass(frozen=True)
class _Judged:
    """A rung's finds, sorted by whose they are."""

    owned: list[_Find]
    doubtful: list[_Doubt]
    steps: list[Step]


@dataclass(frozen=True)
class _Finds:
    """What fits the scene: at its path, there but `held` by a binding to another scene, and what its file names speak for
    when sizes or durations are compared. `plain`: it is at its path, and nobody else can have a right to it."""

    at_path: list[_Find]
    held: list[_Find]
    sized: list[_Find]
    timed: list[_Find]
    plain: bool


def _may_be(find: _Find, bound: Mapping[str, int]) -> bool:
    """Whether a find by name can be our file: the only file of an item that is bound to another scene is that scene's."""
    return find.grade <= Grade.ALIKE and (find.entry.key not in bound or len(find.entry.parts) > 1)


def _climb(offer: Offer, fits: _Finds) -> Verdict:
    """Take the first rung that says anything."""
    bound = offer.taken
    alike, lasting = ([find for find in finds if find.grade is Grade.ALIKE] for finds in (fits.sized, fits.timed))
    asked = () if fits.plain or offer.rivals is not None else (fits.at_path or fits.held or alike or lasting)
    if any(_needs_rivals(find, offer) for find in asked):
        finds = (*fits.at_path, *fits.sized, *fits.timed)
        return AskRivals(_names_to_ask(offer.scene, (find.entry for find in finds)))
    if offer.rivals is not None and all(rival.id != offer.scene.id for rival in offer.rivals):
        return _unlisted(fits.at_path or fits.held or alike or lasting)
    steps = _bound_elsewhere(offer)
    if fits.at_path:
        judged = _judge(offer, fits.at_path, "path")
        steps += judged.steps
        if verdict := _all_of(_one_spelling(judged, offer), steps):
            return verdict
    else:
        steps.append(Step("path", _nothing_at_path(offer)))
    if fits.held:
        # What the scene's own file is in is known, and nothing that looks like it can be its item.
        return _unclear(_held(fits.held, offer), steps)
    if remembered := [find for find in alike if find.entry.key in offer.remembered and find.entry.key not in bound]:
        judged = _judge(offer, remembered, "remembered")
        steps += judged.steps
        if verdict := _all_of(judged, steps):
            return verdict
    if verdict := _by_name(offer, "name and size", fits.sized, steps):
        return verdict
    return _by_name(offer, "name and duration", fits.timed, steps) or NotThere(tuple(steps))


def _bound_elsewhere(offer: Offer) -> list[Step]:
    bound = offer.taken
    bound_pairs = [(entry.key, bound[entry.key]) for entry in offer.entries if entry.key in bound]
    return [
        Step("by hand", f"Item {key} was bound to scene {scene} by hand, and is its alone.")
        for key, scene in bound_pairs
    ]


def _held(finds: Iterable[_Find], offer: Offer) -> list[_Doubt]:
    """Items that have what may be our file, and are another scene's by a person's word."""
    bound = offer.taken
    return [
        (find, "shared item", f"it was bound to scene {bound[find.entry.key]} by hand")
        for find in finds
        if find.entry.key in bound
    ]


def _by_name(offer: Offer, rung: Rung, finds: list[_Find], steps: list[Step]) -> Verdict | None:
    """The only item that fits, if no other may: neither by its measure nor for want of one. Adds its steps.

    None when no item fits, or all that do are others'.
    """
    fitting = [find for find in finds if find.grade is Grade.ALIKE]
    doubted = [find for find in finds if find.grade is Grade.MAYBE]
    if not fitting:
        steps.append(Step(rung, f"No item has a file of the same {rung}."))
        return None
    bound = offer.taken
    judged = _judge(offer, [find for find in fitting if find.entry.key not in bound], rung)
    unmeasured = _judge(offer, [find for find in doubted if find.entry.key not in bound], rung)
    steps += [*judged.steps, *unmeasured.steps]
    candidates = [*_fits(judged), *_held(fitting, offer)]
    if not candidates:
        return None
    candidates += [*_fits(unmeasured), *_held(doubted, offer)]
    if judged.owned and len(candidates) == 1:
        return Matched((judged.owned[0].entry.key,), tuple(steps))
    return _unclear(candidates, steps)


def _fits(judged: _Judged) -> list[_Doubt]:
    """What is no other scene's for certain."""
    return [*((find, "look-alike", NOT_ALONE) for find in judged.owned), *judged.doubtful]


def _needs_rivals(find: _Find, offer: Offer) -> bool:
    """Whether another scene could have a better right to the item than a find like this gives."""
    if find.grade is not Grade.EXACT or find.at > 0:
        return True
    if offer.owners.get(find.entry.key, frozenset()) - {offer.scene.id}:
        return True
    return all(_other_sources(file, find.part, offer.rules) for file in offer.scene.files)


def _names_to_ask(scene: Scene, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Base names in every Unicode form, since Stash compares them letter by letter."""
    paths = [file.path for file in scene.files] + [part.path for entry in entries for part in entry.parts]
    written = dict.fromkeys(base_name(path) for path in paths)
    return tuple(
        dict.fromkeys(form for name in written for form in (name, normalize("NFC", name), normalize("NFD", name)))
    )


def _judge(offer: Offer, finds: list[_Find], rung: Rung) -> _Judged:
    rivals = [_claimant(scene, offer.rules) for scene in offer.rivals or () if scene.id != offer.scene.id]
    judged = _Judged([], [], [])
    for find in finds:
        owner, rival = _whose(find, offer, rivals)
        judged.steps.append(Step(rung, f"{_told(find)}{_verdict_told(owner, rival)}"))
        if owner == "ours":
            judged.owned.append(find)
        elif owner != "theirs":
            judged.doubtful.append((find, owner, _doubt_told(owner, rival)))
    return judged


def _one_spelling(judged: _Judged, offer: Offer) -> _Judged:
    """Items at one full path that are spelt in several ways, none of them ours, are different files: one is a guess."""
    inexact = [find for find in judged.owned if find.grade is Grade.PLACE]
    unsure = [find for find in inexact if any(_is_twin(find, other) for other in inexact)]
    unsure = [find for find in unsure if find.entry.key not in offer.remembered]
    certain = [find for find in judged.owned if find not in unsure]
    doubtful: list[_Doubt] = [*judged.doubtful, *((find, "look-alike", NOT_ALONE) for find in unsure)]
    return _Judged(certain, doubtful, judged.steps)


def _is_twin(find: _Find, other: _Find) -> bool:
    return find.place == other.place and not raw_equal(find.part.path, other.part.path)


def _all_of(judged: _Judged, steps: list[Step]) -> Verdict | None:
    """Every item that is ours, whatever else is doubtful; None when all are other scenes'."""
    if judged.owned:
        return Matched(tuple(find.entry.key for find in judged.owned), tuple(steps))
    return _unclear(judged.doubtful, steps) if judged.doubtful else None


def _unlisted(finds: Sequence[_Find]) -> Verdict:
    """Stash did not find the scene by its own file names, so it can have missed others as well."""
    step = Step("name and size", "Stash does not find this scene by its own file names: others may be missed as well.")
    return _unclear([(find, "look-alike", NOT_ALONE) for find in finds], [step])


def _unclear(doubtful: Sequence[_Doubt], steps: list[Step]) -> Unclear:
    reason: Reason = (
        "shared item" if all(reason_text == "shared item" for _, reason_text, _ in doubtful) else "look-alike"
    )
    candidates = (
        Candidate(
            find.entry.key,
            find.entry.section,
            find.part.path,
            f"{_FITS[find.grade].format(by=find.by)}, but {reason_text}",
        )
        for find, _, reason_text in doubtful
    )
    return Unclear(reason, tuple(candidates), tuple(steps))


# --- whose an item is ------------------------------------------------------------------------------------------------

_Whose = Literal["ours", "theirs", "look-alike", "shared item"]


def _whose(find: _Find, offer: Offer, rivals: Sequence[_Claimant]) -> tuple[_Whose, int]:
    """Whose the item is, and the rival that decided it (0: none). What is certainly a rival's is not in doubt."""
    doubt: tuple[_Whose, int] = ("look-alike", 0) if _clashes(find, offer) else ("ours", 0)
    for rival in rivals:
        grades = tuple(
            _grade(rival, part, offer.rules, *_measures(find, at)) for at, part in enumerate(find.entry.parts)
        )
        owner = (
            _against_alike(find, grades, offer, rival)
            if find.grade <= Grade.ALIKE
            else _against(find, grades, offer, rival)
        )
        if owner == "theirs":
            return owner, rival.scene.id
        if owner != "ours" and doubt[0] != "look-alike":
            doubt = owner, rival.scene.id
    return doubt


def _clashes(find: _Find, offer: Offer) -> bool:
    """Whether a file of our name and size lasts quite another time, and nothing else speaks for it."""
    if find.grade is not Grade.ALIKE or find.by != "size" or find.entry.key in offer.remembered:
        return False
    same = [file for file in offer.scene.files if name_key(file.path) == name_key(find.part.path)]
    return all(_durations_clash(file, find.part) for file in same if _sizes_agree(file, find.part))


def _measures(find: _Find, at: int) -> tuple[Measure, ...]:
    """By what a rival's files are compared with a part: size goes before duration, but not where the file is not ours."""
    return ("size",) if find.by == "size" and at == find.at else ("size", "duration")


def _against(find: _Find, grades: Sequence[Grade], offer: Offer, rival: _Claimant) -> _Whose:
    """A find at its full path: a rival with a file before ours owns the item, one at the same file competes."""
    if any(grades[: find.at]):
        return "shared item"
    rival_grade = grades[find.at]
    if rival_grade > find.grade:
        return "theirs"
    if rival_grade < find.grade:
        return "look-alike" if _contests(rival, find, offer.rules) else "ours"
    if _same_file(offer.scene, rival.scene):
        return "shared item"
    return _by_evidence(find, offer, rival)


def _contests(rival: _Claimant, find: _Find, rules: Rules) -> bool:
    """Whether a rival without as good a grade may be at our place all the same, for want of a size to tell by."""
    return any(
        find.grade is Grade.PLACE or (raw_equal(target, find.part.path) and is_mapped(file.path, rules))
        for target, file in rival.targets.get(find.place, ())
        if not _sizes_differ(file, find.part)
    )


def _against_alike(find: _Find, grades: Sequence[Grade], offer: Offer, rival: _Claimant) -> _Whose:
    """A find by name and size: an item on a rival's full path is the rival's, one that fits both alike is nobody's."""
    if any(grades[: find.at]):
        return "shared item"
    best = max(grades)
    if best is Grade.EXACT:
        return "theirs"
    if best is Grade.PLACE:
        part = find.entry.parts[grades.index(best)]
        return "theirs" if _size_fits(rival.scene, part) else "look-alike"
    if best is Grade.NONE or (find.by == "size" and _remembered_alone(find, offer, rival)):
        return "ours"
    return "look-alike"


def _by_evidence(find: _Find, offer: Offer, rival: _Claimant) -> _Whose:
    """Two scenes whose paths fit one file alike: only the size, or what was matched before, can tell them apart."""
    us, them = _size_fits(offer.scene, find.part), _size_fits(rival.scene, find.part)
    if us != them:
        return "ours" if us else "theirs"
    return "ours" if find.grade is Grade.PLACE and _remembered_alone(find, offer, rival) else "look-alike"


def _size_fits(scene: Scene, part: Part) -> bool:
    return any(name_key(file.path) == name_key(part.path) and _sizes_agree(file, part) for file in scene.files)


def _remembered_alone(find: _Find, offer: Offer, rival: _Claimant) -> bool:
    owners = offer.owners.get(find.entry.key, frozenset())
    return find.entry.key in offer.remembered and rival.scene.id not in owners


def _same_file(a: Scene, b: Scene) -> bool:
    paths = {file.path for file in a.files}
    return any(file.path in paths for file in b.files)


# --- words -----------------------------------------------------------------------------------------------------------

NOT_ALONE = "it is not the only one that may be meant"
_FITS: Mapping[Grade, str] = {
    Grade.EXACT: "it has the full path",
    Grade.PLACE: "it has the full path, spelt in another way",
    Grade.ALIKE: "it has a file of the same name and {by}",
    Grade.MAYBE: "it has a file of the same name, and its {by} can't be compared",
}
_GRADES: Mapping[Grade, str] = {
    Grade.EXACT: "has the full path",
    Grade.PLACE: "has the full path, spelt in another way:",
    Grade.ALIKE: "has a file of the same name and {by}:",
    Grade.MAYBE: "has a file of the same name, of a {by} that can't be compared:",
}


def _told(find: _Find) -> str:
    return f"Item {find.entry.key} {_GRADES[find.grade].format(by=find.by)} {find.part.path}"


def _doubt_told(owner: Reason, rival: int) -> str:
    if owner == "shared item":
        return f"its first file is scene {rival}'s"
    return f"it may be scene {rival}'s" if rival else "it lasts quite another time"


def _verdict_told(owner: _Whose, rival: int) -> str:
    if owner == "ours":
        return "."
    return f", but it is scene {rival}'s." if owner == "theirs" else f", but {_doubt_told(owner, rival)}."


def _nothing_at_path(offer: Offer) -> str:
    paths = [target for file in offer.scene.files for target in map_path(file.path, offer.rules)]
    return f"No item has the full path {' or '.join(paths)}." if paths else "The scene's path can't be mapped."
