"""`plexsync drain`: works the jobs that are due, then ends."""

import click

from plexsync.app.parts import open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.switches import asked_settings, bulk_approved, comparison_owed
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.daemon.work_loop import Due, work
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import paper, say
from plexsync.reports.format import local, many, stamp
from plexsync.reports.outcomes import outcome_words
from plexsync.reports.status import OWED
from plexsync.reports.verdict import COMMAND
from plexsync.rules.queue.job import State

FIRST_WRITE = "the first write needs your approval (plexsync sync --all)"


@command("drain")
@click.pass_obj
def drain(call: Call) -> int:
    """Work until nothing is due, then stop.

    For machines where no worker runs all the time: call it from a timer. A server that was down is asked at once, once in
    each call, whether it is back. What is tried again later, or waits for a scan of Plex, is left for the next call. If
    another worker runs, this one watches until nothing is due. A database that was damaged is rebuilt first; after that,
    after a restore, and after a change of settings that waits for no yes, a full comparison runs. Exits with 1 if a scene
    became a dead letter, or if something due could not be synced because a server is down or on hold.

    \b
    Example:
      plexsync drain
    """
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        ended = work(start, stop, Due(), "working", patient=False)
        with open_parts(start.config, start.folder) as parts:
            with parts.store.reading() as db:
                due, ready = db.jobs.count_due(parts.clock.now())[0], db.jobs.count_states()[State.READY]
            # Another worker has its own schedule for comparisons.
            owed = comparison_owed(parts) and not parts.someone_works()
            question, approved = asked_settings(parts), bulk_approved(parts)
        # A job returned because of a server waits a moment, and may not be due again yet.
        stuck = bool(ended.reason) and due + ready > 0
        facts = {
            "outcomes": dict(ended.outcomes),
            "kept_fields": ended.kept_fields,
            "due": due,
            "why": ended.reason,
            "until": stamp(ended.until) if ended.reason else None,
            "comparison_due": owed,
        }
        until = f" (until {local(ended.until)})" if ended.reason and ended.until else ""
        nothing = "nothing could be worked" if stuck else "nothing was due"
        summary = outcome_words(ended.outcomes, ended.kept_fields, nothing=nothing)
        summary += COMMAND if ended.outcomes["dead"] else ""
        waiting = f"{many(due, 'row')} still due" if due else f"{many(ready, 'row')} put off"
        summary += f"; {waiting}: {ended.reason}{until}" if stuck else ""
        if question:
            summary += f"; {question.text}: they wait for your yes (plexsync sync --all)"
        elif owed:
            summary += f"; {OWED if approved else FIRST_WRITE}"
        call.answer(facts, lambda: say(paper(), summary))
        return stop.code or (FAILED if stuck or (owed and approved) or ended.outcomes["dead"] else FINE)
