"""No secret in anything that a fault leaves behind: databases, side files, spool, logs, and whatever was said on the way.

The neighbours of all runs know one token and one key (`neighbours`); both are looked for in every usual spelling.
"""

import logging
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.security.spellings import spellings

# Those of `neighbours`, which a child need not load for this.
SECRETS = {"the token": "torture-plex-token-0123", "the key": "torture-stash-key-0123"}
# The end of each belongs to nothing else.
FORMS = {
    text.encode(): name for name, secret in SECRETS.items() for text in (*spellings(secret).values(), secret[-12:])
}


def leaks(content: bytes) -> list[str]:
    """Which secrets the bytes hold, also in wide letters."""
    narrow = content.replace(b"\0", b"")
    return sorted({name for text, name in FORMS.items() if text in content or text in narrow})


def leaks_of(*files: Path) -> list[str]:
    """What holds a secret, its name included; a file that is gone or may not be read holds none."""
    found = []
    for file in files:
        try:
            content = file.read_bytes() if file.is_file() and not file.is_symlink() else b""
        except OSError:
            content = b""
        found += [f"{file.name} holds {name}" for name in leaks(file.name.encode() + b"\n" + content)]
    return found


def leaks_beside(database: Path) -> list[str]:
    """The database, its side files and copies, the journal of writes, and the spool."""
    folder = database.parent
    return leaks_of(*folder.glob(f"{database.name}*"), *folder.glob("journal*"), *folder.glob("spool/**/*"))


# What was found in folders that are no more.
met: list[str] = []


@contextmanager
def heard() -> Iterator[list[str]]:
    """What this process and its children log, say or throw away is kept, and searched in the end: fills the list."""
    found: list[str] = []
    met.clear()
    with tempfile.TemporaryDirectory(prefix="torture-said-") as folder:
        said = Path(folder) / "said"
        with said.open("ab", buffering=0) as ear, _logged(Path(folder) / "log"), _kept(ear):
            yield found
        found += [*met, *leaks_of(said, Path(folder) / "log")]


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Every line that the product logs in this process and in those forked from it."""
    logger, handler = logging.getLogger("PlexSync"), logging.FileHandler(file)
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


@contextmanager
def _kept(ear: Any) -> Iterator[None]:
    """What programs say into the void or to us."""
    start, communicate = subprocess.Popen.__init__, subprocess.Popen.communicate

    def starting(self: Any, *args: Any, **more: Any) -> None:
        for stream in ("stdout", "stderr"):
            if more.get(stream) == subprocess.DEVNULL:
                more[stream] = ear
        start(self, *args, **more)

    def hearing(self: Any, *args: Any, **more: Any) -> Any:
        said = communicate(self, *args, **more)
        for words in said:
            if words:
                ear.write(words if isinstance(words, bytes) else words.encode("utf-8", "replace"))
        return said

    subprocess.Popen.__init__, subprocess.Popen.communicate = starting, hearing  # type: ignore[method-assign]
    try:
        yield
    finally:
        subprocess.Popen.__init__, subprocess.Popen.communicate = start, communicate  # type: ignore[method-assign]
