"""The hook as Stash starts it: a real process, its standard input, and what it leaves in the data folder."""

import ast
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.rules.queue.job import Kind, State
from plexsync.simulator.stash_manifest import parse_yaml, read_manifest
from plexsync.stash_plugin import hook
from plexsync.store import intake
from plexsync.store.database import Database
from release import build
from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[2]
HOOK = ROOT / "plexsync" / "stash_plugin" / "hook.py"
MANIFEST = ROOT / "plexsync" / "stash_plugin" / "python_hook" / "PlexSyncHook.yaml"
NAME = "plexsync.db"
T = 1_700_000_000_000


@pytest.fixture
def stash(tmp_path: Path) -> Path:
    """The folder of Stash's configuration."""
    made = tmp_path / "stash"
    made.mkdir()
    return made


@pytest.fixture
def folder(stash: Path) -> Path:
    """Where PlexSync's database is for a hook that is told of nothing else."""
    return stash / "plexsync"


@pytest.fixture
def store(folder: Path) -> Iterator[Database]:
    database = Database(folder / NAME, worker=True)
    yield database
    database.close()


def event(stash: Path, id: object = 7, type_: object = "Scene.Update.Post", **more) -> dict:
    connection = {
        "Scheme": "http",
        "Host": "0.0.0.0",
        "Port": 9999,
        "SessionCookie": {"Name": "session", "Value": "very-secret-cookie"},
        "Dir": str(stash),
        "PluginDir": str(ROOT),
    }
    return {"server_connection": connection, "args": {"hookContext": {"id": id, "type": type_, **more}}}


def environ(**more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", **more}


def run(data: bytes | dict, *options: str, cwd: Path | None = None, **more: str) -> dict[str, str]:
    """What the hook answers; that it ends well, in one JSON object and without a word too many, is always checked."""
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    command = [sys.executable, *options, str(HOOK)]
    done = subprocess.run(
        command, input=data, capture_output=True, cwd=cwd, env=environ(**more), timeout=HANG, check=False
    )
    return checked(done.returncode, done.stdout, done.stderr)


def checked(code: int, out: bytes, err: bytes) -> dict[str, str]:
    assert code == 0
    answer = json.loads(out)
    assert list(answer) in (["output"], ["error"])
    assert out.count(b"\n") == 1
    assert b"Traceback" not in out + err
    assert b"very-secret" not in out + err
    if "error" in answer:
        assert err.startswith(b"\x01e\x02PlexSync: ")
        assert err.count(b"\n") == 1
    else:
        assert err == b""
    return answer


def wanted(store: Database) -> dict[tuple[str, int], int]:
    """(kind, id) of every row, with its wanted revision."""
    with store.reading() as db:
        return {(str(kind), id): db.jobs.find(kind, id).wanted_rev for kind in Kind for id, _ in db.jobs.ids(kind)}


def spooled(folder: Path, pattern: str = "*.json") -> list[Path]:
    return sorted((folder / "spool").glob(pattern))


# --- what is noted ---------------------------------------------------------------------------------------------------

LONG = "x" * 3_000_000
UPDATE = {"id": "7", "title": 'a "quoted" {title}', "rating100": 60, "performer_ids": ["1", "2"]}
SHAPES = {
    "a single update": (UPDATE, ["title", "rating100"]),
    "the whole list of a mass update": ([UPDATE, {"id": "8", "title": "other"}, {"id": "9"}], ["id", "title"]),
    "the ids of a mass removal": (["7", "8", "9"], None),
    "one plain text": ("7", None),
    "nothing, from a scan": (None, None),
    "a bulk update with all ids": ({"ids": ["6", "7", "8"], "tag_ids": {"ids": ["1"], "mode": "ADD"}}, ["ids"]),
    "an update that holds a cover": ({"id": "7", "cover_image": f"data:image/jpeg;base64,{LONG}"}, ["cover_image"]),
    "a removal by a clean job": ({"id": "", "checksum": "c", "oshash": "o", "path": "/media/gone.mp4"}, None),
    "other letters": ({"id": "7", "title": "Ünïcödé \U0001f680 \u2028"}, ["title"]),
    "something of another time": ({"nested": {"id": 99, "type": "Scene.Create.Post"}}, []),
}


@pytest.mark.parametrize(("input_", "fields"), SHAPES.values(), ids=SHAPES.keys())
def test_every_shape_of_input_names_the_scene_of_the_event(stash, store, input_, fields):
    more = {"input": input_} | ({"inputFields": fields} if fields else {})
    assert run(event(stash, **more)) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("Scene.Create.Post", "scene"),
        ("Scene.Update.Post", "scene"),
        ("Scene.Destroy.Post", "scene"),
        ("Performer.Update.Post", "performer"),
        ("Performer.Destroy.Post", "performer"),
        ("Studio.Update.Post", "studio"),
        ("Studio.Destroy.Post", "studio"),
        ("Tag.Update.Post", "tag"),
        ("Tag.Merge.Post", "tag"),
        ("Tag.Destroy.Post", "tag"),
        ("Group.Update.Post", "group"),
        ("Group.Destroy.Post", "group"),
    ],
)
def test_an_event_is_noted_as_an_edit_of_what_it_is_about(stash, store, type_, kind):
    before = time.time()
    run(event(stash, type_=type_))
    after = time.time()
    assert wanted(store) == {(kind, 7): 1}
    with store.reading() as db:
        row = db.jobs.find(Kind(kind), 7)
    assert (row.state, row.lane) == (State.READY, 0)
    assert before - 1 <= row.due / 1000 <= after + 60


def test_an_event_that_comes_twice_is_one_wish_more(stash, store):
    run(event(stash))
    run(event(stash))
    assert wanted(store) == {("scene", 7): 2}


@pytest.mark.parametrize("options", [(), ("-S", "-E"), ("-I",), ("-W", "error", "-X", "dev")])
def test_it_needs_nothing_but_python_and_works_from_any_folder(stash, store, tmp_path, options):
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger was imported')")
    (tmp_path / "store.py").write_text("raise SystemExit('a stranger was imported')")
    assert run(event(stash), *options, cwd=tmp_path, PYTHONPATH=str(tmp_path / "none")) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


def test_the_folder_named_in_the_environment_comes_first(stash, tmp_path):
    named = Database(tmp_path / "named" / NAME)
    run(event(stash), PLEXSYNC_DATA_DIR=str(tmp_path / "named"))
    assert wanted(named) == {("scene", 7): 1}
    assert not (stash / "plexsync").exists()
    named.close()


@pytest.mark.parametrize("id", [2**63 - 1, "7", 1])
def test_ids_at_the_edge_are_kept(stash, store, id):
    run(event(stash, id=id))
    assert wanted(store) == {("scene", int(id)): 1}


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [0, -1, 2**63, 10**30, 7.5, True, None, "", "seven", "٧", [7], {"id": 7}])
def test_an_id_that_is_none_is_refused_in_one_line_and_nothing_is_stored(stash, store, id):
    assert "is not one" in run(event(stash, id=id))["error"]
    assert wanted(store) == {}
    assert spooled(stash / "plexsync") == []


@pytest.mark.parametrize("type_", ["Image.Update.Post", "Scene.Update.Pre", "", None, 5, "x" * 10_000, "a\nb"])
def test_an_unknown_event_is_refused_in_one_line_and_nothing_is_stored(stash, store, type_):
    answer = run(event(stash, type_=type_))
    assert "are not followed" in answer["error"]
    assert len(answer["error"]) < 200
    assert wanted(store) == {}


@pytest.mark.parametrize("data", [b"", b" \n", b"[]", b"7", b'{"args": {}}', b'{"args": {"hookContext": []}}'])
def test_what_is_no_event_is_refused_and_nothing_is_stored(stash, store, data):
    assert "error" in run(data, PLEXSYNC_DATA_DIR=str(stash / "plexsync"))
    assert wanted(store) == {}


def test_without_a_folder_to_store_it_in_it_says_so(stash):
    told = event(stash)
    told["server_connection"]["Dir"] = str(stash / "none")
    assert "PLEXSYNC_DATA_DIR" in run(told)["error"]
    del told["server_connection"]
    assert "PLEXSYNC_DATA_DIR" in run(told)["error"]
    assert list(stash.iterdir()) == []


# --- malformed input -------------------------------------------------------------------------------------------------


def malformed(stash: Path) -> dict[str, bytes]:
    told = json.dumps(event(stash, input=UPDATE)).encode()
    deep = json.dumps(event(stash, input="DEEP")).encode().replace(b'"DEEP"', b"[" * 100_000 + b"]" * 100_000)
    digits = json.dumps(event(stash, input="DIGITS")).encode().replace(b'"DIGITS"', b"9" * 10_000)
    return {
        "cut off": told[:-30],
        "too deep": deep,
        "a number too long": digits,
        "not utf-8": told.replace(b"quoted", b"\xff\xfe\xff"),
        "cut off, utf-16": told.decode().encode("utf-16")[:-40],
        "rubbish behind": told + b"}}}",
        "a control character": told.replace(b"quoted", b"a\x01\nb"),
    }


@pytest.mark.parametrize("name", malformed(Path("stash")))
def test_what_can_not_be_parsed_is_searched_for_id_and_type(stash, store, name):
    assert run(malformed(stash)[name]) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_any_of_its_encodings_is_read(stash, store, encoding):
    assert run(json.dumps(event(stash)).encode(encoding)) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


def test_numbers_and_keys_that_json_does_not_know_do_no_harm(stash, store):
    told = json.dumps(event(stash, input="X")).replace('"X"', '{"a": NaN, "a": -Infinity, "b": "\\ud800"}')
    assert run(told.encode()) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


def test_a_text_inside_the_input_is_not_taken_for_the_event(stash, store):
    title = '"id": 99, "type": "Tag.Merge.Post", "hookContext": {"id": 98}'
    told = json.dumps(event(stash, input={"id": "7", "title": title})).encode()
    assert run(told[:-20]) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


@pytest.mark.parametrize("data", [b"{rubbish", b'{"args": {"hookContext": {"id": 7', b"\0\xff\xfe" * 50])
def test_what_tells_no_event_is_kept_as_it_came(folder, store, data):
    answer = run(data, PLEXSYNC_DATA_DIR=str(folder))
    (kept,) = spooled(folder, "*.raw")
    assert kept.read_bytes() == data
    assert str(kept) in answer["error"]
    assert store.drain_spool(T) == 0
    assert (folder / "spool" / "unread" / kept.name).read_bytes() == data


COOKIES = [
    ("plain", '", "Value": 7}'),
    (r"with \" inside", '", "b": 1}'),
    (r"its end is \\", '", "b": 1}'),
    (r"its end is \\\"", '", "b": 1}'),
    ("cut off", ""),
    ("cut in the middle \\", ""),
    ("two", '", "Value": "***", "Value": 1}'),
]


@pytest.mark.parametrize(("cookie", "rest"), COOKIES)
def test_the_cookie_is_not_kept_with_what_tells_no_event(cookie, rest):
    head = '{"Name": "session", "Value": "'
    assert hook.without_cookie((head + cookie + rest).encode()) == (head + "***" + rest).encode()
    if "\\" not in cookie:
        wide = hook.without_cookie((head + cookie + rest).encode("utf-16-le"))
        assert wide.replace(b"\0", b"") == (head + "***" + rest).encode()


def test_a_text_of_backslashes_takes_neither_time_nor_memory():
    # With more than a few steps for each of them this would not end.
    assert hook.without_cookie(b'"Value": "' + b"\\" * 20_000_000) == b'"Value": "***'


def test_more_than_it_reads_is_searched_in_its_first_bytes(stash, store):
    head, tail = json.dumps(event(stash, input={"cover_image": "COVER"})).encode().split(b"COVER")
    process = start()
    try:
        process.stdin.write(head)
        for _ in range(80):
            process.stdin.write(b"A" * 2**20)
        process.stdin.write(tail)
    except BrokenPipeError:
        pass
    finally:
        process.stdin.close()
    assert finished(process) == {"output": "scene 7 noted"}
    assert wanted(store) == {("scene", 7): 1}


def start(*options: str, **streams) -> subprocess.Popen:
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, **streams}
    return subprocess.Popen([sys.executable, *options, str(HOOK)], env=environ(), **given)


def finished(process: subprocess.Popen) -> dict[str, str]:
    with process.stdout as out, process.stderr as err:
        answer = out.read(), err.read()
    return checked(process.wait(timeout=HANG), *answer)


def test_standard_input_that_never_ends_is_given_up(stash, store):
    process = start()
    process.stdin.write(json.dumps(event(stash)).encode())
    process.stdin.flush()
    assert finished(process) == {"output": "scene 7 noted"}
    process.stdin.close()
    assert wanted(store) == {("scene", 7): 1}


def test_what_never_ends_and_a_locked_database_are_given_up_both_after_two_seconds_together(stash, folder):
    assert hook.READ_SECONDS + intake.BUSY_SECONDS <= 1.9
    Database(folder / NAME).close()
    db = sqlite3.connect(folder / NAME, isolation_level=None)
    db.execute("begin exclusive")
    process = start()
    process.stdin.write(json.dumps(event(stash)).encode())
    process.stdin.flush()
    answer = finished(process)
    process.stdin.close()
    db.close()
    assert_spooled_and_drained(folder, answer, "locked")


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors by a shell")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_no_harm(stash, store, folder, closed):
    shell = f'exec "{sys.executable}" "{HOOK}" {closed}'
    done = subprocess.run(
        ["/bin/sh", "-c", shell],
        input=json.dumps(event(stash)).encode(),
        capture_output=True,
        env=environ(),
        check=False,
    )
    assert done.returncode == 0
    assert b"Traceback" not in done.stdout + done.stderr
    assert wanted(store) == ({} if "<" in closed else {("scene", 7): 1})
    db = sqlite3.connect(folder / NAME)
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    db.close()


@pytest.mark.skipif(os.name != "posix", reason="needs a pipe that nobody reads")
def test_an_answer_that_nobody_reads_does_no_harm(stash, store):
    read, write = os.pipe()
    os.close(read)
    process = start(stdout=write)
    os.close(write)
    _, err = process.communicate(json.dumps(event(stash)).encode(), timeout=HANG)
    assert (process.returncode, err) == (0, b"")
    assert wanted(store) == {("scene", 7): 1}


# --- when the database can not take it -------------------------------------------------------------------------------


def assert_spooled_and_drained(folder: Path, answer: dict[str, str], reason: str) -> None:
    assert answer["output"].startswith("scene 7 noted in a file")
    assert reason in answer["output"]
    (kept,) = spooled(folder)
    assert json.loads(kept.read_bytes()) == {"kind": "scene", "id": 7, "why": "edit"}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "spool").stat().st_mode) == 0o700
    store = Database(folder / NAME)
    assert store.drain_spool(T) == 1
    assert wanted(store) == {("scene", 7): 1}
    store.close()


def test_without_a_database_the_event_waits_in_a_file_for_the_first_worker(stash, folder):
    before = os.umask(0)
    try:
        answer = run(event(stash))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not (folder / NAME).exists()
    assert_spooled_and_drained(folder, answer, "No such file")


def test_a_locked_database_is_waited_for_and_then_given_up(stash, folder):
    Database(folder / NAME).close()
    db = sqlite3.connect(folder / NAME, isolation_level=None)
    db.execute("begin exclusive")
    answer = run(event(stash))
    db.close()
    assert_spooled_and_drained(folder, answer, "locked")


def test_a_database_of_a_newer_version_is_left_alone(stash, folder):
    Database(folder / NAME).close()
    db = sqlite3.connect(folder / NAME)
    db.execute("pragma user_version = 1000")
    db.close()
    before = (folder / NAME).read_bytes()
    answer = run(event(stash))
    assert (folder / NAME).read_bytes() == before
    (folder / NAME).unlink()
    assert_spooled_and_drained(folder, answer, "schema 1000")


@pytest.mark.parametrize("damage", ["empty", "another file", "cut off", "overwritten", "a folder"])
def test_a_database_that_is_broken_is_left_alone(stash, folder, damage):
    Database(folder / NAME).close()
    path = folder / NAME
    if damage == "a folder":
        path.unlink()
        path.mkdir()
    else:
        content = {
            "empty": b"",
            "another file": b"no database " * 1000,
            "cut off": path.read_bytes()[:5000],
            "overwritten": path.read_bytes()[:4096] + b"\xff" * 100_000,
        }
        path.write_bytes(content[damage])
    answer = run(event(stash))
    path.rmdir() if damage == "a folder" else path.unlink()
    assert_spooled_and_drained(folder, answer, "since")


def test_a_full_disk_is_told_of(stash, folder):
    resource = pytest.importorskip("resource", reason="limits the size of files")
    Database(folder / NAME).close()
    limit = (folder / NAME).stat().st_size

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit))

    process = start(preexec_fn=small_files)
    process.stdin.write(json.dumps(event(stash)).encode())
    process.stdin.close()
    assert_spooled_and_drained(folder, finished(process), "since")


def test_a_folder_that_everyone_can_write_is_not_trusted_with_a_database(stash, folder):
    Database(folder / NAME).close()
    folder.chmod(0o777)
    answer = run(event(stash))
    folder.chmod(0o700)
    assert_spooled_and_drained(folder, answer, "chmod 700")


def test_a_database_that_is_a_link_is_not_followed(stash, folder, tmp_path):
    Database(tmp_path / "elsewhere" / NAME).close()
    folder.mkdir(mode=0o700)
    (folder / NAME).symlink_to(tmp_path / "elsewhere" / NAME)
    answer = run(event(stash))
    (folder / NAME).unlink()
    assert_spooled_and_drained(folder, answer, "link")


def test_where_nothing_can_be_written_the_answer_is_an_error(stash, folder):
    folder.write_text("a file in the folder's place")
    assert "can't be written" in run(event(stash))["error"]
    assert folder.read_text() == "a file in the folder's place"


def test_an_installation_without_its_other_file_is_told_of_in_an_answer(tmp_path, stash):
    alone = tmp_path / "plexsync" / "stash_plugin"
    alone.mkdir(parents=True)
    shutil.copy(HOOK, alone)
    command = [sys.executable, "-I", "-S", str(alone / "hook.py")]
    done = subprocess.run(command, input=b"{}", capture_output=True, env=environ(), timeout=HANG, check=False)
    assert "fault of its own" in checked(done.returncode, done.stdout, done.stderr)["error"]


def test_a_python_without_sqlite_leaves_a_file(stash, folder):
    script = f"import sys, runpy; sys.modules['sqlite3'] = None; runpy.run_path({str(HOOK)!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(event(stash)).encode(),
        capture_output=True,
        env=environ(),
        check=False,
    )
    assert_spooled_and_drained(folder, checked(done.returncode, done.stdout, done.stderr), "no sqlite3")


# --- a Python that is too old for the program ------------------------------------------------------------------------

# What the hook imports, for a task too, before the Python is looked at.
EARLY = (
    *(f"plexsync/stash_plugin/{name}.py" for name in ("hook", "dependencies", "launcher", "__main__")),
    "plexsync/store/intake.py",
)


@pytest.mark.parametrize("name", EARLY)
def test_its_words_are_those_of_an_older_python(name):
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"), feature_version=(3, 9))
    hints = [node.annotation for node in ast.walk(tree) if isinstance(node, ast.arg | ast.AnnAssign)]
    hints += [node.returns for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    early = {type(part) for hint in hints if hint for part in ast.walk(hint)}
    assert ast.BinOp not in early, "`X | None` is looked at when the function is made: write it as a text"


def older_pythons() -> list[str]:
    places = [Path(shutil.which(f"python3.{n}") or "") for n in (9, 10)]
    places += (Path.home() / ".pyenv" / "versions").glob("3.[91]*/bin/python")
    tell = "import sys; print((3, 9) <= sys.version_info < (3, 11))"
    found = [
        str(place)
        for place in places
        if place.is_file()
        and subprocess.run([place, "-c", tell], capture_output=True, check=False).stdout.strip() == b"True"
    ]
    return found or pytest.skip("no older Python here")


def test_an_older_python_stores_events_and_says_for_a_task_what_it_lacks(stash, folder):
    pythons = older_pythons()
    Database(folder / NAME).close()

    def answers(data: bytes, key: str) -> list[str]:
        return [answer(python, data)[key] for python in pythons]

    def answer(python: str, data: bytes) -> dict[str, str]:
        done = subprocess.run([python, HOOK], input=data, capture_output=True, env=environ(), timeout=HANG, check=False)
        assert (python, done.returncode, b"Traceback" in done.stderr) == (python, 0, False), done.stderr
        return json.loads(done.stdout)

    assert all(text.startswith("scene 7 noted") for text in answers(json.dumps(event(stash)).encode(), "output"))
    rubbish = f'{{"server_connection": {{"Dir": "{stash}"}}, rubbish'.encode()
    assert all("it is kept in" in text for text in answers(rubbish, "error"))
    told = event(stash)
    told["args"] = {"mode": "status"}
    lacks = answers(json.dumps(told).encode(), "error")
    assert all(text.startswith("PlexSync: Stash runs Python 3.") for text in lacks)


def test_a_task_is_told_of_a_python_that_is_too_old_before_it_is_looked_for(stash):
    told = event(stash)
    told["args"] = {"mode": "status"}
    script = (
        "import sys, runpy; sys.version_info = (3, 10, 1); sys.modules['plexsync.stash_plugin.tasks'] = None; "
        f"runpy.run_path({str(HOOK)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], input=json.dumps(told).encode(), capture_output=True, env=environ(), check=False
    )
    assert "Stash runs Python 3.10, and PlexSync needs 3.11 or newer" in json.loads(done.stdout)["error"]


def test_a_python_older_than_the_hook_itself_says_so_too(stash):
    script = (
        "import sys, runpy; sys.version_info = (3, 8, 10); sys.modules['plexsync.store'] = None; "
        f"runpy.run_path({str(HOOK)!r}, run_name='__main__')"
    )
    data = json.dumps(event(stash)).encode()
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=data, capture_output=True, env=environ(), check=False)
    assert checked(done.returncode, done.stdout, done.stderr)["error"] == (
        "PlexSync: Stash runs Python 3.8, and PlexSync needs 3.11 or newer: install one, and name it in Stash under "
        "Settings, System, Python path"
    )
    text = HOOK.read_text(encoding="utf-8")
    tree = ast.parse(text[: text.index("from plexsync.store import intake")], feature_version=(3, 8))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert len(functions) >= 4
    hints = [arg.annotation for each in functions for arg in [*each.args.args, *each.args.kwonlyargs]]
    hints += [each.returns for each in functions]
    assert not [hint for hint in hints if hint and not isinstance(hint, ast.Constant | ast.Name)]


# --- many at once, and fast ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("there", [True, False], ids=["with a database", "without one"])
def test_sixteen_hooks_at_once_lose_nothing(stash, folder, there):
    if there:
        Database(folder / NAME).close()
    started = []
    for id in range(1, 17):
        # From a file, since a hook reads for no longer than a second, however busy the machine is.
        given = folder.parent / f"event-{id}.json"
        given.write_text(json.dumps(event(stash, id=id)), encoding="utf-8")
        with given.open("rb") as stdin:
            started.append(start(stdin=stdin))
    for process in started:
        assert "output" in finished(process)
    store = Database(folder / NAME)
    store.drain_spool(T)
    assert wanted(store) == {("scene", id): 1 for id in range(1, 17)}
    store.close()


# What os, sqlite3, json, re, select and time bring along, in any supported version.
ALLOWED = {
    "_bisect", "_collections", "_collections_abc", "_contextvars", "_datetime", "_functools", "_json", "_operator",
    "_pydatetime", "_sqlite3", "_sre", "_stat", "_struct", "_types", "collections", "copyreg", "datetime", "enum", "errno",
    "functools", "genericpath", "itertools", "json", "keyword", "math", "ntpath", "operator", "os", "posixpath", "re",
    "reprlib", "select", "sqlite3", "stat", "types", "warnings",
}  # fmt: skip


def imported(*command: str, data: bytes = b"") -> set[str]:
    """The modules a process of Python loads, its start included."""
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-X", "importtime", *command], input=data, capture_output=True, check=True
    )
    lines = done.stderr.decode().splitlines()
    return {line.rpartition("|")[2].strip() for line in lines if line.startswith("import time:")}


def test_it_loads_few_modules_and_of_ours_one_alone(stash, store):
    loaded = imported(str(HOOK), data=json.dumps(event(stash)).encode()) - imported("-c", "pass")
    assert {name.split(".")[0] for name in loaded} - ALLOWED == {"plexsync"}
    # Two packages, each a docstring, around the one module.
    assert {name for name in loaded if name.startswith("plexsync")} == {
        "plexsync",
        "plexsync.store",
        "plexsync.store.intake",
    }
    assert wanted(store) == {("scene", 7): 1}


# --- the manifest ----------------------------------------------------------------------------------------------------

KEYS = {"name", "description", "version", "interface", "exec", "errLog", "hooks"}


def manifest() -> dict[str, object]:
    """The manifest as Stash reads it; anything that it would refuse fails."""
    assert read_manifest(MANIFEST).id == "PlexSyncHook"
    return parse_yaml(MANIFEST.read_text(encoding="utf-8"))


def test_the_manifest_has_the_keys_that_stash_knows_and_no_other():
    told = manifest()
    assert set(told) == KEYS
    assert (told["name"], told["version"], told["interface"], told["errLog"]) == (
        "PlexSync hook",
        build.number(),
        "raw",
        "error",
    )
    assert told["exec"] == ["python", "{pluginDir}/plexsync/stash_plugin/hook.py"]
    (one,) = told["hooks"]
    assert set(one) == {"name", "description", "triggeredBy"}


def test_the_manifest_asks_for_every_event_that_the_hook_follows_and_no_other():
    (told,) = manifest()["hooks"]
    assert sorted(told["triggeredBy"]) == sorted(hook.EVENTS)


def test_the_manifest_starts_the_hook(stash, store):
    program, *arguments = manifest()["exec"]
    assert program == "python"
    (script,) = (argument.replace("{pluginDir}", str(ROOT)) for argument in arguments)
    assert Path(script) == HOOK
