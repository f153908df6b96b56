"""Your approval of the first plays that are written to Stash.

It is for the account, the person who has it, the Plex server and the `watch_since` of its time. Another account, person
or server, or an earlier `watch_since`, asks again.
"""

from plexsync.rules.first_plays import approval_text, approved_since
from plexsync.rules.note_keys import PLAYS_APPROVED, PLAYS_COUNTED
from plexsync.store.database import Reader, Writer

# The note of the name that Plex told last for the number of an account, without case.
PERSON_OF = "plays:person:"


def find_approved_since(db: Reader, account: int | None, *, watch_since: int) -> int | None:
    """The moment from which on plays of this account may be written; None if you have not approved that."""
    server, text = db.servers.find(), db.notes.text(PLAYS_APPROVED)
    if server is None or account is None:
        return None
    person = db.notes.text(f"{PERSON_OF}{account}")
    return approved_since(text, server.machine, account, watch_since=watch_since, person=person)


def approve_plays(tx: Writer, account: int, *, watch_since: int, since: int, now: int) -> None:
    """Save your approval of the account's plays from `since` on; it ends the question."""
    server = tx.servers.find()
    machine, person = server.machine if server else "", tx.notes.text(f"{PERSON_OF}{account}")
    text = approval_text(machine, account, watch_since=watch_since, since=since, at=now, person=person)
    tx.notes.save(PLAYS_APPROVED, text)
    tx.notes.save(PLAYS_COUNTED, "")


def is_used_before(db: Reader) -> bool:
    """Whether plays were written by a version that did not ask: that counts as your approval."""
    was_asked = db.notes.text(PLAYS_APPROVED) or db.notes.text(PLAYS_COUNTED)
    return not was_asked and db.plays.has_memory()
