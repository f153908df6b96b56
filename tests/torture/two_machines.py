"""Two machines with clocks two minutes apart, one at work and one standing by, of which one after the other is lost: P6.

`python -m tests.torture.two_machines SECONDS COMMAND ...` is `plexsync COMMAND` on a machine whose clock is so much ahead.
"""

import random
import signal
import sys
import time
from contextlib import ExitStack

from tests.patience import HANG, until
from tests.postgres_proxy import Proxy
from tests.torture.neighbours import Neighbours
from tests.torture.score import Score, workshop
from tests.torture.server_faults import Site, Worker

ROUNDS = {"sample": 1, "full": 40, "long": 1_000}
APART = 120
WAYS = ("killed", "ended", "stopped", "cut off")


class Machine:
    """One machine: its folder, its clock, its line to the database, and the process on it."""

    def __init__(self, site: Site, name: str, ahead: int, proxy: Proxy) -> None:
        self.site, self.folder, self.ahead, self.proxy = site, site.place / name, ahead, proxy
        self.worker = self.start()

    def start(self) -> Worker:
        module = ("tests.torture.two_machines", str(self.ahead))
        self.worker = self.site.serve(self.site.url(self.proxy.port), self.folder, module=module)
        return self.worker

    @property
    def works(self) -> bool:
        """Whether the database says that this process is the worker."""
        return any(pid == self.worker.process.pid for _, pid, _ in self.site.holders())

    @property
    def is_there(self) -> bool:
        """Whether the database says that this process works or stands by."""
        pid = self.worker.process.pid
        return self.works or bool(self.site.store.rows("select 1 from standby where pid = ?", pid))

    def lose(self, how: str) -> None:
        """This machine is lost, or its line to the database."""
        if how == "cut off":
            self.proxy.stall()
        else:
            numbers = {"killed": signal.SIGKILL, "ended": signal.SIGTERM, "stopped": signal.SIGSTOP}
            self.worker.process.send_signal(numbers[how])

    def come_back(self, how: str) -> None:
        """It is there again, while the other one works."""
        if how == "cut off":
            self.proxy.mend()
        elif how == "stopped":
            self.worker.process.send_signal(signal.SIGCONT)
        else:
            self.worker.process.wait(timeout=HANG)
            self.start()


def alternating(size: str, seed: int) -> list[Score]:
    """The worker is lost, the other machine goes on, the lost one comes back and stands by; again and again."""
    score = Score("P6", f"two machines with clocks {APART} s apart, the worker lost again and again", seed)
    rng, slowest = random.Random(seed), 0.0
    with workshop() as place, Neighbours() as town, Site(place, town, rng) as site, ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(site.server.port)) for _ in range(2)]
        machines = [Machine(site, f"machine{n}", n * APART, proxy) for n, proxy in enumerate(proxies)]
        site.wait()
        until(lambda: all(machine.is_there for machine in machines))
        ways: list[str] = []
        while score.cases < ROUNDS[size]:
            ways = ways or rng.sample(WAYS, len(WAYS))
            way, case = ways.pop(), f"round {score.cases + 1}"
            at_work = [machine for machine in machines if machine.works]
            if len(at_work) != 1:
                score.spoil(f"{case}: {len(at_work)} machines work: {site.holders()}")
                break
            (lost,), (other,) = at_work, [machine for machine in machines if machine not in at_work]
            site.edit(other.folder)
            time.sleep(rng.random())
            began = time.monotonic()
            lost.lose(way)
            site.edit(other.folder)
            while not other.works and time.monotonic() < began + HANG:
                time.sleep(0.1)
            slowest = max(slowest, time.monotonic() - began)
            if not other.works:
                score.spoil(f"{case}, {way}: nobody takes over: {other.worker.text()[-800:]}")
                break
            site.edit(other.folder)
            lost.come_back(way)
            score.cases += 1
            until(lambda machine=lost: machine.is_there)
            if not site.wait():
                score.lose(f"{case}, {way}: Plex never shows {site.not_shown()}: {other.worker.text()[-800:]}")
                break
        site.judge(score, "at the end")
        for machine in machines:
            machine.worker.judge(score, f"at the end, {machine.folder.name}")
    score.what += f" (slowest takeover {slowest:.0f} s)"
    return [score]


def run_ahead(seconds: int, words: list[str]) -> None:
    """Be `plexsync` on a machine whose clock is ahead."""
    now, now_ns = time.time, time.time_ns
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + seconds * 1_000_000_000

    from plexsync.cli.main import main

    main(words)


if __name__ == "__main__":
    run_ahead(int(sys.argv[1]), sys.argv[2:])
