"""Whoever lacks a package reads one command that adds it, as this PlexSync was installed."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from plexsync.extras import IN_IMAGE, IN_PLUGIN, PARTS, Installation, advice
from release import build
from tests.deploy.test_container import context

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PYTHON = "/some/bin/python"
WHEEL = "plexsync-0.2.0-py3-none-any.whl"


class Folder:
    """An installation below a folder: what lies beside the package, and what installers noted."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lib"
        self.prefix = folder / "plexsync"
        self.environ: dict[str, str] = {}
        self.wheel = folder / WHEEL
        self._info = self.root / "plexsync-0.2.0.dist-info"
        for path in (self.prefix, self._info):
            path.mkdir(parents=True)
        self.wheel.touch()

    def pins(self, *names: str) -> None:
        (self.root / "requirements").mkdir()
        for name in names:
            (self.root / "requirements" / f"{name}.txt").touch()

    def of_wheel(self) -> None:
        self.noted("direct_url.json", json.dumps({"url": self.wheel.as_uri(), "archive_info": {}}))

    def noted(self, name: str, text: str) -> None:
        (self._info / name).write_text(text, encoding="utf-8")

    def cached(self) -> None:
        self.prefix = self.prefix.parent / "uv" / "archive-v0" / "bzBVOsL1HORlb5Dw"
        self.prefix.mkdir(parents=True)

    def advice(self, *parts: str) -> str:
        told = Installation(self.root, self.prefix, PYTHON, self.environ).advice(*parts)
        return told.replace(str(self.wheel), WHEEL).replace(str(self.root), "ROOT")


def clone(at: Folder) -> None:
    at.pins("core", "base", "notify", "art", "all")


def started_by_stash(at: Folder) -> None:
    clone(at)
    at.environ["PLEXSYNC_PROGRESS"] = "stash"


def pipx(at: Folder) -> None:
    (at.prefix / "pipx_metadata.json").write_text("{}")
    at.of_wheel()


def uv_tool(at: Folder) -> None:
    (at.prefix / "uv-receipt.toml").touch()
    at.noted("INSTALLER", "uv")
    at.of_wheel()


def uv_tool_of_another_address(at: Folder) -> None:
    (at.prefix / "uv-receipt.toml").touch()
    # Its path is there on this machine, too, and means something else.
    url = at.wheel.as_uri().replace("file://", "https://example.org")
    at.noted("direct_url.json", json.dumps({"url": url, "vcs_info": {"vcs": "git"}}))


def uvx(at: Folder) -> None:
    at.cached()
    at.noted("INSTALLER", "uv")
    at.of_wheel()


def uvx_without_its_wheel(at: Folder) -> None:
    uvx(at)
    at.wheel.unlink()


def pip_of_an_index(at: Folder) -> None:
    at.noted("INSTALLER", "pip\n")


def pip_of_a_wheel(at: Folder) -> None:
    at.noted("INSTALLER", "pip\n")
    at.of_wheel()


def pip_without_its_wheel(at: Folder) -> None:
    pip_of_a_wheel(at)
    at.wheel.unlink()


def pip_with_an_unreadable_note(at: Folder) -> None:
    at.noted("direct_url.json", "[]")


def uv_pip(at: Folder) -> None:
    at.noted("INSTALLER", "uv")
    at.of_wheel()


NOTIFY = [
    (clone, f"{PYTHON} -m pip install --require-hashes -r ROOT/requirements/notify.txt"),
    (started_by_stash, IN_PLUGIN),
    (lambda at: at.pins("core"), IN_PLUGIN),
    (lambda at: at.pins("all"), IN_IMAGE),
    (pipx, 'pipx inject plexsync "apprise>=2.3"'),
    (uv_tool, f'uv tool install --force "{WHEEL}[notify]"'),
    (uv_tool_of_another_address, 'uv tool install --force --with "apprise>=2.3" plexsync'),
    (uvx, f'uvx --from "{WHEEL}[notify]" plexsync'),
    (uvx_without_its_wheel, 'uvx --with "apprise>=2.3" plexsync'),
    (pip_of_an_index, f'{PYTHON} -m pip install "plexsync[notify]"'),
    (pip_of_a_wheel, f'{PYTHON} -m pip install "{WHEEL}[notify]"'),
    (pip_without_its_wheel, f'{PYTHON} -m pip install "apprise>=2.3"'),
    (pip_with_an_unreadable_note, f'{PYTHON} -m pip install "apprise>=2.3"'),
    (uv_pip, f'uv pip install --python {PYTHON} "{WHEEL}[notify]"'),
]


@pytest.mark.parametrize(("made", "told"), NOTIFY, ids=lambda one: getattr(one, "__name__", "").strip("<>"))
def test_the_command_fits_how_it_was_installed(tmp_path: Path, made: Callable[[Folder], None], told: str) -> None:
    at = Folder(tmp_path)
    made(at)
    assert at.advice("notify") == told


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (clone, f"{PYTHON} -m pip install --require-hashes -r ROOT/requirements/all.txt"),
        (pipx, 'pipx inject plexsync "pillow>=12.0" "apprise>=2.3"'),
        (uv_tool, f'uv tool install --force "{WHEEL}[art,notify]"'),
        (pip_of_an_index, f'{PYTHON} -m pip install "plexsync[art,notify]"'),
    ],
)
def test_several_parts_are_added_by_one_command(tmp_path: Path, made: Callable[[Folder], None], told: str) -> None:
    at = Folder(tmp_path)
    made(at)
    assert at.advice("art", "notify") == told


@pytest.mark.parametrize("part", ["web", "setup", "demo"])
def test_a_part_of_every_installation_comes_with_the_package_itself(tmp_path: Path, part: str) -> None:
    at = Folder(tmp_path)
    at.of_wheel()
    assert at.advice(part) == f"{PYTHON} -m pip install {WHEEL}"
    clone(at)
    assert at.advice(part) == f"{PYTHON} -m pip install --require-hashes -r ROOT/requirements/base.txt"


def test_a_path_with_a_space_is_one_word(tmp_path: Path) -> None:
    at = Folder(tmp_path / "my tools")
    at.of_wheel()
    assert f'"{at.wheel}"' in Installation(at.root, at.prefix, PYTHON, {}).advice("web")


def test_each_advice_is_one_line() -> None:
    for part in PARTS:
        assert "\n" not in advice(part)
    assert "\n" not in IN_PLUGIN + IN_IMAGE


def test_this_clone_names_its_own_files_and_they_are_there() -> None:
    for part in PARTS:
        assert Path(advice(part).rpartition(" ")[2].strip('"')).is_file()


def test_plugin_and_image_hold_the_requirement_files_by_which_they_are_known() -> None:
    def pins(names: list[str]) -> list[str]:
        return [name for name in names if name.startswith("requirements/")]

    assert pins(build.plugin_files()) == ["requirements/core.txt"]
    core = (build.ROOT / "requirements" / "core.txt").read_text(encoding="utf-8")
    assert "\npillow==" in core, "poster_shape and poster_logo work in the plugin, too"
    assert pins(context()) == ["requirements/all.txt"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_names_the_packages_that_the_project_asks_for(part: str) -> None:
    extras = PROJECT["optional-dependencies"]
    asked = extras[PARTS[part].extra] if PARTS[part].extra else PROJECT["dependencies"]
    assert {str(Requirement(one)) for one in PARTS[part].packages} <= {str(Requirement(one)) for one in asked}
    assert len(PARTS[part].modules) == len(PARTS[part].packages)
