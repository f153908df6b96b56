"""An item as it was found, and the way back to that: only what agents write, and nothing that is somebody's since."""

import json
from dataclasses import replace

import pytest
from hypothesis import given, strategies as some

from plexsync.rules.item import Item, Part
from plexsync.rules.merge.plan_records import Change
from plexsync.rules.provider.found_items import (
    NOT_OF_AGENTS,
    OF_AGENTS,
    FoundState,
    document_of,
    found_in,
    is_other,
    memory_of_change,
    moved_pictures,
    way_back,
)

ITEM = Item(
    key="7",
    section="1",
    scalars={"title": "Found", "summary": "What was there", "userRating": "8", "addedAt": "2024-01-01T00:00:00Z"},
    lists={"actor": ("Ann", "Bob"), "genre": ("Drama",), "label": ("Mine",)},
    roles={"Ann": "Herself"},
    locks=frozenset({"summary", "label"}),
    parts=(Part("/media/a.mp4"),),
    pictures={"thumb": "/library/metadata/7/thumb/1"},
)
FOUND = FoundState(ITEM, "plex://movie/7", {"thumb": ("/library/metadata/7/thumb/1", "metadata://posters/agent")})


def stored(state: FoundState) -> FoundState:
    """The state as the database gives it back."""
    return found_in("7", "1", json.loads(json.dumps(document_of(state))))


def test_what_is_there_needs_no_way_back() -> None:
    assert way_back(stored(FOUND), ITEM, (), {}).is_there
    assert way_back(stored(FOUND), replace(ITEM, lists={**ITEM.lists, "genre": ("Drama",)}), (), {}).is_there


@pytest.mark.parametrize(
    ("now", "edit"),
    [
        ({"scalars": {**ITEM.scalars, "title": "Told"}}, {"title": Change("Found", lock=False)}),
        ({"locks": ITEM.locks - {"summary"}}, {"summary": Change(None, lock=True)}),
        ({"locks": ITEM.locks | {"title"}}, {"title": Change(None, lock=False)}),
        (
            {"lists": {**ITEM.lists, "genre": ("Told", "Drama")}},
            {"genre": Change(("Drama",), lock=False, removes=("Told",))},
        ),
        (
            {"lists": {**ITEM.lists, "actor": ("Ann",)}, "roles": {}},
            {"actor": Change(("Ann", "Bob"), lock=False, adds=("Bob",))},
        ),
        ({"roles": {}}, {"actor": Change(("Ann", "Bob"), lock=False)}),
        # What no agent writes is somebody's.
        ({"scalars": {**ITEM.scalars, "userRating": "2", "addedAt": ""}}, {}),
        ({"lists": {**ITEM.lists, "label": ()}, "locks": ITEM.locks - {"label"}}, {}),
    ],
)
def test_what_agents_have_written_is_put_back_with_its_lock(now: dict[str, object], edit: dict[str, Change]) -> None:
    way = way_back(stored(FOUND), replace(ITEM, **now), (), {})
    assert (way.edit, way.kept) == (edit, ())
    assert way.cast.roles == {"Ann": "Herself"}


def test_a_field_that_was_edited_and_locked_since_is_kept_and_one_that_plexsync_remembers_is_left_to_it() -> None:
    now = replace(ITEM, scalars={**ITEM.scalars, "title": "By hand"}, locks=ITEM.locks | {"title"})
    way = way_back(stored(FOUND), now, (), {})
    assert (way.edit, way.kept) == ({}, ("title",))
    assert way_back(stored(FOUND), now, ("title",), {}).kept == ()


def test_a_picture_is_another_one_only_if_its_key_is() -> None:
    now = replace(ITEM, pictures={"thumb": "/library/metadata/7/thumb/2", "art": "/library/metadata/7/art/1"})
    assert moved_pictures(stored(FOUND), now, ("art",)) == ["thumb"]
    shown = {"thumb": "metadata://posters/agent", "art": "metadata://art/other"}
    way = way_back(stored(FOUND), now, (), shown)
    assert (way.pictures, way.edit) == ({"art": ""}, {"art": Change(None, lock=False)})


def test_an_item_in_another_folder_is_the_same_and_one_with_other_files_is_not() -> None:
    assert not is_other(stored(FOUND), replace(ITEM, parts=(Part("/elsewhere/a.mp4"),)))
    other = replace(ITEM, scalars={"title": "Another"}, parts=(Part("/media/b.mp4"),))
    assert is_other(stored(FOUND), other)
    assert memory_of_change(stored(FOUND), other) == {}


@pytest.mark.parametrize(
    "document", [{}, {**document_of(FOUND), "fields": None}, {**document_of(FOUND), "pictures": [1]}]
)
def test_a_damaged_document_is_no_state(document: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no state of an item"):
        found_in("7", "1", document)


TEXTS = some.fixed_dictionaries({name: some.text(max_size=3) for name in ("title", "summary", "studio")})
LISTS = some.fixed_dictionaries(
    {name: some.lists(some.sampled_from("abc"), unique=True).map(tuple) for name in ("actor", "genre")}
)
LOCKS = some.frozensets(some.sampled_from(["title", "summary", "studio", "actor", "genre"]))
ITEMS = some.builds(replace, some.just(ITEM), scalars=TEXTS, lists=LISTS, locks=LOCKS, roles=some.just({}))


@given(ITEMS, ITEMS)
def test_by_chance_the_way_back_leads_there_but_for_what_is_kept(before: Item, now: Item) -> None:
    state = stored(FoundState(before, "", {"thumb": ("/library/metadata/7/thumb/1", "key")}))
    way = way_back(state, now, (), {})
    after = replace(
        now,
        scalars={
            **now.scalars,
            **{name: change.value for name, change in way.edit.items() if isinstance(change.value, str)},
        },
        lists={
            **now.lists,
            **{name: change.value for name, change in way.edit.items() if isinstance(change.value, tuple)},
        },
        locks=frozenset(
            name for name in {*now.locks, *way.edit} if (way.edit[name].lock if name in way.edit else name in now.locks)
        ),
    )
    again = way_back(state, after, (), {})
    assert (again.is_there, again.kept) == (True, way.kept)
    assert not set(way.edit) & set(way.kept)
    assert set(way.edit) <= set(OF_AGENTS) - NOT_OF_AGENTS
