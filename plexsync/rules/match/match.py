"""Which Plex items show a scene: a ladder of rungs, from the surest to the least sure. PlexSync never guesses.

The rungs, first to last:

* the item that you bound by hand
* the full path that the rules give (all items there)
* an item that was matched before and still has a file of the same name and size
* one item with a file of the same name and size
* one item with a file of the same name and duration: only if PlexSync has written to it for this scene, or if the setting
  `match_by_duration` is on; otherwise it is a candidate that you can bind
* without path rules, items with a file of the same name whose size and duration can't be compared: candidates only, since
  a name alone is no evidence

Below an exact full path, the match must be unique in both directions. So the match asks for the rivals, the other
scenes in Stash with the same file names, but only if the decision needs them. Plex is known through the entries of the
path index; `places` and `names` say which entries a match needs.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple
from unicodedata import normalize

from plexsync.rules.item import Entry, Item, Part
from plexsync.rules.match.grades import (
    Fit,
    Grade,
    claimant_of,
    doubt_at,
    fits_of,
    grade_of,
    has_other_sources,
    owner_of,
    places,
    places_spelled_exactly,
    sizes_differ,
)
from plexsync.rules.match.match_records import (
    AskRivals,
    Binding,
    Candidate,
    Matched,
    NotThere,
    Offer,
    Reason,
    Rung,
    Step,
    Unclear,
    Verdict,
)
from plexsync.rules.match.origin import SceneOrigin, scene_origin
from plexsync.rules.match.paths import PathRules, base_name, map_path, name_key, path_key, raw_equal
from plexsync.rules.record_class import record
from plexsync.rules.scene import Scene


def has_file_of(scene: Scene, parts: Sequence[Part], rules: PathRules) -> bool:
    """Whether one of an item's files may be the scene's: it is at the scene's path, or has the same name and size."""
    at = places(scene, rules)
    files = {(name_key(file.path), file.size) for file in scene.files}
    return any(path_key(part.path) in at or (name_key(part.path), part.size) in files for part in parts)


def names(scene: Scene) -> frozenset[str]:
    """The name keys to look up in the index for a scene."""
    return frozenset(name_key(file.path) for file in scene.files)


def match(offer: Offer) -> Verdict:
    """The items of a scene, the reason why there are none, or a request for rivals. The result is deterministic."""
    if offer.bound:
        return _match_bound(offer)
    if not offer.scene.files:
        return NotThere((Step("files", "The scene has no file, so nothing in Plex can show it."),))
    bound_keys, fits = offer.taken, fits_of(offer, "size")
    is_respelt = any(fit.grade is Grade.PLACE for fit in fits)
    spelt = places_spelled_exactly(offer) if is_respelt else set()
    # A file at the full path by its key alone has no twin there that is spelled exactly.
    at_path = [fit for fit in fits if fit.grade is Grade.EXACT or (fit.grade is Grade.PLACE and fit.place not in spelt)]
    held = [fit for fit in fits if fit.grade >= Grade.PLACE and fit.entry.key in bound_keys]
    # Most scenes are at their path, and need no other comparison.
    plain = (
        offer.rivals is None and bool(at_path) and not held and not any(_needs_rivals(fit, offer) for fit in at_path)
    )
    at_path = [fit for fit in at_path if fit not in held]
    sized = [fit for fit in fits if _may_be(fit, bound_keys)]
    timed = [] if plain else [fit for fit in fits_of(offer, "duration") if _may_be(fit, bound_keys)]
    alike, lasting = ([fit for fit in some if fit.grade is Grade.ALIKE] for some in (sized, timed))
    named = [] if offer.rules else [fit for fit in sized if any(_is_unmeasured(fit, other) for other in timed)]
    nearest = at_path or held or alike or lasting or named
    if not plain and offer.rivals is None and any(_needs_rivals(fit, offer) for fit in nearest):
        return AskRivals(_names_to_ask(offer.scene, (fit.entry for fit in (*at_path, *sized, *timed))))
    if offer.rivals is not None and all(rival.id != offer.scene.id for rival in offer.rivals):
        # Stash did not find the scene by its own file names, so it can have missed other scenes as well.
        step = Step(
            "name and size", "Stash does not fit this scene by its own file names: others may be missed as well."
        )
        return _unclear([_Doubt(fit, "look-alike", NOT_ALONE) for fit in nearest], [step])
    verdict = _climb(offer, at_path, held, sized, timed)
    return _by_name_alone(offer, named, verdict.steps) or verdict if isinstance(verdict, NotThere) else verdict


def _match_bound(offer: Offer) -> Verdict:
    """The items that are bound to the scene. Rivals are asked for if one of them has been moved."""
    moved = moved_items(offer)
    if moved and offer.rivals is None:
        return AskRivals(_names_to_ask(offer.scene, moved))
    bound = tuple(replace(binding, is_lost=is_lost(binding, moved, offer)) for binding in offer.bound)
    steps = (Step("by hand", f"Item {binding.key} was bound to this scene by hand.") for binding in bound)
    return Matched(tuple(binding.key for binding in bound), tuple(steps), bound)


class _Doubt(NamedTuple):
    """A fit in doubt. `text`: why, for the user; `rival`: the scene that the item may belong to."""

    fit: Fit
    reason: Reason
    text: str
    rival: int = 0


@record
class _SortedFits:
    """The fits of a rung, sorted by the owner of the item."""

    owned: list[Fit]
    doubtful: list[_Doubt]
    steps: list[Step]


def _may_be(fit: Fit, bound: Mapping[str, int]) -> bool:
    """Whether a fit by name can be the scene's file.

    The only file of an item bound to another scene belongs to that scene.
    """
    return fit.grade <= Grade.ALIKE and (fit.entry.key not in bound or len(fit.entry.parts) > 1)


def _is_unmeasured(sized: Fit, timed: Fit) -> bool:
    """Whether these fits of an item by its size and by its duration say that neither can be compared."""
    return sized.entry.key == timed.entry.key and sized.grade is timed.grade is Grade.MAYBE


def _climb(offer: Offer, at_path: list[Fit], held: list[Fit], sized: list[Fit], timed: list[Fit]) -> Verdict:
    """The verdict of the first rung that has one.

    The fits are at the scene's path (`held`: there, but bound to another scene), or by name with sizes or durations.
    """
    bound = offer.taken
    steps = _bound_elsewhere(offer) if bound else []
    if at_path:
        judged = _sort_by_owner(offer, at_path, "path")
        steps += judged.steps
        if any(fit.grade is Grade.PLACE for fit in judged.owned):
            judged = _one_spelling(judged, offer)
        if verdict := _all_of(judged, steps):
            return verdict
    else:
        steps += _none_at_path(offer)
    if held:
        # The item with the scene's own file is known, so a look-alike can't be its item.
        return _unclear(_bound_candidates(held, offer), steps)
    remembered = [fit for fit in sized if fit.grade is Grade.ALIKE and fit.entry.key in offer.remembered - bound.keys()]
    if remembered:
        judged = _sort_by_owner(offer, remembered, "remembered")
        steps += judged.steps
        if verdict := _all_of(judged, steps):
            return verdict
    if verdict := _by_name(offer, "name and size", sized, steps):
        return verdict
    return _by_name(offer, "name and duration", timed, steps) or NotThere(tuple(steps))


def _none_at_path(offer: Offer) -> list[Step]:
    """Why no item is the scene's by its full path: none has it, or what has it may be another file."""
    paths = [target for file in offer.scene.files for target in map_path(file.path, offer.rules)]
    if not paths:
        return [Step("path", "The scene's path can't be mapped.")]
    keys = set(map(path_key, paths))
    entries = [(entry, part) for entry in offer.entries for part in entry.parts if path_key(part.path) in keys]
    if not entries:
        return [Step("path", f"No item has the full path {' or '.join(paths)}.")]
    return [
        Step("path", f"Item {entry.key} has the full path {part.path}, but {doubt_at(entry, part, offer)}.")
        for entry, part in entries
    ]


def _bound_elsewhere(offer: Offer) -> list[Step]:
    bound = offer.taken
    keys = [entry.key for entry in offer.entries if entry.key in bound]
    return [
        Step("by hand", f"You bound item {key} to scene {bound[key]}, so no other scene is synced to item {key}.")
        for key in keys
    ]


def _bound_candidates(fits: Iterable[Fit], offer: Offer) -> list[_Doubt]:
    """Items that may have the scene's file, but that you bound to another scene."""
    bound = offer.taken
    return [
        _Doubt(fit, "bound elsewhere", f"it was bound to scene {scene} by hand", scene)
        for fit in fits
        if (scene := bound.get(fit.entry.key))
    ]


def _by_name(offer: Offer, rung: Rung, fits: list[Fit], steps: list[Step]) -> Verdict | None:
    """The only item that fits, if no other item may: neither by its measure nor for lack of one. Adds its steps.

    None if no item fits, or if all that do belong to other scenes.
    """
    fitting = [fit for fit in fits if fit.grade is Grade.ALIKE]
    doubted = [fit for fit in fits if fit.grade is Grade.MAYBE]
    if not fitting:
        steps.append(Step(rung, f"No item has a file of the same {rung}."))
        return None
    bound = offer.taken
    judged = _sort_by_owner(offer, [fit for fit in fitting if fit.entry.key not in bound], rung)
    unmeasured = _sort_by_owner(offer, [fit for fit in doubted if fit.entry.key not in bound], rung)
    steps += [*judged.steps, *unmeasured.steps]
    candidates = [*_own_candidates(judged), *_bound_candidates(fitting, offer)]
    if not candidates:
        return None
    candidates += [*_own_candidates(unmeasured), *_bound_candidates(doubted, offer)]
    if judged.owned and len(candidates) == 1:
        return _only_one(offer, judged.owned[0], rung, steps)
    return _unclear(candidates, steps)


def _only_one(offer: Offer, fit: Fit, rung: Rung, steps: list[Step]) -> Verdict:
    """The verdict on the only item that fits by its file name.

    A duration proves little: other files of the same name last as long. So it decides only for an item that has PlexSync's
    values for this scene already, or if the settings say so.
    """
    key = fit.entry.key
    if fit.by == "size" or offer.by_duration:
        return Matched((key,), tuple(steps))
    if key in offer.written:
        steps.append(Step(rung, f"Item {key} stays this scene's, because PlexSync has written to it for this scene."))
        return Matched((key,), tuple(steps))
    return _unclear([_Doubt(fit, "duration only", _size_text(fit, offer.scene))], steps)


def _by_name_alone(offer: Offer, fits: list[Fit], steps: Sequence[Step]) -> Verdict | None:
    """The items of which nothing but the name of a file is known: candidates, if they don't belong to other scenes."""
    judged = _sort_by_owner(offer, fits, "name")
    doubtful = [*(_Doubt(fit, "look-alike", NAME_ALONE) for fit in judged.owned), *judged.doubtful]
    return _unclear(doubtful, [*steps, *judged.steps]) if doubtful else None


def _own_candidates(judged: _SortedFits) -> list[_Doubt]:
    """The fits that do not certainly belong to another scene."""
    return [*(_Doubt(fit, "look-alike", NOT_ALONE) for fit in judged.owned), *judged.doubtful]


def _needs_rivals(fit: Fit, offer: Offer) -> bool:
    """Whether another scene could have a better claim to the item than this fit."""
    if fit.grade is not Grade.EXACT or fit.at > 0:
        return True
    if fit.entry.key in offer.contested or fit.entry.scene not in (0, offer.scene.id):
        return True
    if offer.owners.get(fit.entry.key, frozenset()) - {offer.scene.id}:
        return True
    return bool(offer.rules) and all(has_other_sources(file, fit.part, offer.rules) for file in offer.scene.files)


def _names_to_ask(scene: Scene, entries: Iterable[Entry]) -> tuple[str, ...]:
    """Base names in every Unicode form, because Stash compares them character by character."""
    paths = [file.path for file in scene.files] + [part.path for entry in entries for part in entry.parts]
    written = dict.fromkeys(base_name(path) for path in paths)
    return tuple(
        dict.fromkeys(form for name in written for form in (name, normalize("NFC", name), normalize("NFD", name)))
    )


def _sort_by_owner(offer: Offer, fits: list[Fit], rung: Rung) -> _SortedFits:
    rivals = [claimant_of(scene, offer.rules) for scene in offer.rivals or () if scene.id != offer.scene.id]
    judged = _SortedFits([], [], [])
    for fit in fits:
        owner, rival = owner_of(fit, offer, rivals)
        how = f"Item {fit.entry.key} {_GRADES[fit.grade].format(by=fit.by)} {fit.part.path}"
        if owner == "ours":
            judged.owned.append(fit)
            judged.steps.append(Step(rung, f"{how}."))
        elif owner == "theirs":
            judged.steps.append(Step(rung, f"{how}, but it is scene {rival}'s."))
        else:
            doubt = _Doubt(fit, owner, _doubt_text(owner, rival), rival)
            judged.doubtful.append(doubt)
            judged.steps.append(Step(rung, f"{how}, but {doubt.text}."))
    return judged


def _one_spelling(judged: _SortedFits, offer: Offer) -> _SortedFits:
    """The fits with doubtful spellings sorted out.

    Items at one full path in several spellings, none of them the scene's, are different files: choosing one is a guess.
    """
    inexact = [fit for fit in judged.owned if fit.grade is Grade.PLACE]
    unsure = [
        fit
        for fit in inexact
        if fit.entry.key not in offer.remembered
        and any(fit.place == other.place and not raw_equal(fit.part.path, other.part.path) for other in inexact)
    ]
    certain = [fit for fit in judged.owned if fit not in unsure]
    doubtful: list[_Doubt] = [*judged.doubtful, *(_Doubt(fit, "look-alike", NOT_ALONE) for fit in unsure)]
    return _SortedFits(certain, doubtful, judged.steps)


def _all_of(judged: _SortedFits, steps: list[Step]) -> Verdict | None:
    """Every item that belongs to the scene, whatever else is in doubt; None if all belong to other scenes."""
    if judged.owned:
        return Matched(tuple(fit.entry.key for fit in judged.owned), tuple(steps))
    return _unclear(judged.doubtful, steps) if judged.doubtful else None


def _unclear(doubtful: Sequence[_Doubt], steps: list[Step]) -> Unclear:
    reasons = {doubt.reason for doubt in doubtful}
    reason: Reason = reasons.pop() if len(reasons) == 1 else "look-alike"
    if reason == "look-alike" and len(doubtful) == 1 and doubtful[0].rival:
        reason = "two scenes"
    candidates = (
        Candidate(
            fit.entry.key,
            fit.entry.section,
            fit.part.path,
            f"{_REASONS[fit.grade].format(by=fit.by)}, but {text}",
            rival,
            is_taken=reason_of_one == "bound elsewhere",
        )
        for fit, reason_of_one, text, rival in doubtful
    )
    return Unclear(reason, tuple(candidates), tuple(steps))


NOT_ALONE = "it is not the only one that may be meant"
NAME_ALONE = "a name alone is no evidence"
_REASONS: Mapping[Grade, str] = {
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


def _size_text(fit: Fit, scene: Scene) -> str:
    """Why a name and a duration are not enough, by the sizes."""
    named = [file for file in scene.files if name_key(file.path) == name_key(fit.part.path)]
    if all(sizes_differ(file, fit.part) for file in named):
        sizes = " and ".join(f"{file.size:,}" for file in named)
        return f"it has {fit.part.size:,} bytes, in Stash {sizes}: it may be another encoding, or a different file"
    return "its size can't be compared: it may be a different file"


def _doubt_text(owner: Reason, rival: int) -> str:
    """Why it is in doubt that the item belongs to the scene."""
    if owner == "shared item":
        return f"its first file is scene {rival}'s"
    if owner == "two scenes":
        return f"scene {rival} has this file too"
    return f"it may be scene {rival}'s" if rival else "it lasts quite another time"


# --- whether a bound item is still the one that you bound -------------------------------------------------------------
#
# An item keeps its key when its file is moved. But after a restore of Plex's database the same key may be another item's,
# and that can have a file of the same name. So an item whose file is at another place than when it was bound, and not at
# the scene's, is another one if a different item has the file of then, or if its file is at the place of another scene.


def is_where_bound(binding: Binding, parts: Iterable[Part]) -> bool:
    """Whether one of these files is where the bound item had one. True if that is unknown."""
    then = {path_key(path) for path in binding.files}
    return not then or any(path_key(part.path) in then for part in parts)


def moved_items(offer: Offer) -> list[Entry]:
    """The bound items of which no file is where it was, and none at a place of the scene."""
    bound, own = {binding.key: binding for binding in offer.bound}, places(offer.scene, offer.rules)
    return [
        entry
        for entry in offer.entries
        if entry.key in bound
        and not is_where_bound(bound[entry.key], entry.parts)
        and not any(path_key(part.path) in own for part in entry.parts)
    ]


def is_lost(binding: Binding, moved: Collection[Entry], offer: Offer) -> bool:
    """Whether one of the moved items is the one of this binding, and another one than when it was bound."""
    now = next((entry for entry in moved if entry.key == binding.key), None)
    if now is None:
        return False
    if any(is_where_bound(binding, entry.parts) for entry in offer.entries if entry.key != binding.key):
        return True
    rivals = [claimant_of(scene, offer.rules) for scene in offer.rivals or () if scene.id != offer.scene.id]
    return any(grade_of(rival, part, offer.rules, "size") is Grade.EXACT for rival in rivals for part in now.parts)


def renew(binding: Binding, origin: SceneOrigin, items: Mapping[str, Item]) -> Binding:
    """The binding after it was applied: it remembers the scene as it is now, and where a moved item is now."""
    item = items.get(binding.key)
    if item is None or is_where_bound(binding, item.parts):
        return replace(binding, origin=origin)
    return replace(binding, origin=origin, files=tuple(part.path for part in item.parts))


def untenable(binding: Binding, scene: Scene, item: Item | None, sections: Iterable[str]) -> str:
    """Why a bound item can't be written to for the scene, as the end of "item 7 ..."; '' if it can.

    After a restore of Plex's database, or with another Plex, the same keys name other items. So one of the item's files
    must be among those at the time of the binding, or have the name of a file of the scene. After a rebuild of Stash the
    same ids mean other scenes.
    """
    if not binding.origin.agrees(scene_origin(scene)):
        return f"was bound to another scene, which had the id {scene.id} then"
    if item is None:
        return "is not in Plex (any more)"
    if item.section not in sections:
        return "is in none of the synced libraries"
    file_names = {name_key(path) for path in (*binding.files, *(file.path for file in scene.files))}
    if binding.is_lost or not file_names & {name_key(part.path) for part in item.parts}:
        return "has quite other files than when it was bound"
    return ""
