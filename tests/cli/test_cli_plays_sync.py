"""plexsync plays sync: what the first write of plays would do, and the approval of it."""

import csv
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from plexsync.flows.plays.viewings import PERCENT
from plexsync.reports.shapes.plays import FirstPlaysPreview
from plexsync.rules.plays.first_plays import approved_minimum, approved_since
from plexsync.rules.plays.viewings import Viewing
from plexsync.rules.queue.events import SessionState
from plexsync.rules.queue.note_keys import PLAYS_APPROVED
from plexsync.simulator.http import Fault
from plexsync.store.database import Database
from tests.cli.conftest import Door
from tests.conformity import Conformity
from tests.journey.world import World, until

# The middle of 2026-01-31, and of the day before.
AT = 1_769_860_800
DAY = 86_400


@pytest.fixture
def played(world: World, door: Door) -> World:
    """Three scenes in sync, of which the first two were played; Stash has one of the plays."""
    world.add(3)
    assert door("sync", "--all", "--wait", "--yes").code == 0
    first, second, _ = world.plex.keys(world.section)
    for key, moment in ((first, AT), (first, AT - DAY), (second, AT), (second, AT + 1)):
        world.plex.play(key, at=moment)
    world.stash.plays.add(2, [AT])
    world.settings["watch_back"] = "plays"
    return world


def mutations(world: World) -> int:
    return sum(b"mutation" in request.body for request in world.stash.log)


def approval(world: World) -> str:
    database = Database(world.folder / "plexsync.db")
    try:
        with database.reading() as db:
            return db.notes.text(PLAYS_APPROVED)
    finally:
        database.close()


def test_a_dry_run_shows_the_plays_and_writes_nothing(played: World, door: Door) -> None:
    done = door("plays", "sync", "--dry-run")
    assert done.code == 0
    text = " ".join(done.out.split())
    assert "1 Title 0 2 plays, 2026-01-30 to 2026-01-31" in text
    assert "2 Title 1 1 play, 2026-01-31; 1 there already" in text
    assert "4 plays of someone in Plex, 3 of them not in Stash, oldest 2026-01-30" in text
    assert "3 plays would be added to 2 scenes, 2026-01-30 to 2026-01-31" in text
    assert "1 play is in Stash already" in text
    assert "nothing was written" in text
    facts = door("plays", "sync", "--dry-run", "--json").facts
    assert Conformity().problems(facts, FirstPlaysPreview, "plays") == []
    assert (facts["approved"], facts["first"]["missing"], len(facts["scenes"])) == (False, 3, 2)
    assert mutations(played) == 0
    assert approval(played) == ""
    assert door("status", "--json").facts["plays"]["waiting"] == 0


def view(world: World, key: str, seconds: int, at: int) -> None:
    """So many seconds of a minute were watched at a moment."""
    watched = Viewing(1, key, at, "1", length=60_000, ended=at + seconds, pieces=((at, 1000 * seconds),))
    with closing(Database(world.folder / "plexsync.db")) as store, store.writing() as tx:
        tx.notes.save(PERCENT, "10.0")
        tx.viewings.save([replace(watched, state=SessionState.STOPPED)])


def test_what_was_watched_is_told_as_viewings_and_as_play_time(played: World, door: Door) -> None:
    first, second, third = played.plex.keys(played.section)
    view(played, first, 40, AT + DAY)
    view(played, first, 50, AT + 2 * DAY)
    view(played, second, 5, AT + DAY)
    view(played, third, 45, AT)
    text = " ".join(door("plays", "sync", "--dry-run").out.split())
    days = "2026-01-30 to 2026-02-02"
    assert f"1 Title 0 4 plays, 2 of them viewings of 1 min 30 s, {days}; 1 min 30 s of play time" in text
    assert "2 Title 1 1 play, 2026-01-31; 5 s of play time; 1 there already" in text
    assert "3 Title 2 1 play, a viewing of 45 s, 2026-01-31; 45 s of play time" in text
    scene = door("plays", "sync", "--dry-run", "--json").facts["scenes"][0]
    assert (scene["viewed"], scene["viewed_time"], scene["play_time"]) == (2, 90.0, 90.0)
    assert mutations(played) == 0


def test_a_yes_is_asked_for_once_and_saved(played: World, door: Door) -> None:
    refused = door("plays", "sync", answer="n\n", terminal=True)
    assert refused.code == 1
    assert "Add these plays to Stash, and new ones from now on? It is asked only once." in refused.err
    assert "nothing was approved" in refused.err
    assert approval(played) == ""
    agreed = door("plays", "sync", answer="y\n", terminal=True)
    assert agreed.code == 0
    assert "approved; no worker runs: start plexsync serve" in agreed.out
    assert approved_since(approval(played), played.plex.machine, 1, watch_since=0) == 0
    again = door("plays", "sync", terminal=True)
    assert (again.code, "approved already" in again.out, "[y/N]" in again.err) == (0, True, False)
    assert mutations(played) == 0, "the worker writes them"


def test_a_call_that_nobody_can_answer_needs_a_yes(played: World, door: Door) -> None:
    done = door("plays", "sync")
    assert done.code == 2
    assert "preview it with plexsync plays sync --dry-run, then say plexsync plays sync --yes" in done.err
    assert door("plays", "sync", "--json").code == 2
    assert approval(played) == ""
    facts = door("plays", "sync", "--yes", "--json").facts
    assert (facts["approved"], facts["dry_run"]) == (True, False)
    assert approval(played)


def test_a_first_run_is_limited_by_a_day(played: World, door: Door) -> None:
    facts = door("plays", "sync", "--since", "2026-01-31", "--yes", "--json").facts
    assert (facts["first"]["in_plex"], facts["first"]["missing"]) == (3, 2)
    midnight = AT - AT % DAY
    assert approved_since(approval(played), played.plex.machine, 1, watch_since=0) == midnight
    late = door("plays", "sync", "--since", "2026-01-01")
    assert (late.code, "set watch_since" in late.err) == (1, True)


def test_a_day_before_watch_since_is_refused(played: World, door: Door) -> None:
    played.settings["watch_since"] = "2026-01-31"
    done = door("plays", "sync", "--since", "2026-01-30", "--yes")
    assert (done.code, "--since is before watch_since" in done.err) == (2, True)
    assert approval(played) == ""


def test_every_play_goes_to_a_file(played: World, door: Door, tmp_path: Path) -> None:
    played.stash.edit_scene(2, title="=1+1")
    file = tmp_path / "plays.csv"
    done = door("plays", "sync", "--dry-run", "--out", str(file))
    assert (done.code, f"every play is listed in {file}" in done.out) == (0, True)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows == [
        ["scene", "title", "played_at"],
        ["1", "Title 0", "2026-01-30T12:00:00Z"],
        ["1", "Title 0", "2026-01-31T12:00:00Z"],
        ["2", "'=1+1", "2026-01-31T12:00:01Z"],
    ]
    assert door("plays", "sync", "--dry-run", "--out", str(file)).code == 2
    assert door("plays", "sync", "--dry-run", "--out", str(file), "--force").code == 0


@pytest.fixture
def viewed(played: World, door: Door) -> World:
    """Approved by an earlier version; then half a minute and more was watched of the third scene, and little of a second."""
    assert door("plays", "sync", "--yes").code == 0
    until(lambda: door("drain").code == 0 and not door("plays", "status", "--json").facts["waiting"])
    _, second, third = played.plex.keys(played.section)
    with closing(Database(played.folder / "plexsync.db")) as store, store.writing() as tx:
        tx.notes.save(PLAYS_APPROVED, f"{played.plex.machine} 1 0 0 0")
    view(played, third, 40, AT + DAY)
    view(played, second, 5, AT + DAY)
    return played


def test_what_another_rule_would_add_is_shown_and_a_no_changes_nothing(viewed: World, door: Door) -> None:
    before = approval(viewed)
    refused = door("plays", "sync", answer="n\n", terminal=True)
    text = " ".join(refused.out.split())
    assert "3 Title 2 1 play, a viewing of 40 s, 2026-02-01" in text
    assert "1 play of someone by Stash's rule (10 %) is not in Stash" in text
    assert (
        "what is watched in Plex is a play by Stash's rule (10 %), if you agree; until then by Plex's rule. To keep that, "
        'set watch_minimum = "plex"'
    ) in text
    assert "nothing was approved: plays go on as before; to be asked no more, set watch_minimum" in refused.err
    assert (refused.code, approval(viewed)) == (1, before)
    done = door("plays", "sync")
    assert (done.code, "more plays to Stash than the rule that you have approved" in done.err) == (2, True)
    facts = door("plays", "sync", "--dry-run", "--json").facts
    assert Conformity().problems(facts, FirstPlaysPreview, "plays") == []
    assert [(scene["id"], scene["missing"]) for scene in facts["scenes"]] == [(3, ["2026-02-01T12:00:30Z"])]
    assert (facts["first"]["minimum"], facts["first"]["in_force"]) == ("stash", "plex")


def test_a_yes_approves_the_other_rule(viewed: World, door: Door) -> None:
    assert door("plays", "sync", "--yes").code == 0
    assert approved_minimum(approval(viewed)) == "stash"
    assert approved_since(approval(viewed), viewed.plex.machine, 1, watch_since=0) == 0
    again = door("plays", "sync", terminal=True)
    assert (again.code, "approved already" in again.out) == (0, True)


def test_the_approved_rule_as_the_setting_ends_the_question(viewed: World, door: Door) -> None:
    viewed.settings["watch_minimum"] = "plex"
    done = door("plays", "sync", terminal=True)
    assert (done.code, "approved already" in done.out) == (0, True)
    assert "what is watched in Plex is a play by Plex's rule" in done.out


def _off(world: World) -> None:
    world.settings["watch_back"] = "off"


def _nobody(world: World) -> None:
    world.settings["watch_account"] = "nobody"


def _refuses(world: World) -> None:
    world.plex.traits.history_status = 403


def _is_away(world: World) -> None:
    world.plex.faults.set(Fault("status", status=503))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_off, 'set watch_back = "plays" first'),
        (_nobody, "no account of the Plex server with the name of watch_account"),
        (_refuses, "only the owner of a Plex server may read its history"),
        (_is_away, "503"),
    ],
)
def test_what_can_not_be_previewed_is_not_approved(
    played: World, door: Door, change: Callable[[World], None], words: str
) -> None:
    change(played)
    done = door("plays", "sync", "--yes")
    assert (done.code, words in done.err) == (1, True)
    played.plex.faults.clear()
    assert approval(played) == ""


@pytest.mark.parametrize("words", [("--dry-run", "--yes"), ("--force",), ("--out", "-")])
def test_options_that_do_not_fit_are_refused(played: World, door: Door, words: tuple[str, ...]) -> None:
    assert door("plays", "sync", *words).code == 2


@pytest.mark.parametrize("account", ["", "Someone"])
def test_without_a_worker_drain_adds_what_was_approved(played: World, door: Door, account: str) -> None:
    played.settings["watch_account"] = account
    assert door("plays", "sync", "--yes").code == 0
    until(lambda: door("drain").code == 0 and len(played.stash.plays.of(1)) == 2)
    assert sorted(played.stash.plays.of(1)) == [AT - DAY, AT]
    assert sorted(played.stash.plays.of(2)) == [AT, AT + 1]
