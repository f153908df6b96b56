"""Which `[[plex]]` entry the database of the first server belongs to, so that another first entry is noticed.

The first entry has the database of a single server. If another entry takes its place, that one would get a database that is
not its own. A renamed first entry keeps its database.
"""

from plexsync.rules.note_keys import FIRST_ENTRY
from plexsync.store.database import Database
from plexsync.store.siblings import siblings_of
from validation.sources import ConfigError, Loaded


def check_first(store: Database, loaded: Loaded) -> str:
    """Return whose database this is, '' if that was never noted. Raises ConfigError if it is not that of the first entry."""
    with store.reading() as db:
        before = db.notes.text(FIRST_ENTRY)
    first = loaded.plex
    if loaded.is_first and before not in ("", first):
        has_own = bool(first) and siblings_of(store).has_store(first)
        if before in loaded.servers or has_own:
            mend = (
                "put it first again" if before in loaded.servers else "put its entry first again, with enabled = false"
            )
            problem = f'[[plex]] "{first}" can\'t be the first entry: the first database is that of "{before}"'
            raise ConfigError([f"{problem}: {mend}"])
    return before


def keep_first(store: Database, loaded: Loaded) -> None:
    """Check as `check_first` does, and note whose database this is. Without entries nothing is noted."""
    before = check_first(store, loaded)
    if loaded.servers and loaded.is_first and before != loaded.plex:
        with store.writing() as tx:
            tx.notes.save(FIRST_ENTRY, loaded.plex)
