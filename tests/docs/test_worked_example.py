"""The source that docs/contributing.md shows works in the real engine, between a simulated Stash and Plex."""

from pathlib import Path
from types import ModuleType

import pytest

from plexsync.app.further_flows import Registration
from tests.docs.pages import blocks
from tests.engine.house import House

PAGE = "docs/contributing.md"
LONGEST = 60


@pytest.fixture(scope="module")
def example() -> ModuleType:
    """The module that the page shows."""
    (block,) = [block for block in blocks(PAGE) if block.language == "python"]
    assert len(block.text.splitlines()) <= LONGEST
    module = ModuleType("worked_example")
    exec(compile(block.text, PAGE, "exec"), module.__dict__)
    return module


def test_scenes_that_are_named_in_the_file_are_synced_and_no_others(example: ModuleType, tmp_path: Path) -> None:
    with House(tmp_path / "data") as house:
        first, second, third = house.add(3)
        row, file = example.ROW, house.folder / example.FILE
        assert isinstance(row, Registration)
        assert row.assemble(house.worker.parts) is None, "it is off without the file"
        file.write_text(f"not a number\n{first}\n{first}\n{second}", encoding="ascii")
        added = row.assemble(house.worker.parts)
        (look,) = added.looks(lambda: False)
        assert look.act() == [first]
        house.work_until_settled()
        assert [house.title_in_plex(id) for id in (first, second, third)] == ["Title 0", "file 1", "file 2"]
        # The line is whole now; a worker that takes over goes on where the last one ended.
        with file.open("a", encoding="ascii") as open_file:
            open_file.write("\n")
        house.replace_worker()
        (look,) = row.assemble(house.worker.parts).looks(lambda: False)
        assert (look.act(), look.act()) == ([second], [])
        house.work_until_settled()
        assert [house.title_in_plex(id) for id in (first, second, third)] == ["Title 0", "Title 1", "file 2"]
        row.clean_up(house.worker.parts)
        assert look.act() == []
        file.unlink()
        row.clean_up(house.worker.parts)
        file.write_text(f"{third}\n", encoding="ascii")
        assert look.act() == [third]


@pytest.mark.parametrize(("text", "ids"), [("", []), ("7\n12\n7\n", [7, 12]), ("0\n-1\n7 8\n1234567890\n", [])])
def test_the_rule_takes_lines_that_are_numbers(example: ModuleType, text: str, ids: list[int]) -> None:
    assert example.scene_numbers(text) == ids
