"""`plexsync drift`: what Plex keeps since you locked or edited it there, and your decisions about it."""

from collections.abc import Sequence

import click
from rich.console import Console

from plexsync.actions.model import SubjectKind, Verb
from plexsync.actions.table import action_of
from plexsync.app.parts import Parts, open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.cli.actions import SelectionOptions, run_action
from plexsync.cli.call import FINE, YES, Call, command
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.screen import paper, say, table
from plexsync.flows.scenes.drift import DriftFilter, DriftPage, drift_now, drift_page
from plexsync.reports.drift import (
    DriftFieldFacts,
    DriftReport,
    DriftSceneFacts,
    drift_facts,
    is_field,
    known_drift,
    stays_words,
    value_words,
)
from plexsync.reports.format import ago, many, parse_stamp, safe
from plexsync.reports.rows import short
from plexsync.reports.shapes.values import FieldValue
from plexsync.rules.servers.errors import NeighbourError

MOST_LISTED = 50
LONGEST = 60


@command("drift")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--keep", "answer", flag_value="keep", help="Let these fields follow Plex, also after an edit in Stash.")
@click.option("--take", "answer", flag_value="take", help="Replace these values by those of Stash, once.")
@click.option("--unkeep", "answer", flag_value="unkeep", help="Take --keep back. Writes nothing by itself.")
@click.option(
    "--field", "fields", metavar="FIELD", multiple=True, help="Only this field: title, genre, ... (repeatable)."
)
@click.option("--library", metavar="NAME", default="", help="Only items in this library of Plex.")
@click.option("--kept", is_flag=True, help="List only the fields that you keep.")
@click.option("--all", "all_", is_flag=True, help="Decide about every listed field.")
@click.option("--after", metavar="N", type=click.IntRange(0), default=0, help="List the scenes above this number.")
@click.option("--dry-run", is_flag=True, help="Show what would be decided; changes nothing.")
@YES
@click.pass_obj
def drift(
    call: Call,
    scenes: tuple[int, ...],
    answer: str | None,
    fields: tuple[str, ...],
    library: str,
    kept: bool,
    all_: bool,
    after: int,
    dry_run: bool,
    yes: bool,
) -> int:
    """List the fields that Plex keeps, with both values, and decide about them.

    A field that you edited in Plex stays as it is until Stash changes it (conflict_policy). One that was locked in Plex
    before the first sync stays until you decide, whatever Stash says (first_push). With --keep a field follows Plex until
    --unkeep. With --take Stash's value replaces it once: names that were removed from a list come back, names that Stash
    does not have go, and plexsync undo restores what was there before PlexSync. An edit that you make in Plex after --take
    is not lost. A field that you keep is taken only if you name it and its scene.

    Name scenes, a library, or --all; asks once for more than one scene. Exits with 1 if a scene that was named has no such
    field, or is being worked on.

    \b
    Examples:
      plexsync drift
      plexsync drift --keep 7 --field title
      plexsync drift --take --library Clips --field genre
      plexsync drift --unkeep 7
      plexsync drift --kept
    """
    wanted = DriftFilter(fields, library, kept_only=kept)
    _check(scenes, answer, wanted, all_=all_, after=after)
    if answer is not None:
        named = tuple(map(str, scenes))
        action = action_of(Verb(answer), SubjectKind.SCENES)
        return run_action(
            call, action, SelectionOptions(named, not named, library=library, fields=fields), dry_run=dry_run, yes=yes
        )
    with begin_call(call, need=SettingsNeed.LOOK) as start, open_parts(start.config, start.folder) as parts:
        report = read(start, parts, wanted, scenes, after=after)
        call.answer({**report}, lambda: _tell(report, parts.clock.now(), paper()))
        return FINE


def _check(scenes: Sequence[int], answer: str | None, wanted: DriftFilter, *, all_: bool, after: int) -> None:
    if unknown := [name for name in wanted.fields if not is_field(name)]:
        raise click.UsageError(f"there is no field {unknown[0]}: plexsync drift --json has their names")
    if answer is None and all_:
        raise click.UsageError("--all goes with --keep, --take or --unkeep")
    if answer is not None and (wanted.kept_only or after):
        raise click.UsageError("--kept and --after are for the list")
    if answer is not None and bool(scenes) + all_ + bool(wanted.library and not scenes) != 1:
        raise click.UsageError("say which scenes: their numbers, --library NAME, or --all")


def read(start: Begun, parts: Parts, wanted: DriftFilter, scenes: Sequence[int], *, after: int) -> DriftReport:
    """A page of the list as it is now; only what you keep, while a server can't be asked."""
    away = "" if start.settings.away is None else str(start.settings.away)
    try:
        start.meet(parts)
        if not away and scenes:
            entries = map(wanted.narrow, drift_now(parts.inspector, list(dict.fromkeys(scenes))))
            chosen = tuple(entry for entry in entries if entry.fields)
            with parts.store.reading() as db:
                return drift_facts(DriftPage(chosen, None, db.standings.count_kept(), db.notes.count_kept()))
        if not away:
            return drift_facts(drift_page(parts.inspector, wanted, after=after, limit=MOST_LISTED))
    except NeighbourError as error:
        away = str(error)
    with parts.store.reading() as db:
        return known_drift(db, wanted, away, after=after, limit=MOST_LISTED)


def _tell(report: DriftReport, now: int, out: Console) -> None:
    if report["away"]:
        say(out, f"Both servers can't be asked now, so you see what you keep: {safe(report['away'])}")
    for scene in report["scenes"]:
        say(out, _heading(scene, now), style="bold")
        rows = [_row(facts, now) for facts in scene["fields"]]
        out.print(table("", ("field", "in Plex", "in Stash", "decision"), rows))
    if report["after"] is not None:
        say(out, f"the list goes on: plexsync drift --after {report['after']}")
    fields = [facts for scene in report["scenes"] for facts in scene["fields"]]
    if not fields:
        say(out, "nothing is listed that Plex keeps")
        return
    ways = (
        "plexsync drift --keep SCENE leaves them to Plex, plexsync drift --take SCENE takes what Stash says"
        if any(not facts["kept_since"] for facts in fields)
        else "plexsync drift --take SCENE --field FIELD takes what Stash says"
    )
    say(
        out,
        f"{many(len(fields), 'field')} of {many(len(report['scenes']), 'item')}: {ways}, --unkeep takes a --keep back",
    )


def _heading(scene: DriftSceneFacts, now: int) -> str:
    library = f" of {safe(scene['library'])}" if scene["library"] else ""
    since = f", found {ago(parse_stamp(scene['since']), now)}" if scene["since"] else ""
    return f"Scene {scene['id']}: {safe(scene['title'], 120) or 'no title is known'} (item {scene['item']}{library}{since})"


def _row(facts: DriftFieldFacts, now: int) -> tuple[str, str, str, str]:
    decision = f"kept since {ago(parse_stamp(facts['kept_since']), now)}" if facts["kept_since"] else stays_words(facts)
    field = facts["field"]
    in_plex = "not known now" if facts["plex"] is None else _text(value_words(field, facts["plex"], in_plex=True))
    return short(field), in_plex, _text(value_words(field, facts["stash"])), decision


def _text(value: FieldValue) -> str:
    return safe(value if isinstance(value, str) else ", ".join(value), LONGEST) or "-"
