"""`plexsync init`: finds and tests both servers, learns the path rules, and writes plexsync.toml.

The file is written when everything is known, in one step. If the set-up ends before, what is known by then is written, and
the next call goes on from there: nothing that you typed is lost. A file is never changed for the worse: what it has
already stays until you agree. A token or key is typed without echo, or read from a
file or the environment; it is never an argument of the command.
"""

import os
import shlex
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import NotRequired, TypedDict

import click

from plexsync.cli.call import FAILED, FINE, INTERRUPTED, Call, command
from plexsync.cli.settings import hide, sources, toml_of
from plexsync.cli.start import logged
from plexsync.cli.terminal.discovery import (
    PLEX_PORT,
    STASH_PORT,
    Discovery,
    FoundPlex,
    FoundStash,
    Given,
    Hide,
    address,
    like_a_secret,
    why_not,
)
from plexsync.cli.terminal.path_discovery import learn_paths
from plexsync.cli.terminal.plex_discovery import TOKEN, find_plex
from plexsync.cli.terminal.prompts import Person
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.cli.terminal.stash_discovery import find_stash
from plexsync.engine.clock import SystemClock
from plexsync.rules.errors import NeighbourError, Unusable
from validation.config import SECRETS, describe
from validation.redact import MASK, Redactor
from validation.sources import ENVIRONMENT, NAMED_FILE, ConfigError, Loaded, load, load_here
from validation.template import new_file
from validation.writing import UnclearFile, changed, save


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
    words: tuple[str, ...],
) -> int:
    """Set PlexSync up: sign in to Plex, find both servers, learn the path rules, write plexsync.toml.

    Signs in with a PIN that you confirm in a browser (this is the only command that talks to plex.tv), or takes a token
    that you type. Tries both servers, looks at some scenes to see whether both name their files alike, shows what it found,
    and writes the file with mode 0600. Settings that it does not ask for stay as they are; what a file held before is kept
    beside it.

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

    def options(hidden: Hide) -> Given:
        return Given(
            plex_url=plex_url,
            plex_token=_secret("--plex-token", plex_token_file, plex_token_env, hidden),
            libraries=libraries,
            stash_url=stash_url,
            stash_api_key=_secret("--stash-api-key", stash_api_key_file, stash_api_key_env, hidden),
            rules=rules,
            typed=token,
            browser=not no_browser,
        )

    return _set_up(call, options, yes=yes)


def _set_up(call: Call, options: Callable[[Hide], Given], *, yes: bool) -> int:
    """Find everything, show it, and write the file if you agree; returns the exit code."""
    file = toml_of(call)
    with logged(call, level="error") as (console, hiding):

        def hidden(*secrets: str) -> None:
            call.secrets = tuple(dict.fromkeys((*call.secrets, *filter(None, secrets))))
            hiding.use(Redactor(call.secrets))

        here = _here(call, file)
        hidden(*call.secrets)
        setup_options = options(hidden)
        present = sys.stdin.isatty() and not yes and not call.json
        person = Person(console, present=present, hiding=lambda text: Redactor(call.secrets).redact(text))
        draft = Draft(person)
        try:
            plan = _plan(call, draft, setup_options, here, hidden)
            write = _writing(file, plan.settings)
            agreed = _agreed(person, plan, write, yes=yes)
        except (click.Abort, KeyboardInterrupt):
            click.echo(f"\nplexsync: stopped; {_kept(file, draft) or 'nothing was written'}", err=True)
            return INTERRUPTED
        except (NeighbourError, Unusable) as error:
            if kept := _kept(file, draft):
                return call.refused(f"{Redactor(call.secrets).redact(str(error))}; {kept}")
            raise
        if not agreed:
            click.echo("plexsync: nothing was written", err=True)
            return FAILED
        _write(write)
        call.answer(_facts(plan, write, Redactor(call.secrets)), lambda: _tell(call, plan, write))
        return FINE


def _here(call: Call, file: Path) -> Loaded:
    """The current settings; a file that does not exist yet is no error, nor is a link to one."""
    origins = sources(call)
    origins["toml_path"] = file if os.path.exists(file) else None  # noqa: PTH110
    loaded = load_here(**origins)
    hide(call, loaded)
    if loaded.servers:
        problem = f"{file.name} has [[plex]] entries, and init sets up a single Plex server"
        raise ConfigError([f"{problem}: plexsync config edit opens the file, and plexsync doctor checks it"])
    return loaded


def _secret(option: str, file: Path | None, variable: str, hidden: Hide) -> str:
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
    hidden(text)
    return text


class FileSettings(TypedDict):
    """The settings that `init` writes; None removes a setting from the file."""

    plex_url: str
    plex_token: str
    plex_libraries: list[str] | None
    stash_url: str
    stash_api_key: str | None
    path_map: list[str] | None
    data_dir: NotRequired[str]


@dataclass(frozen=True)
class SetupPlan:
    """The findings, and the settings that follow from them."""

    discovery: Discovery
    settings: FileSettings = field(repr=False)
    over: tuple[str, ...]
    """Environment variables that override the file."""


@dataclass
class Draft:
    """What is known before the end: the servers that were found, and beside them what you typed."""

    person: Person
    plex: FoundPlex | None = None
    stash: FoundStash | None = None

    @property
    def settings(self) -> dict[str, object]:
        """The settings that are known, each of them valid by itself."""
        typed = self.person.typed
        settings: dict[str, object] = {
            "plex_url": address(typed.get("--plex-url URL", ""), PLEX_PORT),
            "plex_token": typed.get(TOKEN, ""),
            "stash_url": address(typed.get("--stash-url URL", ""), STASH_PORT),
            "stash_api_key": typed.get("--stash-api-key-file FILE", ""),
        }
        if self.plex:
            settings |= {"plex_url": self.plex.url, "plex_token": self.plex.token}
            settings["plex_libraries"] = list(self.plex.libraries)
        if self.stash:
            settings |= {"stash_url": self.stash.url, "stash_api_key": self.stash.key}
        return {name: value for name, value in settings.items() if value and not why_not(name, value)}

    @property
    def missing(self) -> str:
        """What is still to do."""
        servers = [name for name, server in (("Plex", self.plex), ("Stash", self.stash)) if server is None]
        return f"find {' and '.join(servers)}, and compare the file paths" if servers else "compare the file paths"


def _kept(file: Path, draft: Draft) -> str:
    """Write what is known, unless the file has it already, and say what is still to do; '' if nothing was written.

    No value in the file is changed, and none is added to those of another server: it may work as it is. Only what you were
    asked for is kept: a call that nobody answers can be repeated as it is.
    """
    if not draft.person.present:
        return ""
    try:
        before = tomllib.loads(file.read_text(encoding="utf-8-sig")) if os.path.exists(file) else {}  # noqa: PTH110
        settings: dict[str, object] = {}
        for server in ("plex_", "stash_"):
            settings_of_server = {name: value for name, value in draft.settings.items() if name.startswith(server)}
            if all(before.get(name, value) == value for name, value in settings_of_server.items()):
                settings |= {name: value for name, value in settings_of_server.items() if name not in before}
        if not settings:
            return ""
        _write(_writing(file, settings))
    except (ConfigError, OSError, ValueError):
        return ""
    names = ", ".join(settings)
    return f"{file} keeps {names}. Still to do: {draft.missing}. plexsync init goes on from there"


def _plan(call: Call, draft: Draft, options: Given, here: Loaded, hidden: Hide) -> SetupPlan:
    person = draft.person
    draft.plex = plex = find_plex(person, options, here, hidden)
    draft.stash = stash = find_stash(person, options, here, hidden, near=plex.url)
    paths = learn_paths(person, options, here, plex, stash)
    settings: FileSettings = {
        "plex_url": plex.url,
        "plex_token": plex.token,
        "plex_libraries": list(plex.libraries) or None,
        "stash_url": stash.url,
        "stash_api_key": stash.key or None,
        "path_map": [" => ".join(rule) for rule in paths.rules] or None,
    }
    if call.data_dir:
        settings["data_dir"] = str(Path(call.data_dir).absolute())
    _check(settings)
    ends = {ENVIRONMENT: "", NAMED_FILE: "_FILE"}
    over = tuple(
        f"{setting.variable}{ends[here.origin[setting.name]]}"
        for setting in describe()
        if setting.name in settings and here.origin[setting.name] in ends
    )
    return SetupPlan(Discovery(plex, stash, paths), settings, over)


def _check(settings: FileSettings) -> None:
    """Check that the settings are valid when read back; raises ConfigError."""
    load(environ={}, toml_path=None, overrides={name: value for name, value in settings.items() if value is not None})


# --- writing ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Writing:
    """The file to write: its new text, whether it exists already, and where the old one is kept."""

    file: Path
    text: str = field(repr=False)
    before: str | None = field(repr=False)
    kept: Path | None


def _writing(file: Path, settings: Mapping[str, object]) -> Writing:
    before = None
    try:
        if os.path.exists(file):  # noqa: PTH110 - for an unreadable folder, saving reports the error
            before = file.read_text(encoding="utf-8-sig")
        text = new_file(settings) if before is None else changed(before, settings)
    except UnclearFile as error:
        raise ConfigError([f"{file} can't be changed: {error}; move it away, then call init again"]) from None
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError([f"{file} can't be read any more: {reason}; nothing was changed"]) from None
    moment = datetime.fromtimestamp(SystemClock().now() / 1000, UTC)
    real = Path(os.path.realpath(file))
    kept = real.with_name(f"{real.name}.{moment:%Y%m%dT%H%M%SZ}.bak") if before not in (None, text) else None
    return Writing(file, text, before, kept)


def _agreed(person: Person, plan: SetupPlan, write: Writing, *, yes: bool) -> bool:
    """Whether you agree to what will be written."""
    if yes:
        return True
    if person.present:
        person.console.print(table("", ("setting", "value"), _rows(plan.settings)))
    if write.kept is not None:
        person.tell(
            f"{write.file} is there already. Its other settings stay; as it is now it is kept as {write.kept.name}."
        )
    return person.agrees(f"Write {'this into ' if write.before is not None else ''}{write.file}?")


def _write(write: Writing) -> None:
    try:
        save(write.file, write.text, kept=write.kept)
    except OSError as error:
        raise ConfigError([f"{write.file} can't be written: {error.strerror}; nothing was changed"]) from None


def _rows(settings: FileSettings) -> list[tuple[str, str]]:
    # An empty list is a choice as well: it includes libraries that are added later.
    rows: dict[str, object] = {**settings, "plex_libraries": settings["plex_libraries"] or "all"}
    return [(name, _shown(name, value)) for name, value in rows.items() if value is not None]


def _shown(name: str, value: object) -> str:
    if name in SECRETS:
        return MASK
    return ", ".join(value) if isinstance(value, list) else str(value)


def _facts(plan: SetupPlan, write: Writing, hidden: Redactor) -> dict[str, object]:
    plex, stash, paths = plan.discovery.plex, plan.discovery.stash, plan.discovery.paths
    return {
        "file": str(write.file),
        "kept": str(write.kept) if write.kept else None,
        "plex": {
            "name": hidden.redact(plex.name),
            "version": hidden.redact(plex.version),
            "url": plex.url,
            "libraries": [hidden.redact(title) for title in plex.titles],
        },
        "stash": {"version": hidden.redact(stash.version), "url": stash.url},
        "paths": {
            "rules": [{"stash": stash_folder, "plex": plex_folder} for stash_folder, plex_folder in paths.rules],
            "scenes": paths.scenes,
            "found_by_path": paths.by_path,
            "found_by_name": paths.by_name,
        },
        "overridden_by": list(plan.over),
    }


def _tell(call: Call, plan: SetupPlan, write: Writing) -> None:
    out = paper()
    say(
        out,
        f"{write.file} is written, for your eyes only."
        + (f" The one before is kept as {write.kept}." if write.kept else ""),
    )
    for variable in plan.over:
        say(out, f"{variable} is set in the environment, and wins over the file.")
    more = f" --config {shlex.quote(str(call.config_file))}" if call.config_file else ""
    lines = (
        ("doctor", "checks everything"),
        ("sync --all --dry-run", "shows what would change"),
        ("sync --all", "writes it, after one question"),
        ("serve", "keeps Plex in sync"),
    )
    rows = [(f"plexsync{more} {words}", purpose) for words, purpose in lines]
    out.print(table("Next", ("", ""), rows))
