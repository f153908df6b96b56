"""What PlexSync is made of: few packages, each pinned with its hashes, and all of them listed with licence and purpose."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from plexsync.stash_plugin import dependencies
from release import build
from tests.sources import product

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FILES = sorted((ROOT / "requirements").glob("*.txt"))
MOST_CORE, MOST_DIRECT = 9, 16
PIN = re.compile(r"([a-z0-9][a-z0-9.-]*)==([^\s;\\]+)( ; [^\\]+?)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)")
LICENCES = {
    "MIT",
    "MIT-0",
    "MIT-CMU",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Apache-2.0",
    "PSF-2.0",
    "MPL-2.0",
    # Of a library that is imported as it is, and can be replaced.
    "LGPL-3.0",
    "ISC",
}
files = pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)


def pinned(path: Path) -> dict[str, str]:
    """The version of every package in a requirement file."""
    return {found[1]: found[2] for found in PIN.finditer(path.read_text(encoding="utf-8"))}


def direct(*extras: str) -> list[Requirement]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for lines in lists for line in lines if not line.startswith("plexsync[")]


@files
def test_every_package_is_pinned_with_hashes_and_nothing_else_is_said(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert pinned(path)
    rest = PIN.sub("", text)
    for line in rest.splitlines():
        assert not line.strip() or line.lstrip().startswith("#"), line
    assert "://" not in text
    assert "index" not in text.replace("via", "")


def test_every_file_pins_the_same_versions() -> None:
    seen: dict[str, set[str]] = {}
    for path in FILES:
        for package, version in pinned(path).items():
            seen.setdefault(package, set()).add(version)
    assert len(seen) > 50
    assert {package: versions for package, versions in seen.items() if len(versions) > 1} == {}


def core() -> list[Requirement]:
    """What the plugin inside Stash asks for."""
    lines = (ROOT / "requirements" / "core.in").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def test_the_plugin_asks_for_a_part_of_what_the_project_asks_for_with_the_same_bounds() -> None:
    assert {str(wanted) for wanted in core()} < {str(wanted) for wanted in direct("art")}
    assert len(core()) <= MOST_CORE
    assert len(direct()) <= MOST_DIRECT


def is_met(wanted: Requirement, pins: dict[str, str]) -> bool:
    return wanted.specifier.contains(pins[canonicalize_name(wanted.name)])


def test_the_plugin_installs_what_it_asks_for() -> None:
    pins = pinned(ROOT / "requirements" / "core.txt")
    assert len(core()) > 0
    assert [wanted.name for wanted in core() if not is_met(wanted, pins)] == []
    text = (ROOT / "requirements" / "core.txt").read_text(encoding="utf-8")
    named = re.findall(r"^([a-z0-9.-]+)==(?:(?!^[a-z0-9])[\s\S])*?plexsync \(pyproject\.toml\)", text, re.MULTILINE)
    assert set(named) == {canonicalize_name(wanted.name) for wanted in core()}


def test_the_plugin_tries_each_package_that_its_files_import() -> None:
    """`plexapi` is imported by its name, on use.

    `psycopg` is imported only where a database in PostgreSQL is named and the package is there.
    """
    files = {name for name in build.plugin_files() if name.endswith(".py")}
    sources = [source for source in product() if source.name in files]
    assert {source.name for source in sources} == files
    imported = {module.partition(".")[0] for source in sources for module in source.imports}
    others = imported - set(sys.stdlib_module_names) - {"plexsync", "validation", "worker"}
    assert others - {"pydantic_core", "psycopg"} == set(dependencies.NEEDED) - {"plexapi"}
    # Without the package for pictures the program runs.
    assert {canonicalize_name(wanted.name) for wanted in core()} == {*dependencies.NEEDED, "pillow"}


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        ("base", ()),
        ("notify", ("notify",)),
        ("art", ("art",)),
        ("postgres", ("postgres",)),
        ("dev", ("notify", "art", "postgres", "dev")),
    ],
)
def test_the_other_files_hold_what_their_extras_ask_for(name: str, extras: tuple[str, ...]) -> None:
    there = pinned(ROOT / "requirements" / f"{name}.txt")
    assert len(direct(*extras)) > 0
    assert [wanted.name for wanted in direct(*extras) if not is_met(wanted, there)] == []


def test_the_extra_all_is_every_extra_for_users_and_all_txt_pins_it() -> None:
    (whole,) = PROJECT["optional-dependencies"]["all"]
    extras = Requirement(whole).extras
    assert extras == {"notify", "art", "postgres"}
    there = pinned(ROOT / "requirements" / "all.txt")
    assert [wanted.name for wanted in direct(*extras) if not is_met(wanted, there)] == []


@pytest.mark.parametrize("extra", ["web", "setup", "demo"])
def test_an_extra_of_before_asks_for_nothing_more_than_every_installation_has(extra: str) -> None:
    assert PROJECT["optional-dependencies"][extra] == []


def test_what_is_needed_to_build_is_pinned_too() -> None:
    """So that an installation from the folder fetches nothing that is not in the files."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    there = pinned(ROOT / "requirements" / "dev.txt")
    assert {canonicalize_name(Requirement(line).name) for line in build} <= there.keys()


def rows() -> dict[str, list[str]]:
    """The tables of docs/dependencies.md: for each package its licence, and what it is for."""
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    cells = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in text.splitlines() if line.startswith("| `")
    ]
    return {name.strip("`"): rest for name, *rest in cells}


def test_the_page_lists_every_package_of_a_default_installation_and_all_that_are_asked_for() -> None:
    asked = {canonicalize_name(wanted.name) for wanted in direct(*PROJECT["optional-dependencies"])}
    assert rows().keys() == asked | pinned(ROOT / "requirements" / "base.txt").keys()


def test_each_package_is_listed_with_a_licence_we_can_live_with_and_a_purpose() -> None:
    assert {name: cells for name, cells in rows().items() if not is_row(*cells)} == {}
    assert not is_row("GPL-3.0", "reads settings")
    assert not is_row("MIT", "for")
    assert not is_row("MIT or Apache-2.0", "reads settings since 2.11")


def is_row(licence: str, purpose: str) -> bool:
    known = set(re.split(" or | and ", licence)) <= LICENCES
    return known and len(purpose) > 5 and not re.search(r"\d+\.\d+", purpose)


def test_pydantic_is_used_for_the_settings_alone() -> None:
    assert {source.package for source in product() if "pydantic" in source.imports} == {"validation"}
