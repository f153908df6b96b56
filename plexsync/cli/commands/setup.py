"""`plexsync setup`: the steps of the set-up guide in Stash. Each call is one step, and answers with JSON.

What is known so far is kept beside the database, so a page that is loaded again goes on where it was. In a terminal,
`plexsync init` asks the same questions.
"""

import json
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from pathlib import Path

import click
import msgspec

from plexsync.app.asking import asking_stash
from plexsync.app.clients import LINK, OwnServer, SignIn
from plexsync.app.fingerprints import previewed_settings
from plexsync.app.parts import Parts, open_parts
from plexsync.app.set_up import (
    account_of,
    chosen_libraries,
    guess_stash,
    plex_settings,
    reach_in_use,
    reach_of_account,
    servers_of,
)
from plexsync.app.setting_change import (
    ASIDE,
    PLEX_PORT,
    SENT_TO,
    STASH_PORT,
    FoundPlex,
    address,
    check_libraries,
    check_values,
    check_written_counts,
    in_the_file,
    overriding,
    reach_plex,
    reach_stash,
    typed_form,
    why_not,
    write_into,
)
from plexsync.app.settings import PLUGIN, SettingsNeed, settings_in_stash
from plexsync.cli.call import FINE, Call, Sharing, family
from plexsync.cli.logs import open_log
from plexsync.cli.settings import here_of, hide, sources, toml_of
from plexsync.cli.setup.steps import PathLesson, plex_doubts, preview_facts
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import Margin, ProgressBar
from plexsync.engine.clock import SystemClock
from plexsync.engine.tickets import READS
from plexsync.reports.settings import WHERE, setting_facts, why_read_only
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import Barred, NeighbourError, SyncError, Unusable
from plexsync.store.files import setup_files
from plexsync.store.files.lock import try_lock
from validation.config import SECRETS, describe
from validation.locations import TOML as TOML_FILE
from validation.redact import Redactor, one_line
from validation.sources import (
    DEFAULT,
    NOT_FROM_STASH,
    STAND_INS,
    STASH,
    TOML,
    ConfigError,
    Loaded,
    as_in_stash,
    is_emptied,
    load,
)
from validation.values import is_address

OUT_OF_DATE = "this step is out of date: go on with the one that is shown now"
NO_FOLDER = "this is for the page of PlexSync in Stash: in a terminal, use plexsync init"
ALONE = "plexsync.setup.alone"
LONGEST = 20_000  # characters of typed rules
PACE = 400  # milliseconds between two writes of a progress
FAULT = "a fault of PlexSync: its log says more"
MOVED = (
    "{secret} is sent to {name}, so both are changed together: in Stash under Settings, Plugins, PlexSync, or in "
    "plexsync.toml"
)
# Milliseconds: plex.tv forgets a PIN after a quarter of an hour.
LASTS = 900_000
# The settings that are not written into Stash.
NOT_HERE = (*SECRETS, *NOT_FROM_STASH)
NAMES = {setting.name for setting in describe() if not setting.secret}


class SetupStage(StrEnum):
    """What the set-up asks for next."""

    SIGN_IN = "sign-in"
    SERVER = "server"
    LIBRARIES = "libraries"
    STASH = "stash"
    PATHS = "paths"
    PREVIEW = "preview"
    WORK = "work"


@record
class Pin:
    """A PIN that waits for its confirmation until a moment in milliseconds."""

    number: str = field(repr=False)
    code: str
    until: int


@record
class SetupNotes:
    """What is known so far."""

    stage: SetupStage = SetupStage.SIGN_IN
    pin: Pin | None = None
    account: str = ""
    servers: tuple[OwnServer, ...] = ()
    plex: FoundPlex | None = None
    stash_url: str = ""
    needs_key: bool = False
    """Stash takes nobody without its API key."""
    is_renewal: bool = False
    """Whether nothing but the token is renewed: the rest is set up."""

    def secrets(self) -> tuple[str, ...]:
        """The tokens to redact."""
        tokens = [server.token for server in self.servers]
        return (*tokens, self.plex.token) if self.plex else tuple(tokens)

    def public(self) -> dict[str, object]:
        """What the page may show."""
        pin = {"code": self.pin.code, "link": LINK, "until": self.pin.until} if self.pin else None
        plex = self.plex and {
            "url": self.plex.url,
            "name": self.plex.name,
            "version": self.plex.version,
            "warning": "; ".join(plex_doubts(self.plex)),
            "chosen": list(self.plex.titles),
            "libraries": [
                {"title": section.title, "folders": list(section.locations), "other_videos": section.other_videos}
                for section in self.plex.sections
            ],
        }
        servers = [{"name": server.name, "addresses": list(server.addresses)} for server in self.servers]
        stash, stage = {"url": self.stash_url, "needs_key": self.needs_key}, "" if self.is_renewal else self.stage.value
        facts = {"stage": stage, "pin": pin, "account": self.account, "servers": servers, "plex": plex}
        return {**facts, "stash": stash}


def load_notes(folder: Path) -> SetupNotes | None:
    """The notes in the folder of the database; None if no set-up is under way, or if they can't be read."""
    stored = setup_files.read(str(folder), setup_files.NOTES)
    try:
        return msgspec.convert(stored["notes"], SetupNotes)
    except (KeyError, msgspec.ValidationError):
        return None


def save_notes(folder: Path, notes: SetupNotes) -> None:
    """Keep the notes, and beside them what the page may show."""
    content = {"public": notes.public(), "notes": json.loads(msgspec.json.encode(notes))}
    setup_files.write(str(folder), setup_files.NOTES, content)


@dataclass
class SetupStep:
    """One step of the set-up: the call, the folder of the database, the settings of this machine, the notes so far."""

    call: Call
    folder: Path
    here: Loaded
    notes: SetupNotes
    alone: bool = False
    """Outside Stash: plexsync.toml gets all settings."""

    def check_known(self, stage: SetupStage) -> None:
        """Raise Unusable unless all is known that this stage builds on: an older page may ask for what was begun anew."""
        notes, plex = self.notes, self.notes.plex
        is_written = plex is not None and not plex.token
        if self.alone and stage is not SetupStage.STASH:
            is_written = is_written and self.here.origin["stash_url"] != DEFAULT
        before = {
            SetupStage.SIGN_IN: True,
            SetupStage.SERVER: bool(notes.servers),
            SetupStage.LIBRARIES: plex is not None,
        }
        if not before.get(stage, is_written):
            raise Unusable(OUT_OF_DATE)

    def keep(self, notes: SetupNotes) -> int:
        """Keep the notes, and answer with what the page may show; returns the exit code."""
        save_notes(self.folder, notes)
        return _print_answer(self.call, notes.public())

    def go_on_with(self, notes: SetupNotes, plex: FoundPlex) -> int:
        """Go on with this server; its library is chosen if there is only one. What fails meanwhile is asked for."""
        notes = replace(notes, stage=SetupStage.LIBRARIES, plex=plex)
        if len(plex.sections) != 1:
            return self.keep(notes)
        save_notes(self.folder, notes)
        return self.choose(notes, plex, plex.titles)

    def choose(self, notes: SetupNotes, plex: FoundPlex, titles: Iterable[str]) -> int:
        """Write the settings of Plex with these libraries, and go on."""
        chosen = replace(plex, libraries=tuple(chosen_libraries(plex, titles)))
        # The steps after this one need no token.
        last = replace(notes, stage=SetupStage.PATHS, pin=None, servers=(), plex=replace(chosen, token=""))
        if self.alone:
            is_set = self.here.origin["stash_url"] != DEFAULT
            url = self.here.config.stash_url if is_set else guess_stash(plex.url)
            last = replace(last, stage=SetupStage.STASH, stash_url=url)
        return self.write(plex_settings(chosen), last)

    def write(self, settings: Mapping[str, object], notes: SetupNotes) -> int:
        """Write these settings, and keep the notes; what longer steps found before is not true any more."""
        self.write_settings(settings)
        self.forget_results()
        return self.keep(notes)

    def write_settings(self, settings: Mapping[str, object]) -> None:
        """Write these settings.

        Settings are written into Stash, where the plugin's are (None removes one). Stash shows its settings to everyone who
        can open them, so the token is written into plexsync.toml; so is a setting that is there already, or that a field of
        Stash can't express, since that file wins. Raises ConfigError if another source would win, NeighbourError. Either
        all are written, or the message says which part is not.
        """
        here = self.here
        owner = "" if self.alone else "of Stash, "
        if self.alone:
            # What is set where PlexSync runs, and was chosen again, need not be written.
            set_there = overriding(here, settings)
            settings = {
                name: value
                for name, value in settings.items()
                if name not in set_there or (value or "") != getattr(here.config, name)
            }
        check_written_counts(here, settings, f"{owner}and wins over what is chosen here: remove it there")
        if self.alone:
            write_into(toml_of(self.call), settings)
            return
        in_stash = {
            name: None if name in NOT_HERE or here.origin[name] == TOML else _in_a_field(name, value)
            for name, value in settings.items()
        }
        if in_file := {name: value for name, value in settings.items() if in_stash[name] is None}:
            write_into(toml_of(self.call), in_file)
        with closing(asking_stash(here.config)) as stash:
            before = stash.plugin_settings(PLUGIN)
            after = as_in_stash(before, in_stash)
            if after != before:
                stash.configure_plugin(PLUGIN, after)

    def forget_results(self) -> None:
        """Remove what the longer steps found."""
        setup_files.remove(str(self.folder), setup_files.PATHS, setup_files.PREVIEW)


def _in_a_field(name: str, value: object) -> str | None:
    """The value as a field of Stash holds it; '' if it is removed, None if a field can't say it: an empty one is not set."""
    return "" if value is None else typed_form(name, value) or None


class StepFile:
    """The file of a step that may take minutes in a large library: its progress, or its result; the page reads it."""

    def __init__(self, call: Call, folder: str, name: str) -> None:
        self._call = call
        self._place = folder, name
        self._clock = SystemClock()
        self._written, self._scenes = 0, 0

    def progress(self, words: str, part: float | None = None, scenes: Sequence[object] = ()) -> None:
        """Say what is being done, how far it is (0 to 1), and the first scenes, unless that was said just now."""
        now = self._clock.now()
        if now - self._written >= PACE or len(scenes) > self._scenes:
            self._written, self._scenes = now, len(scenes)
            self.write({"doing": words, "part": part, "scenes": scenes})

    def fail(self, error: Exception) -> None:
        """Say why the step ended; no secret stands in it."""
        lines = str(error).splitlines() if isinstance(error, SyncError | ConfigError) else [FAULT]
        hidden = Redactor(self._call.secrets)
        self.write({"error": "\n".join(one_line(hidden.redact(line)) for line in lines)})

    def write(self, facts: Mapping[str, object]) -> None:
        """Say this."""
        setup_files.write(*self._place, facts)


def _folder(call: Call) -> Path:
    named = call.data_dir or os.environ.get("PLEXSYNC_DATA_DIR")
    if not named:
        raise Unusable(NO_FOLDER)
    return Path(named).absolute()


def _secret_line(call: Call) -> str:
    """The secret in the first line of standard input, hidden from now on; '' if there is none."""
    secret = sys.stdin.readline().strip()
    call.hide(secret)
    return secret


def _key_line(call: Call) -> str:
    """As `_secret_line`, for a token or a key: an address that stands there by mistake is no secret."""
    typed = sys.stdin.readline().strip()
    call.hide("" if is_address(typed) else typed)
    return typed


def _print_answer(call: Call, facts: Mapping[str, object]) -> int:
    call.json = True
    call.answer(facts)
    return FINE


@contextmanager
def _step(call: Call) -> Iterator[SetupStep]:
    """A step, with the settings of the file that is in use, or that is to be beside the database."""
    call.json = True
    folder = _folder(call)
    if not os.environ.get("PLEXSYNC_CONFIG"):
        call.config_file = call.config_file or folder / TOML_FILE
    with open_log(call, level="error"):
        here = here_of(call, new_file=True)
        notes = load_notes(folder) or SetupNotes()
        call.hide(*notes.secrets())
        yield SetupStep(call, folder, here, notes, click.get_current_context().meta.get(ALONE, False))


@family("setup")
@click.option("--alone", is_flag=True, help="Write plexsync.toml alone, and ask where Stash is.")
@click.pass_context
def setup(context: click.Context, alone: bool) -> None:
    """Set PlexSync up, one step at a time. The pages that set it up call this; in a terminal, use plexsync init."""
    context.meta[ALONE] = alone


@setup.command("state", cls=Sharing)
@click.pass_obj
def state(call: Call) -> int:
    """Say what a set-up would ask for first: `sign-in` if Plex is not known yet, nothing if it is."""
    with _step(call) as step:
        try:
            saved = settings_in_stash(step.here.config, PLUGIN)
            hide(call, load(**sources(call, new_file=True), plugin_settings=saved))
        except NeighbourError as error:
            raise ConfigError([f"{error}: Stash holds the settings of its plugin"]) from None
        except ConfigError as error:
            if not error.missing:
                raise
            return _print_answer(call, step.notes.public())
        return _print_answer(call, {**step.notes.public(), "stage": ""})


@setup.command("sign-in", cls=Sharing)
@click.option("--renew", is_flag=True, help="For a new token alone: the rest is set up.")
@click.pass_obj
def sign_in(call: Call, renew: bool) -> int:
    """Ask plex.tv for a PIN."""
    with _step(call) as step:
        login = SignIn()
        pin = Pin(login.number, login.pin, SystemClock().now() + LASTS)
        return step.keep(SetupNotes(pin=pin, is_renewal=renew))


@setup.command("renew", cls=Sharing)
@click.pass_obj
def renew(call: Call) -> int:
    """Ask plex.tv once whether the PIN was confirmed; then write the new token of the Plex server in use."""
    with _step(call) as step:
        if step.notes.pin is None or not step.notes.is_renewal:
            return _print_answer(call, {"pin": None, "renewed": ""})
        notes = _check_sign_in(call, step.notes)
        if not notes.servers:
            return step.keep(notes)
        try:
            loaded = load(**sources(call, new_file=True), plugin_settings=settings_in_stash(step.here.config, PLUGIN))
            hide(call, loaded)
            plex = reach_in_use(notes.servers, loaded.config.plex_url, loaded.config.tls_ca_file)
            step.write_settings({"plex_token": plex.token})
        finally:
            # The PIN is of no more use.
            setup_files.remove(str(step.folder), setup_files.NOTES)
        return _print_answer(call, {"pin": None, "renewed": plex.name})


@setup.command("settings", cls=Sharing)
@click.pass_obj
def settings(call: Call) -> int:
    """List all settings as Stash and this machine have them now; also what is wrong with one, and why one is read-only."""
    with _step(call) as step:
        saved = settings_in_stash(step.here.config, PLUGIN)
        wrong = {name: why_not(name, saved[name]) for name in NAMES & saved.keys() if not is_emptied(saved[name])}
        wrong = {name: reason for name, reason in wrong.items() if reason}
        usable = {name: value for name, value in saved.items() if name not in wrong}
        loaded = load(**sources(call, new_file=True), plugin_settings={**STAND_INS, **usable})
        hide(call, loaded)
        listed, names = [], previewed_settings(loaded.config)
        for fact in setting_facts(loaded.config, loaded.origin):
            name = fact["name"]
            stated = {"value": one_line(str(saved[name])), "source": WHERE[STASH]} if name in wrong else {}
            fixed = why_read_only(name, loaded.origin[name])
            listed.append({**fact, **stated, "fixed": fixed, "problem": wrong.get(name, ""), "shown": name in names})
        return _print_answer(call, {"settings": listed})


@setup.command("set", cls=Sharing)
@click.argument("name", type=click.Choice(sorted(NAMES)))
@click.argument("value", default="")
@click.pass_obj
def set_one(call: Call, name: str, value: str) -> int:
    """Change one setting: in plexsync.toml if it is there or Stash can't have it, else in Stash. Empty: remove it."""
    with _step(call) as step:
        if reason := why_read_only(name, step.here.origin[name]):
            raise Unusable(reason)
        try:
            where = sources(call, new_file=True)
            checked = check_values(where, {name: value}, hide=partial(hide, call)) if value else None
        except ConfigError as error:
            raise ConfigError([line.replace(ASIDE, " ") for line in error.lines]) from None
        if checked and (secret := SENT_TO.get(name, "")) and getattr(checked, name) != getattr(step.here.config, name):
            saved = settings_in_stash(step.here.config, PLUGIN)
            secrets = {saved.get(secret), getattr(step.here.config, secret)} - {"", None, *STAND_INS.values()}
            if secrets and saved.get(name) != getattr(checked, name):
                raise Unusable(MOVED.format(secret=secret, name=name))
        if checked and name == "plex_libraries":
            used = load(**sources(call, new_file=True), plugin_settings=settings_in_stash(step.here.config, PLUGIN))
            hide(call, used)
            check_libraries(used.config, checked.plex_libraries)
        step.write_settings({name: in_the_file(checked, name) if checked else None})
        return _print_answer(call, {"name": name})


@setup.command("check", cls=Sharing)
@click.pass_obj
def check(call: Call) -> int:
    """Ask plex.tv once whether the PIN was confirmed; then list the servers of the account, or choose its only one."""
    with _step(call) as step:
        try:
            notes = _check_sign_in(call, step.notes)
        except Unusable:
            # This account can't be used, so the PIN that it confirmed is of no more use.
            save_notes(step.folder, SetupNotes())
            raise
        # Another window may have asked for a new PIN meanwhile: that one counts.
        before = load_notes(step.folder)
        notes = notes if before in (None, step.notes) else before or notes
        if step.notes.pin is None or len(notes.servers) != 1:
            return step.keep(notes)
        save_notes(step.folder, notes)
        return step.go_on_with(notes, reach_of_account(notes.servers[0], step.here.config.tls_ca_file))


def _check_sign_in(call: Call, notes: SetupNotes) -> SetupNotes:
    """What is known after plex.tv was asked; a PIN that expired is forgotten."""
    if notes.pin is None:
        return notes
    login = SignIn((notes.pin.number, notes.pin.code))
    try:
        account = account_of(login, call.hide)
    except Barred:
        return replace(notes, pin=None)
    if account is None:
        return notes
    servers = tuple(servers_of(account, call.hide))
    return SetupNotes(SetupStage.SERVER, account=account.name, servers=servers)


@setup.command("server", cls=Sharing)
@click.argument("number", type=click.IntRange(min=0))
@click.option("--address", "typed", default="", help="Where the server answers.")
@click.pass_obj
def server(call: Call, number: int, typed: str) -> int:
    """Reach the chosen server, and list its movie libraries."""
    with _step(call) as step:
        step.check_known(SetupStage.SERVER)
        if number >= len(step.notes.servers):
            raise Unusable("choose one of the servers that are listed")
        chosen, place, ca_file = step.notes.servers[number], typed.strip(), step.here.config.tls_ca_file
        url = address(place, PLEX_PORT)
        at_place = reach_plex(url, chosen.token, ca_file, machine=chosen.machine) if place else None
        plex = at_place or reach_of_account(chosen, ca_file)
        return step.go_on_with(step.notes, plex)


@setup.command("token", cls=Sharing)
@click.option("--address", "typed", default="", help="Where the server answers.")
@click.pass_obj
def token(call: Call, typed: str) -> int:
    """Instead of a sign-in: reach the server with the token in the first line of standard input, and list its libraries."""
    secret = _key_line(call)
    with _step(call) as step:
        plex = reach_plex(address(typed.strip(), PLEX_PORT), secret, step.here.config.tls_ca_file)
        return step.go_on_with(SetupNotes(), plex)


@setup.command("libraries", cls=Sharing)
@click.argument("titles", nargs=-1)
@click.pass_obj
def libraries(call: Call, titles: tuple[str, ...]) -> int:
    """Choose the libraries, and write the settings of Plex."""
    with _step(call) as step:
        step.check_known(SetupStage.LIBRARIES)
        plex, written = step.notes.plex, step.here.config.plex_token
        if plex is not None and not plex.token and written not in STAND_INS.values():
            # They were chosen before, and are chosen anew.
            plex = replace(plex, token=written)
        if plex is None or not plex.token:
            raise Unusable("choose a server first")
        return step.choose(step.notes, plex, titles)


@setup.command("stash", cls=Sharing)
@click.option("--address", "typed", default="", help="Where Stash answers.")
@click.pass_obj
def stash(call: Call, typed: str) -> int:
    """Reach Stash with the API key in the first line of standard input, which may be empty, and write both."""
    key = _key_line(call)
    with _step(call) as step:
        if problem := key and why_not("stash_api_key", key):
            raise Unusable(f"the API key {problem}")
        step.check_known(SetupStage.STASH)
        key = key or (step.here.config.stash_api_key if overriding(step.here, ["stash_api_key"]) else "")
        url = address(typed.strip() or step.notes.stash_url, STASH_PORT)
        if not url:
            raise Unusable("no Stash answers at the usual addresses: type the address of yours")
        try:
            server = reach_stash(url, key, step.here.config.tls_ca_file)
        except Barred as error:
            if key or error.setting != "stash_api_key":
                raise
            return step.keep(replace(step.notes, stash_url=url, needs_key=True))
        last = replace(step.notes, stage=SetupStage.PATHS, stash_url=server.url, needs_key=bool(key))
        return step.write({"stash_url": server.url, "stash_api_key": key or None}, last)


@setup.command("rules", cls=Sharing)
@click.option("--rules", "text", default="", help="The path rules, one on each line.")
@click.pass_obj
def rules(call: Call, text: str) -> int:
    """Write the path rules."""
    with _step(call) as step:
        step.check_known(SetupStage.PATHS)
        typed = [line.strip() for line in text.splitlines() if line.strip()]
        if len(text) > LONGEST:
            raise Unusable(f"the path rules must have at most {LONGEST:,} characters")
        if problem := why_not("path_map", typed):
            raise Unusable(f"the path rules {problem}")
        return step.write({"path_map": typed or None}, replace(step.notes, stage=SetupStage.PREVIEW))


@setup.command("stage", cls=Sharing)
@click.argument("stage", type=click.Choice([stage.value for stage in SetupStage]))
@click.pass_obj
def stage(call: Call, stage: str) -> int:
    """Go to a step: back to one before, or on to the work."""
    with _step(call) as step:
        wanted = SetupStage(stage)
        if wanted is SetupStage.SIGN_IN or (wanted is SetupStage.SERVER and not step.notes.servers):
            return step.keep(SetupNotes())
        step.check_known(wanted)
        if wanted is not SetupStage.WORK:
            step.forget_results()
        return step.keep(replace(step.notes, stage=wanted))


@setup.command("finish", cls=Sharing)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def finish(call: Call, file: Path) -> int:
    """Write what was chosen into this file, with the password of the dashboard from standard input, if it is not empty."""
    password = _secret_line(call)
    with _step(call) as step:
        step.check_known(SetupStage.WORK)
        if problem := password and why_not("web_password", password):
            raise Unusable(f"the password {problem}")
        chosen = tomllib.loads(toml_of(call).read_text(encoding="utf-8"))
        write_into(file, chosen | ({"web_password": password} if password else {}))
        return step.keep(replace(step.notes, stage=SetupStage.WORK))


@setup.command("paths", cls=Sharing)
@click.pass_obj
def paths(call: Call) -> int:
    """Learn the path rules."""
    return _longer(call, setup_files.PATHS, lambda parts, step: PathLesson(parts, step.progress).facts())


@setup.command("preview", cls=Sharing)
@click.option("--progress", is_flag=True, help="Say on standard error how far it is.")
@click.pass_obj
def preview(call: Call, progress: bool) -> int:
    """Preview what a sync of the whole library would change."""
    bar = ProgressBar(Margin(draws=False), "comparing") if progress else None
    return _longer(call, setup_files.PREVIEW, lambda parts, step: preview_facts(parts, step.progress, bar))


def _longer(call: Call, name: str, work: Callable[[Parts, StepFile], Mapping[str, object]]) -> int:
    """Run a longer step, unless one runs already, in another window perhaps. An error is written down, then raised."""
    call.json = True
    folder = str(_folder(call))
    lock = try_lock(setup_files.place(folder), setup_files.LOCK)
    with lock or nullcontext():
        if lock is not None:
            _run(call, StepFile(call, folder, name), work)
    return _print_answer(call, {"done": lock is not None})


def _run(call: Call, step: StepFile, work: Callable[[Parts, StepFile], Mapping[str, object]]) -> None:
    try:
        with begin_call(call, need=SettingsNeed.WORK) as start, open_parts(start.config, start.folder) as parts:
            start.tell(parts)
            # You have asked, so both servers are asked at once, however they answered before.
            for gate in READS:
                parts.gates.retest(gate)
            step.write({"result": work(parts, step)})
    except Exception as error:  # the edge of a step: any error is written down for the page, then raised
        step.fail(error)
        raise
