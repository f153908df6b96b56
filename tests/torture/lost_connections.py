"""The line to PostgreSQL, or the process at this end of it, ends at any message, in everything the store does: P1 and P2.

What was acknowledged is there; what was not is there as a whole or not at all; and the same deed can be done again.
"""

import json
import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from plexsync.rules.servers.errors import LocalFault
from plexsync.store.db import MOUNTS
from tests.patience import until
from tests.postgres_proxy import Proxy
from tests.postgres_server import OWNER
from tests.store_places import VARIABLE, PostgresPlace
from tests.torture import forks
from tests.torture.kill_steps import DEEDS, Ack, Create, Deed, HookEnqueue, Migrate, hash_of
from tests.torture.power import MISSING, there
from tests.torture.score import NAME, Score, workshop

# A hook knows no database on a server, and there is no older schema yet.
ON_SERVER = tuple(deed for deed in DEEDS if deed not in (HookEnqueue, Migrate))
# Every how manyth message.
EVERY = {"sample": 41, "full": 1, "long": 1}
REPEATS = {"sample": 1, "full": 1, "long": 20}
CALLS = "connect,sendto,recvfrom,poll,close"
SIDES = {False: "request", True: "answer"}


class TriedOnServer:
    """A deed on a store in PostgreSQL: what it looks like before and after, and how to judge one that broke off."""

    def __init__(self, deed: Deed, folder: Path) -> None:
        url = os.environ[VARIABLE]
        self.deed = deed
        self.place = PostgresPlace(folder / "case", url)
        self._template = PostgresPlace(folder / "template", url)
        self._before = {"schema": [(0,)]}
        if not isinstance(deed, Create):
            self._before = self._prepare()
        self.fresh()
        told: list[str] = []
        self.act(told.append)
        self._after = self.place.dump(but=deed.but)
        assert told == ["done"]
        assert self._after != self._before, deed.name

    def fresh(self) -> None:
        """The store as it stands before the deed."""
        if isinstance(self.deed, Create):
            self.place.remove()
            return
        if not self.place.exists():
            self.place.open().close()
        self.place.take_content_of(self._template)

    def act(self, ack: Ack) -> None:
        """Do it."""
        self.deed.act(self.place.folder / NAME, MOUNTS, ack)

    def judge(self, acks: list[str] | tuple[str, ...], score: Score, case: str) -> None:
        """As before or as after; what was acknowledged is as after; and life goes on."""
        # What was sent before the end may still be carried out.
        until(lambda: not self.place.is_used())
        if not score.law(self.place.folder / NAME, case):
            return
        found = self.place.dump(but=self.deed.but)
        if found not in (self._before, self._after):
            score.spoil(f"{case}: neither as before nor as after")
        elif "done" in acks and found != self._after:
            score.lose(f"{case}: acknowledged and not there")
        elif acks and "done" not in acks:
            score.spoil(f"{case}: {acks}")
        if isinstance(self.deed, Create):
            self.act(lambda _text: None)
            if self.place.dump(but=self.deed.but) != self._after:
                score.spoil(f"{case}: a second try does not end well")
        if trouble := self.deed.after(self.place.folder / NAME, MOUNTS):
            score.lose(f"{case}: {trouble}")

    def _prepare(self) -> dict[str, list[tuple]]:
        store = self._template.open()
        self.deed.prepare(store)
        store.close()
        return self._template.dump(but=self.deed.but)


# --- the line ends ---------------------------------------------------------------------------------------------------


def cut(size: str, seed: int) -> list[Score]:
    """All deeds, their connection reset instead of each message, of the store's and of the server's."""
    scores = []
    with workshop() as place, Proxy(port_of(os.environ[VARIABLE])) as proxy:
        for kind in ON_SERVER:
            tried = TriedOnServer(kind(), place / kind.__name__)
            for answers, name in SIDES.items():
                score = Score("P1", f"the line to PostgreSQL ends at a {name}: {kind.name}", seed)
                _cut(tried, proxy, score, EVERY[size], REPEATS[size], answers=answers)
                scores.append(score)
    return scores


def _cut(tried: TriedOnServer, proxy: Proxy, score: Score, every: int, repeats: int, *, answers: bool) -> None:
    tried.fresh()
    proxy.cut_at(0, answers=answers)
    with through(proxy):
        tried.act(lambda _text: None)
    # Its last message, which ends the connection, is counted as well.
    until(lambda: not proxy.connections)
    count = proxy.passed[answers]
    first = random.Random(score.seed + hash_of(score.what)).randrange(min(every, count)) + 1
    for number in range(first, count + 1, every):
        for _ in range(repeats):
            tried.fresh()
            acks: list[str] = []
            case = f"{tried.deed.name}, {SIDES[answers]} {number} of {count}"
            proxy.cut_at(number, answers=answers)
            score.cases += 1
            try:
                with through(proxy):
                    tried.act(acks.append)
            except LocalFault:
                pass
            except Exception as error:  # noqa: BLE001 - whatever else is raised is a fault of ours
                score.spoil(f"{case}: {type(error).__name__}: {error}")
            tried.judge(acks, score, case)


def port_of(url: str) -> int:
    """The port of a server that is reached by its socket."""
    return int(parse_qs(urlsplit(url).query)["port"][0])


@contextmanager
def through(proxy: Proxy) -> Iterator[None]:
    """The stores that are opened in the block are reached through the proxy."""
    url = os.environ[VARIABLE]
    os.environ[VARIABLE] = f"postgresql://{OWNER}@127.0.0.1:{proxy.port}{urlsplit(url).path}"
    try:
        yield
    finally:
        os.environ[VARIABLE] = url


# --- the process ends ------------------------------------------------------------------------------------------------


def kill(size: str, seed: int) -> list[Score]:
    """All deeds, their process killed before each call to the network."""
    return [Score(**one) for one in forks.apart("tests.torture.lost_connections", size, seed)]


def all_kills(size: str, seed: int) -> list[Score]:
    """What `kill` does, in this process."""
    scores = []
    with workshop() as place:
        for kind in ON_SERVER:
            score = Score("P2", f"kill at every call to the line to PostgreSQL: {kind.name}", seed)
            scores.append(score)
            if there():
                _kill(TriedOnServer(kind(), place / kind.__name__), place, score, size)
            else:
                score.left_out = MISSING
    return scores


def _kill(tried: TriedOnServer, place: Path, score: Score, size: str) -> None:
    log = place / "calls.log"
    tried.fresh()
    try:
        whole = forks.traced(tried.act, CALLS, log=log)
    except PermissionError as error:
        score.left_out = f"left out: {error}"
        return
    assert "done" in whole.acks and not whole.failed, whole
    calls = forks.calls_in(log)
    score.what += f" ({len(calls)} calls)"
    for call in calls[score.seed % min(EVERY[size], len(calls)) :: EVERY[size]] * REPEATS[size]:
        tried.fresh()
        end = forks.traced(tried.act, CALLS, at=call)
        score.cases += 1
        # How often a process waits is up to chance.
        if end.failed:
            score.spoil(f"{tried.deed.name}, {call}: {end}")
        tried.judge(end.acks, score, f"{tried.deed.name}, {call}")


if __name__ == "__main__":
    print(json.dumps([score.plain() for score in all_kills(sys.argv[1], int(sys.argv[2]))]))
