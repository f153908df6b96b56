"""What a run has written to the fields of an item, and what stood there before it.

It follows from the pushes of the item that are kept, oldest first. What was written on top since is left, unless you want
that taken back too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from plexsync.rules.merge.drift import is_bare
from plexsync.rules.merge.memory import is_released
from plexsync.rules.merge.plan_records import Memory, Note, Pushing
from plexsync.rules.merge.taken_back import TakenBack
from plexsync.rules.merge.values import Held, matches, matches_sent
from plexsync.rules.record_class import record
from plexsync.rules.records import Moved


@record
class NumberedPush:
    """A push of an item, with its number. `in_run`: it is one of the run. `shortened`: texts of which a part is kept."""

    number: int
    moved: Mapping[str, Moved]
    in_run: bool = False
    undone: str = ""
    shortened: frozenset[str] = frozenset()


@record
class EarlierValue:
    """What a field had before a run. `is_own`: an earlier push of PlexSync had left it there.

    `after`: what the last push left in a field that nothing is remembered of, since Plex has its own value again.
    """

    held: Held
    is_own: bool = False
    after: Held | None = None


@record
class RunValues:
    """The fields of an item that a run wrote: what they had before it, or why they are left as they are.

    `later`: the number of the last push on top of it, by field. `missing`: fields of which the earlier value is not kept.
    """

    earlier: Mapping[str, EarlierValue]
    later: Mapping[str, int]
    missing: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes about the fields that are left as they are."""
        written = [
            Note(name, "left", f"written again by run {number}; it stays (--and-later)")
            for name, number in self.later.items()
        ]
        return (
            *written,
            *(Note(name, "left", "its value from before the run is not kept; it stays") for name in self.missing),
        )


NOTHING = RunValues({}, {})


def arrived_moves(memory: Memory, after: Memory, pushing: Sequence[Pushing]) -> Mapping[TakenBack, Mapping[str, Moved]]:
    """The effects of pushes without an answer that a look has found: by how they took something back, by field.

    `memory` and `after` are what was remembered before the look and after it.
    """
    moves: dict[TakenBack, dict[str, Moved]] = {}
    for name, sent in {name: sent for push in pushing for name, sent in push.fields.items()}.items():
        held, before = after.get(name), memory.get(name)
        is_new = held is not None and (before is None or before.left != held.left)
        if held and is_new and matches_sent(name, held.left, sent.sent) and not matches(name, sent.before, held.left):
            moves.setdefault(sent.undone, {})[name] = Moved(sent.before, held.left)
    return moves


def values_before_run(
    pushes: Sequence[NumberedPush], memory: Memory, *, and_later: bool = False, is_cut: bool = False
) -> RunValues:
    """What the fields that the run wrote had before it, by the pushes of an item, oldest first.

    `and_later`: what was written on top of it is taken back as well. `is_cut`: older pushes than these are not kept.
    """
    memory = {name: remembered for name, remembered in memory.items() if not is_bare(name, remembered)}
    earlier: dict[str, EarlierValue] = {}
    later: dict[str, int] = {}
    missing: list[str] = []
    for name in dict.fromkeys(name for push in pushes if push.in_run for name in push.moved):
        own = [push for push in pushes if name in push.moved]
        places = [place for place, push in enumerate(own) if push.in_run]
        first, last, newest = own[places[0]], own[places[-1]], own[-1]
        if newest.undone and _is_back(name, newest, first, memory):
            continue
        if not (and_later or matches(name, newest.moved[name].new, last.moved[name].new)):
            later[name] = max(push.number for push in own if not push.undone)
        elif before := _before(name, first, own[: places[0]], memory, is_cut=is_cut and first is pushes[0]):
            earlier[name] = before if name in memory else replace(before, is_own=True, after=newest.moved[name].new)
        else:
            missing.append(name)
    return RunValues(earlier, later, tuple(missing))


def _is_back(name: str, newest: NumberedPush, first: NumberedPush, memory: Memory) -> bool:
    """Whether the last push has taken back what the run wrote."""
    return (
        name not in memory
        or is_released(name, memory[name])
        or matches(name, newest.moved[name].new, first.moved[name].old)
    )


def _before(
    name: str, first: NumberedPush, older: Sequence[NumberedPush], memory: Memory, *, is_cut: bool
) -> EarlierValue | None:
    """The value before the first push of a run; None if it is not kept."""
    held = first.moved[name].old
    original = memory[name].found if name in memory else None
    if original and (matches(name, held, original) or (name in first.shortened and _is_start_of(held, original))):
        return EarlierValue(original)
    if is_cut or name in first.shortened:
        return None
    return EarlierValue(held, is_own=not older or matches(name, older[-1].moved[name].new, held))


def _is_start_of(held: Held, whole: Held) -> bool:
    """Whether a text of which a part is kept is the beginning of this one."""
    is_text = isinstance(held.value, str) and isinstance(whole.value, str)
    return is_text and held.locked == whole.locked and str(whole.value).startswith(str(held.value)[:-1])
