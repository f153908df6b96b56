"""Writes the settings of a set-up where the plugin's settings are: into Stash, and the Plex token into plexsync.toml.

Stash shows its settings to everyone who can open them, so the token is not kept there. A setting that is in
plexsync.toml already, or that a field of Stash can't express, is written there too, since that file wins.
"""

import os
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

from plexsync.app.asking import asking_stash
from plexsync.app.settings import PLUGIN, SettingSources
from plexsync.cli.call import Call
from plexsync.cli.settings import sources
from plexsync.rules.errors import NeighbourError
from validation import values
from validation.config import SECRETS, describe
from validation.locations import TOML as TOML_FILE
from validation.plex_entries import entry_wins
from validation.sources import ENTRY, ENVIRONMENT, NAMED_FILE, STAND_INS, TOML, ConfigError, Loaded, load, load_here
from validation.writing import HEAD, UnclearFile, changed, save

VARIABLES = {setting.name: setting.variable for setting in describe()}


def settings_file(call: Call, folder: Path) -> Path:
    """The plexsync.toml of the plugin: the one that is in use, else one beside the database."""
    if call.config_file:
        return call.config_file
    return Path(os.environ.get("PLEXSYNC_CONFIG") or folder / TOML_FILE)


def here_of(call: Call, folder: Path) -> Loaded:
    """The settings of this machine."""
    return load_here(**_origins(call, folder))


def _origins(call: Call, folder: Path) -> SettingSources:
    origins = sources(call)
    file = settings_file(call, folder)
    origins["toml_path"] = file if os.path.exists(file) else None  # noqa: PTH110 - a broken link is no file either
    return origins


def write_settings(call: Call, folder: Path, settings: Mapping[str, object]) -> None:
    """Write these settings (None removes one); raises ConfigError if another source would win, NeighbourError.

    Either all are written, or the message says which part is not.
    """
    here = here_of(call, folder)
    for name in settings:
        if here.origin[name] == ENTRY:
            raise ConfigError([entry_wins(here.plex, name)])
        if here.origin[name] in (ENVIRONMENT, NAMED_FILE):
            variable = VARIABLES[name]
            problem = (
                f"{variable} is set in the environment of Stash, and wins over what is chosen here: remove it there"
            )
            raise ConfigError([problem])
    in_stash: dict[str, object] = {}
    in_file: dict[str, object] = {}
    for name, value in settings.items():
        text = stash_form(name, value)
        if name in SECRETS or here.origin[name] == TOML or text is None:
            in_file[name] = value
            in_stash[name] = None
        else:
            in_stash[name] = text
    if in_file:
        _into_file(settings_file(call, folder), in_file)
    with closing(asking_stash(here.config)) as stash:
        before = stash.plugin_settings(PLUGIN)
        after = {name: value for name, value in {**before, **in_stash}.items() if value is not None}
        if after != before:
            stash.configure_plugin(PLUGIN, after)


def stash_form(name: str, value: object) -> str | None:
    """The value as Stash's field takes it ('' for none); None if the field can't express it."""
    if value is None or value == []:
        return ""
    text = str(value)
    if isinstance(value, list):
        text = "; ".join(value) if name == "path_map" else str(values.join_names(value))
    with suppress(ConfigError):
        read = load(environ={}, toml_path=None, plugin_settings={**STAND_INS, name: text})
        meant = load(environ={}, toml_path=None, overrides={**STAND_INS, name: value})
        if getattr(read.config, name) == getattr(meant.config, name):
            return text
    return None


def _into_file(file: Path, settings: Mapping[str, object]) -> None:
    try:
        before = file.read_text(encoding="utf-8-sig") if os.path.exists(file) else HEAD  # noqa: PTH110
        text = changed(before, settings)
        if text != before:
            save(file, text)
    except UnclearFile as error:
        raise ConfigError([f"{file} can't be changed: {error}; move it away, then try again"]) from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{file} can't be written: {reason}; nothing was changed"]) from None


def settings_in_use(call: Call, folder: Path) -> Loaded:
    """The settings from all sources; raises ConfigError, whose `missing` names what a set-up has to find."""
    here = here_of(call, folder)
    try:
        with closing(asking_stash(here.config)) as stash:
            plugin_settings = stash.plugin_settings(PLUGIN)
    except NeighbourError as error:
        raise ConfigError([f"{error}: Stash holds the settings of its plugin"]) from None
    return load(**_origins(call, folder), plugin_settings=plugin_settings)
