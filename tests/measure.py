"""`make measure`: counts how large and how clear the product's code is, and how much of it one edit runs.

Product code is `plexsync/`, `validation/` and `worker/` without the simulator. `test_measure.py` keeps each figure from
growing again.
"""

import ast
import io
import tokenize
import tomllib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
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
# Names that say what was done to something instead of what is done: `listed`, `chosen`. `read` and `put` are verbs as well.
IRREGULAR_WORDS = (
    "begun bound built chosen done drawn found given gone held hidden kept known left lost made meant met said seen sent "
    "shown spoken spent taken told undone redone woken written brought"
)
PARTICIPLES = frozenset(IRREGULAR_WORDS.split())
NO_PARTICIPLES = frozenset({"bed", "embed", "feed", "need", "red", "seed", "shed", "speed"})
# Words that mean something in this product alone.
HOUSE_NOUNS = frozenset(["sight", "errand", "ask", "desk", "bell", "dice", "pillow", "looker", "kept", "shown"])
LAYOUT = frozenset(
    {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENCODING,
        tokenize.ENDMARKER,
    }
)
DOORS = frozenset({"plexsync.cli", "plexsync.web", "plexsync.stash_plugin"})
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
    tokens: int
    files: int
    functions: int
    classes: int
    largest_with_bases: Span
    participles: int
    house_nouns: int
    import_lines: int
    inner_imports: Counter[str]
    door_lines: int

    @property
    def participle_share(self) -> float:
        """Functions and classes that a bare participle names, in percent."""
        return 100 * self.participles / (self.functions + self.classes)

    @property
    def house_share(self) -> float:
        """Bindings with a noun of the house, in percent."""
        return 100 * self.house_nouns / self.bindings

    @property
    def import_share(self) -> float:
        """Lines of imports in percent of all lines."""
        return 100 * self.import_lines / self.product_lines

    @property
    def door_share(self) -> float:
        """Lines of the doors (terminal, browser, Stash) in percent of all lines."""
        return 100 * self.door_lines / self.product_lines

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


def token_count(text: str) -> int:
    """The tokens of a file without comments and layout."""
    return sum(token.type not in LAYOUT for token in tokenize.generate_tokens(io.StringIO(text).readline))


def is_participle(name: str) -> bool:
    """Whether a name is one word that says what was done: `_listed`, `Undone`."""
    word = name.strip("_").lower()
    return word.isalpha() and word not in NO_PARTICIPLES and (word in PARTICIPLES or word.endswith("ed"))


def has_house_noun(name: str) -> bool:
    """Whether a word of a name is a noun of the house, alone or in the plural."""
    return any(word in HOUSE_NOUNS or word.removesuffix("s") in HOUSE_NOUNS for word in name.lower().split("_"))


def inner_imports(source: Source) -> int:
    """The imports inside functions."""
    imports = (ast.Import, ast.ImportFrom)
    functions = source.nodes(ast.FunctionDef, ast.AsyncFunctionDef)
    return len({node for function in functions for node in ast.walk(function) if isinstance(node, imports)})


def import_lines(source: Source) -> int:
    """The lines of all imports."""
    return sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in source.nodes(ast.Import, ast.ImportFrom))


def with_bases(sources: Sequence[Source]) -> Iterator[Span]:
    """Every class with the lines of the product's classes that it inherits from, each counted once."""
    homes = {(source.module, node.name): (source, node) for source in sources for node in source.nodes(ast.ClassDef)}
    names = {
        source.module: {
            alias.asname or alias.name: (str(node.module), alias.name)
            for node in source.nodes(ast.ImportFrom)
            for alias in node.names
        }
        for source in sources
    }

    def family(module: str, name: str) -> set[tuple[str, str]]:
        if (module, name) not in homes:
            return set()
        members = {(module, name)}
        for base in homes[module, name][1].bases:
            base_name = dotted(base.value if isinstance(base, ast.Subscript) else base)
            members |= family(*names[module].get(base_name, (module, base_name)))
        return members

    for (module, name), (source, node) in homes.items():
        members = [homes[key][1] for key in family(module, name)]
        lines = sum((member.end_lineno or member.lineno) - member.lineno + 1 for member in members)
        yield Span(f"{source.name}:{node.lineno} {name}, {len(members)} classes", lines)


def measures(sources: Sequence[Source]) -> Measures:
    """Measure these files of the product."""
    vague: Counter[str] = Counter()
    vague_files: Counter[str] = Counter()
    untyped: Counter[str] = Counter()
    homes: defaultdict[str, set[str]] = defaultdict(set)
    classes, functions, tables, total, lines = [], [], [], 0, 0
    participles, nouns = 0, 0
    for source in sources:
        place = source.name
        names = Counter(bindings(source))
        total += names.total()
        vague.update({name: count for name, count in names.items() if name in VAGUE})
        nouns += sum(count for name, count in names.items() if has_house_noun(name))
        named = source.nodes(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        participles += sum(is_participle(node.name) for node in named)
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
        tokens=sum(token_count(source.text) for source in sources),
        files=len(sources),
        functions=len(functions),
        classes=len(classes),
        largest_with_bases=max(with_bases(sources), key=lambda span: span.lines),
        participles=participles,
        house_nouns=nouns,
        import_lines=sum(map(import_lines, sources)),
        inner_imports=+Counter({source.name: inner_imports(source) for source in sources}),
        door_lines=sum(source.text.count("\n") for source in sources if source.package in DOORS),
    )


def rows(found: Measures) -> Iterator[tuple[str, str, str]]:
    """What `make measure` prints: figure, value, goal."""
    yield "lines of product code", f"{found.product_lines:,}", "70,000"
    yield "tokens of product code", f"{found.tokens:,}", "455,000"
    yield "files, functions, classes", f"{found.files:,}, {found.functions:,}, {found.classes:,}", ""
    yield "share of the doors", f"{found.door_lines:,} lines, {found.door_share:.1f} %", "<= 26 %"
    yield "share of import lines", f"{found.import_lines:,} lines, {found.import_share:.1f} %", "<= 6 %"
    inner = found.inner_imports
    yield "imports inside functions", f"{inner.total()} in {len(inner)} files", "20"
    yield "top-level names of the wheel", f"{len(found.top_level)}: {', '.join(found.top_level)}", "3"
    yield "vague names", f"{found.vague.total()} of {found.bindings} bindings, {found.vague_share:.1f} %", "<= 1 %"
    named = found.functions + found.classes
    participles = f"{found.participles} of {named:,} functions and classes, {found.participle_share:.1f} %"
    yield "names that are bare participles", participles, "<= 3 %"
    yield (
        "nouns of the house",
        f"{found.house_nouns} of {found.bindings:,} bindings, {found.house_share:.1f} %",
        "<= 0.5 %",
    )
    shared = found.shared_class_names
    yield "class names with several meanings", f"{len(shared)}: {', '.join(shared)}" if shared else "0", "0"
    yield "largest class", f"{found.largest_class.lines} lines, {found.largest_class.place}", "300"
    bases = found.largest_with_bases
    yield "largest class with its bases", f"{bases.lines} lines, {bases.place}", ""
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
    by_file = {
        "vague names": found.vague_files,
        "untyped facts": found.untyped,
        "imports inside functions": found.inner_imports,
    }
    for title, counts in by_file.items():
        if counts:
            print(f"\n{title} by file: " + ", ".join(f"{place} {count}" for place, count in counts.most_common(12)))
    print("\nCPU seconds of the tests:")
    for seconds, place in costs.rows(ROOT):
        print(f"{seconds:8.1f}  {place}")


if __name__ == "__main__":
    main()
