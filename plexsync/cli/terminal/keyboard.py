"""Reads single keys as they are pressed, without blocking."""

import importlib
import os
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Pressed = Callable[[], str]


@contextmanager
def key_reader() -> Iterator[Pressed]:
    """Yield a function that returns the last pressed key, or ''. The terminal is restored afterwards."""
    if not sys.stdin.isatty():
        yield lambda: ""
    elif sys.platform == "win32":
        console: Any = importlib.import_module("msvcrt")
        yield lambda: str(console.getwch()) if console.kbhit() else ""
    else:
        yield from _raw(sys.stdin.fileno())


def _raw(handle: int) -> Iterator[Pressed]:
    """Read keys without Enter and without echo; Ctrl-C stays a signal."""
    if sys.platform == "win32":
        raise OSError("Windows has no terminals of this kind")
    import termios
    import tty

    before = termios.tcgetattr(handle)

    def read() -> str:
        ready, _, _ = select.select([handle], [], [], 0)
        return os.read(handle, 64).decode("ascii", "replace")[-1:] if ready else ""

    try:
        tty.setcbreak(handle)
        yield read
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)
