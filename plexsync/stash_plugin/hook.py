"""The hook that Stash starts on each change of a scene: it stores durably that the scene may differ, and answers.

Stash waits for this process. So it imports only the standard library and `plexsync.store.intake`, uses no network, and
starts nothing but the worker: only if you switched it on in Stash and it shows no heartbeat. It trusts the event's id
and type, and nothing else. It answers with one JSON object on standard output and always exits with 0. When something
is wrong, it writes one line in Stash's log format to standard error. A task or a request of the page in Stash goes to
`plexsync.stash_plugin.tasks`, which is imported only then. Storing an event works with an older Python than the program
needs; a task then reports what is missing. With one before 3.9 it says that, and ends.
"""

# Importing pathlib would take too long.
# ruff: noqa: PTH100, PTH110, PTH111, PTH112, PTH118, PTH120

import json
import os
import re
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


NEWER = "install one, and name it in Stash under Settings, System, Python path"


def answer(words: "dict[str, object]", *, aloud: bool = True) -> None:
    """Write one JSON object to standard output. `aloud`: also write an error to Stash's log."""
    if aloud and "error" in words:
        log(str(words["error"]))
    _write(sys.__stdout__, json.dumps(words).encode() + b"\n")


def log(text: str) -> None:
    """Write an error to Stash's log."""
    line = " ".join(text.split())
    _write(sys.__stderr__, f"\x01e\x02{line}\n".encode("utf-8", "replace"))


def _write(stream: "TextIO | None", content: bytes) -> None:
    """Write all of it; a reader that does not read, or no longer does, is ignored."""
    try:
        while stream and content:
            content = content[os.write(stream.fileno(), content) :]
    except OSError:
        return


def confess(kind: "type[BaseException]", _error: BaseException, _trace: object) -> None:
    """Last resort, instead of a traceback: answer an internal error like any other."""
    answer({"error": f"PlexSync: a fault of its own ({kind.__name__}): the event may not be stored"})
    os._exit(0)


if __name__ == "__main__":
    if sys.version_info[:2] < (3, 9):  # noqa: UP036 - older than what the modules below are written for
        has = ".".join(map(str, sys.version_info[:2]))
        answer({"error": f"PlexSync: Stash runs Python {has}, and PlexSync needs 3.11 or newer: {NEWER}"})
        os._exit(0)
    sys.excepthook = confess
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

from plexsync.store import intake  # noqa: E402 - an installation that lacks it is reported in an answer, too

# Stash writes the event at once. Even if it also waits for a busy database, the hook ends within 2 s.
READ_SECONDS = 0.9
READ_LIMIT = 64 * 2**20
# Stash writes the event before the changed data, so the first bytes hold it even if the rest can't be parsed.
HEAD = 64 * 2**10
CHUNK = 2**20

# Where the hook is installed alone, there is no worker to start.
LAUNCHER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "launcher.py")

EVENTS = {
    "Scene.Create.Post": "scene",
    "Scene.Update.Post": "scene",
    "Scene.Destroy.Post": "scene",
    "Performer.Update.Post": "performer",
    "Performer.Destroy.Post": "performer",
    "Studio.Update.Post": "studio",
    "Studio.Destroy.Post": "studio",
    "Tag.Update.Post": "tag",
    "Tag.Merge.Post": "tag",
    "Tag.Destroy.Post": "tag",
    "Group.Update.Post": "group",
    "Group.Destroy.Post": "group",
}

_ID = re.compile(rb'(?<!\\)"id"\s*:\s*("?)(-?\d{1,30})\1\s*[,}]')
_TYPE = re.compile(rb'(?<!\\)"type"\s*:\s*"([A-Za-z]+\.[A-Za-z]+\.[A-Za-z]+)"')
# Stash gives its plugins a session cookie, which must not be written to a file. In wide characters each letter has a
# zero byte.
_COOKIE = re.compile(rb'"\0?%s\0?"[\0\s]*:[\0\s]*"' % rb"\0?".join(b"%c" % letter for letter in b"Value"))
_FOLDER = re.compile(rb'(?<!\\)"Dir"\s*:\s*("(?:[^"\\]|\\.)*")')


class NotAnEvent(Exception):
    """The event is not stored; the message gives the reason in one line."""


class TaskCall(Exception):
    """The call is not an event but a task, or a request of the page in Stash."""

    def __init__(self, request: object) -> None:
        super().__init__()
        self.request = request


def main() -> None:
    """Store one event, or run one task, and answer."""
    try:
        answer(_store_event(read(sys.__stdin__.fileno()) if sys.__stdin__ else b""))
    except TaskCall as asked:
        # Stash itself logs the error of a task.
        answer(_run_task(asked), aloud=False)


def _store_event(data: bytes) -> "dict[str, object]":
    """Store one event and return the answer. Without `error` in it, the event is stored. Raises TaskCall for a task."""
    try:
        event = parse_event(data)
        if event is None:
            # You may inspect it: it is unchanged, but without the session cookie.
            path = intake.spool(data_folder(_folder_in(data[:HEAD])), without_cookie(data), ".raw")
            return {"error": f"PlexSync: the event can't be read; it is kept in {path}"}
        kind, id, folder = event
        trouble, starts = intake.store_and_check(folder, kind, id, starting=os.path.exists(LAUNCHER))
    except (NotAnEvent, intake.NotStored) as error:
        return {"error": f"PlexSync: {error}"}
    if starts:
        _start_worker(folder, data)
    return {"output": f"{kind} {id} noted" + (f" in a file, since {trouble}" if trouble else "")}


def _run_task(asked: TaskCall) -> "dict[str, object]":
    """Run a task; returns its answer."""
    from plexsync.stash_plugin import dependencies

    try:
        dependencies.check_python()
    except dependencies.NotReady as error:
        return {"error": f"PlexSync: {error}"}
    from plexsync.stash_plugin import setup_operations, tasks

    server, args = _inside(asked.request, "server_connection"), _inside(asked.request, "args")
    try:
        folder = data_folder(_inside(server, "Dir"))
    except NotAnEvent as error:
        return {"error": f"PlexSync: {error}"}
    server, args = (facts if isinstance(facts, dict) else {} for facts in (server, args))
    return tasks.run_task(folder, server, args, setup_operations.OPERATIONS)


def _start_worker(folder: str, data: bytes) -> None:
    """Start the worker, which outlives this process. The event stays stored even if this fails."""
    from plexsync.stash_plugin import dependencies, installer, launcher

    try:
        server = _inside(json.loads(data), "server_connection")
        launcher.start_worker(
            launcher.Runtime(folder, dependencies.ready(folder), server if isinstance(server, dict) else {})
        )
    except dependencies.NotReady as error:
        if dependencies.is_outdated(folder):
            installer.start_installing(folder, server if isinstance(server, dict) else {})
        else:
            log(f"PlexSync: the worker can't be started: {error}")
    except (OSError, ValueError, RecursionError) as error:
        log(f"PlexSync: the worker can't be started: {error}")


def without_cookie(data: bytes) -> bytes:
    """Return the input with stars for each text that may be a session cookie."""
    # Same length as the input; the only quotes left are those at the end of texts.
    plain = data.replace(b"\\\\", b"__").replace(b'\\"', b"__")
    parts, done = [], 0
    for cookie in _COOKIE.finditer(data):
        if cookie.start() >= done:
            parts += [data[done : cookie.end()], b"***"]
            end = plain.find(b'"', cookie.end())
            done = end if end >= 0 else len(data)
    return b"".join([*parts, data[done:]])


def read(handle: int) -> bytes:
    """Read standard input until it ends, the deadline passes, or it is longer than the limit."""
    chunks, size, deadline = [], 0, time.monotonic() + READ_SECONDS
    while size <= READ_LIMIT and _readable(handle, deadline - time.monotonic()):
        try:
            chunk = os.read(handle, CHUNK)
        except OSError:
            break
        if not chunk:
            break
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def _readable(handle: int, seconds: float) -> bool:
    """Whether input arrives in time. Windows can't wait for pipes: there the read itself waits."""
    if os.name == "nt":
        return seconds > 0
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    except (OSError, ValueError):
        return False


def parse_event(data: bytes) -> "tuple[str, int, str] | None":
    """Return (kind, id, data folder); None for unreadable input worth keeping. Raises NotAnEvent, TaskCall."""
    if not data.strip():
        raise NotAnEvent("nothing came on standard input")
    try:
        document = json.loads(data) if len(data) <= READ_LIMIT else None
    except (ValueError, RecursionError, MemoryError):
        document = None
    if document is None:
        # A text that is truncated, broken, too deeply nested or too large: its first bytes tell.
        head = data[:HEAD].replace(b"\0", b"")
        searched = head.partition(b'"hookContext"')[2]
        id, type_ = _ID.search(searched), _TYPE.search(searched)
        if id is None or type_ is None:
            return None
        return kind_of(type_[1].decode()), number(int(id[2])), data_folder(_folder_in(head))
    context = _inside(document, "args", "hookContext")
    if not isinstance(context, dict):
        if isinstance(_inside(document, "args", "mode"), str):
            raise TaskCall(document)
        raise NotAnEvent("this is not one of Stash's hooks: there is no hookContext")
    kind = kind_of(context.get("type"))
    return kind, number(context.get("id")), data_folder(_inside(document, "server_connection", "Dir"))


def _inside(document: object, *names: str) -> object:
    for name in names:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def kind_of(type_: object) -> str:
    """Return the kind of object that an event is about; raises NotAnEvent."""
    kind = EVENTS.get(type_) if isinstance(type_, str) else None
    if kind is None:
        raise NotAnEvent(f"events of type {str(type_)[:80]!r} are not followed")
    return kind


def number(id: object) -> int:
    """Return the event's id; raises NotAnEvent."""
    if isinstance(id, str) and id.isascii() and id.isdigit() and len(id) < 20:
        id = int(id)
    if type(id) is not int or not 1 <= id <= intake.LAST_ID:
        raise NotAnEvent(f"the event's id {str(id)[:40]!r} is not one")
    return id


def data_folder(dir_: object) -> str:
    """Return the folder of the database: named in the environment, otherwise beside Stash's settings file."""
    if named := named_folder():
        return named
    if not isinstance(dir_, str) or not os.path.isdir(dir_):
        raise NotAnEvent("Stash names no folder to store it in; set PLEXSYNC_DATA_DIR")
    return os.path.join(os.path.abspath(dir_), "plexsync")


def named_folder() -> str:
    """Return the folder that the environment names; '' if there is none."""
    named = os.environ.get("PLEXSYNC_DATA_DIR")
    return os.path.abspath(os.path.expanduser(named)) if named else ""


def _folder_in(head: bytes) -> object:
    folder = _FOLDER.search(head.replace(b"\0", b""))
    try:
        return json.loads(folder[1]) if folder else None
    except ValueError:
        return None


if __name__ == "__main__":
    main()
    # All is done, and taking everything down takes longer than some tasks.
    os._exit(0)
