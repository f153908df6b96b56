"""The Plex server: the traits that `plexsync probe` has learnt, and an item that it has not restored yet."""

from plexsync.rules.scratch import Original, original_from_text, original_to_text
from plexsync.rules.traits import LearntTraits, from_text, to_text
from plexsync.store.connection import Table
from plexsync.store.notes import Notes, ReadOnlyNotes

TRAITS = "server:traits"
PROBED = "probe:original"


class ReadOnlyServerTable(Table):
    """Read access to what is known of the server."""

    def traits(self) -> LearntTraits | None:
        """Return the learnt traits; None if there are none."""
        text = ReadOnlyNotes(self._db).text(TRAITS)
        return from_text(text) if text else None

    def probed(self) -> Original | None:
        """Return the item that a probe is changing, or has not restored, as it was before; None if there is none."""
        text = ReadOnlyNotes(self._db).text(PROBED)
        return original_from_text(text) if text else None


class ServerTable(ReadOnlyServerTable):
    """Read and write access to what is known of the server."""

    def save_traits(self, learnt: LearntTraits) -> None:
        """Save the traits. Those of the same server and version keep answers that the new ones lack."""
        earlier = self.traits()
        Notes(self._db).save(TRAITS, to_text(earlier.joined(learnt) if earlier else learnt))

    def begin_probe(self, original: Original) -> None:
        """Save an item as it is before a probe."""
        Notes(self._db).save(PROBED, original_to_text(original))

    def end_probe(self) -> None:
        """Forget the item: it is restored."""
        Notes(self._db).save(PROBED, "")
