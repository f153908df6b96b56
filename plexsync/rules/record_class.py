"""Records: classes as by `dataclass(frozen=True)`, whose methods are written when the first of them is called.

A command imports hundreds of records and makes few of them: to write all their methods took a quarter of its start. Most
are never compared, so `__init__` is written without the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import FrozenInstanceError, dataclass, field, fields, make_dataclass
from typing import Any, TypeVar, dataclass_transform

WRITTEN = ("__init__", "__repr__", "__eq__", "__hash__")
RecordClass = TypeVar("RecordClass", bound=type[Any])


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: RecordClass) -> RecordClass:
    """Make a record of a class with fields."""
    if any(hasattr(base, "__dataclass_fields__") for base in kind.__mro__[1:]):
        dataclass(frozen=True)(kind)
        return kind
    dataclass(init=False, repr=False, eq=False)(kind)
    vars(kind)["__dataclass_params__"].frozen = True
    names = [name for name in WRITTEN if vars(kind).get(name) is None]
    for name in names:
        setattr(kind, name, _first_call(kind, name, names))
    for name in ("__setattr__", "__delattr__"):
        setattr(kind, name, _guard(kind, name))
    return kind


def _first_call(kind: type[Any], name: str, names: Sequence[str]) -> Callable[..., Any]:
    """The method that writes those with these names, and goes on with its own."""

    def call(self: object, *args: Any, **settings: Any) -> Any:
        # Any thread may be the first, and several may: each writes the same.
        is_init = name == "__init__"
        shape = [(each.name, each.type, each) for each in fields(kind)]
        post_init = {"__post_init__": None} if hasattr(kind, "__post_init__") else {}
        twin = make_dataclass(
            kind.__name__, shape, namespace=post_init, init=is_init, repr=not is_init, eq=not is_init, frozen=True
        )
        for each in names:
            if (each == "__init__") is is_init:
                setattr(kind, each, getattr(twin, each))
        return getattr(kind, name)(self, *args, **settings)

    return call


def _guard(kind: type[Any], name: str) -> Callable[..., None]:
    """The method that refuses to change a field; a class below may have attributes of its own."""

    def change(self: object, field_name: str, *value: Any) -> None:
        if type(self) is kind or field_name in kind.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {field_name!r}")
        getattr(super(kind, self), name)(field_name, *value)

    return change
