"""What you are asked: changes of a server that only you can judge, and the button that accepts one."""

from starlette.responses import Response

from plexsync.app.choices import accept as accept_choice
from plexsync.app.choices import outcome
from plexsync.reports.questions import questions
from plexsync.rules.choices import CHANGES, Choice
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import BUSY

HERE = "/accept"


def questions_page(ask: Ask) -> Response:
    """Show every open question, what accepting does, and the button."""
    return ask.show("accept.html", asked=questions(ask.desk.parts))


def accept(ask: Ask) -> Response:
    """Accept a change, and test at once whether work can go on."""
    choice = choice_named(ask.form.get("choice", ""))
    try:
        with ask.desk.looking() as parts:
            is_accepted = accept_choice(parts, choice)
            follows = outcome(parts, choice)
    except Busy:
        return ask.to(HERE, BUSY, well=False)
    if not is_accepted:
        return ask.to(HERE, "Nobody asks for that any more.", well=False)
    return ask.to("/", f"Accepted: {CHANGES[choice]}. {follows[0].upper()}{follows[1:]}.")


def choice_named(text: str) -> Choice:
    """The choice of this name."""
    if text not in set(Choice):
        raise Wrong(f"choice must be one of {', '.join(Choice)}")
    return Choice(text)


routes = [page(HERE, questions_page), action(HERE, accept)]
