"""Each setting reaches the rule that it is about, and no other one."""

import json
from collections.abc import Callable

import pytest

from plexsync.app.fingerprints import changed_names, prints_of_settings, words_of_change
from plexsync.app.rules import HOUR, dressing, look_rules, profile, rating_rules, watch_rules, work_rules
from plexsync.engine.rules import SWITCHED_OFF
from plexsync.rules.plays.plays import WatchRules
from plexsync.rules.plays.ratings import RatingRules
from validation.config import PlexSyncConfig


def config(**given: object) -> PlexSyncConfig:
    return PlexSyncConfig(plex_url="http://plex", plex_token="x" * 20, **given)


FIELD_OF = {
    "sync_title": "title",
    "sync_studio": "studio",
    "sync_summary": "summary",
    "sync_date": "originallyAvailableAt",
    "sync_rating": "userRating",
    "sync_cast": "actor",
    "sync_director": "director",
    "sync_genres": "genre",
    "sync_collection": "collection",
}
FILLED = {
    "titleSort": {"sort_title_template": "{date}"},
    "originalTitle": {"original_title_template": "{title}"},
    "tagline": {"tagline_template": "{code}"},
    "addedAt": {"date_added": "date"},
    "contentRating": {"content_rating": "XXX"},
    "label": {"label_tags": "A"},
}


@pytest.mark.parametrize("switch", FIELD_OF)
def test_a_switch_leaves_out_its_field_and_no_other(switch: str) -> None:
    everything = profile(config()).fields
    assert set(FIELD_OF.values()) <= everything
    assert everything - profile(config(**{switch: False})).fields == {FIELD_OF[switch]}


@pytest.mark.parametrize("field", FILLED)
def test_a_field_without_a_switch_comes_with_its_setting(field: str) -> None:
    assert profile(config(**FILLED[field])).fields - profile(config()).fields == {field}


def test_the_rating_is_left_to_its_own_flows_if_it_goes_both_ways() -> None:
    assert profile(config()).fields - profile(config(rating_direction="both")).fields == {"userRating"}


@pytest.mark.parametrize(
    ("given", "name", "usual", "chosen"),
    [
        ({"poster": "none"}, "poster", "cover", ""),
        ({"background": "gallery"}, "background", "", "gallery"),
        ({"date_added": "file"}, "date_added", "", "file"),
        ({"poster_logo": "bottom_right"}, "poster_logo", "", "bottom_right"),
        ({"content_rating": "XXX"}, "content_rating", "", "XXX"),
        ({"tag_parents": True}, "tag_parents", False, True),
    ],
)
def test_what_is_off_is_no_value_of_the_profile(given: dict, name: str, usual: object, chosen: object) -> None:
    assert (getattr(profile(config()), name), getattr(profile(config(**given)), name)) == (usual, chosen)


LOOKS: list[tuple[dict, Callable, object, object]] = [
    ({"when_gone": "undo"}, lambda rules: rules.undo_gone, False, True),
    ({"conflict_policy": "plex"}, lambda rules: rules.policy.conflict, "stash", "plex"),
    ({"first_push": "stash"}, lambda rules: rules.policy.first_push, "keep", "stash"),
    ({"match_by_duration": True}, lambda rules: rules.by_duration, False, True),
    ({"scope": ["organized"], "scope_match": "any"}, lambda rules: rules.scope.match, "kinds", "any"),
]


@pytest.mark.parametrize(("given", "of", "usual", "chosen"), LOOKS, ids=[str(row[0]) for row in LOOKS])
def test_a_comparison_goes_by_the_settings(given: dict, of: Callable, usual: object, chosen: object) -> None:
    assert (of(look_rules(config())), of(look_rules(config(**given)))) == (usual, chosen)


def test_a_library_has_a_profile_of_its_own_settings() -> None:
    rules = look_rules(config(libraries={"Clips": {"sync_title": False}}))
    assert "title" not in rules.libraries["clips"].fields
    assert "title" in rules.profile.fields


def test_the_queue_goes_by_the_settings() -> None:
    rules = work_rules(
        config(max_retries=3, plex_parallel=2, dlq_retention_days=7, dlq_max=500, enabled=False, plex_read_timeout=10)
    )
    assert (rules.max_retries, rules.parallel, rules.dlq_max, rules.rests) == (3, 2, 500, SWITCHED_OFF)
    assert (rules.retention, rules.deadline, rules.lease) == (7 * 24 * HOUR, 20_000, 120_000)


def test_a_lease_outlives_the_longest_request() -> None:
    rules = work_rules(config(plex_read_timeout=100))
    assert (rules.deadline, rules.lease) == (200_000, 400_000)


def test_collections_are_dressed_by_the_settings() -> None:
    made = dressing(config(collection_minimum=3, collection_mode="hidden", collection_home="A"))
    assert (made.minimum, made.mode) == (3, "hidden")
    assert dressing(config()).mode == ""
    assert not dressing(config()).is_on


RATING_BACK = {"rating_direction": "both", "rating_wins": "plex"}


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ({}, None),
        ({"rating_direction": "to_plex"}, None),
        ({**RATING_BACK, "sync_rating": False}, None),
        (RATING_BACK, RatingRules("plex", True, {})),
        (
            {**RATING_BACK, "sync_rating": False, "libraries": {"Clips": {"sync_rating": True}}},
            RatingRules("plex", False, {"clips": True}),
        ),
        (
            {**RATING_BACK, "libraries": {"Clips": {"sync_rating": False}}},
            RatingRules("plex", True, {"clips": False}),
        ),
    ],
)
def test_ratings_go_both_ways_where_they_are_on(given: dict, rules: RatingRules | None) -> None:
    assert rating_rules(config(**given)) == rules


@pytest.mark.parametrize(
    ("given", "rules"),
    [
        ({}, None),
        ({"watch_back": "plays"}, WatchRules()),
        ({"watch_back": "plays+resume"}, WatchRules(resume=True)),
        ({"watch_back": "plays", "watch_account": "7"}, WatchRules("7")),
        ({"watch_back": "plays", "watch_since": "1970-01-02"}, WatchRules(since=86_400)),
        ({"watch_back": "plays", "watch_minimum": "10%"}, WatchRules(minimum="10%")),
    ],
)
def test_plays_come_back_with_what_the_settings_say(given: dict, rules: WatchRules | None) -> None:
    assert watch_rules(config(**given)) == rules


@pytest.mark.parametrize("name", ["performer_picture_url", "libraries"])
def test_an_address_that_may_hold_a_secret_is_noted_as_a_fingerprint_alone(name: str) -> None:
    picture = {"performer_picture_url": "https://pictures/{id}?key=hunter2"}
    noted = prints_of_settings(config(**(picture if name in picture else {"libraries": {"Movies": picture}})))
    assert "hunter2" not in noted
    assert changed_names(prints_of_settings(config()), noted) == [name]


def test_a_setting_that_is_gone_is_no_change_of_yours() -> None:
    now = prints_of_settings(config())
    before = json.dumps({**json.loads(now), "gallery_choices": "f00d", "adopt_locked_lists": "f00d"})
    assert changed_names(before, now) == []
    assert changed_names(before, prints_of_settings(config(tagline_template="{title}"))) == ["tagline_template"]


def test_a_question_does_not_tell_an_address_that_may_hold_a_secret() -> None:
    changed = config(performer_picture_url="https://h/{id}?key=hunter2", look="rich")
    assert words_of_change(changed, ["performer_picture_url"]) == "performer_picture_url has changed"
    assert words_of_change(changed, ["look"]) == "look is rich now"
