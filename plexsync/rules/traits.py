"""How one Plex server answers the questions on which sources disagree: what `plexsync probe` has learnt about it.

Each trait has the values that an answer can have. None means that the question was not answered, and PlexSync then sends
what is right under every answer. The functions decide an answer from what was read back.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

from plexsync.rules.paths import base_name, folder_name

TagMode = Literal["add", "replace"]
PeoplePictures = Literal["any", "public", "none"]
RatingByEdit = Literal["account", "item", "none"]
CollectionEdits = Literal["both", "section", "item"]
# The two forms.
CollectionForm = Literal["section", "item"]
FileFilter = Literal["exact", "any case", "folder"]
Answer = str | bool | int | float | None


@dataclass(frozen=True)
class ServerTraits:
    """The answers of one server.

    tag_mode          whether the names of a list in an edit are added to the list or replace it
    mixed_removals    whether a request can both add and remove names of one list
    removals_at_once  the number of names that one request can remove from a list; 0: no limit was found
    tags_lock         whether an edit of a list locks it by itself
    cast_on_other     whether items of Other Videos take a cast
    people_pictures   which addresses of pictures of people are taken
    rating_by_edit    what a rating in an edit is: that of the account, one of the item that the account's hides, or ignored
    added_by_edit     whether an edit can change the date on which an item was added
    collection_edits  which form of request edits a collection: by its library, by the collection, or both
    upload_selects    whether an uploaded picture is selected at once
    picture_lag       seconds until an uploaded picture is listed
    one_stamp         whether the addresses of an item's pictures change with every edit
    file_filter       what the filter by file finds: the exact name, the name in any case, or everything in its folder
    """

    tag_mode: TagMode | None = None
    mixed_removals: bool | None = None
    removals_at_once: int | None = None
    tags_lock: bool | None = None
    cast_on_other: bool | None = None
    people_pictures: PeoplePictures | None = None
    rating_by_edit: RatingByEdit | None = None
    added_by_edit: bool | None = None
    collection_edits: CollectionEdits | None = None
    upload_selects: bool | None = None
    picture_lag: float | None = None
    one_stamp: bool | None = None
    file_filter: FileFilter | None = None

    def answers(self) -> dict[str, Answer]:
        """Every trait by name."""
        return asdict(self)


UNKNOWN = ServerTraits()
TRAITS = tuple(field.name for field in fields(ServerTraits))


@dataclass(frozen=True)
class LearntTraits:
    """The traits with the version of the server that had them, and the time (UTC ms) when they were learnt."""

    machine: str
    version: str
    traits: ServerTraits
    learnt_at: int

    def joined(self, newer: "LearntTraits") -> "LearntTraits":
        """The newer answers; a question without one keeps the earlier answer of the same server and version."""
        if (self.machine, self.version) != (newer.machine, newer.version):
            return newer
        newest = {name: answer for name, answer in newer.traits.answers().items() if answer is not None}
        return LearntTraits(
            newer.machine, newer.version, traits_from({**self.traits.answers(), **newest}), newer.learnt_at
        )


YES, NO = "yes", "no"
CHOICES: Mapping[str, tuple[str, ...]] = {
    "tag_mode": ("add", "replace"),
    "people_pictures": ("any", "public", "none"),
    "rating_by_edit": ("account", "item", "none"),
    "collection_edits": ("both", "section", "item"),
    "file_filter": ("exact", "any case", "folder"),
}
# The largest numbers that are believed, for the traits that are numbers.
MOST_REMOVALS, LONGEST_LAG = 1000, 3600.0


def traits_from(answers: Mapping[str, object]) -> ServerTraits:
    """The traits from stored answers. An unknown name is ignored; an unknown value counts as no answer."""
    return ServerTraits(**{name: answers.get(name) for name in TRAITS if _is_answer(name, answers.get(name))})  # type: ignore[arg-type]


def _is_answer(name: str, answer: object) -> bool:
    if name in CHOICES:
        return answer in CHOICES[name]
    if name == "removals_at_once":
        return type(answer) is int and 0 <= answer <= MOST_REMOVALS
    if name == "picture_lag":
        return type(answer) in (int, float) and 0 <= float(str(answer)) <= LONGEST_LAG
    return isinstance(answer, bool)


def to_text(traits: ServerTraits) -> str:
    """The stored form."""
    return json.dumps(traits.answers())


def from_text(text: str) -> ServerTraits:
    """The traits in the stored form; none for a text that is not one."""
    try:
        return traits_from(dict(json.loads(text)))
    except (ValueError, TypeError, RecursionError):
        return UNKNOWN


# --- words for the screen --------------------------------------------------------------------------------------------

QUESTIONS: Mapping[str, str] = {
    "tag_mode": "Names of a list in an edit",
    "mixed_removals": "Adding and removing names in one request",
    "removals_at_once": "Names that one request removes",
    "tags_lock": "An edit of a list locks it",
    "cast_on_other": "Items of Other Videos take a cast",
    "people_pictures": "Addresses of pictures of people that are taken",
    "rating_by_edit": "A rating in an edit",
    "added_by_edit": "An edit changes the date added",
    "collection_edits": "Request that edits a collection",
    "upload_selects": "An uploaded picture is selected at once",
    "picture_lag": "Time until an uploaded picture is listed",
    "one_stamp": "Every edit changes the addresses of pictures",
    "file_filter": "The filter by file finds",
}
ANSWERS: Mapping[tuple[str, str], str] = {
    ("tag_mode", "add"): "are added to the list",
    ("tag_mode", "replace"): "replace the list",
    ("people_pictures", "any"): "all",
    ("people_pictures", "public"): "public ones only",
    ("people_pictures", "none"): "none",
    ("rating_by_edit", "account"): "is the rating of the account",
    ("rating_by_edit", "item"): "belongs to the item; the rating of the account hides it",
    ("rating_by_edit", "none"): "is ignored",
    ("collection_edits", "both"): "by library or by collection",
    ("collection_edits", "section"): "by library only",
    ("collection_edits", "item"): "by collection only",
    ("file_filter", "exact"): "the exact name",
    ("file_filter", "any case"): "the name in any case",
    ("file_filter", "folder"): "all items of the folder",
}

# What PlexSync does with an answer that it knows; the other answers are stored only.
USES: Mapping[str, str] = {
    "tag_mode": "where names replace the list, no removals are sent",
    "mixed_removals": "if not, removals get a request of their own",
    "removals_at_once": "longer removals are split",
    "cast_on_other": "if not, no cast is sent there",
    "people_pictures": "other addresses are not sent",
    "rating_by_edit": "if it is ignored, PlexSync rates as the account",
    "added_by_edit": "if not, no date added is sent",
    "collection_edits": "that form is tried first",
}
# The groups of questions of a probe, each with its traits.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "files": ("file_filter",),
    "lists": ("tag_mode", "mixed_removals", "removals_at_once", "tags_lock", "one_stamp"),
    "date added": ("added_by_edit",),
    "rating": ("rating_by_edit",),
    "cast": ("cast_on_other", "people_pictures"),
    "collection": ("collection_edits",),
    "pictures": ("upload_selects", "picture_lag"),
}
NOT_ASKED = "the answers of Plex did not tell"


def unanswered(traits: ServerTraits, skipped: Mapping[str, str]) -> dict[str, str]:
    """The traits without an answer, each with the reason; `skipped` has the reasons by group."""
    answers = traits.answers()
    return {
        name: skipped.get(group, NOT_ASKED)
        for group, names in GROUPS.items()
        for name in names
        if answers[name] is None
    }


def answer_words(name: str, answer: Answer) -> str:
    """The answer as text; '' if there is none."""
    if answer is None:
        return ""
    if isinstance(answer, bool):
        return YES if answer else NO
    if name == "removals_at_once":
        return str(answer) if answer else "no limit found"
    if name == "picture_lag":
        return f"{answer:g} s" if answer else "at once"
    return ANSWERS.get((name, str(answer)), str(answer))


# --- what was read back, and what it means ---------------------------------------------------------------------------


def tag_mode(*, left_out_name_stays: bool) -> TagMode:
    """An edit sent the list without one name: the name stays where names are added."""
    return "add" if left_out_name_stays else "replace"


def removals_at_once(sent: int, removed: int) -> int | None:
    """A request removed `removed` of `sent` names; None if it removed nothing, which no limit explains."""
    if not removed:
        return None
    return 0 if removed >= sent else removed


def people_pictures(*, public_taken: bool, private_taken: bool) -> PeoplePictures | None:
    """One person was sent with a public address, another with a private one."""
    if private_taken:
        return "any" if public_taken else None
    return "public" if public_taken else "none"


def rating_by_edit(edited: float, after_edit: float | None, after_clearing: float | None) -> RatingByEdit | None:
    """An item without a rating got one by an edit, then one of the account, which was then cleared.

    If the edited rating shows again, it belongs to the item.
    """
    if after_edit is None:
        return "none" if after_clearing is None else None
    if after_clearing is None:
        return "account"
    return "item" if after_clearing == edited else None


def collection_edits(*, by_section: bool, by_item: bool) -> CollectionEdits | None:
    """Which of the two forms changed the collection; None if neither did."""
    if by_section:
        return "both" if by_item else "section"
    return "item" if by_item else None


def one_stamp(place_before: str, place_after: str, stamp_before: int, stamp_after: int) -> bool | None:
    """An edit changed no picture. None if the item shows none, or the edit left the stamp of the item unchanged."""
    if not place_before or not place_after or stamp_after == stamp_before:
        return None
    return place_after != place_before


def file_filter(
    name: str, by_name: Collection[str], by_other_case: Collection[str], folder: str, *, alone: bool
) -> FileFilter | None:
    """The paths found by a file's name in `folder`, and by that name in another case; the item's other files left out.

    None if that does not tell the possibilities apart: the file is `alone` in its folder, or its name has no letters.
    """
    if not any(base_name(path) == name for path in by_name):
        return None
    if others := [path for path in by_name if base_name(path) != name]:
        return "folder" if all(folder_name(path) == folder for path in others) else None
    if name.swapcase() == name or alone:
        return None
    return "any case" if any(base_name(path) == name for path in by_other_case) else "exact"
