"""`plexsync serve`: the worker, until stopped."""

import logging
from collections import Counter
from time import monotonic

import click

import wiring
from cli.call import FAILED, Call, command
from cli.screen import LiveLine
from cli.standing import breaker, server_words
from cli.start import begun
from cli.stopping import stoppable
from cli.working import outcome_words
from sync.errors import LocalFault, Neighbour
from sync.job import State
from wiring import Parts
from worker.engine import Idle, Probed, Worked

log = logging.getLogger("PlexSync.serve")

LINE_PACE = 0.5  # seconds between two looks at the counts for the live line
LOG_PACE = 10.0  # seconds whose batches share one line of the log
BUSY = "another worker runs on this database: stop it first, or use that one"


@command("serve")
@click.pass_obj
def serve(call: Call) -> int:
    """Keep Plex in step with Stash until stopped: the worker, the watch over Stash, and the reconcile schedule.

    Run it as a service, beside Stash or anywhere that reaches Stash and Plex. It notices edits by itself every
    stash_poll_interval seconds and at once when the plugin in Stash tells of them. One worker runs on a database: a
    second one says so and exits with 1. Ctrl-C or SIGTERM stops it in good order within ten seconds.

    Logs one event a line to standard error; PLEXSYNC_LOG sets the level (debug, info, warning, error).

    \b
    Examples:
      plexsync serve
      PLEXSYNC_LOG=debug plexsync serve 2>>plexsync.log
    """
    with begun(call, level="info") as start, stoppable(terminated=0) as stop:
        with wiring.at_work(start.config, start.folder) as (parts, mine):
            if not mine:
                call.answer({"error": BUSY}, lambda: None)
                click.echo(f"plexsync: {BUSY}", err=True)
                return FAILED
            start.config.log_config()
            log.info("serving")
            with LiveLine(start.console) as line:
                report = Reporter(parts, line)
                wiring.serve(parts, stop.event, report)
            report.flush()
            log.info("stopped in good order")
        call.answer({"outcomes": dict(report.outcomes)}, lambda: None)
        return stop.code


class Reporter:
    """Hears of every step: keeps the live line up to date, and logs what was worked, ten seconds a line."""

    def __init__(self, parts: Parts, line: LiveLine) -> None:
        self.outcomes: Counter[str] = Counter()
        self._parts = parts
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
            text = self._text()
        except LocalFault:
            # The loop tells of it and waits; the line can wait as well.
            return
        rate = sum(self._fresh.values()) / max(self._shown - self._logged, 1.0)
        self._line.show(f"{text} | {rate:.1f}/s" if rate else text)

    def _text(self) -> str:
        parts, now = self._parts, self._parts.clock.now()
        with parts.store.reading() as db:
            waiting = db.unsettled()
            in_step = db.overview(now).jobs.get(State.IDLE, 0)
            rows = {who: db.breaker(who) for who in Neighbour}
            held = {who for who in Neighbour if db.hold(who)}
        states = (
            f"{who.title()} {server_words(breaker(parts, row, now), held=who in held)}" for who, row in rows.items()
        )
        return " | ".join((f"{in_step:,} in step", f"{waiting:,} waiting", *states))
