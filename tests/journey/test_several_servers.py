"""Two Plex servers and one Stash: real `serve` processes, each server with its own database, breaker and books."""

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.simulator.http import Fault
from plexsync.simulator.plex_changes import next_machine
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_server import StashSim
from plexsync.store import intake
from plexsync.store.files.lock import is_locked
from tests.journey.world import KEY, TOKEN, World, until

OTHER_TOKEN = "journey-other-token-0123456789"
LIVING = '[[plex]]\nname = "living"\nplex_url = "{url}"\n'
ATTIC = '[[plex]]\nname = "attic"\nplex_url = "{url}"\nplex_token = "{token}"\n'


class Town(World):
    """A world with a second Plex, the attic; the first is the living room's. Entries in plexsync.toml name both."""

    attic: World

    @property
    def file(self) -> Path:
        return self.folder.parent / "plexsync.toml"

    def write(self, *, attic: bool = True, more: str = "") -> None:
        """Write plexsync.toml as a whole, with both entries or the first; `more` stands in the attic's."""
        text = LIVING.format(url=self.plex.url)
        if attic:
            text += ATTIC.format(url=self.attic.plex.url, token=OTHER_TOKEN) + more
        fresh = self.file.with_name("new.toml")
        fresh.write_text(text)
        fresh.chmod(0o600)
        fresh.replace(self.file)

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "PLEXSYNC_CONFIG": str(self.file)}

    def add_to_both(self, count: int) -> list[int]:
        """Scenes whose files both servers have."""
        for n in range(count):
            path = f"/media/scenes/scene {n:05}.mp4"
            self.attic.plex.add_movie(self.attic.section, files=[(path, 1_000_000 + n, 60_000)], title=f"scene {n:05}")
        return self.add(count)

    def are_in_step(self, ids: list[int]) -> bool:
        return shown(self) >= titles(self, ids) and shown(self.attic) >= titles(self, ids)


class Attic(World):
    """The second Plex with its database, to look at."""


def titles(world: World, ids: list[int]) -> set[str]:
    return {world.stash.scene(id).title for id in ids}


def shown(world: World) -> set[str]:
    """The titles that a server shows."""
    return {str(world.plex.item(key).scalars["title"]) for key in world.plex.keys(world.section)}


def alive(world: World) -> bool:
    """Whether a worker has the lock on the database of this world."""
    return world.folder.is_dir() and is_locked(world.folder)


def worker_of_attic(parent: subprocess.Popen[str]) -> int:
    """The process of the second worker, 0 if there is none."""
    found = subprocess.run(["pgrep", "-P", str(parent.pid)], capture_output=True, text=True, check=False)
    return int(found.stdout.split()[0]) if found.stdout.split() else 0


def writes(world: World) -> list[str]:
    """The methods of the requests that wrote to a Plex. How often it is read depends on when its events arrive."""
    return [one.method for one in list(world.plex.log) if one.method != "GET"]


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    with (
        StashSim(api_key=KEY) as stash,
        PlexSim(token=TOKEN) as plex,
        PlexSim(token=OTHER_TOKEN) as second,
        Town(stash, plex, folder, unset=("plex_url",)) as town,
    ):
        second.machine = next_machine(plex.machine)
        town.section = plex.add_section("Movies", locations=("/media/scenes",))
        attic_section = second.add_section("Films", locations=("/media/scenes",))
        town.attic = Attic(stash, second, folder / "plex-attic", section=attic_section)
        town.write()
        yield town


def test_each_server_gets_the_scenes_of_its_scope(town: Town) -> None:
    town.write(more='scope = ["tag: For the attic"]\n')
    ids = town.add_to_both(6)
    town.stash.edit_scene(ids[0], tags=["For the attic"])
    with town.serving():
        until(lambda: shown(town) == titles(town, ids))
        until(lambda: titles(town, ids[:1]) <= shown(town.attic))
        # Now a second one is for both as well.
        town.stash.edit_scene(ids[1], title="For both", tags=["For the attic", "Another"])
        until(lambda: "For both" in shown(town) and "For both" in shown(town.attic))
        until(lambda: town.attic.count("outside") == 4)
        # The first comparison may still queue what was synced meanwhile.
        until(lambda: (town.count("idle"), town.count("outside")) == (6, 0))
    assert not titles(town, ids[2:]) & shown(town.attic)
    assert {key for key in town.attic.plex.keys(town.attic.section) if town.attic.plex.item(key).locks} == {
        key
        for key in town.attic.plex.keys(town.attic.section)
        if town.attic.plex.item(key).scalars["title"] in titles(town, ids[:2])
    }


def test_while_one_is_away_an_edit_costs_the_other_the_same_writes_and_the_first_catches_up(town: Town) -> None:
    ids = town.add_to_both(4)
    with town.serving():
        until(lambda: town.are_in_step(ids))
        until(lambda: town.rows("select value from note where name = 'reconcile:last'"))
        until(lambda: town.attic.rows("select value from note where name = 'reconcile:last'"))

        def cost_of_an_edit(id: int, title: str) -> list[str]:
            """How living is written to for one edit."""
            town.plex.clear_log()
            town.stash.edit_scene(id, title=title)
            until(lambda: title in shown(town))
            until(lambda: town.count("idle") == len(ids))
            return writes(town)

        usual = [cost_of_an_edit(ids[0], f"Before {turn}") for turn in range(3)]
        until(lambda: town.are_in_step(ids))
        town.attic.plex.clear_log()
        town.attic.plex.faults.set(Fault("refuse"))
        during = [cost_of_an_edit(id, f"While away {id}, {turn}") for id in ids for turn in range(2)]
        until(lambda: town.attic.rows("select state from breaker where who = 'plex'") == [("open",)])
        assert [cost for cost in [*usual, *during] if cost != ["PUT"]] == [], (
            "an edit costs what it costs with both there"
        )
        assert not any(title.startswith("While away") for title in shown(town.attic))
        assert town.rows("select count(*) from transition") == [(0,)], "the other's breaker never moved"
        town.attic.plex.faults.clear()
        until(lambda: town.are_in_step(ids))
        until(lambda: town.attic.count("idle") == len(ids))
        # A poll may still queue what was synced meanwhile.
        for world in (town, town.attic):
            until(lambda of=world: of.rows("select accepted - coalesced - done - pruned from books") == [(0,)])
    assert town.attic.plex.count("PUT") == len(ids), "two edits of a scene while away are one write"
    assert (town.count("dead"), town.attic.count("dead")) == (0, 0)


def test_an_event_of_a_hook_reaches_both_at_once(town: Town) -> None:
    town.settings["stash_poll_interval"] = "3600"
    ids = town.add_to_both(2)
    with town.serving():
        until(lambda: town.are_in_step(ids))
        # Nobody tells of this edit but the hook, which knows the first database alone.
        town.stash.quiet_edit(ids[0], title="By the hook")
        assert intake.store(str(town.folder), "scene", ids[0]) == ""
        until(lambda: "By the hook" in shown(town))
        until(lambda: "By the hook" in shown(town.attic))


@pytest.mark.long
def test_a_killed_worker_is_started_again_and_ends_with_its_parent(town: Town) -> None:
    ids = town.add_to_both(2)
    parent = town.start("serve")
    until(lambda: town.are_in_step(ids))
    first = worker_of_attic(parent)
    subprocess.run(["kill", "-9", str(first)], check=True)
    until(lambda: worker_of_attic(parent) not in (0, first))
    town.stash.edit_scene(ids[0], title="After the kill")
    until(lambda: town.are_in_step(ids))
    assert "attic: its worker ended (-9); it is started again" in town.log()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not alive(town.attic))
    assert not alive(town)


@pytest.mark.long
def test_entries_that_change_are_taken_over_and_those_that_can_not_are_told(town: Town) -> None:
    ids = town.add_to_both(2)
    town.write(attic=False)
    with town.serving():
        until(lambda: shown(town) == titles(town, ids))
        assert not town.attic.folder.exists()
        town.write()
        until(lambda: town.are_in_step(ids))
        assert alive(town.attic)
        town.write(more="sync_titel = true\n")
        until(lambda: '"sync_titel" in [[plex]] "attic" in plexsync.toml is no setting' in town.log())
        town.write(attic=False)
        until(lambda: not alive(town.attic))
        town.stash.edit_scene(ids[0], title="For one")
        until(lambda: "For one" in shown(town))
        assert "For one" not in shown(town.attic)
        # Back again, it goes on with its database and misses nothing.
        town.write()
        until(lambda: "For one" in shown(town.attic))
    assert town.attic.plex.count("PUT") == len(ids) + 1


def test_another_first_entry_is_refused_because_the_first_database_is_not_its_own(town: Town) -> None:
    with town.serving():
        # It has the lock before it has its database.
        until(lambda: alive(town.attic) and (town.attic.folder / "plexsync.db").is_file())
        assert town.rows("select value from note where name = 'plex:first'") == [("living",)]
    text = ATTIC.format(url=town.attic.plex.url, token=OTHER_TOKEN)
    town.file.write_text(text + LIVING.format(url=town.plex.url))
    swapped = town.run("serve")
    assert swapped.returncode == 2
    assert (
        '"attic" can\'t be the first entry: the first database is that of "living": put it first again'
        in swapped.stderr
    )
    town.file.write_text(text)
    alone = town.run("serve")
    assert alone.returncode == 2
    assert "put its entry first again, with enabled = false" in alone.stderr


@pytest.mark.long
def test_a_database_of_a_single_server_goes_on_as_that_of_the_first(town: Town) -> None:
    ids = town.add_to_both(4)
    town.file.unlink()
    alone = World(town.stash, town.plex, town.folder, section=town.section)
    with alone:
        assert alone.run("sync", "--all", "--wait").returncode == 0
        with alone.serving():
            until(lambda: alone.rows("select value from note where name = 'reconcile:last'"))
        files = {path.name for path in town.folder.iterdir()}
        assert not any(name.startswith("plex-") for name in files)
        assert alone.rows("select count(*) from note where name = 'plex:first'") == [(0,)]
        assert "attic" not in alone.log()
        memory = alone.rows("select * from memory order by 1, 2, 3")
    writes = town.plex.count("PUT")
    town.write()
    with town.serving():
        until(lambda: town.are_in_step(ids))
        until(lambda: town.attic.rows("select value from note where name = 'reconcile:last'"))
    assert town.plex.count("PUT") == writes, "the first server is where it was"
    assert town.rows("select * from memory order by 1, 2, 3") == memory


def test_two_entries_that_lead_to_one_server_are_noticed_and_the_first_goes_on(town: Town) -> None:
    town.attic.plex.machine = town.plex.machine
    ids = town.add_to_both(2)
    assert town.run("sync", "--all", "--wait").returncode == 0
    with town.serving():
        until(lambda: shown(town) == titles(town, ids))
        # Whoever says it has opened its database.
        until(lambda: "this is the Plex server of the first [[plex]] entry" in town.log())
        until(lambda: town.attic.rows("select setting, choice from hold where who = 'plex'") == [("plex_url", "")])
        assert town.attic.plex.count("PUT") == 0
        assert town.rows("select count(*) from hold") == [(0,)]


def test_no_token_is_in_a_log_or_a_database(town: Town) -> None:
    ids = town.add_to_both(1)
    with town.serving():
        until(lambda: town.are_in_step(ids))
        shown_processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert OTHER_TOKEN not in shown_processes
    for world in (town, town.attic):
        db = sqlite3.connect(world.folder / "plexsync.db")
        try:
            assert OTHER_TOKEN not in "\n".join(db.iterdump())
        finally:
            db.close()
        assert OTHER_TOKEN not in (world.folder / "plexsync.log").read_text()
    assert OTHER_TOKEN not in town.log()
