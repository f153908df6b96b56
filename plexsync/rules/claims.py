"""Which scene has the better claim to a Plex item when files of several scenes fit it. The other scenes are rivals."""

from collections.abc import Sequence
from typing import Literal

from plexsync.rules.grades import Claimant, Fit, Grade, Measure, durations_clash, grade_of, sizes_agree, sizes_differ
from plexsync.rules.item import Part
from plexsync.rules.match_records import Offer
from plexsync.rules.paths import PathRules, is_mapped, name_key, raw_equal
from plexsync.rules.scene import Scene

Owner = Literal["ours", "theirs", "look-alike", "shared item", "two scenes"]


def owner_of(fit: Fit, offer: Offer, rivals: Sequence[Claimant]) -> tuple[Owner, int]:
    """The owner of the item, and the rival that decided it (0: none). A rival's certain claim outweighs any doubt."""
    doubt: tuple[Owner, int] = ("look-alike", 0) if _clashes(fit, offer) else ("ours", 0)
    for rival in rivals:
        grades = tuple(
            grade_of(rival, part, offer.rules, *_measures(fit, at)) for at, part in enumerate(fit.entry.parts)
        )
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


def _measures(fit: Fit, at: int) -> tuple[Measure, ...]:
    """The measures for a rival's files at a part: only size at the part that fits by size, else size and duration."""
    return ("size",) if fit.by == "size" and at == fit.at else ("size", "duration")


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
    if _same_file(offer.scene, rival.scene):
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


def _same_file(a: Scene, b: Scene) -> bool:
    paths = {file.path for file in a.files}
    return any(file.path in paths for file in b.files)
