"""The schemas of a PostgreSQL database that hold stores: those of several Plex servers are side by side.

This needs no driver.
"""

from plexsync.store.connection import Connection

# For this transaction alone. A schema's name needs no quotes.
USE_SCHEMA = """
select set_config('search_path', cast(:schema as text), true) where to_regclass(:schema || '.schema_version') is not null
"""
OF_STORES = """
select cast(n.nspname as text) from pg_namespace n join pg_class c on c.relnamespace = n.oid
 where c.relname = 'schema_version' and starts_with(cast(n.nspname as text), :prefix)
"""


def use_schema(db: Connection, schema: str) -> bool:
    """Let the tables of the current transaction be those of another schema; False if no store is there."""
    return db.row(USE_SCHEMA, {"schema": schema}) is not None


def schemas_of_stores(db: Connection, prefix: str) -> list[str]:
    """Return the names of the schemas with a store whose names begin like this."""
    return [str(name) for (name,) in db.rows(OF_STORES, {"prefix": prefix})]
