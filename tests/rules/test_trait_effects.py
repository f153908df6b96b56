"""What follows from known traits: the requests of an edit, and the values that are left out."""

from itertools import product

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.desired import Wanted
from plexsync.rules.merge.plan_records import Change, Edit
from plexsync.rules.merge.trait_effects import edits_of, is_private, rating_in, takeable
from plexsync.rules.merge.traits import ServerTraits
from tests.tables import table

BEFORE = ("a", "b", "c", "d")
MODES, MIXED, LIMITS = ("add", "replace"), (True, False), (0, 1, 2)


def after(names: tuple[str, ...], edit: Edit, traits: ServerTraits) -> tuple[str, ...]:
    """The list that a server with these traits has after one request."""
    change = edit.get("genre")
    if change is None:
        return names
    sent = change.value if isinstance(change.value, tuple) else ()
    kept = () if traits.tag_mode == "replace" and sent else names
    kept = (*kept, *(name for name in sent if name not in kept))
    if not sent or traits.mixed_removals:
        gone = change.removes[: traits.removals_at_once or None]
        kept = tuple(name for name in kept if name not in gone)
    return kept


@table(("mode", "mixed", "limit"), list(product(MODES, MIXED, LIMITS)))
@table("adds", [(), ("e",), ("e", "f")])
@table("removes", [(), ("a",), ("a", "b", "c"), BEFORE])
def test_one_push_is_enough_for_a_server_whose_traits_are_known(
    mode: str, mixed: bool, limit: int, adds: tuple[str, ...], removes: tuple[str, ...]
) -> None:
    traits = ServerTraits(tag_mode=mode, mixed_removals=mixed, removals_at_once=limit)
    target = (*(name for name in BEFORE if name not in removes), *adds)
    edit = {"title": Change("T", True), "genre": Change(target, True, adds, removes)}

    names, titles = BEFORE, 0
    for request in edits_of(edit, traits):
        names = after(names, request, traits)
        titles += "title" in request

    assert (set(names), titles) == (set(target), 1)


@table(("mode", "mixed", "limit"), list(product((None, *MODES), (None, *MIXED), (None, *LIMITS))))
def test_no_trait_lets_a_name_that_stays_vanish_on_any_server(
    mode: str | None, mixed: bool | None, limit: int | None
) -> None:
    """Also on one that has changed since the traits were learnt."""
    believed = ServerTraits(tag_mode=mode, mixed_removals=mixed, removals_at_once=limit)
    edit = {"genre": Change(("b", "c", "e"), True, ("e",), ("a", "d"))}
    for real in product(MODES, MIXED, LIMITS):
        traits, names = ServerTraits(tag_mode=real[0], mixed_removals=real[1], removals_at_once=real[2]), BEFORE
        for request in edits_of(edit, believed):
            names = after(names, request, traits)
            assert {"b", "c"} <= set(names)
        assert "e" in names


def test_an_edit_is_one_request_as_long_as_nothing_is_known() -> None:
    edit = {"title": Change("T", True), "genre": Change(("b", "e"), True, ("e",), ("a", "c", "d"))}
    assert edits_of(edit, ServerTraits()) == [edit]
    assert edits_of(edit, ServerTraits(tag_mode="add", mixed_removals=True, removals_at_once=0)) == [edit]


@pytest.mark.parametrize(
    ("kind", "value", "rating"),
    [("none", "8", "8"), ("none", "", ""), ("none", None, None), ("account", "8", None), (None, "8", None)],
)
def test_a_rating_that_edits_lose_is_given_as_the_account(
    kind: str | None, value: str | None, rating: str | None
) -> None:
    assert rating_in({"userRating": Change(value)}, ServerTraits(rating_by_edit=kind)) == rating
    assert rating_in({}, ServerTraits(rating_by_edit=kind)) is None


WANTED = Wanted(
    {
        "title": "T",
        "actor": ("Ann", "Bo"),
        "role:Ann": "Nurse",
        "face:Ann": "https://example.org/a.jpg",
        "face:Bo": "http://192.168.1.2/b.jpg",
    }
)


@pytest.mark.parametrize(
    ("clip", "traits", "missing"),
    [
        (True, ServerTraits(), set()),
        (True, ServerTraits(cast_on_other=True), set()),
        (True, ServerTraits(cast_on_other=False), {"actor", "role:Ann", "face:Ann", "face:Bo"}),
        (False, ServerTraits(cast_on_other=False), set()),
        (False, ServerTraits(people_pictures="any"), set()),
        (False, ServerTraits(people_pictures="public"), {"face:Bo"}),
        (False, ServerTraits(people_pictures="none"), {"face:Ann", "face:Bo"}),
    ],
)
def test_a_value_that_the_server_does_not_take_is_left_out_with_a_note(
    clip: bool, traits: ServerTraits, missing: set[str]
) -> None:
    shown = takeable(WANTED, Item("1", "1", clip=clip), traits)
    assert WANTED.values.keys() - shown.values.keys() == missing
    assert [note.field for note in shown.notes] == (["actor"] if missing else [])
    assert all("plexsync probe" in note.text for note in shown.notes)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("https://example.org/1.jpg", False),
        ("http://8.8.8.8/1.jpg", False),
        ("http://192.168.1.2:9999/performer/1/image", True),
        ("http://[fd00::1]/1.jpg", True),
        ("http://stash:9999/1.jpg", True),
        ("http://stash.local/1.jpg", True),
        ("http://[broken", True),
    ],
)
def test_an_address_in_a_private_network_is_known_by_its_host(address: str, private: bool) -> None:
    assert is_private(address) is private
