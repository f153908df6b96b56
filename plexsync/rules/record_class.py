"""Records: classes as by `dataclass(frozen=True)`, whose methods are written when the first of them is called.

A command imports hundreds of records and makes few of them: to write all their methods took a quarter of its start. Most
are never compared, so `__init__` is written without the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields, make_dataclass
from types import FunctionType
from typing import Any, TypeVar, cast, dataclass_transform

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
        if name == "__init__":
            setattr(kind, name, _write_init(kind))
        else:
            shape = [(each.name, each.type, each) for each in fields(kind)]
            twin = make_dataclass(kind.__name__, shape, init=False, frozen=True)
            for written in names:
                if written != "__init__":
                    setattr(kind, written, getattr(twin, written))
        return getattr(kind, name)(self, *args, **settings)

    return call


def _write_init(kind: type[Any]) -> Callable[..., None]:
    """The `__init__` of a frozen dataclass. It sets the fields in the dictionary of the record, a call less for each."""
    names: dict[str, object] = {"MISSING": MISSING}
    positional, keywords = ["self"], list[str]()
    lines = ["__set = self.__dict__"]
    for each in fields(kind):
        name = value = parameter = each.name
        if each.default is not MISSING:
            names[f"__default_{name}"], parameter = each.default, f"{name}=__default_{name}"
        elif each.default_factory is not MISSING:
            names[f"__new_{name}"], parameter = each.default_factory, f"{name}=MISSING"
            value = f"__new_{name}() if {name} is MISSING else {name}"
        (keywords if each.kw_only else positional).append(parameter)
        lines.append(f"__set[{name!r}] = {value}")
    lines += ["self.__post_init__()"] if hasattr(kind, "__post_init__") else []
    parameters = ", ".join([*positional, *(["*", *keywords] if keywords else [])])
    exec(f"def __init__({parameters}):\n " + "\n ".join(lines), names)  # noqa: S102 - as `dataclasses` does
    init = cast("FunctionType", names["__init__"])
    init.__qualname__ = f"{kind.__qualname__}.__init__"
    return init


def _guard(kind: type[Any], name: str) -> Callable[..., None]:
    """The method that refuses to change a field; a class below may have attributes of its own."""

    def change(self: object, field_name: str, *value: Any) -> None:
        if type(self) is kind or field_name in kind.__dataclass_fields__:
            raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {field_name!r}")
        getattr(super(kind, self), name)(field_name, *value)

    return change
