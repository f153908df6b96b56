"""The sources of settings, and which source wins.

From strongest to weakest: the command line, the environment (`PLEXSYNC_<FIELD>`, or for a secret a file that
`PLEXSYNC_<FIELD>_FILE` names), `plexsync.toml`, the plugin's settings in Stash, the look (`validation.looks`), the
defaults. What a `[[plex]]` entry of `plexsync.toml` says is stronger than all of them, for that Plex server
(`validation.plex_entries`). All problems are reported at once, one per line, each with the setting, the place to change
it, and the rule. No line contains the value of a text setting.
"""

import os
import re
import ssl
import stat
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Required, TypedDict, Unpack

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from plexsync.rules.match.server_scopes import schema_beside
from plexsync.rules.record_class import record
from validation import database_settings, locations, plex_entries
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.database_settings import SCHEMA, URL, URL_FILE
from validation.locations import why_foreign
from validation.looks import look_of
from validation.picture_settings import EARLIER, earlier_name_line, is_read, present_names
from validation.plex_entries import PlexEntry, entries_in, place_of, twice, unknown
from validation.problem_text import ConfigError as ConfigError, guess, key_text, kind_of, quote, shorten, value_text
from validation.redact import one_line
from validation.removed import REMOVED, removed_in
from validation.secret_files import secret_in

ENVIRONMENT = "environment"
NAMED_FILE = "file named in the environment"
NAMED_BY_SETTING = "file named in a setting"
TOML = locations.TOML
ENTRY = "[[plex]] entry"
STASH = "Stash"
LOOK = "look"
DEFAULT = "default"
COMMAND_LINE = "command line"
# The sources of the database's URL and of the file with it, the weakest first.
_STRENGTH = (DEFAULT, STASH, TOML, ENVIRONMENT, COMMAND_LINE)

# Variables with PlexSync's prefix that are not settings: the path of plexsync.toml, the entry of the Plex server, the log
# level, and what the plugin sets inside Stash: the form of progress output, and how the worker was started.
# TEST_VARIABLES are for the tests alone: the folders of the API contracts and of recorded answers, the length of the
# random tests, and the number and choice of their seeds.
OTHER_VARIABLES = (
    "PLEXSYNC_CONFIG",
    "PLEXSYNC_PLEX",
    "PLEXSYNC_LOG",
    "PLEXSYNC_PROGRESS",
    "PLEXSYNC_LIFE",
    "PLEXSYNC_SIGNED_IN",
)
TEST_VARIABLES = ("PLEXSYNC_CONTRACTS", "PLEXSYNC_RECORDINGS", "PLEXSYNC_TORTURE", "PLEXSYNC_SEEDS", "PLEXSYNC_SEED")

_PREFIX = "PLEXSYNC_"
# The variables that Kubernetes sets in every container for a service named plexsync, or plexsync-something.
_SERVICE = re.compile(r"PLEXSYNC_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_MOST_TOLD = 20  # unknown names in one file
_LARGEST_FILE = 1_000_000  # bytes
_SETTINGS = {setting.name: setting for setting in describe()}
# Variables that name a file with a secret in it, as containers and services use them.
FILE_VARIABLES = {f"{_SETTINGS[name].variable}_FILE": name for name in SECRETS}

# Settings that Stash can't provide. Some are needed to reach Stash, or to find the note of its last answer. The
# password must not be in Stash, which shows it to everyone who can see its settings. The command is a program to run: a
# user who can change Stash's settings must not be able to run programs as PlexSync's user.
NOT_FROM_STASH = ("stash_url", "stash_api_key", "data_dir", "web_password", "notify_command", *database_settings.NAMES)
# Stash shows a switch as off until you turn it on. So a setting that is on by default is there under the name of its
# opposite: the switch in Stash, and the setting that it turns off. Those of earlier versions have the setting's own name.
OPPOSITES = {"titles_left_alone": "sync_title", "pause": "enabled"}
_SWITCHES = {setting: switch for switch, setting in OPPOSITES.items()}
# Values for the required settings if only other settings matter. No server has this name or token.
STAND_INS = {"plex_url": "http://plex.invalid", "plex_token": "-not-known-here-"}


class SettingSources(TypedDict, total=False):
    """Where this machine's settings come from, and for which Plex server they are.

    The file at `toml_path` has to exist, unless it `may_be_missing` because you did not name it. An override of None is
    ignored. `plex` names a `[[plex]]` entry, '' the first.
    """

    environ: Required[Mapping[str, str]]
    toml_path: Required[Path | None]
    overrides: Mapping[str, object]
    may_be_missing: bool
    plex: str


@record
class Loaded:
    """The settings of one Plex server, the source of each of them, and warnings for the user.

    `plex` is the name of its `[[plex]]` entry, and `servers` has the names of all entries in their order. Both are empty
    if there are no entries.
    """

    config: PlexSyncConfig
    origin: dict[str, str]
    warnings: tuple[str, ...] = ()
    plex: str = ""
    servers: tuple[str, ...] = ()

    @property
    def is_first(self) -> bool:
        """Whether this is the only Plex server, or the one of the first entry."""
        return self.servers[:1] in ((), (self.plex,))

    @property
    def scope(self) -> str:
        """The scope of the store of this server: '' for the first one, else the name of its entry."""
        return "" if self.is_first else self.plex


@dataclass
class _Findings:
    """Problems and warnings, collected so that one run reports everything to fix."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    lacking: dict[str, str] = field(default_factory=dict)
    """Problems that a required setting is missing: each line, and the name of the setting."""


def load(*, plugin_settings: Mapping[str, object] | None = None, **sources: Unpack[SettingSources]) -> Loaded:
    """The settings of one Plex server from all sources. Raises `ConfigError` with every problem, also of the others."""
    every, plex = load_servers(plugin_settings=plugin_settings, **sources), sources.get("plex", "")
    for loaded in every:
        if plex in ("", loaded.plex):
            return loaded
    raise ConfigError([unknown(plex, every[0].servers)])


def load_servers(
    *, plugin_settings: Mapping[str, object] | None = None, **sources: Unpack[SettingSources]
) -> tuple[Loaded, ...]:
    """The settings of all Plex servers in the order of their entries, whichever `plex` is; of one without entries.

    Each is as if it were the only server, with a scope of the store: the first one has the store of a single server, so an
    existing database goes on as that one's. Raises `ConfigError` with every problem found.
    """
    environ, toml_path, result = sources["environ"], sources["toml_path"], _Findings()
    environment = _from_environment(environ, result)
    secret_files = _from_secret_files(environ, result)
    overrides = _with_present_names(sources.get("overrides", {}), result)
    for name in _unknown(overrides):
        result.problems.append(f"{quote(name)} on the command line is no setting: {guess(name, _SETTINGS)}")
    stash = _from_stash(plugin_settings or {}, result)
    toml, raw_entries = _from_toml(toml_path, result, may_be_missing=sources.get("may_be_missing", False))
    file = shorten(toml_path.name) if toml_path else TOML
    entries, problems = entries_in(raw_entries, file, environ)
    result.problems += problems
    values: dict[str, object] = {}
    origin = dict.fromkeys(_SETTINGS, DEFAULT)
    # Later sources win.
    for source, settings in (
        (STASH, stash),
        (TOML, toml),
        (NAMED_FILE, secret_files),
        (ENVIRONMENT, environment),
        (COMMAND_LINE, _known_values(overrides)),
    ):
        values.update(settings)
        origin.update(dict.fromkeys(settings, source))
    _read_url_file(values, origin, result, file)
    # Of entries that can't be used, their own problems are told, and none of the settings that they would have.
    of_whom = entries or (() if problems else (None,))
    of_servers = [_of_server(values, origin, file, result, entry, is_first=entry in of_whom[:1]) for entry in of_whom]
    addresses = [(loaded.plex, loaded.config.plex_url) for loaded in of_servers if loaded is not None]
    result.problems += twice((pair for pair in addresses if pair[1] != STAND_INS["plex_url"]), file)
    result.problems = list(dict.fromkeys(result.problems))
    if result.problems:
        required_only = len(result.problems) == len(result.lacking)
        missing = dict.fromkeys(result.lacking.values()) if required_only else ()
        raise ConfigError([*result.problems, *result.unseen], missing=missing)
    warnings, servers = (*result.warnings, *result.unseen), tuple(entry.name for entry in entries)
    return tuple(replace(loaded, warnings=warnings, servers=servers) for loaded in of_servers if loaded is not None)


def _of_server(
    common: Mapping[str, object],
    origins: Mapping[str, str],
    file: str,
    result: _Findings,
    entry: PlexEntry | None,
    *,
    is_first: bool,
) -> Loaded | None:
    """The settings with those of one entry in them; None if there is a problem."""
    own = entry.settings if entry else {}
    values = {**common, **own}
    origin = {**origins, **dict.fromkeys(own, ENTRY)}
    if entry is not None and not is_first:
        # The store of each further server is a schema of its own, as it is a folder of its own.
        before = values.get(SCHEMA, PlexSyncConfig.model_fields[SCHEMA].default)
        values[SCHEMA] = schema_beside(str(before), entry.name)
        if any(origin[name] != DEFAULT for name in (URL, SCHEMA)):
            origin[SCHEMA] = ENTRY
    presets = look_of(values)
    values.update(presets)
    origin.update(dict.fromkeys(presets, LOOK))
    places = {name: _where(name, source, file) for name, source in origin.items() if source != ENTRY}
    places |= {SCHEMA: place_of(entry.name, file), **entry.places} if entry else {}
    try:
        config = PlexSyncConfig.model_validate(values)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False):
            name = str(item["loc"][0])
            line = _missing_line(name, file, entry) if item["type"] == "missing" else _line(item, values, places[name])
            result.problems.append(line)
            if item["type"] == "missing":
                result.lacking[line] = name
        return None
    if config.tls_ca_file and (trouble := _authorities_trouble(Path(config.tls_ca_file))):
        result.problems.append(f"tls_ca_file {places['tls_ca_file']} {trouble}")
    return Loaded(config, origin, plex=entry.name if entry else "")


def load_here(**sources: Unpack[SettingSources]) -> Loaded:
    """The settings of this machine alone, with stand-ins for missing required ones. Raises `ConfigError`."""
    try:
        return load(**sources)
    except ConfigError as error:
        if not error.missing:
            raise
    return load(plugin_settings=STAND_INS, **sources)


def _authorities_trouble(path: Path) -> str:
    """Why a file of certificates can't be used, as words that follow the setting's name; '' if it can."""
    try:
        authorities = path.stat()
        if not stat.S_ISREG(authorities.st_mode):
            return "must name a file; this is a folder or a device"
        if sys.platform != "win32" and authorities.st_mode & stat.S_IWOTH:
            return "must name a file that not every user can change: chmod 644 it"
        if authorities.st_size > _LARGEST_FILE:
            return "must name a file of certificates; this one is larger than 1 MB"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cafile=str(path))
    except FileNotFoundError:
        return "must name a file that exists"
    except ssl.SSLError:
        return "must name a file with certificates in PEM form; this one holds none that can be read"
    except OSError:
        return "must name a file that the user of PlexSync may read"
    return "" if context.cert_store_stats()["x509"] else "must name a file with certificates in PEM form"


def _read_url_file(values: dict[str, object], origin: dict[str, str], result: _Findings, file: str) -> None:
    """Put in the URL from the file that `database_url_file` names, unless a stronger source has the URL itself."""
    path, by = values.get(URL_FILE), origin[URL_FILE]
    if not database_settings.is_file_name(path) or _STRENGTH.index(by) < _STRENGTH.index(origin[URL]):
        return
    where = f"{URL_FILE} {_where(URL_FILE, by, file)}"
    if origin[URL] == by and values[URL]:
        result.problems.append(f"{where} and {URL} are both set: keep one of them")
        return
    try:
        values[URL] = secret_in(Path(str(path)))
        origin[URL] = NAMED_FILE if by == ENVIRONMENT else NAMED_BY_SETTING
    except ValueError as error:
        result.problems.append(f"{where} {error}")


def _known_values(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name in _SETTINGS and value is not None}


def _unknown(values: Mapping[str, object]) -> list[str]:
    return sorted(values.keys() - _SETTINGS.keys())


def _from_stash(values: Mapping[str, object], result: _Findings) -> dict[str, object]:
    """The plugin's settings. Stash keeps values of older versions that you can't remove there, so they are no error."""
    # A setting that was removed and is off, or cleared, is nothing to speak of.
    unused = {name for name in (*EARLIER, *REMOVED) if is_emptied(values.get(name))}
    unused |= {name for name in REMOVED if values.get(name) is False}
    values = {name: value for name, value in values.items() if name not in unused}
    place = "in the plugin settings in Stash"
    values = _without_removed(values, result, lambda name: f"{name} {place} {removed_in(name)} and has no effect")
    values, problems, warnings = as_settings(_with_present_names(values, result))
    result.problems += problems
    result.warnings += warnings
    for name in _unknown(values):
        result.warnings.append(f"{quote(name)} in the plugin settings in Stash is no setting and has no effect")
    setting = {name: value for name, value in _known_values(values).items() if not is_emptied(value)}
    for name in NOT_FROM_STASH:
        if setting.pop(name, None) is not None:
            result.warnings.append(f"{name} in the plugin settings in Stash has no effect: set it in {TOML}")
    return setting


def as_settings(values: Mapping[str, object]) -> tuple[dict[str, object], list[str], list[str]]:
    """The stored values by the names of settings, what is wrong with them, and warnings; a switch wins over its old name."""
    settings = {name: value for name, value in values.items() if name not in OPPOSITES}
    problems, warnings = list[str](), list[str]()
    for switch, setting in OPPOSITES.items():
        value = values.get(switch)
        if isinstance(value, bool):
            settings[setting] = not value
        elif value not in (None, ""):
            problems.append(f"{switch} in the plugin settings in Stash must be true or false")
        elif values.get(setting) is False:
            warnings.append(f"{setting} in the plugin settings in Stash is the switch {switch} now: turn that on")
    return settings, problems, warnings


def as_in_stash(before: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    """What to store after these changes, by the names of settings; None removes one."""
    after = {**before, **changes}
    for name in changes.keys() & _SWITCHES.keys():
        value = after.pop(name)
        after[_SWITCHES[name]] = value == "false" if value else None
    return {name: value for name, value in after.items() if value is not None}


def is_emptied(value: object) -> bool:
    """Whether the value is what Stash stores for a cleared field: an empty text or the number 0."""
    return value == "" or (isinstance(value, int | float) and not isinstance(value, bool) and value == 0)


def _from_environment(environ: Mapping[str, str], result: _Findings) -> dict[str, object]:
    names = {setting.variable: setting.name for setting in _SETTINGS.values()}
    names |= {f"{_PREFIX}{name.upper()}": name for name in EARLIER}
    removed = {f"{_PREFIX}{name.upper()}": name for name in REMOVED}
    fields = [*names, *FILE_VARIABLES, *OTHER_VARIABLES]
    for variable in sorted(environ):
        port = variable.endswith("_PORT") and re.match(r"(tcp|udp|sctp)://", environ[variable])
        if port or _SERVICE.fullmatch(variable) or variable in (*fields, *removed, *TEST_VARIABLES):
            continue
        if variable.upper().startswith(_PREFIX) and not plex_entries.is_token_variable(variable):
            hint = guess(variable.upper(), fields)
            result.problems.append(f"{quote(variable)} in the environment is no setting: {hint}")
    present = {variable: name for variable, name in names.items() if variable in environ}
    # PLEXSYNC_DATABASE_URL_FILE is a setting as well: empty, it counts as not set, like each name of a secret's file.
    settings = {
        name: environ[variable]
        for variable, name in present.items()
        if environ[variable] or variable not in FILE_VARIABLES
    }
    result.warnings += [
        f"{variable} in the environment {removed_in(name)}: delete the variable"
        for variable, name in removed.items()
        if variable in environ
    ]
    return _with_present_names(settings, result, f"in {_PREFIX}{{}} ")


def _from_secret_files(environ: Mapping[str, str], result: _Findings) -> dict[str, object]:
    """The secrets in the files that the environment names. Their names are never quoted: one may be the secret itself."""
    path: dict[str, object] = {}
    for variable, name in FILE_VARIABLES.items():
        if not environ.get(variable) or name == URL:
            continue
        if _SETTINGS[name].variable in environ:
            result.problems.append(f"{variable} and {_SETTINGS[name].variable} are both set: keep one of them")
            continue
        try:
            path[name] = secret_in(Path(environ[variable]))
        except ValueError as error:
            result.problems.append(f"{variable} {error}")
    return path


def _from_toml(path: Path | None, result: _Findings, *, may_be_missing: bool) -> tuple[dict[str, object], object]:
    """The settings in the file, and the value of `plex` (None: it has none).

    An unreadable file ends the search: without it, other settings would seem wrong too.
    """
    if path is None or (may_be_missing and not _exists(path, result)):
        return {}, None
    try:
        table = _table_in(path)
    except ConfigError as error:
        raise ConfigError([*result.problems, *error.lines]) from None
    entries = table.pop(plex_entries.KEY, None)
    table = _of_now(table, result, path)
    if isinstance(entries, list):
        entries = [_of_now(entry, result, path) if isinstance(entry, dict) else entry for entry in entries]
    unknown = _unknown(table)
    for name in unknown[:_MOST_TOLD]:
        result.problems.append(f"{key_text(name)} in {shorten(path.name)} is no setting: {guess(name, _SETTINGS)}")
    if len(unknown) > _MOST_TOLD:
        result.problems.append(f"{len(unknown) - _MOST_TOLD:,} more names in {shorten(path.name)} are no settings")
    result.warnings += _readers_warning(path, table, entries)
    return _known_values(table), entries


def _of_now(table: Mapping[str, object], result: _Findings, path: Path) -> dict[str, object]:
    """The settings of a table in a file, under their present names and without those that were removed."""
    return _with_present_names(
        _without_removed(
            table, result, lambda name: f"{name} {removed_in(name)}: delete the line in {shorten(path.name)}"
        ),
        result,
    )


def _without_removed(
    values: Mapping[str, object], result: _Findings, line: Callable[[str], str]
) -> Mapping[str, object]:
    """The values without the settings that were removed. Each of those is reported once."""
    lines = [line(name) for name in values if name in REMOVED]
    result.warnings += [line for line in lines if line not in result.warnings]
    return {name: value for name, value in values.items() if name not in REMOVED}


def _with_present_names(values: Mapping[str, object], result: _Findings, place: str = "") -> dict[str, object]:
    """The values under the present names of their settings. Each earlier name is reported once, those in tables as well.

    A value that an earlier name can't have is reported under that name.
    """
    unread = [name for name in EARLIER if values.get(name) is not None and not is_read(name, values[name])]
    result.problems += [
        f"{name} {place.format(name.upper())}must be true or false, not {value_text(values[name])}" for name in unread
    ]
    values = {name: value for name, value in values.items() if name not in unread}
    tables = values.get("libraries")
    inside = [table for table in (tables.values() if isinstance(tables, Mapping) else ()) if isinstance(table, Mapping)]
    here = [name for name in EARLIER if values.get(name) is not None and not is_emptied(values[name])]
    earlier = [name for name in EARLIER if name in here or any(name in table for table in inside)]
    result.warnings += [line for line in map(earlier_name_line, earlier) if line not in result.warnings]
    return present_names(values)


def _exists(path: Path, result: _Findings) -> bool:
    """False if nothing is there, as far as this user can tell. `_table_in` reports a file that can't be read."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except PermissionError:
        result.unseen.append(f"{one_line(str(path))} is left out: this user may not look into its folder")
        return False
    except (OSError, ValueError):
        pass
    return True


def _table_in(path: Path) -> dict[str, object]:
    """The content of a settings file. Raises `ConfigError`, which quotes nothing of it, for anything that can't be one."""
    name, correct = one_line(str(path)), "correct the path (--config, PLEXSYNC_CONFIG)"
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ConfigError([f"{name} is a folder: give the path of the file in it"])
        if not stat.S_ISREG(mode):
            raise ConfigError([f"{name} is not a regular file: give the path of a settings file"])
        with path.open("rb") as file:
            if trouble := why_foreign(name, os.fstat(file.fileno())):
                raise ConfigError([trouble])
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError([f"{name} does not exist: create it or {correct}"]) from None
    except PermissionError:
        raise ConfigError([f"{name} may not be read: let the user that runs PlexSync read it"]) from None
    except (OSError, ValueError):
        raise ConfigError([f"{name} can't be read: {correct}"]) from None
    if len(content) > _LARGEST_FILE:
        raise ConfigError([f"{name} is larger than 1 MB: that is no settings file"])
    invalid = f"{shorten(path.name)} is not valid TOML"
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError([f"{shorten(path.name)} is not UTF-8 text: save it in that encoding"]) from None
    except tomllib.TOMLDecodeError as error:
        # The rest of the parser's message may quote the file.
        place = re.search(r"at line (\d+), column (\d+)\)$", str(error))
        where = f" at line {place[1]}, column {place[2]}" if place else " at its end"
        lines = content.decode("utf-8-sig").splitlines()[: int(place[1]) if place else None]
        raise ConfigError([f"{invalid}{where}: {_mend(error, lines)}"]) from None
    except (ValueError, RecursionError):  # a number with thousands of digits, or hundreds of nested brackets
        raise ConfigError([f"{invalid}: a number in it is too long, or brackets too deep"]) from None


def _mend(error: tomllib.TOMLDecodeError, lines: list[str]) -> str:
    """What to do about an error in the last of these lines, as far as the parser says what it is."""
    # How the parser's messages begin for a setting, and for a table, that is there already.
    if not str(error).startswith(("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key")):
        return "look for missing quotes there"
    keys = [matched[1] for line in lines if (matched := re.match(r"\s*([A-Za-z_]+)\s*=", line))]
    # The last line of a longer value has no name of its own.
    here = key_text(keys[-1]) if lines[-1].lstrip().startswith(tuple(keys[-1:])) else "what stands there"
    return f"{here} is in the file twice: keep one of them"


def _readers_warning(path: Path, table: Mapping[str, object], entries: object) -> list[str]:
    """A warning if others can read the file. None on Windows, where the mode bits don't say who can."""
    tables = [table, *(entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict))]
    held = [name for name in SECRETS if any(table.get(name) for table in tables)]
    if not held or sys.platform == "win32" or not path.stat().st_mode & stat.S_IROTH:
        return []
    return [
        f"every user of this machine can read {' and '.join(held)} in {one_line(str(path))}: chmod 600 {one_line(str(path))}"
    ]


def _line(item: ErrorDetails, values: Mapping[str, object], place: str) -> str:
    """The line of an invalid value at this place."""
    setting = _SETTINGS[str(item["loc"][0])]
    if item["type"] == "value_error":
        return f"{setting.name} {place} {item['ctx']['error']}"
    shape_only = PlexSyncConfig.model_fields[setting.name].annotation in (str, tuple[str, ...])
    value = values[setting.name]
    return f"{setting.name} {place} must be {setting.rule}, not {kind_of(value) if shape_only else value_text(value)}"


def _missing_line(name: str, file: str, entry: PlexEntry | None) -> str:
    """The line of a required setting that no source has."""
    if entry is None:
        variable = _SETTINGS[name].variable
        return (
            f"{name} is missing: set it in {TOML}, as {variable} in the environment, or in the plugin settings in Stash"
        )
    variable = f", as {plex_entries.variable_of(entry.name)} in the environment" if name == plex_entries.TOKEN else ""
    return (
        f"{name} is missing {place_of(entry.name, file)}: set it there{variable}, or for all servers above the entries"
    )


def _where(name: str, source: str, file: str) -> str:
    return {
        COMMAND_LINE: "on the command line",
        ENVIRONMENT: f"in {_SETTINGS[name].variable}",
        NAMED_FILE: f"in the file that {_SETTINGS[name].variable}_FILE names",
        NAMED_BY_SETTING: f"in the file that {name}_file names",
        TOML: f"in {shorten(file)}",
        STASH: "in the plugin settings in Stash",
        LOOK: "from the look",
        DEFAULT: f"(default {_SETTINGS[name].default})",
    }[source]


def default_data_dir(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """The folder that PLEXSYNC_DATA_DIR names, else the user's folder for PlexSync's data.

    Raises `ConfigError` if the user has no home folder.
    """
    folder = locations.data_folder(environ, platform)
    if folder is None:
        raise ConfigError(["there is no home folder to keep the database in: set PLEXSYNC_DATA_DIR to a folder"])
    return Path(folder)
