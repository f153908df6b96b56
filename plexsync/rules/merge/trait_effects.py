"""What follows from the traits of the server: which values an item can take, and which requests carry an edit.

An unknown trait changes nothing: PlexSync then sends what is right under every answer. A trait that has changed since it
was learnt costs a request or a value that is left out, and never a value of yours: lists are always sent whole.
"""

from dataclasses import replace

from plexsync.rules.item import FACE, LISTS, Item, beside_whom
from plexsync.rules.merge.added_dates import FIELD as ADDED
from plexsync.rules.merge.desired import Wanted
from plexsync.rules.merge.plan_records import Change, Edit, Note
from plexsync.rules.merge.traits import ServerTraits, is_private

NO_CAST = "this Plex server takes no cast for Other Videos (plexsync probe)"
NO_ADDED = "this Plex server ignores a date added in an edit (plexsync probe)"
NO_FACES = "this Plex server does not take this address of a picture of a person (plexsync probe)"


def takeable(wanted: Wanted, item: Item, traits: ServerTraits) -> Wanted:
    """The desired values without those that the server is known not to take for this item, each with a note."""
    notes: list[Note] = []
    values = dict(wanted.values)
    if item.clip and traits.cast_on_other is False:
        if values.get("actor"):
            notes.append(Note("actor", "kept", NO_CAST))
        values = {name: value for name, value in values.items() if name != "actor" and not beside_whom(name)}
    if traits.added_by_edit is False and values.pop(ADDED, ""):
        notes.append(Note(ADDED, "kept", NO_ADDED))
    refused = [name for name, value in values.items() if _is_refused(name, value, traits)]
    if refused:
        notes.append(Note("actor", "kept", NO_FACES))
    if not notes and len(values) == len(wanted.values):
        return wanted
    return Wanted({name: value for name, value in values.items() if name not in refused}, (*wanted.notes, *notes))


def _is_refused(name: str, value: object, traits: ServerTraits) -> bool:
    about = beside_whom(name)
    if about is None or about[0] != FACE or not value or traits.people_pictures in (None, "any"):
        return False
    return traits.people_pictures == "none" or is_private(str(value))


def edits_of(edit: Edit, traits: ServerTraits) -> list[Edit]:
    """The edit as the requests that carry it: one, unless the server loses removals in it."""
    limit = traits.removals_at_once or 0
    first: dict[str, Change] = {}
    later: list[Edit] = []
    for name, change in edit.items():
        if name not in LISTS or not change.removes:
            first[name] = change
            continue
        sends_names = bool(change.value)
        if traits.tag_mode == "replace" and sends_names:
            # The list that replaces the old one lacks them.
            first[name] = replace(change, removes=())
            continue
        apart = traits.mixed_removals is False and sends_names
        together = 0 if apart else (limit or len(change.removes))
        if together or sends_names:
            first[name] = replace(change, removes=change.removes[:together])
        rest = change.removes[together:]
        size = limit or max(1, len(rest))
        some = (rest[start : start + size] for start in range(0, len(rest), size))
        later += [{name: Change(None, change.lock, removes=removes)} for removes in some]
    return [first, *later] if first else later


def rating_in(edit: Edit, traits: ServerTraits) -> str | None:
    """The rating that has to be sent as the account's ('' clears it), because edits with one are ignored."""
    change = edit.get("userRating")
    if traits.rating_by_edit != "none" or change is None or not isinstance(change.value, str):
        return None
    return change.value
