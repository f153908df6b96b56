"""Interactive questions: before an action that can't be undone, and during setup."""

import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

import click
from rich.console import Console

from plexsync.cli.call import Call
from plexsync.cli.terminal.screen import say
from plexsync.reports.format import safe
from plexsync.rules.servers.errors import NeighbourError, Unusable
from validation.redact import Redactor

T = TypeVar("T")


def confirm(question: str) -> bool:
    """Ask on standard error; only `y` or `yes` is a yes. Non-interactive runs need --yes."""
    click.echo(f"{question} [y/N] ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        click.echo(err=True)
        raise click.UsageError("nobody is there to confirm: give --yes")
    return answer.strip().lower() in ("y", "yes")


class Person:
    """The user at the terminal. `present`: questions can be answered; else each ends the call and names an option.

    An invalid answer gets one line that says why, and the question is repeated. Ctrl-C ends the call. Messages are
    redacted as all that the call says, since they may quote a server.
    """

    def __init__(self, call: Call, console: Console, *, present: bool) -> None:
        self.call = call
        self.console = console
        self.present = present
        self.typed: dict[str, str] = {}
        """The last answer to each question, by the option that answers it too."""

    def tell(self, text: str, *, style: str | None = None) -> None:
        """Print a sentence on standard error, where all questions go."""
        say(self.console, Redactor(self.call.secrets).redact(text), style=style)

    def line(
        self,
        question: str,
        *,
        option: str,
        default: str = "",
        wrong: Callable[[str], str] = lambda _: "",
        unseen: bool = False,
    ) -> str:
        """Ask for one line, `unseen`: without echo; `wrong` says why it is invalid, in words that follow "it", or ''."""
        self._check(option)
        while True:
            typed = click.prompt(question, default=default, err=True, show_default=bool(default), hide_input=unseen)
            answer = str(typed).strip()
            if not (problem := wrong(answer)):
                self.call.hide(answer if unseen else "")
                self.typed[option] = answer
                return answer
            self.tell(f"  it {safe(problem)}")

    def try_out(self, ask: Callable[[], T]) -> T | None:
        """The answer; None if it failed and you can try again: one line says why it failed."""
        try:
            return ask()
        except (NeighbourError, Unusable) as error:
            if not self.present:
                raise
            self.tell(f"  {safe(str(error))}")
            return None

    def try_until_answered(self, ask: Callable[[], T]) -> T:
        """Repeat the question until its answer is usable."""
        while (answer := self.try_out(ask)) is None:
            continue
        return answer

    def agrees(self, question: str) -> bool:
        """Ask for yes or no; Enter is a yes."""
        self._check("--yes")
        return click.confirm(question, default=True, err=True)

    def choose(
        self, question: str, names: Sequence[str], *, option: str, several: bool = False, now: Sequence[int] = ()
    ) -> list[int]:
        """Ask for a choice by number, from 1 on; `several`: one or more. Enter takes those of `now`, else all."""
        for position, name in enumerate(names, start=1):
            self.tell(f"  {position}  {safe(name)}")
        usual = ", ".join(str(place + 1) for place in now) or ("all" if several else "1")
        prompt = f"{question} ({'numbers, or all' if several else 'number'})"

        def wrong(answer: str) -> str:
            picked = _numbers(answer)
            if picked is None or not all(1 <= number <= len(names) for number in picked):
                return f"must be {'numbers' if several else 'a number'} from 1 to {len(names)}"
            return "" if several or len(picked) == 1 else "must be one number"

        answer = self.line(prompt, option=option, default=usual, wrong=wrong)
        picked = _numbers(answer) or []
        return [number - 1 for number in picked] if picked else list(range(len(names)))

    def _check(self, option: str) -> None:
        if not self.present:
            raise click.UsageError(f"nobody is there to answer: give {option}")


def _numbers(answer: str) -> list[int] | None:
    """The numbers in a line, none for `all`; None if they are not numbers."""
    words = answer.replace(",", " ").split()
    if words == ["all"]:
        return []
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 10 for word in words):
        return None
    return list(dict.fromkeys(map(int, words)))
