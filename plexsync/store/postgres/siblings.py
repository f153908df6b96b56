"""The schemas of the other Plex servers beside one, in the same database: which server each of them belongs to."""

from collections.abc import Iterator

from plexsync.store.postgres.connection import Driver

# The first server's schema, and those of further ones, which are named after it; none of another program.
SCHEMAS = """
select nspname from pg_namespace where (nspname = %(first)s or starts_with(nspname, %(first)s || '_'))
and to_regclass(format('%%I.schema_version', nspname)) is not null and to_regclass(format('%%I.server', nspname)) is not null
"""


def servers_before(db: Driver, schema: str, scope: str) -> Iterator[tuple[str, str]]:
    """Yield the scopes before this one ('' is the first), each with the identifier of its Plex server, once it is known."""
    ending = f"_{scope.replace('-', '_')}"
    if not scope or not schema.endswith(ending):
        return
    first = schema.removesuffix(ending)
    names = [str(name) for (name,) in db.execute(SCHEMAS, {"first": first})]
    scopes = {name.removeprefix(first).lstrip("_").replace("_", "-"): name for name in names}
    for other in sorted(other for other in scopes if other < scope):
        # A name that the database gave.
        rows = db.execute(f'select machine from "{scopes[other]}".server')
        yield from ((other, str(machine)) for (machine,) in rows)
