"""What `plexsync probe` changes on an item, and how that is taken back.

`Original` is saved before the first change. `leftovers` compares the item with it, and names only what the probe itself
has put there: a value that someone else has set meanwhile stays.
"""

from collections.abc import Mapping
from dataclasses import field

from plexsync.rules.item import Item
from plexsync.rules.merge.added_dates import FIELD as ADDED, moment_seconds
from plexsync.rules.merge.traits import UNKNOWN, ServerTraits
from plexsync.rules.merge.values import name_keys, names_present
from plexsync.rules.record_class import record

# The lists that get scratch names.
SCRATCH_LISTS = ("label", "actor", "collection")
# All fields whose locks the probe can change.
LOCKS = (*SCRATCH_LISTS, "addedAt", "userRating")
TAGS = 5
PEOPLE = "ABCDE"
# Ratings that hardly anybody gives.
RATING_BY_EDIT, RATING_BY_ACCOUNT = 3.7, 6.3
# Seconds by which the date added is changed.
EARLIER = 1


class CantProbe(Exception):
    """Nothing was changed; the message says why."""


@record
class ProbedItem:
    """An item as the probe sees it."""

    item: Item

    @property
    def added_at(self) -> int:
        """The date added in UTC seconds; 0 if there is none."""
        text = self.item.scalars.get(ADDED, "")
        return moment_seconds(text) if text else 0

    @property
    def rating(self) -> float | None:
        """The rating; None if there is none."""
        text = self.item.scalars.get("userRating", "")
        return float(text) if text else None

    @property
    def locks(self) -> frozenset[str]:
        """The locked fields among those that the probe can change."""
        return self.item.locks & frozenset(LOCKS)

    def names(self, role: str) -> tuple[str, ...]:
        """The names of a list."""
        return self.item.lists.get(role, ())


@record
class Original:
    """An item before the probe: which server and item it is, what it had, and the names that the probe uses.

    `files` are the paths of its files. `tags` are scratch labels, `people` scratch members of the cast.
    """

    machine: str
    key: str
    section: str
    files: tuple[str, ...]
    lists: Mapping[str, tuple[str, ...]]
    locks: tuple[str, ...]
    added_at: int
    rating: float | None
    tags: tuple[str, ...]
    people: tuple[str, ...]
    collection: str

    def scratch(self, role: str) -> tuple[str, ...]:
        """The names that the probe adds to a list."""
        return {"label": self.tags, "actor": self.people, "collection": (self.collection,)}[role]


@record
class Leftovers:
    """What is left of a probe: names to remove by list, the date added, whether a rating is to be cleared, and locks.

    `locks` holds every field that is written or has another lock, since an edit may lock its field.
    """

    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    added_at: int | None = None
    rating: bool = False
    locks: Mapping[str, bool] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.names or self.added_at is not None or self.rating or self.locks)


@record
class Restoration:
    """The result: `fields` are not as before, `note` says why nothing was written, '' otherwise.

    `remains` is the name of the scratch collection if Plex keeps it without items.
    """

    fields: tuple[str, ...] = ()
    note: str = ""
    remains: str = ""

    def words(self) -> str:
        """What is not as before, or '' if everything is."""
        if self.note:
            return self.note
        remains = f"the collection {self.remains} stayed, without items: delete it in Plex" if self.remains else ""
        fields = f"not as before: {', '.join(self.fields)}" if self.fields else ""
        return "; ".join(filter(None, (fields, remains)))


@record
class ProbeOutcome:
    """The result of a probe. `skipped` says for traits why there is no answer.

    `error` is why the probe ended early, '' if it did not; `restored` None: the item is not restored yet. `asked` is when
    another process asked a worker for it (UTC ms).
    """

    version: str = ""
    traits: ServerTraits = UNKNOWN
    skipped: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    restored: Restoration | None = None
    asked: int = 0

    @property
    def is_restored(self) -> bool:
        """Whether the item is as it was before the probe."""
        return self.restored is not None and not self.restored.words()


def original_of(now: ProbedItem, *, machine: str, mark: str) -> Original:
    """The item as it is now, with scratch names that contain `mark`."""
    return Original(
        machine=machine,
        key=now.item.key,
        section=now.item.section,
        files=tuple(part.path for part in now.item.parts),
        lists={role: now.names(role) for role in SCRATCH_LISTS},
        locks=tuple(sorted(now.locks)),
        added_at=now.added_at,
        rating=now.rating,
        tags=tuple(f"PlexSync probe {mark} {number}" for number in range(1, TAGS + 1)),
        people=tuple(f"PlexSync probe {mark} {letter}" for letter in PEOPLE),
        collection=f"PlexSync probe {mark}",
    )


def is_same_item(original: Original, now: ProbedItem) -> bool:
    """Whether the item is the probed one: after a reinstallation of Plex its key can name another item.

    One file in common is enough, since a file can have been added or moved meanwhile.
    """
    files, before = {part.path for part in now.item.parts}, set(original.files)
    return now.item.section == original.section and (bool(files & before) or files == before)


def leftovers(original: Original, now: ProbedItem) -> Leftovers:
    """What the probe has left on the item.

    A lock follows its value: if someone has changed the value since, a lock that the probe took off is set again, and
    one that came with the change stays.
    """
    scratch = {role: original.scratch(role) for role in SCRATCH_LISTS}
    names = {role: present for role, mine in scratch.items() if (present := names_present(now.names(role), mine))}
    moved = now.added_at == original.added_at - EARLIER
    rated = original.rating is None and now.rating in (RATING_BY_EDIT, RATING_BY_ACCOUNT)
    as_before = {
        **{
            role: name_keys(now.names(role)) - name_keys(mine) == name_keys(original.lists.get(role, ()))
            for role, mine in scratch.items()
        },
        "addedAt": moved or now.added_at == original.added_at,
        "userRating": rated or now.rating == original.rating,
    }
    written = {*names, *(("addedAt",) if moved else ()), *(("userRating",) if rated else ())}
    wanted = {
        name: name in (original.locks if as_before[name] or name in original.locks else now.locks) for name in LOCKS
    }
    locks = {name: lock for name, lock in wanted.items() if name in written or (name in now.locks) != lock}
    return Leftovers(names, original.added_at if moved else None, rated, locks)


def differences(original: Original, now: ProbedItem) -> tuple[str, ...]:
    """The fields among those that the probe can change that are not as they were."""
    changed = [role for role in SCRATCH_LISTS if now.names(role) != tuple(original.lists.get(role, ()))]
    if now.added_at != original.added_at:
        changed.append("addedAt")
    if now.rating != original.rating:
        changed.append("userRating")
    locks = now.locks ^ set(original.locks)
    return (*changed, *(f"the lock of {name}" for name in LOCKS if name in locks))
