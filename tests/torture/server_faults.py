"""`plexsync serve` at work while PostgreSQL is killed, restarted, full, away, frozen or replaced: P3, P4 and P5.

People edit scenes all the time, and hooks leave files. In the end Plex shows what Stash says, was told of each title once
and in the order in which Stash said them, and the store's books balance.
"""

import random
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from plexsync.rules.queue.job import Kind
from plexsync.store import intake
from tests.patience import HANG, until
from tests.postgres_proxy import Proxy
from tests.postgres_server import Server
from tests.store_places import PostgresPlace
from tests.torture.kill_jobs import environ_for, serving
from tests.torture.leaking import leaks
from tests.torture.neighbours import Neighbours
from tests.torture.score import Score, workshop

ROLE = "plexsync"
SECRET = "torture-database-password-0123"
SCENES = 6
CONNECTIONS = 24
# How many troubles one serve meets, and how many of them begin before the last one is forgotten.
TROUBLES = {"sample": 4, "full": 60, "long": 1_000}
# Seconds that a trouble lasts at most.
LASTS = {"sample": 1.0, "full": 8.0, "long": 30.0}
FAILOVERS = {"sample": 1, "full": 12, "long": 100}
AWAY = {"sample": (2.0,), "full": (30.0, 150.0), "long": (30.0, 150.0, 600.0)}
# What no log of a worker may hold.
BAD = ("Traceback", " CRITICAL ")


@dataclass
class Site:
    """A server of its own behind a proxy, neighbours, and the processes of PlexSync that work on them."""

    place: Path
    town: Neighbours
    rng: random.Random
    titles: dict[int, list[str]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._stack = ExitStack()
        try:
            self.server = self._stack.enter_context(Server(password=SECRET, max_connections=CONNECTIONS))
            self.proxy = self._stack.enter_context(Proxy(self.server.port))
            self.server.query(f"create role {ROLE} login password '{SECRET}'")
            self.server.query(f"create database {ROLE} owner {ROLE}")
            self.made = self.town.ask("fresh", SCENES)
            self.titles = {id: [f"Title {n}"] for n, id in enumerate(self.made["ids"])}
            self.store = self.store_on(self.server)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def store_on(self, server: Server) -> PostgresPlace:
        """The store, looked at beside the proxy."""
        return PostgresPlace(self.place / "data", server.url(ROLE, socket=True))

    def url(self, port: int, query: str = "") -> str:
        """The address that the product is given."""
        return f"postgresql://{ROLE}:{SECRET}@127.0.0.1:{port}/{ROLE}{query}"

    def holders(self) -> list[tuple]:
        """(host, process id, number) of whoever is the worker by the database."""
        return self.store.rows("select host, pid, number from worker where ended is null")

    def serve(self, url: str, folder: Path | None = None, module: tuple[str, ...] = ("plexsync",)) -> "Worker":
        """Start a worker, by this module and its first words; it is ended with the site."""
        folder = folder or self.store.folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        worker = Worker(self.made, folder, {"database_url": url, "database_schema": self.store.schema}, module)
        self._stack.callback(worker.end)
        return worker

    def edit(self, folder: Path | None = None) -> None:
        """Somebody gives a scene another title, and the hook tells of it."""
        id = self.rng.choice(self.made["ids"])
        self.titles[id].append(f"Title {id}, edit {len(self.titles[id])}")
        self.town.ask("edit", id, self.titles[id][-1])
        intake.store(str(folder or self.store.folder), Kind.SCENE, id)

    def not_shown(self) -> set[str]:
        """The titles that Stash has now and Plex does not show."""
        shown = {str(scalars.get("title")) for scalars, *_ in self.town.ask("state")["shown"].values()}
        return {titles[-1] for titles in self.titles.values()} - shown

    def is_done(self) -> bool:
        """Whether Plex shows what Stash says now, and nothing is left to do."""
        if self.not_shown():
            return False
        return self.store.exists() and not self.store.rows("select 1 from job where state <> 'idle'")

    def wait(self) -> bool:
        """Wait until that is so; False if it never is."""
        end = time.monotonic() + HANG
        while time.monotonic() < end:
            if self.is_done():
                return True
            time.sleep(0.2)
        return False

    def judge(self, score: Score, case: str) -> None:
        """Nothing is lost, doubled or wrong."""
        if not self.wait():
            left = self.store.rows("select id, state, cls, error from job where state <> 'idle'")
            files = len(intake.list_spooled(str(self.store.folder), 100, 0))
            score.lose(f"{case}: Plex never shows {self.not_shown()}; left are {left[:4]} and {files} files of hooks")
        score.law(self.store.folder / "plexsync.db", case)
        told = self.town.ask("state")["titles"]
        for titles, (path, said) in zip(self.titles.values(), sorted(told.items()), strict=True):
            places = [titles.index(title) if title in titles else -1 for title in said]
            if len(set(places)) < len(places):
                score.double(f"{case}: {path} was told of {said}")
            elif places != sorted(places) or -1 in places:
                score.spoil(f"{case}: {path} was told of {said}, while Stash said {titles}")


class Worker:
    """One `plexsync serve`, and what it says."""

    def __init__(self, made: dict[str, Any], folder: Path, settings: dict[str, str], module: tuple[str, ...]) -> None:
        self.said = folder.parent / f"{folder.name}.said"
        more = {f"PLEXSYNC_{name.upper()}": value for name, value in settings.items()}
        with self.said.open("ab") as said:
            self.process = serving(made, folder, module, stdout=said, stderr=said, env=environ_for(made, folder) | more)

    def text(self) -> str:
        return self.said.read_text(encoding="utf-8", errors="replace")

    def end(self, number: int = signal.SIGKILL) -> int | None:
        """Send a signal to it and wait for its end; returns how it ended, None if it does not."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=HANG)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def judge(self, score: Score, case: str) -> None:
        """It is still there, ends well when it is told to, and has said neither a secret nor that it failed."""
        code = self.process.poll()
        if code is not None:
            score.spoil(f"{case}: serve ended by itself with {code}: {self.text()[-800:]}")
        elif (code := self.end(signal.SIGTERM)) != 0:
            score.spoil(f"{case}: serve ended with {code} when it was told to: {self.text()[-800:]}")
        text = self.text()
        if bad := [line for line in text.splitlines() if any(word in line for word in BAD)]:
            score.spoil(f"{case}: {bad[:2]}: {text[-1500:]}")
        if SECRET in text or leaks(text.encode()):
            score.spoil(f"{case}: serve has said a secret")


# --- what happens to a server ----------------------------------------------------------------------------------------


class Troubles:
    """What can happen to PostgreSQL and the line to it, each for a while."""

    def __init__(self, site: Site) -> None:
        self._server, self._proxy, self._rng = site.server, site.proxy, site.rng

    def all(self) -> dict[str, Callable[[float], None]]:
        """By name; each takes the seconds that it lasts."""
        return {
            "a backend is killed": self.kill_backend,
            "connections are ended": self.end_connections,
            "the server is restarted": self.restart,
            "the server is ended at once, and started": lambda seconds: self.be_away("immediate", seconds),
            "the server is killed, and started": lambda seconds: self.be_away("kill", seconds),
            "there is no free connection": self.take_all,
            "the line is cut": lambda _seconds: self._proxy.cut() and None,
            "connections are refused": self.refuse,
            "nothing passes": self.stall,
            "the server stands still": self.freeze,
            "answers of commits are lost": lambda seconds: self.drop(self._proxy.drop_commits, seconds),
            "commits are lost": lambda seconds: self.drop(self._proxy.drop_requests, seconds),
        }

    def kill_backend(self, _seconds: float) -> None:
        with suppress(IndexError):
            self._server.kill_backend(self._rng.choice(self._server.backends(f"usename = '{ROLE}'")))
        self._server.wait_until_ready()

    def end_connections(self, _seconds: float) -> None:
        self._server.query(f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{ROLE}'")

    def restart(self, _seconds: float) -> None:
        self._server.restart("fast")

    def be_away(self, how: Any, seconds: float) -> None:
        self._server.stop(how)
        time.sleep(seconds)
        self._server.start()

    def take_all(self, seconds: float) -> None:
        """Others take every connection, also those that the worker had."""
        import psycopg

        taken = []
        try:
            url = self._server.url(ROLE).replace("postgresql://store", f"postgresql://{ROLE}")
            while len(taken) < CONNECTIONS:
                try:
                    taken.append(psycopg.connect(url, application_name="others"))
                except psycopg.OperationalError:
                    break
            others = f"usename = '{ROLE}' and application_name <> 'others'"
            self._server.query(f"select pg_terminate_backend(pid) from pg_stat_activity where {others}")
            with suppress(psycopg.OperationalError):
                while True:
                    taken.append(psycopg.connect(url, application_name="others"))
            time.sleep(seconds)
        finally:
            for one in taken:
                one.close()

    def refuse(self, seconds: float) -> None:
        self._proxy.refuse()
        time.sleep(seconds)
        self._proxy.mend()

    def stall(self, seconds: float) -> None:
        self._proxy.stall()
        time.sleep(seconds)
        self._proxy.mend()

    def freeze(self, seconds: float) -> None:
        self._server.freeze()
        time.sleep(seconds)
        self._server.thaw()

    def drop(self, begin: Callable[[int], None], seconds: float) -> None:
        before, end = self._proxy.commits_dropped, time.monotonic() + HANG
        begin(self._rng.choice((1, 2, 5)))
        # At least one: a worker commits all the time.
        while self._proxy.commits_dropped == before and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(seconds)
        self._proxy.mend()


def troubled(size: str, seed: int) -> list[Score]:
    """Everything that can happen to a server happens to that of a worker at work, one after the other."""
    score = Score("P3", "PostgreSQL killed, restarted, full, away or in doubt under serve at work", seed)
    rng = random.Random(seed)
    with workshop() as place, Neighbours() as town, Site(place, town, rng) as site:
        worker = site.serve(site.url(site.proxy.port))
        if not site.wait():
            score.spoil(f"serve never begins: {worker.text()[-800:]}")
            return [score]
        troubles = Troubles(site).all()
        names: list[str] = []
        while score.cases < TROUBLES[size]:
            names = names or rng.sample(sorted(troubles), len(troubles))
            name = names.pop()
            site.edit()
            time.sleep(rng.random() * 0.5)
            troubles[name](rng.random() * LASTS[size])
            site.edit()
            score.cases += 1
            if rng.random() < 0.6 and not site.wait():
                score.lose(f"trouble {score.cases}, {name}: Plex does not show what Stash says: {worker.text()[-800:]}")
                break
        site.judge(score, f"after {score.cases} troubles")
        worker.judge(score, f"after {score.cases} troubles")
    return [score]


# --- another server takes over ---------------------------------------------------------------------------------------


def failing_over(size: str, seed: int) -> list[Score]:
    """The primary ends, a standby of PostgreSQL's own is promoted, and the worker, who knows both, goes on there."""
    score = Score("P4", "the primary of PostgreSQL is gone, its standby is promoted", seed)
    for number in range(FAILOVERS[size]):
        rng = random.Random(seed * 1_000_003 + number)
        with workshop() as place, Neighbours() as town, Site(place, town, rng) as site:
            score.cases += 1
            _fail_over(site, score, f"failover {number}")
    return [score]


def _fail_over(site: Site, score: Score, case: str) -> None:
    # Nothing that was committed may be missing on the standby, or a database with that loss is what goes on.
    site.server.query("alter system set synchronous_standby_names = '*'")
    standby = site.server.standby(max_connections=CONNECTIONS)
    try:
        # It has nobody to wait for.
        standby.query("alter system reset synchronous_standby_names")
        standby.query("select pg_reload_conf()")
        site.server.query("select pg_reload_conf()")
        until(lambda: site.server.query("select sync_state from pg_stat_replication") == [["sync"]])
        hosts = f"127.0.0.1:{site.server.port},127.0.0.1"
        worker = site.serve(site.url(standby.port, "?target_session_attrs=read-write").replace("127.0.0.1", hosts, 1))
        if not site.wait():
            score.spoil(f"{case}: serve never begins: {worker.text()[-800:]}")
            return
        for _ in range(4):
            site.edit()
        time.sleep(site.rng.random() * 2)
        site.server.stop(site.rng.choice(("kill", "immediate", "fast")))
        site.edit()
        time.sleep(site.rng.random() * 3)
        standby.promote()
        site.store = site.store_on(standby)
        site.edit()
        site.judge(score, case)
        worker.judge(score, case)
        if not score.clean:
            score.remark(worker.text()[-3000:])
    finally:
        standby.remove()


# --- no line for minutes ---------------------------------------------------------------------------------------------


def unreachable(size: str, seed: int) -> list[Score]:
    """Nothing passes for minutes, or connections are refused for as long: the worker waits, and goes on by itself."""
    score = Score("P5", "no line to PostgreSQL for minutes", seed)
    ways: dict[str, Callable[[Proxy], None]] = {"nothing passes": Proxy.stall, "refused": Proxy.refuse}
    with workshop() as place, Neighbours() as town, Site(place, town, random.Random(seed)) as site:
        worker = site.serve(site.url(site.proxy.port))
        site.wait()
        for seconds in AWAY[size]:
            for name, begin in ways.items():
                score.cases += 1
                begin(site.proxy)
                for _ in range(4):
                    site.edit()
                    time.sleep(seconds / 4)
                site.proxy.mend()
                site.edit()
                site.judge(score, f"{name} for {seconds:.0f} s")
        worker.judge(score, "at the end")
    return [score]
