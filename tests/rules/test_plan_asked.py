"""The plan for an item of a library that asks PlexSync: no lock but yours, and Plex's own answers belong to PlexSync."""

from random import Random

import pytest

from plexsync.rules.item import Item
from plexsync.rules.merge.memory import learn
from plexsync.rules.merge.plan import plan
from plexsync.rules.merge.plan_records import Change, Memory, Plan, Policy, Remembered
from plexsync.rules.merge.values import Held
from tests.rules.test_plan import item, remembered

ASKED, BORN = Policy(asked=True), Policy(asked=True, born=True)


def decide(field: str, value: object, now: Item, known: Remembered | None = None, policy: Policy = ASKED) -> Plan:
    """The plan for one field."""
    return plan({field: value}, now, {field: known} if known else {}, (), policy)


def test_plexsyncs_own_lock_is_taken_off_and_remembered_as_off() -> None:
    known = remembered("old", found="before us")
    steps = decide("studio", "old", item("studio", studio="old"), known)
    assert steps.edit == {"studio": Change(None, False)}
    after = learn(steps.memory, steps.sending, item(studio="old")).memory
    assert after["studio"].left == Held("old", False)
    assert after["studio"].found == Held("before us", False)
    assert decide("studio", "old", item(studio="old"), after["studio"]).edit == {}


def test_the_lock_of_a_list_is_taken_off_and_its_members_stay_plexsyncs() -> None:
    known = remembered(("a", "b"), a="a", b="b")
    steps = decide("genre", ("a", "b"), item("genre", genre=("a", "b")), known)
    assert steps.edit == {"genre": Change(None, False)}
    after = learn(steps.memory, steps.sending, item(genre=("a", "b"))).memory["genre"]
    removed = decide("genre", ("a",), item(genre=("a", "b")), after)
    assert removed.edit == {"genre": Change(("a",), False, (), ("b",))}


@pytest.mark.parametrize(("field", "old", "new"), [("studio", "old", "new"), ("genre", ("a",), ("a", "b"))])
def test_a_new_value_is_sent_without_a_lock(field: str, old: object, new: object) -> None:
    steps = decide(field, new, item(**{field: old}), remembered(old, locked=False))
    assert (steps.edit[field].value, steps.edit[field].lock) == (new, False)
    assert steps.sending[field].sent == Held(new, False)


def test_a_field_that_you_locked_is_yours_and_stays_locked() -> None:
    assert decide("studio", "new", item("studio", studio="mine")).edit == {}
    known = remembered("old", locked=False)
    assert decide("studio", "old", item("studio", studio="mine"), known).edit == {}
    over = decide("studio", "new", item("studio", studio="mine"), known)
    assert over.edit == {"studio": Change("new", True)}
    after = learn(over.memory, over.sending, item("studio", studio="new")).memory["studio"]
    assert decide("studio", "new", item("studio", studio="new"), after).edit == {}


def test_what_is_there_without_a_lock_needs_no_edit() -> None:
    values = {"studio": "S", "genre": ("a",), "title": "T"}
    steps = plan(values, item(studio="S", genre=("a",), title="T"), {}, (), ASKED)
    assert steps.edit == {}
    assert steps.memory["studio"] == Remembered("S", Held("S", False), Held("S", False))


def test_of_an_item_that_was_born_so_all_members_are_plexsyncs_but_those_of_a_list_that_you_locked() -> None:
    steps = decide("genre", ("a", "b"), item(genre=("a", "b", "earlier")), policy=BORN)
    assert steps.edit["genre"].removes == ("earlier",)
    after = learn(steps.memory, steps.sending, item(genre=("a", "b"))).memory["genre"]
    assert decide("genre", ("a",), item(genre=("a", "b")), after).edit["genre"].removes == ("b",)
    yours = decide("genre", ("a", "b"), item("genre", genre=("a", "b", "mine")), policy=BORN)
    assert yours.edit == {}
    older = decide("genre", ("a", "b"), item(genre=("a", "b", "earlier")))
    assert decide("genre", ("a",), item(genre=("a", "b", "earlier")), older.memory["genre"]).edit == {}


def test_of_an_item_that_was_born_so_a_text_that_goes_in_stash_goes_in_plex() -> None:
    steps = decide("summary", "told", item(summary="told"), policy=BORN)
    assert decide("summary", "", item(summary="told"), steps.memory["summary"]).edit == {"summary": Change("", None)}


def test_what_plex_does_not_ask_for_is_locked_as_everywhere() -> None:
    assert decide("label", ("x",), item()).edit["label"].lock is True
    assert decide("addedAt", "2020-01-01T00:00:00Z", item(addedAt="2021-01-01T00:00:00Z")).edit["addedAt"].lock is True


def test_by_chance_no_lock_is_ever_set_and_a_second_look_finds_nothing_to_do() -> None:
    rng = Random(31)
    for _ in range(400):
        now = Item("7", "1")
        memory: Memory = {}
        for _ in range(6):
            tags = tuple(rng.sample(("a", "b", "c", "d"), rng.randint(0, 3)))
            values = {"title": rng.choice("xyz"), "studio": rng.choice(("", "s", "t")), "genre": tags}
            policy = rng.choice((ASKED, BORN))
            steps = plan(values, now, memory, (), policy)
            assert not any(change.lock for change in steps.edit.values())
            now = edited(now, steps)
            memory = learn(steps.memory, steps.sending, now).memory
            assert plan(values, now, memory, (), policy).edit == {}
            assert (now.scalars["title"], now.scalars.get("studio", "")) == (values["title"], values["studio"])
            assert set(now.lists.get("genre", ())) == set(tags)


def edited(now: Item, steps: Plan) -> Item:
    """The item after the edit of a plan."""
    scalars, lists = dict(now.scalars), dict(now.lists)
    for name, change in steps.edit.items():
        if isinstance(change.value, tuple) or change.removes:
            present = change.value if change.value is not None else lists.get(name, ())
            lists[name] = tuple(member for member in present if member not in change.removes)
        elif change.value is not None:
            scalars[name] = change.value
    return Item("7", "1", scalars, lists, now.locks)
