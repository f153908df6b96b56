"""Changes one setting of a program that is set up: asks for it, tests it, and writes it into plexsync.toml."""

from collections.abc import Mapping

from plexsync.app.setting_change import (
    PLEX_PORT,
    STASH_PORT,
    address,
    check_written_counts,
    try_connection,
    why_not,
    write_into,
)
from plexsync.cli.settings import toml_of
from plexsync.cli.setup.finder import Finder, Given
from plexsync.cli.terminal.prompts import Person
from validation.config import SECRETS, PlexSyncConfig
from validation.sources import Loaded

# The settings that have one right value here.
MENDED: dict[str, object] = {"enabled": True, "strict_mode": False}
PORTS = {"plex_url": PLEX_PORT, "stash_url": STASH_PORT}


def change(person: Person, loaded: Loaded, name: str) -> str:
    """Ask for a new value, test it and write it; returns what was done, '' if nothing was. Raises ConfigError."""
    _check(loaded, name)
    value = MENDED[name] if name in MENDED else _new_value(person, loaded.config, name)
    return _write(person, {name: value}) if value is not None else ""


def sign_in(person: Person, loaded: Loaded) -> str:
    """Sign in to Plex again, and write the new token; returns what was done, '' if nothing was. Raises ConfigError."""
    _check(loaded, "plex_token")
    plex = Finder(person, Given(plex_url=loaded.config.plex_url), loaded).plex_of_account()
    if plex is None:
        return ""
    if plex.url == loaded.config.plex_url:
        return _write(person, {"plex_token": plex.token})
    _check(loaded, "plex_url")
    return _write(person, {"plex_url": plex.url, "plex_token": plex.token})


def _new_value(person: Person, config: PlexSyncConfig, name: str) -> object | None:
    """A new value that its server takes; None if you give none, or the server does not take it."""

    def meant(text: str) -> str:
        return address(text, PORTS[name]) if name in PORTS else text

    def takes() -> bool:
        try_connection(config, {name: value})
        return True

    unseen = name in SECRETS
    value = meant(
        person.line(
            f"{name} ({'typed unseen; ' if unseen else ''}empty: leave it)",
            option="a value in plexsync.toml",
            wrong=lambda text: why_not(name, meant(text)) if text else "",
            unseen=unseen,
        )
    )
    if not value or person.try_out(takes) is None:
        return None
    return [part.strip() for part in value.split(",")] if name == "plex_libraries" else value


def _check(loaded: Loaded, name: str) -> None:
    check_written_counts(loaded, [name], "and wins over plexsync.toml: change it there")


def _write(person: Person, settings: Mapping[str, object]) -> str:
    file = toml_of(person.call)
    write_into(file, settings)
    done = f"{' and '.join(settings)} {'is' if len(settings) == 1 else 'are'} written into {file}"
    return f"{done}. A running worker takes it over by itself."
