"""The settings of a command: those of this machine, with Stash's present or last answer.

Stash is asked once, with a short timeout. If it can't be asked, its last answer is used, without the secrets. A command
that works the queue never starts with less: PlexSync could be switched off in Stash without this machine knowing.
"""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import field, replace
from enum import Enum
from pathlib import Path

from plexsync.app import status_settings
from plexsync.app.asking import asking_stash
from plexsync.app.stored import address_of, salt_of
from plexsync.app.version import BEFORE, ChangelogEntry, changes_for, is_newer, read_changes, version
from plexsync.rules.match.server_scopes import store_folder
from plexsync.rules.queue.note_keys import NEWS, STASH_SETTINGS, STATUS_SETTINGS, VALID_SETTINGS, VERSION
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import LocalFault, NeighbourError, NewerDatabase, Unusable
from plexsync.store.database import Database
from plexsync.store.files import place
from plexsync.store.files.address import StoreAddress
from plexsync.store.files.place import DataFolder as DataFolder
from plexsync.store.opening import open_database
from validation import database_settings
from validation.config import SECRETS, PlexSyncConfig
from validation.picture_settings import EARLIER
from validation.sources import (
    ENVIRONMENT,
    NAMED_FILE,
    NOT_FROM_STASH,
    OPPOSITES,
    STAND_INS,
    TOML,
    ConfigError,
    Loaded,
    SettingSources,
    default_data_dir,
    is_emptied,
    load,
    load_here,
)

# The plugin's id in Stash: the name of the manifest without its extension.
PLUGIN = "StashPlexSync"
WAKE_UP = "PlexSyncWakeUp"
# Settings that only say where PlexSync keeps its data, and who may open its dashboard where.
# Where Stash is, and how it is asked: they set nothing up.
OF_STASH = ("stash_url", "stash_api_key", "tls_ca_file")
PLACES = ("data_dir", *database_settings.NAMES, "web_bind", "web_password", "web_allowed_hosts")
NOT_SET_UP = "Not set up yet. Run `plexsync init`."


class SettingsNeed(Enum):
    """Which settings a command needs."""

    DATABASE = "it reads and writes the database alone: Stash is asked only for what can't be known otherwise"
    LOOK = "it looks at both servers, if it can"
    WORK = "it works, so every setting counts"


class StashAway(ConfigError):
    """A setting that Stash may have is missing, and Stash can't be asked; `place` is the folder, if known."""

    def __init__(self, lines: Iterable[str], place: DataFolder | None) -> None:
        super().__init__(lines)
        self.place = place


class NotSetUp(ConfigError):
    """No source on this machine has a setting, and neither has Stash. `away` says why Stash can't be asked, or is ''."""

    def __init__(self, away: str) -> None:
        super().__init__([NOT_SET_UP])
        self.away = away


@record
class StashAnswer:
    """Stash's answer: the plugin's settings as they are stored there, and the folder of the database."""

    settings: Mapping[str, object] = field(repr=False)
    place: DataFolder


@record
class Kept:
    """Stash's last answer as it is stored: settings with their values, and of the secrets the names alone."""

    values: Mapping[str, object] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()


@record
class Settings:
    """The settings that a command starts with.

    `stash_settings` is Stash's answer, None if it was not asked or can't be reached; `away` is the reason. `sure` is
    False if this machine has never seen Stash's answer. `lacking` names required settings that only Stash knows;
    placeholders are in their place.
    """

    loaded: Loaded
    place: DataFolder
    stash_settings: Mapping[str, object] | None = field(default=None, repr=False)
    away: NeighbourError | None = None
    sure: bool = True
    lacking: tuple[str, ...] = ()


# --- the settings of a call ------------------------------------------------------------------------------------------


def settings(sources: SettingSources, need: SettingsNeed, *, hide: Callable[[Loaded], None]) -> Settings:
    """Return the settings from all sources; raises ConfigError, StashAway if Stash may have a missing one, or NotSetUp.

    `hide` receives all settings as they are loaded, so that no later error shows a secret.
    """
    here = load_here(**sources)
    hide(here)
    search = _Search(sources, need, hide, here, known_place(here, os.environ))
    try:
        return search.settings()
    except ConfigError as error:
        if search.has_any():
            raise
        raise NotSetUp(error.lines[-1] if isinstance(error, StashAway) else "") from None


def names_stash_alone(sources: SettingSources) -> bool:
    """Whether this machine knows no more than where Stash is, and Stash has never answered with settings."""
    here = load_here(**sources)
    search = _Search(sources, SettingsNeed.WORK, lambda _: None, here, known_place(here, os.environ))
    return not search.has_any(besides=OF_STASH)


@record
class _Search:
    """The search for the settings of one call in all sources; `here` are those of this machine."""

    sources: SettingSources
    need: SettingsNeed
    hide: Callable[[Loaded], None]
    here: Loaded
    folder: DataFolder | None

    def has_any(self, *, besides: Sequence[str] = ()) -> bool:
        """Whether anybody has set PlexSync up: in a file, in the environment, or in Stash as it last answered.

        `besides`: settings that do not count in the environment.
        """
        file = self.sources["toml_path"]
        origins = (origin for name, origin in self.here.origin.items() if name not in (*PLACES, *besides))
        return (
            (file is not None and os.path.lexists(file))
            or any(origin in (ENVIRONMENT, NAMED_FILE, TOML) for origin in origins)
            or self._last_answer() is not None
        )

    def settings(self) -> Settings:
        """The settings; raises ConfigError, and StashAway if Stash may have a missing one."""
        if self.need is SettingsNeed.DATABASE and self.folder is not None:
            try:
                loaded, lacking = self._by_last_answer(self._last_answer())
                return Settings(loaded, self.folder, lacking=lacking)
            except ConfigError as error:
                if not error.missing:
                    raise
        try:
            answer = ask_stash(self.here, self.folder)
        except NeighbourError as away:
            return self._while_away(away)
        return Settings(self._load(answer.settings), answer.place, answer.settings)

    def _load(self, plugin_settings: Mapping[str, object]) -> Loaded:
        loaded = load(**self.sources, plugin_settings=plugin_settings)
        self.hide(loaded)
        return loaded

    def _last_answer(self) -> Kept | None:
        return last_answer(address_of(self.here.config, self.folder.path)) if self.folder else None

    def _while_away(self, away: NeighbourError) -> Settings:
        last, unasked = self._last_answer(), f"it can't be asked: {away}"
        try:
            loaded, lacking = self._by_last_answer(last)
        except ConfigError as error:
            if not error.missing:
                raise
            names = " and ".join(error.missing)
            lines = [*error.lines, f"{names} may be set in Stash already, but {unasked}"]
            raise StashAway(lines, self.folder) from None
        if self.folder is None:
            line = f"Stash tells where the database belongs, but {unasked} (data_dir names a folder without it)"
            raise StashAway([line], None)
        return Settings(loaded, self.folder, away=away, sure=last is not None, lacking=lacking)

    def _by_last_answer(self, last: Kept | None) -> tuple[Loaded, tuple[str, ...]]:
        """Return the settings by Stash's last answer, if stored, and the required ones that only its secrets held."""
        plugin_settings = dict(last.values) if last else {}
        try:
            return self._load(plugin_settings), ()
        except ConfigError as error:
            lacking = error.missing
            if self.need is SettingsNeed.WORK or not lacking or last is None or not set(lacking) <= set(last.withheld):
                raise
        return self._load({**plugin_settings, **{name: STAND_INS[name] for name in lacking}}), lacking


# --- the folder, and the settings in Stash ---------------------------------------------------------------------------


def known_place(loaded: Loaded, environ: Mapping[str, str]) -> DataFolder | None:
    """Return the folder that a setting names or that is in use; None if Stash's answer has to decide.

    A Plex server after the first has its own folder in the one of the first.
    """
    if loaded.config.data_dir:
        return _of_server(loaded, DataFolder(Path(loaded.config.data_dir), "data_dir names it"))
    usual = _usual(environ)
    in_use = place.known_folder(usual)
    if in_use is None and loaded.config.database_url and usual is not None and os.path.isdir(usual):  # noqa: PTH112
        in_use = DataFolder(usual, "it is the usual one, and the database is elsewhere")
    return _of_server(loaded, in_use) if in_use else None


def _of_server(loaded: Loaded, folder: DataFolder) -> DataFolder:
    return replace(folder, path=store_folder(folder.path, loaded.scope)) if loaded.scope else folder


def _usual(environ: Mapping[str, str]) -> Path | None:
    try:
        return default_data_dir(environ)
    except ConfigError:
        return None


def ask_stash(loaded: Loaded, folder: DataFolder | None) -> StashAnswer:
    """Ask Stash for the plugin's settings and, if unknown, the folder; raises NeighbourError, Unusable."""
    with closing(asking_stash(loaded.config)) as stash:
        plugin_settings = stash.plugin_settings(PLUGIN)
        if folder is None:
            folder = _of_server(loaded, place.choose_folder(_usual(os.environ), stash.config_path()))
        return StashAnswer(plugin_settings, folder)


def settings_in_stash(config: PlexSyncConfig, plugin: str) -> dict[str, object]:
    """Return the settings that Stash stores for a plugin; raises NeighbourError, Unusable."""
    with closing(asking_stash(config)) as stash:
        return stash.plugin_settings(plugin)


def last_answer(address: StoreAddress) -> Kept | None:
    """Return Stash's last answer from the database; None if there is none. Creates no file."""
    if not address.is_postgres and not os.path.lexists(address.path):
        return None
    try:
        with closing(open_database(address)) as store, store.reading() as db:
            return kept_answer(db.notes.text(STASH_SETTINGS))
    except (LocalFault, NewerDatabase, Unusable):
        # The next use of the database meets the same fault and reports it.
        return None


def kept_answer(text: str) -> Kept | None:
    """Read a stored answer; None if there is none, or the text is unreadable."""
    try:
        document = json.loads(text)
        return Kept(dict(document["given"]), tuple(map(str, document["withheld"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def in_stash(asked: Mapping[str, object] | None, address: StoreAddress) -> Mapping[str, object]:
    """Return what Stash answered when it was `asked`, else its last answer in the database; nothing if there is none."""
    last = last_answer(address) if asked is None else None
    return last.values if last else asked or {}


def keep_answer(store: Database, plugin_settings: Mapping[str, object]) -> None:
    """Store Stash's answer, without its secrets, for when Stash is away. Ignores a database that can't be written."""
    _keep(store, STASH_SETTINGS, answer_to_keep(plugin_settings))


def answer_to_keep(plugin_settings: Mapping[str, object]) -> str:
    """The text to store: only known settings that are set, and of a secret only that it was set."""
    names = {*PlexSyncConfig.model_fields, *EARLIER, *OPPOSITES} - set(NOT_FROM_STASH)
    stored = {
        name: value
        for name, value in sorted(plugin_settings.items())
        if name in names and value is not None and not is_emptied(value)
    }
    hidden = {name: value for name, value in stored.items() if name not in SECRETS}
    return json.dumps({"given": hidden, "withheld": [name for name in stored if name in SECRETS]})


def _keep(store: Database, name: str, text: str) -> None:
    with suppress(LocalFault, Unusable):
        with store.reading() as db:
            before = db.notes.text(name)
        if text != before:
            with store.writing() as tx:
                tx.notes.save(name, text)


def keep_valid(
    address: StoreAddress, where: status_settings.Sources, content: bytes, plugin_settings: Mapping[str, object]
) -> None:
    """Store Stash's answer, and that it is valid. Ignores a database that can't be used."""
    saved = json.dumps(plugin_settings, sort_keys=True)
    with suppress(LocalFault, NewerDatabase, Unusable), closing(open_database(address)) as store:
        keep_answer(store, plugin_settings)
        _keep(store, VALID_SETTINGS, where.fingerprint(content, salt_of(store), saved))


def keep_version(
    store: Database, config: PlexSyncConfig, number: str, changes: Callable[[], list[ChangelogEntry]] = read_changes
) -> None:
    """Note the version that uses this database; after an update also what it brings for you."""
    with suppress(LocalFault, Unusable):
        # A new database gets the version with its salt.
        salt_of(store)
        with store.reading() as db:
            before, waiting = db.notes.text(VERSION), db.notes.text(NEWS)
        if before and not is_newer(number, before):
            # It is known, or was: of two versions on one database, the older one does not make the newer one new again.
            return
        fresh = changes_for(config, changes(), after=before or BEFORE, until=number)
        with store.writing() as tx:
            tx.notes.save(VERSION, number)
            if fresh:
                tx.notes.save(NEWS, json.dumps([*fresh, *(json.loads(waiting) if waiting else [])]))


def keep(store: Database, where: status_settings.Sources, current: Settings) -> None:
    """Store Stash's answer if it was asked, what is new, and what `status` needs, unless a warning has to be repeated.

    Ignores a database that can't be written.
    """
    keep_version(store, current.loaded.config, version())
    if current.stash_settings is not None:
        keep_answer(store, current.stash_settings)
    content, loaded = where.content(), current.loaded
    # A CA file is checked whenever settings are loaded, so they have to be loaded every time.
    if content is None or loaded.warnings or loaded.config.tls_ca_file:
        return
    with suppress(LocalFault, Unusable):
        salt = salt_of(store)
        with store.reading() as db:
            answer, before = db.notes.text(STASH_SETTINGS), db.notes.text(STATUS_SETTINGS)
        if fingerprint := where.fingerprint(content, salt, answer):
            _keep(store, STATUS_SETTINGS, status_settings.format_note(loaded.config, fingerprint, before))
