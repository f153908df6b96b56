"""The standard streams of this process: all open, and able to encode any text."""

# ruff: noqa: PTH123, SIM115

import io
import os
import sys


def prepare_streams() -> None:
    """Open closed streams, and replace unencodable characters: a title in a foreign script must not end the call."""
    # A stream that was closed at the start would be noticed only on output.
    if sys.stdin is None:
        sys.stdin = open(os.devnull)
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
