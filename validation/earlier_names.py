"""Settings that had another name: the earlier one is read on, with its values in the words of the present one."""

from collections.abc import Iterable, Mapping

from pydantic import TypeAdapter, ValidationError

_SWITCH = TypeAdapter(bool)
# By the earlier name, that of a switch: the present name, and what it says for on and off.
EARLIER: Mapping[str, tuple[str, str, str]] = {"poster_padding": ("poster_shape", "bars", "as_is")}


def present_names(values: Mapping[str, object]) -> dict[str, object]:
    """The values under the present names of their settings. If both names are there, the present one counts."""
    earlier = {name: value for name, value in values.items() if name in EARLIER}
    renamed = {EARLIER[name][0]: _present_value(name, value) for name, value in earlier.items()}
    return renamed | {name: value for name, value in values.items() if name not in earlier}


def _present_value(name: str, value: object) -> object:
    """The value in present words; as it is if it can't be read, so that the rule of the present name refuses it."""
    _, on, off = EARLIER[name]
    try:
        return on if _SWITCH.validate_python(value) else off
    except ValidationError:
        return value


def earlier_names(names: Iterable[str]) -> list[str]:
    """The earlier names of these settings."""
    return [earlier for earlier, (present, _, _) in EARLIER.items() if present in names]


def earlier_name_line(name: str) -> str:
    """What to write instead of an earlier name."""
    present, on, off = EARLIER[name]
    return f'{name} has a new name and is read as such: write {present} = "{on}" for true, or "{off}" for false'
