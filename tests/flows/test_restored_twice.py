"""A hand edit in Plex that was seen is kept through restores of either side, in any order, until Stash says something new.

The lives take random sequences; PLEXSYNC_TORTURE=1 lives many more.
"""

import os
import random

import pytest

from tests.engine.house import House
from tests.flows.test_restored import by_hand, compared, edited

LIVES = 150 if os.environ.get("PLEXSYNC_TORTURE") else 12
STEPS = 8
# Each letter is what one restore sets back: Plex or Stash, to the moment after the hand edit (early) or after the last sync.
RESTORES = [
    [("early", "early"), ("early", "late")],
    [("early", ""), ("", "early"), ("", "late")],
    [("early", "early"), ("", "late"), ("", "early")],
    [("early", "early"), ("late", "late"), ("early", "late"), ("", "early")],
]


def lived(house):
    """A house with a hand edit that was seen, after which Stash was edited twice; its backups by moment and side."""
    [id] = house.in_step()
    edited(house, id, title="A title", details="A details")
    by_hand(house, id, summary="Mine")
    compared(house)
    moments = {"early": (house.plex_sim.backup(), house.stash_sim.backup())}
    for name in ("middle", "late"):
        house.clock.move(60)
        edited(house, id, title=f"{name} title", details=f"{name} details")
        moments[name] = house.plex_sim.backup(), house.stash_sim.backup()
    assert summary(house, id) == "late details"
    return id, moments


def restored(house, plex, stash):
    house.clock.move(5)
    if plex:
        house.plex_sim.restore(plex)
    if stash:
        house.stash_sim.restore(stash)
    compared(house)


def summary(house, id):
    return house.plex_sim.item(house.key_of(id)).scalars["summary"]


@pytest.mark.parametrize("restores", RESTORES)
def test_a_hand_edit_is_kept_through_restores_of_either_side_until_stash_says_something_new(tmp_path, restores):
    with House(tmp_path / "data") as house:
        id, moments = lived(house)
        for plex, stash in restores:
            restored(house, moments[plex][0] if plex else None, moments[stash][1] if stash else None)
            if plex != "late":
                assert summary(house, id) == "Mine", (plex, stash)
            assert house.title_in_plex(id) == house.stash_sim.scene(id).title
        edited(house, id, details="Fresh")
        assert summary(house, id) == "Fresh"


@pytest.mark.parametrize("seed", range(LIVES))
def test_a_hand_edit_is_kept_through_random_restores(tmp_path, seed):
    rng = random.Random(seed)
    with House(tmp_path / "data") as house:
        id, moments = lived(house)
        hand = False
        for _ in range(STEPS):
            # A newer Plex comes back only together with its Stash: alone, what it shows may be a person's.
            plex = rng.choice(["early", "late", ""])
            stash = "late" if plex == "late" else rng.choice([*moments, ""])
            restored(house, moments[plex][0] if plex else None, moments[stash][1] if stash else None)
            if plex:
                hand = plex == "early"
            expected = "Mine" if hand else house.stash_sim.scene(id).details
            assert (summary(house, id), house.title_in_plex(id)) == (expected, house.stash_sim.scene(id).title)
