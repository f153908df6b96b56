"""The record of what a probe has learnt: how it is stored, joined and told."""

import json

import pytest

from plexsync.app.probe.questions import EXPERIMENTS
from plexsync.rules.merge import traits
from plexsync.rules.merge.traits import QUESTIONS, LearntTraits, ServerTraits, present_traits
from plexsync.rules.servers.scratch import Original
from plexsync.store.index.probes import decode
from tests.tables import table

SOME = ServerTraits(tag_mode="add", removals_at_once=0, picture_lag=1.5, cast_on_other=False)


def test_every_trait_has_a_question_and_is_asked_once() -> None:
    asked = [name for _, names in EXPERIMENTS for name in names]
    assert sorted(QUESTIONS) == sorted(ServerTraits().answers()) == sorted(asked)


@table(
    ("name", "answer", "words"),
    [
        ("tag_mode", "replace", "replace the list"),
        ("tags_lock", False, "no"),
        ("removals_at_once", 0, "no limit found"),
        ("removals_at_once", 2, "2"),
        ("picture_lag", 0.0, "at once"),
        ("picture_lag", 1.0, "1 s"),
        ("picture_lag", 1.5, "1.5 s"),
        ("file_filter", None, ""),
    ],
)
def test_an_answer_has_words(name: str, answer: traits.Answer, words: str) -> None:
    assert traits.answer_words(traits.QUESTIONS[name], answer) == words


def test_the_stored_form_is_read_back() -> None:
    assert traits.from_text(traits.to_text(SOME)) == SOME


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", "[1]", "7", "[" * 100_000])
def test_a_text_that_is_no_stored_form_counts_as_nothing_learnt(text: str) -> None:
    assert traits.from_text(text) == ServerTraits()
    assert decode(text, Original) is None


def test_a_stored_answer_of_another_version_of_plexsync_counts_as_none() -> None:
    stored = json.loads(traits.to_text(SOME))
    stored |= {"tag_mode": "mix", "removals_at_once": -1, "picture_lag": "long", "new": True, "tags_lock": 1}
    assert traits.from_text(json.dumps(stored)) == ServerTraits(cast_on_other=False)


@pytest.mark.parametrize(
    ("machine", "version", "expected"), [("m", "v", "add"), ("other", "v", None), ("m", "newer", None)]
)
def test_an_earlier_answer_counts_for_the_same_server_and_version(
    machine: str, version: str, expected: str | None
) -> None:
    newer = LearntTraits(machine, version, ServerTraits(tags_lock=True), 9)
    joined = LearntTraits("m", "v", SOME, 7).join(newer)
    assert (joined.traits.tag_mode, joined.traits.tags_lock, joined.learnt_at) == (expected, True, 9)


OF_PROBE = LearntTraits("m", "1", ServerTraits(tag_mode="add", upload_selects=False, one_stamp=True), 100)


@pytest.mark.parametrize(
    ("version", "working", "selects", "one_stamp"),
    [
        ("1", None, False, True),
        ("2", None, None, None),
        ("1", LearntTraits("m", "1", ServerTraits(upload_selects=True), 200), True, True),
        ("1", LearntTraits("m", "1", ServerTraits(upload_selects=True), 50), False, True),
        ("2", LearntTraits("m", "2", ServerTraits(upload_selects=True), 50), True, None),
        ("2", LearntTraits("m", "1", ServerTraits(upload_selects=True), 200), None, None),
        ("1", LearntTraits("other", "1", ServerTraits(upload_selects=True), 200), False, True),
    ],
)
def test_what_work_tells_counts_for_its_server_and_version_and_the_later_answer_counts(
    version: str, working: LearntTraits | None, selects: bool | None, one_stamp: bool | None
) -> None:
    present = present_traits("m", version, OF_PROBE, working)
    assert (present.upload_selects, present.one_stamp, present.tag_mode) == (selects, one_stamp, "add")
