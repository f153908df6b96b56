"""`plexsync serve`: the worker, until stopped."""

import logging
import threading
from collections import Counter
from time import monotonic

import click

import wiring
from cli.call import FAILED, Call, command
from cli.screen import LiveLine
from cli.settings import Need, Settings, StashAway, settings
from cli.standing import breaker, server_words
from cli.start import logged, warn
from cli.stopping import Stop, stoppable
from cli.watching import SettingsWatch
from cli.working import outcome_words
from sync.errors import LocalFault, Neighbour
from sync.job import State
from validation.redact import RedactingFilter, Redactor
from wiring import Parts
from worker.engine import Idle, Probed, Worked

log = logging.getLogger("PlexSync.serve")

LINE_PACE = 0.5  # seconds between two looks at the counts for the live line
LOG_PACE = 10.0  # seconds whose batches share one line of the log
ASK_PACE = 2.0  # seconds between two tries to get the settings that Stash may hold
TELL_PACE = 60.0  # seconds between two lines that say so
BUSY = "another worker runs on this database: stop it first, or use that one"


@command("serve")
@click.pass_obj
def serve(call: Call) -> int:
    """Keep Plex in step with Stash until stopped: the worker, the watch over Stash, and the reconcile schedule.

    Run it as a service, beside Stash or anywhere that reaches Stash and Plex. It notices edits by itself every
    stash_poll_interval seconds and at once when the plugin in Stash tells of them; changed settings, in plexsync.toml or
    in Stash, it takes over by itself. One worker runs on a database: a second one says so and exits with 1. Ctrl-C or
    SIGTERM stops it in good order within ten seconds.

    Logs one event a line to standard error; PLEXSYNC_LOG sets the level (debug, info, warning, error).

    \b
    Examples:
      plexsync serve
      PLEXSYNC_LOG=debug plexsync serve 2>>plexsync.log
    """
    with logged(call, level="info") as (console, hiding), stoppable(terminated=0) as stop:
        outcomes: Counter[str] = Counter()
        found = patiently(call, stop.event)
        if found is not None:
            hiding.use(Redactor(call.secrets))
            warn(found)
            with wiring.lock_of(found.place.path) as mine:
                if not mine:
                    call.answer({"error": BUSY}, lambda: None)
                    click.echo(f"plexsync: {BUSY}", err=True)
                    return FAILED
                with LiveLine(console) as line:
                    report = Reporter(line, outcomes)
                    _work(call, found, stop, report, hiding)
        log.info("stopped in good order")
        call.answer({"outcomes": dict(outcomes)}, lambda: None)
        return stop.code


def _work(call: Call, found: Settings, stop: Stop, report: "Reporter", hiding: RedactingFilter) -> None:
    """Work until stopped: when settings change the parts are put together anew, on the same database and under its lock."""
    current: Settings | None = found
    while current is not None:
        config = current.loaded.config
        with wiring.opened(config, found.place.path, worker=True) as parts:
            config.log_config()
            if current is found:
                log.info("serving")
            if current.said is not None:
                wiring.keep_settings(parts.store, current.said)
            watch = SettingsWatch(call, current, parts, stop.event)
            # A signal ends the work at once, also while Stash is being asked.
            stop.spread(watch.ended)
            watch.start()
            report.parts = parts
            try:
                wiring.serve(parts, watch.ended, report)
            finally:
                watch.end()
            report.flush()
            report.parts = None
        current = None if stop else watch.fresh
        hiding.use(Redactor(call.secrets))


def patiently(call: Call, stop: threading.Event) -> Settings | None:
    """The settings, as soon as nothing is missing that Stash alone may know; None when stopped before."""
    place: wiring.Place | None
    told: float | None = None
    while not stop.is_set():
        try:
            found = settings(call, Need.WORK)
            if found.sure:
                return found
            place, why = found.place, f"settings may be set in Stash, but it can't be asked: {found.away}"
        except StashAway as away:
            place, why = away.place, away.lines[-1]
        if told is None and place is not None:
            with wiring.lock_of(place.path):
                pass  # a folder that can't be used is told of at once
        if told is None or monotonic() - told >= TELL_PACE:
            told = monotonic()
            log.warning("waiting for Stash: %s", why)
        stop.wait(ASK_PACE)
    return None


class Reporter:
    """Hears of every step: keeps the live line up to date, and logs what was worked, ten seconds a line."""

    def __init__(self, line: LiveLine, outcomes: Counter[str]) -> None:
        self.outcomes = outcomes
        self.parts: Parts | None = None
        self._line = line
        self._fresh: Counter[str] = Counter()
        self._logged = monotonic()
        self._shown = 0.0
        self._why = ""

    def __call__(self, step: Worked | Probed | Idle) -> None:
        """Take note of a step."""
        if isinstance(step, Worked):
            self._fresh.update(step.outcomes)
            self.outcomes.update(step.outcomes)
        if isinstance(step, Idle) and step.why != self._why:
            self._why = step.why
            log.info("%s", step.why or "working again")
        if monotonic() - self._logged >= LOG_PACE or isinstance(step, Idle):
            self.flush()
        if self._line.shown and monotonic() - self._shown >= LINE_PACE:
            self._show()

    def flush(self) -> None:
        """Log what was worked since the last line."""
        if self._fresh:
            log.info("worked: %s", outcome_words(self._fresh))
        self._fresh = Counter()
        self._logged = monotonic()

    def _show(self) -> None:
        self._shown = monotonic()
        try:
            text = self._text(self.parts) if self.parts else ""
        except LocalFault:
            # The loop tells of it and waits; the line can wait as well.
            return
        rate = sum(self._fresh.values()) / max(self._shown - self._logged, 1.0)
        self._line.show(f"{text} | {rate:.1f}/s" if rate else text)

    def _text(self, parts: Parts) -> str:
        now = parts.clock.now()
        with parts.store.reading() as db:
            waiting = db.unsettled()
            in_step = db.overview(now).jobs.get(State.IDLE, 0)
            rows = {who: db.breaker(who) for who in Neighbour}
            held = {who for who in Neighbour if db.hold(who)}
        states = (
            f"{who.title()} {server_words(breaker(parts, row, now), held=who in held)}" for who, row in rows.items()
        )
        return " | ".join((f"{in_step:,} in step", f"{waiting:,} waiting", *states))
