"""Changing settings in plexsync.toml: a value is checked with the program's own rules, tried at its server, and written.

The set-up, the terminal and the dashboard use the same steps.
"""

import difflib
import ipaddress
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field
from datetime import UTC, datetime
from pathlib import Path

from plexsync.app.clients import changes_posters, machine_at, pillow, plex_at, stash_at
from plexsync.engine.clock import SystemClock
from plexsync.rules.record_class import record
from plexsync.rules.records import Section
from plexsync.rules.servers.errors import NeighbourError, Unusable
from plexsync.rules.words.text import fold
from validation import values
from validation.config import PlexSyncConfig, describe
from validation.plex_entries import entry_wins
from validation.redact import one_line
from validation.sources import ENTRY, ENVIRONMENT, NAMED_FILE, STAND_INS, ConfigError, Loaded, SettingSources, load
from validation.values import join_names, split_names
from validation.writing import UnclearFile, change_text, locked, new_file, save

PLEX_PORT, STASH_PORT = 32400, 9999
# Seconds that a server gets to answer.
PATIENCE = 8.0
# A value is tried at its server before it is written.
TRIED = ("plex_url", "plex_token", "plex_libraries", "stash_url", "stash_api_key")
# The secret that PlexSync sends to an address: who changes one gives the other anew, so that no secret is sent elsewhere.
SENT_TO = {"plex_url": "plex_token", "stash_url": "stash_api_key"}
# Settings whose terms have semicolons between them in one text, and not commas.
WITH_SEMICOLONS = ("path_map", "scope", "collection_name", "collection_sort")
# Words of a line about a value that was typed and not given on the command line.
ASIDE = " on the command line "

Hide = Callable[[Loaded], None]


def config_of(settings: Mapping[str, object]) -> PlexSyncConfig:
    """Settings with these values and no other source, with stand-ins for missing required ones. Raises ConfigError."""
    return load(environ={}, toml_path=None, overrides={**STAND_INS, **settings}).config


def check_values(where: SettingSources, texts: Mapping[str, str], *, hide: Hide) -> PlexSyncConfig:
    """Read typed values; raises ConfigError if one is invalid, or if it is the cause of a new problem with the others."""
    before = problems(where, hide=hide)
    loaded = load(environ={}, toml_path=None, plugin_settings=STAND_INS, overrides=texts)
    hide(loaded)
    if missing := why_no_pictures(loaded.config):
        raise ConfigError([missing])
    if new := [line for line in problems(where, texts, hide=hide) if line not in before]:
        raise ConfigError(new)
    return loaded.config


def why_no_pictures(config: PlexSyncConfig) -> str:
    """Why pictures can't be changed as these settings ask, with what installs the package; '' if they can."""
    if not changes_posters(config):
        return ""
    try:
        pillow(needed=True)
    except Unusable as error:
        return str(error)
    return ""


def problems(where: SettingSources, texts: Mapping[str, str] | None = None, *, hide: Hide) -> list[str]:
    """What is wrong with the settings from these sources, with these values in their place."""
    sources: SettingSources = {**where, "overrides": {**where.get("overrides", {}), **(texts or {})}}
    sources["may_be_missing"] = True
    try:
        # A required setting that is missing may be in Stash.
        loaded = load(**sources, plugin_settings=STAND_INS)
    except ConfigError as error:
        return error.lines
    hide(loaded)
    return []


@record
class FileChange:
    """A change of the settings file that is not written yet: the text before (None: no file), and the new one."""

    file: Path
    before: str | None = field(repr=False)
    text: str = field(repr=False)

    def copy_name(self) -> Path | None:
        """Where to keep the file as it is now; None if nothing in it would change."""
        if self.before in (None, self.text):
            return None
        real, moment = Path(os.path.realpath(self.file)), datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
        return real.with_name(f"{real.name}.{moment:%Y%m%dT%H%M%SZ}.bak")

    def write(self, *, kept: Path | None = None) -> None:
        """Replace the file, and first save the old one as `kept`. Raises ConfigError, and changes nothing.

        A file that has another text than before is left alone.
        """
        with _locked(self.file):
            if _text_of(self.file) != self.before:
                raise ConfigError([f"{self.file} was changed meanwhile: nothing was written, so begin anew"])
            self.replace(kept=kept)

    def replace(self, *, kept: Path | None = None) -> None:
        """Replace the file, which nobody else changes now."""
        try:
            save(self.file, self.text, kept=kept)
        except OSError as error:
            raise ConfigError([f"{self.file} can't be written: {error.strerror}"]) from None


def change_of(file: Path, settings: Mapping[str, object]) -> FileChange:
    """Change settings in the text of the file, and nothing else in it; None removes one. Raises ConfigError."""
    before = _text_of(file)
    try:
        return FileChange(file, before, new_file(settings) if before is None else change_text(before, settings))
    except UnclearFile as error:
        raise ConfigError([f"{file} can't be changed: {error}; change it by hand, or move it away"]) from None


def _text_of(file: Path) -> str | None:
    """The text of the file; None if there is none. Raises ConfigError."""
    try:
        # An unreadable folder is reported when the file is saved.
        return file.read_text(encoding="utf-8-sig") if os.path.exists(file) else None  # noqa: PTH110
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{file} can't be read: {reason}"]) from None


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    """Keep others from writing to the file. Raises ConfigError."""
    with ExitStack() as held:
        try:
            held.enter_context(locked(file))
        except OSError as error:
            raise ConfigError([f"{file} can't be written: {error.strerror}"]) from None
        yield


def write_into(file: Path, settings: Mapping[str, object]) -> None:
    """Change these settings in the file; None removes one. Raises ConfigError, and changes nothing.

    What others write at the same moment stays.
    """
    with _locked(file):
        change_of(file, settings).replace()


def overriding(here: Loaded, names: Iterable[str]) -> dict[str, str]:
    """The variables of the environment that win over these settings of a file, by the names of the settings."""
    ends = {ENVIRONMENT: "", NAMED_FILE: "_FILE"}
    variables = {setting.name: setting.variable for setting in describe() if setting.name in names}
    return {name: f"{variables[name]}{ends[here.origin[name]]}" for name in variables if here.origin[name] in ends}


def check_written_counts(here: Loaded, names: Iterable[str], lost: str) -> None:
    """Raise ConfigError if an entry or the environment would win over what is written; `lost` says so of a variable."""
    for name in names:
        if here.origin[name] == ENTRY:
            raise ConfigError([entry_wins(here.plex, name)])
    for variable in overriding(here, names).values():
        raise ConfigError([f"{variable} is set in the environment {lost}"])


def in_the_file(config: PlexSyncConfig, name: str) -> object:
    """The value of a setting as plexsync.toml holds it."""
    value = getattr(config, name)
    return list(value) if isinstance(value, tuple) else value


def typed_form(name: str, value: object) -> str | None:
    """The value as you would type it; None if only a list in plexsync.toml can say it."""
    text = str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, list | tuple):
        text = "; ".join(value) if name in WITH_SEMICOLONS else str(join_names(value))
    try:
        read, meant = (getattr(config_of({name: form}), name) for form in (text, value))
    except ConfigError:
        return None
    return text if read == meant else None


def why_unguarded(config: PlexSyncConfig) -> str:
    """Why serve opens no dashboard for others, who could use it without a password; '' if nothing forbids it."""
    place = values.host_and_port(config.web_bind)
    if place is None or config.web_password or place[0].lower() == "localhost":
        return ""
    with suppress(ValueError):
        if ipaddress.ip_address(place[0]).is_loopback:
            return ""
    return f"web_bind = {config.web_bind} can be reached by others, so web_password has to be set"


@record
class FoundPlex:
    """A Plex server that answers and accepts the token. `libraries` are the chosen names, none for all."""

    url: str
    token: str = field(repr=False)
    name: str
    version: str
    sections: tuple[Section, ...] = ()
    libraries: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """The libraries to use."""
        return self.libraries or tuple(section.title for section in self.sections)


@record
class FoundStash:
    """A Stash server that answers and accepts the key; `key` is '' if it needs none."""

    url: str
    key: str = field(repr=False)
    version: str


def why_not(name: str, value: object) -> str:
    """Why a setting can't have this value, in words that follow "it"; '' if it can."""
    try:
        config_of({name: value})
    except ConfigError as error:
        return error.lines[0].partition(ASIDE)[2] or error.lines[0]
    return ""


def like_a_secret(text: str) -> str:
    """What is wrong with a text that looks like a token or a key, where an address is asked for; '' for all others."""
    # A token of Plex has 20 letters of both cases, which no host name without a dot has; a key is three parts in base64.
    is_mixed = text not in (text.lower(), text.upper())
    if is_mixed and re.fullmatch(r"[\w-]{20,}|eyJ[\w-]+\.[\w.-]+", text):
        return "looks like a token or a key, and an address is needed here, such as 192.168.1.10"
    return ""


def address(text: str, port: int) -> str:
    """Complete a typed address: without a scheme it is plain HTTP, with the default port if none is given."""
    if not text or "://" in text or like_a_secret(text):
        return text
    host = text.rstrip("/")
    return f"http://{host}" if host.rpartition(":")[2].isdigit() else f"http://{host}:{port}"


def reach_plex(url: str, token: str, ca_file: str = "", *, machine: str = "", patience: float = PATIENCE) -> FoundPlex:
    """The server at an address, which gets the token once it has answered as a Plex server.

    `machine`: the identifier that it must have. Raises NeighbourError, and Unusable for an invalid address or token, or
    another server.
    """
    _check_valid(plex_url=url, plex_token=token)
    with plex_at(url, token, ca_file=ca_file, patience=patience) as plex:
        if machine_at(url, ca_file, patience) != machine and machine:
            raise Unusable(f"another Plex server answers at {url}, so no token was sent there")
        name, version = plex.identity()
        return FoundPlex(url, token, name, version, tuple(plex.sections()))


def reach_stash(url: str, key: str, ca_file: str = "", *, patience: float = PATIENCE) -> FoundStash:
    """The server at an address; raises NeighbourError, and Unusable for an invalid address."""
    _check_valid(stash_url=url)
    with stash_at(url, key, ca_file=ca_file, patience=patience) as stash:
        stash.probe()
        return FoundStash(url, key, stash.version())


def _check_valid(**settings: str) -> None:
    for name, value in settings.items():
        if problem := why_not(name, value):
            raise Unusable(f"{name} {problem}")


def try_connection(config: PlexSyncConfig, texts: Mapping[str, str]) -> None:
    """Try the server of these settings with them; raises NeighbourError, and Unusable if they can't be used there."""
    given = {name: texts.get(name, getattr(config, name)) for name in TRIED}
    ca_file = config.tls_ca_file
    if any(name.startswith("stash_") for name in texts):
        reach_stash(given["stash_url"], given["stash_api_key"], ca_file)
    if any(name.startswith("plex_") for name in texts):
        titles = reach_plex(given["plex_url"], given["plex_token"], ca_file).titles
        if problem := unknown_libraries(split_names(texts.get("plex_libraries", "")), titles):
            raise NotInPlex(problem)


class NotInPlex(Unusable):
    """Plex has answered, and has no movie library with a name that was given."""


def unknown_libraries(names: Iterable[str], titles: Iterable[str]) -> str:
    """Which of these names are none of Plex's movie libraries, and the nearest that are; '' if all are there."""
    by_name = {fold(title): title for title in titles}
    unknown = [name for name in names if fold(name) not in by_name]
    if not unknown:
        return ""
    near = [by_name[key] for name in unknown for key in difflib.get_close_matches(fold(name), by_name, n=1)]
    meant = f". Did you mean {' and '.join(dict.fromkeys(near))}? It has: " if near else "; it has: "
    return f"Plex has no movie library named {', '.join(unknown)}{meant}{', '.join(by_name.values())}"


def check_libraries(config: PlexSyncConfig, text: str) -> str:
    """Ask Plex whether it has these libraries; returns why that is not known. Raises ConfigError if it has not."""
    try:
        try_connection(config, {"plex_libraries": text})
    except NotInPlex as error:
        raise ConfigError([one_line(str(error))]) from None
    except (NeighbourError, Unusable) as error:
        return one_line(f"whether Plex has these libraries is not known: {error}")
    return ""
