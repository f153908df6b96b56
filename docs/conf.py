"""How the site is built from the Markdown in this folder: `make docs`. Nothing of it is loaded from elsewhere."""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parent.parent

project = "PlexSync"
release = str(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
copyright = "the authors of PlexSync, MIT licence"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
# Headings are linked to as on GitHub.
myst_heading_anchors = 4
myst_enable_extensions = ["fieldlist"]
nitpicky = True

html_theme = "furo"
html_title = f"PlexSync {release}"
html_static_path: list[str] = []
html_copy_source = False
html_show_sphinx = False
html_permalinks = True


def _navigation(_app: Sphinx, page: str, source: list[str]) -> None:
    """The pages that the first page and the list of decisions link to, in their order, are those of the navigation.

    Pages that stand in no table of the first page come last.
    """
    if page == "index":
        named: set[str] = {"index"}
        for title, _, rows in (part.partition("\n") for part in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]):
            linked = re.findall(r"^\| \[([^\]]+)\]\(([^)#]+)\.md\) \|", rows, re.MULTILINE)
            named |= {target for _, target in linked}
            source[0] += _tree(title, [f"{name} <{target}>" for name, target in linked])
        source[0] += _tree("More", sorted({path.stem for path in (ROOT / "docs").glob("*.md")} - named))
    elif page == "decisions/README":
        source[0] += _tree("", re.findall(r"^- \[.+?\]\(([^)]+)\.md\)$", source[0], re.MULTILINE))


def _tree(title: str, entries: Sequence[str]) -> str:
    caption = [f":caption: {title}"] if title else []
    return "\n".join(["", "```{toctree}", ":hidden:", *caption, "", *entries, "```", ""]) if entries else ""


def setup(app: Sphinx) -> None:
    """The menu is read from the tables of the first page."""
    app.connect("source-read", _navigation)
