"""Checks of a database in PostgreSQL: its server, its connections, its clock."""

from collections.abc import Iterator

from plexsync.app.parts import Parts
from plexsync.cli.call import WRONG
from plexsync.cli.checks.check import Check, problem
from plexsync.engine.clock import SystemClock
from plexsync.reports.needs import LONG_COMMIT
from plexsync.rules.servers.errors import NO_STANDBY

# Milliseconds of a round trip above which a first sync becomes slow, and a distance of clocks that confuses readers.
SLOW, APART = 20.0, 60_000
# A worker, a dashboard and a standby need that many connections, and commands a few more.
FEW = 20
# The name of the check that fails while nothing can be written.
COMMITS = "commits"
STANDBY = "start the standby server, or take it out of synchronous_standby_names on the server of the database"
POOLER = "name the server itself in database_url, or set the pooler to session mode (pool_mode = session)"


def server(parts: Parts) -> Iterator[Check]:
    """The server's version, latency, clock, free connections, and whether a pooler is in between."""
    # The driver takes a while to import.
    from plexsync.store.postgres.inspection import inspect

    facts, name = inspect(parts.address, SystemClock().now), parts.address.name
    if facts.changes_sessions:
        message = f"{name} is behind a pooler in transaction mode, so two workers could run at once"
        yield problem("database", message, POOLER, WRONG)
    else:
        tls = "encrypted" if facts.encrypted else "not encrypted"
        message = f"{name}: PostgreSQL {facts.version}, schema {parts.address.schema} of version {facts.schema}"
        yield Check("database", f"{message}, {facts.size / 2**20:,.1f} MB; the connection is {tls}")
    if facts.lacks_standby or facts.commit_wait > LONG_COMMIT:
        message = "they wait for a standby server of synchronous_standby_names that does not answer"
        message = NO_STANDBY if facts.lacks_standby else message
        waits = f"; one waits for {facts.commit_wait:,.0f} s by now" if facts.commit_wait else ""
        yield problem(COMMITS, f"{message}{waits}", STANDBY)
    latency = f"{facts.latency:.1f} ms for a round trip"
    nearer = "every scene takes some round trips: run PlexSync nearer to the database"
    yield Check("latency", latency, nearer if facts.latency > SLOW else "")
    more = f"PlexSync may need {FEW}: raise max_connections of the server"
    yield Check("connections", f"{max(0, facts.free):,} are free", more if facts.free < FEW else "")
    # What is stored goes by the database's clock, the log by this machine's.
    clock, seconds = "clock of the database", abs(facts.ahead) / 1000
    if abs(facts.ahead) < APART:
        yield Check(clock, f"{seconds:.1f} s from this machine's")
    else:
        distance = f"{seconds:,.0f} s {'ahead of' if facts.ahead > 0 else 'behind'} this machine's"
        message = f"{distance}: times in the log and on the screens differ by that"
        yield Check(clock, message, "set both clocks by NTP; PlexSync goes by the database's")
