"""An older copy of the same Stash: a few scenes are followed, for many you are asked before anything of them is written."""

import pytest

from plexsync.app.choices import accept
from plexsync.rules.queue.choices import Choice
from plexsync.rules.queue.job import State
from plexsync.rules.queue.setting_question import FEW
from tests.engine.house import DAY, HOUR
from tests.flows.test_scenes_gone import go_on, held, polled, still_shown, writes

MANY = FEW + 5


def set_back(house, count=MANY):
    """A Stash that was restored to what it was before so many of its scenes were edited and synced."""
    ids = polled(house, MANY + 3)
    backup = house.stash_sim.backup()
    house.clock.move(DAY)
    for id in ids[:count]:
        house.stash_sim.quiet_edit(id, title=f"Later {id}")
    go_on(house)
    assert house.out_of_step(ids) == []
    house.clock.move(HOUR)
    newer = house.stash_sim.backup()
    house.stash_sim.restore(backup)
    house.forget_requests()
    return ids, newer


def look(house, by, id):
    if by == "poll":
        house.worker.poller.poll()
    elif by == "comparison":
        assert not house.worker.reconciler.try_reconcile()
    else:
        house.want(id)
        house.clock.move(3)
        house.work()


@pytest.mark.parametrize("by", ["poll", "comparison", "hook"])
def test_an_older_stash_is_asked_about_before_anything_is_written(house, by):
    ids, newer = set_back(house)
    shown = still_shown(house)
    look(house, by, ids[0])
    assert held(house) == Choice.SCENES_OLDER
    [[message]] = house.rows("select message from hold")
    assert message.startswith(
        f"{MANY} scenes in Stash are older than PlexSync has seen them: the last change in Stash is of 2"
    )
    assert "plexsync accept scenes-older" in message
    go_on(house)
    assert (held(house), writes(house), still_shown(house)) == (Choice.SCENES_OLDER, 0, shown)
    house.stash_sim.restore(newer)
    go_on(house)
    assert (held(house), writes(house), house.out_of_step(ids)) == ("", 0, [])


def test_an_edit_after_the_restore_does_not_hide_it(house):
    ids, _ = set_back(house)
    shown = still_shown(house)
    house.edit(ids[-1], title="Edited since")
    house.work()
    go_on(house)
    assert held(house) == Choice.SCENES_OLDER
    assert [title for title in still_shown(house) if title not in shown] in ([], ["Edited since"])


def test_once_accepted_plex_follows_and_nothing_is_asked_again(house):
    ids, _ = set_back(house)
    house.worker.poller.poll()
    assert accept(house.worker, Choice.SCENES_OLDER)
    assert held(house) == ""
    assert house.states()[State.READY] == MANY, "none of them is called in sync before it was looked at"
    go_on(house)
    assert (held(house), house.out_of_step(ids)) == ("", [])
    assert house.title_in_plex(ids[0]) == "Title 0"
    house.stash_sim.quiet_edit(ids[0], title="Edited since")
    go_on(house)
    assert house.title_in_plex(ids[0]) == "Edited since"


def test_a_few_older_scenes_are_followed_by_the_next_poll(house):
    ids, _ = set_back(house, FEW)
    house.worker.poller.poll()
    house.work_for(60)
    assert (held(house), house.out_of_step(ids)) == ("", [])
    assert house.title_in_plex(ids[0]) == "Title 0"


def test_a_time_with_another_offset_is_not_older(house):
    ids = polled(house, MANY)
    house.stash_sim.utc_offset_minutes = -5 * 60
    for id in ids:
        house.clock.move(1)
        house.stash_sim.quiet_edit(id, title=f"Elsewhere {id}")
    go_on(house)
    assert (held(house), house.title_in_plex(ids[0])) == ("", f"Elsewhere {ids[0]}")
