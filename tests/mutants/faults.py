"""The small faults that a file of the product could have: each is one change of its text.

Six kinds, each a slip that a person makes: a call is dropped, a condition is negated or left out, two arguments are swapped,
a bound is off by one, a constant is another. Only what a program does is changed: no docstring, no text for people, no log
line, no type hint, no `__repr__`, no protocol. SQL is a program too, so its bounds and conditions are among the faults.
"""

import ast
import re
from dataclasses import dataclass

DROPPED = "a call dropped"
NEGATED = "a condition negated"
LEFT_OUT = "a condition left out"
SWAPPED = "two arguments swapped"
OFF_BY_ONE = "off by one"
CONSTANT = "a constant changed"
KINDS = (DROPPED, NEGATED, LEFT_OUT, SWAPPED, OFF_BY_ONE, CONSTANT)

SQL = re.compile(r"\s*(select|insert|update|delete|with|create|from|where|and|order by)\b")
# What stands in SQL, what it becomes, and the kind of that fault.
SQL_FAULTS = [
    (re.compile(r" ([<>])= "), r" \1 ", OFF_BY_ONE),
    (re.compile(r" ([<>]) "), r" \1= ", OFF_BY_ONE),
    (re.compile(r" is null\b"), " is not null", NEGATED),
    (re.compile(r" is not null\b"), " is null", NEGATED),
    (re.compile(r" <> "), " = ", NEGATED),
    (re.compile(r" (and|where|or|on) ([\w.]+) = "), r" \1 \2 <> ", NEGATED),
    (re.compile(r" and [\w.]+ (?:=|<>|[<>]=?) [:'\w]+(?=[\s)])"), "", LEFT_OUT),
    (re.compile(r" desc\b"), "", CONSTANT),
]
BOUNDS = {ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">"}
WORD = re.compile(r"[a-z][a-z0-9]*([_.:/-][a-z0-9]+)*")
LOGS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
# Whose arguments may stand in any order, or are no values of the program.
ORDERLESS = frozenset({"min", "max", "isinstance", "union", "intersection", "gcd"})
# Whose words are for people, or for a reader of the source.
FOR_PEOPLE = frozenset({"echo", "secho", "style", "table", "TypeVar", "getLogger", "cast"})
NO_FUNCTIONS = frozenset({"__repr__", "__str__", "__getattr__"})
NO_NAMES = frozenset({"__all__", "__slots__", "__match_args__"})
# Arguments that are words for people, or that only say how a file is read.
NO_KEYWORDS = frozenset(
    {"help", "short_help", "epilog", "metavar", "encoding", "errors", "name", "title", "description"}
)
NO_WORDS = frozenset({"utf-8", "ascii", "replace", "ignore", "strict", "a", "r", "rb", "w", "wb"})
PLATFORM = re.compile(r"TYPE_CHECKING|__name__|sys\.platform|os\.name|WINDOWS|sys\.version_info")


@dataclass(frozen=True)
class Fault:
    """One change: bytes `start` to `end` of the file at `path` become `text`. `before` and `after` are its lines."""

    path: str
    scope: str
    kind: str
    line: int
    start: int
    end: int
    text: str
    before: str
    after: str

    @property
    def name(self) -> tuple[str, str, str, str]:
        """What it is called wherever its lines stand in the file."""
        return self.path, self.scope, self.before, self.after

    def applied(self, source: bytes) -> bytes:
        """The file with this fault."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        place = f"{self.path}:{self.line} {self.scope or '(module)'}"
        return f"{place}: {self.kind}: {self.before} -> {self.after or '(nothing)'}"


def faults(path: str, source: bytes) -> list[Fault]:
    """Every fault that this file could have, in the order of its text; each compiles."""
    finder = _Finder(path, source)
    finder.visit(ast.parse(source))
    unique = {(fault.start, fault.end, fault.text): fault for fault in finder.faults}
    return sorted(unique.values(), key=lambda fault: (fault.start, fault.end, fault.text))


def compiles(fault: Fault, source: bytes) -> bool:
    """Whether the file with this fault is a program, and another one."""
    try:
        changed = ast.parse(fault.applied(source))
    except SyntaxError:
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


class _Finder(ast.NodeVisitor):
    def __init__(self, path: str, source: bytes) -> None:
        self.path, self.source = path, source
        self.starts = [0]
        for line in source.split(b"\n"):
            self.starts.append(self.starts[-1] + len(line) + 1)
        self.scopes: list[str] = []
        self.words_count = True
        self.faults: list[Fault] = []

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr | ast.stmt) -> str:
        start, end = self.span(node)
        return self.source[start:end].decode()

    def add(self, kind: str, start: int, end: int, text: str) -> None:
        first = self.source.rfind(b"\n", 0, start) + 1
        last = self.source.find(b"\n", end)
        last = len(self.source) if last < 0 else last
        old, new = (
            self.source[first:last].decode(),
            self.source[first:start].decode() + text + self.source[end:last].decode(),
        )
        line = self.source.count(b"\n", 0, start) + 1
        before, after = (" ".join(lines.split()) for lines in (old, new))
        self.faults.append(Fault(self.path, ".".join(self.scopes), kind, line, start, end, text, before, after))

    def replace(self, kind: str, node: ast.expr | ast.stmt, text: str) -> None:
        self.add(kind, *self.span(node), text)

    def negate(self, test: ast.expr) -> None:
        """A condition is turned round; what already is a `not` loses it."""
        if PLATFORM.search(text := self.text(test)) or isinstance(test, ast.Constant):
            return
        bare = isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)
        self.replace(NEGATED, test, f"({self.text(test.operand)})" if bare else f"(not ({text}))")

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if any(ast.unparse(base).startswith(("Protocol", "typing.Protocol")) for base in node.bases):
            return
        self.scopes.append(node.name)
        for statement in node.body:
            self.visit(statement)
        self.scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = " ".join(map(ast.unparse, node.decorator_list))
        if node.name in NO_FUNCTIONS or "abstractmethod" in decorators or "overload" in decorators:
            return
        self.scopes.append(node.name)
        # The words of a decorator are names of options and texts for people.
        self.words_count = False
        for part in node.decorator_list:
            self.visit(part)
        self.words_count = True
        for part in (*node.args.defaults, *filter(None, node.args.kw_defaults), *node.body):
            self.visit(part)
        self.scopes.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if not any(isinstance(target, ast.Name) and target.id in NO_NAMES for target in node.targets):
            self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> None:
        """The words of an error are for people; what else it carries is not."""
        for keyword in node.exc.keywords if isinstance(node.exc, ast.Call) else []:
            self.visit(keyword)

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Call) and not self._is_log(node.value):
            self.replace(DROPPED, node, "pass")
            self.visit(node.value)
        elif not isinstance(node.value, ast.Constant | ast.Call):
            self.visit(node.value)

    def visit_If(self, node: ast.If | ast.IfExp | ast.While) -> None:
        if not PLATFORM.search(self.text(node.test)):
            self.negate(node.test)
            self.generic_visit(node)

    visit_IfExp = visit_While = visit_If

    def visit_match_case(self, node: ast.match_case) -> None:
        if node.guard:
            self.negate(node.guard)
            self.replace(LEFT_OUT, node.guard, "True")
        for part in filter(None, (node.guard, *node.body)):
            self.visit(part)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for test in node.ifs:
            self.negate(test)
            self.replace(LEFT_OUT, test, "True")
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        for operand in node.values:
            rest = [self.text(other) for other in node.values if other is not operand]
            joined = f" {'and' if isinstance(node.op, ast.And) else 'or'} ".join(f"({text})" for text in rest)
            self.replace(LEFT_OUT, node, f"({joined})")
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        self.negate(node)
        sides = [node.left, *node.comparators]
        for left, op, right in zip(sides, node.ops, sides[1:], strict=False):
            between, beyond = self.span(left)[1], self.span(right)[0]
            if type(op) in BOUNDS and (sign := re.search(rb"[<>]=?", self.source[between:beyond])):
                self.add(OFF_BY_ONE, between + sign.start(), between + sign.end(), BOUNDS[type(op)])
        self._visit_numbers(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        # A text that is put together from pieces is for people or for SQL; what is divided or powered is a unit.
        if isinstance(node.op, ast.Add | ast.Sub):
            self._visit_numbers(node)
        else:
            self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)
        self._visit_numbers(node.slice) if isinstance(node.slice, ast.Slice) else self.visit(node.slice)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if self._is_log(node):
            return
        words_count, self.words_count = self.words_count, self.words_count and name not in FOR_PEOPLE
        for first, second in zip(node.args, node.args[1:], strict=False):
            alike = all(isinstance(arg, ast.Name | ast.Attribute | ast.Subscript) for arg in (first, second))
            if (
                (alike or type(first) is type(second))
                and name not in ORDERLESS
                and self.text(first) != self.text(second)
            ):
                (start, middle), (after, end) = self.span(first), self.span(second)
                gap = self.source[middle:after].decode()
                if not isinstance(first, ast.Starred | ast.Constant | ast.JoinedStr):
                    self.add(SWAPPED, start, end, self.text(second) + gap + self.text(first))
        if name == "range":
            self._visit_numbers(node)
        else:
            self.generic_visit(node)
        self.words_count = words_count

    def visit_keyword(self, node: ast.keyword) -> None:
        if node.arg not in NO_KEYWORDS:
            self.visit(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        """The places inside are not known on each Python; only its SQL is looked at."""
        self._visit_sql(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        match node.value:
            case bool():
                self.replace(CONSTANT, node, str(not node.value))
            case int() | float():
                self.replace(CONSTANT, node, str({0: 1, 1: 2}.get(node.value, node.value * 10)))
            case str() if self.words_count and WORD.fullmatch(node.value) and node.value not in NO_WORDS:
                if (text := self.text(node))[0] in "\"'" and not text.startswith('"""'):
                    self.replace(CONSTANT, node, f"{text[:-1]}_{text[-1]}")
            case str():
                self._visit_sql(node)

    def _visit_numbers(self, node: ast.AST) -> None:
        """The whole numbers right below are bounds or steps: each becomes one more."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Constant) and type(child.value) is int:
                self.replace(OFF_BY_ONE, child, str(child.value + 1))
            else:
                self.visit(child)

    def _visit_sql(self, node: ast.Constant | ast.JoinedStr) -> None:
        text = self.text(node)
        content = text.lstrip("rf").strip("\"'")
        if "plexsync/store/" not in self.path or not SQL.match(content):
            return
        start = self.span(node)[0]
        for pattern, new, kind in SQL_FAULTS:
            for match in pattern.finditer(text):
                if "{" in match[0] or text.count("{", 0, match.start()) != text.count("}", 0, match.start()):
                    continue
                place = start + len(text[: match.start()].encode())
                self.add(kind, place, place + len(match[0].encode()), match.expand(new))

    @staticmethod
    def _is_log(node: ast.Call) -> bool:
        func = node.func
        return (
            isinstance(func, ast.Attribute)
            and func.attr in LOGS
            and isinstance(func.value, ast.Name | ast.Attribute)
            and ast.unparse(func.value).rpartition(".")[2].strip("_") in ("log", "logger", "logging")
        )
