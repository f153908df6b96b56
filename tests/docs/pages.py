"""The pages as tests read them: their headings, links, fenced blocks and commands."""

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.journey.world import ROOT

DOCS = ROOT / "docs"
LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
FENCE = re.compile(r"^( *)```(\S*)[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} (.+?) *#*$", re.MULTILINE)
INLINE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and what stands in it."""

    page: str
    language: str
    text: str


@cache
def pages() -> dict[str, str]:
    """Every page for people, by its path in the repository."""
    found = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    found += sorted([*(ROOT / ".github").rglob("*.md"), *DOCS.rglob("*.md")])
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in found}


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page."""
    for _, language, text in FENCE.findall(pages()[page]):
        yield Block(page, language, textwrap.dedent(text))


@cache
def prose(page: str) -> str:
    """A page without its fenced blocks."""
    return FENCE.sub("", pages()[page])


@cache
def anchors(page: str) -> frozenset[str]:
    """What headings are linked to by, as GitHub makes it: small letters, no signs, hyphens for blanks, repeats numbered."""
    found: dict[str, int] = {}
    names = set()
    for heading in HEADING.findall(prose(page)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        kept = "".join(one for one in plain if one in " -_" or unicodedata.category(one)[0] in "LN")
        slug = kept.replace(" ", "-")
        names.add(f"{slug}-{found[slug]}" if slug in found else slug)
        found[slug] = found.get(slug, 0) + 1
    return frozenset(names)


def links(page: str) -> Iterator[str]:
    """Where a page leads to."""
    yield from LINK.findall(prose(page))


def resolved(page: str, target: str) -> tuple[Path, str]:
    """The file and the anchor that a link within the repository leads to."""
    path, _, anchor = target.partition("#")
    place = (ROOT / page).parent / path if path else ROOT / page
    return place.resolve(), anchor


def commands(page: str) -> Iterator[str]:
    """The lines of a page that start our program, without what stands before its name and without remarks."""
    indented = re.findall(r"^    (plexsync [^\n]+)$", prose(page), re.MULTILINE)
    fenced = [
        line
        for block in blocks(page)
        if block.language in ("", "console", "sh", "bash", "shell")
        for line in block.text.replace("\\\n", " ").splitlines()
    ]
    for line in [*indented, *fenced]:
        found = re.match(r"\s*(?:\$ )?(?:\S*/)?(plexsync(?: [^#|>;&]*)?)(?:\s+#.*)?$", _bare(line))
        if found and not found[1].startswith("plexsync --"):
            # In tables of commands in columns, what follows two blanks is a remark.
            yield re.split(r"\s{2,}", found[1].strip())[0]


def _bare(line: str) -> str:
    """A line without what runs the program elsewhere: in a container, as another user, with variables."""
    line = re.sub(r"^\s*(?:\$ )?docker (?:compose )?exec (?:-it )?plexsync ", "", line)
    line = re.sub(r"^\s*sudo -u \S+ (?:env )?", "", line)
    return re.sub(r"^\s*(?:[A-Z_]+=\S*\s+)+", "", line)


def examples() -> list[str]:
    """Every command that a page shows as one types it: in a block, or in the text with words of its own behind its name."""
    shown = {command for page in pages() for command in commands(page)}
    shown |= {
        one for page in pages() for one in inline_commands(page) if not re.fullmatch(r"plexsync( [a-z]+){1,2}", one)
    }
    return sorted(one for one in shown if not re.search(r"…|\[|--help|\b[A-Z]+\b", one))


def inline_commands(page: str) -> Iterator[str]:
    """The commands that stand in the text of a page."""
    for code in INLINE.findall(prose(page)):
        words = " ".join(code.split())
        if words.startswith("plexsync "):
            yield words
