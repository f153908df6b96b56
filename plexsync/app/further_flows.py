"""The flows beside that of scenes, each registered in one place: what it adds to a worker, and what ends with it.

A flow that is off is not assembled and not imported. One that has written before stays, to take back what you ask for.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from plexsync.app.flow_parts import FlowParts
from plexsync.app.parts import Assembled, Parts
from plexsync.app.rules import is_dressing_on, is_provider_on, rating_rules, watch_rules
from plexsync.engine import gate_rows
from plexsync.engine.tickets import WRITE_STASH
from plexsync.rules.queue.job import COLLECTION, PLAYS, RATING, RATING_BACK
from plexsync.rules.queue.note_keys import (
    COLLECTIONS_COMPARED,
    LENT_LIBRARY,
    PLAYLISTS_COMPARED,
    PLAYLISTS_PROBLEM,
    PLAYS_COMPARED,
    PLAYS_COUNTED,
    PLAYS_IN_PLEX,
)
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault
from plexsync.store.database import Reader

if TYPE_CHECKING:
    from plexsync.app.dressing import CollectionDressing


@record
class Registration:
    """A flow. `assemble` returns what it adds, None if it is off; `clean_up` ends what is stored for what is off."""

    assemble: Callable[[Parts], FlowParts | None]
    clean_up: Callable[[Parts], None]


def further_flows(parts: Parts) -> list[FlowParts]:
    """Put the further flows together on these parts: those that are on, or have something to take back."""
    return [added for flow in REGISTERED if (added := flow.assemble(parts)) is not None]


def clean_up(parts: Parts) -> None:
    """End what is queued and saved for the flows that are off."""
    for flow in REGISTERED:
        flow.clean_up(parts)


def holds(parts: Assembled, memory: Callable[[Reader], bool]) -> bool:
    """Whether the database holds such a memory; True if it can't be read now: the loop waits until it can."""
    try:
        with parts.store.reading() as db:
            return memory(db)
    except LocalFault:
        return True


# --- plays -----------------------------------------------------------------------------------------------------------


def plays(parts: Parts) -> FlowParts | None:
    """Plays that come from Plex to Stash."""
    rules = watch_rules(parts.config)
    if rules is None and not holds(
        parts,
        lambda db: (
            db.plays.has_memory()
            or bool(db.watches.scenes(after=-1, limit=1) or db.play_times.scenes(after=-1, limit=1))
        ),
    ):
        return None
    from plexsync.app.way_back import plays_to_take_back, way_back

    if rules is None:
        return FlowParts([plays_to_take_back(parts)])
    return way_back(parts, rules).parts_to_add(parts.config.stash_poll_interval)


def clean_up_plays(parts: Parts) -> None:
    """Forget the way back while it is off."""
    if parts.config.watch_back == "off":
        forget_way_back(parts, forgets_gate=rating_rules(parts.config) is None)


def forget_way_back(parts: Assembled, *, forgets_gate: bool = True) -> None:
    """Drop the queued plays and the saved history, since the way back is off.

    Scenes with plays or a resume point that you want taken back stay in the queue. Switched on again, it reads all anew.
    `forgets_gate`: nothing else is written to Stash, so what is stored about the gate for such writes goes as well.
    """
    with parts.store.writing() as tx:
        asked = [*tx.plays.to_take_back(), *tx.watches.to_take_back(), *tx.play_times.to_take_back()]
        if tx.jobs.discard([PLAYS], but=asked) or tx.plays.has_history():
            tx.plays.forget_history()
        if forgets_gate:
            gate_rows.forget(tx, WRITE_STASH, parts.clock.now())
        for name in (PLAYS_COUNTED, PLAYS_COMPARED, PLAYS_IN_PLEX):
            if tx.notes.text(name):
                tx.notes.save(name, "")


# --- ratings both ways -----------------------------------------------------------------------------------------------


def ratings(parts: Parts) -> FlowParts | None:
    """Ratings that go both ways."""
    rules = rating_rules(parts.config)
    if rules is None:
        return None
    from plexsync.app.rating_back import rating_back

    return rating_back(parts, rules).parts_to_add(parts.config.stash_poll_interval)


def forget_ratings(parts: Assembled) -> None:
    """Drop the queued ratings, and their memory, since they go one way. The scene flow remembers them meanwhile."""
    with parts.store.writing() as tx:
        if tx.jobs.discard([RATING, RATING_BACK]) or tx.ratings.scenes(limit=1):
            tx.ratings.forget_all()


# --- collections -----------------------------------------------------------------------------------------------------


def collections(parts: Parts) -> FlowParts | None:
    """Collections that PlexSync dresses."""
    if not (parts.settings.has_objects or holds(parts, lambda db: bool(db.collections.count_all()))):
        return None
    return _dressing(parts).parts_to_add()


def _dressing(parts: Parts) -> "CollectionDressing":
    from plexsync.app.dressing import collection_dressing

    return collection_dressing(parts)


def forget_dressing(parts: Assembled) -> None:
    """Drop the queued collections and playlists that are off. What was written stays, and so does what is remembered.

    Those that you want taken back stay in the queue. Switched on again, all are inspected anew.
    """
    dressed, listed = is_dressing_on(parts.settings.looks), parts.settings.playlists is not None
    notes = [] if dressed else [COLLECTIONS_COMPARED]
    notes += [] if listed else [PLAYLISTS_COMPARED, PLAYLISTS_PROBLEM]
    with parts.store.writing() as tx:
        stored = [note for note in notes if tx.notes.text(note)]
        if dressed and not stored:
            return
        playlists = {row.id for row in tx.collections.playlists().values()}
        going_on = {row.id for row in tx.collections.every()} - playlists if dressed else playlists if listed else ()
        tx.jobs.discard([COLLECTION], but=[*tx.collections.undone(), *going_on])
        for note in stored:
            tx.notes.save(note, "")


# --- libraries that ask PlexSync ---------------------------------------------------------------------------------------


def provider(parts: Parts) -> FlowParts | None:
    """What Plex is told of scenes, and what tells it to ask; or what takes back a library that was left."""
    if not (is_provider_on(parts.config) or holds(parts, lambda db: bool(db.notes.text(LENT_LIBRARY)))):
        return None
    from plexsync.app.provider_steps.steps import provider_flow

    return provider_flow(parts)


def note_unheard(parts: Assembled) -> None:
    """Note that nothing is said to the libraries that ask, so that all is said anew once they can ask again.

    What Plex was told stays, for its questions while the settings are changed.
    """
    if holds(parts, lambda db: bool(db.providers.all())):
        with parts.store.writing() as tx:
            tx.providers.stop_telling()


REGISTERED = (
    Registration(plays, clean_up_plays),
    Registration(ratings, lambda parts: None if rating_rules(parts.config) else forget_ratings(parts)),
    Registration(collections, forget_dressing),
    Registration(provider, lambda parts: None if is_provider_on(parts.config) else note_unheard(parts)),
)
