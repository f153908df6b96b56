"""Finds Stash for `plexsync init`: by options and settings, at a default address, or at a typed one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from plexsync.app.clients import stash_at
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.servers import LEAST_STASH, version_check
from plexsync.cli.terminal.discovery import (
    GUESSING,
    PATIENCE,
    STASH_PORT,
    FoundStash,
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
from plexsync.reports.format import safe
from plexsync.rules.errors import Barred, NeighbourError, Unusable
from validation.sources import DEFAULT, Loaded


def find_stash(person: Person, options: Given, here: Loaded, hidden: Hide, *, near: str) -> FoundStash:
    """Find Stash at the given, configured or guessed address; `near` is the address of Plex."""
    url = address(options.stash_url, STASH_PORT) or (
        here.config.stash_url if here.origin["stash_url"] != DEFAULT else ""
    )
    key = options.stash_api_key or here.config.stash_api_key

    def at(place: str) -> FoundStash:
        return _stash_at(person, place, key, hidden, here.config.tls_ca_file)

    stash = tried(person, lambda: at(url)) if url else None
    if stash is None:
        guess = "" if url else _guessed(person, near)
        stash = at(guess) if guess and not person.present else _stash_typed(person, url or guess, at)
    version = f"version {safe(stash.version)}" if stash.version else "of a version that it does not tell"
    person.tell(f"Stash at {stash.url}, {version}", style="bold")
    check = version_check("Stash", stash.version, LEAST_STASH, "it answers")
    if check.state == PROBLEM:
        person.tell(f"  {check.message}: {check.mend}")
    return stash


def _stash_typed(person: Person, default: str, at: Callable[[str], FoundStash]) -> FoundStash:
    def ask() -> FoundStash:
        typed = person.line(
            "Address of Stash",
            option="--stash-url URL",
            default=default or f"http://localhost:{STASH_PORT}",
            wrong=like_a_secret,
        )
        return at(address(typed, STASH_PORT))

    return until_answered(person, ask)


def _stash_at(person: Person, url: str, key: str, hidden: Hide, ca_file: str) -> FoundStash:
    """The Stash server at an address; a key is asked for only if it needs one."""
    if problem := why_not("stash_url", url):
        raise Unusable(f"stash_url {problem}")
    for candidate in dict.fromkeys((key, "")):
        try:
            return _stash_with(url, candidate, ca_file)
        except Barred as error:
            refused = error
    # A key does not fix other obstacles, such as a certificate.
    if not person.present or refused.setting != "stash_api_key":
        raise refused
    person.tell(f"Stash at {url} asks for its API key (in Stash: Settings, Security, API Key).")
    while True:
        typed = person.hidden(
            "API key of Stash (typed unseen; empty goes back to the address)",
            option="--stash-api-key-file FILE",
            wrong=lambda text: why_not("stash_api_key", text),
        )
        if not typed:
            raise refused
        hidden(typed)
        try:
            return _stash_with(url, typed, ca_file)
        except Barred as error:
            person.tell(f"  {safe(str(error))}")


def _stash_with(url: str, key: str, ca_file: str) -> FoundStash:
    with stash_at(url, key, ca_file=ca_file, patience=PATIENCE) as stash:
        stash.probe()
        return FoundStash(url, key, stash.version())


def _guessed(person: Person, near: str) -> str:
    """The first default address where Stash answers, or needs a key; '' if there is none."""
    hosts = ("localhost", urlsplit(near).hostname or "", "stash", "host.docker.internal")
    usual = [
        f"http://{f'[{host}]' if ':' in host else host}:{STASH_PORT}" for host in dict.fromkeys(filter(None, hosts))
    ]
    with LiveLine(person.console) as line:
        line.show("looking for Stash")
        return next(iter(_answering(usual)), "")


def _answering(urls: Sequence[str]) -> list[str]:
    """The addresses with a Stash server, in the given order; no key is sent."""

    def is_there(url: str) -> bool:
        try:
            with stash_at(url, "", patience=GUESSING) as stash:
                stash.probe()
        except Barred as error:
            return error.setting == "stash_api_key"
        except (NeighbourError, Unusable):
            return False
        return True

    with ThreadPoolExecutor(len(urls)) as pool:
        return [url for url, answers in zip(urls, pool.map(is_there, urls), strict=True) if answers]
