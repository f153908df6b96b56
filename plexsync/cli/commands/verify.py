"""`plexsync verify`: whether Plex shows what Stash says, in a figure."""

from collections import Counter
from random import SystemRandom

import click
from rich.console import Console

from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FAILED, FINE, Call, command
from plexsync.cli.daemon.signals import stoppable
from plexsync.cli.start import begin_call
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.engine.tickets import READ_STASH
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, preview_scenes
from plexsync.reports.comparisons import VerifyFacts, scene_facts
from plexsync.reports.format import many, safe, stamp
from plexsync.reports.rows import short
from plexsync.rules.queue.note_keys import VERIFIED
from plexsync.rules.words import verified
from plexsync.rules.words.status_words import Finding, count_words, finding_counts, in_sync_line

# The number of differing scenes that are listed.
LISTED = 20
AS_STASH_SAYS = (Finding.IN_SYNC, Finding.KEPT)


@command("verify")
@click.option("--sample", metavar="N", type=click.IntRange(1), help="Compare only so many scenes, drawn at random.")
@click.pass_obj
def verify(call: Call, sample: int | None) -> int:
    """Compare what Plex shows with what Stash says, and end with a figure. Writes to neither server.

    Compares every scene that has an item in Plex, or a sample. The figure and its time stay in status and on the
    dashboard. What differs is listed; plexsync sync syncs it, and so does the next full comparison. Exits with 1 if
    something differs or could not be compared.

    \b
    Examples:
      plexsync verify --sample 500
      plexsync verify
    """
    with (
        begin_call(call, need=SettingsNeed.WORK) as start,
        open_parts(start.config, start.folder) as parts,
        stoppable() as stop,
        ProgressBar(start.console, "verifying") as bar,
    ):
        start.meet(parts)
        drawn = _draw_sample(parts, sample) if sample else None
        counts, held_count, differing = Counter[str](), 0, list[Preview]()
        for preview in preview_scenes(parts.inspector, drawn, sweep=True, progress=bar.at, stopping=stop.event.is_set):
            counts[preview.standing] += 1
            held_count += preview.kept_fields
            if preview.standing == WOULD_CHANGE and len(differing) < LISTED:
                differing.append(preview)
        now = parts.clock.now()
        in_sync, differ = sum(counts[name] for name in AS_STASH_SAYS), counts[WOULD_CHANGE]
        if not stop:
            note = verified.format_note(
                now, in_sync=in_sync, differ=differ, sample=drawn is not None, kept_fields=held_count
            )
            with parts.store.writing() as tx:
                tx.notes.save(VERIFIED, note)
    facts: VerifyFacts = {
        "at": stamp(now),
        "scenes": counts.total(),
        "in_sync": in_sync,
        "differ": differ,
        "left_out": {name: count for name, count in counts.items() if name not in (*AS_STASH_SAYS, WOULD_CHANGE)},
        "kept_fields": held_count,
        "sample": drawn is not None,
        "complete": not stop,
        "scenes_that_differ": [scene_facts(preview) for preview in differing],
    }
    call.answer(facts, lambda: _tell(facts, paper()))
    return stop.code or (FAILED if differ or counts[Finding.FAILED] else FINE)


def _draw_sample(parts: Parts, count: int) -> list[int]:
    """So many scenes of Stash, drawn at random, by id."""
    pages = parts.stash.walk_ids()
    ids: list[int] = []
    while (page := parts.gates.ask(READ_STASH, lambda: next(pages, None), of_all=True)) is not None:
        ids += [id for id, _ in page]
    return sorted(SystemRandom().sample(ids, min(count, len(ids))))


def _tell(facts: VerifyFacts, out: Console) -> None:
    compared = facts["in_sync"] + facts["differ"]
    of_all = "a sample of " if facts["sample"] else ""
    be = "is" if compared == 1 else "are"
    ends = "" if facts["complete"] else "; stopped before the end"
    words = in_sync_line(facts["kept_fields"])
    say(out, f"{facts['in_sync']:,} of {of_all}{many(compared, 'scene')} in Plex {be} {words}{ends}")
    if facts["left_out"]:
        say(
            out,
            f"not compared: {', '.join(count_words(word, count) for word, count in finding_counts(facts['left_out']))}",
        )
    if listed := facts["scenes_that_differ"]:
        rows = []
        for scene in listed:
            fields = dict.fromkeys(short(field["field"]) for item in scene["items"] for field in item["fields"])
            rows.append((str(scene["id"]), safe(scene["title"], 60), ", ".join(fields)))
        out.print(table("Scenes that differ", ("scene", "title", "fields"), rows, right=(0,)))
        more = f"; {facts['differ'] - len(listed):,} more" if facts["differ"] > len(listed) else ""
        say(out, f"plexsync sync {' '.join(row[0] for row in rows)} syncs these{more}")
