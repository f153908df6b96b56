"""Reads a settings file; whatever can't be one is told in one line, which quotes nothing of it."""

import re
import stat
import tomllib
from pathlib import Path

from validation.problem_text import ConfigError, file_name, full_path, key_text

_LARGEST_FILE = 1_000_000  # bytes
_PLACE = re.compile(r"at line (\d+), column (\d+)\)$")
# How the parser's messages begin for a setting, and for a table, that is there already.
_TWICE = ("Cannot overwrite a value", "Cannot declare", "Duplicate inline table key")


def table_in(path: Path) -> dict[str, object]:
    """The content of a settings file. Raises `ConfigError` for anything that can't be one."""
    return _parsed(path, _read(path))


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
        text = content.decode("utf-8-sig")
        raise ConfigError([f"{file_name(path)} is not valid TOML{_place(error)}: {_mend(error, text)}"]) from None
    except (ValueError, RecursionError):  # a number with thousands of digits, or hundreds of nested brackets
        raise ConfigError(
            [f"{file_name(path)} is not valid TOML: a number in it is too long, or brackets too deep"]
        ) from None


def _mend(error: tomllib.TOMLDecodeError, text: str) -> str:
    """What to do about an error, as far as the parser says what it is."""
    if not str(error).startswith(_TWICE):
        return "look for missing quotes there"
    place = _PLACE.search(str(error))
    lines = text.splitlines()[: int(place[1]) if place else None]
    keys = [matched[1] for line in lines if (matched := re.match(r"\s*([A-Za-z_]+)\s*=", line))]
    # The last line of a longer value has no name of its own.
    here = key_text(keys[-1]) if lines[-1].lstrip().startswith(tuple(keys[-1:])) else "what stands there"
    return f"{here} is in the file twice: keep one of them"


def _place(error: tomllib.TOMLDecodeError) -> str:
    """Line and column only, because the rest of the parser's message may quote the file."""
    place = _PLACE.search(str(error))
    return f" at line {place[1]}, column {place[2]}" if place else " at its end"
