"""The summary at the end of the demo: what was read back from Plex and Stash, and who did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from rich.console import Console

from plexsync.cli.commands.demo_check import Checked, check
from plexsync.cli.commands.demo_stage import Stage
from plexsync.cli.commands.demo_takeover import Takeover, TakeoverFacts, takeover_rows
from plexsync.cli.terminal.screen import say, table
from plexsync.reports.format import many
from plexsync.reports.status import facts
from plexsync.simulator.plex_server import ItemSnapshot

OUTAGE = 12.0
REASONS = {
    "absent": "Plex has no such file",
    "ambiguous": "several items fit, left alone",
    "shared": "their movie is another scene's",
}


class DemoSummary(TypedDict):
    """The result of the demo, for JSON. `well`: everything is as it should be. `takeover` is null on one machine."""

    well: bool
    store: str
    scenes: int
    in_step: int
    not_written: dict[str, int]
    kept_for_a_person: int
    wrong: list[str]
    bystanders_written: list[str]
    attempts_used: int
    collections: dict[str, int]
    requests: dict[str, int]
    seconds: float
    dead: dict[str, int]
    takeover: TakeoverFacts | None


@dataclass(frozen=True)
class PlayEnd:
    """What the acts leave for the summary.

    `seconds` they took; movies that are nobody's as they were `untouched`; titles edited `by_hand`, by movie; the scene
    that was `watched` in Plex.
    """

    seconds: float
    untouched: dict[str, ItemSnapshot]
    by_hand: dict[str, str]
    watched: int
    takeover: Takeover | None


def count_attempts(stage: Stage) -> int:
    """The attempts that failures used up."""
    with stage.parts.store.reading() as db:
        return db.attempts.count_used()


def count_plays(stage: Stage, id: int) -> int:
    """The number of plays that Stash has of a scene."""
    return len(stage.stash.plays.of(id))


def sum_up(stage: Stage, screen: Console, ending: PlayEnd) -> DemoSummary:
    """Read everything back, print it, and return it."""
    asked = {"plex": stage.plex.count(), "edits": stage.plex.count("PUT"), "stash": stage.stash.count()}
    takeover = ending.takeover.facts(stage) if ending.takeover else None
    checked = check(stage, ending.untouched, ending.by_hand)
    plays = count_plays(stage, ending.watched)
    if plays != 1:
        checked.wrong.append(f"scene {ending.watched}: was played once, has {many(plays, 'play')} in Stash")
    if takeover and (takeover["taken_over_after"] is None or not takeover["edits_by_standby"]):
        checked.wrong.append(f"the standby, process {takeover['standby']}, has not finished the work")
    now = facts(stage.parts)
    unexplained = now["dead"].keys() - {"ambiguous"}
    summary: DemoSummary = {
        "well": not checked.wrong and not checked.touched and not unexplained and now["books"]["balanced"],
        "store": "postgres" if stage.parts.config.database_url else "sqlite",
        "scenes": len(stage.library.scenes),
        "in_step": checked.in_step,
        "not_written": checked.reasons,
        "kept_for_a_person": checked.kept,
        "wrong": checked.wrong,
        "bystanders_written": checked.touched,
        "attempts_used": count_attempts(stage),
        "collections": stage.wall.counts(),
        "requests": asked,
        "seconds": round(ending.seconds, 1),
        "dead": now["dead"],
        "takeover": takeover,
    }
    screen.print()
    say(screen, "Read back from Plex by plexapi, and compared with what the library was made of", style="bold")
    screen.print(table("", ("", ""), _rows(summary, plays, len(ending.untouched)), right=(1,)))
    _tell_wrong(screen, checked)
    return summary


def _rows(summary: DemoSummary, plays: int, bystanders: int) -> list[tuple[str, str]]:
    reasons: Mapping[str, int] = summary["not_written"]
    requests = summary["requests"]
    return [
        ("in sync, every field of every item", f"{summary['in_step']:,} of {summary['scenes']:,} scenes"),
        *((f"{reason}: {explanation}", f"{reasons.get(reason, 0):,}") for reason, explanation in REASONS.items()),
        ("a title that a person had locked in Plex, kept", f"{summary['kept_for_a_person']:,}"),
        ("not as it should be", f"{len(summary['wrong']):,}"),
        ("movies that are nobody's, written to", f"{len(summary['bystanders_written']):,} of {bystanders:,}"),
        ("plays in Plex, in Stash", f"{plays:,} of 1"),
        ("attempts used up by the outage", f"{summary['attempts_used']:,}"),
        ("requests to Plex", f"{requests['plex']:,} ({requests['edits']:,} edits)"),
        *(takeover_rows(summary["takeover"]) if summary["takeover"] else ()),
        ("requests to Stash", f"{requests['stash']:,}"),
        ("time", f"{summary['seconds']:.0f} s, {OUTAGE:.0f} s of them without Plex"),
    ]


def _tell_wrong(screen: Console, checked: Checked) -> None:
    for line in checked.wrong[:10]:
        say(screen, f"   {line}")
