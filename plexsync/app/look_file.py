"""A look as a file, to share: the settings that decide what Plex shows, and no address, secret, folder or library."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from plexsync.app.fingerprints import settings_of_look
from plexsync.app.setting_change import ASIDE, config_of, in_the_file
from validation.config import PlexSyncConfig
from validation.looks import SETTING
from validation.picture_settings import present_names
from validation.problem_text import ConfigError, quote
from validation.writing import change_text

NAME = "look.toml"
HEAD = "# A look of PlexSync: plexsync config import-look FILE shows what it changes, and asks before it saves.\n"
# What the file leaves out: the name of a look stands for values that are in the file, an address is of somebody's server,
# and a fixed label decides who may see the items.
LEFT_OUT = frozenset({SETTING, "performer_picture_url", "labels"})
LARGEST = 64_000


def names_of_looks(config: PlexSyncConfig) -> frozenset[str]:
    """The settings that such a file may have."""
    return settings_of_look(config) - LEFT_OUT


def look_text(config: PlexSyncConfig) -> str:
    """The look in use, as the text of such a file."""
    return change_text(HEAD, {name: in_the_file(config, name) for name in names_of_looks(config)})


def read_look(text: str, config: PlexSyncConfig) -> dict[str, object]:
    """The settings in the text of such a file that differ from those in use. Raises ConfigError with one line."""
    if len(text) > LARGEST:
        raise ConfigError(["it is too large for a look"])
    try:
        settings = present_names(tomllib.loads(text.removeprefix("\ufeff")))
    except (tomllib.TOMLDecodeError, ValueError, RecursionError):
        raise ConfigError(["it is not valid TOML, so it is no look"]) from None
    if not settings:
        raise ConfigError(["there is no setting in it"])
    allowed = names_of_looks(config)
    if strange := sorted(settings.keys() - allowed):
        raise ConfigError([f"{quote(strange[0])} is no setting of a look: remove it from the file"])
    try:
        fresh = config_of(settings)
    except ConfigError as error:
        raise ConfigError([error.lines[0].replace(ASIDE, " ")]) from None
    return {name: in_the_file(fresh, name) for name in settings if getattr(fresh, name) != getattr(config, name)}


def read_look_file(path: Path, config: PlexSyncConfig) -> dict[str, object]:
    """As `read_look`, of a file. Raises ConfigError with one line that names it."""
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST + 1).decode()
        return read_look(text, config)
    except OSError as error:
        raise ConfigError([f"{path} can't be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise ConfigError([f"{path} is not UTF-8 text, so it is no look"]) from None
    except ConfigError as error:
        raise ConfigError([f"{path}: {error.lines[0]}"]) from None


def texts_of(config: PlexSyncConfig, settings: Mapping[str, object]) -> list[tuple[str, str, str]]:
    """The name of each of these settings, its value in use, and the new one."""
    return [(name, str(in_the_file(config, name)), str(value)) for name, value in sorted(settings.items())]
