"""How a command begins: settings read, log set up, and the house put together on the right folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

import wiring
from cli.call import Call
from cli.logs import level_of, logging_to
from cli.screen import margin
from validation.config import PlexSyncConfig
from validation.redact import Redactor
from validation.sources import Loaded, default_data_dir, default_toml, load
from wiring import Parts


@dataclass(frozen=True)
class Begun:
    """What a command starts from: its settings, the folder of the database, and where progress goes."""

    loaded: Loaded
    folder: Path
    console: Console

    @property
    def config(self) -> PlexSyncConfig:
        """The settings."""
        return self.loaded.config


def settings(call: Call) -> Loaded:
    """The settings of this call from all sources; raises ConfigError."""
    environ = os.environ
    loaded = load(
        environ=environ,
        toml_path=call.config_file or default_toml(environ),
        overrides={"data_dir": str(Path(call.data_dir).absolute()) if call.data_dir else None},
    )
    call.secrets = loaded.config.secrets
    return loaded


@contextmanager
def begun(call: Call, *, level: str = "error") -> Iterator[Begun]:
    """Settings, folder and log of this call; `level` is the usual level of its log."""
    level_now = level_of(os.environ, verbose=call.verbose, usual=level)
    loaded = settings(call)
    folder = default_data_dir(os.environ, data_dir=loaded.config.data_dir)
    console = margin()
    with logging_to(console, level_now, Redactor(call.secrets)):
        for warning in loaded.warnings:
            click.echo(f"plexsync: warning: {warning}", err=True)
        yield Begun(loaded, folder, console)


@contextmanager
def opened(call: Call) -> Iterator[Parts]:
    """The parts on this call's database, for a command that does not work the queue."""
    with begun(call) as start, wiring.opened(start.config, start.folder) as parts:
        yield parts
