"""A PostgreSQL server for tests: made in a folder of its own, and ended, killed and started again at will.

`shared()` is one server for all processes of a pytest run. A guard ends it and removes its folder when the last of them
has ended, however that ended. `Server` is one of a test's own: `with Server() as server`. `missing()` tells in one line why
there is none here. Nothing of this needs a driver; statements go through `psql`.
"""

import fcntl
import json
import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Literal, Self
from urllib.parse import quote

from tests.patience import HANG

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql")
DEBIAN = Path("/usr/lib/postgresql")
ACCOUNT = "postgres"
MISSING = "no PostgreSQL server is installed here (Debian and Ubuntu: apt-get install postgresql)"
NO_ACCOUNT = f"PostgreSQL refuses to run as root, and there is no user {ACCOUNT} here"
OWNER = "store"
"""The role that owns everything on such a server."""
PREFIX = "plexsync-pg-"
# Below the ports that a system gives to clients, so that a server that is started again finds its port free.
PORTS = (20_000, 32_000)
STOPS = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
Stop = Literal["smart", "fast", "immediate", "kill"]
# What makes a server small, and fast where no power is lost.
SMALL = {"shared_buffers": "16MB", "max_connections": "60", "logging_collector": "off", "log_min_messages": "warning"}
# What a killed server leaves of its shared memory is in its folder then.
SMALL |= {"dynamic_shared_memory_type": "mmap"}
UNSYNCED = {"fsync": "off", "full_page_writes": "off"}
# In the folder of a run: held (shared) by all who use the server; and exclusively while one of them starts it.
USERS, START, FACTS = "users", "start", "server.json"


@cache
def missing() -> str:
    """Why no server can be started here, in one line; '' if one can."""
    if os.name != "posix":
        return "PostgreSQL is started for tests on POSIX only"
    if not all(program(name) for name in PROGRAMS):
        return MISSING
    return NO_ACCOUNT if os.geteuid() == 0 and account() is None else ""


def program(name: str) -> Path | None:
    """A program of the newest PostgreSQL that is installed; None if there is none."""
    inside = [folder / name for folder in sorted(DEBIAN.glob("*/bin"), key=version_of) if (folder / name).exists()]
    on_path = shutil.which(name)
    return inside[-1] if inside else Path(on_path) if on_path else None


def version_of(folder: Path) -> tuple[int, ...]:
    """The version whose programs are in this folder of Debian."""
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def account() -> str | None:
    """The account that runs the server; None for the one of this process."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        return None


class Reachable:
    """A server that runs on a port of 127.0.0.1 and on a Unix socket in `folder`, whoever has started it."""

    def __init__(self, folder: Path, port: int, password: str = "") -> None:
        self.folder = folder
        self.port = port
        self.password = password

    def url(self, database: str = "postgres", *, socket: bool = False, port: int = 0) -> str:
        """The address of one of its databases: by TCP, or by its Unix socket. `port`: of a proxy before it."""
        if socket:
            return f"postgresql://{OWNER}@/{database}?host={self.folder}&port={self.port}"
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        return f"postgresql://{OWNER}{secret}@127.0.0.1:{port or self.port}/{database}"

    def query(self, sql: str, database: str = "postgres") -> list[list[str]]:
        """The rows of a statement, as texts, by a connection of its own. Raises RuntimeError with the server's message."""
        return query(self.folder, self.port, sql, database)

    def new_database(self, template: str = "template1") -> str:
        """Make a database of a name of its own; returns the name."""
        name = f"d{secrets.token_hex(6)}"
        self.query(f"create database {name} template {template}")
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever uses it."""
        self.query(f"drop database if exists {name} with (force)")

    @contextmanager
    def database(self) -> Iterator[str]:
        """The address of a new database, which lives as long as the block."""
        name = self.new_database()
        try:
            yield self.url(name)
        finally:
            self.drop_database(name)

    def backends(self, where: str = "true") -> list[int]:
        """The process ids of its clients' backends but our own; `where`: a condition on pg_stat_activity."""
        found = self.query(
            "select pid from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()"
            f" and {where} order by backend_start"
        )
        return [int(pid) for (pid,) in found]


class Server(Reachable):
    """One server on a port of 127.0.0.1 and a Unix socket. `folder` (a new one if not given) is removed by `remove`.

    `synced`: writes reach the disk, as on a real server. `password`: connections by TCP need it; those by the socket
    need none. `settings`: anything of postgresql.conf, such as `max_connections`. Raises RuntimeError with the server's
    log if it does not start.
    """

    def __init__(
        self, folder: Path | None = None, *, synced: bool = False, password: str = "", **settings: object
    ) -> None:
        super().__init__(folder or new_folder(), 0, password)
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._settings = {**SMALL, **({} if synced else UNSYNCED), **{name: str(settings[name]) for name in settings}}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    # --- life --------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, on the same port if it was started before; returns when it takes connections."""
        if not self.data.exists():
            self._init()
        if self.port:
            self._run()
            self.wait_until_ready()
            return
        for _ in range(20):
            # Somebody else may take the port in between.
            self.port = free_port()
            self._run()
            if self._is_ready():
                return
            if "could not bind" not in self.log_text():
                break
            self.log.unlink()
        raise RuntimeError(f"PostgreSQL does not start: {self.log_text()[-1000:]}")

    def wait_until_ready(self) -> None:
        """Wait until it takes connections again, such as after a killed backend. Raises RuntimeError if it has ended."""
        if not self._is_ready():
            raise RuntimeError(f"PostgreSQL does not start: {self.log_text()[-1000:]}")

    def stop(self, how: Stop = "fast") -> None:
        """End it: `smart` waits for clients, `fast` rolls back, `immediate` just ends, `kill` is SIGKILL to all of it."""
        if self._process is None:
            return
        if how == "kill":
            # Its children have no chance to write anything either, as with a machine that is switched off.
            for pid in (self._process.pid, *children_of(self._process.pid)):
                end_process(pid, signal.SIGKILL)
        else:
            self._process.send_signal(STOPS[how])
        self._process.wait(timeout=HANG)
        self._process = None
        self._wait_for_children()

    def restart(self, how: Stop = "fast") -> None:
        """Stop it and start it again on the same port."""
        self.stop(how)
        self.start()

    def freeze(self) -> None:
        """Stop the whole server where it is (SIGSTOP): connections stay open, and nobody answers. `thaw` lets it go on."""
        for pid in (self.pid, *children_of(self.pid)):
            end_process(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on after `freeze`."""
        for pid in (self.pid, *children_of(self.pid)):
            end_process(pid, signal.SIGCONT)

    def remove(self) -> None:
        """End it, however it is, and remove its folder."""
        self.stop("kill")
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self) -> int:
        """The process id of the server (its postmaster). Raises RuntimeError if it is not running."""
        if self._process is None:
            raise RuntimeError("this PostgreSQL is not running")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill_backend(self, pid: int) -> None:
        """SIGKILL one backend: the server ends all connections, recovers, and takes connections again."""
        end_process(pid, signal.SIGKILL)

    # --- standby -----------------------------------------------------------------------------------------------------

    def standby(self, **settings: object) -> "Server":
        """A second server that follows this one by streaming, started; end it with its own `remove`."""
        copy = Server(password=self.password, **settings)
        source = f"host={self.folder} port={self.port} user={OWNER}"
        try:
            run_program("pg_basebackup", "-D", copy.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
            copy.start()
        except BaseException:
            copy.remove()
            raise
        return copy

    def promote(self) -> None:
        """Make a standby the primary; returns when it takes writes."""
        self.query("select pg_promote(true, 60)")

    def wait_for(self, primary: "Server") -> None:
        """Wait until this standby has replayed all that the primary has written by now."""
        ((written,),) = primary.query("select pg_current_wal_lsn()")
        end = time.monotonic() + HANG
        while self.query(f"select coalesce(pg_last_wal_replay_lsn() >= '{written}', false)") != [["t"]]:
            if time.monotonic() > end:
                raise RuntimeError("the standby does not catch up")
            time.sleep(0.02)

    # --- inside ------------------------------------------------------------------------------------------------------

    def log_text(self) -> str:
        """What the server has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def _init(self) -> None:
        words: list[object] = ["-D", self.data, "-U", OWNER, "-E", "UTF8", "--no-locale", "--no-sync"]
        if not self.password:
            run_program("initdb", *words, "-A", "trust")
            return
        with tempfile.NamedTemporaryFile("w", dir=self.folder, prefix="pw-") as file:
            file.write(self.password)
            file.flush()
            Path(file.name).chmod(0o644)
            run_program("initdb", *words, "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={file.name}")

    def _run(self) -> None:
        options = {**self._settings, "port": self.port, "listen_addresses": "127.0.0.1"}
        options |= {"unix_socket_directories": self.folder}
        words = [f"-c{name}={value}" for name, value in options.items()]
        # Of a killed server, which can have nobody left.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self._process = start_program("postgres", "-D", self.data, *words, log=log)

    def _is_ready(self) -> bool:
        """Wait until it takes connections; False if it ended instead."""
        assert self._process is not None
        end = time.monotonic() + HANG
        while self._process.poll() is None:
            try:
                self.query("select 1")
                return True
            except RuntimeError:
                if time.monotonic() > end:
                    break
                time.sleep(0.02)
        self.stop("kill")
        return False

    def _wait_for_children(self) -> None:
        """Backends of a killed server end by themselves, or have been killed: its shared memory is in use until then."""
        end = time.monotonic() + HANG
        while (in_use := processes_in(self.data)) and time.monotonic() < end:
            for pid in in_use:
                end_process(pid, signal.SIGKILL)
            time.sleep(0.01)


def new_folder() -> Path:
    """A folder that the server's user may use: in memory where there is such a place. Short, since sockets need that."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=memory if os.access(memory, os.W_OK) else None))
    if (owner := account()) is not None:
        shutil.chown(folder, owner)
    return folder


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens on."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def start_program(name: str, *words: object, log: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start a program of PostgreSQL as its user, in a group of its own, so that a Ctrl-C at the tests is none for it."""
    command = [str(program(name)), *map(str, words)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True, **as_account()
    )


def run_program(name: str, *words: object) -> str:
    """Run a program of PostgreSQL as its user to its end; returns what it says. Raises RuntimeError if it fails."""
    command = [str(program(name)), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **as_account())
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-1000:]}")
    return done.stdout


def as_account() -> dict[str, object]:
    """How a process becomes the server's user."""
    owner = account()
    return {} if owner is None else {"user": owner, "group": owner, "extra_groups": []}


def query(folder: Path, port: int, sql: str, database: str = "postgres") -> list[list[str]]:
    """As `Server.query`, for a server that another process has started."""
    words = ["-X", "-A", "-t", "-q", "-F", "\x1f", "-v", "ON_ERROR_STOP=1"]
    command = [str(program("psql")), *words, "-h", str(folder), "-p", str(port), "-U", OWNER, "-d", database, "-c", sql]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return [line.split("\x1f") for line in done.stdout.splitlines()]


def children_of(pid: int) -> list[int]:
    """The process ids of its direct children."""
    done = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in done.stdout.split()]


def processes_in(data: Path) -> list[int]:
    """The processes whose working directory is this data folder: a server and its backends."""
    inside = []
    for entry in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if entry.readlink() == data:
                inside.append(int(entry.parent.name))
        except OSError:
            continue
    return inside


def end_process(pid: int, number: int) -> None:
    """Send a signal to a process that may have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


# --- one server for a whole run of pytest ----------------------------------------------------------------------------


@cache
def shared() -> Reachable:
    """The server that all processes of this pytest run use. The first one starts it. Raises RuntimeError if it can't."""
    place = run_folder()
    hold_users(place)
    with (place / START).open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        facts = place / FACTS
        if not facts.exists():
            started = subprocess.run(
                [sys.executable, "-m", "tests.postgres_server", str(place)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
            if started.returncode:
                raise RuntimeError(started.stderr)
        known = json.loads(facts.read_text())
    return Reachable(Path(known["folder"]), known["port"])


def run_folder() -> Path:
    """The folder that the processes of this run share: of xdist's run, or of this process."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}"
    place = Path(tempfile.gettempdir()) / f"{PREFIX}run-{os.getuid()}-{run}"
    place.mkdir(mode=0o700, exist_ok=True)
    return place


def hold_users(place: Path) -> None:
    """Count as a user of the server for as long as this process lives: the system lets go of the lock when it ends."""
    while True:
        place.mkdir(mode=0o700, exist_ok=True)
        # Never closed.
        users = os.open(place / USERS, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(users, fcntl.LOCK_SH)
        # The guard may have removed it in between.
        with suppress(FileNotFoundError):
            if os.fstat(users).st_ino == (place / USERS).stat().st_ino:
                return
        os.close(users)


def start_shared(place: Path) -> None:
    """Start the server of a run, and leave behind a process that ends it when nobody uses it any more: the guard."""
    server = Server(max_connections=200)
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
    (place / FACTS).write_text(json.dumps({"folder": str(server.folder), "port": server.port}))
    if os.fork():
        os._exit(0)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nothing, stream)
    with (place / USERS).open("a") as users:
        fcntl.flock(users, fcntl.LOCK_EX)
        shutil.rmtree(place, ignore_errors=True)
        with suppress(RuntimeError):
            run_program("pg_ctl", "-D", server.data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(server.folder, ignore_errors=True)
    os._exit(0)


if __name__ == "__main__":
    start_shared(Path(sys.argv[1]))
