"""`plexsync backup` and `plexsync restore`: copies of the database."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from plexsync.app.database_files import check_restorable, restore_backup, save_backup
from plexsync.cli.call import FINE, FORCE, Call, command
from plexsync.cli.settings import toml_of
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import LiveLine, paper, say
from plexsync.engine.clock import SystemClock
from plexsync.reports.format import many
from plexsync.rules.servers.errors import Unusable
from plexsync.store.files.own_files import check_target

BUSY = "a worker runs on this database: stop it first, then restore"


@command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@FORCE
@click.pass_obj
def backup(call: Call, file: Path, force: bool) -> int:
    """Copy the database to a file, also while a worker runs.

    The copy is of one moment, checked, synced, and for your eyes only. For a folder the file is named by the time. It
    holds the dead letters and what was pushed, but no token or key; settings are not in it.

    \b
    Examples:
      plexsync backup plexsync-backup.db
      plexsync backup /backups
    """
    with begin_call(call) as start:
        if os.path.isdir(file):  # noqa: PTH112 - for an unreadable folder, writing reports the error
            moment = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
            file = file / f"plexsync-{moment:%Y%m%dT%H%M%SZ}.db"
        check_target(file, start.folder, toml_of(call))
        with LiveLine(start.console) as line:
            line.show("copying and checking the database")
            copied = save_backup(start.address, file, replace=force)
    facts = {"file": str(copied.path), "bytes": copied.size, "schema": copied.schema, "rows": copied.rows}
    summary = (
        f"{copied.path}: {many(copied.rows, 'row')} in {copied.size / 2**20:.1f} MB, checked; without the settings"
    )
    next_step = f"plexsync restore {copied.path.name} puts it back, here or on another machine with these settings"
    call.answer(facts, lambda: say(paper(), f"{summary}\n{next_step}"))
    return FINE


@command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.pass_obj
def restore(call: Call, file: Path, yes: bool) -> int:
    """Put a copy of the database back; what is there now is kept in a file beside it.

    Stop the worker first; a running one is not disturbed, and the call exits with 1. Edits made since the copy are not in
    it: the next worker runs a full comparison, and finds them. Asks for confirmation unless --yes is
    given.

    \b
    Example:
      plexsync restore plexsync-backup.db
    """
    with begin_call(call) as start:
        check_restorable(start.address, file)
        if not os.path.isfile(file):  # noqa: PTH113 - unlike the method of Path, it raises nothing
            raise Unusable(f"{file} is not a file")
        if not yes and not confirm(f"Replace the database in {start.folder} by {file}?"):
            return call.declined("restored", {"restored": False})
        with LiveLine(start.console) as line:
            line.show("checking the copy, and putting it back")
            done = restore_backup(start.address, file)
    if done is None:
        return call.refuse(BUSY, restored=False)
    aside = str(done.aside) if done.aside else None
    facts = {"restored": True, "rows": done.copy.rows, "schema": done.copy.schema, "kept": aside}
    sentences = [
        f"{many(done.copy.rows, 'row')} restored",
        "the next worker runs a full comparison (or call plexsync reconcile)",
    ]
    sentences += [f"what was there before is kept as {aside}"] if aside else []
    call.answer(facts, lambda: say(paper(), "; ".join(sentences)))
    return FINE
