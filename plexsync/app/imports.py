"""The parts of an import, on the parts of a program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from plexsync.app.clients import stash_client
from plexsync.app.parts import Parts, at_work
from plexsync.app.rules import rating_rules
from plexsync.app.turns import import_turn
from plexsync.flows.imports.importer import Importer
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner
from plexsync.flows.imports.undo import ImportUndo
from plexsync.rules.http_answers import whole_request
from plexsync.stash.creating import StashCreating
from validation.config import PlexSyncConfig


@dataclass(frozen=True)
class ImportParts:
    """What plans an import, carries it out, and takes it back."""

    planner: ImportPlanner
    changes: OpenChanges
    importer: Importer
    undo: ImportUndo


@contextmanager
def import_parts(parts: Parts, *, may_go_on: Callable[[], bool] = lambda: True) -> Iterator[ImportParts]:
    """Put the parts of an import together; closes its client at the end. `may_go_on` is asked before every write."""
    store, gates, clock = parts.store, parts.gates, parts.clock
    stash = stash_client(StashCreating, parts.config, clock, parts.settings.looks, alive=parts.watchdog.alive)
    longest = round(1000 * whole_request(parts.config.plex_read_timeout))
    parts.expiry.recall(store)
    try:
        changes = OpenChanges(store, stash, gates, clock, parts.expiry, longest=longest)
        policy, ratings = parts.settings.looks.policy, rating_rules(parts.config)
        planner = ImportPlanner(store, parts.stash, stash, parts.looker, gates, policy, changes, ratings)
        yield ImportParts(
            planner,
            changes,
            Importer(store, stash, planner, changes, gates, clock, may_go_on=may_go_on),
            ImportUndo(store, stash, changes, gates, clock, ratings, may_go_on=may_go_on),
        )
    finally:
        stash.close()


def in_turn(
    config: PlexSyncConfig, folder: Path, work: Callable[[ImportParts], None], stopping: Callable[[], bool]
) -> bool:
    """Do this work with an import's parts while no worker writes; False if `stopping` came first. Raises OtherImport."""
    with (
        at_work(config, folder) as (parts, alone),
        import_turn(parts, alone=alone, stopping=stopping) as has_turn,
        import_parts(parts, may_go_on=lambda: not stopping()) as imports,
    ):
        if has_turn:
            work(imports)
        return has_turn
