"""What edits do to a simulated Stash: the mutations, and which times they move."""

import base64
import json
import urllib.request

import pytest

from plexsync.simulator.stash_graphql import StashError
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from tests.engine.clocks import Clock

EARLY, LATE = "2023-11-14T22:13:20Z", "2023-11-14T22:15:00Z"


@pytest.fixture
def clock():
    """Shows EARLY, and LATE once it was moved by 100 seconds."""
    return Clock(1_700_000_000_000)


@pytest.fixture
def stash(clock):
    with StashSim() as sim:
        sim.now = lambda: clock.wall / 1000
        yield sim


def post(sim, query, **variables):
    """The JSON of one GraphQL request with these variables."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{sim.url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def mutate(sim, query, **variables):
    answer = post(sim, query, **variables)
    assert "errors" not in answer, answer
    return answer["data"]


UPDATE = "mutation ($in: SceneUpdateInput!) { sceneUpdate(input: $in) { id title updated_at } }"


# the mutations


def test_an_update_changes_what_was_given_and_nothing_else(stash):
    id_ = stash.add_scene(title="Old", details="kept", tags=["Sea", "Bay"], performers=["Ada"], studio="Small")
    mutate(stash, UPDATE, **{"in": {"id": id_, "title": "New", "tag_ids": ["2"], "studio_id": None, "rating100": 40}})
    scene = stash.scene(id_)
    assert (scene.title, scene.details, scene.rating100) == ("New", "kept", 40)
    assert (scene.tags, scene.performers, scene.studio) == (("Bay",), ("Ada",), None)


def test_an_update_is_applied_whole_or_not_at_all(stash):
    id_ = stash.add_scene(title="Old")
    for wrong in ({"tag_ids": ["99"]}, {"studio_id": "99"}, {"date": "soon"}, {"primary_file_id": "99"}):
        answer = post(stash, UPDATE, **{"in": {"id": id_, "title": "New", **wrong}})
        assert answer["errors"][0]["path"] == ["sceneUpdate"]
        assert answer["data"] == {"sceneUpdate": None}
    assert stash.scene(id_).title == "Old"


def test_a_scene_without_files_keeps_a_title(stash):
    id_ = stash.add_scene(title="Only a title", files=[])
    assert "title" in post(stash, UPDATE, **{"in": {"id": id_, "title": ""}})["errors"][0]["message"]
    with pytest.raises(StashError):
        stash.add_scene(files=[])
    assert stash.scene_ids() == [id_]


@pytest.mark.parametrize("date", ["2024", "2024-05", "2024-05-06", None])
def test_a_date_may_be_a_year_or_a_month(stash, date):
    id_ = stash.add_scene(date=date)
    assert stash.scene(id_).date == date


def test_the_primary_file_comes_first(stash):
    id_ = stash.add_scene(files=[("/a.mp4", 1, 1.0), ("/b.mp4", 2, 2.0)])
    mutate(stash, UPDATE, **{"in": {"id": id_, "primary_file_id": "2"}})
    assert [path for path, _, _ in stash.scene(id_).files] == ["/b.mp4", "/a.mp4"]


def test_a_cover_arrives_as_a_data_address(stash):
    id_ = stash.add_scene()
    cover = "data:image/png;base64," + base64.b64encode(png(1, 2, 3)).decode()
    mutate(stash, UPDATE, **{"in": {"id": id_, "cover_image": cover}})
    assert stash.scene(id_).cover == png(1, 2, 3)


def test_a_bulk_update_sets_adds_and_removes(stash):
    for _ in range(2):
        stash.add_scene(tags=["Sea"], performers=["Ada"], groups=[("Seasons", 4)], urls=["https://a.example"])
    stash.add_scene(tags=["Bay"], performers=["Bo"], groups=["Other"])
    bulk = "mutation ($in: BulkSceneUpdateInput!) { bulkSceneUpdate(input: $in) { id } }"
    wanted = {
        "ids": ["1", "2"],
        "organized": True,
        "tag_ids": {"ids": ["2"], "mode": "ADD"},
        "performer_ids": {"ids": ["2"], "mode": "SET"},
        "group_ids": {"ids": ["2"], "mode": "ADD"},
        "urls": {"values": ["https://a.example"], "mode": "REMOVE"},
    }
    assert mutate(stash, bulk, **{"in": wanted})["bulkSceneUpdate"] == [{"id": "1"}, {"id": "2"}]
    scene = stash.scene(1)
    assert (set(scene.tags), scene.performers, scene.organized) == ({"Sea", "Bay"}, ("Bo",), True)
    assert (scene.groups, scene.urls) == ((("Seasons", 4), ("Other", None)), ())
    assert stash.scene(3).organized is False


def test_several_scenes_are_updated_at_once(stash):
    stash.add_scene()
    stash.add_scene()
    many = "mutation ($in: [SceneUpdateInput!]!) { scenesUpdate(input: $in) { title } }"
    inputs = [{"id": "1", "title": "one"}, {"id": "2", "title": "two"}]
    assert mutate(stash, many, **{"in": inputs}) == {"scenesUpdate": [{"title": "one"}, {"title": "two"}]}


def test_a_scene_is_made_by_hand(stash):
    create = "mutation ($in: SceneCreateInput!) { sceneCreate(input: $in) { id title } }"
    assert mutate(stash, create, **{"in": {"title": "By hand"}}) == {"sceneCreate": {"id": "1", "title": "By hand"}}
    assert post(stash, create, **{"in": {"details": "no title"}})["data"] == {"sceneCreate": None}


def test_destroyed_scenes_are_gone_and_their_ids_are_not_used_again(stash):
    for _ in range(3):
        stash.add_scene()
    assert mutate(stash, 'mutation { sceneDestroy(input: {id: "3"}) }') == {"sceneDestroy": True}
    mutate(stash, 'mutation { scenesDestroy(input: {ids: ["1"]}) }')
    assert stash.scene_ids() == [2]
    assert stash.add_scene() == 4
    with pytest.raises(StashError):
        stash.scene(3)


def test_destroying_one_that_is_missing_destroys_none(stash):
    stash.add_scene()
    answer = post(stash, 'mutation { scenesDestroy(input: {ids: ["1", "9"]}) }')
    assert answer["data"] is None
    assert stash.scene_ids() == [1]


def test_merging_scenes_moves_files_and_removes_the_sources(stash):
    for n in range(3):
        stash.add_scene(files=[(f"/{n}.mp4", n, 1.0)])
    merge = "mutation ($in: SceneMergeInput!) { sceneMerge(input: $in) { id } }"
    mutate(stash, merge, **{"in": {"source": ["2", "3"], "destination": "1", "values": {"id": "1", "title": "All"}}})
    assert stash.scene_ids() == [1]
    assert [path for path, _, _ in stash.scene(1).files] == ["/0.mp4", "/1.mp4", "/2.mp4"]
    assert stash.scene(1).title == "All"


def test_merging_tags_puts_one_in_the_place_of_others(stash):
    stash.add_scene(tags=["Sea", "Bay", "Car"])
    stash.merge_tags(["Bay", "Car"], "Sea")
    assert stash.scene(1).tags == ("Sea",)


def test_what_is_destroyed_is_shown_nowhere(stash):
    stash.add_scene(performers=["Ada"], studio="Small", tags=["Sea", "Bay"], groups=["Saga"])
    stash.set_tag_parents("Bay", ["Sea"])
    for kind in ("performer", "studio", "tag", "group"):
        mutate(stash, f"mutation {{ {kind}Destroy(input: {{id: 1}}) }}")
    scene = stash.scene(1)
    assert (scene.performers, scene.studio, scene.groups) == ((), None, ())
    assert len(scene.tags) == 1
    assert [tag.id for tag in stash.data.tags.values() if any(above.id == 1 for above in tag.parents)] == []


def test_names_are_changed_by_their_mutations(stash):
    stash.add_scene(performers=["Ada"], studio="Small", tags=["Sea"])
    mutate(stash, 'mutation { performerUpdate(input: {id: 1, name: "Bo", gender: FEMALE, alias_list: ["B"]}) { id } }')
    mutate(stash, 'mutation { studioUpdate(input: {id: 1, name: "Tiny", aliases: ["T"]}) { id } }')
    mutate(stash, 'mutation { tagUpdate(input: {id: 1, name: "Ocean", sort_name: "0"}) { id } }')
    scene = stash.scene(1)
    assert (scene.performers, scene.studio, scene.tags) == (("Bo",), "Tiny", ("Ocean",))


def test_a_word_that_no_scene_knows_is_a_mistake_of_the_test(stash):
    stash.add_scene()
    with pytest.raises(TypeError):
        stash.edit_scene(1, colour="red")


# which times move

MOVES = {
    "an edit": lambda stash: stash.edit_scene(1, title="New"),
    "an edit that changes nothing": lambda stash: stash.edit_scene(1, title="Old"),
    "auto tag": lambda stash: stash.quiet_edit(1, tags=["Sea", "Bay"]),
    "a new cover": lambda stash: stash.set_cover(1, png(1, 1, 1)),
    "a file attached by a scan": lambda stash: stash.attach_file(1, ("/b.mp4", 2, 2.0)),
    "a merge": lambda stash: stash.merge_scenes([2], 1),
}

STAYS = {
    "a renamed performer": lambda stash: stash.rename_performer("Ada", "Bo"),
    "a renamed studio": lambda stash: stash.rename_studio("Small", "Tiny"),
    "a renamed tag": lambda stash: stash.rename_tag("Sea", "Ocean"),
    "a renamed group": lambda stash: stash.rename_group("Saga", "Cycle"),
    "a destroyed performer": lambda stash: stash.destroy("performer", "Ada"),
    "merged tags": lambda stash: stash.merge_tags(["Sea"], "Car"),
    "another parent studio": lambda stash: stash.set_parent_studio("Small", "Big"),
    "a tag put under another": lambda stash: stash.set_tag_parents("Sea", ["World"]),
    "a renamed file": lambda stash: stash.rename_file("/data/a.mp4", "/data/b.mp4"),
    "a moved folder": lambda stash: stash.move_folder("/data", "/films"),
}


@pytest.fixture
def world(stash):
    stash.add_scene(title="Old", performers=["Ada"], studio="Small", tags=["Sea"], groups=["Saga"])
    stash.add_scene(tags=["Car"], files=[("/data/2.mp4", 2, 2.0)])
    return stash


@pytest.mark.parametrize("what", MOVES)
def test_a_scenes_time_moves_with(world, clock, what):
    clock.move(100)
    MOVES[what](world)
    assert world.scene(1).updated_at == LATE
    assert world.scene(1).created_at == EARLY


@pytest.mark.parametrize("what", STAYS)
def test_a_scenes_time_stays_with(world, clock, what):
    clock.move(100)
    STAYS[what](world)
    assert world.scene(1).updated_at == EARLY


def times(sim, query):
    return post(sim, query)["data"]


def test_a_rename_moves_the_records_own_time(world, clock):
    clock.move(100)
    world.rename_performer("Ada", "Bo")
    answer = times(world, "{ findPerformer(id: 1) { updated_at } findStudio(id: 1) { updated_at } }")
    assert answer == {"findPerformer": {"updated_at": LATE}, "findStudio": {"updated_at": EARLY}}


def test_a_renamed_file_shows_in_its_own_time_and_a_moved_folder_in_none(world, clock):
    clock.move(100)
    world.rename_file("/data/a.mp4", "/data/b.mp4")
    world.move_folder("/data/", "/films/")
    files = "{ findScenes { scenes { files { path updated_at } } } }"
    shown = [scene["files"][0] for scene in times(world, files)["findScenes"]["scenes"]]
    assert shown == [{"path": "/films/b.mp4", "updated_at": LATE}, {"path": "/films/2.mp4", "updated_at": EARLY}]
    changed = (
        '{ findScenes(scene_filter: {files_filter: {updated_at: {value: "%s", modifier: GREATER_THAN}}}) { count } }'
    )
    assert times(world, changed % EARLY)["findScenes"]["count"] == 1


@pytest.mark.parametrize(
    ("offset", "text"),
    [(0, "2023-11-14T22:13:20Z"), (120, "2023-11-15T00:13:20+02:00"), (-210, "2023-11-14T18:43:20-03:30")],
)
def test_times_are_written_in_the_servers_offset_and_whole_seconds(stash, offset, text):
    stash.utc_offset_minutes = offset
    stash.now = lambda: 1_700_000_000.99
    assert stash.scene(stash.add_scene()).updated_at == text


def test_the_clock_runs_by_itself():
    with StashSim() as stash:
        first = stash.now()
        assert 0 <= stash.now() - first < 5


# performers, studios, tags and groups


@pytest.mark.parametrize(
    ("kind", "text", "pictures"),
    [
        ("performer", "details", {"image": "image_path"}),
        ("studio", "details", {"image": "image_path"}),
        ("tag", "description", {"image": "image_path"}),
        ("group", "synopsis", {"front_image": "front_image_path", "back_image": "back_image_path"}),
    ],
)
def test_an_object_gets_texts_and_pictures_and_loses_them(stash, clock, kind, text, pictures):
    id = stash.add_scene(performers=["A"], studio="A", tags=["A"], groups=["A"])
    clock.move(100)
    stash.edit_object(kind, "A", **{text: "T", **{name: png(1, 2, 3) for name in pictures}})
    asked = f"{{ it: find{kind.capitalize()}(id: 1) {{ {text} updated_at {' '.join(pictures.values())} }} }}"
    shown = mutate(stash, asked)["it"]
    assert (shown[text], shown["updated_at"], stash.scene(id).updated_at) == ("T", LATE, EARLY)
    for path in pictures.values():
        assert "default=true" not in shown[path]
        with urllib.request.urlopen(shown[path]) as answer:
            assert answer.read() == png(1, 2, 3)
    stash.edit_object(kind, "A", **{text: None, **dict.fromkeys(pictures)})
    shown = mutate(stash, asked)["it"]
    assert not shown[text]
    assert all(path == "back_image_path" or "default=true" in shown[path] for path in pictures.values())
    assert shown.get("back_image_path") is None


def test_scenes_are_counted_with_those_of_what_is_below(stash):
    stash.set_parent_studio("Below", "Above")
    stash.set_tag_parents("Under", ["Over"])
    stash.add_scene(studio="Below", tags=["Under"])
    stash.add_scene(studio="Above", tags=["Over", "Under"])
    counts = "own: scene_count below: scene_count(depth: -1)"
    asked = f"{{ findStudios {{ studios {{ name {counts} }} }} findTags {{ tags {{ name {counts} }} }} }}"
    data = mutate(stash, asked)
    rows = [*data["findStudios"]["studios"], *data["findTags"]["tags"]]
    assert {row["name"]: (row["own"], row["below"]) for row in rows} == {
        "Below": (1, 1),
        "Above": (1, 2),
        "Under": (2, 2),
        "Over": (1, 2),
    }
