"""The form of request that edits a collection: by its library or by the collection. Some servers take only one of them."""

from plexsync.rules.collection_servers import PlexCollections
from plexsync.rules.errors import Missing
from plexsync.rules.plan_records import Edit
from plexsync.rules.traits import CollectionForm


def edit_by_either_form(
    plex: PlexCollections, section: str, key: str, edit: Edit, first: CollectionForm
) -> CollectionForm:
    """Apply an edit to a collection, by the form `first` or else by the other one; returns the form that was taken.

    Raises NeighbourError; Missing only if neither form reaches the collection. Both only set values, so that sending the
    edit twice does no harm.
    """
    try:
        plex.edit_collection(section, key, edit, first)
    except Missing as error:
        if error.applied:
            raise
    else:
        return first
    second: CollectionForm = "section" if first == "item" else "item"
    plex.edit_collection(section, key, edit, second)
    return second
