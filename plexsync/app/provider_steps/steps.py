"""The steps by which a library comes to ask PlexSync first, and those by which it stops.

Each step is noted in the database before and after it is done, and can be done again: a process that is killed at any
moment leaves what the next one goes on with. That is the next call of the command, or a worker that starts. What was
added in part can be removed.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import cast

from plexsync.app.flow_parts import FlowParts, RegularLook
from plexsync.app.parts import Parts
from plexsync.app.provider import fill_answers, provider_parts
from plexsync.app.provider_steps.items import LibraryItems, Progress, PutBack
from plexsync.app.provider_steps.lent import take_over_lent
from plexsync.app.rules import is_provider_on, provider_url
from plexsync.app.switches import approve_bulk, bulk_approved
from plexsync.app.unanswered import secrets_place, why_unanswered
from plexsync.engine.tickets import READ_PLEX, READ_STASH
from plexsync.engine.undo import quiet
from plexsync.flows.provider.libraries import start_asking, stop_asking
from plexsync.plex.providers import LibraryAgent, ProviderClient
from plexsync.rules.provider.standing import (
    ADD_NAMES,
    ADDING,
    AGENT,
    DOING,
    FOLDERS,
    GROUP,
    ON,
    REMOVING,
    SECRETS_AT,
    is_pending,
)
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Neighbour, NeighbourError, Refused, SyncError, Unavailable
from plexsync.rules.servers.redaction import Redactor
from plexsync.store.files.lock import is_locked, try_lock
from plexsync.store.files.provider_secrets import masked_address, read_secrets, renew_path, set_damaged_aside
from plexsync.store.ledger.provider_memory import ProviderRow

log = logging.getLogger("PlexSync.provider")

# Held by the process that does the steps.
LOCK = "provider.lock"
LOCAL_MEDIA = "Plex Local Media"
# Seconds for which Plex is given the address until somebody answers there, and between two times.
UNANSWERED, AGAIN = 20.0, 1.0
# Seconds between two looks whether Plex has asked.
LOOK = 0.25
# Seconds between two looks of a worker for steps that were left.
LOOK_PACE = 5.0
# Seconds between two looks at the folders of the libraries.
FOLDERS_PACE = 600.0
# The address at which a library asks, without its secret.
ADDRESS = "address"
RENEWED = ("secret", "provider", "own_group", "switched", "refreshed")


# What a library can get in the place of the agent that it had, as you name it.
INSTEAD = "agent_instead"
INSTEADS = {"movie": "tv.plex.agents.movie", "none": "tv.plex.agents.none"}
AGENT_GONE = (
    "Plex does not give {0} its agent {1} back: it no longer exists there. Remove the library again and choose "
    "another, Plex Movie or none: on the page of the settings, or with the option agent of plexsync provider remove"
)


class NotNow(SyncError):
    """The steps can't be done now; the message is one line that says why."""


class AgentGone(NotNow):
    """The agent that the library had no longer exists in Plex: you choose another."""


class NotTaken(Unavailable):
    """Plex has answered, and the library does not have the agent."""


@record
class StepRun:
    """What the steps work with."""

    parts: Parts
    client: ProviderClient
    progress: Progress


Step = Callable[[StepRun, ProviderRow], object]


# --- adding ----------------------------------------------------------------------------------------------------------


def _renew_secret(run: StepRun, row: ProviderRow) -> object:
    """From then on, whoever asks at the new address is Plex."""
    began = run.parts.clock.now()
    renew_path(run.parts.folder, row.library)
    return began


def _fill_answers(run: StepRun, row: ProviderRow) -> object:
    total = run.parts.gates.ask(READ_STASH, run.parts.stash.newest, of_all=True)[Kind.SCENE].count
    return fill_answers(run.parts, run.parts.folder, row.library, lambda done: run.progress(done, max(done, total)))


def _save_items(run: StepRun, row: ProviderRow) -> object:
    return LibraryItems(run.parts, row, run.progress).save()


def _register(run: StepRun, row: ProviderRow) -> object:
    """Plex asks the address before it accepts it, and the process that answers there may have to start."""
    secrets, url, clock = (
        read_secrets(run.parts.folder).get(row.library),
        provider_url(run.parts.config),
        run.parts.clock,
    )
    if secrets is None:
        raise NotNow(f"{row.title}: {why_unanswered(run.parts.folder, row, ())}")
    until = clock.monotonic() + UNANSWERED
    while True:
        try:
            return run.client.register(row.identifier, secrets.address(url))
        except Refused:
            if clock.monotonic() >= until:
                break
        except NeighbourError as error:
            # A server may quote what it was asked.
            error.args = (Redactor([secrets.path]).redact(str(error)),)
            raise
        clock.sleep(AGAIN)
    raise NotNow(f"Plex can't reach {masked_address(url)}: {_why_unreached(run.parts)}")


def _why_unreached(parts: Parts) -> str:
    if not parts.someone_works():
        return "start plexsync serve, which answers there"
    return (
        "check that plexsync serve runs, that no firewall keeps Plex out, and that provider_url is the address for Plex"
    )


def _make_group(run: StepRun, row: ProviderRow) -> object:
    group = run.client.make_group(f"PlexSync: {row.title}", row.identifier)
    local = next((each.number for each in run.client.providers() if each.title == LOCAL_MEDIA), "")
    if local and local not in group.providers:
        run.client.join(group.number, local)
    return group.number


def _switch(run: StepRun, row: ProviderRow) -> object:
    _use_agent(run, row, row.identifier, str(row.steps["own_group"]))
    return True


def _refresh(run: StepRun, row: ProviderRow) -> object:
    run.client.refresh_library(row.section)
    return True


ADD_STEPS: Mapping[str, Step] = dict(
    zip(
        ADD_NAMES,
        (_renew_secret, _fill_answers, _save_items, _register, _make_group, _switch, _refresh),
        strict=True,
    )
)


# --- removing --------------------------------------------------------------------------------------------------------


def _lock_back(run: StepRun, row: ProviderRow) -> object:
    if _library(run, row) is not None:
        LibraryItems(run.parts, row, run.progress).lock_back()
    return True


def _agent_back(run: StepRun, row: ProviderRow) -> object:
    """A library that has another agent by now, or is gone, is left as it is."""
    library = _library(run, row)
    if library is not None and library.agent == row.identifier:
        # What Plex still asks would come after what is put back.
        run.client.stop_refreshing(row.section)
        if instead := INSTEADS.get(str(row.steps.get(INSTEAD))):
            group = next((each.number for each in run.client.groups() if each.primary == instead), "")
            _use_agent(run, row, instead, group)
            return True
        try:
            _use_agent(run, row, str(row.steps[AGENT]), str(row.steps[GROUP]))
        except (Refused, NotTaken):
            raise AgentGone(AGENT_GONE.format(row.title, row.steps[AGENT])) from None
    return library is not None


def _match_back(run: StepRun, row: ProviderRow) -> object:
    if row.steps["agent_back"]:
        LibraryItems(run.parts, row, run.progress).match_back()
    return True


def _put_back(run: StepRun, row: ProviderRow) -> object:
    return vars(LibraryItems(run.parts, row, run.progress).put_back() if row.steps["agent_back"] else PutBack())


def _unregister(run: StepRun, row: ProviderRow) -> object:
    for group in run.client.groups():
        if group.primary == row.identifier:
            run.client.remove_group(group.number)
    for provider in run.client.providers():
        if provider.identifier == row.identifier:
            run.client.remove(provider.number)
    return True


REMOVE_STEPS: Mapping[str, Step] = {
    "locked_back": _lock_back,
    "agent_back": _agent_back,
    "matched_back": _match_back,
    "put_back": _put_back,
    "unregistered": _unregister,
}


# --- both ------------------------------------------------------------------------------------------------------------


def _library(run: StepRun, row: ProviderRow) -> LibraryAgent | None:
    return next((each for each in run.client.libraries() if each.uuid == row.library), None)


def _use_agent(run: StepRun, row: ProviderRow, agent: str, group: str) -> None:
    run.client.use_agent(row.section, agent, group)
    library = _library(run, row)
    if library is None or library.agent != agent:
        # Plex ignores what it does not understand.
        raise NotTaken(Neighbour.PLEX, f"Plex has not given {row.title} the agent {agent}")


def begin_adding(parts: Parts, library: LibraryAgent, identifier: str) -> None:
    """Note that a library is to ask PlexSync. One that does already is registered anew, at a new address. Raises NotNow."""
    set_damaged_aside(parts.folder)
    has_secrets = library.uuid in read_secrets(parts.folder)
    with _only_one(parts), parts.store.writing() as tx:
        row = tx.providers.of(library.uuid)
        if row is None:
            steps: dict[str, object] = {AGENT: library.agent, GROUP: library.group, FOLDERS: list(library.locations)}
            row = ProviderRow(
                library.uuid, library.section, library.title, identifier, ADDING, steps, parts.clock.now()
            )
        elif row.state == ON or not has_secrets:
            # Another secret makes other keys.
            anew = RENEWED if has_secrets else ADD_NAMES
            kept = {name: value for name, value in row.steps.items() if name not in anew or name == "items"}
            steps = {**kept, FOLDERS: list(library.locations)}
            row = replace(row, section=library.section, title=library.title, steps=steps)
        tx.providers.save(row)


def begin_removing(parts: Parts, library: str, instead: str = "") -> None:
    """Note that a library is to stop asking PlexSync; `instead` names the agent that it gets, '' for the one it had.

    Raises NotNow.
    """
    with _only_one(parts), parts.store.writing() as tx:
        row = tx.providers.of(library)
        if row is not None:
            chosen = {INSTEAD: instead} if instead in INSTEADS else {}
            tx.providers.save(replace(row, state=REMOVING, steps={**row.steps, **chosen}))


def approve_library(parts: Parts) -> None:
    """Approve the first write, if it is to this library alone: that to others waits for a yes of its own."""
    if not bulk_approved(parts) and len(parts.plex.sections()) == 1:
        approve_bulk(parts)


def go_on(parts: Parts, library: str, progress: Progress = quiet) -> ProviderRow:
    """Do what is left of the steps of a library; returns its row after that, the last one if it is removed.

    Raises NotNow, and any `SyncError`: what is done by then is noted.
    """
    with _only_one(parts):
        with parts.store.reading() as db:
            row = db.providers.of(library)
        if row is None:
            raise NotNow("the library does not ask PlexSync any more")
        # Nothing is written to another server than the one that was asked.
        parts.identity.check()
        run = StepRun(parts, ProviderClient(parts.plex.requests), progress)
        removes = row.state == REMOVING
        for name, step in (REMOVE_STEPS if removes else ADD_STEPS).items():
            if name not in row.steps:
                row = _note(parts, row, {DOING: name})
                row = _note(parts, row, {name: step(run, row)})
        address = {ADDRESS: provider_url(parts.config), SECRETS_AT: secrets_place(parts.folder)}
        return _end(
            parts, replace(row, steps={**row.steps, DOING: "", **({} if removes else address)}), asks=not removes
        )


def _note(parts: Parts, row: ProviderRow, steps: Mapping[str, object]) -> ProviderRow:
    noted = replace(row, steps={**row.steps, **steps})
    with parts.store.writing() as tx:
        tx.providers.save(noted)
    return noted


def _end(parts: Parts, row: ProviderRow, *, asks: bool) -> ProviderRow:
    """Note that all is done. The scenes of the library are inspected again, since their locks change."""
    was_on = row.state == ON
    row = replace(row, state=ON) if asks else row
    with parts.store.writing() as tx:
        if asks and was_on:
            tx.providers.save(row)
        elif asks:
            start_asking(tx, row, now=parts.clock.now())
        else:
            stop_asking(tx, row, now=parts.clock.now())
    return row


@contextmanager
def _only_one(parts: Parts) -> Iterator[None]:
    lock = try_lock(parts.folder, LOCK)
    if lock is None:
        raise NotNow("another process is adding or removing a library: plexsync provider status shows when it is done")
    with lock:
        yield


class PendingSteps:
    """Goes on with steps that nobody does: those that have not moved between two looks."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seen: dict[str, Mapping[str, object]] = {}
        self._troubles: dict[str, str] = {}

    def look(self) -> None:
        """Do the steps of libraries that were left in the middle. What fails is tried again at the next look."""
        if is_provider_on(self._parts.config):
            with suppress(NotNow, NeighbourError):
                renew_moved(self._parts)
        with self._parts.store.reading() as db:
            pending = {row.library: row for row in db.providers.all() if is_pending(row)}
        idle = [row for library, row in pending.items() if self._seen.get(library) == row.steps]
        self._seen = {library: row.steps for library, row in pending.items()}
        if not idle or is_locked(self._parts.folder, LOCK):
            return
        for row in idle:
            try:
                go_on(self._parts, row.library)
                log.info("%s: the steps of plexsync provider are done", row.title)
            except (NotNow, NeighbourError) as error:
                if str(error) != self._troubles.get(row.library):
                    log.warning("the steps of plexsync provider can't go on yet: %s", error)
                self._troubles[row.library] = str(error)


def renew_moved(parts: Parts) -> None:
    """Begin to register anew what asks at another address than the settings now name. Raises NotNow, NeighbourError."""
    url, secrets = provider_url(parts.config), read_secrets(parts.folder)
    with parts.store.reading() as db:
        asking = [row for row in db.providers.all() if not is_pending(row) and row.library in secrets]
    for row in asking:
        if ADDRESS not in row.steps:
            # It was registered before addresses were noted.
            _note(parts, row, {ADDRESS: url})
    moved = {row.library: row for row in asking if row.steps.get(ADDRESS, url) != url}
    libraries = ProviderClient(parts.plex.requests).libraries() if moved else []
    for library in libraries:
        if library.uuid in moved:
            begin_adding(parts, library, moved[library.uuid].identifier)


def note_folders(parts: Parts) -> str:
    """Note the present folders of the libraries that ask, which decide which file is meant.

    Returns why that is not possible now, '' if it was.
    """
    try:
        libraries = parts.gates.ask(READ_PLEX, ProviderClient(parts.plex.requests).libraries)
    except NeighbourError as error:
        return str(error)
    with parts.store.writing() as tx:
        for library in libraries:
            row, folders = tx.providers.of(library.uuid), list(library.locations)
            if row is not None and not is_pending(row) and row.steps.get(FOLDERS) != folders:
                tx.providers.save(replace(row, steps={**row.steps, FOLDERS: folders}))
    return ""


def provider_flow(parts: Parts) -> FlowParts:
    """What a worker gets while libraries can ask PlexSync; while they can't, it only goes on with steps that were left."""
    take_over_lent(parts)
    config, steps = parts.config, RegularLook("provider steps", LOOK_PACE, PendingSteps(parts).look)
    if not is_provider_on(config):
        return FlowParts([], looks=lambda _stopping: [steps])
    flow = provider_parts(parts, parts.folder, config.provider_patience, matches=config.provider_match)
    looks = [
        steps,
        RegularLook("provider folders", FOLDERS_PACE, partial(note_folders, parts), subject="folders of the libraries"),
    ]
    return replace(flow, looks=lambda _stopping: looks)


def wait_for_call(parts: Parts, row: ProviderRow, seconds: float, stopping: Callable[[], bool]) -> bool:
    """Whether Plex has asked at the address that it was given; looks for so many seconds."""
    until = parts.clock.monotonic() + seconds
    while True:
        with parts.store.reading() as db:
            now = db.providers.of(row.library)
        if now is not None and now.called_at >= int(str(row.steps["secret"])):
            return True
        if now is None or stopping() or parts.clock.monotonic() >= until:
            return False
        parts.clock.sleep(LOOK)


def put_back_of(row: ProviderRow) -> PutBack:
    """What came of putting back the items of a library that was removed."""
    return PutBack(**cast("dict[str, list[str]]", row.steps.get("put_back") or {}))
