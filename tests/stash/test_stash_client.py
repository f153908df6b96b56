"""The Stash client against a server that behaves, one that misbehaves, and answers that no Stash gives."""

import copy
import json
import unicodedata

import pytest

from plexsync.rules.merge.pictures import kind_of
from plexsync.rules.queue.job import Kind
from plexsync.rules.records import Newest
from plexsync.rules.scene import Image, Performer, Scene, SceneFile
from plexsync.rules.servers.errors import Barred, Missing, Refused, Throttled, TooLong, Unavailable, Unusable
from plexsync.rules.servers.neighbours import Stash
from plexsync.simulator.http import Answer, Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from tests.patience import HANG
from tests.stash.conftest import KEY
from tests.tables import table
from tests.transports import Answering


def files(name="/data/a.mp4"):
    return [(name, 1000, 60.0)]


def many(sim, count, **more):
    return [sim.add_scene(title=f"S {n}", files=files(f"/data/s{n}.mp4"), **more) for n in range(count)]


def test_it_is_what_the_engine_asks_for(stash):
    neighbour: Stash = stash
    neighbour.probe()


def test_the_key_travels_in_a_header_and_never_in_an_address(sim, stash):
    many(sim, 1)
    stash.probe(), stash.scenes([1]), list(stash.walk()), stash.newest(), stash.rivals(["a.mp4"])
    assert len(sim.log) == 5
    assert all((request.headers["apikey"], request.target) == (KEY, "/graphql") for request in sim.log)


def test_no_key_is_sent_where_there_is_none(made):
    with StashSim() as open_sim:
        made(open_sim.url, "").probe()
        assert "apikey" not in open_sim.log[0].headers


# --- scenes ----------------------------------------------------------------------------------------------------------


def test_a_scene_in_full(sim, stash):
    id = sim.add_scene(
        title="T",
        details="Some\nlines.",
        date="2024-05-17",
        rating100=85,
        studio="S",
        performers=["Ann", "Bo"],
        tags=["x", "y"],
        organized=True,
        files=[("/data/a.mp4", 5_000_000_000, 61.5), ("/data/b.mp4", 7, 60.0)],
    )
    assert stash.scenes([id]) == {
        id: Scene(
            id=id,
            title="T",
            details="Some\nlines.",
            date="2024-05-17",
            rating100=85,
            studio="S",
            performers=("Ann", "Bo"),
            tags=("x", "y"),
            tags_above=((), ()),
            organized=True,
            references=(("performer", 1), ("performer", 2), ("studio", 1), ("tag", 1), ("tag", 2)),
            files=(SceneFile("/data/a.mp4", 5_000_000_000, 61.5), SceneFile("/data/b.mp4", 7, 60.0)),
            created_at=sim.scene(id).created_at,
            updated_at=sim.scene(id).updated_at,
            images=(
                Image("cover", f"/scene/{id}/screenshot", sim.scene(id).updated_at),
                Image("studio", "/studio/1/image", sim.data.studios[1].updated_at),
            ),
            people=(Performer(1, "Ann"), Performer(2, "Bo")),
            studio_id=1,
            performer_ids=(1, 2),
            tag_ids=(1, 2),
            tag_ids_above=((), ()),
        )
    }


def test_a_bare_scene(sim, stash):
    id = sim.add_scene(files=files())
    scene = stash.scenes([id])[id]
    assert (scene.title, scene.details, scene.date, scene.rating100, scene.studio) == ("", "", "", None, "")


def test_which_scenes_exist_and_how_many_there_are_is_one_request(sim, stash):
    ids = many(sim, 5)
    sim.destroy_scene(ids[1])
    assert stash.existing([*ids, 999, ids[0]]) == (frozenset({ids[0], *ids[2:]}), 4)
    assert stash.existing([]) == (frozenset(), 4)
    assert len(sim.log) == 2


@pytest.mark.parametrize(
    "answer",
    [
        {"all": {"count": 1}},
        {"all": None, "s1": None},
        {"all": {"count": -1}, "s1": None},
        {"all": {"count": 1}, "s1": {"id": "2"}},
        {"all": {"count": 1}, "s1": None, "s2": None},
    ],
)
def test_half_an_answer_says_of_no_scene_that_it_is_gone(made, answer):
    with pytest.raises(Unavailable):
        answering(made, lambda request: data(answer)).existing([1])


def test_many_scenes_in_one_request_without_those_that_are_gone(sim, stash):
    ids = many(sim, 5)
    sim.destroy_scene(ids[1])
    assert list(stash.scenes([*ids, 999, ids[0]])) == [ids[0], *ids[2:]]
    assert stash.scenes([]) == {}
    assert len(sim.log) == 1


@pytest.mark.parametrize("id", ["1", -1, True, 1.5, "1) { id } x: findScene(id: 2"])
def test_only_numbers_reach_a_query(sim, stash, id):
    with pytest.raises(ValueError, match="number"):
        stash.scenes([id])
    assert sim.log == []


# --- walks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 4, 5, 6, 10, 11])
def test_a_walk_meets_every_scene_once(sim, stash, count):
    ids = many(sim, count)
    assert [scene.id for page in stash.walk(page=5) for scene in page] == ids
    assert [id for page in stash.walk_ids(page=5) for id, _ in page] == ids


def test_a_walk_costs_a_request_for_each_page_and_no_more(sim, stash):
    many(sim, 10)
    assert len(list(stash.walk(page=5))) == 2
    assert len(sim.log) == 2


def test_a_walk_can_begin_in_the_middle(sim, stash):
    ids = many(sim, 10)
    assert [scene.id for page in stash.walk(after=ids[5], page=3) for scene in page] == ids[6:]


def test_what_goes_during_a_walk_hides_nothing_else(sim, stash):
    ids = many(sim, 12)
    walk = stash.walk(page=4)
    met = [scene.id for scene in next(walk)]
    for id in (ids[0], ids[3], ids[5]):
        sim.destroy_scene(id)
    met += [scene.id for page in walk for scene in page]
    assert met == [id for id in ids if id != ids[5]]


def test_walked_ids_come_with_the_time_of_their_last_change(sim, stash):
    (id,) = many(sim, 1)
    assert list(stash.walk_ids()) == [[(id, sim.scene(id).updated_at)]]


def stamped(*ids):
    return [{"id": str(id), "updated_at": "2026-01-15T10:00:00Z"} for id in ids]


@pytest.mark.parametrize(
    "pages",
    [
        [(3, [1, 2]), (1, [])],
        [(2, [2, 1])],
        [(2, [1, 1])],
        [(4, [1, 2]), (4, [1, 2])],
        [(2, [0, 1])],
    ],
)
def test_a_walk_that_cannot_be_trusted_ends_with_an_error(made, pages):
    left = iter(pages)

    def answer(request):
        count, ids = next(left)
        return data({"findScenes": {"count": count, "scenes": stamped(*ids)}})

    with pytest.raises(Unavailable):
        list(answering(made, answer).walk_ids(page=2))


# --- who else, and what is new ---------------------------------------------------------------------------------------


def test_rivals_share_a_base_name_whatever_its_case(sim, stash):
    first = sim.add_scene(files=files("/data/one/Same Name (1).mp4"))
    second = sim.add_scene(files=files("/data/two/same name (1).MP4"))
    bare = sim.add_scene(files=files("Same Name (1).mp4"))
    windows = sim.add_scene(files=files("D:\\data\\Same Name (1).mp4"))
    for other in ("xSame Name (1).mp4", "Same Name 1.mp4", "Same Name (1).mp4.part", "Same Name (1)xmp4"):
        sim.add_scene(files=files(f"/data/{other}"))
    assert [scene.id for scene in stash.rivals(["Same Name (1).mp4"])] == [first, second, bare, windows]
    assert stash.rivals(["Same Name (1).mp4"])[0] == Scene(
        id=first, files=(SceneFile("/data/one/Same Name (1).mp4", 1000, 60.0),)
    )


def test_rivals_of_many_names_are_one_request(sim, stash):
    ids = many(sim, 3)
    assert [scene.id for scene in stash.rivals(["s0.mp4", "s2.mp4", "", "none.mp4"])] == [ids[0], ids[2]]
    assert stash.rivals([]) == stash.rivals([""]) == []
    assert len(sim.log) == 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_rivals_are_found_in_either_unicode_form(sim, stash, form):
    id = sim.add_scene(files=files("/data/" + unicodedata.normalize(form, "Café.mp4")))
    assert [scene.id for scene in stash.rivals(["café.mp4"])] == [id]
    assert [scene.id for scene in stash.rivals([unicodedata.normalize("NFD", "CAFÉ.mp4")])] == [id]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("phi\u00ea\u0301m.mp4", "phi\u1ebfm.mp4"),
        ("v\u00ea\u0323.mp4", "v\u1ec7.mp4"),
        ("\ud55c.mp4", "\ud558\u11ab.mp4"),
        ("STRASSE.mp4", "straße.mp4"),
        ("oﬃce.mp4", "OFFICE.mp4"),
        ("\u0130x.mp4", "i\u0307x.mp4"),
    ],
)
def test_rivals_are_found_in_mixed_forms_and_behind_ligatures(sim, stash, name, other):
    ids = [sim.add_scene(files=files(f"/data/{n}/{one}")) for n, one in enumerate((name, other))]
    assert [scene.id for scene in stash.rivals([name])] == [scene.id for scene in stash.rivals([other])] == ids


@pytest.mark.parametrize(
    "name",
    ["a+b.mp4", "a[1].mp4", "a{2}.mp4", "a^$|b.mp4", "(?i).mp4", "a.*.mp4", "a'\"b.mp4", "日本.mp4", "\ufa10.mp4"],
)
def test_names_are_taken_literally(sim, stash, name):
    id = sim.add_scene(files=files(f"/data/{name}"))
    sim.add_scene(files=files("/data/ab.mp4"))
    assert [scene.id for scene in stash.rivals([name])] == [id]


def test_any_file_of_a_scene_can_be_the_rival(sim, stash):
    id = sim.add_scene(files=[("/data/a.mp4", 1, 1.0), ("/data/b.mp4", 2, 1.0)])
    assert [[file.path for file in scene.files] for scene in stash.rivals(["b.mp4"])] == [
        ["/data/a.mp4", "/data/b.mp4"]
    ]
    assert id


def test_where_a_performer_studio_or_tag_shows(sim, stash):
    first = sim.add_scene(performers=["Ann"], studio="S", tags=["x"], files=files())
    second = sim.add_scene(performers=["Ann", "Bo"], tags=["x", "y"], files=files("/data/b.mp4"))
    assert stash.showing(Kind.PERFORMER, 1) == [first, second]
    assert stash.showing(Kind.PERFORMER, 2) == [second]
    assert stash.showing(Kind.STUDIO, 1) == [first]
    assert stash.showing(Kind.TAG, 2) == [second]
    assert stash.showing(Kind.TAG, 99) == []
    assert stash.showing(Kind.SCENE, 7) == [7]


def test_the_newest_of_each_kind_is_one_request(sim, stash):
    assert stash.newest() == {kind: Newest(0, "") for kind in Kind}
    first, _ = many(sim, 2, performers=["Ann"])
    sim.now = lambda: 1_900_000_000
    sim.edit_scene(first, title="New")
    sim.clear_log()
    newest = stash.newest()
    assert newest[Kind.SCENE] == Newest(2, "2030-03-17T17:46:40Z", last=2)
    assert (newest[Kind.PERFORMER].count, newest[Kind.STUDIO]) == (1, Newest(0, ""))
    assert len(sim.log) == 1


def test_what_changed_last_comes_first(sim, stash):
    ids = many(sim, 5)
    for moment, id in enumerate((ids[2], ids[0]), 1_900_000_000):
        sim.now = lambda moment=moment: moment
        sim.edit_scene(id, title="New")
    assert [id for id, _ in stash.recent(Kind.SCENE, page=1, size=2)] == [ids[0], ids[2]]
    assert len(stash.recent(Kind.SCENE, page=3, size=2)) == 1
    assert stash.recent(Kind.SCENE, page=4, size=2) == []
    for kind in (Kind.PERFORMER, Kind.STUDIO, Kind.TAG):
        assert stash.recent(kind, page=1, size=5) == []


# --- Stash itself ----------------------------------------------------------------------------------------------------


def test_what_doctor_asks(sim, stash):
    sim.plugin_settings["StashPlexSync"] = {"plex_url": "http://nas:32400", "max_retries": 5}
    assert stash.version() == "v0.30.1"
    assert stash.config_path() == "/config/config.yml"
    assert stash.plugin_settings("StashPlexSync") == {"plex_url": "http://nas:32400", "max_retries": 5}
    assert stash.plugin_settings("another") == {}


@pytest.mark.parametrize(
    ("status", "word"), [("NEEDS_MIGRATION", "migration"), ("SETUP", "set up"), ("ODD", "not known")]
)
def test_a_stash_that_is_not_ready_is_unavailable(made, status, word):
    client = answering(made, lambda request: data({"systemStatus": {"status": status}}))
    with pytest.raises(Unavailable, match=word):
        client.probe()


# --- answers that must not be used -----------------------------------------------------------------------------------

GOOD = {
    "id": "1",
    "title": "T",
    "code": "C-1",
    "details": "D",
    "director": "Dee",
    "date": "2024-05-17",
    "rating100": 85,
    "organized": True,
    "created_at": "2026-01-10T09:00:00Z",
    "updated_at": "2026-01-15T10:00:00Z",
    "studio": {"id": "1", "name": "S"},
    "performers": [{"id": "1", "name": "Ann"}],
    "tags": [{"id": "1", "name": "x"}],
    "groups": [{"group": {"id": "1", "name": "G", "updated_at": "2026-01-15T10:00:00Z"}}],
    "files": [{"path": "/data/a.mp4", "size": 5, "duration": 60.0}],
}


def without(name):
    scene = copy.deepcopy(GOOD)
    del scene[name]
    return scene


def spoiled(**changes):
    return {**copy.deepcopy(GOOD), **changes}


SPOILED = [
    *(without(name) for name in GOOD),
    *(
        spoiled(**{name: None})
        for name in ("id", "organized", "created_at", "updated_at", "performers", "tags", "groups", "files")
    ),
    *(
        spoiled(**{name: 7})
        for name in (
            *("title", "code", "details", "director", "date", "organized", "studio", "performers", "tags", "groups"),
            "files",
        )
    ),
    *(spoiled(**{name: [None]}) for name in ("performers", "tags", "groups", "files")),
    *(spoiled(**{name: [{}]}) for name in ("performers", "tags", "groups", "files")),
    spoiled(studio={}),
    spoiled(studio={"id": "1", "name": None}),
    spoiled(studio={"name": "S"}),
    spoiled(studio={"id": "1", "name": "S", "parent_studio": {"id": "2"}}),
    spoiled(tags=[{"id": "1", "name": "x", "parents": [{"id": "2"}]}]),
    spoiled(groups=[{"group": None}]),
    spoiled(performers=[{"id": "x", "name": "Ann"}]),
    spoiled(rating100="85"),
    spoiled(rating100=8.5),
    spoiled(id="2"),
    spoiled(id="x"),
    spoiled(files=[{"path": None, "size": 5, "duration": 1}]),
    spoiled(files=[{"path": "/a", "size": "x", "duration": 1}]),
    spoiled(files=[{"path": "/a", "size": 5}]),
    spoiled(files={"path": "/a"}),
]


@table("scene", SPOILED)
def test_a_scene_that_is_not_whole_is_none(made, scene):
    with pytest.raises(Unavailable):
        answering(made, lambda request: data({"s1": scene})).scenes([1])
    with pytest.raises(Unavailable):
        answering(made, lambda request: data({"findScenes": {"count": 1, "scenes": [scene, scene]}})).walk().__next__()


def test_what_is_spoiled_below_is_read_when_it_is_whole(made):
    assert answering(made, lambda request: data({"s1": GOOD})).scenes([1])[1].groups == ("G",)


def test_a_scene_with_what_is_above_its_studio_and_tags(sim, made):
    sim.set_parent_studio("Label", "Network")
    sim.set_tag_parents("Boots", ["Shoes"])
    sim.set_tag_parents("Shoes", ["Wear"])
    id = sim.add_scene(
        title="T", studio="Label", tags=["Boots", "Blue"], groups=["First", "Second"], code="C-1", files=files()
    )
    scene = made(sim.url, tags_above=True).scenes([id])[id]
    assert (scene.studio, scene.parents) == ("Label", ("Network",))
    assert dict(zip(scene.tags, scene.tags_above, strict=True)) == {"Blue": (), "Boots": ("Shoes", "Wear")}
    assert (scene.groups, scene.code) == (("First", "Second"), "C-1")
    assert {kind for kind, _ in scene.references} == {"studio", "tag", "group"}
    named = {kind: dict(zip(names, ids, strict=True)) for kind, names, ids in parallel(scene)}
    assert named == {
        "studio": {one.name: one.id for one in sim.data.studios.values()},
        "tag": {one.name: one.id for one in sim.data.tags.values()},
        "group": {one.name: one.id for one in sim.data.groups.values()},
    }


def parallel(scene: Scene) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """The names that a scene shows, with the ids beside them."""
    above = [name for names in scene.tags_above for name in names], [id for ids in scene.tag_ids_above for id in ids]
    return [
        ("studio", (scene.studio, *scene.parents), (scene.studio_id, *scene.parent_ids)),
        ("tag", (*scene.tags, *above[0]), (*scene.tag_ids, *above[1])),
        ("group", scene.groups, scene.group_ids),
    ]


def test_a_scene_has_its_place_in_each_group(sim, stash):
    id = sim.add_scene(files=files(), groups=[("First", 3), "Second"])
    first, second = (one.id for one in sim.data.groups.values())
    scene = stash.scenes([id])[id]
    assert (scene.group_ids, scene.group_indexes) == ((first, second), (3, None))


def test_a_scene_with_more_of_its_performers(sim, made):
    id = sim.add_scene(title="T", performers=[("Ann", "the painter"), "Bo"], files=files())
    sim.data.performers[1].alias_list = ("Annie", "A.")
    sim.data.performers[2].gender = "TRANSGENDER_FEMALE"
    for scene in (made(sim.url, people=True).scenes([id])[id], next(made(sim.url, people=True).walk())[0]):
        assert scene.people == (
            Performer(1, "Ann", "the painter", ("Annie", "A.")),
            Performer(2, "Bo", gender="transgender female"),
        )
    assert made(sim.url).scenes([id])[id].people == (Performer(1, "Ann"), Performer(2, "Bo"))


def test_a_scene_with_the_times_of_its_files(sim, made):
    id = sim.add_scene(title="T", files=files())
    sim.data.files[1].mod_time = "2020-02-03T04:05:06+02:00"
    for scene in (made(sim.url, file_times=True).scenes([id])[id], next(made(sim.url, file_times=True).walk())[0]):
        assert scene.files[0].modified == "2020-02-03T04:05:06+02:00"
    assert made(sim.url).scenes([id])[id].files[0].modified == ""


def test_a_file_without_the_requested_time_spoils_the_answer(made):
    client = answering(made, lambda request: data({"s1": spoiled(id=1)}), file_times=True)
    with pytest.raises(Unavailable):
        client.scenes([1])


def test_a_scene_with_its_stash_ids_and_urls_if_they_are_requested(sim, made):
    links = {"stash_ids": [("https://stashdb.org/graphql", "a-1")], "urls": ["https://a.test/1", "https://b.test"]}
    id = sim.add_scene(title="T", files=files(), **links)
    for extra, endpoints, urls in (
        ((), (), ()),
        (("stash_id",), ("https://stashdb.org/graphql",), ()),
        (("url",), (), ("https://a.test/1", "https://b.test")),
        (("url", "stash_id"), ("https://stashdb.org/graphql",), ("https://a.test/1", "https://b.test")),
    ):
        client = made(sim.url, extra=extra)
        for scene in (client.scenes([id])[id], next(client.walk())[0]):
            assert (scene.stash_ids, scene.urls) == (endpoints, urls)


def test_sizes_and_ids_may_be_numbers_or_texts(made):
    scene = spoiled(id=1, files=[{"path": "/a", "size": "5000000000", "duration": 3}])
    found = answering(made, lambda request: data({"s1": scene})).scenes([1])
    assert found[1].files == (SceneFile("/a", 5_000_000_000, 3.0),)


BROKEN = [
    b"",
    b"null",
    b"[]",
    b"{}",
    b'{"data": null}',
    b'{"data": {}}',
    b'{"data": []}',
    b'{"data": {"s1": null}, "errors": [{"message": "no"}]}',
    b'{"data": {"s1": null}, "errors": {}}',
    b'{"data": {"s2": null}}',
    b'{"data": {"s1": null, "s2": null}}',
    b'{"data": {"s1": nul',
    b"<!DOCTYPE html><html><body>Sign in</body></html>",
    b'{"data": {"s1": ' + b"[" * 50_000,
    b'{"errors": ' + b"[" * 50_000,
    b"\xff\xfe",
]


@table("body", BROKEN)
def test_half_an_answer_is_none(made, body):
    with pytest.raises(Unavailable) as raised:
        answering(made, lambda request: said(200, body)).scenes([1])
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "body",
    [b'{"data": {"s1": null}}', b'{"data": {"s1": null}, "errors": null}', b'{"data": {"s1": null}, "errors": [ ]}'],
)
def test_a_scene_that_is_gone_is_a_whole_answer(made, body):
    assert answering(made, lambda request: said(200, body)).scenes([1]) == {}


def test_what_stash_says_of_an_error_is_passed_on_with_the_name_of_the_query(sim, stash):
    many(sim, 1)
    said = f"database is locked, see /data/private films/a b.mp4: {KEY}"
    sim.graphql_fault = lambda body: {**body, "errors": [{"message": said, "path": ["s1"]}]}
    with pytest.raises(Unavailable) as raised:
        stash.probe()
    assert str(raised.value).endswith(
        "answered with an error of its own (Probe: database is locked, see (a path): ***)"
    )


def test_no_part_of_an_answer_with_errors_is_used(sim, stash):
    ids = many(sim, 2)
    sim.graphql_fault = lambda body: {**body, "errors": [{"message": "private/path.mp4", "path": ["s1"]}]}
    for ask in questions(stash, ids[0]):
        with pytest.raises(Unavailable) as raised:
            ask()
        assert "private" not in str(raised.value)


@pytest.mark.parametrize(
    "answer", [{"s1": None}, {"found": {"count": 1, "things": None}}, {"findScenes": {"count": 1, "scenes": None}}]
)
def test_null_in_place_of_a_list_is_no_empty_list(made, answer):
    client = answering(made, lambda request: data(answer))
    for ask in (
        lambda: list(client.walk()),
        lambda: list(client.walk_ids()),
        lambda: client.rivals(["a.mp4"]),
        lambda: client.showing(Kind.TAG, 1),
        lambda: client.recent(Kind.TAG, page=1, size=5),
        client.newest,
    ):
        with pytest.raises(Unavailable):
            ask()


@pytest.mark.parametrize("status", [400, 422])
def test_a_question_that_stash_does_not_know_blames_no_scene(made, status):
    for count in (1, 5000):
        body = b'{"errors": [' + b", ".join([b'{"message": "Cannot query field"}'] * count) + b'], "data": null}'
        with pytest.raises(Unavailable, match=r"older than 0\.28"):
            answering(made, lambda request: said(status, body)).scenes([1])  # noqa: B023
    with pytest.raises(Refused):
        answering(made, lambda request: said(status, b"<html></html>")).scenes([1])


def test_an_address_without_an_api_is_no_stash(made):
    with pytest.raises(Unavailable):
        answering(made, lambda request: said(404, b"404 page not found")).probe()


# --- trouble ---------------------------------------------------------------------------------------------------------


def questions(client, id):
    return [
        client.probe,
        lambda: client.scenes([id]),
        lambda: list(client.walk()),
        lambda: list(client.walk_ids()),
        lambda: client.rivals(["s0.mp4"]),
        lambda: client.showing(Kind.TAG, 1),
        client.newest,
        lambda: client.recent(Kind.SCENE, page=1, size=5),
        client.version,
        client.config_path,
        lambda: client.plugin_settings("x"),
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault("refuse"), Unavailable),
        (Fault("hang"), Unavailable),
        (Fault("reset"), Unavailable),
        (Fault("cut"), Unavailable),
        (Fault("garbage"), Unavailable),
        (Fault("html"), Unavailable),
        (Fault("status", status=500), Unavailable),
        (Fault("status", status=503, retry_after=30), Unavailable),
        (Fault("status", status=429, retry_after=30), Throttled),
        (Fault("status", status=401), Barred),
        (Fault("status", status=403), Barred),
        (Fault("status", status=413), TooLong),
    ],
)
def test_trouble_of_every_kind_has_its_name(sim, made, fault, error):
    (id,) = many(sim, 1)
    sim.faults.set(fault)
    client = made(sim.url, connect_timeout=30, read_timeout=0.1 if fault.kind == "hang" else HANG)
    for ask in questions(client, id):
        with pytest.raises(error) as raised:
            ask()
        assert type(raised.value) is error
        assert KEY not in str(raised.value)
        if isinstance(raised.value, Barred):
            assert raised.value.setting == "stash_api_key"
        if fault.retry_after:
            assert raised.value.retry_after == 30
        if fault.kind == "refuse":
            assert not raised.value.sent
    sim.faults.clear()


def test_a_trickle_ends_within_the_deadline(sim, made):
    many(sim, 20)
    sim.faults.set(Fault("trickle", seconds=0.02))
    with pytest.raises(Unavailable):
        list(made(sim.url, read_timeout=0.25).walk())
    sim.faults.clear()


def test_a_body_without_end_is_cut_off(sim, stash):
    sim.faults.set(Fault("huge", megabytes=40))
    with pytest.raises(Unavailable, match="more than 32 MB"):
        list(stash.walk())
    with pytest.raises(Unavailable, match="more than 8 MB"):
        stash.scenes([1])


@pytest.mark.parametrize("key", ["wrong", ""])
def test_a_wrong_key_is_a_matter_for_a_person(sim, made, key):
    with pytest.raises(Barred) as raised:
        made(sim.url, key).probe()
    assert raised.value.setting == "stash_api_key"


def test_a_key_that_cannot_be_sent_is_refused_at_once():
    with pytest.raises(Unusable, match="stash_api_key"):
        StashClient("http://nas:9999", "a\nb")


# --- answers by hand -------------------------------------------------------------------------------------------------


def said(status, body=b""):
    return Answer(status, body)


def data(content):
    return said(200, json.dumps({"data": content}).encode())


def answering(made, answer, **more):
    return made("http://nas:9999", transport=Answering(answer), **more)


# --- pictures --------------------------------------------------------------------------------------------------------


def test_what_stash_lacks_is_told_from_what_it_cannot_read(sim, stash):
    id = sim.add_scene(studio="S", groups=["G"], files=files())
    images = stash.scenes([id])[id].images
    assert {image.source for image in images if stash.lacks(image)} == {"cover", "studio", "group"}
    sim.set_cover(id, png(1, 2, 3))
    sim.data.studio_named("S").image = sim.data.group_named("G").image = png(3, 2, 1)
    sim.blobs_away = True
    for image in images:
        assert kind_of(stash.picture(image.path).content) == "drawing"
        assert not stash.lacks(image), image.source
    gone = Image("studio", "/studio/999/image", "")
    assert stash.lacks(gone)


def test_a_picture_is_fetched_once_and_then_known_by_its_tag(sim, stash):
    id = sim.add_scene(studio="S", groups=["G"], files=files())
    sim.set_cover(id, png(1, 2, 3))
    images = {image.source: image for image in stash.scenes([id])[id].images}
    assert set(images) == {"cover", "studio", "group"}
    found = stash.picture(images["cover"].path)
    assert (found.content, bool(found.tag)) == (png(1, 2, 3), True)
    assert stash.picture(images["cover"].path, etag=found.tag) is None
    sim.set_cover(id, png(3, 2, 1))
    assert stash.picture(images["cover"].path, etag=found.tag).content == png(3, 2, 1)
    assert kind_of(stash.picture(images["studio"].path).content) == "drawing", "no picture was given"
    with pytest.raises(Missing):
        stash.picture("/scene/999/screenshot")


def test_plex_at_the_address_of_stash_bars_by_the_address_and_not_by_the_key(made):
    with PlexSim(token="of-another") as plex:
        with pytest.raises(Barred, match=r"Stash at 127\.0\.0\.1:\d+ answered as Plex does \(401\)") as failure:
            made(plex.url, read_timeout=HANG).probe()
    assert failure.value.setting == "stash_url"
