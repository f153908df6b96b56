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
def pressed() -> Iterator[Pressed]:
    """A function that gives the key that was pressed last, or ''. The terminal is as it was afterwards."""
    if not sys.stdin.isatty():
        yield lambda: ""
    elif sys.platform == "win32":
        yield _pressed_on_windows
    else:
        yield from _raw(sys.stdin.fileno())


def _pressed_on_windows() -> str:
    console: Any = importlib.import_module("msvcrt")
    return str(console.getwch()) if console.kbhit() else ""


def _raw(handle: int) -> Iterator[Pressed]:
    """No line has to be ended, and nothing that is typed is shown; Ctrl-C stays a signal."""
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
