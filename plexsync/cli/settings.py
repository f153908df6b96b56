"""The settings of this call, from its options; `plexsync.app.settings` does the rest."""

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from plexsync.app import settings as from_sources
from plexsync.app.settings import Settings, SettingsNeed
from plexsync.app.status_settings import Sources
from plexsync.cli.call import Call
from plexsync.rules.servers.errors import NeighbourError
from plexsync.store.files.address import StoreAddress
from validation.sources import STAND_INS, ConfigError, Loaded, SettingSources, load, load_here


def toml_of(call: Call) -> Path:
    """The file with the settings of this call."""
    return Path(call.sources.file)


def sources(call: Call, *, new_file: bool = False) -> SettingSources:
    """The sources of this machine's settings; a `new_file`, or one that was not named explicitly, may be missing."""
    own = call.sources
    return {
        "environ": own.environ,
        "toml_path": Path(own.file),
        "overrides": {"data_dir": str(Path(own.data_dir).absolute()) if own.data_dir else None},
        "may_be_missing": new_file or not own.named,
        "plex": call.chosen_plex,
    }


def here_of(call: Call, *, new_file: bool = False) -> Loaded:
    """The settings of this machine alone, with stand-ins for missing required ones. Raises ConfigError."""
    loaded = load_here(**sources(call, new_file=new_file))
    hide(call, loaded)
    return loaded


def settings(call: Call, need: SettingsNeed) -> Settings:
    """The settings of this call from all sources; raises ConfigError, and StashAway if Stash may hold missing ones."""
    return from_sources.settings(sources(call), need, hide=partial(hide, call))


def hide(call: Call, loaded: Loaded) -> None:
    """Redact the secrets of these settings until the call ends."""
    call.hide(*(secret for secret in loaded.config.secrets if secret not in STAND_INS.values()))


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


def calls_of_all(call: Call) -> list[tuple[str, Call]]:
    """The name of each server with a call for it, if there are several and none is chosen; otherwise none."""
    if call.chosen_plex:
        return []
    try:
        here = here_of(call)
    except ConfigError:
        # The command reports it.
        return []
    names = here.servers if len(here.servers) > 1 else ()
    return [(name, replace(call, plex=name)) for name in names]
