"""The sources of settings, and which source wins.

From strongest to weakest: the command line, the environment (`PLEXSYNC_<FIELD>`, or for a secret a file that
`PLEXSYNC_<FIELD>_FILE` names), `plexsync.toml`, the plugin's settings in Stash, the look (`validation.looks`), the
defaults. All problems are reported at once, one per line, each with the setting, the place to change it, and the rule. No
line contains the value of a text setting.
"""

import re
import stat
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from pydantic import ValidationError

from validation import database_settings, locations
from validation.authorities import authorities_trouble
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.database_settings import URL, URL_FILE
from validation.looks import look_of
from validation.problem_text import file_name, full_path, guess, key_text, kind_of, quoted, shortened, value_text
from validation.secret_files import secret_in

ENVIRONMENT = "environment"
NAMED_FILE = "file named in the environment"
NAMED_BY_SETTING = "file named in a setting"
TOML = locations.TOML
STASH = "Stash"
LOOK = "look"
DEFAULT = "default"
COMMAND_LINE = "command line"
# The sources of the database's URL and of the file with it, the weakest first.
_STRENGTH = (DEFAULT, STASH, TOML, ENVIRONMENT, COMMAND_LINE)

# Variables with PlexSync's prefix that are not settings: the path of plexsync.toml, the log level, and what the plugin
# sets inside Stash: the form of progress output, and how the worker was started. TEST_VARIABLES are for the tests alone:
# the folders of the API contracts and of recorded answers, the length of the random tests, and the number and choice of
# their seeds.
OTHER_VARIABLES = ("PLEXSYNC_CONFIG", "PLEXSYNC_LOG", "PLEXSYNC_PROGRESS", "PLEXSYNC_LIFE", "PLEXSYNC_SIGNED_IN")
TEST_VARIABLES = ("PLEXSYNC_CONTRACTS", "PLEXSYNC_RECORDINGS", "PLEXSYNC_TORTURE", "PLEXSYNC_SEEDS", "PLEXSYNC_SEED")
# Kubernetes sets such variables in every container for a service named plexsync, or plexsync-something.
_SERVICE = re.compile(r"PLEXSYNC_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_PORT = re.compile(r"(tcp|udp|sctp)://")

_PREFIX = "PLEXSYNC_"
_LARGEST_FILE = 1_000_000  # bytes
_MOST_TOLD = 20  # unknown names in one file
_SETTINGS = {setting.name: setting for setting in describe()}
# Variables that name a file with a secret in it, as containers and services use them.
FILE_VARIABLES = {f"{_SETTINGS[name].variable}_FILE": name for name in SECRETS}

# Settings that Stash can't provide. Some are needed to reach Stash, or to find the note of its last answer. The
# password must not be in Stash, which shows it to everyone who can see its settings. The command is a program to run: a
# user who can change Stash's settings must not be able to run programs as PlexSync's user.
NOT_FROM_STASH = ("stash_url", "stash_api_key", "data_dir", "web_password", "notify_command", *database_settings.NAMES)
# Values for the required settings if only other settings matter. No server has this name or token.
STAND_INS = {"plex_url": "http://plex.invalid", "plex_token": "-not-known-here-"}


class ConfigError(Exception):
    """The settings are invalid. `lines` has one line for each problem, without the value of any secret.

    `missing` names the required settings that no source has, if there is no other problem.
    """

    def __init__(self, lines: Iterable[str], *, missing: Iterable[str] = ()) -> None:
        self.lines = list(lines)
        self.missing = tuple(missing)
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True)
class Loaded:
    """The settings, the source of each of them, and warnings for the user."""

    config: PlexSyncConfig
    origin: dict[str, str]
    warnings: tuple[str, ...] = ()


@dataclass
class _Findings:
    """Problems and warnings, collected so that one run reports everything to fix."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)


def load(
    *,
    environ: Mapping[str, str],
    toml_path: Path | None,
    plugin_settings: Mapping[str, object] | None = None,
    overrides: Mapping[str, object] | None = None,
    may_be_missing: bool = False,
) -> Loaded:
    """The settings from all sources. Raises `ConfigError` with every problem found.

    The file at `toml_path` has to exist, unless it `may_be_missing` because you did not name it. An override of None is
    ignored.
    """
    settings = _Findings()
    environment = _from_environment(environ, settings)
    secret_files = _from_secret_files(environ, settings)
    command_line = _from_command_line(overrides or {}, settings)
    stash = _from_stash(plugin_settings or {}, settings)
    toml = _from_toml(toml_path, settings, may_be_missing=may_be_missing)
    values, origin = _merged(
        {STASH: stash, TOML: toml, NAMED_FILE: secret_files, ENVIRONMENT: environment, COMMAND_LINE: command_line}
    )
    _read_url_file(values, origin, settings, toml_path.name if toml_path else TOML)
    presets = look_of(values)
    values.update(presets)
    origin.update(dict.fromkeys(presets, LOOK))
    missing: list[str] = []
    try:
        config = PlexSyncConfig.model_validate(values)
    except ValidationError as error:
        if not settings.problems and all(value["type"] == "missing" for value in error.errors(include_input=False)):
            missing = [str(value["loc"][0]) for value in error.errors(include_input=False)]
        settings.problems += _lines(error, values, origin, toml_path.name if toml_path else TOML)
    else:
        settings.problems += _authorities_lines(config, origin, toml_path.name if toml_path else TOML)
    if settings.problems:
        raise ConfigError([*settings.problems, *settings.unseen], missing=missing)
    return Loaded(config, origin, (*settings.warnings, *settings.unseen))


def load_here(
    *,
    environ: Mapping[str, str],
    toml_path: Path | None,
    overrides: Mapping[str, object] | None = None,
    may_be_missing: bool = False,
) -> Loaded:
    """The settings of this machine alone, with stand-ins for missing required ones. Raises `ConfigError`."""
    here = partial(load, environ=environ, toml_path=toml_path, overrides=overrides, may_be_missing=may_be_missing)
    try:
        return here()
    except ConfigError as error:
        if not error.missing:
            raise
    return here(plugin_settings=STAND_INS)


def _merged(sources: Mapping[str, Mapping[str, object]]) -> tuple[dict[str, object], dict[str, str]]:
    """The winning values, and the source of each setting. Later sources win."""
    values: dict[str, object] = {}
    origin = dict.fromkeys(_SETTINGS, DEFAULT)
    for source, settings in sources.items():
        values.update(settings)
        origin.update(dict.fromkeys(settings, source))
    return values, origin


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


def _known(values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name in _SETTINGS and value is not None}


def _unknown(values: Mapping[str, object]) -> list[str]:
    return sorted(values.keys() - _SETTINGS.keys())


def _from_stash(values: Mapping[str, object], result: _Findings) -> dict[str, object]:
    """The plugin's settings. Stash keeps values of older versions that you can't remove there, so they are no error."""
    for name in _unknown(values):
        result.warnings.append(f"{quoted(name)} in the plugin settings in Stash is no setting and has no effect")
    setting = {name: value for name, value in _known(values).items() if not is_emptied(value)}
    for name in NOT_FROM_STASH:
        if setting.pop(name, None) is not None:
            result.warnings.append(f"{name} in the plugin settings in Stash has no effect: set it in {TOML}")
    return setting


def is_emptied(value: object) -> bool:
    """Whether the value is what Stash stores for a cleared field: an empty text or the number 0."""
    return value == "" or (isinstance(value, int | float) and not isinstance(value, bool) and value == 0)


def _from_environment(environ: Mapping[str, str], result: _Findings) -> dict[str, object]:
    names = {setting.variable: setting.name for setting in _SETTINGS.values()}
    fields = [*names, *FILE_VARIABLES, *OTHER_VARIABLES]
    for variable in sorted(environ):
        if variable in (*fields, *TEST_VARIABLES) or _tells_of_a_service(variable, environ[variable]):
            continue
        if variable.upper().startswith(_PREFIX):
            hint = guess(variable.upper(), fields)
            result.problems.append(f"{quoted(variable)} in the environment is no setting: {hint}")
    present = {variable: name for variable, name in names.items() if variable in environ}
    # PLEXSYNC_DATABASE_URL_FILE is a setting as well: empty, it counts as not set, like each name of a secret's file.
    return {
        name: environ[variable]
        for variable, name in present.items()
        if environ[variable] or variable not in FILE_VARIABLES
    }


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


def _tells_of_a_service(variable: str, value: str) -> bool:
    port = variable.endswith("_PORT") and _SERVICE_PORT.match(value)
    return bool(port or _SERVICE.fullmatch(variable))


def _from_command_line(values: Mapping[str, object], result: _Findings) -> dict[str, object]:
    for name in _unknown(values):
        result.problems.append(f"{quoted(name)} on the command line is no setting: {guess(name, _SETTINGS)}")
    return _known(values)


def _from_toml(path: Path | None, result: _Findings, *, may_be_missing: bool) -> dict[str, object]:
    """The settings in the file. An unreadable file ends the search: without it, other settings would seem wrong too."""
    if path is None or (may_be_missing and not _exists(path, result)):
        return {}
    try:
        table = _parsed(path, _read(path))
    except ConfigError as error:
        raise ConfigError([*result.problems, *error.lines]) from None
    unknown = _unknown(table)
    for name in unknown[:_MOST_TOLD]:
        result.problems.append(f"{key_text(name)} in {file_name(path)} is no setting: {guess(name, _SETTINGS)}")
    if len(unknown) > _MOST_TOLD:
        result.problems.append(f"{len(unknown) - _MOST_TOLD:,} more names in {file_name(path)} are no settings")
    result.warnings += _readers_warning(path, table)
    return _known(table)


def _exists(path: Path, values: _Findings) -> bool:
    """False if nothing is there, as far as this user can tell. `_read` reports a file that is there but unreadable."""
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except PermissionError:
        values.unseen.append(f"{full_path(path)} is left out: this user may not look into its folder")
        return False
    except (OSError, ValueError):
        return True
    return True


def _read(path: Path) -> bytes:
    """The content of a settings file. Raises `ConfigError` for anything that can't be one."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ConfigError([f"{full_path(path)} is a folder: give the path of the file in it"])
        if not stat.S_ISREG(mode):
            raise ConfigError([f"{full_path(path)} is not a regular file: give the path of a settings file"])
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ConfigError(
            [f"{full_path(path)} does not exist: create it or correct the path (--config, PLEXSYNC_CONFIG)"]
        ) from None
    except PermissionError:
        raise ConfigError([f"{full_path(path)} may not be read: let the user that runs PlexSync read it"]) from None
    except (OSError, ValueError):
        raise ConfigError([f"{full_path(path)} can't be read: correct the path (--config, PLEXSYNC_CONFIG)"]) from None
    if len(content) > _LARGEST_FILE:
        raise ConfigError([f"{full_path(path)} is larger than 1 MB: that is no settings file"])
    return content


def _parsed(path: Path, content: bytes) -> dict[str, object]:
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigError([f"{file_name(path)} is not UTF-8 text: save it in that encoding"]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            [f"{file_name(path)} is not valid TOML{_place(error)}: look for missing quotes there"]
        ) from None
    except (ValueError, RecursionError):  # a number with thousands of digits, or hundreds of nested brackets
        raise ConfigError(
            [f"{file_name(path)} is not valid TOML: a number in it is too long, or brackets too deep"]
        ) from None


def _place(error: tomllib.TOMLDecodeError) -> str:
    """Line and column only, because the rest of the parser's message may quote the file."""
    place = re.search(r"at line (\d+), column (\d+)\)$", str(error))
    return f" at line {place[1]}, column {place[2]}" if place else " at its end"


def _readers_warning(path: Path, table: Mapping[str, object]) -> list[str]:
    """A warning if others can read the file. None on Windows, where the mode bits don't say who can."""
    held = [name for name in SECRETS if table.get(name)]
    if not held or sys.platform == "win32" or not path.stat().st_mode & stat.S_IROTH:
        return []
    return [
        f"every user of this machine can read {' and '.join(held)} in {full_path(path)}: chmod 600 {full_path(path)}"
    ]


def _lines(error: ValidationError, values: Mapping[str, object], origin: Mapping[str, str], file: str) -> list[str]:
    lines = []
    for item in error.errors(include_url=False, include_input=False):
        setting = _SETTINGS[str(item["loc"][0])]
        where = f"{setting.name} {_where(setting.name, origin[setting.name], file)}"
        if item["type"] == "missing":
            lines.append(
                f"{setting.name} is missing: set it in {TOML}, as {setting.variable} in the environment, "
                "or in the plugin settings in Stash"
            )
        elif item["type"] == "value_error":
            lines.append(f"{where} {item['ctx']['error']}")
        else:
            shape_only = PlexSyncConfig.model_fields[setting.name].annotation in (str, tuple[str, ...])
            value = values[setting.name]
            lines.append(f"{where} must be {setting.rule}, not {kind_of(value) if shape_only else value_text(value)}")
    return lines


def _authorities_lines(config: PlexSyncConfig, origin: Mapping[str, str], file: str) -> list[str]:
    """The problem with the file of trusted certificates, if one is set."""
    name = "tls_ca_file"
    trouble = authorities_trouble(Path(config.tls_ca_file)) if config.tls_ca_file else ""
    return [f"{name} {_where(name, origin[name], file)} {trouble}"] if trouble else []


def _where(name: str, source: str, file: str) -> str:
    return {
        COMMAND_LINE: "on the command line",
        ENVIRONMENT: f"in {_SETTINGS[name].variable}",
        NAMED_FILE: f"in the file that {_SETTINGS[name].variable}_FILE names",
        NAMED_BY_SETTING: f"in the file that {name}_file names",
        TOML: f"in {shortened(file)}",
        STASH: "in the plugin settings in Stash",
        LOOK: "from the look",
        DEFAULT: f"(default {_SETTINGS[name].default})",
    }[source]


def default_toml(environ: Mapping[str, str], *, platform: str = sys.platform) -> Path:
    """The settings file to read: the one that PLEXSYNC_CONFIG names, else ./plexsync.toml if it exists, else the user's."""
    return Path(locations.settings_file(environ, platform))


def default_data_dir(environ: Mapping[str, str], *, data_dir: str = "", platform: str = sys.platform) -> Path:
    """The folder that `data_dir` or PLEXSYNC_DATA_DIR names, else the user's folder for PlexSync's data.

    Raises `ConfigError` if the user has no home folder.
    """
    folder = data_dir or locations.data_folder(environ, platform)
    if folder is None:
        raise ConfigError(["there is no home folder to keep the database in: set PLEXSYNC_DATA_DIR to a folder"])
    return Path(folder)
