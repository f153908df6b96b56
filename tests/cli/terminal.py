"""A program on a terminal of its own: what it writes is read as it comes, and keys are pressed when it asks for them."""

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests import forked
from tests.patience import HANG, until

ROOT = Path(__file__).resolve().parents[2]
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\r")
# Where plexapi finds plex.tv: its own constants, set before the program begins.
ELSEWHERE = """
import os, sys
for word in filter(None, os.environ.get("WITHOUT", "").split()):
    sys.modules[word] = None
if "PLEX_TV" in os.environ:
    from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
    for owner, name in ((MyPlexPinLogin, "PINS"), (MyPlexAccount, "key"), (MyPlexResource, "key")):
        setattr(owner, name, getattr(owner, name).replace("https://plex.tv", os.environ["PLEX_TV"]))
if "init" in sys.argv or len(sys.argv) == 1:
    # A busy machine is no server that does not answer.
    from plexsync.app import set_up
    set_up.GUESSING = 30.0
from plexsync.cli.main import main
main(sys.argv[1:])
"""


class Terminal:
    """`plexsync` with these words, on a terminal of so many columns and lines. Use it as a block: it ends with it."""

    def __init__(
        self,
        words: Sequence[str],
        environ: Mapping[str, str],
        *,
        columns: int = 80,
        lines: int = 24,
        cwd: Path = ROOT,
        program: str = ELSEWHERE,
    ) -> None:
        self._master, slave = pty.openpty()
        self.resize(columns, lines, slave)
        self.before = termios.tcgetattr(slave)
        self.process = forked.Popen(
            ["-c", program, *words],
            # A fork has imported already what is to be missing.
            real="WITHOUT" in environ,
            cwd=cwd,
            env={"TERM": "xterm-256color", **environ},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            terminal=True,
        )
        self._slave = slave
        self.raw = ""
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._master)
        os.close(self._slave)

    @property
    def text(self) -> str:
        """All that was written, without codes."""
        return CODES.sub("", self.raw)

    def resize(self, columns: int, lines: int, handle: int | None = None) -> None:
        """The window gets another size."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._master if handle is None else handle, termios.TIOCSWINSZ, size)

    def until(self, words: str) -> str:
        """Read until these words have come (since those that were waited for last); returns what came with them."""
        ends = time.monotonic() + HANG
        while time.monotonic() < ends:
            fresh = self.text[self._read :]
            # Where lines are wrapped is not the test's affair.
            place = fresh.replace("\n", " ").find(words)
            if place >= 0:
                self._read += place + len(words)
                return fresh[: place + len(words)]
            if not self._take(0.1) and self.process.poll() is not None and not self._take(0.2):
                break
        raise AssertionError(f"{words!r} did not come; this did:\n{self.text[-3000:]}")

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    def answer(self, question: str, line: str = "") -> None:
        """Wait for a question, then type a line."""
        self.until(question)
        # What is typed before it reads may be thrown away.
        self._rest()
        self.press(line + "\n")

    def taken(self) -> None:
        """Wait until the program has read what was typed."""
        until(lambda: not struct.unpack("i", fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4))[0])

    def interrupt(self) -> None:
        """Ctrl-C, once the program reads: a signal just before it does is heard only when something is typed."""
        self._rest()
        self.press("\x03")

    def _rest(self) -> None:
        """Wait until the program waits for something, and is found so three times without having worked."""
        looks = [""] * 3

        def rests() -> bool:
            looks[:] = [*looks[1:], self._at_rest()]
            return looks[0] != "" and len(set(looks)) == 1

        until(lambda: self.process.poll() is not None or rests())

    def _at_rest(self) -> str:
        """How long the program has had the processor, while it waits for something; otherwise ''."""
        state, *fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(") ")[2].split()
        # The user's and the system's share, fields 14 and 15.
        return " ".join(fields[10:12]) if state == "S" else ""

    def end(self) -> int:
        """Wait for the end of the program; its exit code."""
        ends = time.monotonic() + HANG
        while self.process.poll() is None and time.monotonic() < ends:
            self._take(0.1)
        while self._take(0.1):
            pass
        assert self.process.poll() is not None, f"it does not end:\n{self.text[-3000:]}"
        return self.process.returncode

    def modes(self) -> list:
        """How the terminal treats what is typed."""
        return termios.tcgetattr(self._slave)

    def _take(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return False
        try:
            self.raw += os.read(self._master, 65536).decode("utf-8", "replace")
        except OSError:
            return False
        return True
