"""Finds Plex for `plexsync init`: by options and settings, by plex.tv sign-in, or by a typed address and token."""

import os
import sys
import webbrowser
from collections.abc import Iterable, Sequence
from time import monotonic

from plexsync.app.clients import Account, OwnServer, SignIn, plex_at
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.libraries import ABOUT_OTHER_VIDEOS, library_words
from plexsync.cli.checks.servers import LEAST_PLEX, version_check
from plexsync.cli.terminal.discovery import (
    GUESSING,
    PATIENCE,
    PLEX_PORT,
    FoundPlex,
    Given,
    Hide,
    address,
    like_a_secret,
    tried,
    until_answered,
    why_not,
)
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import LiveLine
from plexsync.engine.clock import SystemClock
from plexsync.reports.format import lasting, safe
from plexsync.rules.errors import Barred, NeighbourError, Unusable
from plexsync.rules.text import fold
from validation.sources import STAND_INS, ConfigError, Loaded

LINK = "https://plex.tv/link"
ADDRESS, TOKEN = "--plex-url URL", "--plex-token-file FILE"
SIGN_IN = f"{ADDRESS} and {TOKEN}"
POLL = 1.0  # seconds between two checks whether the PIN was confirmed


def find_plex(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex:
    """Find Plex, and choose its libraries."""
    plex = (
        _plex_known(person, options, here)
        or _plex_by_account(person, options, here, hidden)
        or _plex_typed(person, options, here, hidden)
    )
    person.tell(f"Plex: {safe(plex.name or 'a server')} at {plex.url}, version {safe(plex.version)}", style="bold")
    check = version_check("Plex", plex.version, LEAST_PLEX, "it answers")
    if check.state == PROBLEM:
        person.tell(f"  {check.message}: {check.mend}")
    if not all(section.owned for section in plex.sections):
        person.tell("  the token seems not to belong to the owner of the server, and only the owner can edit")
    return _with_libraries(person, options, here, plex)


def _plex_known(person: Person, options: Given, here: Loaded) -> FoundPlex | None:
    """The Plex server that options and settings name; None if there is none."""
    config = here.config
    configured = config.plex_token not in STAND_INS.values() and not options.typed
    token = options.plex_token or (config.plex_token if configured else "")
    url = address(options.plex_url, PLEX_PORT) or ("" if options.typed else _configured_url(here))
    if not token or not url:
        return None
    if not options.plex_url and person.present and not person.agrees(f"Plex is set to {url} already. Keep it?"):
        return None
    return tried(person, lambda: try_plex(url, token, config.tls_ca_file))


def _configured_url(here: Loaded) -> str:
    """The address of Plex in the settings; '' if they have none."""
    return here.config.plex_url if here.config.plex_url not in STAND_INS.values() else ""


def try_plex(url: str, token: str, ca_file: str = "", *, patience: float = PATIENCE) -> FoundPlex:
    """The server at an address; raises NeighbourError, and Unusable for an invalid address or token."""
    for name, value in (("plex_url", url), ("plex_token", token)):
        if problem := why_not(name, value):
            raise Unusable(f"{name} {problem}")
    with plex_at(url, token, ca_file=ca_file, patience=patience) as plex:
        name, version = plex.identity()
        return FoundPlex(url, token, name, version, tuple(plex.sections()))


def _plex_by_account(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex | None:
    """Sign in, and use a server of the account; None if you decline or it fails."""
    if options.typed or not person.present or options.plex_token:
        return None
    person.tell("Sign in to Plex (plexsync init --token asks for a token instead).")
    try:
        while (account := _signed_in(person, browser=options.browser, hidden=hidden)) is None:
            if not person.agrees("Try again?"):
                return None
        servers = account.servers()
    except (NeighbourError, Unusable) as error:
        person.tell(f"  {safe(str(error))}")
        return None
    hidden(*(server.token for server in servers))
    if not servers:
        person.tell(
            f"  {safe(account.name)} owns no Plex server, and only its owner's account can edit what a server shows"
        )
        return None
    place = 0
    if len(servers) > 1:
        (place,) = person.chosen("Which server?", [server.name for server in servers], option=SIGN_IN)
    url = address(options.plex_url, PLEX_PORT) or _configured_url(here)
    return _of_account(person, servers[place], url, here.config.tls_ca_file)


def sign_in(person: Person, here: Loaded, hidden: Hide) -> FoundPlex | None:
    """The server in use, with the token of an account that signs in now; None if you decline or it fails."""
    return _plex_by_account(person, Given(plex_url=here.config.plex_url), here, hidden)


def _signed_in(person: Person, *, browser: bool, hidden: Hide) -> "Account | None":
    """The account that confirms a PIN; None if nobody does in time."""
    login = SignIn()
    person.tell(f"Open {LINK} in a browser, on any device, and enter this PIN:")
    person.tell(f"    {login.pin}", style="bold")
    if browser and _has_desktop():
        webbrowser.open(LINK)
    clock, began = SystemClock(), monotonic()
    with LiveLine(person.console) as line:
        if not line.shown:
            person.tell("confirm it in the browser (Ctrl-C stops)")
        while not login.confirmed():
            if login.over:
                person.tell("  the PIN was not confirmed in time, or plex.tv does not answer")
                return None
            line.show(f"confirm it in the browser: {lasting((monotonic() - began) * 1000)} so far (Ctrl-C stops)")
            clock.sleep(POLL)
        account = login.account()
    hidden(*account.secrets)
    person.tell(f"Signed in as {safe(account.name)}.")
    return account


def _has_desktop() -> bool:
    """Whether you would see an opened browser; over SSH you would not."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _of_account(person: Person, server: OwnServer, url_option: str, ca_file: str) -> FoundPlex | None:
    """The server at the given address, else at its first address that answers, else at a typed one."""
    if url_option and (plex := tried(person, lambda: try_plex(url_option, server.token, ca_file))) is not None:
        return plex
    with LiveLine(person.console) as line:
        for url in server.addresses:
            line.show(f"trying {url}")
            try:
                return try_plex(url, server.token, ca_file, patience=GUESSING)
            except (NeighbourError, Unusable):
                continue
    person.tell(
        f"  {safe(server.name)} does not answer at any address that plex.tv knows of it: {', '.join(server.addresses)}"
    )

    def ask() -> FoundPlex:
        typed = person.line("Address of Plex", option=ADDRESS, default=url_option, wrong=like_a_secret)
        return try_plex(address(typed, PLEX_PORT), server.token, ca_file)

    return until_answered(person, ask)


def _plex_typed(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex:
    """The server with an address and a token that are given or typed; the token is typed without echo.

    Values that are given have been tried already if both are. A refused token is asked for again; after any other failure
    the address is, and Enter repeats the last one.
    """
    url, token = options.plex_url, options.plex_token
    wrong = "plex_url" if token or not url else ""
    if person.present and wrong and not token:
        person.tell("Type the address of Plex, then its token.")

    def ask() -> FoundPlex:
        nonlocal url, token, wrong
        if wrong == "plex_url":
            before = url or _configured_url(here) or f"http://localhost:{PLEX_PORT}"
            url = person.line("Address of Plex", option=ADDRESS, default=before, wrong=like_a_secret)
        if wrong == "plex_token" or not token:
            typed = _token(person, token)
            if not typed:
                wrong = "plex_url"
                return ask()
            token = typed
        hidden(token)
        wrong = "plex_url"
        try:
            return try_plex(address(url, PLEX_PORT), token, here.config.tls_ca_file)
        except (NeighbourError, Unusable) as error:
            if why_not("plex_token", token) or (isinstance(error, Barred) and error.setting == "plex_token"):
                wrong = "plex_token"
                person.typed.pop(TOKEN, None)
            raise

    return until_answered(person, ask) if person.present else ask()


def _token(person: Person, refused: str) -> str:
    """A typed token; '' is possible after one that was refused, and goes back to the address."""
    hint = "typed unseen; empty goes back to the address" if refused else "typed unseen"
    return person.hidden(
        f"Plex token ({hint})", option=TOKEN, wrong=lambda text: why_not("plex_token", text or refused)
    )


def _with_libraries(person: Person, options: Given, here: Loaded, plex: FoundPlex) -> FoundPlex:
    """Add the libraries to use: those given, or chosen, or all."""
    titles = {fold(section.title): section.title for section in plex.sections}
    if options.libraries:
        unknown = [name for name in options.libraries if fold(name) not in titles]
        if unknown:
            raise ConfigError([_no_library(unknown, titles.values())])
        return _only(plex, [titles[fold(name)] for name in options.libraries])
    before = [titles[fold(name)] for name in here.config.library_names if fold(name) in titles]
    unknown = [name for name in here.config.library_names if fold(name) not in titles]
    if unknown and not person.present:
        problem = f"plex_libraries: {_no_library(unknown, titles.values())} (--library NAME takes another)"
        raise ConfigError([problem])
    if not person.present or (len(plex.sections) == 1 and not unknown):
        return _only(plex, before)
    if unknown:
        person.tell(f"  plex_libraries: {_no_library(unknown, titles.values())}")
    person.tell("Movie libraries:")
    if any(section.other_videos for section in plex.sections):
        person.tell(f"  {ABOUT_OTHER_VIDEOS}")
    names = [library_words(section) for section in plex.sections]
    now = [place for place, section in enumerate(plex.sections) if section.title in before]
    picked = person.chosen("Which of them?", names, option="--library NAME", several=True, now=now)
    if set(picked) == set(now):
        return _only(plex, before)
    chosen = [plex.sections[place].title for place in picked]
    # All of them includes libraries that are added later.
    return _only(plex, [] if len(chosen) == len(plex.sections) else chosen)


def _no_library(unknown: Sequence[str], titles: Iterable[str]) -> str:
    return f"Plex has no movie library named {', '.join(unknown)}; it has: {', '.join(titles)}"


def _only(plex: FoundPlex, libraries: Sequence[str]) -> FoundPlex:
    return FoundPlex(plex.url, plex.token, plex.name, plex.version, plex.sections, tuple(libraries))
