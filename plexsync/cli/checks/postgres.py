"""Checks of a database in PostgreSQL: its server, its connections, its clock."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from plexsync.app.parts import Parts
from plexsync.cli.call import WRONG
from plexsync.cli.checks.check import Check, problem, warning
from plexsync.engine.clock import SystemClock
from plexsync.reports.verdict import LONG_COMMIT

if TYPE_CHECKING:
    from plexsync.store.postgres.inspection import ServerCheck

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
        yield problem(COMMITS, _waiting(facts), STANDBY)
    latency = f"{facts.latency:.1f} ms for a round trip"
    if facts.latency > SLOW:
        yield warning("latency", latency, "every scene takes some round trips: run PlexSync nearer to the database")
    else:
        yield Check("latency", latency)
    free = f"{max(0, facts.free):,} are free"
    if facts.free < FEW:
        yield warning("connections", free, f"PlexSync may need {FEW}: raise max_connections of the server")
    else:
        yield Check("connections", free)
    yield _clock(facts.ahead)


def _waiting(facts: "ServerCheck") -> str:
    """What commits wait for: synchronous replication to standby servers, without a time limit."""
    # The driver takes a while to import.
    from plexsync.store.postgres.schema import NO_STANDBY

    if facts.lacks_standby:
        message = NO_STANDBY
    else:
        message = "they wait for a standby server of synchronous_standby_names that does not answer"
    return f"{message}; one waits for {facts.commit_wait:,.0f} s by now" if facts.commit_wait else message


def _clock(ahead: int) -> Check:
    """The distance between the two clocks. What is stored goes by the database's, the log by this machine's."""
    name, seconds = "clock of the database", abs(ahead) / 1000
    if abs(ahead) < APART:
        return Check(name, f"{seconds:.1f} s from this machine's")
    direction = "ahead of" if ahead > 0 else "behind"
    message = f"{seconds:,.0f} s {direction} this machine's: times in the log and on the screens differ by that"
    return warning(name, message, "set both clocks by NTP; PlexSync goes by the database's")
