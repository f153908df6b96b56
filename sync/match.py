"""Which Plex items show a scene: a ladder of rungs, each surer than the next, and never a guess.

The rungs, first to last: the full path that the rules give (all items there), an item that was matched before and still
has a file of the same name and size, and one item with a file of the same name and size. Below an exact full path the
match must be unique in both directions, so other scenes of Stash with the same file names (rivals) are asked for: only
when the decision needs them. What is known of Plex are entries of the path index; `places` and `names` say which.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal
from unicodedata import normalize

from sync.item import Entry, Part
from sync.paths import Rules, base_name, is_mapped, is_target, map_path, name_key, path_key, raw_equal, unmap_path
from sync.scene import Scene, SceneFile

Reason = Literal["look-alike", "shared item"]


@dataclass(frozen=True)
class Offer:
    """All that is known when a scene is matched.

    `entries`: every indexed item at one of `places`, of one of `names`, or remembered, in any order, each once.
    `remembered`: keys of the items that this scene was pushed to. `owners`: by item key, the scenes it was pushed from.
    `rivals`: the scenes that Stash has under the names of an `AskRivals`, this one among them; None: not asked.
    """

    scene: Scene
    entries: Sequence[Entry]
    rules: Rules = ()
    remembered: frozenset[str] = frozenset()
    owners: Mapping[str, frozenset[int]] = field(default_factory=dict)
    rivals: Sequence[Scene] | None = None


@dataclass(frozen=True)
class Step:
    """One thing that was looked at, as a sentence for the user. It holds paths: not for logs."""

    rung: Literal["files", "path", "remembered", "name and size"]
    text: str


@dataclass(frozen=True)
class Candidate:
    """An item that may be the scene's, and why it was not taken."""

    key: str
    section: str
    path: str
    why: str


@dataclass(frozen=True)
class Matched:
    """The items that show the scene, at least one, in the order of the entries."""

    keys: tuple[str, ...]
    steps: tuple[Step, ...]


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
    if not offer.scene.files:
        return NotThere((Step("files", "The scene has no file, so nothing in Plex can show it."),))
    found = _finds(offer)
    spelt = _places_spelt_as_ours(offer)
    at_path = [find for find in found if find.grade is Grade.EXACT or _is_only_place(find, spelt)]
    alike = [find for find in found if find.grade is Grade.ALIKE]
    maybe = [find for find in found if find.grade is Grade.MAYBE]
    return _climb(offer, at_path, alike, maybe)


# --- what a scene can say of a file in Plex --------------------------------------------------------------------------


class Grade(IntEnum):
    """How well a file of a scene fits a file of Plex."""

    NONE = 0
    MAYBE = 1  # same name, but a size is unknown: no reason to match, but one to doubt
    ALIKE = 2  # same name, same known size
    PLACE = 3  # same full path up to case or Unicode form
    EXACT = 4  # same full path


@dataclass(frozen=True)
class _Claimant:
    """A scene, where its files are in Plex by the rules (by path key, (target, file) pairs), and their sizes by name."""

    scene: Scene
    targets: Mapping[str, Sequence[tuple[str, SceneFile]]]
    sizes: Mapping[str, frozenset[int]]


@dataclass(frozen=True)
class _Find:
    """An entry that fits the scene in some grade: best at part `at`."""

    entry: Entry
    grades: tuple[Grade, ...]
    grade: Grade
    at: int

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
    sizes: dict[str, frozenset[int]] = {}
    for file in scene.files:
        sizes[name_key(file.path)] = sizes.get(name_key(file.path), frozenset()) | {file.size}
    return _Claimant(scene, targets, sizes)


def _grade(claimant: _Claimant, part: Part, rules: Rules) -> Grade:
    at_place = claimant.targets.get(path_key(part.path), ())
    best = max((_path_grade(target, file, part, rules) for target, file in at_place), default=Grade.NONE)
    return best or _name_grade(claimant.sizes.get(name_key(part.path), frozenset()), part.size)


def _name_grade(sizes: frozenset[int], size: int) -> Grade:
    if size > 0 and size in sizes:
        return Grade.ALIKE
    return Grade.MAYBE if sizes and (size <= 0 or 0 in sizes) else Grade.NONE


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


def _finds(offer: Offer) -> list[_Find]:
    us = _claimant(offer.scene, offer.rules)
    found = []
    for entry in offer.entries:
        grades = tuple(_grade(us, part, offer.rules) for part in entry.parts)
        best = max(grades, default=Grade.NONE)
        if best is not Grade.NONE:
            # Of several files at full paths the first counts, since the scene of the first part owns the item.
            full = [at for at, grade in enumerate(grades) if grade >= Grade.PLACE]
            at = full[0] if full else grades.index(best)
            found.append(_Find(entry, grades, grades[at], at))
    return found


def _places_spelt_as_ours(offer: Offer) -> set[str]:
    """The places at which Plex has a file that is written exactly as we write it, whatever its size says."""
    targets = _claimant(offer.scene, offer.rules).targets
    theirs = {(path_key(part.path), part.path) for entry in offer.entries for part in entry.parts}
    return {key for key, path in theirs if any(raw_equal(target, path) for target, _ in targets.get(key, ()))}


def _is_only_place(find: _Find, spelt: set[str]) -> bool:
    """Whether a find at the full path by its key alone has no twin there that is written exactly as we write it."""
    return find.grade is Grade.PLACE and find.place not in spelt


# --- the ladder ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judged:
    """A rung's finds, sorted by whose they are."""

    ours: list[_Find]
    doubtful: list[tuple[_Find, Reason]]
    steps: list[Step]


def _climb(offer: Offer, at_path: list[_Find], alike: list[_Find], maybe: list[_Find]) -> Verdict:
    """Take the first rung that says anything."""
    if offer.rivals is None and any(_needs_rivals(find, offer) for find in at_path or alike):
        return AskRivals(_names_to_ask(offer.scene, (find.entry for find in (*at_path, *alike, *maybe))))
    if offer.rivals is not None and all(rival.id != offer.scene.id for rival in offer.rivals):
        return _unlisted(at_path or alike)
    steps: list[Step] = []
    if at_path:
        judged = _judge(offer, at_path, "path")
        steps += judged.steps
        if verdict := _all_of(_one_spelling(judged, offer), steps):
            return verdict
    else:
        steps.append(Step("path", _nothing_at_path(offer)))
    if known := [find for find in alike if find.entry.key in offer.remembered]:
        judged = _judge(offer, known, "remembered")
        steps += judged.steps
        if verdict := _all_of(judged, steps):
            return verdict
    if not alike:
        return NotThere((*steps, Step("name and size", "No item has a file of the same name and size.")))
    judged, unsized = _judge(offer, alike, "name and size"), _judge(offer, maybe, "name and size")
    return _only_one(judged, unsized, [*steps, *judged.steps, *unsized.steps])


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


def _judge(offer: Offer, finds: list[_Find], rung: Literal["path", "remembered", "name and size"]) -> _Judged:
    rivals = [_claimant(scene, offer.rules) for scene in offer.rivals or () if scene.id != offer.scene.id]
    judged = _Judged([], [], [])
    for find in finds:
        whose, rival = _whose(find, offer, rivals)
        judged.steps.append(Step(rung, f"{_told(find)}{_verdict_told(whose, rival)}"))
        if whose == "ours":
            judged.ours.append(find)
        elif whose != "theirs":
            judged.doubtful.append((find, whose))
    return judged


def _one_spelling(judged: _Judged, offer: Offer) -> _Judged:
    """Items at one full path that are spelt in several ways, none of them ours, are different files: one is a guess."""
    inexact = [find for find in judged.ours if find.grade is Grade.PLACE]
    unsure = [find for find in inexact if any(_is_twin(find, other) for other in inexact)]
    unsure = [find for find in unsure if find.entry.key not in offer.remembered]
    ours = [find for find in judged.ours if find not in unsure]
    doubtful: list[tuple[_Find, Reason]] = [*judged.doubtful, *((find, "look-alike") for find in unsure)]
    return _Judged(ours, doubtful, judged.steps)


def _is_twin(find: _Find, other: _Find) -> bool:
    return find.place == other.place and not raw_equal(find.part.path, other.part.path)


def _all_of(judged: _Judged, steps: list[Step]) -> Verdict | None:
    """Every item that is ours, whatever else is doubtful; None when all are other scenes'."""
    if judged.ours:
        return Matched(tuple(find.entry.key for find in judged.ours), tuple(steps))
    return _unclear(judged.doubtful, steps) if judged.doubtful else None


def _only_one(judged: _Judged, unsized: _Judged, steps: list[Step]) -> Verdict:
    """The only item that fits, if no other may: neither by its size nor for want of one."""
    left: list[tuple[_Find, Reason]] = [*((find, "look-alike") for find in judged.ours), *judged.doubtful]
    if not left:
        return NotThere(tuple(steps))
    left += [*((find, "look-alike") for find in unsized.ours), *unsized.doubtful]
    if judged.ours and len(left) == 1:
        return Matched((judged.ours[0].entry.key,), tuple(steps))
    return _unclear(left, steps)


def _unlisted(finds: Sequence[_Find]) -> Verdict:
    """Stash did not find the scene by its own file names, so it can have missed others as well."""
    step = Step("name and size", "Stash does not find this scene by its own file names: others may be missed as well.")
    return _unclear([(find, "look-alike") for find in finds], [step])


def _unclear(doubtful: Sequence[tuple[_Find, Reason]], steps: list[Step]) -> Unclear:
    reason: Reason = "shared item" if all(why == "shared item" for _, why in doubtful) else "look-alike"
    candidates = (Candidate(find.entry.key, find.entry.section, find.part.path, _DOUBTS[why]) for find, why in doubtful)
    return Unclear(reason, tuple(candidates), tuple(steps))


# --- whose an item is ------------------------------------------------------------------------------------------------

_Whose = Literal["ours", "theirs", "look-alike", "shared item"]


def _whose(find: _Find, offer: Offer, rivals: Sequence[_Claimant]) -> tuple[_Whose, int]:
    """Whose the item is, and the rival that decided it (0: none). What is certainly a rival's is not in doubt."""
    doubt: tuple[_Whose, int] = ("ours", 0)
    for rival in rivals:
        grades = tuple(_grade(rival, part, offer.rules) for part in find.entry.parts)
        whose = (
            _against_alike(find, grades, offer, rival)
            if find.grade <= Grade.ALIKE
            else _against(find, grades, offer, rival)
        )
        if whose == "theirs":
            return whose, rival.scene.id
        if whose != "ours" and doubt[0] != "look-alike":
            doubt = whose, rival.scene.id
    return doubt


def _against(find: _Find, grades: Sequence[Grade], offer: Offer, rival: _Claimant) -> _Whose:
    """A find at its full path: a rival with a file before ours owns the item, one at the same file competes."""
    if any(grades[: find.at]):
        return "shared item"
    theirs = grades[find.at]
    if theirs > find.grade:
        return "theirs"
    if theirs < find.grade:
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
    if best is Grade.NONE or _remembered_alone(find, offer, rival):
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

_DOUBTS: Mapping[Reason, str] = {
    "look-alike": "it can't be told apart from another file or scene",
    "shared item": "its first file is another scene's",
}
_GRADES: Mapping[Grade, str] = {
    Grade.EXACT: "has the full path",
    Grade.PLACE: "has the full path, spelt in another way:",
    Grade.ALIKE: "has a file of the same name and size:",
    Grade.MAYBE: "has a file of the same name, of a size that can't be compared:",
}


def _told(find: _Find) -> str:
    return f"Item {find.entry.key} {_GRADES[find.grade]} {find.part.path}"


def _verdict_told(whose: _Whose, rival: int) -> str:
    if whose == "ours":
        return "."
    if whose == "theirs":
        return f", but it is scene {rival}'s."
    return f", but {_DOUBTS[whose]} (scene {rival})."


def _nothing_at_path(offer: Offer) -> str:
    paths = [target for file in offer.scene.files for target in map_path(file.path, offer.rules)]
    return f"No item has the full path {' or '.join(paths)}." if paths else "The scene's path can't be mapped."
