"""What an import fills in a scene: fields that are empty in Stash and have a value in Plex.

An import changes nothing in Plex, and neither does the sync after it, locks apart. So a value is imported only if the
way there and back leads to the same value, and if no other field of an item would be written because of it. Both are
tried with the rules of the sync (`plexsync.rules.merge.desired`, `plexsync.rules.merge.plan`) on the scene as it will
be. What PlexSync itself has written to Plex is no news for Stash.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from plexsync.rules.item import LISTS, Item
from plexsync.rules.merge.desired import Profile, desired_values, file_title
from plexsync.rules.merge.import_records import AllNames, MissingName, NameKind, Names, StashField, StashName
from plexsync.rules.merge.memory import is_untouched
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Edit, Memory, Policy
from plexsync.rules.merge.trait_effects import takeable
from plexsync.rules.merge.traits import UNKNOWN, ServerTraits
from plexsync.rules.merge.values import Value, held_field, name_keys, same_value
from plexsync.rules.record_class import record
from plexsync.rules.scene import Performer, Scene
from plexsync.rules.words.text import clean_line, fold

OWN_VALUE = "PlexSync has written it to Plex itself"
NO_RATING = "Stash has no such rating"
RATED_BOTH_WAYS = "ratings go both ways, so it comes to Stash anyway"
DIFFERENT_RATINGS = "its items have different ratings"
CUT = "a sync would cut or drop it"


@record
class ImportItem:
    """An item of a scene with what is remembered of it, and the rules of its library.

    `is_rated_both_ways`: its rating comes to Stash by the flow of ratings.
    """

    item: Item
    memory: Memory
    profile: Profile
    policy: Policy
    traits: ServerTraits = UNKNOWN
    is_rated_both_ways: bool = False


@record
class Fill:
    """A field to fill: with a text, or with these objects, of which those with id 0 are to be created first."""

    field: StashField
    text: str = ""
    objects: tuple[StashName, ...] = ()

    @property
    def shown(self) -> tuple[str, ...]:
        """The texts to show: the value, or the names."""
        return tuple(entry.name for entry in self.objects) if self.field.kind else (self.text,)

    @property
    def to_create(self) -> tuple[StashName, ...]:
        """The objects that have to be created first."""
        return tuple(entry for entry in self.objects if not entry.id)


@record
class LeftOut:
    """A value that is not imported, and why."""

    field: StashField
    text: str
    reason: str


@record
class ImportPlan:
    """What an import would do with one scene. `missing`: names that are left out because nothing has them."""

    fills: tuple[Fill, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    missing: tuple[MissingName, ...] = ()

    @property
    def to_create(self) -> tuple[MissingName, ...]:
        """The names that have to be created first."""
        return tuple(
            MissingName(fill.field.kind, entry.name)
            for fill in self.fills
            if fill.field.kind
            for entry in fill.to_create
        )


@dataclass
class _Draft:
    """The plan while it is made: the scene as it will be, and the values per field."""

    scene: Scene
    fills: dict[StashField, Fill] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    missing: list[MissingName] = field(default_factory=list)

    def objects(self, name: StashField) -> tuple[StashName, ...]:
        """The objects that the field is filled with so far."""
        return self.fills[name].objects if name in self.fills else ()


def plan_import(scene: Scene, items: Sequence[ImportItem], names: AllNames, *, create: bool) -> ImportPlan:
    """What to fill in this scene from its items: for each field, from the first item that has a value.

    `create`: names that Stash does not have are created; otherwise they are left out.
    """
    draft = _Draft(scene)
    before = [_consequences(scene, side) for side in items]
    for name in StashField:
        if is_filled(scene, name):
            continue
        side = next((side for side in items if held_field(side.item, name.in_plex).value), None)
        if side is None:
            continue
        if name is StashField.RATING and (reason := _rating_left_out(items)):
            draft.left_out.append(LeftOut(name, side.item.value(name.in_plex), reason))
            continue
        for fill in _candidates(draft, name, side, names, create=create):
            future = fill_scene(draft.scene, fill)
            if reason := _harm(future, fill, side, items, before):
                draft.left_out.append(LeftOut(name, fill.shown[-1], reason))
                continue
            draft.scene = future
            draft.fills[name] = replace(fill, objects=(*draft.objects(name), *fill.objects))
    return ImportPlan(tuple(draft.fills.values()), tuple(draft.left_out), tuple(draft.missing))


def _rating_left_out(items: Sequence[ImportItem]) -> str:
    """Why no rating of these items is imported; '' if it can be.

    The flow of ratings would take the undo of an import for a rating that you have cleared.
    """
    rating = StashField.RATING.in_plex
    if any(side.is_rated_both_ways for side in items):
        return RATED_BOTH_WAYS
    is_one = all(same_value(rating, side.item.value(rating), items[0].item.value(rating)) for side in items)
    return "" if is_one else DIFFERENT_RATINGS


def is_filled(scene: Scene, name: StashField) -> bool:
    """Whether Stash has a value in this field."""
    values: Mapping[StashField, object] = {
        StashField.TITLE: clean_line(scene.title),
        StashField.DATE: clean_line(scene.date),
        StashField.DETAILS: scene.details.strip(),
        StashField.RATING: scene.rating100 is not None,
        StashField.STUDIO: scene.studio,
        StashField.PERFORMERS: scene.performers,
        StashField.TAGS: scene.tags,
    }
    return bool(values[name])


def fill_scene(scene: Scene, fill: Fill) -> Scene:
    """The scene with this value; objects are added to those that it has."""
    objects = fill.objects
    names = tuple(entry.name for entry in objects)
    match fill.field:
        case StashField.TITLE:
            return replace(scene, title=fill.text)
        case StashField.DATE:
            return replace(scene, date=fill.text)
        case StashField.DETAILS:
            return replace(scene, details=fill.text)
        case StashField.RATING:
            return replace(scene, rating100=int(fill.text))
        case StashField.STUDIO:
            return replace(scene, studio=names[0], parents=objects[0].above)
        case StashField.PERFORMERS:
            people = tuple(
                Performer(entry.id, entry.name, entry.disambiguation, entry.aliases, entry.gender) for entry in objects
            )
            return replace(scene, performers=(*scene.performers, *names), people=(*scene.people, *people))
        case StashField.TAGS:
            above = scene.tags_above or ((),) * len(scene.tags)
            return replace(
                scene,
                tags=(*scene.tags, *names),
                tags_above=(*above, *(entry.above for entry in objects)),
            )


# --- candidates ------------------------------------------------------------------------------------------------------


def _candidates(draft: _Draft, name: StashField, side: ImportItem, names: AllNames, *, create: bool) -> Iterator[Fill]:
    """The values of a field in Plex, each as a fill of its own: one text, or each name."""
    in_plex = name.in_plex
    if name.kind:
        yield from _fill_names(draft, name, name.kind, side, names[name.kind], create=create)
        return
    text = side.item.value(in_plex)
    if _is_own(in_plex, side):
        draft.left_out.append(LeftOut(name, text, OWN_VALUE))
    elif name is StashField.TITLE and same_value(in_plex, clean_line(text), file_title(draft.scene)):
        # Plex made it from the name of the file, as PlexSync would.
        return
    elif name is StashField.RATING:
        if not (rating := _rating100(text)):
            draft.left_out.append(LeftOut(name, text, NO_RATING))
        else:
            yield Fill(name, rating)
    else:
        yield Fill(name, text)


def _rating100(text: str) -> str:
    """Ten times a rating of Plex, as Stash has it; '' if it has no such rating."""
    try:
        tenfold = float(text) * 10
        rating = round(tenfold)
    except (ValueError, OverflowError):
        return ""
    return str(rating) if 1 <= rating <= 100 and math.isclose(tenfold, rating) else ""


def _fill_names(
    draft: _Draft, name: StashField, kind: NameKind, side: ImportItem, stash_names: Names, *, create: bool
) -> Iterator[Fill]:
    value, keys = held_field(side.item, name.in_plex).value, set[str]()
    if isinstance(value, str) and _is_own(name.in_plex, side):
        draft.left_out.append(LeftOut(name, value, OWN_VALUE))
        return
    for spelling in (value,) if isinstance(value, str) else value:
        text = clean_line(spelling)
        if not text or fold(text) in keys:
            continue
        keys.add(fold(text))
        if isinstance(value, tuple) and _is_own_member(name.in_plex, spelling, side):
            draft.left_out.append(LeftOut(name, text, OWN_VALUE))
            continue
        objects = stash_names.find(text)
        if len(objects) > 1:
            draft.left_out.append(LeftOut(name, text, f"Stash has {len(objects)} that it could be"))
        elif objects and objects[0] not in draft.objects(name):
            yield Fill(name, objects=(objects[0],))
        elif not objects and create:
            yield Fill(name, objects=(StashName(0, text),))
        elif not objects:
            draft.missing.append(MissingName(kind, text))


def _is_own(in_plex: str, side: ImportItem) -> bool:
    """Whether PlexSync wrote the value, and it was another one before."""
    remembered, now = side.memory.get(in_plex), held_field(side.item, in_plex)
    return (
        remembered is not None
        and is_untouched(in_plex, now, remembered)
        and not same_value(in_plex, now.value, remembered.found.value)
    )


def _is_own_member(in_plex: str, spelling: str, side: ImportItem) -> bool:
    """Whether PlexSync added the name to the list, and did not take it over."""
    remembered = side.memory.get(in_plex)
    if remembered is None:
        return False
    added = set(map(fold, remembered.ours.values())) - set(map(fold, remembered.adopted))
    return fold(spelling) in added


# --- the sync after it -----------------------------------------------------------------------------------------------


@record
class _Consequences:
    """What a sync would do with an item: its desired values, the values that it would write, and its notes on cuts."""

    values: Mapping[str, Value]
    written: frozenset[tuple[str, Value]]
    cut: frozenset[tuple[str, str]]


def _consequences(scene: Scene, side: ImportItem) -> _Consequences:
    desired = takeable(desired_values(scene, side.profile), side.item, side.traits)
    written = written_values(plan(desired.values, side.item, side.memory, (), side.policy).edit)
    cut = {(note.field, note.text) for note in desired.notes if note.reason in ("cut", "dropped")}
    return _Consequences(desired.values, written, frozenset(cut))


def written_values(edit: Edit) -> frozenset[tuple[str, Value]]:
    """The fields of an edit with the values that it writes, lists in any order; locks alone write nothing."""
    return frozenset(
        (name, tuple(sorted(name_keys(change.value))) if isinstance(change.value, tuple) else change.value or "")
        for name, change in edit.items()
        if change.value is not None or change.adds or change.removes
    )


def _harm(
    future: Scene, fill: Fill, side: ImportItem, items: Sequence[ImportItem], before: Sequence[_Consequences]
) -> str:
    """Why a fill is left out: the way back leads to another value, or a sync would write something because of it."""
    in_plex = fill.field.in_plex
    after = [_consequences(future, side_of) for side_of in items]
    back = after[next(place for place, one in enumerate(items) if one is side)].values.get(in_plex)
    # A field that is not synced has no way back.
    if back is not None and (reason := _way_back(in_plex, back, fill, held_field(side.item, in_plex).value)):
        return reason
    if any(now.cut - then.cut for now, then in zip(after, before, strict=True)):
        return CUT
    fields = {name for now, then in zip(after, before, strict=True) for name, _ in now.written - then.written}
    return f"a sync would then change in Plex: {', '.join(sorted(fields))}" if fields else ""


def _way_back(in_plex: str, back: Value, fill: Fill, present: Value) -> str:
    if in_plex not in LISTS:
        if same_value(in_plex, back, present):
            return ""
        return f"a sync would show it as {back!r} in Plex" if back else "a sync would not show it in Plex"
    (name,) = fill.shown
    if fold(name) not in name_keys(back):
        return "the settings do not show it in Plex"
    if fold(name) not in name_keys(present):
        return f"Stash calls it {name!r}, and a sync would add that name in Plex"
    return ""
