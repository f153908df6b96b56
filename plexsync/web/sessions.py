"""Sessions: a signed cookie, the token in every form, and the rate limit for wrong passwords.

A session is an id, its start and whether the password was given, signed with a key of this `plexsync serve` and the
password; nothing is stored for it. A changed password, or a restart of serve, ends all sessions. The cookie of a browser
that has signed in before opens nothing, and its key stays.
"""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict, deque
from typing import TypeVar

from plexsync.rules.record_class import record
from plexsync.rules.servers.neighbours import Clock

V = TypeVar("V")

# The name of the cookie without the port, which `plexsync.web.guard` adds.
COOKIE = "plexsync_session"
# The name of the cookie of a browser that has signed in, likewise. It outlives the session, for this many seconds.
BROWSER, BROWSER_LASTS = "plexsync_browser", 90 * 86_400
# The lifetime of a session, in milliseconds.
LASTS = 12 * 3_600_000
TRIES, MINUTE = 5, 60.0
MOST_KEPT = 10_000


@record
class Session:
    """One browser. `token` goes into every form; it proves that the form came from a page of this dashboard."""

    id: str
    began: int
    signed_in: bool
    token: str


class Sessions:
    """Creates and reads sessions, and keeps the notice for a session's next page."""

    def __init__(self, key: bytes, browser_key: bytes, password: str, clock: Clock) -> None:
        self._key = hmac.digest(key, password.encode(), "sha256")
        self._browser_key = hmac.digest(browser_key, password.encode(), "sha256")
        self._password = hashlib.sha256(password.encode()).digest()
        self.needs_password = bool(password)
        self._clock = clock
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._notices: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        self._scenes: OrderedDict[str, str] = OrderedDict()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def fresh(self, *, signed_in: bool = False) -> Session:
        """Create a new session."""
        return self._make_session(secrets.token_urlsafe(18), self._clock.now(), signed_in)

    def read(self, cookie: str) -> Session | None:
        """The session of a valid cookie; None if it is invalid or expired."""
        found = re.fullmatch(r"([\w-]{24})\.(\d{1,15})\.([01])\.([0-9a-f]{64})", cookie, re.ASCII)
        if not found or not hmac.compare_digest(found[4], self._mark("session", found[1], found[2], found[3])):
            return None
        session = self._make_session(found[1], int(found[2]), found[3] == "1")
        over = not -60_000 <= self._clock.now() - session.began < LASTS
        return None if over or session.id in self._ended else session

    def encode(self, session: Session) -> str:
        """Encode the session as a cookie value."""
        signed_in = "1" if session.signed_in else "0"
        return f"{session.id}.{session.began}.{signed_in}.{self._mark('session', session.id, str(session.began), signed_in)}"

    def end(self, session: Session) -> None:
        """Revoke the session, including any copy of its cookie."""
        _keep(self._ended, session.id, None)

    def is_token(self, session: Session, token: str) -> bool:
        """Whether this is the session's form token."""
        return hmac.compare_digest(session.token.encode(), token.encode(errors="replace"))

    def tell(self, session: Session, text: str, *, well: bool) -> None:
        """Set the notice that the next page of this session shows."""
        _keep(self._notices, session.id, (text, well))

    def take_notice(self, session: Session) -> tuple[str, bool] | None:
        """Take the session's notice; it is returned once."""
        return self._notices.pop(session.id, None)

    def scene(self, session: Session, chosen: str | None) -> str:
        """The scene that this browser looks at beside the settings, '' for any; None asks for the one of before."""
        if chosen is not None:
            _keep(self._scenes, session.id, chosen)
        return self._scenes.get(session.id, "")

    def browser_cookie(self, session: Session) -> str:
        """Encode that the browser of this session has signed in, as a cookie value."""
        return f"{session.id}.{_mark(self._browser_key, 'browser', session.id)}"

    def browser(self, cookie: str) -> str:
        """The id of the sign-in in such a cookie; '' if it is invalid."""
        id, _, mark = cookie.partition(".")
        signature = _mark(self._browser_key, "browser", id).encode()
        return id if hmac.compare_digest(mark.encode(errors="replace"), signature) else ""

    # --- the password ------------------------------------------------------------------------------------------------

    def is_password(self, given: str) -> bool:
        """Whether the password is correct; compares in constant time."""
        digest = hashlib.sha256(given.encode(errors="replace")).digest()
        return hmac.compare_digest(digest, self._password) and self.needs_password

    def wait(self, client: str) -> float:
        """Seconds until this address, or browser that has signed in, may try a password again; 0 for at once."""
        tries, now = self._tries.get(client, deque()), self._clock.monotonic()
        while tries and now - tries[0] >= MINUTE:
            tries.popleft()
        return MINUTE - (now - tries[0]) if len(tries) >= TRIES else 0.0

    def count_attempt(self, client: str) -> None:
        """Count a wrong password from this address or browser."""
        tries = self._tries.get(client, deque(maxlen=TRIES))
        tries.append(self._clock.monotonic())
        _keep(self._tries, client, tries)

    def _make_session(self, id: str, began: int, signed_in: bool) -> Session:
        return Session(id, began, signed_in, self._mark("form", id, str(began), "1" if signed_in else "0"))

    def _mark(self, *texts: str) -> str:
        return _mark(self._key, *texts)


def _mark(key: bytes, *texts: str) -> str:
    return hmac.new(key, "\0".join(texts).encode(errors="replace"), "sha256").hexdigest()


def _keep(kept: OrderedDict[str, V], key: str, value: V) -> None:
    """Store the value and drop the oldest ones, to limit memory."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
