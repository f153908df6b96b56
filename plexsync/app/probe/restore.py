"""Takes back what a probe has changed on its item. Safe to repeat, and after a kill at any moment."""

import logging

from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.item import moment_text
from plexsync.rules.merge.added_dates import FIELD as ADDED
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.merge.values import name_keys, without_names
from plexsync.rules.servers.errors import Missing, Refused
from plexsync.rules.servers.neighbours import Clock
from plexsync.rules.servers.scratch import (
    Leftovers,
    Original,
    ProbedItem,
    Restoration,
    differences,
    is_same_item,
    leftovers,
)
from plexsync.store.database import Database

log = logging.getLogger("PlexSync.probe")

# A server may lose a part of a request, so what is left is taken back again, one name at a time.
ROUNDS = 4
# Seconds between looks for the scratch collection.
PAUSES = (0.5, 1.0, 2.0)
GONE = "Plex no longer has the item, so nothing is left to restore"
OTHER = "the item has other files now, or this is another Plex server: nothing is written to it"


def restore_left(store: Database, plex: ProbeClient, clock: Clock) -> Restoration | None:
    """Restore the item of an interrupted probe; None if there is none. Raises NeighbourError if Plex is down."""
    with store.reading() as db:
        original = db.probes.open_original()
    if original is None:
        return None
    restored = restore(plex, original, clock)
    with store.writing() as tx:
        tx.probes.end_probe()
    if words := restored.words():
        log.warning("item %s after plexsync probe: %s", original.key, words)
    else:
        log.info("item %s is restored after an interrupted plexsync probe", original.key)
    return restored


def restore(plex: ProbeClient, original: Original, clock: Clock) -> Restoration:
    """Take back what is left of the probe on the item, and compare it with what it was."""
    try:
        if plex.server().machine != original.machine:
            return Restoration(note=OTHER)
        now = plex.read_item(original.key)
        for number in range(ROUNDS):
            if not is_same_item(original, now):
                return Restoration(note=OTHER)
            rest = leftovers(original, now)
            if not rest:
                break
            _take_back(plex, original, now, rest, number)
            now = plex.read_item(original.key)
    except Missing:
        return Restoration(note=GONE)
    remains = _collection_remains(plex, original, clock)
    return Restoration(differences(original, now), remains=original.collection if remains else "")


def _collection_remains(plex: ProbeClient, original: Original, clock: Clock) -> bool:
    """Whether Plex still lists the scratch collection; it can take a moment to delete an empty one."""
    for pause in PAUSES:
        if not plex.keys_with_title(original.section, original.collection):
            return False
        clock.sleep(pause)
    return bool(plex.keys_with_title(original.section, original.collection))


def _take_back(plex: ProbeClient, original: Original, now: ProbedItem, rest: Leftovers, number: int) -> None:
    """Send what takes the rest back: names first, then values, then locks, since each edit may lock its field."""
    for role, names in rest.names.items():
        # All at once, then one by one, then with the list that stays.
        edits = [Change(None, None, removes=names)]
        if number == 1:
            edits = [Change(None, None, removes=(name,)) for name in names]
        elif number > 1:
            edits = [Change(without_names(now.names(role), name_keys(names)), None, removes=names)]
        for edit in edits:
            _try(plex, now, {role: edit})
    if rest.added_at is not None:
        _try(plex, now, {ADDED: Change(moment_text(rest.added_at))})
    if rest.rating:
        plex.rate(original.key, None)
        # A rating of the item itself shows once the account has none.
        if plex.read_item(original.key).rating is not None:
            _try(plex, now, {"userRating": Change("")})
    for name, locked in rest.locks.items():
        _try(plex, now, {name: Change(None, lock=locked)})


def _try(plex: ProbeClient, now: ProbedItem, edit: dict[str, Change]) -> None:
    try:
        plex.edit(now.item.section, now.item.key, edit, cast=now.item.cast)
    except Refused as error:
        log.warning("item %s: %s was refused: %s", now.item.key, ", ".join(edit), error)
