"""How `plexsync init` finds the two servers and the path rules, by asking a person for no more than it can't see itself.

Whatever is found is tried with the clients that the work is done with. What does not answer, or does not let us in, is one
line and another chance; where nobody is there to take it, it ends the call.
"""

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit

from plexsync.app.clients import Account, OwnServer, SignIn, plex_at, stash_at
from plexsync.app.parts import opened
from plexsync.cli.checks.check import PROBLEM
from plexsync.cli.checks.paths import Found as Looked
from plexsync.cli.checks.paths import looked_up, sample
from plexsync.cli.checks.servers import LEAST_PLEX, LEAST_STASH, version_check
from plexsync.cli.terminal.mapping import Rule
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import LiveLine, table
from plexsync.engine.clock import SystemClock
from plexsync.reports.format import lasting, many, safe
from plexsync.rules.errors import Barred, NeighbourError, Unusable
from plexsync.rules.records import Section
from plexsync.rules.text import fold
from validation.config import PlexSyncConfig
from validation.sources import DEFAULT, STAND_INS, ConfigError, Loaded, load

LINK = "https://plex.tv/link"
TOKEN, SIGN_IN = "--plex-token-file FILE", "--plex-url URL and --plex-token-file FILE"
POLL = 1.0  # seconds between two questions whether the PIN was confirmed
PLEX_PORT, STASH_PORT = 32400, 9999
# Seconds: an address of which it is only guessed that somebody answers there gets less patience.
PATIENCE, GUESSING = 8.0, 2.0

Hide = Callable[..., None]
T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What was given by options ('' and () for what was not)."""

    plex_url: str = ""
    plex_token: str = field(default="", repr=False)
    libraries: tuple[str, ...] = ()
    stash_url: str = ""
    stash_api_key: str = field(default="", repr=False)
    rules: tuple[str, ...] = ()
    typed: bool = False
    browser: bool = True


@dataclass(frozen=True)
class FoundPlex:
    """A Plex that answers and accepts the token. `libraries` are the names that were chosen, none for all."""

    url: str
    token: str = field(repr=False)
    name: str
    version: str
    sections: tuple[Section, ...]
    libraries: tuple[str, ...] = ()

    @property
    def titles(self) -> tuple[str, ...]:
        """The libraries that will be used."""
        return self.libraries or tuple(section.title for section in self.sections)


@dataclass(frozen=True)
class FoundStash:
    """A Stash that answers and lets us in; `key` is '' where it asks for none."""

    url: str
    key: str = field(repr=False)
    version: str


@dataclass(frozen=True)
class FoundPaths:
    """The path rules, and how so many scenes were found by them."""

    rules: tuple[Rule, ...] = ()
    scenes: int = 0
    by_path: int = 0
    by_name: int = 0


@dataclass(frozen=True)
class Found:
    """All that was found."""

    plex: FoundPlex
    stash: FoundStash
    paths: FoundPaths


def why_not(name: str, value: object) -> str:
    """Why a setting can't have this value, in words that follow "it"; '' when it can."""
    try:
        load(environ={}, toml_path=None, overrides={**STAND_INS, name: value})
    except ConfigError as error:
        return error.lines[0].partition(" on the command line ")[2] or error.lines[0]
    return ""


def address(text: str, port: int) -> str:
    """An address as a person may type it: without a scheme it is plain HTTP, at the usual port if none is named."""
    if not text or "://" in text:
        return text
    host = text.rstrip("/")
    return f"http://{host}" if host.rpartition(":")[2].isdigit() else f"http://{host}:{port}"


# --- Plex ------------------------------------------------------------------------------------------------------------


def find_plex(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex:
    """Plex, with its libraries chosen."""
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
        person.tell("  the token seems not to be that of the server's owner, and others can't edit")
    return _with_libraries(person, options, here, plex)


def _plex_known(person: Person, options: Given, here: Loaded) -> FoundPlex | None:
    """The Plex that options and settings name; None when it is to be looked for."""
    config = here.config
    configured = config.plex_token not in STAND_INS.values() and not options.typed
    token = options.plex_token or (config.plex_token if configured else "")
    url = address(options.plex_url, PLEX_PORT)
    if (
        not url
        and here.origin["plex_url"] != DEFAULT
        and config.plex_url not in STAND_INS.values()
        and not options.typed
    ):
        url = config.plex_url
    if not token or not url:
        return None
    if not options.plex_url and person.present and not person.agrees(f"Plex is set to {url} already. Keep it?"):
        return None
    return _tried(person, lambda: _plex_at(url, token, config.tls_ca_file))


def _tried(person: Person, ask: Callable[[], T]) -> T | None:
    """What came of it; None, with a line that says why, when there is a person to try again with."""
    try:
        return ask()
    except (NeighbourError, Unusable) as error:
        if not person.present:
            raise
        person.tell(f"  {safe(str(error))}")
        return None


def _plex_at(url: str, token: str, ca_file: str = "", *, patience: float = PATIENCE) -> FoundPlex:
    """The server there; raises NeighbourError, and Unusable for what can't be one's address or token."""
    for name, value in (("plex_url", url), ("plex_token", token)):
        if problem := why_not(name, value):
            raise Unusable(f"{name} {problem}")
    with plex_at(url, token, ca_file=ca_file, patience=patience) as plex:
        name, version = plex.identity()
        return FoundPlex(url, token, name, version, tuple(plex.sections()))


def _plex_by_account(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex | None:
    """Sign in, and take a server of the account; None when that is not wanted or does not lead anywhere."""
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
    return _of_account(person, servers[place], address(options.plex_url, PLEX_PORT), here.config.tls_ca_file)


def _signed_in(person: Person, *, browser: bool, hidden: Hide) -> "Account | None":
    """The account of whoever confirms a PIN; None when nobody did in time."""
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
    """Whether a browser that we open would be seen by the person; over SSH it would not."""
    if "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("win32", "darwin") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


def _of_account(person: Person, server: OwnServer, url_option: str, ca_file: str) -> FoundPlex | None:
    """The server at the address given, else at the first of its own that answers here, else at one that is typed."""
    if url_option and (plex := _tried(person, lambda: _plex_at(url_option, server.token, ca_file))) is not None:
        return plex
    with LiveLine(person.console) as line:
        for url in server.addresses:
            line.show(f"trying {url}")
            try:
                return _plex_at(url, server.token, ca_file, patience=GUESSING)
            except (NeighbourError, Unusable):
                continue
    person.tell(
        f"  {safe(server.name)} does not answer at any address that plex.tv knows of it: {', '.join(server.addresses)}"
    )

    def ask() -> FoundPlex:
        typed = person.line("Address of Plex", option="--plex-url URL", default=url_option)
        return _plex_at(address(typed, PLEX_PORT), server.token, ca_file)

    return _until(person, ask)


def _plex_typed(person: Person, options: Given, here: Loaded, hidden: Hide) -> FoundPlex:
    """The server at an address and with a token that are given or typed, the token unseen.

    What was given counts for one try. After that both are asked for, and Enter takes what was tried before.
    """
    url, token = options.plex_url, options.plex_token
    # With both of them it has been tried already.
    used = bool(url and token)

    def ask() -> FoundPlex:
        nonlocal url, token, used
        if used or not url:
            url = person.line("Address of Plex", option="--plex-url URL", default=url or "http://localhost:32400")
        if used or not token:
            token = _token(person, token)
        used = True
        hidden(token)
        return _plex_at(address(url, PLEX_PORT), token, here.config.tls_ca_file)

    if not person.present:
        return ask()
    return _until(person, ask)


def _token(person: Person, before: str) -> str:
    """A token that is typed; an empty line takes the one before, if there is one."""
    hint = "typed unseen; empty takes the one before" if before else "typed unseen"
    typed = person.hidden(
        f"Plex token ({hint})", option=TOKEN, wrong=lambda text: why_not("plex_token", text or before)
    )
    return typed or before


def _until(person: Person, ask: Callable[[], T]) -> T:
    """Ask until something comes of it."""
    while (answer := _tried(person, ask)) is None:
        continue
    return answer


def _with_libraries(person: Person, options: Given, here: Loaded, plex: FoundPlex) -> FoundPlex:
    """With the libraries that are to be used: those given, or chosen, or all."""
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
    names = [f"{section.title} ({', '.join(section.locations)})" for section in plex.sections]
    now = [place for place, section in enumerate(plex.sections) if section.title in before]
    picked = person.chosen("Which of them?", names, option="--library NAME", several=True, now=now)
    if set(picked) == set(now):
        return _only(plex, before)
    chosen = [plex.sections[place].title for place in picked]
    # All of them means those that are still to come as well.
    return _only(plex, [] if len(chosen) == len(plex.sections) else chosen)


def _no_library(unknown: Sequence[str], titles: Iterable[str]) -> str:
    return f"Plex has no movie library named {', '.join(unknown)}; it has: {', '.join(titles)}"


def _only(plex: FoundPlex, libraries: Sequence[str]) -> FoundPlex:
    return FoundPlex(plex.url, plex.token, plex.name, plex.version, plex.sections, tuple(libraries))


# --- Stash -----------------------------------------------------------------------------------------------------------


def find_stash(person: Person, options: Given, here: Loaded, hidden: Hide, *, near: str) -> FoundStash:
    """Stash: at the address that is given, set, or found; `near` is the address of Plex."""
    url = address(options.stash_url, STASH_PORT) or (
        here.config.stash_url if here.origin["stash_url"] != DEFAULT else ""
    )
    key = options.stash_api_key or here.config.stash_api_key

    def at(place: str) -> FoundStash:
        return _stash_at(person, place, key, hidden, here.config.tls_ca_file)

    stash = _tried(person, lambda: at(url)) if url else None
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
            "Address of Stash", option="--stash-url URL", default=default or f"http://localhost:{STASH_PORT}"
        )
        return at(address(typed, STASH_PORT))

    return _until(person, ask)


def _stash_at(person: Person, url: str, key: str, hidden: Hide, ca_file: str) -> FoundStash:
    """The Stash there; a key is asked for only where it wants one."""
    if problem := why_not("stash_url", url):
        raise Unusable(f"stash_url {problem}")
    for candidate in dict.fromkeys((key, "")):
        try:
            return _stash_with(url, candidate, ca_file)
        except Barred as error:
            refused = error
    # What else keeps us out, such as a certificate, no key mends.
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
    """The first of the usual addresses where a Stash answers, or wants a key; '' when there is none."""
    hosts = ("localhost", urlsplit(near).hostname or "", "stash", "host.docker.internal")
    usual = [
        f"http://{f'[{host}]' if ':' in host else host}:{STASH_PORT}" for host in dict.fromkeys(filter(None, hosts))
    ]
    with LiveLine(person.console) as line:
        line.show("looking for Stash")
        return next(iter(_answering(usual)), "")


def _answering(urls: Sequence[str]) -> list[str]:
    """Those where a Stash is, in their order; nobody is told a key."""

    def is_there(url: str) -> bool:
        try:
            with stash_at(url, "", patience=GUESSING) as stash:
                stash.probe()
        except Barred:
            return True
        except (NeighbourError, Unusable):
            return False
        return True

    with ThreadPoolExecutor(len(urls)) as pool:
        return [url for url, answers in zip(urls, pool.map(is_there, urls), strict=True) if answers]


# --- path rules ------------------------------------------------------------------------------------------------------


def learn_paths(person: Person, options: Given, here: Loaded, plex: FoundPlex, stash: FoundStash) -> FoundPaths:
    """The rules by which files of Stash are found in Plex: those given or set, else those that pairs of files tell.

    Both servers are looked at through a database that is thrown away.
    """
    if problem := options.rules and why_not("path_map", list(options.rules)):
        raise ConfigError([f"--path-map {problem}"])
    config = _config(
        plex_url=plex.url,
        plex_token=plex.token,
        plex_libraries=list(plex.libraries),
        stash_url=stash.url,
        stash_api_key=stash.key,
        tls_ca_file=here.config.tls_ca_file,
        path_map=list(options.rules or here.config.path_map),
    )
    with tempfile.TemporaryDirectory(prefix="plexsync-init-") as place, opened(config, Path(place)) as parts:
        with LiveLine(person.console) as line:
            line.show("comparing file names: reading the libraries of Plex")
            parts.indexer.freshen()
            line.show("comparing file names: looking at some scenes of Stash")
            scenes = sample(parts.stash)
        if not scenes:
            person.tell(
                "Paths: Stash has no scene with a file yet, so no path rules can be learnt. doctor learns them later."
            )
            return FoundPaths(config.path_rules)

        def look(rules: Sequence[Rule]) -> Looked:
            with parts.store.reading() as db:
                return looked_up(db, scenes, rules)

        return _agreed(person, look, tuple(config.path_rules), fixed=bool(options.rules))


def _config(**settings: object) -> PlexSyncConfig:
    """Settings that nothing else has a say in; raises ConfigError."""
    return load(environ={}, toml_path=None, overrides=settings).config


def _agreed(
    person: Person, look: Callable[[Sequence[Rule]], Looked], rules: tuple[Rule, ...], *, fixed: bool
) -> FoundPaths:
    """The rules that a person agrees to."""
    lookup = look(rules)
    person.tell(f"Paths: {_told(lookup)}", style="bold")
    if fixed or (not lookup.suggestions and lookup.by_path):
        return _result(rules, lookup)
    if lookup.suggestions:
        better = (*rules, *(suggestion.rule for suggestion in lookup.suggestions))
        rows = [
            (*suggestion.rule, f"{suggestion.right:,} of {suggestion.right + suggestion.wrong:,}")
            for suggestion in lookup.suggestions
        ]
        person.console.print(table("", ("folder in Stash", "folder in Plex", "files agree"), rows))
        after = look(better)
        person.tell(f"With {'this rule' if len(rows) == 1 else 'these rules'}: {_told(after)}")
        if not person.present or person.agrees("Use them?"):
            return _result(better, after)
    elif not person.present:
        return _result(rules, lookup)
    else:
        person.tell("Do the libraries hold these files? If their folders have other names in Plex, say how.")
    return _typed_rules(person, look, rules)


def _typed_rules(person: Person, look: Callable[[Sequence[Rule]], Looked], rules: tuple[Rule, ...]) -> FoundPaths:
    """Rules that a person types, one a line."""
    person.tell("Type rules as: folder in Stash => folder in Plex. An empty line ends.")
    lines = [" => ".join(rule) for rule in rules]
    while typed := person.line(
        "Rule", option="--path-map RULE", wrong=lambda text: why_not("path_map", [*lines, text]) if text else ""
    ):
        lines.append(typed)
    new_rules = _config(**STAND_INS, path_map=lines).path_rules
    lookup = look(new_rules)
    person.tell(f"With them: {_told(lookup)}")
    return _result(new_rules, lookup)


def _told(lookup: Looked) -> str:
    """How scenes were found, in words."""
    text = f"of {many(lookup.scenes, 'scene')} looked at, {lookup.by_path} are found in Plex by their full path"
    text += f", {lookup.by_name} by name and size alone" if lookup.by_name else ""
    return text + (f", {lookup.missing} not at all" if lookup.missing else "")


def _result(rules: Sequence[Rule], lookup: Looked) -> FoundPaths:
    return FoundPaths(tuple(rules), lookup.scenes, lookup.by_path, lookup.by_name)
