"""The standard streams of this process: all there, and able to take any text."""

# ruff: noqa: PTH123, SIM115

import io
import os
import sys


def prepare_streams() -> None:
    """Every stream is there, and takes any text: a title in a script that the terminal can't show must not end the call."""
    # What was closed before we began is missed only when there is output.
    if sys.stdin is None:
        sys.stdin = open(os.devnull)
    if sys.stdout is None:
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_RDONLY), "w")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
