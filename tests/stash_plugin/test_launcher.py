"""Programs that the plugin runs to their end."""

import gc
import warnings
from pathlib import Path

from plexsync.stash_plugin.launcher import Runtime, run


def test_a_program_is_heard_to_its_end_and_leaves_nothing_open(tmp_path: Path) -> None:
    heard: list[str] = []
    with warnings.catch_warnings(record=True) as left_open:
        warnings.simplefilter("always", ResourceWarning)
        code = run(Runtime(str(tmp_path), "", {}), "2024", "2", module="calendar", report=heard.append)
        gc.collect()
    assert (code, heard[0].strip(), [str(one.message) for one in left_open]) == (0, "February 2024", [])
