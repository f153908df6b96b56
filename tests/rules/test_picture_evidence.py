"""Which picture an item shows, and which it showed before, by what a batch read and one list tell."""

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.pictures import (
    UNLISTED,
    PicturePast,
    is_plex_choice,
    is_replaced,
    is_selected_by_upload,
    moved_with_stamp,
    with_original,
)
from plexsync.rules.merge.plan_records import Pushing, Remembered, Sending
from plexsync.rules.merge.traits import ServerTraits
from plexsync.rules.merge.values import Held

OURS, OLDER, FRAME, FILE, THEIRS = (
    "upload://posters/1",
    "upload://posters/2",
    "media://f",
    "file://p",
    "upload://posters/9",
)
UNKNOWN_BEFORE = Held(UNLISTED, locked=False)


def item(stamp=5, place="/thumb/5", *, locked=True, unmatched=True):
    locks = frozenset({"thumb"} if locked else ())
    return Item("1", "1", pictures={"thumb": place} if place else {}, stamp=stamp, locks=locks, unmatched=unmatched)


@pytest.mark.parametrize(
    ("now", "chosen"),
    [
        (item(locked=False), True),
        (item(), False),
        (item(locked=False, unmatched=False), False),
        (item(place="", locked=False), False),
    ],
)
def test_only_an_unlocked_picture_without_an_agent_is_plexs_choice(now, chosen):
    assert is_plex_choice(now, "thumb") is chosen


@pytest.mark.parametrize(
    ("traits", "believed"),
    [
        (ServerTraits(), False),
        (ServerTraits(upload_selects=False), False),
        (ServerTraits(upload_selects=True), True),
        (ServerTraits(upload_selects=True, picture_lag=0.0), True),
        (ServerTraits(upload_selects=True, picture_lag=2.0), False),
    ],
)
def test_an_upload_is_believed_to_select_where_that_was_seen_at_once(traits, believed):
    assert is_selected_by_upload(traits) is believed


@pytest.mark.parametrize(
    ("before", "after", "explained"),
    [
        (item(5, "/thumb/5"), item(9, "/thumb/9"), True),
        (item(5, "/thumb/5"), item(5, "/thumb/5"), False),
        (item(5, "/thumb/3"), item(9, "/thumb/9"), False),
        (item(5, "/thumb/5"), item(9, "/thumb/7"), False),
        (item(5, "/thumb/5", locked=False), item(9, "/thumb/9"), False),
        (item(5, "/thumb/5"), item(9, "/thumb/9", locked=False), False),
        (item(5, "/thumb/5"), item(9, ""), False),
    ],
)
def test_an_address_has_moved_with_the_stamp_if_both_ends_say_so_under_the_lock(before, after, explained):
    assert moved_with_stamp(before, after, "thumb") is explained


def remembered(said=OURS):
    return {"thumb": Remembered(said, Held(OURS, locked=True), UNKNOWN_BEFORE)}


@pytest.mark.parametrize(
    ("listed", "original"),
    [
        ({FRAME: False, OURS: True}, FRAME),
        ({OURS: True, FILE: False, FRAME: False}, FILE),
        ({FRAME: False, OURS: True, THEIRS: False}, THEIRS),
        # A person has chosen another one since.
        ({FRAME: False, OURS: False, THEIRS: True}, FRAME),
        ({OURS: True}, UNLISTED),
    ],
)
def test_a_list_names_the_picture_from_before(listed, original):
    past = with_original(item(), "thumb", PicturePast(remembered(), ()), listed)
    assert past.memory["thumb"].found == Held(original, locked=False)


def test_what_an_unlocked_item_shows_that_got_no_picture_of_ours_is_the_one_from_before():
    sent = Sending(OURS, Held(OURS, locked=True), UNKNOWN_BEFORE, UNKNOWN_BEFORE)
    past = PicturePast({}, (Pushing({"thumb": sent}, until=1),))
    resolved = with_original(item(locked=False), "thumb", past, {FRAME: False, THEIRS: True})
    assert resolved.pushing[0].fields["thumb"].found.value == THEIRS
    assert resolved.pushing[0].fields["thumb"].before.value == THEIRS


def test_a_past_that_knows_the_picture_from_before_stays_as_it_is():
    past = PicturePast({"thumb": Remembered(OURS, Held(OURS, locked=True), Held(OLDER, locked=False))}, ())
    assert with_original(item(), "thumb", past, {FRAME: False, OURS: True}) is past


@pytest.mark.parametrize(
    ("wanted", "replaced"), [({"thumb": OURS}, False), ({"thumb": OLDER}, True), ({"thumb": ""}, True), ({}, False)]
)
def test_a_picture_is_replaced_by_another_desired_one_or_none(wanted, replaced):
    assert is_replaced("thumb", wanted, remembered()) is replaced
    assert is_replaced("art", wanted, remembered()) is False
