"""The libraries that ask PlexSync first: how each stands, and the buttons that let one ask or take it back.

A button notes what is to be done, and the worker of `serve` does it, as after `plexsync provider`.
"""

from collections.abc import Callable

from starlette.responses import Response

from plexsync.app.parts import Parts
from plexsync.app.provider_steps.plan import AddPlan, find_row, look_in_plex, plan_adding
from plexsync.app.provider_steps.steps import NotNow, approve_library, begin_adding, begin_removing
from plexsync.app.rules import is_provider_on
from plexsync.reports.provider import call_words, provider_report
from plexsync.rules.provider.standing import AGENT
from plexsync.web.pages import PageCall, action, page

HERE = "/settings/provider"
NO_WORKER = "No worker is running: start plexsync serve."
LONGEST = 200


def provider(call: PageCall) -> Response:
    """How each library stands that asks, and which others could."""
    in_plex, away = call.look(look_in_plex)
    sections, no_plex = call.look(lambda parts: parts.plex.sections())
    libraries = provider_report(call.parts, in_plex)["libraries"]
    asking = {facts["library"] for facts in libraries}
    return call.show(
        "provider.html",
        libraries=[(facts, call_words(facts["calls"])) for facts in libraries],
        others=[section.title for section in sections or () if section.title not in asking],
        away=away or no_plex,
        is_on=is_provider_on(call.parts.config),
    )


def confirm_adding(call: PageCall) -> Response:
    """Show what adding would do, and the button that begins it."""
    plan, away = call.look(lambda parts: _plan(parts, _library(call.query.get("library", ""))))
    if not isinstance(plan, AddPlan):
        return call.to(HERE, away or f"That can't be done: {plan}.", well=False)
    return call.show("provider_add.html", plan=plan, back=HERE)


def start_adding(call: PageCall) -> Response:
    """Approve the first write to the library, and let the worker do the steps."""

    def begin(parts: Parts) -> str:
        plan = _plan(parts, _library(call.form.get("library", "")))
        if isinstance(plan, str):
            return plan
        approve_library(parts)
        begin_adding(parts, plan.library, plan.identifier)
        return ""

    return _begun(call, begin, "The worker lets Plex ask PlexSync. It begins within about ten seconds.")


def confirm_removing(call: PageCall) -> Response:
    """Show which agent the library gets back, and the button that begins it."""
    try:
        row = find_row(call.parts, _library(call.query.get("library", "")))
    except NotNow as error:
        return call.to(HERE, f"That can't be done: {error}.", well=False)
    return call.show("provider_remove.html", title=row.title, agent=str(row.steps.get(AGENT, "")), back=HERE)


def start_removing(call: PageCall) -> Response:
    """Let the worker take the library back."""

    def begin(parts: Parts) -> str:
        row = find_row(parts, _library(call.form.get("library", "")))
        begin_removing(parts, row.library, call.form.get("agent", ""))
        return ""

    return _begun(call, begin, "The worker takes the library back. It begins within about ten seconds.")


def _begun(call: PageCall, begin: Callable[[Parts], str], words: str) -> Response:
    if not call.parts.someone_works():
        return call.to(HERE, NO_WORKER, well=False)
    try:
        problem, away = call.look(begin)
    except NotNow as error:
        problem, away = str(error), ""
    if problem or away:
        return call.to(HERE, away or f"That can't be done: {problem}.", well=False)
    return call.to(HERE, words)


def _plan(parts: Parts, name: str) -> AddPlan | str:
    """The plan, or why it can't be done."""
    try:
        return plan_adding(parts, name)
    except NotNow as error:
        return str(error)


def _library(text: str) -> str:
    return text.strip()[:LONGEST]


routes = [
    page(HERE, provider),
    page(f"{HERE}/add", confirm_adding),
    action(f"{HERE}/add", start_adding),
    page(f"{HERE}/remove", confirm_removing),
    action(f"{HERE}/remove", start_removing),
]
