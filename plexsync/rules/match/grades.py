"""How well a file of a scene fits a file of a Plex item: by path, by name and size, or by name and duration.

And which scene has the better claim to an item when files of several scenes fit it. The other scenes are rivals.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from math import isfinite
from typing import Literal

from plexsync.rules.item import Entry, Part
from plexsync.rules.match.match_records import Offer
from plexsync.rules.match.paths import (
    PathRules,
    is_mapped,
    is_target,
    map_path,
    name_key,
    path_key,
    raw_equal,
    unmap_path,
)
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene, SceneFile

# The measure by which two files of the same name are compared.
Measure = Literal["size", "duration"]
# The difference allowed between two durations of one video, in milliseconds, and as a fraction of a short one.
LEEWAY = 1_000
SHORT_LEEWAY = 100
# Files of the same name and size are different if their durations differ by more than this many times the leeway.
CLASH = 10


class Grade(IntEnum):
    """How well a file of a scene fits a file of Plex."""

    NONE = 0
    MAYBE = 1  # same name, but a size (or duration) is unknown: not a match, but a reason for doubt
    ALIKE = 2  # same name, same known size (or duration)
    PLACE = 3  # same full path up to case or Unicode form
    EXACT = 4  # same full path


@record
class Claimant:
    """A scene with its files, once by path key in Plex as (target, file) pairs by the rules, and once by name."""

    scene: Scene
    targets: Mapping[str, Sequence[tuple[str, SceneFile]]]
    named: Mapping[str, Sequence[SceneFile]]


@record
class Fit:
    """An entry that fits the scene in some grade, best at part `at`. `by` is the measure for files of the same name."""

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


def places(scene: Scene, rules: PathRules) -> frozenset[str]:
    """The path keys to look up in the index for a scene."""
    return frozenset(path_key(target) for file in scene.files for target in map_path(file.path, rules))


def claimant_of(scene: Scene, rules: PathRules) -> Claimant:
    """A scene with its files by the Plex paths that the rules lead to, and by name."""
    targets: dict[str, list[tuple[str, SceneFile]]] = {}
    for file in scene.files:
        for target in map_path(file.path, rules):
            targets.setdefault(path_key(target), []).append((target, file))
    named: dict[str, list[SceneFile]] = {}
    for file in scene.files:
        named.setdefault(name_key(file.path), []).append(file)
    return Claimant(scene, targets, named)


def grade_of(claimant: Claimant, part: Part, rules: PathRules, *measures: Measure) -> Grade:
    """The best grade of a part for a scene: by path if one fits, otherwise by name and one of the measures."""
    at_place = claimant.targets.get(path_key(part.path), ())
    best = max((_path_grade(target, file, part, rules) for target, file in at_place), default=Grade.NONE)
    files = claimant.named.get(name_key(part.path), ())
    return best or max((_name_grade(files, part, measure) for measure in measures), default=Grade.NONE)


def _own_grade(us: Claimant, part: Part, rules: PathRules, by: Measure) -> Grade:
    """The grade of a part for this scene itself.

    A file at the path of one of the scene's files is only a doubt if its size disagrees or proves nothing, even if the
    duration agrees.
    """
    grade = grade_of(us, part, rules, by)
    doubted = grade is Grade.ALIKE and by == "duration" and path_key(part.path) in us.targets
    return Grade.MAYBE if doubted else grade


def _name_grade(files: Sequence[SceneFile], part: Part, by: Measure) -> Grade:
    """The grade of a part, compared with the scene's files of the same name."""
    if any(sizes_agree(file, part) if by == "size" else _durations_agree(file, part) for file in files):
        return Grade.ALIKE
    measured = [part.size if by == "size" else part.duration]
    measured += [file.size if by == "size" else _milliseconds(file) for file in files]
    return Grade.MAYBE if files and min(measured) <= 0 else Grade.NONE


def _path_grade(target: str, file: SceneFile, part: Part, rules: PathRules) -> Grade:
    """The grade of two files with equal path keys.

    At a path that a rule leads to, Plex has the folder that the rule names, so a file that no rule maps is there by
    accident. If rules lead to one place from several sources, another file can hide the scene's file: the sizes must
    agree. A path that is equal only in its key can be a twin (é written in two ways): the sizes must not disagree.
    """
    if rules and is_target(part.path, rules) and not is_mapped(file.path, rules):
        return Grade.NONE
    if raw_equal(target, part.path):
        return (
            Grade.EXACT
            if sizes_agree(file, part) or not (rules and has_other_sources(file, part, rules))
            else Grade.NONE
        )
    return Grade.NONE if sizes_differ(file, part) else Grade.PLACE


def doubt_at(entry: Entry, part: Part, offer: Offer) -> str:
    """Why an item with a file at the scene's full path is not the scene's by that."""
    if entry.key in offer.taken:
        return f"it is bound to scene {offer.taken[entry.key]}"
    files = [
        file for file in offer.scene.files if path_key(part.path) in map(path_key, map_path(file.path, offer.rules))
    ]
    if is_target(part.path, offer.rules) and not any(is_mapped(file.path, offer.rules) for file in files):
        return "a path rule leads another folder of Stash there"
    if offer.rules and any(has_other_sources(file, part, offer.rules) for file in files):
        return "path rules lead several folders of Stash there, and the sizes are not known to be equal"
    return "it is spelt in another way, and may be another file"


def has_other_sources(file: SceneFile, part: Part, rules: PathRules) -> bool:
    """Whether the rules map another Stash path to this Plex file too."""
    return any(path_key(source) != path_key(file.path) for source in unmap_path(part.path, rules))


def sizes_agree(file: SceneFile, part: Part) -> bool:
    """Whether both sizes are known and equal."""
    return file.size == part.size > 0


def sizes_differ(file: SceneFile, part: Part) -> bool:
    """Whether both sizes are known and differ."""
    return file.size > 0 and part.size > 0 and file.size != part.size


def _durations_agree(file: SceneFile, part: Part) -> bool:
    """Whether both durations are known and no further apart than a different container or rounding explains."""
    duration = _milliseconds(file)
    return duration > 0 and part.duration > 0 and abs(duration - part.duration) <= _leeway(duration)


def durations_clash(file: SceneFile, part: Part) -> bool:
    """Whether both durations are known and too far apart for any measurement of one video."""
    duration = _milliseconds(file)
    return duration > 0 and part.duration > 0 and abs(duration - part.duration) > CLASH * _leeway(duration)


def _leeway(duration: int) -> int:
    return min(LEEWAY, duration // SHORT_LEEWAY)


def _milliseconds(file: SceneFile) -> int:
    return round(file.duration * 1000) if isfinite(file.duration) else 0


def fits_of(offer: Offer, by: Measure) -> list[Fit]:
    """The entries that fit the scene in any grade."""
    us = claimant_of(offer.scene, offer.rules)
    fits = []
    for entry in offer.entries:
        grades = tuple(_own_grade(us, part, offer.rules, by) for part in entry.parts)
        best = max(grades, default=Grade.NONE)
        if best is not Grade.NONE:
            # If several parts are at full paths, the first one counts: the scene of the first part owns the item.
            full = [at for at, grade in enumerate(grades) if grade >= Grade.PLACE]
            at = full[0] if full else grades.index(best)
            fits.append(Fit(entry, grades, grades[at], at, by))
    return fits


def places_spelled_exactly(offer: Offer) -> set[str]:
    """The places where Plex has a file at exactly the path that the rules give, whatever its size."""
    targets = claimant_of(offer.scene, offer.rules).targets
    plex_paths = {(path_key(part.path), part.path) for entry in offer.entries for part in entry.parts}
    return {key for key, path in plex_paths if any(raw_equal(target, path) for target, _ in targets.get(key, ()))}


Owner = Literal["ours", "theirs", "look-alike", "shared item", "two scenes"]


def owner_of(fit: Fit, offer: Offer, rivals: Sequence[Claimant]) -> tuple[Owner, int]:
    """The owner of the item, and the rival that decided it (0: none). A rival's certain claim outweighs any doubt."""
    is_doubted = fit.grade is Grade.ALIKE and _clashes(fit, offer)
    doubt: tuple[Owner, int] = ("look-alike", 0) if is_doubted else ("ours", 0)
    for rival in rivals:
        # The size alone counts at the part that fits by size, elsewhere size and duration.
        measures: list[tuple[Measure, ...]] = [("size", "duration")] * len(fit.entry.parts)
        if fit.by == "size":
            measures[fit.at] = ("size",)
        parts = zip(fit.entry.parts, measures, strict=True)
        grades = tuple(grade_of(rival, part, offer.rules, *compared) for part, compared in parts)
        owner = (
            _against_alike(fit, grades, offer, rival)
            if fit.grade <= Grade.ALIKE
            else _against(fit, grades, offer, rival)
        )
        if owner == "theirs":
            return owner, rival.scene.id
        if owner != "ours" and doubt[0] != "look-alike":
            doubt = owner, rival.scene.id
    return doubt


def _clashes(fit: Fit, offer: Offer) -> bool:
    """Whether a file of the same name and size has a clearly different duration, and nothing else supports the fit."""
    if fit.grade is not Grade.ALIKE or fit.by != "size" or fit.entry.key in offer.remembered:
        return False
    same = [file for file in offer.scene.files if name_key(file.path) == name_key(fit.part.path)]
    return all(durations_clash(file, fit.part) for file in same if sizes_agree(file, fit.part))


def _against(fit: Fit, grades: Sequence[Grade], offer: Offer, rival: Claimant) -> Owner:
    """The owner of an item that fits at its full path.

    A rival with a file before this scene's file owns the item. A rival at the same file competes for it.
    """
    if any(grades[: fit.at]):
        return "shared item"
    rival_grade = grades[fit.at]
    if rival_grade > fit.grade:
        return "theirs"
    if rival_grade < fit.grade:
        return "look-alike" if _contests(rival, fit, offer.rules) else "ours"
    if {file.path for file in offer.scene.files} & {file.path for file in rival.scene.files}:
        return "two scenes"
    return _by_evidence(fit, offer, rival)


def _contests(rival: Claimant, fit: Fit, rules: PathRules) -> bool:
    """Whether a rival with a lower grade may still have its file at this path, because no size tells them apart."""
    return any(
        fit.grade is Grade.PLACE or (raw_equal(target, fit.part.path) and is_mapped(file.path, rules))
        for target, file in rival.targets.get(fit.place, ())
        if not sizes_differ(file, fit.part)
    )


def _against_alike(fit: Fit, grades: Sequence[Grade], offer: Offer, rival: Claimant) -> Owner:
    """The owner of an item that fits by name and size.

    An item at a rival's full path belongs to the rival. An item that fits both scenes equally belongs to neither.
    """
    if any(grades[: fit.at]):
        return "shared item"
    best = max(grades)
    if best is Grade.EXACT:
        return "theirs"
    if best is Grade.PLACE:
        part = fit.entry.parts[grades.index(best)]
        return "theirs" if _size_fits(rival.scene, part) else "look-alike"
    if best is Grade.NONE or (fit.by == "size" and _remembered_alone(fit, offer, rival)):
        return "ours"
    return "look-alike"


def _by_evidence(fit: Fit, offer: Offer, rival: Claimant) -> Owner:
    """The owner when the paths of two scenes fit one file equally well.

    Only the size, or an earlier match, can tell them apart.
    """
    us, them = _size_fits(offer.scene, fit.part), _size_fits(rival.scene, fit.part)
    if us != them:
        return "ours" if us else "theirs"
    return "ours" if fit.grade is Grade.PLACE and _remembered_alone(fit, offer, rival) else "look-alike"


def _size_fits(scene: Scene, part: Part) -> bool:
    return any(name_key(file.path) == name_key(part.path) and sizes_agree(file, part) for file in scene.files)


def _remembered_alone(fit: Fit, offer: Offer, rival: Claimant) -> bool:
    owners = offer.owners.get(fit.entry.key, frozenset())
    return fit.entry.key in offer.remembered and rival.scene.id not in owners
