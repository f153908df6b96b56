"""What `plexsync sync --dry-run` shows: in words, as JSON, or as a report in one HTML file, each written as it comes."""

import html
import json
import re
import shutil
import sys
import tempfile
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, TextIO

import click
from rich.console import Console

from plexsync.app.parts import Parts, opened
from plexsync.cli.call import FAILED, FINE, Call
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun
from plexsync.cli.terminal.export_file import output
from plexsync.cli.terminal.screen import Bar, paper, say
from plexsync.flows.scenes.preview import WOULD_CHANGE, FieldChange, Preview
from plexsync.reports.format import many, safe, stamp
from plexsync.reports.preview import scene_facts
from plexsync.reports.rows import short
from plexsync.rules.errors import NeighbourError, SyncError
from plexsync.rules.item import PICTURES
from plexsync.rules.status_words import PREVIEWED, counted, finding_counts, finding_word
from plexsync.rules.values import Held

Facts = dict[str, Any]

ALWAYS = 6
FAULT = "a fault of PlexSync"
POSTERS = "  {} would change to the picture in Stash (poster = none leaves them alone)"
# Before the first write of a whole library, so many scenes are shown in full.
FIRST_FEW = 5


@dataclass
class Seen:
    """What a dry run has found so far. So many `posters` would be others; `failure` says what ended it early; `stopped`: a
    person did."""

    counts: Counter[str] = field(default_factory=Counter)
    posters: int = 0
    failure: str = ""
    stopped: bool = False

    def count(self, preview: Preview) -> None:
        """Take note of a scene."""
        self.counts[preview.standing] += 1
        changes = (change for item in preview.items for change in item.fields)
        self.posters += any(change.field == "thumb" and change.new.value != change.old.value for change in changes)

    @property
    def complete(self) -> bool:
        """Whether it came to its end."""
        return not (self.failure or self.stopped)

    @property
    def code(self) -> int:
        """The exit code it asks for."""
        return FINE if self.complete and not (self.counts["failed"] or self.counts["gone"]) else FAILED

    def facts(self) -> Facts:
        """For JSON."""
        names = dict.fromkeys((*(finding.value for finding in PREVIEWED), *self.counts))
        counts = {name: self.counts[name] for place, name in enumerate(names) if self.counts[name] or place < ALWAYS}
        more = {"error": self.failure} if self.failure else {}
        total = self.counts.total()
        return {"total": total, "counts": counts, "posters": self.posters, "complete": self.complete, **more}

    def lines(self) -> list[str]:
        """In words."""
        facts = self.facts()
        ended = ", then stopped" if self.stopped else f", then it ended: {safe(self.failure)}" if self.failure else ""
        head = f"{many(facts['total'], 'scene')} compared{ended}"
        lines = [
            head,
            *(f"  {counted(word, count)}" for word, count in finding_counts(self.counts, PREVIEWED[:ALWAYS])),
        ]
        return [*lines, POSTERS.format(many(self.posters, "poster"))] if self.posters else lines


# --- where it goes ---------------------------------------------------------------------------------------------------


class Paper(ABC):
    """Where scenes are written as they come, and at the end the counts. `whole`: all scenes, else those that change."""

    whole = False

    def put(self, preview: Preview) -> None:
        """Take note of a scene."""
        if self.whole or preview.standing == WOULD_CHANGE:
            self.write(preview)

    @abstractmethod
    def write(self, preview: Preview) -> None:
        """Write a scene."""

    @abstractmethod
    def end(self, totals: Seen) -> None:
        """Write the end."""


class Words(Paper):
    """Lines for a person."""

    def __init__(self, out: Console, *, whole: bool) -> None:
        self._out = out
        self.whole = whole

    def write(self, preview: Preview) -> None:
        """A few lines for each scene."""
        for line in scene_lines(preview):
            say(self._out, line)

    def end(self, totals: Seen) -> None:
        """The counts."""
        say(self._out, "\n".join(totals.lines()))


class Document(Paper):
    """One JSON object."""

    def __init__(self, out: TextIO, *, whole: bool) -> None:
        self._out = out
        self._count = 0
        self.whole = whole
        out.write('{\n  "dry_run": true,\n  "scenes": [')

    def write(self, preview: Preview) -> None:
        """An object of the list."""
        self._out.write(("," if self._count else "") + "\n    " + json.dumps(scene_facts(preview)))
        self._count += 1

    def end(self, totals: Seen) -> None:
        """The counts, and the end of the object."""
        rest = (f",\n  {json.dumps(name)}: {json.dumps(value)}" for name, value in totals.facts().items())
        self._out.write(("\n  ]" if self._count else "]") + "".join(rest) + "\n}\n")
        self._out.flush()


class Report(Paper):
    """One HTML file: the counts stand before the scenes, which wait in a file without a name until then."""

    def __init__(self, out: TextIO, scenes: IO[str], at: str, *, whole: bool) -> None:
        self._out = out
        self._scenes = scenes
        self._at = at
        self.whole = whole

    def write(self, preview: Preview) -> None:
        """A section for each scene."""
        self._scenes.writelines(scene_html(preview))

    def end(self, totals: Seen) -> None:
        """Put it together."""
        head, *counts = totals.lines()
        self._out.write(HEAD)
        self._out.write(f"<h1>What a sync would change</h1>\n<p>{shown(head)}, {self._at}. Nothing was written.</p>\n")
        self._out.write("<ul>\n" + "".join(f"<li>{shown(line.strip())}</li>\n" for line in counts) + "</ul>\n")
        self._scenes.seek(0)
        shutil.copyfileobj(self._scenes, self._out)
        self._out.write("</main>\n</body>\n</html>\n")


@contextmanager
def _on_paper(call: Call, parts: Parts, file: str, *, whole: bool, replace: bool) -> Iterator[Paper | None]:
    """Where the scenes go; None where that depends on the screen."""
    if file:
        with output(file, replace=replace) as out:
            # Beside the report: what it takes is free there, and nobody else reads it.
            with tempfile.TemporaryFile("w+", encoding="utf-8", dir=Path(file).absolute().parent) as scenes:
                yield Report(out, scenes, stamp(parts.clock.now()) or "", whole=whole)
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
    file: str = "",
    replace: bool = False,
    take_over: bool = False,
) -> int:
    """Show what a sync of these scenes (of all, or of those changed since then) would do; returns the exit code."""
    out = paper()
    with opened(start.config, start.folder) as parts, stoppable() as stop:
        start.tell(parts)
        if start.settings.away and not start.settings.sure:
            raise start.settings.away
        with _on_paper(call, parts, file, whole=bool(ids), replace=replace) as chosen:
            with Bar(start.console, "comparing") as bar:
                # The bar moves out of the way of what is printed on its own console, and of nothing else there.
                on = chosen or Words(start.console if out.is_terminal and bar.drawn else out, whole=bool(ids))
                asked = Asked(list(ids) or None, moment(parts, since), take_over=take_over)
                totals = _run(call, parts, asked, on, bar, stop)
            on.end(totals)
        if file:
            facts = {"dry_run": True, **totals.facts(), "file": file}
            call.answer(facts, lambda: say(out, "\n".join([*totals.lines(), f"the report is in {file}"])))
        return stop.code or totals.code


def moment(parts: Parts, since: datetime | timedelta | None) -> datetime | None:
    """The moment that is meant; one that is still to come is warned of."""
    now = parts.clock.now() / 1000
    if isinstance(since, timedelta):
        return datetime.fromtimestamp(now, UTC) - since
    if since is not None and since.timestamp() > now:
        click.echo("plexsync: warning: --since is still to come, so nothing can have changed since", err=True)
    return since


@dataclass(frozen=True)
class Asked:
    """Which scenes are looked at (None: all), and by which sync."""

    ids: list[int] | None
    since: datetime | None
    take_over: bool


def _run(call: Call, parts: Parts, asked: Asked, on: Paper, bar: Bar, stop: Stop) -> Seen:
    """Look at everything; when a side goes away what was seen until then is told, with the reason."""
    totals = Seen()
    scenes = parts.previewer.preview(
        asked.ids, since=asked.since, take_over=asked.take_over, progress=bar.at, stopping=lambda: bool(stop)
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
    except Exception as error:  # whatever it is: whoever reads the object gets a whole one
        if isinstance(on, Document):
            # A fault of our own may quote anything: it is told on standard error alone.
            totals.failure = str(error) if isinstance(error, SyncError) else FAULT
            on.end(totals)
            call.json = False
        raise
    totals.stopped = bool(stop)
    return totals


def first_look(start: Begun, parts: Parts, *, take_over: bool = False) -> Seen:
    """What the first write of a whole library would do: the first few scenes in full, then the counts."""
    out, first = paper(), list[Preview]()
    with stoppable() as stop, Bar(start.console, "comparing") as bar:
        totals = Seen()
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


# --- one scene -------------------------------------------------------------------------------------------------------


def scene_lines(preview: Preview) -> Iterator[str]:
    """A scene in words: a line for each field that would change, and for each note."""
    name = f"Scene {preview.id}: {safe(preview.title, 120)}" if preview.title else f"Scene {preview.id}"
    if preview.standing != WOULD_CHANGE:
        yield f"{name}: {finding_word(preview.standing)}{f' ({safe(preview.why)})' if preview.why else ''}"
        return
    for item in preview.items:
        yield f"{name} (item {item.key})"
        for change in item.fields:
            yield f"  {short(change.field)}: {'; '.join(_change_words(change))}"
    for note in preview.notes:
        yield f"  {short(note.field)} ({note.reason}): {safe(note.text)}"


def _change_words(change: FieldChange) -> Iterator[str]:
    if isinstance(change.new.value, tuple):
        if change.adds:
            yield f"add {safe(', '.join(change.adds))}"
        if change.removes:
            yield f"remove {safe(', '.join(change.removes))}"
    elif change.new.value != change.old.value:
        old, new = _values(change)
        yield f"{safe(old, 120) or '(empty)'} -> {safe(new, 120) or '(empty)'}"
    if lock := _lock(change.old, change.new):
        yield lock


def _values(change: FieldChange) -> tuple[str, str]:
    """A single value before and after; of a picture, whose key tells a person nothing, where it comes from."""
    old, new = str(change.old.value), str(change.new.value)
    if change.field not in PICTURES:
        return old, new
    return (
        old and "the picture in Plex",
        "" if not new else "the picture in Stash" if new != old else "the picture in Plex",
    )


def _lock(old: Held, new: Held) -> str:
    return "" if old.locked == new.locked else "lock" if new.locked else "unlock"


# --- the report ------------------------------------------------------------------------------------------------------

# Nothing is loaded and nothing runs, whatever stands in a title.
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


def shown(text: str) -> str:
    """A text of others inside HTML: no mark-up, nothing that can't be shown, and its direction ends with it."""
    return f"<bdi>{html.escape(_UNSHOWN.sub(chr(0xFFFD), text))}</bdi>"


def scene_html(preview: Preview) -> Iterator[str]:
    """A scene as a section of the report, in pieces."""
    yield f"<section>\n<h2>Scene {preview.id}{f': {shown(preview.title)}' if preview.title else ''}</h2>\n"
    if preview.standing != WOULD_CHANGE:
        yield f"<p>{shown(finding_word(preview.standing))}{f': {shown(preview.why)}' if preview.why else ''}</p>\n"
    for item in preview.items:
        yield f"<table>\n<caption>item {shown(item.key)}</caption>\n{HEADS}"
        for change in item.fields:
            yield (
                f"<tr><td>{shown(short(change.field))}</td><td>{_old_html(change)}</td><td>{_new_html(change)}</td>"
                f"<td>{_lock(change.old, change.new)}</td></tr>\n"
            )
        yield "</table>\n"
    if preview.notes:
        yield "<ul>\n"
        for note in preview.notes:
            yield f"<li>{shown(short(note.field))} ({shown(note.reason)}): {shown(note.text)}</li>\n"
        yield "</ul>\n"
    yield "</section>\n"


def _old_html(change: FieldChange) -> str:
    value = change.old.value
    if isinstance(value, tuple):
        return ", ".join(f"<del>{shown(name)}</del>" if name in change.removes else shown(name) for name in value)
    old, new = _values(change)
    return f"<del>{shown(old)}</del>" if old and old != new else shown(old)


def _new_html(change: FieldChange) -> str:
    value = change.new.value
    if isinstance(value, tuple):
        return ", ".join(f"<ins>{shown(name)}</ins>" if name in change.adds else shown(name) for name in value)
    old, new = _values(change)
    return f"<ins>{shown(new)}</ins>" if old != new else shown(new)
