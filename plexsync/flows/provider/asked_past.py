"""What is known of items before they are inspected, in libraries that ask PlexSync."""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from plexsync.flows.scenes.inspection_records import Past
from plexsync.rules.provider.found_items import FoundState, found_in, memory_of_change
from plexsync.rules.provider.standing import is_asking
from plexsync.store.database import Reader


def as_asked(past: Past, db: Reader, keys: Collection[str]) -> Past:
    """With the libraries that ask PlexSync, and those of these items that are older than that."""
    on = {row.library: row.section for row in db.providers.all() if is_asking(row)}
    if not on:
        return past
    # The key of a library that is gone may be that of another one by now.
    present = {row.uuid: row.key for row in db.sections.all() if row.uuid}
    asking = {key: uuid for uuid, key in present.items() if uuid in on}
    asking |= {key: uuid for uuid, key in on.items() if uuid not in present and key not in present.values()}
    older = db.providers.saved_among(keys)
    states = _states(db.providers.found_among(older - {key for _, key in past.memories}))
    unwritten = {key: partial(memory_of_change, state) for key, state in states.items()}
    return replace(past, asking=asking, older=older, unwritten=unwritten)


def _states(documents: Mapping[str, Mapping[str, object]]) -> dict[str, FoundState]:
    """How these items were found; of one whose document is damaged, nothing is known."""
    states = {}
    for key, document in documents.items():
        with suppress(ValueError):
            states[key] = found_in(key, "", document)
    return states
