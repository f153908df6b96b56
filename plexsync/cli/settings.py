"""The settings of this call, from its options; `plexsync.app.settings` does the rest."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from plexsync.app import settings as from_sources
from plexsync.app.settings import Settings, SettingsNeed, SettingSources
from plexsync.app.status_settings import Sources
from plexsync.cli.call import Call
from plexsync.rules.errors import NeighbourError
from plexsync.store.address import StoreAddress
from validation.sources import STAND_INS, ConfigError, Loaded, default_toml, load, load_here


def toml_of(call: Call) -> Path:
    """The file with the settings of this call."""
    return call.config_file or default_toml(os.environ)


def sources(call: Call) -> SettingSources:
    """The sources of this machine's settings; a file that was not named explicitly may be missing."""
    data_dir = str(Path(call.data_dir).absolute()) if call.data_dir else None
    named = call.config_file is not None or bool(os.environ.get("PLEXSYNC_CONFIG"))
    return {
        "environ": os.environ,
        "toml_path": toml_of(call),
        "overrides": {"data_dir": data_dir},
        "may_be_missing": not named,
        "plex": call.chosen_plex,
    }


def settings(call: Call, need: SettingsNeed) -> Settings:
    """The settings of this call from all sources; raises ConfigError, and StashAway if Stash may hold missing ones."""
    return from_sources.settings(sources(call), need, hide=partial(hide, call))


def hide(call: Call, loaded: Loaded) -> None:
    """Redact the secrets of these settings until the call ends."""
    fresh = (secret for secret in loaded.config.secrets if secret not in STAND_INS.values())
    call.secrets = tuple(dict.fromkeys((*call.secrets, *fresh)))


def check_saved(saved: Mapping[str, object] | None, where: Sources, content: bytes, folder: str | None) -> list[str]:
    """What is wrong with the settings, one line each; `saved` are those in Stash, None if it has to be asked for them.

    Valid ones are stored in the database in `folder`, if it is there.
    """
    named = sources(Call())
    try:
        if saved is None:
            saved = from_sources.settings_in_stash(load_here(**named).config, from_sources.PLUGIN)
        load(**named, plugin_settings=saved)
    except NeighbourError:
        # What needs Stash says so.
        return []
    except ConfigError as error:
        return list(error.lines)
    address = StoreAddress(Path(folder)) if folder is not None else None
    if address is not None and os.path.exists(address.path):  # noqa: PTH110 - unreadable is no error
        from_sources.keep_valid(address, where, content, saved)
    return []
