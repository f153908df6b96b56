"""Every setting with its value and its source. Secrets are shown as set or not."""

from collections.abc import Mapping

from plexsync.reports.shapes.status import SettingFacts
from validation import database_settings
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.redact import MASK
from validation.sources import (
    COMMAND_LINE,
    DEFAULT,
    ENTRY,
    ENVIRONMENT,
    LOOK,
    NAMED_BY_SETTING,
    NAMED_FILE,
    NOT_FROM_STASH,
    STASH,
    TOML,
)

# Settings whose values may contain a secret.
TELLING = (*SECRETS, "notify_command")
WHERE = {
    DEFAULT: "default",
    LOOK: "look",
    TOML: "plexsync.toml",
    ENTRY: "[[plex]] entry in plexsync.toml",
    STASH: "plugin settings in Stash",
    ENVIRONMENT: "environment",
    NAMED_FILE: "file named in the environment",
    NAMED_BY_SETTING: "file named in database_url_file",
    COMMAND_LINE: "command line",
}

# Settings that the dashboard shows but does not change, each with the reason.
WHERE_IT_RUNS = {
    "notify_command": "It is a program that PlexSync runs",
    "tls_ca_file": "It decides which servers PlexSync trusts",
    "web_bind": "It decides who reaches the dashboard",
    "web_password": "It decides who reaches the dashboard",
    "web_allowed_hosts": "It decides who reaches the dashboard",
    "libraries": "It is a table with settings for single libraries",
    "data_dir": "It takes effect when serve starts again",
    **dict.fromkeys(database_settings.NAMES, "It decides which database is used"),
}


def setting_facts(config: PlexSyncConfig, by_name: Mapping[str, str]) -> list[SettingFacts]:
    """Every setting as facts, without any secret."""
    return [
        {
            "name": one.name,
            "value": value_of(one.name, getattr(config, one.name)),
            "secret": one.name in TELLING,
            "set": bool(getattr(config, one.name)),
            "source": WHERE[by_name.get(one.name, DEFAULT)],
            "variable": one.variable,
            "in_stash": one.name not in NOT_FROM_STASH,
            "default": "required" if one.default is None else one.default,
            "description": one.description,
        }
        for one in describe()
    ]


def value_of(name: str, value: object) -> str:
    """A value as you would write it; a secret as three stars."""
    if name in TELLING:
        return MASK if value else ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "; ".join(map(str, value)) if name in ("path_map", "scope") else ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return ", ".join(value)
    return str(value)


def why_read_only(name: str, origin: str) -> str:
    """Why a setting can't be changed on the dashboard; '' if it can."""
    setting = next(setting for setting in describe() if setting.name == name)
    if name in WHERE_IT_RUNS:
        return f"{WHERE_IT_RUNS[name]}, so it is changed where PlexSync runs: in plexsync.toml."
    if origin == ENVIRONMENT:
        return f"{setting.variable} is set in the environment and wins: change it there and start serve again."
    if origin == ENTRY:
        return "It is set in the [[plex]] entry of this server in plexsync.toml: change it there."
    if origin == NAMED_FILE:
        return f"{setting.variable}_FILE in the environment names the file that holds it: change that file."
    return "It is given on the command line of serve, which wins." if origin == COMMAND_LINE else ""
