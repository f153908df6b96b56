"""The commands that look after outages, dead letters and copies, and the ways to tell a person: what each of them leaves.

All commands of a kind of day run in one process without any umask that writes down whom it connects to, what it starts, and
the mode of every file that gets its name or goes. Then every byte that is left is searched for secrets.
"""

import json
import os
import signal
import sqlite3
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from plexsync.simulator.http import Answer, Fault, HttpServer, Request
from plexsync.simulator.plex_server import PlexSim
from tests.journey.world import World, until
from tests.notify.receiver import Hook
from tests.patience import HANG
from tests.security.canaries import HOOK, KEY, WORD, canary_world, check_files, check_requests, leaks, run, start

WATCH = """
import json, os, stat, sys
log = open(sys.argv[1], "a", buffering=1)
words = []
def note(event, given):
    log.write(json.dumps([words, event, given]) + "\\n")
def watch(event, given):
    if event == "socket.connect":
        note(event, list(map(str, given[1])))
    elif event.startswith(("socket.get", "socket.send", "subprocess.", "os.exec", "os.posix_spawn", "os.system")):
        note(event, [str(given[0])])
    elif event in ("os.rename", "os.remove"):
        try:
            found = os.lstat(given[0])
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(found.st_mode):
            note("mode", [os.fspath(given[0]), stat.S_IMODE(found.st_mode)])
sys.addaudithook(watch)
"""
ALL = f"""{WATCH}
from plexsync.cli.main import run
os.umask(int(sys.argv[2], 8))
for words in json.loads(sys.argv[3]):
    note("code", run(words))
"""
BROKEN = ALL.replace(
    "from plexsync.cli.main import run",
    """from plexsync.cli.main import run
from plexsync.store.files import backup
from plexsync.store.database import Database
def fault(*_, **__):
    names = "PLEX_TOKEN", "STASH_API_KEY", "NOTIFY_URLS"
    raise RuntimeError("with " + "\\n".join(os.environ["PLEXSYNC_" + name] for name in names))
Database.reading = Database.writing = backup._copy = fault""",
)
ONE = f"""{WATCH}
from plexsync.cli.main import main
main(sys.argv[2:])
"""


class Repeating(PlexSim):
    """Refuses every edit, and says the request's own headers back in all parts of the answer."""

    def answer(self, request: Request) -> Answer:
        if request.method != "PUT":
            return super().answer(request)
        heard = request.headers.get("x-plex-token", "")
        page = f"<html><head><title>{heard}</title></head><body>{request.headers} bad token {heard}</body></html>"
        return Answer(414, page.encode(), "text/html", {"X-Echo": heard, "Location": f"/?X-Plex-Token={heard}"})


def commands(out: Path) -> list[tuple[int, list[str]]]:
    """Each command with the exit code of a good day, the failing forms among them; files go to `out`."""
    copy, letters, lines = out / "copy.db", out / "letters.json", out / "letters.csv"
    table = [
        (0, "status"),
        (2, "status --watch"),
        (0, "outages"),
        (0, "outages --days 7 --json"),
        (0, "dlq list"),
        (0, "dlq list --cause refused --json"),
        (0, "dlq show 1"),
        (0, "dlq show 1 --json"),
        (1, "dlq show 99"),
        (0, f"dlq export {letters}"),
        (2, f"dlq export {letters}"),
        (0, f"dlq export {letters} --force --json"),
        (0, f"dlq export {lines} --format csv"),
        (0, "dlq export -"),
        (0, "dlq export - --format csv"),
        (2, f"dlq export {out}/nowhere/x"),
        (0, "accept"),
        (0, "accept --json"),
        (1, "accept plex-server"),
        (0, "ignore 3"),
        (0, "ignore --list"),
        (0, "ignore --list --json"),
        (0, "unignore 3"),
        (1, "unignore 99"),
        (0, "dlq retry 1"),
        (1, "dlq retry 1"),
        (2, "dlq drop --all"),
        (0, "dlq drop 2 --yes"),
        (0, f"backup {copy}"),
        (2, f"backup {copy}"),
        (0, f"backup {copy} --force --json"),
        (0, f"backup {out}"),
        (2, f"backup {out}/nowhere/x"),
        (2, f"restore {copy}"),
        (0, f"restore {copy} --yes"),
        (2, f"restore {letters} --yes"),
        (2, f"restore {out}/nothing --yes"),
        (0, "completion bash"),
        (0, "doctor"),
    ]
    return [(code, ["-v", *words.split()]) for code, words in table]


FILES = {"copy.db", "letters.json", "letters.csv"}


@dataclass
class Seen:
    """What a run of commands did: exit codes in their order, connections and the like by command, modes of files."""

    codes: list[int]
    outside: list[tuple[str, str, list[str]]]
    modes: dict[str, int]


def did(world: World, tmp_path: Path, *, umask: str = "0", program: str = ALL) -> Seen:
    """Run every command; look through all that is left of them, and through what the neighbours were asked."""
    out, said, watched = tmp_path / "out", tmp_path / "said", tmp_path / "watched"
    out.mkdir(exist_ok=True)
    words = json.dumps([words for _, words in commands(out)])
    assert run(world, (str(watched), umask, words), said=said, program=("-c", program)) == [0], said.read_text()
    seen = read(watched)
    assert check_files(tmp_path) > 2
    check_requests(world.stash, world.plex)
    return seen


def read(watched: Path) -> Seen:
    seen = Seen([], [], {})
    for words, event, given in map(json.loads, watched.read_text().splitlines()):
        if event == "code":
            seen.codes.append(given)
        elif event == "mode":
            seen.modes[given[0]] = given[1]
        else:
            seen.outside.append((" ".join(words), event, given))
    return seen


def private(folder: Path) -> set[str]:
    """The names of all files below the folder, each of which is for its owner alone."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    for path in files:
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600, path
    return {path.name for path in files}


def given_up(world: World, tmp_path: Path) -> None:
    """All three scenes are dead, by an answer that holds the token."""
    assert run(world, ("sync", "--all", "--wait"), said=tmp_path / "said") == [1]
    assert world.count("dead") == 3


@pytest.mark.skipif(os.name != "posix", reason="modes as Unix has them")
@pytest.mark.parametrize("umask", ["0", "277"])
def test_on_a_good_day(umask: str, tmp_path: Path) -> None:
    with canary_world(tmp_path, plex_like=Repeating) as world:
        given_up(world, tmp_path)
        seen = did(world, tmp_path, umask=umask)
        ports = {str(world.plex.port), str(world.stash.port)}
    assert seen.codes == [code for code, _ in commands(tmp_path / "out")]
    # The dead letters are there, with what Plex answered, in every form.
    said = (tmp_path / "said").read_text()
    for text in (said, (tmp_path / "out" / "letters.json").read_text(), (tmp_path / "out" / "letters.csv").read_text()):
        assert "refused" in text
    copies = private(tmp_path / "out")
    assert copies > FILES
    assert {name.split(".")[1].split("-")[0] for name in private(tmp_path / "data") if "." in name} >= {"before", "db"}
    assert {path for path, mode in seen.modes.items() if mode != 0o600} == set()
    assert len([path for path in seen.modes if path.endswith(".tmp")]) > 5
    # doctor asks both servers and no way to tell a person, ignore asks Stash for the scene, and the script for bash asks
    # bash for its version; the others ask nobody.
    assert {words for words, _, _ in seen.outside} == {"-v doctor", "-v ignore 3"}
    asked = {event for _, event, _ in seen.outside}
    assert asked <= {"socket.connect", "socket.getaddrinfo"}
    assert {given[1] for _, event, given in seen.outside if event == "socket.connect"} == ports


def test_copies_hold_no_secret_in_what_they_once_held(tmp_path: Path) -> None:
    """Free pages are copied too: what was deleted is looked through as well as what is there."""
    with canary_world(tmp_path, plex_like=Repeating) as world:
        given_up(world, tmp_path)
        did(world, tmp_path)
    db = sqlite3.connect(tmp_path / "out" / "copy.db")
    assert db.execute("select count(*) from job").fetchone() == (3,)
    assert db.execute("select count(*) from attempt").fetchone()[0] >= 1
    texts = "\n".join(db.iterdump())
    db.close()
    assert not leaks(texts.encode())


def test_when_plex_is_not_there(tmp_path: Path) -> None:
    with canary_world(tmp_path, plex_like=Repeating) as world:
        given_up(world, tmp_path)
        world.settings["plex_url"] = "http://127.0.0.1:1"
        seen = did(world, tmp_path)
        assert {given[1] for _, event, given in seen.outside if event == "socket.connect"} == {
            "1",
            str(world.stash.port),
        }
    wanted = [code for code, _ in commands(tmp_path / "out")]
    assert seen.codes == [*wanted[:-1], 1]
    private(tmp_path / "out")


def test_when_the_token_is_refused(tmp_path: Path) -> None:
    with canary_world(tmp_path) as world:
        world.settings["plex_token"] = KEY
        run(world, ("sync", "--all", "--wait"), said=tmp_path / "said")
        seen = did(world, tmp_path)
    assert seen.codes[0] == 0
    assert seen.codes[-1] == 1
    said = (tmp_path / "said").read_text()
    assert "on hold until plex_token is put right" in said
    assert "change plex_token" in said
    private(tmp_path / "out")


@pytest.mark.parametrize("how", ["nonsense", "torn"])
def test_when_the_database_is_broken(how: str, tmp_path: Path) -> None:
    with canary_world(tmp_path, plex_like=Repeating) as world:
        given_up(world, tmp_path)
        file = world.folder / "plexsync.db"
        whole = file.read_bytes()
        file.write_bytes(b"nonsense" * 1000 if how == "nonsense" else whole[:4096] + b"\xff" * (len(whole) - 4096))
        file.chmod(0o600)
        seen = did(world, tmp_path)
    assert set(seen.codes) <= {0, 1, 2}
    assert 2 in seen.codes
    assert {words for words, _, _ in seen.outside} <= {"-v doctor"}
    private(tmp_path / "out")
    private(tmp_path / "data")


def test_when_the_fault_is_our_own(tmp_path: Path) -> None:
    with canary_world(tmp_path, plex_like=Repeating) as world:
        given_up(world, tmp_path)
        seen = did(world, tmp_path, program=BROKEN)
    assert seen.codes.count(1) > 20
    said = (tmp_path / "said").read_text()
    assert said.count("this is a fault of PlexSync") > 20
    assert "Traceback" in said
    # What was begun is gone again.
    assert private(tmp_path / "out") == set()


# --- telling a person ------------------------------------------------------------------------------------------------


class Pointing(HttpServer):
    """Answers every request with a redirect that carries on what it was told."""

    to = ""

    def answer(self, request: Request) -> Answer:
        return Answer(307, b"", "text/html", {"Location": f"{self.to}{request.path}"})


TELL = """
import os, pathlib, sys
known = [f"{name}={value}" for name, value in os.environ.items()]
place = pathlib.Path(__file__).with_name("told")
place.with_suffix(".new").write_text("\\n".join([sys.stdin.read(), *known]))
place.with_suffix(".new").rename(place)
"""


def test_a_notice_goes_where_it_was_set_up_to_go_and_takes_no_secret_along(tmp_path: Path) -> None:
    said, watched, tell = tmp_path / "said", tmp_path / "watched", tmp_path / "tell.py"
    tell.write_text(TELL)
    with canary_world(tmp_path) as world, Hook() as well, Hook() as failing, Pointing() as led, Hook() as elsewhere:
        led.to = elsewhere.url
        failing.faults.set(Fault("status", status=500))
        ways = [f"json://127.0.0.1:{one.port}/{HOOK}" for one in (well, failing, led)]
        world.settings |= {
            "plex_token": KEY,
            "notify_urls": " ".join([*ways, f"json://127.0.0.1:1/{HOOK}"]),
            "notify_command": f"{sys.executable} {tell} --key={WORD}",
        }
        process = start(world, str(watched), "serve", said=said, program=("-c", ONE))
        try:
            until(lambda: (tmp_path / "told").exists() and well.log)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0
        # Nobody but those: not whom an answer points to either.
        assert len(led.log) == 1
        assert elsewhere.log == []
        ports = {given[1] for _, event, given in read(watched).outside if event == "socket.connect"}
        assert ports == {"1", *(str(one.port) for one in (world.plex, world.stash, well, failing, led))}
        for server in (well, failing, led):
            for request in server.log:
                assert request.path == f"/{HOOK}"
                assert not leaks(f"{request.headers}".encode() + request.body)
        check_requests(world.stash, world.plex)
    (told,) = [json.loads(request.body)["message"] for request in well.log]
    assert "plex_token" in told
    assert told in (tmp_path / "told").read_text()
    for way in ("address 2", "address 3", "address 4"):
        assert f"did not get through by {way} of notify_urls" in said.read_text()
    assert check_files(tmp_path) > 3
    private(tmp_path / "data")


def test_a_command_that_can_not_be_started_is_told_without_its_words(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path, notify_urls="", notify_command=f"{tmp_path}/nowhere/{WORD} {WORD}") as world:
        world.settings["plex_token"] = KEY
        process = start(world, "serve", said=said)
        try:
            until(lambda: "did not get through by notify_command" in said.read_text())
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=HANG) == 0
        run(world, ("doctor",), ("--json", "doctor"), said=said)
    assert "its program does not exist" in said.read_text()
    assert check_files(tmp_path) >= 2


def test_an_address_that_no_service_knows_is_told_without_it(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with canary_world(tmp_path, notify_urls=f"nowhere://{HOOK}/{HOOK}", notify_command="") as world:
        codes = run(world, ("-v", "serve"), ("-v", "doctor"), ("--json", "doctor"), said=said)
    assert codes == [2, 2, 2]
    assert "address 1 of notify_urls" in " ".join(said.read_text().split())
    assert check_files(tmp_path) >= 2
