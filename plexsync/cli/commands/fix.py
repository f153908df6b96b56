"""`plexsync fix`: walks through everything that needs you, one problem at a time."""

from collections.abc import Sequence

import click

from plexsync.app.parts import Parts, opened
from plexsync.app.settings import SettingsNeed
from plexsync.cli.call import FINE, Call, command
from plexsync.cli.start import Begun, begun
from plexsync.cli.terminal.fix_output import tell_report
from plexsync.cli.terminal.screen import paper
from plexsync.flows.scenes.candidates import candidates_now
from plexsync.reports.fixes import CAUSES, FixPage, Looked, fix_report
from plexsync.reports.shapes.fixes import FixReport
from plexsync.reports.status import facts
from plexsync.rules.errors import NeighbourError

SHOWN = 50


@command("fix")
@click.option("--cause", type=click.Choice(CAUSES), help="Only the problems with this cause.")
@click.pass_obj
def fix(call: Call, cause: str | None) -> int:
    """Walk through everything that needs you, one by one, and mend it.

    Problems are grouped by cause. Of an ambiguous scene it shows the candidates side by side: title, file, length and
    size. On a terminal you choose what to do by number: bind, ignore, retry, accept a change, change a setting, sign in to
    Plex again; or you skip it. Without a terminal it prints the list, with the command for each step, and changes nothing.

    \b
    Examples:
      plexsync fix
      plexsync fix --cause ambiguous
      plexsync fix --json
    """
    with begun(call, need=SettingsNeed.LOOK) as start, opened(start.config, start.folder) as parts:
        start.meet(parts)
        report = read(start, parts, FixPage(cause or "", limit=SHOWN))
        call.answer({**report}, lambda: tell_report(report, paper()))
    return FINE


def read(start: Begun, parts: Parts, page: FixPage) -> FixReport:
    """A page of the problems, as they are now."""

    def look(ids: Sequence[int]) -> Looked:
        if start.settings.away is not None:
            return Looked(away=str(start.settings.away))
        try:
            return Looked(candidates_now(parts.looker, parts.gates, ids))
        except NeighbourError as error:
            return Looked(away=str(error))

    return fix_report(parts, facts(parts), page, look)
