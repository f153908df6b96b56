"""Writes the settings of a set-up where the plugin's settings are: into Stash, and the Plex token into plexsync.toml.

Stash shows its settings to everyone who can open them, so the token is not kept there. A setting that is in
plexsync.toml already, or that a field of Stash can't express, is written there too, since that file wins.
"""

from collections.abc import Mapping
from contextlib import closing

from plexsync.app.clients import asking_stash
from plexsync.app.setting_change import check_written_counts, typed_form, write_into
from plexsync.app.settings import PLUGIN
from plexsync.cli.call import Call
from plexsync.cli.settings import toml_of
from validation.config import SECRETS
from validation.sources import TOML, Loaded


def write_settings(call: Call, here: Loaded, settings: Mapping[str, object]) -> None:
    """Write these settings (None removes one); raises ConfigError if another source would win, NeighbourError.

    Either all are written, or the message says which part is not.
    """
    check_written_counts(here, settings, "of Stash, and wins over what is chosen here: remove it there")
    in_stash = {name: stash_form(name, value) for name, value in settings.items()}
    for name in settings:
        if name in SECRETS or here.origin[name] == TOML:
            in_stash[name] = None
    if in_file := {name: value for name, value in settings.items() if in_stash[name] is None}:
        write_into(toml_of(call), in_file)
    with closing(asking_stash(here.config)) as stash:
        before = stash.plugin_settings(PLUGIN)
        after = {name: value for name, value in {**before, **in_stash}.items() if value is not None}
        if after != before:
            stash.configure_plugin(PLUGIN, after)


def stash_form(name: str, value: object) -> str | None:
    """The value as Stash's field takes it ('' for none); None if the field can't express it."""
    return typed_form(name, value) if value else ""
