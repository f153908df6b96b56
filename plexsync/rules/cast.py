"""Fields shown beside a cast member (role, portrait): they come and go with that member."""

from collections.abc import Collection, Mapping

from plexsync.rules.item import Item, beside_whom
from plexsync.rules.plan_records import Decision, Memory
from plexsync.rules.text import fold
from plexsync.rules.values import Value, name_keys


def cast_after(item: Item, steps: Mapping[str, Decision]) -> frozenset[str]:
    """The keys of the members that the cast will have after these steps."""
    change = steps["actor"].change if "actor" in steps else None
    return name_keys(item.lists.get("actor", ()) if change is None or change.value is None else change.value)


def beside_cast(values: Mapping[str, Value], memory: Memory) -> dict[str, Value]:
    """The values to show beside the cast; '' for members that Stash no longer has."""
    wanted = {name: about for name in values if (about := beside_whom(name))}
    on = {role for role, _ in wanted.values()}
    gone = (name for name in memory if (about := beside_whom(name)) and about[0] in on and name not in wanted)
    return {**dict.fromkeys(gone, ""), **{name: values[name] for name in wanted}}


def is_outside_cast(name: str, cast: Collection[str]) -> bool:
    """Whether a field is shown beside someone who is not in the cast."""
    about = beside_whom(name)
    return about is not None and fold(about[1]) not in cast
