"""Notices that a server that was down is up again, so that no edit waits for the end of the breaker's wait.

While the breaker is open, this looks at what proves that the server is up: it lets a connection in after it refused one,
or (Stash) has called the plugin: an edit, a task, an opened page. The proof only makes the next probe due; the probe
decides.
"""

from collections.abc import Callable
from dataclasses import dataclass

from plexsync.engine import gate_rows
from plexsync.engine.tickets import READ_STASH, WRITE_STASH, Gate
from plexsync.rules.queue.note_keys import EDIT_BY_HOOK, EDIT_BY_LINE, STASH_CALLED
from plexsync.rules.servers.neighbours import Clock
from plexsync.store.database import Database
from plexsync.store.queue.notes import number_in
from worker.circuit_breaker import CircuitState, Rules

# Seconds between two looks.
PACE = 2.0
CALLS = (EDIT_BY_LINE, EDIT_BY_HOOK, STASH_CALLED)
STASH_GATES = (READ_STASH, WRITE_STASH)


@dataclass(eq=False)
class ServerReturn:
    """Looks once for each call. `lets_in` is whether the server takes a connection now, without a request.

    `ask_again` has a server that refuses connections asked again, until its breaker opens. The first of the `gates` is that
    of its reads. The notes `calls` have the times when it called. `returned` is called
    once it is up again, also if it was away too briefly for the breaker.
    """

    _store: Database
    _rules: Rules
    _clock: Clock
    _lets_in: Callable[[], bool]
    _returned: Callable[[], None]
    _gates: tuple[Gate, ...] = STASH_GATES
    _calls: tuple[str, ...] = CALLS
    _ask_again: Callable[[], None] = lambda: None
    _failed: bool = False
    # If requests have just failed, the reason may be that the server refused.
    _refused: bool = True

    def is_away(self) -> bool:
        """Whether requests fail: what proves that the server is up is no change of the database then."""
        return self._failed

    def __call__(self) -> None:
        """Make the next probe due if the server proves to be up. Costs one small read while requests are answered."""
        with self._store.reading() as db:
            row = db.breakers.find(self._gates[0].row)
            calls = db.notes.texts(self._calls) if self._calls else {}
        called_at = max((number_in(text) or 0 for text in calls.values()), default=0)
        failed, self._failed = self._failed, row.state != CircuitState.CLOSED or row.failures > 0
        if not self._failed:
            self._refused = True
            if failed:
                self._returned()
            return
        refused, self._refused = self._refused, not self._lets_in()
        if self._refused and row.state == CircuitState.CLOSED:
            # It is most likely down: the requests that show it are made now, not at their pace.
            self._ask_again()
        opened_at = round((row.opened_at or 0) * 1000)
        if (refused and not self._refused) or (row.state == CircuitState.OPEN and called_at > opened_at):
            proved_up(self._store, self._rules, self._clock, *self._gates)
            self._returned()


def proved_up(store: Database, rules: Rules, clock: Clock, *gates: Gate) -> None:
    """Make the next probe of a server due, if its breaker is open: something proves that it is up. Without gates: Stash."""
    with store.writing() as tx:
        for gate in gates or STASH_GATES:
            gate_rows.hasten(tx, gate, rules, clock.now() / 1000)
