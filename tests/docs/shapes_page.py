"""The tables of docs/api-shapes.md, made from the shapes of the reports: `python -m tests.docs.shapes_page` renews the page.

What stands above the marker is written by hand. Below it, each module of `plexsync.reports.shapes` is a section, and each
of its shapes has a table: the fields, their types in JSON, and the docstrings of the fields.
"""

import ast
import inspect
import types
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from plexsync.reports import shapes
from tests.journey.world import ROOT

PAGE = ROOT / "docs" / "api-shapes.md"
MARKER = "<!-- What follows is made by `make shapes-page`. -->\n"
SECTIONS = {
    "status": "Status",
    "outages": "Outages",
    "scenes": "Scenes",
    "undo": "Undo",
    "comparisons": "Comparisons and dry runs",
    "dead_letters": "Dead letters",
    "top": "Top",
}
NAMES = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def module_of(name: str) -> ModuleType:
    """The module of a section."""
    return import_module(f"{shapes.__name__}.{name}")


def modules() -> list[str]:
    """The modules of the package that hold shapes."""
    return [module.name for module in iter_modules(shapes.__path__) if list(defined_in(module_of(module.name)))]


def defined_in(module: ModuleType) -> Iterator[type]:
    """The shapes of a module, in their order."""
    for shape in vars(module).values():
        if is_typeddict(shape) and shape.__module__ == module.__name__:
            yield shape


def hints(shape: type) -> dict[str, Any]:
    """The fields of a shape with their types, inherited ones included."""
    return get_type_hints(shape, include_extras=True)


def is_documented(shape: type) -> bool:
    """Whether a shape has a table of its own; optional fields alone are listed with the shapes that have them."""
    return bool(shape.__required_keys__) or not hints(shape)  # type: ignore[attr-defined]


def bases(shape: type) -> list[type]:
    """The shapes whose fields a shape has too, if they have tables."""
    above = getattr(shape, "__orig_bases__", ())
    return [base for base in above if is_typeddict(base) and base.__name__ != shape.__name__ and is_documented(base)]


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


@cache
def field_docs(module: ModuleType) -> dict[tuple[str, str], str]:
    """The docstrings of all fields of a module, by shape and field."""
    docs = {}
    for shape in ast.parse(inspect.getsource(module)).body:
        if isinstance(shape, ast.ClassDef):
            for field, text in zip(shape.body, shape.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
                    docs[shape.name, ast.unparse(field.target)] = inspect.cleandoc(ast.literal_eval(text.value))
    return docs


def description(shape: type, field: str) -> str:
    """The docstring of a field, here or in a base without a table."""
    homes = [shape, *(base for base in getattr(shape, "__orig_bases__", ()) if is_typeddict(base))]
    texts = (field_docs(inspect.getmodule(home)).get((home.__name__, field), "") for home in homes)  # type: ignore[arg-type]
    return " ".join(next(filter(None, texts), "").split())


def table(shape: type) -> Iterator[str]:
    """The lines about one shape."""
    yield from (f"### {shape.__name__}", "", " ".join(inspect.cleandoc(shape.__doc__ or "").split()), "")
    above = bases(shape)
    inherited = {name for base in above for name in hints(base)}
    own = {name: kind for name, kind in hints(shape).items() if name not in inherited}
    if above:
        named = " and ".join(json_type(base) for base in above)
        yield from (f"All fields of {named}{', and:' if own else '.'}", "")
    if own:
        yield from ("| field | type | description |", "|---|---|---|")
        for name, kind in own.items():
            optional = ", optional" if name in shape.__optional_keys__ else ""  # type: ignore[attr-defined]
            yield f"| `{name}` | {json_type(kind)}{optional} | {description(shape, name)} |"
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
