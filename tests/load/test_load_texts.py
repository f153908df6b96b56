"""Huge and strange metadata from Stash to Plex: cut where it has to be, marked, and at rest after one run.

PLEXSYNC_TORTURE=1 takes the full figures; PLEXSYNC_SEED gives the texts of a run again.
"""

import os
import random
import resource
import sys
from pathlib import Path

import pytest

from plexsync.rules.merge.desired import MEMBER_LIMIT
from plexsync.rules.queue.job import State
from plexsync.rules.words.text import NAME_LIMIT, SUMMARY_LIMIT
from tests.chance import SEED
from tests.engine.house import HOUR, House

TORTURE = bool(os.environ.get("PLEXSYNC_TORTURE"))
SCENES = 1_000 if TORTURE else 60
BYTES, TAGS, PERFORMERS, LONG_NAMES = 1_000_000, 10_000, 1_000, 3
MEGABYTE = 2**20


@pytest.fixture
def house(tmp_path):
    with House(tmp_path / "data") as made:
        yield made


def writes_of_another_run(house, ids) -> int:
    """How many edits it takes to want everything once more."""
    house.clock.move(HOUR)
    house.forget_requests()
    house.want(*ids)
    house.work_until_settled()
    return house.plex_sim.count("PUT")


# --- huge ------------------------------------------------------------------------------------------------------------


def peak() -> int:
    """The most memory that this process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """What was needed before does not count, where the system lets go of it."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def most() -> int:
    """As `peak`, since it was forgotten."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return peak()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def test_a_megabyte_of_text_ten_thousand_tags_and_a_thousand_performers_are_cut_marked_and_counted(house):
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    before_family = "x" * (SUMMARY_LIMIT - 3)
    values = {
        "title": f"{family} " * 100,
        "details": before_family + family + "y" * (BYTES - SUMMARY_LIMIT),
        "tags": [f"Tag {n} \u00e9" for n in range(TAGS)],
        "performers": [f"Performer {n} {'x' * 300 if n < LONG_NAMES else ''}" for n in range(PERFORMERS)],
    }
    plain, id = house.in_step(2)
    house.stash_sim.edit_scene(id, **values)
    forget_peak()
    before = most()
    house.want(id)
    house.work_until_settled()
    grown = most() - before
    assert house.row(id).state is State.IDLE
    assert grown < 256 * MEGABYTE
    print(f"\n{grown / MEGABYTE:.0f} MB at most")

    item = house.plex_sim.item(house.key_of(id))
    assert item.scalars["summary"] == before_family, "a reader sees a character end there"
    assert 0 < len(item.scalars["title"]) <= NAME_LIMIT
    assert len(item.lists["genre"]) == MEMBER_LIMIT
    assert len(item.lists["actor"]) == MEMBER_LIMIT
    assert max(map(len, item.lists["actor"])) == NAME_LIMIT

    (inspection,) = house.worker.inspector.look([id])
    told = {(note.field, note.reason): note.text for note in inspection.wanted.notes}
    assert set(told) == {
        ("title", "cut"), ("summary", "cut"), ("genre", "dropped"), ("actor", "cut"), ("actor", "dropped"),
    }  # fmt: skip
    letters = len(values["details"])
    assert told["summary", "cut"] == f"a text of {letters} characters was cut to {len(before_family)}"
    assert f"the first {MEMBER_LIMIT} of {TAGS}" in told["genre", "dropped"]
    assert f"the first {MEMBER_LIMIT} of {PERFORMERS}" in told["actor", "dropped"]
    cuts = [note for note in inspection.wanted.notes if (note.field, note.reason) == ("actor", "cut")]
    assert len(cuts) == LONG_NAMES, "none is cut in silence"
    assert writes_of_another_run(house, [plain, id]) == 0


# --- strange ---------------------------------------------------------------------------------------------------------

SPLINTERS = (
    *("\0", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\x85", "\u2028", "\ufeff", "\u200b", "\u200f", "\u202e", "\u2066"),
    *("e\u0301", "\u00e9", "\u1e9e", "ß", "İ", "ı", "ﬁ", "Å", "\u212b", "각", "\u1100\u1161\u11a8"),
    *("𝔘", "ﷺ", "a" + "\u0301" * 20),
    *("\U0001f468\u200d\U0001f469", "\U0001f44d\U0001f3fd", "\U0001f1e9\U0001f1ea", "❤\ufe0f"),
    *("\ufffe", "\ufffd", "\U0010ffff"),
    *("&amp;", "%00", "%2C", ",", ";", "'", '"', "\\", "<b>", "{}", "[0]", "$1", "#", "?", "=", "+", "  ", ".", "-", "0"),
)  # fmt: skip
ALPHABETS = [
    (0x20, 0x7E),
    (0xA0, 0x17F),
    (0x370, 0x52F),
    (0x590, 0x6FF),
    (0x900, 0xDFF),
    (0x3040, 0x30FF),
    (0x1F300, 0x1FAFF),
]


def strange(rng: random.Random) -> str:
    """A text that nobody would write. Stash itself, in which half a surrogate has no place, gives out none."""
    pieces = []
    for _ in range(rng.randint(0, 8)):
        first, last = rng.choice(ALPHABETS)
        match rng.randint(0, 3):
            case 0:
                pieces.append(chr(rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)))))
            case 1:
                pieces.append("".join(chr(rng.randint(first, last)) for _ in range(rng.randint(1, 10))))
            case _:
                pieces.append(rng.choice(SPLINTERS))
    return "".join(pieces)


def test_texts_of_every_script_come_to_plex_and_the_second_run_writes_nothing(house):
    rng = random.Random(SEED)
    ids = house.add(SCENES)
    for id in ids:
        values = {
            "title": strange(rng),
            "details": strange(rng),
            "studio": strange(rng) or None,
            "tags": sorted({strange(rng) for _ in range(4)}),
            "performers": sorted({strange(rng) for _ in range(4)}),
        }
        house.stash_sim.edit_scene(id, **{name: value for name, value in values.items() if value})
    house.want(*ids)
    house.work_until_settled()
    again = f"again: PLEXSYNC_SEED={SEED}"
    assert house.states() == {State.IDLE: SCENES}, again
    assert house.plex_sim.count("PUT") == SCENES, again
    assert writes_of_another_run(house, ids) == 0, again
    found = house.worker.reconciler.reconcile()
    assert (found.wanted, found.standing["differs"]) == (0, 0), again
    assert house.books_balance()
