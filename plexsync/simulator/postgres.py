"""A PostgreSQL server in a temporary folder: started for the demo, removed with it.

It touches no installed cluster: data, role, password and port are its own, and it listens on 127.0.0.1 alone. A watching
process holds the other end of a pipe. When the process that started the server ends, however it ends, the watcher stops
the server and removes the folder. Standard library only.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from stat import S_IXOTH

PROGRAMS = ("initdb", "pg_ctl", "postgres")
DEBIAN = Path("/usr/lib/postgresql")
ACCOUNT = "postgres"
NAME = "plexsync"
PORT_TRIES = 5
LONGEST_START = 60  # seconds
MISSING = "no PostgreSQL server is installed here (Debian and Ubuntu: apt-get install postgresql)"
NO_ACCOUNT = f"PostgreSQL refuses to run as root, and there is no user {ACCOUNT} here"


class NoPostgres(Exception):
    """PostgreSQL can't be started here. The message is the last thing that it said, in one line."""


def program(name: str) -> Path | None:
    """A program of the newest PostgreSQL that is installed; None if there is none."""
    folders = sorted(DEBIAN.glob("*/bin"), key=_version)
    inside = [folder / name for folder in folders if (folder / name).exists()]
    on_path = shutil.which(name)
    return inside[-1] if inside else Path(on_path) if on_path else None


def hindrance() -> str:
    """Why no server can be started here, in one line; '' if nothing is in the way."""
    if not all(program(name) for name in PROGRAMS):
        return MISSING
    return NO_ACCOUNT if _is_root() and account() is None else ""


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server until the block ends. Yields the URL of an empty database that belongs to an ordinary role.

    Raises NoPostgres if it can't be started.
    """
    if reason := hindrance():
        raise NoPostgres(reason)
    folder = _new_folder()
    watcher = subprocess.Popen(  # noqa: S603 - this file, by the running Python
        [sys.executable, "-I", str(Path(__file__).resolve()), str(folder)],
        stdin=subprocess.PIPE,
        # A Ctrl-C is for the program: it ends the server in its own time.
        start_new_session=True,
    )
    try:
        password = _initialise(folder)
        yield f"postgresql://{NAME}:{password}@127.0.0.1:{_started(folder)}/{NAME}"
    finally:
        if watcher.stdin is not None:
            watcher.stdin.close()
        watcher.wait()


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def _is_root() -> bool:
    return sys.platform != "win32" and os.geteuid() == 0


def account() -> str | None:
    """The account that runs the server; None for the one of this process."""
    if sys.platform == "win32" or not _is_root():
        return None
    import pwd

    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        return None


def _new_folder() -> Path:
    """A folder of the server's account. A temporary folder that is closed to that account is passed over."""
    owner, usual = account(), Path(tempfile.gettempdir()).resolve()
    if owner is None:
        return Path(tempfile.mkdtemp(prefix="plexsync-postgres-"))
    is_open = all(parent.stat().st_mode & S_IXOTH for parent in (usual, *usual.parents))
    place = usual if is_open else Path("/tmp")  # noqa: S108 - mkdtemp makes a folder there that nobody else may enter
    folder = Path(tempfile.mkdtemp(prefix="plexsync-postgres-", dir=place))
    shutil.chown(folder, owner)
    return folder


def _run(command: Sequence[object], text: str = "") -> None:
    """Run a program of PostgreSQL as the server's account. Raises NoPostgres with its last words."""
    done = subprocess.run(  # noqa: S603 - programs that were found by their place
        [str(word) for word in command],
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        user=account(),
        # Its account may not be allowed into the current folder.
        cwd=tempfile.gettempdir() if account() is None else "/",
    )
    if done.returncode != 0:
        raise NoPostgres(f"PostgreSQL did not start: {' '.join(done.stdout.split())[-300:]}")


def _initialise(folder: Path) -> str:
    """Make the data, a role without rights over others and its database. Returns the password of the role."""
    password, data = secrets.token_hex(16), folder / "data"
    settings = ("-U", ACCOUNT, "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
    _run([program("initdb"), "-D", data, *settings])
    # From the first start on, nobody but that role can sign in.
    (data / "pg_hba.conf").write_text(f"host {NAME} {NAME} 127.0.0.1/32 scram-sha-256\n", encoding="utf-8")
    statements = (f"create role {NAME} login password '{password}'", f"create database {NAME} owner {NAME}")
    _run([program("postgres"), "--single", "-D", data, "postgres"], "".join(f"{line}\n" for line in statements))
    return password


def _started(folder: Path) -> int:
    """Start the server on a free port. Returns the port."""
    for remaining in reversed(range(PORT_TRIES)):
        port = _free_port()
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        try:
            _run([program("pg_ctl"), "start", *_at(folder), "-t", LONGEST_START, "-l", folder / "log", "-o", options])
        except NoPostgres:
            if not remaining:
                raise
        else:
            return port
    raise AssertionError("every try returns or raises")


def _free_port() -> int:
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        return int(chosen.getsockname()[1])


def _at(folder: Path) -> tuple[object, ...]:
    return ("-D", folder / "data", "-w", "-s")


def _watch(folder: Path) -> None:
    """Wait until the process that started this one ends; then stop the server and remove its folder."""
    for name in ("SIGTERM", "SIGHUP", "SIGINT"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_IGN)
    sys.stdin.read()
    if (folder / "data" / "postmaster.pid").exists():
        try:
            _run([program("pg_ctl"), "stop", *_at(folder), "-m", "immediate"])
        except NoPostgres as error:
            print(error, file=sys.stderr)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    _watch(Path(sys.argv[1]))
