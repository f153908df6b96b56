"""How Plex asks a metadata provider: one probe of a library and an item in it, which are put back at the end.

The library asks a provider that this process serves (`plexsync.app.probe.lent_provider`), which knows the file of this
item alone. Plex is asked to refresh the item and nothing else. What the library and the item had is saved before the
first change, and put back by `plexsync.app.probe.library_return`.
"""

import secrets
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace

from plexsync.app.parts import Parts
from plexsync.app.probe.lent_provider import KEY, LentProvider, lent_provider
from plexsync.app.probe.library_return import SCRATCH_LIST, SCRATCH_TEXTS, LentLibrary, lend_library, return_library
from plexsync.app.probe.questions import Halted
from plexsync.app.provider_steps.items import found_state
from plexsync.app.provider_steps.plan import LEGACY_AGENT, PREFIX, check_version, find_library
from plexsync.app.provider_steps.steps import ADD_STEPS, NotNow, StepRun
from plexsync.engine.undo import quiet
from plexsync.plex.providers import LibraryAgent, MatchedItem, ProviderClient
from plexsync.rules.item import PICTURES, Item
from plexsync.rules.match.paths import base_name
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.merge.traits import Answer
from plexsync.rules.provider.documents import MATCHES, METADATA, Values, guid_of
from plexsync.rules.provider.found_items import OF_AGENTS, document_of
from plexsync.rules.provider.standing import ADDING
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError, Refused
from plexsync.rules.servers.scratch import CantProbe
from plexsync.store.ledger.provider_memory import ProviderRow

# Seconds until Plex has asked and shows what it was told, and between two looks.
PATIENCE, PACE = 30.0, 0.25
# Seconds for what Plex does after an answer that tells nothing.
SETTLED = 1.0


class Silent(Exception):
    """Plex has not done what a question needs; the message says what."""


@record
class ProviderOutcome:
    """What a probe has learnt, by question; `error` is why it ended early; `rest` what is not as before (None: not yet put
    back).
    """

    version: str
    answers: Mapping[str, Answer]
    error: str = ""
    rest: tuple[str, ...] | None = None


def find_item(parts: Parts, library: LibraryAgent, path: str) -> str:
    """The key of the item of a library with this file. Raises CantProbe."""
    entries = (entry for page in parts.plex.entries(library.section) for entry in page)
    keys = [entry.key for entry in entries if any(part.path == path for part in entry.parts)]
    if len(keys) != 1:
        count = "more than one" if keys else "no"
        raise CantProbe(f"{count} item of {library.title} has the file {path}: name it as Plex does")
    return keys[0]


def library_to_probe(parts: Parts, name: str) -> LibraryAgent:
    """The library of this name, if its agent can be put back. Raises CantProbe, NotNow and NeighbourError."""
    check_version(parts.plex.server().version)
    parts.identity.check()
    library = find_library(parts, ProviderClient(parts.plex.requests), name)
    with parts.store.reading() as db:
        asks = db.providers.of(library.uuid) is not None
    if asks or library.agent.startswith(PREFIX):
        raise CantProbe(f"{library.title} asks PlexSync: plexsync provider remove takes that back first")
    if not library.agent or library.agent.startswith(LEGACY_AGENT):
        raise CantProbe(f"Plex may not take the agent of {library.title} back ({library.agent or 'none'})")
    return library


def probe_provider(
    parts: Parts, library: LibraryAgent, key: str, path: str, *, stopping: Callable[[], bool] = lambda: False
) -> ProviderOutcome:
    """Ask the questions, and put library and item back. The caller holds the worker's lock, and has put back what an
    earlier probe has left. Raises NeighbourError and CantProbe; nothing was changed then.
    """
    client, server, mark = ProviderClient(parts.plex.requests), parts.plex.server(), secrets.token_hex(3)
    matched = client.items([key]).get(key)
    if matched is None:
        raise CantProbe(f"Plex has no item {key}")
    lent = LentLibrary(
        machine=server.machine,
        library=library.uuid,
        section=library.section,
        title=library.title,
        agent=library.agent,
        group=library.group,
        identifier=f"{PREFIX}probe{mark}",
        mark=f"PlexSync probe {mark}",
        key=key,
        document=document_of(found_state(parts.plex, matched)),
    )
    examination = ProviderExamination(parts, client, lent, matched, path, stopping)
    with ExitStack() as held:
        try:
            provider = held.enter_context(lent_provider(*parts.plex.requests.place, lent.identifier, path))
        except (OSError, ValueError) as reason:
            raise CantProbe(f"this machine has no address towards Plex: {reason}") from None
        lend_library(parts, lent)
        try:
            error = examination.ask(provider, library.locations)
        except BaseException:  # whatever ends it, also an interrupt: the library has to be put back here
            return_library(parts)
            raise
        try:
            rest = return_library(parts)
        except (NeighbourError, NotNow) as trouble:
            return ProviderOutcome(server.version, examination.answers, error or str(trouble))
    return ProviderOutcome(server.version, examination.answers, error, rest or ())


class ProviderExamination:
    """The questions about one item."""

    def __init__(
        self,
        parts: Parts,
        client: ProviderClient,
        lent: LentLibrary,
        matched: MatchedItem,
        path: str,
        stopping: Callable[[], bool],
    ) -> None:
        self._parts, self._client, self._lent, self._stopping = parts, client, lent, stopping
        self._matched, self._path = matched, path
        own = matched.item
        # What an answer needs, as the item has it: so it stays.
        self._needed = {name: own.value(name) for name in ("title", "originallyAvailableAt")}
        self.answers: dict[str, Answer] = {}

    def ask(self, provider: LentProvider, folders: tuple[str, ...]) -> str:
        """Ask all questions; returns why it ended early, or ''."""
        try:
            self._hold()
            self._register(provider)
            self._first(provider)
            self._form(provider, folders)
            self._second(provider)
            self._third(provider)
            self._unknown(provider)
        except Halted:
            return "stopped"
        except (Silent, NeighbourError) as error:
            return str(error)
        return ""

    def _hold(self) -> None:
        """Lock all other fields until the item has its old match again, so that no agent changes them."""
        own = self._matched.item
        # A locked sort title without a value reads as the title.
        free = {*SCRATCH_TEXTS, SCRATCH_LIST, *own.locks, *(() if own.value("titleSort") else ("titleSort",))}
        self._edit({name: Change(None, lock=True) for name in (*OF_AGENTS, *PICTURES) if name not in free})

    def _register(self, provider: LentProvider) -> None:
        """Register the provider, make a group, and let the library use it."""
        self.answers["registers_by"] = "header" if self._client.takes_header() else "query"
        lent = self._lent
        try:
            self._client.register(lent.identifier, f"{provider.place}/{provider.secret}")
        except Refused as error:
            self.answers["reached"] = False
            raise Silent(f"Plex can't reach {provider.place}: check the firewall of this machine") from error
        self.answers["reached"] = True
        run = StepRun(self._parts, self._client, quiet)
        row = ProviderRow(lent.library, lent.section, lent.title, lent.identifier, ADDING)
        group = ADD_STEPS["own_group"](run, row)
        ADD_STEPS["switched"](run, replace(row, steps={"own_group": group}))

    def _first(self, provider: LentProvider) -> None:
        """Set scratch values by edits, let Plex match the item, and see what it shows of both."""
        tagline, title = SCRATCH_TEXTS
        self._edit({name: Change(None, lock=False) for name in (*SCRATCH_TEXTS, SCRATCH_LIST)})
        self._edit({tagline: Change(self._value("before"))})
        self.answers["values_lock"] = tagline in self._read().item.locks
        own = self._matched.item.lists.get(SCRATCH_LIST, ())
        before = self._value("before")
        self._edit(
            {tagline: Change(None, lock=False), SCRATCH_LIST: Change((*own, before), lock=False, adds=(before,))}
        )
        now = self._refresh(provider, {title: self._value("one"), SCRATCH_LIST: (self._value("kept"),)}, "one")
        self.answers["fetched"] = now.value(title) == self._value("one")
        self._after_match = now

    def _form(self, provider: LentProvider, folders: tuple[str, ...]) -> None:
        """What the questions so far looked like."""
        matches = [question for question in provider.questions if question.path == MATCHES]
        mine = [question for question in matches if provider.is_file(str(question.body.get("filename") or ""))]
        if mine:
            self.answers["match_filename"] = filename_form(str(mine[-1].body["filename"]), self._path, folders)
            self.answers["includes_adult"] = bool(mine[-1].body.get("includeAdult"))
            self.answers["asks_by"] = "headers" if "x-plex-language" in mine[-1].headers else "query"
        paths = {question.path for question in provider.questions}
        self.answers["asks_images"] = f"{METADATA}/{KEY}/images" in paths
        self.answers["asks_extras"] = f"{METADATA}/{KEY}/extras" in paths

    def _second(self, provider: LentProvider) -> None:
        """Send less than before."""
        tagline, title = SCRATCH_TEXTS
        now = self._refresh(provider, {}, "two")
        is_kept = now.value(title) == self._value("one")
        keeps_names = self._value("kept") in now.lists.get(SCRATCH_LIST, ())
        self.answers["absent_fields"] = "kept" if is_kept else "cleared"
        self.answers["omitted_tags"] = "kept" if keeps_names else "removed"
        # A server that takes away what is not sent hides whether the match has done so.
        after = self._after_match
        if is_kept:
            self.answers["match_clears"] = after.value(tagline) != self._value("before")
        elif keeps_names:
            self.answers["match_clears"] = self._value("before") not in after.lists.get(SCRATCH_LIST, ())

    def _third(self, provider: LentProvider) -> None:
        """Remove a name by an edit, and lock a field: does a refresh leave both so?"""
        title, gone = SCRATCH_TEXTS[1], self._value("two")
        names = tuple(name for name in self._read().item.lists.get(SCRATCH_LIST, ()) if name != gone)
        held = self._value("locked")
        self._edit({SCRATCH_LIST: Change(names, lock=False, removes=(gone,)), title: Change(held, lock=True)})
        now = self._refresh(provider, {title: self._value("three")}, "three")
        self.answers["removal"] = gone not in now.lists.get(SCRATCH_LIST, ())
        self.answers["lock_holds"] = now.value(title) == held

    def _unknown(self, provider: LentProvider) -> None:
        """Answer 404 for the key of the item."""
        provider.values, before = None, len(provider.questions)
        self._client.refresh([self._lent.key])
        self._wait(
            lambda: any(each.path == f"{METADATA}/{KEY}" for each in provider.questions[before:]),
            "Plex did not ask again for the item",
        )
        self._parts.clock.sleep(SETTLED)
        is_kept = self._read().guid == guid_of(self._lent.identifier, KEY)
        self.answers["unknown_key"] = "kept" if is_kept else "unmatched"

    # --- requests ----------------------------------------------------------------------------------------------------

    def _value(self, name: str) -> str:
        return f"{self._lent.mark} {name}"

    def _read(self) -> MatchedItem:
        if self._stopping():
            raise Halted
        now = self._client.items([self._lent.key]).get(self._lent.key)
        if now is None:
            raise Silent("the item is gone")
        return now

    def _edit(self, edit: Mapping[str, Change]) -> None:
        self._parts.plex.edit(self._lent.section, self._lent.key, edit)

    def _refresh(self, provider: LentProvider, values: Values, marker: str) -> Item:
        """Let Plex ask for these values and a name that marks them, and return the item once it shows that."""
        marking = self._value(marker)
        names = (*values.get(SCRATCH_LIST, ()), marking)
        provider.values = {**self._needed, **values, SCRATCH_LIST: names}
        before = len(provider.questions)
        self._client.refresh([self._lent.key])
        read: list[Item] = []

        def shows() -> bool:
            read[:] = [self._read().item]
            return marking in read[0].lists.get(SCRATCH_LIST, ())

        self._wait(shows, lambda: what_is_missing(provider, before))
        return read[0]

    def _wait(self, reached: Callable[[], bool], trouble: str | Callable[[], str]) -> None:
        clock = self._parts.clock
        until = clock.monotonic() + PATIENCE
        while not reached():
            if self._stopping():
                raise Halted
            if clock.monotonic() >= until:
                raise Silent(trouble if isinstance(trouble, str) else trouble())
            clock.sleep(PACE)


def what_is_missing(provider: LentProvider, before: int) -> str:
    """Why the item shows nothing of an answer, as far as the questions tell."""
    paths = [question.path for question in provider.questions[before:]]
    if f"{METADATA}/{KEY}" in paths:
        return "Plex asked for the values, and does not show them"
    return "Plex asked for a match, and not for the values" if MATCHES in paths else "Plex did not ask for the item"


def filename_form(filename: str, path: str, folders: tuple[str, ...]) -> str:
    """How a question names a file: `relative` to the library's folder, with that `folder`, `rooted` or `other`."""
    name, whole = filename.replace("\\", "/"), path.replace("\\", "/")
    for folder in (folder.replace("\\", "/").rstrip("/") for folder in folders):
        if whole.startswith(f"{folder}/"):
            inner = whole[len(folder) + 1 :]
            named = f"{base_name(folder)}/{inner}"
            return {inner: "relative", named: "folder", f"/{named}": "rooted"}.get(name, "other")
    return "other"
