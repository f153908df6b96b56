"""A small sample of what can happen to a store in PostgreSQL: nothing is lost, doubled or wrong.

`python -m tests.torture --store postgres` runs the full figures. PLEXSYNC_SEED chooses another sample.
"""

import pytest

from tests.torture.sampled import spoiled_nothing

pytestmark = [pytest.mark.needs_postgres, pytest.mark.long]
SAMPLE = ("F4", "P1", "P2", "P3", "P4", "P5", "P6")


@pytest.mark.parametrize("fault", SAMPLE)
def test_a_sample_of_the_faults_of_a_server_loses_doubles_and_spoils_nothing(fault: str) -> None:
    spoiled_nothing(fault, "--store=postgres")
