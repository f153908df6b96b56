"""`plexsync fix`: walks through everything that needs you, one problem at a time."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import click

from plexsync.app.fixes import ALIKE, FixAction, carry_out
from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.setup.finder import change_setting, sign_in_again
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.fix_output import heading, steps_of, tell_entry, tell_report
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import paper
from plexsync.flows.scenes.bindings import candidates_now
from plexsync.reports.fixes import (
    CAUSES,
    SETTING,
    SIGN_IN,
    FixEntry,
    FixGroup,
    FixPage,
    FixReport,
    FixStep,
    Looked,
    fix_count,
    fix_report,
    order_of,
    page_after,
    result_words,
    with_alike,
)
from plexsync.reports.format import many, safe
from plexsync.reports.rows import row_key
from plexsync.reports.status import facts
from plexsync.rules.servers.errors import NeighbourError
from validation.sources import ConfigError

# How many problems of each cause are listed, and read at once while you walk through them.
MOST_LISTED, AHEAD = 50, 10
SKIP, QUIT, IGNORE, SAME = "s", "q", "i", "+"


@command("fix")
@click.option("--cause", metavar="C", type=click.Choice(CAUSES), help="Only the problems with this cause.")
@click.pass_obj
def fix(call: Call, cause: str | None) -> int:
    """Walk through everything that needs you, one by one, and mend it.

    Problems are grouped by cause. Of an ambiguous scene it shows the candidates below each other: title, file, length and
    size. On a terminal you choose by number what to do: bind, ignore, retry, accept a change, change a setting, sign in to
    Plex again; or you skip it. Without a terminal it prints the list, with the command for each step, and changes nothing.

    \b
    Examples:
      plexsync fix
      plexsync fix --cause ambiguous
      plexsync fix --json
    """
    if sys.stdin.isatty() and sys.stderr.isatty() and not call.json:
        walk = Walk(call, cause or "")
        # A changed setting needs new clients.
        while walk.goes_on:
            with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
                start.meet(parts)
                walk.through(start, parts)
        return FINE
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        start.meet(parts)
        report = read(start, parts, FixPage(cause or "", limit=MOST_LISTED))
        call.answer({**report}, lambda: tell_report(report, paper()))
    return FINE


def read(start: Begun, parts: Parts, page: FixPage) -> FixReport:
    """A page of the problems, as they are now."""

    def look(ids: Sequence[int]) -> Looked:
        if start.settings.away is not None:
            return Looked(away=str(start.settings.away))
        try:
            return Looked(candidates_now(parts.inspector, ids))
        except NeighbourError as error:
            return Looked(away=str(error))

    return fix_report(parts, facts(parts), page, look)


@dataclass
class Walk:
    """One walk through the problems: which were shown already, and how many were mended."""

    call: Call
    cause: str
    goes_on: bool = True
    same: bool = False
    """Whether the last choice is for all problems of its kind."""
    shown: set[str] = field(default_factory=set)
    over: set[str] = field(default_factory=set)
    """The causes of which all problems were mended by one step."""
    bound: dict[str, int] = field(default_factory=dict)
    """The items that you bound, with their scenes. Problems were read before."""
    mended: int = 0
    skipped: int = 0

    def through(self, start: Begun, parts: Parts) -> None:
        """Show one problem after the other until all were shown, you quit, or a setting was changed."""
        person = Person(self.call, start.console, present=True)
        headed = ""
        for group, entry in self._problems(start, parts):
            self.shown.add(entry["key"])
            if headed != group["cause"]:
                headed = group["cause"]
                person.tell(f"\n{heading(group)}", style="bold")
            if item := self._without_bound(entry):
                person.tell(f"Scene {entry['id']} is looked at again: scene {self.bound[item]} has item {item} now.")
                continue
            tell_entry(entry, person.console)
            if self._settle(start, parts, person, group, entry):
                return
            if not self.goes_on:
                break
        self.goes_on = False
        count = fix_count(parts, facts(parts))
        skipped = f", {self.skipped:,} skipped" if self.skipped else ""
        rest = f"{many(count, 'problem')} {'needs' if count == 1 else 'need'} you" if count else "nothing needs you"
        person.tell(f"\n{self.mended:,} mended{skipped}; {rest}", style="bold")

    def _problems(self, start: Begun, parts: Parts) -> Iterator[tuple[FixGroup, FixEntry]]:
        """The problems that were not shown yet, a few ahead, by cause."""
        causes = [group["cause"] for group in read(start, parts, FixPage(self.cause, limit=1))["groups"]]
        for cause in causes:
            after: str | None = ""
            while after is not None and cause not in self.over:
                page = FixPage(cause, page_after(cause, after) or ("", 0), AHEAD)
                report = read(start, parts, page)
                after = None
                for group in report["groups"]:
                    after = group["after"]
                    for entry in group["entries"]:
                        if cause not in self.over and entry["key"] not in self.shown:
                            yield group, entry

    def _without_bound(self, entry: FixEntry) -> str:
        """Take the candidates out that you have bound to other scenes; if none is left, the key of the last of them."""
        elsewhere = [
            row["key"] for row in entry["candidates"] if self.bound.get(row["key"], entry["id"]) != entry["id"]
        ]
        entry["candidates"] = [row for row in entry["candidates"] if row["key"] not in elsewhere]
        return elsewhere[-1] if elsewhere and not entry["candidates"] else ""

    def _settle(self, start: Begun, parts: Parts, person: Person, group: FixGroup, entry: FixEntry) -> bool:
        """Ask until the problem is mended or you skip it; True if a setting was changed, so that the walk begins anew."""
        while step := self._choose_step(person, group, entry):
            is_setting = step["action"] in (SIGN_IN, SETTING)
            is_done = self._set(start, person, step) if is_setting else self._take(parts, person, step, entry["key"])
            if is_done and step in group["steps"]:
                self.over.add(group["cause"])
            if is_done:
                return is_setting
        return False

    def _choose_step(self, person: Person, group: FixGroup, entry: FixEntry) -> FixStep | None:
        """The step that you choose; None to skip it, or, if the walk does not go on, to quit."""
        steps = [step for step in (*steps_of(entry), *group["steps"]) if _is_choice(step)]
        for step in (*entry["steps"], *group["steps"]):
            if not _is_choice(step):
                person.tell(f"  {step['label'].rstrip('…')}: {step['command']}")
        choices = {str(number): step for number, step in enumerate(steps, start=1)}
        for number, step in choices.items():
            person.tell(f"  {number}  {safe(step['label'])}")
        choices.update((IGNORE, step) for step in steps if step["action"] == FixAction.IGNORE)
        alike = [answer + SAME for answer, step in choices.items() if entry["alike"] and step["action"] in ALIKE]
        answers = [*choices, *alike, SKIP, QUIT]
        words = [
            *(["a number"] if steps else []),
            *([f"{IGNORE} to ignore"] if IGNORE in choices else []),
            f"{SKIP} to skip",
            f"{QUIT} to quit",
            *([f"with {SAME} for the other {entry['alike']:,} like this too"] if alike else []),
        ]
        answer = person.line(
            f"Your choice ({', '.join(words)})",
            option="--json",
            default=SKIP,
            wrong=lambda text: "" if text in answers else f"must be one of {', '.join(answers)}",
        )
        if answer == QUIT:
            self.goes_on = False
        if answer in (SKIP, QUIT):
            self.skipped += answer == SKIP
            return None
        self.same = answer.endswith(SAME)
        return choices[answer.removesuffix(SAME)]

    def _take(self, parts: Parts, person: Person, step: FixStep, problem: str) -> bool:
        """Take a step, if you want for all problems of its kind; False if it failed, and another one may help."""
        order = order_of(step["action"], step["target"], step["item"])
        if order is None:
            return False
        result = carry_out(parts, with_alike(parts, order, problem) if self.same else order)
        self.shown |= {row_key(*key) for key in result.others}
        if result.bound is not None:
            self.bound |= {item.key: order.key[1] for item, _ in result.bound.items}
        mended = result.done if order.action is FixAction.RETRY_ALL else bool(result.done)
        self.mended += mended + len(result.others)
        person.tell(f"  {result_words(result)}", style="green" if result.done else "yellow")
        return not result.problem

    def _set(self, start: Begun, person: Person, step: FixStep) -> bool:
        """Change a setting, or sign in; False if nothing was changed."""
        loaded = start.settings.loaded
        try:
            signs_in = step["action"] == SIGN_IN
            done = sign_in_again(person, loaded) if signs_in else change_setting(person, loaded, step["target"])
        except ConfigError as error:
            done = ""
            person.tell(f"  {error.lines[0]}", style="yellow")
        person.tell(f"  {done or 'Nothing was changed.'}", style="green" if done else "yellow")
        self.mended += bool(done)
        return bool(done)


def _is_choice(step: FixStep) -> bool:
    """Whether the step can be taken here; for the others there is another command."""
    return step["action"] in (*FixAction, SIGN_IN, SETTING)
