"""One probe: saves the item, asks the questions one by one, restores the item, and stores what was learnt."""

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

from plexsync.app.probe.questions import Examination, Halted
from plexsync.app.probe.restore import Restoration, restore
from plexsync.engine.server_identity import ServerIdentity
from plexsync.plex.probe_client import ProbeClient
from plexsync.rules.errors import NeighbourError
from plexsync.rules.neighbours import Clock
from plexsync.rules.scratch import Original, original_of
from plexsync.rules.traits import UNKNOWN, LearntTraits, ServerTraits, traits_from
from plexsync.store.database import Database

Progress = Callable[[int, int], None]


class CantProbe(Exception):
    """Nothing was changed; the message says why."""


@dataclass(frozen=True)
class ProbeOutcome:
    """The result of a probe. `skipped` says for groups of questions why one has no answer.

    `error` is why the probe ended early, '' if it did not; `restored` None: the item is not restored yet.
    """

    version: str = ""
    traits: ServerTraits = UNKNOWN
    skipped: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    restored: Restoration | None = None

    def to_text(self, asked: int) -> str:
        """The stored form, with the time at which it was asked for."""
        return json.dumps({**asdict(self), "asked": asked})


def _restored_from(stored: Mapping[str, object]) -> Restoration:
    fields = stored["fields"]
    names = tuple(map(str, fields)) if isinstance(fields, list) else ()
    return Restoration(names, str(stored["note"]), str(stored["remains"]))


def outcome_from_text(text: str) -> tuple[ProbeOutcome, int] | None:
    """The result in the stored form, and the time at which it was asked for; None for a text that is not one."""
    try:
        stored = json.loads(text)
        restored = stored["restored"]
        probed = ProbeOutcome(
            version=str(stored["version"]),
            traits=traits_from(stored["traits"]),
            skipped={str(step): str(reason) for step, reason in stored["skipped"].items()},
            error=str(stored["error"]),
            restored=_restored_from(restored) if restored else None,
        )
        return probed, int(stored["asked"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def probe(
    store: Database,
    plex: ProbeClient,
    clock: Clock,
    key: str,
    *,
    progress: Progress = lambda _done, _total: None,
    stopping: Callable[[], bool] = lambda: False,
) -> ProbeOutcome:
    """Ask the questions on this item, and restore it.

    The caller holds the worker's lock and has restored the item of an earlier probe. Raises CantProbe for an item that
    can't be probed, and NeighbourError if Plex does not answer or is another server; nothing was changed then.
    """
    ServerIdentity(store, plex, clock).check()
    server = plex.server()
    now = plex.probed(key)
    section = next((row for row in plex.sections() if row.key == now.item.section), None)
    if section is None:
        raise CantProbe(f"item {key} is in no movie library that PlexSync uses")
    if not section.owned:
        raise CantProbe("plex_token is not that of the server's owner, who alone can edit items")
    original = original_of(now, machine=server.machine, mark=secrets.token_hex(3))
    with store.writing() as tx:
        tx.probes.begin_probe(original)
    examination = Examination(plex, clock, original, now, stopping=stopping)
    try:
        error = _asked(examination, progress)
    except BaseException:  # whatever ends it, also an interrupt: the item has to be restored here
        _restored(store, plex, original, clock)
        raise
    restored, trouble = _restored(store, plex, original, clock)
    traits = examination.traits
    if traits != UNKNOWN:
        with store.writing() as tx:
            tx.probes.save_traits(LearntTraits(server.machine, server.version, traits, clock.now()))
    return ProbeOutcome(server.version, traits, examination.skipped, error or trouble, restored)


def _asked(examination: Examination, progress: Progress) -> str:
    """Ask all questions; returns why it ended early, or ''."""
    steps = list(examination.steps)
    try:
        for number, step in enumerate(steps):
            progress(number, len(steps))
            examination.ask(step)
    except Halted:
        return "stopped"
    except NeighbourError as error:
        return str(error)
    progress(len(steps), len(steps))
    return ""


def _restored(store: Database, plex: ProbeClient, original: Original, clock: Clock) -> tuple[Restoration | None, str]:
    """Restore the item; if that fails, it stays saved for the next run."""
    try:
        restored = restore(plex, original, clock)
    except NeighbourError as error:
        return None, str(error)
    with store.writing() as tx:
        tx.probes.end_probe()
    return restored, ""
