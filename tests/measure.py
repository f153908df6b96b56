"""`make measure`: counts how large and how clear the product's code is, and how much of it one edit runs.

Product code is `plexsync/`, `validation/` and `worker/` without the simulator. `test_measure.py` keeps each figure from
growing again.
"""

import ast
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import costs
from tests.engine import one_edit
from tests.sources import ROOT, Source, dotted, product

VAGUE_WORDS = (
    "one found told seen known made left why who whom whose how what which ours theirs cls said stood called lately there "
    "came went given taken brought things thing stuff means"
)
VAGUE = frozenset(VAGUE_WORDS.split())
# Words that name a state of a job or of a scene; a dict keyed by three of them is a table of status words.
STATES = frozenset({"ready", "running", "absent", "dead", "idle", "ignored", "dropped", "gone", "undone", "ambiguous"})
TABLE_KEYS = 3
# Where answers of other programs are decoded: a JSON document has no type before that.
JSON_EDGE = ("plexsync/http/", "plexsync/plex/answers.py", "plexsync/stash/answers.py", "plexsync/stash_plugin/")


@dataclass(frozen=True)
class Span:
    """A class or function: where it stands and how many lines it has."""

    place: str
    lines: int


@dataclass(frozen=True)
class Measures:
    """All figures of one tree of files; counts are of places in the code."""

    top_level: tuple[str, ...]
    bindings: int
    vague: Counter[str]
    vague_files: Counter[str]
    shared_class_names: tuple[str, ...]
    largest_class: Span
    longest_function: Span
    untyped: Counter[str]
    status_tables: tuple[str, ...]
    product_lines: int

    @property
    def vague_share(self) -> float:
        """Vague names in percent of all bindings."""
        return 100 * self.vague.total() / self.bindings


def product_without_simulator() -> list[Source]:
    """The files that are measured."""
    return [source for source in product() if "/simulator/" not in source.name]


def bindings(source: Source) -> Iterator[str]:
    """Every parameter and every assigned name; a class method's `cls` is none."""
    for node in source.every_node():
        match node:
            case ast.FunctionDef(args=args) | ast.AsyncFunctionDef(args=args) | ast.Lambda(args=args):
                names = [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
                names += [arg.arg for arg in (args.vararg, args.kwarg) if arg]
                yield from names[1:] if names[:1] == ["cls"] and not isinstance(node, ast.Lambda) else names
            case ast.Name(id=id, ctx=ast.Store()):
                yield id
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name


def spans(source: Source, *kinds: type[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]) -> Iterator[Span]:
    """The classes or functions of one file with their lines, docstring included."""
    for node in source.nodes(*kinds):
        assert node.end_lineno is not None
        yield Span(f"{source.name}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1)


def is_status_table(node: ast.Dict) -> bool:
    """Whether a dict is keyed by status words, as texts or as members of an enumeration."""
    keys = {
        key.value if isinstance(key, ast.Constant) else key.attr.lower() if isinstance(key, ast.Attribute) else ""
        for key in node.keys
    }
    return len(keys & STATES) >= TABLE_KEYS


def untyped_facts(source: Source) -> int:
    """How often `dict[str, Any]` or `Mapping[str, Any]` stands in for a type."""
    return sum(
        dotted(node.value) in ("dict", "Mapping") and ast.unparse(node.slice) in ("(str, Any)", "str, Any")
        for node in source.nodes(ast.Subscript)
    )


def measures(sources: Iterable[Source]) -> Measures:
    """Measure these files of the product."""
    vague: Counter[str] = Counter()
    vague_files: Counter[str] = Counter()
    untyped: Counter[str] = Counter()
    homes: defaultdict[str, set[str]] = defaultdict(set)
    classes, functions, tables, total, lines = [], [], [], 0, 0
    for source in sources:
        place = source.name
        names = Counter(bindings(source))
        total += names.total()
        vague.update({name: count for name, count in names.items() if name in VAGUE})
        vague_files[place] += sum(names[name] for name in VAGUE)
        classes += spans(source, ast.ClassDef)
        functions += spans(source, ast.FunctionDef, ast.AsyncFunctionDef)
        for node in source.nodes(ast.ClassDef):
            homes[node.name].add(place)
        tables += [f"{place}:{node.lineno}" for node in source.nodes(ast.Dict) if is_status_table(node)]
        if not place.startswith(JSON_EDGE):
            untyped[place] += untyped_facts(source)
        lines += source.text.count("\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return Measures(
        top_level=tuple(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]),
        bindings=total,
        vague=vague,
        vague_files=+vague_files,
        shared_class_names=tuple(sorted(name for name, places in homes.items() if len(places) > 1)),
        largest_class=max(classes, key=lambda span: span.lines),
        longest_function=max(functions, key=lambda span: span.lines),
        untyped=+untyped,
        status_tables=tuple(tables),
        product_lines=lines,
    )


def rows(found: Measures) -> Iterator[tuple[str, str, str]]:
    """What `make measure` prints: figure, value, goal."""
    yield "lines of product code", f"{found.product_lines:,}", ""
    yield "top-level names of the wheel", f"{len(found.top_level)}: {', '.join(found.top_level)}", "3"
    yield "vague names", f"{found.vague.total()} of {found.bindings} bindings, {found.vague_share:.1f} %", "<= 1 %"
    shared = found.shared_class_names
    yield "class names with several meanings", f"{len(shared)}: {', '.join(shared)}" if shared else "0", "0"
    yield "largest class", f"{found.largest_class.lines} lines, {found.largest_class.place}", "300"
    yield "longest function", f"{found.longest_function.lines} lines, {found.longest_function.place}", "50"
    yield "untyped facts outside the JSON edge", str(found.untyped.total()), "0"
    yield "tables of status words", f"{len(found.status_tables)}: {', '.join(found.status_tables)}", "1"


@dataclass(frozen=True)
class EditCost:
    """What one edit of a title runs in a worker without options."""

    modules: int
    functions: int
    lines: int

    @classmethod
    def of(cls, entered: Mapping[str, Collection[str]]) -> "EditCost":
        """The cost of an edit that entered these functions, by module."""
        lines = sum((ROOT / module).read_text(encoding="utf-8").count("\n") for module in entered)
        return cls(len(entered), sum(map(len, entered.values())), lines)

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """What `make measure` prints: figure, value, goal."""
        yield "modules run by one edit", f"{self.modules}, with {self.lines:,} lines", "70, with 13,000 lines"
        yield "functions entered by one edit", str(self.functions), "380"


def main() -> None:
    """Print the table, then the files with most vague names."""
    found = measures(product_without_simulator())
    with TemporaryDirectory() as folder:
        edit = EditCost.of(one_edit.edit_title(Path(folder)))
    for name, value, goal in (*rows(found), *edit.rows()):
        print(f"{name:<38}{value}{f'  (goal: {goal})' if goal else ''}")
    for title, counts in (("vague names by file", found.vague_files), ("untyped facts by file", found.untyped)):
        if counts:
            print(f"\n{title}: " + ", ".join(f"{place} {count}" for place, count in counts.most_common(12)))
    print("\nCPU seconds of the tests:")
    for seconds, place in costs.rows(ROOT):
        print(f"{seconds:8.1f}  {place}")


if __name__ == "__main__":
    main()
