"""The output of `plexsync sync --dry-run`: text, JSON, or a report in one HTML file, each written as results arrive."""

import json
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TextIO

from rich.console import Console

from plexsync.app import plan_file
from plexsync.app.parts import Parts, opened
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun
from plexsync.cli.terminal.export_file import output
from plexsync.cli.terminal.param_types import moment
from plexsync.cli.terminal.preview_html import HEAD, scene_html, shown
from plexsync.cli.terminal.preview_text import scene_lines
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview
from plexsync.reports.comparisons import PreviewCounts, PreviewError, scene_facts, undecidable_line
from plexsync.reports.format import many, safe, stamp
from plexsync.reports.rows import short
from plexsync.rules.errors import NeighbourError, SyncError, Unusable
from plexsync.rules.status_words import PREVIEWED, counted, finding_counts

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
        lines = [head, *(f"  {counted(word, count)}" for word, count in counts)]
        lines += [POSTERS.format(many(self.posters, "poster"))] if self.posters else []
        return [*lines, undecidable_line(self.undecidable)] if self.undecidable else lines


# --- output formats --------------------------------------------------------------------------------------------------


class Paper(ABC):
    """The output of scenes as they arrive, then the totals. `whole`: all scenes, else only those that change."""

    whole = False

    def put(self, preview: Preview) -> None:
        """Count a scene, and write it if it is to be shown."""
        if self.whole or preview.standing == WOULD_CHANGE:
            self.write(preview)

    @abstractmethod
    def write(self, preview: Preview) -> None:
        """Write a scene."""

    @abstractmethod
    def end(self, totals: PreviewTotals) -> None:
        """Write the end."""


class Words(Paper):
    """Lines of text: all scenes, or the first `most` and a summary of the others by field."""

    def __init__(self, out: Console, *, whole: bool, most: int | None = None) -> None:
        self._out = out
        self._most = most
        self._more = 0
        self._fields: Counter[str] = Counter()
        self.whole = whole

    def write(self, preview: Preview) -> None:
        """A few lines for each scene."""
        self._fields.update({short(change.field) for item in preview.items for change in item.fields})
        if self._most is not None and not self._most:
            self._more += 1
            return
        self._most = self._most and self._most - 1
        for line in scene_lines(preview):
            say(self._out, line)

    def end(self, totals: PreviewTotals) -> None:
        """Write the number of scenes that were left out, by field, and the totals."""
        if self._more:
            say(
                self._out, f"... and {many(self._more, 'scene')} more (--html FILE or a pipe shows all). In all scenes:"
            )
            rows = [(field, f"{count:,}") for field, count in self._fields.most_common()]
            self._out.print(table("", ("field", "scenes that would change"), rows, right=(1,)))
        say(self._out, "\n".join(totals.lines()))


class Document(Paper):
    """One JSON object."""

    def __init__(self, out: TextIO, *, whole: bool) -> None:
        self._out = out
        self._count = 0
        self.whole = whole
        out.write('{\n  "dry_run": true,\n  "scenes": [')

    def write(self, preview: Preview) -> None:
        """Write an object of the list."""
        self._out.write(("," if self._count else "") + "\n    " + json.dumps(scene_facts(preview)))
        self._count += 1

    def end(self, totals: PreviewTotals) -> None:
        """Write the totals and the end of the object."""
        rest = (f",\n  {json.dumps(name)}: {json.dumps(value)}" for name, value in totals.facts().items())
        self._out.write(("\n  ]" if self._count else "]") + "".join(rest) + "\n}\n")
        self._out.flush()


class HtmlReport(Paper):
    """One HTML file: the totals come before the scenes, which are buffered in an unnamed file until then."""

    def __init__(self, out: TextIO, scenes: IO[str], at: str, *, whole: bool) -> None:
        self._out = out
        self._scenes = scenes
        self._at = at
        self.whole = whole

    def write(self, preview: Preview) -> None:
        """Write a section for each scene."""
        self._scenes.writelines(scene_html(preview))

    def end(self, totals: PreviewTotals) -> None:
        """Write the totals, then the buffered sections."""
        head, *counts = totals.lines()
        self._out.write(HEAD)
        self._out.write(f"<h1>What a sync would change</h1>\n<p>{shown(head)}, {self._at}. Nothing was written.</p>\n")
        self._out.write("<ul>\n" + "".join(f"<li>{shown(line.strip())}</li>\n" for line in counts) + "</ul>\n")
        self._scenes.seek(0)
        shutil.copyfileobj(self._scenes, self._out)
        self._out.write("</main>\n</body>\n</html>\n")


class PlanPaper(Paper):
    """A plan that `plexsync sync --apply` reads. A dry run that did not end makes none."""

    def __init__(self, out: TextIO, head: plan_file.PlanHead) -> None:
        self._out = out
        self._is_first = True
        plan_file.begin(out, head)

    def write(self, preview: Preview) -> None:
        """Write the changes of a scene, if it has any."""
        if not preview.items:
            return
        facts = scene_facts(preview)
        scene = {"id": facts["id"], "title": facts["title"], "items": facts["items"], "notes": facts["notes"]}
        plan_file.put(self._out, scene, first=self._is_first)
        self._is_first = False

    def end(self, totals: PreviewTotals) -> None:
        """Write the end."""
        if not totals.complete:
            raise Unusable(f"no plan was written: {safe(totals.failure) or 'the dry run was stopped'}")
        plan_file.end(self._out)


@dataclass(frozen=True)
class PreviewFile:
    """The file that a dry run writes ('': none): a report, or a plan that can be applied."""

    path: str = ""
    replace: bool = False
    is_plan: bool = False

    @property
    def line(self) -> str:
        """What was written, and what can be done with it."""
        if not self.is_plan:
            return f"the report is in {self.path}"
        return f"the plan is in {self.path}: plexsync sync --apply {self.path} writes it"


@contextmanager
def _on_paper(call: Call, parts: Parts, to: PreviewFile, *, whole: bool, take_over: bool) -> Iterator[Paper | None]:
    """The output for the scenes; None if it depends on the terminal."""
    file, replace = to.path, to.replace
    if file and to.is_plan:
        at = stamp(parts.clock.now()) or ""
        with output(file, replace=replace) as out:
            yield PlanPaper(out, plan_file.head_now(parts, take_over=take_over, made_at=at))
    elif file:
        with output(file, replace=replace) as out:
            # In the folder of the report: that disk has space for it, and nobody else can read it.
            with tempfile.TemporaryFile("w+", encoding="utf-8", dir=Path(file).absolute().parent) as scenes:
                yield HtmlReport(out, scenes, stamp(parts.clock.now()) or "", whole=whole)
    elif call.json:
        yield Document(sys.stdout, whole=whole)
    else:
        yield None


# --- the dry run -----------------------------------------------------------------------------------------------------


def dry_run(
    call: Call,
    start: Begun,
    ids: tuple[int, ...],
    *,
    since: datetime | timedelta | None = None,
    to: PreviewFile | None = None,
    take_over: bool = False,
    redo: bool = False,
) -> int:
    """Show what a sync of these scenes (or all, or those changed since then) would do; returns the exit code.

    `redo`: what one of these scenes would do that ends their undo; no scenes are none.
    """
    out, to = paper(), to or PreviewFile()
    with opened(start.config, start.folder) as parts, stoppable() as stop:
        start.require(parts)
        with _on_paper(call, parts, to, whole=bool(ids), take_over=take_over) as chosen:
            with ProgressBar(start.console, "comparing") as bar:
                # The bar makes room only for output on its own console.
                on = chosen or Words(
                    start.console if out.is_terminal and bar.drawn else out,
                    whole=bool(ids),
                    most=ON_A_TERMINAL if out.is_terminal and not ids else None,
                )
                named = list(ids) if ids or redo else None
                asked = PreviewRequest(named, moment(since, parts.clock.now()), take_over=take_over, redo=redo)
                totals = _run(call, parts, asked, on, bar, stop)
            on.end(totals)
        if to.path:
            facts = {"dry_run": True, **totals.facts(), "file": to.path}
            call.answer(facts, lambda: say(out, "\n".join([*totals.lines(), to.line])))
        return stop.code or totals.code


@dataclass(frozen=True)
class PreviewRequest:
    """The scenes to preview (None: all), and the kind of sync."""

    ids: list[int] | None
    since: datetime | None
    take_over: bool
    redo: bool = False


def _run(call: Call, parts: Parts, asked: PreviewRequest, on: Paper, bar: ProgressBar, stop: Stop) -> PreviewTotals:
    """Preview everything; if a server goes down, the results so far are shown, with the reason."""
    totals = PreviewTotals()
    scenes = parts.previewer.preview(
        asked.ids,
        since=asked.since,
        take_over=asked.take_over,
        redo=asked.redo,
        progress=bar.at,
        stopping=lambda: bool(stop),
    )
    try:
        for preview in scenes:
            totals.count(preview)
            on.put(preview)
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
        look = parts.previewer.preview(take_over=take_over, progress=bar.at, stopping=lambda: bool(stop))
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
