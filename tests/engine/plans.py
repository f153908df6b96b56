"""How many rows PostgreSQL expects to visit for a statement: by its planner, from what it knows of the tables."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from plexsync.store.connection import Row, Values
from plexsync.store.files.address import StoreAddress
from plexsync.store.postgres.backend import PostgresSchema, begins
from plexsync.store.postgres.connection import PostgresConnection

Asked = dict[str, Values]
# A row that is visited costs 1, of a table or of an index, and nothing else costs anything worth mentioning.
BY_ROWS = """
set seq_page_cost = 0; set random_page_cost = 0; set cpu_tuple_cost = 1; set cpu_index_tuple_cost = 1;
set cpu_operator_cost = 0.0001
"""


class NotedSchema(PostgresSchema):
    """A schema whose connections note what they are asked, each statement with the last of its values, in `asked`."""

    def __init__(self, address: StoreAddress, asked: Asked) -> None:
        super().__init__(address)
        self._asked = asked

    def connect(self) -> "NotedConnection":
        return NotedConnection(super().connect().driver, begins(self.address.schema), self._asked)


class NotedConnection(PostgresConnection):
    def __init__(self, driver: Any, begin: str, asked: Asked) -> None:
        super().__init__(driver, begin)
        self._asked = asked

    def cursor(self, sql: str, values: Values = ()) -> Any:
        self._asked[sql] = values
        return super().cursor(sql, values)

    def execute_many(self, sql: str, values: Sequence[Values]) -> int:
        if values:
            self._asked[sql] = values[-1]
        return super().execute_many(sql, values)

    def row_of_each(self, sql: str, values: Sequence[Values]) -> list[Row]:
        if values:
            self._asked[sql] = values[-1]
        return super().row_of_each(sql, values)

    def stream(self, sql: str, values: Values = ()) -> Iterator[Row]:
        self._asked[sql] = values
        return super().stream(sql, values)


def visits(asked: Asked, db: PostgresConnection) -> dict[str, float]:
    """The rows that each of these statements would visit with the tables as they are now."""
    db.driver.execute(f"analyze; {BY_ROWS}")
    found = {}
    for sql, values in asked.items():
        ((plan,),) = db.rows(f"explain (format json) {sql}", values)
        (answer,) = json.loads(plan) if isinstance(plan, str) else plan
        found[" ".join(sql.split())] = float(answer["Plan"]["Total Cost"])
    return found
