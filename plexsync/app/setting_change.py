"""Changing settings in plexsync.toml: a value is checked with the program's own rules, tried at its server, and written.

The terminal and the dashboard use the same steps.
"""

import ipaddress
from collections.abc import Callable, Mapping
from pathlib import Path

from plexsync.app.clients import plex_at, stash_at
from plexsync.app.settings import SettingSources
from plexsync.rules.errors import Unusable
from plexsync.rules.text import fold
from validation import values
from validation.config import PlexSyncConfig
from validation.sources import STAND_INS, ConfigError, Loaded, load
from validation.template import new_file
from validation.values import join_names, split_names
from validation.writing import UnclearFile, changed, save

# Seconds that a server gets to answer.
PATIENCE = 8.0
# A value is tried at its server before it is written.
TRIED = ("plex_url", "plex_token", "plex_libraries", "stash_url", "stash_api_key")
# Settings whose terms have semicolons between them in one text, and not commas.
WITH_SEMICOLONS = ("path_map", "scope", "collection_name", "collection_sort")
# Words of a line about a value that was typed and not given on the command line.
ASIDE = " on the command line "

Hide = Callable[[Loaded], None]


def checked(where: SettingSources, texts: Mapping[str, str], *, hide: Hide) -> PlexSyncConfig:
    """Read typed values; raises ConfigError if one is invalid, or if it is the cause of a new problem with the others."""
    before = problems(where, hide=hide)
    loaded = load(environ={}, toml_path=None, plugin_settings=STAND_INS, overrides=texts)
    hide(loaded)
    if new := [line for line in problems(where, texts, hide=hide) if line not in before]:
        raise ConfigError(new)
    return loaded.config


def problems(where: SettingSources, texts: Mapping[str, str] | None = None, *, hide: Hide) -> list[str]:
    """What is wrong with the settings from these sources, with these values in their place."""
    try:
        loaded = load(
            environ=where["environ"],
            toml_path=where["toml_path"],
            # A required setting that is missing may be in Stash.
            plugin_settings=STAND_INS,
            overrides={**where["overrides"], **(texts or {})},
            may_be_missing=True,
            plex=where["plex"],
        )
    except ConfigError as error:
        return error.lines
    hide(loaded)
    return []


def write_into(file: Path, settings: Mapping[str, object]) -> None:
    """Change settings in the file, and nothing else in it; None removes one. Raises ConfigError, and changes nothing."""
    text = _text_of(file)
    try:
        save(file, changed(text or "", settings) if text is not None else new_file(settings))
    except UnclearFile as error:
        raise ConfigError([f"{file.name}: {error}; change it by hand"]) from None
    except OSError as error:
        raise ConfigError([f"{file} can't be written: {error.strerror}"]) from None


def _text_of(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{file} can't be read: {reason}"]) from None


def in_the_file(config: PlexSyncConfig, name: str) -> object:
    """The value of a setting as plexsync.toml holds it."""
    value = getattr(config, name)
    return list(value) if isinstance(value, tuple) else value


def typed_form(config: PlexSyncConfig, name: str) -> str | None:
    """The value as you would type it; None if only a list in plexsync.toml can say it."""
    value = getattr(config, name)
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, tuple):
        text = "; ".join(value) if name in WITH_SEMICOLONS else str(join_names(value))
    try:
        same = load(environ={}, toml_path=None, overrides={**STAND_INS, name: text}).config
    except ConfigError:
        return None
    return text if getattr(same, name) == value else None


def unguarded(config: PlexSyncConfig) -> str:
    """Why serve opens no dashboard for others, who could use it without a password; '' if nothing forbids it."""
    place = values.host_and_port(config.web_bind)
    if place is None or config.web_password or _is_loopback(place[0]):
        return ""
    return f"web_bind = {config.web_bind} can be reached by others, so web_password has to be set"


def _is_loopback(host: str) -> bool:
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def try_connection(config: PlexSyncConfig, texts: Mapping[str, str]) -> None:
    """Try the server of these settings with them; raises NeighbourError, and Unusable if they can't be used there."""
    given = {name: texts.get(name, getattr(config, name)) for name in TRIED}
    ca_file = config.tls_ca_file
    if any(name.startswith("stash_") for name in texts):
        with stash_at(given["stash_url"], given["stash_api_key"], ca_file=ca_file, patience=PATIENCE) as stash:
            stash.probe()
    if any(name.startswith("plex_") for name in texts):
        with plex_at(given["plex_url"], given["plex_token"], ca_file=ca_file, patience=PATIENCE) as plex:
            plex.identity()
            titles = [section.title for section in plex.sections()]
        wanted = {fold(title) for title in split_names(texts.get("plex_libraries", ""))}
        if wanted - {fold(title) for title in titles}:
            raise Unusable(f"Plex has these movie libraries: {', '.join(titles)}")
