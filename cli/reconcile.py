"""`plexsync reconcile`: compares everything, wants what differs."""

from collections import Counter

import click

from cli.call import FAILED, FINE, Call, command
from cli.screen import Bar, paper, say
from cli.settings import Need
from cli.start import Begun, begun
from cli.stopping import Stop, stoppable
from cli.working import Outcomes, Remaining, Work, outcomes
from sync.job import Kind, State
from wiring import Parts, opened
from worker.reconciling import Report

STANDINGS = {
    "in step": "in_step",
    "differs": "differ",
    "absent": "absent",
    "ambiguous": "ambiguous",
    "outside": "out_of_scope",
    "person": "kept_for_a_person",
    "undone": "undone",
    "failed": "failed",
}
WORDS = {
    "in_step": "in step",
    "differ": "differ",
    "absent": "not in Plex (yet)",
    "ambiguous": "ambiguous",
    "out_of_scope": "out of scope",
    "kept_for_a_person": "in step but for values that a person keeps in Plex",
    "undone": "undone, and left alone until they change in Stash",
    "failed": "could not be compared",
}


@command("reconcile")
@click.option("--wait", is_flag=True, help="Work what differs before returning, as sync --wait does.")
@click.pass_obj
def reconcile(call: Call, wait: bool) -> int:
    """Compare everything in Stash with everything in Plex, and want what differs.

    Finds what no event tells: edits made while nothing ran, merges, moved folders, restored backups, changes in Plex.
    Writes nothing to Plex itself: what differs is put in the queue for the worker. The worker does this by itself every
    reconcile_interval_hours; call it after a move, a restore, or a change of settings. Exits with 1 if a scene could not be
    compared, or with --wait if one was given up.

    \b
    Examples:
      plexsync reconcile
      plexsync reconcile --wait
    """
    with begun(call, need=Need.WORK) as start, stoppable() as stop:
        with opened(start.config, start.folder) as parts, Bar(start.console, "comparing") as bar:
            start.tell(parts)
            if start.settings.away and not start.settings.sure:
                raise start.settings.away
            report = parts.reconciler.reconcile(bar.at, stopping=lambda: bool(stop))
            complete = not stop
            waiting = _waiting(parts)
            busy = parts.someone_works()
        found, why = _work(start, stop, waiting) if wait and not stop else (None, "")
        facts = _facts(report, found, why, complete=complete)
        call.answer(facts, lambda: say(paper(), _words(report, found, why, busy=busy, complete=complete)))
        failed = report.standing["failed"] or (found and not found.well)
        return stop.code or (FAILED if failed else FINE)


def _waiting(parts: Parts) -> list[int]:
    with parts.store.reading() as db:
        return [id for id, state in db.job_ids(Kind.SCENE) if state in (State.READY, State.RUNNING)]


def _work(start: Begun, stop: Stop, ids: list[int]) -> tuple[Outcomes, str]:
    """Work or watch until these are settled; what became of them, and why that ended early."""
    with Bar(start.console, "syncing") as bar:
        ended = Work(start, stop, bar, Remaining(ids), patient=True).run()
    with opened(start.config, start.folder) as parts, parts.store.reading() as db:
        return outcomes(db, ids), ended.why


def _facts(report: Report, found: Outcomes | None, why: str, *, complete: bool) -> dict[str, object]:
    standing = Counter({STANDINGS.get(name, name): count for name, count in report.standing.items()})
    worked = {"outcomes": dict(found.standing), "causes": dict(found.causes), "why": why} if found else {}
    return {
        "scenes": report.scenes,
        **{name: standing[name] for name in WORDS},
        **{name: count for name, count in standing.items() if name not in WORDS},
        "gone": report.gone,
        "wanted": report.wanted,
        "items": report.items,
        "complete": complete,
        **worked,
    }


def _words(report: Report, found: Outcomes | None, why: str, *, busy: bool, complete: bool) -> str:
    facts = Counter({STANDINGS.get(name, name): count for name, count in report.standing.items()})
    lines = [f"{report.scenes:,} scenes compared" + ("" if complete else ", then stopped")]
    lines += [f"  {facts[name]:,} {WORDS.get(name, name)}" for name in {**WORDS, **facts} if facts[name]]
    if report.gone:
        lines.append(f"  {report.gone:,} gone from Stash")
    if found:
        lines.append(f"worked now: {found.line()}" + (f"; {why}" if why else ""))
    elif report.wanted:
        rest = "the worker does the rest" if busy else "start plexsync serve, or run plexsync drain, to work them"
        lines.append(f"{report.wanted:,} wanted; {rest}")
    return "\n".join(lines)
