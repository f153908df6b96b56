"""The date added on the pages: in local time, wherever a field has a value."""

import html
import re

from plexsync.reports.format import local
from plexsync.rules.item import moment_text
from tests.journey.world import World
from tests.web.conftest import Dash, dashboard

CREATED, FOUND, MINE = 1_600_000_000, 1_650_000_000, 1_234_567_890


def shown(dash: Dash, path: str) -> str:
    text = dash.get(path).text
    assert not {moment_text(moment) for moment in (CREATED, FOUND, MINE)} & set(re.findall(r"[-:TZ0-9]{20}", text)), (
        path
    )
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", text).split()))


def test_each_page_shows_local_time(world: World) -> None:
    world.settings |= {"date_added": "created"}
    (id,) = world.add(1)
    world.stash.data.scenes[id].created_at = moment_text(CREATED)
    (key,) = world.plex.keys(world.section)
    world.plex.hand_edit(key, addedAt=FOUND, locked=False)
    created, found, mine = (local(moment * 1000) for moment in (CREATED, FOUND, MINE))
    with dashboard(world) as dash:
        assert f"date added {created} {found}" in shown(dash, f"/scenes/{id}")
    assert world.run("sync", "--all", "--wait", "--yes").returncode == 0
    world.plex.hand_edit(key, addedAt=MINE)
    assert world.run("reconcile", "--wait").returncode == 0
    with dashboard(world) as dash:
        page = shown(dash, f"/scenes/{id}")
        assert f"date added {created} {mine}" in page
        assert f"date added : {found} → became {created}" in page
        assert f"date added {mine} {created}" in shown(dash, "/drift")
        assert mine in shown(dash, f"/act/scenes/undo?pick={id}")
