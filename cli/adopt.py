"""`plexsync adopt`: the settings of Stash2Plex, taken over."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

import wiring
from cli.call import FAILED, FINE, Call, command
from cli.screen import paper
from cli.settings import hide, sources
from cli.start import logged
from cli.words import safe
from sync.errors import NeighbourError
from validation.config import SECRETS
from validation.imported import STASH2PLEX, as_toml, imported
from validation.redact import MASK
from validation.sources import STAND_INS, ConfigError, load, load_here


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
    with logged(call, level="error"):
        here = load_here(**sources(call))
        hide(call, here)
        try:
            theirs = wiring.settings_in_stash(here.config, STASH2PLEX)
        except NeighbourError as error:
            return _failed(f"Stash can't be asked: {error}")
    if not theirs:
        return _failed(f"Stash has no settings of {STASH2PLEX}")
    found = imported(theirs)
    given = {**STAND_INS, **found.settings}
    # Told all at once, before anything is written.
    load(environ={}, toml_path=None, plugin_settings=given)
    shown = {name: MASK if name in SECRETS else value for name, value in found.settings.items()}
    if file:
        _write(file, found.settings)
    facts = {"settings": shown, "left": list(found.left), "file": str(file) if file else None}
    call.answer(facts, lambda: _tell(shown, found.left, file))
    return FINE


def _failed(why: str) -> int:
    click.echo(f"plexsync: {safe(why)}", err=True)
    return FAILED


def _write(file: Path, settings: Mapping[str, object]) -> None:
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError([f"{file} is there already: name another file, or move it away"]) from None
    except OSError as error:
        raise ConfigError([f"{file} can't be written: {error.strerror}"]) from None
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(as_toml(settings))


def _tell(shown: Mapping[str, object], left: tuple[str, ...], file: Path | None) -> None:
    out = paper()
    if file:
        out.print(safe(f"{file} holds {len(shown)} settings; plexsync doctor checks them"))
    else:
        out.print(safe(as_toml(shown).rstrip()), soft_wrap=True)
    for line in left:
        out.print(safe(f"left out: {line}"))
