"""The image, as far as it can be tried without an engine: its rules, and its steps carried out in a plain folder.

Every `RUN` and `COPY` of the Dockerfile is carried out below a folder that stands for the root of the image, with what
`.dockerignore` lets through; what comes of it is started by a user without rights.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import tomllib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from release.check import make_older
from tests.journey.world import KEY, ROOT, TOKEN, World, until
from tests.patience import HANG

NOBODY = 65534
NO_WGET = "/nowhere"
OURS = ("/opt/plexsync", "/usr/local/bin", "/tmp/all.txt", "/data", "/etc/")


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest), with its continued lines joined."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if line and not line.startswith("#")).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in text.splitlines())]


def all_of(name: str) -> list[str]:
    return [rest for one, rest in instructions() if one == name]


def ignored() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def let_through(path: str) -> bool:
    """Whether `.dockerignore` lets a path into the build: the last pattern that fits it or a folder above it decides."""
    through = True
    parents = ["/".join(path.split("/")[: n + 1]) for n in range(path.count("/") + 1)]
    for pattern in ignored():
        bare = pattern.removeprefix("!")
        if any(
            fnmatch.fnmatchcase(one, bare) or fnmatch.fnmatchcase(f"/{one}", bare.replace("**", "*")) for one in parents
        ):
            through = pattern.startswith("!")
    return through


def context() -> list[str]:
    """What is in the build: files that git knows or could know, as far as they are let through."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.splitlines() if let_through(path) and (ROOT / path).exists()]


def built(test: Callable[..., None]) -> Callable[..., None]:
    """Mark what needs the built image. Building it takes long, and is done once, by one process of pytest."""
    return pytest.mark.long(pytest.mark.xdist_group("image")(test))


# --- rules -----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("hadolint") is None, reason="hadolint is not installed")
def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(["hadolint", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_both_stages_begin_from_one_small_image_of_a_named_version() -> None:
    (image,) = [one.partition("=")[2] for one in all_of("ARG") if one.startswith("PYTHON_IMAGE=")]
    found = re.fullmatch(r"python:3\.(\d+)-(alpine|slim)[\w.]*", image)
    assert found
    supported = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: 3.{found[1]}" in supported
    assert [one.split()[0] for one in all_of("FROM")] == ["${PYTHON_IMAGE}"] * 2


def test_what_is_installed_is_pinned_with_hashes_and_needs_no_compiler() -> None:
    (pip,) = [one for one in all_of("RUN") if "install --require" in one]
    assert {"--require-hashes", "--no-cache-dir"} <= set(shlex.split(pip))
    assert "--only-binary :all:" in pip
    assert not [one for one in all_of("RUN") if re.search(r"\b(apk|apt-get|curl|wget|git)\b", one)]


def test_it_runs_as_a_user_without_rights() -> None:
    user = all_of("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number, so that Kubernetes can tell that it is not root"
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "COPY" not in names[names.index("USER") :]


def test_it_has_a_health_check_a_data_volume_and_an_orderly_end() -> None:
    assert all_of("VOLUME") == ["/data"]
    assert all_of("WORKDIR") == ["/data"]
    assert all_of("STOPSIGNAL") == ["SIGTERM"]
    assert json.loads(all_of("HEALTHCHECK")[0].partition("CMD ")[2]) == ["plexsync-health"]
    assert json.loads(all_of("ENTRYPOINT")[0]) == ["plexsync"]
    assert json.loads(all_of("CMD")[0]) == ["serve"]


def test_no_secret_is_baked_in() -> None:
    given = " ".join(all_of("ENV") + all_of("ARG") + all_of("LABEL"))
    assert not re.search(r"token|key|password|secret", given, re.I)
    for path in (
        "plexsync.toml",
        "deploy/secrets/plex_token",
        ".env",
        "plexsync.db",
        ".git/config",
        "plexsync/cli/plexsync.toml",
        "plexsync/web/plexsync.db-wal",
        "plexsync/stash_plugin/.env",
    ):
        assert not let_through(path), path
    assert let_through("pyproject.toml")


def test_accounts_are_made_without_the_tools_of_one_base() -> None:
    assert len(all_of("RUN")) > 1
    assert not [one for one in all_of("RUN") if re.search(r"\b(addgroup|adduser|groupadd|useradd)\b", one)]


def test_the_build_has_what_the_wheel_has_and_nothing_that_runs_not() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    there = {path.split("/")[0] for path in context()}
    rooms = set(wheel["packages"])
    assert rooms <= there, "add the new room to .dockerignore"
    assert there - rooms == {"LICENSE", "StashPlexSync.yml", "deploy", "pyproject.toml", "requirements"}
    assert not [path for path in context() if "__pycache__" in path or path.startswith(("tests/", "docs/"))]


# --- the steps, in a plain folder ------------------------------------------------------------------------------------


def open_to_all(path: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in (path, *path.parents))


def base_python() -> str:
    """A Python that a user without rights may start too."""
    ours, systems = Path(sys.executable).resolve(), Path("/usr/bin/python3")
    if os.geteuid() != 0 or open_to_all(ours):
        return str(ours)
    recent = "import sys; sys.exit(sys.version_info < (3, 11))"
    if (
        systems.exists()
        and open_to_all(systems)
        and subprocess.run([systems, "-c", recent], check=False).returncode == 0
    ):
        return str(systems)
    pytest.skip("every Python here is closed to other users")


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """The root of the image."""
    if os.name != "posix":
        pytest.skip("an image of Linux")
    root = Path(tempfile.mkdtemp(prefix="plexsync-image-"))
    try:
        root.chmod(0o755)
        for name in ("tmp", "usr/local/bin", "data", "opt/plexsync", "etc"):
            (root / name).mkdir(parents=True)
        for name, rest in instructions():
            if name == "RUN":
                run(root, rest)
            elif name == "COPY":
                copy(root, rest)
        if os.geteuid() == 0:
            os.chown(root / "data", NOBODY, NOBODY)
        (root / "data").chmod(0o700)
        yield root
    finally:
        shutil.rmtree(root)


def below(root: Path, text: str) -> str:
    """Paths of the image as paths below the folder."""
    for path in OURS:
        text = text.replace(path, f"{root}{path}")
    return text


def run(root: Path, line: str) -> None:
    if os.geteuid() != 0:
        line = line.replace("install -d -o 1000 -g 1000", "install -d")  # who builds the image is root
    if "-m venv" in line:
        line = line.replace("python", base_python(), 1)
    elif line.startswith("python -m pip"):
        line = line.replace("python", sys.executable, 1)
    done = subprocess.run(["sh", "-ec", below(root, line)], capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr


def copy(root: Path, rest: str) -> None:
    *sources, target = rest.split()
    if sources[0].startswith("--from="):
        return  # there is one folder for both stages
    to = Path(below(root, target))
    for source in sources:
        for path in context():
            if source == ".":
                place = to / path
            elif path == source:
                place = to / Path(path).name if target.endswith("/") else to
            else:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, place)
            place.chmod(0o600)  # as on the machine of a careful builder
            if path == "deploy/plexsync-health":
                place.write_text(below(root, place.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.fixture
def world(image: Path) -> Iterator[World]:
    with StashSim(api_key=KEY) as stash, PlexSim(token=TOKEN) as plex:
        made = World(stash, plex, image / "data")
        made.section = plex.add_section("Movies", locations=("/media/scenes",))
        yield made


def started(image: Path, world: World | None, *words: str, **more: str) -> subprocess.Popen[str]:
    """The entry point with a command, as the user without rights."""
    settings = world.given if world else {}
    rights = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.Popen(
        [str(image / "usr/local/bin/plexsync"), *words],
        cwd=image / "data",
        env={"PATH": "/usr/bin:/bin", "PLEXSYNC_DATA_DIR": str(image / "data"), **settings, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **rights,
    )


def said(image: Path, world: World | None, *words: str, **more: str) -> tuple[int, str, str]:
    process = started(image, world, *words, **more)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


@built
def test_its_user_has_a_name_and_every_file_can_be_read_by_others(image: Path) -> None:
    assert (image / "etc/passwd").read_text() == f"plexsync:x:1000:1000::{image}/data:/sbin/nologin\n"
    assert (image / "etc/group").read_text() == "plexsync:x:1000:\n"
    for one in (image / "opt").rglob("*"):
        if not one.is_symlink():
            assert one.stat().st_mode & 0o004, one
            assert not one.is_dir() or one.stat().st_mode & 0o001, one
    assert stat.S_IMODE((image / "usr/local/bin/plexsync-health").stat().st_mode) == 0o755


@built
def test_the_program_tells_its_version(image: Path) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert said(image, None, "--version") == (0, f"plexsync {version}\n", "")


@built
def test_without_settings_it_says_that_it_is_not_set_up(image: Path) -> None:
    code, _, err = said(image, None, "status")
    assert code == 2
    assert "Not set up yet" in err
    assert "Traceback" not in err


@built
def test_doctor_and_serve_work_there_as_a_user_without_rights(image: Path, world: World, tmp_path: Path) -> None:
    secret = image / "tmp" / "plex_token"
    secret.write_text(TOKEN + "\n", encoding="utf-8")
    world.unset = ("plex_token",)
    ids = world.add(5)
    given = {"PLEXSYNC_PLEX_TOKEN_FILE": str(secret)}
    code, out, err = said(image, world, "doctor", **given)
    assert code == 0, out + err
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        given["PLEXSYNC_WEB_BIND"] = f"127.0.0.1:{free.getsockname()[1]}"
    process = started(image, world, "serve", **given)
    try:
        until(lambda: world.in_step(ids))
        until(lambda: healthy(image, given["PLEXSYNC_WEB_BIND"]))
        assert healthy(image, given["PLEXSYNC_WEB_BIND"], "live")
        assert healthy(image, given["PLEXSYNC_WEB_BIND"], path=NO_WGET)
    finally:
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=HANG)
    assert process.returncode == 0, err
    assert "stopped in good order" in (image / "data" / "plexsync.log").read_text(encoding="utf-8")
    make_older(image / "data")
    code, out, err = said(image, world, "status", **given)
    assert code == 0, err
    assert TOKEN not in out + err


@built
def test_nothing_but_the_data_folder_is_written(image: Path, world: World) -> None:
    before = {path: path.stat().st_mtime_ns for path in (image / "opt").rglob("*")}
    assert said(image, world, "status")[0] == 0
    assert {path: path.stat().st_mtime_ns for path in (image / "opt").rglob("*")} == before


def healthy(image: Path, bind: str, *words: str, path: str = "/usr/bin:/bin") -> bool:
    """What the engine is told of a container whose dashboard is there."""
    done = subprocess.run(
        [str(image / "usr/local/bin/plexsync-health"), *words],
        env={"PATH": path, "PLEXSYNC_WEB_BIND": bind, "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    assert "Traceback" not in done.stderr
    return done.returncode == 0


@pytest.fixture(scope="module")
def check(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root that holds the health check, and the Python that it may need, and no more of the image."""
    root = tmp_path_factory.mktemp("check")
    place, python = root / "usr/local/bin/plexsync-health", root / "opt/plexsync/venv/bin/python"
    for path in (place, python):
        path.parent.mkdir(parents=True)
    place.write_text(below(root, (ROOT / "deploy/plexsync-health").read_text(encoding="utf-8")), encoding="utf-8")
    place.chmod(0o755)
    python.symlink_to(sys.executable)
    return root


@pytest.mark.parametrize("path", ["/usr/bin:/bin", NO_WGET], ids=["with wget", "without wget"])
@pytest.mark.parametrize(("answer", "well"), [(200, True), (503, False), (None, False)])
@pytest.mark.parametrize(("words", "page"), [((), "/health"), (("live",), "/health/live")])
def test_the_health_check_asks_the_dashboard(
    words: tuple[str, ...], page: str, answer: int | None, well: bool, path: str, check: Path
) -> None:
    asked = []

    class Dashboard(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(answer or 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Dashboard) as server:
        port = server.server_port
        if answer:
            threading.Thread(target=server.handle_request, daemon=True).start()
        else:
            server.server_close()
        told = healthy(check, f"0.0.0.0:{port}", *words, path=path)
    assert told is well
    assert asked == ([page] if answer else [])
