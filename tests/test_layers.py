"""The house keeps its layers: read off the syntax tree of every file, imports inside functions included."""

import ast
import os
import re
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

from plexsync.rules.item import FIELDS, PICTURES
from plexsync.rules.queue.job import KINDS
from tests.sources import PRODUCT, ROOT, Broken, Source, broken, dotted, lines_broken, product

# Where tests are spread by groups, those that read the sources run in one process, which parses them once.
pytestmark = pytest.mark.xdist_group("sources")
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
    "plexsync.flows": {
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.store",
        "plexsync.stash",
        "plexsync.plex",
        "worker",
    },
    "plexsync.stash_plugin": {
        "plexsync.store.intake",
        "plexsync.store.files.lock",
        "plexsync.store.files.life_signs",
        "plexsync.store.files.older_database",
        "plexsync.store.files.setup_files",
        "plexsync.store.files.worker_ends",
        "plexsync.rules.servers.errors",
        # Imported for a command, with the private packages on the path.
        "plexsync.cli.main",
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
    "plexsync.actions": {
        "plexsync.reports",
        "plexsync.app",
        "plexsync.rules",
        "plexsync.engine",
        "plexsync.flows",
        "plexsync.store",
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
        "plexsync.actions",
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
        "plexsync.actions",
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
    "plexsync.provider": {
        "plexsync.engine.clock",
        "plexsync.rules",
        "plexsync.store",
        "plexsync.web.child_process",
        "plexsync.web.server",
        "validation.redact",
    },
}
OURS = {*PRODUCT, "bench", "release", "tests"}
# Files with a narrower rule than their package: the hook's side must start with nothing but the standard library.
NARROWER = {
    "plexsync/__main__.py": {"plexsync.cli.main"},
    "plexsync/extras.py": set(),
    "plexsync/store/queue/counts.py": set(),
    "plexsync/store/intake.py": set(),
    "plexsync/store/files/setup_files.py": set(),
    "plexsync/store/files/lock.py": {"plexsync.rules.servers.errors"},
    "plexsync/store/files/older_database.py": {
        "plexsync.rules.servers.errors",
        "plexsync.store.intake",
        "plexsync.store.files.lock",
    },
    "plexsync/rules/servers/errors.py": set(),
    # What is in its own package it imports only for a task, and to start the worker.
    "plexsync/stash_plugin/hook.py": {"plexsync.store.intake", "plexsync.stash_plugin"},
    "plexsync/stash_plugin/child_process.py": set(),
    "plexsync/store/files/life_signs.py": set(),
    "plexsync/stash_plugin/supervisor.py": {
        "plexsync.store.files.lock",
        "plexsync.store.files.life_signs",
        "plexsync.stash_plugin.worker_record",
    },
}
WALL_CLOCK = {"worker/circuit_breaker.py", "plexsync/engine/clock.py", "plexsync/store/files/life_signs.py"}
CLOCK_CALLS = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.datetime.now", "date.today"}


def within(module: str, allowed: Iterable[str]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in allowed)


@cache
def packages() -> frozenset[str]:
    """The folders of the product: importing one shows as the folder and as the module in it, and it is a docstring."""
    return frozenset(source.module.rpartition(".")[0] for source in product())


def imports_of_other_layers(source: Source) -> Broken:
    allowed = NARROWER.get(source.name, MAY.get(source.package, set()) | {source.package})
    for module, line in source.imports.items():
        if module.split(".")[0] in OURS and module not in packages() and not within(module, allowed):
            yield line, module


def imports_of_others(source: Source) -> Broken:
    known = {*sys.stdlib_module_names, "plexsync"}
    return ((line, module) for module, line in source.imports.items() if module.split(".")[0] not in known)


def reads_of_the_wall_clock(source: Source) -> Broken:
    for call in source.nodes(ast.Call):
        if dotted(call.func) in CLOCK_CALLS:
            yield call.lineno, dotted(call.func)


def more_than_a_docstring(source: Source) -> Broken:
    body = source.tree.body
    if len(body) != 1 or not isinstance(body[0], ast.Expr):
        yield 1, f"{len(body)} statements"


def words_of_flows(source: Source) -> Broken:
    """Words of a file's names and texts, docstrings aside, that name a flow or what it keeps; `what_is_sent` has three."""
    docstrings = {id(node.value) for node in source.nodes(ast.Expr)}
    for node in source.every_node():
        match node:
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.arg(arg=text) | ast.keyword(arg=str(text)):
                pass
            case ast.FunctionDef(name=text) | ast.ClassDef(name=text) | ast.alias(name=text):
                pass
            case ast.Constant(value=str(text)) if id(node) not in docstrings:
                pass
            case _:
                continue
        for word in re.findall(r"[A-Za-z]+", text):
            if word in WORDS_OF_FLOWS:
                yield getattr(node, "lineno", 0), word


SCENE_WORDS = {"scene", "scenes", "Scene", "movie", "movies", "picture", "pictures", "poster", "artwork"}
WORDS_OF_FLOWS = {*FIELDS, *PICTURES, *SCENE_WORDS, *KINDS}


def rules() -> list[Source]:
    return [source for source in product() if source.name.startswith("plexsync/rules/")]


def engine() -> list[Source]:
    return [source for source in product() if source.name.startswith("plexsync/engine/")]


def test_every_package_of_the_product_is_read_and_has_its_layer() -> None:
    assert {source.package for source in product()} == {*MAY, "plexsync"}
    assert {source.name for source in product()} >= {*NARROWER, *WALL_CLOCK}
    assert len(rules()) > 50
    assert len(engine()) > 15


# Who does a step of a set-up: in a terminal and on the page in Stash, both by the same steps.
STEPS_OF_A_SET_UP = {
    "plexsync.app.clients.plex_at": {"plexsync/app/setting_change.py"},
    "plexsync.app.clients.stash_at": {"plexsync/app/setting_change.py"},
    "plexsync.cli.checks.paths.looked_up": {"plexsync/cli/setup/steps.py"},
    "validation.writing.UnclearFile": {"plexsync/app/setting_change.py"},
    "plexsync.app.set_up.account_of": {"plexsync/cli/commands/setup.py", "plexsync/cli/setup/finder.py"},
    "plexsync.app.set_up.reach_of_account": {"plexsync/cli/commands/setup.py", "plexsync/cli/setup/finder.py"},
    "plexsync.cli.setup.steps.PathLesson": {"plexsync/cli/commands/setup.py", "plexsync/cli/setup/finder.py"},
}


def test_both_set_ups_take_the_same_steps() -> None:
    importing = {name: {source.name for source in product() if name in source.imports} for name in STEPS_OF_A_SET_UP}
    assert importing == STEPS_OF_A_SET_UP


def test_a_file_imports_only_what_its_layer_may() -> None:
    assert broken(imports_of_other_layers, product()) == []


@pytest.mark.parametrize(
    ("name", "text", "lines"),
    [
        (
            "plexsync/rules/item.py",
            "import json\nimport plexsync.rules.queue.job\nfrom plexsync.store import jobs\n",
            [3],
        ),
        ("plexsync/engine/loop.py", "from plexsync.store import jobs\ndef f():\n    import plexsync.flows.poll\n", [3]),
        (
            "plexsync/store/files/lock.py",
            "from plexsync.rules.servers.errors import SyncError\nfrom plexsync.rules import job\n",
            [2],
        ),
        ("plexsync/app/run.py", "import tests.sources\nfrom release import build\n", [1, 2]),
        ("plexsync/unknown/new.py", "from plexsync.unknown import new\nfrom plexsync.rules import job\n", [2]),
    ],
)
def test_an_import_of_another_layer_is_named(name: str, text: str, lines: list[int]) -> None:
    assert sorted(set(lines_broken(imports_of_other_layers, text, name))) == lines


def test_the_rules_use_the_standard_library_only() -> None:
    extras = [source for source in product() if source.name == "plexsync/extras.py"]
    assert broken(imports_of_others, [*rules(), *extras]) == []
    assert len(extras) == 1
    assert lines_broken(imports_of_others, "import re\nimport click\ndef f():\n    from rich import box\n") == [2, 4, 4]


def test_the_wall_clock_is_read_in_three_files_only() -> None:
    free = [s for s in product() if s.name not in WALL_CLOCK and not s.name.startswith("plexsync/simulator/")]
    assert broken(reads_of_the_wall_clock, free) == []
    readers = {source.name for source in product() if source not in free and list(reads_of_the_wall_clock(source))}
    assert readers >= WALL_CLOCK
    assert lines_broken(
        reads_of_the_wall_clock, "a = time.time()\nb = time.monotonic()\nc = [datetime.now(UTC)]\n"
    ) == [1, 3]


def test_no_module_shadows_the_standard_library() -> None:
    tops = {path.name for path in ROOT.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    tops |= {path.stem for path in ROOT.glob("*.py")}
    assert tops >= {"plexsync", "validation"}
    assert tops & set(sys.stdlib_module_names) == set()


def test_package_files_hold_a_docstring_only() -> None:
    files = [source for source in product() if source.name.endswith("__init__.py")]
    assert len(files) > 15
    assert broken(more_than_a_docstring, files) == []
    assert lines_broken(more_than_a_docstring, '"""A package."""\nimport re\n') == [1]
    assert lines_broken(more_than_a_docstring, "import re\n") == [1]


def circle(graph: dict[str, set[str]]) -> list[str]:
    """The first circle of a graph, as the nodes on it; [] if it has none."""
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module not in done:
            for other in graph[module]:
                if found := visit(other, (*trail, module)):
                    return found
            done.add(module)
        return []

    return next(filter(None, (visit(module, ()) for module in graph)), [])


def test_the_rooms_form_no_circle() -> None:
    modules = {source.module for source in product()}
    graph = {source.module: (modules & source.imports.keys()) - {source.module} for source in product()}
    assert sum(map(len, graph.values())) > 1_000
    assert circle(graph) == []
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d", "b"]


def test_only_the_manifests_end_in_yml() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in files_of_the_repository() if path.suffix == ".yml"}
    assert found == {"StashPlexSync.yml", "plexsync/stash_plugin/wake_up/PlexSyncWakeUp.yml"}


def files_of_the_repository() -> Iterator[Path]:
    for folder, folders, files in os.walk(ROOT):
        folders[:] = {*folders} - {".venv", ".git", "dist"}
        yield from (Path(folder) / file for file in files)


# Earlier words for what has one word now: how something was taken back is `plexsync.rules.merge.taken_back.TakenBack`.
SECOND_WORDS = {"Undone", "ChangeState", "CollectionRow.undone", "ResumeUndo", "PlayState.UNDONE"} | {
    f"Remembered{what}.undo" for what in ("Play", "Rating", "Resume")
}
# Modules of ideas that have their place in another one.
SECOND_MODULES = {"plexsync/flows/plays/rating_bases.py", "plexsync/flows/imports/undo.py"}


def second_words(source: Source) -> Broken:
    """Definitions under a name that its idea had before it got one place."""
    for node in source.nodes(ast.Module, ast.ClassDef):
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for part in node.body:
            targets = part.targets if isinstance(part, ast.Assign) else [getattr(part, "target", part)]
            names = {getattr(target, "id", getattr(target, "name", "")) for target in targets}
            if not isinstance(part, ast.FunctionDef) and names & {word.removeprefix(prefix) for word in SECOND_WORDS}:
                yield part.lineno, f"{prefix}{', '.join(names)}"


def test_an_idea_with_one_word_is_not_defined_again_under_another() -> None:
    assert broken(second_words, product()) == []
    assert SECOND_MODULES.isdisjoint(source.name for source in product())
    text = 'Undone = Literal["", "undo"]\nclass ChangeState: ...\nclass CollectionRow:\n    undone: Undone = ""\n'
    assert lines_broken(second_words, text) == [1, 2, 4]
    assert lines_broken(second_words, "class Sending:\n    undone: TakenBack\ndef undone(memory): ...\n") == []


def test_the_engine_names_no_flow_and_no_field_of_what_a_flow_keeps_in_sync() -> None:
    assert broken(words_of_flows, engine()) == []
    text = '"""A movie."""\na = "the poster"\ndef put_scene(title): ...\nb.studio = 1\nf(summary=what_is_sent)\n'
    assert sorted({*lines_broken(words_of_flows, text)}) == [2, 3, 4, 5]
