"""A record is as a frozen dataclass is, and its methods are written at the first use."""

import copy
import dataclasses
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace
from typing import Any

import pytest

from plexsync.rules import record_class
from plexsync.rules.record_class import WRITTEN, record
from tests.sources import ROOT


@record
class Point:
    """Two numbers, and notes that do not count."""

    x: int
    y: int = 2
    notes: list[str] = field(default_factory=list, compare=False, repr=False)

    @property
    def total(self) -> int:
        return self.x + self.y


@record
class Near(Point):
    """A record of a record."""

    z: int = field(default=3, kw_only=True)


@record
class Checked:
    """A record that looks at itself, and has its own words."""

    name: str

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("no name")

    def __repr__(self) -> str:
        return f"<{self.name}>"


@record
class Loose:
    """A record with an equality of its own."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Loose) and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())


@record
class Nothing:
    """A record without a field."""


class Tall(Point):
    """A class below a record, with an attribute of its own."""

    def __init__(self, x: int) -> None:
        super().__init__(x, 10)
        self.height = 7


def new(kind: type[Any] = Point) -> type[Any]:
    """The same class, of which no method was called."""
    names = ("__dict__", "__weakref__", "__dataclass_fields__", "__dataclass_params__", "__match_args__", *WRITTEN)
    space = {name: value for name, value in vars(kind).items() if name not in names}
    space |= {each.name: each for each in map(copy.copy, fields(kind))}
    return record(type(kind.__name__, (), space))


def test_a_record_is_made_and_told_as_a_dataclass_is() -> None:
    point = Point(1)
    assert (point.x, point.y, point.notes, point.total) == (1, 2, [], 3)
    assert repr(Point(1, y=5)) == "Point(x=1, y=5)"
    assert Point(1, 2, ["a"]) == Point(1) != Point(2)
    assert Point(1) != Near(1)
    assert len({Point(1), Point(1, notes=["b"]), Point(2)}) == 2
    assert repr(Nothing()) == "Nothing()"
    assert Nothing() == Nothing()
    assert Near(1, z=9) == Near(1, 2, z=9)
    assert repr(Near(1)) == "Near(x=1, y=2, z=3)"


@pytest.mark.parametrize(
    "make", [lambda: Point(), lambda: Point(1, 2, [], 4), lambda: Point(1, w=3), lambda: Near(1, 2, [], 4)]
)
def test_wrong_arguments_are_refused(make: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"__init__\(\)"):
        make()


@pytest.mark.parametrize("point", [Point(1), Near(1), Tall(1)], ids=["record", "record of a record", "class below"])
def test_a_field_never_changes(point: Point) -> None:
    with pytest.raises(FrozenInstanceError, match="'x'"):
        point.x = 3  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="'x'"):
        del point.x
    assert point.x == 1


def test_no_attribute_is_added_to_a_record_and_one_of_its_own_to_a_class_below() -> None:
    with pytest.raises(FrozenInstanceError):
        Point(1).height = 3  # type: ignore[attr-defined]
    tall = Tall(1)
    tall.height = 8
    assert (tall.height, tall.y) == (8, 10)
    del tall.height
    assert not hasattr(tall, "height")


def test_what_a_class_says_itself_stays() -> None:
    assert repr(Checked("a")) == "<a>"
    assert Loose("A") == Loose("a")
    assert hash(Loose("A")) == hash(Loose("a"))
    with pytest.raises(ValueError, match="no name"):
        Checked("")


def test_the_tools_of_dataclasses_know_a_record() -> None:
    assert dataclasses.is_dataclass(Point)
    assert [each.name for each in fields(new())] == ["x", "y", "notes"]
    assert replace(Point(1), y=4) == Point(1, 4)
    assert dataclasses.asdict(Point(1)) == {"x": 1, "y": 2, "notes": []}
    match Point(1):
        case Point(x, y):
            assert (x, y) == (1, 2)
    with pytest.raises(TypeError, match="non-frozen"):
        dataclass(type("Loose", (new(),), {"__annotations__": {}}))
    below = dataclass(frozen=True)(type("Below", (new(),), {"__annotations__": {"w": int}, "w": 3}))
    assert repr(below(1)) == "Below(x=1, y=2, w=3)"


def test_copies_are_equal_also_where_no_record_was_made_before() -> None:
    assert copy.copy(Point(1)) == copy.deepcopy(Point(1)) == pickle.loads(pickle.dumps(Point(1)))
    fresh = new()
    first, second = fresh.__new__(fresh), fresh.__new__(fresh)
    for point in (first, second):
        vars(point).update(x=1, y=2, notes=[])
    assert first == second
    assert hash(first) == hash(second)


def test_the_methods_are_written_at_the_first_call() -> None:
    fresh = new()
    before = {name: vars(fresh)[name] for name in WRITTEN}
    assert {method.__code__.co_filename for method in before.values()} == {record_class.__file__}
    fresh(1)
    assert [name for name in WRITTEN if vars(fresh)[name] is not before[name]] == ["__init__"]
    assert before["__eq__"](fresh(1), fresh(1))
    assert all(vars(fresh)[name] is not before[name] for name in WRITTEN)


def test_many_threads_make_the_first_record_at_once() -> None:
    fresh = new()
    begin = threading.Barrier(8)
    points: list[object] = []

    def make() -> None:
        begin.wait()
        points.append(fresh(1))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert points == [fresh(1)] * 8


# Loads what every command with both servers loads, and prints how many records have methods, and how many do not.
LOAD = """
import dataclasses, gc
import plexsync.app.parts
from plexsync.rules import record_class
kinds = [kind for kind in gc.get_objects() if isinstance(kind, type) and dataclasses.is_dataclass(kind)]
ours = [kind for kind in kinds if "plexsync" in kind.__module__ and kind.__dataclass_params__.frozen]
places = [kind.__init__.__code__.co_filename for kind in ours]
print(len(places) - places.count(record_class.__file__), places.count(record_class.__file__))
"""


def test_to_import_records_is_not_to_write_their_methods() -> None:
    done = subprocess.run([sys.executable, "-c", LOAD], cwd=ROOT, capture_output=True, text=True, check=True)
    written, unwritten = map(int, done.stdout.split())
    assert written < 40
    assert unwritten > 150
