"""A condition is one row: a row that is added is found at every door, and every row says what it has to."""

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from plexsync.app.fixes import FixAction
from plexsync.app.parts import Parts, open_parts
from plexsync.cli.terminal.status_page import show_page
from plexsync.reports import needs as table
from plexsync.reports.fixes import SETTING, SIGN_IN, machine_entries
from plexsync.reports.needs import BAD, NEEDS, SILENT, WELL, Need, NeedRow, NeedStep, needs, when
from plexsync.reports.notices import situation
from plexsync.reports.shapes.status import BareFacts
from plexsync.reports.status import facts
from plexsync.reports.verdict import calm_sentences, verdict
from plexsync.rules.queue.notices import NoticeRules
from plexsync.web.addresses import prefix_of
from tests.cli.conftest import Door, bare as bare, door as door
from tests.journey.world import World
from tests.reports.test_verdict import CONFIG, FIRST_PLAYS, NOW, WORKS, down, ended, hold, scenes
from tests.web.conftest import dashboard
from tests.web.stage import config_of

TOY = NeedRow(
    "toy",
    BAD,
    when(lambda facts: facts["index"]["items"] == 0),
    "the toy is broken",
    text="It fell down.",
    next="Glue it.",
    steps=(NeedStep("open", "Glue it", page="/state", command="plexsync log"),),
    notify=table.AT_ONCE,
    over="The toy is whole.",
)


def test_a_condition_is_one_row_and_found_at_every_door(
    world: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "ROWS", (*table.ROWS, TOY))
    for words in (("status",), ("fix",), ("doctor",)):
        assert "The toy is broken" in door(*words).out, words
    assert "The toy is broken" in door("--json", "fix").out
    # The page in Stash and its tasks show these facts.
    assert "the toy is broken" in json.loads(door("--json", "status").out)["verdict"]["text"]
    with dashboard(world) as dash:
        for page in ("/", "/fix?view=list", "/state"):
            assert "The toy is broken" in dash.get(page).text, page
        assert 'plexsync_need{key="toy",tone="bad"} 1.0' in dash.get("/metrics").text
        answer = dash.get("/health")
        assert (answer.status_code, "toy" in answer.json()["needs"]) == (503, True)
        assert "toy" in [need["key"] for need in dash.get("/api/needs").json()["needs"]]
    with open_parts(config_of(world), world.folder) as parts:
        told = {one.key: one for one in situation(parts, NoticeRules(), None).open}
    assert (told["toy"].text, told["toy"].over) == (
        "PlexSync needs you: The toy is broken. It fell down. Glue it.",
        "The toy is whole.",
    )


# --- every row ---------------------------------------------------------------------------------------------------------

STALL = {"subject": "plays in Plex", "since": "2024-05-17T11:00:00Z", "seconds": 60.0, "reason": "GraphQL error"}
MISSING = {"count": 3, "at": NOW, "command": "plexsync plays again --since 2024-05-17"}
ASKS = {"library": "Clips", "state": "on", "added_at": NOW, "called_at": None, "problem": "Plex has not asked yet"}
FULL = {"since": NOW, "folder": "/data", "free": 0, "full": True, "error": "no space is left for plexsync.db in /data"}
UNLIKE = {"host": "attic", "since": NOW, "differing": ["plex_url"]}
BALANCE = {"accepted": 1, "coalesced": 0, "done": 0, "pruned": 0, "open": 0, "balanced": False}
# What opens each row, and the key that it has then.
OPENED: dict[str, dict] = {
    "storage": {"storage": FULL},
    "hold:plex": {"holds": {"plex": hold()}},
    "hold:stash": {"holds": {"stash": hold("stash")}},
    "hold:stash:write": {"holds": {"stash:write": hold()}},
    "approve": {"bulk_approved": False},
    "setting-change": {
        "setting_change": {
            "text": "look is rich now: 3 scenes would change",
            "stops": False,
            "scenes": 3,
            "collections": 0,
        }
    },
    "off": {"worker": {**WORKS, "enabled": False}},
    "unread": {"events": {"waiting": 0, "unread": 1}},
    "books": {"books": BALANCE},
    "repaired": {"repaired_at": NOW},
    "playlists": {"playlists_problem": "Stash has no tag Playlists"},
    "provider:Clips": {"asking": [ASKS]},
    "commits": {"worker": {**WORKS, "commit_wait": 61.2}},
    "ended": {"worker": ended(1, running=False)},
    "hung": {"worker": {**WORKS, "alive": False}},
    "idle": {"worker": {**WORKS, "running": False, "alive": False}},
    "moving": {"moving": {"remaining": 1_940, "members": 2_000}},
    "starting": {"worker": {**WORKS, "alive": False, "starting": True}},
    "thread": {"worker": {**WORKS, "thread_ended": ended(1, running=True)["ended"]}},
    "standby": {"worker": {**WORKS, "standbys": [UNLIKE]}},
    "missing-plays": {"missing_plays": MISSING},
    "stalled:plays in Plex": {"stalled": [STALL]},
}


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with open_parts(CONFIG, tmp_path / "data") as made:
        yield made


@pytest.fixture
def fine(parts: Parts) -> BareFacts:
    return {**facts(parts), "at": NOW, "worker": WORKS, "last_reconcile": NOW, "scenes": scenes(in_step=7)}


def opened(fine: BareFacts, key: str) -> BareFacts:
    if key == "away:plex":
        return {**fine, **down(fine)}
    if key == "dead-limit":
        return {**fine, "dlq": {**fine["dlq"], "count": 101, "max": 100, "over": True}}
    if key == "plays":
        return {**fine, "plays": {**fine["plays"], "first": FIRST_PLAYS}}
    if key == "failing:stash":
        failing = {**fine["breakers"]["stash"], "failures": 1, "error": "Stash at nas:9999 refuses connections"}
        return {**fine, "breakers": {**fine["breakers"], "stash": failing}}
    if key == "throttled:plex":
        return {**fine, "paces": {**fine["paces"], "plex": {"not_before": "2024-05-17T12:05:00Z", "jobs_per_claim": 0}}}
    changes = OPENED[key]
    breakers = dict.fromkeys(changes.get("holds", ()), fine["breakers"]["plex"])
    return {**fine, "breakers": {**fine["breakers"], **breakers}, **changes}


KEYS = (*OPENED, "away:plex", "dead-limit", "plays", "throttled:plex", "failing:stash")


def test_every_row_is_opened_here() -> None:
    assert {key.partition(":")[0] for key in KEYS} == {row.key for row in table.ROWS}
    assert len({row.key for row in table.ROWS}) == len(table.ROWS)


def test_nothing_is_open_while_all_is_well(fine: BareFacts) -> None:
    assert needs(fine) == []


@pytest.mark.parametrize("key", KEYS)
def test_every_row_says_at_every_door_what_is_wrong_and_what_mends_it(fine: BareFacts, key: str) -> None:
    bare = opened(fine, key)
    (need,) = needs(bare)
    assert need.key == key
    first = verdict(bare)
    assert first["parts"][0] == {
        "tone": "wait" if need.tone == NEEDS else need.tone,
        "text": need.short[:1].upper() + need.short[1:],
        "yours": need.is_yours,
    }
    assert need.short[1:] in str(calm_sentences(bare)[0].text)
    out = StringIO()
    show_page(Console(file=out, width=4_000), {"verdict": first, **bare})
    shown = "" if need.tone == WELL else f"{need.title}: {need.text} {need.next}".strip()
    assert shown in out.getvalue()
    assert [entry["key"] for entry in machine_entries({"verdict": first, **bare})] == [key] * need.is_yours
    assert_says_enough(need)


def assert_says_enough(need: Need) -> None:
    """What is yours has a way out; each step can be taken; an announced condition says when it is over."""
    assert need.text
    assert "\n" not in need.title + need.text + need.next + need.over
    if need.is_yours and need.key != "books":
        assert need.steps, "a button, a page or a command"
    for step in need.steps:
        assert step.action in {*FixAction, SIGN_IN, SETTING, "open"}
        assert step.page or step.command or step.action in set(FixAction)
    assert need.notify == SILENT or need.over or need.key == "repaired"


def test_the_page_of_each_need_is_there(world: World) -> None:
    pages = {step.page for row in table.ROWS if isinstance(row.steps, tuple) for step in row.steps if step.page}
    pages |= {row.page for row in table.ROWS if isinstance(row.page, str) and row.page}
    with dashboard(world, provider_listen="127.0.0.1:9") as dash:
        for page in sorted(pages):
            assert dash.get(f"{prefix_of('')}{page}").status_code == 200, page
