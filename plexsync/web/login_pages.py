"""Login and logout, if a password is set."""

import re

from starlette.responses import RedirectResponse, Response

from plexsync.web.guard import browser_name, cookie_header
from plexsync.web.pages import PageCall, bare
from plexsync.web.sessions import BROWSER_LASTS

LONGEST = 4096
# Where no login leads.
NOWHERE = re.compile(r"(/plex/[^/]*)?/(login|logout|live)")


def door(call: PageCall) -> Response:
    """The login form; redirects a session that needs no login."""
    if call.session.signed_in or not call.sessions.needs_password:
        return RedirectResponse(_inside(call.query.get("to", "")), 303)
    return call.show("login.html", to=_inside(call.query.get("to", "")), why="")


def sign_in(call: PageCall) -> Response:
    """Check the password: a new session, and a redirect to the requested page.

    Failures are counted by address, but those of a browser that has signed in before by themselves.
    """
    to = _inside(call.form.get("to", ""))
    if wait := call.sessions.wait(call.client):
        answer = call.show("login.html", status=429, to=to, why=f"Too many wrong passwords: try again in {wait:.0f} s.")
        answer.headers["Retry-After"] = f"{wait:.0f}"
        return answer
    if not call.sessions.is_password(call.form.get("password", "")[:LONGEST]):
        call.sessions.count_attempt(call.client)
        return call.show("login.html", status=401, to=to, why="This is not the password.")
    call.sessions.end(call.session)
    answer = RedirectResponse(to, 303)
    session = call.sessions.fresh(signed_in=True)
    answer.headers.append("set-cookie", cookie_header(call.cookie, call.sessions.encode(session)))
    browser = call.sessions.browser_cookie(session)
    answer.headers.append("set-cookie", cookie_header(browser_name(call.cookie), browser, lasts=BROWSER_LASTS))
    return answer


def sign_out(call: PageCall) -> Response:
    """End the session."""
    call.sessions.end(call.session)
    answer = RedirectResponse("/login", 303)
    answer.headers.append("set-cookie", cookie_header(call.cookie, "", lasts=0))
    return answer


def _inside(to: str) -> str:
    """A path on this dashboard, never on another site."""
    plain = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() and "\\" not in to
    return to if plain and len(to) < 500 and not NOWHERE.match(to) else "/"


def started(_call: PageCall) -> Response:
    """Where PlexSync was set up (`plexsync.web.start_pages`): what is set up has the whole dashboard."""
    return RedirectResponse("/", 303)


routes = [
    bare("/start", started, "GET"),
    bare("/login", door, "GET"),
    bare("/login", sign_in, "POST"),
    bare("/logout", sign_out, "POST"),
]
