"""How `plexsync` begins and ends: the streams, the answer, the exit code.

A shell asks for its script at each start: that is a file, printed without the program that would take longer to load.
"""

# ruff: noqa: PTH118, PTH120, PTH123 - pathlib takes longer to load than to print a script

import gc
import io
import os
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

# Records make no cycles, and what is imported stays: the collector need not look as often as it does by itself.
MANY_OBJECTS = 10_000
PROGRAM = "plexsync.cli.program"
SHELLS = ("bash", "zsh", "fish")


def main(words: Sequence[str] | None = None) -> NoReturn:
    """Run the command line (or `words`) and end the process with its exit code."""
    gc.set_threshold(MANY_OBJECTS)
    # Nothing that is imported is garbage; the command turns the collector on.
    gc.disable()
    # All streams are open, and able to encode any text: a title in a foreign script must not end the call.
    # A stream that was closed at the start would be noticed only on output.
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    code = run(list(sys.argv[1:] if words is None else words))
    gc.enable()
    if any(thread.name == "log" for thread in threading.enumerate()):
        # Nobody reads the log, and Python would wait for that at its end.
        os._exit(code)
    sys.exit(code)


def run(words: list[str]) -> int:
    """Run `words`; returns the exit code. Every error becomes one clear line on standard error."""
    try:
        if words[:-1] == ["completion"] and words[-1] in SHELLS:
            print(script_of(words[-1]))
            code = 0
        else:
            code = import_module(PROGRAM).run_words(words)
        sys.stdout.flush()
    except OSError as error:
        code = import_module(PROGRAM).unwritten(error)
    return code


def script_of(shell: str) -> str:
    """The script by which a shell completes what you type."""
    path = os.path.join(os.path.dirname(__file__), "outlines", shell)
    with open(path, encoding="utf-8") as file:
        return file.read()
