"""Ratings both ways with real processes: through a kill of the worker, and switched off again."""

import signal

from tests.journey.world import stop, until


def test_what_you_rate_on_either_side_is_on_the_other(world):
    stash, plex = world.stash, world.plex
    ids = world.add(3)
    keys = plex.keys(world.section)
    world.settings |= {"rating_direction": "both", "rating_wins": "plex"}
    assert world.run("sync", "--all", "--wait").returncode == 0

    def rated(id: int, rating: int | None) -> bool:
        in_plex = plex.item(keys[ids.index(id)]).scalars.get("userRating")
        return stash.scene(id).rating100 == rating and in_plex == (rating / 10 if rating else None)

    process = world.start("serve")
    until(lambda: all(rated(id, stash.scene(id).rating100) for id in ids))
    plex.hand_edit(keys[0], locked=False, userRating=6)
    until(lambda: rated(ids[0], 60))
    process.send_signal(signal.SIGKILL)
    process.wait()
    plex.hand_edit(keys[0], locked=False, userRating=None)
    plex.hand_edit(keys[1], locked=False, userRating=9.5)
    stash.edit_scene(ids[1], rating100=20)
    stash.edit_scene(ids[2], rating100=35)
    process = world.start("serve")
    until(lambda: rated(ids[0], None) and rated(ids[1], 95) and rated(ids[2], 35))
    stop(process)
    assert world.json("status")["jobs"]["dead"] == 0


def test_one_way_again_stash_leads_and_is_never_written_to(world):
    stash, plex = world.stash, world.plex
    (id,) = world.add(1)
    (key,) = plex.keys(world.section)
    world.settings["rating_direction"] = "both"
    assert world.run("sync", "--all", "--wait").returncode == 0
    with world.serving():
        until(lambda: plex.item(key).scalars.get("userRating") == 0.1)
        plex.hand_edit(key, locked=False, userRating=6)
        until(lambda: stash.scene(id).rating100 == 60)
    world.settings["rating_direction"] = "to_plex"
    stash.clear_log()
    with world.serving():
        stash.edit_scene(id, rating100=70)
        until(lambda: plex.item(key).scalars["userRating"] == 7.0)
        plex.hand_edit(key, locked=False, userRating=1)
        stash.edit_scene(id, title="Edited")
        until(lambda: plex.item(key).scalars["title"] == "Edited")
    assert stash.scene(id).rating100 == 70
    assert not [request for request in stash.log if b"mutation" in request.body]
