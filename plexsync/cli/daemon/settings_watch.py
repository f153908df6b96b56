"""Watches for changed settings while `plexsync serve` runs."""

import logging
import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from time import monotonic

from plexsync.app.clients import ASK_READ, try_out
from plexsync.app.parts import Parts
from plexsync.app.settings import Settings, ask_stash, keep_answer, last_answer
from plexsync.cli.call import Call
from plexsync.cli.settings import hide, sources, toml_of
from plexsync.engine.tickets import READ_STASH
from plexsync.rules.errors import LocalFault, NeighbourError, Unusable
from validation.config import PlexSyncConfig
from validation.sources import ConfigError, load, load_here

log = logging.getLogger("PlexSync.settings")

LOOK_PACE = 1.0  # seconds between two looks at plexsync.toml
LAST_LOOK = 2 * ASK_READ + 1  # seconds that a look may go on when all ends


class SettingsWatch(threading.Thread):
    """Looks at plexsync.toml every second, and asks Stash at the pace of `stash_poll_interval`.

    Stash is asked at that pace whatever the gates say: it may be what opens them again. While they stand open, settings that
    are not known yet are asked for every second.
    When other settings are to be used it leaves them in `fresh` and sets `ended`; so it does, without any, when `stop` is
    set. Wrong ones are told once, and what is in use goes on.
    """

    def __init__(self, call: Call, current: Settings, parts: Parts, stop: threading.Event) -> None:
        super().__init__(name="settings", daemon=True)
        self.ended = threading.Event()
        self.fresh: Settings | None = None
        self._call = call
        self._found = current
        self._parts = parts
        self._stop_event = stop
        self._said = current.stash_settings
        self._tried_at = self._asked_at = monotonic()
        self._text = self._seen = self._content()
        self._told = ""
        self._folder = current.loaded.config.data_dir

    def end(self) -> None:
        """Look no more. When this returns the database may be closed: no thread reads it under the closing."""
        self.ended.set()
        self.join(timeout=LAST_LOOK)

    @property
    def _is_over(self) -> bool:
        return self.ended.is_set() or self._stop_event.is_set()

    def run(self) -> None:
        """Whatever goes wrong here stays here."""
        try:
            while self.fresh is None and not self._stop_event.wait(LOOK_PACE) and not self.ended.is_set():
                self._try_to_look()
        finally:
            self.ended.set()

    def _try_to_look(self) -> None:
        try:
            self.fresh = self._look()
        except (LocalFault, Unusable) as fault:
            # The loop meets it as well, and says so once a minute.
            log.debug("settings not looked at: %s", fault)
        except MemoryError:
            # To tell of it takes memory as well, and the loop does once it meets it.
            return
        except Exception:  # the edge of a look: whatever it is, the work goes on, and the next look tries anew
            log.exception("looking at the settings failed by a fault of PlexSync")

    def _look(self) -> Settings | None:
        """Other settings than those in use, if there are any."""
        content, before = self._content(), self._seen
        self._seen = content
        # Half a file may be a valid one: it counts when it stays as it is from one look to the next.
        changed = content == before and content != self._text
        if changed:
            self._text = content
        try:
            if changed or self._is_due():
                answered = self._ask()
                return self._read() if (changed or answered) and not self._is_over else None
        except (ConfigError, Unusable) as error:
            self._complain(str(error))
        return None

    def _is_due(self) -> bool:
        pace, now = self._parts.config.stash_poll_interval, monotonic()
        if now - self._tried_at >= pace:
            return True
        return (self._said is None or now - self._asked_at >= pace) and self._parts.gates.is_open(READ_STASH)

    def _ask(self) -> bool:
        self._tried_at = monotonic()
        here = load_here(**sources(self._call))
        hide(self._call, here)
        try:
            self._said = ask_stash(here.config, os.environ, self._found.place).settings
        except NeighbourError as away:
            # The worker meets it as well.
            log.debug("settings in Stash not asked for: %s", away)
            return False
        self._asked_at = monotonic()
        return True

    def _read(self) -> Settings | None:
        loaded = load(**sources(self._call), plugin_settings=self._given())
        hide(self._call, loaded)
        try_out(loaded.config)
        self._told = ""
        if self._said is not None:
            keep_answer(self._parts.store, self._said)
        names = differing(self._found.loaded.config, loaded.config)
        if loaded.config.data_dir != self._folder:
            self._folder = loaded.config.data_dir
            log.warning("data_dir changed: the folder in use stays in use until serve is started again")
        if not names:
            return None
        log.info("settings changed: %s; going on with them", ", ".join(names))
        return replace(self._found, loaded=loaded, stash_settings=self._said, away=None)

    def _given(self) -> Mapping[str, object]:
        """What Stash said last in this process, else what is kept of what it said before."""
        if self._said is not None:
            return self._said
        kept = last_answer(self._parts.folder)
        return kept.values if kept else {}

    def _content(self) -> bytes | None:
        try:
            return toml_of(self._call).read_bytes()
        except (OSError, ValueError):
            return None

    def _complain(self, problem: str) -> None:
        if problem != self._told:
            self._told = problem
            log.error("changed settings can't be used, going on with those before: %s", problem)


def differing(before: PlexSyncConfig, after: PlexSyncConfig) -> list[str]:
    """The names of the settings that differ, but for the folder, which can't change under way."""
    names = PlexSyncConfig.model_fields
    return [name for name in names if name != "data_dir" and getattr(before, name) != getattr(after, name)]
