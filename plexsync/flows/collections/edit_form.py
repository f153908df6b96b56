"""The form of request that edits a collection: by its library or by the collection. Some servers take only one of them."""

from plexsync.rules.collection_servers import PlexCollections
from plexsync.rules.errors import Missing
from plexsync.rules.neighbours import Clock
from plexsync.rules.plan_records import Edit
from plexsync.rules.traits import CollectionForm, ServerTraits
from plexsync.store.database import Database


class CollectionEditor:
    """Edits collections by the form that the server takes, and remembers it as a trait of the server."""

    def __init__(self, store: Database, plex: PlexCollections, clock: Clock) -> None:
        self._store = store
        self._plex = plex
        self._clock = clock

    def send(self, section: str, key: str, edit: Edit) -> None:
        """Apply an edit to a collection. Raises NeighbourError; Missing only if neither form reaches the collection.

        The form that worked last is tried first. Both only set values, so that sending the edit twice does no harm.
        """
        with self._store.reading() as db:
            learnt = db.probes.present_traits().collection_edits
        first: CollectionForm = "item" if learnt == "item" else "section"
        try:
            self._plex.edit_collection(section, key, edit, first)
        except Missing as error:
            if error.applied:
                raise
        else:
            return
        second: CollectionForm = "section" if first == "item" else "item"
        self._plex.edit_collection(section, key, edit, second)
        with self._store.writing() as tx:
            tx.probes.save_observed(ServerTraits(collection_edits=second), now=self._clock.now())
