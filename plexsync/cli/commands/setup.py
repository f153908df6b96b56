"""`plexsync setup`: the steps of the set-up guide in Stash. Each call is one step, and answers with JSON.

What is known so far is kept beside the database, so a page that is loaded again goes on where it was. In a terminal,
`plexsync init` asks the same questions.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click

from plexsync.app.parts import Parts, opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FINE, Call, Sharing, family
from plexsync.cli.settings import hide
from plexsync.cli.setup import first_preview, path_learning, plex_choice
from plexsync.cli.setup.longer_step import StepFile, longer_step
from plexsync.cli.setup.notes import SetupNotes, SetupStage, load_notes, save_notes, without_tokens
from plexsync.cli.setup.settings_writing import here_of, settings_in_use, write_settings
from plexsync.cli.start import begun, logged
from plexsync.engine.tickets import READS
from plexsync.rules.errors import Unusable
from plexsync.store import setup_files
from validation.redact import Redactor
from validation.sources import ConfigError, Loaded

NO_FOLDER = "this is for the page of PlexSync in Stash: in a terminal, use plexsync init"


@dataclass
class SetupStep:
    """One step of the set-up: the call, the folder of the database, the settings of this machine, the notes so far."""

    call: Call
    folder: Path
    here: Loaded
    notes: SetupNotes
    redact: Callable[[Redactor], None]

    def hidden(self, *secrets: str) -> None:
        """Redact these in everything that this call still says."""
        self.call.secrets = tuple(dict.fromkeys((*self.call.secrets, *filter(None, secrets))))
        self.redact(Redactor(self.call.secrets))

    def keep(self, notes: SetupNotes) -> int:
        """Keep the notes, and answer with what the page may show; returns the exit code."""
        save_notes(self.folder, notes)
        return _answered(self.call, notes.public())


def _folder(call: Call) -> Path:
    named = call.data_dir or os.environ.get("PLEXSYNC_DATA_DIR")
    if not named:
        raise Unusable(NO_FOLDER)
    return Path(named).absolute()


def _answered(call: Call, facts: Mapping[str, object]) -> int:
    call.json = True
    call.answer(facts, lambda: None)
    return FINE


@contextmanager
def _step(call: Call) -> Iterator[SetupStep]:
    call.json = True
    folder = _folder(call)
    with logged(call, level="error") as (_, hiding):
        here = here_of(call, folder)
        hide(call, here)
        step = SetupStep(call, folder, here, load_notes(folder) or SetupNotes(), hiding.use)
        step.hidden(*step.notes.secrets())
        yield step


@family("setup")
def setup() -> None:
    """Set PlexSync up, one step at a time. The page of PlexSync in Stash calls this; in a terminal, use plexsync init."""


@setup.command("state", cls=Sharing)
@click.pass_obj
def state(call: Call) -> int:
    """Say what a set-up would ask for first: `sign-in` if Plex is not known yet, nothing if it is."""
    with _step(call) as step:
        try:
            hide(call, settings_in_use(call, step.folder))
        except ConfigError as error:
            if not error.missing:
                raise
            return _answered(call, step.notes.public())
        return _answered(call, {**step.notes.public(), "stage": ""})


@setup.command("sign-in", cls=Sharing)
@click.pass_obj
def sign_in(call: Call) -> int:
    """Ask plex.tv for a PIN."""
    with _step(call) as step:
        return step.keep(plex_choice.begin())


@setup.command("check", cls=Sharing)
@click.pass_obj
def check(call: Call) -> int:
    """Ask plex.tv once whether the PIN was confirmed; then list the servers of the account."""
    with _step(call) as step:
        try:
            notes = plex_choice.check(step.notes, step.hidden)
        except Unusable:
            # This account can't be used, so the PIN that it confirmed is of no more use.
            save_notes(step.folder, SetupNotes())
            raise
        # Another window may have asked for a new PIN meanwhile: that one counts.
        before = load_notes(step.folder)
        return step.keep(notes if before in (None, step.notes) else before or notes)


@setup.command("server", cls=Sharing)
@click.argument("number", type=click.IntRange(min=0))
@click.option("--address", "typed", default="", help="Where the server answers.")
@click.pass_obj
def server(call: Call, number: int, typed: str) -> int:
    """Reach the chosen server, and list its movie libraries."""
    with _step(call) as step:
        return step.keep(plex_choice.connect(step.notes, number, typed.strip(), step.here.config.tls_ca_file))


@setup.command("libraries", cls=Sharing)
@click.argument("titles", nargs=-1)
@click.pass_obj
def libraries(call: Call, titles: tuple[str, ...]) -> int:
    """Choose the libraries, and write the settings of Plex."""
    with _step(call) as step:
        plex = step.notes.plex
        if plex is None or not plex.token:
            raise Unusable("choose a server first")
        chosen = plex_choice.picked(plex, titles)
        settings = {"plex_token": plex.token, "plex_url": plex.url, "plex_libraries": chosen or None}
        write_settings(call, step.folder, settings)
        setup_files.remove(str(step.folder), setup_files.PATHS, setup_files.PREVIEW)
        return step.keep(without_tokens(step.notes, SetupStage.PATHS))


@setup.command("rules", cls=Sharing)
@click.option("--rules", "text", default="", help="The path rules, one on each line.")
@click.pass_obj
def rules(call: Call, text: str) -> int:
    """Write the path rules."""
    with _step(call) as step:
        write_settings(call, step.folder, {"path_map": path_learning.typed_rules(text) or None})
        setup_files.remove(str(step.folder), setup_files.PATHS, setup_files.PREVIEW)
        return step.keep(replace(step.notes, stage=SetupStage.PREVIEW))


@setup.command("stage", cls=Sharing)
@click.argument("stage", type=click.Choice([stage.value for stage in SetupStage]))
@click.pass_obj
def stage(call: Call, stage: str) -> int:
    """Go to a step: back to one before, or on to the work."""
    with _step(call) as step:
        wanted = SetupStage(stage)
        if wanted is SetupStage.SIGN_IN:
            return step.keep(SetupNotes())
        if wanted is not SetupStage.WORK:
            setup_files.remove(str(step.folder), setup_files.PATHS, setup_files.PREVIEW)
        return step.keep(replace(step.notes, stage=wanted))


@setup.command("paths", cls=Sharing)
@click.pass_obj
def paths(call: Call) -> int:
    """Learn the path rules."""
    return _longer(call, setup_files.PATHS, path_learning.learn)


@setup.command("preview", cls=Sharing)
@click.pass_obj
def preview(call: Call) -> int:
    """Preview the first write."""
    return _longer(call, setup_files.PREVIEW, first_preview.preview)


def _longer(call: Call, name: str, work: Callable[[Parts, StepFile], Mapping[str, object]]) -> int:
    """Run a longer step, unless one runs already."""
    call.json = True
    with longer_step(_folder(call), name) as step:
        if step is not None:
            with begun(call, need=SettingsNeed.WORK) as start, opened(start.config, start.folder) as parts:
                step.secrets = call.secrets
                start.tell(parts)
                # You have asked, so both servers are asked at once, however they answered before.
                for gate in READS:
                    parts.gates.retest(gate)
                step.result(work(parts, step))
    return _answered(call, {"done": step is not None})
