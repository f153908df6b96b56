"""Two machines on one PostgreSQL database: one works, the other stands by, whatever happens to the first."""

import json
import shutil
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from plexsync.rules.provider.standing import WELL
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store import intake
from plexsync.store.files.provider_secrets import FILE, read_secrets
from tests.journey.machines import Machines, busy, machines_on, until
from tests.journey.world import KEY, TOKEN, World
from tests.web.test_serving import free_port

pytestmark = pytest.mark.needs_postgres
# What the log says before the address at which Plex is answered.
ANSWERS = "provider: http"


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    with (
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as plex,
        machines_on(stash, plex, tmp_path) as made,
    ):
        yield made


def scenes(world: World, count: int) -> list[int]:
    """Scenes in Stash and their files in Plex."""
    world.section = world.plex.add_section("Movies", locations=("/media/scenes",))
    return world.add(count)


def titles(world: World) -> list[str]:
    """The titles of all movies in Plex."""
    return [str(world.plex.item(key).scalars["title"]) for key in world.plex.keys(world.section)]


def test_a_machine_that_stands_by_forwards_events_and_takes_over_from_a_killed_worker(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two", road="localhost")
    place = f"127.0.0.1:{free_port()}"
    for machine in (one, two):
        machine.world.settings["provider_listen"] = place
    ids = scenes(one.world, 12)
    one.start()
    until(lambda: machines.worker() == (1, "one"))
    until(lambda: one.says(ANSWERS))
    two.start()
    until(lambda: machines.standbys() == [("two", [])])
    until(lambda: two.says("standing by: the worker runs on one"))
    until(lambda: one.world.in_step(ids))
    # An event that a hook has left on the machine that stands by.
    machines.stash.edit_scene(ids[0], title="Edited beside the standby")
    event = {"kind": "scene", "id": ids[0], "why": "edit"}
    intake.spool(str(two.world.folder), json.dumps(event).encode(), ".json")
    until(lambda: two.says("1 events taken over that hooks had left as files"))
    until(lambda: one.world.in_step(ids))
    assert not two.says(ANSWERS), "it answers Plex only while it works"
    # Killed while its edits are on their way.
    machines.plex.faults.set(Fault("hang", when=lambda request: request.method == "PUT"))
    for id in ids:
        machines.stash.edit_scene(id, title=f"Once more {id}")
    until(lambda: busy(machines.plex))
    one.send(signal.SIGKILL)
    machines.plex.faults.clear()
    until(lambda: machines.worker() == (2, "two"))
    until(lambda: one.world.in_step(ids))
    assert two.says("taking over from the worker on one")
    until(lambda: two.says(ANSWERS))
    assert machines.standbys() == []
    # The first one comes back, and stands by for the second.
    one.start()
    until(lambda: machines.standbys() == [("one", [])])
    assert machines.worker() == (2, "two")
    assert (one.stop(), two.stop()) == (0, 0)
    assert machines.standbys() == []
    assert machines.rows("select ended from worker") == [("",)]
    # Two was stopped: the end of one before it is no longer told.
    assert machines.rows("select value from note where name = 'worker:ended'") == [("",)]


def test_a_machine_without_the_secrets_of_the_provider_says_which_file_to_copy_from_where(machines: Machines) -> None:
    place = f"127.0.0.1:{free_port()}"
    one, two = (machines.machine(name, provider_listen=place) for name in ("one", "two"))
    scenes(one.world, 2)
    machines.plex.set_section_pref(one.world.section, "includeAdultContent", "1")
    one.start()
    until(lambda: one.says(ANSWERS))
    added = one.world.run("provider", "add", "Movies", "--yes")
    assert added.returncode == 0, added
    own, other = one.world.folder / FILE, two.world.folder / FILE
    words = (
        f"the secret of its address is not in {other}, so Plex gets no answer from this machine: copy the file there from "
        f"{own} on {socket.gethostname()}, for the user of PlexSync alone (mode 600), or run plexsync provider add again, "
        "which makes a new address"
    )
    two.start()
    until(lambda: two.says(f"Movies: {words}"))
    assert [row["standing"] for row in two.world.json("provider", "status")["libraries"]] == [words]
    assert [row["problem"] for row in two.world.json("status")["asking"]] == [words]
    (check,) = [row for row in two.world.json("doctor")["checks"] if row["name"] == "Plex asks PlexSync"]
    assert (check["state"], words in check["told"]) == ("warning", True)
    assert [row["standing"] for row in one.world.json("provider", "status")["libraries"]] == [WELL]
    # Neither is in the database.
    (secret,) = read_secrets(one.world.folder).values()
    ((tables,),) = machines.rows("select database_to_xml(true, false, '')::text")
    assert "secrets_at" in tables
    assert secret.path not in tables
    assert secret.key not in tables
    shutil.copy2(own, other)
    assert other.stat().st_mode & 0o777 == 0o600
    assert [row["standing"] for row in two.world.json("provider", "status")["libraries"]] == [WELL]
    # It is asked at the same address once it works.
    one.send(signal.SIGKILL)
    until(lambda: two.says(ANSWERS))
    assert httpx2.get(f"http://{place}/{secret.path}").status_code == 200


@pytest.mark.long
def test_a_worker_that_hangs_is_replaced_and_does_nothing_more_when_it_wakes_up(machines: Machines) -> None:
    one = machines.machine("one", lease=15)
    two = machines.machine("two", road="localhost", lease=15)
    ids = scenes(one.world, 40)
    machines.plex.faults.set(Fault("hang", when=lambda request: request.method == "PUT"))
    one.start()
    until(lambda: busy(machines.plex))
    number, host = machines.worker()
    assert host == "one"
    one.send(signal.SIGSTOP)
    ((beat,),) = machines.rows("select beat from worker")
    machines.plex.faults.clear()
    two.start()
    until(lambda: machines.worker()[1] == "two")
    # By the database's clock: not before its lease was over.
    ((since,),) = machines.rows("select since from worker")
    assert since - beat >= 15_000
    until(lambda: one.world.in_step(ids))
    before = len(machines.plex.log)
    jobs = machines.rows("select kind, id, state, attempts from job order by kind, id")
    one.send(signal.SIGCONT)
    until(lambda: one.says("no longer holds the worker's lock: it stands by"))
    until(lambda: [host for host, _ in machines.standbys()] == ["one"])
    mine = [request for request in machines.plex.log[before:] if one.sent(request) and "websockets" not in request.path]
    assert mine == []
    assert machines.rows("select kind, id, state, attempts from job order by kind, id") == jobs
    assert machines.worker()[0] > number
    assert one.world.in_step(ids)
    assert (one.stop(), two.stop()) == (0, 0)


@pytest.mark.long
def test_a_machine_with_other_settings_does_not_take_over_and_says_why(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two", title_template="{title} again", sync_date="false")
    ids = scenes(one.world, 3)
    one.start()
    until(lambda: machines.worker() is not None and one.world.in_step(ids))
    two.start()
    until(lambda: machines.standbys() == [("two", ["sync_date", "title_template"])])
    assert two.says("these settings differ from those of the worker on one: sync_date, title_template")
    one.send(signal.SIGKILL)
    ((beats,),) = machines.rows("select beat from standby")
    # It tries again and again, and leaves the lock free.
    until(lambda: machines.rows("select beat from standby")[0][0] > beats + 3_000)
    assert machines.worker() == (1, "one")
    assert two.stop() == 0
    # You say so.
    two.start("--take-over")
    until(lambda: machines.worker() == (2, "two"))
    until(
        lambda: all(
            machines.plex.item(key).scalars["title"].endswith(" again") for key in machines.plex.keys(one.world.section)
        )
    )
    assert two.stop() == 0
    # Whoever ends in good order has handed over.
    one.start()
    until(lambda: machines.worker() == (3, "one"))
    assert one.stop() == 0


def test_commands_say_which_machine_works(machines: Machines) -> None:
    one, two = machines.machine("one"), machines.machine("two")
    ids = scenes(one.world, 2)
    one.start()
    until(lambda: machines.worker() is not None and one.world.in_step(ids))
    done = two.world.run("status")
    assert "on one" in done.stdout, done.stdout + done.stderr
    facts = two.world.json("status")["worker"]
    assert (facts["running"], facts["host"], facts["standbys"]) == (True, "one", [])
    done = two.world.run("drain")
    assert "plexsync serve is running on one" in done.stderr
    assert one.stop() == 0
