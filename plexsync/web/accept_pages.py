"""What you are asked: changes of a server that only you can judge, and the button that accepts one."""

from starlette.responses import Response

from plexsync.app.fixes import FixAction, FixOrder, carry_out
from plexsync.reports.fix_steps import result_words
from plexsync.reports.questions import questions
from plexsync.rules.choices import Choice
from plexsync.web.context import Busy
from plexsync.web.pages import Ask, Wrong, action, page
from plexsync.web.scene_pages import BUSY

HERE = "/accept"


def questions_page(ask: Ask) -> Response:
    """Show every open question, what accepting does, and the button."""
    return ask.show("accept.html", asked=questions(ask.desk.parts))


def accept(ask: Ask) -> Response:
    """Accept a change, and test at once whether work can go on; or decline what can be declined."""
    choice = choice_named(ask.form.get("choice", ""))
    if ask.form.get("answer") == "no" and choice is Choice.OLD_LISTS:
        result = carry_out(ask.desk.parts, FixOrder(FixAction.DECLINE, name=choice))
        return ask.to("/", result_words(result), well=bool(result.done))
    try:
        with ask.desk.looking() as parts:
            result = carry_out(parts, FixOrder(FixAction.ACCEPT, name=choice))
    except Busy:
        return ask.to(HERE, BUSY, well=False)
    return ask.to("/" if result.done else HERE, result_words(result), well=bool(result.done))


def choice_named(text: str) -> Choice:
    """The choice of this name."""
    if text not in set(Choice):
        raise Wrong(f"choice must be one of {', '.join(Choice)}")
    return Choice(text)


routes = [page(HERE, questions_page), action(HERE, accept)]
