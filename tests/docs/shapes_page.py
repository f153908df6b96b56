"""The tables of docs/api-shapes.md, made from the shapes of the reports: `python -m tests.docs.shapes_page` renews the page.

What stands above the marker is written by hand. Below it, each module of `plexsync.reports` that holds shapes is a section,
and each of its shapes has a table: the fields, their types in JSON, and the docstrings of the fields.
"""

import ast
import inspect
import types
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pkgutil import walk_packages
from types import ModuleType
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from plexsync import reports
from tests.journey.world import ROOT

PAGE = ROOT / "docs" / "api-shapes.md"
MARKER = "<!-- What follows is made by `make shapes-page`. -->\n"
SECTIONS = {
    "shapes.status": "Status",
    "shapes.plex_servers": "Plex servers",
    "shapes.workers": "Workers",
    "shapes.outages": "Outages",
    "shapes.scenes": "Scenes",
    "collections": "Collections",
    "runs": "Runs",
    "undo": "Undo",
    "shapes.plays": "Plays",
    "shapes.ratings": "Ratings",
    "comparisons": "Comparisons and dry runs",
    "dead_letters": "Dead letters",
    "fixes": "Fixes",
    "drift": "Drift",
    "review": "Review",
    "ping": "Ping",
    "probe": "Probe",
    "imports": "Imports",
    "provider": "Libraries that ask PlexSync",
}
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def module_of(name: str) -> ModuleType:
    """The module of a section."""
    return import_module(f"{reports.__name__}.{name}")


def modules() -> list[str]:
    """The modules of the package that hold shapes."""
    names = [
        module.name.removeprefix("plexsync.reports.") for module in walk_packages(reports.__path__, "plexsync.reports.")
    ]
    return [name for name in names if list(defined_in(module_of(name)))]


def defined_in(module: ModuleType) -> Iterator[type]:
    """The shapes of a module, in their order."""
    for shape in vars(module).values():
        if is_typeddict(shape) and shape.__module__ == module.__name__:
            yield shape


def hints(shape: type) -> dict[str, Any]:
    """The fields of a shape with their types, inherited ones included."""
    kinds = get_type_hints(shape, include_extras=True)
    return {name: get_args(kind)[0] if get_origin(kind) is NotRequired else kind for name, kind in kinds.items()}


def is_documented(shape: type) -> bool:
    """Whether a shape has a table of its own; optional fields alone are listed with the shapes that have them."""
    return bool(shape.__required_keys__) or not hints(shape)  # type: ignore[attr-defined]


@cache
def source_of(shape: type) -> ast.ClassDef:
    """The class statement of a shape."""
    module = ast.parse(inspect.getsource(import_module(shape.__module__)))
    return next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == shape.__name__)


def bases(shape: type) -> list[type]:
    """The shapes that a shape inherits from. Before Python 3.12 only the source has them."""
    names = [base.id for base in source_of(shape).bases if isinstance(base, ast.Name)]
    above = [getattr(import_module(shape.__module__), name) for name in names]
    return [base for base in above if is_typeddict(base)]


def json_type(kind: Any) -> str:
    """A type as JSON has it, in words; a shape as a link."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return str(inner[1])
    if origin in (Union, types.UnionType):
        *some, last = map(json_type, inner)
        return f"{', '.join(some)} or {last}"
    if origin in (list, tuple):
        return f"list of {plural(inner[0])}"
    if origin is dict:
        return f"object of {plural(inner[1])}"
    return f"[{kind.__name__}](#{kind.__name__.lower()})" if is_typeddict(kind) else NAMES[kind]


def plural(kind: Any) -> str:
    """The type of the values of a list or object."""
    return f"{NAMES[kind]}s" if kind in NAMES else json_type(kind)


def field_docs(shape: type) -> dict[str, str]:
    """The docstrings of the fields that a shape declares, and of those that it inherits."""
    docs = {name: text for base in bases(shape) for name, text in field_docs(base).items()}
    body = source_of(shape).body
    for field, text in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            docs[ast.unparse(field.target)] = " ".join(ast.literal_eval(text.value).split())
    return docs


def table(shape: type) -> Iterator[str]:
    """The lines about one shape."""
    yield from (f"### {shape.__name__}", "", " ".join(inspect.cleandoc(shape.__doc__ or "").split()), "")
    above = [base for base in bases(shape) if is_documented(base)]
    docs = field_docs(shape)
    inherited = {name for base in above for name in hints(base)}
    own = {name: kind for name, kind in hints(shape).items() if name not in inherited}
    if above:
        named = " and ".join(json_type(base) for base in above)
        yield from (f"All fields of {named}{', and:' if own else '.'}", "")
    if own:
        yield from ("| field | type | description |", "|---|---|---|")
        for name, kind in own.items():
            optional = ", optional" if name in shape.__optional_keys__ else ""  # type: ignore[attr-defined]
            yield f"| `{name}` | {json_type(kind)}{optional} | {docs.get(name, '')} |"
        yield ""


def tables() -> str:
    """Everything below the marker."""
    lines = []
    for name, title in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        for shape in filter(is_documented, defined_in(module_of(name))):
            lines += table(shape)
        lines.pop()
    return "\n".join(lines) + "\n"


def renewed(page: str) -> str:
    """The page with its tables as the shapes have them."""
    return page.partition(MARKER)[0] + MARKER + tables()


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
