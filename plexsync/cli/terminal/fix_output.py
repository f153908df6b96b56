"""The output of `plexsync fix` as text."""

from collections.abc import Iterator

from rich.console import Console

from plexsync.cli.terminal.screen import say, table
from plexsync.reports.fixes import FixEntry, FixFile, FixGroup, FixReport, FixStep, measures
from plexsync.reports.format import capitalize, many, safe


def tell_report(report: FixReport, out: Console) -> None:
    """The whole list; its last line says how to go on."""
    if report["away"]:
        say(out, f"The candidates can't be read from both servers now: {safe(report['away'])}")
    for group in report["groups"]:
        say(out, heading(group), style="bold")
        for entry in group["entries"]:
            tell_entry(entry, out)
            for step in steps_of(entry):
                if step["command"]:
                    say(out, f"  {step['label']}: {step['command']}" if step["label"] else f"  {step['command']}")
        if group["after"]:
            more = group["count"] - len(group["entries"])
            say(out, f"and {many(more, 'more problem')}: plexsync fix --cause {group['cause']}")
    count = report["count"]
    line = f"{many(count, 'problem')} {'needs' if count == 1 else 'need'} you; on a terminal, plexsync fix mends them"
    say(out, line if count else "nothing needs you")


def heading(group: FixGroup) -> str:
    """The head of a group."""
    return f"{capitalize(group['meaning'])} ({group['count']:,})"


def tell_entry(entry: FixEntry, out: Console) -> None:
    """One problem, with the candidates side by side."""
    name = entry["title"] or ("" if entry["kind"] == "system" else "no title is known")
    say(out, safe(f"{_name(entry)}: {name}" if entry["kind"] != "system" else name, 200), style="bold")
    say(out, f"  {capitalize(safe(entry['problem']))}")
    if entry["candidates"]:
        rows = [("in Stash", safe(entry["title"], 60), *_file(file)) for file in entry["files"]]
        rows += [
            (f"item {candidate['key']}", safe(candidate["title"], 60), *_file(candidate["file"]))
            for candidate in entry["candidates"]
        ]
        out.print(table("", ("", "title", "file", "length and size"), rows))
    else:
        for file in entry["files"]:
            say(out, f"  {'  '.join(filter(None, _file(file)))}")
    if entry["next"]:
        say(out, f"  {capitalize(safe(entry['next'], 600))}")


def steps_of(entry: FixEntry) -> Iterator[FixStep]:
    """The steps for a problem, those of its candidates first."""
    yield from (candidate["step"] for candidate in entry["candidates"])
    yield from entry["steps"]


def _name(entry: FixEntry) -> str:
    return f"{entry['kind'].title()} {entry['id']}"


def _file(file: FixFile) -> tuple[str, str]:
    return safe(file["path"]), measures(file)
