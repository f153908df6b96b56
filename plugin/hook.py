"""What Stash starts at each change of a scene: notes durably that the scene may be out of step, says so, and ends.

Stash waits for this process, so it imports the standard library and `store.intake` alone, never touches the network, and
starts nothing. It trusts the event's id and type and nothing else. It answers with one JSON object on standard output and
exits with 0, whatever happens; standard error gets one line in Stash's log format when something is wrong.
"""

# There is no time for pathlib.
# ruff: noqa: PTH100, PTH111, PTH112, PTH118, PTH120

import json
import os
import re
import select
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def answer(words: dict[str, str]) -> None:
    """One JSON object on standard output; an error is a line in Stash's log too."""
    if "error" in words:
        line = " ".join(words["error"].split())
        _write(sys.__stderr__, f"\x01e\x02{line}\n".encode("utf-8", "replace"))
    _write(sys.__stdout__, json.dumps(words).encode() + b"\n")


def _write(stream: "TextIO | None", content: bytes) -> None:
    """Write all of it; somebody who does not listen (any more) is not our affair."""
    try:
        while stream and content:
            content = content[os.write(stream.fileno(), content) :]
    except OSError:
        return


def confess(kind: type[BaseException], _error: BaseException, _trace: object) -> None:
    """The last resort, in place of a traceback: a fault of our own is an answer like any other."""
    answer({"error": f"PlexSync: a fault of its own ({kind.__name__}): the event may not be stored"})
    os._exit(0)


if __name__ == "__main__":
    sys.excepthook = confess
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from store import intake  # noqa: E402 - an installation that lacks it is told of in an answer, too

# Stash writes the event at once. With a busy database that is waited for too, the hook still ends within 2 s.
READ_SECONDS = 0.9
READ_LIMIT = 64 * 2**20
# Stash writes the event in front of what was changed, so it is in the first bytes of whatever can't be parsed.
HEAD = 64 * 2**10
CHUNK = 2**20

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
# Stash hands its plugins the cookie of a session. It has no place in a file; wide letters have a zero byte each.
_COOKIE = re.compile(
    rb'("\0?%s\0?"[\0\s]*:[\0\s]*")[^"\\]*+(?:\\.[^"\\]*+)*+' % rb"\0?".join(b"%c" % one for one in b"Value"), re.DOTALL
)
_FOLDER = re.compile(rb'(?<!\\)"Dir"\s*:\s*("(?:[^"\\]|\\.)*")')


class Refused(Exception):
    """Nothing is stored; the message says why in one line."""


def main() -> None:
    """Store one event and answer."""
    answer(_noted(read(sys.__stdin__.fileno()) if sys.__stdin__ else b""))


def _noted(data: bytes) -> dict[str, str]:
    """The answer to one event, which is stored when this returns without an error."""
    try:
        event = parsed(data)
        if event is None:
            return _kept_raw(data)
        kind, id, folder = event
        trouble = intake.store(folder, kind, id)
    except (Refused, intake.NotStored) as error:
        return {"error": f"PlexSync: {error}"}
    return {"output": f"{kind} {id} noted" + (f" in a file, since {trouble}" if trouble else "")}


def _kept_raw(data: bytes) -> dict[str, str]:
    """What tells no event is kept as it came, but for the session's cookie, for a person."""
    path = intake.spool(data_folder(_folder_in(data[:HEAD])), _COOKIE.sub(rb"\1***", data), ".raw")
    return {"error": f"PlexSync: the event can't be read; it is kept in {path}"}


# --- reading ---------------------------------------------------------------------------------------------------------


def read(handle: int) -> bytes:
    """Standard input to its end, or what has come of it within the deadline and the limit (and a byte, to tell)."""
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
    """Whether something can be read before the time is over. Windows can't wait for pipes: reading waits there."""
    if os.name == "nt":
        return seconds > 0
    try:
        return bool(select.select([handle], [], [], max(0.0, seconds))[0])
    except (OSError, ValueError):
        return False


def parsed(data: bytes) -> tuple[str, int, str] | None:
    """(kind, id, data folder) of the event; None when it tells none and is worth keeping. Raises Refused."""
    if not data.strip():
        raise Refused("nothing came on standard input")
    try:
        told = json.loads(data) if len(data) <= READ_LIMIT else None
    except (ValueError, RecursionError, MemoryError):
        told = None
    if told is None:
        return _searched(data[:HEAD].replace(b"\0", b""))
    context = _inside(told, "args", "hookContext")
    if not isinstance(context, dict):
        raise Refused("this is not one of Stash's hooks: there is no hookContext")
    kind = kind_of(context.get("type"))
    return kind, number(context.get("id")), data_folder(_inside(told, "server_connection", "Dir"))


def _searched(head: bytes) -> tuple[str, int, str] | None:
    """As `parsed`, from the first bytes of a text that is cut, broken, too deep or too large."""
    context = head.partition(b'"hookContext"')[2]
    id, type_ = _ID.search(context), _TYPE.search(context)
    if id is None or type_ is None:
        return None
    return kind_of(type_[1].decode()), number(int(id[2])), data_folder(_folder_in(head))


def _inside(told: object, *names: str) -> object:
    for name in names:
        told = told.get(name) if isinstance(told, dict) else None
    return told


def kind_of(type_: object) -> str:
    """What an event is about."""
    kind = EVENTS.get(type_) if isinstance(type_, str) else None
    if kind is None:
        raise Refused(f"events of type {str(type_)[:80]!r} are not followed")
    return kind


def number(id: object) -> int:
    """The event's id."""
    if isinstance(id, str) and id.isascii() and id.isdigit() and len(id) < 20:
        id = int(id)
    if type(id) is not int or not 1 <= id <= intake.LAST_ID:
        raise Refused(f"the event's id {str(id)[:40]!r} is not one")
    return id


def data_folder(dir_: object) -> str:
    """Where the database is: the folder that is named in the environment, else one beside Stash's configuration."""
    if named := os.environ.get("PLEXSYNC_DATA_DIR"):
        return os.path.abspath(os.path.expanduser(named))
    if not isinstance(dir_, str) or not os.path.isdir(dir_):
        raise Refused("Stash names no folder to store it in; set PLEXSYNC_DATA_DIR")
    return os.path.join(os.path.abspath(dir_), "plexsync")


def _folder_in(head: bytes) -> object:
    found = _FOLDER.search(head.replace(b"\0", b""))
    try:
        return json.loads(found[1]) if found else None
    except ValueError:
        return None


if __name__ == "__main__":
    main()
