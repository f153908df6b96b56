"""The house keeps its layers: read off the syntax tree of every file, imports inside functions included."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "cli",
    "notify",
    "plex",
    "plugin",
    "simulator",
    "stash",
    "store",
    "sync",
    "telling",
    "validation",
    "web",
    "wire",
    "worker",
)
OURS = {*ROOMS, "wiring", "bench", "release", "tests"}

# What each room may import of ours, besides itself. Doors -> telling -> wiring -> engine and adapters -> rules.
MAY = {
    "sync": set(),
    "worker": {"sync"},
    "store": {"sync"},
    "wire": {"sync"},
    "stash": {"sync", "wire"},
    "plex": {"sync", "wire"},
    "notify": {"sync"},
    "validation": {"sync"},
    "simulator": set(),
    "plugin": {"store.intake", "store.lock", "sync.errors"},
    "wiring": {"sync", "worker", "store", "stash", "plex", "notify", "validation"},
    "telling": {"wiring", "validation", "sync", "worker"},
    "cli": {"telling", "wiring", "validation", "sync", "worker", "simulator"},
    "web": {"telling", "wiring", "validation", "sync", "worker"},
}
# Files with a narrower rule than their room: the hook's side must start with nothing but the standard library.
NARROWER = {
    "store/intake.py": set(),
    "store/lock.py": {"sync.errors"},
    "sync/errors.py": set(),
    # What is in its own room it imports only for a task, and to start the worker.
    "plugin/hook.py": {"store.intake", "plugin"},
    "plugin/leash.py": set(),
}
WALL_CLOCK = {"worker/circuit_breaker.py", "worker/clock.py"}
CLOCK_CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}


def product_files() -> list[Path]:
    files = [ROOT / "wiring.py"]
    for room in ROOMS:
        files += sorted((ROOT / room).rglob("*.py"))
    return [path for path in files if path.exists()]


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
    room = name(path).split("/")[0].removesuffix(".py")
    allowed = NARROWER.get(name(path), MAY[room] | {room})
    # `from store import intake` shows as both `store` and `store.intake`: the package itself is an empty docstring.
    ours = {module for module in imports(path) if module.split(".")[0] in OURS and module not in ROOMS}
    assert {module for module in ours if not within(module, allowed)} == set()


@pytest.mark.parametrize("path", [p for p in product_files() if name(p).startswith("sync/")], ids=name)
def test_the_rules_use_the_standard_library_only(path: Path) -> None:
    roots = {module.split(".")[0] for module in imports(path)}
    assert roots <= set(sys.stdlib_module_names) | {"sync"}


@pytest.mark.parametrize("path", product_files(), ids=name)
def test_the_wall_clock_is_read_in_two_files_only(path: Path) -> None:
    if name(path) in WALL_CLOCK or name(path).startswith("simulator/"):
        return
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert calls & CLOCK_CALLS == set()


def test_no_module_shadows_the_standard_library() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    tops |= {path.stem for path in ROOT.glob("*.py")}
    assert tops & set(sys.stdlib_module_names) == set()


def test_package_files_hold_a_docstring_only() -> None:
    for path in product_files():
        if path.name == "__init__.py":
            body = ast.parse(path.read_text(encoding="utf-8")).body
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


def test_only_the_manifest_ends_in_yml() -> None:
    found = {name(path) for path in ROOT.rglob("*.yml") if not {".venv", ".git", "dist"} & set(path.parts)}
    assert found <= {"StashPlexSync.yml"}
