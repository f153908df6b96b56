"""`plexsync uninstall`: what stays on this machine when the program is removed."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import click

from plexsync.cli.call import FINE, Call, command
from plexsync.cli.settings import toml_of
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.reports.format import many
from plexsync.rules.record_class import record
from plexsync.store.files.life_signs import SUPERVISOR, WORKER
from plexsync.store.files.provider_secrets import FILE

# Settings and their copies have tokens; the other file has the addresses at which Plex asks.
SECRET = re.compile(rf"plexsync\.toml.*|.*\.bak|{re.escape(FILE)}.*|.*(token|api_key|password|secret).*")
# Of the worker inside Stash: it has many names like those, and no secret.
PACKAGES = "packages"
LISTS_ONLY = "it removes nothing: with --dry-run it lists what stays, and you remove that"


@record
class Remnant:
    """Something that stays: its full path or address, what it is, and whether it holds secrets."""

    where: str
    kind: str
    secret: bool


@command("uninstall")
@click.option("--dry-run", is_flag=True, help="List what stays.")
@click.pass_obj
def uninstall(call: Call, dry_run: bool) -> int:
    """List what stays on this machine when you remove the program: each file and folder, and which of them hold secrets.

    It removes nothing, and asks neither server. First decide what Plex keeps: `plexsync undo --all` or
    `plexsync release --all`.

    \b
    Example:
      plexsync uninstall --dry-run
    """
    if not dry_run:
        return call.refuse(LISTS_ONLY)
    with begin_call(call) as start:
        remnants = [*_settings(toml_of(call)), *_data(start.folder)]
        if start.config.database_url:
            remnants.append(Remnant(start.address.name, "the database in PostgreSQL", secret=False))
    rows = list({row.where: row for row in remnants}.values())

    def tell() -> None:
        heads = ("where", "what", "holds secrets")
        paper().print(table("What stays", heads, ((row.where, row.kind, "yes" if row.secret else "") for row in rows)))
        say(paper(), f"{many(sum(row.secret for row in rows), 'place')} with secrets. {ELSEWHERE}")

    call.answer({"stays": [{"where": row.where, "kind": row.kind, "secret": row.secret} for row in rows]}, tell)
    return FINE


ELSEWHERE = (
    "Elsewhere: files that you named for secrets, backups that you made, the plugin in Stash, the libraries in Plex that "
    "ask PlexSync (plexsync provider remove), and PlexSync's device at plex.tv."
)


def _settings(file: Path) -> Iterator[Remnant]:
    """The settings file, and its copies beside it; a link is followed."""
    real = Path(os.path.realpath(file))
    for path in sorted({file, *real.parent.glob(f"{real.name}*")}):
        if path.exists():
            yield Remnant(str(path), "settings" if path in (file, real) else "copy of settings", secret=True)


def _data(folder: Path) -> Iterator[Remnant]:
    """The entries of the data folder, and the signs of life beside it."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        names = [path.name, *(inner.name for inner in path.rglob("*"))] if path.is_dir() else [path.name]
        is_packages = path.name == PACKAGES
        secret = not is_packages and any(SECRET.fullmatch(name) for name in names)
        yield Remnant(str(path), "folder of data" if path.is_dir() else "file of data", secret=secret)
    for path in sorted(folder.parent.iterdir()):
        if path.name.startswith((WORKER, SUPERVISOR)):
            yield Remnant(str(path), "sign of the worker inside Stash", secret=False)
