"""The output of `plexsync sync --dry-run`: text, JSON, or a report in one HTML file, each written as results arrive."""

import html
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Protocol, TextIO

from rich.console import Console

from plexsync.app import plan_file
from plexsync.app.parts import Parts, open_parts
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun
from plexsync.cli.terminal.export_file import output
from plexsync.cli.terminal.param_types import moment
from plexsync.cli.terminal.screen import ProgressBar, paper, say, table
from plexsync.flows.scenes.preview import WOULD_CHANGE, Preview, preview_scenes
from plexsync.reports.comparisons import PreviewCounts, PreviewError, scene_facts, undecidable_line
from plexsync.reports.format import many, safe, stamp
from plexsync.reports.rows import on_screen, short
from plexsync.rules.item import PICTURES
from plexsync.rules.merge.approval import FieldChange
from plexsync.rules.merge.values import Held, Value
from plexsync.rules.record_class import record
from plexsync.rules.servers.errors import NeighbourError, SyncError, Unusable
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


# Nothing is loaded or executed, whatever a title contains.
HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>What a sync would change - PlexSync</title>
<style>
:root { color-scheme: light dark; --line: #8886; --soft: #8882; --gone: #b3261e; --new: #146c2e; }
@media (prefers-color-scheme: dark) { :root { --gone: #ff8a80; --new: #81d995; } }
body { font: 1rem/1.45 system-ui, sans-serif; margin: 0; }
main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
section { content-visibility: auto; contain-intrinsic-size: auto 12rem; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: .5rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { text-align: start; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid var(--soft); }
td { white-space: pre-wrap; overflow-wrap: anywhere; }
th:first-child, th:last-child { width: 6.5rem; }
caption { text-align: start; opacity: .75; }
del { color: var(--gone); } ins { color: var(--new); text-decoration: none; }
</style>
</head>
<body>
<main>
"""
HEADS = "<tr><th>field</th><th>in Plex now</th><th>after</th><th>lock</th></tr>\n"
_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def escape_text(text: str) -> str:
    """Escape a foreign text for HTML: no mark-up, no unprintable characters, and its text direction ends with it."""
    return f"<bdi>{html.escape(_UNSHOWN.sub(chr(0xFFFD), text))}</bdi>"


def scene_html(preview: Preview) -> Iterator[str]:
    """A scene as a section of the report, in pieces."""
    yield f"<section>\n<h2>Scene {preview.id}{f': {escape_text(preview.title)}' if preview.title else ''}</h2>\n"
    if preview.standing != WOULD_CHANGE:
        yield f"<p>{escape_text(preview.word)}{f': {escape_text(preview.reason)}' if preview.reason else ''}</p>\n"
    for item in preview.items:
        yield f"<table>\n<caption>item {escape_text(item.key)}</caption>\n{HEADS}"
        for change in item.fields:
            old = _marked(change, "del", change.old.value, change.removes)
            new = _marked(change, "ins", change.new.value, change.adds)
            yield (
                f"<tr><td>{escape_text(short(change.field))}</td><td>{old}</td><td>{new}</td>"
                f"<td>{lock_change(change.old, change.new)}</td></tr>\n"
            )
        yield "</table>\n"
    if preview.notes:
        yield "<ul>\n"
        for note in preview.notes:
            yield f"<li>{escape_text(short(note.field))} ({escape_text(note.reason)}): {escape_text(note.text)}</li>\n"
        yield "</ul>\n"
    yield "</section>\n"


def _marked(change: FieldChange, mark: str, value: Value, moved: Collection[str]) -> str:
    """One side of a change, with what it alone has in this mark."""
    if isinstance(value, tuple):
        return ", ".join(
            f"<{mark}>{escape_text(name)}</{mark}>" if name in moved else escape_text(name) for name in value
        )
    old, new = single_values(change)
    text = old if mark == "del" else new
    return f"<{mark}>{escape_text(text)}</{mark}>" if old != new and (text or mark == "ins") else escape_text(text)


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
            say(self.out, f"... and {many(self.more, 'scene')} more (--html FILE or a pipe shows all). In all scenes:")
            rows = [(field, f"{count:,}") for field, count in self.fields.most_common()]
            self.out.print(table("", ("field", "scenes that would change"), rows, right=(1,)))
        say(self.out, "\n".join(totals.lines()))


class Document:
    """One JSON object: what is known `before`, a list of scenes, and the totals."""

    def __init__(self, out: TextIO, before: Mapping[str, object], *, whole: bool) -> None:
        self._out = out
        self._count = 0
        self.whole = whole
        out.write("{" + "".join(f"\n  {json.dumps(name)}: {json.dumps(value)}," for name, value in before.items()))
        out.write('\n  "scenes": [')

    def write(self, preview: Preview) -> None:
        """Write an object of the list."""
        self.put(scene_facts(preview))

    def put(self, scene: Mapping[str, object]) -> None:
        """Write a scene, on a line of its own."""
        self._out.write(("," if self._count else "") + "\n    " + json.dumps(scene))
        self._count += 1

    def end(self, totals: PreviewTotals) -> None:
        """Write the totals and the end of the object."""
        self.close(totals.facts())

    def close(self, after: Mapping[str, object]) -> None:
        """Write the end of the list, and what comes after it."""
        rest = (f",\n  {json.dumps(name)}: {json.dumps(value)}" for name, value in after.items())
        self._out.write(("\n  ]" if self._count else "]") + "".join(rest) + "\n}\n")
        self._out.flush()


class PlanDocument(Document):
    """A plan that `plexsync sync --apply` reads. A dry run that did not end makes none."""

    def __init__(self, out: TextIO, head: plan_file.PlanHead) -> None:
        super().__init__(out, {"plexsync_plan": plan_file.VERSION, **asdict(head)}, whole=False)

    def write(self, preview: Preview) -> None:
        """Write the changes of a scene, if it has any."""
        if preview.items:
            facts = scene_facts(preview)
            self.put({name: facts[name] for name in ("id", "title", "items", "notes")})

    def end(self, totals: PreviewTotals) -> None:
        """Write the end."""
        if not totals.complete:
            raise Unusable(f"no plan was written: {safe(totals.failure) or 'the dry run was stopped'}")
        self.close({})


@dataclass
class HtmlReport:
    """One HTML file: the totals come before the scenes, which are buffered in an unnamed file until then."""

    _out: TextIO
    _scenes: IO[str]
    _at: str
    whole: bool

    def write(self, preview: Preview) -> None:
        """Write a section for each scene."""
        self._scenes.writelines(scene_html(preview))

    def end(self, totals: PreviewTotals) -> None:
        """Write the totals, then the buffered sections."""
        head, *counts = totals.lines()
        self._out.write(HEAD)
        self._out.write(
            f"<h1>What a sync would change</h1>\n<p>{escape_text(head)}, {self._at}. Nothing was written.</p>\n"
        )
        self._out.write("<ul>\n" + "".join(f"<li>{escape_text(line.strip())}</li>\n" for line in counts) + "</ul>\n")
        self._scenes.seek(0)
        shutil.copyfileobj(self._scenes, self._out)
        self._out.write("</main>\n</body>\n</html>\n")


@record
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
            yield PlanDocument(out, plan_file.head_now(parts, take_over=take_over, made_at=at))
    elif file:
        with output(file, replace=replace) as out:
            # In the folder of the report: that disk has space for it, and nobody else can read it.
            with tempfile.TemporaryFile("w+", encoding="utf-8", dir=Path(file).absolute().parent) as scenes:
                yield HtmlReport(out, scenes, stamp(parts.clock.now()) or "", whole=whole)
    elif call.json:
        yield Document(sys.stdout, {"dry_run": True}, whole=whole)
    else:
        yield None


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
    with open_parts(start.config, start.folder) as parts, stoppable() as stop:
        start.require(parts)
        with _on_paper(call, parts, to, whole=bool(ids), take_over=take_over) as chosen:
            with ProgressBar(start.console, "comparing") as bar:
                # The bar makes room only for output on its own console.
                on = chosen or Words(
                    start.console if out.is_terminal and bar.drawn else out,
                    whole=bool(ids),
                    most=ON_A_TERMINAL if out.is_terminal and not ids else None,
                )
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
        if to.path:
            facts = {"dry_run": True, **totals.facts(), "file": to.path}
            call.answer(facts, lambda: say(out, "\n".join([*totals.lines(), to.line])))
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
