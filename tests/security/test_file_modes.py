"""Files are for their owner's eyes only, whatever the umask; a place where others can plant theirs is refused."""

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from plexsync.store import intake
from tests import forked
from tests.journey.world import ROOT
from tests.patience import HANG

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes and links as Unix has them")

LOOSE = "import os, sys; os.umask(0); from plexsync.cli.main import main; main(sys.argv[1:])"
HOOKED = (
    "import os, sys; os.umask(0); sys.argv = [{hook!r}]; import runpy; runpy.run_path({hook!r}, run_name='__main__')"
)
EVENT = b'{"server_connection": {"Dir": "/"}, "args": {"hookContext": {"id": 7, "type": "Scene.Update.Post"}}}'


def plexsync(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command in a process without any umask."""
    return forked.run(["-c", LOOSE, *words], **_given(folder), text=True)


def hook(folder: Path, event: bytes) -> subprocess.CompletedProcess[bytes]:
    program = HOOKED.format(hook=str(ROOT / "plexsync" / "stash_plugin" / "hook.py"))
    return forked.run(["-c", program], real=True, **_given(folder), input=event)


def _given(folder: Path) -> dict:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder.parent),
        "PLEXSYNC_DATA_DIR": str(folder),
        "PLEXSYNC_PLEX_URL": "http://127.0.0.1:1",
        "PLEXSYNC_STASH_URL": "http://127.0.0.1:1",
        "PLEXSYNC_PLEX_TOKEN": "token",
    }
    return {"cwd": ROOT, "env": environ, "capture_output": True, "timeout": HANG}


def modes(folder: Path) -> dict[str, int]:
    """The permission bits of the folder and of all in it, by path."""
    return {
        str(path.relative_to(folder.parent)): stat.S_IMODE(path.lstat().st_mode)
        for path in [folder, *folder.rglob("*")]
    }


def test_everything_is_for_its_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    folder = tmp_path / "above" / "data"
    assert b"noted" in hook(folder, EVENT).stdout  # there is no database yet: the event is a file
    assert b"kept" in hook(folder, b'"hookContext" what {{{').stdout
    assert "tried again" in plexsync(folder, "drain").stdout
    assert plexsync(folder, "sync", "1", "2").returncode == 0
    seen = {}
    for moment in range(2):
        # A reader keeps the side files of the log in place while the others come and go.
        reader = subprocess.Popen(
            [sys.executable, "-c", READER, str(folder / intake.DATABASE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with reader:
            reader.stdout.readline()
            assert plexsync(folder, "sync", str(moment + 5)).returncode == 0
            seen |= modes(tmp_path / "above")
            reader.stdin.close()
    names = {path.split("above/")[-1] for path in seen}
    assert {"data/plexsync.db", "data/plexsync.db-wal", "data/plexsync.db-shm", "data/worker.lock"} <= names
    assert {"data/spool", "data/spool/unread"} <= names
    for path, mode in seen.items():
        wanted = 0o700 if (tmp_path / path).is_dir() else 0o600
        assert mode == wanted, f"{path}: {mode:o}"


READER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("begin"); db.execute("select count(*) from job").fetchone()
print("reading", flush=True)
sys.stdin.read()
"""


def test_an_existing_folder_keeps_its_mode_and_its_files_stay_private(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o755)
    assert plexsync(folder, "status").returncode == 0
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / intake.DATABASE).stat().st_mode) == 0o600


COMMANDS = [
    "status",
    "drain",
    "sync 1",
    "doctor",
    "outages",
    "explain 1",
    "dlq list",
    "dlq show 1",
    "dlq retry --all",
    "dlq drop --all --yes",
    "dlq export -",
    "accept",
    "accept plex-server",
    "ignore 1",
    "unignore 1",
    "undo 1",
    "release 1",
    "backup {above}/copy.db",
    "restore {above}/good.db --yes",
]


EACH = """
import json, os, sys
os.umask(0)
from plexsync.cli.main import run
codes = [run(words) for words in json.loads(sys.argv[1])]
print("codes", json.dumps(codes))
"""


def all_refused(folder: Path, above: Path) -> str:
    """Each command ended with 2; returns what they said, in one line."""
    words = [words.format(above=above).split() for words in COMMANDS]
    done = forked.run(["-c", EACH, json.dumps(words)], **_given(folder), text=True)
    assert json.loads(done.stdout.rpartition("codes ")[2]) == [2] * len(COMMANDS), done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound copy of a database."""
    place = tmp_path_factory.mktemp("good")
    assert plexsync(place / "data", "ignore", "3").returncode == 0
    assert plexsync(place / "data", "backup", str(place / "good.db")).returncode == 0
    return place / "good.db"


def test_a_folder_that_everyone_can_write_is_refused(good: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    folder.chmod(0o777)
    shutil.copy(good, tmp_path / "good.db")
    # What somebody planted for the worker to find.
    shutil.copy(good, folder / "plexsync.db.mended-20260101T000000Z")
    said = all_refused(folder, tmp_path)
    assert said.count("can be written by everyone") == len(COMMANDS)
    assert not (folder / intake.DATABASE).exists()
    assert not (tmp_path / "copy.db").exists()


def test_a_sound_database_behind_a_link_is_neither_read_nor_changed(good: Path, tmp_path: Path) -> None:
    folder, theirs = tmp_path / "data", tmp_path / "theirs.db"
    folder.mkdir(mode=0o700)
    for name in ("good.db", "theirs.db"):
        shutil.copy(good, tmp_path / name)
    (folder / intake.DATABASE).symlink_to(theirs)
    said = all_refused(folder, tmp_path)
    assert said.count("is a link") == len(COMMANDS)
    assert theirs.read_bytes() == good.read_bytes()
    assert (folder / intake.DATABASE).is_symlink()
    assert not (tmp_path / "copy.db").exists()


def test_a_file_in_the_place_of_an_export_or_copy_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    folder, theirs = tmp_path / "data", tmp_path / "theirs"
    assert plexsync(folder, "ignore", "3").returncode == 0
    theirs.write_text("theirs")
    for words in (("dlq", "export"), ("backup",)):
        link = tmp_path / words[0]
        link.symlink_to(theirs)
        assert plexsync(folder, *words, str(link)).returncode == 2
        plexsync(folder, *words, str(link), "--force")
        assert theirs.read_text() == "theirs"
        link.unlink()
        link.write_text("old")
        link.chmod(0o666)
        assert plexsync(folder, *words, str(link), "--force").returncode == 0
        assert stat.S_IMODE(link.stat().st_mode) == 0o600


def test_a_database_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    folder, target = tmp_path / "data", tmp_path / "theirs.db"
    folder.mkdir(mode=0o700)
    target.write_bytes(b"")
    (folder / intake.DATABASE).symlink_to(target)
    for words in (("status",), ("drain",)):
        done = plexsync(folder, *words)
        assert done.returncode == 2
        assert "is a link" in done.stderr
    answer = hook(folder, EVENT).stdout
    assert b"noted in a file" in answer
    assert b"is a link" in answer
    assert target.read_bytes() == b""


def test_a_dangling_link_is_not_followed_to_make_a_database(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / intake.DATABASE).symlink_to(tmp_path / "elsewhere.db")
    assert plexsync(folder, "status").returncode == 2
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_lock_that_is_a_link_is_refused_and_its_target_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "worker.lock").symlink_to(tmp_path / "elsewhere")
    done = plexsync(folder, "drain")
    assert done.returncode == 2
    assert "worker.lock" in done.stderr
    assert not (tmp_path / "elsewhere").exists()


# --- the spool -------------------------------------------------------------------------------------------------------


def test_a_spool_that_is_a_link_is_neither_written_nor_read(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    folder.mkdir(mode=0o700)
    elsewhere.mkdir()
    (elsewhere / "1.json").write_bytes(b'{"kind": "scene", "id": 7, "why": "edit"}')
    (folder / intake.SPOOL).symlink_to(elsewhere)
    with pytest.raises(intake.NotStored, match="is a link"):
        intake.store(str(folder), "scene", 7)
    assert intake.list_spooled(str(folder), 100, 0) == []
    assert [path.name for path in elsewhere.iterdir()] == ["1.json"]


def test_what_is_no_plain_file_in_the_spool_is_set_aside_unread(tmp_path: Path) -> None:
    folder, secret = tmp_path / "data", tmp_path / "secret.json"
    intake.store(str(folder), "scene", 1)
    place = folder / intake.SPOOL
    secret.write_bytes(b'{"kind": "scene", "id": 666, "why": "edit"}')
    (place / "a-link.json").symlink_to(secret)
    (place / "b-folder.json").mkdir()
    os.mkfifo(place / "c-pipe.json")  # reading it would wait for ever
    (place / "d-nothing.json").symlink_to(tmp_path / "nothing")

    events = intake.list_spooled(str(folder), 100, 0)

    assert [event[1:] for event in events] == [("scene", 1, "edit")]
    assert sorted(path.name[0] for path in (place / intake.UNREAD).iterdir()) == ["a", "b", "c", "d"]
    assert secret.read_bytes()


def test_a_raw_event_is_kept_without_the_cookie_of_the_session(tmp_path: Path) -> None:
    cookie = "MTc2NDAzMjM0MHxEWDhFQVFMX2dBQUJFQUVRQUFCUV"
    start = (
        '{"server_connection": {"SessionCookie": {"Name": "session", "Value": "'
        f'{cookie}", "Path": ""}}, "Dir": "/"}}, '
    )
    whole = start + '"args": {"hookContext": {'
    for event in (whole, whole.replace('": "', '" :\t"'), start[: start.index(cookie) + 20], '"Value":"' + cookie):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert b"kept" in hook(tmp_path / "data", event.encode(encoding)).stdout
    kept = [path.read_bytes() for path in (tmp_path / "data" / intake.SPOOL).glob("*.raw")]
    assert len(kept) == 12
    for content in kept:
        assert cookie[:20].encode() not in content.replace(b"\0", b"")
        assert b"***" in content.replace(b"\0", b"")
