"""The house keeps its layers: read off the syntax tree of every file, imports inside functions included."""

import ast
import re
import sys
from functools import cache
from pathlib import Path

import pytest

from plexsync.rules.item import FIELDS, PICTURES
from plexsync.rules.job import KINDS

ROOT = Path(__file__).resolve().parent.parent
# What each package may import of ours, besides itself. Entry points -> reports -> app -> flows -> engine and clients ->
# store -> rules.
MAY = {
    "plexsync.rules": set(),
    "worker": set(),
    "plexsync.store": {"plexsync.rules", "plexsync.extras"},
    "plexsync.http": {"plexsync.rules"},
    "plexsync.stash": {"plexsync.rules", "plexsync.http"},
    "plexsync.plex": {"plexsync.rules", "plexsync.http", "plexsync.extras"},
    "plexsync.notify": {"plexsync.rules", "plexsync.extras"},
    "validation": {"plexsync.rules"},
    "plexsync.simulator": set(),
    "plexsync.engine": {"plexsync.rules", "plexsync.store", "worker"},
    "plexsync.flows": {"plexsync.rules", "plexsync.engine", "plexsync.store", "worker"},
    "plexsync.stash_plugin": {
        "plexsync.store.intake",
        "plexsync.store.lock",
        "plexsync.store.life_signs",
        "plexsync.store.setup_files",
        "plexsync.store.worker_ends",
        "plexsync.rules.errors",
        # Imported for a command, with the private packages on the path.
        "plexsync.cli.entry",
        "plexsync.cli.stash_settings",
    },
    "plexsync.app": {
        "plexsync.extras",
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.flows",
        "plexsync.store",
        "plexsync.stash",
        "plexsync.plex",
        "plexsync.notify",
        "validation",
        "worker",
    },
    "plexsync.reports": {
        "plexsync.app",
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.flows",
        "plexsync.store",
        "validation",
        "worker",
    },
    "plexsync.cli": {
        "plexsync.stash_plugin.stash_words",
        "plexsync.reports",
        "plexsync.app",
        "plexsync.extras",
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.flows",
        "plexsync.store",
        "plexsync.simulator",
        "validation",
        "worker",
    },
    "plexsync.web": {
        "plexsync.reports",
        "plexsync.app",
        "plexsync.extras",
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.flows",
        "plexsync.store",
        "validation",
        "worker",
    },
}
PRODUCT = ("plexsync", "validation", "worker")
OURS = {*PRODUCT, "bench", "release", "tests"}
# Files with a narrower rule than their package: the hook's side must start with nothing but the standard library.
NARROWER = {
    "plexsync/__main__.py": {"plexsync.cli.entry"},
    "plexsync/extras.py": set(),
    "plexsync/store/counts.py": set(),
    "plexsync/store/intake.py": set(),
    "plexsync/store/setup_files.py": set(),
    "plexsync/store/lock.py": {"plexsync.rules.errors"},
    "plexsync/rules/errors.py": set(),
    # What is in its own package it imports only for a task, and to start the worker.
    "plexsync/stash_plugin/hook.py": {"plexsync.store.intake", "plexsync.stash_plugin"},
    "plexsync/stash_plugin/child_process.py": set(),
    "plexsync/store/life_signs.py": set(),
    "plexsync/stash_plugin/supervisor.py": {
        "plexsync.store.lock",
        "plexsync.store.life_signs",
        "plexsync.stash_plugin.worker_record",
    },
}
WALL_CLOCK = {"worker/circuit_breaker.py", "plexsync/engine/clock.py", "plexsync/store/life_signs.py"}
CLOCK_CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}


@cache
def product_files() -> list[Path]:
    return [path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]


def package_of(path: Path) -> str:
    """The key of `MAY` that a file belongs to."""
    parts = name(path).split("/")
    return ".".join(parts[: 2 if parts[0] == "plexsync" and len(parts) > 2 else 1])


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(module: str, allowed: set[str]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in allowed)


@pytest.mark.parametrize("path", product_files(), ids=name)
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    package = package_of(path)
    allowed = NARROWER.get(name(path), MAY.get(package, set()) | {package})
    # `from plexsync.store import intake` shows as the package and as the module; a package itself is an empty docstring.
    packages = {".".join(path.relative_to(ROOT).parts[:-1]) for path in product_files()}
    ours = {module for module in imports(path) if module.split(".")[0] in OURS and module not in packages}
    assert {module for module in ours if not within(module, allowed)} == set()


STANDARD = [path for path in product_files() if name(path).startswith(("plexsync/rules/", "plexsync/extras.py"))]


@pytest.mark.parametrize("path", STANDARD, ids=name)
def test_the_rules_use_the_standard_library_only(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports(path)}
    assert roots <= set(sys.stdlib_module_names) | {"plexsync"}


@pytest.mark.parametrize("path", product_files(), ids=name)
def test_the_wall_clock_is_read_in_three_files_only(path: Path) -> None:
    if name(path) in WALL_CLOCK or name(path).startswith("plexsync/simulator/"):
        return
    calls = {ast.unparse(node.func) for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)}
    assert calls & CLOCK_CALLS == set()


def test_no_module_shadows_the_standard_library() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    tops |= {path.stem for path in ROOT.glob("*.py")}
    assert tops & set(sys.stdlib_module_names) == set()


def test_package_files_hold_a_docstring_only() -> None:
    for path in product_files():
        if path.name == "__init__.py":
            body = tree_of(path).body
            assert len(body) == 1, f"{name(path)} holds more than its docstring"
            assert isinstance(body[0], ast.Expr)


def test_the_rooms_form_no_circle() -> None:
    graph = {name(path).removesuffix(".py").replace("/", "."): set() for path in product_files()}
    for path in product_files():
        me = name(path).removesuffix(".py").replace("/", ".")
        graph[me] = {module for module in imports(path) if module in graph and module != me}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join((*trail, module))
        if module not in done:
            for other in graph[module]:
                visit(other, (*trail, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_only_the_manifests_end_in_yml() -> None:
    found = {name(path) for path in ROOT.rglob("*.yml") if not {".venv", ".git", "dist"} & set(path.parts)}
    assert found <= {"StashPlexSync.yml", "plexsync/stash_plugin/wake_up/PlexSyncWakeUp.yml"}


def named_in(path: Path) -> set[str]:
    """The words of a file's names and texts, docstrings aside; `what_is_sent` has three."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text) | ast.keyword(arg=str(text)):
                texts.add(text)
            case ast.FunctionDef(name=text) | ast.ClassDef(name=text) | ast.alias(name=text):
                texts.add(text)
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                texts.add(text)
    return {word for text in texts for word in re.findall(r"[A-Za-z]+", text)}


SCENE_WORDS = {"scene", "scenes", "Scene", "movie", "movies", "picture", "pictures", "poster", "artwork"}


@pytest.mark.parametrize("path", [p for p in product_files() if name(p).startswith("plexsync/engine/")], ids=name)
def test_the_engine_names_no_flow_and_no_field_of_what_a_flow_keeps_in_sync(path: Path) -> None:
    assert named_in(path) & {*FIELDS, *PICTURES, *SCENE_WORDS, *KINDS} == set()
