"""`plexsync accept`: accept a change of a server that only you can judge."""

import click
from rich.console import Console

from plexsync.app.choices import accept as accept_choice
from plexsync.app.choices import outcome
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import opened
from plexsync.cli.terminal.screen import paper, say
from plexsync.reports.format import safe
from plexsync.reports.questions import questions
from plexsync.reports.shapes.status import QuestionFacts
from plexsync.rules.choices import Choice, remedy


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
    with opened(call) as parts:
        if choice is None:
            asked = questions(parts)
            call.answer({"asked": asked}, lambda: _tell(asked, paper()))
            return FINE
        if not accept_choice(parts, Choice(choice)):
            return call.refused(f"nothing waits for {choice} (plexsync accept shows what is asked)")
        follows = outcome(parts, Choice(choice))
    call.answer({"accepted": choice}, lambda: paper().print(f"{choice} accepted: {follows}"))
    return FINE


def _tell(asked: list[QuestionFacts], out: Console) -> None:
    if not asked:
        out.print("nothing is asked")
    for question in asked:
        change = question["change"]
        say(out, f"{change[0].upper()}{change[1:]}, since {question['since']}.")
        say(out, f"  {safe(question['message'])}.")
        say(out, f"  {remedy(question['choice'])}: {question['effect']}")
