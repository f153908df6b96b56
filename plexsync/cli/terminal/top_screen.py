"""The screen of `plexsync top`: one snapshot, drawn to fit any size from 60 columns on."""

import textwrap

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from plexsync.cli.terminal.snapshot import Glance
from plexsync.reports.format import ago, lasting, many, safe, stamp
from plexsync.reports.verdict import BAD, WAIT, WELL, verdict_line, worker_hangs
from plexsync.rules.queue.choices import hold_line
from plexsync.rules.queue.gate_names import SERVERS, caption
from plexsync.rules.queue.job import State
from plexsync.rules.words.status_words import (
    HANGS,
    MAIN_STATES,
    RESTS,
    STARTING,
    SWITCHED_OFF,
    SYNCING,
    UP,
    JobCount,
    count_words,
    job_counts,
    job_word,
)

IDLE, STILL = "nothing until something changes", "nothing while no worker runs"
TONES = {BAD: "red", WAIT: "yellow", WELL: "green"}
# From this width on, running jobs and results are shown side by side.
WIDE = 150
# The number of lines above the lists; of each list's title with the blank line before it.
ABOVE, TITLE = 11, 2


def frame(snapshot: Glance, rate: float | None, *, width: int, height: int, hint: str, trouble: str = "") -> Group:
    """One screen of this size; `hint` says how to quit, `trouble` is the last read error."""
    verdict = _verdict(snapshot, width)
    pace = [("-" if rate is None else f"{rate:,.0f}", "bold" if rate else "")]
    pace.append((f" scenes a minute; {snapshot.changed:,} items changed in the last; {snapshot.due:,} due", ""))
    if snapshot.spooled:
        pace.append((f"; {snapshot.spooled:,} events as files", "yellow"))
    parts: list[RenderableType] = [
        *verdict,
        _head(snapshot, width, hint),
        Text(""),
        _servers(snapshot),
        Text(""),
        _bar(snapshot, width),
        _counts(snapshot),
        Text(""),
        _line("pace ", *pace),
        _line("next ", ("; ".join(_next(snapshot)) or (IDLE if snapshot.worker["running"] else STILL), "")),
    ]
    if trouble:
        parts.append(Text(safe(trouble), style="bold red", no_wrap=True, overflow="ellipsis"))
    room = max(2, height - ABOVE - (len(verdict) - 1) - (len(snapshot.servers) - len(SERVERS)) - (1 if trouble else 0))
    if width >= WIDE:
        half = (width - 3) // 2
        both = Table.grid(padding=(0, 3, 0, 0), expand=True)
        both.add_column(width=half)
        both.add_column(width=half)
        both.add_row(_works(snapshot, room - TITLE), _events(snapshot, room - TITLE))
        parts += [Text(""), both]
    else:
        mine = min(len(snapshot.work) or 1, max(1, room // 2 - TITLE))
        parts += [Text(""), _works(snapshot, mine), Text(""), _events(snapshot, max(1, room - mine - 2 * TITLE))]
    return Group(*parts)


def _line(name: str, *pieces: tuple[str, str]) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(name, style="dim")
    for text, style in pieces:
        line.append(text, style=style)
    return line


def _verdict(snapshot: Glance, width: int) -> list[Text]:
    """The verdict, on two lines at most."""
    style = f"bold {TONES[snapshot.verdict['tone']]}"
    first, *others = textwrap.wrap(safe(verdict_line(snapshot.verdict, snapshot.now)), width)
    lines = [first, " ".join(others)] if others else [first]
    return [Text(line, style=style, no_wrap=True, overflow="ellipsis") for line in lines]


def _head(snapshot: Glance, width: int, hint: str) -> Text:
    state, last = snapshot.worker, ago(snapshot.beat, snapshot.now)
    if not state["enabled"]:
        worker, style = f"{SWITCHED_OFF} (enabled = false)", "bold yellow"
    elif worker_hangs(state):
        worker, style = f"worker {HANGS}, heard of {last}", "bold red"
    elif state["starting"]:
        worker, style = f"worker is {STARTING}", "yellow"
    elif state["running"]:
        worker, style = f"worker runs, heard of {last}", "green"
    elif state["inside"]:
        worker, style = f"worker {RESTS}, heard of {last}", "dim"
    else:
        worker, style = "no worker runs (plexsync serve)", "bold yellow"
    line = Text.assemble(("PlexSync", "bold"), "  ", ((stamp(snapshot.now) or "")[11:], "dim"), "  ", (worker, style))
    line.no_wrap, line.overflow = True, "ellipsis"
    if line.cell_len + 2 + len(hint) <= width:
        line.append(" " * (width - line.cell_len - len(hint)))
        line.append(hint, style="dim")
    return line


def _servers(snapshot: Glance) -> Table:
    drawn = Table.grid(padding=(0, 2, 0, 0))
    drawn.add_column(no_wrap=True, min_width=5)
    drawn.add_column(no_wrap=True, min_width=max(len(breaker["stands"]) for breaker in snapshot.servers.values()))
    drawn.add_column(no_wrap=True, overflow="ellipsis")
    for server, breaker in snapshot.servers.items():
        held = breaker["hold"]
        well = breaker["stands"] == UP
        reason = hold_line(held["setting"], held["message"], held["choice"]) if held else breaker["error"]
        if breaker["asked_for_patience_until"] and not reason:
            reason = f"until {breaker['asked_for_patience_until']}"
        if well and breaker["jobs_per_claim"]:
            reason = f"ramp: {breaker['jobs_per_claim']} scenes at a time"
        drawn.add_row(
            Text(caption(server), style="bold"),
            Text(breaker["stands"], style="green" if well else "bold red"),
            Text(safe(reason or "")),
        )
    return drawn


def _bar(snapshot: Glance, width: int) -> Text:
    """The share of each state as one line of colours; without colours, characters tell them apart."""
    signs = dict(zip(MAIN_STATES, "█▓▒░╳", strict=True))
    counts = [row for row in _job_counts(snapshot) if row.count]
    total = sum(row.count for row in counts)
    line = Text(no_wrap=True)
    if not total:
        return Text("·" * width, style="dim", no_wrap=True)
    cells_left, jobs_left = width, total
    for row in counts:
        # Every present word gets at least one cell.
        cells = min(cells_left, max(1, round(cells_left * row.count / jobs_left)))
        line.append(signs.get(row.state if row.word == job_word(row.state) else "", "─") * cells, style=row.colour)
        cells_left, jobs_left = cells_left - cells, max(1, jobs_left - row.count)
    return line


def _job_counts(snapshot: Glance) -> list[JobCount]:
    return job_counts({state.value: count for state, count in snapshot.jobs.items()}, snapshot.resting)


def _counts(snapshot: Glance) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for row in _job_counts(snapshot):
        line.append("  " if line else "")
        number, _, word = count_words(row.word, row.count).partition(" ")
        line.append(number, style=f"bold {row.colour}" if row.count else "dim")
        line.append(f" {word}", style="" if row.count else "dim")
    return line


def _next(snapshot: Glance) -> list[str]:
    """What comes next: the jobs that are due, unless nobody works them, then the scheduled events."""
    due = (
        [f"{many(snapshot.due, 'job')} due now"]
        if snapshot.due and snapshot.worker["running"] and snapshot.worker["enabled"]
        else []
    )
    return [*due, *(f"{event.text} {ago(event.at, snapshot.now)}" for event in snapshot.coming[:3])]


def _works(snapshot: Glance, rows: int) -> Table:
    count = snapshot.jobs.get(State.RUNNING, 0)
    drawn = _list(f"{SYNCING.title()}: {count:,}" if count else f"{SYNCING.title()}: nothing")
    for row in snapshot.work[:rows]:
        lasts = Text(lasting(max(0, snapshot.now - row.since)), style="dim")
        drawn.add_row(lasts, Text(row.key, style="cyan"), Text(safe(row.title, 120)), Text(row.doing, style="dim"))
    return drawn


def _events(snapshot: Glance, rows: int) -> Table:
    drawn = _list("Latest" if snapshot.events else "Latest: nothing was changed yet")
    for event in snapshot.events[:rows]:
        since, told = Text(ago(event.at, snapshot.now), style="dim"), safe(event.summary)
        told_in = Text(told, style="dim" if event.well else "red")
        drawn.add_row(since, Text(event.key, style="cyan"), Text(safe(event.title, 120)), told_in)
    return drawn


def _list(title: str) -> Table:
    drawn = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=None,
        show_header=False,
        padding=(0, 2, 0, 0),
        pad_edge=False,
        expand=True,
    )
    drawn.add_column(no_wrap=True, width=10)
    drawn.add_column(no_wrap=True, min_width=5)
    drawn.add_column(no_wrap=True, overflow="ellipsis", ratio=2)
    drawn.add_column(no_wrap=True, overflow="ellipsis", ratio=3)
    return drawn
