"""Two Plex servers on one PostgreSQL database and two machines: one machine works for both, the other stands by for both."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store import intake
from tests.journey.machines import Machine, Machines, busy, machines_on, until
from tests.journey.world import KEY, TOKEN

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.needs_postgres,
]
SCHEMAS = ("plexsync", "plexsync_attic")
OTHER_TOKEN = "journey-other-token-0123456789"


@dataclass
class Town:
    """Two machines, and two Plex servers: the living room's and the attic's."""

    machines: Machines
    living: PlexSim
    attic: PlexSim
    one: Machine
    two: Machine
    ids: list[int] = field(default_factory=list)
    sections: list[tuple[PlexSim, str]] = field(default_factory=list)

    def begin(self) -> None:
        """Start both machines: the first one works, and the second one stands by."""
        self.one.start()
        until(lambda: self.works(self.one) and self.in_step())
        self.two.start()
        until(lambda: self.stands_by(self.two))

    def edit_all(self, words: str) -> None:
        """Edit each scene; the hook on the second machine tells of it, and nobody polls within the hour."""
        for id in self.ids:
            self.machines.stash.quiet_edit(id, title=f"{words} {id}")
            event = {"kind": "scene", "id": id, "why": "edit"}
            intake.spool(str(self.two.world.folder), json.dumps(event).encode(), ".json")

    def in_step(self) -> bool:
        """Whether both servers show the titles of all scenes."""
        titles = sorted(self.machines.stash.scene(id).title for id in self.ids)
        return all(
            sorted(str(plex.item(key).scalars["title"]) for key in plex.keys(section)) == titles
            for plex, section in self.sections
        )

    def workers(self) -> list[tuple]:
        """The number and the process of the worker of each server."""
        return [self.machines.rows(f"select number, pid from {schema}.worker")[0] for schema in SCHEMAS]

    def standbys(self) -> list[int]:
        """The processes that stand by, of both servers."""
        return [pid for schema in SCHEMAS for (pid,) in self.machines.rows(f"select pid from {schema}.standby")]

    def works(self, machine: Machine) -> bool:
        """Whether this machine works for both."""
        return self._are([pid for _, pid in self._or_none(self.workers)], machine)

    def stands_by(self, machine: Machine) -> bool:
        """Whether this machine stands by for both."""
        return self._are(self._or_none(self.standbys), machine)

    def _are(self, found: list[int], machine: Machine) -> bool:
        return found == processes(machine) and len(found) == 2

    def _or_none(self, question) -> list:
        try:
            return question()
        except Exception as error:
            # A machine that has just begun makes the tables.
            if type(error).__name__ in ("UndefinedTable", "InvalidSchemaName") or isinstance(error, IndexError):
                return []
            raise


def processes(machine: Machine) -> list[int]:
    """The process of the first worker of this machine, and that of the second."""
    assert machine.process is not None
    found = subprocess.run(["pgrep", "-P", str(machine.process.pid)], capture_output=True, text=True, check=False)
    return [machine.process.pid, *map(int, found.stdout.split())]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with (
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as living,
        PlexSim(token=OTHER_TOKEN) as attic,
        machines_on(stash, living, tmp_path) as machines,
    ):
        attic.machine = next_machine(living.machine)
        file = tmp_path / "plexsync.toml"
        file.write_text(
            f'[[plex]]\nname = "living"\nplex_url = "{living.url}"\n'
            f'[[plex]]\nname = "attic"\nplex_url = "{attic.url}"\nplex_token = "{OTHER_TOKEN}"\n'
        )
        file.chmod(0o600)
        one, two = (machines.machine(name, config=str(file), stash_poll_interval="3600") for name in ("one", "two"))
        for machine in (one, two):
            machine.world.unset = ("plex_url",)
        town = Town(machines, living, attic, one, two)
        one.world.section = living.add_section("Movies", locations=("/media/scenes",))
        section = attic.add_section("Films", locations=("/media/scenes",))
        town.sections = [(living, one.world.section), (attic, section)]
        for n in range(6):
            path = f"/media/scenes/scene {n:05}.mp4"
            attic.add_movie(section, files=[(path, 1_000_000 + n, 60_000)], title=f"scene {n:05}")
        town.ids = one.world.add(6)
        yield town


@pytest.mark.long
def test_a_machine_takes_over_both_servers_from_one_that_is_killed_and_nothing_is_lost_or_doubled(town: Town) -> None:
    one, two = town.one, town.two
    town.begin()
    assert two.says("attic: standing by: the worker runs on")
    # On any machine, each server is told with its worker and who stands by for it.
    facts = two.world.json("status")["servers"]
    assert sorted((each["plex"], each["worker"]["running"], len(each["worker"]["standbys"])) for each in facts) == [
        ("attic", True, 1),
        ("living", True, 1),
    ]
    told = two.world.run("doctor").stdout
    assert told.count("takes over if the worker ends") == 2, told
    # The hook leaves its events on the machine that stands by: both servers get them.
    town.edit_all("By the hook")
    until(town.in_step)

    # The machine dies with edits on their way to both.
    for plex in (town.living, town.attic):
        plex.faults.set(Fault("hang", when=lambda request: request.method == "PUT"))
    town.edit_all("Before the end")
    until(lambda: busy(town.living) and busy(town.attic))
    numbers = [number for number, _ in town.workers()]
    for pid in reversed(processes(one)):
        os.kill(pid, signal.SIGKILL)
    for plex in (town.living, town.attic):
        plex.clear_log()
        plex.faults.clear()
    until(lambda: town.works(two) and town.in_step())
    assert [number for number, _ in town.workers()] == [number + 1 for number in numbers]
    settled = "select count(*) from {}.job where state <> 'idle'"
    until(lambda: [town.machines.rows(settled.format(schema)) for schema in SCHEMAS] == [[(0,)], [(0,)]])
    assert [plex.count("PUT") for plex in (town.living, town.attic)] == [len(town.ids)] * 2, (
        "each edit was written once"
    )
    for schema in SCHEMAS:
        assert town.machines.rows(f"select accepted - coalesced - done - pruned from {schema}.books") == [(0,)]
    # Killed alone, it takes its second worker with it.
    second = processes(two)[1]
    two.send(signal.SIGKILL)
    until(lambda: not Path(f"/proc/{second}").exists())


@pytest.mark.long
def test_the_second_worker_goes_on_when_the_first_loses_its_lock(town: Town) -> None:
    one, two = town.one, town.two
    town.begin()
    (first, second), began = town.workers(), processes(one)
    # As an administrator ends a session, until the other machine was faster.
    while (last := town.workers()[0])[1] == one.process.pid:
        town.machines.rows("select pg_terminate_backend(backend::int) from worker")
        until(lambda last=last: town.workers()[0] != last)
    assert town.workers()[0][0] > first[0]
    until(lambda: one.says("no longer holds the worker's lock: it stands by"))
    until(lambda: town.machines.rows("select pid from standby") == [(one.process.pid,)])
    town.edit_all("With a worker on each machine")
    until(town.in_step)
    assert (processes(one), town.workers()[1]) == (began, second)
    assert (one.stop(), two.stop()) == (0, 0)
