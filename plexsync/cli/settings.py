"""The settings of this call, from its options; `plexsync.app.settings` does the rest."""

import os
from functools import partial
from pathlib import Path

from plexsync.app import settings as from_sources
from plexsync.app.settings import Settings, SettingsNeed, SettingSources
from plexsync.cli.call import Call
from validation.sources import STAND_INS, Loaded, default_toml


def toml_of(call: Call) -> Path:
    """The file with the settings of this call."""
    return call.config_file or default_toml(os.environ)


def sources(call: Call, *, new_file: bool = False) -> SettingSources:
    """The sources of this machine's settings; a `new_file`, or one that was not named explicitly, may be missing."""
    data_dir = str(Path(call.data_dir).absolute()) if call.data_dir else None
    named = call.config_file is not None or bool(os.environ.get("PLEXSYNC_CONFIG"))
    return {
        "environ": os.environ,
        "toml_path": toml_of(call),
        "overrides": {"data_dir": data_dir},
        "may_be_missing": new_file or not named,
        "plex": call.chosen_plex,
    }


def settings(call: Call, need: SettingsNeed) -> Settings:
    """The settings of this call from all sources; raises ConfigError, and StashAway if Stash may hold missing ones."""
    return from_sources.settings(sources(call), need, hide=partial(hide, call))


def hide(call: Call, loaded: Loaded) -> None:
    """Redact the secrets of these settings until the call ends."""
    call.hide(*(secret for secret in loaded.config.secrets if secret not in STAND_INS.values()))
