"""Pictures that an item is given to choose from, and what is stored about them.

While pictures are being given, the database holds what the item showed before. So after a kill, the next look at the queue
knows that a picture that an upload has selected is PlexSync's own doing, and selects the earlier one again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plexsync.rules.item import Item
from plexsync.rules.job import Waiting
from plexsync.rules.records import PictureRow
from plexsync.rules.scene import Image
from plexsync.store.database import Reader, Writer

# The outcome of another look while pictures are being given: inspected again soon, and without blame.
BEING_GIVEN = Waiting("pictures of galleries are being given to its item", "released", after=30.0, backoff=False)
# The flows, in the table of pictures, of what was given and of what is being given.
GIVEN, GIVING = "choice", "choice giving"


@dataclass(frozen=True)
class ShelfChoices:
    """Pictures of one kind (`thumb`, `art`) that the item does not have, by key, and what it shows meanwhile."""

    name: str
    shown: str
    locked: bool
    pictures: Mapping[str, Image]


@dataclass(frozen=True)
class Choices:
    """What an item has to be given. `version` tells it from what it was given before."""

    version: str
    shelves: tuple[ShelfChoices, ...] = ()


@dataclass(frozen=True)
class Giving:
    """Pictures of one kind that are being given to an item, or were when the process ended.

    They may still arrive until `until` (UTC ms). `shown` is what the item is to show, and `keys` are the pictures.
    """

    scene: int
    item: str
    section: str
    name: str
    until: int
    shown: str
    locked: bool
    keys: tuple[str, ...]


def save_giving(tx: Writer, scene: int, item: Item, choices: Choices, until: int) -> None:
    """Save what is about to be sent, and what the item shows."""
    for shelf in choices.shelves:
        text = " ".join((item.section, *shelf.pictures))
        row = PictureRow(str(until), "locked" if shelf.locked else "", shelf.shown, text)
        tx.pictures.of_flow(GIVING).save(scene, f"{item.key} {shelf.name}", row)


def end_giving(tx: Writer, scene: int, item: str, choices: Choices) -> None:
    """Forget what is being given to an item."""
    for shelf in choices.shelves:
        tx.pictures.of_flow(GIVING).drop(scene, f"{item} {shelf.name}")


def givings(db: Reader) -> list[Giving]:
    """Everything that is being given."""
    return [
        _giving(scene, name, row)
        for scene, rows in db.pictures.of_flow(GIVING).everything().items()
        for name, row in rows.items()
    ]


def drop_giving(tx: Writer, giving: Giving) -> None:
    """Forget what was being given, since the item shows what it has to."""
    tx.pictures.of_flow(GIVING).drop(giving.scene, f"{giving.item} {giving.name}")


def _giving(scene: int, name: str, row: PictureRow) -> Giving:
    item, _, kind = name.partition(" ")
    section, *keys = row.reason.split(" ")
    return Giving(scene, item, section, kind, int(row.version), row.key, row.tag == "locked", tuple(keys))


def save_given(tx: Writer, scene: int, item: str, version: str) -> None:
    """Remember what an item was given."""
    tx.pictures.of_flow(GIVEN).save(scene, item, PictureRow(version, "", "", ""))
