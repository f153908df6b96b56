"""The `[[plex]]` entries of plexsync.toml: the name of each Plex server, and the settings that are its own.

An entry has a name and any of the settings that concern one Plex server. What it leaves out has the value that it has at
the top of the file, in the environment or in Stash; what it says wins over them. The token may also be in a file that
`plex_token_file` names, in PLEXSYNC_PLEX_TOKEN_<NAME>, or in the file that PLEXSYNC_PLEX_TOKEN_<NAME>_FILE names.
Problems are lines as in `validation.sources`: they name the entry and the setting, and no value of a text setting.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from plexsync.rules.record_class import record
from validation.config import PlexSyncConfig
from validation.problem_text import guess, key_text, kind_of, quote
from validation.secret_files import secret_in

KEY = "plex"
NAME = "name"
TOKEN = "plex_token"  # noqa: S105 - the name of a setting
TOKEN_FILE = "plex_token_file"  # noqa: S105 - a setting of an entry only
TOKEN_VARIABLE = "PLEXSYNC_PLEX_TOKEN_"  # noqa: S105 - what the names of such variables begin with
_FILE = "_FILE"
LONGEST_NAME = 20
NAME_RULE = f"a name of 1 to {LONGEST_NAME} characters: lower-case letters, digits, and hyphens between them"
MOST_ENTRIES = 20
_MOST_TOLD = 20  # unknown names in one entry

# Settings of the machine, of Stash, of the dashboard and of notices. All servers share them.
_SHARED_BEGINNINGS = ("stash_", "web_", "notify_", "database_")
_SHARED = ("data_dir", "tls_ca_file", "worker_idle_minutes")
OF_AN_ENTRY = tuple(
    name for name in PlexSyncConfig.model_fields if name not in _SHARED and not name.startswith(_SHARED_BEGINNINGS)
)


@record
class PlexEntry:
    """One entry: its name, its own settings, and where each of them stands, as words for a problem."""

    name: str
    settings: Mapping[str, object] = field(repr=False)
    places: Mapping[str, str]


@dataclass
class _Reading:
    """Where entries are read from, and the problems so far."""

    file: str
    environ: Mapping[str, str]
    problems: list[str]


def entries_in(value: object, file: str, environ: Mapping[str, str]) -> tuple[tuple[PlexEntry, ...], list[str]]:
    """The entries in the value of `plex` (None: there is none) of a parsed settings file, and the problems with them."""
    reading, tables = _Reading(file, environ, []), value if isinstance(value, list) else []
    if value is not None and (not isinstance(value, list) or not all(isinstance(table, dict) for table in value)):
        reading.problems.append(f"{KEY} in {file} must be [[plex]] entries, one for each of several servers")
        tables = []
    if len(tables) > MOST_ENTRIES:
        reading.problems.append(f"{KEY} in {file} must have at most {MOST_ENTRIES} entries")
        tables = []
    entries = [entry for number, table in enumerate(tables, start=1) if (entry := _entry(number, table, reading))]
    names: set[str] = set()
    for entry in entries:
        if entry.name in names:
            reading.problems.append(f"name {place_of(entry.name, file)} is used twice: each entry needs its own")
        names.add(entry.name)
    # A variable for the token of an entry that is not there is a problem too.
    variables = [variable_of(name) for name in names]
    valid = [*variables, *(f"{variable}{_FILE}" for variable in variables)]
    fields = [*valid, TOKEN_VARIABLE.rstrip("_"), f"{TOKEN_VARIABLE}FILE"]
    reading.problems += [
        f"{quote(variable)} in the environment is no setting: {guess(variable.upper(), fields)}"
        for variable in sorted(environ)
        if is_token_variable(variable) and variable not in valid
    ]
    return tuple(entries), list(dict.fromkeys(reading.problems))


def place_of(name: str, file: str) -> str:
    """Where an entry stands, as words that follow the name of a setting."""
    return f'in [[plex]] "{name}" in {file}'


def twice(addresses: Iterable[tuple[str, str]], file: str) -> list[str]:
    """The problems with entries that have the address of an earlier one, from the names and addresses in their order."""
    first: dict[str, str] = {}
    lines = []
    for name, address in addresses:
        before = first.setdefault(address, name)
        if before != name:
            place = place_of(name, file)
            lines.append(f'plex_url {place} is also the address of [[plex]] "{before}": one entry for each server')
    return lines


def unknown(plex: str, names: tuple[str, ...]) -> str:
    """The problem with a choice that names none of the entries."""
    problem = f"{key_text(plex)} (--plex, PLEXSYNC_PLEX) names no [[plex]] entry"
    if not names:
        return f"{problem}: the settings have none"
    near = difflib.get_close_matches(plex[:100], names, n=1)
    return f"{problem}: " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}")


def entry_wins(name: str, setting: str) -> str:
    """Why a setting is not changed above the entries: the entry of this name has it."""
    return f'{setting} is set in [[plex]] "{name}", which wins over what is set for all servers: change it there'


def variable_of(name: str) -> str:
    """The environment variable with the token of this entry."""
    return TOKEN_VARIABLE + name.upper().replace("-", "_")


def is_token_variable(variable: str) -> bool:
    """Whether a variable may hold the token of an entry, or name a file with it."""
    return variable.startswith(TOKEN_VARIABLE) and variable != f"{TOKEN_VARIABLE}FILE"


def _entry(number: int, table: Mapping[str, object], reading: _Reading) -> PlexEntry | None:
    """The entry, or None if its name can't be used."""
    name = table.get(NAME)
    if trouble := _name_trouble(name):
        reading.problems.append(f"name in [[plex]] entry {number} in {reading.file} {trouble}")
        return None
    place = place_of(str(name), reading.file)
    settings = {key: value for key, value in table.items() if key in OF_AN_ENTRY}
    places = dict.fromkeys(settings, place)
    others = sorted(table.keys() - {NAME, TOKEN_FILE} - set(OF_AN_ENTRY))
    for key in others[:_MOST_TOLD]:
        why = f"is no setting of a Plex server: {guess(key, (NAME, TOKEN_FILE, *OF_AN_ENTRY))}"
        if key in PlexSyncConfig.model_fields:
            why = "is a setting of all servers: set it before the first [[plex]]"
        reading.problems.append(f"{key_text(key)} {place} {why}")
    if len(others) > _MOST_TOLD:
        reading.problems.append(f"{len(others) - _MOST_TOLD:,} more names {place} are no settings")
    _add_token(str(name), table.get(TOKEN_FILE), settings, places, reading)
    # An entry can switch itself off, but not on while all are switched off.
    if settings.get("enabled") is True:
        del settings["enabled"]
    return PlexEntry(str(name), settings, places)


def _name_trouble(name: object) -> str:
    """Why a name can't be used, as words that follow "name"; '' if it can."""
    if name is None:
        return f"is missing: give {NAME_RULE}"
    if not isinstance(name, str) or len(name) > LONGEST_NAME or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        return f"must be {NAME_RULE}"
    if name == "file" or name.endswith("-file"):
        return 'must not be "file" or end in "-file": the variables of such a name mean something else'
    return ""


def _add_token(name: str, file: object, settings: dict[str, object], places: dict[str, str], reading: _Reading) -> None:
    """Find the token of an entry: in its variable, in the file that a variable names, in the entry, or in a file."""
    variable, place = variable_of(name), places.get(TOKEN, place_of(name, reading.file))
    in_variable, named = reading.environ.get(variable), reading.environ.get(f"{variable}{_FILE}")
    path, setting, where = named, f"{variable}{_FILE}", f"in the file that {variable}{_FILE} names"
    if in_variable is not None and named:
        reading.problems.append(f"{variable}{_FILE} and {variable} are both set: keep one of them")
        return
    if in_variable is not None:
        settings[TOKEN], places[TOKEN] = in_variable, f"in {variable}"
        return
    if not named:
        if file is None:
            return
        if TOKEN in settings:
            reading.problems.append(f"{TOKEN} and {TOKEN_FILE} are both {place}: keep one of them")
            return
        if not isinstance(file, str) or not Path(file).is_absolute():
            shape = "" if isinstance(file, str) else f", not {kind_of(file)}"
            reading.problems.append(f"{TOKEN_FILE} {place} must be the full path of a file{shape}")
            return
        path, setting, where = file, f"{TOKEN_FILE} {place}", f"in the file that {TOKEN_FILE} names {place}"
    try:
        settings[TOKEN], places[TOKEN] = secret_in(Path(str(path))), where
    except ValueError as error:
        reading.problems.append(f"{setting} {error}")
