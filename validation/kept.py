"""A stored copy of the plugin's settings in Stash, for times when Stash can't be reached.

It contains no secrets, only the fact that a secret was set.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from validation.config import SECRETS, PlexSyncConfig
from validation.sources import NOT_FROM_STASH, is_emptied


@dataclass(frozen=True)
class Kept:
    """The last settings read from Stash: settings with their values, and the names of those whose values are not stored."""

    values: Mapping[str, object] = field(default_factory=dict)
    withheld: tuple[str, ...] = ()


def written(plugin_settings: Mapping[str, object]) -> str:
    """The text to store. It contains only known settings that are set."""
    stored = {
        name: value
        for name, value in sorted(plugin_settings.items())
        if name in PlexSyncConfig.model_fields
        and name not in NOT_FROM_STASH
        and value is not None
        and not is_emptied(value)
    }
    hidden = {name: value for name, value in stored.items() if name not in SECRETS}
    return json.dumps({"given": hidden, "withheld": [name for name in stored if name in SECRETS]})


def read(text: str) -> Kept | None:
    """The stored settings; None if there are none, or the text is unreadable."""
    try:
        document = json.loads(text)
        return Kept(dict(document["given"]), tuple(map(str, document["withheld"])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
