"""Tells a person by a command of theirs. No shell is involved: the first word is the program, the others its arguments."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from plexsync.rules.notices import Notice, NotSent, moment

LIMIT = 30.0
# Variables that hold secrets of ours, which are none of the command's business.
WITHHELD = (
    "PLEXSYNC_PLEX_TOKEN",
    "PLEXSYNC_STASH_API_KEY",
    "PLEXSYNC_NOTIFY_URLS",
    "PLEXSYNC_NOTIFY_COMMAND",
    "PLEXSYNC_WEB_PASSWORD",
)


class CommandMessenger:
    """Runs a command for every notice, for at most half a minute.

    The command finds the sentence on its standard input, and in its environment NOTICE_TEXT (the sentence), NOTICE_KEY
    (what it is about), NOTICE_SINCE (since when) and NOTICE_OVER ("1" when it has ended, else "0"). Our own secrets are
    taken out of that environment. What it prints is not looked at.
    """

    name = "notify_command"

    def __init__(self, words: Sequence[str], *, limit: float = LIMIT) -> None:
        self._words = list(words)
        self._limit = limit

    def hindrance(self) -> str:
        """What would keep it from being started, as far as that shows without running it; '' for nothing."""
        program = self._words[0]
        if shutil.which(program):
            return ""
        path = Path(program).name != program and Path(program).exists()
        return "its program is not an executable file" if path else "its program does not exist"

    def send(self, notice: Notice) -> None:
        """Run it; raises NotSent when it can't be started, takes too long, or ends with another code than 0."""
        environ = {
            **{name: value for name, value in os.environ.items() if name not in WITHHELD},
            "NOTICE_KEY": notice.key,
            "NOTICE_TEXT": notice.text,
            "NOTICE_SINCE": moment(notice.since),
            "NOTICE_OVER": str(int(notice.over)),
        }
        try:
            # A session of its own, so that its children end with it when the time is up.
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
            code = self._ended(process, f"{notice.text}\n".encode())
        if code:
            raise NotSent(f"it ended with code {code}")

    def _ended(self, process: subprocess.Popen[bytes], text: bytes) -> int:
        try:
            process.communicate(text, timeout=self._limit)
        except subprocess.TimeoutExpired:
            _kill(process)
            raise NotSent(f"it took longer than {self._limit:g} s and was ended") from None
        return process.returncode


def _why(error: Exception) -> str:
    """The system's words alone: the error's own text may hold the command."""
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
