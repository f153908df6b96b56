"""Every setting with its value and its source. Secrets are shown as set or not."""

from collections.abc import Mapping

from plexsync.reports.shapes.status import SettingFacts
from validation.config import SECRETS, PlexSyncConfig, describe
from validation.redact import MASK
from validation.sources import COMMAND_LINE, DEFAULT, ENVIRONMENT, NAMED_FILE, NOT_FROM_STASH, STASH, TOML

# Settings whose values may contain a secret.
TELLING = (*SECRETS, "notify_command")
WHERE = {
    DEFAULT: "default",
    TOML: "plexsync.toml",
    STASH: "plugin settings in Stash",
    ENVIRONMENT: "environment",
    NAMED_FILE: "file named in the environment",
    COMMAND_LINE: "command line",
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
