"""`plexsync init`: finds and tests both servers, learns the path rules, and writes plexsync.toml.

The file is written when everything is known, in one step. If the set-up ends before, what is known by then is written, and
the next call goes on from there: nothing that you typed is lost. A file is never changed for the worse: what it has
already stays until you agree. A token or key is typed without echo, or read from a
file or the environment; it is never an argument of the command.
"""

import io
import os
import shlex
import sys
import tomllib
from collections.abc import Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import click

from plexsync.app.set_up import plex_settings
from plexsync.app.setting_change import (
    PLEX_PORT,
    STASH_PORT,
    FileChange,
    FoundPlex,
    FoundStash,
    address,
    change_of,
    config_of,
    like_a_secret,
    overriding,
    why_not,
)
from plexsync.cli.call import FINE, INTERRUPTED, Call, command
from plexsync.cli.logs import open_log
from plexsync.cli.settings import here_of, toml_of
from plexsync.cli.setup.finder import ADDRESS, KEY, STASH, TOKEN, Finder, FoundPaths, Given
from plexsync.cli.setup.steps import written_rules
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.reports.format import many
from plexsync.rules.servers.errors import NeighbourError, Unusable
from plexsync.store.files import setup_files
from validation.config import SECRETS
from validation.redact import MASK, Redactor
from validation.sources import ConfigError
from validation.values import is_address

# What to do after the set-up.
NEXT = (
    ("doctor", "checks everything"),
    ("sync --all --dry-run", "shows what would change"),
    ("sync --all", "writes it, after one question"),
    ("serve", "keeps Plex in sync"),
)


def _no_secret(_context: click.Context, option: click.Parameter, value: str) -> str:
    """The value; a token or key in its place ends the call, and is not repeated."""
    if problem := like_a_secret(value):
        raise click.UsageError(f"{option.opts[0]} {problem}")
    return value


@command("init")
@click.option("--token", is_flag=True, help="Type address and token of Plex, instead of signing in.")
@click.option("--no-browser", is_flag=True, help="Open no browser to sign in: only say where to go.")
@click.option("--plex-url", metavar="URL", default="", callback=_no_secret, help="Where Plex answers.")
@click.option("--plex-token-file", metavar="FILE", type=click.Path(path_type=Path), help="Read the token from a file.")
@click.option("--plex-token-env", metavar="NAME", default="", help="Read the token from a variable.")
@click.option(
    "--library", "libraries", metavar="NAME", multiple=True, help="Use this movie library of Plex; repeatable."
)
@click.option("--stash-url", metavar="URL", default="", callback=_no_secret, help="Where Stash answers.")
@click.option(
    "--stash-api-key-file", metavar="FILE", type=click.Path(path_type=Path), help="Read the API key from a file."
)
@click.option("--stash-api-key-env", metavar="NAME", default="", help="Read the API key from a variable.")
@click.option("--path-map", "rules", metavar="RULE", multiple=True, help="Use this path rule; repeatable.")
@click.option("--yes", is_flag=True, help="Ask nothing: take what was given and found.")
@click.option("--start", is_flag=True, help="At the end, offer the first sync, and keep Plex in sync.")
@click.argument("words", nargs=-1, metavar="")
@click.pass_obj
def init(
    call: Call,
    token: bool,
    no_browser: bool,
    plex_url: str,
    plex_token_file: Path | None,
    plex_token_env: str,
    libraries: tuple[str, ...],
    stash_url: str,
    stash_api_key_file: Path | None,
    stash_api_key_env: str,
    rules: tuple[str, ...],
    yes: bool,
    start: bool,
    words: tuple[str, ...],
) -> int:
    """Set PlexSync up: sign in to Plex, find both servers, learn the path rules, write plexsync.toml.

    Signs in with a PIN that you confirm in a browser (PlexSync talks to plex.tv for a sign-in alone), or takes a token
    that you type. Tries both servers, looks at some scenes to see whether both name their files alike, shows what it found
    and five scenes as they would look in Plex, and writes the file with mode 0600. Settings that it does not ask for stay
    as they are; what a file held before is kept beside it. While nothing is set up, `plexsync` alone on a terminal is
    `plexsync init --start`.

    Without a terminal, or with --yes, it asks nothing: give what it can't find by itself. A token or key never stands on
    the command line: it is read from a file or from a variable.

    \b
    Examples:
      plexsync init
      plexsync init --token
      plexsync init --plex-url http://nas:32400 --plex-token-file token.txt --yes
    """
    if words:
        # The argument may be a token: it is not repeated.
        raise click.UsageError("init takes options alone: a token is typed when it is asked for, or read from a file")

    given = Given(
        plex_url=plex_url,
        plex_token=_secret(call, "--plex-token", plex_token_file, plex_token_env),
        libraries=libraries,
        stash_url=stash_url,
        stash_api_key=_secret(call, "--stash-api-key", stash_api_key_file, stash_api_key_env),
        rules=rules,
        typed=token,
        browser=not no_browser,
    )
    code, total = _set_up(call, given, yes=yes, start=start)
    return _start(call, total) if start and code == FINE else code


def _start(call: Call, total: int) -> int:
    """Offer the first sync of the whole library, then keep Plex in sync until stopped; returns the exit code."""
    root = click.get_current_context().find_root().command

    def run(*words: str) -> int:
        fresh = Call(config_file=call.config_file, data_dir=call.data_dir)
        code: int = root.main([*words], prog_name="plexsync", obj=fresh, standalone_mode=False)
        return code

    say(paper(), "Whatever PlexSync writes, plexsync undo takes back.")
    if not click.confirm(f"Write {many(total, 'scene')} to Plex now, and keep Plex in sync?", default=True, err=True):
        say(
            paper(),
            "Nothing was written to Plex. Later, plexsync sync --all writes it, and plexsync serve keeps it in sync.",
        )
        return FINE
    with redirect_stdout(io.StringIO()):
        # Its advice is to do what comes next.
        code = run("sync", "--all", "--yes")
    return code or run("serve")


def _set_up(call: Call, given: Given, *, yes: bool, start: bool) -> tuple[int, int]:
    """Find everything, show it, and write the file if you agree; returns the exit code, and the number of scenes."""
    if start and (yes or call.json):
        raise click.UsageError("--start asks before it writes: it goes without --yes and --json")
    file = toml_of(call)
    with open_log(call, level="error") as (console, _):
        here = here_of(call, new_file=True)
        if here.servers:
            problem = f"{file.name} has [[plex]] entries, and init sets up a single Plex server"
            raise ConfigError([f"{problem}: plexsync config edit opens the file, and plexsync doctor checks it"])
        person = Person(call, console, present=sys.stdin.isatty() and not yes and not call.json)
        findings = Findings(Finder(person, given, here))
        try:
            findings.find()
            # The settings have to be valid when they are read back.
            config_of(findings.settings(call))
            change = change_of(file, findings.settings(call))
            copy = change.copy_name()
            is_agreed = yes or _agrees(person, findings.settings(call), change, copy)
        except (click.Abort, KeyboardInterrupt):
            click.echo(f"\nplexsync: stopped; {_write_findings(file, findings) or 'nothing was written'}", err=True)
            return INTERRUPTED, 0
        except (NeighbourError, Unusable) as error:
            if rest := _write_findings(file, findings):
                return call.refuse(f"{Redactor(call.secrets).redact(str(error))}; {rest}"), 0
            raise
        if not is_agreed:
            return call.declined("written", {}), 0
        change.write(kept=copy)
        setup_files.clear_draft(str(file.parent))
        over = list(overriding(here, findings.settings(call)).values())
        facts = {
            "file": str(file),
            "kept": str(copy) if copy else None,
            **findings.facts(),
            "overridden_by": over,
        }
        call.answer(facts, lambda: _tell(call, file, copy, over, start=start))
        return FINE, findings.paths.total if findings.paths else 0


def _secret(call: Call, option: str, file: Path | None, variable: str) -> str:
    """The content of the named file or variable, if any."""
    if file and variable:
        raise click.UsageError(f"give {option}-file or {option}-env, not both")
    text = ""
    if file:
        try:
            text = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError):
            raise click.UsageError(f"{option}-file can't be read: is it a file with one line?") from None
    elif variable:
        text = os.environ.get(variable, "").strip()
    if (file or variable) and not text:
        raise click.UsageError(f"{option}-{'file' if file else 'env'} names nothing that holds a text")
    if is_address(text):
        raise click.UsageError(f"{option}-{'file' if file else 'env'} names an address, and a token or a key is needed")
    call.hide(text)
    return text


@dataclass
class Findings:
    """What is known so far: the servers that were found, and beside them what you typed."""

    finder: Finder
    plex: FoundPlex | None = None
    stash: FoundStash | None = None
    paths: FoundPaths | None = None

    def find(self) -> None:
        """Find both servers and the path rules."""
        self.plex = self.finder.plex()
        self.stash = self.finder.stash(self.plex.url)
        self.paths = self.finder.paths(self.plex, self.stash)

    def settings(self, call: Call) -> dict[str, object]:
        """The settings that follow from the findings; None removes one from the file."""
        settings = plex_settings(self.plex) if self.plex else {}
        if self.stash:
            settings |= {"stash_url": self.stash.url, "stash_api_key": self.stash.key or None}
        if self.paths:
            settings["path_map"] = written_rules(self.paths.rules) or None
            settings |= {"data_dir": str(Path(call.data_dir).absolute())} if call.data_dir else {}
        return settings

    def known(self) -> dict[str, object]:
        """The settings of the servers that are found or typed, each of them valid by itself."""
        typed = self.finder.person.typed
        settings: dict[str, object] = {
            "plex_url": address(typed.get(ADDRESS, ""), PLEX_PORT),
            "plex_token": typed.get(TOKEN, ""),
            "stash_url": address(typed.get(STASH, ""), STASH_PORT),
            "stash_api_key": typed.get(KEY, ""),
        }
        settings |= self.settings(self.finder.person.call)
        return {name: value for name, value in settings.items() if value and not why_not(name, value)}

    def facts(self) -> dict[str, object]:
        """All findings, as `--json` has them."""
        plex, stash, paths = self.plex, self.stash, self.paths
        if plex is None or stash is None or paths is None:
            return {}
        redact = Redactor(self.finder.person.call.secrets).redact
        return {
            "plex": {
                "name": redact(plex.name),
                "version": redact(plex.version),
                "url": plex.url,
                "libraries": [redact(title) for title in plex.titles],
            },
            "stash": {"version": redact(stash.version), "url": stash.url},
            "paths": {
                "rules": [{"stash": stash_folder, "plex": plex_folder} for stash_folder, plex_folder in paths.rules],
                "scenes": paths.lookup.scenes,
                "found_by_path": paths.lookup.by_path,
                "found_by_name": paths.lookup.by_name,
            },
        }


def _write_findings(file: Path, findings: Findings) -> str:
    """Write what is known, unless the file has it already, and say what is still to do; '' if nothing was written.

    No value in the file is changed, and none is added to those of another server: it may work as it is. Only what you were
    asked for is kept: a call that nobody answers can be repeated as it is.
    """
    if not findings.finder.person.present:
        return ""
    try:
        before = tomllib.loads(change_of(file, {}).before or "")
        settings: dict[str, object] = {}
        for server in ("plex_", "stash_"):
            of_server = {name: value for name, value in findings.known().items() if name.startswith(server)}
            if all(before.get(name, value) == value for name, value in of_server.items()):
                settings |= {name: value for name, value in of_server.items() if name not in before}
        if not settings:
            return ""
        change = change_of(file, settings)
        change.write(kept=change.copy_name())
    except (ConfigError, ValueError):
        return ""
    servers = [name for name, server in (("Plex", findings.plex), ("Stash", findings.stash)) if server is None]
    missing = [f"find {' and '.join(servers)}, and"] if servers else []
    rest = " ".join([*missing, "compare the file paths"])
    return f"{file} keeps {', '.join(settings)}. Still to do: {rest}. plexsync init goes on from there"


def _agrees(person: Person, settings: Mapping[str, object], change: FileChange, kept: Path | None) -> bool:
    """Whether you agree to what will be written."""
    if person.present:
        # An empty list is a choice as well: it includes libraries that are added later.
        summary = {**settings, "plex_libraries": settings["plex_libraries"] or "all"}
        words = {name: ", ".join(value) if isinstance(value, list) else f"{value}" for name, value in summary.items()}
        rows = [(name, MASK if name in SECRETS else words[name]) for name in summary if summary[name] is not None]
        person.console.print(table("", ("setting", "value"), rows))
    if kept is not None:
        person.tell(f"{change.file} is there already. Its other settings stay; as it is now it is kept as {kept.name}.")
    return person.agrees(f"Write {'this into ' if change.before is not None else ''}{change.file}?")


def _tell(call: Call, file: Path, kept: Path | None, over: Iterable[str], *, start: bool) -> None:
    out = paper()
    say(out, f"{file} is written, for your eyes only." + (f" The one before is kept as {kept}." if kept else ""))
    for variable in over:
        say(out, f"{variable} is set in the environment, and wins over the file.")
    if start:
        return
    more = f" --config {shlex.quote(str(call.config_file))}" if call.config_file else ""
    out.print(table("Next", ("", ""), [(f"plexsync{more} {words}", purpose) for words, purpose in NEXT]))
