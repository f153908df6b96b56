"""The parts of an import, on the parts of a program."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from plexsync.app.clients import stash_client
from plexsync.app.parts import Parts, at_work
from plexsync.app.rules import rating_rules
from plexsync.app.turns import import_turn
from plexsync.flows.imports.importer import STOPPED, Importer, ImportResult
from plexsync.flows.imports.open_changes import OpenChanges
from plexsync.flows.imports.planner import ImportPlanner
from plexsync.rules.http_answers import whole_request
from plexsync.stash.creating import StashCreating
from validation.config import PlexSyncConfig


@contextmanager
def import_parts(parts: Parts, *, may_go_on: Callable[[], bool] = lambda: True) -> Iterator[Importer]:
    """Put an import together; closes its client at the end. `may_go_on` is asked before every write."""
    looks = parts.settings.looks
    stash = stash_client(StashCreating, parts.config, parts.clock, looks, alive=parts.watchdog.alive)
    longest = round(1000 * whole_request(parts.config.plex_read_timeout))
    parts.expiry.recall(parts.store)
    try:
        changes = OpenChanges(parts.store, stash, parts.gates, parts.clock, parts.expiry, longest=longest)
        planner = ImportPlanner(changes, parts.stash, parts.looker, looks.policy, rating_rules(parts.config))
        yield Importer(planner, may_go_on=may_go_on)
    finally:
        stash.close()


def in_turn(
    config: PlexSyncConfig, folder: Path, work: Callable[[Importer], ImportResult], stopping: Callable[[], bool]
) -> ImportResult:
    """The result of this work while no worker writes; nothing is done if `stopping` came first. Raises OtherImport."""
    with (
        at_work(config, folder) as (parts, alone),
        import_turn(parts, alone=alone, stopping=stopping) as has_turn,
        import_parts(parts, may_go_on=lambda: not stopping()) as importer,
    ):
        return work(importer) if has_turn else ImportResult(error=STOPPED)
