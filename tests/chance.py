"""The seed of whatever the tests take by chance: the same in each `make test`, so that only a change can fail it.

PLEXSYNC_SEED takes another. `make torture` draws one for each run, and gives it to Hypothesis too.
"""

import os

GIVEN = os.environ.get("PLEXSYNC_SEED", "")
SEED = int(GIVEN or 20_261_127)
