"""The date added in Plex: "recently added" is in Stash's order, and a date of yours stays."""

import json
import urllib.request
from dataclasses import replace
from random import Random

import pytest

from plexsync.cli.terminal.preview_output import scene_lines
from plexsync.flows.scenes.preview import preview_scenes
from plexsync.reports.format import local
from plexsync.rules.item import FIELDS, moment_text
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import Profile
from plexsync.rules.merge.plan_records import Policy
from plexsync.rules.merge.template import NAMES
from plexsync.rules.merge.trait_effects import NO_ADDED
from tests.engine.house import TOKEN, House, path_of
from tests.flows.test_open_questions import learn_traits
from tests.flows.test_undo import pictures, undo

CREATED = replace(Profile(frozenset(FIELDS)), date_added="created")
FILES = replace(CREATED, date_added="file")
THEN = 1_500_000_000
MINE = 1_234_567_890


@pytest.fixture
def dated(tmp_path):
    with House(tmp_path / "data", profile=CREATED) as made:
        yield made


def created(house, count, seed=0):
    """Scenes that were created in another order than their files came to Plex."""
    ids = house.add(count)
    moments = Random(seed).sample(range(THEN, THEN + 10 * count), count)
    for id, moment in zip(ids, moments, strict=True):
        house.stash_sim.data.scenes[id].created_at = moment_text(moment)
    return ids


def synced(house, *ids):
    house.want(*ids)
    house.clock.move(3)
    house.work()
    house.clock.move(60)


def writes(house, *ids):
    """How many edits another sync sends."""
    house.forget_requests()
    synced(house, *ids)
    return house.plex_sim.count("PUT")


def recently_added(house):
    """The titles as Plex lists them by date added, the newest first."""
    address = f"{house.plex_sim.url}/library/sections/{house.section}/all?type=1&sort=addedAt:desc"
    asked = urllib.request.Request(address, headers={"X-Plex-Token": TOKEN, "Accept": "application/json"})
    with urllib.request.urlopen(asked) as answer:
        return [movie["title"] for movie in json.load(answer)["MediaContainer"]["Metadata"]]


def in_stash(house, ids):
    """The titles by the creation of their scenes, the newest first."""
    scenes = sorted(ids, key=lambda id: house.stash_sim.data.scenes[id].created_at, reverse=True)
    return [house.stash_sim.scene(id).title for id in scenes]


def item(house, id):
    return house.plex_sim.item(house.key_of(id))


def test_recently_added_is_in_the_order_of_stash_and_a_second_sync_writes_nothing(dated):
    ids = created(dated, 60)
    assert recently_added(dated) != in_stash(dated, ids)
    synced(dated, *ids)
    assert recently_added(dated) == in_stash(dated, ids)
    assert all("addedAt" in item(dated, id).locks for id in ids)
    assert writes(dated, *ids) == 0
    assert dated.worker.reconciler.reconcile().standing == {"in step": 60}


def test_scenes_of_one_second_have_one_date_and_keep_it(dated):
    ids = created(dated, 3)
    for id, text in zip(ids, ("11.25Z", "11.75Z", "12Z"), strict=True):
        dated.stash_sim.data.scenes[id].created_at = f"2020-01-01T10:11:{text}"
    synced(dated, *ids)
    first, second, third = (item(dated, id).scalars["addedAt"] for id in ids)
    assert (first, third) == (second, second + 1)
    assert recently_added(dated)[0] == dated.stash_sim.scene(ids[2]).title
    assert writes(dated, *ids) == 0


def test_a_date_that_you_changed_stays_and_an_undo_restores_the_earlier_ones(dated):
    ids = created(dated, 2)
    before = pictures(dated)
    synced(dated, *ids)
    dated.plex_sim.hand_edit(dated.key_of(ids[0]), addedAt=MINE)
    assert writes(dated, *ids) == 0
    assert item(dated, ids[0]).scalars["addedAt"] == MINE
    undo(dated, *ids)
    dated.work()
    assert item(dated, ids[0]).scalars["addedAt"] == MINE
    assert pictures(dated)[dated.key_of(ids[1])] == before[dated.key_of(ids[1])]


@pytest.mark.parametrize("first_push", ["keep", "stash"])
def test_a_date_that_was_locked_before_is_yours_unless_stash_is_to_win(tmp_path, first_push):
    with House(tmp_path / "data", profile=CREATED, policy=Policy(first_push=first_push)) as house:
        (id,) = created(house, 1)
        house.plex_sim.hand_edit(house.key_of(id), addedAt=MINE)
        synced(house, id)
        assert (item(house, id).scalars["addedAt"] == MINE) is (first_push == "keep")
        assert writes(house, id) == 0


def test_a_date_whose_lock_was_lost_is_written_again(dated):
    (id,) = created(dated, 1)
    synced(dated, id)
    sent = item(dated, id).scalars["addedAt"]
    dated.plex_sim.hand_edit(dated.key_of(id), addedAt=MINE, locked=False)
    assert writes(dated, id) == 1
    assert item(dated, id).scalars["addedAt"] == sent


def test_switched_off_it_leaves_what_is_there(dated):
    (id,) = created(dated, 1)
    synced(dated, id)
    sent = item(dated, id).scalars["addedAt"]
    dated.replace_worker(profile=Profile(frozenset(FIELDS) - {"addedAt"}))
    assert writes(dated, id) == 0
    assert item(dated, id).scalars["addedAt"] == sent


def test_the_time_of_the_file_is_requested_only_if_it_is_shown(tmp_path):
    with House(tmp_path / "data", profile=FILES, file_times=True) as house:
        ids = house.add(2)
        for file in house.stash_sim.data.files.values():
            file.mod_time = f"2019-01-0{1 + file.id % 2}T00:00:00Z"
        synced(house, *ids)
        shown = {moment_text(item(house, id).scalars["addedAt"]) for id in ids}
        assert shown == {"2019-01-01T00:00:00Z", "2019-01-02T00:00:00Z"}
        assert any("mod_time" in str(request.body) for request in house.stash_sim.log)
        house.replace_worker(profile=CREATED, file_times=False)
        house.forget_requests()
        synced(house, *ids)
        assert not any("mod_time" in str(request.body) for request in house.stash_sim.log)


def test_a_scene_that_lost_its_source_gets_the_date_back_that_plex_had(tmp_path):
    with House(tmp_path / "data", profile=FILES, file_times=True) as house:
        (id,) = house.add(1)
        before = item(house, id).scalars["addedAt"]
        house.stash_sim.data.files[1].mod_time = "2019-01-01T00:00:00Z"
        synced(house, id)
        assert item(house, id).scalars["addedAt"] != before
        house.replace_worker(profile=replace(FILES, date_added=""), file_times=False)
        assert writes(house, id) == 1
        assert (item(house, id).scalars["addedAt"], "addedAt" in item(house, id).locks) == (before, False)


def test_a_server_that_ignores_it_is_sent_none_and_that_is_said(dated):
    dated.plex_sim.traits.added_by_edit = False
    learn_traits(dated, added_by_edit=False)
    (id,) = created(dated, 1)
    dated.forget_requests()
    synced(dated, id)
    edits = [request for request in dated.plex_sim.log if request.method == "PUT"]
    assert len(edits) == 1
    assert not any(name.startswith("addedAt") for name in edits[0].params)
    (target,) = dated.worker.inspector.look([id])[0].targets
    assert ("addedAt", NO_ADDED) in [(note.field, note.text) for note in target.wanted.notes]


def test_a_server_that_ignores_it_unasked_comes_to_rest(dated):
    dated.plex_sim.traits.added_by_edit = False
    ids = created(dated, 3)
    synced(dated, *ids)
    assert writes(dated, *ids) == 0


def test_a_dry_run_shows_local_times(dated):
    (id,) = created(dated, 1)
    before = item(dated, id).scalars["addedAt"]
    (preview,) = preview_scenes(dated.worker.glances, [id])
    moment = dated.stash_sim.data.scenes[id].created_at
    (seconds,) = [THEN + n for n in range(10) if moment_text(THEN + n) == moment]
    assert f"  date added: {local(before * 1000)} -> {local(seconds * 1000)}; lock" in list(scene_lines(preview))


def test_a_tagline_is_made_by_its_template_and_taken_back(tmp_path):
    tagline = template.parse_template("[{code}: ]{studio}", NAMES)
    with House(tmp_path / "data", profile=Profile(frozenset(FIELDS), tagline=tagline)) as house:
        (id,) = house.add(1)
        house.stash_sim.edit_scene(id, code="C-7", studio="Label")
        before = pictures(house)
        synced(house, id)
        assert (item(house, id).scalars["tagline"], "tagline" in item(house, id).locks) == ("C-7: Label", True)
        assert writes(house, id) == 0
        house.plex_sim.hand_edit(house.key_of(id), tagline="By hand")
        assert writes(house, id) == 0
        house.plex_sim.hand_edit(house.key_of(id), tagline="C-7: Label")
        undo(house, id)
        house.work()
        assert pictures(house) == before
        assert path_of(0) in [path for path, *_ in item(house, id).files]
