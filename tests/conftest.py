"""For all tests: Hypothesis judges no result by the speed of the machine, and takes the same examples each time."""

import os

from hypothesis import HealthCheck, settings

from tests.chance import GIVEN

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=not (GIVEN or os.environ.get("PLEXSYNC_TORTURE")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")
