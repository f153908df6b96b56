"""The settings of this call, from its options; `plexsync.app.settings` does the rest."""

from functools import partial
from pathlib import Path

from plexsync.app import settings as from_sources
from plexsync.app.settings import Settings, SettingsNeed, SettingSources
from plexsync.cli.call import Call
from validation.sources import STAND_INS, Loaded, load_here


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
