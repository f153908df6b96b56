"""Performers, tags and studios that a request creates: what is taken, what the hook gets, and what uses them."""

import base64
import json
import sys
import urllib.request

import pytest

from plexsync.simulator.stash_hooks import HookRunner
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim

KINDS = ("performer", "tag", "studio")


@pytest.fixture
def stash():
    with StashSim() as sim:
        yield sim


def ask(sim, query, **variables):
    """The whole answer to one GraphQL request."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{sim.url}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def create(sim, kind, **values):
    type_ = f"{kind.capitalize()}CreateInput!"
    fields = "id name created_at updated_at scene_count image_count gallery_count group_count"
    query = f"mutation ($in: {type_}) {{ made: {kind}Create(input: $in) {{ {fields} }} }}"
    return ask(sim, query, **{"in": values})


def destroy(sim, kind, id):
    query = f"mutation ($in: {kind.capitalize()}DestroyInput!) {{ {kind}Destroy(input: $in) }}"
    return ask(sim, query, **{"in": {"id": id}})


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_created_has_the_name_and_is_used_by_nothing(stash, kind):
    made = create(stash, kind, name="New one")["data"]["made"]
    assert made["name"] == "New one"
    assert made["created_at"] == made["updated_at"]
    assert [made[f"{what}_count"] for what in ("scene", "image", "gallery", "group")] == [0] * 4
    assert destroy(stash, kind, made["id"])["data"] == {f"{kind}Destroy": True}
    again = create(stash, kind, name="New one")["data"]["made"]
    assert int(again["id"]) > int(made["id"]), "a number is dealt once"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["New one", "new ONE", ""])
def test_a_taken_or_blank_name_is_an_error_and_creates_nothing(stash, kind, name):
    create(stash, kind, name="New one")
    answer = create(stash, kind, name=name)
    assert answer["errors"]
    assert answer["data"] == {"made": None}
    assert len(getattr(stash.data, f"{kind}s")) == 1


@pytest.mark.parametrize("kind", ["tag", "studio"])
def test_an_alias_of_another_is_taken_too(stash, kind):
    create(stash, kind, name="New one", aliases=["N1"])
    assert create(stash, kind, name="n1")["errors"]


def test_performers_with_another_disambiguation_may_share_a_name(stash):
    create(stash, "performer", name="Ann", alias_list=["A"])
    assert create(stash, "performer", name="Ann", disambiguation="the other")["data"]["made"]["name"] == "Ann"
    assert create(stash, "performer", name="A")["data"]["made"]["name"] == "A", "aliases of performers are no names"


@pytest.mark.parametrize("kind", KINDS)
def test_the_hook_gets_the_input(stash, tmp_path, kind):
    event = f"{kind.capitalize()}.Create.Post"
    command = [sys.executable, "-S", "-E", "-c", "import sys; sys.stdin.read()"]
    stash.hooks = HookRunner(command, plugin_dir=tmp_path, dir=tmp_path, triggered_by=[event])
    made = create(stash, kind, name="New one")["data"]["made"]
    (run,) = stash.hooks.runs
    assert (run.event.type, run.event.id, run.event.input) == (event, int(made["id"]), {"name": "New one"})
    create(stash, kind, name="New one")
    assert len(stash.hooks.runs) == 1, "what fails starts no hook"


def test_a_scene_takes_what_was_created_and_a_cover_as_a_data_address(stash):
    ids = {kind: create(stash, kind, name="New one")["data"]["made"]["id"] for kind in KINDS}
    scene, cover = stash.add_scene(files=[("/a.mp4", 1, 1.0)]), png(1, 2, 3)
    values = {
        "id": str(scene),
        "title": "T",
        "date": "2020-05-06",
        "details": "D",
        "rating100": 55,
        "studio_id": ids["studio"],
        "performer_ids": [ids["performer"]],
        "tag_ids": [ids["tag"]],
        "cover_image": f"data:image/png;base64,{base64.b64encode(cover).decode()}",
    }
    query = (
        "mutation ($in: SceneUpdateInput!) { sceneUpdate(input: $in) { title studio { scene_count } tags { name } } }"
    )
    answer = ask(stash, query, **{"in": values})
    assert answer == {
        "data": {"sceneUpdate": {"title": "T", "studio": {"scene_count": 1}, "tags": [{"name": "New one"}]}}
    }
    now = stash.scene(scene)
    assert (now.date, now.details, now.rating100, now.studio) == ("2020-05-06", "D", 55, "New one")
    assert (now.performers, now.tags, now.cover) == (("New one",), ("New one",), cover)
    ask(stash, query, **{"in": {"id": str(scene), "cover_image": ""}})
    assert stash.scene(scene).cover == cover, "no request takes a cover away"
    for kind in KINDS:
        destroy(stash, kind, ids[kind])
    gone = stash.scene(scene)
    assert (gone.studio, gone.performers, gone.tags) == (None, (), ())


def test_what_else_uses_a_tag_or_a_studio_is_counted(stash):
    tag, studio = (create(stash, kind, name="Above")["data"]["made"]["id"] for kind in ("tag", "studio"))
    create(stash, "tag", name="Below", parent_ids=[tag])
    create(stash, "studio", name="Below", parent_id=studio)
    stash.data.group_named("G").studio = stash.data.studios[int(studio)]
    answer = ask(
        stash,
        f"{{ findTag(id: {tag}) {{ child_count studio_count performer_count scene_marker_count }}"
        f" findStudio(id: {studio}) {{ group_count performer_count child_studios {{ name }} }} }}",
    )
    assert answer["data"]["findTag"] == {
        "child_count": 1,
        "studio_count": 0,
        "performer_count": 0,
        "scene_marker_count": 0,
    }
    assert answer["data"]["findStudio"] == {
        "group_count": 1,
        "performer_count": 0,
        "child_studios": [{"name": "Below"}],
    }
