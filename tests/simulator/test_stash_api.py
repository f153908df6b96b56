"""The simulated Stash over HTTP: pages, searches, sign-in, refusals and pictures, as the real one has them."""

import http.client
import json
import urllib.error
import urllib.request

import pytest
from graphql import execute_sync, parse

from plexsync.simulator.http import Fault
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_model import basename
from plexsync.simulator.stash_schema import schema
from plexsync.simulator.stash_server import StashSim

SCENE = """
id title code details director date rating100 organized urls created_at updated_at
studio { id name parent_studio { id name } }
performers { id name disambiguation gender image_path alias_list }
tags { id name parents { id name } }
groups { group { id name } scene_index }
files { id path basename size mod_time duration width height fingerprints { type value } }
paths { screenshot }
stash_ids { endpoint stash_id }
"""


@pytest.fixture
def stash():
    with StashSim() as sim:
        yield sim


def send(sim, path, *, body=None, headers=None):
    """(status, body) of one request."""
    request = urllib.request.Request(sim.url + path, body, headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def post(sim, query, variables=None, headers=None, operation=None):
    """(status, JSON) of one GraphQL request."""
    asked = {"query": query, "variables": variables, "operationName": operation}
    types = {"Content-Type": "application/json", **(headers or {})}
    status, body = send(sim, "/graphql", body=json.dumps(asked).encode(), headers=types)
    return status, json.loads(body) if body else None


def ask(sim, query, variables=None):
    status, answer = post(sim, query, variables)
    assert (status, answer.get("errors")) == (200, None), answer
    return answer["data"]


def found(sim, scene_filter=None, filter_=None):
    """The ids that findScenes returns, as numbers."""
    query = (
        "query ($s: SceneFilterType, $f: FindFilterType) { findScenes(scene_filter: $s, filter: $f) { scenes { id } } }"
    )
    wanted = {"per_page": -1, "sort": "id", **(filter_ or {})}
    return [int(one["id"]) for one in ask(sim, query, {"s": scene_filter, "f": wanted})["findScenes"]["scenes"]]


# what a scene looks like


def test_a_scene_shows_everything_that_was_said_about_it(stash):
    id_ = stash.add_scene(
        title="A walk",
        details="Two\nlines",
        date="2024-05-06",
        rating100=85,
        studio="Small Films",
        performers=["Ada", ("Robin", "pilot")],
        tags=["Outdoor", "outdoor"],
        organized=True,
        files=[("/data/a.mp4", 9_876_543_210, 60.5), ("/data/b.mp4", 2, 1.0)],
        groups=[("Seasons", 3)],
        urls=["https://example.org/walk"],
        code="W-1",
        director="Kim",
    )
    stash.set_parent_studio("Small Films", "Big Films")
    scene = ask(stash, f'{{ findScene(id: "{id_}") {{ {SCENE} }} }}')["findScene"]
    assert (scene["title"], scene["details"], scene["rating100"]) == ("A walk", "Two\nlines", 85)
    assert scene["studio"] == {"id": "1", "name": "Small Films", "parent_studio": {"id": "2", "name": "Big Films"}}
    assert [(p["name"], p["disambiguation"]) for p in scene["performers"]] == [("Ada", ""), ("Robin", "pilot")]
    assert [tag["name"] for tag in scene["tags"]] == ["Outdoor", "outdoor"]
    assert scene["groups"] == [{"group": {"id": "1", "name": "Seasons"}, "scene_index": 3}]
    assert [(f["basename"], f["size"]) for f in scene["files"]] == [("a.mp4", 9_876_543_210), ("b.mp4", 2)]
    assert {mark["type"] for mark in scene["files"][0]["fingerprints"]} == {"oshash", "md5"}
    assert (scene["code"], scene["director"], scene["urls"]) == ("W-1", "Kim", ["https://example.org/walk"])


def test_what_is_not_known_is_empty_text_or_null_as_in_stash(stash):
    id_ = stash.add_scene()
    scene = ask(stash, f"{{ findScene(id: {id_}) {{ {SCENE} }} }}")["findScene"]
    assert (scene["title"], scene["details"], scene["code"]) == ("", "", "")
    assert (scene["date"], scene["rating100"], scene["studio"]) == (None, None, None)
    assert (scene["tags"], scene["performers"], scene["urls"]) == ([], [], [])


def test_a_windows_path_has_a_windows_base_name():
    assert basename("\\\\?\\E:\\Stash\\a\\b.mp4") == "b.mp4"
    assert basename("D:\\Video\\b.mp4") == "b.mp4"
    assert basename("/data/AC\\DC.mp4") == "AC\\DC.mp4"


def test_a_missing_scene_is_null_and_a_bad_id_an_error(stash):
    assert ask(stash, '{ findScene(id: "7") { id } }') == {"findScene": None}
    status, answer = post(stash, '{ findScene(id: "seven") { id } }')
    assert status == 200
    assert answer["data"] == {"findScene": None}
    assert answer["errors"][0]["path"] == ["findScene"]


def test_one_missing_id_fails_the_whole_query(stash):
    ids = [stash.add_scene() for _ in range(3)]
    query = "query ($ids: [ID!]) { findScenes(ids: $ids) { count scenes { id } } }"
    assert ask(stash, query, {"ids": ids})["findScenes"]["count"] == 3
    status, answer = post(stash, query, {"ids": [*ids, 99]})
    assert (status, answer["data"]) == (200, None)
    assert "99" in answer["errors"][0]["message"]


def test_many_scenes_are_fetched_by_aliases(stash):
    ids = [stash.add_scene(title=f"Scene {n}") for n in range(50)]
    fields = " ".join(f's{id_}: findScene(id: "{id_}") {{ ...S }}' for id_ in [*ids, 999])
    answer = ask(stash, f"fragment S on Scene {{ id title }} query {{ {fields} }}")
    assert len(answer) == 51
    assert (answer["s7"]["title"], answer["s999"]) == ("Scene 6", None)


# pages and order


def test_pages_are_of_25_unless_asked_otherwise(stash):
    for _ in range(30):
        stash.add_scene()
    page = ask(stash, "{ findScenes { count scenes { id } } }")["findScenes"]
    assert (page["count"], len(page["scenes"])) == (30, 25)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"per_page": 2}, [1, 2]),
        ({"per_page": 2, "page": 2}, [3, 4]),
        ({"per_page": 2, "page": 3}, [5]),
        ({"per_page": 2, "page": 9}, []),
        ({"per_page": -1}, [1, 2, 3, 4, 5]),
        ({"per_page": -1, "page": 3}, [1, 2, 3, 4, 5]),
        ({"per_page": 0}, []),
        ({"per_page": 2, "direction": "DESC"}, [5, 4]),
    ],
)
def test_a_page_is_what_was_asked_for(stash, wanted, ids):
    for _ in range(5):
        stash.add_scene()
    assert found(stash, filter_=wanted) == ids


def test_a_count_alone_needs_no_scenes(stash):
    stash.add_scene(files=[("/a.mp4", 10, 1.5), ("/b.mp4", 20, 2.5)])
    answer = ask(stash, "{ findScenes(filter: {per_page: 0}) { count duration filesize scenes { id } } }")
    assert answer["findScenes"] == {"count": 1, "duration": 4.0, "filesize": 30.0, "scenes": []}


def test_scenes_are_sorted_by_known_names_only(stash):
    stash.add_scene(title="b", files=[("/z.mp4", 1, 1.0)], date="2020-01-01")
    stash.add_scene(title="", files=[("/a.mp4", 1, 1.0)])
    assert found(stash, filter_={"sort": "title"}) == [2, 1]
    assert found(stash, filter_={"sort": "path"}) == [2, 1]
    assert found(stash, filter_={"sort": "date"}) == [2, 1]
    status, answer = post(stash, '{ findScenes(filter: {sort: "colour"}) { count } }')
    assert (status, answer["data"]) == (200, None)


# filters


def test_a_path_equal_is_sqls_like(stash):
    stash.add_scene(files=[("/data/A_b.mp4", 1, 1.0)])
    stash.add_scene(files=[("/data/aXb.mp4", 1, 1.0)])
    stash.add_scene(files=[("/data/Äb.mp4", 1, 1.0), ("/data/100%.mp4", 1, 1.0)])

    def at(value, modifier="EQUALS"):
        return found(stash, {"path": {"value": value, "modifier": modifier}})

    assert at("/data/a_b.mp4") == [1, 2], "an underscore stands for any sign, and case does not count"
    assert at("/data/äb.mp4") == [], "the case of other letters than ASCII does"
    assert at("/data/Äb.mp4") == [3]
    assert at("/data/%.mp4") == [1, 2, 3]
    assert at("/data/100%.mp4") == [3], "any file of the scene may fit"
    assert at("/data/a_b.mp4", "NOT_EQUALS") == [3]


def test_a_path_is_found_by_words_a_phrase_or_a_pattern(stash):
    stash.add_scene(files=[("/data/red car.mp4", 1, 1.0)])
    stash.add_scene(files=[("/data/car park.mp4", 1, 1.0)])
    stash.add_scene(title="no file", files=[])

    def at(value, modifier):
        return found(stash, {"path": {"value": value, "modifier": modifier}})

    assert at("red park", "INCLUDES") == [1, 2]
    assert at('"red car"', "INCLUDES") == [1]
    assert at("red", "EXCLUDES") == [2, 3]
    assert at(r"car\.mp4$", "MATCHES_REGEX") == [1]
    assert at("", "IS_NULL") == [3]
    assert at("", "NOT_NULL") == [1, 2]
    bad = {"s": {"path": {"value": "(", "modifier": "MATCHES_REGEX"}}}
    _, answer = post(stash, "query ($s: SceneFilterType) { findScenes(scene_filter: $s) { count } }", bad)
    assert "regex" in answer["errors"][0]["message"]


def test_times_are_compared_as_the_strings_they_are_written_in():
    with StashSim(utc_offset_minutes=120) as stash:
        stash.now = lambda: 1_700_000_000.9
        stash.add_scene()
        scene = stash.scene(1)
        assert scene.updated_at == "2023-11-15T00:13:20+02:00"
        newer = {"updated_at": {"value": "2023-11-15T00:13:19+02:00", "modifier": "GREATER_THAN"}}
        assert found(stash, newer) == [1]
        same_moment_elsewhere = {"updated_at": {"value": "2023-11-14T22:13:21Z", "modifier": "GREATER_THAN"}}
        assert found(stash, same_moment_elsewhere) == [1], "later in truth, but smaller as text"


def test_scenes_are_found_by_performers_studios_and_tags(stash):
    stash.add_scene(performers=["Ada", "Bo"], tags=["Sea"], studio="Small")
    stash.add_scene(performers=["Bo"], tags=["Bay"], studio="Big")
    stash.add_scene()
    stash.set_tag_parents("Bay", ["Sea"])
    stash.set_parent_studio("Small", "Big")

    def by(kind, value, modifier="INCLUDES", **more):
        return found(stash, {kind: {"value": value, "modifier": modifier, **more}})

    assert by("performers", ["1", "2"]) == [1, 2]
    assert by("performers", ["1", "2"], "INCLUDES_ALL") == [1]
    assert by("performers", ["2"], "EQUALS") == [2]
    assert by("performers", ["1"], "EXCLUDES") == [2, 3]
    assert by("performers", ["2"], excludes=["1"]) == [2]
    assert by("performers", None, "IS_NULL") == [3]
    assert by("tags", ["1"]) == [1]
    assert by("tags", ["1"], depth=-1) == [1, 2]
    assert by("studios", ["2"]) == [2]
    assert by("studios", ["2"], depth=1) == [1, 2]


def test_scenes_are_found_by_what_changed_around_them(stash):
    stash.now = lambda: 1_700_000_000
    stash.add_scene(performers=["Ada"], tags=["Sea"], studio="Small")
    stash.add_scene(performers=["Bo"])
    stash.now = lambda: 1_700_000_100
    stash.rename_performer("Ada", "Ada Lamb")
    stash.rename_studio("Small", "Tiny")
    stash.rename_tag("Sea", "Ocean")
    since = {"updated_at": {"value": "2023-11-14T22:13:21Z", "modifier": "GREATER_THAN"}}
    assert found(stash, since) == [], "the scenes themselves did not change"
    for kind in ("performers_filter", "studios_filter", "tags_filter"):
        assert found(stash, {kind: since}) == [1]


def test_filters_are_joined_by_and_or_and_not(stash):
    stash.add_scene(title="one", organized=True)
    stash.add_scene(title="two", organized=True, date="2020")
    stash.add_scene(title="three")
    two = {"title": {"value": "two", "modifier": "EQUALS"}}
    assert found(stash, {"organized": True, "AND": two}) == [2]
    assert found(stash, {"organized": True, "NOT": two}) == [1]
    assert found(stash, {"organized": False, "OR": two}) == [2, 3]
    assert found(stash, {"organized": True, "is_missing": "date"}) == [1]
    assert found(stash, {"date": {"value": "2019", "modifier": "GREATER_THAN"}}) == [2]
    query = "query ($s: SceneFilterType) { findScenes(scene_filter: $s) { count } }"
    for wrong in ({"AND": two, "OR": two}, {"is_missing": "colour"}):
        _, answer = post(stash, query, {"s": wrong})
        assert answer["data"] is None


def test_words_are_looked_for_in_titles_details_and_paths(stash):
    stash.add_scene(title="Red car", details="by the sea")
    stash.add_scene(title="Blue car", files=[("/data/sea.mp4", 1, 1.0)])
    assert found(stash, filter_={"q": "SEA car"}) == [1, 2]
    assert found(stash, filter_={"q": '"red car"'}) == [1]
    assert found(stash, filter_={"q": "car -red"}) == [2]


def test_other_records_are_found_too(stash):
    stash.add_scene(performers=["Ada", "Bo"], tags=["Sea"], studio="Small", groups=["Seasons"])
    answer = ask(
        stash,
        """{
        findPerformers(filter: {sort: "name", direction: DESC}) { count performers { name scene_count scenes { id } } }
        findStudios(studio_filter: {name: {value: "small", modifier: EQUALS}}) { studios { name child_studios { id } } }
        findTags(filter: {q: "se"}) { tags { name children { id } } }
        findGroups(ids: ["1"]) { groups { name scenes { id } } }
        findPerformer(id: 1) { name image_path }
        findTag(id: 9) { name }
        }""",
    )
    assert [p["name"] for p in answer["findPerformers"]["performers"]] == ["Bo", "Ada"]
    assert answer["findStudios"]["studios"] == [{"name": "Small", "child_studios": []}]
    assert answer["findTags"]["tags"][0]["name"] == "Sea"
    assert answer["findGroups"]["groups"] == [{"name": "Seasons", "scenes": [{"id": "1"}]}]
    assert answer["findPerformer"]["image_path"].endswith("&default=true")
    assert answer["findTag"] is None


# the executor


def test_our_executor_answers_as_graphql_core_does(stash):
    for n in range(4):
        stash.add_scene(title=f"s{n}", performers=["Ada", "Bo"], tags=["Sea"], studio="Small", groups=[("G", n)])
    query = f"""
    query Q($all: Boolean!, $page: Int = 1, $mark: String = "md5") {{
      __typename
      first: findScenes(filter: {{per_page: 2, page: $page, sort: "id"}}) {{
        ...Found
        scenes {{ ...Marks }}
      }}
      skipped: findScene(id: 1) @skip(if: $all) {{ id }}
      included: findScene(id: 1) @include(if: $all) {{ {SCENE} }}
    }}
    fragment Marks on Scene {{
      __typename title ... on Scene {{ files {{ a: fingerprint(type: $mark) b: fingerprint(type: "oshash") }} }}
    }}
    fragment Found on FindScenesResultType {{ count scenes {{ {SCENE} }} }}
    """
    resolvers = stash.executor.resolvers
    request = type("Asking", (), {"base": stash.url, "api_key": "", "visited": ()})()

    def resolve(owner, info, **arguments):
        own = resolvers.get(info.parent_type.name, {}).get(info.field_name)
        source = request if info.parent_type.name == "Query" else owner
        return own(source, request, **arguments) if own else getattr(owner, info.field_name)

    for variables in ({"all": True}, {"all": False, "page": 2}, {"all": True, "mark": "oshash"}):
        theirs = execute_sync(schema(), parse(query), variable_values=variables, field_resolver=resolve)
        assert theirs.errors is None
        assert ask(stash, query, variables) == theirs.data


def test_the_schema_can_be_asked_for(stash):
    answer = ask(stash, '{ __type(name: "Scene") { fields { name } } }')
    names = {one["name"] for one in answer["__type"]["fields"]}
    assert "rating100" in names
    assert "custom_fields" not in names


def test_one_of_several_operations_is_chosen_by_name(stash):
    query = "query A { version { version } } query B { systemStatus { status } }"
    assert post(stash, query, operation="B")[1] == {"data": {"systemStatus": {"status": "OK"}}}
    assert post(stash, query)[0] == 422


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ findScene(id: 1) { custom_fields } }",
        "{ findScenes(",
        "query ($x: Int!) { findScenes(scene_ids: [$x]) { count } }",
    ],
)
def test_an_invalid_request_is_no_200_but_tells_why_in_json(stash, query):
    status, answer = post(stash, query)
    assert status == 422
    assert answer["errors"][0]["message"]
    assert answer["data"] is None


def test_a_request_that_is_no_json_is_refused(stash):
    json_type = {"Content-Type": "application/json"}
    for body in (b"{", b"[]", b'{"query": 3, "variables": 4}'):
        status, answer = send(stash, "/graphql", body=body, headers=json_type)
        assert status == 400
        assert json.loads(answer)["errors"]
    assert send(stash, "/graphql", body=b"query=x", headers={"Content-Type": "text/plain"})[0] == 400


def test_an_answer_can_be_spoilt(stash):
    stash.add_scene()
    stash.graphql_fault = lambda body: {"data": {"findScenes": None}, "errors": [{"message": "database is locked"}]}
    status, answer = post(stash, "{ findScenes { count } }")
    assert (status, answer["data"]["findScenes"]) == (200, None)
    stash.graphql_fault = None
    assert ask(stash, "{ findScenes { count } }")["findScenes"]["count"] == 1


def test_the_network_can_fail(stash):
    stash.faults.set(Fault("status", status=502, times=1))
    assert send(stash, "/graphql", body=b"{}")[0] == 502
    assert ask(stash, "{ version { version } }") == {"version": {"version": "v0.30.1"}}
    assert stash.count("POST", "/graphql") == 2


# who may ask


@pytest.mark.parametrize(
    ("key", "headers", "status"),
    [
        ("", {}, 200),
        ("", {"ApiKey": "any"}, 401),
        ("right", {}, 401),
        ("right", {"ApiKey": "wrong"}, 401),
        ("right", {"ApiKey": "right"}, 200),
        ("right", {"Cookie": "session=made-up"}, 401),
    ],
)
def test_only_a_matching_key_opens_the_door(key, headers, status):
    with StashSim(api_key=key) as stash:
        assert post(stash, "{ version { version } }", headers=headers)[0] == status


def test_a_refusal_has_no_body():
    with StashSim(api_key="right") as stash:
        assert post(stash, "{ version { version } }") == (401, None)
        assert send(stash, "/scene/1/screenshot") == (401, b"")


def test_a_session_cookie_opens_the_door_and_shows_the_key():
    with StashSim(api_key="right") as stash:
        cookie = {"Cookie": f"session={stash.session_cookie()}"}
        _, answer = post(stash, "{ configuration { general { apiKey } } }", headers=cookie)
        assert answer["data"]["configuration"]["general"]["apiKey"] == "right"


def test_a_key_in_the_address_counts_too():
    with StashSim(api_key="right") as stash:
        stash.add_scene()
        assert send(stash, "/scene/1/screenshot?apikey=right")[0] == 200
        assert send(stash, "/scene/1/screenshot?apikey=wrong")[0] == 401


def test_anyone_may_ask_whether_it_is_well():
    with StashSim(api_key="right") as stash:
        assert send(stash, "/healthz")[0] == 200


def test_only_stream_addresses_hold_the_key():
    with StashSim(api_key="right") as stash:
        stash.add_scene(performers=["Ada"])
        query = f"{{ findScene(id: 1) {{ {SCENE} }} }}"
        _, answer = post(stash, query, headers={"ApiKey": "right"})
        assert "right" not in json.dumps(answer)
        _, answer = post(stash, "{ findScene(id: 1) { paths { stream } } }", headers={"ApiKey": "right"})
        assert answer["data"]["findScene"]["paths"]["stream"].endswith("?apikey=right")


# pictures


def test_a_cover_is_served_at_the_address_that_the_scene_tells(stash):
    image = png(200, 10, 10)
    id_ = stash.add_scene(cover=image)
    address = ask(stash, f"{{ findScene(id: {id_}) {{ paths {{ screenshot }} }} }}")["findScene"]["paths"]["screenshot"]
    assert address.startswith(f"{stash.url}/scene/{id_}/screenshot?t=")
    with urllib.request.urlopen(address) as answer:
        assert (answer.headers["Content-Type"], answer.read()) == ("image/png", image)


def test_a_scene_without_a_cover_serves_a_default_image(stash):
    stash.add_scene(performers=["Ada"])
    for path in ("/scene/1/screenshot", "/performer/1/image"):
        with urllib.request.urlopen(stash.url + path) as answer:
            assert answer.headers["Content-Type"] == "image/svg+xml"
    assert found(stash, {"is_missing": "cover"}) == [1]


@pytest.mark.parametrize("path", ["/scene/9/screenshot", "/scene/x/screenshot", "/performer/9/image", "/nothing"])
def test_what_is_not_there_is_404(stash, path):
    assert send(stash, path)[0] == 404


def test_addresses_name_the_host_that_was_asked(stash):
    stash.add_scene()
    connection = http.client.HTTPConnection("127.0.0.1", stash.port)
    body = json.dumps({"query": "{ findScene(id: 1) { paths { screenshot } } }"})
    connection.request("POST", "/graphql", body, {"Content-Type": "application/json", "Host": "stash.example:99"})
    answer = json.loads(connection.getresponse().read())
    connection.close()
    assert answer["data"]["findScene"]["paths"]["screenshot"].startswith("http://stash.example:99/scene/1/")


# settings and status


def test_settings_of_a_plugin_are_replaced_as_a_whole(stash):
    stash.plugin_settings["Other"] = {"x": 1}
    configure = 'mutation ($in: Map!) { configurePlugin(plugin_id: "Mine", input: $in) }'
    ask(stash, configure, {"in": {"a": "1", "b": True}})
    ask(stash, configure, {"in": {"a": 2}})
    read = "query ($ids: [ID!]) { configuration { plugins(include: $ids) } }"
    assert ask(stash, read, {"ids": ["Mine", "Nobody"]})["configuration"]["plugins"] == {"Mine": {"a": 2}}
    assert set(ask(stash, read)["configuration"]["plugins"]) == {"Mine", "Other"}


def test_the_status_says_where_things_are(stash):
    stash.config_dir = "/config"
    stash.system_status = "NEEDS_MIGRATION"
    status = ask(stash, "{ systemStatus { status configPath databasePath } }")["systemStatus"]
    assert status["status"] == "NEEDS_MIGRATION"
    assert status["configPath"] == "/config/config.yml"
