"""The tables of docs/settings.md, made from the settings themselves: `python -m tests.docs.settings_page` renews the page.

Which setting stands in which table is said by the page; what its row says is made from the model. A setting that stands in
no table is named, so that a person puts `| name |` where readers look for it.
"""

import re
import sys

from plexsync.reports.settings import BASIC
from tests.journey.world import ROOT
from validation.config import Setting, describe

PAGE = ROOT / "docs" / "settings.md"
_ROW = re.compile(r"^\| (?:\*\*)?`([a-z_]+)`(?:\*\*)? \|.*$|^\| ([a-z_]+) \|$", re.MULTILINE)


class Unplaced(Exception):
    """A setting has no row, or a row no setting."""


def told(setting: Setting) -> str:
    """What a setting does, without the default and the two values of a switch: the column beside it has the default."""
    without = re.sub(r"(: true or false)?, default \S+\.(?= |$)", ".", setting.description)
    return without.removesuffix(" Default none.")


def row(setting: Setting) -> str:
    """What the page says of one setting. The basic ones are bold."""
    default = "required" if setting.default is None else f"`{setting.default}`"
    name = f"**`{setting.name}`**" if setting.name in BASIC else f"`{setting.name}`"
    return f"| {name} | {default} | {told(setting)} |"


def renewed(page: str) -> str:
    """The page with every row as the model has it; raises Unplaced."""
    known = {setting.name: setting for setting in describe()}
    placed = [ticked or bare for ticked, bare in _ROW.findall(page)]
    if missing := known.keys() - set(placed):
        raise Unplaced(f"put a line `| name |` into a table of {PAGE.name} for: {', '.join(sorted(missing))}")
    if unknown := set(placed) - known.keys():
        raise Unplaced(f"{PAGE.name} has rows for what is no setting: {', '.join(sorted(unknown))}")
    return _ROW.sub(lambda found: row(known[found[1] or found[2]]), page)


def main() -> None:
    """Write the page anew."""
    try:
        PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    except Unplaced as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
