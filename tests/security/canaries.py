"""Secrets that may appear in the one place made for each and nowhere else, and the search for them in all that a run leaves.

Token and key belong into two request headers, the path of a hook to that hook, the word of a command to that command, the
password to the dashboard, the password of the database to its server.

Each holds characters that other notations spell otherwise, around a core of letters and digits that none of them changes.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plexsync.simulator.http import HttpServer
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from tests import forked
from tests.journey.world import ROOT, World
from tests.patience import HANG
from tests.security.spellings import spellings

TOKEN = 'tOk+/q7XvZ2mKp9LrT4wHs"<&%\\z=='
KEY = 'kEy/+h3NcW8dJy5BgQ6uVf"<&%\\a='
HOOK = "hOkPath7RbV2xNq9LmT4wZs-_.~"
WORD = "wOrd5GtY8pXc3KdF6jRqBn"
PASSWORD = 'pAs+/5JmT8vYc3HdK2rQwZ"<&%\\p='
DATABASE = 'dAt+/8LmW3yXc5KqR7vBzT"<&%\\d='
CANARIES = {"token": TOKEN, "key": KEY, "hook": HOOK, "word": WORD, "password": PASSWORD, "database": DATABASE}
CARRIERS = ("x-plex-token", "apikey")
_BREAKS = re.compile(rb"\\?[\r\n]+[ \t]*|\\n[ \t]*|[ \t|]+")


def leaks(content: bytes) -> list[str]:
    """Which spellings of which canary the bytes hold, also broken over lines and in wide letters."""
    narrow = content.replace(b"\0", b"")
    views = (content, narrow, _BREAKS.sub(b"", narrow))
    return [
        f"{name} as {spelling}"
        for name, secret in CANARIES.items()
        for spelling, text in spellings(secret).items()
        if any(text.encode() in view for view in views)
    ]


def check_files(folder: Path, *, but: tuple[Path, ...] = ()) -> int:
    """Look through every file below the folder, its name included; returns how many there were."""
    count = 0
    for path in sorted(folder.rglob("*")):
        assert not leaks(str(path.relative_to(folder)).encode()), path
        if path.is_file() and path not in but:
            assert not leaks(path.read_bytes()), path
            count += 1
    return count


def check_requests(*servers: HttpServer) -> int:
    """Look through what servers were asked: the canaries are in the two headers made for them at most."""
    count = 0
    for request in [request for server in servers for request in list(server.log)]:
        others = {name: value for name, value in request.headers.items() if name not in CARRIERS}
        seen = f"{request.method} {request.target} {others}".encode() + request.body
        assert not leaks(seen), f"{request.method} {request.path}"
        count += 1
    return count


@contextmanager
def canary_world(folder: Path, *, plex_like: type[PlexSim] = PlexSim, **settings: str) -> Iterator[World]:
    """Both neighbours, who know the canaries, and a data folder; three scenes are out of step."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    given = {"plex_token": TOKEN, "stash_api_key": KEY, "web_password": PASSWORD, **TELLING, **QUICK, **settings}
    with StashSim(api_key=KEY) as stash, plex_like(token=TOKEN) as plex, World(stash, plex, data, given) as world:
        world.section = plex.add_section("Movies", locations=("/media/scenes",))
        world.add(3)
        yield world


# Ways to tell a person that are never there.
TELLING = {"notify_urls": f"json://127.0.0.1:1/{HOOK}", "notify_command": f"tell --key={WORD}"}
QUICK = {"breaker_failure_threshold": "2", "plex_connect_timeout": "1", "plex_read_timeout": "5"}


def start(world: World, *words: str, said: Path, program: tuple[str, ...] = ("-m", "plexsync")) -> subprocess.Popen:
    """A command as a process that logs everything; what it says is appended to the file `said`."""
    with said.open("ab") as output:
        process = forked.Popen(
            [*program, *words],
            real=world.real,
            cwd=ROOT,
            env={**world.environ, "PLEXSYNC_LOG": "debug", "COLUMNS": "80"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    world.started.append(process)
    return process


def run(
    world: World, *commands: tuple[str, ...], said: Path, program: tuple[str, ...] = ("-m", "plexsync")
) -> list[int]:
    """Commands beside each other, each to its end; returns their exit codes."""
    processes = [start(world, *words, said=said, program=program) for words in commands]
    return [process.wait(timeout=HANG) for process in processes]


def torture() -> bool:
    """Whether the long form of the tests was asked for."""
    return bool(os.environ.get("PLEXSYNC_TORTURE"))
