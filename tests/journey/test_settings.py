"""Settings that stand in Stash, end to end: nobody touches the running PlexSync."""

from plexsync.app.settings import PLUGIN
from plexsync.simulator.http import Fault
from tests.journey.world import TOKEN, World, until

OLD = "journey-plex-token-of-yesterday"


def genres(world: World) -> set[str]:
    return {tag for key in world.plex.keys(world.section) for tag in world.plex.item(key).lists.get("genre", ())}


def holders(world: World, secret: str) -> list[str]:
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    return [path.name for path in files if secret.encode() in path.read_bytes()]


def test_a_token_that_is_replaced_in_stash_ends_the_hold(world: World) -> None:
    world.unset = ("plex_url", "plex_token")
    # A test every five minutes would come too late.
    world.settings["breaker_recovery_timeout"] = world.settings["breaker_max_recovery_timeout"] = "300"
    world.stash.plugin_settings[PLUGIN] = {"plex_url": world.plex.url, "plex_token": OLD}
    ids = world.add(3)
    with world.serving() as process:
        until(lambda: "on hold until plex_token is put right" in world.log())
        assert world.plex.count("PUT") == 0
        world.stash.plugin_settings[PLUGIN]["plex_token"] = TOKEN
        until(lambda: world.in_step(ids))
        assert process.poll() is None
        assert "settings changed: plex_token; going on with them" in world.log()
        assert world.json("status")["holds"] == {}
        assert holders(world, TOKEN) == holders(world, OLD) == []
    assert TOKEN not in world.log()
    assert OLD not in world.log()
    assert "Traceback" not in world.log()
    assert world.log().count("PlexSync.serve serving") == 1


def test_a_switch_that_is_off_in_stash_holds_from_the_first_write_on(world: World) -> None:
    world.stash.plugin_settings[PLUGIN] = {"sync_genres": False}
    ids = world.add(3)
    world.stash.faults.set(Fault("refuse"))
    with world.serving():
        until(lambda: "waiting for Stash: settings may be set in Stash" in world.log())
        world.stash.faults.clear()
        until(lambda: world.count("idle") == 3)
        assert {name for _, name, *_ in world.out_of_step(ids)} == {"genres"}

    # It is known from now on, and Stash may be away at the next start.
    world.stash.faults.set(Fault("refuse"))
    with world.serving():
        until(lambda: world.log().count("PlexSync.serve serving") == 2)
        until(lambda: world.rows("select 1 from breaker where who = 'stash' and (failures > 0 or state <> 'closed')"))
        world.stash.faults.clear()
        world.stash.quiet_edit(ids[0], title="While it was away")
        until(lambda: {name for _, name, *_ in world.out_of_step(ids)} == {"genres"})
        assert genres(world) == set()
        world.stash.plugin_settings[PLUGIN] = {}
        until(lambda: "settings changed: sync_genres" in world.log())
        world.run("sync", "--all")
        until(lambda: world.in_step(ids))
