"""Who is asking: a signed cookie, the token that every form carries, and how often a wrong password may be tried.

A session is an id, when it began and whether the password was given, signed with the key of this `plexsync serve` and the
password; nothing is stored for it. Another password, or another start of serve, ends them all.
"""

import hashlib
import hmac
import re
import secrets
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TypeVar

from plexsync.rules.neighbours import Clock

V = TypeVar("V")

COOKIE = "plexsync_session"
# A session lasts so many milliseconds.
LASTS = 12 * 3_600_000
TRIES, MINUTE = 5, 60.0
MOST_KEPT = 10_000


@dataclass(frozen=True)
class Session:
    """One browser. `token` goes into every form; it tells that the form came from a page of ours."""

    id: str
    began: int
    signed_in: bool
    token: str


class Sessions:
    """Makes and reads sessions, and keeps what a page has to say at its next visit."""

    def __init__(self, key: bytes, password: str, clock: Clock) -> None:
        self._key = hmac.digest(key, password.encode(), "sha256")
        self._password = hashlib.sha256(password.encode()).digest()
        self.needs_password = bool(password)
        self._clock = clock
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._notices: OrderedDict[str, tuple[str, bool]] = OrderedDict()
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def fresh(self, *, signed_in: bool = False) -> Session:
        """A session that begins now."""
        return self._made(secrets.token_urlsafe(18), self._clock.now(), signed_in)

    def read(self, cookie: str) -> Session | None:
        """The session of a cookie of ours; None for any other, and when it is over."""
        found = re.fullmatch(r"([\w-]{24})\.(\d{1,15})\.([01])\.([0-9a-f]{64})", cookie, re.ASCII)
        if not found or not hmac.compare_digest(found[4], self._mark("session", found[1], found[2], found[3])):
            return None
        session = self._made(found[1], int(found[2]), found[3] == "1")
        over = not -60_000 <= self._clock.now() - session.began < LASTS
        return None if over or session.id in self._ended else session

    def written(self, session: Session) -> str:
        """The session as a cookie's value."""
        signed_in = "1" if session.signed_in else "0"
        return f"{session.id}.{session.began}.{signed_in}.{self._mark('session', session.id, str(session.began), signed_in)}"

    def end(self, session: Session) -> None:
        """It counts no more, wherever a copy of its cookie may be."""
        _keep(self._ended, session.id, None)

    def is_token(self, session: Session, token: str) -> bool:
        """Whether a form's token is this session's."""
        return hmac.compare_digest(session.token.encode(), token.encode(errors="replace"))

    def tell(self, session: Session, text: str, *, well: bool) -> None:
        """What the next page of this session shows."""
        _keep(self._notices, session.id, (text, well))

    def told(self, session: Session) -> tuple[str, bool] | None:
        """What was to be shown, once."""
        return self._notices.pop(session.id, None)

    # --- the password ------------------------------------------------------------------------------------------------

    def is_password(self, given: str) -> bool:
        """Whether it is the one that is set; how long that takes tells nothing of it."""
        digest = hashlib.sha256(given.encode(errors="replace")).digest()
        return hmac.compare_digest(digest, self._password) and self.needs_password

    def wait(self, address: str) -> float:
        """Seconds until this address may try a password again; 0 for at once."""
        tries, now = self._tries.get(address, deque()), self._clock.monotonic()
        while tries and now - tries[0] >= MINUTE:
            tries.popleft()
        return MINUTE - (now - tries[0]) if len(tries) >= TRIES else 0.0

    def tried(self, address: str) -> None:
        """A wrong password came from this address."""
        tries = self._tries.get(address, deque(maxlen=TRIES))
        tries.append(self._clock.monotonic())
        _keep(self._tries, address, tries)

    def _made(self, id: str, began: int, signed_in: bool) -> Session:
        return Session(id, began, signed_in, self._mark("form", id, str(began), "1" if signed_in else "0"))

    def _mark(self, *texts: str) -> str:
        return hmac.new(self._key, "\0".join(texts).encode(), "sha256").hexdigest()


def _keep(kept: OrderedDict[str, V], key: str, value: V) -> None:
    """The oldest are forgotten, so that nobody fills our memory."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > MOST_KEPT:
        kept.popitem(last=False)
