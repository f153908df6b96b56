"""Takes back what a probe has done to a library and its item. Safe to repeat, and after a kill at any moment."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import msgspec

from plexsync.app.parts import Parts
from plexsync.app.probe.restore import GONE, OTHER, restore_left
from plexsync.app.provider_steps.items import item_way, match_as_found, send_back
from plexsync.app.provider_steps.steps import AGENT, GROUP, REMOVE_STEPS, StepRun
from plexsync.engine.undo import quiet
from plexsync.plex.answers import UNMATCHED
from plexsync.plex.probe_client import ProbeClient
from plexsync.plex.providers import MatchedItem, ProviderClient
from plexsync.rules.item import Item
from plexsync.rules.provider.found_items import FoundState, found_in, is_other
from plexsync.rules.provider.standing import REMOVING
from plexsync.rules.queue.note_keys import LENT_LIBRARY
from plexsync.rules.record_class import record
from plexsync.rules.servers.scratch import Restoration
from plexsync.store.index.probes import decode
from plexsync.store.ledger.provider_memory import ProviderRow

log = logging.getLogger("PlexSync.probe")

# The texts and the list in which a probe sets values.
SCRATCH_TEXTS, SCRATCH_LIST = ("tagline", "originalTitle"), "genre"
# Plex may read the item from its old agent meanwhile, so it is looked at until nothing is left to do, twice running.
ROUNDS, MATCHES, PAUSE = 6, 2, 1.0
GUID = "the match"


@record
class LentLibrary:
    """A library before a probe made it ask: its server, uuid, agent and group, and the item, as `document_of` has it.

    `identifier` is that of the probe's provider, and `mark` is in each value that the probe gives the item.
    """

    machine: str
    library: str
    section: str
    title: str
    agent: str
    group: str
    identifier: str
    mark: str
    key: str
    document: Mapping[str, object]


def is_open(parts: Parts) -> bool:
    """Whether a probe is changing an item or a library, or has not put it back."""
    with parts.store.reading() as db:
        return db.probes.open_original() is not None or bool(db.notes.text(LENT_LIBRARY))


def lend_library(parts: Parts, library: LentLibrary) -> None:
    """Save a library and its item as they are before a probe."""
    with parts.store.writing() as tx:
        tx.notes.save(LENT_LIBRARY, msgspec.json.encode(library).decode())


def put_back_open(parts: Parts, plex: ProbeClient) -> tuple[Restoration | None, tuple[str, ...] | None]:
    """Put back the item, and the library, of interrupted probes: what is not as before, None for none."""
    return restore_left(parts.store, plex, parts.clock), return_library(parts)


def return_library(parts: Parts) -> tuple[str, ...] | None:
    """Put back the library of an interrupted probe; returns what is not as before, None if there is no such library.

    Raises NeighbourError if Plex is down: the library is then put back later.
    """
    with parts.store.reading() as db:
        lent = decode(db.notes.text(LENT_LIBRARY), LentLibrary)
    if lent is None:
        return None
    rest = _put_back(parts, lent)
    with parts.store.writing() as tx:
        tx.notes.save(LENT_LIBRARY, "")
    if rest:
        log.warning("%s after plexsync probe --provider, not as before: %s", lent.title, ", ".join(rest))
    else:
        log.info("%s and item %s are as before plexsync probe --provider", lent.title, lent.key)
    return rest


def _put_back(parts: Parts, lent: LentLibrary) -> tuple[str, ...]:
    if parts.plex.server().machine != lent.machine:
        return (OTHER,)
    run = StepRun(parts, ProviderClient(parts.plex.requests), quiet)
    steps = {AGENT: lent.agent, GROUP: lent.group}
    row = ProviderRow(lent.library, lent.section, lent.title, lent.identifier, REMOVING, steps)
    is_there = REMOVE_STEPS["agent_back"](run, row)
    rest = _item_back(parts, run.client, lent) if is_there else (GONE,)
    REMOVE_STEPS["unregistered"](run, row)
    return rest


def _item_back(parts: Parts, client: ProviderClient, lent: LentLibrary) -> tuple[str, ...]:
    """Put the item back; returns what is not as before."""
    state, still, rest = found_in(lent.key, lent.section, lent.document), 0, tuple[str, ...]()
    for number in range(ROUNDS):
        if number:
            parts.clock.sleep(PAUSE)
        now = client.items([lent.key]).get(lent.key)
        if now is None:
            return (GONE,)
        if is_other(state, now.item):
            return (OTHER,)
        is_matched = _has_guid(state, now)
        if not is_matched and number < MATCHES:
            # While its fields are locked, the old agent changes none of them.
            match_as_found(client, state)
            continue
        way = item_way(parts.plex, state, without_scratch_locks(now.item, lent.mark), ())
        rest = (*way.edit, *way.pictures, *way.kept, *(() if is_matched else (GUID,)))
        still = 0 if rest else still + 1
        if still == 2:
            break
        if not way.is_there:
            send_back(parts.plex, lent.section, lent.key, way)
    return tuple(sorted(set(rest)))


def _has_guid(state: FoundState, now: MatchedItem) -> bool:
    """Whether the item has the guid that it had. Plex makes a new one for an item that no agent has matched."""
    return now.guid == state.guid or (now.guid.startswith(UNMATCHED) and state.guid.startswith(UNMATCHED))


def without_scratch_locks(item: Item, mark: str) -> Item:
    """The item without the locks on values of the probe: these are nobody's."""
    locked = {name for name in SCRATCH_TEXTS if mark in item.value(name)}
    if any(mark in name for name in item.lists.get(SCRATCH_LIST, ())):
        locked.add(SCRATCH_LIST)
    return replace(item, locks=item.locks - locked)
