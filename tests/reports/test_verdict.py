"""The first line of every screen: what it says, and when it is good."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plexsync.app.parts import Parts, open_parts
from plexsync.reports.fixes import machine_entries
from plexsync.reports.format import DAY, parse_stamp, stamp
from plexsync.reports.needs import LONG_COMMIT, needs
from plexsync.reports.shapes.status import BareFacts, BreakerFacts, HoldFacts, VerifiedFacts
from plexsync.reports.shapes.workers import WorkerEndFacts, WorkerFacts
from plexsync.reports.status import FRESH, facts, verified_words
from plexsync.reports.verdict import urgency, verdict, verdict_line, word_for_worker
from plexsync.rules.plays.missing_plays import MissingPlays, missing_text
from plexsync.rules.plays.plays import PlaySource, PlayState, RememberedPlay
from plexsync.rules.queue.note_keys import HEARTBEAT, INSIDE, LAST_RECONCILE, PLAYS_MISSING, REPAIRED
from plexsync.rules.words.status_words import STATUSES
from plexsync.store import intake
from plexsync.store.files.lock import try_lock
from validation.config import PlexSyncConfig

NOW = "2024-05-17T12:00:00Z"
WORKS: WorkerFacts = {
    "running": True,
    "alive": True,
    "starting": False,
    "inside": False,
    "heartbeat": NOW,
    "enabled": True,
    "host": "",
    "standbys": [],
    "ended": None,
    "commit_wait": 0.0,
    "thread_ended": None,
}
CONFIG = PlexSyncConfig(
    plex_url="http://127.0.0.1:1", plex_token="plex-token-0123456789", stash_url="http://127.0.0.1:1", approve_bulk=True
)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with open_parts(CONFIG, tmp_path / "data") as made:
        yield made


@pytest.fixture
def fine(parts: Parts) -> BareFacts:
    """A thousand scenes in sync, a worker at work, compared today."""
    bare: BareFacts = facts(parts)
    return {**bare, "at": NOW, "worker": WORKS, "last_reconcile": NOW, "scenes": scenes(in_step=1_000)}


def scenes(**counts: int) -> dict:
    return {status.value: {"count": counts.get(status.value, 0), "since": None} for status in STATUSES}


def hold(choice: str = "") -> HoldFacts:
    return {"setting": "plex_token", "choice": choice, "message": "", "since": NOW, "retest_at": NOW}


def told(facts: BareFacts) -> dict[str, str]:
    """The colour of the verdict and its words."""
    found = verdict(facts)
    assert " · ".join(part["text"] for part in found["parts"]) == found["text"]
    return {"tone": found["tone"], "text": found["text"]}


def line(facts: BareFacts, poll_seconds: float = 0) -> str:
    return verdict_line(verdict(facts, poll_seconds), parse_stamp(NOW))


def down(fine: BareFacts) -> dict:
    return {"breakers": {**fine["breakers"], "plex": {**fine["breakers"]["plex"], "state": "open"}}}


SCENES = [
    ({"in_step": 1_000}, "well", "1,000 of 1,000 in sync"),
    ({"in_step": 3, "gone": 2}, "well", "3 of 3 in sync"),
    ({"in_step": 950, "absent": 50}, "well", "950 of 1,000 in sync · 50 not in Plex yet"),
    (
        {"in_step": 950, "failed": 5, "ambiguous": 20, "absent": 25},
        "wait",
        "950 of 1,000 in sync · 25 need you · 25 not in Plex yet",
    ),
    ({"in_step": 500, "waiting": 500}, "well", "500 of 1,000 in sync · 500 queued"),
    ({"in_step": 1, "waiting": 2, "ambiguous": 1}, "wait", "1 of 4 in sync · 1 needs you · 2 queued"),
    (
        {"in_step": 4, "ignored": 1, "dropped": 1, "outside": 2},
        "well",
        "4 of 8 in sync · 2 ignored · 2 out of scope",
    ),
    ({}, "well", "No scene is known yet"),
]


@pytest.mark.parametrize(("counts", "tone", "text"), SCENES)
def test_the_scenes_are_counted_and_amber_says_that_somebody_is_needed(
    fine: BareFacts, counts: dict[str, int], tone: str, text: str
) -> None:
    assert told({**fine, "scenes": scenes(**counts)}) == {"tone": tone, "text": text}


NO_PLAYS = {"waiting": 0, "since": NOW, "error": "", "first": None}
FIRST_PLAYS = {
    "at": NOW,
    "account": "Anna",
    "in_plex": 1_204,
    "uncompared": 0,
    "missing": 1_190,
    "scenes": 300,
    "present": 14,
    "unmatched": 0,
    "unread": 0,
    "oldest": "2021-03-04T05:06:07Z",
    "newest": NOW,
    "minimum": "stash",
    "percent": 10,
    "in_force": "",
}
MORE = {**FIRST_PLAYS, "account": "living room", "in_force": "plex"}
ASKS = "1,204 plays of Anna in Plex, 1,190 of them not in Stash, oldest 2021-03-04: wait for your yes (plexsync plays sync)"
NONE_MISSING = {"missing": 0, "oldest": None}
UNCOUNTED = [
    ({**NONE_MISSING, "present": 0, "uncompared": 1_204}, "1,204 plays of Anna in Plex, not compared with Stash yet: "),
    (
        {**NONE_MISSING, "uncompared": 1_190},
        "1,204 plays of Anna in Plex, 0 of them not in Stash, 1,190 not compared yet: ",
    ),
    ({**NONE_MISSING, "present": 1_204}, "1,204 plays of Anna in Plex, all of them in Stash: later ones "),
    ({**NONE_MISSING, "present": 0, "in_plex": 0, "uncompared": 0}, "0 plays of Anna in Plex: later ones "),
]
YES = "wait for your yes (plexsync plays sync)"
TROUBLE = [
    ({"holds": {"plex": hold("plex-server")}}, "bad", "Another Plex server answers"),
    ({"holds": {"plex": hold()}}, "bad", "Plex does not let PlexSync in"),
    (
        {"holds": {"plex": {**hold(), "setting": "plex_libraries"}}},
        "bad",
        "Plex lacks a library that plex_libraries names",
    ),
    ({"bulk_approved": False}, "wait", "The first write needs your approval"),
    ({"plays": {**NO_PLAYS, "first": FIRST_PLAYS}}, "wait", ASKS),
    (
        {"plays": {**NO_PLAYS, "first": {**MORE, "missing": 3}}},
        "wait",
        "3 plays of living room by Stash's rule (10 %) are not in Stash: "
        "wait for your yes (plexsync plays sync); PlexSync goes on by Plex's rule",
    ),
    (
        {"plays": {**NO_PLAYS, "first": {**MORE, "missing": 1, "minimum": "30s", "in_force": "50%"}}},
        "wait",
        "1 play of living room by the rule 30 s is not in Stash: "
        "wait for your yes (plexsync plays sync); PlexSync goes on by the rule 50 %",
    ),
    *(
        ({"plays": {**NO_PLAYS, "first": {**FIRST_PLAYS, **counts}}}, "wait", words + YES)
        for counts, words in UNCOUNTED
    ),
    ({"worker": {**WORKS, "enabled": False}}, "bad", "PlexSync is switched off"),
    ({"worker": {**WORKS, "alive": False}}, "bad", "The worker hangs"),
    (
        {"worker": {**WORKS, "alive": False, "commit_wait": 61.2}},
        "bad",
        "The database waits for a standby server, and stores nothing (plexsync doctor)",
    ),
    ({"worker": {**WORKS, "running": False, "alive": False}}, "bad", "No worker runs"),
    ({"events": {"waiting": 0, "unread": 1}}, "wait", "1 event can't be read"),
    ({"repaired_at": NOW}, "wait", "The database was rebuilt"),
]


@pytest.mark.parametrize(("trouble", "tone", "words"), TROUBLE)
def test_trouble_comes_before_the_scenes_and_is_never_good(
    fine: BareFacts, trouble: dict, tone: str, words: str
) -> None:
    assert told({**fine, **trouble}) == {
        "tone": tone,
        "text": f"{words} · 1,000 of 1,000 {'were ' if tone == 'bad' else ''}in sync",
    }


def ended(count: int, *, running: bool, inside: bool = False) -> WorkerFacts:
    ends: WorkerEndFacts = {
        "count": count,
        "since": "2024-05-17T11:48:00Z",
        "last": "2024-05-17T11:59:00Z",
        "error": "KeyError: 7",
    }
    return {**WORKS, "running": running, "alive": running, "inside": inside, "ended": ends}


@pytest.mark.parametrize("inside", [False, True])
def test_a_worker_that_ended_by_itself_and_does_not_run_is_told_with_its_error(fine: BareFacts, inside: bool) -> None:
    text = "The worker ended by itself 12 min ago: KeyError: 7 (plexsync log, plexsync doctor)"
    once: BareFacts = {**fine, "worker": ended(1, running=False, inside=inside)}
    assert told(once) == {"tone": "bad", "text": f"{text} · 1,000 of 1,000 were in sync"}
    assert word_for_worker(once["worker"]) == "not running", "it does not rest"
    assert [need.key for need in needs(once)] == ["ended"]


def test_a_worker_that_ends_by_itself_again_and_again_is_told_while_it_runs_too(fine: BareFacts) -> None:
    assert told({**fine, "worker": ended(1, running=True)})["tone"] == "well", (
        "it was started again, and once is no loop"
    )
    text = "The worker ended by itself 5 times since 12 min ago: KeyError: 7 (plexsync log, plexsync doctor)"
    loops: BareFacts = {**fine, "worker": ended(5, running=True)}
    assert told(loops) == {"tone": "wait", "text": f"{text} · 1,000 of 1,000 in sync"}
    (entry,) = machine_entries({**loops, "verdict": verdict(loops)})
    assert [step["command"] for step in entry["steps"]] == ["plexsync log", "plexsync doctor"]
    assert "5 times since 12 min ago: KeyError: 7" in entry["problem"]


WAITS = [
    ({"comparison_due": True}, "well", "a full comparison is due"),
    ({"last_reconcile": None}, "well", "no full comparison yet: other scenes are not counted"),
    ({"events": {"waiting": 2, "unread": 0}}, "well", "2 events left as files"),
    ({"plays": {**NO_PLAYS, "waiting": 1}}, "well", "plays of 1 scene on their way to Stash"),
    (
        {"plays": {**NO_PLAYS, "waiting": 2, "error": "Stash answered 500"}},
        "wait",
        "plays of 2 scenes wait for Stash",
    ),
]


@pytest.mark.parametrize(("waits", "tone", "words"), WAITS)
def test_what_waits_comes_last_and_is_good_unless_a_server_is_awaited(
    fine: BareFacts, waits: dict, tone: str, words: str
) -> None:
    assert told({**fine, **waits}) == {"tone": tone, "text": f"1,000 of 1,000 in sync · {words}"}


def test_a_server_that_is_down_mends_itself_and_comes_after_what_needs_you(fine: BareFacts) -> None:
    assert told({**fine, **down(fine)})["tone"] == "wait"
    everything = {"holds": {"stash": hold("stash")}, **down(fine), "worker": {**WORKS, "alive": False}}
    assert told({**fine, **everything}) == {
        "tone": "bad",
        "text": "Another Stash answers · Plex is down · the worker hangs · 1,000 of 1,000 were in sync",
    }


def closed(fine: BareFacts, *names: str) -> dict:
    """The breakers, with these open."""
    shut: BreakerFacts = {**fine["breakers"]["plex"], "state": "open"}
    return {"breakers": {**fine["breakers"], **dict.fromkeys(names, shut)}}


WRITES_CLOSED = [
    (["stash:write"], {}, "Stash refuses writes: scenes go on, plays wait · 1,000 of 1,000 in sync"),
    (["plex", "stash:write"], {}, "Plex is down · Stash refuses writes: plays wait · 1,000 of 1,000 were in sync"),
    (["stash", "stash:write"], {}, "Stash is down · 1,000 of 1,000 were in sync"),
    (
        ["stash:write"],
        {"worker": {**WORKS, "running": False, "alive": False}},
        "Stash refuses writes: plays wait · no worker runs · 1,000 of 1,000 were in sync",
    ),
]


@pytest.mark.parametrize(("names", "more", "text"), WRITES_CLOSED)
def test_a_stash_that_refuses_writes_stops_no_scenes(names: list, more: dict, text: str, fine: BareFacts) -> None:
    assert told({**fine, **closed(fine, *names), **more})["text"] == text


def test_a_hold_on_writes_to_stash_needs_you_and_stops_no_scenes(fine: BareFacts) -> None:
    up = {"breakers": {**fine["breakers"], "stash:write": fine["breakers"]["stash"]}}
    assert told({**fine, **up, "holds": {"stash:write": hold()}}) == {
        "tone": "wait",
        "text": "Stash refuses writes: scenes go on, plays wait · 1,000 of 1,000 in sync",
    }
    both = {"holds": {"stash": hold(), "stash:write": hold()}}
    assert told({**fine, **up, **both})["text"] == "Stash does not let PlexSync in · 1,000 of 1,000 were in sync"


def test_a_dead_letter_of_a_tag_needs_you_as_well(fine: BareFacts) -> None:
    assert told({**fine, "dlq": {**fine["dlq"], "count": 1}}) == {
        "tone": "wait",
        "text": "1,000 of 1,000 in sync · 1 dead letter",
    }


def test_a_worker_that_rests_inside_stash_is_not_missed(fine: BareFacts) -> None:
    rests: WorkerFacts = {**WORKS, "running": False, "alive": False, "inside": True}
    assert told({**fine, "worker": rests})["tone"] == "well"


def test_a_worker_that_holds_the_lock_without_a_heartbeat_hangs(parts: Parts) -> None:
    with try_lock(parts.folder) as lock:
        assert lock
        starts = facts(parts)
        assert (starts["worker"]["alive"], starts["worker"]["starting"]) == (False, True)
        assert starts["verdict"]["text"].startswith("The worker is starting")
        os.utime(parts.folder / "worker.lock", (1_700_000_000, 1_700_000_000))
        for age, alive in ((0, True), (FRESH - 60_000, True), (FRESH + 1, False)):
            with parts.store.writing() as tx:
                tx.notes.save(HEARTBEAT, str(parts.clock.now() - age))
            status = facts(parts)
            assert (status["worker"]["running"], status["worker"]["alive"]) == (True, alive)
            assert ("The worker hangs" in status["verdict"]["text"]) is not alive
            assert ("hung" in {need.key for need in needs(status)}) is not alive


def test_a_database_that_stores_nothing_is_told_instead_of_the_worker_that_hangs_for_it(parts: Parts) -> None:
    status = facts(parts)
    for seconds, waits in ((LONG_COMMIT, False), (LONG_COMMIT + 1, True)):
        worker: WorkerFacts = {**WORKS, "alive": False, "commit_wait": seconds}
        keys = {need.key for need in needs({**status, "worker": worker})}
        assert keys & {"commits", "hung"} == ({"commits"} if waits else {"hung"})


@pytest.mark.parametrize("age", [0, 2 * DAY])
def test_no_verdict_is_good_above_what_needs_you(parts: Parts, age: int) -> None:
    assert intake.INSIDE == INSIDE
    repaired_at = parts.clock.now() - age
    with parts.store.writing() as tx:
        tx.notes.save(REPAIRED, str(repaired_at))
        tx.notes.save(LAST_RECONCILE, str(parts.clock.now()))
        tx.notes.save(INSIDE, intake.ON)
    status = facts(parts)
    assert status["repaired_at"] == stamp(repaired_at)
    assert bool(needs(status)) is (verdict(status)["tone"] != "well") is (age == 0)


def test_plays_that_are_missing_in_stash_are_named_with_the_command_that_adds_them(parts: Parts) -> None:
    now = parts.clock.now()
    deleted = RememberedPlay(PlaySource("71"), PlayState.DELETED)
    with parts.store.writing() as tx:
        tx.plays.begin(7, "2026-01-01T00:00:00Z", "", dict.fromkeys((1, 2, 3), deleted), now=now)
        tx.notes.save(PLAYS_MISSING, missing_text(MissingPlays(3, now, now)))
    (need,) = [need for need in needs(facts(parts)) if need.key == "missing-plays"]
    assert not need.is_yours, "nothing happens to them unless you want it"
    assert need.text.startswith("3 plays that PlexSync added are missing in Stash")
    assert "plexsync plays again --since 2" in need.text


def test_beside_what_needs_you_stands_the_command_that_mends_it(fine: BareFacts) -> None:
    needing = {**fine, "scenes": scenes(in_step=950, ambiguous=25, absent=25)}
    assert line(needing) == "950 of 1,000 in sync · 25 need you → plexsync fix · 25 not in Plex yet"
    assert line({**needing, "holds": {"stash": hold("stash")}}) == (
        "Another Stash answers · 950 of 1,000 were in sync · 25 need you → plexsync fix · 25 not in Plex yet"
        " · next check now"
    )
    assert line(fine) == "1,000 of 1,000 in sync"


def test_what_waits_for_a_server_or_a_poll_says_when_the_next_check_is(fine: BareFacts) -> None:
    absent = {**fine, "scenes": scenes(in_step=1, absent=1), "last_poll": "2024-05-17T11:59:03Z"}
    assert line(absent, 60).endswith("1 not in Plex yet · next check in 3 s")
    assert verdict(absent, 60)["next_check"] == "2024-05-17T12:00:03Z"
    plex = {**fine["breakers"]["plex"], "state": "open", "next_probe_at": "2024-05-17T12:05:00Z"}
    away = {**absent, "breakers": {**fine["breakers"], "plex": plex}}
    assert line(away, 60).endswith("1 not in Plex yet · next check in 5 min")
    pace = {"not_before": "2024-05-17T12:00:20Z", "jobs_per_claim": 0}
    assert line({**fine, "paces": {**fine["paces"], "stash": pace}}).endswith("in sync · next check in 20 s")


@pytest.mark.parametrize(
    ("without", "poll_seconds"),
    [
        ({"scenes": scenes(in_step=2)}, 60),
        ({"last_poll": None}, 60),
        ({"last_poll": "2024-05-17T11:00:00Z"}, 60),
        ({"worker": {**WORKS, "running": False, "alive": False}}, 60),
        ({"worker": {**WORKS, "enabled": False}}, 60),
        ({}, 0),
    ],
)
def test_no_check_is_promised_that_nothing_waits_for_or_nobody_makes(
    fine: BareFacts, without: dict, poll_seconds: float
) -> None:
    absent = {**fine, "scenes": scenes(absent=2), "last_poll": "2024-05-17T11:59:03Z"}
    assert verdict({**absent, **without}, poll_seconds)["next_check"] is None


def test_what_needs_you_leads_to_fix_also_where_work_goes_on(fine: BareFacts) -> None:
    choices: BareFacts = {**fine, "scenes": scenes(in_step=950, ambiguous=6, waiting=1)}
    parts = verdict(choices)["parts"]
    assert [(part["tone"], part["yours"]) for part in parts] == [("well", False), ("wait", True), ("well", False)]
    assert line(choices) == "950 of 957 in sync · 6 need you → plexsync fix · 1 queued"
    stopped: BareFacts = {**choices, "holds": {"plex": hold()}}
    assert urgency(verdict(stopped)) < urgency(verdict(choices)) < urgency(verdict(fine))


def test_what_a_comparison_found_before_it_wrote_is_told_as_past() -> None:
    found: VerifiedFacts = {"at": NOW, "in_sync": 0, "differ": 288, "sample": False, "kept_fields": 0}
    assert verified_words(found) == "288 of 288 differed then"
    assert verified_words({**found, "in_sync": 288, "differ": 0}) == "288 of 288 were in sync"
