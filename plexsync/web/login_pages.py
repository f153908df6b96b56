"""Login and logout, if a password is set."""

import re

from starlette.responses import RedirectResponse, Response

from plexsync.web.guard import browser_name, cookie_header
from plexsync.web.pages import Ask, bare
from plexsync.web.sessions import BROWSER_LASTS

LONGEST = 4096
# Where no login leads.
NOWHERE = re.compile(r"(/plex/[^/]*)?/(login|logout|live)")


def door(ask: Ask) -> Response:
    """The login form; redirects a session that needs no login."""
    if ask.session.signed_in or not ask.sessions.needs_password:
        return RedirectResponse(_inside(ask.query.get("to", "")), 303)
    return ask.show("login.html", to=_inside(ask.query.get("to", "")), why="")


def sign_in(ask: Ask) -> Response:
    """Check the password: a new session, and a redirect to the requested page.

    Failures are counted by address, but those of a browser that has signed in before by themselves.
    """
    to = _inside(ask.form.get("to", ""))
    if wait := ask.sessions.wait(ask.client):
        answer = ask.show("login.html", status=429, to=to, why=f"Too many wrong passwords: try again in {wait:.0f} s.")
        answer.headers["Retry-After"] = f"{wait:.0f}"
        return answer
    if not ask.sessions.is_password(ask.form.get("password", "")[:LONGEST]):
        ask.sessions.tried(ask.client)
        return ask.show("login.html", status=401, to=to, why="This is not the password.")
    ask.sessions.end(ask.session)
    answer = RedirectResponse(to, 303)
    session = ask.sessions.fresh(signed_in=True)
    answer.headers.append("set-cookie", cookie_header(ask.cookie, ask.sessions.written(session)))
    browser = ask.sessions.browser_cookie(session)
    answer.headers.append("set-cookie", cookie_header(browser_name(ask.cookie), browser, lasts=BROWSER_LASTS))
    return answer


def sign_out(ask: Ask) -> Response:
    """End the session."""
    ask.sessions.end(ask.session)
    answer = RedirectResponse("/login", 303)
    answer.headers.append("set-cookie", cookie_header(ask.cookie, "", lasts=0))
    return answer


def _inside(to: str) -> str:
    """A path on this dashboard, never on another site."""
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to if plain and len(to) < 500 and not NOWHERE.match(to) else "/"


routes = [bare("/login", door, "GET"), bare("/login", sign_in, "POST"), bare("/logout", sign_out, "POST")]
