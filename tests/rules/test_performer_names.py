"""The name by which Plex shows a performer, and what moves along when it changes."""

import pytest

from plexsync.rules.collections.renamed_members import cast_to_send, renamed_members
from plexsync.rules.item import Item
from plexsync.rules.merge import template
from plexsync.rules.merge.desired import PLAIN_NAME, Profile, desired_values, shown_name
from plexsync.rules.merge.plan_records import Change, Decision
from plexsync.rules.merge.template import ROLE_NAMES
from plexsync.rules.scene import Performer, Scene
from tests.tables import table

APART = template.parse_template("{name}[ ({disambiguation})]", ROLE_NAMES)
ANN, OTHER_ANN = Performer(1, " Ann ", "the\npainter", ("Annie", "A.")), Performer(2, "Ann", "the sculptor")
BO = Performer(3, "Bo")


@pytest.mark.parametrize(
    ("text", "performer", "shown"),
    [
        ("{name}", ANN, "Ann"),
        ("{name}[ ({disambiguation})]", ANN, "Ann (the painter)"),
        ("{name}[ ({disambiguation})]", BO, "Bo"),
        ("{name}[ aka {aliases}]", ANN, "Ann aka Annie, A."),
        ("{alias}", ANN, "Annie"),
        ("{alias}", BO, "Bo"),
        ("{name}[ ({disambiguation})]", Performer(4, " ", "nobody"), ""),
    ],
)
def test_a_name_is_made_of_what_stash_knows_of_the_performer(text, performer, shown):
    assert shown_name(performer, template.parse_template(text, ROLE_NAMES)) == shown


def cast_of(*people, **profile):
    scene = Scene(id=1, title="t", performers=tuple(one.name for one in people), people=people)
    return desired_values(scene, Profile(frozenset({"actor"}), **profile)).values


def test_two_performers_of_one_name_are_kept_apart_with_what_is_shown_beside_them():
    assert cast_of(ANN, OTHER_ANN, BO)["actor"] == ("Ann", "Bo")
    role = template.parse_template("{disambiguation} {name}", ROLE_NAMES)
    assert cast_of(ANN, OTHER_ANN, BO, performer_name=APART, role=role) == {
        "actor": ("Ann (the painter)", "Ann (the sculptor)", "Bo"),
        "role:Ann (the painter)": "the painter Ann",
        "role:Ann (the sculptor)": "the sculptor Ann",
        "role:Bo": "Bo",
    }


def test_more_than_names_is_requested_only_if_the_name_needs_it():
    actors = frozenset({"actor"})
    assert not Profile(actors, performer_name=PLAIN_NAME).asks_people
    assert not Profile(actors, performer_name=template.parse_template("{name}!", ROLE_NAMES)).asks_people
    assert not Profile(frozenset({"title"}), performer_name=APART).asks_people
    assert Profile(actors, performer_name=APART).asks_people


def step(*, adds, removes):
    return Decision(None, Change((*adds,), True, tuple(adds), tuple(removes)))


@table(
    ("adds", "removes", "renamed"),
    [
        ({"Ann (the painter)": "Ann"}, ["ann"], {"Ann (the painter)": "ann"}),
        ({"Ann": "Ann"}, ["Ann (the painter)"], {"Ann": "Ann (the painter)"}),
        ({"Ann (b. 1990)": "Ann"}, ["Ann (the painter)"], {"Ann (b. 1990)": "Ann (the painter)"}),
        ({"Ann (1)": "Ann", "Ann (2)": "Ann"}, ["Ann"], {"Ann (1)": "Ann"}),
        ({"Ann (1)": "Ann"}, ["Ann [x]", "Ann"], {"Ann (1)": "Ann"}),
        ({"Ann (1)": "Ann"}, ["Ann Bell"], {}),
        ({"Ann (1)": "Ann"}, ["Anna"], {}),
        ({"Bo": "Bo"}, ["Ann"], {}),
        ({}, ["Ann"], {}),
    ],
)
def test_a_member_is_renamed_if_the_earlier_name_is_one_of_its_own(adds, removes, renamed):
    assert renamed_members(step(adds=adds, removes=removes), adds) == renamed
    assert renamed_members(None, adds) == {}


def test_role_texts_and_public_pictures_move_along():
    item = Item(
        "7",
        "1",
        lists={"actor": ("Ann", "Bo")},
        roles={"Ann": "Queen", "Bo": "King"},
        faces={"Ann": "https://example.org/1.jpg", "Bo": "http://192.168.1.2/2.jpg"},
    )
    sent = cast_to_send(item, {"Ann (1)": "ann", "Bo (2)": "Bo"})
    assert (sent.roles["Ann (1)"], sent.roles["Bo (2)"]) == ("Queen", "King")
    assert sent.faces == {"Ann (1)": "https://example.org/1.jpg"}
    assert cast_to_send(item, {}) == item.cast
