"""The result of one check."""

from dataclasses import dataclass

from plexsync.cli.call import FAILED, FINE

OK, WARNING, PROBLEM = "ok", "warning", "problem"


@dataclass(frozen=True)
class Check:
    """One result. `code` is the exit code that a problem asks for."""

    name: str
    message: str
    state: str = OK
    mend: str = ""
    code: int = FINE


def warning(name: str, message: str, mend: str) -> Check:
    """A check that passed with a limitation."""
    return Check(name, message, WARNING, mend)


def problem(name: str, message: str, mend: str, code: int = FAILED) -> Check:
    """A failed check: something stops work."""
    return Check(name, message, PROBLEM, mend, code)
