"""The sources of collections over HTTP: objects with texts and pictures, their stamps, and the orders of groups."""

import pytest

from plexsync.rules.collections.collection_servers import CollectionSource
from plexsync.rules.scene import Image
from plexsync.rules.servers.errors import Unavailable
from plexsync.simulator.stash_images import png
from plexsync.simulator.stash_server import StashSim
from plexsync.stash.client import StashClient
from plexsync.stash.collecting import StashCollecting
from tests.transports import saying


def answering(body: str) -> StashClient:
    """A client whose every request gets this body."""
    return StashClient("http://nas", transport=saying(body.encode()))


def id_of(sim: StashSim, kind: str, name: str) -> int:
    """The id of the object with this name."""
    return next(record.id for record in getattr(sim.data, f"{kind}s").values() if record.name == name)


def stamp_of(sim: StashSim, kind: str, id: int) -> str:
    """When this object was changed."""
    return str(getattr(sim.data, f"{kind}s")[id].updated_at)


def test_objects_of_all_sources_are_read_in_one_request(sim, stash):
    reader: StashCollecting = stash.collections
    sim.set_parent_studio("Below", "Above")
    sim.add_scene(studio="Below", performers=[("Ann", "the first")], tags=["One"], groups=["Saga"], rating100=85)
    sim.add_scene(studio="Above", rating100=84, organized=True)
    sim.edit_object("studio", "Below", details="A studio", image=png(1, 1, 1))
    sim.edit_object("group", "Saga", synopsis="A saga", back_image=png(2, 2, 2))
    sim.edit_object("tag", "One", description="A tag", image=png(3, 3, 3))
    sim.edit_object("performer", "Ann", details="A performer")
    below, above = (id_of(sim, "studio", name) for name in ("Below", "Above"))
    group, tag, ann = (id_of(sim, *pair) for pair in (("group", "Saga"), ("tag", "One"), ("performer", "Ann")))
    sim.clear_log()
    objects = reader.objects(
        {
            "studio": [below, above, 99, below],
            "group": [group],
            "tag": [tag],
            "performer": [ann],
            "rating": [8, 9, 10],
            "organized": [1],
        }
    )
    assert len(sim.log) == 1
    studio_at, group_at, tag_at = (
        stamp_of(sim, kind, id) for kind, id in (("studio", below), ("group", group), ("tag", tag))
    )
    assert objects[("studio", below)] == CollectionSource(
        "studio",
        below,
        name="Below",
        summary="A studio",
        parent="Above",
        picture=Image("studio", f"/studio/{below}/image", studio_at),
        updated_at=studio_at,
        scenes=1,
        scenes_below=1,
    )
    assert (objects[("studio", above)].scenes, objects[("studio", above)].scenes_below) == (1, 2)
    assert objects[("group", group)] == CollectionSource(
        "group",
        group,
        name="Saga",
        summary="A saga",
        background=Image("group", f"/group/{group}/backimage", group_at),
        updated_at=group_at,
        scenes=1,
        scenes_below=1,
    )
    assert (objects[("tag", tag)].summary, objects[("tag", tag)].picture) == (
        "A tag",
        Image("tag", f"/tag/{tag}/image", tag_at),
    )
    performer = objects[("performer", ann)]
    assert (performer.name, performer.disambiguation, performer.summary, performer.picture) == (
        "Ann",
        "the first",
        "A performer",
        None,
    )
    assert [objects[("rating", tenths)].scenes for tenths in (8, 9, 10)] == [1, 1, 0]
    assert objects[("organized", 1)] == CollectionSource("organized", 1, scenes=1, scenes_below=1)
    assert ("studio", 99) not in objects
    assert len(objects) == 9


@pytest.mark.parametrize(
    ("rating", "tenths"), [(1, 1), (14, 1), (15, 2), (84, 8), (85, 9), (94, 9), (95, 10), (100, 10)]
)
def test_a_rating_counts_where_it_is_rounded_to(sim, stash, rating, tenths):
    sim.add_scene(rating100=rating)
    objects = stash.collections.objects({"rating": list(range(1, 11))})
    assert [id for (_, id), object in objects.items() if object.scenes] == [tenths]


def test_no_objects_need_no_request(sim, stash):
    assert stash.collections.objects({}) == stash.collections.objects({"studio": []}) == {}
    assert stash.collections.group_order([]) == {}
    assert sim.log == []


@pytest.mark.parametrize("wanted", [{"rating": [0]}, {"rating": [11]}, {"gallery": [1]}, {"tag": ["1) { id }"]}])
def test_what_is_no_object_is_never_sent(sim, stash, wanted):
    with pytest.raises(ValueError, match=r"rating|source|number"):
        stash.collections.objects(wanted)
    assert sim.log == []


def test_pictures_are_read_and_told_from_default_ones(sim, stash):
    sim.add_scene(studio="Own", performers=["Ann"], tags=["One"], groups=["Saga"])
    sim.edit_object("performer", "Ann", image=png(1, 2, 3))
    sim.edit_object("group", "Saga", front_image=png(4, 5, 6), back_image=png(7, 8, 9))
    ann, group = id_of(sim, "performer", "Ann"), id_of(sim, "group", "Saga")
    objects = stash.collections.objects({"performer": [ann], "group": [group], "tag": [1], "studio": [1]})
    saga = objects[("group", group)]
    images = [objects[("performer", ann)].picture, saga.picture, saga.background]
    assert [stash.picture(image.path).content for image in images] == [png(1, 2, 3), png(4, 5, 6), png(7, 8, 9)]
    assert [stash.lacks(image) for image in images] == [False, False, False]
    assert [objects[(kind, 1)].picture for kind in ("tag", "studio")] == [None, None]
    sim.edit_object("performer", "Ann", image=None)
    sim.edit_object("group", "Saga", front_image=None, back_image=None)
    assert [stash.lacks(image) for image in images] == [True, True, True]
    assert [stash.lacks(Image("x", f"/{kind}/1/image", "")) for kind in ("tag", "studio")] == [True, True]


@pytest.mark.parametrize("source", ["studio", "group", "tag", "performer"])
def test_objects_are_listed_with_their_times_and_if_asked_their_scenes(sim, stash, source):
    for number in range(5):
        name = f"N{number}"
        sim.add_scene(studio=name, groups=[name], tags=[name], performers=[name])
    sim.add_scene(studio="N0", groups=["N0"], tags=["N0"], performers=["N0"])
    sim.clear_log()
    pages = list(stash.collections.object_stamps(source, page=2))
    assert [len(page) for page in pages] == [2, 2, 1]
    assert len(sim.log) == 3
    stamps = [stamp for page in pages for stamp in page]
    assert [(stamp.source, stamp.id, stamp.updated_at) for stamp in stamps] == [
        (source, id, stamp_of(sim, source, id)) for id in range(1, 6)
    ]
    sim.clear_log()
    counted = [stamp for page in stash.collections.object_stamps(source, counted=True) for stamp in page]
    assert [(stamp.scenes, stamp.scenes_below) for stamp in counted] == [(2, 2), *[(1, 1)] * 4]
    assert len(sim.log) == 1


@pytest.mark.parametrize("source", ["studio", "tag"])
def test_scenes_of_studios_and_tags_below_are_counted_beside_the_own_ones(sim, stash, source):
    sim.set_parent_studio("Below", "Middle")
    sim.set_parent_studio("Middle", "Above")
    sim.set_tag_parents("Below", ["Middle"])
    sim.set_tag_parents("Middle", ["Above"])
    for name in ("Below", "Below", "Middle", "Above"):
        sim.add_scene(studio=name, tags=[name])
    counted = {stamp.id: stamp for page in stash.collections.object_stamps(source, counted=True) for stamp in page}
    counts = {name: counted[id_of(sim, source, name)] for name in ("Below", "Middle", "Above")}
    assert {name: (stamp.scenes, stamp.scenes_below) for name, stamp in counts.items()} == {
        "Below": (2, 2),
        "Middle": (1, 3),
        "Above": (1, 4),
    }


def test_no_objects_are_listed_of_an_empty_stash(stash):
    assert list(stash.collections.object_stamps("tag")) == []


@pytest.mark.parametrize("gone", [(1,), (2,), (1, 2, 3), (5, 6), (1, 2, 3, 4, 5, 6)])
def test_objects_that_are_deleted_during_the_list_hide_no_other_and_bring_none_twice(sim, stash, gone):
    for number in range(1, 10):
        sim.add_scene(tags=[f"N{number}"])
    walk = stash.collections.object_stamps("tag", page=2)
    ids = [stamp.id for page in (next(walk), next(walk)) for stamp in page]
    for number in gone:
        sim.destroy("tag", f"N{number}")
    ids += [stamp.id for page in walk for stamp in page]
    assert ids == [1, 2, 3, 4, *(id for id in range(5, 10) if id not in gone)]


def test_groups_have_the_order_of_their_scenes(sim, stash):
    last = sim.add_scene(groups=[("Saga", 3), ("Other", 1)])
    first = sim.add_scene(groups=[("Saga", 1)])
    loose = sim.add_scene(groups=["Saga"])
    twin = sim.add_scene(groups=[("Saga", 1)])
    sim.add_scene(groups=[("Elsewhere", 1)])
    saga, other = id_of(sim, "group", "Saga"), id_of(sim, "group", "Other")
    sim.clear_log()
    assert stash.collections.group_order([saga, other, 99]) == {
        saga: (first, twin, last, loose),
        other: (last,),
        99: (),
    }
    assert len(sim.log) == 1


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"data": {}}',
        '{"data": {"studio7": {"id": "7", "name": "A"}}}',
        '{"data": {"studio8": null}}',
        '{"data": {"studio7": {"id": "8", "name": "A", "summary": "", "picture": null, "updated_at": "", "scenes": 1}}}',
        '{"data": {"studio7": null}, "errors": [{"message": "database is locked"}]}',
    ],
)
def test_half_an_answer_is_none(body):
    stash = answering(body)
    for read in (
        lambda: stash.collections.objects({"studio": [7]}),
        lambda: list(stash.collections.object_stamps("studio")),
        lambda: stash.collections.group_order([7]),
    ):
        with pytest.raises(Unavailable):
            read()


def test_an_object_that_is_gone_is_left_out():
    assert answering('{"data": {"studio7": null}}').collections.objects({"studio": [7]}) == {}
