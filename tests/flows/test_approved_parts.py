"""A database with an approval of parts, as layout 15 had them: what was written stays, the rest waits for one yes."""

import json

import pytest

from plexsync.flows.scenes.verbs import status_in, want_all
from plexsync.rules.queue.note_keys import BULK, REPAIRED, RESTORED
from plexsync.rules.words.status_words import SceneStatus
from plexsync.store.schema import PARTS_WAIT
from tests.flows.test_undo import undo
from tests.stores import look

SKIPPED, UNWRITTEN, EDITED, DEAD, LEFT = 1, 2, 3, 4, 5


@pytest.fixture
def before(house):
    """Five scenes that PlexSync has written, edited since; approvals of parts of the first four, in each state."""
    for id in house.in_step(5):
        house.stash_sim.quiet_edit(id, title=f"New {id}")
    with look(house.folder) as db:
        for id, changes in (
            (SKIPPED, "state = 'dropped', cls = 'skipped', error = 'a part', desired = 'x'"),
            (UNWRITTEN, "state = 'ready', wanted_rev = wanted_rev + 1"),
            (EDITED, "state = 'ready', wanted_rev = wanted_rev + 2"),
            (DEAD, "state = 'dead', cls = 'refused', error = 'no', wanted_rev = wanted_rev + 1"),
        ):
            rev = house.row(id).wanted_rev
            db.execute(f"update job set accepted = accepted + 1, {changes} where kind = 'scene' and id = {id}")
            if id != SKIPPED:
                text = json.dumps({"rev": rev + 1, "take_over": False, "id": id, "items": []})
                values = {"name": f"approved:{id}", "text": text}
                db.execute("insert into note (name, value) values (:name, :text)", values)
        for id in (SKIPPED, EDITED):
            db.execute(
                "insert into attempt (kind, id, at, cls, error, attempts, state)"
                f" values ('scene', {id}, 1, 'skipped', 'a part', 0, 'dropped')"
            )
        db.execute(f"update standing set word = 'differs' where scene = {SKIPPED}")
    return house


def convert(house, note):
    with look(house.folder) as db:
        db.execute("insert into note (name, value) values (:name, '7')", {"name": note})
        for statement in PARTS_WAIT:
            db.execute(statement)


def titles(house):
    return [house.title_in_plex(id) for id in (SKIPPED, UNWRITTEN, EDITED, DEAD, LEFT)]


@pytest.mark.parametrize("asked", [BULK, REPAIRED])
def test_what_was_not_written_and_what_was_skipped_waits_for_the_one_yes(before, asked):
    house, parts = before, before.worker.parts
    memories = house.rows("select subject, item, document from memory order by subject, item")
    convert(house, asked)
    assert house.rows("select subject, item, document from memory order by subject, item") == memories
    assert house.rows("select id from attempt where cls = 'skipped'") == []
    assert house.rows("select name from note where name like 'approved:%'") == []
    assert house.books_balance()
    with house.store.reading() as db:
        assert db.standings.scenes(SceneStatus.QUEUED, limit=9) == [SKIPPED, UNWRITTEN, EDITED]
        assert (status_in(db, DEAD), status_in(db, LEFT)) == (SceneStatus.FAILED, SceneStatus.IN_SYNC)
        assert db.notes.texts((BULK, REPAIRED)) == {BULK: "", REPAIRED: ""}
        assert db.notes.text(RESTORED) == ("7" if asked == REPAIRED else "")
    house.work()
    assert titles(house) == ["Title 0", "Title 1", "New 3", "Title 3", "Title 4"]

    want_all(house.store, parts.stash, parts.gates, house.clock)
    house.clock.move(3)
    house.work()
    assert titles(house) == ["New 1", "New 2", "New 3", "Title 3", "New 5"]
    undo(house, SKIPPED)
    house.work()
    assert titles(house)[0] not in ("New 1", "Title 0")
    assert house.books_balance()


def test_an_edit_of_such_a_scene_is_synced_at_once(before):
    convert(before, BULK)
    before.edit(SKIPPED, details="More")
    before.clock.move(3)
    before.work()
    assert titles(before)[0] == "New 1"


def test_a_yes_that_was_given_stays_where_no_part_waits(house):
    house.in_step(1)
    convert(house, BULK)
    assert house.rows(f"select value from note where name = '{BULK}'") == [("7",)]
    assert house.rows("select state from job") == [("idle",)]
