"""Collections over HTTP, against a server that behaves and against answers that no Plex gives."""

import pytest

from plexsync.plex.artwork import key_of
from plexsync.plex.client import PlexClient
from plexsync.plex.collections import CollectionClient
from plexsync.rules.collections.collection_servers import ListedCollection, PlexCollection
from plexsync.rules.item import Item
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.servers.errors import Conflict, ForeignNotFound, Missing, Refused, Unavailable
from plexsync.simulator.http import Fault
from plexsync.simulator.plex_server import PlexSim
from plexsync.simulator.stash_images import png
from tests.plex.conftest import TOKEN
from tests.transports import saying


@pytest.fixture
def sim():
    with PlexSim(token=TOKEN) as running:
        running.add_section("Movies")
        running.add_section("Others")
        yield running


def movie(sim: PlexSim, *names: str, section: str = "1", **fields: object) -> str:
    """A movie in these collections."""
    return sim.add_movie(section, [("/media/a.mp4", 1, 1000)], collection=list(names), **fields)


def key_named(sim: PlexSim, title: str, section: str = "1") -> str:
    """The key of the collection with this title."""
    return sim.collection_keys(section)[title]


def answering(body: str, status: int = 200) -> PlexClient:
    """A client whose every request gets this body."""

    answer = saying(body.encode(), status, **{"X-Plex-Protocol": "1.0"})
    return PlexClient("http://nas", TOKEN, transport=answer)


def test_the_collections_of_a_library_are_listed_with_a_request_for_each_page(sim, plex):
    reader: CollectionClient = plex.collections
    keys = [movie(sim, f"C{n}", "All") for n in range(4)]
    movie(sim, "Elsewhere", section="2")
    smart = sim.add_smart_collection("1", "Recent", keys[:3])
    sim.clear_log()
    listed = [collection for page in reader.list_collections("1") for collection in page]
    assert len(sim.log) == 1
    stamp = sim.item(key_named(sim, "All")).updated_at
    assert {collection.title: collection.smart for collection in listed} == {
        **dict.fromkeys(("All", "C0", "C1", "C2", "C3"), False),
        "Recent": True,
    }
    assert ListedCollection(key_named(sim, "All"), "All", stamp=stamp) in listed
    assert next(one.key for one in listed if one.smart) == smart
    assert [[one.key for one in page] for page in reader.list_collections("1", page=4)] == [
        [one.key for one in listed[:4]],
        [one.key for one in listed[4:]],
    ]


def test_a_collection_that_vanishes_during_the_walk_hides_no_other(sim, plex):
    keys = [movie(sim, f"C{n}") for n in range(6)]
    walk = plex.collections.list_collections("1", page=2)
    titles = [one.title for one in next(walk)]
    sim.hand_edit(keys[0], collection=[])
    titles += [one.title for page in walk for one in page]
    assert titles == [f"C{n}" for n in range(6)]


def test_collections_are_read_in_full_with_their_locks_in_one_request(sim, plex):
    movie(sim, "Best", "Rest")
    best, rest = key_named(sim, "Best"), key_named(sim, "Rest")
    sim.hand_edit(best, summary="The best", titleSort="A best")
    sim.set_prefs(best, collectionMode="2", collectionSort="1")
    sim.hand_edit(rest, thumb=png(1, 2, 3))
    sim.clear_log()
    read = plex.collections.read([best, rest, "999"])
    assert len(sim.log) == 1
    assert read[best] == PlexCollection(
        Item(
            best,
            "1",
            scalars={
                "title": "Best",
                "titleSort": "A best",
                "summary": "The best",
                "collectionMode": "2",
                "collectionSort": "1",
            },
            locks=frozenset({"summary", "titleSort"}),
        ),
    )
    assert (read[best].item.stamp, read[best].item.library) == (sim.item(best).updated_at, sim.item(best).library)
    assert (read[rest].item.value("collectionMode"), read[rest].item.value("collectionSort")) == ("", "")
    assert (list(read[rest].item.pictures), read[rest].item.locks) == (["thumb"], {"thumb"})
    assert read.keys() == {best, rest}


def test_settings_at_their_default_read_as_unset(sim, plex):
    movie(sim, "Best")
    key = key_named(sim, "Best")
    plex.collections.set_prefs(key, {"collectionMode": "1", "collectionSort": "2"})
    before = plex.collections.read([key])[key].item
    assert (before.value("collectionMode"), before.value("collectionSort")) == ("1", "2")
    plex.collections.set_prefs(key, {"collectionMode": "", "collectionSort": ""})
    after = plex.collections.read([key])[key].item
    assert (after.value("collectionMode"), after.value("collectionSort")) == ("", "")
    for prefs in ({}, {"hidden": "1"}):
        with pytest.raises(ValueError, match="no such setting"):
            plex.collections.set_prefs(key, prefs)


def test_what_is_no_collection_and_what_is_gone_is_left_out(sim, plex):
    item = movie(sim, "Best")
    best = key_named(sim, "Best")
    sim.strict_ids = True
    assert plex.collections.read([item, best, "999"]).keys() == {best}
    sim.hand_edit(item, collection=[])
    assert plex.collections.read([best]) == {}
    assert plex.collections.read([]) == {}
    with pytest.raises(ValueError, match="number"):
        plex.collections.read(["1/2"])


def test_a_foreign_404_says_nothing_about_a_collection(sim, plex):
    movie(sim, "Best")
    best = key_named(sim, "Best")
    sim.faults.set(Fault("proxy", status=404, when=lambda request: request.path.startswith("/library/metadata/")))
    with pytest.raises(ForeignNotFound):
        plex.collections.read([best])
    sim.faults.set(Fault("proxy", status=404, when=lambda request: request.path == f"/library/metadata/{best}"))
    assert plex.collections.read([best]) == {}


def test_smart_collections_say_so(sim, plex):
    key = sim.add_smart_collection("1", "Recent", [movie(sim)])
    assert plex.collections.read([key])[key].smart


def test_members_are_listed_in_order_and_moved(sim, plex):
    keys = [movie(sim, "Best", title=f"T{n}") for n in range(5)]
    best = key_named(sim, "Best")
    plex.collections.set_prefs(best, {"collectionSort": "2"})
    assert plex.collections.members(best) == keys
    plex.collections.move(best, keys[3])
    plex.collections.move(best, keys[0], after=keys[4])
    order = [keys[3], keys[1], keys[2], keys[4], keys[0]]
    assert plex.collections.members(best) == order
    assert plex.collections.members(best, page=2) == order
    with pytest.raises(Missing):
        plex.collections.move(best, "999", after=keys[0])
    with pytest.raises(Missing):
        plex.collections.members("999")


@pytest.mark.parametrize("form", ["section", "item"])
def test_an_edit_travels_in_one_request_of_the_form(sim, plex, form):
    movie(sim, "Best")
    movie(sim, "Rest")
    best = key_named(sim, "Best")
    sim.traits.collection_edits = form
    sim.clear_log()
    edit = {
        "title": Change("Finest, & more"),
        "titleSort": Change("A", lock=True),
        "summary": Change("What is best", lock=True),
        "thumb": Change(None, lock=True),
    }
    plex.collections.edit_collection("1", best, edit, form)
    assert len(sim.log) == 1
    item = plex.collections.read([best])[best].item
    assert [item.value(name) for name in ("title", "titleSort", "summary")] == ["Finest, & more", "A", "What is best"]
    assert item.locks == {"titleSort", "summary", "thumb"}
    assert set(sim.collections("1")) == {"Finest, & more", "Rest"}
    other = "item" if form == "section" else "section"
    with pytest.raises(Missing):
        plex.collections.edit_collection("1", best, edit, other)


def test_a_title_that_another_collection_has_is_a_conflict_and_changes_nothing(sim, plex):
    movie(sim, "Best")
    movie(sim, "Rest")
    best = key_named(sim, "Best")
    with pytest.raises(Conflict):
        plex.collections.edit_collection("1", best, {"summary": Change("S"), "title": Change("rest")}, "section")
    assert plex.collections.read([best])[best].item.value("summary") == ""
    assert isinstance(Conflict(sim, ""), Refused)


def test_a_renamed_collection_keeps_its_key_and_its_members_carry_the_new_name(sim, plex):
    keys = [movie(sim, "Best"), movie(sim, "Best", "Other")]
    best = key_named(sim, "Best")
    plex.collections.edit_collection("1", best, {"title": Change("Finest")}, "section")
    assert [plex.items(keys)[key].lists["collection"] for key in keys] == [("Finest",), ("Finest", "Other")]
    assert key_named(sim, "Finest") == best
    assert plex.collections.members(best) == keys


@pytest.mark.parametrize("name", ["genre", "studio", "collectionMode"])
def test_a_field_that_collections_do_not_have_is_no_edit_of_one(plex, name):
    with pytest.raises(ValueError, match="fields"):
        plex.collections.edit_collection("1", "5", {name: Change("x")}, "item")


def test_two_libraries_have_two_collections_of_one_name(sim, plex):
    movie(sim, "Best")
    movie(sim, "Best", section="2")
    first, second = key_named(sim, "Best"), key_named(sim, "Best", "2")
    read = plex.collections.read([first, second])
    assert {key: one.item.section for key, one in read.items()} == {first: "1", second: "2"}
    plex.collections.edit_collection("2", second, {"title": Change("Rest")}, "section")
    assert (set(sim.collections("1")), set(sim.collections("2"))) == ({"Best"}, {"Rest"})


def test_pictures_are_those_of_items_and_the_composed_one_is_none(sim, plex):
    movie(sim, "Best")
    best = key_named(sim, "Best")
    assert plex.collections.read([best])[best].item.pictures == {}
    content = png(4, 5, 6)
    for name in ("thumb", "art"):
        plex.upload(best, name, content)
        assert plex.pictures(best, name) == {key_of(name, content): True}
    item = plex.collections.read([best])[best].item
    assert (set(item.pictures), item.locks) == ({"thumb", "art"}, {"thumb", "art"})
    plex.hide(best, "thumb")
    assert set(plex.collections.read([best])[best].item.pictures) == {"art"}


def test_the_home_shows_collections_where_it_was_told(sim, plex):
    movie(sim, "Best", "Rest")
    best, rest = key_named(sim, "Best"), key_named(sim, "Rest")
    assert plex.collections.homes("1") == {}
    sim.clear_log()
    plex.collections.show_home("1", best, ("recommended", "home"), managed=False)
    plex.collections.show_home("1", rest, ("shared",), managed=False)
    assert len(sim.log) == 2
    assert plex.collections.homes("1") == {best: ("recommended", "home"), rest: ("shared",)}
    plex.collections.show_home("1", best, ("shared",), managed=True)
    plex.collections.show_home("1", rest, (), managed=True)
    assert plex.collections.homes("1") == {best: ("shared",)}
    assert plex.collections.homes("2") == {}
    sim.clear_log()
    plex.collections.show_home("1", rest, (), managed=False)
    assert sim.log == []
    with pytest.raises(ValueError, match="no such place"):
        plex.collections.show_home("1", best, ("kitchen",), managed=True)
    with pytest.raises(Missing):
        plex.collections.show_home("1", "999", ("home",), managed=False)


@pytest.mark.parametrize(("places", "managed"), [(("home",), False), (("home",), True), ((), True)])
def test_what_another_kind_of_server_answers_to_a_write_is_no_success(sim, plex, places, managed):
    item = movie(sim, "Best")
    best = key_named(sim, "Best")
    sim.faults.set(Fault("html"))
    with pytest.raises(Unavailable):
        plex.collections.show_home("1", best, places, managed=managed)
    with pytest.raises(Unavailable):
        plex.collections.move(best, item)


@pytest.mark.parametrize(
    ("hub", "homes"),
    [
        ('{"identifier": "movie.recentlyadded", "promotedToRecommended": true}', {}),
        ('{"identifier": "custom.collection.1.7", "promotedToOwnHome": "1"}', {"7": ("home",)}),
        ('{"identifier": "custom.collection.12.7", "promotedToOwnHome": true}', {}),
        ('{"title": "without an identifier"}', {}),
    ],
)
def test_other_rows_of_the_home_are_no_collections_of_the_library(hub, homes):
    with_hub = answering(f'{{"MediaContainer": {{"size": 1, "Hub": [{hub}]}}}}')
    assert with_hub.collections.homes("1") == homes


RECORDED = (
    '{"ratingKey": "161", "key": "/library/collections/161/children", "type": "collection", "title": "Animation",'
    ' "librarySectionID": 1, "subtype": "movie", "summary": "", "index": 395, "ratingCount": 1,'
    ' "thumb": "/library/collections/161/composite/1663510762?width=400&height=600", "addedAt": 1663510762,'
    ' "updatedAt": 1663510762, "childCount": "3", "maxYear": "2010", "minYear": "2006"}'
)


def test_a_collection_as_a_real_server_has_sent_it():
    plex = answering(f'{{"MediaContainer": {{"size": 1, "librarySectionUUID": "u", "Metadata": [{RECORDED}]}}}}')
    read = plex.collections.read(["161"])["161"]
    assert (read.item.section, read.item.stamp, read.item.library) == ("1", 1663510762, "u")
    assert (read.item.value("title"), dict(read.item.pictures), read.smart) == ("Animation", {}, False)
    assert list(plex.collections.list_collections("1")) == [[ListedCollection("161", "Animation", stamp=1663510762)]]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        '{"MediaContainer": {}}',
        '{"MediaContainer": {"size": 2}}',
        f'{{"MediaContainer": {{"size": 2, "Metadata": [{RECORDED}]}}}}',
        '{"MediaContainer": {"size": 1, "Metadata": [{"ratingKey": "1/2", "type": "collection"}]}}',
        '{"MediaContainer": {"size": 1, "Hub": [1]}}',
    ],
)
def test_half_an_answer_is_none(body):
    plex = answering(body)
    for read in (
        lambda: plex.collections.read(["161"]),
        lambda: list(plex.collections.list_collections("1")),
        lambda: plex.collections.members("161"),
        lambda: plex.collections.homes("1"),
    ):
        with pytest.raises(Unavailable):
            read()
