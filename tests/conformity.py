"""Whether a value read from JSON has a shape of `plexsync.reports.shapes`: the same keys, and values of the same types."""

import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Conformity:
    """A check of values; `checked` holds the shapes for which there was a value."""

    def __init__(self) -> None:
        self.checked: set[type] = set()

    def problems(self, value: object, kind: Any, place: str) -> list[str]:
        """Where a value is not of a type; empty if it is."""
        return list(self._problems(value, kind, place))

    def _problems(self, value: object, kind: Any, place: str) -> Iterator[str]:
        origin, inner = get_origin(kind), get_args(kind)
        if is_typeddict(kind):
            yield from self._shape_problems(value, kind, place)
        elif origin is NotRequired:
            yield from self._problems(value, inner[0], place)
        elif origin is Annotated:
            if not (isinstance(value, str) and MOMENT.fullmatch(value)):
                yield f"{place}: {value!r} is no time"
        elif origin in (Union, types.UnionType):
            yield from min((self.problems(value, choice, place) for choice in inner), key=len)
        elif origin in (list, tuple) and isinstance(value, list):
            for number, part in enumerate(value):
                yield from self._problems(part, inner[0], f"{place}[{number}]")
        elif origin is dict and isinstance(value, dict):
            for name, part in value.items():
                yield from self._problems(part, inner[1], f"{place}.{name}")
        elif type(value) is not kind and not (kind is float and type(value) is int):
            yield f"{place}: {value!r} is no {kind}"

    def _shape_problems(self, value: object, shape: Any, place: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{place}: {value!r} is no object"
            return
        hints = get_type_hints(shape, include_extras=True)
        missing, unknown = shape.__required_keys__ - value.keys(), value.keys() - hints.keys()
        if missing or unknown:
            yield f"{place}: {shape.__name__} lacks {sorted(missing)}, and has {sorted(unknown)} beyond its keys"
            return
        inside = [problem for name in value for problem in self._problems(value[name], hints[name], f"{place}.{name}")]
        if not inside:
            self.checked.add(shape)
        yield from inside


def reachable(kind: Any) -> set[type]:
    """The shapes in a type, with those in their fields."""
    if is_typeddict(kind):
        return {kind, *(shape for field in get_type_hints(kind).values() for shape in reachable(field))}
    return {shape for part in get_args(kind) for shape in reachable(part)}
