"""The product's source as tests read it: a file is parsed once in a run, when a test asks for it.

A rule over sources is a function from a `Source` to the places that break it, each a line and what stands there.
`broken` holds files to a rule, and `lines_broken` a few lines: so each rule has a test that it sees what it is for.
"""

import ast
import gc
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import chain
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("plexsync", "validation", "worker")
N = TypeVar("N", bound=ast.AST)


@dataclass(frozen=True, eq=False)
class Source:
    """A Python file: its path below the repository, its text, and what is made of it once."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def _nodes(self) -> dict[type[ast.AST], list[ast.AST]]:
        nodes: dict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in ast.walk(self.tree):
            nodes[type(node)].append(node)
        return nodes

    def nodes(self, *kinds: type[N]) -> Iterator[N]:
        """Every node of these kinds, kind by kind."""
        for kind in kinds:
            yield from self._nodes.get(kind, ())  # type: ignore[misc]

    def every_node(self) -> Iterator[ast.AST]:
        """Every node, kind by kind."""
        return chain.from_iterable(self._nodes.values())

    @cached_property
    def package(self) -> str:
        """`plexsync.store`, or the folder at the top."""
        parts = self.name.split("/")
        return ".".join(parts[: 2 if parts[0] == "plexsync" and len(parts) > 2 else 1])

    @cached_property
    def module(self) -> str:
        return self.name.removesuffix(".py").replace("/", ".")

    @cached_property
    def imports(self) -> dict[str, int]:
        """Each module that is imported, inside functions too, and the line where; `from a import b` is `a` and `a.b`."""
        found: dict[str, int] = {}
        for plain in self.nodes(ast.Import):
            found |= {alias.name: plain.lineno for alias in plain.names}
        for node in self.nodes(ast.ImportFrom):
            assert node.level == 0, f"{self.name}:{node.lineno}: relative import"
            found |= {f"{node.module}.{alias.name}": node.lineno for alias in node.names}
            found[str(node.module)] = node.lineno
        return found


Broken = Iterable[tuple[int, str]]
Rule = Callable[[Source], Broken]


def source(path: Path) -> Source:
    return Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))


@cache
def product() -> tuple[Source, ...]:
    """Every Python file of the product, parsed."""
    return _parsed(path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py")))


@cache
def bench() -> tuple[Source, ...]:
    """The Python files of the bench, parsed."""
    return _parsed(sorted((ROOT / "bench").glob("*.py")))


def _parsed(paths: Iterable[Path]) -> tuple[Source, ...]:
    sources = tuple(map(source, paths))
    # A syntax tree is a million objects and no garbage: to search them while they are made is three quarters of the work.
    collects = gc.isenabled()
    gc.disable()
    try:
        for one in sources:
            assert one._nodes
    finally:
        if collects:
            gc.enable()
    return sources


def broken(rule: Rule, sources: Iterable[Source]) -> list[str]:
    """Where files break a rule: file, line and what stands there."""
    return [f"{one.name}:{line}: {what}" for one in sources for line, what in rule(one)]


def lines_broken(rule: Rule, text: str, name: str = "plexsync/store/example.py") -> list[int]:
    """The lines of a text that break a rule, if it is the file of that name."""
    return [line for line, _ in rule(Source(name, text))]


def dotted(node: ast.AST) -> str:
    """`a.b.c` of a node that is written so, '' of any other."""
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            before = dotted(value)
            return f"{before}.{attr}" if before else ""
    return ""
