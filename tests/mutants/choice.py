"""Which tests are tried on a fault, and in what order: first those that speak of the same things.

Each file of tests is compared with the function that has the fault, as a search compares pages with a question: by the
words that they share, the rare ones counting most. What imports the file with the fault, names the function, or lies in
the folder of its room, comes before the rest. So a new test is chosen without being entered anywhere.
"""

import ast
import math
import re
from collections import Counter
from functools import cached_property
from pathlib import Path

from tests.measure import ROOT
from tests.mutants.draw import room_of
from tests.mutants.faults import Fault

# What takes long by nature, needs a browser, or is about the sources, the packages or the tests themselves.
LEFT_OUT = re.compile(
    r"tests/(torture|journey|load|deploy|release|simulator|mutants)/|_browser\.py$"
    r"|/stash_plugin/test_page(_dashboard|_servers|_setup)?\.py$"
    r"|/test_(static_rules|layers|measure|site|commands_run|dependencies|postgres_server|postgres_proxy|links|words"
    r"|synonyms|crawl|bombs|canary_commands|simulation_postgres)\.py$"
)
LAST = re.compile(r"tests/(simulation)/")
TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{2,}")
IMPORTS, NAMES, SAME_ROOM, SAME_SUBJECT = 12.0, 8.0, 6.0, 2.5


def tokens(text: str) -> Counter[str]:
    """The words of a text: each name, and the parts of it."""
    names = TOKEN.findall(text)
    parts = [part for name in names if "_" in name for part in name.split("_") if len(part) > 2]
    return Counter(word.lower() for word in (*names, *parts))


def subject(path: str) -> set[str]:
    """The words of a path that tell what it is about, without the ends of plurals."""
    return {word.removesuffix("s") for word in re.split(r"[/_.]", path.removesuffix(".py")) if len(word) > 2}


class Choice:
    """The files of tests of a tree, ranked for a fault."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        paths = sorted(path.relative_to(root).as_posix() for path in (root / "tests").rglob("test_*.py"))
        self.texts = {path: (root / path).read_text(encoding="utf-8") for path in paths if not LEFT_OUT.search(path)}

    @cached_property
    def words(self) -> dict[str, Counter[str]]:
        """The words of each file, of its name too."""
        return {path: tokens(f"{text} {path.replace('/', ' ')}") for path, text in self.texts.items()}

    @cached_property
    def rarity(self) -> dict[str, float]:
        """What a word tells: the fewer files have it the more."""
        files = Counter(word for words in self.words.values() for word in words)
        return {word: math.log(len(self.words) / count) for word, count in files.items()}

    @cached_property
    def subjects(self) -> Counter[str]:
        """How many files of tests have a word in their path."""
        return Counter(word for path in self.texts for word in subject(path))

    def tests(self, fault: Fault) -> list[str]:
        """All files of tests that may tell this fault, the likeliest first."""
        question = self._question(fault)
        scores = {path: self._score(path, fault, question) for path in self.texts}
        return sorted(scores, key=lambda path: (bool(LAST.match(path)), -scores[path], path))

    def _question(self, fault: Fault) -> set[str]:
        source = (self.root / fault.path).read_text(encoding="utf-8")
        inside = [
            node
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign)
            and node.lineno <= fault.line <= (node.end_lineno or 0)
        ]
        segment = (ast.get_source_segment(source, inside[0]) or "") if inside else fault.before
        return {*tokens(segment), *tokens(fault.scope.replace(".", " ")), *tokens(fault.path.replace("/", " "))}

    def _score(self, path: str, fault: Fault, question: set[str]) -> float:
        words, text = self.words[path], self.texts[path]
        shared = sum(self.rarity[word] * min(2.0, 1 + math.log(words[word])) for word in question if words[word])
        score = shared / (0.4 + 0.6 * len(words) / 300)
        module = fault.path.removesuffix(".py").replace("/", ".")
        package, _, name = module.rpartition(".")
        if re.search(rf"{re.escape(module)}\b|from {re.escape(package)} import [^\n]*\b{name}\b", text):
            score += IMPORTS
        names = [part for part in fault.scope.split(".") if part and not part.startswith("__")]
        named = [part for part in names if re.search(rf"\b_?{re.escape(part.strip('_'))}\b", text)]
        score += NAMES * len(named) / max(1, len(names))
        common = subject(path) & (subject(fault.path) | subject(fault.scope.lower()))
        score += SAME_SUBJECT * sum(math.log(len(self.texts) / self.subjects[word]) for word in common)
        if path.startswith(f"tests/{room_of(fault.path).split('/')[0]}/"):
            score += SAME_ROOM
        return score
