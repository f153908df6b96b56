"""What `make dist` builds: the same bytes every time, nothing but what is needed, and fit to be installed."""

import os
import re
import shutil
import subprocess
import sysconfig
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from plexsync.simulator.stash_manifest import parse_yaml
from plexsync.stash_plugin import dependencies, hook
from release import build, check, wheels
from tests.stash_plugin.conftest import online
from tests.store.fifteen import put_back

ZIPS = ("StashPlexSync.zip", "PlexSyncWakeUp.zip", "PlexSyncHook.zip")
EMPTY = "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


@pytest.fixture(autouse=True)
def dated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1767225600")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    build.build_plugins(tmp_path / "dist")
    return tmp_path / "dist"


def test_it_is_built_byte_for_byte_the_same(built: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        build.build_plugins(tmp_path / "again")
    finally:
        os.umask(before)
    for name in (*ZIPS, build.INDEX):
        assert (built / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    for name in ZIPS:
        with zipfile.ZipFile(built / name) as packed:
            assert {one.date_time for one in packed.infolist()} == {(2026, 1, 1, 0, 0, 0)}
            assert {one.external_attr >> 16 for one in packed.infolist()} == {0o100644}


def test_it_holds_what_the_plugin_needs_and_no_more(built: Path) -> None:
    with zipfile.ZipFile(built / ZIPS[0]) as packed:
        names = packed.namelist()
    needed = {"plexsync/app/parts.py", "plexsync/stash_plugin/hook.py", "plexsync/stash_plugin/ui/plexsync.js"}
    assert {"StashPlexSync.yml", "LICENSE", "wiring.py", *needed} <= set(names)
    assert not [
        name
        for name in names
        if re.match(r"(tests|bench|release|docs)/|plexsync/(simulator|web)/|plexsync/cli/commands/demo", name)
    ]
    assert {Path(name).suffix for name in names} <= {".py", ".js", ".css", ".yml", ".toml", ".txt", ".json", ""}
    assert [name for name in names if name.endswith(".toml")] == ["pyproject.toml"]


def names_in(built: Path, name: str) -> list[str]:
    with zipfile.ZipFile(built / name) as packed:
        return packed.namelist()


def test_the_wake_up_alone_is_a_script_and_its_manifest_the_same_as_in_the_program(built: Path) -> None:
    assert names_in(built, "PlexSyncWakeUp.zip") == ["LICENSE", "PlexSyncWakeUp.yml", "wake_up.js"]
    with (
        zipfile.ZipFile(built / "PlexSyncWakeUp.zip") as alone,
        zipfile.ZipFile(built / "StashPlexSync.zip") as program,
    ):
        for name in ("PlexSyncWakeUp.yml", "wake_up.js"):
            assert alone.read(name) == program.read(f"plexsync/stash_plugin/wake_up/{name}")


def test_the_hook_alone_is_what_stores_an_event_and_nothing_else(built: Path) -> None:
    assert names_in(built, "PlexSyncHook.zip") == [
        "LICENSE",
        "PlexSyncHook.yml",
        "plexsync/__init__.py",
        "plexsync/stash_plugin/__init__.py",
        "plexsync/stash_plugin/hook.py",
        "plexsync/store/__init__.py",
        "plexsync/store/intake.py",
    ]


def test_the_program_has_no_hooks_any_more_and_brings_the_wake_up_for_the_same_events(built: Path) -> None:
    with zipfile.ZipFile(built / "StashPlexSync.zip") as program:
        told = {name: parse_yaml(program.read(name).decode()) for name in program.namelist() if name.endswith(".yml")}
    wake_up = told.pop("plexsync/stash_plugin/wake_up/PlexSyncWakeUp.yml")
    assert list(told) == ["StashPlexSync.yml"]
    assert "hooks" not in told["StashPlexSync.yml"]
    (one,) = wake_up["hooks"]
    assert set(one["triggeredBy"]) == set(hook.EVENTS)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this repository with one commit, and nothing changed since."""
    root = tmp_path / "copy"
    for name in build.known_files():
        if (build.ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(build.ROOT / name, root / name)
    monkeypatch.setattr(build, "ROOT", root)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-q", "-m", "x", "--date=2026-02-03T04:05:06Z"]):
        subprocess.run(
            ["git", *words], cwd=root, check=True, env={**os.environ, "GIT_COMMITTER_DATE": "2026-02-03T04:05:06Z"}
        )
    return root


def test_a_data_file_of_a_room_is_in_it_however_it_ends(elsewhere: Path) -> None:
    for name in ("plexsync/rules/words/table.csv", "worker/notes.txt"):
        (elsewhere / name).write_text("1\n")
        subprocess.run(["git", "add", name], cwd=elsewhere, check=True)
        assert name in build.plugin_files()


def test_it_is_made_of_what_git_has(elsewhere: Path) -> None:
    assert re.fullmatch(r"[\d.]+-[0-9a-f]{8}", build.version())
    assert build.epoch() == 1770091506
    before = build.plugin_files()
    (elsewhere / "plexsync" / "cli" / "notes_of_mine.py").write_text("SECRET = 1\n")
    assert build.plugin_files() == before


@pytest.mark.parametrize("name", ["plexsync/cli/commands/serve.py", "notes_of_mine.py"])
def test_what_differs_from_the_last_commit_says_so(elsewhere: Path, name: str) -> None:
    with (elsewhere / name).open("a") as file:
        file.write("# changed\n")
    assert build.version().endswith("-dirty")
    before = time.time()
    assert before - 1 <= build.epoch() <= time.time() + 1


def test_without_git_it_is_made_of_the_files_that_are_here(elsewhere: Path) -> None:
    before = build.plugin_files()
    shutil.rmtree(elsewhere / ".git")
    assert build.plugin_files() == before
    assert build.version() == build.number()


def test_its_index_is_one_that_stash_reads(built: Path) -> None:
    text = (built / build.INDEX).read_text(encoding="utf-8")
    assert re.search(r'^  date: "2026-01-01 00:00:00"$', text, re.MULTILINE)
    entries = parse_yaml(text)
    assert [entry["path"] for entry in entries] == list(ZIPS)
    assert [entry["id"] for entry in entries] == [Path(name).stem for name in ZIPS]
    assert [entry["name"] for entry in entries] == ["PlexSync", "PlexSync wake-up", "PlexSync hook"]
    assert re.search(r'^- id: "StashPlexSync"$', text, re.MULTILINE)


def test_a_damaged_zip_is_noticed(built: Path, tmp_path: Path) -> None:
    with (built / ZIPS[0]).open("ab") as file:
        file.write(b"more")
    with pytest.raises(check.Wrong, match="another hash"):
        check.unpacked(built, tmp_path / "plugins")


@pytest.mark.skipif(os.name != "posix", reason="the simulated Stash runs plugins on POSIX")
def test_it_works_where_it_was_unpacked(built: Path, tmp_path: Path) -> None:
    def of_this_environment(trial: check.Trial) -> str:
        place = Path(dependencies.place(str(trial.folder)))
        place.mkdir(parents=True)
        for package in Path(sysconfig.get_path("purelib")).iterdir():
            if "plexsync" not in package.name:
                (place / package.name).symlink_to(package)
        return "those of this environment"

    def of_the_layout_before(folder: Path) -> None:
        check.make_older(folder)
        put_back(folder / "plexsync.db")

    seen = list(check.plugin(built, tmp_path / "stash", of_this_environment, of_the_layout_before))
    assert [seen.count(f"an {what} was seen in Plex") for what in ("edit in Stash", "undo")] == [2, 2]
    assert f"the plugin in a terminal: plexsync {build.number()}" in seen


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist."""
    target = tmp_path_factory.mktemp("dist")
    return build.build_wheel(target), build.build_sdist(target)


def test_the_wheel_installs_three_packages_and_nothing_else(packages: tuple[Path, Path]) -> None:
    wheel, _ = packages
    check.contents(wheel)
    names = check.files_of(wheel).keys()
    own = {name.partition("/")[0] for name in names} - {f"plexsync-{build.number()}.dist-info"}
    assert own == {"plexsync", "validation", "worker"}
    pages = {"plexsync/web/templates/base.html", "plexsync/stash_plugin/ui/plexsync.js"}
    assert {"plexsync/__main__.py", "worker/circuit_breaker.py", "validation/config.py", *pages} <= names


def test_a_wheel_with_another_package_is_not_given_away(packages: tuple[Path, Path], tmp_path: Path) -> None:
    spoiled = tmp_path / packages[0].name
    with zipfile.ZipFile(spoiled, "w") as packed:
        for name, content in check.files_of(packages[0]).items():
            listed = name.endswith("/RECORD")
            packed.writestr(name, content + f"store/__init__.py,{EMPTY},0\n".encode() if listed else content)
        packed.writestr("store/__init__.py", "")
    with pytest.raises(check.Wrong, match="W2"):
        check.contents(spoiled)


def test_the_sdist_holds_what_the_wheel_is_built_of_and_builds_the_same(
    packages: tuple[Path, Path], tmp_path: Path
) -> None:
    wheel, sdist = packages
    with tarfile.open(sdist) as packed:
        inside = {name.partition("/")[2] for name in packed.getnames()}
    assert {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO"} <= inside
    own = {name for name in check.files_of(wheel) if ".dist-info/" not in name}
    assert inside - own == {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", "PKG-INFO", ".gitignore"}
    assert "the same wheel" in check.sdist(sdist, wheel, tmp_path)


def test_the_links_of_the_readme_lead_to_the_repository_if_the_build_knows_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example")
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/plexsync")
    wheel, sdist = build.build_wheel(tmp_path), build.build_sdist(tmp_path)
    metadata = check.files_of(wheel)[f"plexsync-{build.number()}.dist-info/METADATA"].decode()
    at = "https://git.example/someone/plexsync"
    assert f"Project-URL: Repository, {at}" in metadata
    assert f"]({at}/blob/v{build.number()}/docs/install.md)" in metadata
    assert f"]({at}/raw/v{build.number()}/docs/pictures/dashboard.png)" in metadata
    assert "](https://github.com/stashapp/stash)" in metadata
    assert not re.findall(r"\]\((?!https?://|#)", metadata)
    assert "the same wheel" in check.sdist(sdist, wheel, tmp_path / "again")


@pytest.mark.parametrize(
    "kind",
    [("musl", "aarch64", "3.14"), pytest.param(("glibc", "x86_64", "3.11"), marks=pytest.mark.long)],
    ids="-".join,
)
def test_every_pin_has_a_wheel_for_the_oldest_and_the_newest(kind: tuple[str, str, str]) -> None:
    """The others are asked by `make wheels`."""
    if not online():
        pytest.skip("the package index can't be reached")
    assert wheels.lacking(*kind) == ""
