"""`plexsync probe` finds exactly the switches of the simulated Plex, and leaves the server as it was."""

import random
from pathlib import Path

import pytest

from plexsync.simulator.plex_traits import Traits
from tests.app.probe_stage import AGENTS, SWITCHES, every_pair, expected, stage, state_of

PAIRS = every_pair()
DRAWN = [
    {name: random.Random(f"{name} {number}").choice(values) for name, values in SWITCHES.items()}
    for number in range(24)
]
COMBINATIONS = PAIRS + DRAWN


def words(combination: dict[str, object]) -> str:
    return ",".join(str(value) for value in combination.values())


@pytest.mark.parametrize("library", AGENTS)
@pytest.mark.parametrize("combination", COMBINATIONS, ids=words)
def test_the_probe_finds_exactly_the_switches_and_restores_everything(
    tmp_path: Path, combination: dict[str, object], library: str
) -> None:
    traits = Traits(**combination)
    with stage(tmp_path / "data", traits, library) as here:
        before = state_of(here.plex)

        probed = here.probe()

        assert probed.error == ""
        assert probed.traits.answers() == expected(traits, library)
        assert here.learnt() == probed.traits.answers()
        assert probed.restored is not None
        assert (probed.restored.fields, probed.restored.note) == ((), "")
        assert state_of(here.plex) == before
        assert here.saved() is None
