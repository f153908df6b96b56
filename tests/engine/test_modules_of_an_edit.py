"""One edit of a title runs few of our modules: a part that is switched off has no step in it."""

from pathlib import Path

from tests.engine.one_edit import edit_title
from tests.measure import EditCost

MODULES, FUNCTIONS, LINES = 68, 393, 16_800


def test_a_title_edit_runs_few_modules_and_functions(tmp_path: Path) -> None:
    functions = edit_title(tmp_path)
    cost = EditCost.of(functions)
    assert "plexsync/flows/scenes/push.py" in functions
    assert cost.modules <= MODULES, sorted(functions)
    assert cost.functions <= FUNCTIONS
    assert cost.lines <= LINES
