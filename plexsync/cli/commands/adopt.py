"""`plexsync adopt`: imports the settings of Stash2Plex."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from plexsync.app.settings import settings_in_stash
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.logs import open_log
from plexsync.cli.settings import here_of
from plexsync.cli.terminal.screen import paper
from plexsync.reports.format import safe
from plexsync.rules.servers.errors import NeighbourError
from validation.config import SECRETS
from validation.imported import STASH2PLEX, import_settings
from validation.redact import MASK
from validation.sources import STAND_INS, ConfigError, load
from validation.writing import HEAD, change_text, save

LONGEST = 10_000  # the longest setting to show, in characters


@command("adopt")
@click.argument("file", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.pass_obj
def adopt(call: Call, file: Path | None) -> int:
    """Take over the settings of Stash2Plex.

    Asks Stash what is set for that plugin and says it in PlexSync's words: on the screen, without the token, or into a
    new FILE that its owner alone can read, to be used as plexsync.toml. What has no counterpart is named. Nothing is
    changed in Stash. Exits with 1 if Stash can't be asked or has no such settings.

    \b
    Examples:
      plexsync adopt
      plexsync adopt plexsync.toml
    """
    with open_log(call, level="error"):
        here = here_of(call)
        try:
            stash2plex = settings_in_stash(here.config, STASH2PLEX)
        except NeighbourError as error:
            return call.refuse(safe(f"Stash can't be asked: {error}"))
    if not stash2plex:
        return call.refuse(f"Stash has no settings of {STASH2PLEX}")
    adopted = import_settings(stash2plex)
    # All that can't be imported is reported at once, before anything is written.
    try:
        load(environ={}, toml_path=None, plugin_settings={**STAND_INS, **adopted.settings})
    except ConfigError as error:
        raise ConfigError(f"{STASH2PLEX}: {line}" for line in error.lines) from None
    masked = {name: MASK if name in SECRETS else value for name, value in adopted.settings.items()}
    if file:
        _write(file, adopted.settings)
    facts = {"settings": masked, "left": list(adopted.unsupported), "file": str(file) if file else None}
    call.answer(facts, lambda: _tell(masked, adopted.unsupported, file))
    return FINE


def _write(file: Path, settings: Mapping[str, object]) -> None:
    try:
        save(file, change_text(HEAD, settings), new=True)
    except OSError as error:
        # The path of a folder may exist as well.
        if isinstance(error, FileExistsError) and os.path.lexists(file):
            raise ConfigError([f"{file} is there already: name another file, or move it away"]) from None
        raise ConfigError([f"{file} can't be written: {error.strerror}"]) from None


def _tell(shown: Mapping[str, object], unsupported: tuple[str, ...], file: Path | None) -> None:
    out = paper()
    if file:
        out.print(safe(f"{file} holds {len(shown)} settings; plexsync doctor checks them"))
    else:
        for line in change_text("", shown).removesuffix("\n").split("\n"):
            out.print(safe(line, LONGEST), soft_wrap=True)
    for line in unsupported:
        out.print(safe(f"left out: {line}"))
