"""`plexsync import`: brings what Plex knows and Stash lacks to Stash, once, and takes it back."""

from collections.abc import Sequence

import click

from plexsync.actions.imports import UNDO
from plexsync.app.imports import import_parts, in_turn
from plexsync.app.parts import open_parts
from plexsync.app.settings import SettingsNeed
from plexsync.app.turns import OtherImport
from plexsync.cli.actions import SelectionOptions, run_action
from plexsync.cli.call import FAILED, FINE, YES, Call, command
from plexsync.cli.daemon.signals import Stop, stoppable
from plexsync.cli.start import Begun, begin_call
from plexsync.cli.terminal.param_types import SceneNumber
from plexsync.cli.terminal.prompts import confirm
from plexsync.cli.terminal.screen import ProgressBar, paper, say
from plexsync.flows.imports.importer import Importer, ImportResult
from plexsync.flows.imports.planner import SceneImport
from plexsync.reports.format import many
from plexsync.reports.imports import (
    NOT_PART,
    ImportCounts,
    count_lines,
    count_scene,
    import_facts,
    missing_names,
    names_lines,
    outcome_lines,
    problem_lines,
    scene_lines,
    to_create,
)
from plexsync.rules.merge.imports import ImportPlan

# The number of scenes that are shown on a terminal.
ON_A_TERMINAL = 20
UNDO_ALONE = "--undo takes an import back: it goes with --yes alone"


@command("import")
@click.option("--dry-run", "dry", is_flag=True, help="Write nothing: show what would be filled, scene by scene.")
@click.option("--create", is_flag=True, help="Create the performers, studios and tags that Stash does not have.")
@click.argument("scenes", metavar="[SCENE]...", nargs=-1, type=SceneNumber())
@click.option("--scene", "named", metavar="SCENE", multiple=True, type=SceneNumber(), help="As the argument SCENE.")
@click.option("--undo", "run", metavar="RUN", type=click.IntRange(min=1), help="Take this import back.")
@YES
@click.pass_obj
def import_(
    call: Call,
    scenes: tuple[int, ...],
    named: tuple[int, ...],
    dry: bool,
    create: bool,
    run: int | None,
    yes: bool,
) -> int:
    """Fill fields that are empty in Stash with what Plex has: title, date, details, rating, studio, performers, tags.

    Shows what would be filled, and asks once. A field with a value in Stash is never touched, and nothing is written to
    Plex: a value is left out if a sync would write something to Plex because of it. Names are found by name or alias;
    with --create those that Stash does not have are created. A running worker waits meanwhile. Each import has a number:
    --undo takes it back, as far as nobody has changed the values since. Exits with 1 if something could not be done.

    \b
    Examples:
      plexsync import --dry-run
      plexsync import 7 12
      plexsync import --create --yes
      plexsync import --undo 1
    """
    scenes = tuple(dict.fromkeys((*scenes, *named)))
    if run is not None and (dry or create or scenes):
        raise click.UsageError(UNDO_ALONE)
    if dry and yes:
        raise click.UsageError("--dry-run writes nothing: it goes without --yes")
    if run is not None:
        return run_action(call, UNDO, SelectionOptions((f"{run}",)), yes=yes)
    with begin_call(call, need=SettingsNeed.WORK) as start, stoppable() as stop:
        try:
            return _import(call, start, stop, scenes, dry=dry, create=create, yes=yes)
        except OtherImport as error:
            return call.refuse(str(error))


def _import(call: Call, start: Begun, stop: Stop, ids: Sequence[int], *, dry: bool, create: bool, yes: bool) -> int:
    counts: ImportCounts = {"scenes": 0, "filled": 0, "skipped": 0, "left_out": 0, "fields": {}}
    scenes = _plan_import(start, stop, ids, counts, create=create)
    if stop:
        return stop.code
    if not call.json:
        _show(scenes, counts)
    agreed = [scene for scene in scenes if scene.plan.fills]
    outcome = None
    if agreed and not dry:
        if not yes and not confirm(_question(agreed)):
            return call.declined("changed", import_facts(scenes, counts, dry=dry, outcome=None))

        def work(importer: Importer) -> ImportResult:
            with ProgressBar(start.console, "importing") as bar:
                return importer.carry_out(agreed, progress=bar.at)

        outcome = in_turn(start.config, start.folder, work, stop.event.is_set)
    call.answer(import_facts(scenes, counts, dry=dry, outcome=outcome))
    is_well = not any(scene.reason for scene in scenes)
    if outcome:
        for line in () if call.json else outcome_lines(outcome, undo=False):
            say(paper(), line)
        for line in problem_lines(outcome):
            click.echo(f"plexsync: {line}", err=True)
        is_well = is_well and outcome.is_complete
    return stop.code or (FINE if is_well else FAILED)


def _plan_import(
    start: Begun, stop: Stop, ids: Sequence[int], counts: ImportCounts, *, create: bool
) -> list[SceneImport]:
    """Plan the import. Of all scenes, those about which there is something to say are kept."""
    with open_parts(start.config, start.folder) as parts:
        start.reach(parts)
        scenes, stopping = [], stop.event.is_set
        planner = import_parts(parts).planner
        with ProgressBar(start.console, "comparing") as bar:
            names = planner.changes.names()
            for scene in planner.plans(ids or None, names, create=create, progress=bar.at, stopping=stopping):
                count_scene(counts, scene)
                if ids or scene.plan != ImportPlan():
                    scenes.append(scene)
    return scenes


def _show(scenes: Sequence[SceneImport], counts: ImportCounts) -> None:
    out = paper()
    most = ON_A_TERMINAL if out.is_terminal else len(scenes)
    lines = [line for scene in scenes[:most] for line in scene_lines(scene)]
    if len(scenes) > most:
        lines.append(f"... and {many(len(scenes) - most, 'scene')} more (a pipe shows all)")
    lines += [
        *count_lines(counts),
        *names_lines("Created first:", to_create(scenes)),
        *names_lines("Not in Stash, so left out (--create creates them):", missing_names(scenes)),
        NOT_PART,
    ]
    for line in lines:
        say(out, line)


def _question(agreed: Sequence[SceneImport]) -> str:
    fields = sum(len(scene.plan.fills) for scene in agreed)
    names = len(to_create(agreed))
    created = f", after creating {many(names, 'name')}" if names else ""
    return f"Fill {many(fields, 'field')} of {many(len(agreed), 'scene')} in Stash{created}?"
