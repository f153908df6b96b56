"""`plexsync serve`: runs the worker until it is stopped."""

import logging
import os
import sys
import threading
from collections import Counter
from contextlib import ExitStack, nullcontext, suppress
from pathlib import Path
from time import monotonic

import click

from plexsync.app.database_files import lock_of
from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import (
    DataFolder,
    NotSetUp,
    Settings,
    SettingsNeed,
    StashAway,
    known_place,
    names_stash_alone,
)
from plexsync.app.stored import address_of
from plexsync.app.switches import back_inside
from plexsync.app.version import version
from plexsync.cli.call import FAILED, Call, command
from plexsync.cli.daemon.dashboard_process import Dashboard, dashboard, show_greeting, shown_servers
from plexsync.cli.daemon.idle_exit import life_sign, patient_lock, waits_no_longer
from plexsync.cli.daemon.plex_children import WITH_FIRST, end_with_first, plex_children
from plexsync.cli.daemon.shift import PlexAnswers, Shift, record_end
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.standby import Standby
from plexsync.cli.faults import tell
from plexsync.cli.logs import LOG_FILE, also_in_a_file, in_the_file_alone, open_log
from plexsync.cli.settings import here_of, settings, sources, toml_of
from plexsync.cli.start import warn
from plexsync.cli.terminal.screen import LiveLine
from plexsync.engine.engine import Idle, ProbeResult, Worked
from plexsync.engine.gates import outage
from plexsync.engine.tickets import READ_STASH
from plexsync.reports.outcomes import kept_in_all, outcome_words
from plexsync.reports.status import breaker, server_words
from plexsync.rules.queue.gate_names import caption, gates_to_show
from plexsync.rules.queue.job import State
from plexsync.rules.servers.errors import LocalFault
from plexsync.rules.words.status_words import SceneStatus, count_words, in_sync_words
from plexsync.store.database import load_tables
from plexsync.store.files import setup_files
from plexsync.store.files.address import StoreAddress
from validation.locations import TOML
from validation.sources import ConfigError

log = logging.getLogger("PlexSync.serve")

LINE_PACE = 0.5  # seconds between two updates of the live line
UNDONE_PACE = 2.0  # seconds between two counts of undone scenes for that line
LOG_PACE = 10.0  # seconds of batches per line of the log
ASK_PACE = 2.0  # seconds between two requests for settings that Stash may hold
# Where settings are missing that may be in Stash.
OR_HERE = "`plexsync init` sets them here."
TELL_PACE = 60.0  # seconds between two log lines about that
BUSY = "another worker runs on this database: stop it first, or use that one"


@command("serve")
@click.option(
    "--as-needed", is_flag=True, help="End after worker_idle_minutes without work, or when switched off in Stash."
)
@click.option("--no-web", is_flag=True, help="Without the dashboard.")
@click.option(
    "--take-over", is_flag=True, help="With PostgreSQL: also take over from a worker that had other settings."
)
@click.option("--demo-switch", type=click.Path(path_type=Path), hidden=True)
@click.option(WITH_FIRST, is_flag=True, hidden=True)
@click.pass_obj
def serve(
    call: Call, as_needed: bool, no_web: bool, take_over: bool, demo_switch: Path | None, with_first: bool
) -> int:
    """Keep Plex in sync with Stash until stopped: the worker, the polls, the schedule, and the dashboard.

    Run it as a service, beside Stash or anywhere that reaches Stash and Plex. It notices edits by itself every
    stash_poll_interval seconds and at once when the plugin in Stash tells of them; changed settings, in plexsync.toml or
    in Stash, it takes over by itself. One worker runs on a database: a second one says so and exits with 1. With
    PostgreSQL a second one, on another machine, stands by and takes over once the first one no longer works. Ctrl-C or
    SIGTERM stops it in good order within ten seconds. The dashboard answers at web_bind, http://127.0.0.1:9797 unless set
    otherwise; while nothing is set up, its page /start does that. With several Plex servers in plexsync.toml, each has a
    worker of its own; --plex NAME runs that one alone.

    Logs one event a line to standard error and to plexsync.log in the data folder; PLEXSYNC_LOG sets the level (debug,
    info, warning, error). On a terminal it begins with its version, the address of the dashboard and how to stop it; the
    settings are in plexsync.log alone, unless PLEXSYNC_LOG or -v asks for more.

    \b
    Examples:
      plexsync serve
      PLEXSYNC_LOG=debug plexsync serve
    """
    load_tables()
    try:
        return _serve(call, as_needed, no_web, take_over, demo_switch, with_first)
    except LocalFault as fault:
        # A supervisor restarts this process: by then the fault may have passed, or the database is recreated.
        tell(fault, call)
        return FAILED


def _serve(call: Call, as_needed: bool, no_web: bool, take_over: bool, switch: Path | None, with_first: bool) -> int:
    outcomes: Counter[str] = Counter()
    with (
        open_log(call, level="info") as (console, hiding),
        also_in_a_file(hiding) as file,
        stoppable(terminated=0) as stop,
        ExitStack() as held,
    ):
        if with_first:
            end_with_first(stop)
        # A worker that is started by every event takes the lock before it waits: so there is only one.
        here = here_of(call)
        early = known_place(here, os.environ) if as_needed else None
        if early is not None and not held.enter_context(patient_lock(address_of(here.config, early.path), stop.event)):
            return call.refuse(BUSY)
        pages = held.enter_context(dashboard(written_file(call), off=no_web or as_needed, switch=switch))
        # The first worker answers for all servers. The demo's is no further one.
        provider = held.enter_context(PlexAnswers(off=as_needed or (with_first and switch is None)))
        locks = held.enter_context(ExitStack())
        sign = life_sign() if early is not None else None
        if early is not None and sign is not None:
            held.callback(sign.end)
            back_inside(early.path)
        waiting = WaitingDashboard(pages, locks, call)
        initial = patiently(call, stop.event, waiting, inside=early.path if early else None)
        if initial is not None:
            warn(initial)
            if early is None and not waiting.locks(initial):
                return call.refuse(BUSY)
            file.begin(initial.place.path)
            if early is None and not address_of(initial.loaded.config, initial.place.path).is_postgres:
                # Inside Stash the supervisor sees how the worker ends; in PostgreSQL the row of the worker tells it.
                locks.enter_context(record_end(initial.place.path, call, stop))
            if as_needed:
                log.info("from here on the log is %s", LOG_FILE)
            greets = sys.stderr.isatty() and not (call.json or call.verbose or os.environ.get("PLEXSYNC_LOG"))
            with (
                # The output file that Stash's plugin provides must not grow during a long run.
                in_the_file_alone() if as_needed else nullcontext(),
                # Whoever asks for a level of the log sees the log and no greeting.
                show_greeting(console, initial.loaded.config, version(), web=not no_web) if greets else nullcontext(),
                LiveLine(console) as line,
                plex_children(call, stop) as children,
            ):
                report = Reporter(line, outcomes)
                shift = Shift(call, stop, report, pages, provider, children, as_needed=as_needed, sign=sign)
                _work(shift, initial, takes_over=take_over)
        log.info("stopped in good order")
        call.answer({"outcomes": dict(outcomes)})
        return stop.code


def _work(shift: Shift, initial: Settings, *, takes_over: bool) -> None:
    """Work until stopped. With PostgreSQL this process stands by first, as long as another one works."""
    setup_files.clear_draft(str(written_file(shift.call).parent))
    if address_of(initial.loaded.config, initial.place.path).is_postgres:
        Standby(shift, takes_over=takes_over).serve(initial)
    else:
        shift.work(initial)


class WaitingDashboard:
    """Opens the dashboard while `serve` waits for Stash, with the settings that are known, under the worker's lock."""

    def __init__(self, pages: Dashboard | None, held: ExitStack, call: Call) -> None:
        self._pages = pages
        self._held = held
        self._call = call
        self._address: StoreAddress | None = None
        self._shown = False

    def locks(self, current: Settings) -> bool:
        """Take the worker's lock on the store of these settings; False if another process holds it."""
        address = address_of(current.loaded.config, current.place.path)
        if self._address is None and self._held.enter_context(lock_of(address)):
            self._address = address
        return self._address == address

    def guide(self, *, away: bool, waits: bool = False) -> bool:
        """Open the pages that set PlexSync up, or that wait for Stash; False if there can be none."""
        config = here_of(self._call).config
        return self._pages is not None and self._pages.guide(config, away=away, waits=waits)

    def show(self, interim: Settings) -> None:
        """Open the dashboard with these settings, once, and record that Stash can't be used."""
        if self._pages is None or not self.locks(interim):
            return
        if self._address is not None and not self._address.is_postgres:
            # With PostgreSQL another machine may work, and reach Stash.
            with open_parts(interim.loaded.config, interim.place.path, worker=True) as parts:
                if interim.away is not None and parts.gates.is_open(READ_STASH):
                    parts.gates.ill(parts.gates.ticket(READ_STASH), outage(interim.away))
        if not self._shown:
            self._shown = True
            self._pages.use(*shown_servers(self._call, interim))


def written_file(call: Call) -> Path:
    """The settings file, or the one to write: in the current folder if that is the one for data, as in a container."""
    file, here = toml_of(call), Path(TOML)
    data = here_of(call).config.data_dir
    return (here if not file.exists() and data and Path(data) == Path.cwd() else file).absolute()


def patiently(
    call: Call, stop: threading.Event, dashboard: WaitingDashboard, *, inside: Path | None
) -> Settings | None:
    """The settings, once nothing is missing that only Stash may hold; None if stopped before.

    While nobody has set PlexSync up, its dashboard does that; without one, this ends on a terminal.
    `inside` is the folder of a worker started by events: it ends if it is switched off, or after some minutes.
    """
    place: DataFolder | None
    interim: Settings | None
    logged_at: float | None = None
    began = monotonic()
    while not stop.is_set():
        try:
            candidate = settings(call, SettingsNeed.WORK)
            if candidate.sure:
                return candidate
            place, reason = candidate.place, f"settings may be set in Stash, but it can't be asked: {candidate.away}"
            interim = candidate
        except NotSetUp as nothing:
            if inside is None and dashboard.guide(away=bool(nothing.away)):
                stop.wait(ASK_PACE)
                continue
            if not nothing.away or sys.stdin.isatty():
                raise
            place, reason, interim = None, f"{nothing.away} {OR_HERE}", None
        except ConfigError as lacking:
            if inside is None and shows_guide(call, dashboard, lacking):
                stop.wait(ASK_PACE)
                continue
            if not isinstance(lacking, StashAway):
                raise
            place, reason = lacking.place, lacking.lines[-1] + (f" {OR_HERE}" if len(lacking.lines) > 1 else "")
            interim = known_so_far(call) if place is not None else None
        if logged_at is None and place is not None and inside is None:
            with lock_of(address_of(here_of(call).config, place.path)):
                pass  # an unusable folder is reported at once
        if logged_at is None or monotonic() - logged_at >= TELL_PACE:
            logged_at = monotonic()
            log.warning("waiting for Stash: %s", reason)
        if interim is not None:
            dashboard.show(interim)
        elif inside is None:
            dashboard.guide(away=True, waits=True)
        if inside is not None and (enough := waits_no_longer(inside, began)):
            log.info("%s", enough)
            return None
        stop.wait(ASK_PACE)
    return None


def shows_guide(call: Call, dashboard: WaitingDashboard, lacking: ConfigError) -> bool:
    """Open the pages that set PlexSync up, if nothing is known but where Stash is; False if more is, or there are none."""
    is_away = isinstance(lacking, StashAway)
    is_begun = not (is_away or lacking.missing) or not names_stash_alone(sources(call))
    return not is_begun and dashboard.guide(away=is_away)


def known_so_far(call: Call) -> Settings | None:
    """The settings by Stash's last answer; None if one that a server needs is in Stash alone."""
    try:
        interim = settings(call, SettingsNeed.LOOK)
    except ConfigError:
        return None
    return None if interim.lacking else interim


class Reporter:
    """Receives every step: updates the live line, and logs the batches, one line per ten seconds."""

    def __init__(self, line: LiveLine, outcomes: Counter[str]) -> None:
        self.outcomes = outcomes
        self.parts: Parts | None = None
        self._line = line
        self._fresh: Counter[str] = Counter()
        self._kept_fields = 0
        self._logged = monotonic()
        self._shown = 0.0
        self._undone = 0
        self._undone_at: float | None = None
        self._why = ""

    def __call__(self, step: Worked | ProbeResult | Idle) -> None:
        """Record a step."""
        if isinstance(step, Worked):
            self._fresh.update(step.outcomes)
            self._kept_fields += kept_in_all(Counter(step.stored.values()))
            self.outcomes.update(step.outcomes)
        if isinstance(step, Idle) and step.reason != self._why:
            self._why = step.reason
            log.info("%s", step.reason or "working again")
        if monotonic() - self._logged >= LOG_PACE or isinstance(step, Idle):
            self.flush()
        if self._line.shown and (isinstance(step, Idle) or monotonic() - self._shown >= LINE_PACE):
            self._show()

    def flush(self) -> None:
        """Log the batches since the last line."""
        if self._fresh:
            log.info("worked: %s", outcome_words(self._fresh, self._kept_fields))
        self._fresh, self._kept_fields = Counter(), 0
        self._logged = monotonic()

    def _show(self) -> None:
        self._shown = monotonic()
        # The loop reports an error and waits; the line can wait as well.
        with suppress(LocalFault):
            text = self._text(self.parts) if self.parts else ""
            rate = sum(self._fresh.values()) / max(self._shown - self._logged, 1.0)
            self._line.show(f"{text} | {rate:.1f}/s" if rate else text)

    def _text(self, parts: Parts) -> str:
        now = parts.clock.now()
        with parts.store.reading() as db:
            waiting = db.jobs.count_unsettled()
            # There may be very many undone ones.
            if self._undone_at is None or monotonic() - self._undone_at >= UNDONE_PACE:
                self._undone, self._undone_at = sum(db.memories.count_undone().values()), monotonic()
            in_step = db.jobs.count_states()[State.IDLE] - self._undone
            in_sync = in_sync_words(db.standings.kept_fields())
            gates = gates_to_show({*db.breakers.names(), *db.holds.names()})
            rows = {gate: db.breakers.find(gate) for gate in gates}
            held = {gate for gate in gates if db.holds.find(gate)}
        states = (
            f"{caption(gate)} {server_words(breaker(parts.config, row, now), held=gate in held)}"
            for gate, row in rows.items()
        )
        return " | ".join((count_words(in_sync, in_step), count_words(SceneStatus.QUEUED.word, waiting), *states))
