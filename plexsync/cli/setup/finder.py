"""The steps of a set-up in a terminal: what options and settings name is tried, and you are asked for the rest.

Beside them stand two that `plexsync fix` takes: one setting is asked for, tested and written, or Plex is signed in to again.

If a server does not answer or rejects the credentials, one line says so and you may try again; in a non-interactive
call, the error ends the call.
"""

import os
import sys
import tempfile
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from time import monotonic

from plexsync.app.clients import LINK, Account, OwnServer, SignIn, machine_at
from plexsync.app.parts import open_parts
from plexsync.app.set_up import account_of, chosen_libraries, guess_stash, plex_settings, reach_of_account, servers_of
from plexsync.app.setting_change import (
    PATIENCE,
    PLEX_PORT,
    SENT_TO,
    STASH_PORT,
    FoundPlex,
    FoundStash,
    address,
    check_written_counts,
    config_of,
    like_a_secret,
    reach_plex,
    reach_stash,
    try_connection,
    unknown_libraries,
    why_not,
    write_into,
)
from plexsync.cli.checks.paths import PathLookup, Rule
from plexsync.cli.checks.servers import ABOUT_OTHER_VIDEOS, library_words
from plexsync.cli.settings import toml_of
from plexsync.cli.setup.steps import PathLesson, plex_doubts, stash_doubts, written_rules
from plexsync.cli.terminal.pictured_scenes import show_scenes
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import LiveLine, table
from plexsync.engine.clock import SystemClock
from plexsync.reports.format import lasting, many, safe
from plexsync.rules.queue.job import Kind
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Barred, NeighbourError, Unusable
from plexsync.rules.words.text import fold
from validation import path_rules
from validation.config import SECRETS, PlexSyncConfig
from validation.sources import DEFAULT, STAND_INS, ConfigError, Loaded

# The options that answer a question too.
ADDRESS, TOKEN, STASH, KEY = "--plex-url URL", "--plex-token-file FILE", "--stash-url URL", "--stash-api-key-file FILE"
POLL = 1.0  # seconds between two checks whether the PIN was confirmed
# The settings that have one right value here.
MENDED: dict[str, object] = {"enabled": True, "strict_mode": False}
WINS = "and wins over plexsync.toml: change it there"
PORTS = {"plex_url": PLEX_PORT, "stash_url": STASH_PORT}


@record
class Given:
    """The values given by options ('' and () for the others)."""

    plex_url: str = ""
    plex_token: str = field(default="", repr=False)
    libraries: tuple[str, ...] = ()
    stash_url: str = ""
    stash_api_key: str = field(default="", repr=False)
    rules: tuple[str, ...] = ()
    typed: bool = False
    browser: bool = True


@record
class FoundPaths:
    """The path rules, and what they found."""

    rules: tuple[Rule, ...] = ()
    lookup: PathLookup = field(default_factory=PathLookup)
    total: int = 0
    """The scenes of Stash."""


@record
class Finder:
    """Finds both servers and the path rules, with a person who can be asked."""

    person: Person
    options: Given
    here: Loaded

    # --- Plex --------------------------------------------------------------------------------------------------------

    def plex(self) -> FoundPlex:
        """Find Plex, and choose its libraries."""
        person = self.person
        plex = self._plex_known() or self.plex_of_account() or self._plex_typed()
        name = safe(plex.name or "a server")
        person.tell(f"Plex: {name} at {plex.url}, version {safe(plex.version)}", style="bold")
        for doubt in plex_doubts(plex):
            person.tell(f"  {doubt}")
        chosen = replace(plex, libraries=tuple(self._libraries(plex)))
        person.tell(f"  {'library' if len(chosen.titles) == 1 else 'libraries'}: {safe(', '.join(chosen.titles))}")
        return chosen

    def _reach_plex(self, url: str, token: str) -> FoundPlex:
        return reach_plex(address(url, PLEX_PORT), token, self.here.config.tls_ca_file)

    def _plex_known(self) -> FoundPlex | None:
        """The Plex server that options and settings name; None if there is none."""
        url, token = address(self.options.plex_url, PLEX_PORT), self.options.plex_token
        if not self.options.typed:
            url = url or _set(self.here, "plex_url")
            token = token or _secret_for(self, url, "plex_url")
        if not token or not url:
            return None
        asks = self.person.present and not self.options.plex_url
        if asks and not self.person.agrees(f"Plex is set to {url} already. Keep it?"):
            return None
        return self.person.try_out(lambda: self._reach_plex(url, token))

    def plex_of_account(self) -> FoundPlex | None:
        """Sign in, and use a server of the account; None if you decline or it fails."""
        person, options = self.person, self.options
        if options.typed or not person.present or options.plex_token:
            return None
        person.tell("Sign in to Plex (plexsync init --token asks for a token instead).")
        servers = person.try_out(self._own_servers)
        if not servers:
            return None
        place = 0
        if len(servers) > 1:
            names = [server.name for server in servers]
            (place,) = person.choose("Which server?", names, option=f"{ADDRESS} and {TOKEN}")
        server, url = servers[place], options.plex_url or _set(self.here, "plex_url")

        def at_any_address() -> FoundPlex:
            with LiveLine(person.console) as line:
                line.show(f"trying the addresses of {safe(server.name)}")
                return reach_of_account(server, self.here.config.tls_ca_file)

        def at_typed_address() -> FoundPlex:
            typed = person.line("Address of Plex", option=ADDRESS, default=url, wrong=like_a_secret)
            return self._reach_own(server, typed)

        plex = person.try_out(lambda: self._reach_own(server, url)) if url else None
        return plex or person.try_out(at_any_address) or person.try_until_answered(at_typed_address)

    def _reach_own(self, server: OwnServer, typed: str) -> FoundPlex:
        """The account's server at an address. You are asked before its token goes to one that is neither listed nor set."""
        url, ca_file = address(typed, PLEX_PORT).rstrip("/"), self.here.config.tls_ca_file
        is_known = url in (*server.addresses, _set(self.here, "plex_url"))
        if not is_known and machine_at(url, ca_file, PATIENCE) == server.machine:
            where = f"plex.tv does not list {url} among the addresses of {safe(server.name)}"
            if not self.person.agrees(f"{where}. Send its token there?"):
                raise Unusable(f"no token was sent to {url}")
        return reach_plex(url, server.token, ca_file, machine=server.machine)

    def _own_servers(self) -> list[OwnServer]:
        while (account := self._signed_in()) is None:
            if not self.person.agrees("Try again?"):
                return []
        self.person.tell(f"Signed in as {safe(account.name)}.")
        return servers_of(account, self.person.call.hide)

    def _signed_in(self) -> Account | None:
        """The account that confirms a PIN; None if nobody does in time."""
        person, login = self.person, SignIn()
        person.tell(f"Open {LINK} in a browser, on any device, and enter this PIN:")
        person.tell(f"    {login.pin}", style="bold")
        # Over SSH nobody would see an opened browser.
        has_desktop = sys.platform in ("win32", "darwin") or {"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()
        if self.options.browser and has_desktop and "SSH_CONNECTION" not in os.environ:
            webbrowser.open(LINK)
        clock, began = SystemClock(), monotonic()

        def confirmed() -> Account:
            while (account := account_of(login, person.call.hide)) is None:
                line.show(f"confirm it in the browser: {lasting((monotonic() - began) * 1000)} so far (Ctrl-C stops)")
                clock.sleep(POLL)
            return account

        with LiveLine(person.console) as line:
            if not line.shown:
                person.tell("confirm it in the browser (Ctrl-C stops)")
            return person.try_out(confirmed)

    def _plex_typed(self) -> FoundPlex:
        """The server with an address and a token that are from_options or typed; the token is typed without echo.

        Values that are given have been tried already if both are. A refused token is asked for again; after any other
        failure the address is, and Enter repeats the last one.
        """
        person, url, token = self.person, self.options.plex_url, self.options.plex_token
        wrong = "plex_url" if token or not url else ""
        if person.present and wrong and not token:
            person.tell("Type the address of Plex, then its token.")

        def ask() -> FoundPlex:
            nonlocal url, token, wrong
            if wrong == "plex_url":
                before = url or _set(self.here, "plex_url") or f"http://localhost:{PLEX_PORT}"
                url = person.line("Address of Plex", option=ADDRESS, default=before, wrong=like_a_secret)
            if wrong == "plex_token" or not token:
                hint = "typed unseen; empty goes back to the address" if token else "typed unseen"
                typed = person.line(
                    f"Plex token ({hint})",
                    option=TOKEN,
                    wrong=lambda text: why_not("plex_token", text or token),
                    unseen=True,
                )
                if not typed:
                    wrong = "plex_url"
                    return ask()
                token = typed
            wrong = "plex_url"
            try:
                return self._reach_plex(url, token)
            except (NeighbourError, Unusable) as error:
                if why_not("plex_token", token) or (isinstance(error, Barred) and error.setting == "plex_token"):
                    wrong = "plex_token"
                    person.typed.pop(TOKEN, None)
                raise

        return person.try_until_answered(ask) if person.present else ask()

    def _libraries(self, plex: FoundPlex) -> Sequence[str]:
        """The libraries to use: those given, or chosen, or all."""
        person, from_options = self.person, self.options.libraries
        titles = {fold(section.title): section.title for section in plex.sections}
        wanted = from_options or self.here.config.library_names
        before = [titles[fold(name)] for name in wanted if fold(name) in titles]
        problem = unknown_libraries(wanted, titles.values())
        if problem and not from_options:
            problem = f"plex_libraries: {problem}"
        if problem and (from_options or not person.present):
            raise ConfigError([problem if from_options else f"{problem} (--library NAME takes another)"])
        if from_options or not person.present or (len(plex.sections) == 1 and not problem):
            return before
        if problem:
            person.tell(f"  {problem}")
        person.tell("Movie libraries:")
        if any(section.other_videos for section in plex.sections):
            person.tell(f"  {ABOUT_OTHER_VIDEOS}")
        now = [place for place, section in enumerate(plex.sections) if section.title in before]
        words = [library_words(section) for section in plex.sections]
        picked = person.choose("Which of them?", words, option="--library NAME", several=True, now=now)
        if set(picked) == set(now):
            return before
        return chosen_libraries(plex, (plex.sections[place].title for place in picked))

    # --- Stash -------------------------------------------------------------------------------------------------------

    def stash(self, near: str) -> FoundStash:
        """Find Stash at the given, configured or guessed address; `near` is the address of Plex."""
        person, config = self.person, self.here.config
        url = self.options.stash_url or (config.stash_url if self.here.origin["stash_url"] != DEFAULT else "")
        stash = person.try_out(lambda: self._stash_at(url)) if url else None
        if stash is None:
            with LiveLine(person.console) as line:
                line.show("looking for Stash")
                guess = url or guess_stash(near)
            default = guess or f"http://localhost:{STASH_PORT}"

            def typed() -> FoundStash:
                return self._stash_at(
                    person.line("Address of Stash", option=STASH, default=default, wrong=like_a_secret)
                )

            is_known = guess and not person.present
            stash = self._stash_at(guess) if is_known else person.try_until_answered(typed)
        version = f"version {safe(stash.version)}" if stash.version else "of a version that it does not tell"
        person.tell(f"Stash at {stash.url}, {version}", style="bold")
        for doubt in stash_doubts(stash.version):
            person.tell(f"  {doubt}")
        return stash

    def _stash_at(self, url: str) -> FoundStash:
        """The Stash server at an address; a key is asked for only if it needs one."""
        person, url = self.person, address(url, STASH_PORT)
        for key in dict.fromkeys((self.options.stash_api_key or _secret_for(self, url, "stash_url"), "")):
            try:
                return reach_stash(url, key, self.here.config.tls_ca_file)
            except Barred as error:
                refused = error
        # A key does not fix other obstacles, such as a certificate.
        if not person.present or refused.setting != "stash_api_key":
            raise refused
        person.tell(f"Stash at {url} asks for its API key (in Stash: Settings, Security, API Key).")
        while True:
            key = person.line(
                "API key of Stash (typed unseen; empty goes back to the address)",
                option=KEY,
                wrong=lambda text: why_not("stash_api_key", text),
                unseen=True,
            )
            if not key:
                raise refused
            try:
                return reach_stash(url, key, self.here.config.tls_ca_file)
            except Barred as error:
                person.tell(f"  {safe(str(error))}")

    # --- paths -------------------------------------------------------------------------------------------------------

    def paths(self, plex: FoundPlex, stash: FoundStash) -> FoundPaths:
        """The rules that map Stash's files to Plex: those from_options or set, else rules learned from pairs of files.

        Both servers are read through a temporary database.
        """
        person, from_options = self.person, list(self.options.rules)
        if problem := from_options and why_not("path_map", from_options):
            raise ConfigError([f"--path-map {problem}"])
        settings = {
            **plex_settings(plex),
            "stash_url": stash.url,
            "stash_api_key": stash.key,
            "tls_ca_file": self.here.config.tls_ca_file,
            "path_map": from_options or list(self.here.config.path_map),
        }
        config = config_of(settings)
        with tempfile.TemporaryDirectory(prefix="plexsync-init-") as place:
            with open_parts(config, Path(place)) as parts:
                with LiveLine(person.console) as line:
                    lesson = PathLesson(parts, lambda words: line.show(f"comparing file names: {words}"))
                if not lesson.scenes:
                    person.tell(
                        "Paths: Stash has no scene with a file yet, so no path rules can be learnt. "
                        "doctor learns them later."
                    )
                    return FoundPaths(lesson.rules)
                total = parts.stash.newest()[Kind.SCENE].count
                agreed = replace(self._agree_on_rules(lesson), total=total)
            if person.present:
                config = config_of({**settings, "path_map": written_rules(agreed.rules)})
                with open_parts(config, Path(place)) as parts:
                    person.try_out(lambda: show_scenes(parts, person.console))
            return agreed

    def _agree_on_rules(self, lesson: PathLesson) -> FoundPaths:
        """The rules that you agree to."""
        person, now = self.person, FoundPaths(lesson.rules, lesson.now)
        person.tell(f"Paths: {_lookup_words(lesson.now)}", style="bold")
        if self.options.rules or (not lesson.suggestions and lesson.now.by_path):
            return now
        if lesson.suggestions:
            rows = [
                (*suggestion.rule, f"{suggestion.right:,} of {suggestion.right + suggestion.wrong:,}")
                for suggestion in lesson.suggestions
            ]
            person.console.print(table("", ("folder in Stash", "folder in Plex", "files agree"), rows))
            these = "this rule" if len(rows) == 1 else "these rules"
            person.tell(f"With {these}: {_lookup_words(lesson.after)}")
            if not person.present or person.agrees(f"Use {these}?"):
                return FoundPaths(lesson.better, lesson.after)
        elif not person.present:
            return now
        else:
            person.tell("Do the libraries hold these files? If their folders have other names in Plex, say how.")
        person.tell("Type rules as: folder in Stash => folder in Plex. An empty line ends.")
        lines = written_rules(lesson.rules)
        while typed := person.line(
            "Rule", option="--path-map RULE", wrong=lambda text: why_not("path_map", [*lines, text]) if text else ""
        ):
            lines.append(typed)
        rules = path_rules.pairs(config_of({"path_map": lines}).path_map)
        lookup = lesson.look_up(rules)
        person.tell(f"With these rules: {_lookup_words(lookup)}")
        if rules and not lookup.by_path:
            person.tell("No file is found by its full path: do both folders exist as they are typed?")
            if not person.agrees("Go on with them?"):
                return self._agree_on_rules(lesson)
        return FoundPaths(rules, lookup)


def _set(here: Loaded, name: str) -> str:
    """The value of a setting that is required; '' if it is not set."""
    value: str = getattr(here.config, name)
    return "" if value in STAND_INS.values() else value


def _secret_for(finder: Finder, url: str, name: str) -> str:
    """The secret that is set for a server, unless it is set for another address and you do not want it sent to this."""
    secret, other = (
        _set(finder.here, SENT_TO[name]),
        _set(finder.here, name) if finder.here.origin[name] != DEFAULT else "",
    )
    if not secret or not other or url.rstrip("/") == other:
        return secret
    question = f"{SENT_TO[name]} is set for {other}. Send it to {url}?"
    return secret if finder.person.present and finder.person.agrees(question) else ""


def _lookup_words(lookup: PathLookup) -> str:
    """The result of a lookup in words."""
    text = f"of {many(lookup.scenes, 'scene')} looked at, {lookup.by_path} are found in Plex by their full path"
    text += f", {lookup.by_name} by name and size alone" if lookup.by_name else ""
    return text + (f", {lookup.missing} not at all" if lookup.missing else "")


# --- one setting of a program that is set up --------------------------------------------------------------------------


def change_setting(person: Person, loaded: Loaded, name: str) -> str:
    """Ask for a new value, test it and write it; returns what was done, '' if nothing was. Raises ConfigError."""
    check_written_counts(loaded, [name], WINS)
    value = MENDED[name] if name in MENDED else _new_value(person, loaded.config, name)
    return _write(person, {name: value}) if value is not None else ""


def sign_in_again(person: Person, loaded: Loaded) -> str:
    """Sign in to Plex again, and write the new token; returns what was done, '' if nothing was. Raises ConfigError."""
    check_written_counts(loaded, ["plex_token"], WINS)
    plex = Finder(person, Given(plex_url=loaded.config.plex_url), loaded).plex_of_account()
    if plex is None:
        return ""
    if plex.url == loaded.config.plex_url:
        return _write(person, {"plex_token": plex.token})
    check_written_counts(loaded, ["plex_url"], WINS)
    return _write(person, {"plex_url": plex.url, "plex_token": plex.token})


def _new_value(person: Person, config: PlexSyncConfig, name: str) -> object | None:
    """A new value that its server takes; None if you give none, or the server does not take it."""

    def meant(text: str) -> str:
        return address(text, PORTS[name]) if name in PORTS else text

    def takes() -> bool:
        try_connection(config, {name: value})
        return True

    unseen = name in SECRETS
    value = meant(
        person.line(
            f"{name} ({'typed unseen; ' if unseen else ''}empty: leave it)",
            option="a value in plexsync.toml",
            wrong=lambda text: why_not(name, meant(text)) if text else "",
            unseen=unseen,
        )
    )
    if not value or person.try_out(takes) is None:
        return None
    return [part.strip() for part in value.split(",")] if name == "plex_libraries" else value


def _write(person: Person, settings: Mapping[str, object]) -> str:
    file = toml_of(person.call)
    write_into(file, settings)
    done = f"{' and '.join(settings)} {'is' if len(settings) == 1 else 'are'} written into {file}"
    return f"{done}. A running worker takes it over by itself."
