"""The output of `plexsync sync --dry-run`: text or JSON, written as results arrive."""

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, TextIO

from rich.console import Console

from plexsync.app.parts import Parts, open_parts
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun
from plexsync.cli.terminal.param_types import moment
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, preview_scenes
from plexsync.reports.comparisons import PreviewCounts, PreviewError, scene_facts, undecidable_line
from plexsync.reports.format import many, safe
from plexsync.reports.rows import on_screen, short
from plexsync.rules.item import PICTURES
from plexsync.rules.merge.field_change import FieldChange
from plexsync.rules.merge.values import Held
from plexsync.rules.servers.errors import NeighbourError, SyncError
from plexsync.rules.words.status_words import PREVIEWED, count_words, finding_counts

ALWAYS = 6
FAULT = "a fault of PlexSync"
POSTERS = "  {} would change to the picture in Stash (poster = none leaves them alone)"
# The number of scenes shown in full before the first write, and by a dry run on a terminal.
FIRST_FEW, ON_A_TERMINAL = 5, 20


@dataclass
class PreviewTotals:
    """The totals of a dry run so far.

    `posters` is the number of posters that would change, `undecidable` that of scenes with locked values that an earlier
    database may have written, `kept_fields` that of fields that Plex keeps, `failure` the error that ended it, `stopped`
    whether the user did.
    """

    counts: Counter[str] = field(default_factory=Counter)
    posters: int = 0
    undecidable: int = 0
    kept_fields: int = 0
    failure: str = ""
    stopped: bool = False

    def count(self, preview: Preview) -> None:
        """Count a scene."""
        self.counts[preview.standing] += 1
        self.undecidable += preview.undecidable
        self.kept_fields += preview.kept_fields
        changes = (change for item in preview.items for change in item.fields)
        self.posters += any(change.field == "thumb" and change.new.value != change.old.value for change in changes)

    @property
    def complete(self) -> bool:
        """Whether the dry run covered all scenes."""
        return not (self.failure or self.stopped)

    @property
    def code(self) -> int:
        """The exit code."""
        return FINE if self.complete and not (self.counts["failed"] or self.counts["gone"]) else FAILED

    def facts(self) -> PreviewCounts:
        """For JSON."""
        names = dict.fromkeys((*(finding.value for finding in PREVIEWED), *self.counts))
        counts = {name: self.counts[name] for place, name in enumerate(names) if self.counts[name] or place < ALWAYS}
        more: PreviewError = {"error": self.failure} if self.failure else {}
        total = self.counts.total()
        return {
            "total": total,
            "counts": counts,
            "posters": self.posters,
            "undecidable": self.undecidable,
            "kept_fields": self.kept_fields,
            "complete": self.complete,
            **more,
        }

    def lines(self) -> list[str]:
        """The totals as lines of text."""
        facts = self.facts()
        ended = ", then stopped" if self.stopped else f", then it ended: {safe(self.failure)}" if self.failure else ""
        head = f"{many(facts['total'], 'scene')} compared{ended}"
        counts = finding_counts(self.counts, PREVIEWED[:ALWAYS], kept_fields=self.kept_fields)
        lines = [head, *(f"  {count_words(word, count)}" for word, count in counts)]
        lines += [POSTERS.format(many(self.posters, "poster"))] if self.posters else []
        return [*lines, undecidable_line(self.undecidable)] if self.undecidable else lines


def scene_lines(preview: Preview, *, locks: bool = True) -> Iterator[str]:
    """A scene as text: one line for each field that would change, with its lock if `locks`, and for each note."""
    name = f"Scene {preview.id}: {safe(preview.title, 120)}" if preview.title else f"Scene {preview.id}"
    if preview.standing != WOULD_CHANGE:
        yield f"{name}: {preview.word}{f' ({safe(preview.reason)})' if preview.reason else ''}"
        return
    for item in preview.items:
        yield f"{name} (item {item.key})"
        for change in item.fields:
            if words := "; ".join(_change_words(change, locks=locks)):
                yield f"  {short(change.field)}: {words}"
    for note in preview.notes:
        yield f"  {short(note.field)} ({note.reason}): {safe(note.text)}"


def _change_words(change: FieldChange, *, locks: bool) -> Iterator[str]:
    if isinstance(change.new.value, tuple):
        if change.adds:
            yield f"add {safe(', '.join(change.adds))}"
        if change.removes:
            yield f"remove {safe(', '.join(change.removes))}"
    elif change.new.value != change.old.value:
        old, new = single_values(change)
        yield f"{safe(old, 120) or '(empty)'} -> {safe(new, 120) or '(empty)'}"
    if locks and (lock := lock_change(change.old, change.new)):
        yield lock


def single_values(change: FieldChange) -> tuple[str, str]:
    """A single value before and after; for a picture its source, since its key is not readable."""
    old, new = str(change.old.value), str(change.new.value)
    if change.field not in PICTURES:
        return on_screen(old, change.field), on_screen(new, change.field)
    return (
        old and "the picture in Plex",
        "" if not new else "the picture in Stash" if new != old else "the picture in Plex",
    )


def lock_change(old: Held, new: Held) -> str:
    """`lock`, `unlock`, or '' if the lock does not change."""
    return "" if old.locked == new.locked else "lock" if new.locked else "unlock"


class Paper(Protocol):
    """The output of scenes as they arrive, then the totals. `whole`: all scenes, else only those that change."""

    whole: bool

    def write(self, preview: Preview) -> None:
        """Write a scene."""

    def end(self, totals: PreviewTotals) -> None:
        """Write the end."""


@dataclass
class Words:
    """Lines of text: all scenes, or the first `most` and a summary of the others by field."""

    out: Console
    whole: bool
    most: int | None = None
    more: int = 0
    fields: Counter[str] = field(default_factory=Counter)

    def write(self, preview: Preview) -> None:
        """A few lines for each scene."""
        self.fields.update({short(change.field) for item in preview.items for change in item.fields})
        if self.most is not None and not self.most:
            self.more += 1
            return
        self.most = self.most and self.most - 1
        for line in scene_lines(preview):
            say(self.out, line)

    def end(self, totals: PreviewTotals) -> None:
        """Write the number of scenes that were left out, by field, and the totals."""
        if self.more:
            say(self.out, f"... and {many(self.more, 'scene')} more (a pipe shows all). In all scenes:")
            rows = [(field, f"{count:,}") for field, count in self.fields.most_common()]
            self.out.print(table("", ("field", "scenes that would change"), rows, right=(1,)))
        say(self.out, "\n".join(totals.lines()))


class Document:
    """One JSON object: a list of scenes, then the totals."""

    def __init__(self, out: TextIO, *, whole: bool) -> None:
        self._out = out
        self._count = 0
        self.whole = whole
        out.write('{\n  "dry_run": true,\n  "scenes": [')

    def write(self, preview: Preview) -> None:
        """Write a scene, on a line of its own."""
        self._out.write(("," if self._count else "") + "\n    " + json.dumps(scene_facts(preview)))
        self._count += 1

    def end(self, totals: PreviewTotals) -> None:
        """Write the totals and the end of the object."""
        rest = (f",\n  {json.dumps(name)}: {json.dumps(value)}" for name, value in totals.facts().items())
        self._out.write(("\n  ]" if self._count else "]") + "".join(rest) + "\n}\n")
        self._out.flush()


def dry_run(
    call: Call,
    start: Begun,
    ids: tuple[int, ...],
    *,
    since: datetime | timedelta | None = None,
    take_over: bool = False,
    redo: bool = False,
) -> int:
    """Show what a sync of these scenes (or all, or those changed since then) would do; returns the exit code.

    `redo`: what one of these scenes would do that ends their undo; no scenes are none.
    """
    out = paper()
    with open_parts(start.config, start.folder) as parts, stoppable() as stop:
        start.require(parts)
        with ProgressBar(start.console, "comparing") as bar:
            # The bar makes room only for output on its own console.
            words = Words(
                start.console if out.is_terminal and bar.drawn else out,
                whole=bool(ids),
                most=ON_A_TERMINAL if out.is_terminal and not ids else None,
            )
            on = Document(sys.stdout, whole=bool(ids)) if call.json else words
            scenes = preview_scenes(
                parts.inspector,
                list(ids) if ids or redo else None,
                since=moment(since, parts.clock.now()),
                take_over=take_over,
                redo=redo,
                progress=bar.at,
                stopping=lambda: bool(stop),
            )
            totals = _run(call, scenes, on, bar, stop)
        on.end(totals)
        return stop.code or totals.code


def _run(call: Call, scenes: Iterable[Preview], on: Paper, bar: ProgressBar, stop: Stop) -> PreviewTotals:
    """Preview everything; if a server goes down, the results so far are shown, with the reason."""
    totals = PreviewTotals()
    try:
        for preview in scenes:
            totals.count(preview)
            if on.whole or preview.standing == WOULD_CHANGE:
                on.write(preview)
    except NeighbourError as error:
        totals.failure = str(error)
        bar.say(f"plexsync: {safe(totals.failure)}")
    except OSError:
        raise
    except Exception as error:  # whatever the error, the reader of the JSON gets a complete object
        if isinstance(on, Document):
            # An internal error may quote anything: it goes to standard error only.
            totals.failure = str(error) if isinstance(error, SyncError) else FAULT
            on.end(totals)
            call.json = False
        raise
    totals.stopped = bool(stop)
    return totals


def first_look(start: Begun, parts: Parts, *, take_over: bool = False) -> PreviewTotals:
    """The effect of the first write: the first few scenes in full, then the totals."""
    out, first = paper(), list[Preview]()
    with stoppable() as stop, ProgressBar(start.console, "comparing") as bar:
        totals = PreviewTotals()
        look = preview_scenes(parts.inspector, take_over=take_over, progress=bar.at, stopping=lambda: bool(stop))
        for preview in look:
            totals.count(preview)
            if preview.standing == WOULD_CHANGE and len(first) < FIRST_FEW:
                first.append(preview)
        totals.stopped = bool(stop)
    on = Words(out, whole=False)
    for preview in first:
        on.write(preview)
    if totals.counts[WOULD_CHANGE] > len(first):
        say(out, f"... and {many(totals.counts[WOULD_CHANGE] - len(first), 'scene')} more")
    on.end(totals)
    return totals
