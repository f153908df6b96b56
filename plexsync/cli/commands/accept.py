"""`plexsync accept`: accept a change of a server that only you can judge."""

import click
from rich.console import Console

from plexsync.app.choices import accept as accept_choice, outcome
from plexsync.app.parts import open_parts as parts_on
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import paper, say
from plexsync.reports.format import capitalize, safe
from plexsync.reports.questions import questions
from plexsync.reports.shapes.status import QuestionFacts
from plexsync.rules.queue.choices import Choice, remedy


@command("accept")
@click.argument("choice", metavar="[CHOICE]", required=False, type=click.Choice([str(choice) for choice in Choice]))
@click.pass_obj
def accept(call: Call, choice: str | None) -> int:
    """Accept a change of a server that only you can judge, such as another Plex server behind the address.

    PlexSync writes nothing until what has changed is back, or until you accept it. Without an argument it shows what
    you are asked. Exits with 1 if nobody asked for this.

    \b
    Examples:
      plexsync accept
      plexsync accept plex-server
    """
    with begin_call(call) as start, parts_on(start.config, start.folder) as parts:
        start.keep(parts)
        if choice is None:
            asked = questions(parts)
            call.answer({"asked": asked}, lambda: _tell(asked, paper()))
            return FINE
        if not accept_choice(parts, Choice(choice)):
            return call.refuse(f"nothing waits for {choice} (plexsync accept shows what is asked)")
        follows = f"{choice} accepted: {outcome(parts, Choice(choice))}"
    call.answer({"accepted": choice}, lambda: paper().print(follows))
    return FINE


def _tell(asked: list[QuestionFacts], out: Console) -> None:
    if not asked:
        out.print("nothing is asked")
    for question in asked:
        change = question["change"]
        say(out, f"{capitalize(change)}, since {question['since']}.")
        say(out, f"  {safe(question['message'])}.")
        say(out, f"  {remedy(question['choice'])}: {question['effect']}")
