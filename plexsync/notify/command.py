"""Sends notices through your command. No shell is involved: the first word is the program, the others its arguments."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from plexsync.rules.queue.notices import Notice, NotSent, moment

LIMIT = 30.0
# Variables that can hold PlexSync's secrets, which the command does not need: by the start of a name, and whole names.
WITHHELD_START = "PLEXSYNC_"
WITHHELD = ("PGPASSWORD", "PGPASSFILE")


class CommandMessenger:
    """Runs a command for every notice, for at most half a minute.

    The command gets the sentence on standard input. Its environment holds NOTICE_TEXT (the sentence), NOTICE_KEY (the
    subject), NOTICE_SINCE (the start) and NOTICE_OVER ("1" if it has ended, else "0"), but no variable of PlexSync and no
    password of PostgreSQL. Its output is ignored.
    """

    name = "notify_command"

    def __init__(self, words: Sequence[str], *, limit: float = LIMIT) -> None:
        self._words = list(words)
        self._limit = limit

    def hindrance(self) -> str:
        """Return what would keep the command from starting, as far as that shows without running it; '' for nothing."""
        program = self._words[0]
        if shutil.which(program):
            return ""
        path = Path(program).name != program and Path(program).exists()
        return "its program is not an executable file" if path else "its program does not exist"

    def send(self, notice: Notice) -> None:
        """Run the command; raises NotSent if it can't start, takes too long, or ends with another code than 0."""
        environ = {
            **{name: value for name, value in os.environ.items() if not _is_withheld(name)},
            "NOTICE_KEY": notice.key,
            "NOTICE_TEXT": notice.text,
            "NOTICE_SINCE": moment(notice.since),
            "NOTICE_OVER": str(int(notice.over)),
        }
        try:
            # In a session of its own, so that its children end with it on a timeout.
            process = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=environ,
                start_new_session=sys.platform != "win32",
            )
        except (OSError, ValueError) as error:
            raise NotSent(f"it can't be started: {_why(error)}") from None
        with process:
            code = self._wait_for_end(process, f"{notice.text}\n".encode())
        if code:
            raise NotSent(f"it ended with code {code}")

    def _wait_for_end(self, process: subprocess.Popen[bytes], text: bytes) -> int:
        try:
            process.communicate(text, timeout=self._limit)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise NotSent(f"it took longer than {self._limit:g} s and was ended") from None
        return process.returncode


def _is_withheld(name: str) -> bool:
    return name.upper().startswith(WITHHELD_START) or name in WITHHELD


def _why(error: Exception) -> str:
    """Return the system's error text alone: the full error may contain the command."""
    return (error.strerror if isinstance(error, OSError) else None) or "it is no command"


def _kill(process: subprocess.Popen[bytes]) -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            process.kill()
    process.wait()
