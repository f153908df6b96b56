"""docs/looks.md says what the look sets, and no more."""

import re
import tomllib

from tests.journey.world import ROOT
from validation.looks import LOOKS

ROW = re.compile(r"^\| `([a-z_]+)` \| `(.+?)` \|", re.MULTILINE)


def test_the_table_of_the_page_is_the_table_of_the_look() -> None:
    text = (ROOT / "docs" / "looks.md").read_text(encoding="utf-8")
    section = text.partition("\n## What `rich` sets\n")[2].partition("\n## ")[0]
    rows = {name: tomllib.loads(f"value = {value}")["value"] for name, value in ROW.findall(section)}
    assert rows == {name: list(value) if isinstance(value, tuple) else value for name, value in LOOKS["rich"].items()}
