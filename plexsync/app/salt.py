"""The salt of a database, by which hashes reveal nothing of what they are made of."""

import secrets

from plexsync.engine.clock import SystemClock
from plexsync.rules.errors import LocalFault
from plexsync.rules.note_keys import BEGUN, SALT
from plexsync.store.database import Database


def salt_of(store: Database) -> str:
    """Return the random salt of this database; creates it on first use."""
    with store.reading() as db:
        salt = db.notes.text(SALT)
    if not salt:
        salt = secrets.token_hex(16)
        try:
            with store.writing() as tx:
                tx.notes.save(SALT, salt)
                tx.notes.save(BEGUN, str(SystemClock().now()))
        except LocalFault:
            pass
    return salt
