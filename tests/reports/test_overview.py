"""The overview: its sentences, the last night, and the scenes that went over last."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from plexsync.app.parts import Parts, open_parts
from plexsync.reports.overview import LATEST, latest_scenes, night_words
from plexsync.reports.shapes.status import BareFacts, StatusFacts
from plexsync.reports.status import facts
from plexsync.reports.verdict import Sentence, calm_sentences
from plexsync.rules.merge.values import Held
from plexsync.rules.queue.job import Kind, Why
from plexsync.rules.records import Moved
from tests.reports.test_verdict import CONFIG, NOW, WORKS, down, hold, scenes

MOVED = Moved(Held("A", False), Held("B", True))
TITLE = {"title": MOVED}
MOMENT = datetime(2024, 5, 17, 7, 30)


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with open_parts(CONFIG, tmp_path / "data") as made:
        yield made


@pytest.fixture
def fine(parts: Parts) -> StatusFacts:
    """A thousand scenes in sync, a worker at work, compared today."""
    return {**facts(parts), "at": NOW, "worker": WORKS, "last_reconcile": NOW, "scenes": scenes(in_step=1_000)}


# --- sentences -------------------------------------------------------------------------------------------------------


def spoken(bare: BareFacts) -> str:
    return " ".join(f"{text}." for text, _ in calm_sentences(bare))


COUNTS = [
    ({"in_step": 1_000}, "All in sync."),
    ({"in_step": 3, "gone": 2}, "All in sync."),
    ({"in_step": 950, "absent": 50}, "950 of 1,000 in sync, 50 not in Plex yet."),
    ({"in_step": 994, "ambiguous": 6}, "994 of 1,000 in sync. 6 small decisions when you have time."),
    ({"in_step": 1, "failed": 1, "waiting": 2}, "1 of 4 in sync, 2 queued. 1 small decision when you have time."),
    ({"in_step": 7, "ignored": 1}, "7 of 8 in sync, 1 ignored."),
    ({}, "No scene is known yet."),
]


@pytest.mark.parametrize(("counts", "text"), COUNTS)
def test_all_in_sync_is_said_only_if_every_scene_is(fine: BareFacts, counts: dict[str, int], text: str) -> None:
    assert spoken({**fine, "scenes": scenes(**counts)}) == text


def test_all_is_not_said_before_every_scene_was_compared(fine: BareFacts) -> None:
    assert spoken({**fine, "last_reconcile": None}).startswith("1,000 of 1,000 in sync. No full comparison yet: ")


def test_what_stops_everything_comes_first_and_leads_to_where_it_is_mended(fine: BareFacts) -> None:
    sentences = calm_sentences({**fine, "holds": {"plex": hold("plex-server")}})
    assert sentences == [Sentence("Another Plex server answers", "/fix"), Sentence("All were in sync")]
    (first, *_) = calm_sentences({**fine, **down(fine)})
    assert first == Sentence("Plex is down", "/state")
    (first, *_) = calm_sentences({**fine, "worker": {**WORKS, "running": False, "alive": False}})
    assert first == Sentence("No worker runs", "/fix")


def test_fields_that_plex_keeps_lead_to_where_they_are_decided(fine: BareFacts) -> None:
    kept = calm_sentences({**fine, "kept_fields": 3})
    assert kept == [Sentence("All in sync but for 3 fields kept in Plex", "/drift")]


def test_collections_and_dead_letters_of_another_kind_are_decisions_too(fine: BareFacts) -> None:
    words = "All in sync. 2 small decisions when you have time."
    assert spoken({**fine, "collections": {**fine["collections"], "failed": 2}}) == words
    assert spoken({**fine, "dlq": {**fine["dlq"], "count": 2}}) == words


# --- the last night --------------------------------------------------------------------------------------------------


def at(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def push(parts: Parts, scene: int, moment: datetime, *, key: str = "1", undone: str = "") -> None:
    with parts.store.writing() as tx:
        tx.pushes.add(scene, key, TITLE, at=at(moment), undone=undone)


def night(parts: Parts, now: datetime = MOMENT) -> str:
    with parts.store.reading() as db:
        return night_words(db, at(now))


def test_the_night_begins_yesterday_at_ten(parts: Parts) -> None:
    evening = MOMENT.replace(hour=22, minute=0) - timedelta(days=1)
    assert night(parts) == "No edit went to Plex since yesterday 22:00"
    push(parts, 1, evening - timedelta(seconds=1))
    assert night(parts) == "No edit went to Plex since yesterday 22:00"
    push(parts, 2, evening)
    assert night(parts) == "1 edit went to Plex since yesterday 22:00"
    push(parts, 3, MOMENT)
    assert night(parts) == "2 edits since yesterday 22:00, all in Plex"
    assert night(parts, MOMENT.replace(hour=23)) == "2 edits since yesterday 22:00, all in Plex"
    assert night(parts, MOMENT + timedelta(days=1)) == "No edit went to Plex since yesterday 22:00"


@pytest.mark.parametrize("status", ["waiting", "absent", "ambiguous", "failed"])
def test_all_are_in_plex_only_if_no_scene_waits_or_needs_you(parts: Parts, status: str) -> None:
    for scene in (1, 2):
        push(parts, scene, MOMENT)
    with parts.store.writing() as tx:
        if status == "waiting":
            tx.jobs.want(Kind.SCENE, 3, Why.USER, 1)
        else:
            tx.standings.save({3: status}, now=1)
    queued = ", 1 queued" if status == "waiting" else ""
    assert night(parts) == f"2 edits went to Plex since yesterday 22:00{queued}"


def test_what_was_taken_back_is_no_edit(parts: Parts) -> None:
    for scene in (1, 2, 3):
        push(parts, scene, MOMENT)
    push(parts, 1, MOMENT, undone="undo")
    assert night(parts) == "3 edits went to Plex since yesterday 22:00, 1 taken back"


def test_what_is_queued_is_told_without_an_edit(parts: Parts) -> None:
    with parts.store.writing() as tx:
        tx.jobs.want_all(Kind.SCENE, (1, 2), Why.USER, 1)
    assert night(parts).endswith("since yesterday 22:00, 2 are queued")


# --- what went over last ---------------------------------------------------------------------------------------------


def test_each_scene_is_shown_once_with_its_last_push(parts: Parts) -> None:
    for number in range(LATEST + 2):
        push(parts, number + 1, MOMENT + timedelta(minutes=number))
    push(parts, 1, MOMENT + timedelta(hours=1), key="9")
    push(parts, 2, MOMENT + timedelta(hours=2), undone="undo")
    with parts.store.writing() as tx:
        tx.jobs.want(Kind.SCENE, 99, Why.USER, 1)
    with parts.store.reading() as db:
        shown = latest_scenes(db)
    assert [scene.id for scene in shown] == [2, 1, 10, 9, 8, 7, 6, 5]
    assert (shown[0].undone, shown[1].item, shown[1].fields) == ("undo", "9", "title")


def test_of_many_fields_the_first_are_named(parts: Parts) -> None:
    names = ("title", "summary", "studio", "date", "genre", "rating")
    with parts.store.writing() as tx:
        tx.pushes.add(1, "1", dict.fromkeys(names, MOVED), at=1)
        tx.pushes.add(2, "2", dict.fromkeys(names[:5], MOVED), at=2)
    with parts.store.reading() as db:
        five, six = latest_scenes(db)
    assert six.fields.endswith(" and 2 more")
    assert six.fields.count(",") == 3
    assert five.fields.count(",") == 4
