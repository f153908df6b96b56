"""Changes one setting of a program that is set up: asks for it, tests it, and writes it into plexsync.toml."""

import os
from collections.abc import Callable
from pathlib import Path

from plexsync.app.setting_change import try_connection
from plexsync.cli.call import Call
from plexsync.cli.settings import toml_of
from plexsync.cli.terminal.discovery import PLEX_PORT, STASH_PORT, Hide, address, tried, why_not
from plexsync.cli.terminal.plex_discovery import sign_in
from plexsync.cli.terminal.prompts import Person
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.plex_entries import entry_wins
from validation.sources import ENTRY, ENVIRONMENT, NAMED_FILE, ConfigError, Loaded
from validation.writing import HEAD, UnclearFile, changed, save

# The settings that have one right value here.
MENDED: dict[str, object] = {"enabled": True, "strict_mode": False}
PORTS = {"plex_url": PLEX_PORT, "stash_url": STASH_PORT}
OPTION = "a value in plexsync.toml"


def change(call: Call, person: Person, loaded: Loaded, name: str, hidden: Hide) -> str:
    """Ask for a new value, test it and write it; returns what was done, '' if nothing was. Raises ConfigError."""
    _check_origin(loaded, name)
    value = MENDED[name] if name in MENDED else _asked(person, loaded.config, name, hidden)
    return _written(call, name, value) if value is not None else ""


def signed_in(call: Call, person: Person, loaded: Loaded, hidden: Hide) -> str:
    """Sign in to Plex again, and write the new token; returns what was done, '' if nothing was. Raises ConfigError."""
    _check_origin(loaded, "plex_token")
    plex = sign_in(person, loaded, hidden)
    if plex is None:
        return ""
    if plex.url != loaded.config.plex_url:
        _check_origin(loaded, "plex_url")
        _written(call, "plex_url", plex.url)
    return _written(call, "plex_token", plex.token)


def _asked(person: Person, config: PlexSyncConfig, name: str, hidden: Hide) -> object | None:
    """A new value that its server takes; None if you give none, or the server does not take it."""
    if name in SECRETS:
        typed = person.hidden(f"{name} (typed unseen; empty: leave it)", option=OPTION, wrong=_wrong(name))
        hidden(typed)
    else:
        typed = person.line(f"{name} (empty: leave it)", option=OPTION, wrong=_wrong(name))
    value = address(typed, PORTS[name]) if name in PORTS else typed
    if not value or tried(person, lambda: _takes(config, name, value)) is None:
        return None
    return [part.strip() for part in value.split(",")] if name == "plex_libraries" else value


def _wrong(name: str) -> Callable[[str], str]:
    return lambda text: why_not(name, address(text, PORTS[name]) if name in PORTS else text) if text else ""


def _takes(config: PlexSyncConfig, name: str, value: str) -> bool:
    """True; raises NeighbourError and Unusable if the server of the setting does not take the value."""
    try_connection(config, {name: value})
    return True


def _check_origin(loaded: Loaded, name: str) -> None:
    """Raise ConfigError if the environment or an entry would win over what is written above the entries of the file."""
    if loaded.origin[name] == ENTRY:
        raise ConfigError([entry_wins(loaded.plex, name)])
    ends = {ENVIRONMENT: "", NAMED_FILE: "_FILE"}
    if (origin := loaded.origin[name]) in ends:
        variable = next(setting.variable for setting in describe() if setting.name == name)
        raise ConfigError(
            [f"{variable}{ends[origin]} is set in the environment, and wins over plexsync.toml: change it there"]
        )


def _written(call: Call, name: str, value: object) -> str:
    file: Path = toml_of(call)
    try:
        before = file.read_text(encoding="utf-8-sig") if os.path.exists(file) else HEAD  # noqa: PTH110
        text = changed(before, {name: value})
        if text != before:
            save(file, text)
    except UnclearFile as error:
        raise ConfigError([f"{file} can't be changed: {error}; change {name} in it by hand"]) from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{file} can't be written: {reason}; nothing was changed"]) from None
    return f"{name} is written into {file}. A running worker takes it over by itself."
