"""A library that an earlier PlexSync has not put back becomes one that `plexsync provider remove` puts back.

Until 0.3.0, `plexsync probe --provider` gave a library a scratch provider for a minute, and saved library and item before.
A call that was cut off has left them saved, and the library with an agent that nobody answers for.
"""

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

from plexsync.app.parts import Assembled
from plexsync.rules.provider.found_items import document_of, found_in
from plexsync.rules.provider.standing import AGENT, GROUP, REMOVING
from plexsync.rules.queue.note_keys import LENT_LIBRARY
from plexsync.rules.record_class import record
from plexsync.store.index.probes import decode
from plexsync.store.ledger.provider_memory import ProviderRow

log = logging.getLogger("PlexSync.provider")

# The fields that got scratch values.
SCRATCH = frozenset({"tagline", "originalTitle", "genre"})


@record
class LentLibrary:
    """A library as it was before: its uuid, agent and group, and an item, as `document_of` has it."""

    library: str
    section: str
    title: str
    agent: str
    group: str
    identifier: str
    key: str
    document: Mapping[str, object]


def take_over_lent(parts: Assembled) -> None:
    """Note a library that was left so as one that is being removed. Safe to repeat."""
    with parts.store.reading() as db:
        text = db.notes.text(LENT_LIBRARY)
    if not text:
        return
    lent = decode(text, LentLibrary)
    with parts.store.writing() as tx:
        tx.notes.save(LENT_LIBRARY, "")
        if lent is None or tx.providers.of(lent.library) is not None:
            return
        steps = {AGENT: lent.agent, GROUP: lent.group}
        now = parts.clock.now()
        tx.providers.save(
            ProviderRow(lent.library, lent.section, lent.title, lent.identifier, REMOVING, steps, added_at=now)
        )
        # The state of an item can be damaged.
        with suppress(ValueError):
            state = found_in(lent.key, lent.section, lent.document)
            # What is locked since counts as somebody's edit, so these fields come back with a lock.
            locked = replace(state.item, locks=state.item.locks | SCRATCH)
            tx.providers.save_items(lent.library, [(lent.key, document_of(replace(state, item=locked)))])
    log.warning("%s was left with a scratch provider: it is put back now, or by plexsync provider remove", lent.title)
