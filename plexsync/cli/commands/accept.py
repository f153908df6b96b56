"""`plexsync accept`: accept a change of a server that only you can judge."""

import click

from plexsync.app.choices import accept as accept_choice
from plexsync.app.choices import asked
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import opened
from plexsync.cli.terminal.plain import safe
from plexsync.cli.terminal.screen import paper, table
from plexsync.rules.choices import Choice


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
            questions = asked(parts)
            facts = {str(name): row.message for name, row in questions.items()}
            shown = [(str(name), safe(row.message)) for name, row in questions.items()]
            call.answer(
                {"asked": facts},
                lambda: paper().print(table("", ("choice", "question"), shown) if shown else "nothing is asked"),
            )
            return FINE
        if not accept_choice(parts, Choice(choice)):
            return call.refused(f"nothing waits for {choice} (plexsync accept shows what is asked)")
    call.answer({"accepted": choice}, lambda: paper().print(f"{choice} accepted: work goes on"))
    return FINE
