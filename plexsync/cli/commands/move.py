"""`plexsync move`: the database goes from the file to PostgreSQL, or back."""

from pathlib import Path

import click

from plexsync.app.machine import this_machine
from plexsync.app.move import MoveResult, Working, move as moved
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import LiveLine, paper, say
from plexsync.reports.format import many
from plexsync.store.files.address import StoreAddress
from validation.database_settings import checked_url, schema as checked_schema, secret_parts
from validation.secret_files import secret_in

SQLITE = "sqlite"


@command("move")
@click.option("--to", "place", metavar="PLACE", help="sqlite, or the URL of a PostgreSQL database.")
@click.option("--to-file", "file", type=click.Path(path_type=Path), help="A file with that URL in it.")
@click.option("--schema", metavar="NAME", help="The schema there. Default: database_schema.")
@click.pass_obj
def move(call: Call, place: str | None, file: Path | None, schema: str | None) -> int:
    """Move the database into PostgreSQL, or back into the file plexsync.db of the data folder.

    Stop every worker first; with a running one the call exits with 1. Every table is copied and verified by the number
    of its rows and the sum of their content. A call that was interrupted goes on when it is repeated. The old database
    is set aside: a copy of the file is kept beside it, and a PostgreSQL database is marked, so that no machine goes on
    with it. A database that has content already is left alone. Afterwards change the settings as the last line says.

    Other users of this machine can read the URL of a running command: prefer --to-file if it has a password in it.

    \b
    Examples:
      plexsync move --to-file /run/secrets/database-url
      plexsync move --to sqlite
    """
    url = _target(place, file)
    try:
        schema = schema and checked_schema(schema)
    except ValueError as error:
        raise click.UsageError(f"--schema {error}.") from None
    call.hide(*secret_parts(url))
    with begin_call(call) as start:
        target = StoreAddress(start.folder, url, schema or start.config.database_schema)
        if not url and not start.address.is_postgres:
            raise click.UsageError(f"{start.address.name} is the database in use already.")
        # Where the settings name the new database already, the file is what is left to move.
        source = StoreAddress(start.folder) if target == start.address else start.address
        machine = this_machine(start.config, start.folder)
        with LiveLine(start.console) as line:
            try:
                done = moved(source, target, machine, lambda table, rows: line.show(f"{table}: {many(rows, 'row')}"))
            except Working as error:
                return call.refuse(f"a worker runs on {error}: stop it first, then move", moved=False)
    facts = {"moved": True, "rows": done.rows, "to": target.name, "kept": str(done.kept) if done.kept else None}
    loaded = start.settings.loaded
    others = tuple(name for name in loaded.servers if name != loaded.plex)
    call.answer(facts, lambda: say(paper(), _sentences(done, target, start.config.database_schema, others)))
    return FINE


def _target(place: str | None, file: Path | None) -> str:
    """The URL to move to; '' for the file. Raises UsageError without a word of a URL."""
    if (place is None) == (file is None):
        raise click.UsageError("Give one of --to and --to-file.")
    if place == SQLITE:
        return ""
    try:
        url = secret_in(file) if file is not None else place or ""
        if not checked_url(url):
            raise ValueError("must not be empty")
    except ValueError as error:
        raise click.UsageError(f"{'--to' if file is None else '--to-file'} {error}.") from None
    return url


def _sentences(done: MoveResult, target: StoreAddress, schema: str, others: tuple[str, ...]) -> str:
    """What was done, and what is left to do; `others` are the names of the other Plex servers."""
    copied = f"{many(done.rows, 'row')} copied to {target.name} and verified" if done.rows else "the move is finished"
    if not target.is_postgres:
        change = "take database_url and database_url_file out of the settings"
    else:
        change = "set database_url (or database_url_file) to that address on every machine"
        change += f", and database_schema to {target.schema}" if target.schema != schema else ""
    aside = [f"the old file is kept as {done.kept}"] if done.kept else []
    beside = [f"each other Plex server moves by itself: plexsync move --plex {' or --plex '.join(others)}"]
    return "\n".join([copied, *aside, *(beside if others else ()), f"now {change}, then start plexsync serve"])
