"""The table of evidence in docs/reliability.md is that of the product, and each row names tests that are there."""

import re

import pytest

from plexsync.reports.evidence import FEATURES, Feature, Level, evidence_words
from plexsync.rules.merge.traits import QUESTIONS, LearntTraits, traits_from
from tests.sources import ROOT
from validation.config import PlexSyncConfig

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
RECORDINGS = "tests/contract/test_plex_recordings.py"
# Answers of a probe that no feature in use waits for: what PlexSync would do with them is not built.
STORED_ONLY = {"people_own", "people_house", "people_https"}
SETTINGS = {"plex_url": "http://plex", "plex_token": "t", "stash_url": "http://stash"}


def names(words: tuple[str, ...], none: str) -> str:
    return ", ".join(f"`{word}`" for word in words) or none


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_each_feature_has_its_row_with_tests_that_are_there(feature: Feature) -> None:
    cells = (feature.name, names(feature.settings, "always"), feature.level, names(feature.traits, "–"))
    start = "| " + " | ".join(cells) + " | "
    (row,) = (line for line in PAGE.splitlines() if line.startswith(start))
    tests = re.findall(r"\]\(\.\./([^)]+)\)", row)
    assert tests
    assert all((ROOT / path).is_file() for path in tests)
    assert (feature.level is Level.RECORDED) == (RECORDINGS in tests)


def test_the_table_has_no_other_row() -> None:
    table = PAGE[PAGE.index("## Evidence") : PAGE.index("## What is not covered")]
    assert len(re.findall(r"^\| (?!feature|-)", table, re.MULTILINE)) == len(FEATURES)


def test_every_question_of_a_probe_shows_a_feature_or_is_stored_only() -> None:
    assert sorted(trait for feature in FEATURES for trait in feature.traits) == sorted({*QUESTIONS} - STORED_ONLY)


def test_a_probe_raises_the_level_on_its_version_alone() -> None:
    answers = {"rating_by_edit": "account", "tag_mode": "add"}
    config = PlexSyncConfig(**SETTINGS, sync_rating=True)
    learnt = LearntTraits("machine", "1.43", traits_from(answers), 0)
    seen, other = evidence_words(config, learnt, "1.43"), evidence_words(config, learnt, "1.44")
    assert ": 1 tried on this server" in seen
    assert "ratings in Plex" not in seen, "all its questions are answered"
    assert "lists are edited" in seen, "some of its questions are not"
    assert ": 0 tried on this server" in other
    assert "ratings go both ways" not in seen, "it is off"
    assert "ratings go both ways" in evidence_words(PlexSyncConfig(**SETTINGS, rating_direction="both"), None, "1.43")
