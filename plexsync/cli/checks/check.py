"""The result of one check."""

from dataclasses import dataclass

from plexsync.cli.call import FAILED, FINE

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `code` is the exit code that a problem asks for."""

    name: str
    message: str
    state: str = OK
    mend: str = ""
    code: int = FINE


def warning(name: str, message: str, mend: str) -> Check:
    """Something that works, but not as well as it could."""
    return Check(name, message, WARNING, mend)


def problem(name: str, message: str, mend: str, code: int = FAILED) -> Check:
    """Something that stops work."""
    return Check(name, message, PROBLEM, mend, code)
