"""The result of one check."""

from plexsync.cli.call import FAILED, FINE
from plexsync.rules.record_class import record

OK, WARNING, PROBLEM = "ok", "warning", "problem"
NOT_OWNER = "plex_token has to be the token of the server's owner: plexsync init signs in with it"


@record
class Check:
    """One result; `mend` says what to do if it is not right. `code` is the exit code that a problem asks for."""

    name: str
    message: str
    mend: str = ""
    code: int = FINE

    @property
    def state(self) -> str:
        """A problem stops work, a warning limits it."""
        return PROBLEM if self.code != FINE else WARNING if self.mend else OK


def problem(name: str, message: str, mend: str, code: int = FAILED) -> Check:
    """A failed check: something stops work."""
    return Check(name, message, mend, code)
