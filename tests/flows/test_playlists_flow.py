"""Each child of a tag is a playlist: created, kept in step, and left alone where a person was."""

import pytest

from plexsync.flows.collections.decisions import handed_over, want_collections
from plexsync.rules.collections.collection_servers import PlaylistRules
from plexsync.rules.queue.note_keys import PLAYLISTS_PROBLEM
from plexsync.simulator.stash_images import png
from tests.flows.dressed import writes
from tests.flows.listed import PARENT, begin, listed_house, members, playlist, redo, retag, row, settle, titles, undo


def problem(house):
    with house.store.reading() as db:
        return db.notes.text(PLAYLISTS_PROBLEM)


def test_each_child_of_the_tag_is_a_playlist_of_the_scenes_that_have_it(tmp_path):
    with listed_house(tmp_path) as house:
        house.stash_sim.set_tag_parents("Late", ["Night"])
        begin(house, ("Evening",), ("Night", "Evening"), (PARENT,), ("Evening",), ("Late",))
        assert titles(house) == ["Evening", "Night"]
        assert members(house, "Evening") == [0, 1, 3]
        assert members(house, "Night") == [1], "a scene that has a descendant of the child is not in its playlist"
        assert row(house, "Evening").standing == "in step"
        assert house.plex_sim.playlists(account=2) == {}
        settle(house)
        assert writes(house) == []


def test_a_playlist_shows_the_text_and_the_picture_of_its_tag(tmp_path):
    with listed_house(tmp_path) as house:
        house.stash_sim.set_tag_parents("Evening", [PARENT])
        house.stash_sim.edit_object("tag", "Evening", description="After work.", image=png(1, 2, 3))
        begin(house, ("Evening",))
        shown = playlist(house, "Evening")
        assert (shown.item.scalars["summary"], len(shown.item.posters)) == ("After work.", 1)
        assert shown.item.poster
        house.stash_sim.edit_object("tag", "Evening", description="", image=png(3, 2, 1))
        house.want(row(house, "Evening").object.id, kind="tag")
        settle(house)
        again = playlist(house, "Evening")
        assert "summary" not in again.item.scalars
        assert again.item.poster not in (None, shown.item.poster)


@pytest.mark.parametrize(
    ("order", "expected"), [("date", [2, 0, 1]), ("newest", [0, 2, 1]), ("title", [1, 2, 0]), ("added", [0, 1, 2])]
)
def test_items_stand_in_the_order_of_the_setting(tmp_path, order, expected):
    with listed_house(tmp_path, order) as house:
        ids = begin(house, ("Evening",), ("Evening",), ("Evening",))
        for id, title, date in zip(ids, ("c", "A", "b"), ("2020-02-01", None, "2019-01-01"), strict=True):
            house.edit(id, title=title, date=date)
        settle(house)
        assert members(house, "Evening") == expected


def test_a_change_of_tags_and_dates_in_stash_comes_with_the_scene(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ("Evening",), (), ("Night",))
        retag(house, ids[2], "Evening")
        retag(house, ids[0])
        house.work_until_settled()
        assert members(house, "Evening") == [1, 2]
        house.edit(ids[2], date="2019-05-05")
        house.work_until_settled()
        assert members(house, "Evening") == [2, 1]
        house.stash_sim.destroy_scene(ids[1])
        house.want(ids[1])
        house.work_until_settled()
        assert members(house, "Evening") == [2]


def test_a_second_item_comes_before_the_first_one_by_its_date(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, (), ("Evening",))
        retag(house, ids[0], "Evening")
        house.work_until_settled()
        assert members(house, "Evening") == [0, 1]


def test_a_new_child_a_renamed_one_and_one_that_is_none_any_more(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ("Morning",))
        key = playlist(house, "Evening").item.key
        house.stash_sim.set_tag_parents("Morning", [PARENT])
        house.want(_tag(house, "Morning"), kind="tag")
        house.work_until_settled()
        assert members(house, "Morning") == [1]
        house.stash_sim.rename_tag("Evening", "Dusk")
        house.want(_tag(house, "Dusk"), kind="tag")
        house.work_until_settled()
        assert (titles(house), playlist(house, "Dusk").item.key) == (["Dusk", "Morning"], key)
        house.stash_sim.set_tag_parents("Dusk", [])
        house.want(_tag(house, "Dusk"), kind="tag")
        house.work_until_settled()
        assert titles(house) == ["Morning"]
        retag(house, ids[0], "Morning")
        house.stash_sim.destroy("tag", "Morning")
        settle(house)
        assert titles(house) == []
        assert [known.name for known in _known(house)] == ["Night"]


def _tag(house, name):
    return next(tag.id for tag in house.stash_sim.data.tags.values() if tag.name == name)


def _known(house):
    with house.store.reading() as db:
        return db.collections.playlists().values()


def test_what_a_hand_adds_takes_out_and_moves_stays(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ("Evening",), ("Evening",), (), ())
        shown = playlist(house, "Evening")
        key, (_, second, third) = shown.item.key, shown.members
        house.plex_sim.add_to_playlist(key, house.key_of(ids[3]))
        house.plex_sim.take_from_playlist(key, second)
        settle(house)
        assert members(house, "Evening") == [0, 2, 3]
        assert row(house, "Evening").standing == "edited in Plex"
        house.plex_sim.move_in_playlist(key, third)
        settle(house)
        assert members(house, "Evening") == [2, 0, 3]
        retag(house, ids[4], "Evening")
        settle(house)
        assert members(house, "Evening") == [2, 0, 3, 4], "new ones come last once a hand has made the order"
        retag(house, ids[0])
        retag(house, ids[1])
        settle(house)
        retag(house, ids[1], "Evening")
        settle(house)
        assert members(house, "Evening") == [1, 2, 3, 4], "tagged anew, it is new; what a hand has moved is gone"


def test_what_a_hand_adds_does_not_end_the_order_and_keeps_its_place(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), (), ("Evening",), ())
        key = playlist(house, "Evening").item.key
        house.plex_sim.add_to_playlist(key, house.key_of(ids[3]))
        house.plex_sim.move_in_playlist(key, house.key_of(ids[3]))
        settle(house)
        retag(house, ids[1], "Evening")
        settle(house)
        assert members(house, "Evening") == [3, 0, 1, 2]


def test_a_name_or_a_text_that_a_hand_has_set_stays_until_the_tag_changes(tmp_path):
    with listed_house(tmp_path) as house:
        begin(house, ("Evening",))
        key = playlist(house, "Evening").item.key
        house.plex_sim.hand_edit(key, title="Mine", summary="By hand")
        settle(house)
        shown = house.plex_sim.playlists()[key].item.scalars
        assert (shown["title"], shown["summary"]) == ("Mine", "By hand")
        house.stash_sim.rename_tag("Evening", "Dusk")
        settle(house)
        shown = house.plex_sim.playlists()[key].item.scalars
        assert (shown["title"], shown["summary"]) == ("Dusk", "By hand")


def test_a_playlist_of_the_same_name_is_left_alone_until_it_is_handed_over(tmp_path):
    with listed_house(tmp_path) as house:
        movie = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        mine = house.plex_sim.add_playlist("evening", movie)
        smart = house.plex_sim.add_playlist("Night", smart="library://x")
        before = house.plex_sim.playlists()
        begin(house, ("Evening",), ("Night",))
        assert house.plex_sim.playlists() == before
        assert {known.name: row(house, known.name).standing for known in _known(house)} == {
            "Evening": "not ours",
            "Night": "not ours",
        }
        ids = [row(house, "Evening").id, row(house, "Night").id]
        assert want_collections(house.store, house.clock, ids, handed_over) == ids
        settle(house)
        shown = house.plex_sim.playlists()
        assert (shown[mine].item.scalars["title"], len(shown[mine].members)) == ("evening", 2)
        assert shown[smart] == before[smart]
        undo(house, "evening")
        assert house.plex_sim.playlists()[mine].members == before[mine].members
        house.plex_sim.remove_playlist(smart)
        settle(house)
        assert members(house, "Night") == [1], "without its namesake, it is created"


def test_an_undo_deletes_a_playlist_and_a_redo_makes_it_again(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ("Night",), ())
        undo(house, "Evening")
        assert (titles(house), row(house, "Evening").standing) == (["Night"], "undone")
        retag(house, ids[2], "Evening")
        settle(house)
        assert titles(house) == ["Night"], "scenes that come do not end an undo"
        redo(house, "Evening")
        assert members(house, "Evening") == [0, 2]
        undo(house, "Evening")
        house.stash_sim.edit_object("tag", "Evening", description="New")
        settle(house)
        assert members(house, "Evening") == [0, 2], "an edit of the tag does"


def test_an_undo_leaves_what_a_hand_has_added(tmp_path):
    with listed_house(tmp_path) as house:
        house.stash_sim.set_tag_parents("Evening", [PARENT])
        house.stash_sim.edit_object("tag", "Evening", description="After work.", image=png(1, 2, 3))
        ids = begin(house, ("Evening",), ("Evening",), ())
        house.plex_sim.add_to_playlist(playlist(house, "Evening").item.key, house.key_of(ids[2]))
        undo(house, "Evening")
        shown = playlist(house, "Evening")
        assert members(house, "Evening") == [2]
        assert ("summary" in shown.item.scalars, shown.item.poster) == (False, None)


def test_a_release_leaves_it_to_you(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ())
        undo(house, "Evening", how="release")
        retag(house, ids[1], "Evening")
        settle(house)
        assert (members(house, "Evening"), row(house, "Evening").standing) == ([0], "released")


def test_a_playlist_that_a_hand_has_deleted_stays_away_until_it_is_asked_for(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ())
        house.plex_sim.remove_playlist(playlist(house, "Evening").item.key)
        settle(house)
        retag(house, ids[1], "Evening")
        settle(house)
        assert (titles(house), row(house, "Evening").standing) == ([], "undone")
        redo(house, "Evening")
        assert members(house, "Evening") == [0, 1]


def test_a_playlist_that_plex_leaves_out_of_its_list_for_a_while_is_not_given_up(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ())
        key = playlist(house, "Evening").item.key
        house.plex_sim.list_playlists(all_of_them=False)
        retag(house, ids[1], "Evening")
        house.clock.move(120)
        house.work_for(300)
        assert (row(house, "Evening").item, row(house, "Evening").standing) == (key, "in step")
        house.plex_sim.list_playlists(all_of_them=True)
        house.clock.move(3600)
        settle(house)
        assert (playlist(house, "Evening").item.key, members(house, "Evening")) == (key, [0, 1])


def test_a_playlist_that_is_emptied_goes_if_it_is_ours_and_comes_back_with_a_scene(tmp_path):
    with listed_house(tmp_path) as house:
        movie = house.plex_sim.add_movie(house.section, files=[("/media/mine.mp4", 1, 1)], title="mine")
        mine = house.plex_sim.add_playlist("Night", movie)
        ids = begin(house, ("Evening",), ("Night",))
        want_collections(house.store, house.clock, [row(house, "Night").id], handed_over)
        settle(house)
        house.plex_sim.take_from_playlist(mine, movie)
        for id in ids:
            retag(house, id)
        settle(house)
        assert [(key, one.members) for key, one in house.plex_sim.playlists().items()] == [(mine, [])]
        assert row(house, "Evening").standing == "waits for its first scene"
        retag(house, ids[1], "Evening")
        settle(house)
        assert members(house, "Evening") == [1]


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ((), "playlists: Stash has no tag 'Playlists': create it, or correct the setting"),
        (("playlists",), "playlists: Stash has no tag 'Playlists', but 'playlists': name it exactly so"),
        (("Playlists", "Playlists"), "playlists: Stash has 2 tags named 'Playlists': rename one of them"),
        (("Lists",), "playlists: 'Playlists' is an alias of the tag 'Lists' in Stash: name that tag"),
    ],
)
def test_while_the_tag_is_unclear_nothing_is_written_and_it_is_said(tmp_path, names, text):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ())
        before, tag = house.plex_sim.playlists(), _tag(house, PARENT)
        data = house.stash_sim.data
        data.tags[tag].name = "Other"
        for n, name in enumerate(names):
            data.tag_named(f"new {n}").name = name
            data.tag_named(name).aliases = (PARENT,) if name == "Lists" else ()
        retag(house, ids[1], "Evening")
        house.want(tag, kind="tag")
        settle(house)
        assert not house.worker.dressing.comparison.is_due()
        assert (problem(house), house.plex_sim.playlists()) == (text, before)
        assert row(house, "Evening").standing == "the tag of playlists is unclear"
        for other in [other for other in data.tags.values() if other.id != tag and other.name in (*names, PARENT)]:
            other.name, other.aliases = f"gone {other.id}", ()
        data.tags[tag].name = PARENT
        house.want(tag, kind="tag")
        settle(house)
        assert (problem(house), members(house, "Evening")) == ("", [0, 1])


def test_of_a_tag_without_children_nothing_is_asked_again_and_again(tmp_path):
    with listed_house(tmp_path) as house:
        begin(house, (PARENT,), children=())
        assert (titles(house), problem(house)) == ([], "")
        assert not house.worker.dressing.comparison.is_due()
        house.stash_sim.set_tag_parents("Evening", [PARENT])
        retag(house, 1, "Evening")
        house.want(_tag(house, "Evening"), kind="tag")
        house.work_until_settled()
        assert titles(house) == ["Evening"]


def test_items_are_added_by_fifty_in_one_request(tmp_path):
    with listed_house(tmp_path) as house:
        begin(house, *[("Evening",)] * 26)
        ids = [house.add_scene(n, tags=["Evening"], date="2021-01-01") for n in range(26, 130)]
        for n in range(26, 130):
            house.plex_sim.add_movie(house.section, files=[(f"/media/scene {n:05}.mp4", 1000 + n, 60_000)], title="x")
        house.want(*ids)
        settle(house)
        assert members(house, "Evening") == list(range(130))
        sent = [text for text in writes(house) if "/playlists" in text]
        assert [text.split("/")[0] for text in sent] == ["PUT "] * len(sent)
        assert len(sent) == 3


def test_without_the_setting_nothing_is_asked_and_an_undo_still_takes_back(tmp_path):
    with listed_house(tmp_path) as house:
        ids = begin(house, ("Evening",), ())
        house.replace_worker(playlists=None)
        house.forget_requests()
        retag(house, ids[1], "Evening")
        settle(house)
        assert [text.path for text in house.plex_sim.log if "playlists" in text.path] == []
        assert members(house, "Evening") == [0]
        undo(house, "Evening")
        assert titles(house) == []


def test_another_parent_takes_the_playlists_of_the_first_one_away_after_your_yes(tmp_path):
    with listed_house(tmp_path, wishes="first") as house:
        house.worker.reconciler.note_wishes()
        house.stash_sim.set_tag_parents("Morning", ["Others"])
        ids = begin(house, ("Evening",), ("Night",), ("Morning",))
        before = house.plex_sim.playlists()
        house.replace_worker(playlists=PlaylistRules("Others"), wishes="second")
        house.worker.reconciler.note_wishes()
        assert [len(some) for some in house.worker.dressing.inspector.playlists.changes(PlaylistRules("Others"))] == [
            2,
            1,
        ]
        assert not house.worker.dressing.comparison.is_due()
        retag(house, ids[1], "Evening")
        house.want(_tag(house, "Evening"), kind="tag")
        settle(house)
        assert (house.plex_sim.playlists(), row(house, "Evening").standing) == (before, "in step")
        undo(house, "Night")
        assert titles(house) == ["Evening"], "what you take back yourself is"
        house.worker.reconciler.reconcile()
        assert house.worker.dressing.comparison.is_due()
        settle(house)
        assert titles(house) == ["Morning"]
        assert not house.worker.dressing.comparison.is_due()


def test_a_tag_that_loses_many_children_at_once_is_asked_about(tmp_path):
    children = tuple(f"List {n}" for n in range(11))
    with listed_house(tmp_path) as house:
        begin(house, *((child,) for child in children), children=children)
        before = house.plex_sim.playlists()
        for child in children:
            house.stash_sim.set_tag_parents(child, [])
        house.want(_tag(house, children[0]), kind="tag")
        settle(house)
        assert (len(before), house.plex_sim.playlists()) == (11, before)
        assert problem(house).startswith("playlists: 11 of 11 tags are no children of 'Playlists' any more")
        assert row(house, children[0]).standing == "the tag of playlists is unclear"
        for child in children[1:]:
            house.stash_sim.set_tag_parents(child, [PARENT])
        house.want(_tag(house, children[0]), kind="tag")
        settle(house)
        assert (problem(house), titles(house)) == ("", sorted(children[1:]))
        for child in children:
            house.stash_sim.set_tag_parents(child, [])
        undo(house, *children[1:])
        assert titles(house) == []
