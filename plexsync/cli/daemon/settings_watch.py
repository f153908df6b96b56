"""Watches for changed settings while `plexsync serve` runs."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import Protocol

from plexsync.app.asking import ASK_READ
from plexsync.app.clients import try_out
from plexsync.app.database_files import DATABASE, file_number
from plexsync.app.parts import Parts
from plexsync.app.settings import PLACES, Settings, ask_stash, in_stash, keep_answer
from plexsync.cli.call import Call
from plexsync.cli.daemon.dashboard_process import DashboardEntry, shown_servers
from plexsync.cli.settings import here_of, hide, sources, toml_of
from plexsync.engine.server_return import CALLS, proved_up
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.queue.note_keys import FIRST_ENTRY
from plexsync.rules.servers.errors import LocalFault, NeighbourError, Unusable
from plexsync.store.database import Database
from plexsync.store.files.siblings import siblings_of
from plexsync.store.ledger.lasting import LastingThread
from validation.config import PlexSyncConfig
from validation.sources import ConfigError, Loaded, load

log = logging.getLogger("PlexSync.settings")

LOOK_PACE = 1.0  # seconds between two checks of plexsync.toml
SOON = 5.0  # seconds after which Stash is asked again, if it has told of an edit or has called the plugin since
LAST_LOOK = 2 * ASK_READ + 1  # seconds that a check may take at the end


class ServerUser(Protocol):
    """What goes on with changed settings of Plex servers: the dashboard, the page in Stash, what Plex asks."""

    def use(self, *entries: DashboardEntry) -> None:
        """Go on with these Plex servers, the first one first."""


class SettingsWatch(LastingThread):
    """Checks plexsync.toml every second, and asks Stash at the pace of `stash_poll_interval`.

    It asks Stash at that pace whatever the gates say: the answer may be what opens them again. While they are open,
    unknown settings are asked for every second. After an edit, a task or an opened page in Stash it asks within seconds.
    On changed settings, or if another database has taken the place of the one in use, it stores settings in `fresh` and
    sets `ended`; it also sets `ended` when `stop` is set, without fresh settings. Invalid settings are logged once, and
    the current ones stay in use. `shows` (the dashboard or the page in Stash, and what Plex asks) go on with the changed
    settings of further Plex servers, whose own workers take them over.
    """

    def __init__(
        self,
        call: Call,
        current: Settings,
        parts: Parts,
        stop: threading.Event,
        shows: Sequence[ServerUser | None] = (),
    ) -> None:
        self.ended = threading.Event()
        super().__init__("settings", self.ended)
        self.fresh: Settings | None = None
        self._call = call
        self._found = current
        self._parts = parts
        self._stop_event = stop
        self._shows = [each for each in shows if each is not None]
        self._said = current.stash_settings
        self._tried_at = self._asked_at = monotonic()
        self._calls = self._newest = self._calls_now()
        self._number = file_number(parts.folder)
        self._file = toml_of(call)
        self._text = self._seen = self._content()
        self._told = ""
        self._place = _place(current.loaded.config)

    def end(self) -> None:
        """Stop checking. After this returns, the database may be closed: no thread reads it any more."""
        self.ended.set()
        self.join(timeout=LAST_LOOK)

    def is_settled(self) -> bool:
        """Whether plexsync.toml is as it was when the settings in use were read, and nothing newer is known."""
        return self.fresh is None and self._content() == self._text

    def work(self) -> None:
        """Check until the end."""
        # A thread is told only of commits after it has connected.
        has_connected = False
        while self.fresh is None and not self._stop_event.wait(LOOK_PACE) and not self.ended.is_set():
            try:
                if not has_connected:
                    self._newest, has_connected = self._calls_now(), True
                self.fresh = self._look()
            except (LocalFault, Unusable) as fault:
                # The loop meets the error as well, and logs it once a minute.
                log.debug("settings not looked at: %s", fault)
            except MemoryError:
                # Logging needs memory as well, and the loop logs the error once it meets it.
                continue
            except Exception:  # the edge of a check: whatever the error, work goes on, and the next check tries again
                log.exception("looking at the settings failed by a fault of PlexSync")
        self.ended.set()

    def _look(self) -> Settings | None:
        """Changed settings, if there are any; those in use, to begin again, if the database was replaced."""
        number = file_number(self._parts.folder)
        if number and number != self._number:
            log.warning("%s was replaced: going on with the one that is there now", DATABASE)
            return replace(self._found)
        content, before = self._content(), self._seen
        self._seen = content
        # Half a file may be valid: a file counts once it is unchanged between two checks.
        changed = content == before and content != self._text
        if changed:
            self._text = content
        try:
            if self._parts.must_reload():
                log.info("changed settings are in force: going on with them")
                return self._read() or replace(self._found)
            if changed or self._is_due():
                answered = self._ask()
                is_over = self.ended.is_set() or self._stop_event.is_set()
                return self._read() if (changed or answered) and not is_over else None
        except (ConfigError, Unusable) as error:
            if str(error) != self._told:
                self._told = str(error)
                log.error("changed settings can't be used, going on with those before: %s", error)
        return None

    def _is_due(self) -> bool:
        pace, now = self._parts.config.stash_poll_interval, monotonic()
        if now - self._tried_at >= pace or (now - self._tried_at >= SOON and self._is_called()):
            return True
        return (self._said is None or now - self._asked_at >= pace) and self._parts.gates.is_open(READ_STASH)

    def _is_called(self) -> bool:
        """Whether Stash has told of an edit or called the plugin since it was asked."""
        if self._parts.store.has_changed():
            self._newest = self._calls_now()
        return self._newest != self._calls

    def _calls_now(self) -> dict[str, str]:
        """When Stash last told of an edit, and last called the plugin."""
        with self._parts.store.reading() as db:
            return db.notes.texts(CALLS)

    def _ask(self) -> bool:
        self._tried_at, self._calls = monotonic(), self._calls_now()
        self._newest = self._calls
        here = here_of(self._call)
        try:
            self._said = ask_stash(here, self._found.place).settings
        except NeighbourError as away:
            # The worker meets the error as well.
            log.debug("settings in Stash not asked for: %s", away)
            return False
        self._asked_at = monotonic()
        if not self._parts.gates.is_open(READ_STASH):
            proved_up(self._parts.store, self._parts.settings.breaker, self._parts.clock)
        return True

    def _read(self) -> Settings | None:
        loaded = load(**sources(self._call), plugin_settings=in_stash(self._said, self._parts.address))
        hide(self._call, loaded)
        check_first(self._parts.store, loaded)
        try_out(loaded.config)
        self._told = ""
        if self._said is not None:
            keep_answer(self._parts.store, self._said)
        names = differing(self._found.loaded.config, loaded.config)
        place = _place(loaded.config)
        if moved := [name for name in PLACES if place[name] != self._place[name]]:
            self._place = place
            part = "folder" if moved == ["data_dir"] else "database"
            log.warning("%s changed: the %s in use stays in use until serve is started again", ", ".join(moved), part)
        if loaded.servers != self._found.loaded.servers:
            names.append("[[plex]] entries")
        fresh = replace(self._found, loaded=loaded, stash_settings=self._said, away=None)
        if names:
            log.info("settings changed: %s; going on with them", ", ".join(names))
            return fresh
        if self._shows:
            servers = shown_servers(self._call, fresh)
            for each in self._shows:
                each.use(*servers)
        return None

    def _content(self) -> bytes | None:
        try:
            return self._file.read_bytes()
        except (OSError, ValueError):
            return None


def differing(before: PlexSyncConfig, after: PlexSyncConfig) -> list[str]:
    """The names of the settings that differ, except where the data is kept, which can't change while running."""
    names = PlexSyncConfig.model_fields
    return [name for name in names if name not in PLACES and getattr(before, name) != getattr(after, name)]


def _place(config: PlexSyncConfig) -> dict[str, str]:
    """Where the database is, by setting."""
    return {name: getattr(config, name) for name in PLACES}


def check_first(store: Database, loaded: Loaded) -> str:
    """Return whose database this is, '' if that was never noted. Raises ConfigError if it is not that of the first entry.

    The first `[[plex]]` entry has the database of a single server, and a renamed one keeps it. If another entry took its
    place, that one would get a database that is not its own.
    """
    with store.reading() as db:
        before = db.notes.text(FIRST_ENTRY)
    first = loaded.plex
    if loaded.is_first and before not in ("", first):
        has_own = bool(first) and siblings_of(store).has_store(first)
        if before in loaded.servers or has_own:
            mend = (
                "put it first again" if before in loaded.servers else "put its entry first again, with enabled = false"
            )
            problem = f'[[plex]] "{first}" can\'t be the first entry: the first database is that of "{before}"'
            raise ConfigError([f"{problem}: {mend}"])
    return before


def keep_first(store: Database, loaded: Loaded) -> None:
    """Check as `check_first` does, and note whose database this is. Without entries nothing is noted."""
    before = check_first(store, loaded)
    if loaded.servers and loaded.is_first and before != loaded.plex:
        with store.writing() as tx:
            tx.notes.save(FIRST_ENTRY, loaded.plex)
