"""The parts of an import, on the parts of a program."""

from collections.abc import Callable
from pathlib import Path

from plexsync.app.parts import Parts, at_work
from plexsync.app.rules import rating_rules
from plexsync.app.turns import import_turn
from plexsync.flows.imports.importer import STOPPED, Importer, ImportResult
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner
from plexsync.rules.servers.http_answers import whole_request
from plexsync.stash.creating import StashCreating
from validation.config import PlexSyncConfig


def import_parts(parts: Parts, *, may_go_on: Callable[[], bool] = lambda: True) -> Importer:
    """Put an import together. `may_go_on` is asked before every write."""
    longest = round(1000 * whole_request(parts.config.plex_read_timeout))
    parts.expiry.recall(parts.store)
    stash = StashCreating(parts.stash.requests)
    changes = OpenChanges(parts.store, stash, parts.gates, parts.clock, parts.expiry, longest=longest)
    policy, ratings = parts.settings.looks.policy, rating_rules(parts.config)
    return Importer(ImportPlanner(changes, parts.stash, parts.inspector, policy, ratings), may_go_on=may_go_on)


def in_turn(
    config: PlexSyncConfig, folder: Path, work: Callable[[Importer], ImportResult], stopping: Callable[[], bool]
) -> ImportResult:
    """The result of this work while no worker writes; nothing is done if `stopping` came first. Raises OtherImport."""
    with (
        at_work(config, folder) as (parts, alone),
        import_turn(parts, alone=alone, stopping=stopping) as has_turn,
    ):
        if not has_turn:
            return ImportResult(error=STOPPED)
        return work(import_parts(parts, may_go_on=lambda: not stopping()))
