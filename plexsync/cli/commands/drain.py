"""`plexsync drain`: works what is due, then ends."""

import click

from plexsync.app.parts import opened
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import comparison_owed
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import Due, Work, outcome_words
from plexsync.cli.start import begun
from plexsync.cli.terminal.screen import Bar, paper, say
from plexsync.reports.format import many, stamp
from plexsync.reports.status import OWED
from plexsync.rules.job import State
from plexsync.rules.records import Overview


@command("drain")
@click.pass_obj
def drain(call: Call) -> int:
    """Work until nothing is due, then stop.

    For machines where no worker runs all the time: call it from a timer. What is tried again later, or waits for a scan
    of Plex, is left for the next call. If another worker runs, this one watches until nothing is due. A database that
    was damaged is rebuilt first; after that, and after a restore, a full comparison runs. Exits with 1 if a scene
    became a dead letter, or if something due could not be synced because a server is down or on hold.

    \b
    Example:
      plexsync drain
    """
    with begun(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        with Bar(start.console, "working") as bar:
            ended = Work(start, stop, bar, Due(), patient=False).run()
        with opened(start.config, start.folder) as parts:
            with parts.store.reading() as db:
                seen = db.overview(parts.clock.now())
            # Whoever works beside us has a schedule for it.
            owed = comparison_owed(parts) and not parts.someone_works()
        # What went back for a server's sake waits a moment and may not be due again yet.
        stuck = bool(ended.why) and seen.due + seen.jobs.get(State.READY, 0) > 0
        facts = {
            "outcomes": dict(ended.outcomes),
            "due": seen.due,
            "why": ended.why,
            "until": stamp(ended.until) if ended.why else None,
            "comparison_due": owed,
        }
        until = f" (until {stamp(ended.until)})" if ended.why and ended.until else ""
        told = outcome_words(ended.outcomes, nothing="nothing could be worked" if stuck else "nothing was due")
        told += f"; {_left(seen)}: {ended.why}{until}" if stuck else ""
        told += f"; {OWED}" if owed else ""
        call.answer(facts, lambda: say(paper(), told))
        return stop.code or (FAILED if stuck or owed or ended.outcomes["dead"] else FINE)


def _left(seen: Overview) -> str:
    """What is still to be done: it is due, or was put off a moment ago."""
    return f"{many(seen.due, 'row')} still due" if seen.due else f"{many(seen.jobs[State.READY], 'row')} put off"
